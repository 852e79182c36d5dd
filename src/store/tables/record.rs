//! Records of published months, as commits store them.

use chrono::{DateTime, Utc};
use deltalake::kernel::CommitInfo;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
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
