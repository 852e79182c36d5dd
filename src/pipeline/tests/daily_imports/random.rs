//! Random organizations and faults by seed: whatever happens, the end is exact.
//!
//! `BILLSTREAM_SEEDS=1000..2000 cargo test --lib random_daily` runs other seeds; a failing one is in the message.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::billing_period::Window;
use crate::pipeline::tests::seeds;

/// Seeds of a usual test.
const SEEDS: Range<u64> = 0..200;
/// First import.
const FIRST_RUN: &str = "2026-10-02";
/// Days of imports with faults.
const FAULTY_DAYS: u64 = 30;

/// What happens to one organization.
struct Plan {
    /// First day with costs.
    first_costs: NaiveDate,
    /// Answer to months before the organization existed.
    refuses_earlier_months: bool,
    /// Hours after its end until a day is shown.
    delay_hours: i64,
    /// Days that are hidden until a time.
    hidden: Vec<(Range<NaiveDate>, DateTime<Utc>)>,
    /// Days whose costs change at a time, by cents per cost.
    restated: Vec<(Range<NaiveDate>, DateTime<Utc>, i64)>,
    /// Runs on these days lack a line type.
    without_line_type: Range<NaiveDate>,
    /// Runs on these days get this status.
    refused: Vec<(Range<NaiveDate>, u16)>,
    /// Runs on these days get empty answers.
    empty: Range<NaiveDate>,
    /// Times of the imports.
    runs: Vec<DateTime<Utc>>,
}

impl Plan {
    fn new(seed: u64) -> Plan {
        let mut random = StdRng::seed_from_u64(seed);
        let first_run = day(FIRST_RUN);
        let mut days = |within: Range<u64>, longest: u64| {
            let start = first_run + Days::new(random.random_range(within));
            start..start + Days::new(random.random_range(1..=longest))
        };
        let without_line_type = days(3..FAULTY_DAYS, 8);
        let empty = days(0..FAULTY_DAYS, 5);
        let refused = vec![
            (days(0..FAULTY_DAYS, 5), 503),
            (days(0..FAULTY_DAYS, 5), 403),
        ];
        let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
        let first_costs = first_run - Days::new(random.random_range(1..35));
        let mut past = |longest: u64| {
            let start = first_run - Days::new(random.random_range(1..40));
            start..start + Days::new(random.random_range(1..=longest))
        };
        let (one, other, changed) = (past(8), past(3), past(20));
        let mut time = || at(first_run + Days::new(random.random_range(1..FAULTY_DAYS)));
        let hidden = vec![(one, time()), (other, time())];
        let restated = vec![(changed, time(), random.random_range(-60..200))];
        let refuses_earlier_months = random.random_bool(0.8);
        let delay_hours = random.random_range(20..70);
        let mut runs: Vec<DateTime<Utc>> = Vec::new();
        let mut run = first_run;
        while run < first_run + Days::new(FAULTY_DAYS) {
            let minutes = random.random_range(0..1440);
            runs.push(at(run) - TimeDelta::hours(6) + TimeDelta::minutes(minutes));
            // Runs follow each other closely or not, and now and then the clock is wrong.
            run = match random.random_range(0..10) {
                0 => run,
                1 => run - Days::new(random.random_range(1..4)),
                2..5 => run + Days::new(1),
                _ => run + Days::new(random.random_range(5..15)),
            }
            .max(first_run);
        }
        Plan {
            first_costs,
            refuses_earlier_months,
            delay_hours,
            hidden,
            restated,
            without_line_type,
            refused,
            empty,
            runs,
        }
    }

    /// Costs of a day as they are in the end.
    fn truth(&self, of: NaiveDate) -> Vec<Cost> {
        self.shown_at(DateTime::<Utc>::MAX_UTC, of)
    }

