//! Completeness of a month, as Confluent's answers show it; part of the month's state.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Pulls with the same gaps after which they count as real.
const CONFIRMING_PULLS: u32 = 4;
/// Time between the first and the last of them.
const CONFIRMING_TIME: TimeDelta = TimeDelta::days(7);
/// Least time between two pulls that both count.
const BETWEEN_PULLS: TimeDelta = TimeDelta::hours(20);

/// Which days of a month have costs, and what is odd about the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// Newest day with costs.
    #[serde(default)]
    pub newest_day: Option<NaiveDate>,
    /// Days without costs that should have some: between days with costs, or at the end of a month that is over.
    #[serde(default)]
    pub missing_days: Vec<NaiveDate>,
    /// True if no costs are published and Confluent returned none.
    #[serde(default)]
    pub is_empty: bool,
    /// Repetition of the same gaps by later pulls.
    #[serde(default)]
    pub repeated: Option<Repetition>,
    /// Set while new costs are withheld because published ones are missing from them.
    #[serde(default)]
    pub on_hold: Option<Hold>,
}

/// Pulls that returned the same gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repetition {
    /// First pull.
    pub first_at: DateTime<Utc>,
    /// Last pull that counts.
    pub last_at: DateTime<Utc>,
    /// Number of pulls that count.
    pub pulls: u32,
}

/// New costs that are not published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Pull that first lacked published costs.
    pub since: DateTime<Utc>,
    /// Published costs that the last pull lacked.
    pub reason: String,
}

impl Completeness {
    /// Returns true if days lack costs, or all do, and too few pulls have confirmed it.
    pub(crate) fn is_doubtful(&self) -> bool {
        let confirmed = self.repeated.is_some_and(|repeated| {
            repeated.pulls >= CONFIRMING_PULLS
                && repeated.last_at - repeated.first_at >= CONFIRMING_TIME
        });
        self.has_gaps() && !confirmed
    }

    fn has_gaps(&self) -> bool {
        self.is_empty || !self.missing_days.is_empty()
    }

    /// Replaces the observed days by those of a pull, which repeats the gaps of the last one or starts again.
    pub(crate) fn observe(
        &mut self,
        newest_day: Option<NaiveDate>,
        missing_days: Vec<NaiveDate>,
        is_empty: bool,
        pulled_at: DateTime<Utc>,
    ) {
        let same = (&self.missing_days, self.is_empty) == (&missing_days, is_empty);
        self.newest_day = newest_day;
        self.missing_days = missing_days;
        self.is_empty = is_empty;
        self.on_hold = None;
        self.repeated = match self.repeated.filter(|_| same) {
            _ if !self.has_gaps() => None,
            // A clock that went back confirms nothing.
            Some(repeated) if pulled_at >= repeated.last_at => {
                let counts = pulled_at - repeated.last_at >= BETWEEN_PULLS;
                Some(Repetition {
                    last_at: if counts { pulled_at } else { repeated.last_at },
                    pulls: repeated.pulls.saturating_add(u32::from(counts)),
                    ..repeated
                })
            }
            _ => Some(Repetition {
                first_at: pulled_at,
                last_at: pulled_at,
                pulls: 1,
            }),
        };
    }

    /// Puts the month on hold; an existing hold keeps its start.
    pub(crate) fn hold(&mut self, at: DateTime<Utc>, reason: String) {
        let since = self.on_hold.as_ref().map_or(at, |hold| hold.since);
        self.on_hold = Some(Hold { since, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> DateTime<Utc> {
        format!("2026-11-{day:02}T06:00:00Z").parse().unwrap()
    }

    fn gap() -> Vec<NaiveDate> {
        vec!["2026-10-14".parse().unwrap()]
    }

    #[test]
    fn four_equal_pulls_over_seven_days_confirm_a_gap() {
        let mut month = Completeness::default();
        for (day, is_doubtful) in [
            (1, true),
            (2, true),
            (3, true),
            (4, true),
            (7, true),
            (8, false),
        ] {
            month.observe(None, gap(), false, at(day));
            assert_eq!(month.is_doubtful(), is_doubtful, "on day {day}");
        }
    }

    #[test]
    fn pulls_of_one_day_and_of_a_clock_that_went_back_confirm_nothing() {
        let mut month = Completeness::default();
        for (day, pulls) in [(10, 1), (10, 1), (11, 2), (1, 1), (1, 1), (2, 2)] {
            month.observe(None, gap(), false, at(day));
            assert_eq!(month.repeated.unwrap().pulls, pulls, "on day {day}");
        }
    }

    #[test]
    fn another_gap_starts_again() {
        let mut month = Completeness::default();
        for day in [1, 8, 15, 22] {
            month.observe(None, gap(), false, at(day));
        }
        assert!(!month.is_doubtful());
        month.observe(None, Vec::new(), true, at(23));
        assert!(month.is_doubtful());
        month.observe(None, Vec::new(), false, at(24));
        assert!(!month.is_doubtful());
        assert_eq!(month.repeated, None);
    }

    #[test]
    fn a_hold_keeps_its_start_and_ends_with_the_next_published_pull() {
        let mut month = Completeness::default();
        month.hold(at(1), "first".into());
        month.hold(at(2), "second".into());
        let hold = month.on_hold.clone().unwrap();
        assert_eq!((hold.since, hold.reason.as_str()), (at(1), "second"));
        month.observe(None, Vec::new(), false, at(3));
        assert_eq!(month.on_hold, None);
    }
}
