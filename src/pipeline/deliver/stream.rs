//! The stream: a month as requests, each of which may be repeated, and seen to be held afterwards.
//!
//! A month that fits one body replaces the drop. A larger one goes hour by hour; hours that CloudZero
//! holds and the month lost get a row that costs nothing. The record of the delivery opens before the
//! first request and closes once CloudZero was seen to hold exactly what was sent.

use std::time::Duration;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::client::{Client, IdempotencyKey};
use crate::cloudzero::request_bodies::{MAX_BODY_BYTES, Operation, RequestBatcher};
use crate::cloudzero::stream::Stream;
use crate::cloudzero::stream_contents::{self, Hours};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::Wish;
use crate::pipeline::deliver::delivery::{Delivery, Status, Target};
use crate::pipeline::deliver::hourly_totals::{added_up, days};
use crate::pipeline::deliver::request_batches::{Bodies, Plan, emptying_row, first_hour, plan};
use crate::pipeline::deliver::source::Published;
use crate::store::runs::{self, MonthState, Source, StreamState};

fn target(job: &RunContext) -> Result<(&str, &Client)> {
    job.targets.check_key()?;
    match (&job.targets.stream, &job.targets.api) {
        (Some(stream), Some(api)) => Ok((stream, api)),
        _ => Err(Error::bug("no stream target")),
    }
}

/// Sends the month, unless CloudZero holds it already.
///
/// # Errors
/// Kind data, for a month that the stream does not take; as [`Client::post`] for requests. What was
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
    let place = connection.to_string();
    let mut made = Delivery::new(period, Target::Stream, place, Status::Unchanged);
    let sent = state
        .stream
        .as_ref()
        .filter(|sent| sent.target == connection);
    if sent.is_some_and(|sent| sent.pinned) && !wish.named {
        made.status = Status::Pinned;
        return Ok(made);
    }
    let hours = added_up(published, &published.totals().await?).await?;
    // Equal sums do not make equal rows: what was not acknowledged is sent again.
    let acknowledged = sent.filter(|sent| sent.source == *source && sent.acknowledged_at.is_some());
    if let Some(sent) = acknowledged {
        (job.progress)(format!("{period}: comparing with CloudZero's stream"));
        if stream_contents::equal(&hours, &stream.held(period).await?) {
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

async fn close(job: &RunContext, period: BillingPeriod, state: &mut MonthState) -> Result<()> {
    if let Some(sent) = &mut state.stream {
        sent.closed_at = Some((job.clock)());
    }
    runs::save_month_state(&job.store, &job.connection, period, state).await
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
        if stream_contents::equal(hours, &stream.held(period).await?) {
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
pub async fn clear(job: &RunContext, period: BillingPeriod, dry_run: bool) -> Result<Delivery> {
    let (connection, client) = target(job)?;
    let stream = Stream { client, connection };
    let hour = first_hour(period);
    let mut packer = RequestBatcher::new(period, MAX_BODY_BYTES);
    packer.push(hour, &emptying_row(hour))?;
    let body = packer
        .finish()
        .ok_or_else(|| Error::bug("no row to clear with"))?;
    let text = body.text(period, Operation::ReplaceDrop);
    let place = connection.to_string();
    let mut made = Delivery::new(period, Target::Stream, place, Status::Cleared);
    made.parts = 1;
    made.bytes = text.len() as u64;
    if dry_run {
        return Ok(made);
    }
    job.targets.claim(&job.store, &job.connection).await?;
    let mut state = runs::month_state(&job.store, &job.connection, period).await?;
    let attempt = format!("{}-{period}", job.run);
    let asked = format!("clearing {period} of CloudZero's stream `{connection}`");
    let key = IdempotencyKey::new(&attempt, 1);
    let before = state.stream.replace(StreamState {
        target: connection.to_string(),
        attempt,
        source: Source::default(),
        opened_at: (job.clock)(),
        acknowledged_at: None,
        closed_at: None,
        rows: 0,
        days: Vec::new(),
        pinned: true,
    });
    // The pin comes first, or a run that dies here would let the next one send the month again.
    runs::save_month_state(&job.store, &job.connection, period, &state).await?;
    let sent = stream.post(&asked, text, key).await;
    let now = (job.clock)();
    state.stream = match (&sent, state.stream, before) {
        (Ok(()), Some(cleared), _) => Some(StreamState {
            acknowledged_at: Some(now),
            closed_at: Some(now),
            ..cleared
        }),
        // What CloudZero holds is not known now: the next run sends what was there.
        (_, _, before) => before.map(|before| StreamState {
            acknowledged_at: None,
            closed_at: None,
            ..before
        }),
    };
    runs::save_month_state(&job.store, &job.connection, period, &state).await?;
    sent?;
    Ok(made)
}
