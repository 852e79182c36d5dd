//! Sides of a month, each compared with the published line items.

use std::sync::Arc;

use crate::cloudzero::columns::format_timestamp;
use crate::cloudzero::drop;
use crate::cloudzero::read_back::{self, DropContent};
use crate::cloudzero::totals::{HourlyTotals, LineItemTotals, LineItemTotalsByGroup, SumOverflow};
use crate::confluent::client::Client;
use crate::decimal;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::damage::MonthDamage;
use crate::pipeline::deliver::hourly_totals::sum_by_hour;
use crate::pipeline::deliver::month_forms;
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::pipeline::publish::{self, PublishedMonth, Tables};
use crate::pipeline::select;
use crate::pipeline::verify::month::{ComparisonStatus, MonthComparison, SideTotals};
use crate::pipeline::{RunContext, pull, transform};
use crate::store::damage::repair_hint;
use crate::store::runs::{Granularity, MonthState, Source};

pub(super) fn overflow(error: SumOverflow) -> Error {
    Error::reconcile(format!("could not sum a month: {error}"))
}

/// Published line items of a month, with their totals and the record of their delivery.
pub(super) struct DeliveredMonth<'r> {
    pub(super) line_items: PublishedLineItems<'r>,
    pub(super) totals: LineItemTotalsByGroup,
    pub(super) source: Source,
    pub(super) state: MonthState,
}

/// Notes a lost, cut or changed file of the month.
pub(super) fn note_damage(damage: &MonthDamage, month: &mut MonthComparison) {
    if let Some(file) = damage.first() {
        let note = format!("store: {file}: {}", repair_hint(month.billing_period));
        month.note(ComparisonStatus::Unreadable, note);
    }
}

/// Compares the published line items with the record of their commit, and their mapping with the current one.
///
/// # Errors
/// Kind `Bug` if the mapping is missing.
pub(super) fn compare_store(
    run: &RunContext,
    published: &PublishedMonth,
    totals: &LineItemTotals,
    month: &mut MonthComparison,
) -> Result<()> {
    let costs = published.costs_record.as_ref();
    let Some(record) = &published.line_items_record else {
        return Ok(());
    };
    if record.mapping != transform::mapping_version(run)? {
        month.note(
            ComparisonStatus::Outdated,
            "store: the line items have an older mapping or cloud provider label: run `billstream transform --all`, \
             then `billstream deliver`",
        );
    }
    if costs.is_some_and(|costs| costs.digest != record.digest) {
        month.note(
            ComparisonStatus::Differs,
            "store: the line items are older than the costs: run `billstream transform`",
        );
    }
    let (cost, rows) = (decimal::to_plain_string(totals.cost), totals.rows);
    if let Some(own) = &record.own {
        month.notes.push(format!(
            "store: {} own line items cost {} of it; the others equal the costs, {}",
            own.line_items, own.cost, record.net_amount
        ));
    }
    let published = record.line_item_cost();
    if (cost.as_str(), rows) != (published.as_str(), record.line_items) {
        let (net, line_items) = (&published, record.line_items);
        month.note(
            ComparisonStatus::Differs,
            format!(
                "store: {rows} line items cost {cost}, but {line_items} with {net} were published"
            ),
        );
    }
    Ok(())
}

/// Pulls the month from Confluent again and compares it with the stored costs.
pub(super) async fn compare_confluent(
    run: &Arc<RunContext>,
    client: &Arc<Client>,
    tables: &Tables,
    published: &PublishedMonth,
    state: &MonthState,
    month: &mut MonthComparison,
) -> Result<()> {
    let period = month.billing_period;
    if select::refuse_unpullable(&[period], (run.clock)().date_naive()).is_err() {
        month
            .notes
            .push("confluent: not compared, the month is no longer available in full".into());
        return Ok(());
    }
    let pulled = pull::pull(run, client, period, &published.costs).await;
    let pulled =
        publish::with_staging_cleanup(run, tables, period, pulled.map_err(Error::from)).await?;
    month.confluent = Some(SideTotals::of_costs(&pulled.totals.sum()?));
    let digest = pulled.digest.to_string();
    let record = published.costs_record.as_ref();
    if record.is_some_and(|record| record.digest != digest) {
        if state.completeness.on_hold.is_some() {
            month.note(
                ComparisonStatus::Differs,
                "confluent: the costs differ from the store's, and the month is on hold: check with Confluent, or import \
                 it with --allow-missing-data",
            );
        } else if state.settled {
            month.note(
                ComparisonStatus::Differs,
                "confluent: the costs differ from the store's: import the month by name to replace them",
            );
        } else {
            month.note(
                ComparisonStatus::Behind,
                "confluent: the costs differ from the store's: the next import replaces them",
            );
        }
    }
    Ok(())
}

