//! The two tables of months, `costs` and `line_items`.
//!
//! After a conflict the month is read again: if it is unchanged since this writer first read it, the commit is
//! tried again; otherwise the run fails. The record of a published month (digest, totals, version) is the tag of
//! its files.

mod error;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::delta::{self, COMMIT_ATTEMPTS, CommitError, CurrentFile, Delta};
use crate::store::lease::Fence;
use crate::store::staging::Staging;
use crate::store::writer::DataFile;
use crate::store::{Store, TableName};

pub use error::PublishError;
pub use record::{Commit, OwnTotals, PeriodRecord};

/// Partition columns of both tables.
pub(crate) const PARTITIONS: [&str; 2] = ["connection", "billing_period"];

/// Folder of a month, relative to its table.
pub(crate) fn partition(connection: &str, period: BillingPeriod) -> String {
    format!("connection={connection}/billing_period={period}")
}

/// Published file with its month.
#[derive(Debug, Clone)]
pub struct PublishedFile {
    /// Connection of the month.
    pub connection: String,
    /// The month.
    pub period: BillingPeriod,
    /// The file.
    pub file: DataFile,
    /// Record of the file's commit; `None` if another tool wrote it.
    pub record: Option<PeriodRecord>,
}

/// Paths of the files of each month.
type Months = BTreeMap<(String, BillingPeriod), BTreeSet<String>>;

/// One of the two tables.
#[derive(Clone)]
pub struct Table {
    store: Store,
    name: TableName,
    delta: Delta,
    /// Months as they were when the table was opened, or as this writer replaced them; read before the first
    /// commit.
    base: Option<Months>,
}

impl Table {
    fn new(store: &Store, name: TableName, delta: Delta) -> Table {
        Table {
            store: store.clone(),
            name,
            delta,
            base: None,
        }
    }

    /// Opens the newest version of a table; `None` if the table does not exist.
    pub async fn open(store: &Store, name: TableName) -> Result<Option<Table>> {
        let delta = Delta::open(store, name).await?;
        Ok(delta.map(|delta| Table::new(store, name, delta)))
    }

    /// Opens the newest version of a table; creates it with `columns`, which exclude the partition columns, if it
    /// does not exist.
    pub async fn open_or_create(
        fence: &Fence,
        name: TableName,
        columns: &SchemaRef,
    ) -> Result<Table> {
        let delta = Delta::open_or_create(fence, name, columns).await?;
        Ok(Table::new(fence.store(), name, delta))
    }

    /// Opens a version of a table; `None` if the table does not exist.
    ///
    /// # Errors
    /// Kind usage, for a version newer than the newest.
    pub(crate) async fn open_at(
        store: &Store,
        name: TableName,
        version: u64,
    ) -> Result<Option<Table>> {
        let delta = Delta::open_at(store, name, version).await?;
        Ok(delta.map(|delta| Table::new(store, name, delta)))
    }

    /// Commits that published months, newest first.
    pub(crate) async fn history(&self) -> Result<Vec<Commit>> {
        let infos = self.delta.history().await?;
        Ok(infos.iter().filter_map(Commit::from_info).collect())
    }

    /// Columns without the partition columns.
    pub(crate) fn columns(&self) -> Result<SchemaRef> {
        self.delta.columns()
    }

    /// Current files, sorted by connection, period and path.
    pub(crate) async fn files(&self) -> Result<Vec<PublishedFile>> {
        let published = |current: &CurrentFile| {
            let [connection, period] = current.partition.as_slice() else {
                return Err(Error::bug(format!(
                    "{} is not a table of months",
                    self.name
                )));
            };
            Ok(PublishedFile {
                connection: connection.clone(),
                period: period.parse()?,
                record: current
                    .tag
                    .as_ref()
                    .and_then(|tag| serde_json::from_str(tag).ok()),
                file: current.file.clone(),
            })
        };
        self.delta.files().await?.iter().map(published).collect()
    }

