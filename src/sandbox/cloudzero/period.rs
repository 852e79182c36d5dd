//! Months and hours as CloudZero writes them (spec: billing_drops; docs: custom drops).

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use std::fmt;

/// A calendar month, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(NaiveDate);

impl Month {
    /// Reads `YYYY-MM`, or a datetime of the published pattern.
    pub fn read(text: &str) -> Option<Month> {
        let first = if text.len() == 7 {
            NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?
        } else {
            instant(text)?.date_naive()
        };
        first.with_day(1).map(Month)
    }

    /// Reads the name of a billing period's folder, `YYYYMMDD-YYYYMMDD`: `None` if it is none,
    /// an error if it is not exactly one calendar month.
    pub fn of_folder(name: &str) -> Option<Result<Month, String>> {
        let (first, after) = name.split_once('-')?;
        let dated = |part: &str| part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !dated(first) || !dated(after) {
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

    /// The month in which an hour since 1970 is.
    pub fn of_hour(hour: i64) -> Option<Month> {
        day_of(hour).with_day(1).map(Month)
    }

    /// The month as a datetime, as answers have it.
    pub fn published(self) -> String {
        format!("{}T00:00:00Z", self.0)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

/// Reads a datetime of the published pattern; without a zone it is UTC.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    // chrono also takes a space or lower case where the pattern has a T.
    if !text.is_ascii() || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let time = &text[11..];
    let zoned = time.ends_with('Z') || time.contains(['+', '-']);
    let zone = if zoned { "" } else { "Z" };
    let instant = DateTime::parse_from_rfc3339(&format!("{text}{zone}")).ok()?;
    Some(instant.to_utc())
}

/// The hour since 1970 in which a datetime is.
pub fn hour(text: &str) -> Option<i64> {
    Some(instant(text)?.timestamp().div_euclid(3_600))
}

/// The day in which an hour since 1970 is.
pub fn day_of(hour: i64) -> NaiveDate {
    DateTime::from_timestamp(hour * 3_600, 0)
        .unwrap_or_default()
        .date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Option<String> {
        Month::read(text).map(|month| month.to_string())
    }

    #[test]
    fn months_are_read_in_both_forms() {
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
            Month::read("2026-10").map(Month::published).as_deref(),
            Some("2026-10-01T00:00:00Z")
        );
    }

    #[test]
    fn folders_are_calendar_months() {
        let read = |name| Month::of_folder(name).map(|month| month.map(|month| month.to_string()));
        assert_eq!(read("20261201-20270101"), Some(Ok("2026-12".to_owned())));
        for wrong in [
            "20261001-20261002",
            "20261002-20261102",
            "20261001-20261201",
            "20261301-20270101",
        ] {
            assert!(matches!(read(wrong), Some(Err(_))), "{wrong}");
        }
        assert_eq!(read("other-folder"), None);
    }

    #[test]
    fn hours_are_counted_in_utc() {
        assert_eq!(hour("1970-01-02T01:59:59Z"), Some(25));
        assert_eq!(
            hour("2026-10-01T00:00:00+00:00"),
            hour("2026-10-01T02:59:00+02:00")
        );
    }
}
