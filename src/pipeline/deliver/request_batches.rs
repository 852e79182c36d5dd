//! A month as request bodies, regenerated on every pass and never buffered as a whole.

use std::collections::VecDeque;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::ident;
use futures::StreamExt;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::columns::{format_timestamp, hour_start};
use crate::cloudzero::request_bodies::{
    MAX_BODY_BYTES, MAX_MONTH_BYTES, MAX_MONTH_ROWS, RequestBatcher, RequestBody, StreamOperation,
    envelope_len,
};
use crate::cloudzero::rows::each_row;
use crate::cloudzero::totals::HourlyTotals;
use crate::engine;
use crate::error::{Error, Result};
use crate::pipeline::deliver::source::PublishedLineItems;

/// Size and effect of a delivery, known before the first request.
pub(super) struct RequestPlan {
    /// Totals that the stream shall hold.
    pub(super) hours: HourlyTotals,
    /// Number of line items.
    pub(super) rows: u64,
    /// Number of requests.
    pub(super) requests: usize,
    /// Bytes of all requests.
    pub(super) bytes: u64,
    /// Hours that the stream holds but the month no longer has.
    pub(super) lost_hours: Vec<i64>,
    pub(super) operation: StreamOperation,
}

impl RequestPlan {
    /// Measures the month in one pass, before the first request.
    ///
    /// # Errors
    /// Kind `Data` for a month that exceeds the limits of the stream.
    pub(super) async fn new(
        published: &PublishedLineItems<'_>,
        hours: HourlyTotals,
    ) -> Result<RequestPlan> {
        let mut plan = RequestPlan {
            rows: hours.rows(),
            hours,
            requests: 0,
            bytes: 0,
            lost_hours: Vec::new(),
            operation: StreamOperation::ReplaceDrop,
        };
        if plan.rows > MAX_MONTH_ROWS {
            return Err(exceeds_limit(
                published.period,
                &format!("{} line items", plan.rows),
                &MAX_MONTH_ROWS.to_string(),
            ));
        }
        plan.measure(published).await?;
        Ok(plan)
    }

    /// Adds the hours that the stream holds but the month no longer has, if the month is replaced by hours.
    pub(super) async fn clear_lost_hours(
        &mut self,
        published: &PublishedLineItems<'_>,
        actual: &HourlyTotals,
    ) -> Result<()> {
        let lost = actual.iter().filter(|(hour, totals)| {
            let is_cleared = totals.rows <= 1 && totals.has_zero_costs();
            !self.hours.contains(*hour) && !is_cleared
        });
        let lost: Vec<i64> = lost.map(|(hour, _)| hour).collect();
        if self.operation == StreamOperation::ReplaceDrop || lost.is_empty() {
            return Ok(());
        }
        self.lost_hours = lost;
        self.measure(published).await
    }

    /// Counts all bodies, whose number decides the operation.
    async fn measure(&mut self, published: &PublishedLineItems<'_>) -> Result<()> {
        let period = published.period;
        let mut bodies = RequestBodies::open(published, &self.lost_hours).await?;
        let mut data = 0;
        self.requests = 0;
        while let Some(body) = bodies.next().await? {
            self.requests += 1;
            data += body.data.len();
        }
        self.operation = if self.requests > 1 {
            StreamOperation::ReplaceHourly
        } else {
            StreamOperation::ReplaceDrop
        };
        self.bytes = (data + self.requests * envelope_len(period, self.operation)) as u64;
        if self.bytes > MAX_MONTH_BYTES {
            return Err(exceeds_limit(
                period,
                &format!("{} MB", self.bytes / 1_000_000),
                &format!("{} MB", MAX_MONTH_BYTES / 1_000_000),
            ));
        }
        Ok(())
    }
}

fn exceeds_limit(period: BillingPeriod, size: &str, limit: &str) -> Error {
    Error::data(format!(
        "{period} has {size}; CloudZero's stream accepts {limit} per month"
    ))
    .with_hint("deliver this connection through a bucket, which has no such limit")
}

/// Returns the first hour of a month, in microseconds since 1970.
pub(super) fn first_hour(period: BillingPeriod) -> i64 {
    let first = period.first_day().and_time(chrono::NaiveTime::MIN);
    first.and_utc().timestamp_micros()
}

/// Returns a line item without costs, which clears an hour.
pub(super) fn clearing_row(hour: i64) -> Vec<u8> {
    let start = format_timestamp(hour);
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

/// Request bodies of a month, one after the other; every pass returns the same ones.
pub(super) struct RequestBodies {
    batches: SendableRecordBatchStream,
    /// `None` after the last row.
    batcher: Option<RequestBatcher>,
    lost_hours: VecDeque<i64>,
    ready: VecDeque<RequestBody>,
    first_hour: i64,
    operation: String,
}

impl RequestBodies {
    /// Starts a pass over the month.
    pub(super) async fn open(
        published: &PublishedLineItems<'_>,
        lost_hours: &[i64],
    ) -> Result<RequestBodies> {
        let limits = published.run.limits;
        let operation = format!("reading line items of {}", published.period);
        let frame = published
            .line_items(&published.files, limits.partitions)
            .await?;
        let order = ["time/usage_start", "lineitem/id"].map(|name| ident(name).sort(true, false));
        let sorted = frame
            .sort(order.to_vec())
            .map_err(|e| engine::failed(&operation, &e))?;
        Ok(RequestBodies {
            batches: engine::within(limits, &operation, sorted.execute_stream()).await?,
            batcher: Some(RequestBatcher::new(published.period, MAX_BODY_BYTES)),
            lost_hours: lost_hours.iter().copied().collect(),
            ready: VecDeque::new(),
            first_hour: first_hour(published.period),
            operation,
        })
    }

    /// Returns the next body; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<RequestBody>> {
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Ok(Some(body));
            }
            let Some(mut batcher) = self.batcher.take() else {
                return Ok(None);
            };
            match self.batches.next().await {
                Some(batch) => {
                    let batch = batch.map_err(|e| engine::failed(&self.operation, &e))?;
                    each_row(&batch, |start, row| {
                        let hour = hour_start(start);
                        self.clear_hours(&mut batcher, |lost| lost < hour)?;
                        self.ready.extend(batcher.push(hour, row)?);
                        Ok(())
                    })?;
                    self.batcher = Some(batcher);
                }
                None => {
                    self.clear_hours(&mut batcher, |_| true)?;
                    if batcher.is_empty() {
                        // A month without line items still replaces the month before it.
                        batcher.push(self.first_hour, &clearing_row(self.first_hour))?;
                    }
                    self.ready.extend(batcher.finish());
                }
            }
        }
    }

    /// Adds clearing rows for the next lost hours, as long as they are `due`.
    fn clear_hours(
        &mut self,
        batcher: &mut RequestBatcher,
        due: impl Fn(i64) -> bool,
    ) -> Result<()> {
        while let Some(hour) = self.lost_hours.pop_front_if(|hour| due(*hour)) {
            let body = batcher.push(hour, &clearing_row(hour))?;
            self.ready.extend(body);
        }
        Ok(())
    }
}
