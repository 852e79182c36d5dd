//! Query of the Costs API and its validation (docs: invoices and costs; spec: billing/v1 costs).

use crate::sandbox::data::random::fingerprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::NaiveDate;
use std::ops::Range;

const DEFAULT_PAGE_SIZE: usize = 5_000;
const MAX_PAGE_SIZE: usize = 10_000;
/// Longest calendar month.
const MAX_WINDOW_DAYS: i64 = 31;

/// Valid query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CostsQuery {
    /// Days, end exclusive.
    pub(crate) window: Range<NaiveDate>,
    /// Number of costs of the window on earlier pages.
    pub(crate) offset: usize,
    /// Costs per page.
    pub(crate) page_size: usize,
    /// Page token of the request.
    pub(crate) token: Option<String>,
}

/// Violated rule of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// Parameter name, and its problem.
    Parameter(&'static str, String),
    /// Window of more than a month.
    WindowTooLong,
}

/// Percent-decoded query parameters.
#[derive(Default)]
struct Parameters {
    start_date: Option<String>,
    end_date: Option<String>,
    page_size: Option<String>,
    page_token: Option<String>,
}

impl CostsQuery {
    /// Parses a query string. `first_day` is the earliest allowed start.
    pub(crate) fn parse(query: &str, first_day: NaiveDate) -> Result<CostsQuery, QueryError> {
        let mut given = Parameters::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "start_date" => &mut given.start_date,
                "end_date" => &mut given.end_date,
                "page_size" => &mut given.page_size,
                "page_token" => &mut given.page_token,
                _ => continue,
            };
            *slot = Some(value.into_owned());
        }
        let page_size = given
            .page_size
            .as_deref()
            .map(parse_page_size)
            .transpose()?;
        if let Some(token) = given.page_token.take() {
            return CostsQuery::from_token(token, &given);
        }
        let start = parse_date("start_date", given.start_date.as_deref())?;
        let end = parse_date("end_date", given.end_date.as_deref())?;
        if end <= start {
            let text = "must be after start_date".to_owned();
            return Err(QueryError::Parameter("end_date", text));
        }
        if (end - start).num_days() > MAX_WINDOW_DAYS {
            return Err(QueryError::WindowTooLong);
        }
        if start < first_day {
            let text = format!("must not be more than one year ago (before {first_day})");
            return Err(QueryError::Parameter("start_date", text));
        }
        Ok(CostsQuery {
            window: start..end,
            offset: 0,
            page_size: page_size.unwrap_or(DEFAULT_PAGE_SIZE),
            token: None,
        })
    }

    /// Continues the query of a token. Repeated dates must match it; a repeated page size is ignored.
    fn from_token(token: String, given: &Parameters) -> Result<CostsQuery, QueryError> {
        let bad_token = |text: &str| QueryError::Parameter("page_token", text.to_owned());
        let query = decode(token).ok_or_else(|| bad_token("is unknown or has expired"))?;
        let matches = |given: &Option<String>, date: NaiveDate| {
            given
                .as_ref()
                .is_none_or(|given| *given == date.to_string())
        };
        if matches(&given.start_date, query.window.start)
            && matches(&given.end_date, query.window.end)
        {
            Ok(query)
        } else {
            Err(bad_token("belongs to other dates"))
        }
    }

    /// Token of the page that starts at `offset`.
    pub(crate) fn token_at(&self, offset: usize) -> String {
        BASE64.encode(self.plain_token(offset))
    }

    fn plain_token(&self, offset: usize) -> String {
        let Range { start, end } = self.window;
        let plain = format!("{start}/{end}/{}/{offset}", self.page_size);
        let check = fingerprint(&plain);
        format!("{plain}/{check:016x}")
    }
}

