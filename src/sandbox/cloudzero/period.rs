//! Months and hours in CloudZero's formats (spec: billing_drops; docs: custom drops).

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use std::fmt;

/// Calendar month, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month(NaiveDate);

impl Month {
    /// Parses `YYYY-MM`, or a datetime of the published pattern.
    pub(crate) fn parse(text: &str) -> Option<Month> {
        let first = if text.len() == 7 {
            NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?
        } else {
            parse_datetime(text)?.date_naive()
        };
        first.with_day(1).map(Month)
    }

    /// Parses the folder name of a billing period, `YYYYMMDD-YYYYMMDD`: `None` for other folders, an error
    /// if it is not exactly one calendar month.
    pub(crate) fn from_folder(name: &str) -> Option<Result<Month, String>> {
        let (first, after) = name.split_once('-')?;
        let is_date =
            |part: &str| part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_date(first) || !is_date(after) {
            return None;
        }
        let date = |part| NaiveDate::parse_from_str(part, "%Y%m%d").ok();
        let month = date(first).filter(|first| {
            first.day() == 1 && first.checked_add_months(Months::new(1)) == date(after)
        });
        Some(
            month
                .map(Month)
                .ok_or_else(|| format!("`{name}` is not one calendar month")),
        )
    }

    /// Month of an hour since 1970-01-01.
    pub(crate) fn of_hour(hour: i64) -> Option<Month> {
        day_of(hour).with_day(1).map(Month)
    }

    /// Datetime in the format of responses.
    pub(crate) fn to_datetime(self) -> String {
        format!("{}T00:00:00Z", self.0)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

/// Parses a datetime of the published pattern; without a zone it is UTC.
pub(crate) fn parse_datetime(text: &str) -> Option<DateTime<Utc>> {
    // chrono also accepts a space or lower case where the pattern has a T.
    if !text.is_ascii() || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let time = &text[11..];
    let has_zone = time.ends_with('Z') || time.contains(['+', '-']);
    let zone = if has_zone { "" } else { "Z" };
    let instant = DateTime::parse_from_rfc3339(&format!("{text}{zone}")).ok()?;
    Some(instant.to_utc())
}

/// Hour since 1970-01-01 of a datetime.
pub(crate) fn parse_hour(text: &str) -> Option<i64> {
    Some(parse_datetime(text)?.timestamp().div_euclid(3_600))
}

/// Day of an hour since 1970-01-01.
pub(crate) fn day_of(hour: i64) -> NaiveDate {
    DateTime::from_timestamp(hour * 3_600, 0)
        .unwrap_or_default()
        .date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Option<String> {
        Month::parse(text).map(|month| month.to_string())
    }

    #[test]
    fn parses_months_in_both_formats() {
        for text in [
            "2026-10",
            "2026-10-01T00:00:00Z",
            "2026-10-31T23:59:59.5+00:00",
            "2026-10-01T00:00:00",
            "2026-11-01T00:30:00+01:00",
        ] {
            assert_eq!(month(text).as_deref(), Some("2026-10"), "{text}");
        }
        for text in [
            "",
            "2026-13",
            "2026-10-01",
            "2026-10-01 00:00:00Z",
            "2026-1",
            "octobre",
        ] {
            assert_eq!(month(text), None, "{text}");
        }
        assert_eq!(
            Month::parse("2026-10").map(Month::to_datetime).as_deref(),
            Some("2026-10-01T00:00:00Z")
        );
    }

    #[test]
    fn parses_folders_of_calendar_months_only() {
        let parse =
            |name| Month::from_folder(name).map(|month| month.map(|month| month.to_string()));
        assert_eq!(parse("20261201-20270101"), Some(Ok("2026-12".to_owned())));
        for wrong in [
            "20261001-20261002",
            "20261002-20261102",
            "20261001-20261201",
            "20261301-20270101",
        ] {
            assert!(matches!(parse(wrong), Some(Err(_))), "{wrong}");
        }
        assert_eq!(parse("other-folder"), None);
    }

    #[test]
    fn counts_hours_in_utc() {
        assert_eq!(parse_hour("1970-01-02T01:59:59Z"), Some(25));
        assert_eq!(
            parse_hour("2026-10-01T00:00:00+00:00"),
            parse_hour("2026-10-01T02:59:00+02:00")
        );
    }
}
