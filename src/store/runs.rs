//! Small JSON objects beside the tables: run records and month states.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::Store;

/// What is known of a connection's month besides its tables.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MonthState {
    /// When the last successful pull began.
    pub pulled_at: Option<DateTime<Utc>>,
    /// Whether a pull succeeded `settle_days` or more after the month's end.
    #[serde(default)]
    pub settled: bool,
    /// Last day whose costs were complete at the last pull.
    #[serde(alias = "covered_until")]
    pub complete_through: Option<NaiveDate>,
    /// What the bucket was given.
    #[serde(default)]
    pub bucket: Option<BucketState>,
    /// What the stream was given.
    #[serde(default)]
    pub stream: Option<StreamState>,
}

impl MonthState {
    /// `open`, `settling` or `settled`.
    pub fn name(&self, period: BillingPeriod, today: NaiveDate) -> &'static str {
        if self.settled {
            "settled"
        } else if period.next().first_day() <= today {
            "settling"
        } else {
            "open"
        }
    }
}

/// The line items that a delivery was made from.
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
    /// Hours or days.
    pub granularity: Granularity,
    /// Digest of the SQL that made hours of days; empty for days.
    #[serde(default)]
    pub sql: String,
}

/// How fine the delivered line items are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// As published: at the day's first hour.
    #[default]
    Daily,
    /// Spread over the hours of the day.
    Hourly,
}

/// A drop in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// URL of the target, or its path in the store.
    pub target: String,
    /// The drop's folder name.
    pub drop_id: String,
    /// What it holds; unknown for one that was pointed back to or emptied.
    pub source: Option<Source>,
    /// Number of its files.
    #[serde(default)]
    pub files: usize,
    /// Compressed bytes of its files.
    #[serde(default)]
    pub bytes: u64,
    /// When the manifest was moved to it.
    pub delivered_at: DateTime<Utc>,
    /// Drops that were in force at this target: they are whole.
    #[serde(default)]
    pub earlier: BTreeSet<String>,
    /// Whether it stays until it is delivered again by name.
    #[serde(default)]
    pub pinned: bool,
}

/// A delivery to a stream. It is open from before the first request until CloudZero was seen to hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// CloudZero's id of the billing connection.
    pub target: String,
    /// The name of the attempt, which its idempotency keys begin with.
    pub attempt: String,
    /// What was sent.
    pub source: Source,
    /// When the attempt began.
    pub opened_at: DateTime<Utc>,
    /// When CloudZero had taken the last request.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When CloudZero was seen to hold all of it.
    pub closed_at: Option<DateTime<Utc>>,
    /// Number of rows.
    pub rows: u64,
    /// Rows and costs of each day, as sent.
    pub days: Vec<DaySums>,
    /// Whether it stays until it is delivered again by name.
    #[serde(default)]
    pub pinned: bool,
}

/// Rows and exact sums of one day of a delivery.
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

fn state_name(connection: &str, period: BillingPeriod) -> String {
    format!("runs/months/{connection}/{period}.json")
}

/// Reads the state of a month; a month never seen has the default one.
pub async fn month_state(
    store: &Store,
    connection: &str,
    period: BillingPeriod,
) -> Result<MonthState> {
    let name = state_name(connection, period);
    match store.get(&name).await? {
        None => Ok(MonthState::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            Error::data(format!("{} cannot be read: {e}", store.display(&name)))
                .with_hint("delete the file; the next import makes it anew")
        }),
    }
}

/// The connections and months of which a state is kept.
pub async fn months(store: &Store) -> Result<Vec<(String, BillingPeriod)>> {
    let names = store.list("runs/months").await?;
    let month = |name: &String| {
        let (connection, file) = name.strip_prefix("runs/months/")?.split_once('/')?;
        let period = file.strip_suffix(".json")?.parse().ok()?;
        Some((connection.to_string(), period))
    };
    Ok(names.iter().filter_map(month).collect())
}

/// Writes the state of a month. Call it with the connection's lease only.
pub async fn save_month_state(
    store: &Store,
    connection: &str,
    period: BillingPeriod,
    state: &MonthState,
) -> Result<()> {
    store
        .put(&state_name(connection, period), json(state)?)
        .await
}

/// The name of a run: its start, and four hex digits so that two in a second differ.
pub fn new_run_id(now: DateTime<Utc>) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let salt = rand::random::<u16>() ^ COUNT.fetch_add(1, Ordering::Relaxed) as u16;
    format!("{}-{salt:04x}", now.format("%Y%m%dT%H%M%SZ"))
}

/// Keeps the record of a run: what it did and how it ended. It holds no secrets.
pub async fn save_run(store: &Store, run: &str, record: &impl Serialize) -> Result<()> {
    store.put(&format!("runs/{run}.json"), json(record)?).await
}

/// The records of runs, oldest first, as they were kept.
pub async fn records(store: &Store) -> Result<Vec<bytes::Bytes>> {
    let mut records = Vec::new();
    for name in store.list_flat("runs").await? {
        if name.ends_with(".json") {
            records.extend(store.get(&name).await?);
        }
    }
    Ok(records)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|e| Error::bug(format!("JSON: {e}")))
}
