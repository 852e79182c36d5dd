//! Delta tables whose Parquet files this crate writes itself, and the one commit that replaces a partition.
//!
//! A commit names the added and the removed files, and is a compare-and-swap on the table's version: its log
//! entry is created only if no entry of that version exists. delta-rs can also rebase a commit onto a newer
//! version, after a conflict check that is incomplete without its `datafusion` feature. No commit here allows
//! that (`max_retries` is 0): a writer that read an older version is refused, and its caller reads again.
//!
//! The record of a published partition is a tag of its files, so that reading the log is enough to find it.

mod commit;
mod log_damage;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::transaction::TransactionError;
use deltalake::kernel::{CommitInfo, DataType as DeltaType, StructField};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::prefix::PrefixStore;
use tokio::sync::OnceCell;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::store::lease::Fence;
use crate::store::writer::DataFile;
use crate::store::{Operation, Store, TableName, stats};
use commit::{is_conflict, never_rebased};

pub(crate) use commit::{COMMIT_ATTEMPTS, CommitError, contended};

/// Key of the file tag, and prefix of this crate's keys in a commit.
pub(crate) const TAG: &str = "billstream";
/// Key of the file tag with the hash of its bytes.
const HASH_TAG: &str = "billstream.xxh3";

/// Key of the number of files that a commit adds and removes.
pub(super) const ACTIONS: &str = "billstream.actions";

/// Current file of a table.
#[derive(Debug, Clone)]
pub(crate) struct CurrentFile {
    /// Values of the partition columns, in their order.
    pub(crate) partition: Vec<String>,
    pub(crate) file: DataFile,
    /// Tag from the file's commit; `None` for files of other tools.
    pub(crate) tag: Option<String>,
}

/// Delta table at the version that was read.
#[derive(Clone)]
pub(crate) struct Delta {
    store: Store,
    name: TableName,
    table: DeltaTable,
    /// Current files of the version that was read, once asked for: a run looks at them for each month.
    files: Arc<OnceCell<Vec<CurrentFile>>>,
    /// Paths of all files that a commit names, once asked for.
    committed: Arc<OnceCell<BTreeSet<String>>>,
}

impl Delta {
    /// Opens the newest version of a table; `None` if the table does not exist.
    ///
    /// # Errors
    /// Kind data, for a log that cannot be read or is lost; those of the store.
    pub(crate) async fn open(store: &Store, name: TableName) -> Result<Option<Delta>> {
        if !log_damage::has_log(store, name).await? {
            log_damage::refuse_lost_log(store, name).await?;
            return Ok(None);
        }
        let mut table = DeltaTable::new(log_store(store, name)?);
        if let Err(e) = table.load().await {
            return Err(read_error(store, name, e).await);
        }
        Ok(Some(Delta {
            store: store.clone(),
            name,
            table,
            files: Arc::default(),
            committed: Arc::default(),
        }))
    }

