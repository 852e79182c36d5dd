//! What the store knows of a connection beside its months: `runs/connections/<name>/`, an object for each writer.
//!
//! ```text
//! run.json        how its runs ended            written with the lease
//! inventory.json  when names were taken         written with the lease
//! check.json      how Confluent answered when it was asked without a run
//! paused.json     since when it is paused
//! ```
//! They hold no secrets.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::Store;

/// What is known of a connection.
#[derive(Debug, Clone, Default)]
pub struct ConnectionState {
    /// How its runs ended.
    pub run: Option<RunState>,
    /// How Confluent answered when it was asked without a run.
    pub check: Option<CheckState>,
    /// Since when it is paused.
    pub paused: Option<Paused>,
    /// When names and regions were taken.
    pub inventory: Option<InventoryState>,
}

impl ConnectionState {
    /// When Confluent was last asked, by a run or without one.
    pub fn asked_at(&self) -> Option<DateTime<Utc>> {
        let by_run = self.run.as_ref().and_then(|run| run.checked_at);
        by_run.max(self.check.as_ref().map(|check| check.at))
    }
}

/// How the runs of a connection ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Label in CloudZero's Cloud Provider dimension, at the last run.
    pub cloud_provider: String,
    /// When the last run began that asked Confluent.
    pub checked_at: Option<DateTime<Utc>>,
    /// When the last run began to which Confluent gave costs.
    pub data_at: Option<DateTime<Utc>>,
    /// What is wrong, by command, until that command or an import goes well (of an import: a pull).
    pub errors: BTreeMap<String, RecordedError>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedError {
    /// When it began.
    pub at: DateTime<Utc>,
    /// The error, in a line.
    pub message: String,
}

/// How Confluent answered a check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckState {
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// Why it did not give costs.
    pub error: Option<String>,
}

/// A pause.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<Utc>,
}

/// How names and regions were taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InventoryState {
    /// When they were asked for.
    pub taken_at: DateTime<Utc>,
    /// Number of resources that were listed.
    pub resources: u64,
    /// What could not be listed, and why.
    pub problems: Vec<String>,
}

/// How a run ended.
pub struct RunOutcome<'r> {
    /// `import` and so on.
    pub command: &'static str,
    /// The connection's label, where the run came to know it.
    pub cloud_provider: Option<&'r str>,
    /// When it began.
    pub at: DateTime<Utc>,
    /// Whether costs came from Confluent.
    pub received: bool,
    /// What went wrong.
    pub error: Option<String>,
}

const FOLDER: &str = "runs/connections";
/// Commands that ask Confluent for costs.
const ASKING: [&str; 2] = ["import", "pull"];

fn name(connection: &str, what: &str) -> String {
    format!("{FOLDER}/{connection}/{what}.json")
}

async fn read<T: DeserializeOwned>(
    store: &Store,
    connection: &str,
    what: &str,
) -> Result<Option<T>> {
    let name = name(connection, what);
    let Some(bytes) = store.get(&name).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Error::data(format!("{} cannot be read: {e}", store.display(&name)))
            .with_hint("delete the file; the next run makes it anew")
    })
}

async fn write(store: &Store, connection: &str, what: &str, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    store.put(&name(connection, what), json).await
}

/// What is known of a connection; nothing of one never seen.
pub async fn known(store: &Store, connection: &str) -> Result<ConnectionState> {
    Ok(ConnectionState {
        run: read(store, connection, "run").await?,
        check: read(store, connection, "check").await?,
        paused: paused(store, connection).await?,
        inventory: inventory(store, connection).await?,
    })
}

/// The connections of which anything is kept here. One that was removed is none, though its costs stay.
pub async fn names(store: &Store) -> Result<BTreeSet<String>> {
    let listed = store.list(FOLDER).await?;
    let listed = listed.iter().filter_map(|path| {
        let (name, _) = path
            .strip_prefix(FOLDER)?
            .strip_prefix('/')?
            .split_once('/')?;
        Some(name.to_string())
    });
    Ok(listed.collect())
}

/// Remembers how a run ended. Call it with the connection's lease.
pub async fn run_ended(store: &Store, connection: &str, ended: RunOutcome<'_>) -> Result<()> {
    let mut state: RunState = read(store, connection, "run").await?.unwrap_or_default();
    if let Some(label) = ended.cloud_provider {
        state.cloud_provider = label.to_string();
    }
    if ASKING.contains(&ended.command) {
        state.checked_at = Some(ended.at);
    }
    if ended.received {
        state.data_at = Some(ended.at);
    }
    match ended.error {
        Some(message) => {
            let trouble = RecordedError {
                at: ended.at,
                message,
            };
            state.errors.insert(ended.command.to_string(), trouble);
        }
        None if ended.command == "import" => state.errors.clear(),
        None => {
            state.errors.remove(ended.command);
            // Who runs the stages one by one does not import; the others tell for themselves.
            if ended.command == "pull" {
                state.errors.remove("import");
            }
        }
    }
    write(store, connection, "run", &state).await
}

/// Remembers how Confluent answered without a run.
pub async fn checked(store: &Store, connection: &str, state: &CheckState) -> Result<()> {
    write(store, connection, "check", state).await
}

/// Since when a connection is paused.
pub async fn paused(store: &Store, connection: &str) -> Result<Option<Paused>> {
    read(store, connection, "paused").await
}

/// Pauses a connection.
pub async fn pause(store: &Store, connection: &str, since: DateTime<Utc>) -> Result<()> {
    write(store, connection, "paused", &Paused { since }).await
}

/// Ends a pause.
pub async fn resume(store: &Store, connection: &str) -> Result<()> {
    store.delete(&name(connection, "paused")).await
}

/// When names and regions were taken.
pub async fn inventory(store: &Store, connection: &str) -> Result<Option<InventoryState>> {
    read(store, connection, "inventory").await
}

/// Remembers how names and regions were taken. Call it with the connection's lease.
pub async fn save_inventory(store: &Store, connection: &str, state: &InventoryState) -> Result<()> {
    write(store, connection, "inventory", state).await
}

/// Forgets a connection; what was imported stays.
pub async fn forget(store: &Store, connection: &str) -> Result<()> {
    for what in ["run", "check", "paused", "inventory"] {
        store.delete(&name(connection, what)).await?;
    }
    Ok(())
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
    async fn an_error_stays_until_its_command_or_an_import_goes_well() {
        let (_folder, store) = store();
        let end = async |command, received, error: Option<&str>| {
            let ended = RunOutcome {
                command,
                cloud_provider: Some("Confluent"),
                at: at("2026-11-23T06:00:00Z"),
                received,
                error: error.map(str::to_string),
            };
            run_ended(&store, "acme", ended).await.unwrap();
            let state = known(&store, "acme").await.unwrap().run.unwrap();
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
            known(&store, "acme")
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
        let state = known(&store, "acme").await.unwrap().run.unwrap();
        assert_eq!(state.data_at, state.checked_at);
        assert_eq!(
            names(&store).await.unwrap().into_iter().collect::<Vec<_>>(),
            ["acme"]
        );
        store.put("runs/connections/.DS_Store", "x").await.unwrap();
        forget(&store, "acme").await.unwrap();
        assert!(names(&store).await.unwrap().is_empty());
    }
}
