//! Assessment of a pulled month: losses against what is published, gaps, and whether the month settles.

pub(crate) mod days;
pub mod losses;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use crate::billing_period::BillingPeriod;
use crate::error::Result;
use crate::pipeline::assess::days::CostDays;
use crate::pipeline::publish::Tables;
use crate::pipeline::pull::PulledMonth;
use crate::pipeline::{RunContext, select};
use crate::store::runs::MonthState;

/// Returns `state`, that of the month, after a pull that is published: completeness, last complete day and whether the
/// month is settled.
///
/// # Errors
/// Those of the store.
pub(crate) async fn after_pull(
    context: &RunContext,
    tables: &Tables,
    mut state: MonthState,
    period: BillingPeriod,
    with_costs: &BTreeSet<NaiveDate>,
    pulled_at: DateTime<Utc>,
) -> Result<MonthState> {
    let mut all = CostDays::published(context, tables).await?;
    all.extend(with_costs);
    let observed = Observed {
        with_costs,
        all,
        pulled_at,
    };
    assess(&mut state, period, &observed, context.options.settle_days);
    Ok(state)
}

/// Days with costs, as a pull shows them.
struct Observed<'o> {
    /// Days of the month.
    with_costs: &'o BTreeSet<NaiveDate>,
    /// First and newest day of the connection.
    all: CostDays,
    pulled_at: DateTime<Utc>,
}

fn assess(state: &mut MonthState, period: BillingPeriod, observed: &Observed, settle_days: u64) {
    let pulled_at = observed.pulled_at;
    let complete_through = select::complete_through(period, pulled_at);
    let missing = match complete_through {
        Some(last) => missing_days(period, last, observed),
        None => Vec::new(),
    };
    let first_missing = missing.first().copied();
    let is_empty = observed.with_costs.is_empty();
    let newest = observed.with_costs.last().copied();
    state.pulled_at = Some(pulled_at);
    let completeness = &mut state.completeness;
    completeness.observe(newest, missing, is_empty, pulled_at);
    let is_doubtful = completeness.is_doubtful();
    // No day is complete before a later day, or the day itself, has costs.
    let mut complete_through = complete_through.min(observed.all.newest);
    if is_doubtful {
        let missing = first_missing.unwrap_or_else(|| period.first_day());
        complete_through = complete_through.min(missing.pred_opt());
    }
    state.complete_through = complete_through.filter(|last| *last >= period.first_day());
    // As long as no later costs exist, those of the last days may still come, however often they are asked for.
    let next = period.next().first_day();
    let is_stalled = observed
        .all
        .newest
        .is_some_and(|newest| newest.succ_opt() < Some(next));
    state.settled |= select::settles(period, pulled_at, settle_days);
    state.settled &= !is_doubtful && !is_stalled;
}

/// Returns the days without costs up to `last`, the last day that should be complete. Days before the connection's
/// first costs are not missing. In a month that is not over, neither are those after its newest costs: they are late.
fn missing_days(period: BillingPeriod, last: NaiveDate, observed: &Observed) -> Vec<NaiveDate> {
    let Some((first, newest)) = observed.all.first.zip(observed.all.newest) else {
        return Vec::new();
    };
    let is_over = last.succ_opt() == Some(period.next().first_day());
    let last = if is_over { last } else { last.min(newest) };
    let first = first.max(period.first_day());
    first
        .iter_days()
        .take_while(|day| *day <= last)
        .filter(|day| !observed.with_costs.contains(day))
        .collect()
}

