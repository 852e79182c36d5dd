//! Re-pulls of settled months, in a light rotation: Confluent documents no day after which a month is final.

use chrono::NaiveDate;

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::store::runs;

/// Newest settled months, which are restated most often.
const RECENT_MONTHS: usize = 2;
/// Other settled months of one run.
const OLDER_PER_RUN: usize = 3;

/// Days between re-pulls of settled months; 0 turns them off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecheckIntervals {
    /// Of the two newest settled months.
    pub recent_days: u64,
    /// Of the others.
    pub all_days: u64,
}

/// Settled month and the day of its last pull.
type SettledMonth = (BillingPeriod, NaiveDate);

/// Returns the settled months among `periods` that are due for a re-pull on `today`.
///
/// # Errors
/// Those of the store.
pub(crate) async fn due_rechecks(
    context: &RunContext,
    periods: &[BillingPeriod],
    today: NaiveDate,
) -> Result<Vec<BillingPeriod>> {
    let mut settled = Vec::new();
    for period in periods {
        let state = runs::month_state(&context.store, &context.connection, *period).await?;
        if state.settled {
            // Older stores have settled months without a time.
            let pulled = state.pulled_at.map_or(NaiveDate::MIN, |at| at.date_naive());
            settled.push((*period, pulled));
        }
    }
    Ok(select_due(settled, context.options.rechecks, today))
}

fn select_due(
    mut settled: Vec<SettledMonth>,
    intervals: RecheckIntervals,
    today: NaiveDate,
) -> Vec<BillingPeriod> {
    let is_due = |pulled: NaiveDate, days: u64| {
        let age = today.signed_duration_since(pulled).num_days();
        // A pull in the future happened before a clock went back.
        days > 0 && (age < 0 || age >= days as i64)
    };
    settled.sort_by_key(|(period, _)| std::cmp::Reverse(*period));
    let mut older = settled.split_off(settled.len().min(RECENT_MONTHS));
    let recent = settled.into_iter();
    let recent = recent.filter(|(_, pulled)| is_due(*pulled, intervals.recent_days));
    // The longest unseen first, so that months imported on one day spread over several runs.
    older.sort_by_key(|(_, pulled)| *pulled);
    let older = older.into_iter();
    let older = older.filter(|(_, pulled)| is_due(*pulled, intervals.all_days));
    let due = recent.chain(older.take(OLDER_PER_RUN));
    due.map(|(period, _)| period).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVALS: RecheckIntervals = RecheckIntervals {
        recent_days: 7,
        all_days: 30,
    };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Settled months of 2026 that were pulled on a day.
    fn pulled_on(day: NaiveDate, months: std::ops::RangeInclusive<u32>) -> Vec<SettledMonth> {
        let month = |number| format!("2026-{number:02}").parse().unwrap();
        months.map(|number| (month(number), day)).collect()
    }

    fn due(settled: &[SettledMonth], intervals: RecheckIntervals, today: &str) -> Vec<String> {
        let due = select_due(settled.to_vec(), intervals, day(today));
        due.iter().map(BillingPeriod::to_string).collect()
    }

    #[test]
    fn the_two_newest_are_due_weekly() {
        let settled = pulled_on(day("2026-11-01"), 3..=9);
        assert_eq!(due(&settled, INTERVALS, "2026-11-07"), [""; 0]);
        assert_eq!(
            due(&settled, INTERVALS, "2026-11-08"),
            ["2026-09", "2026-08"]
        );
        let off = RecheckIntervals {
            recent_days: 0,
            all_days: 0,
        };
        assert_eq!(due(&settled, off, "2027-11-08"), [""; 0]);
    }

    #[test]
    fn all_are_due_monthly_a_few_in_each_run() {
        let mut settled = pulled_on(day("2026-11-01"), 1..=9);
        let mut runs = Vec::new();
        for today in day("2026-11-30").iter_days().take(5) {
            let due = select_due(settled.clone(), INTERVALS, today);
            for (period, pulled) in &mut settled {
                if due.contains(period) {
                    *pulled = today;
                }
            }
            runs.push(due.len());
        }
        // The two recent ones, then seven older ones from the 30th day.
        assert_eq!(runs, [2, 3, 3, 1, 0]);
    }

    #[test]
    fn months_pulled_in_the_future_are_due() {
        let settled = pulled_on(day("2027-11-01"), 8..=9);
        assert_eq!(
            due(&settled, INTERVALS, "2026-11-01"),
            ["2026-09", "2026-08"]
        );
    }
}
