//! The published tables as the engine reads them, now or at an earlier version.

use crate::billing_period::BillingPeriod;
use crate::engine::files::FilesTable;
use crate::error::{Error, Result};
use crate::store::tables::Table;
use crate::store::{Store, TableName};

/// The names of the published tables.
pub const PUBLISHED: [TableName; 2] = [TableName::Costs, TableName::LineItems];

/// A published table as it is now, or `None` when nothing was imported yet.
pub async fn current(store: &Store, name: TableName) -> Result<Option<FilesTable>> {
    match Table::open(store, name).await? {
        Some(table) => files_of(store, name, &table, |_| true).await.map(Some),
        None => Ok(None),
    }
}

/// A month of a published table at a version.
///
/// # Errors
/// Kind usage, for a version that there never was, or that does not hold the month.
pub async fn at(
    store: &Store,
    name: TableName,
    period: BillingPeriod,
    version: u64,
) -> Result<FilesTable> {
    let Some(table) = Table::open_at(store, name, version).await? else {
        return Err(nothing_imported(store));
    };
    let months = table.files().await?;
    if !months.iter().any(|file| file.period == period) {
        return Err(Error::usage(format!(
            "version {version} of {name} holds nothing of {period}"
        ))
        .with_hint("`select * from versions` says what each version published"));
    }
    files_of(store, name, &table, |month| month == period).await
}

async fn files_of(
    store: &Store,
    name: TableName,
    table: &Table,
    wanted: impl Fn(BillingPeriod) -> bool,
) -> Result<FilesTable> {
    let files = table.files().await?;
    let files = files
        .into_iter()
        .filter(|file| wanted(file.period))
        .map(|file| (file.connection, file.period, file.file));
    FilesTable::new(store, name, &table.columns()?, files)
}

/// What to say when a published table is not there, but perhaps the other one.
pub async fn not_there(store: &Store, name: TableName) -> Error {
    for other in PUBLISHED.into_iter().filter(|other| *other != name) {
        if let Ok(Some(_)) = Table::open(store, other).await {
            let place = store.display("");
            return Error::data(format!("there are no {name} in {place} yet, only {other}"))
                .with_hint("run `billstream import`, or `billstream transform`");
        }
    }
    nothing_imported(store)
}

/// What to say when there is no table.
pub fn nothing_imported(store: &Store) -> Error {
    Error::config(format!("nothing is imported in {} yet", store.display("")))
        .with_hint("run `billstream import --demo`, or name another --store")
}
