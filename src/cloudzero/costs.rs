//! What CloudZero shows of a connection: monthly totals by cost type (docs: API v2, `/v2/billing/costs`).
//!
//! Sixty requests a day are allowed, so all months come in one request a type. The amounts are floats.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{Client, Pagination};
use crate::decimal;
use crate::error::{Error, Result};

/// The three cost types that line items have, as CloudZero names them.
pub const COST_TYPES: [&str; 3] = ["billed_cost", "discounted_cost", "on_demand_cost"];

/// Totals of a connection by month, in units of 1e-24, in the order of [`COST_TYPES`]. A month that
/// CloudZero does not name is missing.
///
/// # Errors
/// As [`Client::get`], and for an unreadable answer.
pub async fn monthly(
    client: &Client,
    connection: &str,
    from: BillingPeriod,
    to: BillingPeriod,
) -> Result<BTreeMap<BillingPeriod, [i128; 3]>> {
    let mut months: BTreeMap<BillingPeriod, [i128; 3]> = BTreeMap::new();
    for (place, cost_type) in COST_TYPES.iter().enumerate() {
        for (month, cost) in one_type(client, connection, from, to, cost_type).await? {
            let sum = &mut months.entry(month).or_default()[place];
            *sum = sum
                .checked_add(cost)
                .ok_or_else(|| Error::data("CloudZero's costs add up to too much"))?;
        }
    }
    Ok(months)
}

#[derive(Deserialize)]
struct Page {
    costs: Vec<Cost>,
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Cost {
    usage_date: String,
    cost: Box<RawValue>,
}

async fn one_type(
    client: &Client,
    connection: &str,
    from: BillingPeriod,
    to: BillingPeriod,
    cost_type: &str,
) -> Result<Vec<(BillingPeriod, i128)>> {
    let asked = format!("CloudZero's {cost_type} of connection `{connection}`, {from} to {to}");
    let bad = || Error::data(format!("{asked}: the answer is unreadable"));
    let start = format!("{}T00:00:00Z", from.first_day());
    let end = format!("{}T00:00:00Z", to.next().first_day());
    let filters = serde_json::json!({ "BillingConnectionID": [connection] }).to_string();
    let mut cursor = None::<String>;
    let mut found = Vec::new();
    loop {
        let mut query = vec![
            ("start_date", start.as_str()),
            ("end_date", end.as_str()),
            ("granularity", "monthly"),
            ("cost_type", cost_type),
            ("filters", filters.as_str()),
        ];
        query.extend(cursor.iter().map(|c| ("cursor", c.as_str())));
        let answer = client
            .get(&asked, &["v2", "billing", "costs"], &query)
            .await?;
        let page: Page = serde_json::from_slice(&answer).map_err(|_| bad())?;
        for cost in page.costs {
            let month = cost.usage_date.get(..7).ok_or_else(bad)?;
            let month = month.parse().map_err(|_| bad())?;
            let amount = decimal::parse(cost.cost.get()).map_err(|_| bad())?;
            found.push((month, amount.units));
        }
        cursor = page.pagination.next(cursor);
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
