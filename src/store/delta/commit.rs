//! Commits: compare-and-swap on the table's version, under the lease of the run that commits.
//!
//! A commit whose request failed may have been applied: its reply was lost, or what follows it failed. So after
//! every failure the newest version is read; one that has what was to be committed is a success.

use std::collections::{BTreeSet, HashMap};

use arrow::datatypes::SchemaRef;
use chrono::Utc;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, StructField};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::TryStreamExt;

use super::{ACTIONS, Delta, HASH_TAG, TAG, schema};
use crate::error::{Error, Result};
use crate::store::lease::Fence;
use crate::store::writer::DataFile;
use crate::store::{Operation, Store, TableName, damage, stats};

/// Attempts of a commit that other writers keep overtaking.
pub(crate) const COMMIT_ATTEMPTS: usize = 20;

/// Failed commit. Nothing was published, unless the store is unavailable afterwards.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// The table has a newer version than the one that was read.
    #[error("another writer committed first")]
    Conflict,
    /// The table cannot be read or written.
    #[error("{0}")]
    Other(Error),
}

impl Delta {
    /// Adds columns that the table lacks; they are null in older files. Reads the newest version.
    ///
    /// # Errors
    /// Kind locked after a lost lease; those of the store.
    pub(crate) async fn add_columns(&mut self, fence: &Fence, columns: &SchemaRef) -> Result<()> {
        for _ in 0..COMMIT_ATTEMPTS {
            let missing = self.missing(columns)?;
            if missing.is_empty() {
                return Ok(());
            }
            fence.confirm().await?;
            let added = self
                .table
                .clone()
                .add_columns()
                .with_fields(missing)
                .with_commit_properties(never_rebased())
                .await;
            match added {
                Ok(_) => return self.load().await,
                Err(e) if is_conflict(&e) => self.load().await?,
                Err(e) => {
                    let was_applied =
                        self.load().await.is_ok() && self.missing(columns)?.is_empty();
                    if !was_applied {
                        return Err(self.error(Operation::Write, e));
                    }
                }
            }
        }
        Err(contended(&self.store, self.name))
    }

    fn missing(&self, columns: &SchemaRef) -> Result<Vec<StructField>> {
        let present = self.columns()?;
        let fields = columns.fields().iter();
        fields
            .filter(|field| present.field_with_name(field.name()).is_err())
            .map(|field| schema::delta_field(field))
            .collect()
    }

    /// Replaces a partition by `files` in one commit. `record` becomes the files' tag, and its fields become keys
    /// of the commit. Right before it, all files are looked for and the lease is confirmed.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when the table has a newer version than the one that was read.
    pub(crate) async fn replace(
        &mut self,
        fence: &Fence,
        partition: &[&str],
        files: &[DataFile],
        record: &serde_json::Value,
    ) -> std::result::Result<(), CommitError> {
        self.check_files(files).await.map_err(CommitError::Other)?;
        fence.confirm().await.map_err(CommitError::Other)?;
        let Err(failed) = self.try_replace(partition, files, record).await else {
            return Ok(());
        };
        let mut newest = self.clone();
        if newest.load().await.is_ok() && newest.has_exactly(partition, files).await {
            *self = newest;
            return Ok(());
        }
        Err(if is_conflict(&failed) {
            CommitError::Conflict
        } else {
            CommitError::Other(self.error(Operation::Write, failed))
        })
    }

    /// Fails unless all files exist with their size.
    async fn check_files(&self, files: &[DataFile]) -> Result<()> {
        let changed = damage::first_changed(&self.store, self.name, files).await?;
        changed.map_or(Ok(()), |file| {
            Err(Error::data(format!(
                "could not publish `{file}`: it is missing or was changed since it was written"
            ))
            .with_hint(
                "nothing was published; check whether another program deletes files of the store, then run the \
                 command again",
            ))
        })
    }

    /// Returns true if the current files of a partition are these.
    async fn has_exactly(&self, partition: &[&str], files: &[DataFile]) -> bool {
        let Ok(current) = self.files().await else {
            return false;
        };
        let current = current.iter().filter(|file| file.partition == partition);
        let current: BTreeSet<&str> = current.map(|file| file.file.path.as_str()).collect();
        current == files.iter().map(|file| file.path.as_str()).collect()
    }

    async fn try_replace(
        &mut self,
        partition: &[&str],
        files: &[DataFile],
        record: &serde_json::Value,
    ) -> std::result::Result<(), DeltaTableError> {
        let partition_columns = self.name.partition_columns();
        let named = || partition_columns.iter().zip(partition);
        let values: HashMap<String, Option<String>> = named()
            .map(|(key, value)| (key.to_string(), Some(value.to_string())))
            .collect();
        let tag = record.to_string();
        let mut actions: Vec<Action> = files
            .iter()
            .map(|file| {
                let mut tags = HashMap::from([(TAG.to_string(), Some(tag.clone()))]);
                if let Some(hash) = file.hash {
                    tags.insert(HASH_TAG.to_string(), Some(hash.to_string()));
                }
                Action::Add(Add {
                    path: file.path.clone(),
                    partition_values: values.clone(),
                    size: file.size as i64,
                    modification_time: Utc::now().timestamp_millis(),
                    data_change: true,
                    stats: Some(stats::to_json(self.name, file)),
                    tags: Some(tags),
                    ..Default::default()
                })
            })
            .collect();
        let current: Vec<_> = self
            .table
            .get_active_add_actions_by_predicate(None)
            .try_collect()
            .await?;
        actions.extend(
            current
                .iter()
                .filter(|file| file.partition_values_map() == values)
                .map(|file| Action::Remove(file.remove_action(true))),
        );
        let fields = record.as_object().into_iter().flatten();
        let count = (ACTIONS.to_string(), actions.len().into());
        let metadata = fields.map(|(key, value)| (format!("{TAG}.{key}"), value.clone()));
        let metadata = metadata.chain([count]);
        let properties = never_rebased().with_metadata(metadata);
        let predicate: Vec<String> = named()
            .map(|(key, value)| format!("{key} = '{value}'"))
            .collect();
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: Some(partition_columns.iter().map(ToString::to_string).collect()),
            predicate: Some(predicate.join(" AND ")),
        };
        let snapshot = self.table.snapshot()?.clone();
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.table.log_store(), operation)
            .await?;
        self.forget();
        self.table.load().await
    }
}

/// Commit properties with which delta-rs refuses a commit whose base is not the newest version.
pub(super) fn never_rebased() -> CommitProperties {
    CommitProperties::default().with_max_retries(0)
}

/// Returns true if another writer committed the version first.
pub(super) fn is_conflict(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::CommitConflict(_)
                    | TransactionError::MaxCommitAttempts(_)
                    | TransactionError::VersionAlreadyExists(_),
            }
    )
}

/// Error after [`COMMIT_ATTEMPTS`] conflicts in a row.
pub(crate) fn contended(store: &Store, name: TableName) -> Error {
    Error::locked(format!(
        "could not commit to `{}`: other writers committed first {COMMIT_ATTEMPTS} times in a row",
        store.display(name.as_str())
    ))
    .with_hint("run the command again")
}
