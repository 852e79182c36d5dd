//! `GET /v2/billing/costs`: sums of the stored line items, as floats (spec: getBillingCosts).
//!
//! Supports filters and groups by connection and line item type only.

use crate::sandbox::cloudzero::ledger::Ledger;
use crate::sandbox::cloudzero::line_item::LineItem;
use crate::sandbox::cloudzero::namespace::Namespace;
use crate::sandbox::cloudzero::pagination::pagination;
use crate::sandbox::cloudzero::period::{day_of, parse_datetime};
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::data::money::{Units, to_plain_string};
use crate::sandbox::server::state::lock;
use axum::http::StatusCode;
use chrono::{Datelike, Days, NaiveDate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

const PAGE_SIZE: usize = 10_000;
/// Requests without a cursor before 429. Per day at CloudZero; a sandbox does not run longer.
const MAX_REQUESTS: u32 = 60;
const DIMENSIONS: [&str; 2] = ["BillingConnectionID", "LineItemType"];
const COST_TYPES: [&str; 6] = [
    "billed_cost",
    "discounted_cost",
    "amortized_cost",
    "discounted_amortized_cost",
    "real_cost",
    "on_demand_cost",
];
const GRANULARITIES: [&str; 5] = ["hourly", "daily", "weekly", "monthly", "yearly"];

/// Number of queries, and their results as of the query, for paging.
#[derive(Debug, Clone, Default)]
pub(crate) struct BillingCostsResults {
    requests: u32,
    results: Vec<Arc<Vec<Value>>>,
}

struct BillingCostsQuery {
    /// Hours since 1970-01-01.
    hours: Range<i64>,
    granularity: String,
    cost_type: String,
    group_by: Vec<String>,
    filters: BTreeMap<String, Vec<String>>,
}

/// Runs a query, or returns the page of a cursor.
pub(crate) fn list(namespace: &Namespace, query: &str, today: NaiveDate) -> Reply {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let cursor = pairs.find(|(name, value)| name == "cursor" && !value.is_empty());
    if let Some((_, cursor)) = cursor {
        let position = parse_cursor(&cursor);
        let costs_results = lock(&namespace.costs_results);
        let found = position.and_then(|(number, offset)| {
            Some((number, offset, costs_results.results.get(number)?))
        });
        return match found {
            Some((number, offset, results)) => page(results, number, offset),
            None => Reply::error(StatusCode::GONE, "the results of this cursor have expired"),
        };
    }
    let mut costs_results = lock(&namespace.costs_results);
    if costs_results.requests >= MAX_REQUESTS {
        let text = format!("at most {MAX_REQUESTS} requests a day");
        return Reply::error(StatusCode::TOO_MANY_REQUESTS, text);
    }
    costs_results.requests += 1;
    let query = match BillingCostsQuery::parse(query, today) {
        Ok(query) => query,
        Err(error) => return Reply::bad_request(error),
    };
    let results = Arc::new(query.compute(&lock(&namespace.ledger)));
    costs_results.results.push(results.clone());
    page(&results, costs_results.results.len() - 1, 0)
}

fn page(results: &[Value], number: usize, offset: usize) -> Reply {
    let costs: Vec<&Value> = results.iter().skip(offset).take(PAGE_SIZE).collect();
    let cursor = |offset| format!("costs>{number}>{offset}");
    Reply::ok(&json!({
        "pagination": pagination(results.len(), offset, costs.len(), PAGE_SIZE, cursor),
        "sorting": {
            "available": { "sort_keys": ["usage_date"], "sort_orders": ["asc"] },
            "current": [{ "sort_key": "usage_date", "sort_order": "asc" }],
        },
        "filtering": { "available": [], "current": {} },
        "total_count": results.len(),
        "costs": costs,
    }))
}

fn parse_cursor(cursor: &str) -> Option<(usize, usize)> {
    let (number, offset) = cursor.strip_prefix("costs>")?.split_once('>')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}

impl BillingCostsQuery {
    fn parse(query: &str, today: NaiveDate) -> Result<BillingCostsQuery, String> {
        let (mut start, mut end) = (None, None);
        let mut parsed = BillingCostsQuery {
            hours: 0..0,
            granularity: "daily".to_owned(),
            cost_type: "real_cost".to_owned(),
            group_by: Vec::new(),
            filters: BTreeMap::new(),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "start_date" => start = Some(parse_hour(&name, &value)?),
                "end_date" => end = Some(parse_hour(&name, &value)?),
                "granularity" => parsed.granularity = parse_choice(&GRANULARITIES, &name, &value)?,
                "cost_type" => parsed.cost_type = parse_choice(&COST_TYPES, &name, &value)?,
                "group_by" => parsed
                    .group_by
                    .push(parse_choice(&DIMENSIONS, &name, &value)?),
                "filters" => {
                    parsed.filters = serde_json::from_str(&value)
                        .map_err(|error| format!("could not parse filters: {error}"))?;
                }
                _ => {}
            }
        }
        for name in parsed.filters.keys() {
            parse_choice(&DIMENSIONS, "filters", name.trim_start_matches('!'))?;
        }
        let start = start.ok_or("start_date is required")?;
        let now = || first_hour(today.checked_add_days(Days::new(1)).unwrap_or(today));
        parsed.hours = start..end.unwrap_or_else(now);
        if parsed.hours.is_empty() {
            return Err("end_date must be after start_date".to_owned());
        }
        Ok(parsed)
    }

    /// One record per time and group with line items, ordered by time.
    fn compute(&self, ledger: &Ledger) -> Vec<Value> {
        let mut sums: BTreeMap<(String, Vec<&str>), Units> = BTreeMap::new();
        for (connection, _, stored) in ledger.all() {
            for line_item in stored
                .line_items
                .iter()
                .filter(|line_item| self.hours.contains(&line_item.hour))
            {
                let dimension = |name: &str| match name.trim_start_matches('!') {
                    "LineItemType" => line_item.line_item_type(),
                    _ => connection,
                };
                let passes = |(name, values): (&String, &Vec<String>)| {
                    let is_listed = values.iter().any(|value| value == dimension(name));
                    is_listed != name.starts_with('!')
                };
                if !self.filters.iter().all(passes) {
                    continue;
                }
                let Some(cost) = self.cost(line_item) else {
                    continue;
                };
                let group = self.group_by.iter().map(|name| dimension(name)).collect();
                *sums.entry((self.time(line_item.hour), group)).or_default() += cost;
            }
        }
        let records = sums.into_iter().map(|((time, group), sum)| {
            let mut record = json!({ "usage_date": time, "cost": to_f64(sum) });
            for (name, value) in self.group_by.iter().zip(group) {
                record[name] = value.into();
            }
            record
        });
        records.collect()
    }

    fn cost(&self, line_item: &LineItem) -> Option<Units> {
        let costs = &line_item.costs;
        Some(match self.cost_type.as_str() {
            "billed_cost" => costs.billed,
            "discounted_cost" => costs.discounted,
            "amortized_cost" => costs.amortized,
            "discounted_amortized_cost" => costs.discounted_amortized,
            "on_demand_cost" => costs.on_demand,
            _ if line_item.line_item_type() == "Usage" => costs.discounted_amortized,
            _ => return None,
        })
    }

    /// Start of the period that contains an hour.
    fn time(&self, hour: i64) -> String {
        let day = day_of(hour);
        let weekday = Days::new(day.weekday().num_days_from_monday().into());
        let start = match self.granularity.as_str() {
            "hourly" => return format!("{day}T{:02}:00:00+00:00", hour.rem_euclid(24)),
            "weekly" => day.checked_sub_days(weekday),
            "monthly" => day.with_day(1),
            "yearly" => NaiveDate::from_ymd_opt(day.year(), 1, 1),
            _ => Some(day),
        };
        format!("{}T00:00:00+00:00", start.unwrap_or(day))
    }
}

/// Nearest float, as the published API has; clients must not treat it as exact.
fn to_f64(sum: Units) -> f64 {
    to_plain_string(sum).parse().unwrap_or_default()
}

fn first_hour(day: NaiveDate) -> i64 {
    day.signed_duration_since(NaiveDate::default()).num_hours()
}

/// Hour since 1970-01-01 of a date or datetime, rounded up.
fn parse_hour(name: &str, value: &str) -> Result<i64, String> {
    if let Ok(day) = NaiveDate::parse_from_str(value, "%Y-%m-%d") {
        return Ok(first_hour(day));
    }
    let instant =
        parse_datetime(value).ok_or_else(|| format!("{name} is not a date or datetime"))?;
    Ok((instant.timestamp() + 3_599).div_euclid(3_600))
}

fn parse_choice(known: &[&str], name: &str, value: &str) -> Result<String, String> {
    if known.contains(&value) {
        return Ok(value.to_owned());
    }
    let known = known.join(", ");
    Err(format!(
        "{name} `{value}` is not supported: use one of {known}"
    ))
}
