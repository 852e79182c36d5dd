//! Pace of a client's requests: a burst, then a ceiling, and slower as soon as the server says so.
//!
//! Confluent publishes no limits of its billing API and asks clients to read the headers of its answers. So requests
//! start fast. An answer 429 stops all of the client's requests for as long as it asks, and halves the rate; an answer
//! by which little is left of the server's limit spreads the rest over the time until it is reset. From then on each
//! success makes requests a little faster again, up to the ceiling.

use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::http::retry::Timing;
use crate::http::retry_after::{requested_wait, until_reset};

/// Requests that may start together after a pause.
const BURST: f64 = 10.0;
/// Slowest rate after answers 429, in requests per second.
const SLOWEST: f64 = 0.5;
/// Part of the ceiling by which the rate grows in a second of successes.
const GROWTH: f64 = 0.05;
/// Longest pause of all requests. A request that is refused again after it decides by its own retry policy.
const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// The rest of the server's limit is spread over its time once it is this part of the limit.
const LITTLE_LEFT: f64 = 0.25;

/// Pace of the requests of a client. Its tasks share it.
pub(crate) struct Pace {
    ceiling: f64,
    state: Mutex<State>,
}

/// Times are those of [`Timing::uptime`].
#[derive(Debug)]
struct State {
    /// Requests per second, at most the ceiling.
    rate: f64,
    /// Lower rate while little is left of the server's limit, and its end.
    spread: Option<(f64, Duration)>,
    /// Requests that may start; negative if requests wait for their turn.
    permits: f64,
    /// Time of `permits`.
    updated: Duration,
    /// No request starts before.
    held_until: Duration,
    /// Time of the last halving. Answers to requests from before it halve nothing.
    halved: Option<Duration>,
}

/// What an answer says about the pace.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Advice {
    /// True for 429.
    is_refusal: bool,
    /// The wait that it asks for.
    wait: Option<Duration>,
    /// State of the server's limit.
    left: Option<Left>,
}

/// State of the server's limit.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Left {
    /// Requests in all.
    limit: f64,
    /// Requests left.
    remaining: f64,
    /// Time until the limit is full again.
    reset: Duration,
}

impl Pace {
    /// Permits at most `ceiling` requests per second; 0 counts as 1.
    pub fn new(ceiling: u32) -> Pace {
        let ceiling = f64::from(ceiling.max(1));
        Pace {
            ceiling,
            state: Mutex::new(State {
                rate: ceiling,
                spread: None,
                permits: burst(ceiling),
                updated: Duration::ZERO,
                held_until: Duration::ZERO,
                halved: None,
            }),
        }
    }

    /// Waits until the next request may start, and returns the time.
    pub async fn wait(&self, timing: &Timing) -> Duration {
        let now = (timing.uptime)();
        let turn = self.state.lock().take_turn(now);
        let mut wait = turn.saturating_sub(now);
        loop {
            if !wait.is_zero() {
                (timing.sleep)(wait).await;
            }
            // An answer may have asked for a pause meanwhile.
            let now = (timing.uptime)();
            wait = self.state.lock().held_until.saturating_sub(now);
            if wait.is_zero() {
                return now;
            }
        }
    }

    /// Follows what the answer to a request that started at `started` says.
    pub fn follow(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        started: Duration,
        timing: &Timing,
    ) {
        let now = (timing.now)();
        let advice = Advice {
            is_refusal: status == StatusCode::TOO_MANY_REQUESTS,
            wait: requested_wait(status, headers, now),
            left: left(headers, now),
        };
        let mut state = self.state.lock();
        state.follow(advice, self.ceiling, started, (timing.uptime)());
    }
}

impl State {
    /// Takes the next turn, and returns its time.
    fn take_turn(&mut self, now: Duration) -> Duration {
        self.update(now);
        self.permits -= 1.0;
        let until = Duration::from_secs_f64((-self.permits).max(0.0) / self.rate_at(now));
        (now + until).max(self.held_until)
    }

