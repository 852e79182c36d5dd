//! Deliver: brings CloudZero up to the published line items, through a bucket or a stream, and checks the result.
//!
//! `source` reads the published line items in their delivered form, `hourly_totals` sums them.
//! `bucket` writes drops and `gc` deletes old ones; `stream` sends the bodies of `request_batches`.
//! `destinations` resolves where a connection delivers to, `claim` keeps connections apart, and `double_counting` finds
//! other connections in CloudZero with the same costs. `month_forms` remembers how CloudZero wants months written, and
//! `rehearsal` tries a delivery without anybody seeing it.

pub(crate) mod bucket;
mod claim;
pub(crate) mod delivery;
pub mod destinations;
pub(crate) mod double_counting;
pub(crate) mod gc;
pub(crate) mod hourly_totals;
pub(crate) mod month_forms;
pub(crate) mod rehearsal;
mod request_batches;
pub mod source;
pub(crate) mod stream;

use crate::billing_period::BillingPeriod;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::pipeline::deliver::delivery::{Delivery, DestinationKind};
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;
use crate::pipeline::{RunContext, StageTimer, damage};
use crate::store::runs::{self, Granularity, MonthState, Source};
use crate::store::tables::PeriodRecord;
use crate::store::{self, Store, TableName};

/// Options of a delivery.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DeliverOptions {
    /// Single destination to deliver to, instead of all configured ones.
    pub(crate) only: Option<DestinationKind>,
    /// Delivers pinned months too, because the user named the months.
    pub(crate) by_name: bool,
    /// Counts what would be delivered, without writing or sending.
    pub(crate) dry_run: bool,
    /// Sends requests without having CloudZero validate them first.
    pub(crate) skip_validation: bool,
}

/// Outcome of the destinations of a month. A failure of one does not affect the other.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    pub(crate) completed: Vec<Delivery>,
    pub(crate) errors: Vec<Error>,
}

/// Brings the destinations of a month up to its published line items. The caller holds the connection's lease.
pub(crate) async fn deliver(
    run: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    options: DeliverOptions,
) -> Deliveries {
    let mut deliveries = Deliveries::default();
    if let Err(error) = deliver_to_each(run, tables, period, options, &mut deliveries).await {
        deliveries.errors.push(error);
    }
    let context = format!("delivering {period} of `{}`", run.connection);
    let errors = deliveries.errors.drain(..);
    deliveries.errors = errors.map(|e| e.context(&context)).collect();
    deliveries
}

async fn deliver_to_each(
    run: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    options: DeliverOptions,
    deliveries: &mut Deliveries,
) -> Result<()> {
    let month = tables.month(run, period).await?;
    let Some(record) = month.line_items_record else {
        return Ok(());
    };
    if run.currency != "USD" {
        tracing::warn!(
            currency = %run.currency,
            "Skipped the delivery: CloudZero accepts US dollars only"
        );
        return Ok(());
    }
    let damaged = store::damage::find(&run.store, TableName::LineItems, &month.line_items).await?;
    damage::refuse(period, &damaged)?;
    if !options.dry_run {
        run.destinations.claim(run).await?;
    }
    let published = PublishedLineItems {
        run,
        period,
        columns: tables.line_item_columns()?,
        files: month.line_items,
        record: Some(record.clone()),
    };
    let source = source_of(run, &record)?;
    let mut state = runs::month_state(&run.store, &run.connection, period).await?;
    for destination in selected_destinations(run, options.only)? {
        let result = match destination {
            DestinationKind::Bucket => {
                let _stage = StageTimer::begin("drop");
                bucket::deliver(&published, &source, &mut state, options).await
            }
            DestinationKind::Stream => {
                let _stage = StageTimer::begin("stream");
                stream::deliver(&published, &source, &mut state, options).await
            }
        };
        match result {
            Ok(delivery) => deliveries.completed.push(delivery),
            Err(error) => deliveries.errors.push(error),
        }
    }
    Ok(())
}

