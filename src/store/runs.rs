//! Small JSON objects beside the tables: run records and month states.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::confluent::windows::BillingPeriod;
use crate::error::{Error, Result};

/// What is known of a connection's month besides its tables.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MonthState {
    /// When the last successful pull began.
    pub pulled_at: Option<DateTime<Utc>>,
    /// Whether a pull succeeded `settle_days` or more after the month's end.
    #[serde(default)]
    pub settled: bool,
    /// Last day whose costs were complete at the last pull.
    pub covered_until: Option<NaiveDate>,
    /// The CloudZero drop that is in force.
    pub drop: Option<DropState>,
}

/// A drop and the content it was made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DropState {
    /// The drop's folder name.
    pub drop_id: String,
    /// The version of `line_items` it holds.
    pub line_items_version: u64,
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

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|e| Error::bug(format!("JSON: {e}")))
}
