//! `GET /v2/billing/costs`: sums of what is held, as floats (spec: getBillingCosts).
//!
//! It filters and groups by connection and line item type only.

use crate::sandbox::cloudzero::connections::pagination;
use crate::sandbox::cloudzero::ledger::Holdings;
use crate::sandbox::cloudzero::period::{day_of, instant};
use crate::sandbox::cloudzero::response::Reply;
use crate::sandbox::cloudzero::rows::Row;
use crate::sandbox::cloudzero::{CloudZero, lock};
use crate::sandbox::data::money::{Units, plain};
use axum::http::StatusCode;
use chrono::{Datelike, Days, NaiveDate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

const PAGE: usize = 10_000;
/// Requests without a cursor before 429: sixty a day, and no sandbox runs for two.
const REQUESTS: u32 = 60;
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

/// Requests so far, and their results for paging: those stay as they were.
#[derive(Debug, Default)]
pub struct Reports {
    requests: u32,
    results: Vec<Arc<Vec<Value>>>,
}

/// What is asked for.
struct Query {
    /// Hours since 1970.
    hours: Range<i64>,
    granularity: String,
    cost_type: String,
    group_by: Vec<String>,
    filters: BTreeMap<String, Vec<String>>,
}

/// Answers a query for costs.
pub fn costs(cloudzero: &CloudZero, query: &str, today: NaiveDate) -> Reply {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let cursor = pairs.find(|(name, value)| name == "cursor" && !value.is_empty());
    if let Some((_, cursor)) = cursor {
        let place = place_of(&cursor);
        let reports = lock(&cloudzero.reports);
        let found =
            place.and_then(|(number, offset)| Some((number, offset, reports.results.get(number)?)));
        return match found {
            Some((number, offset, results)) => page(results, number, offset),
            None => Reply::error(StatusCode::GONE, "the results of this cursor have expired"),
        };
    }
    let mut reports = lock(&cloudzero.reports);
    if reports.requests >= REQUESTS {
        let text = format!("at most {REQUESTS} requests a day");
        return Reply::error(StatusCode::TOO_MANY_REQUESTS, text);
    }
    reports.requests += 1;
    let query = match Query::read(query, today) {
        Ok(query) => query,
        Err(error) => return Reply::bad(error),
    };
    let results = Arc::new(query.sums(&lock(&cloudzero.holdings)));
    reports.results.push(results.clone());
    page(&results, reports.results.len() - 1, 0)
}

fn page(results: &[Value], number: usize, offset: usize) -> Reply {
    let costs: Vec<&Value> = results.iter().skip(offset).take(PAGE).collect();
    let cursor = |offset| format!("costs>{number}>{offset}");
    Reply::ok(&json!({
        "pagination": pagination(results.len(), offset, costs.len(), PAGE, cursor),
        "sorting": {
            "available": { "sort_keys": ["usage_date"], "sort_orders": ["asc"] },
            "current": [{ "sort_key": "usage_date", "sort_order": "asc" }],
        },
        "filtering": { "available": [], "current": {} },
        "total_count": results.len(),
        "costs": costs,
    }))
}

fn place_of(cursor: &str) -> Option<(usize, usize)> {
    let (number, offset) = cursor.strip_prefix("costs>")?.split_once('>')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}

impl Query {
    fn read(query: &str, today: NaiveDate) -> Result<Query, String> {
        let (mut start, mut end) = (None, None);
        let mut read = Query {
            hours: 0..0,
            granularity: "daily".to_owned(),
            cost_type: "real_cost".to_owned(),
            group_by: Vec::new(),
            filters: BTreeMap::new(),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "start_date" => start = Some(moment(&name, &value)?),
                "end_date" => end = Some(moment(&name, &value)?),
                "granularity" => read.granularity = one_of(&GRANULARITIES, &name, &value)?,
                "cost_type" => read.cost_type = one_of(&COST_TYPES, &name, &value)?,
                "group_by" => read.group_by.push(one_of(&DIMENSIONS, &name, &value)?),
                "filters" => {
                    read.filters = serde_json::from_str(&value)
                        .map_err(|error| format!("filters cannot be read: {error}"))?;
                }
                _ => {}
            }
        }
        for name in read.filters.keys() {
            one_of(&DIMENSIONS, "filters", name.trim_start_matches('!'))?;
        }
        let start = start.ok_or("start_date is required")?;
        let now = || hour_of_day(today.checked_add_days(Days::new(1)).unwrap_or(today));
        read.hours = start..end.unwrap_or_else(now);
        if read.hours.is_empty() {
            return Err("end_date must be after start_date".to_owned());
        }
        Ok(read)
    }

    /// One record for each time and group that has line items, by time.
    fn sums(&self, holdings: &Holdings) -> Vec<Value> {
        let mut sums: BTreeMap<(String, Vec<&str>), Units> = BTreeMap::new();
        for (connection, _, held) in holdings.all() {
            for row in held
                .rows
                .iter()
                .filter(|row| self.hours.contains(&row.hour))
            {
                let dimension = |name: &str| match name.trim_start_matches('!') {
                    "LineItemType" => row.kind(),
                    _ => connection,
                };
                let fits = |(name, values): (&String, &Vec<String>)| {
                    let among = values.iter().any(|value| value == dimension(name));
                    among != name.starts_with('!')
                };
                if !self.filters.iter().all(fits) {
                    continue;
                }
                let Some(cost) = self.cost(row) else { continue };
                let group = self.group_by.iter().map(|name| dimension(name)).collect();
                *sums.entry((self.time(row.hour), group)).or_default() += cost;
            }
        }
        let records = sums.into_iter().map(|((time, group), sum)| {
            let mut record = json!({ "usage_date": time, "cost": float(sum) });
            for (name, value) in self.group_by.iter().zip(group) {
                record[name] = value.into();
            }
            record
        });
        records.collect()
    }

    fn cost(&self, row: &Row) -> Option<Units> {
        let costs = &row.costs;
        Some(match self.cost_type.as_str() {
            "billed_cost" => costs.billed,
            "discounted_cost" => costs.discounted,
            "amortized_cost" => costs.amortized,
            "discounted_amortized_cost" => costs.discounted_amortized,
            "on_demand_cost" => costs.on_demand,
            _ if row.kind() == "Usage" => costs.discounted_amortized,
            _ => return None,
        })
    }

    /// Start of the period that an hour belongs to.
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

/// The float nearest to a sum: what reads it must not take it for exact.
fn float(sum: Units) -> f64 {
    plain(sum).parse().unwrap_or_default()
}

fn hour_of_day(day: NaiveDate) -> i64 {
    day.signed_duration_since(NaiveDate::default()).num_hours()
}

/// An hour since 1970 from a date or a datetime; the next one if it is not a full hour.
fn moment(name: &str, value: &str) -> Result<i64, String> {
    if let Ok(day) = NaiveDate::parse_from_str(value, "%Y-%m-%d") {
        return Ok(hour_of_day(day));
    }
    let instant = instant(value).ok_or_else(|| format!("{name} is not a date or datetime"))?;
    Ok((instant.timestamp() + 3_599).div_euclid(3_600))
}

fn one_of(known: &[&str], name: &str, value: &str) -> Result<String, String> {
    if known.contains(&value) {
        return Ok(value.to_owned());
    }
    let known = known.join(", ");
    Err(format!("{name} `{value}`: the sandbox knows {known}"))
}