/// Returns the configured destinations, or `only` one of them.
///
/// # Errors
/// Kind `Config` if `only` is not configured.
pub(crate) fn selected_destinations(
    run: &RunContext,
    only: Option<DestinationKind>,
) -> Result<Vec<DestinationKind>> {
    let configured = run.destinations.kinds();
    let Some(only) = only else {
        return Ok(configured);
    };
    if configured.contains(&only) {
        return Ok(vec![only]);
    }
    let hint = match only {
        DestinationKind::Bucket => {
            "set BILLSTREAM_BUCKET, or run `billstream destinations add cloudzero --bucket URL`"
        }
        DestinationKind::Stream => {
            "set CLOUDZERO_CONNECTION_ID and CLOUDZERO_API_KEY, or run `billstream destinations add \
             cloudzero --stream`"
        }
    };
    Err(Error::config(format!(
        "connection `{}` has no {} destination",
        run.connection,
        only.name()
    ))
    .with_hint(hint))
}

/// Returns the published months of a selection; all of them unless it names months.
///
/// # Errors
/// Kind `Usage` for a named month that is not published.
pub(crate) async fn published_months(
    run: &RunContext,
    tables: &Tables,
    selection: &Selection,
) -> Result<Vec<BillingPeriod>> {
    let files = match &tables.line_items {
        Some(line_items) => line_items.files().await?,
        None => Vec::new(),
    };
    let mut months: Vec<BillingPeriod> = files
        .into_iter()
        .filter(|file| file.connection == run.connection)
        .map(|file| file.period)
        .collect();
    months.sort_unstable();
    months.dedup();
    let Selection::Named(named) = selection else {
        return Ok(months);
    };
    if let Some(missing) = named.iter().find(|month| !months.contains(month)) {
        return Err(Error::usage(format!(
            "connection `{}` has no published line items of {missing}",
            run.connection
        ))
        .with_hint("run `billstream import` first, or name another --store or --connection"));
    }
    Ok(named.clone())
}

/// Returns true if a destination of the month lacks the published line items.
///
/// # Errors
/// Kind `Bug` if the hourly SQL is missing.
pub(crate) fn is_behind(
    run: &RunContext,
    state: &MonthState,
    record: &PeriodRecord,
) -> Result<bool> {
    let source = source_of(run, record)?;
    Ok(lacks_source(&run.store, &run.destinations, state, &source))
}

/// Returns true if a destination of the month lacks these line items.
pub(crate) fn lacks_source(
    store: &Store,
    destinations: &Destinations,
    state: &MonthState,
    source: &Source,
) -> bool {
    let bucket_is_behind = destinations.bucket.as_ref().is_some_and(|bucket| {
        !bucket
            .recorded(store, state)
            .is_some_and(|drop| drop.pinned || drop.source.as_ref() == Some(source))
    });
    let stream_is_behind = destinations.stream.as_ref().is_some_and(|stream| {
        !state.stream.as_ref().is_some_and(|sent| {
            let is_done = sent.pinned || (sent.source == *source && sent.closed_at.is_some());
            sent.target == *stream && is_done
        })
    });
    bucket_is_behind || stream_is_behind
}

/// Returns the identity of the line items that a delivery of `record` is made from.
///
/// # Errors
/// Kind `Bug` if the hourly SQL is missing.
pub(crate) fn source_of(run: &RunContext, record: &PeriodRecord) -> Result<Source> {
    source_by(&run.sql, run.destinations.granularity, record)
}

/// Returns the identity of the line items that a delivery of this granularity is made from.
///
/// # Errors
/// Kind `Bug` if the hourly SQL is missing.
pub(crate) fn source_by(
    files: &SqlFiles,
    granularity: Granularity,
    record: &PeriodRecord,
) -> Result<Source> {
    let sql = match granularity {
        Granularity::Daily => String::new(),
        Granularity::Hourly => files.get(source::HOURLY)?.digest(),
    };
    Ok(Source {
        version: record.version,
        digest: record.digest.clone(),
        mapping: record.mapping.clone(),
        granularity,
        sql,
    })
}
