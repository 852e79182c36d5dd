//! Billing periods (calendar months) and windows (the days of one API query).
//!
//! All days are UTC days, as in Confluent's costs (docs: invoices and costs).

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Days of one API query, in UTC. The end is exclusive.
///
/// ```
/// use billstream::billing_period::{BillingPeriod, Window};
///
/// let october: BillingPeriod = "2026-10".parse()?;
/// let window = october.window();
/// assert_eq!(window.to_string(), "2026-10-01..2026-11-01");
/// assert_eq!(window.days(), 31);
/// assert!(window.contains("2026-10-31".parse()?));
/// assert!(!window.contains("2026-11-01".parse()?));
///
/// let parts: Vec<String> = window.split(14).iter().map(Window::to_string).collect();
/// assert_eq!(
///     parts,
///     ["2026-10-01..2026-10-15", "2026-10-15..2026-10-29", "2026-10-29..2026-11-01"]
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// First day.
    pub start: NaiveDate,
    /// Day after the last one.
    pub end: NaiveDate,
}

impl Window {
    /// Number of days; 0 when the end is not after the start.
    pub fn days(self) -> u32 {
        u32::try_from((self.end - self.start).num_days()).unwrap_or(0)
    }

    /// True when `day` is in the window.
    pub fn contains(self, day: NaiveDate) -> bool {
        self.start <= day && day < self.end
    }

    /// Splits the window into parts of at most `days_each` days (0 counts as 1), in order, without gap or overlap. A
    /// window without days has no parts.
    pub fn split(self, days_each: u32) -> Vec<Window> {
        let each = Days::new(days_each.max(1).into());
        let mut parts = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let end = start
                .checked_add_days(each)
                .map_or(self.end, |day| day.min(self.end));
            parts.push(Window { start, end });
            start = end;
        }
        parts
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}..{}", self.start, self.end))
    }
}

/// Calendar month, in UTC, of a cost's start date. Written `2026-10`.
///
/// ```
/// use billstream::billing_period::BillingPeriod;
///
/// let october: BillingPeriod = "2026-10".parse()?;
/// assert_eq!(october.to_string(), "2026-10");
/// assert_eq!(BillingPeriod::of("2026-10-31".parse()?), october);
/// assert!("2026-13".parse::<BillingPeriod>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BillingPeriod(NaiveDate);

impl BillingPeriod {
    /// Period that contains `day`.
    pub fn of(day: NaiveDate) -> Self {
        // Every month has a first day.
        BillingPeriod(day.with_day(1).unwrap_or(day))
    }

    /// First day of the month.
    pub fn first_day(self) -> NaiveDate {
        self.0
    }

    /// Following month. The last month that chrono can represent has none and returns itself.
    pub fn next(self) -> Self {
        BillingPeriod(self.0.checked_add_months(Months::new(1)).unwrap_or(self.0))
    }

    /// Preceding month. The first month that chrono can represent has none and returns itself.
    pub fn previous(self) -> Self {
        BillingPeriod(self.0.checked_sub_months(Months::new(1)).unwrap_or(self.0))
    }

    /// All days of the month.
    pub fn window(self) -> Window {
        Window {
            start: self.0,
            end: self.next().0,
        }
    }

    /// Months from `from` to `to`, including both; none when `to` is before `from`.
    ///
    /// ```
    /// use billstream::billing_period::BillingPeriod;
    ///
    /// let months: Vec<String> = BillingPeriod::range("2026-11".parse()?, "2027-01".parse()?)
    ///     .map(|month| month.to_string())
    ///     .collect();
    /// assert_eq!(months, ["2026-11", "2026-12", "2027-01"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range(from: Self, to: Self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(from), |period| {
            let next = period.next();
            (next > *period).then_some(next)
        })
        .take_while(move |period| *period <= to)
    }

    /// Month of a folder of CloudZero drops; the inverse of [`BillingPeriod::folder`].
    pub(crate) fn from_folder(name: &str) -> Option<Self> {
        let start = NaiveDate::parse_from_str(name.get(..8)?, "%Y%m%d").ok()?;
        let period = BillingPeriod::of(start);
        (period.folder() == name).then_some(period)
    }

    /// Folder of the month's CloudZero drops (docs: CloudZero, custom drops).
    ///
    /// ```
    /// use billstream::billing_period::BillingPeriod;
    ///
    /// let december: BillingPeriod = "2026-12".parse()?;
    /// assert_eq!(december.folder(), "20261201-20270101");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn folder(self) -> String {
        let Window { start, end } = self.window();
        format!("{}-{}", start.format("%Y%m%d"), end.format("%Y%m%d"))
    }
}

impl fmt::Display for BillingPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.0.year(), self.0.month()))
    }
}

impl FromStr for BillingPeriod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_first_day(text).map(BillingPeriod).ok_or_else(|| {
            // Debug formatting escapes control characters.
            let shown: String = text.chars().take(40).collect();
            Error::usage(format!("{shown:?} is not a billing period"))
                .with_hint("write a billing period as year and month, such as 2026-10")
        })
    }
}

/// Parses exactly four digits, a hyphen and two digits into the first day of the month.
fn parse_first_day(text: &str) -> Option<NaiveDate> {
    let (year, month) = text.split_once('-')?;
    let digits =
        |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
}