fn decode(token: String) -> Option<CostsQuery> {
    let plain = String::from_utf8(BASE64.decode(&token).ok()?).ok()?;
    let parts: Vec<&str> = plain.split('/').collect();
    let [start, end, page_size, offset, _] = parts[..] else {
        return None;
    };
    let query = CostsQuery {
        window: start.parse().ok()?..end.parse().ok()?,
        offset: offset.parse().ok()?,
        page_size: page_size.parse().ok()?,
        token: Some(token),
    };
    (query.plain_token(query.offset) == plain).then_some(query)
}

fn parse_date(name: &'static str, given: Option<&str>) -> Result<NaiveDate, QueryError> {
    let Some(given) = given else {
        return Err(QueryError::Parameter(name, "is required".to_owned()));
    };
    match NaiveDate::parse_from_str(given, "%Y-%m-%d") {
        Ok(date) if date.to_string() == given => Ok(date),
        _ => Err(QueryError::Parameter(
            name,
            "must be a date as YYYY-MM-DD".to_owned(),
        )),
    }
}

fn parse_page_size(given: &str) -> Result<usize, QueryError> {
    match given.parse() {
        Ok(size @ 1..=MAX_PAGE_SIZE) => Ok(size),
        _ => {
            let text = format!("must be a number from 1 to {MAX_PAGE_SIZE}");
            Err(QueryError::Parameter("page_size", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap_or_default()
    }

    fn parse(query: &str) -> Result<CostsQuery, QueryError> {
        CostsQuery::parse(query, day("2025-11-23"))
    }

    fn rejected_parameter(query: &str) -> &'static str {
        match parse(query) {
            Err(QueryError::Parameter(name, _)) => name,
            Err(QueryError::WindowTooLong) => "too long",
            Ok(_) => "accepted",
        }
    }

    #[test]
    fn validates_window_and_page_size() {
        assert_eq!(
            rejected_parameter("start_date=2026-10-01&end_date=2026-11-01"),
            "accepted"
        );
        assert_eq!(
            rejected_parameter("start_date=2026-10-01&end_date=2026-11-02"),
            "too long"
        );
        assert_eq!(
            rejected_parameter("start_date=2026-10-01&end_date=2026-10-01"),
            "end_date"
        );
        assert_eq!(
            rejected_parameter("start_date=2026-10-02&end_date=2026-10-01"),
            "end_date"
        );
        assert_eq!(
            rejected_parameter("start_date=2025-11-23&end_date=2025-12-01"),
            "accepted"
        );
        assert_eq!(
            rejected_parameter("start_date=2025-11-22&end_date=2025-12-01"),
            "start_date"
        );
        assert_eq!(
            rejected_parameter("start_date=2026-10-1&end_date=2026-10-03"),
            "start_date"
        );
        assert_eq!(rejected_parameter("start_date=2026-10-01"), "end_date");
        assert_eq!(rejected_parameter("end_date=2026-10-01"), "start_date");
        for (size, expected) in [
            ("1", "accepted"),
            ("10000", "accepted"),
            ("0", "page_size"),
            ("10001", "page_size"),
        ] {
            let query = format!("start_date=2026-10-01&end_date=2026-10-03&page_size={size}");
            assert_eq!(rejected_parameter(&query), expected, "{size}");
        }
    }

    #[test]
    fn token_continues_its_query() {
        let first = parse("start_date=2026-10-01&end_date=2026-11-01&page_size=500").unwrap();
        let token = first.token_at(1500);
        assert!(token.len() <= 255);
        let alone: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let next = parse(&format!("page_token={alone}")).unwrap();
        assert_eq!(
            (next.offset, next.page_size, &next.window),
            (1500, 500, &first.window)
        );
        let repeated = "start_date=2026-10-01&end_date=2026-11-01&page_size=10";
        assert_eq!(
            parse(&format!("{repeated}&page_token={alone}")).unwrap(),
            next
        );
        assert_eq!(
            rejected_parameter(&format!("start_date=2026-09-01&page_token={alone}")),
            "page_token"
        );
        assert_eq!(
            rejected_parameter("page_token=QkFUQ0g6Mg%3D%3D"),
            "page_token"
        );
        assert_eq!(rejected_parameter("page_token=%21"), "page_token");
    }
}