/// Compares the files of the active drop with the published line items.
pub(super) async fn compare_bucket(
    delivered: &DeliveredMonth<'_>,
    month: &mut MonthComparison,
) -> Result<()> {
    let run = delivered.line_items.run;
    let period = delivered.line_items.period;
    let Some(bucket) = &run.destinations.bucket else {
        return Ok(());
    };
    let Some(manifest) = drop::read_manifest(&bucket.store, period).await? else {
        month.note(
            ComparisonStatus::Differs,
            "bucket: no drop is active: run `billstream deliver`",
        );
        return Ok(());
    };
    let drop_id = manifest.drop_id;
    let recorded = bucket.recorded(&run.store, &delivered.state);
    let current = recorded.filter(|drop| drop.source.as_ref() == Some(&delivered.source));
    month.received_at = current.map(|drop| drop.delivered_at);
    let files = match drop::read_files(&bucket.store, period, &drop_id).await {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::Reconcile => {
            let note = format!("bucket, drop {drop_id}: {error}");
            month.note(ComparisonStatus::Differs, note);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let totals = &files.content.totals;
    month.bucket = Some(SideTotals::from(&totals.sum().map_err(overflow)?));
    let granularity = recorded
        .and_then(|drop| drop.source.as_ref())
        .map_or(delivered.source.granularity, |source| source.granularity);
    let Err(difference) = compare_content(delivered, &files.content, granularity).await? else {
        return Ok(());
    };
    if recorded.is_some_and(|drop| drop.pinned && drop.drop_id == drop_id.as_str()) {
        month.note(
            ComparisonStatus::Pinned,
            format!("bucket: drop {drop_id} stays active until the month is delivered by name"),
        );
    } else {
        // The next delivery replaces a drop of other line items, and one that lost a file.
        let hint = match current {
            Some(_) => "delete the files of the drop, then run `billstream deliver`",
            None => "run `billstream deliver`",
        };
        month.note(
            ComparisonStatus::Differs,
            format!("bucket, drop {drop_id}: {difference}: {hint}"),
        );
    }
    Ok(())
}

/// Compares the totals, then the rows of a drop with the published line items. The inner result has the difference.
async fn compare_content(
    delivered: &DeliveredMonth<'_>,
    content: &DropContent,
    granularity: Granularity,
) -> Result<Result<()>> {
    let is_daily = granularity == Granularity::Daily;
    let totals = read_back::reconcile(&delivered.totals, &content.totals, is_daily);
    if totals.is_err() {
        return Ok(totals);
    }
    let rows = delivered.line_items.row_digests(granularity).await?;
    Ok(read_back::reconcile_rows(&rows, &content.rows))
}

/// Compares the rows of CloudZero's stream with the published line items.
pub(super) async fn compare_stream(
    delivered: &DeliveredMonth<'_>,
    month: &mut MonthComparison,
) -> Result<()> {
    let run = delivered.line_items.run;
    let destinations = &run.destinations;
    let (Some(connection), Some(_)) = (&destinations.stream, &destinations.api) else {
        month
            .notes
            .push("stream: not compared, CLOUDZERO_API_KEY is not set".into());
        return Ok(());
    };
    let expected = sum_by_hour(&delivered.line_items, &delivered.totals).await?;
    let mut stream = month_forms::open_stream(run).await?;
    let actual = stream.fetch_totals(delivered.line_items.period).await;
    month_forms::remember(run, &stream).await;
    let actual = actual?;
    let totals = SideTotals::from(&actual.sum().map_err(overflow)?);
    month.stream = Some(if actual.has_usage() {
        totals
    } else {
        totals.without_usage()
    });
    let sent = delivered.state.stream.as_ref();
    let sent = sent.filter(|sent| sent.target == *connection);
    let current = sent.filter(|sent| sent.source == delivered.source);
    month.received_at = current.and_then(|sent| sent.acknowledged_at);
    let Some(first) = expected.differences(&actual).next() else {
        return Ok(());
    };
    if sent.is_some_and(|sent| sent.pinned) && HourlyTotals::default().matches(&actual) {
        month.note(
            ComparisonStatus::Pinned,
            "stream: cleared until the month is delivered by name",
        );
        return Ok(());
    }
    month.note(
        month.status_if_missing((run.clock)()),
        format!(
            "stream, {}: published {}; CloudZero holds {}",
            format_timestamp(first.hour),
            first.expected,
            first.actual
        ),
    );
    Ok(())
}
