//! Verify: Confluent now, the store, the drop in force, the stream and CloudZero's totals, side by side.

mod month;

use std::sync::Arc;

use serde::Serialize;

pub use crate::pipeline::verify::month::{Month, Side, Status};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::read_back::{self, LineItemTotals, LineItemTotalsByGroup};
use crate::cloudzero::stream::Stream;
use crate::cloudzero::stream_contents::{self, Hours};
use crate::cloudzero::{costs, drop};
use crate::confluent::client::Client;
use crate::decimal;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::deliver::hourly_totals;
use crate::pipeline::deliver::source::Published;
use crate::pipeline::publish::{self, PublishedMonth, Tables};
use crate::pipeline::select::{self, Selection};
use crate::pipeline::{RunContext, deliver, pull};
use crate::store::runs::{self, Granularity, MonthState, Source};

/// The whole comparison.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The run's name.
    pub run: String,
    /// Its months, oldest first.
    pub periods: Vec<Month>,
    /// Errors of single months.
    #[serde(skip)]
    pub errors: Vec<(BillingPeriod, Error)>,
}

impl Report {
    /// The class that decides the exit code; `None` when all is well.
    pub fn kind(&self) -> Option<ErrorKind> {
        let differs = self.periods.iter().any(|m| m.status == Status::Differs);
        let error = self.errors.first().map(|(_, e)| e.kind());
        if differs {
            Some(ErrorKind::Reconcile)
        } else {
            error
        }
    }
}

/// Compares months. Without `client` Confluent is not asked.
///
/// # Errors
/// Kind usage, for a month that is not published; a month's own error is in the report.
pub async fn verify(
    job: &RunContext,
    client: Option<&Arc<Client>>,
    selection: &Selection,
) -> Result<Report> {
    let tables = Tables::open(job).await?;
    let periods = deliver::published_months(job, &tables, selection).await?;
    let mut report = Report {
        run: job.run.clone(),
        periods: Vec::new(),
        errors: Vec::new(),
    };
    for period in periods {
        (job.progress)(format!("{period}: comparing"));
        match one_month(job, client, &tables, period).await {
            Ok(month) => report.periods.push(month),
            Err(error) => report.errors.push((period, error)),
        }
    }
    with_totals(job, &mut report).await;
    Ok(report)
}

async fn one_month(
    job: &RunContext,
    client: Option<&Arc<Client>>,
    tables: &Tables,
    period: BillingPeriod,
) -> Result<Month> {
    let published = tables.month(job, period).await?;
    let state = runs::month_state(&job.store, &job.connection, period).await?;
    let items = Published {
        job,
        period,
        columns: tables.line_item_columns()?,
        files: published.line_items.clone(),
    };
    let totals = items.totals().await?;
    let sum = add_up(totals.values())?;
    let mut month = Month::new(&job.connection, period, sum);
    compare_store(&published, &sum, &mut month);
    if let Some(client) = client {
        compare_confluent(job, client, tables, &published, &state, &mut month).await?;
    }
    if job.currency != "USD" {
        month
            .notes
            .push("nothing is delivered: CloudZero takes US dollars only".into());
        return Ok(month);
    }
    let Some(record) = &published.line_items_record else {
        return Ok(month);
    };
    let source = deliver::source_of(job, record)?;
    if job.targets.bucket.is_some() {
        compare_bucket(&items, &totals, &source, &state, &mut month).await?;
    }
    if job.targets.stream.is_some() {
        compare_stream(&items, &totals, &source, &state, &mut month).await?;
    }
    Ok(month)
}

/// The published line items against the commit that they came with.
fn compare_store(published: &PublishedMonth, sum: &LineItemTotals, month: &mut Month) {
    let costs = published.costs_record.as_ref();
    let Some(record) = &published.line_items_record else {
        return;
    };
    if costs.is_some_and(|costs| costs.digest != record.digest) {
        let words = "the line items are behind the stored costs: run `billstream transform`";
        month.note(Status::Differs, words);
    }
    let (cost, rows) = (decimal::to_plain_string(sum.cost), sum.rows);
    if (cost.as_str(), rows) != (record.net_amount.as_str(), record.line_items) {
        let (net, items) = (&record.net_amount, record.line_items);
        month.note(
            Status::Differs,
            format!("store: {rows} line items cost {cost}, published were {items} with {net}"),
        );
    }
}

async fn compare_confluent(
    job: &RunContext,
    client: &Arc<Client>,
    tables: &Tables,
    published: &PublishedMonth,
    state: &MonthState,
    month: &mut Month,
) -> Result<()> {
    let period = month.billing_period;
    if select::refuse_unpullable(&[period], (job.clock)().date_naive()).is_err() {
        month
            .notes
            .push("Confluent no longer holds all of it".into());
        return Ok(());
    }
    let pulled = pull::pull(job, client, period, &published.costs).await;
    let pulled = publish::swept(job, tables, period, pulled.map_err(Error::from)).await?;
    let sums = pulled.totals.sum()?;
    month.confluent = Some(Side::from(&LineItemTotals {
        rows: sums.costs,
        cost: sums.net,
        discounted: sums.net,
        on_demand: sums.original - sums.credit_original,
    }));
    let digest = pulled.digest.to_string();
    let record = published.costs_record.as_ref();
    if record.is_some_and(|record| record.digest != digest) {
        let (status, next) = match state.settled {
            false => (Status::Behind, "the next import takes it"),
            true => (Status::Differs, "import it by name to take it"),
        };
        month.note(
            status,
            format!("Confluent has other costs than the store: {next}"),
        );
    }
    Ok(())
}

