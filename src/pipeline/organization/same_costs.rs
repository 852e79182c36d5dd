//! Recognition of an organization by its costs, where its id is not known: two organizations never have the same
//! number of costs, the same exact totals and the same resources in a month that is over.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use chrono::NaiveDate;

use crate::billing_period::BillingPeriod;
use crate::engine;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::organization::{load, save, shared};
use crate::pipeline::publish::Tables;
use crate::pipeline::pull::PulledMonth;
use crate::pipeline::transform::inputs::costs_session;
use crate::store::tables::PeriodRecord;
use crate::store::writer::DataFile;

/// Months with the same number of costs and the same totals that prove the same organization without a look at the
/// resources.
const PROVING_MONTHS: usize = 2;

/// Months of each connection, with their files.
type Published = BTreeMap<String, BTreeMap<BillingPeriod, (PeriodRecord, Vec<DataFile>)>>;

async fn published(tables: &Tables) -> Result<Published> {
    let mut published = Published::new();
    let Some(costs) = &tables.costs else {
        return Ok(published);
    };
    for file in costs.files().await? {
        // Months that another tool wrote have no record.
        let Some(record) = file.record else {
            continue;
        };
        let months = published.entry(file.connection).or_default();
        let (_, files) = months.entry(file.period).or_insert((record, Vec::new()));
        files.push(file.file);
    }
    Ok(published)
}

fn is_over(period: BillingPeriod, today: NaiveDate) -> bool {
    period.next().first_day() <= today
}

fn has_same_totals(a: &PeriodRecord, b: &PeriodRecord) -> bool {
    a.costs > 0
        && (a.costs, &a.original_amount, &a.net_amount)
            == (b.costs, &b.original_amount, &b.net_amount)
}

/// Refuses a connection whose published months are those of another one that published them first.
///
/// # Errors
/// Kind `Config`, naming the other connection.
pub(crate) async fn refuse_stored(
    context: &RunContext,
    tables: &Tables,
    allow: bool,
    dry_run: bool,
) -> Result<()> {
    let mut published = published(tables).await?;
    let Some(ours) = published.remove(&*context.connection) else {
        return Ok(());
    };
    let today = (context.clock)().date_naive();
    for (other, theirs) in &published {
        let same = ours.iter().filter_map(|(period, (our, _))| {
            let (their, _) = theirs.get(period)?;
            let is_same = is_over(*period, today) && has_same_totals(our, their);
            is_same.then_some((our.version, their.version))
        });
        let same: Vec<(u64, u64)> = same.collect();
        let (our, their): (Vec<u64>, Vec<u64>) = same.iter().copied().unzip();
        if same.len() >= PROVING_MONTHS && our.iter().min() > their.iter().min() {
            refuse(context, other, allow, dry_run).await?;
        }
    }
    Ok(())
}

/// Refuses a month that was pulled for the first time and is that of another connection.
///
/// # Errors
/// Kind `Config`, naming the other connection.
pub(crate) async fn refuse_pulled(
    context: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    pulled: &PulledMonth,
    allow: bool,
    dry_run: bool,
) -> Result<()> {
    let today = (context.clock)().date_naive();
    if pulled.files.is_empty() || !is_over(period, today) {
        return Ok(());
    }
    let mut published = published(tables).await?;
    let ours = published.remove(&*context.connection);
    if published.is_empty() || ours.is_some_and(|months| months.contains_key(&period)) {
        return Ok(());
    }
    let totals = pulled.totals.sum()?;
    let amount = crate::decimal::to_plain_string;
    let (original, net) = (amount(totals.original), amount(totals.net));
    for (other, months) in &published {
        let Some((record, files)) = months.get(&period) else {
            continue;
        };
        let totals_of_record = (record.costs, &record.original_amount, &record.net_amount);
        if totals_of_record != (totals.costs, &original, &net) {
            continue;
        }
        let ours = resources(context, period, &pulled.files).await?;
        if !ours.is_empty() && ours == resources(context, period, files).await? {
            refuse(context, other, allow, dry_run).await?;
        }
    }
    Ok(())
}

/// Ids of the resources in the costs of a month.
async fn resources(
    context: &RunContext,
    period: BillingPeriod,
    files: &[DataFile],
) -> Result<BTreeSet<String>> {
    let what = format!("resources of {period} in costs");
    let session = costs_session(context, period, files)?;
    let query =
        "select distinct arrow_cast(resource_id, 'Utf8') from costs where resource_id <> ''";
    let frame = engine::within(context.limits, &what, session.sql(query)).await?;
    let batches = engine::within(context.limits, &what, frame.collect()).await?;
    let mut ids = BTreeSet::new();
    for batch in &batches {
        let column = batch.column(0).as_string_opt::<i32>();
        let column = column.ok_or_else(|| Error::bug("resource_id is not text"))?;
        ids.extend(column.iter().flatten().map(str::to_string));
    }
    Ok(ids)
}

/// Refuses the other connection's costs, unless its organization is another one, or the user insists or insisted.
async fn refuse(context: &RunContext, other: &str, allow: bool, dry_run: bool) -> Result<()> {
    let (store, connection) = (&context.store, &*context.connection);
    let mut ours = load(store, connection).await?;
    let theirs = load(store, other).await?;
    // Equal ids are a matter of claims.
    let are_known = ours.organization.is_some() && theirs.organization.is_some();
    if are_known || ours.allowed.contains(other) || theirs.allowed.contains(connection) {
        return Ok(());
    }
    if !allow {
        return Err(shared(connection, other).with_another_hint(format!(
            "if `{other}` was renamed or removed: its costs are still in the store, and CloudZero has what it delivered"
        )));
    }
    if !dry_run {
        ours.allowed.insert(other.to_string());
        context.fence()?.confirm().await?;
        save(store, connection, &ours).await?;
    }
    Ok(())
}