    /// Current files of a month and the record of their commit.
    pub async fn month(
        &self,
        connection: &str,
        period: BillingPeriod,
    ) -> Result<(Vec<DataFile>, Option<PeriodRecord>)> {
        let files: Vec<PublishedFile> = self
            .files()
            .await?
            .into_iter()
            .filter(|file| file.connection == connection && file.period == period)
            .collect();
        let record = files.first().and_then(|file| file.record.clone());
        Ok((files.into_iter().map(|file| file.file).collect(), record))
    }

    /// Reads the newest version.
    pub(super) async fn load(&mut self) -> Result<()> {
        self.remember_base().await?;
        self.delta.load().await
    }

    /// Paths of the current files.
    pub(super) async fn current_paths(&self) -> Result<BTreeSet<String>> {
        let current = self.delta.files().await?.iter();
        Ok(current.map(|current| current.file.path.clone()).collect())
    }

    /// Paths of all files that a commit names, current or replaced.
    pub(super) async fn committed_paths(&self) -> Result<BTreeSet<String>> {
        self.delta.committed_paths().await.cloned()
    }

    /// Adds columns that the table lacks; they are null in older files.
    pub(crate) async fn add_columns(&mut self, fence: &Fence, columns: &SchemaRef) -> Result<()> {
        self.remember_base().await?;
        self.delta.add_columns(fence, columns).await
    }

    /// Replaces a month of the fence's connection by `files` in one commit. Sets `record.version` to the commit's
    /// version and returns it.
    ///
    /// # Errors
    /// [`PublishError::MonthChanged`] when another run replaced the same month since this table was opened;
    /// [`PublishError::NoFiles`] without files.
    pub async fn replace(
        &mut self,
        fence: &Fence,
        period: BillingPeriod,
        files: &[DataFile],
        record: &mut PeriodRecord,
    ) -> Result<u64> {
        let connection = fence.connection();
        if files.is_empty() {
            return Err(PublishError::NoFiles {
                connection: connection.to_string(),
                period,
            }
            .into());
        }
        self.remember_base().await?;
        let key = (connection.to_string(), period);
        let base = self.base.iter().find_map(|base| base.get(&key).cloned());
        let base = base.unwrap_or_default();
        let new = paths(files);
        let month = period.to_string();
        let staging = Staging::of(fence, self.name, period);
        for _ in 0..COMMIT_ATTEMPTS {
            let (current, published) = self.month(connection, period).await?;
            let current = paths(&current);
            if current != base {
                // A commit whose reply was lost looks like a conflict with another writer.
                let Some(published) = published.filter(|_| current == new) else {
                    return Err(PublishError::MonthChanged {
                        connection: connection.to_string(),
                        period,
                        table: self.store.display(self.name.as_str()),
                    }
                    .into());
                };
                record.version = published.version;
            } else {
                record.version = self.delta.version() + 1;
                // A run that ended before its clean-up left marks of the files that are current now.
                staging.unmark(&current).await?;
                let json =
                    serde_json::to_value(&*record).map_err(|e| Error::bug(format!("JSON: {e}")))?;
                match self
                    .delta
                    .replace(fence, &[connection, &month], files, &json)
                    .await
                {
                    Ok(()) => {}
                    Err(CommitError::Conflict) => {
                        self.delta.load().await?;
                        continue;
                    }
                    Err(CommitError::Other(error)) => return Err(error),
                }
            }
            self.base.get_or_insert_default().insert(key, new);
            return Ok(record.version);
        }
        Err(delta::contended(&self.store, self.name))
    }

    /// Reads the base once, before the first commit loads what other writers published.
    async fn remember_base(&mut self) -> Result<()> {
        if self.base.is_some() {
            return Ok(());
        }
        let mut base = Months::new();
        for file in self.files().await? {
            let month = base.entry((file.connection, file.period)).or_default();
            month.insert(file.file.path);
        }
        self.base = Some(base);
        Ok(())
    }
}

fn paths(files: &[DataFile]) -> BTreeSet<String> {
    files.iter().map(|file| file.path.clone()).collect()
}
