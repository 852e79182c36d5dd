//! When to ask again, and how long to wait before: the numbers only, no network.
//!
//! The wait is never shorter than what the server asked for; randomness only adds to it. Both the
//! number of attempts and the time spent are capped.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The first wait, when the server doesn't say how long; doubles with each attempt.
pub const BASE_WAIT: Duration = Duration::from_millis(500);
/// The longest wait that we choose ourselves.
pub const LONGEST_OWN_WAIT: Duration = Duration::from_secs(30);
/// What the server asks for is taken at its word up to here.
pub const LONGEST_BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);
/// The wait in place of an asked one that nobody can have meant: most rate limits count minutes.
pub const WAIT_FOR_ABSURD: Duration = Duration::from_secs(60);

/// Seconds since 1970 are at least this (the year 2001); no wait is.
const EPOCH_LIKE: u64 = 1_000_000_000;

/// Relative seconds by the reference of the Cloud API and of the Metrics API, in the spellings seen.
const RESET_HEADERS: [&str; 4] = [
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-rate-limit-reset",
    "rate-limit-reset",
];

/// How often and how long a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// The time from the first attempt up to which another one may start.
    pub max_elapsed: Duration,
}

/// What to do after an attempt that failed for a passing reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait so long, then ask again.
    Wait(Duration),
    /// Give up.
    Stop(Stop),
}

/// Why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All attempts are used up.
    Attempts,
    /// Another wait would pass the time limit.
    Elapsed {
        /// The limit.
        limit: Duration,
    },
    /// The wait that the server asks for would pass the time limit.
    AskedTooLong {
        /// What the server asks for.
        asked: Duration,
        /// The limit.
        limit: Duration,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Attempts => f.write_str("no attempts left"),
            Stop::Elapsed { limit } => {
                write!(
                    f,
                    "the limit of {} s for retries is used up",
                    limit.as_secs()
                )
            }
            Stop::AskedTooLong { asked, limit } => write!(
                f,
                "the server asks to wait {} s, past the limit of {} s for retries",
                asked.as_secs(),
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
    /// Decides what follows the failed attempt number `attempt` (from 1), `elapsed` after the first
    /// one began. `asked` is the wait that the server wants; `random` lies in 0..1.
    pub fn next(
        &self,
        attempt: u32,
        elapsed: Duration,
        asked: Option<Duration>,
        random: f64,
    ) -> Next {
        if attempt >= self.max_attempts {
            return Next::Stop(Stop::Attempts);
        }
        let limit = self.max_elapsed;
        let left = limit.saturating_sub(elapsed);
        if let Some(asked) = asked.filter(|asked| *asked > left) {
            return Next::Stop(Stop::AskedTooLong { asked, limit });
        }
        let doublings = attempt.saturating_sub(1).min(16);
        let own = BASE_WAIT
            .saturating_mul(1 << doublings)
            .min(LONGEST_OWN_WAIT);
        let least = own.max(asked.unwrap_or_default());
        if least > left {
            return Next::Stop(Stop::Elapsed { limit });
        }
        // A quarter spreads clients that were refused together; the limit may cut it, not `least`.
        let random = if random.is_finite() {
            random.clamp(0.0, 1.0)
        } else {
            0.0
        };
        Next::Wait((least + (least / 4).mul_f64(random)).min(left))
    }
}

/// The wait that an answer asks for: `Retry-After` in seconds or as an HTTP date (RFC 9110), else,
/// with 429, the longest of the rate-limit reset headers, in relative seconds.
///
/// `now` is used for dates when the answer carries no `Date` of its own. A number that can only be a
/// point in time is read as one, and other absurd ones become [`WAIT_FOR_ABSURD`].
pub fn asked_wait(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    // The server's own clock makes a date right even where ours is wrong.
    let now = text(DATE.as_str())
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    let until = |then: SystemTime| then.duration_since(now).unwrap_or_default();
    let after = text(RETRY_AFTER.as_str())
        .and_then(|value| seconds(value, now).or(httpdate::parse_http_date(value).ok().map(until)));
    let reset = || {
        let resets = RESET_HEADERS
            .iter()
            .filter_map(|name| seconds(text(name)?, now));
        resets
            .max()
            .filter(|_| status == StatusCode::TOO_MANY_REQUESTS)
    };
    after.or_else(reset).map(believable)
}

/// Relative seconds, rounded up; a point in time, in seconds since 1970, becomes relative.
fn seconds(value: &str, now: SystemTime) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if whole.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    // Only too many digits can fail here.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let wait = whole.saturating_add(u64::from(fraction.bytes().any(|b| b != b'0')));
    if wait < EPOCH_LIKE {
        return Some(Duration::from_secs(wait));
    }
    let today = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Some(Duration::from_secs(wait.saturating_sub(today)))
}

