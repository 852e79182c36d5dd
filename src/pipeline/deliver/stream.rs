//! Stream destination: sends a month as repeatable requests and checks that the stream holds it afterwards.
//!
//! A month that fits one body replaces the drop. A larger month is replaced hour by hour; hours that the stream
//! holds but the month no longer has get a row without costs. The record of a delivery is opened before the
//! first request and closed once the stream was seen to hold exactly what was sent.

use std::time::Duration;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::IdempotencyKey;
use crate::cloudzero::request_bodies::{
    MAX_BODY_BYTES, RequestBatcher, RequestBody, StreamOperation, envelope_len,
};
use crate::cloudzero::stream::{Stream, Upload, Verdict};
use crate::cloudzero::totals::{HourDifference, HourlyTotals};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::DeliverOptions;
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus, DestinationKind};
use crate::pipeline::deliver::hourly_totals::{recorded_days, sum_by_hour};
use crate::pipeline::deliver::month_forms::{open_stream, remember};
use crate::pipeline::deliver::request_batches::{
    RequestBodies, RequestPlan, clearing_row, first_hour,
};
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::store::runs::{self, MonthState, Source, StreamState};

/// First wait between two looks at the stream; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

fn delivery(stream: &Stream<'_>, period: BillingPeriod, status: DeliveryStatus) -> Delivery {
    let place = stream.connection().to_string();
    Delivery::new(period, DestinationKind::Stream, place, status)
}

/// Sends the month, unless the stream already holds it.
///
/// # Errors
/// Kind `Data` for a month that the stream does not accept; those of [`Stream::post`]. After a failure the next
/// run sends the whole month again.
pub(super) async fn deliver(
    published: &PublishedLineItems<'_>,
    source: &Source,
    state: &mut MonthState,
    options: DeliverOptions,
) -> Result<Delivery> {
    let mut stream = open_stream(published.run).await?;
    let delivered = deliver_to(&mut stream, published, source, state, options).await;
    if !options.dry_run {
        remember(published.run, &stream).await;
    }
    delivered
}

async fn deliver_to(
    stream: &mut Stream<'_>,
    published: &PublishedLineItems<'_>,
    source: &Source,
    state: &mut MonthState,
    options: DeliverOptions,
) -> Result<Delivery> {
    let (run, period) = (published.run, published.period);
    let mut delivery = delivery(stream, period, DeliveryStatus::Unchanged);
    let sent = state
        .stream
        .as_ref()
        .filter(|sent| sent.target == stream.connection());
    if sent.is_some_and(|sent| sent.pinned) && !options.by_name {
        delivery.status = DeliveryStatus::Pinned;
        return Ok(delivery);
    }
    let hours = sum_by_hour(published, &published.checked_totals().await?).await?;
    // Equal totals do not prove equal rows, so a month that was not fully acknowledged is sent again.
    let acknowledged = sent.filter(|sent| sent.source == *source && sent.acknowledged_at.is_some());
    if let Some(sent) = acknowledged {
        (run.progress)(format!("{period}: comparing with CloudZero's stream"));
        if hours.matches(&stream.fetch_totals(period).await?) {
            if sent.closed_at.is_none() && !options.dry_run {
                close(run, period, state).await?;
                delivery.status = DeliveryStatus::Delivered;
            }
            delivery.rows = hours.rows();
            return Ok(delivery);
        }
    }
    let mut plan = RequestPlan::new(published, hours).await?;
    plan.clear_lost_hours(published, &stream.fetch_totals(period).await?)
        .await?;
    delivery.rows = plan.rows;
    delivery.parts = plan.requests;
    delivery.bytes = plan.bytes;
    if options.dry_run {
        delivery.status = DeliveryStatus::DryRun;
        return Ok(delivery);
    }
    state.stream = Some(StreamState {
        source: source.clone(),
        rows: plan.rows,
        days: recorded_days(&plan.hours)?,
        ..open_record(run, stream, period)
    });
    runs::save_month_state(&run.fence()?, period, state).await?;
    let attempt = attempt(run, period);
    delivery.bytes = send(published, stream, &plan, &attempt, options.skip_validation).await?;
    if let Some(sent) = &mut state.stream {
        sent.acknowledged_at = Some((run.clock)());
    }
    runs::save_month_state(&run.fence()?, period, state).await?;
    let limit = run.destinations.read_back;
    let difference = difference_after(stream, period, &plan.hours, limit).await?;
    if difference.is_none() {
        close(run, period, state).await?;
        delivery.status = DeliveryStatus::Delivered;
    } else {
        tracing::warn!(
            stream = stream.connection(),
            "CloudZero accepted all requests but does not show them yet; the next run checks again"
        );
        delivery.status = DeliveryStatus::Pending;
    }
    Ok(delivery)
}

/// Name of a delivery attempt.
fn attempt(run: &RunContext, period: BillingPeriod) -> String {
    format!("{}-{period}", run.run)
}

/// Record of a delivery before its first request.
fn open_record(run: &RunContext, stream: &Stream<'_>, period: BillingPeriod) -> StreamState {
    StreamState {
        target: stream.connection().to_string(),
        attempt: attempt(run, period),
        source: Source::default(),
        opened_at: (run.clock)(),
        acknowledged_at: None,
        closed_at: None,
        rows: 0,
        days: Vec::new(),
        pinned: false,
    }
}

async fn close(run: &RunContext, period: BillingPeriod, state: &mut MonthState) -> Result<()> {
    if let Some(sent) = &mut state.stream {
        sent.closed_at = Some((run.clock)());
    }
    runs::save_month_state(&run.fence()?, period, state).await
}

