//! Stream destination: sends a month as repeatable requests and checks that the stream holds it afterwards.
//!
//! A month that fits one body replaces the drop. A larger month is replaced hour by hour; hours that the stream
//! holds but the month no longer has get a row without costs. The record of a delivery is opened before the
//! first request and closed once the stream was seen to hold exactly what was sent.

use std::time::Duration;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::IdempotencyKey;
use crate::cloudzero::request_bodies::{MAX_BODY_BYTES, RequestBatcher, StreamOperation};
use crate::cloudzero::stream::Stream;
use crate::cloudzero::totals::HourlyTotals;
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::DeliverOptions;
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus, DestinationKind};
use crate::pipeline::deliver::hourly_totals::{recorded_days, sum_by_hour};
use crate::pipeline::deliver::request_batches::{
    RequestBodies, RequestPlan, clearing_row, first_hour,
};
use crate::pipeline::deliver::source::PublishedLineItems;
use crate::store::runs::{self, MonthState, Source, StreamState};

/// First wait between two looks at the stream; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

fn destination(run: &RunContext) -> Result<Stream<'_>> {
    run.destinations.check_key()?;
    match (&run.destinations.stream, &run.destinations.api) {
        (Some(connection), Some(client)) => Ok(Stream { client, connection }),
        _ => Err(Error::bug("no stream destination")),
    }
}

fn delivery(stream: &Stream<'_>, period: BillingPeriod, status: DeliveryStatus) -> Delivery {
    let place = stream.connection.to_string();
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
    let (run, period) = (published.run, published.period);
    let stream = destination(run)?;
    let mut delivery = delivery(&stream, period, DeliveryStatus::Unchanged);
    let sent = state
        .stream
        .as_ref()
        .filter(|sent| sent.target == stream.connection);
    if sent.is_some_and(|sent| sent.pinned) && !options.by_name {
        delivery.status = DeliveryStatus::Pinned;
        return Ok(delivery);
    }
    let hours = sum_by_hour(published, &published.totals().await?).await?;
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
        ..open_record(run, &stream, period)
    });
    runs::save_month_state(&run.store, &run.connection, period, state).await?;
    send(published, &stream, &plan, state, options).await?;
    if let Some(sent) = &mut state.stream {
        sent.acknowledged_at = Some((run.clock)());
    }
    runs::save_month_state(&run.store, &run.connection, period, state).await?;
    let limit = run.destinations.read_back;
    if wait_until_shown(&stream, period, &plan.hours, limit).await? {
        close(run, period, state).await?;
        delivery.status = DeliveryStatus::Delivered;
    } else {
        tracing::warn!(
            stream = stream.connection,
            "CloudZero accepted all requests but does not show them yet; the next run checks again"
        );
        delivery.status = DeliveryStatus::Pending;
    }
    Ok(delivery)
}

/// Record of a delivery before its first request.
fn open_record(run: &RunContext, stream: &Stream<'_>, period: BillingPeriod) -> StreamState {
    StreamState {
        target: stream.connection.to_string(),
        attempt: format!("{}-{period}", run.run),
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
    runs::save_month_state(&run.store, &run.connection, period, state).await
}

/// Lets CloudZero validate all bodies, then sends them one at a time.
async fn send(
    published: &PublishedLineItems<'_>,
    stream: &Stream<'_>,
    plan: &RequestPlan,
    state: &MonthState,
    options: DeliverOptions,
) -> Result<()> {
    let (run, period) = (published.run, published.period);
    let total = plan.requests;
    if !options.skip_validation {
        let mut bodies = RequestBodies::open(published, &plan.lost_hours).await?;
        let mut number = 0;
        while let Some(body) = bodies.next().await? {
            number += 1;
            (run.progress)(format!("{period}: validating request {number} of {total}"));
            let operation = format!("validating request {number} of {total} for {period}");
            stream
                .validate(&operation, body.to_json(period, plan.operation))
                .await?;
        }
    }
    let attempt = state
        .stream
        .as_ref()
        .map_or("", |sent| sent.attempt.as_str());
    let mut bodies = RequestBodies::open(published, &plan.lost_hours).await?;
    let mut number = 0;
    while let Some(body) = bodies.next().await? {
        number += 1;
        (run.progress)(format!("{period}: sending request {number} of {total}"));
        let operation = format!(
            "sending request {number} of {total} for {period} to CloudZero's stream `{}`",
            stream.connection
        );
        let key = IdempotencyKey::new(attempt, number);
        stream
            .post(&operation, body.to_json(period, plan.operation), key)
            .await?;
    }
    Ok(())
}

/// Waits up to `limit` until the stream shows exactly these hours. Returns false if it does not.
async fn wait_until_shown(
    stream: &Stream<'_>,
    period: BillingPeriod,
    hours: &HourlyTotals,
    limit: Duration,
) -> Result<bool> {
    let (mut waited, mut wait) = (Duration::ZERO, FIRST_WAIT);
    loop {
        if hours.matches(&stream.fetch_totals(period).await?) {
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

/// Replaces the month with one row without costs, and pins it until the month is delivered by name.
///
/// # Errors
/// Those of [`Stream::post`].
pub(crate) async fn clear(
    run: &RunContext,
    period: BillingPeriod,
    dry_run: bool,
) -> Result<Delivery> {
    let stream = destination(run)?;
    let body = clearing_body(period)?;
    let delivery = Delivery {
        parts: 1,
        bytes: body.len() as u64,
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
    runs::save_month_state(&run.store, &run.connection, period, &state).await?;
    let operation = format!(
        "clearing {period} of CloudZero's stream `{}`",
        stream.connection
    );
    let sent = stream.post(&operation, body, key).await;
    let now = (run.clock)();
    state.stream = match (&sent, state.stream, before) {
        (Ok(()), Some(cleared), _) => Some(StreamState {
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
    runs::save_month_state(&run.store, &run.connection, period, &state).await?;
    sent?;
    Ok(delivery)
}

fn clearing_body(period: BillingPeriod) -> Result<Vec<u8>> {
    let hour = first_hour(period);
    let mut batcher = RequestBatcher::new(period, MAX_BODY_BYTES);
    batcher.push(hour, &clearing_row(hour))?;
    let body = batcher
        .finish()
        .ok_or_else(|| Error::bug("no row to clear the stream with"))?;
    Ok(body.to_json(period, StreamOperation::ReplaceDrop))
}
