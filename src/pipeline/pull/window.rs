//! Pull of one window: writes its pages, one after the other, to one staged Parquet file.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::billing_period::{BillingPeriod, Window};
use crate::confluent::client::{BodyError, Client, RequestError, next_token};
use crate::confluent::costs::decode::{
    DataQualityCounts, DecodedPage, Identities, SCHEMA, decode_page,
};
use crate::control_totals::ControlTotals;
use crate::error::{Error, Result};
use crate::http::page_chain::PageChain;
use crate::pipeline::RunContext;
use crate::store::staging::Staging;
use crate::store::writer::{DataFile, FileWriter, footer_entry};
use crate::store::{Store, TableName};

/// Key of the footer entry of a costs file.
const FOOTER: &str = "billstream.window";

/// Record of one window, stored in its file's footer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WindowRecord {
    /// First day.
    pub(crate) start: NaiveDate,
    /// Day after the last one.
    pub(crate) end: NaiveDate,
    /// Time before the request of the first page.
    pub(crate) pulled_at: DateTime<Utc>,
    /// Endpoint and key that the costs came from, as [`Client::origin`]; `None` in files of older versions. A key belongs
    /// to one organization, so the organization's id would not tell more.
    #[serde(default)]
    pub(crate) origin: Option<String>,
    /// Digest of the records.
    pub(crate) digest: String,
    /// Totals taken on the wire.
    pub(crate) totals: ControlTotals,
    /// Irregularities in the costs.
    #[serde(rename = "oddities")]
    pub(crate) data_quality: DataQualityCounts,
}

/// A finished window.
pub(crate) struct FinishedWindow {
    /// `None` if the window has no costs.
    pub(crate) file: Option<DataFile>,
    /// Totals and digest.
    pub(crate) record: WindowRecord,
}

/// Staging area of a month's costs.
pub(crate) fn staging(context: &RunContext, period: BillingPeriod) -> Staging {
    Staging::new(
        &context.store,
        TableName::Costs,
        &context.connection,
        period,
        &context.run,
    )
}

/// Reads the window record in a costs file's footer.
pub(crate) async fn window_record(store: &Store, file: &DataFile) -> Result<WindowRecord> {
    let name = format!("costs/{}", file.path);
    let entry = footer_entry(store, &name, file.size, FOOTER).await?;
    let entry = entry.ok_or_else(|| {
        Error::data(format!(
            "{} has no `{FOOTER}` entry in its footer",
            store.display(&name)
        ))
    })?;
    serde_json::from_str(&entry).map_err(|e| {
        let name = store.display(&name);
        Error::data(format!("could not read the footer of {name}: {e}"))
    })
}

/// A decoded page and the token of the next one.
pub(crate) struct PulledPage {
    /// Decoded costs.
    pub(crate) decoded: DecodedPage,
    /// `None` on the last page.
    pub(crate) token: Option<String>,
}

/// Requests a page; errors name connection, month and page.
pub(crate) async fn pull_page(
    context: &RunContext,
    client: &Client,
    period: BillingPeriod,
    window: Window,
    token: Option<&str>,
    number: usize,
) -> std::result::Result<PulledPage, RequestError> {
    let read = move |text: &str| {
        let decoded = decode_page(text, window)?;
        let token = next_token(decoded.next.as_deref()).map_err(BodyError::Wrong)?;
        Ok(PulledPage { decoded, token })
    };
    let read = client.costs_page(window, token, read).await;
    read.map_err(|failure| failure.context(operation(context, period, number)))
}

fn operation(context: &RunContext, period: BillingPeriod, page: usize) -> String {
    format!("pulling {period} of `{}`, page {page}", context.connection)
}

/// Pulls one window into one staged file; `first` is its first page if that was read already.
pub(crate) async fn pull_window(
    context: Arc<RunContext>,
    client: Arc<Client>,
    period: BillingPeriod,
    window: Window,
    first: Option<PulledPage>,
) -> std::result::Result<FinishedWindow, RequestError> {
    let mut pull = WindowPull::new(&context, period, window);
    match pull.pages(&client, first).await {
        // Page tokens expire: the window is read again from its start, once.
        Err(failure) if failure.is_bad_request() && pull.token.is_some() => {
            tracing::warn!(%window, "Page token refused, reading the window again");
            pull = WindowPull::new(&context, period, window);
            pull.pages(&client, None).await?;
        }
        read => read?,
    }
    let finished = pull.finish(client.origin()).await;
    finished.map_err(RequestError::internal)
}

/// Pull of a window in progress.
struct WindowPull<'c> {
    context: &'c RunContext,
    period: BillingPeriod,
    window: Window,
    pulled_at: DateTime<Utc>,
    identities: Identities,
    totals: ControlTotals,
    data_quality: DataQualityCounts,
    chain: PageChain,
    /// Token of the next page.
    token: Option<String>,
    /// Created with the first cost.
    writer: Option<FileWriter>,
}

impl<'c> WindowPull<'c> {
    fn new(context: &'c RunContext, period: BillingPeriod, window: Window) -> Self {
        WindowPull {
            context,
            period,
            window,
            pulled_at: (context.clock)(),
            identities: Identities::new(&context.connection),
            totals: ControlTotals::default(),
            data_quality: DataQualityCounts::default(),
            chain: PageChain::default(),
            token: None,
            writer: None,
        }
    }

    fn file_name(&self) -> String {
        let Window { start, end } = self.window;
        format!("{start}_{end}-{}.parquet", self.context.run)
    }

    /// Reads all pages; `first` is the first one if that was read already.
    async fn pages(
        &mut self,
        client: &Client,
        mut first: Option<PulledPage>,
    ) -> std::result::Result<(), RequestError> {
        for number in 1.. {
            let page = match first.take() {
                Some(page) => page,
                None => {
                    let token = self.token.as_deref();
                    let (period, window) = (self.period, self.window);
                    pull_page(self.context, client, period, window, token, number).await?
                }
            };
            self.append(page).await.map_err(|e| {
                let error = e.context(format!("costs of {}", self.window));
                RequestError::internal(error.context(operation(self.context, self.period, number)))
            })?;
            if self.token.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn append(
        &mut self,
        PulledPage {
            decoded: page,
            token,
        }: PulledPage,
    ) -> Result<()> {
        if let Some(token) = &token {
            self.chain.add(token, page.rows())?;
        }
        self.token = token;
        self.totals.merge(&page.totals)?;
        self.data_quality.merge(page.data_quality);
        if page.rows() == 0 {
            return Ok(());
        }
        let batch = self.identities.identify(page)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let name = staging(self.context, self.period)
                    .mark(&self.file_name())
                    .await?;
                let writer = FileWriter::new(&self.context.store, &name, SCHEMA.clone())?;
                self.writer.insert(writer)
            }
        };
        writer.write(&batch).await
    }

    async fn finish(self, origin: &str) -> Result<FinishedWindow> {
        let path = staging(self.context, self.period).path(&self.file_name());
        let record = WindowRecord {
            start: self.window.start,
            end: self.window.end,
            pulled_at: self.pulled_at,
            origin: Some(origin.to_string()),
            digest: self.identities.digest().to_string(),
            totals: self.totals,
            data_quality: self.data_quality,
        };
        let Some(writer) = self.writer else {
            return Ok(FinishedWindow { file: None, record });
        };
        let entry =
            serde_json::to_string(&record).map_err(|e| Error::bug(format!("footer: {e}")))?;
        let file = Some(writer.finish(path, &[(FOOTER, entry)]).await?);
        Ok(FinishedWindow { file, record })
    }
}
