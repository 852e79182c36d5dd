//! The published tables as engine tables, at the current or an earlier version.

use crate::billing_period::BillingPeriod;
use crate::engine::files::FilesTable;
use crate::error::{Error, Result};
use crate::store::tables::Table;
use crate::store::writer::DataFile;
use crate::store::{Store, TableName, damage};

/// Names of the published tables.
pub(crate) const PUBLISHED: [TableName; 2] = [TableName::Costs, TableName::LineItems];

/// A published table at its current version, or `None` if it does not exist yet.
pub(crate) async fn current(store: &Store, name: TableName) -> Result<Option<FilesTable>> {
    match Table::open(store, name).await? {
        Some(table) => files_table(store, name, &table, |_| true).await.map(Some),
        None => Ok(None),
    }
}

/// One month of a published table at a version.
///
/// # Errors
/// Kind usage, for a version that does not exist or has no data for the month.
pub(crate) async fn at_version(
    store: &Store,
    name: TableName,
    period: BillingPeriod,
    version: u64,
) -> Result<FilesTable> {
    let Some(table) = Table::open_at(store, name, version).await? else {
        return Err(nothing_imported(store));
    };
    let files = table.files().await?;
    if !files.iter().any(|file| file.period == period) {
        return Err(Error::usage(format!(
            "version {version} of {name} has no data for {period}"
        ))
        .with_hint("run `select * from versions` to list the months of each version"));
    }
    let of_month = files.iter().filter(|file| file.period == period);
    let of_month: Vec<DataFile> = of_month.map(|file| file.file.clone()).collect();
    refuse_lost_files(store, name, version, &of_month).await?;
    files_table(store, name, &table, |month| month == period).await
}

/// Refuses a version whose files another tool deleted.
async fn refuse_lost_files(
    store: &Store,
    name: TableName,
    version: u64,
    files: &[DataFile],
) -> Result<()> {
    let damaged = damage::find(store, name, files).await?;
    let Some(first) = damaged.first() else {
        return Ok(());
    };
    Err(Error::data(format!(
        "{} of {} files of version {version} of {name} no longer exist as they were published: {first}",
        damaged.len(),
        files.len()
    ))
    .with_hint(
        "another tool probably vacuumed the table; billstream itself keeps the files of every version, so choose a newer \
         version or restore the files from a backup",
    ))
}

async fn files_table(
    store: &Store,
    name: TableName,
    table: &Table,
    is_included: impl Fn(BillingPeriod) -> bool,
) -> Result<FilesTable> {
    let files = table.files().await?;
    let files = files
        .into_iter()
        .filter(|file| is_included(file.period))
        .map(|file| (file.connection, file.period, file.file));
    FilesTable::new(store, name, &table.columns()?, files)
}

/// Error for a published table that does not exist, although the other one may.
pub(crate) async fn missing_table(store: &Store, name: TableName) -> Error {
    for other in PUBLISHED.into_iter().filter(|other| *other != name) {
        if let Ok(Some(_)) = Table::open(store, other).await {
            let location = store.display("");
            return Error::data(format!("no {name} in {location} yet, only {other}"))
                .with_hint("run `billstream import` or `billstream transform`");
        }
    }
    nothing_imported(store)
}

/// Error for a store without published tables.
pub(crate) fn nothing_imported(store: &Store) -> Error {
    Error::config(format!("nothing is imported in {} yet", store.display("")))
        .with_hint("run `billstream import --demo`, or select another store with --store")
}
