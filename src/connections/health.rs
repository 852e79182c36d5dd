//! Health of a connection: its last errors and the age of its data.

#[cfg(test)]
mod tests;
mod unfinished;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::connections::state::{self, ConnectionState};
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::pipeline::assess::days::format_days;
use crate::pipeline::damage;
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::select;
use crate::store::Store;
use crate::store::damage::repair_hint;
use crate::store::runs::{self, MonthState};

/// Health of a connection in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HealthStatus {
    /// No data received yet.
    PendingData,
    /// Data is recent, and nothing has failed since.
    Healthy,
    /// No new data for longer than the expected interval, or the first import is overdue.
    Late,
    /// What is published was not mapped, or not delivered.
    Behind,
    /// The last run or check failed, or months cannot be read.
    Error,
    /// Excluded from runs.
    Paused,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HealthStatus::PendingData => "Pending Data",
            HealthStatus::Healthy => "Healthy",
            HealthStatus::Late => "Late",
            HealthStatus::Behind => "Behind",
            HealthStatus::Error => "Error",
            HealthStatus::Paused => "Paused",
        })
    }
}

impl HealthStatus {
    /// Returns whether the connection needs attention.
    pub(crate) fn is_bad(self) -> bool {
        matches!(
            self,
            HealthStatus::Late | HealthStatus::Behind | HealthStatus::Error
        )
    }
}

/// A destination and its last delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DestinationHealth {
    /// `bucket` or `stream`.
    #[serde(rename = "target")]
    pub destination: &'static str,
    /// URL of the bucket's folder, or CloudZero's id of the stream.
    #[serde(rename = "place")]
    pub location: String,
    pub delivered_at: Option<DateTime<Utc>>,
}

/// Last listing of names and regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InventoryHealth {
    pub taken_at: DateTime<Utc>,
    /// Number of listed resources.
    pub resources: u64,
    /// Lists that failed, with the error.
    pub problems: Vec<String>,
}

/// Health of a connection.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Health {
    pub connection: String,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    pub status: HealthStatus,
    /// Explanation of a status other than healthy.
    pub reason: Option<String>,
    /// Time of the last request to Confluent.
    pub last_checked: Option<DateTime<Utc>>,
    /// Time of the last costs from Confluent.
    pub last_data: Option<DateTime<Utc>>,
    /// Newest day with costs.
    pub newest_day: Option<NaiveDate>,
    /// Last day with complete costs.
    pub complete_through: Option<NaiveDate>,
    /// Number of months by state: `open`, `settling`, `settled`, and others that occur.
    pub months: BTreeMap<&'static str, u64>,
    /// Months with missing days, on hold or damaged, in one line each.
    pub incomplete: Vec<String>,
    /// Time from which the connection is late.
    pub next_due: Option<DateTime<Utc>>,
    #[serde(rename = "targets")]
    pub destinations: Vec<DestinationHealth>,
    pub inventory: Option<InventoryHealth>,
    /// Findings that need attention but are no error of the connection.
    pub notes: Vec<String>,
}

impl Health {
    /// Health of a connection whose configuration or state cannot be read.
    pub(crate) fn unavailable(connection: &str, error: &Error) -> Health {
        Health {
            connection: connection.to_string(),
            cloud_provider: String::new(),
            status: HealthStatus::Error,
            reason: Some(error.to_string()),
            last_checked: None,
            last_data: None,
            newest_day: None,
            complete_through: None,
            months: BTreeMap::new(),
            incomplete: Vec::new(),
            next_due: None,
            destinations: Vec::new(),
            inventory: None,
            notes: Vec::new(),
        }
    }
}

/// Configuration that health depends on.
pub(crate) struct Expectations {
    /// Label in CloudZero's Cloud Provider dimension; the last run's if the connection is not configured.
    pub cloud_provider: Option<String>,
    /// Time without new data after which the connection is late.
    pub interval: TimeDelta,
    pub destinations: Result<Destinations>,
    pub currency: String,
    /// SQL files, whose versions are part of what was delivered.
    pub sql: Arc<SqlFiles>,
}

