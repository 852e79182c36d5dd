//! Records of published months, as commits store them.

use chrono::{DateTime, Utc};
use deltalake::kernel::CommitInfo;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::decimal;
use crate::store::delta::TAG;

/// Record of a published month, stored in its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodRecord {
    /// Run that published the month.
    pub run: String,
    /// Table version with the month.
    pub version: u64,
    /// Digest of the costs, independent of their order.
    pub digest: String,
    /// Number of costs.
    pub costs: u64,
    /// Number of line items; 0 in `costs`.
    pub line_items: u64,
    /// Exact decimal: list value before discounts.
    pub original_amount: String,
    /// Exact decimal: original - net.
    pub discount_amount: String,
    /// Exact decimal: value after discounts.
    pub net_amount: String,
    /// Version of the mapping that created the line items; empty in `costs`.
    pub mapping: String,
    /// Digest of the resource attributes in the line items; empty where there are none.
    #[serde(default)]
    pub facts: String,
    /// Part of the line items that comes from no cost; its cost is not part of `net_amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnTotals>,
}

/// Line items of a month besides those of its costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTotals {
    /// Number of line items.
    pub line_items: u64,
    /// Exact decimal: sum of `cost/cost`.
    pub cost: String,
}

impl PeriodRecord {
    /// Sum of `cost/cost` of all line items as an exact decimal: the net amount and own line items.
    pub(crate) fn line_item_cost(&self) -> String {
        let units = |text: &str| decimal::parse(text).ok().map(|parsed| parsed.units);
        let Some(own) = &self.own else {
            return self.net_amount.clone();
        };
        let sum = units(&self.net_amount)
            .zip(units(&own.cost))
            .and_then(|(net, own)| net.checked_add(own));
        // Amounts that are no decimals equal no sum.
        sum.map_or_else(
            || format!("{} and {}", self.net_amount, own.cost),
            decimal::to_plain_string,
        )
    }
}

/// Commit that published a month.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Time of the commit.
    pub at: Option<DateTime<Utc>>,
    /// Connection of the month.
    pub connection: String,
    /// The month.
    pub period: BillingPeriod,
    /// Record of the month.
    pub record: PeriodRecord,
}

impl Commit {
    /// Reads a commit's metadata; `None` for a commit that published no month.
    pub(super) fn from_info(info: &CommitInfo) -> Option<Commit> {
        let fields = info.info.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(TAG)?.strip_prefix('.')?;
            Some((key.to_string(), value.clone()))
        });
        let fields: serde_json::Map<String, serde_json::Value> = fields.collect();
        let record: PeriodRecord = serde_json::from_value(fields.into()).ok()?;
        let parameters = info.operation_parameters.as_ref()?;
        // The predicate of `Delta::replace`: connection = 'acme' AND billing_period = '2026-10'.
        let predicate = parameters.get("predicate")?.as_str()?;
        let quoted: Vec<&str> = predicate.split('\'').collect();
        let [_, connection, _, period, _] = quoted.as_slice() else {
            return None;
        };
        Some(Commit {
            at: info.timestamp.and_then(DateTime::from_timestamp_millis),
            connection: connection.to_string(),
            period: period.parse().ok()?,
            record,
        })
    }
}
