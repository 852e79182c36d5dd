//! Check of this computer's clock against Confluent's: a wrong clock would settle months that can still change.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use crate::confluent::client::Client;
use crate::error::{Error, Result};

/// Difference that a slow response explains.
const UNNOTICED: TimeDelta = TimeDelta::minutes(1);
/// Difference above which the run warns.
const TOLERATED: TimeDelta = TimeDelta::minutes(5);
/// Difference above which nothing is imported.
const LARGEST: TimeDelta = TimeDelta::days(1);

/// Check of the clock during one run, which warns once.
#[derive(Debug, Default)]
pub(super) struct ClockCheck {
    has_warned: AtomicBool,
}

impl ClockCheck {
    /// Compares the clocks at the client's last response.
    ///
    /// # Errors
    /// Kind configuration for clocks more than a day apart.
    pub(super) fn check(&self, client: &Client) -> Result<()> {
        refuse_wrong(client)?;
        let ahead = client.clock_ahead();
        if ahead.abs() > TOLERATED && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                ahead_secs = ahead.num_seconds(),
                "This computer's clock and Confluent's differ: set the clock, which decides when months settle"
            );
        }
        Ok(())
    }
}

/// Refuses a clock that is more than a day from Confluent's at the client's last response.
///
/// # Errors
/// Kind configuration.
pub(super) fn refuse_wrong(client: &Client) -> Result<()> {
    let ahead = client.clock_ahead();
    if ahead.abs() <= LARGEST {
        return Ok(());
    }
    let direction = if ahead > TimeDelta::zero() {
        "ahead of"
    } else {
        "behind"
    };
    Err(Error::config(format!(
        "this computer's clock is {} days {direction} Confluent's, so months cannot be told apart",
        ahead.abs().num_days()
    ))
    .with_hint("set the clock (`date -u`), then run the command again; nothing was imported"))
}

/// Returns a time of a clock that is `ahead` of Confluent's, or Confluent's time if that has not come so far.
pub(super) fn not_past_confluent(at: DateTime<Utc>, ahead: TimeDelta) -> DateTime<Utc> {
    if ahead > UNNOTICED { at - ahead } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_ahead_of_confluents_gives_confluents_time() {
        let at: DateTime<Utc> = "2026-11-18T00:30:00Z".parse().unwrap();
        let hour = TimeDelta::hours(1);
        let theirs = not_past_confluent(at, hour);
        assert_eq!(theirs.to_rfc3339(), "2026-11-17T23:30:00+00:00");
        for unchanged in [-hour, TimeDelta::zero(), TimeDelta::seconds(2)] {
            assert_eq!(not_past_confluent(at, unchanged), at);
        }
    }
}
