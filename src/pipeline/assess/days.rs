//! Days with costs.

use std::collections::BTreeSet;

use chrono::{NaiveDate, TimeDelta};

use crate::error::Result;
use crate::pipeline::RunContext;
use crate::pipeline::publish::Tables;

/// Ranges of days that a text names before it counts the others.
const NAMED_RANGES: usize = 3;

/// First and newest day with costs of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CostDays {
    pub(crate) first: Option<NaiveDate>,
    pub(crate) newest: Option<NaiveDate>,
}

impl CostDays {
    /// Days of the published months, from the statistics of their files.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn published(context: &RunContext, tables: &Tables) -> Result<CostDays> {
        let mut days = CostDays::default();
        let Some(costs) = &tables.costs else {
            return Ok(days);
        };
        for published in costs.files().await? {
            if published.connection == *context.connection
                && let Some((first, last)) = published.file.start_range
            {
                days.extend(&[first, last].into_iter().filter_map(date).collect());
            }
        }
        Ok(days)
    }

    /// Includes `days`.
    pub(crate) fn extend(&mut self, days: &BTreeSet<NaiveDate>) {
        if let Some((first, last)) = days.first().zip(days.last()) {
            self.first = Some(self.first.map_or(*first, |known| known.min(*first)));
            self.newest = self.newest.max(Some(*last));
        }
    }
}

/// Returns the date of a number of days since 1970-01-01.
pub(crate) fn date(days: i64) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::try_days(days)?)
}

/// Returns sorted days as text: `2026-10-10 to 2026-10-20, 2026-10-25`; longer lists end with a count of days.
pub(crate) fn format_days(days: &[NaiveDate]) -> String {
    let mut ranges: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for day in days {
        match ranges.last_mut() {
            Some((_, last)) if last.succ_opt() == Some(*day) => *last = *day,
            _ => ranges.push((*day, *day)),
        }
    }
    let named = &ranges[..ranges.len().min(NAMED_RANGES)];
    let text = |(first, last): &(NaiveDate, NaiveDate)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        }
    };
    let mut text = named.iter().map(text).collect::<Vec<_>>().join(", ");
    let length = |(first, last): &(NaiveDate, NaiveDate)| (*last - *first).num_days() + 1;
    let others = days.len() as i64 - named.iter().map(length).sum::<i64>();
    if others > 0 {
        text.push_str(&format!(" and {others} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_days_as_ranges() {
        let days = |numbers: &[u32]| {
            let day = |number: &u32| NaiveDate::from_ymd_opt(2026, 10, *number).unwrap();
            format_days(&numbers.iter().map(day).collect::<Vec<_>>())
        };
        assert_eq!(days(&[]), "");
        assert_eq!(days(&[7]), "2026-10-07");
        assert_eq!(days(&[7, 8, 9, 12]), "2026-10-07 to 2026-10-09, 2026-10-12");
        assert_eq!(
            days(&[1, 3, 5, 7, 8, 20]),
            "2026-10-01, 2026-10-03, 2026-10-05 and 3 more"
        );
    }
}
