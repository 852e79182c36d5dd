//! Monthly totals that CloudZero shows for a billing connection (docs: API v2, `/v2/billing/costs`).
//!
//! CloudZero allows sixty requests a day, so one request per cost type covers all months. Amounts are floats.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{Client, Pagination};
use crate::decimal;
use crate::error::{Error, Result};
use crate::http::page_chain::PageChain;

/// Cost type of CloudZero that corresponds to a column of line items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CostType {
    /// `cost/cost`.
    Billed,
    /// `cost/discounted_cost`.
    Discounted,
    /// `cost/on_demand_cost`.
    OnDemand,
}

impl CostType {
    /// All cost types.
    pub(crate) const ALL: [CostType; 3] =
        [CostType::Billed, CostType::Discounted, CostType::OnDemand];

    /// CloudZero's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CostType::Billed => "billed_cost",
            CostType::Discounted => "discounted_cost",
            CostType::OnDemand => "on_demand_cost",
        }
    }
}

/// Totals of one month, in units of 1e-24.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MonthlyCosts {
    pub(crate) billed: i128,
    pub(crate) discounted: i128,
    pub(crate) on_demand: i128,
}

impl MonthlyCosts {
    /// Returns the total of a cost type.
    pub(crate) fn get(&self, cost_type: CostType) -> i128 {
        match cost_type {
            CostType::Billed => self.billed,
            CostType::Discounted => self.discounted,
            CostType::OnDemand => self.on_demand,
        }
    }

    fn get_mut(&mut self, cost_type: CostType) -> &mut i128 {
        match cost_type {
            CostType::Billed => &mut self.billed,
            CostType::Discounted => &mut self.discounted,
            CostType::OnDemand => &mut self.on_demand,
        }
    }
}

/// Fetches the totals of a billing connection for the months `from` to `to`. Months that CloudZero omits are
/// missing.
///
/// # Errors
/// Those of [`Client::get`], and kind `Data` for an unexpected response.
pub(crate) async fn fetch_monthly(
    client: &Client,
    connection: &str,
    from: BillingPeriod,
    to: BillingPeriod,
) -> Result<BTreeMap<BillingPeriod, MonthlyCosts>> {
    let mut months: BTreeMap<BillingPeriod, MonthlyCosts> = BTreeMap::new();
    for cost_type in CostType::ALL {
        for (month, amount) in fetch_cost_type(client, connection, from, to, cost_type).await? {
            let sum = months.entry(month).or_default().get_mut(cost_type);
            *sum = sum
                .checked_add(amount)
                .ok_or_else(|| Error::data("a sum of CloudZero's costs is too large"))?;
        }
    }
    Ok(months)
}

#[derive(Deserialize)]
struct CostsPage {
    costs: Vec<CostEntry>,
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Deserialize)]
struct CostEntry {
    usage_date: String,
    cost: Box<RawValue>,
}

async fn fetch_cost_type(
    client: &Client,
    connection: &str,
    from: BillingPeriod,
    to: BillingPeriod,
    cost_type: CostType,
) -> Result<Vec<(BillingPeriod, i128)>> {
    let cost_type = cost_type.name();
    let operation =
        format!("reading CloudZero's {cost_type} of connection `{connection}`, {from} to {to}");
    let invalid = || Error::data(format!("{operation}: unexpected JSON in the response"));
    let start = format!("{}T00:00:00Z", from.first_day());
    let end = format!("{}T00:00:00Z", to.next().first_day());
    let filters = serde_json::json!({ "BillingConnectionID": [connection] }).to_string();
    let mut cursor = None::<String>;
    let mut amounts = Vec::new();
    let mut chain = PageChain::default();
    loop {
        let mut query = vec![
            ("start_date", start.as_str()),
            ("end_date", end.as_str()),
            ("granularity", "monthly"),
            ("cost_type", cost_type),
            ("filters", filters.as_str()),
        ];
        query.extend(cursor.iter().map(|c| ("cursor", c.as_str())));
        let response = client
            .get(&operation, &["v2", "billing", "costs"], &query)
            .await?;
        let page: CostsPage = serde_json::from_slice(&response).map_err(|_| invalid())?;
        cursor = page
            .pagination
            .next(&mut chain, page.costs.len())
            .map_err(|e| e.context(&operation))?;
        for entry in page.costs {
            let month = entry.usage_date.get(..7).ok_or_else(invalid)?;
            let month = month.parse().map_err(|_| invalid())?;
            let amount = decimal::parse(entry.cost.get()).map_err(|_| invalid())?;
            amounts.push((month, amount.units));
        }
        if cursor.is_none() {
            return Ok(amounts);
        }
    }
}
