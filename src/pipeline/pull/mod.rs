//! Pull: the pages of a month into staged Parquet files of `costs`, with totals taken on the wire.
//!
//! A file a window. Its footer says what the window held, so that a pull that was cut off goes on
//! from its finished windows, and a stored month can be checked again without the network.

pub mod window;

use chrono::{DateTime, Days, TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::billing_period::{BillingPeriod, Window};
use crate::confluent::client::{Client, PAGE_SIZE, RequestError, TokenGuard};
use crate::confluent::costs::decode::{DataQualityCounts, DecodedPage, Digest};
use crate::control_totals::ControlTotals;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::pull::window::{
    Finished, WindowRecord, page, plain, read_window, staging, window_record,
};
use crate::store::Store;
use crate::store::staging::Staging;
use crate::store::writer::DataFile;

/// Finished windows of a cut-off pull are taken over for this long.
const RESUME_FOR: TimeDelta = TimeDelta::hours(6);
/// A month that is split has windows of at most so many days, so that several are read at once.
const MOST_DAYS: u32 = 8;

/// A pulled month: staged files, and what the wire held.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Staged files, by window.
    pub files: Vec<DataFile>,
    /// ControlTotals taken on the wire.
    pub totals: ControlTotals,
    /// Digest of the records.
    pub digest: Digest,
    /// What was tolerated.
    pub oddities: DataQualityCounts,
    /// When the oldest of its windows was read.
    pub pulled_at: DateTime<Utc>,
    /// How many windows came from a pull that was cut off.
    pub resumed: usize,
}

/// Pulls a month. `published` are the files that the `costs` table holds of it now.
///
/// # Errors
/// The first failure of a window; finished windows stay staged for the next run.
pub async fn pull(
    job: &RunContext,
    client: &std::sync::Arc<Client>,
    period: BillingPeriod,
    published: &[DataFile],
) -> std::result::Result<Pulled, RequestError> {
    let now = (job.clock)();
    let whole = Window {
        start: period.first_day(),
        // Days that have not begun hold nothing yet.
        end: period.window().end.min(now.date_naive() + Days::new(1)),
    };
    let mut finished = resume(job, period, whole, published, now)
        .await
        .map_err(plain)?;
    let resumed = finished.len();
    for gap in gaps(whole, &finished) {
        pull_gap(job, client, period, gap, published, &mut finished).await?;
    }
    finished.sort_by_key(|window| window.record.start);
    let mut pulled = Pulled {
        files: Vec::new(),
        totals: ControlTotals::default(),
        digest: Digest::default(),
        oddities: DataQualityCounts::default(),
        pulled_at: now,
        resumed,
    };
    for window in finished {
        add(&mut pulled, window.file, &window.record).map_err(plain)?;
    }
    Ok(pulled)
}

fn add(pulled: &mut Pulled, file: Option<DataFile>, record: &WindowRecord) -> Result<()> {
    pulled.files.extend(file);
    pulled.totals.merge(&record.totals)?;
    pulled.digest.merge(record.digest.parse()?);
    pulled.oddities.merge(record.oddities);
    pulled.pulled_at = pulled.pulled_at.min(record.pulled_at);
    Ok(())
}

/// Takes over the fresh windows of a pull that was cut off, and clears away the others.
async fn resume(
    job: &RunContext,
    period: BillingPeriod,
    whole: Window,
    published: &[DataFile],
    now: DateTime<Utc>,
) -> Result<Vec<Finished>> {
    let mut finished = Vec::new();
    let staging = staging(job, period);
    for name in staging.marked().await? {
        let path = staging.path(&name);
        if published.iter().any(|file| file.path == path) {
            continue;
        }
        match staged_window(job, &staging, &name).await? {
            Some(window)
                if now - window.record.pulled_at < RESUME_FOR
                    && whole.start <= window.record.start
                    && window.record.end <= whole.end =>
            {
                finished.push(window);
            }
            _ => staging.remove(&name).await?,
        }
    }
    Ok(finished)
}