    /// Opens the newest version of a table; creates it with `columns`, which exclude the partition columns, if it
    /// does not exist.
    ///
    /// Two runs may both create: the first log entry wins, and both load it. So the first replacement of a
    /// partition is refused to one of them.
    pub(crate) async fn open_or_create(
        fence: &Fence,
        name: TableName,
        columns: &SchemaRef,
    ) -> Result<Delta> {
        let store = fence.store();
        if let Some(delta) = Delta::open(store, name).await? {
            return Ok(delta);
        }
        let properties = [
            (
                "delta.dataSkippingStatsColumns",
                schema::columns_with_stats(columns),
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
        let partition_columns = name.partition_columns().iter();
        let partitions = partition_columns
            .clone()
            .map(|column| StructField::new(*column, DeltaType::STRING, true));
        let fields = columns.fields().iter();
        let fields: Vec<_> = fields
            .map(|field| schema::delta_field(field))
            .collect::<Result<_>>()?;
        fence.confirm().await?;
        let created = CreateBuilder::new()
            .with_log_store(log_store(store, name)?)
            .with_table_name(name.as_str())
            .with_columns(fields)
            .with_columns(partitions)
            .with_partition_columns(partition_columns.copied())
            .with_configuration(properties.map(|(key, value)| (key, Some(value))))
            .with_save_mode(SaveMode::Ignore)
            .with_commit_properties(never_rebased())
            .await;
        match (Delta::open(store, name).await, created) {
            // Another writer's table, or this one's, whose reply was lost.
            (Ok(Some(delta)), _) => Ok(delta),
            (_, Err(e)) if !is_conflict(&e) => Err(table_error(store, name, Operation::Write, e)),
            (opened, _) => opened?.ok_or_else(|| {
                Error::remote(format!(
                    "could not find the table `{}` after creating it",
                    store.display(name.as_str())
                ))
            }),
        }
    }

    /// Opens a version of a table; `None` if the table does not exist.
    ///
    /// # Errors
    /// Kind usage, for a version newer than the newest.
    pub(crate) async fn open_at(
        store: &Store,
        name: TableName,
        version: u64,
    ) -> Result<Option<Delta>> {
        let Some(mut delta) = Delta::open(store, name).await? else {
            return Ok(None);
        };
        let newest = delta.version();
        if version > newest {
            return Err(Error::usage(format!(
                "`{}` has no version {version}",
                store.display(name.as_str())
            ))
            .with_hint(format!(
                "choose a version from 0 to {newest}; `select * from versions` lists them"
            )));
        }
        if version < newest {
            if let Err(e) = delta.table.load_version(version).await {
                return Err(read_error(store, name, e).await);
            }
            delta.forget();
        }
        Ok(Some(delta))
    }

    /// Metadata of all commits, newest first.
    pub(crate) async fn history(&self) -> Result<Vec<CommitInfo>> {
        match self.table.history(None).try_collect().await {
            Ok(infos) => Ok(infos),
            Err(e) => Err(read_error(&self.store, self.name, e).await),
        }
    }

    /// Version that was read.
    pub(crate) fn version(&self) -> u64 {
        self.table.version().unwrap_or_default()
    }

    /// Reads the newest version.
    pub(crate) async fn load(&mut self) -> Result<()> {
        let before = self.table.version();
        let loaded = self.table.load().await;
        if self.table.version() != before {
            self.forget();
        }
        match loaded {
            Ok(()) => Ok(()),
            Err(e) => Err(read_error(&self.store, self.name, e).await),
        }
    }

    /// Forgets what was read of a version.
    fn forget(&mut self) {
        self.files = Arc::default();
        self.committed = Arc::default();
    }

    /// Columns without the partition columns.
    pub(crate) fn columns(&self) -> Result<SchemaRef> {
        let snapshot = self
            .table
            .snapshot()
            .map_err(|e| self.error(Operation::Read, e))?;
        let schema = snapshot.snapshot().arrow_schema();
        let partition_columns = self.name.partition_columns();
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .filter(|field| !partition_columns.contains(&field.name().as_str()))
            .cloned()
            .collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Current files, sorted by partition and path.
    pub(crate) async fn files(&self) -> Result<&[CurrentFile]> {
        let files = self.files.get_or_try_init(|| self.read_files()).await?;
        Ok(files)
    }

    /// Paths of all files that a commit up to this version names, current or replaced.
    pub(crate) async fn committed_paths(&self) -> Result<&BTreeSet<String>> {
        let read = || self.read_committed_paths();
        self.committed.get_or_try_init(read).await
    }

    async fn read_committed_paths(&self) -> Result<BTreeSet<String>> {
        let failed = |e| self.error(Operation::Read, e);
        let current = self.files().await?.iter();
        let mut paths: BTreeSet<String> =
            current.map(|current| current.file.path.clone()).collect();
        let snapshot = self.table.snapshot().map_err(failed)?;
        let log_store = self.table.log_store();
        let mut replaced = snapshot.all_tombstones(log_store.as_ref());
        while let Some(file) = replaced.try_next().await.map_err(failed)? {
            paths.insert(file.path().into_owned());
        }
        Ok(paths)
    }

    async fn read_files(&self) -> Result<Vec<CurrentFile>> {
        let partition_columns = self.name.partition_columns();
        let views = self.table.get_active_add_actions_by_predicate(None);
        let views: Vec<_> = match views.try_collect().await {
            Ok(views) => views,
            Err(e) => return Err(read_error(&self.store, self.name, e).await),
        };
        let mut files = Vec::with_capacity(views.len());
        for view in views {
            #[expect(deprecated, reason = "the only public way to a file's tags")]
            let add = view.add_action();
            let value = |key: &&str| add.partition_values.get(*key).cloned().flatten();
            let Some(partition) = partition_columns.iter().map(value).collect() else {
                return Err(Error::data(format!(
                    "could not read the table `{}`: the file {} has no value of {}",
                    self.store.display(self.name.as_str()),
                    add.path,
                    partition_columns.join(" or ")
                )));
            };
            let tag = |key| add.tags.as_ref()?.get(key).cloned().flatten();
            files.push(CurrentFile {
                partition,
                tag: tag(TAG),
                file: DataFile {
                    hash: tag(HASH_TAG).and_then(|hash| hash.parse().ok()),
                    rows: view.num_records().unwrap_or_default() as u64,
                    size: add.size.unsigned_abs(),
                    start_range: add
                        .stats
                        .and_then(|stats| stats::start_range(self.name, &stats)),
                    path: add.path,
                },
            });
        }
        files.sort_by(|a, b| (&a.partition, &a.file.path).cmp(&(&b.partition, &b.file.path)));
        Ok(files)
    }

    fn error(&self, operation: Operation, error: DeltaTableError) -> Error {
        table_error(&self.store, self.name, operation, error)
    }
}

/// Log store of a table. For delta-rs the store's URL ends with the host, and paths start at the store: it derives paths
/// from URLs and back by rules that differ, so that a folder named `per%20cent` would become two.
fn log_store(store: &Store, name: TableName) -> Result<LogStoreRef> {
    let url = Url::parse(&format!("{}/{name}/", store.engine_root()))
        .map_err(|e| Error::bug(format!("URL of {name}: {e}")))?;
    let root = PrefixStore::new(store.root(), store.path(""));
    let table = PrefixStore::new(store.root(), store.path(name.as_str()));
    let config = StorageConfig::default();
    Ok(default_logstore(
        Arc::new(table),
        Arc::new(root),
        &url,
        &config,
    ))
}

fn table_error(
    store: &Store,
    name: TableName,
    operation: Operation,
    error: DeltaTableError,
) -> Error {
    match error {
        DeltaTableError::ObjectStore { source }
        | DeltaTableError::Transaction {
            source: TransactionError::ObjectStore { source },
        } => store.error(operation, name.as_str(), &source),
        error => {
            // delta-rs appends a backtrace, line by line.
            let text = error.to_string();
            let cause = text.lines().next().unwrap_or_default();
            let place = store.display(name.as_str());
            Error::data(format!(
                "could not {operation} the table `{place}`: {cause}"
            ))
        }
    }
}

/// Error of a table that could not be read, with the damaged file of its log.
async fn read_error(store: &Store, name: TableName, error: DeltaTableError) -> Error {
    let error = table_error(store, name, Operation::Read, error);
    match error.kind() {
        ErrorKind::Data => log_damage::explain(store, name, error).await,
        _ => error,
    }
}
