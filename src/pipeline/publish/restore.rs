//! Restore: an earlier version of a month becomes the current one, in one new commit a table.
//!
//! The files of the earlier version are still there (nothing deletes published files), so the commit
//! names them again and no row is written. `costs` come back with the line items that were made from them.

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::publish::Tables;
use crate::store::tables::{PeriodRecord, Table};
use crate::store::writer::DataFile;
use crate::store::{Store, TableName};

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// The version of `line_items` that holds the month now; `None` when it was in force already.
    pub version: Option<u64>,
    /// What was restored.
    pub record: PeriodRecord,
}

/// A month at an earlier version of a table.
struct Earlier {
    files: Vec<DataFile>,
    record: PeriodRecord,
}

/// Brings back the month as `line_items` had it at a version.
///
/// # Errors
/// Kind usage, for a version without the month; class data, when files of it are gone; class locked,
/// when another run published the month meanwhile.
pub async fn restore(job: &RunContext, period: BillingPeriod, version: u64) -> Result<Restored> {
    let mut tables = Tables::open(job).await?;
    let line_items = earlier(job, TableName::LineItems, period, version).await?;
    let costs = costs_of(job, &tables, period, &line_items.record).await?;
    for (table, earlier) in [
        (TableName::Costs, &costs),
        (TableName::LineItems, &line_items),
    ] {
        still_there(&job.store, table, &earlier.files).await?;
    }
    let now = tables.month(job, period).await?;
    if now.line_items == line_items.files && now.costs == costs.files {
        return Ok(Restored {
            version: None,
            record: line_items.record,
        });
    }
    // As with a publish, costs come first: a run that dies in between leaves line items that the next
    // import sees to be behind.
    if now.costs != costs.files {
        replace(job, &mut tables.costs, period, costs).await?;
    }
    let record = replace(job, &mut tables.line_items, period, line_items).await?;
    Ok(Restored {
        version: Some(record.version),
        record,
    })
}

async fn earlier(
    job: &RunContext,
    name: TableName,
    period: BillingPeriod,
    version: u64,
) -> Result<Earlier> {
    let table = Table::open_at(&job.store, name, version).await?;
    let month = match table {
        Some(table) => table.month(&job.connection, period).await?,
        None => (Vec::new(), None),
    };
    match month {
        (files, Some(record)) if !files.is_empty() => Ok(Earlier { files, record }),
        _ => Err(Error::usage(format!(
            "version {version} of {name} holds nothing of {period} of `{}`",
            job.connection
        ))
        .with_hint(
            "`billstream query \"select * from versions\"` says what each version published",
        )),
    }
}

/// The costs that line items were made from: the newest version with their digest.
async fn costs_of(
    job: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    line_items: &PeriodRecord,
) -> Result<Earlier> {
    let commits = match &tables.costs {
        Some(costs) => costs.history().await?,
        None => Vec::new(),
    };
    let commit = commits.into_iter().find(|commit| {
        commit.connection == job.connection
            && commit.period == period
            && commit.record.digest == line_items.digest
    });
    match commit {
        Some(commit) => earlier(job, TableName::Costs, period, commit.record.version).await,
        None => Err(Error::data(format!(
            "the costs that version {} of {period} was made from are not in the history",
            line_items.version
        ))),
    }
}

async fn still_there(store: &Store, table: TableName, files: &[DataFile]) -> Result<()> {
    for file in files {
        let name = format!("{table}/{}", file.path);
        let found = store.head(&name).await?;
        if found.is_none_or(|meta| meta.size != file.size) {
            return Err(
                Error::data(format!("{} is gone or was changed", store.display(&name)))
                    .with_hint("nothing was restored; another tool may have vacuumed the table"),
            );
        }
    }
    Ok(())
}

async fn replace(
    job: &RunContext,
    table: &mut Option<Table>,
    period: BillingPeriod,
    earlier: Earlier,
) -> Result<PeriodRecord> {
    let table = table
        .as_mut()
        .ok_or_else(|| Error::bug("a table with a history is not there"))?;
    let mut record = earlier.record;
    record.run.clone_from(&job.run);
    table
        .replace(&job.connection, period, &earlier.files, &mut record)
        .await?;
    Ok(record)
}
