//! One window of a pull: its pages, one after the other, into one staged Parquet file.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

use crate::billing_period::{BillingPeriod, Window};
use crate::confluent::client::{BodyError, Client, RequestError, TokenGuard, next_token};
use crate::confluent::costs::decode::{
    DataQualityCounts, DecodedPage, Identities, SCHEMA, decode_page,
};
use crate::control_totals::ControlTotals;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::store::staging::Staging;
use crate::store::writer::{DataFile, FileWriter, footer_entry};
use crate::store::{Store, TableName};

/// The footer entry of a costs file.
const FOOTER: &str = "billstream.window";

/// What one window held; kept in its file's footer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowRecord {
    /// First day.
    pub start: NaiveDate,
    /// The day after the last one.
    pub end: NaiveDate,
    /// When its first page was asked for.
    pub pulled_at: DateTime<Utc>,
    /// Digest of its records.
    pub digest: String,
    /// ControlTotals taken on the wire.
    pub totals: ControlTotals,
    /// What was tolerated.
    pub oddities: DataQualityCounts,
}

/// A finished window.
pub struct Finished {
    /// `None` when the window held no costs.
    pub file: Option<DataFile>,
    /// What it held.
    pub record: WindowRecord,
}

/// The staged costs of a month.
pub fn staging(job: &RunContext, period: BillingPeriod) -> Staging {
    Staging::new(&job.store, TableName::Costs, &job.connection, period)
}

/// Reads what a costs file's footer says of its window.
pub async fn window_record(store: &Store, file: &DataFile) -> Result<WindowRecord> {
    let name = format!("costs/{}", file.path);
    let entry = footer_entry(store, &name, file.size, FOOTER).await?;
    let entry = entry.ok_or_else(|| {
        Error::data(format!(
            "{} does not say what it holds",
            store.display(&name)
        ))
    })?;
    serde_json::from_str(&entry)
        .map_err(|e| Error::data(format!("the footer of {}: {e}", store.display(&name))))
}

/// A decoded page and the token of the next one.
pub struct Page {
    /// Its costs.
    pub decoded: DecodedPage,
    /// `None` on the last page.
    pub token: Option<String>,
}

/// Asks for the page after those that `guard` knows; errors name connection, month and page.
pub async fn page(
    job: &RunContext,
    client: &Client,
    period: BillingPeriod,
    window: Window,
    token: Option<&str>,
    guard: &TokenGuard,
    number: usize,
) -> std::result::Result<Page, RequestError> {
    let guard = guard.clone();
    let read = move |text: &str| {
        let decoded = decode_page(text, window)?;
        let token = next_token(decoded.next.as_deref()).map_err(BodyError::Wrong)?;
        if let Some(token) = &token {
            guard.clone().check(token).map_err(BodyError::Wrong)?;
        }
        Ok(Page { decoded, token })
    };
    let read = client.try_costs_page(window, token, read).await;
    read.map_err(|failure| {
        let place = place(job, period, number);
        RequestError {
            error: failure.error.context(place),
            ..failure
        }
    })
}

fn place(job: &RunContext, period: BillingPeriod, page: usize) -> String {
    format!("pulling {period} of `{}`, page {page}", job.connection)
}

/// Reads one window to its end, into one staged file; `first` is its first page where that is known.
pub async fn read_window(
    job: RunContext,
    client: Arc<Client>,
    period: BillingPeriod,
    window: Window,
    first: Option<Page>,
) -> std::result::Result<Finished, RequestError> {
    let mut reading = Reading::new(&job, period, window);
    match reading.pages(&client, first).await {
        // Page tokens may expire: then the window is read again from its start, once.
        Err(failure)
            if failure.status == Some(StatusCode::BAD_REQUEST) && reading.token.is_some() =>
        {
            tracing::warn!(%window, "A page token was refused; reading the window again.");
            reading = Reading::new(&job, period, window);
            reading.pages(&client, None).await?;
        }
        read => read?,
    }
    reading.finish().await.map_err(plain)
}

/// A window being read.
struct Reading<'j> {
    job: &'j RunContext,
    period: BillingPeriod,
    window: Window,
    pulled_at: DateTime<Utc>,
    identities: Identities,
    totals: ControlTotals,
    oddities: DataQualityCounts,
    guard: TokenGuard,
    /// The next page's.
    token: Option<String>,
    /// Opened with the first cost.
    writer: Option<FileWriter>,
}

impl<'j> Reading<'j> {
    fn new(job: &'j RunContext, period: BillingPeriod, window: Window) -> Self {
        Reading {
            job,
            period,
            window,
            pulled_at: (job.clock)(),
            identities: Identities::new(&job.connection),
            totals: ControlTotals::default(),
            oddities: DataQualityCounts::default(),
            guard: TokenGuard::default(),
            token: None,
            writer: None,
        }
    }

    fn file_name(&self) -> String {
        let Window { start, end } = self.window;
        format!("{start}_{end}-{}.parquet", self.job.run)
    }

    /// Reads page after page; `first` is the first one where it is known already.
    async fn pages(
        &mut self,
        client: &Client,
        mut first: Option<Page>,
    ) -> std::result::Result<(), RequestError> {
        for number in 1.. {
            let page = match first.take() {
                Some(page) => page,
                None => {
                    let token = self.token.as_deref();
                    let (period, window) = (self.period, self.window);
                    page(self.job, client, period, window, token, &self.guard, number).await?
                }
            };
            self.take(page)
                .await
                .map_err(|e| plain(e.context(place(self.job, self.period, number))))?;
            if self.token.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn take(
        &mut self,
        Page {
            decoded: page,
            token,
        }: Page,
    ) -> Result<()> {
        if let Some(token) = &token {
            self.guard.check(token)?;
        }
        self.token = token;
        self.totals.merge(&page.totals)?;
        self.oddities.merge(page.oddities);
        if page.rows() == 0 {
            return Ok(());
        }
        let batch = self.identities.identify(page)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let name = staging(self.job, self.period)
                    .mark(&self.file_name())
                    .await?;
                let writer = FileWriter::new(&self.job.store, &name, SCHEMA.clone())?;
                self.writer.insert(writer)
            }
        };
        writer.write(&batch).await
    }

    async fn finish(self) -> Result<Finished> {
        let path = staging(self.job, self.period).path(&self.file_name());
        let record = WindowRecord {
            start: self.window.start,
            end: self.window.end,
            pulled_at: self.pulled_at,
            digest: self.identities.digest().to_string(),
            totals: self.totals,
            oddities: self.oddities,
        };
        let Some(writer) = self.writer else {
            return Ok(Finished { file: None, record });
        };
        let entry =
            serde_json::to_string(&record).map_err(|e| Error::bug(format!("footer: {e}")))?;
        let file = Some(writer.finish(path, &[(FOOTER, entry)]).await?);
        Ok(Finished { file, record })
    }
}

/// An error that no answer of Confluent's is behind.
pub fn plain(error: Error) -> RequestError {
    RequestError::of(error, None)
}
