//! The two tables of months, `costs` and `line_items`.
//!
//! When another commit came first, the month is looked at again: untouched, the commit is tried anew; touched,
//! the run ends as the loser. What belongs to a published month (digest, totals, version) is the tag of its
//! files.

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use deltalake::kernel::CommitInfo;
use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::delta::{Current, Delta, Layout, TAG};
use crate::store::writer::DataFile;

/// The partition columns of both tables.
pub const PARTITIONS: [&str; 2] = ["connection", "billing_period"];
const COMMIT_ATTEMPTS: usize = 20;

/// The folder of a month, relative to its table.
pub fn partition(connection: &str, period: BillingPeriod) -> String {
    format!("connection={connection}/billing_period={period}")
}

/// What a commit says of the month it published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodRecord {
    /// The run that published it.
    pub run: String,
    /// The table version that holds it.
    pub version: u64,
    /// Digest of the costs, whatever their order.
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
    /// Version of the mapping that made the line items; empty in `costs`.
    pub mapping: String,
    /// Digest of the facts of resources that went into them; empty where there are none.
    #[serde(default)]
    pub facts: String,
}

/// A published file with its partition.
#[derive(Debug, Clone)]
pub struct Published {
    /// The connection.
    pub connection: String,
    /// The billing period.
    pub period: BillingPeriod,
    /// The file.
    pub file: DataFile,
    /// What its commit said; absent when another tool wrote it.
    pub record: Option<PeriodRecord>,
}

/// A commit that published a month.
#[derive(Debug, Clone)]
pub struct Commit {
    /// When it was made.
    pub at: Option<DateTime<Utc>>,
    /// The connection.
    pub connection: String,
    /// The billing period.
    pub period: BillingPeriod,
    /// What it said.
    pub record: PeriodRecord,
}

impl Commit {
    /// Of an entry of the history; `None` for one that published no month.
    fn of(info: &CommitInfo) -> Option<Commit> {
        let own = info.info.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(TAG)?.strip_prefix('.')?;
            Some((key.to_string(), value.clone()))
        });
        let own: serde_json::Map<String, serde_json::Value> = own.collect();
        let record: PeriodRecord = serde_json::from_value(own.into()).ok()?;
        let parameters = info.operation_parameters.as_ref()?;
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

/// One of the two tables.
#[derive(Clone)]
pub struct Table {
    store: Store,
    name: &'static str,
    delta: Delta,
}

fn layout(name: &'static str) -> Layout {
    Layout {
        name,
        partitions: &PARTITIONS,
    }
}

impl Table {
    fn of(store: &Store, name: &'static str, delta: Delta) -> Table {
        Table {
            store: store.clone(),
            name,
            delta,
        }
    }

    /// Opens a table as it is now, or `None` when it was never created.
    pub async fn open(store: &Store, name: &'static str) -> Result<Option<Table>> {
        let delta = Delta::open(store, layout(name)).await?;
        Ok(delta.map(|delta| Table::of(store, name, delta)))
    }

    /// Opens a table, creating it with `columns` (partition columns excluded) if it is not there.
    pub async fn open_or_create(
        store: &Store,
        name: &'static str,
        columns: &SchemaRef,
    ) -> Result<Table> {
        let delta = Delta::open_or_create(store, layout(name), columns).await?;
        Ok(Table::of(store, name, delta))
    }

    /// Opens a table as it was at a version, or `None` when it was never created.
    ///
    /// # Errors
    /// Kind usage, for a version that there never was.
    pub async fn open_at(store: &Store, name: &'static str, version: u64) -> Result<Option<Table>> {
        let delta = Delta::open_at(store, layout(name), version).await?;
        Ok(delta.map(|delta| Table::of(store, name, delta)))
    }

    /// What commits said of the months that they published, newest first.
    pub async fn history(&self) -> Result<Vec<Commit>> {
        let infos = self.delta.history().await?;
        Ok(infos.iter().filter_map(Commit::of).collect())
    }

    /// Columns of the table without the partition columns.
    pub fn columns(&self) -> Result<SchemaRef> {
        self.delta.columns()
    }

    /// All current files, by connection, period and name.
    pub async fn files(&self) -> Result<Vec<Published>> {
        let published = |current: Current| {
            let [connection, period] = current.partition.as_slice() else {
                return Err(Error::bug("a month has two partition values"));
            };
            Ok(Published {
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

    /// The current files of one month, and what their commit said.
    pub async fn month(
        &self,
        connection: &str,
        period: BillingPeriod,
    ) -> Result<(Vec<DataFile>, Option<PeriodRecord>)> {
        let files: Vec<Published> = self
            .files()
            .await?
            .into_iter()
            .filter(|file| file.connection == connection && file.period == period)
            .collect();
        let record = files.first().and_then(|file| file.record.clone());
        Ok((files.into_iter().map(|file| file.file).collect(), record))
    }

    /// Adds columns that the table lacks; they are null in older files.
    pub async fn add_columns(&mut self, columns: &SchemaRef) -> Result<()> {
        self.delta.add_columns(columns).await
    }

    /// Replaces a month by `files` in one commit; `record.version` is set to the commit's version,
    /// which is returned.
    ///
    /// # Errors
    /// Kind locked when another run replaced the same month since this table was opened; a bug
    /// when there are no files, because that would empty the month.
    pub async fn replace(
        &mut self,
        connection: &str,
        period: BillingPeriod,
        files: &[DataFile],
        record: &mut PeriodRecord,
    ) -> Result<u64> {
        if files.is_empty() {
            return Err(Error::bug(format!(
                "replacing {period} of {connection} by nothing"
            )));
        }
        let (base, _) = self.month(connection, period).await?;
        let month = period.to_string();
        for _ in 0..COMMIT_ATTEMPTS {
            record.version = self.delta.version() + 1;
            let said =
                serde_json::to_value(&*record).map_err(|e| Error::bug(format!("JSON: {e}")))?;
            if self
                .delta
                .replace(&[connection, &month], files, &said)
                .await?
            {
                return Ok(record.version);
            }
            self.delta.load().await?;
            let (now, _) = self.month(connection, period).await?;
            if now != base {
                break;
            }
        }
        Err(Error::locked(format!(
            "another run published {period} of `{connection}` to {} first",
            self.store.display(self.name)
        ))
        .with_hint("nothing of this run was published for the month; run it again"))
    }
}
