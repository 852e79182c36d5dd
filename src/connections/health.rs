//! How a connection fares: what its runs and checks left behind, and how old its last data is.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::connections::state::{self, ConnectionState};
use crate::error::{Error, Result};
use crate::pipeline::deliver::destinations::Targets;
use crate::store::Store;
use crate::store::runs::{self, MonthState};

/// How a connection fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing was received yet, though it was asked for.
    PendingData,
    /// Data came in time, and nothing went wrong since.
    Healthy,
    /// No data came for longer than expected, or nobody asked for the first.
    Late,
    /// The last run or check went wrong.
    Error,
    /// It is left out of runs.
    Paused,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::PendingData => "Pending Data",
            Status::Healthy => "Healthy",
            Status::Late => "Late",
            Status::Error => "Error",
            Status::Paused => "Paused",
        })
    }
}

impl Status {
    /// Whether somebody should look.
    pub fn is_bad(self) -> bool {
        matches!(self, Status::Late | Status::Error)
    }
}

/// A target and when it was last delivered to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `bucket` or `stream`.
    pub target: &'static str,
    /// URL of the bucket's folder, or CloudZero's id of the stream.
    pub place: String,
    /// The last delivery.
    pub delivered_at: Option<DateTime<Utc>>,
}

/// How names and regions were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// When they were asked for.
    pub taken_at: DateTime<Utc>,
    /// Number of resources that were listed.
    pub resources: u64,
    /// What could not be listed, and why.
    pub problems: Vec<String>,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// The connection.
    pub connection: String,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    /// How it fares.
    pub status: Status,
    /// Why, where it is not well.
    pub reason: Option<String>,
    /// When Confluent was last asked.
    pub last_checked: Option<DateTime<Utc>>,
    /// When Confluent last gave costs.
    pub last_data: Option<DateTime<Utc>>,
    /// The last day whose costs were complete.
    pub complete_until: Option<NaiveDate>,
    /// Number of months by state: `open`, `settling`, `settled`.
    pub months: BTreeMap<&'static str, u64>,
    /// By when data is expected again.
    pub next_due: Option<DateTime<Utc>>,
    /// Where it delivers to.
    pub targets: Vec<Target>,
    /// How names and regions were taken.
    pub inventory: Option<Inventory>,
}

impl Health {
    /// Of a connection whose configuration or notes are broken.
    pub fn unavailable(connection: &str, error: &Error) -> Health {
        Health {
            connection: connection.to_string(),
            cloud_provider: String::new(),
            status: Status::Error,
            reason: Some(error.to_string()),
            last_checked: None,
            last_data: None,
            complete_until: None,
            months: BTreeMap::new(),
            next_due: None,
            targets: Vec::new(),
            inventory: None,
        }
    }
}

/// What the configuration says of a connection, as far as it matters here.
pub struct Expected {
    /// Label in CloudZero's Cloud Provider dimension; the one of the last run where nothing is configured.
    pub cloud_provider: Option<String>,
    /// Time without data after which it is late.
    pub interval: TimeDelta,
    /// Where it delivers to, or why that is not known.
    pub targets: Result<Targets>,
}

/// How a connection fares at `now`.
///
/// # Errors
/// What the store says.
pub async fn of(
    store: &Store,
    connection: &str,
    expected: Expected,
    now: DateTime<Utc>,
) -> Result<Health> {
    let known = state::known(store, connection).await?;
    let mut months = Vec::new();
    for (of, period) in runs::months(store).await? {
        if of == connection {
            months.push((period, runs::month_state(store, connection, period).await?));
        }
    }
    let run = known.run.clone().unwrap_or_default();
    let mut by_state = BTreeMap::from([("open", 0), ("settling", 0), ("settled", 0)]);
    for (period, state) in &months {
        *by_state
            .entry(state.name(*period, now.date_naive()))
            .or_default() += 1;
    }
    let states = || months.iter().map(|(_, state)| state);
    // A store from before this was kept knows it from its months.
    let last_data = run.data_at.or_else(|| {
        let covered = states().filter(|state| state.complete_through.is_some());
        covered.filter_map(|state| state.pulled_at).max()
    });
    let (mut status, mut reason) = evaluate(&known, last_data, expected.interval, now);
    let targets = match expected.targets {
        Ok(targets) => delivered(store, &targets, states()),
        Err(error) => {
            if !status.is_bad() && status != Status::Paused {
                (status, reason) = (Status::Error, Some(error.to_string()));
            }
            Vec::new()
        }
    };
    Ok(Health {
        connection: connection.to_string(),
        cloud_provider: expected.cloud_provider.unwrap_or(run.cloud_provider),
        status,
        reason,
        last_checked: known.asked_at(),
        last_data,
        complete_until: states().filter_map(|state| state.complete_through).max(),
        months: by_state,
        next_due: last_data
            .map(|data| data + expected.interval)
            .filter(|_| status != Status::Paused),
        targets,
        inventory: known.inventory.map(|state| Inventory {
            taken_at: state.taken_at,
            resources: state.resources,
            problems: state.problems,
        }),
    })
}

