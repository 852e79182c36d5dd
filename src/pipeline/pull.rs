//! Pull: the pages of a month into staged Parquet files of `costs`, with totals taken on the wire.
//!
//! A file a window. Its footer says what the window held, so that a pull that was cut off goes on
//! from its finished windows, and a stored month can be checked again without the network.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Job;
use crate::confluent::client::{Client, Failure, TokenGuard, next_token};
use crate::confluent::decode::{DecodedPage, Digest, Identities, Oddities, SCHEMA, decode_page};
use crate::confluent::windows::{BillingPeriod, Window};
use crate::error::{Error, Result};
use crate::store::tables::Published;
use crate::store::writer::{DataFile, FileWriter, footer_entry};
use crate::store::{Store, runs};
use crate::totals::Totals;

/// Finished windows of a cut-off pull are taken over for this long.
const RESUME_FOR: TimeDelta = TimeDelta::hours(6);
/// The footer entry of a costs file.
const FOOTER: &str = "billstream.window";

/// A pulled month: staged files, and what the wire held.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Staged files, by window.
    pub files: Vec<DataFile>,
    /// Totals taken on the wire.
    pub totals: Totals,
    /// Digest of the records.
    pub digest: Digest,
    /// What was tolerated.
    pub oddities: Oddities,
    /// When the oldest of its windows was read.
    pub pulled_at: DateTime<Utc>,
    /// How many windows came from a pull that was cut off.
    pub resumed: usize,
}

/// What one window held; kept in its file's footer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct WindowRecord {
    start: NaiveDate,
    end: NaiveDate,
    pulled_at: DateTime<Utc>,
    digest: String,
    totals: Totals,
    oddities: Oddities,
}

/// A finished window.
struct Finished {
    /// `None` when the window held no costs.
    file: Option<DataFile>,
    record: WindowRecord,
}

/// The folder of a month's costs files, relative to the store.
fn folder(connection: &str, period: BillingPeriod) -> String {
    format!("costs/{}", partition(connection, period))
}

/// The partition's folder, relative to its table.
pub fn partition(connection: &str, period: BillingPeriod) -> String {
    format!("connection={connection}/billing_period={period}")
}

/// Pulls a month. `published` are the files that the `costs` table holds of it now.
///
/// # Errors
/// The first failure of a window; finished windows stay staged for the next run.
pub async fn pull(
    job: &Job,
    client: &std::sync::Arc<Client>,
    period: BillingPeriod,
    published: &[DataFile],
) -> std::result::Result<Pulled, Failure> {
    let now = (job.clock)();
    let whole = Window {
        start: period.first_day(),
        // Days that have not begun hold nothing yet.
        end: period.window().end.min(now.date_naive() + Days::new(1)),
    };
    let mut finished = resume(job, period, whole, published, now).await.map_err(plain)?;
    let resumed = finished.len();
    for gap in gaps(whole, &finished) {
        pull_gap(job, client, period, gap, published, &mut finished).await?;
    }
    finished.sort_by_key(|window| window.record.start);
    let mut pulled = Pulled {
        files: Vec::new(),
        totals: Totals::default(),
        digest: Digest::default(),
        oddities: Oddities::default(),
        pulled_at: now,
        resumed,
    };
    for window in finished {
        add(&mut pulled, window.file, &window.record).map_err(plain)?;
    }
    Ok(pulled)
}

fn plain(error: Error) -> Failure {
    Failure { error, status: None }
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
    job: &Job,
    period: BillingPeriod,
    whole: Window,
    published: &[DataFile],
    now: DateTime<Utc>,
) -> Result<Vec<Finished>> {
    let mut finished = Vec::new();
    for (mark, file) in runs::staged(&job.store, &job.connection, period).await? {
        if published.contains(&file) {
            job.store.delete(&mark).await?;
            continue;
        }
        let record = window_record(&job.store, &file).await.ok();
        let usable = record.filter(|record| {
            now - record.pulled_at < RESUME_FOR && whole.start <= record.start && record.end <= whole.end
        });
        match usable {
            Some(record) => finished.push(Finished { file: Some(file), record }),
            None => {
                job.store.delete(&format!("costs/{}", file.path)).await?;
                job.store.delete(&mark).await?;
            }
        }
    }
    Ok(finished)
}

async fn window_record(store: &Store, file: &DataFile) -> Result<WindowRecord> {
    let name = format!("costs/{}", file.path);
    let entry = footer_entry(store, &name, file.size, FOOTER).await?;
    let entry = entry.ok_or_else(|| {
        Error::data(format!("{} does not say what it holds", store.display(&name)))
    })?;
    serde_json::from_str(&entry)
        .map_err(|e| Error::data(format!("the footer of {}: {e}", store.display(&name))))
}

/// A stored month as it was pulled: files of the `costs` table with the totals from their footers.
pub async fn stored(store: &Store, files: Vec<Published>) -> Result<Pulled> {
    let mut pulled = Pulled {
        files: Vec::new(),
        totals: Totals::default(),
        digest: Digest::default(),
        oddities: Oddities::default(),
        pulled_at: DateTime::<Utc>::MAX_UTC,
        resumed: 0,
    };
    for published in files {
        let record = window_record(store, &published.file).await?;
        add(&mut pulled, Some(published.file), &record)?;
    }
    Ok(pulled)
}

