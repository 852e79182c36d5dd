//! A month as the bodies of requests, made anew each time they are needed, so that none is kept.

use std::collections::VecDeque;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::ident;
use futures::StreamExt;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::columns::iso;
use crate::cloudzero::read_back::LineItemTotals;
use crate::cloudzero::request_bodies::{
    Body, MAX_BODY_BYTES, MAX_MONTH_BYTES, MAX_MONTH_ROWS, Operation, RequestBatcher, around,
};
use crate::cloudzero::rows::each_row;
use crate::cloudzero::stream_contents::{Hours, hour_of};
use crate::engine;
use crate::error::{Error, Result};
use crate::pipeline::deliver::source::Published;

/// What a month comes to before anything is sent.
pub struct Plan {
    /// What CloudZero shall hold.
    pub hours: Hours,
    /// Line items.
    pub rows: u64,
    /// Bodies.
    pub requests: usize,
    /// Bytes of all requests.
    pub bytes: u64,
    /// Hours that CloudZero holds and the month lost.
    pub lost: Vec<i64>,
    /// What the bodies do.
    pub operation: Operation,
}

/// Packs the month without keeping it, to know its size before the first request.
///
/// # Errors
/// Kind data, for a month that the stream does not take.
pub async fn plan(published: &Published<'_>, hours: Hours) -> Result<Plan> {
    let period = published.period;
    let mut plan = Plan {
        rows: hours.values().map(|sums| sums.rows).sum(),
        hours,
        requests: 0,
        bytes: 0,
        lost: Vec::new(),
        operation: Operation::ReplaceDrop,
    };
    if plan.rows > MAX_MONTH_ROWS {
        return Err(too_large(
            period,
            format!("{} line items", plan.rows),
            MAX_MONTH_ROWS.to_string(),
        ));
    }
    measure(published, &mut plan).await?;
    Ok(plan)
}

fn too_large(period: BillingPeriod, what: String, most: String) -> Error {
    Error::data(format!(
        "{period} has {what}; CloudZero's Stream takes {most} a month"
    ))
    .with_hint("deliver this connection through a bucket, which has no such limit")
}

impl Plan {
    /// Adds the hours that CloudZero holds and the month lost, where the month goes hour by hour.
    pub async fn empty_lost_hours(
        &mut self,
        published: &Published<'_>,
        held: &Hours,
    ) -> Result<()> {
        let lost = |(hour, sums): (&i64, &LineItemTotals)| {
            // One row that costs nothing is what empties an hour.
            let empty = sums.rows <= 1 && sums.costs_nothing();
            (!self.hours.contains_key(hour) && !empty).then_some(*hour)
        };
        let lost: Vec<i64> = held.iter().filter_map(lost).collect();
        if self.operation == Operation::ReplaceDrop || lost.is_empty() {
            return Ok(());
        }
        self.lost = lost;
        measure(published, self).await
    }
}

/// Packs all bodies, and tells from their number what they do.
async fn measure(published: &Published<'_>, plan: &mut Plan) -> Result<()> {
    let period = published.period;
    let mut bodies = Bodies::open(published, &plan.lost).await?;
    let mut data = 0;
    plan.requests = 0;
    while let Some(body) = bodies.next().await? {
        plan.requests += 1;
        data += body.data.len();
    }
    plan.operation = match plan.requests {
        0 | 1 => Operation::ReplaceDrop,
        _ => Operation::ReplaceHourly,
    };
    plan.bytes = (data + plan.requests * around(period, plan.operation)) as u64;
    if plan.bytes > MAX_MONTH_BYTES {
        return Err(too_large(
            period,
            format!("{} MB", plan.bytes / 1_000_000),
            format!("{} MB", MAX_MONTH_BYTES / 1_000_000),
        ));
    }
    Ok(())
}

/// The first hour of a month, in microseconds since 1970.
pub fn first_hour(period: BillingPeriod) -> i64 {
    let first = period.first_day().and_time(chrono::NaiveTime::MIN);
    first.and_utc().timestamp_micros()
}

/// A line item that empties an hour.
pub fn emptying_row(hour: i64) -> Vec<u8> {
    let start = iso(hour);
    serde_json::json!({
        "lineitem/id": format!("billstream-emptied-{start}"),
        "lineitem/type": "Adjustment",
        "lineitem/description": "No costs in this hour any more",
        "time/usage_start": start,
        "cost/cost": "0",
        "cost/discounted_cost": "0",
        "cost/on_demand_cost": "0",
    })
    .to_string()
    .into_bytes()
}

/// The bodies of a month, one after the other, always the same ones.
pub struct Bodies {
    rows: SendableRecordBatchStream,
    /// `None` after the last row.
    packer: Option<RequestBatcher>,
    lost: VecDeque<i64>,
    ready: VecDeque<Body>,
    first_hour: i64,
    what: String,
}

impl Bodies {
    /// Begins with the first one.
    pub async fn open(published: &Published<'_>, lost: &[i64]) -> Result<Bodies> {
        let limits = published.job.limits;
        let what = format!("line items of {}", published.period);
        let frame = published
            .line_items(&published.files, limits.partitions)
            .await?;
        let order = ["time/usage_start", "lineitem/id"].map(|name| ident(name).sort(true, false));
        let sorted = frame
            .sort(order.to_vec())
            .map_err(|e| engine::failed(&what, &e))?;
        Ok(Bodies {
            rows: engine::within(limits, &what, sorted.execute_stream()).await?,
            packer: Some(RequestBatcher::new(published.period, MAX_BODY_BYTES)),
            lost: lost.iter().copied().collect(),
            ready: VecDeque::new(),
            first_hour: first_hour(published.period),
            what,
        })
    }

    /// The next one; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Body>> {
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Ok(Some(body));
            }
            let Some(mut packer) = self.packer.take() else {
                return Ok(None);
            };
            match self.rows.next().await {
                Some(batch) => {
                    let batch = batch.map_err(|e| engine::failed(&self.what, &e))?;
                    each_row(&batch, |start, row| {
                        let hour = hour_of(start);
                        self.empty_hours(&mut packer, |lost| lost < hour)?;
                        self.ready.extend(packer.push(hour, row)?);
                        Ok(())
                    })?;
                    self.packer = Some(packer);
                }
                None => {
                    self.empty_hours(&mut packer, |_| true)?;
                    if packer.is_empty() {
                        // A month without line items replaces what was there before it.
                        packer.push(self.first_hour, &emptying_row(self.first_hour))?;
                    }
                    self.ready.extend(packer.finish());
                }
            }
        }
    }

    fn empty_hours(
        &mut self,
        packer: &mut RequestBatcher,
        which: impl Fn(i64) -> bool,
    ) -> Result<()> {
        while let Some(hour) = self.lost.front().copied().filter(|hour| which(*hour)) {
            self.lost.pop_front();
            self.ready.extend(packer.push(hour, &emptying_row(hour))?);
        }
        Ok(())
    }
}
