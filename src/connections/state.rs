//! Persisted state of a connection besides its months: `runs/connections/<connection>/` in the store.
//!
//! ```text
//! run.json              outcome of its runs                           written with the lease
//! inventory.json        last listing of names and regions             written with the lease
//! availability.json     months that Confluent refuses                 written with the lease
//! cloudzero.json        what is known of CloudZero's API              written with the lease, by deliveries
//! damage.json           files found with other content            written with the lease
//! double-counting.json  connections in CloudZero with the same costs  written with the lease
//! running.json          run that began and has not ended            written with the lease
//! organization.json     organization that the costs come from         written with the lease
//! check.json            outcome of the last check
//! paused.json           start of the pause
//! ```
//! One object per writer, so that no writer overwrites another's state. They hold no secrets.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::pipeline::deliver::double_counting::{self, DuplicateSource};
use crate::pipeline::organization;
use crate::store::Store;
use crate::store::connection_state::{self, CLOUDZERO, InventoryState, LABELS};
use crate::store::lease::Fence;

const RUN: &str = "run";
const CHECK: &str = "check";
const PAUSED: &str = "paused";
const RUNNING: &str = "running";

/// All persisted state of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionState {
    pub run: Option<RunState>,
    pub check: Option<CheckState>,
    pub paused: Option<Paused>,
    pub running: Option<Running>,
    pub inventory: Option<InventoryState>,
    /// Enabled connections in CloudZero that bring the same costs, as of the last request.
    pub duplicates: Vec<DuplicateSource>,
}

impl ConnectionState {
    /// Time of the last request to Confluent, by a run or a check.
    pub(crate) fn last_checked(&self) -> Option<DateTime<Utc>> {
        let by_run = self.run.as_ref().and_then(|run| run.checked_at);
        by_run.max(self.check.as_ref().map(|check| check.at))
    }
}

/// Outcome of the runs of a connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RunState {
    /// Label in CloudZero's Cloud Provider dimension at the last run.
    pub cloud_provider: String,
    /// Start of the last run that requested costs.
    pub checked_at: Option<DateTime<Utc>>,
    /// Start of the last run that received costs.
    pub data_at: Option<DateTime<Utc>>,
    /// Last error by command. Success of the command clears it, and success of an import clears all of them.
    pub errors: BTreeMap<String, RecordedError>,
}

/// Error of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedError {
    /// Start of the run.
    pub at: DateTime<Utc>,
    /// One line.
    pub message: String,
}

/// Outcome of a check of the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CheckState {
    pub at: DateTime<Utc>,
    pub error: Option<String>,
}

/// A pause.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Paused {
    pub since: DateTime<Utc>,
}

/// Run that began. It is deleted with the end of the run, so it stays after a run that was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub run: String,
    /// Name of the command, such as `import`.
    pub command: String,
    pub started_at: DateTime<Utc>,
    /// True if the outcome of the run is not part of the connection's state: a dry run.
    pub tentative: bool,
}

/// Outcome of one run.
pub(crate) struct RunOutcome<'r> {
    /// Name of the command, such as `import`.
    pub command: &'r str,
    /// Label in CloudZero's Cloud Provider dimension, if the run got far enough to know it.
    pub cloud_provider: Option<&'r str>,
    /// Start of the run.
    pub at: DateTime<Utc>,
    /// Set if Confluent returned costs.
    pub received: bool,
    pub error: Option<String>,
}

/// Commands that request costs from Confluent.
const REQUESTING_COMMANDS: [&str; 2] = ["import", "pull"];

/// Loads the state of a connection; empty for an unknown one.
pub(crate) async fn load(store: &Store, connection: &str) -> Result<ConnectionState> {
    Ok(ConnectionState {
        run: connection_state::read(store, connection, RUN).await?,
        check: connection_state::read(store, connection, CHECK).await?,
        paused: paused(store, connection).await?,
        running: running(store, connection).await?,
        inventory: connection_state::inventory(store, connection).await?,
        duplicates: double_counting::load(store, connection).await?.duplicates,
    })
}

/// Names of all connections with state in the store. Removed connections have none, although their costs stay.
pub(crate) async fn names(store: &Store) -> Result<BTreeSet<String>> {
    connection_state::connections(store).await
}

/// Loads the run that began and has not ended.
pub(crate) async fn running(store: &Store, connection: &str) -> Result<Option<Running>> {
    connection_state::read(store, connection, RUNNING).await
}

/// Records that a run begins.
///
/// # Errors
/// Kind locked after a lost lease; those of the store.
pub(crate) async fn run_began(fence: &Fence, run: &Running) -> Result<()> {
    connection_state::write_fenced(fence, RUNNING, run).await
}

