//! Run records and month states: small JSON objects beside the tables.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::completeness::Completeness;
use crate::store::lease::Fence;
use crate::store::tables::PeriodRecord;
use crate::store::{Store, state_object};

/// State of a connection's month beside the tables.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MonthState {
    /// Start of the last successful pull.
    pub pulled_at: Option<DateTime<Utc>>,
    /// True once a pull without unconfirmed gaps succeeded `settle_days` or more after the month's end.
    #[serde(default)]
    pub settled: bool,
    /// Last day whose costs were complete at the last pull.
    #[serde(alias = "covered_until")]
    pub complete_through: Option<NaiveDate>,
    /// Days with costs, gaps and holds.
    #[serde(default)]
    pub completeness: Completeness,
    /// Digest of the published costs that all of this was observed of; `None` if there were none, and in states of
    /// older versions.
    #[serde(default)]
    pub costs: Option<String>,
    /// Last drop in the bucket.
    #[serde(default)]
    pub bucket: Option<BucketState>,
    /// Last delivery to the stream.
    #[serde(default)]
    pub stream: Option<StreamState>,
}

impl MonthState {
    /// Returns true if the state describes the published costs with this record. It does not after a power cut or
    /// another tool took the table back to an older version.
    pub(crate) fn describes(&self, published: Option<&PeriodRecord>) -> bool {
        let digest = published.map(|record| &record.digest);
        self.costs.is_none() || self.costs.as_ref() == digest
    }

    /// The state as if the month had never been pulled; deliveries remain.
    pub(crate) fn without_pull(self) -> MonthState {
        MonthState {
            bucket: self.bucket,
            stream: self.stream,
            ..MonthState::default()
        }
    }

    /// Returns the state of the month in one word; `docs/concepts.md` has the diagram.
    pub(crate) fn name(&self, period: BillingPeriod, today: NaiveDate) -> &'static str {
        let Completeness {
            is_empty,
            missing_days,
            on_hold,
            ..
        } = &self.completeness;
        let is_over = period.next().first_day() <= today;
        if on_hold.is_some() {
            "on hold"
        } else if self.settled {
            "settled"
        } else if *is_empty && is_over {
            "pending"
        } else if !missing_days.is_empty() {
            "incomplete"
        } else if is_over {
            "settling"
        } else {
            "open"
        }
    }
}

/// Published line items that a delivery was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Version of the `line_items` table.
    pub version: u64,
    /// Digest of the costs.
    #[serde(default)]
    pub digest: String,
    /// Version of the mapping.
    #[serde(default)]
    pub mapping: String,
    /// Granularity of the delivered line items.
    pub granularity: Granularity,
    /// Digest of the SQL that spread days over hours; empty for daily line items.
    #[serde(default)]
    pub sql: String,
}

/// Granularity of delivered line items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// As published: at the first hour of the day.
    #[default]
    Daily,
    /// Spread over the hours of the day.
    Hourly,
}

/// Drop in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// URL of the destination, or its path in the store.
    pub target: String,
    /// Folder name of the drop.
    pub drop_id: String,
    /// Line items in the drop; unknown after a rollback and for an emptied month.
    pub source: Option<Source>,
    /// Number of files.
    #[serde(default)]
    pub files: usize,
    /// Compressed size of the files in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Time at which the manifest named the drop.
    pub delivered_at: DateTime<Utc>,
    /// Drops that were active at this destination before; they are complete.
    #[serde(default)]
    pub earlier: BTreeSet<String>,
    /// True if the month is delivered again only when it is named.
    #[serde(default)]
    pub pinned: bool,
}

