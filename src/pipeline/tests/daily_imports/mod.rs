//! Weeks of plain daily imports from a scripted source: what arrives in the end, and what is said on the way.

mod random;
mod refusals;
mod scenarios;
mod states;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::{Scenario, options, period};
use crate::billing_period::BillingPeriod;
use crate::connections::health::{self, Expectations, Health};
use crate::connections::state::{self, RunOutcome};
use crate::engine::sql_files::SqlFiles;
use crate::pipeline::assess::days::CostDays;
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::import::import;
use crate::pipeline::publish::Tables;
use crate::pipeline::pull;
use crate::pipeline::select::Selection;
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};
use crate::store::lease::Fence;
use crate::store::runs::{self, MonthState};

use super::scripted_source::{Cost, Script, Source};

/// Rows and cents by line type.
type DayCosts = BTreeMap<String, (u64, i64)>;

/// Organization whose costs a run imports every day.
struct Daily {
    scenario: Scenario,
    source: Source,
    /// Runs `pull`, not `import`.
    pulls_only: bool,
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(6, 0, 0).unwrap().and_utc()
}

/// Costs of an ordinary day.
fn usual(day: NaiveDate) -> Vec<Cost> {
    let number = i64::from(chrono::Datelike::num_days_from_ce(&day) % 89);
    [
        ("KAFKA_STORAGE", 1_000 + number),
        ("KAFKA_NETWORK_READ", 250 + number),
        ("KAFKA_NUM_CKUS", 3_000),
    ]
    .map(|(line_type, cents)| Cost { line_type, cents })
    .into()
}

/// Returns true if a day is over for `hours`.
fn is_over_for(now: DateTime<Utc>, day: NaiveDate, hours: i64) -> bool {
    let end = day.succ_opt().unwrap().and_hms_opt(0, 0, 0).unwrap();
    now - end.and_utc() >= TimeDelta::hours(hours)
}

/// Costs as a punctual source shows them: a day after their day.
fn punctual(now: DateTime<Utc>, day: NaiveDate) -> Vec<Cost> {
    if is_over_for(now, day, 24) {
        usual(day)
    } else {
        Vec::new()
    }
}

impl Daily {
    async fn start(script: Script) -> Daily {
        Daily {
            scenario: Scenario::new(),
            source: Source::start(script).await,
            pulls_only: false,
        }
    }

    /// Imports as a plain `import` at a time does, with the record of its outcome.
    async fn import_at(&self, now: DateTime<Utc>) -> Summary {
        self.import_with(now, false).await
    }

    async fn import_with(&self, now: DateTime<Utc>, allow_missing_data: bool) -> Summary {
        self.source.set_time(now);
        let context = Arc::new(self.scenario.at(&now.to_rfc3339()));
        let mut options = options(Selection::Pending);
        options.allow_missing_data = allow_missing_data;
        options.pull_only = self.pulls_only;
        let summary = import(&context, &self.source.client, &options)
            .await
            .unwrap();
        let outcome = RunOutcome {
            command: "import",
            cloud_provider: Some("Confluent"),
            at: now,
            received: summary.periods.iter().any(|month| month.received > 0),
            error: summary.kind().map(|_| "failed".to_owned()),
        };
        let fence = Fence::unchecked(&self.scenario.store, "acme", "run");
        state::run_ended(&fence, outcome).await.unwrap();
        summary
    }

    /// Imports every day from one to another; the last summary.
    async fn import_daily(&self, from: &str, to: &str) -> Summary {
        let days = day(from).iter_days().take_while(|d| *d <= day(to));
        let mut last = None;
        for today in days {
            last = Some(self.import_at(at(today)).await);
        }
        last.unwrap()
    }

    async fn state(&self, month: &str) -> MonthState {
        runs::month_state(&self.scenario.store, "acme", period(month))
            .await
            .unwrap()
    }

