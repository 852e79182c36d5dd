//! A Delta table whose Parquet files this crate writes itself, and the one commit that replaces a partition.
//!
//! A commit names the files that come and the files that go, and is a compare-and-swap on the table's version.
//! What belongs to a partition travels as a tag of its files, so that it is read with the log.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use chrono::Utc;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, CommitInfo, DataType as DeltaType, StructField};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::prefix::PrefixStore;

use crate::error::{Error, Result};
use crate::store::writer::DataFile;
use crate::store::{Store, stats};

/// The key of the file tag, and the prefix of the commit's own keys.
pub const TAG: &str = "billstream";

/// What a table is called and partitioned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Its folder in the store.
    pub name: &'static str,
    /// Names of its partition columns, which are texts.
    pub partitions: &'static [&'static str],
}

/// A current file with the partition that it belongs to.
pub struct Current {
    /// Values of the partition columns, in their order.
    pub partition: Vec<String>,
    /// The file.
    pub file: DataFile,
    /// The tag that its commit gave it.
    pub tag: Option<String>,
}

/// A table as it was read.
#[derive(Clone)]
pub struct Delta {
    store: Store,
    layout: Layout,
    table: DeltaTable,
}

impl Delta {
    /// Opens a table as it is now, or `None` when it was never created.
    pub async fn open(store: &Store, layout: Layout) -> Result<Option<Delta>> {
        let name = layout.name;
        if !store.has_any(&format!("{name}/_delta_log")).await? {
            return Ok(None);
        }
        let mut table = DeltaTable::new(log_store(store, name)?);
        table
            .load()
            .await
            .map_err(|e| failed(store, name, "open", e))?;
        Ok(Some(Delta {
            store: store.clone(),
            layout,
            table,
        }))
    }

