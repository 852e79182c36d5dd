//! What one query asks for, and the rules it has to keep (docs: invoices and costs; spec:
//! billing/v1 costs).

use crate::sandbox::data::random::fingerprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::NaiveDate;
use std::ops::Range;

const DEFAULT_PAGE_SIZE: usize = 5_000;
const LARGEST_PAGE_SIZE: usize = 10_000;
/// A calendar month has at most as many days.
const LONGEST_WINDOW: i64 = 31;

/// A query that keeps the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Days from the first up to but not including the last.
    pub window: Range<NaiveDate>,
    /// How many costs of the window were on earlier pages.
    pub offset: usize,
    /// Costs a page.
    pub page_size: usize,
    /// The token that led here, if one did.
    pub token: Option<String>,
}

/// A query that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A parameter, and what is wrong with it.
    Parameter(&'static str, String),
    /// The window is longer than a month.
    TooLong,
}

/// Names and values of the query string, percent-decoded.
#[derive(Default)]
struct Parameters {
    start_date: Option<String>,
    end_date: Option<String>,
    page_size: Option<String>,
    page_token: Option<String>,
}

impl Query {
    /// Reads a query string. `first_day` is the first day that may be asked for.
    pub fn read(query: &str, first_day: NaiveDate) -> Result<Query, Refusal> {
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
        let page_size = given.page_size.as_deref().map(page_size).transpose()?;
        if let Some(token) = given.page_token.take() {
            return Query::follow(token, &given);
        }
        let start = date("start_date", given.start_date.as_deref())?;
        let end = date("end_date", given.end_date.as_deref())?;
        if end <= start {
            let text = "must be after start_date".to_owned();
            return Err(Refusal::Parameter("end_date", text));
        }
        if (end - start).num_days() > LONGEST_WINDOW {
            return Err(Refusal::TooLong);
        }
        if start < first_day {
            let text = format!("must not be more than one year ago (before {first_day})");
            return Err(Refusal::Parameter("start_date", text));
        }
        Ok(Query {
            window: start..end,
            offset: 0,
            page_size: page_size.unwrap_or(DEFAULT_PAGE_SIZE),
            token: None,
        })
    }

    /// A token stands for the whole query. Repeated dates must be the same; the page size counts
    /// on the first request only.
    fn follow(token: String, given: &Parameters) -> Result<Query, Refusal> {
        let refused = |text: &str| Refusal::Parameter("page_token", text.to_owned());
        let query = decode(token).ok_or_else(|| refused("is unknown or has expired"))?;
        let same = |given: &Option<String>, date: NaiveDate| {
            given
                .as_ref()
                .is_none_or(|given| *given == date.to_string())
        };
        if same(&given.start_date, query.window.start) && same(&given.end_date, query.window.end) {
            Ok(query)
        } else {
            Err(refused("belongs to other dates"))
        }
    }

    /// The token of the page that starts at `offset`.
    pub fn token_at(&self, offset: usize) -> String {
        BASE64.encode(self.plain_token(offset))
    }

    fn plain_token(&self, offset: usize) -> String {
        let Range { start, end } = self.window;
        let plain = format!("{start}/{end}/{}/{offset}", self.page_size);
        let check = fingerprint(&plain);
        format!("{plain}/{check:016x}")
    }
}

fn decode(token: String) -> Option<Query> {
    let plain = String::from_utf8(BASE64.decode(&token).ok()?).ok()?;
    let parts: Vec<&str> = plain.split('/').collect();
    let [start, end, page_size, offset, _] = parts[..] else {
        return None;
    };
    let query = Query {
        window: start.parse().ok()?..end.parse().ok()?,
        offset: offset.parse().ok()?,
        page_size: page_size.parse().ok()?,
        token: Some(token),
    };
    (query.plain_token(query.offset) == plain).then_some(query)
}

fn date(name: &'static str, given: Option<&str>) -> Result<NaiveDate, Refusal> {
    let Some(given) = given else {
        return Err(Refusal::Parameter(name, "is required".to_owned()));
    };
    match NaiveDate::parse_from_str(given, "%Y-%m-%d") {
        Ok(date) if date.to_string() == given => Ok(date),
        _ => Err(Refusal::Parameter(
            name,
            "must be a date as YYYY-MM-DD".to_owned(),
        )),
    }
}

fn page_size(given: &str) -> Result<usize, Refusal> {
    match given.parse() {
        Ok(size @ 1..=LARGEST_PAGE_SIZE) => Ok(size),
        _ => {
            let text = format!("must be a number from 1 to {LARGEST_PAGE_SIZE}");
            Err(Refusal::Parameter("page_size", text))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap_or_default()
    }

    fn read(query: &str) -> Result<Query, Refusal> {
        Query::read(query, day("2025-11-23"))
    }

    fn refused(query: &str) -> &'static str {
        match read(query) {
            Err(Refusal::Parameter(name, _)) => name,
            Err(Refusal::TooLong) => "too long",
            Ok(_) => "accepted",
        }
    }

    #[test]
    fn windows_keep_the_rules() {
        assert_eq!(
            refused("start_date=2026-10-01&end_date=2026-11-01"),
            "accepted"
        );
        assert_eq!(
            refused("start_date=2026-10-01&end_date=2026-11-02"),
            "too long"
        );
        assert_eq!(
            refused("start_date=2026-10-01&end_date=2026-10-01"),
            "end_date"
        );
        assert_eq!(
            refused("start_date=2026-10-02&end_date=2026-10-01"),
            "end_date"
        );
        assert_eq!(
            refused("start_date=2025-11-23&end_date=2025-12-01"),
            "accepted"
        );
        assert_eq!(
            refused("start_date=2025-11-22&end_date=2025-12-01"),
            "start_date"
        );
        assert_eq!(
            refused("start_date=2026-10-1&end_date=2026-10-03"),
            "start_date"
        );
        assert_eq!(refused("start_date=2026-10-01"), "end_date");
        assert_eq!(refused("end_date=2026-10-01"), "start_date");
        for (size, expected) in [
            ("1", "accepted"),
            ("10000", "accepted"),
            ("0", "page_size"),
            ("10001", "page_size"),
        ] {
            let query = format!("start_date=2026-10-01&end_date=2026-10-03&page_size={size}");
            assert_eq!(refused(&query), expected, "{size}");
        }
    }

    #[test]
    fn a_token_stands_for_the_query() {
        let first = read("start_date=2026-10-01&end_date=2026-11-01&page_size=500").unwrap();
        let token = first.token_at(1500);
        assert!(token.len() <= 255);
        let alone: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let next = read(&format!("page_token={alone}")).unwrap();
        assert_eq!(
            (next.offset, next.page_size, &next.window),
            (1500, 500, &first.window)
        );
        let repeated = "start_date=2026-10-01&end_date=2026-11-01&page_size=10";
        assert_eq!(
            read(&format!("{repeated}&page_token={alone}")).unwrap(),
            next
        );
        assert_eq!(
            refused(&format!("start_date=2026-09-01&page_token={alone}")),
            "page_token"
        );
        assert_eq!(refused("page_token=QkFUQ0g6Mg%3D%3D"), "page_token");
        assert_eq!(refused("page_token=%21"), "page_token");
    }
}