/// Delivery to a stream. It is open from before the first request until CloudZero shows its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// CloudZero's id of the billing connection.
    pub target: String,
    /// Name of the attempt, and prefix of its idempotency keys.
    pub attempt: String,
    /// Line items that were sent.
    pub source: Source,
    /// Start of the attempt.
    pub opened_at: DateTime<Utc>,
    /// Time at which CloudZero acknowledged the last request.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Time at which CloudZero showed the complete content.
    pub closed_at: Option<DateTime<Utc>>,
    /// Number of rows.
    pub rows: u64,
    /// Rows and totals of each day, as sent.
    pub days: Vec<DaySums>,
    /// True if the month is delivered again only when it is named.
    #[serde(default)]
    pub pinned: bool,
}

/// Rows and exact totals of one day of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySums {
    /// The day, such as `2026-10-01`.
    pub day: String,
    /// Number of rows.
    pub rows: u64,
    /// Sum of `cost/cost`.
    pub cost: String,
    /// Sum of `cost/discounted_cost`.
    pub discounted_cost: String,
    /// Sum of `cost/on_demand_cost`.
    pub on_demand_cost: String,
}

fn month_state_path(connection: &str, period: BillingPeriod) -> String {
    format!("runs/months/{connection}/{period}.json")
}

/// Reads the state of a month; the default for a month without one, and for one that was cut.
pub(crate) async fn month_state(
    store: &Store,
    connection: &str,
    period: BillingPeriod,
) -> Result<MonthState> {
    let name = month_state_path(connection, period);
    match store.get(&name).await? {
        None => Ok(MonthState::default()),
        Some(bytes) => Ok(state_object::parse(store, &name, &bytes)?.unwrap_or_default()),
    }
}

/// Connections and months that have a state.
pub(crate) async fn months(store: &Store) -> Result<Vec<(String, BillingPeriod)>> {
    let names = store.list("runs/months").await?;
    let month = |name: &String| {
        let (connection, file) = name.strip_prefix("runs/months/")?.split_once('/')?;
        let period = file.strip_suffix(".json")?.parse().ok()?;
        Some((connection.to_string(), period))
    };
    Ok(names.iter().filter_map(month).collect())
}

/// Writes the state of a month.
///
/// # Errors
/// Kind locked after a lost lease; those of the store.
pub(crate) async fn save_month_state(
    fence: &Fence,
    period: BillingPeriod,
    state: &MonthState,
) -> Result<()> {
    let path = month_state_path(fence.connection(), period);
    let json = json(state)?;
    fence.confirm().await?;
    fence.store().put(&path, json).await
}

/// Id of a new run: its start, and four hex digits that tell runs of one second apart.
pub(crate) fn new_run_id(now: DateTime<Utc>) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let salt = rand::random::<u16>() ^ COUNT.fetch_add(1, Ordering::Relaxed) as u16;
    run_id(now, salt)
}

/// Id of a run that starts at `now`, with the digits of `salt`.
pub(crate) fn run_id(now: DateTime<Utc>, salt: u16) -> String {
    format!("{}-{salt:04x}", now.format("%Y%m%dT%H%M%SZ"))
}

/// Writes the record of a run. It holds no secrets. It needs no fence: no other run has its name, and one that lost its
/// lease says so in its record.
pub(crate) async fn save_run(store: &Store, run: &str, record: &impl Serialize) -> Result<()> {
    store.put(&format!("runs/{run}.json"), json(record)?).await
}

/// Returns true if a run has a record.
pub(crate) async fn is_recorded(store: &Store, run: &str) -> Result<bool> {
    let found = store.head(&format!("runs/{run}.json")).await?;
    Ok(found.is_some())
}

/// Run records, oldest first, as written.
pub(crate) async fn records(store: &Store) -> Result<Vec<bytes::Bytes>> {
    let mut records = Vec::new();
    for name in store.list_flat("runs").await? {
        // Names of runs begin with their date.
        let is_run = name
            .strip_prefix("runs/")
            .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        if is_run && name.ends_with(".json") {
            records.extend(store.get(&name).await?);
        }
    }
    Ok(records)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|e| Error::bug(format!("JSON: {e}")))
}