/// Forgets the run that began: its record is saved.
///
/// # Errors
/// Kind locked after a lost lease; those of the store.
pub(crate) async fn run_recorded(fence: &Fence) -> Result<()> {
    fence.confirm().await?;
    connection_state::delete(fence.store(), fence.connection(), RUNNING).await
}

/// Records the outcome of a run.
///
/// # Errors
/// Kind locked after a lost lease; those of the store.
pub(crate) async fn run_ended(fence: &Fence, outcome: RunOutcome<'_>) -> Result<()> {
    let (store, connection) = (fence.store(), fence.connection());
    let state = connection_state::read(store, connection, RUN).await?;
    let mut state: RunState = state.unwrap_or_default();
    if let Some(label) = outcome.cloud_provider {
        state.cloud_provider = label.to_string();
    }
    if REQUESTING_COMMANDS.contains(&outcome.command) {
        state.checked_at = Some(outcome.at);
    }
    if outcome.received {
        state.data_at = Some(outcome.at);
    }
    match outcome.error {
        Some(message) => {
            let error = RecordedError {
                at: outcome.at,
                message,
            };
            state.errors.insert(outcome.command.to_string(), error);
        }
        None if outcome.command == "import" => state.errors.clear(),
        None => {
            state.errors.remove(outcome.command);
            // Running the stages one by one replaces an import, whose other stages record their own errors.
            if outcome.command == "pull" {
                state.errors.remove("import");
            }
        }
    }
    connection_state::write_fenced(fence, RUN, &state).await
}

/// Records the outcome of a check.
pub(crate) async fn save_check(store: &Store, connection: &str, state: &CheckState) -> Result<()> {
    connection_state::write(store, connection, CHECK, state).await
}

/// Loads the pause of a connection; `None` if it is not paused.
pub(crate) async fn paused(store: &Store, connection: &str) -> Result<Option<Paused>> {
    connection_state::read(store, connection, PAUSED).await
}

/// Pauses a connection; an existing pause keeps its start.
pub(crate) async fn pause(store: &Store, connection: &str, now: DateTime<Utc>) -> Result<()> {
    if paused(store, connection).await?.is_some() {
        return Ok(());
    }
    connection_state::write(store, connection, PAUSED, &Paused { since: now }).await
}

/// Ends a pause.
pub(crate) async fn resume(store: &Store, connection: &str) -> Result<()> {
    connection_state::delete(store, connection, PAUSED).await
}

/// Deletes all state of the fence's connection, and releases its organization; imported costs stay.
pub(crate) async fn delete(fence: &Fence) -> Result<()> {
    let (store, connection) = (fence.store(), fence.connection());
    fence.confirm().await?;
    for object in [RUN, CHECK, PAUSED, RUNNING, CLOUDZERO, LABELS] {
        connection_state::delete(store, connection, object).await?;
    }
    connection_state::delete_availability(store, connection).await?;
    connection_state::delete_damage(store, connection).await?;
    double_counting::delete(store, connection).await?;
    organization::release(store, connection).await?;
    connection_state::delete_inventory(store, connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        (folder, store)
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn error_stays_until_its_command_or_an_import_succeeds() {
        let (_folder, store) = store();
        let fence = Fence::unchecked(&store, "acme", "run");
        let end = async |command, received, error: Option<&str>| {
            let outcome = RunOutcome {
                command,
                cloud_provider: Some("Confluent"),
                at: at("2026-11-23T06:00:00Z"),
                received,
                error: error.map(str::to_string),
            };
            run_ended(&fence, outcome).await.unwrap();
            let state = load(&store, "acme").await.unwrap().run.unwrap();
            state.errors.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(end("import", false, Some("no")).await, ["import"]);
        assert_eq!(
            end("deliver", false, Some("no")).await,
            ["deliver", "import"]
        );
        assert_eq!(end("transform", false, None).await, ["deliver", "import"]);
        assert_eq!(end("deliver", false, None).await, ["import"]);
        assert!(
            load(&store, "acme")
                .await
                .unwrap()
                .run
                .unwrap()
                .data_at
                .is_none()
        );
        assert_eq!(
            end("deliver", false, Some("no")).await,
            ["deliver", "import"]
        );
        assert_eq!(end("pull", true, None).await, ["deliver"]);
        assert!(end("import", true, None).await.is_empty());
        let state = load(&store, "acme").await.unwrap().run.unwrap();
        assert_eq!(state.data_at, state.checked_at);
        assert_eq!(
            names(&store).await.unwrap().into_iter().collect::<Vec<_>>(),
            ["acme"]
        );
        store.put("runs/connections/.DS_Store", "x").await.unwrap();
        delete(&fence).await.unwrap();
        assert!(names(&store).await.unwrap().is_empty());
    }
}