/// Returns the days with costs of a pull.
pub(crate) fn days_of(pulled: &PulledMonth) -> BTreeSet<NaiveDate> {
    let groups = pulled.totals.groups().into_iter();
    groups
        .filter_map(|group| days::date(group.day.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE_DAYS: u64 = 17;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn october() -> BillingPeriod {
        "2026-10".parse().unwrap()
    }

    /// Days of October from one to another.
    fn october_days(from: u32, to: u32) -> BTreeSet<NaiveDate> {
        let day = |number| NaiveDate::from_ymd_opt(2026, 10, number).unwrap();
        (from..=to).map(day).collect()
    }

    /// Assesses October; the connection's costs begin and end on `first` and `newest`.
    fn assess_october(
        state: &mut MonthState,
        with_costs: &BTreeSet<NaiveDate>,
        [first, newest]: [&str; 2],
        now: &str,
    ) {
        let observed = Observed {
            with_costs,
            all: CostDays {
                first: Some(day(first)),
                newest: Some(day(newest)),
            },
            pulled_at: format!("{now}T06:00:00Z").parse().unwrap(),
        };
        assess(state, october(), &observed, SETTLE_DAYS);
    }

    #[test]
    fn a_whole_month_settles_after_the_configured_days() {
        let mut state = MonthState::default();
        let days = october_days(1, 31);
        let range = ["2026-09-01", "2026-11-20"];
        assess_october(&mut state, &days, range, "2026-11-17");
        assert!(!state.settled);
        assert_eq!(state.complete_through, Some(day("2026-10-31")));
        assess_october(&mut state, &days, range, "2026-11-18");
        assert!(state.settled);
    }

    #[test]
    fn a_gap_is_named_and_keeps_the_month_from_settling_until_confirmed() {
        let mut state = MonthState::default();
        let mut days = october_days(1, 31);
        days.retain(|day| !october_days(10, 20).contains(day));
        let range = ["2026-09-01", "2026-11-20"];
        for now in ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"] {
            assess_october(&mut state, &days, range, now);
            assert!(!state.settled, "on {now}");
            assert_eq!(state.name(october(), day(now)), "incomplete");
            assert_eq!(state.completeness.missing_days.len(), 11);
            assert_eq!(state.complete_through, Some(day("2026-10-09")));
        }
        assess_october(&mut state, &days, range, "2026-11-27");
        assert_eq!(state.name(october(), day("2026-11-27")), "settled");
        assert_eq!(state.complete_through, Some(day("2026-10-31")));
        // A later pull with other gaps raises the doubt again.
        days.remove(&day("2026-10-21"));
        assess_october(&mut state, &days, range, "2026-12-27");
        assert_eq!(state.name(october(), day("2026-12-27")), "incomplete");
    }

    #[test]
    fn an_empty_month_is_pending_until_confirmed() {
        let mut state = MonthState::default();
        let none = BTreeSet::new();
        for now in ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"] {
            assess_october(&mut state, &none, ["2026-11-10", "2026-11-20"], now);
            assert_eq!(state.name(october(), day(now)), "pending");
            assert_eq!(state.complete_through, None);
            assert_eq!(state.completeness.missing_days, []);
        }
        assess_october(
            &mut state,
            &none,
            ["2026-11-10", "2026-11-20"],
            "2026-11-28",
        );
        assert_eq!(state.name(october(), day("2026-11-28")), "settled");
    }

    #[test]
    fn completeness_ends_with_the_newest_costs_of_the_connection() {
        let mut state = MonthState::default();
        let days = october_days(1, 10);
        let range = ["2026-09-01", "2026-10-10"];
        assess_october(&mut state, &days, range, "2026-10-27");
        assert_eq!(state.complete_through, Some(day("2026-10-10")));
        assert_eq!(state.completeness.missing_days, [], "late, not missing");
        assess_october(&mut state, &days, range, "2026-11-20");
        assert_eq!(state.complete_through, Some(day("2026-10-10")));
        assert_eq!(state.completeness.missing_days.len(), 21);
        assert!(!state.settled);
    }

    #[test]
    fn days_before_the_first_costs_are_not_missing() {
        let mut state = MonthState::default();
        assess_october(
            &mut state,
            &october_days(12, 31),
            ["2026-10-12", "2026-11-20"],
            "2026-11-23",
        );
        assert_eq!(state.completeness.missing_days, []);
        assert!(state.settled);
    }
}
