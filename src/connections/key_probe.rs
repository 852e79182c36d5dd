//! Probe of a key: requests the costs of one day.

use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta};

use crate::billing_period::Window;
use crate::confluent::client::{BodyError, Client, RequestError};
use crate::confluent::costs::decode::decode_page;
use crate::connections::Report;
use crate::error::{Error, ErrorKind, Result};

/// Costs of a day this far back are complete (Confluent documents up to 72 hours).
const DAYS_BACK: u64 = 4;
/// Clock difference from which days could be mistaken for one another.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(15);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Result of a successful probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbedCosts {
    pub day: NaiveDate,
    /// Number of costs on the first page of that day.
    pub costs: usize,
}

/// Probes a key.
///
/// # Errors
/// As [`Client::costs_page`], with hints for someone setting up a connection.
pub(crate) async fn probe(client: &Client, today: NaiveDate) -> Result<ProbedCosts> {
    let result = request_one_day(client, today).await;
    warn_of_clock_difference(client);
    result.map_err(|failure| explain(failure, client))
}

/// Probes a key that may be new: retries until it becomes active and, with `role_is_new`, until its role does,
/// for at most `timeout`. Reports once that it is waiting.
///
/// # Errors
/// As [`probe`], after the timeout.
pub(crate) async fn probe_new_key(
    client: &Client,
    today: NaiveDate,
    timeout: Duration,
    role_is_new: bool,
    report: &Report,
) -> Result<ProbedCosts> {
    let started = client.uptime();
    let mut wait = FIRST_WAIT;
    let mut reported = false;
    loop {
        let failure = match request_one_day(client, today).await {
            Ok(costs) => {
                warn_of_clock_difference(client);
                return Ok(costs);
            }
            Err(failure) => failure,
        };
        let forbidden = failure.is_forbidden();
        let is_transient = failure.maybe_inactive_key() || (forbidden && role_is_new);
        let waited = client.uptime().saturating_sub(started);
        let left = timeout.saturating_sub(waited);
        if !is_transient || left.is_zero() {
            warn_of_clock_difference(client);
            let error = explain(failure, client);
            return Err(if is_transient && !timeout.is_zero() {
                error.context(format!("after {} s", waited.as_secs()))
            } else {
                error
            });
        }
        if !reported {
            reported = true;
            let timeout_secs = timeout.as_secs();
            report(&format!(
                "waiting up to {timeout_secs} s for the key to become active"
            ));
        }
        client.sleep(wait.min(left)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn request_one_day(
    client: &Client,
    today: NaiveDate,
) -> std::result::Result<ProbedCosts, RequestError> {
    let out_of_range = || RequestError::internal(Error::bug("the day to probe is out of range"));
    let day = today
        .checked_sub_days(Days::new(DAYS_BACK))
        .ok_or_else(out_of_range)?;
    let end = day.succ_opt().ok_or_else(out_of_range)?;
    let window = Window { start: day, end };
    let read = move |text: &str| -> std::result::Result<usize, BodyError> {
        decode_page(text, window).map(|page| page.rows())
    };
    let costs = client.costs_page(window, None, read).await?;
    Ok(ProbedCosts { day, costs })
}

/// Adds hints for someone who is setting up a connection.
pub(crate) fn explain(failure: RequestError, client: &Client) -> Error {
    let is_html = failure.is_html_response();
    let has_response = failure.status().is_some();
    let error = failure.into_error();
    if clock_differs(client) {
        let message = error.to_string();
        let hint = "this computer's clock is off (see the warning): set it and try again";
        return match error.kind() {
            ErrorKind::Data => Error::data(message).with_hint(hint),
            _ => error,
        };
    }
    if error.kind() != ErrorKind::Remote {
        return error;
    }
    let hint = if is_html {
        "a proxy or the sign-in page of a network answered instead of Confluent: check the network and HTTPS_PROXY"
    } else if !has_response {
        "no response: check the network, HTTPS_PROXY, NO_PROXY and the endpoint"
    } else {
        "Confluent is having problems: try again later"
    };
    Error::remote(error.to_string()).with_hint(hint)
}

fn clock_differs(client: &Client) -> bool {
    client.clock_ahead().abs() > MAX_CLOCK_DIFFERENCE
}

fn warn_of_clock_difference(client: &Client) {
    if clock_differs(client) {
        tracing::warn!(
            ahead_secs = client.clock_ahead().num_seconds(),
            "This computer's clock and Confluent's differ, so costs may be assigned to wrong days"
        );
    }
}