/// What it comes to: a pause, else what went wrong last, else how old the data is.
fn evaluate(
    known: &ConnectionState,
    last_data: Option<DateTime<Utc>>,
    interval: TimeDelta,
    now: DateTime<Utc>,
) -> (Status, Option<String>) {
    let at = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%MZ");
    if let Some(paused) = known.paused {
        return (Status::Paused, Some(format!("since {}", at(paused.since))));
    }
    let run = known.run.clone().unwrap_or_default();
    let latest = run.errors.iter().max_by_key(|(_, trouble)| trouble.at);
    if let Some((command, trouble)) = latest {
        let reason = format!("{command} of {}: {}", at(trouble.at), trouble.message);
        return (Status::Error, Some(reason));
    }
    let check = known
        .check
        .as_ref()
        .filter(|check| Some(check.at) > run.checked_at);
    if let Some((when, error)) = check.and_then(|check| Some((check.at, check.error.as_ref()?))) {
        return (
            Status::Error,
            Some(format!("check of {}: {error}", at(when))),
        );
    }
    match last_data {
        None => match known.asked_at() {
            Some(asked) if now - asked > interval => {
                let reason = format!("no data yet, and nobody has asked since {}", at(asked));
                (Status::Late, Some(reason))
            }
            _ => (Status::PendingData, None),
        },
        Some(data) if now - data > interval => {
            let reason = format!(
                "no data since {}: {} hours, and {} are expected",
                at(data),
                (now - data).num_hours(),
                interval.num_hours()
            );
            (Status::Late, Some(reason))
        }
        Some(_) => (Status::Healthy, None),
    }
}

fn delivered<'m>(
    store: &Store,
    targets: &Targets,
    states: impl Iterator<Item = &'m MonthState> + Clone,
) -> Vec<Target> {
    let bucket = targets.bucket.iter().map(|bucket| {
        let key = bucket.key(store);
        let held = states.clone().filter_map(|state| state.bucket.as_ref());
        let times = held
            .filter(|held| held.target == key)
            .map(|held| held.delivered_at);
        Target {
            target: "bucket",
            place: bucket.store.display(""),
            delivered_at: times.max(),
        }
    });
    let stream = targets.stream.iter().map(|id| {
        let sent = states.clone().filter_map(|state| state.stream.as_ref());
        let times = sent
            .filter(|sent| sent.target == *id)
            .filter_map(|sent| sent.closed_at);
        Target {
            target: "stream",
            place: id.clone(),
            delivered_at: times.max(),
        }
    });
    bucket.chain(stream).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::state::{CheckState, Paused, RecordedError, RunState};

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn status(known: &ConnectionState, data: Option<&str>) -> (Status, String) {
        let now = at("23T06:00");
        let evaluate = evaluate(known, data.map(at), TimeDelta::hours(36), now);
        (evaluate.0, evaluate.1.unwrap_or_default())
    }

    #[test]
    fn data_is_late_after_the_interval_and_not_before() {
        let known = ConnectionState::default();
        assert_eq!(status(&known, None).0, Status::PendingData);
        assert_eq!(status(&known, Some("23T05:00")).0, Status::Healthy);
        assert_eq!(status(&known, Some("21T18:00")).0, Status::Healthy);
        let (late, reason) = status(&known, Some("21T17:59"));
        assert_eq!(late, Status::Late);
        assert!(
            reason.contains("2026-11-21 17:59Z: 36 hours, and 36 are expected"),
            "{reason}"
        );
    }

    #[test]
    fn a_connection_that_nobody_imports_is_late() {
        let added = |when| ConnectionState {
            check: Some(CheckState {
                at: at(when),
                error: None,
            }),
            ..ConnectionState::default()
        };
        assert_eq!(status(&added("21T18:00"), None).0, Status::PendingData);
        let (late, reason) = status(&added("21T17:59"), None);
        assert_eq!(late, Status::Late);
        assert!(reason.contains("asked since 2026-11-21 17:59Z"), "{reason}");
    }

    #[test]
    fn an_error_counts_more_than_age_and_a_pause_more_than_both() {
        let trouble = |when| RecordedError {
            at: at(when),
            message: format!("no at {when}"),
        };
        let errors = [("import", "22T06:00"), ("deliver", "23T01:00")];
        let mut known = ConnectionState {
            run: Some(RunState {
                checked_at: Some(at("22T06:00")),
                errors: errors.map(|(c, t)| (c.to_string(), trouble(t))).into(),
                ..RunState::default()
            }),
            ..ConnectionState::default()
        };
        let (error, reason) = status(&known, Some("01T00:00"));
        assert_eq!(error, Status::Error);
        assert_eq!(reason, "deliver of 2026-11-23 01:00Z: no at 23T01:00");
        known.paused = Some(Paused {
            since: at("20T00:00"),
        });
        assert_eq!(
            status(&known, None),
            (Status::Paused, "since 2026-11-20 00:00Z".into())
        );
    }

    #[test]
    fn a_failed_check_counts_until_a_run_asked_later() {
        let check = |when| CheckState {
            at: at(when),
            error: Some("refused".into()),
        };
        let run = RunState {
            checked_at: Some(at("22T06:00")),
            ..RunState::default()
        };
        let known = |when| ConnectionState {
            run: Some(run.clone()),
            check: Some(check(when)),
            ..ConnectionState::default()
        };
        assert_eq!(
            status(&known("22T07:00"), Some("23T00:00")).0,
            Status::Error
        );
        assert_eq!(
            status(&known("22T05:00"), Some("23T00:00")).0,
            Status::Healthy
        );
    }
}
