//! An organization whose costs are restated, and hidden for a while, as simulated time goes by.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use parking_lot::Mutex;

use super::schedule::Schedule;
use crate::billing_period::BillingPeriod;
use crate::pipeline::tests::scripted_source::{Cost, Script, Source};

/// First day with costs.
const FIRST_COSTS: &str = "2026-10-20";
/// Days that the source hides for a while.
const HIDDEN_DAYS: [&str; 2] = ["2026-10-25", "2026-11-05"];

/// Cents by day and line type.
pub(super) type Costs = BTreeMap<NaiveDate, BTreeMap<String, i64>>;

/// What the source shows at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    /// Number of restatements so far.
    restatements: i64,
    /// Some days are hidden.
    hides: bool,
    /// First day that is not shown yet.
    end: NaiveDate,
}

/// A source of costs.
pub(super) struct Organization {
    pub(super) connection: &'static str,
    pub(super) source: Source,
    plan: Arc<Plan>,
    /// Everything that the source has answered.
    shown: Arc<Mutex<BTreeSet<Shown>>>,
}

struct Plan {
    /// Cents that tell organizations apart.
    base: i64,
    restated_at: Vec<DateTime<Utc>>,
    hidden: Range<DateTime<Utc>>,
}

impl Organization {
    pub(super) async fn start(connection: &'static str, schedule: &Arc<Schedule>) -> Organization {
        let minutes = |limit: u32| TimeDelta::minutes(i64::from(schedule.below(limit)));
        let start = schedule.now();
        let hidden_from = start + minutes(120);
        let plan = Arc::new(Plan {
            base: i64::from(connection.as_bytes()[0]) * 10,
            restated_at: (0..3).map(|_| start + minutes(90)).collect(),
            hidden: hidden_from..hidden_from + minutes(30),
        });
        let shown = Arc::new(Mutex::new(BTreeSet::new()));
        let (answers, schedule, known) = (plan.clone(), schedule.clone(), shown.clone());
        let script = Script::new(move |_, day| {
            let shown = answers.shown_at(schedule.now());
            known.lock().insert(shown);
            answers.costs(shown, day)
        });
        Organization {
            connection,
            source: Source::start(script).await,
            plan,
            shown,
        }
    }

    /// Costs of a month at a time.
    pub(super) fn truth(&self, month: BillingPeriod, now: DateTime<Utc>) -> Costs {
        self.month(month, self.plan.shown_at(now))
    }

    /// Returns true if the source has shown these costs of a month.
    pub(super) fn has_shown(&self, month: BillingPeriod, costs: &Costs) -> bool {
        let shown = self.shown.lock().clone();
        shown
            .iter()
            .any(|shown| self.month(month, *shown) == *costs)
    }

    /// Returns true if the source has shown these cents by day.
    pub(super) fn has_shown_sums(
        &self,
        month: BillingPeriod,
        cents: &BTreeMap<NaiveDate, i64>,
    ) -> bool {
        let shown = self.shown.lock().clone();
        shown
            .iter()
            .any(|shown| sums(&self.month(month, *shown)) == *cents)
    }

    fn month(&self, month: BillingPeriod, shown: Shown) -> Costs {
        let days = month.first_day().iter_days();
        let days = days.take_while(|day| *day < month.next().first_day());
        days.filter_map(|day| {
            let costs = self.plan.costs(shown, day).into_iter();
            let costs: BTreeMap<_, _> = costs.map(|c| (c.line_type.to_owned(), c.cents)).collect();
            (!costs.is_empty()).then_some((day, costs))
        })
        .collect()
    }
}

/// Cents by day.
pub(super) fn sums(costs: &Costs) -> BTreeMap<NaiveDate, i64> {
    let sum = |costs: &BTreeMap<String, i64>| costs.values().sum();
    costs
        .iter()
        .map(|(day, costs)| (*day, sum(costs)))
        .collect()
}

/// Cents by day of line items with their starts and costs.
pub(super) fn cents_by_day(
    line_items: impl Iterator<Item = (String, String)>,
) -> BTreeMap<NaiveDate, i64> {
    const CENT: i128 = 10i128.pow(22);
    let mut days: BTreeMap<NaiveDate, i128> = BTreeMap::new();
    for (start, cost) in line_items {
        let day = start[..10].parse().unwrap();
        *days.entry(day).or_default() += crate::decimal::parse(&cost).unwrap().units;
    }
    let days = days.into_iter();
    days.map(|(day, units)| {
        assert_eq!(units % CENT, 0, "{day}: a part of a cent");
        (day, i64::try_from(units / CENT).unwrap())
    })
    .collect()
}

impl Plan {
    fn shown_at(&self, now: DateTime<Utc>) -> Shown {
        Shown {
            restatements: self.restated_at.iter().filter(|at| **at <= now).count() as i64,
            hides: self.hidden.contains(&now),
            end: now.date_naive() - Days::new(1),
        }
    }

    fn costs(&self, shown: Shown, day: NaiveDate) -> Vec<Cost> {
        let first: NaiveDate = FIRST_COSTS.parse().unwrap();
        let is_hidden = shown.hides && HIDDEN_DAYS.contains(&day.to_string().as_str());
        if day < first || day >= shown.end || is_hidden {
            return Vec::new();
        }
        let number = i64::from(chrono::Datelike::num_days_from_ce(&day) % 89);
        ["KAFKA_STORAGE", "KAFKA_NUM_CKUS"]
            .map(|line_type| Cost {
                line_type,
                cents: self.base + number + 7 * shown.restatements,
            })
            .into()
    }
}
