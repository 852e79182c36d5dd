//! The two tables of months, `costs` and `line_items`.
//!
//! After a conflict the month is read again: if it is unchanged since this writer first read it, the commit is
//! tried again; otherwise the run fails. The record of a published month (digest, totals, version) is the tag of
//! its files.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use deltalake::kernel::CommitInfo;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, ErrorKind, Result};
use crate::store::delta::{self, COMMIT_ATTEMPTS, CommitError, CurrentFile, Delta, TAG};
use crate::store::writer::DataFile;
use crate::store::{Store, TableName};

/// Partition columns of both tables.
pub(crate) const PARTITIONS: [&str; 2] = ["connection", "billing_period"];

/// Folder of a month, relative to its table.
pub(super) fn partition(connection: &str, period: BillingPeriod) -> String {
    format!("connection={connection}/billing_period={period}")
}

/// Month that was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The month changed after this table was opened. Nothing was published.
    #[error("another run published {period} of `{connection}` to {table} first")]
    MonthChanged {
        /// Connection of the month.
        connection: String,
        /// The month.
        period: BillingPeriod,
        /// Location of the table.
        table: String,
    },
    /// Refused, because a commit without files would empty the month.
    #[error("replacing {period} of `{connection}` by nothing")]
    NoFiles {
        /// Connection of the month.
        connection: String,
        /// The month.
        period: BillingPeriod,
    },
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Error {
        match error {
            PublishError::MonthChanged { .. } => Error::new(ErrorKind::Locked, error).with_hint(
                "nothing of this run was published for the month; run the command again",
            ),
            PublishError::NoFiles { .. } => Error::new(ErrorKind::Bug, error),
        }
    }
}

/// Record of a published month, stored in its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodRecord {
    /// Run that published the month.
    pub run: String,
    /// Table version with the month.
    pub version: u64,
    /// Digest of the costs, independent of their order.
    pub digest: String,
    /// Number of costs.
    pub costs: u64,
    /// Number of line items; 0 in `costs`.
    pub line_items: u64,
    /// Exact decimal: list value before discounts.
    pub original_amount: String,
    /// Exact decimal: original - net.
    pub discount_amount: String,
    /// Exact decimal: value after discounts.
    pub net_amount: String,
    /// Version of the mapping that created the line items; empty in `costs`.
    pub mapping: String,
    /// Digest of the resource attributes in the line items; empty where there are none.
    #[serde(default)]
    pub facts: String,
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

/// Commit that published a month.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Time of the commit.
    pub at: Option<DateTime<Utc>>,
    /// Connection of the month.
    pub connection: String,
    /// The month.
    pub period: BillingPeriod,
    /// Record of the month.
    pub record: PeriodRecord,
}

impl Commit {
    /// Reads a commit's metadata; `None` for a commit that published no month.
    fn from_info(info: &CommitInfo) -> Option<Commit> {
        let fields = info.info.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(TAG)?.strip_prefix('.')?;
            Some((key.to_string(), value.clone()))
        });
        let fields: serde_json::Map<String, serde_json::Value> = fields.collect();
        let record: PeriodRecord = serde_json::from_value(fields.into()).ok()?;
        let parameters = info.operation_parameters.as_ref()?;
        // The predicate of `Delta::replace`: connection = 'acme' AND billing_period = '2026-10'.
        let predicate = parameters.get("predicate")?.as_str()?;
        let quoted: Vec<&str> = predicate.split('\'').collect();
        let [_, connection, _, period, _] = quoted.as_slice() else {
            return None;
        };
        Some(Commit {
            at: info.timestamp.and_then(DateTime::from_timestamp_millis),
            connection: connection.to_string(),
            period: period.parse().ok()?,
            record,
        })
    }
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
        store: &Store,
        name: TableName,
        columns: &SchemaRef,
    ) -> Result<Table> {
        let delta = Delta::open_or_create(store, name, columns).await?;
        Ok(Table::new(store, name, delta))
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
        let published = |current: CurrentFile| {
            let [connection, period] = current.partition.as_slice() else {
                return Err(Error::bug(format!(
                    "{} is not a table of months",
                    self.name
                )));
            };
            Ok(PublishedFile {
                connection: connection.clone(),
                period: period.parse()?,
                record: current.tag.and_then(|tag| serde_json::from_str(&tag).ok()),
                file: current.file,
            })
        };
        self.delta
            .files()
            .await?
            .into_iter()
            .map(published)
            .collect()
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

    /// Adds columns that the table lacks; they are null in older files.
    pub(crate) async fn add_columns(&mut self, columns: &SchemaRef) -> Result<()> {
        self.remember_base().await?;
        self.delta.add_columns(columns).await
    }

    /// Replaces a month by `files` in one commit. Sets `record.version` to the commit's version and returns it.
    ///
    /// # Errors
    /// [`PublishError::MonthChanged`] when another run replaced the same month since this table was opened;
    /// [`PublishError::NoFiles`] without files.
    pub async fn replace(
        &mut self,
        connection: &str,
        period: BillingPeriod,
        files: &[DataFile],
        record: &mut PeriodRecord,
    ) -> Result<u64> {
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
                let json =
                    serde_json::to_value(&*record).map_err(|e| Error::bug(format!("JSON: {e}")))?;
                match self
                    .delta
                    .replace(&[connection, &month], files, &json)
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
