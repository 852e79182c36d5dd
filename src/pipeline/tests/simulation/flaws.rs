//! Faults of servers and of earlier versions, re-introduced to prove that the simulation finds them.

use chrono::TimeDelta;

use super::World;
use super::schedule::ProcessId;
use crate::store::tables::Table;
use crate::store::{Store, TableName};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The server ignores the conditions of writes.
    IgnoredConditions,
    /// A run deletes the staged files of other runs.
    ForeignFilesDeleted,
    /// A run deletes files that only earlier versions name.
    HistoryDeleted,
    /// CloudZero loses the last row of each request.
    RowsLost,
}

/// Deletes files now and then, as the flaw says.
pub(super) async fn delete_files(world: &World, process: ProcessId, flaw: Flaw) {
    let store = world.store(process, false);
    for _ in 0..20 {
        for table in [TableName::Costs, TableName::LineItems] {
            for file in flawed_choice(&store, table, flaw).await {
                store.delete(&file).await.unwrap();
            }
        }
        world.schedule.rest(process, TimeDelta::seconds(20)).await;
    }
}

/// Files of a table that the flaw deletes.
async fn flawed_choice(store: &Store, table: TableName, flaw: Flaw) -> Vec<String> {
    let current = match Table::open(store, table).await.unwrap() {
        Some(table) => table.files().await.unwrap(),
        None => Vec::new(),
    };
    let is_current = |name: &str| current.iter().any(|known| name.ends_with(&known.file.path));
    let marks = store.list("runs/staging").await.unwrap();
    let is_marked = |name: &str| {
        let file = name.rsplit('/').next().unwrap_or_default();
        marks.iter().any(|mark| mark.ends_with(file))
    };
    let mut files = store.list(table.as_str()).await.unwrap();
    files.retain(|name| {
        let is_chosen = match flaw {
            Flaw::IgnoredConditions | Flaw::RowsLost => false,
            Flaw::ForeignFilesDeleted => is_marked(name),
            Flaw::HistoryDeleted => !is_marked(name),
        };
        is_chosen && !name.contains("/_delta_log/") && !is_current(name)
    });
    files
}