    /// Name of a month's state on a day.
    async fn state_name(&self, month: &str, today: &str) -> &'static str {
        self.state(month).await.name(period(month), day(today))
    }

    async fn health(&self, now: DateTime<Utc>) -> Health {
        let expected = Expectations {
            cloud_provider: None,
            interval: TimeDelta::hours(36),
            destinations: Ok(Destinations::in_store(&self.scenario.store, "acme")),
            currency: "USD".into(),
            sql: Arc::new(SqlFiles::load(None).unwrap()),
        };
        health::health(&self.scenario.store, "acme", expected, now)
            .await
            .unwrap()
    }

    /// First published day.
    async fn first_day(&self) -> Option<NaiveDate> {
        let context = self.scenario.at("2026-11-23T06:00:00Z");
        let tables = Tables::open(&context).await.unwrap();
        CostDays::published(&context, &tables).await.unwrap().first
    }

    /// Published costs of a month by day.
    async fn costs(&self, month: BillingPeriod) -> BTreeMap<NaiveDate, DayCosts> {
        let context = self.scenario.at("2026-11-23T06:00:00Z");
        let tables = Tables::open(&context).await.unwrap();
        let files = tables.month(&context, month).await.unwrap().costs;
        let stored = pull::stored_month(&context.store, &files).await.unwrap();
        let mut days: BTreeMap<NaiveDate, DayCosts> = BTreeMap::new();
        for group in stored.totals.groups() {
            let day = NaiveDate::default() + Days::new(group.day.try_into().unwrap());
            let cents = (group.totals.net / 10i128.pow(22)) as i64;
            let line_type = group.line_type.clone().unwrap();
            days.entry(day)
                .or_default()
                .insert(line_type, (group.totals.costs, cents));
        }
        days
    }

    /// Cents by day in the files of the active drop of a month.
    async fn delivered(&self, month: BillingPeriod) -> BTreeMap<NaiveDate, i64> {
        let mut days = BTreeMap::new();
        for row in super::drop_rows(&self.scenario, month).await {
            let day = row["time/usage_start"][..10].parse().unwrap();
            let cost = crate::decimal::parse(&row["cost/cost"]).unwrap().units;
            *days.entry(day).or_default() += (cost / 10i128.pow(22)) as i64;
        }
        days
    }

    /// Asserts that store and drop of a month have the costs of each day up to `last`.
    async fn assert_month(
        &self,
        month: BillingPeriod,
        last: NaiveDate,
        costs: impl Fn(NaiveDate) -> Vec<Cost>,
    ) {
        let days = month.first_day().iter_days();
        let days = days.take_while(|day| *day < month.next().first_day() && *day <= last);
        let mut expected: BTreeMap<NaiveDate, DayCosts> = BTreeMap::new();
        for day in days {
            for cost in costs(day) {
                let of_day = expected.entry(day).or_default();
                let sums = of_day.entry(cost.line_type.to_owned()).or_default();
                sums.0 += 1;
                sums.1 += cost.cents;
            }
        }
        assert_eq!(self.costs(month).await, expected, "costs of {month}");
        let sum = |costs: &DayCosts| costs.values().map(|(_, cents)| cents).sum();
        let expected = expected.iter().map(|(day, costs)| (*day, sum(costs)));
        let expected: BTreeMap<NaiveDate, i64> = expected.collect();
        if !expected.is_empty() && !self.pulls_only {
            assert_eq!(self.delivered(month).await, expected, "drop of {month}");
        }
    }

    /// As [`Daily::assert_month`], for a month with [`usual`] costs that is over.
    async fn assert_usual(&self, month: &str) {
        let month = period(month);
        self.assert_month(month, NaiveDate::MAX, usual).await;
    }
}

/// Month of a summary.
#[track_caller]
fn of<'s>(summary: &'s Summary, month: &str) -> &'s PeriodSummary {
    let mut months = summary.periods.iter();
    let found = months.find(|listed| listed.billing_period == period(month));
    found.unwrap_or_else(|| panic!("{month} is not in {summary:?}"))
}

/// Months of a summary, as text.
fn months_of(summary: &Summary) -> Vec<String> {
    super::months(summary)
}
