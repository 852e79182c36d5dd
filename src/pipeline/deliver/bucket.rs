//! The bucket: a new drop when the month changed, an earlier one, an empty one, and what is left over.

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::drop::{self, Files};
use crate::cloudzero::{cbf, read_back};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::Wish;
use crate::pipeline::deliver::delivery::{Delivery, Status, Target};
use crate::pipeline::deliver::destinations::Bucket;
use crate::pipeline::deliver::source::Published;
use crate::store::Operation;
use crate::store::runs::{self, BucketState, Granularity, MonthState, Source};

fn target(job: &RunContext) -> Result<&Bucket> {
    job.targets
        .bucket
        .as_ref()
        .ok_or_else(|| Error::bug("no bucket target"))
}

fn delivery(bucket: &Bucket, period: BillingPeriod, status: Status) -> Delivery {
    Delivery::new(period, Target::Bucket, bucket.store.display(""), status)
}

/// Writes the month as a new drop and puts it in force, unless it is there already.
///
/// # Errors
/// Kind reconcile when the files do not read back as what was published; class locked when the
/// manifest was moved by another run. The drop before stays in force in both cases.
pub async fn deliver(
    published: &Published<'_>,
    source: &Source,
    state: &mut MonthState,
    wish: Wish,
) -> Result<Delivery> {
    let (job, period) = (published.job, published.period);
    let bucket = target(job)?;
    let manifest = drop::manifest(&bucket.store, period).await?;
    let (in_force, seen) = manifest.map_or((None, None), |(m, seen)| {
        (Some(m.current_drop_id), Some(seen))
    });
    let held = state.bucket.as_ref().filter(|held| {
        held.target == bucket.key(&job.store) && Some(&held.drop_id) == in_force.as_ref()
    });
    let standing = match held {
        Some(held) if held.pinned && !wish.named => Some(Status::Pinned),
        Some(held) if !held.pinned && held.source.as_ref() == Some(source) => {
            let there = drop::size(&bucket.store, period, &held.drop_id).await?;
            // A drop that lost a file is written anew.
            (there == (held.files, held.bytes)).then_some(Status::Unchanged)
        }
        _ => None,
    };
    if let Some(status) = standing {
        return Ok(Delivery {
            drop_id: in_force,
            ..delivery(bucket, period, status)
        });
    }
    (job.progress)(format!("{period}: writing the CloudZero drop"));
    let drop_id = drop::free_drop_id(&bucket.store, period, (job.clock)()).await?;
    let files = write(published, bucket, &drop_id, !wish.dry_run).await?;
    let mut made = Delivery {
        drop_id: Some(drop_id.clone()),
        parts: files.count,
        rows: files.rows,
        bytes: files.bytes,
        ..delivery(bucket, period, Status::DryRun)
    };
    if wish.dry_run {
        return Ok(made);
    }
    let daily = source.granularity == Granularity::Daily;
    read_back::compare(&published.totals().await?, &files.totals, daily)?;
    drop::activate_drop(&bucket.store, period, &drop_id, seen.as_ref()).await?;
    made.status = Status::Delivered;
    let drop = ActiveDrop {
        drop_id,
        source: Some(source.clone()),
        size: (files.count, files.bytes),
        pinned: false,
    };
    remember(job, bucket, period, state, drop).await?;
    tracing::info!(
        %period, drop = made.drop_id.as_deref(), files = made.parts, rows = made.rows,
        "The CloudZero drop is written and read back."
    );
    Ok(made)
}

/// One file series for each file of the month, so that the same month gives the same bytes whatever
/// machine delivers it.
async fn write(
    published: &Published<'_>,
    bucket: &Bucket,
    drop_id: &str,
    keep: bool,
) -> Result<Files> {
    let mut streams = Vec::new();
    for file in &published.files {
        let frame = published.line_items(std::slice::from_ref(file), 1).await?;
        let stream = frame.execute_stream().await;
        streams.push(stream.map_err(|e| crate::engine::failed("reading line items", &e))?);
    }
    let folder = drop::folder(published.period, drop_id);
    drop::write(&bucket.store, &folder, streams, keep).await
}

/// A drop that the manifest names from now on.
struct ActiveDrop {
    drop_id: String,
    source: Option<Source>,
    /// Files and bytes.
    size: (usize, u64),
    pinned: bool,
}

async fn remember(
    job: &RunContext,
    bucket: &Bucket,
    period: BillingPeriod,
    state: &mut MonthState,
    drop: ActiveDrop,
) -> Result<()> {
    let target = bucket.key(&job.store);
    let before = state.bucket.take().filter(|held| held.target == target);
    let mut earlier = before.map(|held| held.earlier).unwrap_or_default();
    earlier.insert(drop.drop_id.clone());
    state.bucket = Some(BucketState {
        target,
        drop_id: drop.drop_id,
        source: drop.source,
        files: drop.size.0,
        bytes: drop.size.1,
        delivered_at: (job.clock)(),
        earlier,
        pinned: drop.pinned,
    });
    runs::save_month_state(&job.store, &job.connection, period, state).await
}