fn believable(asked: Duration) -> Duration {
    if asked > LONGEST_BELIEVED {
        WAIT_FOR_ABSURD
    } else {
        asked
    }
}

/// Clocks, sleep and randomness, as functions, so that tests run without waiting.
#[derive(Clone)]
pub struct Timing {
    /// Sleeps so long.
    pub sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
    /// A random number in 0..1.
    pub random: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// The time since some fixed moment; never runs backwards.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// The time of day.
    pub now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Timing {
    /// The clocks of this computer.
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
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const POLICY: Policy = Policy {
        max_attempts: 8,
        max_elapsed: Duration::from_secs(300),
    };
    const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// 2026-11-23 10:00:00 UTC.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + secs(1_795_428_000)
    }

    fn asked(status: StatusCode, headers: &[(&str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        asked_wait(status, &map, now())
    }

    #[test]
    fn waits_double_up_to_the_cap_when_the_server_asks_for_nothing() {
        let waits: Vec<Next> = (1..=8)
            .map(|n| POLICY.next(n, secs(0), None, 0.0))
            .collect();
        let millis = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
        let expected = millis.map(|ms| Next::Wait(Duration::from_millis(ms)));
        assert_eq!(waits[..7], expected);
        assert_eq!(waits[7], Next::Stop(Stop::Attempts));
    }

    #[test]
    fn a_wait_past_the_time_limit_stops_at_once_and_says_what_was_asked() {
        let next = POLICY.next(1, secs(10), Some(secs(291)), 0.0);
        assert_eq!(
            next,
            Next::Stop(Stop::AskedTooLong {
                asked: secs(291),
                limit: secs(300)
            })
        );
        let Next::Stop(stop) = next else {
            panic!("{next:?}")
        };
        assert!(stop.to_string().contains("291 s"));
        let next = POLICY.next(5, secs(295), None, 0.0);
        assert_eq!(next, Next::Stop(Stop::Elapsed { limit: secs(300) }));
    }

    #[test]
    fn the_time_limit_cuts_the_jitter_but_not_the_asked_wait() {
        assert_eq!(
            POLICY.next(1, secs(0), Some(secs(300)), 1.0),
            Next::Wait(secs(300))
        );
        assert_eq!(
            POLICY.next(1, secs(0), Some(secs(100)), 1.0),
            Next::Wait(secs(125))
        );
    }

    #[test]
    fn a_random_source_gone_wrong_does_no_harm() {
        for random in [f64::NAN, f64::INFINITY, -3.0] {
            assert_eq!(
                POLICY.next(1, secs(0), Some(secs(4)), random),
                Next::Wait(secs(4))
            );
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(asked(LIMITED, &[("Retry-After", "7")]), Some(secs(7)));
        assert_eq!(asked(LIMITED, &[("retry-after", " 1.2 ")]), Some(secs(2)));
        assert_eq!(
            asked(StatusCode::SERVICE_UNAVAILABLE, &[("Retry-After", "9")]),
            Some(secs(9))
        );
        let date = httpdate::fmt_http_date(now() + secs(42));
        assert_eq!(asked(LIMITED, &[("Retry-After", &date)]), Some(secs(42)));
        let past = httpdate::fmt_http_date(now() - secs(42));
        assert_eq!(asked(LIMITED, &[("Retry-After", &past)]), Some(secs(0)));
    }

    #[test]
    fn a_date_is_relative_to_the_clock_of_the_server() {
        let server = httpdate::fmt_http_date(now() + secs(1_000));
        let then = httpdate::fmt_http_date(now() + secs(1_030));
        assert_eq!(
            asked(LIMITED, &[("Date", &server), ("Retry-After", &then)]),
            Some(secs(30))
        );
    }

    #[test]
    fn reset_headers_are_relative_seconds_and_come_after_retry_after() {
        for name in ["X-RateLimit-Reset", "RateLimit-Reset", "rateLimit-reset"] {
            assert_eq!(asked(LIMITED, &[(name, "11")]), Some(secs(11)), "{name}");
            assert_eq!(
                asked(LIMITED, &[(name, "11"), ("Retry-After", "3")]),
                Some(secs(3))
            );
            assert_eq!(
                asked(LIMITED, &[(name, "11"), ("Retry-After", "soon")]),
                Some(secs(11))
            );
            assert_eq!(asked(StatusCode::BAD_GATEWAY, &[(name, "11")]), None);
        }
        let both = [("X-RateLimit-Reset", "11"), ("RateLimit-Reset", "12")];
        assert_eq!(asked(LIMITED, &both), Some(secs(12)));
    }

    #[test]
    fn points_in_time_and_absurd_numbers_are_tamed() {
        let soon = (1_795_428_000u64 + 20).to_string();
        assert_eq!(
            asked(LIMITED, &[("X-RateLimit-Reset", &soon)]),
            Some(secs(20))
        );
        assert_eq!(
            asked(LIMITED, &[("X-RateLimit-Reset", "1795427000")]),
            Some(secs(0))
        );
        for absurd in ["1795428000000", "99999999999999999999999999", "90000"] {
            assert_eq!(
                asked(LIMITED, &[("X-RateLimit-Reset", absurd)]),
                Some(WAIT_FOR_ABSURD)
            );
        }
        assert_eq!(asked(LIMITED, &[("Retry-After", "3600")]), Some(secs(3600)));
    }

    #[test]
    fn what_is_not_a_wait_is_ignored() {
        for value in ["", "soon", "-5", "1e3", ".5", "NaN", "5 s"] {
            assert_eq!(asked(LIMITED, &[("Retry-After", value)]), None, "{value}");
        }
        assert_eq!(asked(LIMITED, &[]), None);
    }

    proptest! {
        #[test]
        fn the_wait_is_never_below_what_was_asked_nor_past_the_limit(
            attempt in 1u32..8,
            elapsed in 0u64..400,
            asked in proptest::option::of(0u64..400),
            random in 0.0f64..1.0,
        ) {
            let (elapsed, asked) = (secs(elapsed), asked.map(secs));
            match POLICY.next(attempt, elapsed, asked, random) {
                Next::Wait(wait) => {
                    prop_assert!(wait >= asked.unwrap_or_default());
                    prop_assert!(wait >= BASE_WAIT);
                    prop_assert!(elapsed + wait <= POLICY.max_elapsed);
                }
                Next::Stop(Stop::AskedTooLong { .. }) => {
                    prop_assert!(elapsed + asked.unwrap_or_default() > POLICY.max_elapsed);
                }
                Next::Stop(Stop::Elapsed { .. }) => {
                    prop_assert!(elapsed + LONGEST_OWN_WAIT > POLICY.max_elapsed);
                }
                Next::Stop(Stop::Attempts) => prop_assert!(false, "attempts were left"),
            }
        }
    }
}