async fn compare_bucket(
    items: &Published<'_>,
    totals: &LineItemTotalsByGroup,
    source: &Source,
    state: &MonthState,
    month: &mut Month,
) -> Result<()> {
    let Some(bucket) = &items.job.targets.bucket else {
        return Ok(());
    };
    let Some((manifest, _)) = drop::manifest(&bucket.store, items.period).await? else {
        month.note(
            Status::Differs,
            "bucket: no drop is in force; run `billstream deliver`",
        );
        return Ok(());
    };
    let key = bucket.key(&items.job.store);
    let known = state.bucket.as_ref().filter(|held| held.target == key);
    let current = known.filter(|held| held.source.as_ref() == Some(source));
    month.given_at = current.map(|held| held.delivered_at);
    let drop_id = manifest.current_drop_id;
    let files = match drop::read(&bucket.store, items.period, &drop_id).await {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::Reconcile => {
            month.note(Status::Differs, format!("bucket, drop {drop_id}: {error}"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    month.bucket = Some(Side::from(&add_up(files.totals.values())?));
    let daily = known
        .and_then(|held| held.source.as_ref())
        .map_or(source.granularity, |held| held.granularity);
    let daily = daily == Granularity::Daily;
    match read_back::compare(totals, &files.totals, daily) {
        Ok(()) => {}
        Err(_) if known.is_some_and(|held| held.pinned && held.drop_id == drop_id) => {
            let words =
                format!("bucket: drop {drop_id} is in force until the month is delivered by name");
            month.note(Status::Pinned, words);
        }
        Err(error) => month.note(Status::Differs, format!("bucket, drop {drop_id}: {error}")),
    }
    Ok(())
}

async fn compare_stream(
    items: &Published<'_>,
    totals: &LineItemTotalsByGroup,
    source: &Source,
    state: &MonthState,
    month: &mut Month,
) -> Result<()> {
    let targets = &items.job.targets;
    let (Some(connection), Some(client)) = (&targets.stream, &targets.api) else {
        month
            .notes
            .push("stream: not asked, as CLOUDZERO_API_KEY is not set".into());
        return Ok(());
    };
    let expected = hourly_totals::added_up(items, totals).await?;
    let held = Stream { client, connection }.held(items.period).await?;
    month.stream = Some(Side::from(&add_up(held.values())?));
    let known = state
        .stream
        .as_ref()
        .filter(|sent| sent.target == *connection);
    let current = known.filter(|sent| sent.source == *source);
    month.given_at = current.and_then(|sent| sent.acknowledged_at);
    if stream_contents::equal(&expected, &held) {
        return Ok(());
    }
    if known.is_some_and(|sent| sent.pinned) && stream_contents::equal(&Hours::new(), &held) {
        month.note(
            Status::Pinned,
            "stream: cleared until the month is delivered by name",
        );
        return Ok(());
    }
    let status = month.lacking((items.job.clock)());
    let first = stream_contents::differences(&expected, &held).next();
    let words = first.map_or_else(String::new, |(hour, wanted, got)| {
        let hour = crate::cloudzero::columns::iso(hour);
        format!("stream, {hour}: published are {wanted}, CloudZero holds {got}")
    });
    month.note(status, words);
    Ok(())
}

/// Adds CloudZero's totals, all months in one request a cost type: sixty a day are allowed.
async fn with_totals(job: &RunContext, report: &mut Report) {
    let targets = &job.targets;
    let read_by = targets
        .bucket
        .as_ref()
        .and_then(|b| b.cloudzero_connection.as_ref());
    let (Some(api), Some(connection)) = (&targets.api, targets.stream.as_ref().or(read_by)) else {
        return;
    };
    let periods = || report.periods.iter().map(|month| month.billing_period);
    let (Some(from), Some(to)) = (periods().min(), periods().max()) else {
        return;
    };
    let shown = match costs::monthly(api, connection, from, to).await {
        Ok(shown) => shown,
        Err(error) => {
            tracing::warn!(%error, "CloudZero's totals were not compared.");
            return;
        }
    };
    let now = (job.clock)();
    for month in &mut report.periods {
        let shown = shown.get(&month.billing_period).copied();
        month.compare_totals(shown.unwrap_or_default(), now);
    }
}

fn add_up<'s>(parts: impl Iterator<Item = &'s LineItemTotals>) -> Result<LineItemTotals> {
    let mut sum = LineItemTotals::default();
    for part in parts {
        sum.add(part)
            .ok_or_else(|| Error::reconcile("the costs of a month add up to too much"))?;
    }
    Ok(sum)
}