/// The spans of `whole` that no finished window covers.
fn gaps(whole: Window, finished: &[Finished]) -> Vec<Window> {
    let mut covered: Vec<Window> = finished
        .iter()
        .map(|window| Window { start: window.record.start, end: window.record.end })
        .collect();
    covered.sort();
    let mut gaps = Vec::new();
    let mut start = whole.start;
    for window in covered {
        if start < window.start {
            gaps.push(Window { start, end: window.start });
        }
        start = start.max(window.end);
    }
    if start < whole.end {
        gaps.push(Window { start, end: whole.end });
    }
    gaps
}

/// Pulls a span of days: in one query if it fits a page, else in windows, several at once.
async fn pull_gap(
    job: &Job,
    client: &std::sync::Arc<Client>,
    period: BillingPeriod,
    gap: Window,
    published: &[DataFile],
    finished: &mut Vec<Finished>,
) -> std::result::Result<(), Failure> {
    // A month that took several files before is large: its first page need not tell.
    let mut first = None;
    let days_each = if published.len() > 1 {
        1
    } else {
        let page = page(job, client, period, gap, None, 1).await?;
        let more = next_token(page.next.as_deref()).map_err(plain)?.is_some();
        let days = days_of(&page);
        first = Some(page);
        if more { days.div_ceil(2).clamp(1, 8) } else { gap.days() }
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
        while running.len() < job.concurrency.max(1) && let Some(window) = waiting.next() {
            running.spawn(pull_window(job.clone(), client.clone(), period, window, first.take()));
        }
        let Some(window) = running.join_next().await else { return Ok(()) };
        let window = window.map_err(|e| plain(Error::bug(format!("pull of {period}: {e}"))))??;
        rows += window.file.as_ref().map_or(0, |file| file.rows);
        done += 1;
        (job.progress)(format!("{period}: {rows} costs, window {done} of {total}"));
        finished.push(window);
    }
}

/// How many days a page's costs are of.
fn days_of(page: &DecodedPage) -> u32 {
    let mut days: Vec<i32> = page.totals.groups().iter().map(|group| group.day).collect();
    days.dedup();
    days.len() as u32
}

async fn page(
    job: &Job,
    client: &Client,
    period: BillingPeriod,
    window: Window,
    token: Option<&str>,
    number: usize,
) -> std::result::Result<DecodedPage, Failure> {
    let read = client.try_costs_page(window, token, move |text| decode_page(text, window)).await;
    read.map_err(|failure| {
        let place = format!("pulling {period} of `{}`, window {window}, page {number}", job.connection);
        Failure { error: failure.error.context(place), status: failure.status }
    })
}

/// Reads one window to its end, into one staged file.
async fn pull_window(
    job: Job,
    client: std::sync::Arc<Client>,
    period: BillingPeriod,
    window: Window,
    mut first: Option<DecodedPage>,
) -> std::result::Result<Finished, Failure> {
    let pulled_at = (job.clock)();
    let name = format!("{}/{window}-{}.parquet", folder(&job.connection, period), job.run);
    let mut identities = Identities::new(&job.connection);
    let mut totals = Totals::default();
    let mut oddities = Oddities::default();
    let mut guard = TokenGuard::default();
    let mut writer: Option<FileWriter> = None;
    let mut token: Option<String> = None;
    for number in 1.. {
        let decoded = match first.take() {
            Some(decoded) => decoded,
            None => page(&job, &client, period, window, token.as_deref(), number).await?,
        };
        token = next_token(decoded.next.as_deref()).map_err(plain)?;
        if let Some(token) = &token {
            let place = || format!("pulling {period} of `{}`, window {window}", job.connection);
            guard.check(token).map_err(|e| plain(e.context(place())))?;
        }
        totals.merge(&decoded.totals).map_err(plain)?;
        oddities.merge(decoded.oddities);
        if decoded.rows() > 0 {
            let batch = identities.identify(decoded).map_err(plain)?;
            let file = match &mut writer {
                Some(file) => file,
                closed => closed.insert(FileWriter::new(&job.store, &name, SCHEMA.clone()).map_err(plain)?),
            };
            file.write(&batch).await.map_err(plain)?;
        }
        if token.is_none() {
            break;
        }
    }
    let record = WindowRecord {
        start: window.start,
        end: window.end,
        pulled_at,
        digest: identities.digest().to_string(),
        totals,
        oddities,
    };
    let file = match writer {
        None => None,
        Some(writer) => Some(stage(&job, period, &name, writer, &record).await.map_err(plain)?),
    };
    Ok(Finished { file, record })
}

async fn stage(
    job: &Job,
    period: BillingPeriod,
    name: &str,
    writer: FileWriter,
    record: &WindowRecord,
) -> Result<DataFile> {
    let rows = writer.rows();
    let entry = serde_json::to_string(record).map_err(|e| Error::bug(format!("footer: {e}")))?;
    let size = writer.finish(&[(FOOTER, entry)]).await?;
    let path = name.trim_start_matches("costs/").to_string();
    let file = DataFile { path, size, rows };
    runs::mark_staged(&job.store, &job.connection, period, &file).await?;
    Ok(file)
}

/// Removes the staged files of a month that will not be published.
pub async fn discard(job: &Job, period: BillingPeriod, files: &[DataFile]) -> Result<()> {
    for file in files {
        job.store.delete(&format!("costs/{}", file.path)).await?;
    }
    runs::clear_staged(&job.store, &job.connection, period).await
}
