//! Damaged Delta logs: names the file of the log that makes a table unreadable, and how to repair it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::store::delta::ACTIONS;
use crate::store::{Operation, Store, TableName, staging};

/// Damage of a log.
#[derive(Debug, PartialEq, Eq)]
enum LogDamage {
    /// An entry is not one JSON object per line.
    Unreadable { version: u64, line: usize },
    /// An entry lacks lines at its end.
    Shortened { version: u64 },
    /// An entry is missing although later ones exist.
    MissingEntry { version: u64 },
    /// A checkpoint is not a Parquet file.
    Checkpoint { file: String },
    /// Files were published, but there is no log.
    NoLog,
}

/// Files of a log.
#[derive(Default)]
struct Log {
    entries: BTreeSet<u64>,
    /// File names of checkpoints.
    checkpoints: BTreeMap<u64, Vec<String>>,
}

fn folder(table: TableName) -> String {
    format!("{table}/_delta_log")
}

fn entry(table: TableName, version: u64) -> String {
    format!("{}/{version:020}.json", folder(table))
}

/// Returns `error` of an unreadable table with the damaged file of its log instead, if there is one.
pub(super) async fn explain(store: &Store, table: TableName, error: Error) -> Error {
    match find(store, table).await {
        Ok(Some((damage, log))) => damage_error(store, table, &damage, &log),
        Ok(None) => error.with_hint(restore_hint(store, table)),
        // The store itself fails.
        Err(_) => error,
    }
}

/// Returns true if a table has a log. A power cut leaves entries that are empty or end early, which delta-rs takes for
/// commits without changes or with fewer ones: empty ones since the last checkpoint and a short newest one are refused.
///
/// # Errors
/// Kind data, for such an entry; those of the store.
pub(super) async fn has_log(store: &Store, table: TableName) -> Result<bool> {
    let folder = folder(table);
    let checkpoint = store.get(&format!("{folder}/_last_checkpoint")).await?;
    let checkpoint: Option<Value> = checkpoint.and_then(|b| serde_json::from_slice(&b).ok());
    let checkpoint = checkpoint.and_then(|value| value["version"].as_u64());
    let from = format!("{folder}/{:020}", checkpoint.unwrap_or_default());
    let (folder_path, from) = (store.path(&folder), store.path(&from));
    let found = store.root().list_with_offset(Some(&folder_path), &from);
    let found: Vec<ObjectMeta> = match found.try_collect().await {
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        found => found.map_err(|e| store.error(Operation::List, &folder, &e))?,
    };
    let version = |meta: &ObjectMeta| version_of(meta.location.filename()?, "json");
    let has_empty = found.iter().any(|m| m.size == 0 && version(m).is_some());
    let newest = found.iter().filter_map(version).max();
    let is_short = match newest {
        Some(newest) => is_shortened(&read_entry(store, table, newest).await?),
        None => false,
    };
    if (has_empty || is_short)
        && let Some((damage, log)) = find(store, table).await?
    {
        return Err(damage_error(store, table, &damage, &log));
    }
    Ok(!found.is_empty())
}

async fn read_entry(store: &Store, table: TableName, version: u64) -> Result<Bytes> {
    Ok(store.get(&entry(table, version)).await?.unwrap_or_default())
}

/// Returns true for an entry of this crate with fewer actions than its first line says: cut between two lines, it is
/// whole for every other reader.
fn is_shortened(entry: &[u8]) -> bool {
    let lines = || {
        entry
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
    };
    let values = lines().map_while(|line| serde_json::from_slice::<Value>(line).ok());
    let mut expected = None;
    let mut found = 0;
    for value in values {
        if let Some(info) = value.get("commitInfo") {
            expected = info.get(ACTIONS).and_then(Value::as_u64);
        }
        found += u64::from(value.get("add").is_some() || value.get("remove").is_some());
    }
    expected.is_some_and(|expected| expected != found)
}

/// Version of a file of the log with this extension.
fn version_of(name: &str, extension: &str) -> Option<u64> {
    let (version, found) = name.split_once('.')?;
    (found == extension).then(|| version.parse().ok())?
}

/// Refuses a table of months that was published and has lost its log. Whoever takes it for a new table loses all months
/// that cannot be pulled again.
///
/// # Errors
/// Kind data, after such a loss; those of the store.
pub(super) async fn refuse_lost_log(store: &Store, table: TableName) -> Result<()> {
    // The files of `resources` have no marks, and the next import lists them again.
    if table == TableName::Resources {
        return Ok(());
    }
    let names = store.list(table.as_str()).await?;
    let published = names.iter().filter(|name| name.ends_with(".parquet"));
    let published: Vec<&String> = published.collect();
    if published.is_empty() {
        return Ok(());
    }
    // Before the first commit there are only marked files.
    let marked = staging::marked_files(store, table).await?;
    if published.iter().all(|name| marked.contains(*name)) {
        return Ok(());
    }
    // Another run may have committed meanwhile.
    if store.has_any(&folder(table)).await? {
        return Ok(());
    }
    Err(damage_error(
        store,
        table,
        &LogDamage::NoLog,
        &Log::default(),
    ))
}