/// A staged window, or `None` when its file was never finished.
async fn staged_window(
    job: &RunContext,
    staging: &Staging,
    name: &str,
) -> Result<Option<Finished>> {
    let Some(meta) = job.store.head(&staging.store_path(name)).await? else {
        return Ok(None);
    };
    let mut file = DataFile {
        path: staging.path(name),
        size: meta.size,
        rows: 0,
        start_range: None,
    };
    let Ok(record) = window_record(&job.store, &file).await else {
        return Ok(None);
    };
    file.rows = record.totals.sum()?.costs;
    file.start_range = record.totals.days();
    Ok(Some(Finished {
        file: Some(file),
        record,
    }))
}

/// A stored month as it was pulled: files of the `costs` table with the totals from their footers.
pub async fn stored(store: &Store, files: &[DataFile]) -> Result<Pulled> {
    let mut pulled = Pulled {
        files: Vec::new(),
        totals: ControlTotals::default(),
        digest: Digest::default(),
        oddities: DataQualityCounts::default(),
        pulled_at: DateTime::<Utc>::MAX_UTC,
        resumed: 0,
    };
    for file in files {
        let record = window_record(store, file).await?;
        add(&mut pulled, Some(file.clone()), &record)?;
    }
    Ok(pulled)
}

/// The spans of `whole` that no finished window covers.
fn gaps(whole: Window, finished: &[Finished]) -> Vec<Window> {
    let mut covered: Vec<Window> = finished
        .iter()
        .map(|window| Window {
            start: window.record.start,
            end: window.record.end,
        })
        .collect();
    covered.sort();
    let mut gaps = Vec::new();
    let mut start = whole.start;
    for window in covered {
        if start < window.start {
            gaps.push(Window {
                start,
                end: window.start,
            });
        }
        start = start.max(window.end);
    }
    if start < whole.end {
        gaps.push(Window {
            start,
            end: whole.end,
        });
    }
    gaps
}

/// Pulls a span of days: in one query if it fits a page, else in windows, several at once.
async fn pull_gap(
    job: &RunContext,
    client: &std::sync::Arc<Client>,
    period: BillingPeriod,
    gap: Window,
    published: &[DataFile],
    finished: &mut Vec<Finished>,
) -> std::result::Result<(), RequestError> {
    let mut first = None;
    let days_each = match pages_before(period, published) {
        Some(days_each) => days_each,
        None => {
            let guard = TokenGuard::default();
            let page = page(job, client, period, gap, None, &guard, 1).await?;
            let days = days_of(&page.decoded).div_ceil(2).clamp(1, MOST_DAYS);
            let more = page.token.is_some();
            first = Some(page);
            if more { days } else { gap.days() }
        }
    };
    let windows = gap.split(days_each);
    if windows.len() > 1 {
        first = None;
    }
    let total = windows.len();
    let mut waiting = windows.into_iter();
    let mut running = JoinSet::new();
    let mut rows: u64 = 0;
    let mut done = 0;
    loop {
        while running.len() < job.concurrency.max(1)
            && let Some(window) = waiting.next()
        {
            running.spawn(read_window(
                job.clone(),
                client.clone(),
                period,
                window,
                first.take(),
            ));
        }
        let Some(window) = running.join_next().await else {
            return Ok(());
        };
        let window = window.map_err(|e| plain(Error::bug(format!("pull of {period}: {e}"))))??;
        rows += window.file.as_ref().map_or(0, |file| file.rows);
        done += 1;
        (job.progress)(format!("{period}: {rows} costs, window {done} of {total}"));
        finished.push(window);
    }
}

/// The days that filled a page when the month was pulled before; `None` when it was one query.
fn pages_before(period: BillingPeriod, published: &[DataFile]) -> Option<u32> {
    let rows: u64 = published.iter().map(|file| file.rows).sum();
    let a_day = (rows / u64::from(period.window().days())).max(1);
    let days = (u64::from(PAGE_SIZE) / a_day).clamp(1, MOST_DAYS.into());
    (published.len() > 1).then_some(days as u32)
}

/// How many days a page's costs are of.
fn days_of(page: &DecodedPage) -> u32 {
    let mut days: Vec<i32> = page.totals.groups().iter().map(|group| group.day).collect();
    days.dedup();
    days.len() as u32
}
