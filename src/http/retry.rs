//! Retry policy: when to repeat a request and how long to wait before. Pure arithmetic, no network.
//!
//! The wait is never shorter than what the server asks for; randomness only adds to it. Both the number of attempts
//! and the time spent are capped.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;

/// First wait when the server asks for none; doubles with each attempt.
const BASE_WAIT: Duration = Duration::from_millis(500);
/// Longest wait when the server asks for none.
const MAX_OWN_WAIT: Duration = Duration::from_secs(30);

/// Limits of the repetitions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, including the first one.
    pub max_attempts: u32,
    /// Time after the start of the first attempt within which another one may start.
    pub max_elapsed: Duration,
}

/// Consequence of a transient failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Wait this long, then send the request again.
    Wait(Duration),
    /// Give up.
    Stop(StopReason),
}

/// Reason why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// All attempts are used up.
    Attempts,
    /// Another wait would exceed the time limit.
    Elapsed {
        /// Time limit.
        limit: Duration,
    },
    /// The wait that the server asks for would exceed the time limit.
    WaitTooLong {
        /// Requested wait.
        requested: Duration,
        /// Time limit.
        limit: Duration,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Attempts => f.write_str("no attempts left"),
            StopReason::Elapsed { limit } => write!(
                f,
                "the limit of {} s for retries is used up",
                limit.as_secs()
            ),
            StopReason::WaitTooLong { requested, limit } => write!(
                f,
                "the server asks to wait {} s, past the limit of {} s for retries",
                requested.as_secs(),
                limit.as_secs()
            ),
        }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            max_attempts: 8,
            max_elapsed: Duration::from_secs(300),
        }
    }
}

impl Policy {
    /// Decides what follows failed attempt number `attempt` (from 1), `elapsed` after the start of the first one.
    /// `requested` is the wait that the server asks for; `random` is in 0..1.
    pub(crate) fn decide(
        &self,
        attempt: u32,
        elapsed: Duration,
        requested: Option<Duration>,
        random: f64,
    ) -> RetryDecision {
        if attempt >= self.max_attempts {
            return RetryDecision::Stop(StopReason::Attempts);
        }
        let limit = self.max_elapsed;
        let left = limit.saturating_sub(elapsed);
        if let Some(requested) = requested.filter(|requested| *requested > left) {
            return RetryDecision::Stop(StopReason::WaitTooLong { requested, limit });
        }
        let doublings = attempt.saturating_sub(1).min(16);
        let own = BASE_WAIT.saturating_mul(1 << doublings).min(MAX_OWN_WAIT);
        let least = own.max(requested.unwrap_or_default());
        if least > left {
            return RetryDecision::Stop(StopReason::Elapsed { limit });
        }
        // Up to a quarter spreads clients that were refused together. The limit may cut it, but not `least`.
        let random = if random.is_finite() {
            random.clamp(0.0, 1.0)
        } else {
            0.0
        };
        RetryDecision::Wait((least + (least / 4).mul_f64(random)).min(left))
    }
}

/// Clocks, sleep and randomness as functions, so that tests run without waiting.
#[derive(Clone)]
pub struct Timing {
    /// Sleeps for a duration.
    pub sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Returns a random number in 0..1.
    pub random: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// Returns the time since some fixed moment; never runs backwards.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Returns the time of day.
    pub now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Timing {
    /// The system's clocks.
    pub fn real() -> Self {
        let start = Instant::now();
        Timing {
            sleep: Arc::new(|wait| Box::pin(tokio::time::sleep(wait))),
            random: Arc::new(rand::random::<f64>),
            uptime: Arc::new(move || start.elapsed()),
            now: Arc::new(SystemTime::now),
        }
    }
}

impl fmt::Debug for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timing")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy {
        max_attempts: 8,
        max_elapsed: Duration::from_secs(300),
    };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn doubles_the_wait_up_to_the_cap_without_a_requested_wait() {
        let waits: Vec<RetryDecision> = (1..=8)
            .map(|n| POLICY.decide(n, secs(0), None, 0.0))
            .collect();
        let millis = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
        let expected = millis.map(|ms| RetryDecision::Wait(Duration::from_millis(ms)));
        assert_eq!(waits[..7], expected);
        assert_eq!(waits[7], RetryDecision::Stop(StopReason::Attempts));
    }

    #[test]
    fn stops_at_once_when_the_requested_wait_exceeds_the_time_limit() {
        let next = POLICY.decide(1, secs(10), Some(secs(291)), 0.0);
        assert_eq!(
            next,
            RetryDecision::Stop(StopReason::WaitTooLong {
                requested: secs(291),
                limit: secs(300)
            })
        );
        let RetryDecision::Stop(stop) = next else {
            panic!("{next:?}")
        };
        assert!(stop.to_string().contains("291 s"));
        let next = POLICY.decide(5, secs(295), None, 0.0);
        assert_eq!(
            next,
            RetryDecision::Stop(StopReason::Elapsed { limit: secs(300) })
        );
    }

    #[test]
    fn the_time_limit_cuts_jitter_but_not_the_requested_wait() {
        assert_eq!(
            POLICY.decide(1, secs(0), Some(secs(300)), 1.0),
            RetryDecision::Wait(secs(300))
        );
        assert_eq!(
            POLICY.decide(1, secs(0), Some(secs(100)), 1.0),
            RetryDecision::Wait(secs(125))
        );
    }

    #[test]
    fn tolerates_invalid_random_numbers() {
        for random in [f64::NAN, f64::INFINITY, -3.0] {
            assert_eq!(
                POLICY.decide(1, secs(0), Some(secs(4)), random),
                RetryDecision::Wait(secs(4))
            );
        }
    }

    proptest! {
        #[test]
        fn the_wait_is_at_least_the_requested_one_and_within_the_limit(
            attempt in 1u32..8,
            elapsed in 0u64..400,
            requested in proptest::option::of(0u64..400),
            random in 0.0f64..1.0,
        ) {
            let (elapsed, requested) = (secs(elapsed), requested.map(secs));
            match POLICY.decide(attempt, elapsed, requested, random) {
                RetryDecision::Wait(wait) => {
                    prop_assert!(wait >= requested.unwrap_or_default());
                    prop_assert!(wait >= BASE_WAIT);
                    prop_assert!(elapsed + wait <= POLICY.max_elapsed);
                }
                RetryDecision::Stop(StopReason::WaitTooLong { .. }) => {
                    prop_assert!(elapsed + requested.unwrap_or_default() > POLICY.max_elapsed);
                }
                RetryDecision::Stop(StopReason::Elapsed { .. }) => {
                    prop_assert!(elapsed + MAX_OWN_WAIT > POLICY.max_elapsed);
                }
                RetryDecision::Stop(StopReason::Attempts) => prop_assert!(false, "attempts were left"),
            }
        }
    }
}
