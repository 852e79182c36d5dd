//! Pull: writes the pages of a month to staged Parquet files of `costs`, with totals taken on the wire.
//!
//! One file per window. Its footer records the window's totals, so that an interrupted pull resumes from its
//! finished windows, and a stored month can be checked again without the network.

pub(crate) mod window;

use std::sync::Arc;

use chrono::{DateTime, Days, TimeDelta, Utc};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::billing_period::{BillingPeriod, Window};
use crate::confluent::client::{Client, PAGE_SIZE, RequestError};
use crate::confluent::costs::decode::{DataQualityCounts, DecodedPage, Digest};
use crate::control_totals::ControlTotals;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::pull::window::{
    FinishedWindow, PulledPage, WindowRecord, pull_page, pull_window, staging, window_record,
};
use crate::store::runs;
use crate::store::staging::Staging;
use crate::store::writer::DataFile;
use crate::store::{Store, file_hash};

/// Age up to which finished windows of an interrupted pull are resumed.
const RESUME_FOR: TimeDelta = TimeDelta::hours(6);
/// Longest window of a month that is split, so that several windows are read concurrently.
const MAX_WINDOW_DAYS: u32 = 8;

/// A pulled month: its files, and the totals of the wire.
#[derive(Debug, Clone)]
pub struct PulledMonth {
    /// Files, one per window that has costs.
    pub files: Vec<DataFile>,
    /// Totals taken on the wire.
    pub totals: ControlTotals,
    /// Digest of the records.
    pub digest: Digest,
    /// Irregularities in the costs.
    pub(crate) data_quality: DataQualityCounts,
    /// Start of the read of the oldest window.
    pub(crate) pulled_at: DateTime<Utc>,
    /// Number of windows resumed from an interrupted pull.
    pub(crate) resumed: usize,
}

/// Pulls a month. `published` are the month's current files in the `costs` table.
///
/// # Errors
/// The first failure of a window; finished windows stay staged for the next run.
pub async fn pull(
    context: &Arc<RunContext>,
    client: &Arc<Client>,
    period: BillingPeriod,
    published: &[DataFile],
) -> std::result::Result<PulledMonth, RequestError> {
    let today = (context.clock)().date_naive();
    let start = period.first_day();
    // Days that have not begun have no costs yet.
    let end = period.window().end.min(today + Days::new(1));
    match pull_days(context, client, period, Window { start, end }, published).await {
        // Some servers take an end after today for a date in the future.
        Err(failure) if failure.is_bad_request() && start < today && today < end => {
            tracing::info!(%failure, "Window to tomorrow refused, asking up to today");
            let until_today = Window { start, end: today };
            let pulled = pull_days(context, client, period, until_today, published).await;
            pulled.map_err(|_| failure)
        }
        pulled => pulled,
    }
}

/// Pulls the days of a month in `whole`.
async fn pull_days(
    context: &Arc<RunContext>,
    client: &Arc<Client>,
    period: BillingPeriod,
    whole: Window,
    published: &[DataFile],
) -> std::result::Result<PulledMonth, RequestError> {
    let now = (context.clock)();
    let mut finished = resume(context, client.origin(), period, whole, published)
        .await
        .map_err(RequestError::internal)?;
    let resumed = finished.len();
    for gap in gaps(whole, &finished) {
        pull_gap(context, client, period, gap, published, &mut finished).await?;
    }
    finished.sort_by_key(|window| window.record.start);
    let mut pulled = PulledMonth::empty(now);
    pulled.resumed = resumed;
    for window in finished {
        pulled
            .add(window.file, &window.record)
            .map_err(RequestError::internal)?;
    }
    Ok(pulled)
}

impl PulledMonth {
    /// A month without windows; `pulled_at` moves back to the oldest window that is added.
    fn empty(pulled_at: DateTime<Utc>) -> PulledMonth {
        PulledMonth {
            files: Vec::new(),
            totals: ControlTotals::default(),
            digest: Digest::default(),
            data_quality: DataQualityCounts::default(),
            pulled_at,
            resumed: 0,
        }
    }

    fn add(&mut self, file: Option<DataFile>, record: &WindowRecord) -> Result<()> {
        self.files.extend(file);
        self.totals.merge(&record.totals)?;
        self.digest.merge(record.digest.parse()?);
        self.data_quality.merge(record.data_quality);
        self.pulled_at = self.pulled_at.min(record.pulled_at);
        Ok(())
    }
}

