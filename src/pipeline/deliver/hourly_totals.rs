//! Totals of a month by hour, in the form in which it is delivered.

use arrow::array::{Array, Decimal128Array};
use datafusion::prelude::ident;
use futures::StreamExt;

use crate::cloudzero::columns::{LineItemColumn, typed_columns};
use crate::cloudzero::totals::{HourlyTotals, LineItemTotals, LineItemTotalsByGroup, SumOverflow};
use crate::decimal::{self, QuantitySum};
use crate::engine;
use crate::error::{Error, Result};
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::store::runs::{DaySums, Granularity};

/// Columns that are summed.
const SUMMED: [&str; 7] = [
    "time/usage_start",
    "cost/cost",
    "cost/discounted_cost",
    "cost/on_demand_cost",
    "usage/amount",
    "cost/amortized_cost",
    "cost/discounted_amortized_cost",
];

/// Sums the line items that are delivered by hour, and reconciles them with the published `totals`.
///
/// # Errors
/// Kind `Reconcile` if the hours of a day differ from the published day.
pub(crate) async fn sum_by_hour(
    published: &PublishedLineItems<'_>,
    totals: &LineItemTotalsByGroup,
) -> Result<HourlyTotals> {
    let operation = format!("summing line items of {}", published.period);
    let hours = sum_columns(published, &operation).await?;
    reconcile_days(published, totals, &hours, &operation)?;
    Ok(hours)
}

async fn sum_columns(published: &PublishedLineItems<'_>, operation: &str) -> Result<HourlyTotals> {
    let limits = published.run.limits;
    let frame = published
        .line_items(&published.files, limits.partitions)
        .await?
        .select(SUMMED.map(ident))
        .map_err(|e| engine::failed(operation, &e))?;
    let mut stream = engine::within(limits, operation, frame.execute_stream()).await?;
    let mut hours = HourlyTotals::default();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| engine::failed(operation, &e))?;
        let columns = typed_columns(&batch)?;
        let [
            LineItemColumn::Time(start),
            LineItemColumn::Number(cost),
            LineItemColumn::Number(discounted),
            LineItemColumn::Number(on_demand),
            LineItemColumn::Number(usage),
            LineItemColumn::Number(amortized),
            LineItemColumn::Number(discounted_amortized),
        ] = columns.as_slice()
        else {
            return Err(Error::bug(format!("{operation}: unexpected columns")));
        };
        for row in 0..batch.num_rows() {
            // Blank amortized costs fall back as in CloudZero.
            let amortized = value(amortized, row);
            let discounted_amortized = value(discounted_amortized, row).or(amortized);
            let totals = LineItemTotals {
                rows: 1,
                cost: cost.value(row),
                discounted: discounted.value(row),
                on_demand: on_demand.value(row),
                amortized: amortized.unwrap_or(cost.value(row)),
                discounted_amortized: discounted_amortized.unwrap_or(discounted.value(row)),
                usage: QuantitySum::of(value(usage, row).unwrap_or(0)),
            };
            hours
                .add(start.value(row), &totals)
                .map_err(|e| overflow(operation, e))?;
        }
    }
    Ok(hours)
}

fn value(column: &Decimal128Array, row: usize) -> Option<i128> {
    column.is_valid(row).then(|| column.value(row))
}

fn reconcile_days(
    published: &PublishedLineItems<'_>,
    totals: &LineItemTotalsByGroup,
    hours: &HourlyTotals,
    operation: &str,
) -> Result<()> {
    let is_hourly = published.run.destinations.granularity == Granularity::Hourly;
    let mut published_days = totals.by_day().map_err(|e| overflow(operation, e))?;
    for (day, actual) in hours.by_day().map_err(|e| overflow(operation, e))? {
        let mut expected = published_days.remove(&day).unwrap_or_default();
        if is_hourly {
            // A line item of a day becomes several of its hours.
            expected.rows = actual.rows;
        }
        if expected != actual {
            return Err(Error::reconcile(format!(
                "{operation}: {day} does not reconcile: published {expected}; to deliver {actual}"
            )));
        }
    }
    match published_days.pop_first() {
        None => Ok(()),
        Some((day, missing)) => Err(Error::reconcile(format!(
            "{operation}: {day} is missing: published {missing}"
        ))),
    }
}

fn overflow(operation: &str, error: SumOverflow) -> Error {
    Error::reconcile(format!("{operation}: {error}"))
}

/// Returns the totals of each day for the record of a delivery.
///
/// # Errors
/// Kind `Reconcile` for a sum that is too large.
pub(super) fn recorded_days(hours: &HourlyTotals) -> Result<Vec<DaySums>> {
    let days = hours
        .by_day()
        .map_err(|e| overflow("summing the days of a delivery", e))?;
    let recorded = days.into_iter().map(|(day, totals)| DaySums {
        day,
        rows: totals.rows,
        cost: decimal::to_plain_string(totals.cost),
        discounted_cost: decimal::to_plain_string(totals.discounted),
        on_demand_cost: decimal::to_plain_string(totals.on_demand),
    });
    Ok(recorded.collect())
}