/// Lets CloudZero validate all bodies unless validation is skipped, then sends them one at a time. Returns the number of
/// bytes sent. `attempt` is the prefix of the idempotency keys.
pub(super) async fn send(
    published: &PublishedLineItems<'_>,
    stream: &mut Stream<'_>,
    plan: &RequestPlan,
    attempt: &str,
    skip_validation: bool,
) -> Result<u64> {
    let (run, period) = (published.run, published.period);
    if !skip_validation {
        validate(published, stream, plan).await?;
    }
    let total = plan.requests;
    let mut bodies = RequestBodies::open(published, &plan.lost_hours).await?;
    let (mut number, mut bytes) = (0, 0);
    while let Some(body) = bodies.next().await? {
        number += 1;
        (run.progress)(format!("{period}: sending request {number} of {total}"));
        let operation = format!(
            "sending request {number} of {total} for {period} to CloudZero's stream `{}`",
            stream.connection()
        );
        let key = IdempotencyKey::new(attempt, number);
        run.fence()?.confirm().await?;
        let upload = upload(period, plan.operation, &body);
        bytes += stream.post(&operation, upload, key).await?;
    }
    Ok(bytes)
}

/// Lets CloudZero validate all bodies. Objections to signs are logged, once for the month: CloudZero's guide asks for
/// negative amounts.
async fn validate(
    published: &PublishedLineItems<'_>,
    stream: &mut Stream<'_>,
    plan: &RequestPlan,
) -> Result<()> {
    let (run, period, total) = (published.run, published.period, plan.requests);
    let mut bodies = RequestBodies::open(published, &plan.lost_hours).await?;
    let (mut number, mut refuses_signs) = (0, false);
    while let Some(body) = bodies.next().await? {
        number += 1;
        (run.progress)(format!("{period}: validating request {number} of {total}"));
        let operation = format!("validating request {number} of {total} for {period}");
        let upload = upload(period, plan.operation, &body);
        let verdict = stream.validate(&operation, upload).await?;
        refuses_signs |= verdict == Verdict::RefusesSigns;
    }
    if refuses_signs {
        tracing::warn!(
            stream = stream.connection(),
            "CloudZero's validator objects to negative amounts only; sending them, as CloudZero's guide does"
        );
    }
    Ok(())
}

fn upload(period: BillingPeriod, operation: StreamOperation, body: &RequestBody) -> Upload<'_> {
    Upload {
        period,
        operation,
        body,
    }
}

/// Waits up to `limit` until the stream shows exactly these hours. Returns the first that differs then, if one does.
pub(super) async fn difference_after(
    stream: &mut Stream<'_>,
    period: BillingPeriod,
    hours: &HourlyTotals,
    limit: Duration,
) -> Result<Option<HourDifference>> {
    let (mut waited, mut wait) = (Duration::ZERO, FIRST_WAIT);
    loop {
        let shown = stream.fetch_totals(period).await?;
        let difference = hours.differences(&shown).next();
        if difference.is_none() || waited + wait > limit {
            return Ok(difference);
        }
        stream.client().sleep(wait).await;
        waited += wait;
        wait *= 2;
    }
}

/// Replaces the month with one row without costs, and pins it until the month is delivered by name.
///
/// # Errors
/// Those of [`Stream::post`].
pub(crate) async fn clear(
    run: &RunContext,
    period: BillingPeriod,
    dry_run: bool,
) -> Result<Delivery> {
    let mut stream = open_stream(run).await?;
    let body = clearing_body(period)?;
    let operation = StreamOperation::ReplaceDrop;
    let upload = upload(period, operation, &body);
    let bytes = body.data.len() + envelope_len(period, operation);
    let mut delivery = Delivery {
        parts: 1,
        bytes: bytes as u64,
        ..delivery(&stream, period, DeliveryStatus::Cleared)
    };
    if dry_run {
        return Ok(delivery);
    }
    run.destinations.claim(run).await?;
    let mut state = runs::month_state(&run.store, &run.connection, period).await?;
    let cleared = StreamState {
        pinned: true,
        ..open_record(run, &stream, period)
    };
    let key = IdempotencyKey::new(&cleared.attempt, 1);
    let before = state.stream.replace(cleared);
    // The pin is recorded first, so that the next run does not send the month again if this one crashes.
    runs::save_month_state(&run.fence()?, period, &state).await?;
    let operation = format!(
        "clearing {period} of CloudZero's stream `{}`",
        stream.connection()
    );
    let sent = stream.post(&operation, upload, key).await;
    remember(run, &stream).await;
    let now = (run.clock)();
    state.stream = match (&sent, state.stream, before) {
        (Ok(_), Some(cleared), _) => Some(StreamState {
            acknowledged_at: Some(now),
            closed_at: Some(now),
            ..cleared
        }),
        // The content of the stream is unknown now, so the next run sends the previous month again.
        (_, _, before) => before.map(|before| StreamState {
            acknowledged_at: None,
            closed_at: None,
            ..before
        }),
    };
    runs::save_month_state(&run.fence()?, period, &state).await?;
    delivery.bytes = sent?;
    Ok(delivery)
}

fn clearing_body(period: BillingPeriod) -> Result<RequestBody> {
    let hour = first_hour(period);
    let mut batcher = RequestBatcher::new(period, MAX_BODY_BYTES);
    batcher.push(hour, &clearing_row(hour))?;
    batcher
        .finish()
        .ok_or_else(|| Error::bug("no row to clear the stream with"))
}
