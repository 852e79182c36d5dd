//! Damage of published months: lost or cut files, which make them unreadable.

use futures::{StreamExt, TryStreamExt, stream};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::publish::{PublishedMonth, Tables};
use crate::store::damage::{self, DamagedFile};
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
    /// Finds the damaged files of a month.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn find(store: &Store, month: &PublishedMonth) -> Result<MonthDamage> {
        Ok(MonthDamage {
            costs: damage::find(store, TableName::Costs, &month.costs).await?,
            line_items: damage::find(store, TableName::LineItems, &month.line_items).await?,
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

/// Advice for a month with damaged files.
pub(crate) fn repair_hint(period: BillingPeriod) -> String {
    format!(
        "run `billstream import --month {period}` to pull and publish it again, or restore the file from a backup"
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
    let checks = periods.iter().map(|period| async move {
        let month = tables.month(context, *period).await?;
        let damage = MonthDamage::find(&context.store, &month).await?;
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

/// Finds the damaged months of a connection, with their first damaged file. Lists folders, and reads no file.
///
/// # Errors
/// Those of the store.
pub(crate) async fn listed_damage(
    store: &Store,
    connection: &str,
) -> Result<Vec<(BillingPeriod, DamagedFile)>> {
    let mut all = Vec::new();
    for name in [TableName::Costs, TableName::LineItems] {
        let Some(table) = tables::Table::open(store, name).await? else {
            continue;
        };
        let mut published = table.files().await?;
        published.retain(|file| file.connection == connection);
        let files: Vec<DataFile> = published.iter().map(|file| file.file.clone()).collect();
        let folder = format!("connection={connection}");
        for damaged in damage::find_by_listing(store, name, &folder, &files).await? {
            let of_file = published.iter().find(|file| file.file.path == damaged.path);
            all.extend(of_file.map(|file| (file.period, damaged)));
        }
    }
    all.sort_by_key(|(period, _)| *period);
    all.dedup_by_key(|(period, _)| *period);
    Ok(all)
}