/// Finds the first damage of a log: in the entries that readers need, then in older ones.
async fn find(store: &Store, table: TableName) -> Result<Option<(LogDamage, Log)>> {
    let log = list(store, table).await?;
    let Some(newest) = log.entries.last().copied() else {
        return Ok(None);
    };
    let checkpoint = log
        .checkpoints
        .last_key_value()
        .map(|(version, _)| *version);
    let first_needed = checkpoint.map_or(0, |version| version + 1);
    for version in first_needed..=newest {
        if !log.entries.contains(&version) {
            return Ok(Some((LogDamage::MissingEntry { version }, log)));
        }
        let bytes = read_entry(store, table, version).await?;
        if let Some(line) = unreadable_line(&bytes) {
            return Ok(Some((LogDamage::Unreadable { version, line }, log)));
        }
        if is_shortened(&bytes) {
            return Ok(Some((LogDamage::Shortened { version }, log)));
        }
    }
    let checkpoints: Vec<String> = log.checkpoints.values().flatten().cloned().collect();
    for file in checkpoints {
        let bytes = store.get(&format!("{}/{file}", folder(table))).await?;
        if bytes.is_some_and(|bytes| !is_parquet(&bytes)) {
            return Ok(Some((LogDamage::Checkpoint { file }, log)));
        }
    }
    let older: Vec<u64> = log.entries.range(..first_needed).copied().collect();
    for version in older {
        if let Some(line) = unreadable_line(&read_entry(store, table, version).await?) {
            return Ok(Some((LogDamage::Unreadable { version, line }, log)));
        }
    }
    Ok(None)
}

async fn list(store: &Store, table: TableName) -> Result<Log> {
    let mut log = Log::default();
    for path in store.list_flat(&folder(table)).await? {
        let Some(name) = path.rsplit('/').next() else {
            continue;
        };
        if let Some(version) = version_of(name, "json") {
            log.entries.insert(version);
            continue;
        }
        let Some((version, kind)) = name.split_once('.') else {
            continue;
        };
        let Ok(version) = version.parse() else {
            continue;
        };
        if kind.starts_with("checkpoint.") && kind.ends_with("parquet") {
            let files = log.checkpoints.entry(version).or_default();
            files.push(name.to_string());
        }
    }
    Ok(log)
}

/// Number of the first line of an entry that is not a JSON object; 1 for an empty entry.
fn unreadable_line(bytes: &[u8]) -> Option<usize> {
    let is_action =
        |line: &[u8]| serde_json::from_slice::<Value>(line).is_ok_and(|v| v.is_object());
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let wrong = bytes
        .split(|byte| *byte == b'\n')
        .position(|line| !is_action(line));
    wrong.map(|at| at + 1)
}

fn is_parquet(bytes: &[u8]) -> bool {
    bytes.len() > 8 && bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")
}

fn damage_error(store: &Store, table: TableName, damage: &LogDamage, log: &Log) -> Error {
    let place = store.display(table.as_str());
    let described = Described {
        store,
        table,
        damage,
    };
    let version = match damage {
        LogDamage::Unreadable { version, .. } | LogDamage::Shortened { version } => Some(*version),
        _ => None,
    };
    let is_newest = version.is_some() && version == log.entries.last().copied();
    let hint = match version {
        Some(version) if is_newest && version > 0 => format!(
            "restore it from a backup, or move it away: the table is then at version {}, and `billstream import` \
             publishes again what is missing",
            version - 1
        ),
        _ => restore_hint(store, table),
    };
    Error::data(format!("could not read the table `{place}`: {described}")).with_hint(hint)
}

/// Advice for a log that cannot be read without its lost files.
fn restore_hint(store: &Store, table: TableName) -> String {
    let log = store.display(&folder(table));
    let place = store.display(table.as_str());
    let again = match table {
        TableName::Costs => {
            "`billstream import --all` pulls the months that Confluent still holds (a year); older ones and all earlier \
             versions are lost"
        }
        TableName::LineItems => {
            "`billstream transform --all` maps the stored costs again; earlier versions are lost"
        }
        TableName::Resources => "the next `billstream import` lists names and regions again",
    };
    format!("restore `{log}` from a backup; without one, move `{place}` away: {again}")
}