impl TryFrom<String> for BillingPeriod {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<BillingPeriod> for String {
    fn from(period: BillingPeriod) -> String {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(text: &str) -> BillingPeriod {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_has_days_neighbours_and_a_folder() {
        let december = period("2026-12");
        assert_eq!(december.first_day(), day("2026-12-01"));
        assert_eq!(december.next(), period("2027-01"));
        assert_eq!(december.previous(), period("2026-11"));
        assert_eq!(december.window().to_string(), "2026-12-01..2027-01-01");
        assert_eq!(december.window().days(), 31);
        assert_eq!(period("2028-02").window().days(), 29);
        assert_eq!(period("2026-10").folder(), "20261001-20261101");
        assert_eq!(december.folder(), "20261201-20270101");
        assert_eq!(
            BillingPeriod::from_folder("20261201-20270101"),
            Some(december)
        );
        for other in ["20261201-20270102", "20261202-20270101", "2026", "manifest"] {
            assert_eq!(BillingPeriod::from_folder(other), None, "{other}");
        }
        assert_eq!(BillingPeriod::of(day("2026-10-31")), period("2026-10"));
    }

    #[test]
    fn rejects_other_notations_with_a_hint_that_shows_the_right_one() {
        let wrong = [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "202610",
            "2026-10-01",
            "+026-10",
        ];
        for text in
            wrong
                .into_iter()
                .chain([" 2026-10", "２０２６-10", "2026-10\u{1b}[2J", "26-10"])
        {
            let error = text.parse::<BillingPeriod>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
            assert!(error.hint().unwrap().contains("2026-10"));
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }

    #[test]
    fn a_month_is_a_string_in_json() {
        let json = serde_json::to_string(&period("2026-10")).unwrap();
        assert_eq!(json, "\"2026-10\"");
        assert_eq!(
            serde_json::from_str::<BillingPeriod>(&json).unwrap(),
            period("2026-10")
        );
        assert!(serde_json::from_str::<BillingPeriod>("\"2026-13\"").is_err());
    }

    #[test]
    fn a_range_includes_both_ends_and_is_empty_backwards() {
        let months: Vec<String> = BillingPeriod::range(period("2026-11"), period("2027-02"))
            .map(|period| period.to_string())
            .collect();
        assert_eq!(months, ["2026-11", "2026-12", "2027-01", "2027-02"]);
        assert_eq!(
            BillingPeriod::range(period("2026-11"), period("2026-10")).count(),
            0
        );
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic_or_loop() {
        let last = BillingPeriod::of(NaiveDate::MAX);
        assert_eq!(last.next(), last);
        assert_eq!(BillingPeriod::range(last, last).count(), 1);
        let first = BillingPeriod::of(NaiveDate::MIN);
        assert_eq!(first.previous(), first);
        let end = Window {
            start: NaiveDate::MAX.pred_opt().unwrap(),
            end: NaiveDate::MAX,
        };
        assert_eq!(end.split(9), [end]);
    }

    #[test]
    fn a_window_without_days_has_no_parts() {
        let backwards = Window {
            start: day("2026-10-02"),
            end: day("2026-10-01"),
        };
        assert_eq!(backwards.days(), 0);
        assert!(backwards.split(28).is_empty());
        assert!(!backwards.contains(day("2026-10-01")));
        let empty = Window {
            start: day("2026-10-01"),
            end: day("2026-10-01"),
        };
        assert!(empty.split(28).is_empty());
    }

    proptest! {
        #[test]
        fn parts_tile_any_window(from in 700_000i32..760_000, days in 1u32..800, each in 0u32..60) {
            let start = NaiveDate::from_num_days_from_ce_opt(from).unwrap();
            let window = Window { start, end: start + Days::new(days.into()) };
            let parts = window.split(each);
            prop_assert_eq!(parts[0].start, window.start);
            prop_assert_eq!(parts[parts.len() - 1].end, window.end);
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
                prop_assert_eq!(pair[0].days(), each.max(1));
            }
            prop_assert!(parts.iter().all(|part| (1..=each.max(1)).contains(&part.days())));
            prop_assert_eq!(parts.iter().map(|part| part.days()).sum::<u32>(), days);
        }

        #[test]
        fn the_months_of_a_year_tile_it(year in 1900i32..2900) {
            let months: Vec<BillingPeriod> = BillingPeriod::range(
                period(&format!("{year}-01")),
                period(&format!("{year}-12")),
            )
            .collect();
            prop_assert_eq!(months.len(), 12);
            let mut next = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            for month in months {
                prop_assert_eq!(month.window().start, next);
                prop_assert_eq!(month.next().previous(), month);
                prop_assert_eq!(period(&month.to_string()), month);
                next = month.window().end;
            }
            prop_assert_eq!(next, NaiveDate::from_ymd_opt(year + 1, 1, 1).unwrap());
        }

        #[test]
        fn a_day_is_in_the_window_of_its_month_only(from in 700_000i32..760_000) {
            let day = NaiveDate::from_num_days_from_ce_opt(from).unwrap();
            let month = BillingPeriod::of(day);
            prop_assert!(month.window().contains(day));
            prop_assert!(!month.next().window().contains(day));
            prop_assert!(!month.previous().window().contains(day));
        }
    }
}
