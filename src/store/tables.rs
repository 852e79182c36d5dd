//! The two Delta tables, `costs` and `line_items`, and the one commit that replaces a month.
//!
//! A commit names the files that come and the files that go, and is a compare-and-swap on the
//! table's version. When another commit came first, the month is looked at again: untouched, the
//! commit is tried anew; touched, the run ends as the loser. What belongs to a published month
//! (digest, totals, version) travels as a tag of its files, so that it is read with the log.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, CommitInfo, DataType as DeltaType, StructField};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::prefix::PrefixStore;
use serde::{Deserialize, Serialize};

use super::writer::DataFile;
use super::{Store, stats};
use crate::confluent::windows::BillingPeriod;
use crate::error::{Error, Result};

/// The partition columns of both tables.
pub const PARTITIONS: [&str; 2] = ["connection", "billing_period"];
/// The key of the file tag, and the prefix of the commit's own keys.
const TAG: &str = "billstream";
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
    delta: DeltaTable,
}

fn log_store(store: &Store, name: &str) -> Result<LogStoreRef> {
    let url = store
        .url()
        .join(&format!("{name}/"))
        .map_err(|e| Error::config(format!("store {}: {e}", store.url())))?;
    let prefixed = PrefixStore::new(store.root(), store.path(name));
    Ok(default_logstore(
        Arc::new(prefixed),
        store.root(),
        &url,
        &StorageConfig::default(),
    ))
}

impl Table {
    /// Opens a table as it is now, or `None` when it was never created.
    pub async fn open(store: &Store, name: &'static str) -> Result<Option<Table>> {
        if !store.has_any(&format!("{name}/_delta_log")).await? {
            return Ok(None);
        }
        let mut delta = DeltaTable::new(log_store(store, name)?);
        delta
            .load()
            .await
            .map_err(|e| delta_failed(store, name, "open", e))?;
        Ok(Some(Table {
            store: store.clone(),
            name,
            delta,
        }))
    }

