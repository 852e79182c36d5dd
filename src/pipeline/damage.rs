//! Damage of published months: lost, cut or changed files, which make them unreadable or wrong.
//!
//! Selections and `status` ask for existence, size and footer only. Whoever reads a month whole compares the content of
//! its files, and records what differs, so that the month is due and `status` names it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::publish::{PublishedMonth, Tables};
use crate::store::connection_state::{self, DamageState};
use crate::store::damage::{self, DamagedFile, repair_hint};
use crate::store::tables::{PeriodRecord, partition};
use crate::store::writer::DataFile;
use crate::store::{Store, TableName, tables};

/// Months that are checked concurrently.
const MONTHS_AT_ONCE: usize = 4;

/// Damaged files of a published month.
#[derive(Debug, Default)]
pub(crate) struct MonthDamage {
    pub(crate) costs: Vec<DamagedFile>,
    pub(crate) line_items: Vec<DamagedFile>,
}

impl MonthDamage {
    /// Finds the damaged files of a month by existence, size, footer and what `known` has.
    async fn find(store: &Store, month: &PublishedMonth, known: &DamageState) -> Result<Self> {
        let find = async |table, files: &[DataFile]| {
            let mut found = damage::find(store, table, files).await?;
            found.extend(damage::find_known(store, table, files, &known.files));
            Ok::<_, Error>(found)
        };
        Ok(MonthDamage {
            costs: find(TableName::Costs, &month.costs).await?,
            line_items: find(TableName::LineItems, &month.line_items).await?,
        })
    }

    /// Finds the damaged files of a month by their content, and records them.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn find_by_content(
        context: &RunContext,
        period: BillingPeriod,
        month: &PublishedMonth,
    ) -> Result<MonthDamage> {
        Ok(MonthDamage {
            costs: by_content(context, TableName::Costs, period, &month.costs).await?,
            line_items: by_content(context, TableName::LineItems, period, &month.line_items)
                .await?,
        })
    }

    /// First damaged file.
    pub(crate) fn first(&self) -> Option<&DamagedFile> {
        self.costs.first().or(self.line_items.first())
    }

    /// Files of the published costs that are readable.
    pub(crate) fn readable_costs(&self, published: &PublishedMonth) -> Vec<DataFile> {
        let files = published.costs.iter();
        let is_readable =
            |file: &&DataFile| self.costs.iter().all(|damaged| damaged.path != file.path);
        files.filter(is_readable).cloned().collect()
    }
}

/// Finds the damaged files of a month in one table by their content, and records those that no listing shows.
///
/// # Errors
/// Those of the store.
pub(crate) async fn by_content(
    context: &RunContext,
    table: TableName,
    period: BillingPeriod,
    files: &[DataFile],
) -> Result<Vec<DamagedFile>> {
    let found = damage::find_by_content(&context.store, table, files).await?;
    if let Err(error) = remember(context, table, period, &found).await {
        tracing::warn!(%error, "Could not record damaged files");
    }
    Ok(found)
}

/// Records the files of a month in one table that have other content, in place of earlier ones.
async fn remember(
    context: &RunContext,
    table: TableName,
    period: BillingPeriod,
    found: &[DamagedFile],
) -> Result<()> {
    let known = connection_state::damage(&context.store, &context.connection).await?;
    let folder = format!("{table}/{}/", partition(&context.connection, period));
    let mut new = known.clone();
    new.files.retain(|name| !name.starts_with(&folder));
    let changed = found.iter().filter(|file| file.has_other_content());
    let names = changed.map(|file| format!("{table}/{}", file.path));
    new.files.extend(names);
    if new == known {
        return Ok(());
    }
    connection_state::save_damage(&context.fence()?, &new).await
}

/// Refuses a month with damaged files.
///
/// # Errors
/// Kind data, naming the first file.
pub(crate) fn refuse(period: BillingPeriod, damaged: &[DamagedFile]) -> Result<()> {
    let Some(first) = damaged.first() else {
        return Ok(());
    };
    let others = match damaged.len() - 1 {
        0 => String::new(),
        others => format!(", and {others} more are damaged"),
    };
    Err(
        Error::data(format!("{period} cannot be read: {first}{others}"))
            .with_hint(repair_hint(period)),
    )
}

/// Returns the months among `periods` that have damaged files, with a warning for each.
///
/// # Errors
/// Those of the store.
pub(crate) async fn damaged_months(
    context: &RunContext,
    tables: &Tables,
    periods: &[BillingPeriod],
) -> Result<Vec<BillingPeriod>> {
    let known = &connection_state::damage(&context.store, &context.connection).await?;
    let checks = periods.iter().map(|period| async move {
        let month = tables.month(context, *period).await?;
        let damage = MonthDamage::find(&context.store, &month, known).await?;
        Ok::<_, Error>(damage.first().map(|file| {
            tracing::warn!(%period, %file, "Published file is damaged");
            *period
        }))
    });
    let checked: Vec<_> = stream::iter(checks)
        .buffered(MONTHS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(checked.into_iter().flatten().collect())
}

/// Months of all connections with files that were found with other content, as far as they were looked at.
///
/// # Errors
/// Those of the store.
pub(crate) async fn known_months(
    store: &Store,
) -> Result<BTreeMap<String, BTreeSet<BillingPeriod>>> {
    let mut months: BTreeMap<String, BTreeSet<BillingPeriod>> = BTreeMap::new();
    for connection in connection_state::with_damage(store).await? {
        let known = connection_state::damage(store, &connection).await?;
        let periods = known.files.iter().filter_map(|file| damage::month_of(file));
        let periods: BTreeSet<BillingPeriod> = periods.collect();
        if !periods.is_empty() {
            months.insert(connection, periods);
        }
    }
    Ok(months)
}

/// Published months of a connection, as the logs and the listed folders of the tables show them. No file is read.
#[derive(Debug, Default)]
pub(crate) struct ListedMonths {
    /// Records of the costs.
    pub(crate) costs: BTreeMap<BillingPeriod, PeriodRecord>,
    /// Records of the line items.
    pub(crate) line_items: BTreeMap<BillingPeriod, PeriodRecord>,
    /// Damaged months, with their first damaged file.
    pub(crate) damaged: BTreeMap<BillingPeriod, DamagedFile>,
}

/// Lists the published months of a connection.
///
/// # Errors
/// Those of the store.
pub(crate) async fn listed_months(store: &Store, connection: &str) -> Result<ListedMonths> {
    let known = connection_state::damage(store, connection).await?;
    let mut months = ListedMonths::default();
    for name in [TableName::Costs, TableName::LineItems] {
        let Some(table) = tables::Table::open(store, name).await? else {
            continue;
        };
        let mut published = table.files().await?;
        published.retain(|file| file.connection == connection);
        let files: Vec<DataFile> = published.iter().map(|file| file.file.clone()).collect();
        let folder = format!("connection={connection}");
        let mut found = damage::find_by_listing(store, name, &folder, &files).await?;
        found.extend(damage::find_known(store, name, &files, &known.files));
        for damaged in found {
            let of_file = published.iter().find(|file| file.file.path == damaged.path);
            if let Some(file) = of_file {
                months.damaged.entry(file.period).or_insert(damaged);
            }
        }
        let records = published
            .into_iter()
            .filter_map(|file| Some((file.period, file.record?)));
        match name {
            TableName::LineItems => months.line_items.extend(records),
            _ => months.costs.extend(records),
        }
    }
    Ok(months)
}