/// Damage of a table's log as text.
struct Described<'d> {
    store: &'d Store,
    table: TableName,
    damage: &'d LogDamage,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |version| self.store.display(&entry(self.table, version));
        match self.damage {
            LogDamage::Unreadable { version, line } => {
                write!(f, "line {line} of `{}` is cut or not JSON", entry(*version))
            }
            LogDamage::Shortened { version } => {
                write!(f, "`{}` lacks lines at its end", entry(*version))
            }
            LogDamage::MissingEntry { version } => write!(f, "`{}` is missing", entry(*version)),
            LogDamage::Checkpoint { file } => {
                let file = self
                    .store
                    .display(&format!("{}/{file}", folder(self.table)));
                write!(f, "`{file}` is not a complete Parquet file")
            }
            LogDamage::NoLog => {
                let log = self.store.display(&folder(self.table));
                write!(
                    f,
                    "its log `{log}` is missing, although months were published"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::store::lease::Fence;
    use crate::store::tables::{PeriodRecord, Table};
    use crate::store::writer::DataFile;

    const COSTS: TableName = TableName::Costs;

    /// A table of three versions.
    async fn published() -> Store {
        let store = Store::in_memory();
        let fence = Fence::unchecked(&store, "acme", "run");
        let columns = &crate::confluent::costs::decode::SCHEMA;
        let mut table = Table::open_or_create(&fence, COSTS, columns).await.unwrap();
        for (at, month) in ["2026-09", "2026-10"].into_iter().enumerate() {
            let path = format!("connection=acme/billing_period={month}/{at}.parquet");
            store.put(&format!("costs/{path}"), "x").await.unwrap();
            let file = DataFile {
                path,
                size: 1,
                hash: None,
                rows: 1,
                start_range: None,
            };
            let mut record = PeriodRecord::default();
            let period = month.parse().unwrap();
            table
                .replace(&fence, period, &[file], &mut record)
                .await
                .unwrap();
        }
        store
    }

    async fn refused(store: &Store) -> (String, String) {
        let error = match Table::open(store, COSTS).await {
            Err(error) => error,
            Ok(Some(table)) => table.files().await.err().unwrap(),
            Ok(None) => panic!("the table is taken for a new one"),
        };
        assert_eq!(error.kind(), ErrorKind::Data);
        let (text, hint) = (error.to_string(), error.hint().unwrap());
        assert!(text.len() < 300 && !text.contains("backtrace"), "{text}");
        (text, hint)
    }

    #[tokio::test]
    async fn names_an_entry_that_was_cut_or_overwritten() {
        for version in 0..3 {
            let name = entry(COSTS, version);
            let whole = published().await.get(&name).await.unwrap().unwrap();
            for content in [
                whole.slice(..whole.len() / 2),
                bytes::Bytes::new(),
                bytes::Bytes::from(vec![0; whole.len()]),
                bytes::Bytes::from_static(b"\x89garbage\n"),
            ] {
                let store = published().await;
                store.put(&name, content).await.unwrap();
                let (text, hint) = refused(&store).await;
                assert!(text.contains(&format!("{version:020}.json")), "{text}");
                assert!(text.contains("is cut or not JSON"), "{text}");
                if version == 2 {
                    assert!(hint.contains("at version 1"), "{hint}");
                    // The advice holds.
                    store.delete(&name).await.unwrap();
                    let table = Table::open(&store, COSTS).await.unwrap().unwrap();
                    assert_eq!(table.files().await.unwrap().len(), 1);
                } else {
                    assert!(hint.contains("billstream import --all"), "{hint}");
                }
            }
        }
    }

    #[tokio::test]
    async fn names_a_newest_entry_that_was_cut_between_two_lines() {
        let store = published().await;
        let name = entry(COSTS, 2);
        let whole = store.get(&name).await.unwrap().unwrap();
        let text = std::str::from_utf8(&whole).unwrap().trim_end();
        let (cut, _) = text.rsplit_once('\n').unwrap();
        store.put(&name, format!("{cut}\n")).await.unwrap();
        let (text, hint) = refused(&store).await;
        assert!(text.ends_with("lacks lines at its end"), "{text}");
        assert!(hint.contains("at version 1"), "{hint}");
    }

    #[tokio::test]
    async fn names_an_entry_that_is_missing() {
        for version in 0..2 {
            let store = published().await;
            store.delete(&entry(COSTS, version)).await.unwrap();
            let (text, _) = refused(&store).await;
            assert!(
                text.contains(&format!("{version:020}.json` is missing")),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn refuses_a_table_without_its_log_but_not_one_before_its_first_commit() {
        let store = published().await;
        for name in store.list("costs/_delta_log").await.unwrap() {
            store.delete(&name).await.unwrap();
        }
        let (text, hint) = refused(&store).await;
        assert!(text.contains("costs/_delta_log` is missing"), "{text}");
        assert!(hint.contains("from a backup"), "{hint}");
        for file in ["2026-09/run/0.parquet", "2026-10/1.parquet"] {
            let mark = format!("runs/staging/costs/acme/{file}");
            store.put(&mark, "").await.unwrap();
        }
        assert!(Table::open(&store, COSTS).await.unwrap().is_none());
    }
}