    /// Opens a table, creating it with `columns` (partition columns excluded) if it is not there.
    ///
    /// Two runs may both create: creating is idempotent and always followed by a load, so that the
    /// first replacement of a month is refused to one of them.
    pub async fn open_or_create(
        store: &Store,
        name: &'static str,
        columns: &SchemaRef,
    ) -> Result<Table> {
        if let Some(table) = Table::open(store, name).await? {
            return Ok(table);
        }
        // Decimal statistics would be rounded floats, and readers that trust them lose rows.
        let stats: Vec<&str> = columns
            .fields()
            .iter()
            .filter(|field| {
                matches!(
                    field.data_type(),
                    DataType::Date32 | DataType::Timestamp(..)
                )
            })
            .map(|field| field.name().as_str())
            .collect();
        let properties = [
            (
                "delta.dataSkippingStatsColumns",
                stats
                    .iter()
                    .map(|s| format!("`{s}`"))
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            ("delta.enableExpiredLogCleanup", "false".to_string()),
            (
                "delta.deletedFileRetentionDuration",
                "interval 3650 days".to_string(),
            ),
            (
                "delta.logRetentionDuration",
                "interval 3650 days".to_string(),
            ),
        ];
        let partitions = PARTITIONS.map(|name| StructField::new(name, DeltaType::STRING, true));
        let created = CreateBuilder::new()
            .with_log_store(log_store(store, name)?)
            .with_table_name(name)
            .with_columns(
                columns
                    .fields()
                    .iter()
                    .map(|f| delta_field(f))
                    .collect::<Result<Vec<_>>>()?,
            )
            .with_columns(partitions)
            .with_partition_columns(PARTITIONS)
            .with_configuration(properties.map(|(key, value)| (key, Some(value))))
            .with_save_mode(SaveMode::Ignore)
            .await;
        match created {
            Ok(_)
            | Err(DeltaTableError::VersionAlreadyExists(_) | DeltaTableError::Transaction { .. }) =>
                {}
            Err(e) => return Err(delta_failed(store, name, "create", e)),
        }
        Table::open(store, name).await?.ok_or_else(|| {
            Error::remote(format!(
                "{} is not there after creating it",
                store.display(name)
            ))
        })
    }

    /// Opens a table as it was at a version, or `None` when it was never created.
    ///
    /// # Errors
    /// Class usage, for a version that there never was.
    pub async fn open_at(store: &Store, name: &'static str, version: u64) -> Result<Option<Table>> {
        let Some(mut table) = Table::open(store, name).await? else {
            return Ok(None);
        };
        let newest = table.version();
        if version > newest {
            return Err(Error::usage(format!(
                "{} has no version {version}",
                store.display(name)
            ))
            .with_hint(format!(
                "versions go from 0 to {newest}; `select * from versions` says what they hold"
            )));
        }
        if version < newest {
            table
                .delta
                .load_version(version)
                .await
                .map_err(|e| table.failed("read an earlier version of", e))?;
        }
        Ok(Some(table))
    }

    /// What commits said of the months that they published, newest first.
    pub async fn history(&self) -> Result<Vec<Commit>> {
        let infos = self
            .delta
            .history(None)
            .try_collect::<Vec<_>>()
            .await
            .map_err(|e| self.failed("read the history of", e))?;
        Ok(infos.iter().filter_map(Commit::of).collect())
    }

    /// The version that was read.
    pub fn version(&self) -> u64 {
        self.delta.version().unwrap_or_default()
    }

    /// Columns of the table without the partition columns.
    pub fn columns(&self) -> Result<SchemaRef> {
        let snapshot = self.delta.snapshot().map_err(|e| self.failed("read", e))?;
        let schema = snapshot.snapshot().arrow_schema();
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .filter(|field| !PARTITIONS.contains(&field.name().as_str()))
            .cloned()
            .collect();
        Ok(Arc::new(arrow::datatypes::Schema::new(fields)))
    }

    /// All current files, by connection, period and name.
    pub async fn files(&self) -> Result<Vec<Published>> {
        let views: Vec<_> = self
            .delta
            .get_active_add_actions_by_predicate(None)
            .try_collect()
            .await
            .map_err(|e| self.failed("read", e))?;
        let mut files = Vec::with_capacity(views.len());
        for view in views {
            #[expect(deprecated, reason = "the only public way to a file's tags")]
            let add = view.add_action();
            let value = |key: &str| add.partition_values.get(key).cloned().flatten();
            let (Some(connection), Some(period)) = (value("connection"), value("billing_period"))
            else {
                return Err(Error::data(format!(
                    "{}: the file {} has no connection or billing period",
                    self.store.display(self.name),
                    add.path
                )));
            };
            let tag = add
                .tags
                .as_ref()
                .and_then(|tags| tags.get(TAG).cloned().flatten());
            files.push(Published {
                connection,
                period: period.parse()?,
                record: tag.and_then(|tag| serde_json::from_str(&tag).ok()),
                file: DataFile {
                    rows: view.num_records().unwrap_or_default() as u64,
                    size: add.size.unsigned_abs(),
                    span: add.stats.and_then(|stats| stats::span(self.name, &stats)),
                    path: add.path,
                },
            });
        }
        files.sort_by(|a, b| {
            (&a.connection, a.period, &a.file.path).cmp(&(&b.connection, b.period, &b.file.path))
        });
        Ok(files)
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
        let present = self.columns()?;
        let missing = columns
            .fields()
            .iter()
            .filter(|field| present.field_with_name(field.name()).is_err())
            .map(|field| delta_field(field))
            .collect::<Result<Vec<_>>>()?;
        if missing.is_empty() {
            return Ok(());
        }
        self.delta
            .clone()
            .add_columns()
            .with_fields(missing)
            .await
            .map_err(|e| self.failed("add columns to", e))?;
        self.delta.load().await.map_err(|e| self.failed("read", e))
    }

    /// Replaces a month by `files` in one commit; `record.version` is set to the commit's version,
    /// which is returned.
    ///
    /// # Errors
    /// Class locked when another run replaced the same month since this table was opened; a bug
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
        for _ in 0..COMMIT_ATTEMPTS {
            record.version = self.version() + 1;
            match self.try_replace(connection, period, files, record).await {
                Ok(()) => return Ok(record.version),
                Err(e) if lost_race(&e) => {}
                Err(e) => return Err(self.failed("commit to", e)),
            }
            self.delta
                .load()
                .await
                .map_err(|e| self.failed("read", e))?;
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

    async fn try_replace(
        &mut self,
        connection: &str,
        period: BillingPeriod,
        files: &[DataFile],
        record: &PeriodRecord,
    ) -> std::result::Result<(), DeltaTableError> {
        let month = period.to_string();
        let tag = serde_json::to_string(record)?;
        let values: HashMap<String, Option<String>> =
            [("connection", connection), ("billing_period", &month)]
                .map(|(key, value)| (key.to_string(), Some(value.to_string())))
                .into();
        let mut actions: Vec<Action> = files
            .iter()
            .map(|file| {
                Action::Add(Add {
                    path: file.path.clone(),
                    partition_values: values.clone(),
                    size: file.size as i64,
                    modification_time: Utc::now().timestamp_millis(),
                    data_change: true,
                    stats: Some(stats::of(self.name, file)),
                    tags: Some([(TAG.to_string(), Some(tag.clone()))].into()),
                    ..Default::default()
                })
            })
            .collect();
        let old: Vec<_> = self
            .delta
            .get_active_add_actions_by_predicate(None)
            .try_collect()
            .await?;
        actions.extend(
            old.iter()
                .filter(|file| file.partition_values_map() == values)
                .map(|file| Action::Remove(file.remove_action(true))),
        );
        let metadata = match serde_json::to_value(record)? {
            serde_json::Value::Object(fields) => fields,
            _ => Default::default(),
        };
        let metadata = metadata
            .into_iter()
            .map(|(key, value)| (format!("{TAG}.{key}"), value));
        let properties = CommitProperties::default()
            .with_metadata(metadata)
            .with_max_retries(0);
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: Some(PARTITIONS.map(str::to_string).to_vec()),
            predicate: Some(format!(
                "connection = '{connection}' AND billing_period = '{month}'"
            )),
        };
        let snapshot = self.delta.snapshot()?.clone();
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.delta.log_store(), operation)
            .await?;
        self.delta.load().await
    }