    /// Opens a table, creating it with `columns` (partition columns excluded) if it is not there.
    ///
    /// Two runs may both create: creating is idempotent and always followed by a load, so that the
    /// first replacement of a partition is refused to one of them.
    pub async fn open_or_create(
        store: &Store,
        layout: Layout,
        columns: &SchemaRef,
    ) -> Result<Delta> {
        let name = layout.name;
        if let Some(delta) = Delta::open(store, layout).await? {
            return Ok(delta);
        }
        let properties = [
            (
                "delta.dataSkippingStatsColumns",
                columns_with_stats(columns),
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
        let partitions = layout.partitions.iter();
        let partitions = partitions.map(|name| StructField::new(*name, DeltaType::STRING, true));
        let fields = columns.fields().iter();
        let fields: Vec<_> = fields.map(|f| delta_field(f)).collect::<Result<_>>()?;
        let created = CreateBuilder::new()
            .with_log_store(log_store(store, name)?)
            .with_table_name(name)
            .with_columns(fields)
            .with_columns(partitions)
            .with_partition_columns(layout.partitions.iter().copied())
            .with_configuration(properties.map(|(key, value)| (key, Some(value))))
            .with_save_mode(SaveMode::Ignore)
            .await;
        match created {
            Ok(_)
            | Err(DeltaTableError::VersionAlreadyExists(_) | DeltaTableError::Transaction { .. }) =>
                {}
            Err(e) => return Err(failed(store, name, "create", e)),
        }
        Delta::open(store, layout).await?.ok_or_else(|| {
            Error::remote(format!(
                "{} is not there after creating it",
                store.display(name)
            ))
        })
    }

    /// Opens a table as it was at a version, or `None` when it was never created.
    ///
    /// # Errors
    /// Kind usage, for a version that there never was.
    pub async fn open_at(store: &Store, layout: Layout, version: u64) -> Result<Option<Delta>> {
        let Some(mut delta) = Delta::open(store, layout).await? else {
            return Ok(None);
        };
        let newest = delta.version();
        if version > newest {
            return Err(Error::usage(format!(
                "{} has no version {version}",
                store.display(layout.name)
            ))
            .with_hint(format!(
                "versions go from 0 to {newest}; `select * from versions` says what they hold"
            )));
        }
        if version < newest {
            delta
                .table
                .load_version(version)
                .await
                .map_err(|e| delta.failed("read an earlier version of", e))?;
        }
        Ok(Some(delta))
    }

    /// What commits said, newest first.
    pub async fn history(&self) -> Result<Vec<CommitInfo>> {
        let infos = self.table.history(None).try_collect().await;
        infos.map_err(|e| self.failed("read the history of", e))
    }

    /// The version that was read.
    pub fn version(&self) -> u64 {
        self.table.version().unwrap_or_default()
    }

    /// Reads what others committed meanwhile.
    pub async fn load(&mut self) -> Result<()> {
        let loaded = self.table.load().await;
        loaded.map_err(|e| self.failed("read", e))
    }

    /// Columns of the table without the partition columns.
    pub fn columns(&self) -> Result<SchemaRef> {
        let snapshot = self.table.snapshot().map_err(|e| self.failed("read", e))?;
        let schema = snapshot.snapshot().arrow_schema();
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .filter(|field| !self.layout.partitions.contains(&field.name().as_str()))
            .cloned()
            .collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    /// All current files, by partition and name.
    pub async fn files(&self) -> Result<Vec<Current>> {
        let Layout { name, partitions } = self.layout;
        let views: Vec<_> = self
            .table
            .get_active_add_actions_by_predicate(None)
            .try_collect()
            .await
            .map_err(|e| self.failed("read", e))?;
        let mut files = Vec::with_capacity(views.len());
        for view in views {
            #[expect(deprecated, reason = "the only public way to a file's tags")]
            let add = view.add_action();
            let value = |key: &&str| add.partition_values.get(*key).cloned().flatten();
            let Some(partition) = partitions.iter().map(value).collect() else {
                return Err(Error::data(format!(
                    "{}: the file {} lacks one of {}",
                    self.store.display(name),
                    add.path,
                    partitions.join(", ")
                )));
            };
            let tags = add.tags.as_ref();
            files.push(Current {
                partition,
                tag: tags.and_then(|tags| tags.get(TAG).cloned().flatten()),
                file: DataFile {
                    rows: view.num_records().unwrap_or_default() as u64,
                    size: add.size.unsigned_abs(),
                    span: add.stats.and_then(|stats| stats::span(name, &stats)),
                    path: add.path,
                },
            });
        }
        files.sort_by(|a, b| (&a.partition, &a.file.path).cmp(&(&b.partition, &b.file.path)));
        Ok(files)
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
        self.table
            .clone()
            .add_columns()
            .with_fields(missing)
            .await
            .map_err(|e| self.failed("add columns to", e))?;
        self.load().await
    }

    /// Replaces a partition by `files` in one commit, if nobody committed since the table was read: `false`
    /// when somebody did. `record` is the files' tag, and its fields are the commit's own.
    pub async fn replace(
        &mut self,
        partition: &[&str],
        files: &[DataFile],
        record: &serde_json::Value,
    ) -> Result<bool> {
        match self.try_replace(partition, files, record).await {
            Ok(()) => Ok(true),
            Err(e) if lost_race(&e) => Ok(false),
            Err(e) => Err(self.failed("commit to", e)),
        }
    }

    async fn try_replace(
        &mut self,
        partition: &[&str],
        files: &[DataFile],
        record: &serde_json::Value,
    ) -> std::result::Result<(), DeltaTableError> {
        let Layout { name, partitions } = self.layout;
        let named = || partitions.iter().zip(partition);
        let values: HashMap<String, Option<String>> = named()
            .map(|(key, value)| (key.to_string(), Some(value.to_string())))
            .collect();
        let tag = record.to_string();
        let mut actions: Vec<Action> = files
            .iter()
            .map(|file| {
                Action::Add(Add {
                    path: file.path.clone(),
                    partition_values: values.clone(),
                    size: file.size as i64,
                    modification_time: Utc::now().timestamp_millis(),
                    data_change: true,
                    stats: Some(stats::of(name, file)),
                    tags: Some([(TAG.to_string(), Some(tag.clone()))].into()),
                    ..Default::default()
                })
            })
            .collect();
        let old: Vec<_> = self
            .table
            .get_active_add_actions_by_predicate(None)
            .try_collect()
            .await?;
        actions.extend(
            old.iter()
                .filter(|file| file.partition_values_map() == values)
                .map(|file| Action::Remove(file.remove_action(true))),
        );
        let own = record.as_object().into_iter().flatten();
        let metadata = own.map(|(key, value)| (format!("{TAG}.{key}"), value.clone()));
        let properties = CommitProperties::default()
            .with_metadata(metadata)
            .with_max_retries(0);
        let predicate: Vec<String> = named()
            .map(|(key, value)| format!("{key} = '{value}'"))
            .collect();
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: Some(partitions.iter().map(ToString::to_string).collect()),
            predicate: Some(predicate.join(" AND ")),
        };
        let snapshot = self.table.snapshot()?.clone();
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.table.log_store(), operation)
            .await?;
        self.table.load().await
    }

    fn failed(&self, verb: &str, error: DeltaTableError) -> Error {
        failed(&self.store, self.layout.name, verb, error)
    }
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

/// Dates and times: decimal statistics would be rounded floats, and readers that trust them lose rows.
fn columns_with_stats(columns: &SchemaRef) -> String {
    let in_time =
        |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    let fields = columns.fields().iter();
    let named = fields
        .filter(|field| in_time(field.data_type()))
        .map(|field| format!("`{}`", field.name()));
    named.collect::<Vec<_>>().join(",")
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

fn failed(store: &Store, name: &str, verb: &str, error: DeltaTableError) -> Error {
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
