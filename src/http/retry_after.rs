//! The wait that a response asks for.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longest requested wait that is believed.
const MAX_REQUESTED_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Wait in place of an absurd one: most rate limits count minutes.
const FALLBACK_WAIT: Duration = Duration::from_secs(60);

/// Least number read as seconds since 1970 (the year 2001); no wait is that long.
const EPOCH_LIKE: u64 = 1_000_000_000;

/// Headers with relative seconds by the references of the Cloud API and the Metrics API, in the spellings seen.
const RESET_HEADERS: [&str; 4] = [
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-rate-limit-reset",
    "rate-limit-reset",
];

/// Returns the wait that a response asks for: `Retry-After` in seconds or as an HTTP date (RFC 9110), else, with 429,
/// the longest of the rate-limit reset headers, in relative seconds.
///
/// `now` is used for dates when the response has no `Date` header. A number that can only be a point in time is read
/// as one, and other absurd ones become [`FALLBACK_WAIT`].
pub(crate) fn requested_wait(
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<Duration> {
    // The server's own clock makes a date right even where ours is wrong.
    let now = text(headers, DATE.as_str())
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    let until = |then: SystemTime| then.duration_since(now).unwrap_or_default();
    let retry_after = text(headers, RETRY_AFTER.as_str())
        .and_then(|value| seconds(value, now).or(httpdate::parse_http_date(value).ok().map(until)));
    let reset = || until_reset(headers, now).filter(|_| status == StatusCode::TOO_MANY_REQUESTS);
    retry_after.or_else(reset).map(believable)
}

/// Time until the server's limit is full again: the longest one of the reset headers.
pub(crate) fn until_reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let resets = RESET_HEADERS
        .iter()
        .filter_map(|name| seconds(text(headers, name)?, now));
    resets.max().map(believable)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.trim())
}

/// Relative seconds, rounded up. A point in time, in seconds since 1970, becomes relative.
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
    // Parsing digits fails only where there are too many.
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

fn believable(requested: Duration) -> Duration {
    if requested > MAX_REQUESTED_WAIT {
        FALLBACK_WAIT
    } else {
        requested
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// 2026-11-23 10:00:00 UTC.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + secs(1_795_428_000)
    }

    fn requested(status: StatusCode, headers: &[(&str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        requested_wait(status, &map, now())
    }

    #[test]
    fn reads_retry_after_as_seconds_and_as_a_date() {
        assert_eq!(requested(LIMITED, &[("Retry-After", "7")]), Some(secs(7)));
        assert_eq!(
            requested(LIMITED, &[("retry-after", " 1.2 ")]),
            Some(secs(2))
        );
        assert_eq!(
            requested(StatusCode::SERVICE_UNAVAILABLE, &[("Retry-After", "9")]),
            Some(secs(9))
        );
        let date = httpdate::fmt_http_date(now() + secs(42));
        assert_eq!(
            requested(LIMITED, &[("Retry-After", &date)]),
            Some(secs(42))
        );
        let past = httpdate::fmt_http_date(now() - secs(42));
        assert_eq!(requested(LIMITED, &[("Retry-After", &past)]), Some(secs(0)));
    }

    #[test]
    fn dates_are_relative_to_the_clock_of_the_server() {
        let server = httpdate::fmt_http_date(now() + secs(1_000));
        let then = httpdate::fmt_http_date(now() + secs(1_030));
        assert_eq!(
            requested(LIMITED, &[("Date", &server), ("Retry-After", &then)]),
            Some(secs(30))
        );
    }

    #[test]
    fn reset_headers_are_relative_seconds_and_rank_below_retry_after() {
        for name in ["X-RateLimit-Reset", "RateLimit-Reset", "rateLimit-reset"] {
            assert_eq!(
                requested(LIMITED, &[(name, "11")]),
                Some(secs(11)),
                "{name}"
            );
            assert_eq!(
                requested(LIMITED, &[(name, "11"), ("Retry-After", "3")]),
                Some(secs(3))
            );
            assert_eq!(
                requested(LIMITED, &[(name, "11"), ("Retry-After", "soon")]),
                Some(secs(11))
            );
            assert_eq!(requested(StatusCode::BAD_GATEWAY, &[(name, "11")]), None);
        }
        let both = [("X-RateLimit-Reset", "11"), ("RateLimit-Reset", "12")];
        assert_eq!(requested(LIMITED, &both), Some(secs(12)));
    }

    #[test]
    fn points_in_time_become_relative_and_absurd_numbers_a_minute() {
        let soon = (1_795_428_000u64 + 20).to_string();
        assert_eq!(
            requested(LIMITED, &[("X-RateLimit-Reset", &soon)]),
            Some(secs(20))
        );
        assert_eq!(
            requested(LIMITED, &[("X-RateLimit-Reset", "1795427000")]),
            Some(secs(0))
        );
        for absurd in ["1795428000000", "99999999999999999999999999", "90000"] {
            assert_eq!(
                requested(LIMITED, &[("X-RateLimit-Reset", absurd)]),
                Some(FALLBACK_WAIT)
            );
        }
        assert_eq!(
            requested(LIMITED, &[("Retry-After", "3600")]),
            Some(secs(3600))
        );
    }

    #[test]
    fn ignores_values_that_are_not_waits() {
        for value in ["", "soon", "-5", "1e3", ".5", "NaN", "5 s"] {
            assert_eq!(
                requested(LIMITED, &[("Retry-After", value)]),
                None,
                "{value}"
            );
        }
        assert_eq!(requested(LIMITED, &[]), None);
    }
}
