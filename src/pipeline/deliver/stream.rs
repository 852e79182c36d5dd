//! The stream: a month as requests, each of which may be repeated, and seen to be held afterwards.
//!
//! A month that fits one body replaces the drop. A larger one goes hour by hour; hours that CloudZero
//! holds and the month lost get a row that costs nothing. The record of the delivery opens before the
//! first request and closes once CloudZero was seen to hold exactly what was sent.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::ident;
use futures::StreamExt;

use super::super::Job;
use super::source::Published;
use super::{Delivery, Status, Target, Wish};
use crate::cloudzero::bodies::{
    Body, MAX_BODY_BYTES, MAX_MONTH_BYTES, MAX_MONTH_ROWS, Operation, Packer,
};
use crate::cloudzero::client::{Client, IdempotencyKey};
use crate::cloudzero::columns::{Column, columns, iso};
use crate::cloudzero::held::{self, Hours, hour_of};
use crate::cloudzero::read_back::LineSums;
use crate::cloudzero::rows::each_row;
use crate::cloudzero::stream::Stream;
use crate::confluent::windows::BillingPeriod;
use crate::decimal;
use crate::engine;
use crate::error::{Error, Result};
use crate::store::runs::{self, DaySums, Granularity, MonthState, Source, StreamState};

/// A line item that empties an hour.
const EMPTIED: &str = "No costs in this hour any more";

fn target(job: &Job) -> Result<(&str, &Client)> {
    match (&job.targets.stream, &job.targets.api) {
        (Some(stream), Some(api)) => Ok((stream, api)),
        _ => Err(Error::bug("no stream target")),
    }
}

/// What a month comes to before anything is sent.
struct Plan {
    hours: Hours,
    rows: u64,
    requests: usize,
    /// Bytes of all requests.
    bytes: u64,
    /// Hours that CloudZero holds and the month lost.
    lost: Vec<i64>,
    operation: Operation,
}

/// Sends the month, unless CloudZero holds it already.
///
/// # Errors
/// Class data, for a month that the stream does not take; as [`Client::post`] for requests. What was
/// sent stays, and the next run sends all of it again.
pub async fn deliver(
    published: &Published<'_>,
    source: &Source,
    state: &mut MonthState,
    wish: Wish,
) -> Result<Delivery> {
    let (job, period) = (published.job, published.period);
    let (connection, client) = target(job)?;
    let stream = Stream { client, connection };
    let mut made = Delivery {
        billing_period: period,
        target: Target::Stream,
        place: connection.to_string(),
        status: Status::Unchanged,
        drop_id: None,
        parts: 0,
        rows: 0,
        bytes: 0,
    };
    let sent = state
        .stream
        .as_ref()
        .filter(|sent| sent.target == connection);
    if sent.is_some_and(|sent| sent.pinned) && !wish.named {
        made.status = Status::Pinned;
        return Ok(made);
    }
    let hours = added_up(published).await?;
    // Equal sums do not make equal rows: what was not acknowledged is sent again.
    let acknowledged = sent.filter(|sent| sent.source == *source && sent.acknowledged_at.is_some());
    if let Some(sent) = acknowledged {
        (job.progress)(format!("{period}: comparing with CloudZero's stream"));
        if held::equal(&hours, &stream.held(period).await?) {
            if sent.closed_at.is_none() && !wish.dry_run {
                close(job, period, state).await?;
                made.status = Status::Delivered;
            }
            made.rows = hours.values().map(|sums| sums.rows).sum();
            return Ok(made);
        }
    }
    let mut plan = plan(published, hours).await?;
    plan.empty_lost_hours(published, &stream.held(period).await?)
        .await?;
    made.rows = plan.rows;
    made.parts = plan.requests;
    made.bytes = plan.bytes;
    if wish.dry_run {
        made.status = Status::DryRun;
        return Ok(made);
    }
    state.stream = Some(StreamState {
        target: connection.to_string(),
        attempt: format!("{}-{period}", job.run),
        source: source.clone(),
        opened_at: (job.clock)(),
        acknowledged_at: None,
        closed_at: None,
        rows: plan.rows,
        days: days(&plan.hours),
        pinned: false,
    });
    runs::save_month_state(&job.store, &job.connection, period, state).await?;
    send(published, &stream, &plan, state, wish).await?;
    if let Some(sent) = &mut state.stream {
        sent.acknowledged_at = Some((job.clock)());
    }
    runs::save_month_state(&job.store, &job.connection, period, state).await?;
    made.status = if shows(&stream, period, &plan.hours, job.targets.read_back).await? {
        close(job, period, state).await?;
        Status::Delivered
    } else {
        tracing::warn!(%period, "CloudZero took all of it and does not show it yet; the next run looks again.");
        Status::Pending
    };
    Ok(made)
}