/// Determines the health of a connection at `now`.
///
/// # Errors
/// Those of the store.
pub(crate) async fn health(
    store: &Store,
    connection: &str,
    expected: Expectations,
    now: DateTime<Utc>,
) -> Result<Health> {
    let state = state::load(store, connection).await?;
    let mut months = Vec::new();
    for (name, period) in runs::months(store).await? {
        if name == connection {
            months.push((period, runs::month_state(store, connection, period).await?));
        }
    }
    let run = state.run.clone().unwrap_or_default();
    let mut by_state = BTreeMap::from([("open", 0), ("settling", 0), ("settled", 0)]);
    for (period, month) in &months {
        *by_state
            .entry(month.name(*period, now.date_naive()))
            .or_default() += 1;
    }
    let month_states = || months.iter().map(|(_, month)| month);
    // Older stores record the time of data only in their months.
    let last_data = run.data_at.or_else(|| {
        let covered = month_states().filter(|state| state.complete_through.is_some());
        covered.filter_map(|state| state.pulled_at).max()
    });
    let newest_day = month_states()
        .filter_map(|state| state.completeness.newest_day)
        .max();
    let (mut status, mut reason) = evaluate(&state, last_data, expected.interval, now);
    if status == HealthStatus::Healthy
        && let Some(stalled) = stalled(&months, expected.interval, now)
    {
        (status, reason) = (HealthStatus::Late, Some(stalled));
    }
    let listed = damage::listed_months(store, connection).await?;
    let mut unreadable = unfinished::lost_months(&months, &listed);
    unreadable.extend(listed.damaged.iter().map(|(period, file)| {
        let hint = repair_hint(*period);
        format!("{period} cannot be read: {file}; {hint}")
    }));
    let may_get_worse = |status: HealthStatus| !status.is_bad() && status != HealthStatus::Paused;
    if may_get_worse(status)
        && let Some(first) = unreadable.first()
    {
        (status, reason) = (HealthStatus::Error, Some(first.clone()));
    }
    if may_get_worse(status)
        && let Some(undelivered) = unfinished::undelivered(store, &months, &listed, &expected)?
    {
        (status, reason) = (HealthStatus::Behind, Some(undelivered));
    }
    let destinations = match expected.destinations {
        Ok(destinations) => last_deliveries(store, &destinations, month_states()),
        Err(error) => {
            if may_get_worse(status) {
                (status, reason) = (HealthStatus::Error, Some(error.to_string()));
            }
            Vec::new()
        }
    };
    let notes = notes(&state);
    Ok(Health {
        connection: connection.to_string(),
        cloud_provider: expected.cloud_provider.unwrap_or(run.cloud_provider),
        status,
        reason,
        last_checked: state.last_checked(),
        last_data,
        newest_day,
        complete_through: complete_through(&months),
        months: by_state,
        incomplete: months
            .iter()
            .filter_map(|(period, month)| incomplete(*period, month))
            .chain(unreadable)
            .collect(),
        next_due: last_data
            .map(|data| data + expected.interval)
            .filter(|_| status != HealthStatus::Paused),
        destinations,
        inventory: state.inventory.map(|inventory| InventoryHealth {
            taken_at: inventory.taken_at,
            resources: inventory.resources,
            problems: inventory.problems,
        }),
        notes,
    })
}

/// Other connections with the same costs, and a run that has not ended.
fn notes(state: &ConnectionState) -> Vec<String> {
    let duplicates = state.duplicates.iter().map(|one| one.to_string());
    let running = state.running.iter().map(|run| {
        let since = run.started_at.format("%Y-%m-%d %H:%MZ");
        format!(
            "the {} of {since} has not ended: it is running, or was killed",
            run.command
        )
    });
    duplicates.chain(running).collect()
}

/// Returns the last day up to which all months are complete: an earlier month with doubtful gaps ends it.
fn complete_through(months: &[(BillingPeriod, MonthState)]) -> Option<NaiveDate> {
    let with_costs = months
        .iter()
        .filter(|(_, month)| month.complete_through.is_some());
    let doubtful = with_costs
        .clone()
        .filter(|(_, month)| month.completeness.is_doubtful())
        .min_by_key(|(period, _)| *period);
    match doubtful {
        Some((_, month)) => month.complete_through,
        None => with_costs
            .filter_map(|(_, month)| month.complete_through)
            .max(),
    }
}