/// Puts an earlier drop back in force, and keeps it there until the month is delivered by name.
///
/// # Errors
/// Kind usage, when there is no such drop; class reconcile, when its files do not read.
pub async fn roll_back(
    job: &RunContext,
    period: BillingPeriod,
    drop_id: &str,
    dry_run: bool,
) -> Result<Delivery> {
    let bucket = target(job)?;
    let state = runs::month_state(&job.store, &job.connection, period).await?;
    let held = state.bucket.as_ref();
    let held = held.filter(|held| held.target == bucket.key(&job.store));
    let mut known = drop_ids(bucket, period).await?;
    // Others may be what a delivery that was cut off left.
    known.retain(|id| held.is_some_and(|held| held.earlier.contains(id)));
    if !known.iter().any(|id| id == drop_id) {
        return Err(Error::usage(format!(
            "no drop `{drop_id}` of {period} was ever in force in {}",
            bucket.store.display(&period.folder())
        ))
        .with_hint(match known.as_slice() {
            [] => "no drop of the month is there that was in force".to_string(),
            known => format!("there are {}", known.join(", ")),
        }));
    }
    let files = drop::read(&bucket.store, period, drop_id).await?;
    let made = Delivery {
        drop_id: Some(drop_id.to_string()),
        parts: files.count,
        rows: files.rows,
        ..delivery(bucket, period, Status::PointedBack)
    };
    if !dry_run {
        put_and_pin(job, bucket, period, state, drop_id).await?;
    }
    Ok(made)
}

/// Writes a drop without rows and puts it in force, which removes the month from CloudZero.
///
/// # Errors
/// As [`deliver`].
pub async fn clear(job: &RunContext, period: BillingPeriod, dry_run: bool) -> Result<Delivery> {
    let bucket = target(job)?;
    let drop_id = drop::free_drop_id(&bucket.store, period, (job.clock)()).await?;
    if !dry_run {
        let folder = drop::folder(period, &drop_id);
        drop::write_empty(&bucket.store, &folder, &cbf::names()).await?;
        let state = runs::month_state(&job.store, &job.connection, period).await?;
        put_and_pin(job, bucket, period, state, &drop_id).await?;
    }
    Ok(Delivery {
        drop_id: Some(drop_id),
        parts: 1,
        ..delivery(bucket, period, Status::Cleared)
    })
}

async fn put_and_pin(
    job: &RunContext,
    bucket: &Bucket,
    period: BillingPeriod,
    mut state: MonthState,
    drop_id: &str,
) -> Result<()> {
    job.targets.claim(&job.store, &job.connection).await?;
    let drop = ActiveDrop {
        drop_id: drop_id.to_string(),
        source: None,
        size: drop::size(&bucket.store, period, drop_id).await?,
        pinned: true,
    };
    let seen = drop::manifest(&bucket.store, period).await?;
    // The pin comes first: it counts once the manifest names the drop, and nothing comes in between.
    remember(job, bucket, period, &mut state, drop).await?;
    let seen = seen.as_ref().map(|(_, seen)| seen);
    drop::activate_drop(&bucket.store, period, drop_id, seen).await
}

/// Names of the drops of a month that are there, whether they are whole or not.
async fn drop_ids(bucket: &Bucket, period: BillingPeriod) -> Result<Vec<String>> {
    let folder = format!("{}/", period.folder());
    let names = bucket.store.list(&period.folder()).await?;
    let mut ids: Vec<String> = names
        .iter()
        .filter_map(|name| name.strip_prefix(&folder)?.split_once('/'))
        .map(|(id, _)| id.to_string())
        .collect();
    ids.dedup();
    Ok(ids)
}

/// Files that were collected.
#[derive(Debug, Default, Clone, Copy, serde::Serialize)]
pub struct Collected {
    /// Drops that are gone.
    pub drops: usize,
    /// Files of them.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// Removes the drops that are not in force and whose last file is older than `age`. With `dry_run` it
/// counts them.
///
/// # Errors
/// What the object store says, and a manifest that cannot be read.
pub async fn collect(job: &RunContext, age: TimeDelta, dry_run: bool) -> Result<Collected> {
    use object_store::ObjectStoreExt;

    let store = &target(job)?.store;
    let failed = |e| store.error(Operation::List, "", &e);
    let top = store
        .root()
        .list_with_delimiter(Some(&store.path("")))
        .await;
    let mut collected = Collected::default();
    for folder in top.map_err(failed)?.common_prefixes {
        let Some(period) = folder.filename().and_then(BillingPeriod::of_folder) else {
            continue;
        };
        let in_force = drop::manifest(store, period).await?;
        let in_force = in_force.map(|(manifest, _)| manifest.current_drop_id);
        let drops = store.root().list_with_delimiter(Some(&folder)).await;
        for drop in drops.map_err(failed)?.common_prefixes {
            if drop.filename() == in_force.as_deref() {
                continue;
            }
            let files: Vec<_> = store
                .root()
                .list(Some(&drop))
                .try_collect()
                .await
                .map_err(failed)?;
            // A writer that was killed leaves files on a disk which the store does not list.
            let on_disk = store.local().zip(drop.filename());
            let on_disk = on_disk.map(|(root, id)| root.join(period.folder()).join(id));
            let changed = on_disk.as_ref().and_then(|folder| {
                let metadata = std::fs::metadata(folder).ok()?;
                Some(metadata.modified().ok()?.into())
            });
            let times = files.iter().map(|file| file.last_modified);
            let last = times.chain(changed).max();
            if last.is_none_or(|last| last > (job.clock)() - age) {
                continue;
            }
            collected.drops += 1;
            collected.files += files.len();
            collected.bytes += files.iter().map(|file| file.size).sum::<u64>();
            if !dry_run {
                let gone = futures::stream::iter(files)
                    .map(|file| async move { store.root().delete(&file.location).await })
                    .buffer_unordered(8)
                    .try_collect::<Vec<()>>()
                    .await;
                gone.map_err(|e| store.error(Operation::Delete, "an old drop", &e))?;
                if let Some(folder) = on_disk {
                    std::fs::remove_dir_all(&folder).map_err(|e| {
                        Error::config(format!("cannot delete {}: {e}", folder.display()))
                    })?;
                }
            }
        }
    }
    Ok(collected)
}
