//! Deliver: what is published goes to CloudZero, by its bucket or its stream, and is seen to be there.
//!
//! It reads published line items only. [`source`] has them as they are delivered, [`sums`] adds them up;
//! [`bucket`] and [`stream`], for which [`packing`] makes bodies, are the two doors.

pub mod bucket;
pub mod delivery;
pub mod destinations;
pub mod hourly_totals;
pub mod request_batches;
pub mod source;
pub mod stream;

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::deliver::delivery::{Delivery, Target};
use crate::pipeline::deliver::source::Published;
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;
use crate::pipeline::{RunContext, StageTimer};
use crate::store::runs::{self, Granularity, MonthState, Source};
use crate::store::tables::PeriodRecord;

/// What a delivery may and should do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// One of the targets; else all that are configured.
    pub only: Option<Target>,
    /// The months were named, so that pinned ones are delivered too.
    pub named: bool,
    /// Count what would go, and write or send nothing.
    pub dry_run: bool,
    /// Send without having CloudZero validate each body first.
    pub unvalidated: bool,
}

/// What came of the targets of a month: each fails alone.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// What went well.
    pub made: Vec<Delivery>,
    /// What did not.
    pub errors: Vec<Error>,
}

/// Brings the targets of a month up to its published line items. Call it with the connection's lease.
pub async fn deliver(
    job: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    wish: Wish,
) -> Deliveries {
    let mut deliveries = Deliveries::default();
    if let Err(error) = to_targets(job, tables, period, wish, &mut deliveries).await {
        deliveries.errors.push(error);
    }
    let place = format!("delivering {period} of `{}`", job.connection);
    let errors = deliveries.errors.drain(..);
    deliveries.errors = errors.map(|e| e.context(&place)).collect();
    deliveries
}

async fn to_targets(
    job: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    wish: Wish,
    deliveries: &mut Deliveries,
) -> Result<()> {
    let month = tables.month(job, period).await?;
    let Some(record) = month.line_items_record else {
        return Ok(());
    };
    if job.currency != "USD" {
        tracing::warn!(currency = %job.currency, "Nothing was delivered: CloudZero takes US dollars only.");
        return Ok(());
    }
    if !wish.dry_run {
        job.targets.claim(&job.store, &job.connection).await?;
    }
    let published = Published {
        job,
        period,
        columns: tables.line_item_columns()?,
        files: month.line_items,
    };
    let source = source_of(job, &record)?;
    let mut state = runs::month_state(&job.store, &job.connection, period).await?;
    for target in wanted(job, wish.only)? {
        let _stage = StageTimer::begin(match target {
            Target::Bucket => "drop",
            Target::Stream => "stream",
        });
        let result = match target {
            Target::Bucket => bucket::deliver(&published, &source, &mut state, wish).await,
            Target::Stream => stream::deliver(&published, &source, &mut state, wish).await,
        };
        match result {
            Ok(delivery) => deliveries.made.push(delivery),
            Err(error) => deliveries.errors.push(error),
        }
    }
    Ok(())
}

/// The targets that are configured, or the one of them that is asked for.
///
/// # Errors
/// Kind configuration, when the one asked for is not configured.
pub fn wanted(job: &RunContext, only: Option<Target>) -> Result<Vec<Target>> {
    let configured = [
        (job.targets.bucket.is_some(), Target::Bucket),
        (job.targets.stream.is_some(), Target::Stream),
    ];
    let configured: Vec<Target> = configured
        .into_iter()
        .filter_map(|(is, target)| is.then_some(target))
        .collect();
    match only {
        None => Ok(configured),
        Some(target) if configured.contains(&target) => Ok(vec![target]),
        Some(Target::Bucket) => Err(Error::config(format!(
            "connection `{}` has no bucket target",
            job.connection
        ))
        .with_hint("set BILLSTREAM_BUCKET, or add one with `billstream targets add cloudzero --bucket URL`")),
        Some(Target::Stream) => Err(Error::config(format!(
            "connection `{}` has no stream target",
            job.connection
        ))
        .with_hint(
            "set CLOUDZERO_CONNECTION_ID and CLOUDZERO_API_KEY, or add one with `billstream targets add \
             cloudzero --stream`",
        )),
    }
}

/// The months that are published, of those asked for; without a selection all of them.
///
/// # Errors
/// Kind usage, for a month that is not published.
pub async fn published_months(
    job: &RunContext,
    tables: &Tables,
    selection: &Selection,
) -> Result<Vec<BillingPeriod>> {
    let files = match &tables.line_items {
        Some(line_items) => line_items.files().await?,
        None => Vec::new(),
    };
    let mut months: Vec<BillingPeriod> = files
        .into_iter()
        .filter(|file| file.connection == job.connection)
        .map(|file| file.period)
        .collect();
    months.sort_unstable();
    months.dedup();
    let Selection::Named(named) = selection else {
        return Ok(months);
    };
    if let Some(missing) = named.iter().find(|month| !months.contains(month)) {
        return Err(Error::usage(format!(
            "no line items of {missing} are published for `{}`",
            job.connection
        ))
        .with_hint("run `billstream import` first, or name another --store or --connection"));
    }
    Ok(named.clone())
}

/// Whether any target of the month is behind its published line items.
///
/// # Errors
/// Kind bug, when the hourly SQL is missing.
pub fn is_behind(job: &RunContext, state: &MonthState, record: &PeriodRecord) -> Result<bool> {
    let source = source_of(job, record)?;
    let bucket = job.targets.bucket.as_ref().is_some_and(|bucket| {
        !state.bucket.as_ref().is_some_and(|held| {
            let same = held.target == bucket.key(&job.store);
            same && (held.pinned || held.source.as_ref() == Some(&source))
        })
    });
    let stream = job.targets.stream.as_ref().is_some_and(|stream| {
        !state.stream.as_ref().is_some_and(|sent| {
            let done = sent.pinned || (sent.source == source && sent.closed_at.is_some());
            sent.target == *stream && done
        })
    });
    Ok(bucket || stream)
}

/// What a delivery of published line items is made from.
///
/// # Errors
/// Kind bug, when the hourly SQL is missing.
pub fn source_of(job: &RunContext, record: &PeriodRecord) -> Result<Source> {
    let granularity = job.targets.granularity;
    let sql = match granularity {
        Granularity::Daily => String::new(),
        Granularity::Hourly => job.sql.get(source::HOURLY)?.digest(),
    };
    Ok(Source {
        version: record.version,
        digest: record.digest.clone(),
        mapping: record.mapping.clone(),
        granularity,
        sql,
    })
}
