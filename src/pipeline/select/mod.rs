//! Selection of the months of a run.

pub mod pending;
pub mod rechecks;
pub(crate) mod unavailable;

use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};

/// Longest delay until Confluent shows a cost (docs: invoices and costs).
const COMPLETE_AFTER: TimeDelta = TimeDelta::hours(72);

/// The months a user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Default: months that can still change, and months left incomplete.
    Pending,
    /// Every available month.
    All,
    /// Months by name.
    Named(Vec<BillingPeriod>),
}

/// The twelve months that Confluent still holds from their first day, oldest first.
///
/// The API refuses a start date more than a year back (docs: invoices and costs).
pub(crate) fn pullable(today: NaiveDate) -> Vec<BillingPeriod> {
    let current = BillingPeriod::of(today);
    let oldest = BillingPeriod::of(today - Months::new(11));
    BillingPeriod::range(oldest, current).collect()
}

/// Checks that Confluent holds all of each month.
///
/// # Errors
/// Kind usage, for a month that begins over a year back or has not begun.
pub(crate) fn refuse_unpullable(months: &[BillingPeriod], today: NaiveDate) -> Result<()> {
    let year_ago = today - Months::new(12);
    for month in months {
        if month.first_day() < year_ago {
            return Err(Error::usage(format!(
                "{month} begins over a year back and Confluent no longer holds all of it: pulling \
                 it would replace a whole month by a part"
            ))
            .with_hint("use `billstream transform` to map it again from the stored costs"));
        }
        if month.first_day() > today {
            return Err(
                Error::usage(format!("{month} has not begun (today is {today}, UTC)")).with_hint(
                    format!(
                        "name a month up to {}, or check this computer's clock (`date -u`)",
                        BillingPeriod::of(today)
                    ),
                ),
            );
        }
    }
    Ok(())
}

/// Returns true if a pull at `now` settles the month: `settle_days` or more after its end.
pub(crate) fn settles(month: BillingPeriod, now: DateTime<Utc>, settle_days: u64) -> bool {
    now.date_naive() >= month.next().first_day() + Days::new(settle_days)
}

/// The first day whose costs may still be incomplete at `pulled_at`.
pub(crate) fn open_from(pulled_at: DateTime<Utc>) -> NaiveDate {
    (pulled_at - COMPLETE_AFTER).date_naive()
}

/// The last day of the month that Confluent should show completely at `pulled_at`; `None` before the first such day.
pub(crate) fn complete_through(
    month: BillingPeriod,
    pulled_at: DateTime<Utc>,
) -> Option<NaiveDate> {
    let end = open_from(pulled_at).min(month.next().first_day());
    (end > month.first_day()).then(|| end - Days::new(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn month(text: &str) -> BillingPeriod {
        text.parse().unwrap()
    }

    #[test]
    fn pullable_months_are_the_current_one_and_eleven_before_it() {
        for today in ["2026-11-23", "2026-11-01", "2028-02-29", "2026-12-31"] {
            let months = pullable(day(today));
            assert_eq!(months.len(), 12);
            assert_eq!(months[11], BillingPeriod::of(day(today)));
            assert!(refuse_unpullable(&months, day(today)).is_ok());
        }
    }

    #[test]
    fn refuses_months_that_begin_over_a_year_back_or_in_the_future() {
        let today = day("2026-11-23");
        assert!(refuse_unpullable(&[month("2025-11")], today).is_err());
        assert!(refuse_unpullable(&[month("2025-12")], today).is_ok());
        assert!(refuse_unpullable(&[month("2026-12")], today).is_err());
    }

    #[test]
    fn complete_through_lags_72_hours_and_ends_with_the_month() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let november = month("2026-11");
        assert_eq!(
            complete_through(november, at("2026-11-23T04:00:00Z")),
            Some(day("2026-11-19"))
        );
        assert_eq!(
            complete_through(november, at("2026-11-23T00:00:00Z")),
            Some(day("2026-11-19"))
        );
        assert_eq!(
            complete_through(november, at("2026-11-22T23:59:59Z")),
            Some(day("2026-11-18"))
        );
        assert_eq!(complete_through(november, at("2026-11-03T12:00:00Z")), None);
        assert_eq!(
            complete_through(month("2026-10"), at("2026-11-23T04:00:00Z")),
            Some(day("2026-10-31"))
        );
    }

    #[test]
    fn settles_after_the_configured_days() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert!(!settles(month("2026-10"), at("2026-11-17T23:00:00Z"), 17));
        assert!(settles(month("2026-10"), at("2026-11-18T00:00:00Z"), 17));
    }
}
