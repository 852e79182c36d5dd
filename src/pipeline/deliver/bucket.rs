//! Bucket destination: delivers a month as a new drop, rolls it back to an earlier drop, or clears it.

use crate::billing_period::BillingPeriod;
use crate::cloudzero::drop::{self, ActiveManifest, DropFiles, DropId, DropSize};
use crate::cloudzero::{cbf, read_back};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::DeliverOptions;
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus, DestinationKind};
use crate::pipeline::deliver::destinations::BucketDestination;
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::store::runs::{self, BucketState, Granularity, MonthState, Source};

/// Returns the bucket destination of a run.
pub(super) fn destination(run: &RunContext) -> Result<&BucketDestination> {
    run.destinations
        .bucket
        .as_ref()
        .ok_or_else(|| Error::bug("no bucket destination"))
}

fn delivery(bucket: &BucketDestination, period: BillingPeriod, status: DeliveryStatus) -> Delivery {
    let place = bucket.store.display("");
    Delivery::new(period, DestinationKind::Bucket, place, status)
}

/// Writes the month as a new drop and activates it, unless the active drop already has it.
///
/// # Errors
/// Kind `Reconcile` if the written files differ from the published line items; kind `Locked` if another run
/// replaced the manifest. The previous drop stays active in both cases.
pub(super) async fn deliver(
    published: &PublishedLineItems<'_>,
    source: &Source,
    state: &mut MonthState,
    options: DeliverOptions,
) -> Result<Delivery> {
    let (run, period) = (published.run, published.period);
    let bucket = destination(run)?;
    let manifest = drop::read_manifest(&bucket.store, period).await?;
    if let Some(manifest) = &manifest
        && let Some(status) = current_status(published, source, state, options, manifest).await?
    {
        return Ok(Delivery {
            drop_id: Some(manifest.drop_id.clone()),
            ..delivery(bucket, period, status)
        });
    }
    let totals = published.checked_totals().await?;
    (run.progress)(format!("{period}: writing the CloudZero drop"));
    let drop_id = drop::unused_drop_id(&bucket.store, period, (run.clock)()).await?;
    let files = write(published, bucket, &drop_id, !options.dry_run).await?;
    let mut delivery = Delivery {
        drop_id: Some(drop_id.clone()),
        parts: files.count,
        rows: files.rows,
        bytes: files.bytes,
        ..delivery(bucket, period, DeliveryStatus::DryRun)
    };
    if options.dry_run {
        return Ok(delivery);
    }
    let is_daily = source.granularity == Granularity::Daily;
    read_back::reconcile(&totals, &files.content.totals, is_daily)?;
    read_back::reconcile_rows(&files.written, &files.content.rows)?;
    let previous = manifest.as_ref().map(|manifest| &manifest.object);
    drop::activate_drop(&run.fence()?, &bucket.store, period, &drop_id, previous).await?;
    delivery.status = DeliveryStatus::Delivered;
    let active = ActiveDrop {
        drop_id,
        source: Some(source.clone()),
        size: DropSize {
            files: files.count,
            bytes: files.bytes,
        },
        pinned: false,
    };
    record(run, bucket, period, state, active).await?;
    tracing::info!(
        drop = delivery.drop_id.as_ref().map(DropId::as_str),
        files = delivery.parts,
        rows = delivery.rows,
        "Delivered and read back a drop"
    );
    Ok(delivery)
}

/// Returns the status of a month whose active drop needs no replacement.
async fn current_status(
    published: &PublishedLineItems<'_>,
    source: &Source,
    state: &MonthState,
    options: DeliverOptions,
    manifest: &ActiveManifest,
) -> Result<Option<DeliveryStatus>> {
    let (run, period) = (published.run, published.period);
    let bucket = destination(run)?;
    let recorded = bucket.recorded(&run.store, state);
    let Some(recorded) = recorded.filter(|drop| drop.drop_id == manifest.drop_id.as_str()) else {
        return Ok(None);
    };
    if recorded.pinned {
        return Ok((!options.by_name).then_some(DeliveryStatus::Pinned));
    }
    if recorded.source.as_ref() != Some(source) {
        return Ok(None);
    }
    let recorded_size = DropSize {
        files: recorded.files,
        bytes: recorded.bytes,
    };
    // A drop that lost a file is written again.
    let stored_size = drop::stored_size(&bucket.store, period, &manifest.drop_id).await?;
    Ok((stored_size == recorded_size).then_some(DeliveryStatus::Unchanged))
}

/// Writes one series of files per published file, so that a month gives the same bytes on every machine.
async fn write(
    published: &PublishedLineItems<'_>,
    bucket: &BucketDestination,
    drop_id: &DropId,
    keep: bool,
) -> Result<DropFiles> {
    let mut streams = Vec::new();
    for file in &published.files {
        let frame = published.line_items(std::slice::from_ref(file), 1).await?;
        let stream = frame.execute_stream().await;
        streams.push(stream.map_err(|e| crate::engine::failed("reading line items", &e))?);
    }
    let folder = drop::folder(published.period, drop_id);
    drop::write(&bucket.store, &folder, streams, keep).await
}

