//! The hours of a month as they are delivered, added up.

use std::collections::BTreeMap;

use datafusion::prelude::ident;
use futures::StreamExt;

use crate::cloudzero::columns::{Column, columns, iso};
use crate::cloudzero::read_back::{LineItemTotals, LineItemTotalsByGroup};
use crate::cloudzero::stream_contents::{Hours, hour_of};
use crate::error::{Error, Result};
use crate::pipeline::deliver::source::Published;
use crate::store::runs::{DaySums, Granularity};
use crate::{decimal, engine};

/// The hours of the month, added up from its columns and compared with `totals`, those of what is
/// published.
///
/// # Errors
/// Kind reconcile, when the hours do not add up to the published days.
pub async fn added_up(published: &Published<'_>, totals: &LineItemTotalsByGroup) -> Result<Hours> {
    let mut hours = Hours::new();
    let what = format!("line items of {}", published.period);
    let partitions = published.job.limits.partitions;
    let frame = published.line_items(&published.files, partitions).await?;
    let needed = [
        "time/usage_start",
        "cost/cost",
        "cost/discounted_cost",
        "cost/on_demand_cost",
    ];
    let frame = frame
        .select(needed.map(ident))
        .map_err(|e| engine::failed(&what, &e))?;
    let mut stream = engine::within(published.job.limits, &what, frame.execute_stream()).await?;
    let too_large = || Error::reconcile(format!("{what}: a sum is too large"));
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| engine::failed(&what, &e))?;
        let columns = columns(&batch)?;
        let [
            Column::Time(start),
            Column::Number(cost),
            Column::Number(discounted),
            Column::Number(on_demand),
        ] = columns.as_slice()
        else {
            return Err(Error::bug(format!("{what}: unexpected columns")));
        };
        for row in 0..batch.num_rows() {
            let sums = LineItemTotals {
                rows: 1,
                cost: cost.value(row),
                discounted: discounted.value(row),
                on_demand: on_demand.value(row),
            };
            let hour = hours.entry(hour_of(start.value(row))).or_default();
            hour.add(&sums).ok_or_else(too_large)?;
        }
    }
    let mut wanted: BTreeMap<String, LineItemTotals> = BTreeMap::new();
    for ((day, _, _), sums) in totals {
        let day = wanted.entry(day.clone()).or_default();
        day.add(sums).ok_or_else(too_large)?;
    }
    let daily = published.job.targets.granularity == Granularity::Daily;
    for (day, got) in by_day(&hours) {
        let mut expected = wanted.remove(&day).unwrap_or_default();
        if !daily {
            expected.rows = got.rows;
        }
        if expected != got {
            return Err(Error::reconcile(format!(
                "{what}: {day} adds up to {got}, published are {expected}"
            )));
        }
    }
    match wanted.pop_first() {
        None => Ok(hours),
        Some((day, sums)) => Err(Error::reconcile(format!(
            "{what}: {day} is missing, published are {sums}"
        ))),
    }
}

fn by_day(hours: &Hours) -> BTreeMap<String, LineItemTotals> {
    let mut days: BTreeMap<String, LineItemTotals> = BTreeMap::new();
    for (hour, sums) in hours {
        let day = iso(*hour).chars().take(10).collect();
        // CostTotals of a day that did not fit would not have fitted when they were published.
        let _ = days.entry(day).or_default().add(sums);
    }
    days
}

/// The days of a delivery, for its record.
pub fn days(hours: &Hours) -> Vec<DaySums> {
    let sums = by_day(hours).into_iter().map(|(day, sums)| DaySums {
        day,
        rows: sums.rows,
        cost: decimal::to_plain_string(sums.cost),
        discounted_cost: decimal::to_plain_string(sums.discounted),
        on_demand_cost: decimal::to_plain_string(sums.on_demand),
    });
    sums.collect()
}
