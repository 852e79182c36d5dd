//! Proof that a key works: the costs of one day, asked for and read like any others.

use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta};

use crate::billing_period::Window;
use crate::confluent::client::{BodyError, Client, RequestError};
use crate::confluent::costs::decode::decode_page;
use crate::error::{Error, ErrorKind, Result};

/// Costs of a day this far back are complete (docs: up to 72 hours).
const DAYS_BACK: u64 = 4;
/// Clocks that are further apart than this are told about.
const CLOCK_APART: TimeDelta = TimeDelta::minutes(15);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a key was seen to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The day.
    pub day: NaiveDate,
    /// Costs on its first page.
    pub costs: usize,
}

/// Asks for the costs of one day.
///
/// # Errors
/// As [`Client::costs_page`], explained for somebody who sets a connection up.
pub async fn prove(client: &Client, today: NaiveDate) -> Result<Proof> {
    let asked = ask(client, today).await;
    warn_of_clock(client);
    asked.map_err(|failure| explained(failure, client))
}

/// As [`prove`], of a key that may be new: waits up to `patience` until Confluent knows it and, where its role
/// is new too, until it may read costs. `say` hears once that it waits.
///
/// # Errors
/// As [`prove`], after the wait.
pub async fn prove_new(
    client: &Client,
    today: NaiveDate,
    patience: Duration,
    role_is_new: bool,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<Proof> {
    let started = client.uptime();
    let mut pause = FIRST_PAUSE;
    let mut said = false;
    loop {
        let failure = match ask(client, today).await {
            Ok(proof) => {
                warn_of_clock(client);
                return Ok(proof);
            }
            Err(failure) => failure,
        };
        let forbidden = failure.is_forbidden();
        let may_pass = failure.maybe_inactive_key() || (forbidden && role_is_new);
        let waited = client.uptime().saturating_sub(started);
        let left = patience.saturating_sub(waited);
        if !may_pass || left.is_zero() {
            warn_of_clock(client);
            let error = explained(failure, client);
            return Err(match may_pass && !patience.is_zero() {
                true => error.context(format!("after {} s", waited.as_secs())),
                false => error,
            });
        }
        if !said {
            said = true;
            say(&format!(
                "Confluent does not take the key yet; a new one needs a minute or two, so it is tried again for up \
                 to {} s",
                patience.as_secs()
            ));
        }
        client.sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn ask(client: &Client, today: NaiveDate) -> std::result::Result<Proof, RequestError> {
    let unready = || RequestError::internal(Error::bug("there is no such day"));
    let day = today
        .checked_sub_days(Days::new(DAYS_BACK))
        .ok_or_else(unready)?;
    let end = day.succ_opt().ok_or_else(unready)?;
    let window = Window { start: day, end };
    let read = move |text: &str| -> std::result::Result<usize, BodyError> {
        decode_page(text, window).map(|page| page.rows())
    };
    let costs = client.costs_page(window, None, read).await?;
    Ok(Proof { day, costs })
}

/// The error with what to do next, for somebody who has nothing published yet.
pub fn explained(failure: RequestError, client: &Client) -> Error {
    let is_html = failure.is_html_response();
    let has_response = failure.status().is_some();
    let error = failure.into_error();
    if clock_is_off(client) {
        let off = error.to_string();
        let hint = "this computer's clock is off (see above): set it right and try again";
        return match error.kind() {
            ErrorKind::Data => Error::data(off).with_hint(hint),
            _ => error,
        };
    }
    if error.kind() != ErrorKind::Remote {
        return error;
    }
    let said = error.to_string();
    let hint = if is_html {
        "something in between answers in Confluent's place, such as a proxy or the sign-in page of a network"
    } else if !has_response {
        "no answer came: check the network, HTTPS_PROXY and NO_PROXY, and the endpoint"
    } else {
        "Confluent has trouble of its own: try again later"
    };
    Error::remote(said).with_hint(hint)
}

fn clock_is_off(client: &Client) -> bool {
    client.clock_ahead().abs() > CLOCK_APART
}

fn warn_of_clock(client: &Client) {
    if clock_is_off(client) {
        tracing::warn!(
            ahead_secs = client.clock_ahead().num_seconds(),
            "This computer's clock and Confluent's differ, so days may be taken for others."
        );
    }
}