async fn close(job: &Job, period: BillingPeriod, state: &mut MonthState) -> Result<()> {
    if let Some(sent) = &mut state.stream {
        sent.closed_at = Some((job.clock)());
    }
    runs::save_month_state(&job.store, &job.connection, period, state).await
}

/// The hours of the month, added up from its columns and compared with what is published.
///
/// # Errors
/// Class reconcile, when the hours do not add up to the published days.
pub async fn added_up(published: &Published<'_>) -> Result<Hours> {
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
            let sums = LineSums {
                rows: 1,
                cost: cost.value(row),
                discounted: discounted.value(row),
                on_demand: on_demand.value(row),
            };
            let hour = hours.entry(hour_of(start.value(row))).or_default();
            hour.add(&sums).ok_or_else(too_large)?;
        }
    }
    let mut wanted: BTreeMap<String, LineSums> = BTreeMap::new();
    for ((day, _, _), sums) in published.totals().await? {
        wanted
            .entry(day)
            .or_default()
            .add(&sums)
            .ok_or_else(too_large)?;
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

fn by_day(hours: &Hours) -> BTreeMap<String, LineSums> {
    let mut days: BTreeMap<String, LineSums> = BTreeMap::new();
    for (hour, sums) in hours {
        let day = iso(*hour).chars().take(10).collect();
        // Sums of a day that did not fit would not have fitted when they were published.
        let _ = days.entry(day).or_default().add(sums);
    }
    days
}

fn days(hours: &Hours) -> Vec<DaySums> {
    let sums = by_day(hours).into_iter().map(|(day, sums)| DaySums {
        day,
        rows: sums.rows,
        cost: decimal::plain(sums.cost),
        discounted_cost: decimal::plain(sums.discounted),
        on_demand_cost: decimal::plain(sums.on_demand),
    });
    sums.collect()
}

/// Packs the month without keeping it, to know its size before the first request.
async fn plan(published: &Published<'_>, hours: Hours) -> Result<Plan> {
    let period = published.period;
    let mut plan = Plan {
        rows: hours.values().map(|sums| sums.rows).sum(),
        hours,
        requests: 0,
        bytes: 0,
        lost: Vec::new(),
        operation: Operation::ReplaceDrop,
    };
    let limit = |what: String, most: String| {
        Error::data(format!(
            "{period} has {what}; CloudZero's Stream takes {most} a month"
        ))
        .with_hint("deliver this connection through a bucket, which has no such limit")
    };
    if plan.rows > MAX_MONTH_ROWS {
        return Err(limit(
            format!("{} line items", plan.rows),
            MAX_MONTH_ROWS.to_string(),
        ));
    }
    measure(published, &mut plan).await?;
    if plan.bytes > MAX_MONTH_BYTES {
        let most = format!("{} MB", MAX_MONTH_BYTES / 1_000_000);
        return Err(limit(format!("{} MB", plan.bytes / 1_000_000), most));
    }
    if plan.requests > 1 {
        plan.operation = Operation::ReplaceHourly;
    }
    Ok(plan)
}

impl Plan {
    /// Adds the hours that CloudZero holds and the month lost, where the month goes hour by hour.
    async fn empty_lost_hours(&mut self, published: &Published<'_>, held: &Hours) -> Result<()> {
        let lost = |(hour, sums): (&i64, &LineSums)| {
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

async fn measure(published: &Published<'_>, plan: &mut Plan) -> Result<()> {
    let mut bodies = Bodies::open(published, &plan.lost).await?;
    (plan.requests, plan.bytes) = (0, 0);
    while let Some(body) = bodies.next().await? {
        plan.requests += 1;
        plan.bytes += body.text(published.period, plan.operation).len() as u64;
    }
    Ok(())
}

/// Has CloudZero validate all bodies, then sends them, one at a time.
async fn send(
    published: &Published<'_>,
    stream: &Stream<'_>,
    plan: &Plan,
    state: &MonthState,
    wish: Wish,
) -> Result<()> {
    let (job, period) = (published.job, published.period);
    let total = plan.requests;
    if !wish.unvalidated {
        let mut bodies = Bodies::open(published, &plan.lost).await?;
        let mut number = 0;
        while let Some(body) = bodies.next().await? {
            number += 1;
            (job.progress)(format!("{period}: validating request {number} of {total}"));
            let asked = format!("validating request {number} of {total} for {period}");
            stream
                .validate(&asked, body.text(period, plan.operation))
                .await?;
        }
    }
    let attempt = state
        .stream
        .as_ref()
        .map_or("", |sent| sent.attempt.as_str());
    let mut bodies = Bodies::open(published, &plan.lost).await?;
    let mut number = 0;
    while let Some(body) = bodies.next().await? {
        number += 1;
        (job.progress)(format!("{period}: sending request {number} of {total}"));
        let asked = format!(
            "request {number} of {total} for {period} to CloudZero's stream `{}`",
            stream.connection
        );
        let key = IdempotencyKey::new(attempt, number);
        stream
            .post(&asked, body.text(period, plan.operation), key)
            .await?;
    }
    Ok(())
}

/// Whether CloudZero shows exactly these hours, within some time.
async fn shows(
    stream: &Stream<'_>,
    period: BillingPeriod,
    hours: &Hours,
    limit: Duration,
) -> Result<bool> {
    let (mut waited, mut wait) = (Duration::ZERO, Duration::from_secs(1));
    loop {
        if held::equal(hours, &stream.held(period).await?) {
            return Ok(true);
        }
        if waited + wait > limit {
            return Ok(false);
        }
        stream.client.sleep(wait).await;
        waited += wait;
        wait *= 2;
    }
}

/// Sends one row that costs nothing in place of the month, and keeps it so until the month is
/// delivered by name.
///
/// # Errors
/// As [`deliver`].
pub async fn clear(job: &Job, period: BillingPeriod, dry_run: bool) -> Result<Delivery> {
    let (connection, client) = target(job)?;
    let stream = Stream { client, connection };
    let first = period
        .first_day()
        .and_time(chrono::NaiveTime::MIN)
        .and_utc();
    let hour = first.timestamp_micros();
    let mut packer = Packer::new(period, MAX_BODY_BYTES);
    packer.push(hour, &emptying_row(hour))?;
    let body = packer
        .finish()
        .ok_or_else(|| Error::bug("no row to clear with"))?;
    let text = body.text(period, Operation::ReplaceDrop);
    let made = Delivery {
        billing_period: period,
        target: Target::Stream,
        place: connection.to_string(),
        status: Status::Cleared,
        drop_id: None,
        parts: 1,
        rows: 0,
        bytes: text.len() as u64,
    };
    if dry_run {
        return Ok(made);
    }
    job.targets.claim(&job.store, &job.connection).await?;
    let mut state = runs::month_state(&job.store, &job.connection, period).await?;
    let attempt = format!("{}-{period}", job.run);
    let asked = format!("clearing {period} of CloudZero's stream `{connection}`");
    stream
        .post(&asked, text, IdempotencyKey::new(&attempt, 1))
        .await?;
    let now = (job.clock)();
    state.stream = Some(StreamState {
        target: connection.to_string(),
        attempt,
        source: Source::default(),
        opened_at: now,
        acknowledged_at: Some(now),
        closed_at: Some(now),
        rows: 0,
        days: Vec::new(),
        pinned: true,
    });
    runs::save_month_state(&job.store, &job.connection, period, &state).await?;
    Ok(made)
}

fn emptying_row(hour: i64) -> Vec<u8> {
    let start = iso(hour);
    serde_json::json!({
        "lineitem/id": format!("billstream-emptied-{start}"),
        "lineitem/type": "Adjustment",
        "lineitem/description": EMPTIED,
        "time/usage_start": start,
        "cost/cost": "0",
        "cost/discounted_cost": "0",
        "cost/on_demand_cost": "0",
    })
    .to_string()
    .into_bytes()
}

/// The bodies of a month, one after the other, always the same ones.
struct Bodies {
    rows: SendableRecordBatchStream,
    /// `None` after the last row.
    packer: Option<Packer>,
    lost: VecDeque<i64>,
    ready: VecDeque<Body>,
    what: String,
}

impl Bodies {
    async fn open(published: &Published<'_>, lost: &[i64]) -> Result<Bodies> {
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
            packer: Some(Packer::new(published.period, MAX_BODY_BYTES)),
            lost: lost.iter().copied().collect(),
            ready: VecDeque::new(),
            what,
        })
    }

    async fn next(&mut self) -> Result<Option<Body>> {
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
                    self.ready.extend(packer.finish());
                }
            }
        }
    }

    fn empty_hours(&mut self, packer: &mut Packer, which: impl Fn(i64) -> bool) -> Result<()> {
        while let Some(hour) = self.lost.front().copied().filter(|hour| which(*hour)) {
            self.lost.pop_front();
            self.ready.extend(packer.push(hour, &emptying_row(hour))?);
        }
        Ok(())
    }
}