/// Describes a month that is on hold or lacks days.
fn incomplete(period: BillingPeriod, month: &MonthState) -> Option<String> {
    let completeness = &month.completeness;
    if let Some(hold) = &completeness.on_hold {
        let since = hold.since.date_naive();
        return Some(format!(
            "{period} is on hold since {since}, {}",
            hold.reason
        ));
    }
    let is_doubtful = completeness.is_doubtful() && !completeness.missing_days.is_empty();
    is_doubtful.then(|| {
        let days = format_days(&completeness.missing_days);
        format!("{period} has no costs on {days}")
    })
}

/// Explains that Confluent's costs stopped: the newest day is older than the last one that should be complete, by more
/// than the expected interval, although its month was pulled.
fn stalled(
    months: &[(BillingPeriod, MonthState)],
    interval: TimeDelta,
    now: DateTime<Utc>,
) -> Option<String> {
    let newest_days = months
        .iter()
        .map(|(_, month)| month.completeness.newest_day);
    let newest = newest_days.max().flatten()?;
    let expected = select::open_from(now - interval).pred_opt()?;
    let is_expected =
        |(period, _): &(BillingPeriod, MonthState)| *period == BillingPeriod::of(expected);
    let was_pulled = months.iter().any(is_expected);
    (was_pulled && newest < expected).then(|| {
        format!("Confluent has no costs after {newest}; those of {expected} should be there by now")
    })
}

/// Evaluates the state: a pause, else the last error, else the age of the data.
fn evaluate(
    state: &ConnectionState,
    last_data: Option<DateTime<Utc>>,
    interval: TimeDelta,
    now: DateTime<Utc>,
) -> (HealthStatus, Option<String>) {
    let format = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%MZ");
    if let Some(paused) = state.paused {
        let reason = format!("since {}", format(paused.since));
        return (HealthStatus::Paused, Some(reason));
    }
    let run = state.run.clone().unwrap_or_default();
    let latest = run.errors.iter().max_by_key(|(_, error)| error.at);
    if let Some((command, error)) = latest {
        let reason = format!("{command} of {}: {}", format(error.at), error.message);
        return (HealthStatus::Error, Some(reason));
    }
    let check = state
        .check
        .as_ref()
        .filter(|check| Some(check.at) > run.checked_at);
    if let Some((at, error)) = check.and_then(|check| Some((check.at, check.error.as_ref()?))) {
        let reason = format!("check of {}: {error}", format(at));
        return (HealthStatus::Error, Some(reason));
    }
    match last_data {
        None => match state.last_checked() {
            Some(checked) if now - checked > interval => {
                let reason = format!("no data yet, and not checked since {}", format(checked));
                (HealthStatus::Late, Some(reason))
            }
            _ => (HealthStatus::PendingData, None),
        },
        Some(data) if now - data > interval => {
            let reason = format!(
                "no data since {}: {} hours, expected within {}",
                format(data),
                (now - data).num_hours(),
                interval.num_hours()
            );
            (HealthStatus::Late, Some(reason))
        }
        Some(_) => (HealthStatus::Healthy, None),
    }
}

fn last_deliveries<'m>(
    store: &Store,
    destinations: &Destinations,
    months: impl Iterator<Item = &'m MonthState> + Clone,
) -> Vec<DestinationHealth> {
    let bucket = destinations.bucket.iter().map(|bucket| {
        let key = bucket.key(store);
        let states = months.clone().filter_map(|month| month.bucket.as_ref());
        let times = states
            .filter(|state| state.target == key)
            .map(|state| state.delivered_at);
        DestinationHealth {
            destination: "bucket",
            location: bucket.store.display(""),
            delivered_at: times.max(),
        }
    });
    let stream = destinations.stream.iter().map(|id| {
        let states = months.clone().filter_map(|month| month.stream.as_ref());
        let times = states
            .filter(|state| state.target == *id)
            .filter_map(|state| state.closed_at);
        DestinationHealth {
            destination: "stream",
            location: id.clone(),
            delivered_at: times.max(),
        }
    });
    bucket.chain(stream).collect()
}