/// Resumes the recent windows of an interrupted pull, and takes them over. The others are discarded: windows of another
/// origin, that are not within `whole`, that another window covers, or that are older than the last successful pull.
async fn resume(
    context: &RunContext,
    origin: &str,
    period: BillingPeriod,
    whole: Window,
    published: &[DataFile],
) -> Result<Vec<FinishedWindow>> {
    let now = (context.clock)();
    let mut finished = Vec::new();
    let staging = staging(context, period);
    let state = runs::month_state(&context.store, &context.connection, period).await?;
    for mark in staging.marks().await? {
        let path = staging.path(&mark.file);
        if published.iter().any(|file| file.path == path) {
            continue;
        }
        let window = staged_window(context, &staging, &mark.file).await?;
        let resumable = window.filter(|FinishedWindow { record, .. }| {
            record.origin.as_deref() == Some(origin)
                && (TimeDelta::zero()..RESUME_FOR).contains(&(now - record.pulled_at))
                && state.pulled_at.is_none_or(|last| last <= record.pulled_at)
                && whole.start <= record.start
                && record.end <= whole.end
                && !finished.iter().any(|taken: &FinishedWindow| {
                    taken.record.start < record.end && record.start < taken.record.end
                })
        });
        match resumable {
            Some(mut window) => {
                staging.take_over(&mark).await?;
                if let Some(file) = &mut window.file {
                    let name = staging.store_path(&mark.file);
                    let found = file_hash::of_file(&context.store, &name).await?;
                    file.hash = found.map(|(_, hash)| hash);
                }
                finished.push(window);
            }
            None => staging.discard(&mark).await?,
        }
    }
    Ok(finished)
}

/// Returns a staged window, or `None` if its file was never finished.
async fn staged_window(
    context: &RunContext,
    staging: &Staging,
    name: &str,
) -> Result<Option<FinishedWindow>> {
    let Some(meta) = context.store.head(&staging.store_path(name)).await? else {
        return Ok(None);
    };
    let mut file = DataFile {
        path: staging.path(name),
        hash: None,
        size: meta.size,
        rows: 0,
        start_range: None,
    };
    let Ok(record) = window_record(&context.store, &file).await else {
        return Ok(None);
    };
    file.rows = record.totals.sum()?.costs;
    file.start_range = record.totals.days();
    Ok(Some(FinishedWindow {
        file: Some(file),
        record,
    }))
}

/// Loads a stored month: files of the `costs` table with the totals in their footers.
pub(crate) async fn stored_month(store: &Store, files: &[DataFile]) -> Result<PulledMonth> {
    let mut pulled = PulledMonth::empty(DateTime::<Utc>::MAX_UTC);
    for file in files {
        let record = window_record(store, file).await?;
        pulled.add(Some(file.clone()), &record)?;
    }
    Ok(pulled)
}

/// The parts of `whole` that no finished window covers.
fn gaps(whole: Window, finished: &[FinishedWindow]) -> Vec<Window> {
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

/// Pulls a gap: in one query if it fits a page, else in concurrent windows.
async fn pull_gap(
    context: &Arc<RunContext>,
    client: &Arc<Client>,
    period: BillingPeriod,
    gap: Window,
    published: &[DataFile],
    finished: &mut Vec<FinishedWindow>,
) -> std::result::Result<(), RequestError> {
    let mut first: Option<PulledPage> = None;
    let days_each = match days_per_page(period, published) {
        Some(days_each) => days_each,
        None => {
            let page = pull_page(context, client, period, gap, None, 1).await?;
            let days = distinct_days(&page.decoded)
                .div_ceil(2)
                .clamp(1, MAX_WINDOW_DAYS);
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
        while running.len() < context.options.concurrency.max(1)
            && let Some(window) = waiting.next()
        {
            let task = pull_window(
                context.clone(),
                client.clone(),
                period,
                window,
                first.take(),
            );
            running.spawn(task.in_current_span());
        }
        let Some(window) = running.join_next().await else {
            return Ok(());
        };
        let window = window
            .map_err(|e| RequestError::internal(Error::bug(format!("pull of {period}: {e}"))))??;
        rows += window.file.as_ref().map_or(0, |file| file.rows);
        done += 1;
        (context.progress)(format!("{period}: {rows} costs, window {done} of {total}"));
        finished.push(window);
    }
}

/// Days that fill a page, from the published month; `None` if that was pulled in one query.
fn days_per_page(period: BillingPeriod, published: &[DataFile]) -> Option<u32> {
    let rows: u64 = published.iter().map(|file| file.rows).sum();
    let rows_per_day = (rows / u64::from(period.window().days())).max(1);
    let days = (u64::from(PAGE_SIZE) / rows_per_day).clamp(1, MAX_WINDOW_DAYS.into());
    (published.len() > 1).then_some(days as u32)
}

/// Number of distinct days of a page's costs.
fn distinct_days(page: &DecodedPage) -> u32 {
    let mut days: Vec<i32> = page.totals.groups().iter().map(|group| group.day).collect();
    days.dedup();
    days.len() as u32
}