    fn rate_at(&self, now: Duration) -> f64 {
        match self.spread {
            Some((rate, until)) if now < until => rate.min(self.rate),
            _ => self.rate,
        }
    }

    fn update(&mut self, now: Duration) {
        let rate = self.rate_at(now);
        let elapsed = now.saturating_sub(self.updated).as_secs_f64();
        self.permits = (self.permits + elapsed * rate).min(burst(rate));
        self.updated = self.updated.max(now);
    }

    fn follow(&mut self, advice: Advice, ceiling: f64, started: Duration, now: Duration) {
        self.update(now);
        if let Some(wait) = advice.wait {
            self.hold(now, wait);
        }
        if advice.is_refusal {
            if self.halved.is_none_or(|halved| started >= halved) {
                self.rate = (self.rate / 2.0).max(SLOWEST.min(ceiling));
                self.permits = self.permits.min(1.0);
                self.halved = Some(now);
                tracing::debug!(requests_per_second = self.rate, "Slowed down");
            }
            return;
        }
        self.rate = (self.rate + ceiling * GROWTH / self.rate).min(ceiling);
        let Some(left) = advice.left else { return };
        self.spread = None;
        if left.remaining < 1.0 {
            self.hold(now, left.reset);
        } else if left.remaining < left.limit * LITTLE_LEFT {
            let rate = left.remaining / left.reset.as_secs_f64().max(1.0);
            self.spread = Some((rate, now + left.reset));
        }
    }

    fn hold(&mut self, now: Duration, wait: Duration) {
        self.held_until = self.held_until.max(now + wait.min(LONGEST_HOLD));
    }
}

/// Requests that may start together at a rate: those of a second, at most [`BURST`].
fn burst(rate: f64) -> f64 {
    rate.clamp(1.0, BURST)
}

