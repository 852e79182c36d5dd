//! Delta table `resources`: environments, clusters and connectors with their history.
//!
//! A row is one version of a resource: its attributes from `valid_from` (included) to `valid_until` (excluded;
//! NULL while they are current). The newest row of a resource stays its last known one after it was deleted. A
//! connection is one partition, small enough to be rewritten whenever something changed.

mod columns;
mod history;
#[cfg(test)]
mod tests;

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use crate::confluent::inventory::{Inventory, Resource};
use crate::error::{Error, Result};
use crate::store::delta::{self, COMMIT_ATTEMPTS, CommitError, CurrentFile, Delta};
use crate::store::lease::Fence;
use crate::store::writer::FileWriter;
use crate::store::{Store, TableName};

pub(crate) use columns::schema;

/// Version of a resource: its attributes for as long as they were the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ResourceVersion {
    resource: Resource,
    /// Listing that showed the attributes first.
    valid_from: DateTime<Utc>,
    /// Listing that showed other attributes or no resource.
    valid_until: Option<DateTime<Utc>>,
}

/// Reads the rows of one connection, or of all, with the column `connection`; no rows if the table does not exist.
pub async fn read(store: &Store, connection: Option<&str>) -> Result<RecordBatch> {
    let mut batches = Vec::new();
    if let Some(delta) = Delta::open(store, TableName::Resources).await? {
        for current in delta.files().await? {
            let [of] = current.partition.as_slice() else {
                continue;
            };
            if connection.is_none_or(|connection| connection == of) {
                batches.extend(read_file(store, current, of).await?);
            }
        }
    }
    concat_batches(&schema(), &batches).map_err(|e| unreadable(&e))
}

/// Updates a connection's rows from a listing; writes nothing if nothing changed. Returns true if something
/// changed.
pub(crate) async fn update(
    fence: &Fence,
    inventory: &Inventory,
    at: DateTime<Utc>,
) -> Result<bool> {
    let (store, connection, run) = (fence.store(), fence.connection(), fence.run());
    let mut delta =
        Delta::open_or_create(fence, TableName::Resources, &columns::FILE_SCHEMA).await?;
    let before = columns::from_batch(&read(store, Some(connection)).await?)?;
    let Some(after) = history::updated(before, inventory, at) else {
        return Ok(false);
    };
    let path = format!("connection={connection}/{run}.parquet");
    let name = format!("{}/{path}", TableName::Resources);
    let mut writer = FileWriter::new(store, &name, columns::FILE_SCHEMA.clone())?;
    writer.write(&columns::to_batch(&after)?).await?;
    let file = writer.finish(path, &[]).await?;
    for _ in 0..COMMIT_ATTEMPTS {
        let record = json!({ "run": run });
        let files = std::slice::from_ref(&file);
        match delta.replace(fence, &[connection], files, &record).await {
            Ok(()) => return Ok(true),
            // The lease keeps others out of this partition: the other commit was another connection's.
            Err(CommitError::Conflict) => delta.load().await?,
            Err(CommitError::Other(error)) => return Err(error),
        }
    }
    store.delete(&name).await?;
    Err(delta::contended(store, TableName::Resources))
}

async fn read_file(
    store: &Store,
    current: &CurrentFile,
    connection: &str,
) -> Result<Vec<RecordBatch>> {
    let name = format!("{}/{}", TableName::Resources, current.file.path);
    let failed = |e: &dyn std::fmt::Display| {
        Error::data(format!("could not read `{}`: {e}", store.display(&name)))
    };
    let bytes = store
        .get(&name)
        .await?
        .ok_or_else(|| failed(&"it does not exist"))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes);
    let reader = reader
        .and_then(|builder| builder.build())
        .map_err(|e| failed(&e))?;
    reader
        .map(|batch| columns::conform(&batch.map_err(|e| failed(&e))?, connection))
        .collect()
}

fn unreadable(e: &dyn std::fmt::Display) -> Error {
    Error::data(format!(
        "could not read the table {}: {e}",
        TableName::Resources
    ))
}