/// Drop that the manifest names from now on.
struct ActiveDrop {
    drop_id: DropId,
    /// `None` for a drop that was rolled back to, or is empty.
    source: Option<Source>,
    size: DropSize,
    pinned: bool,
}

/// Records the active drop in the state of the month.
async fn record(
    run: &RunContext,
    bucket: &BucketDestination,
    period: BillingPeriod,
    state: &mut MonthState,
    active: ActiveDrop,
) -> Result<()> {
    let recorded = bucket.recorded(&run.store, state);
    let mut earlier = recorded
        .map(|drop| drop.earlier.clone())
        .unwrap_or_default();
    earlier.insert(active.drop_id.to_string());
    state.bucket = Some(BucketState {
        target: bucket.key(&run.store),
        drop_id: active.drop_id.to_string(),
        source: active.source,
        files: active.size.files,
        bytes: active.size.bytes,
        delivered_at: (run.clock)(),
        earlier,
        pinned: active.pinned,
    });
    runs::save_month_state(&run.fence()?, period, state).await
}

/// Activates an earlier drop again and pins it, until the month is delivered by name.
///
/// # Errors
/// Kind `Usage` if the drop was never active; kind `Reconcile` if its files cannot be read.
pub(crate) async fn roll_back(
    run: &RunContext,
    period: BillingPeriod,
    drop_id: &DropId,
    dry_run: bool,
) -> Result<Delivery> {
    let bucket = destination(run)?;
    let state = runs::month_state(&run.store, &run.connection, period).await?;
    let recorded = bucket.recorded(&run.store, &state);
    let mut drop_ids = stored_drop_ids(bucket, period).await?;
    // Drops that were never active may be incomplete, left behind by an interrupted delivery.
    drop_ids.retain(|id| recorded.is_some_and(|drop| drop.earlier.contains(id.as_str())));
    if !drop_ids.contains(drop_id) {
        let shown: Vec<&str> = drop_ids.iter().map(DropId::as_str).collect();
        return Err(Error::usage(format!(
            "drop `{drop_id}` of {period} was never active in {}",
            bucket.store.display(&period.folder())
        ))
        .with_hint(match shown.as_slice() {
            [] => "the month has no earlier drop to roll back to".to_string(),
            shown => format!("choose one of {}", shown.join(", ")),
        }));
    }
    let files = drop::read_files(&bucket.store, period, drop_id).await?;
    let delivery = Delivery {
        drop_id: Some(drop_id.clone()),
        parts: files.count,
        rows: files.rows,
        ..delivery(bucket, period, DeliveryStatus::RolledBack)
    };
    if !dry_run {
        activate_and_pin(run, bucket, period, state, drop_id).await?;
    }
    Ok(delivery)
}

/// Writes and activates a drop without rows, which removes the month from CloudZero, and pins it.
///
/// # Errors
/// Kind `Locked` if another run replaced the manifest, besides the errors of the bucket.
pub(crate) async fn clear(
    run: &RunContext,
    period: BillingPeriod,
    dry_run: bool,
) -> Result<Delivery> {
    let bucket = destination(run)?;
    let drop_id = drop::unused_drop_id(&bucket.store, period, (run.clock)()).await?;
    if !dry_run {
        let folder = drop::folder(period, &drop_id);
        drop::write_empty(&bucket.store, &folder, &cbf::names()).await?;
        let state = runs::month_state(&run.store, &run.connection, period).await?;
        activate_and_pin(run, bucket, period, state, &drop_id).await?;
    }
    Ok(Delivery {
        drop_id: Some(drop_id),
        parts: 1,
        ..delivery(bucket, period, DeliveryStatus::Cleared)
    })
}

async fn activate_and_pin(
    run: &RunContext,
    bucket: &BucketDestination,
    period: BillingPeriod,
    mut state: MonthState,
    drop_id: &DropId,
) -> Result<()> {
    run.destinations.claim(run).await?;
    let active = ActiveDrop {
        drop_id: drop_id.clone(),
        source: None,
        size: drop::stored_size(&bucket.store, period, drop_id).await?,
        pinned: true,
    };
    let manifest = drop::read_manifest(&bucket.store, period).await?;
    // The pin is recorded first. It has no effect until the manifest names the drop, and then no run can see
    // the drop without its pin.
    record(run, bucket, period, &mut state, active).await?;
    let previous = manifest.as_ref().map(|manifest| &manifest.object);
    drop::activate_drop(&run.fence()?, &bucket.store, period, drop_id, previous).await
}

/// Lists the drops of a month that have files, complete or not.
async fn stored_drop_ids(bucket: &BucketDestination, period: BillingPeriod) -> Result<Vec<DropId>> {
    let folder = format!("{}/", period.folder());
    let names = bucket.store.list(&period.folder()).await?;
    let mut ids: Vec<DropId> = names
        .iter()
        .filter_map(|name| name.strip_prefix(&folder)?.split_once('/'))
        .map(|(id, _)| DropId::from(id))
        .collect();
    ids.dedup();
    Ok(ids)
}