    /// Costs of a day that the organization has at a time, without faults of single runs.
    fn shown_at(&self, now: DateTime<Utc>, of: NaiveDate) -> Vec<Cost> {
        let is_hidden =
            |(days, until): &(Range<NaiveDate>, DateTime<Utc>)| days.contains(&of) && now < *until;
        if of < self.first_costs
            || !is_over_for(now, of, self.delay_hours)
            || self.hidden.iter().any(is_hidden)
        {
            return Vec::new();
        }
        let mut costs = usual(of);
        for (days, from, cents) in &self.restated {
            if days.contains(&of) && now >= *from {
                costs.iter_mut().for_each(|cost| cost.cents += cents);
            }
        }
        costs
    }

    /// Answer to a run.
    fn answer(&self, now: DateTime<Utc>, of: NaiveDate) -> Vec<Cost> {
        let today = now.date_naive();
        if self.empty.contains(&today) {
            return Vec::new();
        }
        let mut costs = self.shown_at(now, of);
        if self.without_line_type.contains(&today) {
            costs.retain(|cost| cost.line_type != "KAFKA_NUM_CKUS");
        }
        costs
    }

    fn refusal(&self, now: DateTime<Utc>, window: Window) -> Option<u16> {
        let of_run = |(days, status): &(Range<NaiveDate>, u16)| {
            days.contains(&now.date_naive()).then_some(*status)
        };
        let is_before = window.end <= BillingPeriod::of(self.first_costs).first_day();
        let earlier = (self.refuses_earlier_months && is_before).then_some(400);
        self.refused.iter().find_map(of_run).or(earlier)
    }
}

/// Runs a seed: every run, then one without faults.
async fn run_seed(seed: u64) {
    let plan = Arc::new(Plan::new(seed));
    let (costs, refusals) = (plan.clone(), plan.clone());
    let script = Script::new(move |now, of| costs.answer(now, of))
        .refusing(move |now, window| refusals.refusal(now, window));
    let mut daily = Daily::start(script).await;
    // Transforms and deliveries take most of the time, and depend on the published costs alone.
    daily.pulls_only = !seed.is_multiple_of(20);
    for now in &plan.runs {
        let summary = daily.import_at(*now).await;
        for month in &summary.periods {
            assert_claims(&daily, &plan, month).await;
        }
    }
    let last = at(day(FIRST_RUN) + Days::new(FAULTY_DAYS + 11));
    let summary = daily.import_at(last).await;
    assert_eq!(summary.kind(), None, "{:?}", summary.errors);
    let months = BillingPeriod::range(
        BillingPeriod::of(plan.first_costs),
        BillingPeriod::of(last.date_naive()),
    );
    for month in months {
        let newest = last.date_naive();
        let truth = |of| {
            let is_shown = is_over_for(last, of, plan.delay_hours);
            if is_shown { plan.truth(of) } else { Vec::new() }
        };
        daily.assert_month(month, newest, truth).await;
        let state = daily.state(&month.to_string()).await;
        assert_eq!(state.completeness.missing_days, [], "{month}");
        assert_eq!(state.completeness.on_hold, None, "{month}");
    }
}

/// Asserts that a month is called complete up to a day only if no costs up to it are missing, but for named days.
async fn assert_claims(daily: &Daily, plan: &Plan, month: &PeriodSummary) {
    let period = month.billing_period;
    let state = daily.state(&period.to_string()).await;
    // A month on hold is assessed again with the pull that ends the hold.
    let is_assessed = state.completeness.on_hold.is_none();
    let Some(complete_through) = state.complete_through.filter(|_| is_assessed) else {
        return;
    };
    let published = daily.costs(period).await;
    // Days before the first costs that were ever shown cannot be known.
    let Some(first_shown) = daily.first_day().await else {
        return;
    };
    let claimed = period.first_day().max(first_shown).iter_days();
    for of in claimed.take_while(|of| *of <= complete_through) {
        let is_missing = !plan.truth(of).is_empty() && !published.contains_key(&of);
        let is_named = state.completeness.missing_days.contains(&of);
        assert!(
            !is_missing || is_named,
            "{of} is missing from {period}: {state:?}"
        );
    }
}

#[test]
fn random_daily_imports_end_exact() {
    let failed = seeds::failures(SEEDS, |seed| {
        let run = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(run_seed(seed));
        });
        run.join().map_err(|_| seed)
    });
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
}
