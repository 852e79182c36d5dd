//! Restore: makes an earlier version of a month current, in one new commit per table.
//!
//! Published files are never deleted, so the commit references them again and no row is written. `costs` are
//! restored with the line items that were mapped from them.

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::publish::Tables;
use crate::store::runs::{self, MonthState};
use crate::store::tables::{Commit, PeriodRecord, Table};
use crate::store::writer::DataFile;
use crate::store::{Store, TableName, damage};

/// Result of a restore.
#[derive(Debug)]
pub(crate) struct Restored {
    /// New version of `line_items`; `None` if the month was current already.
    pub(crate) version: Option<u64>,
    /// True if the month was current already, but not its state: an earlier attempt was stopped in between.
    pub(crate) has_completed_state: bool,
    /// Record of the restored month.
    pub(crate) record: PeriodRecord,
}

/// A month at an earlier version of a table.
struct EarlierMonth {
    files: Vec<DataFile>,
    record: PeriodRecord,
}

/// Restores the month from a version of `line_items`.
///
/// # Errors
/// Kind usage, for a version without the month; kind data, if files are missing; kind locked, if another run
/// published the month in the meantime.
pub(crate) async fn restore(
    context: &RunContext,
    period: BillingPeriod,
    version: u64,
) -> Result<Restored> {
    let mut tables = Tables::open(context).await?;
    let line_items = earlier(context, TableName::LineItems, period, version).await?;
    let costs = costs_of(context, &tables, period, &line_items.record).await?;
    for (table, earlier) in [
        (TableName::Costs, &costs),
        (TableName::LineItems, &line_items),
    ] {
        check_files(&context.store, table, &earlier.files).await?;
    }
    let current = tables.month(context, period).await?;
    let restored_from = StateBefore::read(context, &tables, period, current.costs_record).await?;
    if current.line_items == line_items.files && current.costs == costs.files {
        return Ok(Restored {
            version: None,
            has_completed_state: restored_from
                .complete(context, period, &costs.record)
                .await?,
            record: line_items.record,
        });
    }
    // Costs first, as in a publish: after a crash in between the next import detects that the line items are
    // behind.
    if current.costs != costs.files {
        replace(context, &mut tables.costs, period, costs).await?;
    }
    let record = replace(context, &mut tables.line_items, period, line_items).await?;
    restored_from.complete(context, period, &record).await?;
    Ok(Restored {
        version: Some(record.version),
        has_completed_state: false,
        record,
    })
}

/// State of the month before it is restored, if it describes costs that were published.
struct StateBefore(Option<MonthState>);

impl StateBefore {
    /// Reads the state. It describes the current costs, or earlier ones if an attempt to restore the month was stopped
    /// after its commit. A table that went back to an older version, as after a power cut, has no such earlier costs.
    async fn read(
        context: &RunContext,
        tables: &Tables,
        period: BillingPeriod,
        current: Option<PeriodRecord>,
    ) -> Result<StateBefore> {
        let state = runs::month_state(&context.store, &context.connection, period).await?;
        let Some(digest) = &state.costs else {
            return Ok(StateBefore(None));
        };
        let describes = current.is_some_and(|record| record.digest == *digest)
            || commit_of(context, tables, period, digest).await?.is_some();
        Ok(StateBefore(describes.then_some(state)))
    }

    /// Lets the state describe the restored costs, so that a settled month stays as it was restored. Returns false if it
    /// does already, or describes others.
    async fn complete(
        self,
        context: &RunContext,
        period: BillingPeriod,
        restored: &PeriodRecord,
    ) -> Result<bool> {
        let Some(mut state) = self.0 else {
            return Ok(false);
        };
        let digest = Some(restored.digest.clone());
        if state.costs == digest {
            return Ok(false);
        }
        state.costs = digest;
        runs::save_month_state(&context.fence()?, period, &state).await?;
        Ok(true)
    }
}

async fn earlier(
    context: &RunContext,
    name: TableName,
    period: BillingPeriod,
    version: u64,
) -> Result<EarlierMonth> {
    let table = Table::open_at(&context.store, name, version).await?;
    let month = match table {
        Some(table) => table.month(&context.connection, period).await?,
        None => (Vec::new(), None),
    };
    match month {
        (files, Some(record)) if !files.is_empty() => Ok(EarlierMonth { files, record }),
        _ => Err(Error::usage(format!(
            "version {version} of {name} does not contain {period} of `{}`",
            context.connection
        ))
        .with_hint("list the versions with `billstream query \"select * from versions\"`")),
    }
}

/// Finds the costs of line items: the newest version with their digest.
async fn costs_of(
    context: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    line_items: &PeriodRecord,
) -> Result<EarlierMonth> {
    match commit_of(context, tables, period, &line_items.digest).await? {
        Some(commit) => earlier(context, TableName::Costs, period, commit.record.version).await,
        None => Err(Error::data(format!(
            "the costs of version {} of {period} are not in the history",
            line_items.version
        ))),
    }
}

/// Newest commit of the month's costs with a digest.
async fn commit_of(
    context: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    digest: &str,
) -> Result<Option<Commit>> {
    let commits = match &tables.costs {
        Some(costs) => costs.history().await?,
        None => Vec::new(),
    };
    Ok(commits.into_iter().find(|commit| {
        commit.connection == context.connection
            && commit.period == period
            && commit.record.digest == digest
    }))
}

/// Refuses files that are missing or have other bytes than were written.
async fn check_files(store: &Store, table: TableName, files: &[DataFile]) -> Result<()> {
    let damaged = damage::find_by_content(store, table, files).await?;
    damaged.first().map_or(Ok(()), |file| {
        Err(
            Error::data(format!("could not restore the version: {file}")).with_hint(
                "nothing was restored; another tool may have vacuumed or changed the table: choose another version, or get the \
                 file back from a backup",
            ),
        )
    })
}

async fn replace(
    context: &RunContext,
    table: &mut Option<Table>,
    period: BillingPeriod,
    earlier: EarlierMonth,
) -> Result<PeriodRecord> {
    let table = table
        .as_mut()
        .ok_or_else(|| Error::bug("a table with a history is missing"))?;
    let mut record = earlier.record;
    record.run = context.run.to_string();
    table
        .replace(&context.fence()?, period, &earlier.files, &mut record)
        .await?;
    Ok(record)
}
