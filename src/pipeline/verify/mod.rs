//! Verify: compares Confluent, the store, the active drop, the stream and CloudZero's totals.

mod month;
mod sides;
mod unpublished;

use std::sync::Arc;

use serde::Serialize;
use tracing::Instrument;

pub(crate) use crate::pipeline::verify::month::{ComparisonStatus, MonthComparison, SideTotals};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::costs;
use crate::confluent::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::damage::MonthDamage;
use crate::pipeline::deliver::double_counting::{self, DuplicateSource};
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;
use crate::pipeline::verify::sides::{DeliveredMonth, overflow};
use crate::pipeline::{RunContext, deliver};
use crate::store::{StorageError, runs};

/// Comparison of all selected months.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyReport {
    run: String,
    /// Months, oldest first.
    pub(crate) periods: Vec<MonthComparison>,
    /// Enabled connections in CloudZero that bring the same costs.
    pub(crate) duplicates: Vec<DuplicateSource>,
    /// Errors of single months.
    #[serde(skip)]
    pub(crate) errors: Vec<(BillingPeriod, Error)>,
}

impl VerifyReport {
    /// Returns the kind that decides the exit code; `None` if all months agree and CloudZero counts nothing twice.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        let differs = |month: &MonthComparison| month.status.is_difference();
        if self.periods.iter().any(differs) || !self.duplicates.is_empty() {
            return Some(ErrorKind::Reconcile);
        }
        self.errors.first().map(|(_, error)| error.kind())
    }
}

/// Compares the selected months; without `client` Confluent is left out. Without named months it covers those, too,
/// that Confluent holds and that were never published.
///
/// # Errors
/// Kind `Usage` for a named month that neither the store nor Confluent has. Errors of single months are in the
/// report.
pub(crate) async fn verify(
    run: &Arc<RunContext>,
    client: Option<&Arc<Client>>,
    selection: &Selection,
) -> Result<VerifyReport> {
    let tables = Tables::open(run).await?;
    let months = unpublished::months(run, &tables, selection, client.is_some()).await?;
    let mut report = VerifyReport {
        run: run.run.to_string(),
        periods: Vec::new(),
        duplicates: double_counting::verify(run).await?,
        errors: Vec::new(),
    };
    for &period in &months.published {
        (run.progress)(format!("{period}: comparing"));
        let month = compare_month(run, client, &tables, period);
        match month.instrument(run.period_span(period)).await {
            Ok(month) => report.periods.push(month),
            Err(error) if is_unreadable(&error) => {
                let mut month = MonthComparison::unpublished(&run.connection, period);
                month.note_unreadable("store", &error);
                report.periods.push(month);
            }
            Err(error) => report.errors.push((period, error)),
        }
    }
    if let Some(client) = client {
        for &period in &months.unpublished {
            (run.progress)(format!("{period}: asking Confluent"));
            let month = unpublished::compare(run, client, &tables, &months, period);
            match month.instrument(run.period_span(period)).await {
                Ok(month) => report.periods.extend(month),
                Err(error) => report.errors.push((period, error)),
            }
        }
    }
    report.periods.sort_by_key(|month| month.billing_period);
    compare_cloudzero_totals(run, &mut report).await;
    Ok(report)
}

async fn compare_month(
    run: &Arc<RunContext>,
    client: Option<&Arc<Client>>,
    tables: &Tables,
    period: BillingPeriod,
) -> Result<MonthComparison> {
    let published = tables.month(run, period).await?;
    let state = runs::month_state(&run.store, &run.connection, period).await?;
    let damage = MonthDamage::find_by_content(run, period, &published).await?;
    if !damage.line_items.is_empty() {
        // Nothing can be compared with line items that cannot be read.
        let mut month = MonthComparison::unpublished(&run.connection, period);
        sides::note_damage(&damage, &mut month);
        return Ok(month);
    }
    let line_items = PublishedLineItems {
        run,
        period,
        columns: tables.line_item_columns()?,
        files: published.line_items.clone(),
        record: published.line_items_record.clone(),
    };
    let totals = line_items.totals().await?;
    let sum = totals.sum().map_err(overflow)?;
    let mut month = MonthComparison::new(&run.connection, period, sum);
    sides::note_damage(&damage, &mut month);
    sides::compare_store(run, &published, &sum, &mut month)?;
    if let Some(client) = client {
        let compared =
            sides::compare_confluent(run, client, tables, &published, &state, &mut month).await;
        unless_unreadable("confluent", compared, &mut month)?;
    }
    if run.currency != "USD" {
        month
            .notes
            .push(
                "nothing is delivered: CloudZero accepts US dollars only; what was delivered before is not compared"
                    .into(),
            );
        return Ok(month);
    }
    let Some(record) = &published.line_items_record else {
        return Ok(month);
    };
    let delivered = DeliveredMonth {
        source: deliver::source_of(run, record)?,
        line_items,
        totals,
        state,
    };
    if run.destinations.bucket.is_some() {
        let compared = sides::compare_bucket(&delivered, &mut month).await;
        let is_unreadable = compared.is_err();
        unless_unreadable("bucket", compared, &mut month)?;
        if is_unreadable {
            month.notes.push(format!(
                "a drop is written again by `billstream deliver --month {period} --empty --yes`, then `billstream deliver \
                 --month {period}`"
            ));
        }
    }
    if run.destinations.stream.is_some() {
        let compared = sides::compare_stream(&delivered, &mut month).await;
        unless_unreadable("stream", compared, &mut month)?;
    }
    Ok(month)
}

/// Notes an error of content that cannot be read, so that the other sides and months are compared nevertheless.
///
/// # Errors
/// All other errors, such as those of an unavailable store.
fn unless_unreadable(side: &str, compared: Result<()>, month: &mut MonthComparison) -> Result<()> {
    match compared {
        Err(error) if is_unreadable(&error) => {
            month.note_unreadable(side, &error);
            Ok(())
        }
        compared => compared,
    }
}

/// Returns true for an error of a single file's content or permissions.
fn is_unreadable(error: &Error) -> bool {
    let is_local = || {
        let cause = error.source_as::<StorageError>();
        matches!(cause, Some(StorageError::LocalFolder { .. }))
    };
    matches!(error.kind(), ErrorKind::Data | ErrorKind::Reconcile) || is_local()
}

/// Adds CloudZero's totals of all months, with one request per cost type: CloudZero allows sixty requests a day.
async fn compare_cloudzero_totals(run: &Arc<RunContext>, report: &mut VerifyReport) {
    let destinations = &run.destinations;
    let of_bucket = destinations
        .bucket
        .as_ref()
        .and_then(|bucket| bucket.cloudzero_connection.as_ref());
    let connection = destinations.stream.as_ref().or(of_bucket);
    let (Some(api), Some(connection)) = (&destinations.api, connection) else {
        return;
    };
    let periods = || report.periods.iter().map(|month| month.billing_period);
    let (Some(from), Some(to)) = (periods().min(), periods().max()) else {
        return;
    };
    let shown = match costs::fetch_monthly(api, connection, from, to).await {
        Ok(shown) => shown,
        Err(error) => {
            tracing::warn!(%error, "CloudZero's totals were not compared");
            return;
        }
    };
    let now = (run.clock)();
    for month in &mut report.periods {
        let shown = shown.get(&month.billing_period).copied();
        month.compare_cloudzero(shown.unwrap_or_default(), now);
    }
}