/// State of the server's limit, where its headers tell all of it.
fn left(headers: &HeaderMap, now: SystemTime) -> Option<Left> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
    Some(Left {
        limit: f64::from(number("x-ratelimit-limit")?),
        remaining: f64::from(number("x-ratelimit-remaining")?),
        reset: until_reset(headers, now)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CEILING: u32 = 50;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn state() -> State {
        Pace::new(CEILING).state.into_inner()
    }

    fn refusal(wait: Duration) -> Advice {
        Advice {
            is_refusal: true,
            wait: Some(wait),
            left: None,
        }
    }

    fn success(left: Option<(u32, u32, u64)>) -> Advice {
        let left = left.map(|(limit, remaining, reset)| Left {
            limit: limit.into(),
            remaining: remaining.into(),
            reset: millis(reset),
        });
        Advice {
            is_refusal: false,
            wait: None,
            left,
        }
    }

    fn follow(state: &mut State, advice: Advice, started: u64, now: u64) {
        state.follow(advice, CEILING.into(), millis(started), millis(now));
    }

    fn turns(state: &mut State, now: u64, count: usize) -> Vec<u128> {
        let turn = |_| state.take_turn(millis(now)).as_millis();
        (0..count).map(turn).collect()
    }

    #[test]
    fn begins_with_a_burst_and_goes_on_at_the_ceiling() {
        let turns = turns(&mut state(), 0, 13);
        assert_eq!(turns[..10], [0; 10]);
        assert_eq!(turns[10..], [20, 40, 60]);
    }

    #[test]
    fn a_low_ceiling_has_a_small_burst() {
        let mut state = Pace::new(2).state.into_inner();
        assert_eq!(turns(&mut state, 0, 4), [0, 0, 500, 1000]);
    }

    #[test]
    fn a_refusal_stops_all_requests_and_halves_the_rate() {
        let mut state = state();
        follow(&mut state, refusal(millis(3000)), 0, 100);
        assert_eq!(state.rate, 25.0);
        assert!(turns(&mut state, 100, 3).iter().all(|turn| *turn >= 3100));
    }

    #[test]
    fn refusals_of_requests_under_way_halve_the_rate_once() {
        let mut state = state();
        for now in [100, 101, 102] {
            follow(&mut state, refusal(millis(1000)), 0, now);
        }
        assert_eq!(state.rate, 25.0);
        follow(&mut state, refusal(millis(1000)), 1200, 1300);
        assert_eq!(state.rate, 12.5);
    }

    #[test]
    fn an_absurd_wait_does_not_stop_a_run_for_hours() {
        let mut state = state();
        follow(&mut state, refusal(millis(86_400_000)), 0, 0);
        assert_eq!(state.held_until, LONGEST_HOLD);
    }

    #[test]
    fn recovers_by_successes() {
        let mut state = state();
        state.rate = SLOWEST;
        let mut now = 0;
        while state.rate < f64::from(CEILING) {
            now = state.take_turn(millis(now)).as_millis() as u64;
            follow(&mut state, success(None), now, now);
            assert!(now < 30_000, "{} after {now} ms", state.rate);
        }
        assert!(now > 10_000, "{now}");
    }

    #[test]
    fn what_little_is_left_of_a_limit_is_spread_until_its_reset() {
        let mut state = state();
        // Half of the limit is left: nothing changes.
        follow(&mut state, success(Some((100, 50, 60_000))), 0, 0);
        assert_eq!(state.rate_at(millis(0)), 50.0);
        follow(&mut state, success(Some((100, 6, 60_000))), 0, 0);
        assert_eq!(state.rate_at(millis(59_999)), 0.1);
        assert_eq!(turns(&mut state, 0, 3), [0, 10_000, 20_000]);
        assert_eq!(state.rate_at(millis(60_000)), 50.0);
        // Full again.
        follow(&mut state, success(Some((100, 99, 60_000))), 0, 30_000);
        assert_eq!(state.rate_at(millis(30_000)), 50.0);
    }

    #[test]
    fn waits_for_the_reset_of_a_limit_that_is_used_up() {
        let mut state = state();
        follow(&mut state, success(Some((5, 0, 2000))), 0, 500);
        assert_eq!(turns(&mut state, 500, 1), [2500]);
    }

    #[test]
    fn reads_the_state_of_a_limit_only_where_all_of_it_is_told() {
        let mut headers = HeaderMap::new();
        let now = SystemTime::UNIX_EPOCH;
        for (name, value) in [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "30"),
        ] {
            assert_eq!(left(&headers, now), None);
            headers.insert(name, value.parse().unwrap());
        }
        let told = Left {
            limit: 100.0,
            remaining: 7.0,
            reset: Duration::from_secs(30),
        };
        assert_eq!(left(&headers, now), Some(told));
        headers.insert("x-ratelimit-remaining", "-1".parse().unwrap());
        assert_eq!(left(&headers, now), None);
    }

    proptest! {
        /// Whatever a server answers: never above burst and ceiling in any second, none while it asks to wait, and
        /// the rate stays within its bounds.
        #[test]
        fn requests_stay_within_the_ceiling_and_the_waits(
            answers in proptest::collection::vec((0u64..200, 0u8..4, 0u64..5_000, 0u32..100), 1..200),
        ) {
            let mut state = state();
            let mut starts = Vec::new();
            let mut now = 0;
            for (pause, kind, wait, remaining) in answers {
                now += pause;
                let held = state.held_until;
                let turn = state.take_turn(millis(now));
                prop_assert!(turn >= held);
                starts.push(turn);
                now = now.max(turn.as_millis() as u64);
                let advice = match kind {
                    0 => refusal(millis(wait)),
                    1 => success(None),
                    _ => success(Some((100, remaining, wait))),
                };
                follow(&mut state, advice, now, now);
                prop_assert!(state.rate >= SLOWEST && state.rate <= f64::from(CEILING));
            }
            for (place, start) in starts.iter().enumerate() {
                let within = starts[place..].iter().filter(|s| **s < *start + millis(1000)).count();
                prop_assert!(within <= CEILING as usize + BURST as usize, "{within} in a second");
            }
        }
    }
}