    fn failed(&self, verb: &str, error: DeltaTableError) -> Error {
        delta_failed(&self.store, self.name, verb, error)
    }
}

fn lost_race(error: &DeltaTableError) -> bool {
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

fn delta_failed(store: &Store, name: &str, verb: &str, error: DeltaTableError) -> Error {
    match error {
        DeltaTableError::ObjectStore { source } => store.failed(verb, name, source),
        error => Error::data(format!(
            "cannot {verb} the table {}: {error}",
            store.display(name)
        )),
    }
}

fn delta_field(field: &arrow::datatypes::Field) -> Result<StructField> {
    let name = field.name();
    let data_type = match field.data_type() {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => DeltaType::STRING,
        DataType::Int32 => DeltaType::INTEGER,
        DataType::Date32 => DeltaType::DATE,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => DeltaType::TIMESTAMP,
        DataType::Decimal128(precision, scale) => {
            DeltaType::decimal(*precision, scale.unsigned_abs())
                .map_err(|e| Error::bug(format!("column `{name}`: {e}")))?
        }
        other => return Err(Error::bug(format!("column `{name}` has the type {other}"))),
    };
    // Nullable throughout: a NOT NULL partition column with an empty value bricks the table.
    Ok(StructField::new(name.clone(), data_type, true))
}
