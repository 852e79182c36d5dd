//! Sixty days of imports with one fault each.

use super::*;
use crate::connections::health::HealthStatus;
use crate::error::ErrorKind;

/// First and last day of the runs.
pub(super) const FIRST_RUN: &str = "2026-10-05";
const LAST_RUN: &str = "2026-12-03";
/// First day with costs.
const FIRST_COSTS: &str = "2026-08-10";

/// Costs of an organization that began on [`FIRST_COSTS`], as a punctual source shows them.
pub(super) fn costs(now: DateTime<Utc>, of: NaiveDate) -> Vec<Cost> {
    if of < day(FIRST_COSTS) {
        return Vec::new();
    }
    punctual(now, of)
}

/// Returns the first day of a month's name, `2026-09`.
pub(super) fn in_month(of: NaiveDate, month: &str) -> bool {
    BillingPeriod::of(of) == period(month)
}

/// Imports of sixty days. Most scenarios are about what is published, and leave out transform and delivery, which take
/// most of the time.
pub(super) async fn sixty_days(
    script: Script,
    watch: impl AsyncFnMut(&Daily, NaiveDate, &Summary),
) {
    let mut daily = Daily::start(script).await;
    daily.pulls_only = true;
    run(daily, watch).await;
}

/// As [`sixty_days`], with every stage.
async fn sixty_days_with_deliveries(
    script: Script,
    watch: impl AsyncFnMut(&Daily, NaiveDate, &Summary),
) {
    run(Daily::start(script).await, watch).await;
}

async fn run(daily: Daily, mut watch: impl AsyncFnMut(&Daily, NaiveDate, &Summary)) {
    let runs = day(FIRST_RUN).iter_days();
    for today in runs.take_while(|today| *today <= day(LAST_RUN)) {
        let summary = daily.import_at(at(today)).await;
        watch(&daily, today, &summary).await;
    }
    assert_final(&daily, |of| costs(DateTime::<Utc>::MAX_UTC, of)).await;
}

/// Asserts that every month has the final costs, once, and is named for what it is.
async fn assert_final(daily: &Daily, truth: impl Fn(NaiveDate) -> Vec<Cost>) {
    let newest = day("2026-12-01");
    for month in ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"] {
        daily.assert_month(period(month), newest, &truth).await;
    }
    let states = ["2026-07", "2026-09", "2026-10", "2026-11", "2026-12"];
    let mut names = Vec::new();
    for month in states {
        names.push(daily.state_name(month, LAST_RUN).await);
    }
    assert_eq!(names[1..], ["settled", "settled", "settling", "open"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_punctual_source_needs_no_attention() {
    let script = Script::new(costs);
    sixty_days(script, async |daily, today, summary| {
        assert_eq!(summary.kind(), None, "{today}: {:?}", summary.errors);
        let health = daily.health(at(today)).await;
        assert_eq!(health.status, HealthStatus::Healthy, "{today}: {health:?}");
        let expected = today - Days::new(4);
        assert_eq!(health.complete_through, Some(expected), "{today}");
        assert_eq!(health.incomplete, [""; 0], "{today}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_answers_settle_nothing() {
    let script = Script::new(|now, of| {
        let is_empty = now.date_naive() < day("2026-10-07");
        if is_empty { Vec::new() } else { costs(now, of) }
    });
    sixty_days(script, async |daily, today, summary| {
        assert_eq!(summary.kind(), None, "{:?}", summary.errors);
        if today < day("2026-10-07") {
            assert_eq!(months_of(summary).len(), 12, "all stay due");
            let is_empty = |month: &PeriodSummary| month.status == PeriodStatus::Empty;
            assert!(summary.periods.iter().all(is_empty));
            assert_eq!(of(summary, "2026-09").state, Some("pending"));
            assert_eq!(of(summary, "2026-09").complete_through, None);
            let health = daily.health(at(today)).await;
            assert_eq!(health.status, HealthStatus::PendingData);
        } else if today == day("2026-10-07") {
            assert_eq!(of(summary, "2026-09").status, PeriodStatus::Published);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_named_until_its_costs_arrive() {
    let gap = day("2026-09-10")..=day("2026-09-20");
    let arrives = day("2026-10-21");
    let script = {
        let gap = gap.clone();
        Script::new(move |now, of| {
            if gap.contains(&of) && now.date_naive() < arrives {
                return Vec::new();
            }
            costs(now, of)
        })
    };
    let mut changed = Vec::new();
    sixty_days(script, async |daily, today, summary| {
        if today < day("2026-10-12") {
            let month = of(summary, "2026-09");
            assert_eq!(month.state, Some("incomplete"), "{today}");
            assert_eq!(month.missing_days.len(), 11);
            assert_eq!(month.complete_through, Some(day("2026-09-09")));
            let health = daily.health(at(today)).await;
            assert_eq!(health.complete_through, Some(day("2026-09-09")));
            assert_eq!(
                health.incomplete,
                ["2026-09 has no costs on 2026-09-10 to 2026-09-20"]
            );
        }
        let september = |month: &&PeriodSummary| month.billing_period == period("2026-09");
        let month = summary.periods.iter().find(september);
        if month.is_some_and(|month| month.status == PeriodStatus::Published) {
            changed.push(today);
        }
    })
    .await;
    // Confirmed by seven days of equal answers, September settled on the 18th; a re-pull found the costs.
    assert_eq!(changed[0], day(FIRST_RUN));
    assert_eq!(changed.len(), 2);
    assert!(changed[1] >= arrives && changed[1] < arrives + Days::new(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_gap_settles() {
    let gap = |of: NaiveDate| of == day("2026-09-14");
    let truth = move |now, of| if gap(of) { Vec::new() } else { costs(now, of) };
    let daily = Daily::start(Script::new(truth)).await;
    daily.import_daily("2026-10-14", "2026-10-20").await;
    assert_eq!(
        daily.state_name("2026-09", "2026-10-20").await,
        "incomplete"
    );
    daily.import_at(at(day("2026-10-21"))).await;
    assert_eq!(daily.state_name("2026-09", "2026-10-21").await, "settled");
    let state = daily.state("2026-09").await;
    assert_eq!(state.complete_through, Some(day("2026-09-30")));
    assert_eq!(state.completeness.missing_days, [day("2026-09-14")]);
    daily
        .assert_month(period("2026-09"), NaiveDate::MAX, |of| {
            truth(DateTime::<Utc>::MAX_UTC, of)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_stalls_is_late() {
    let stalls = day("2026-11-10")..day("2026-11-25");
    let script = Script::new(move |now, of| {
        let is_stalled = stalls.contains(&now.date_naive()) && of > day("2026-11-08");
        if is_stalled {
            Vec::new()
        } else {
            costs(now, of)
        }
    });
    let mut late = Vec::new();
    sixty_days(script, async |daily, today, _| {
        let health = daily.health(at(today)).await;
        assert!(health.complete_through <= health.newest_day);
        if health.status == HealthStatus::Late {
            assert_eq!(health.complete_through, Some(day("2026-11-08")));
            assert!(health.reason.unwrap().contains("no costs after 2026-11-08"));
            late.push(today);
        }
    })
    .await;
    assert_eq!(late.first(), Some(&day("2026-11-15")));
    assert_eq!(late.last(), Some(&day("2026-11-24")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_type_that_vanishes_puts_the_month_on_hold() {
    let faulty = day("2026-11-08")..day("2026-11-11");
    let script = {
        let faulty = faulty.clone();
        Script::new(move |now, of| {
            let mut costs = costs(now, of);
            if faulty.contains(&now.date_naive()) && in_month(of, "2026-10") {
                costs.retain(|cost| cost.line_type != "KAFKA_NUM_CKUS");
            }
            costs
        })
    };
    sixty_days_with_deliveries(script, async |daily, today, summary| {
        if !faulty.contains(&today) {
            assert_eq!(summary.kind(), None, "{today}");
            return;
        }
        assert_eq!(summary.kind(), Some(ErrorKind::Partial));
        let month = of(summary, "2026-10");
        assert_eq!(month.state, Some("on hold"));
        let reason = month.hold_reason.as_deref().unwrap();
        let expected =
            "KAFKA KAFKA_NUM_CKUS is missing on 2026-10-01 to 2026-10-31 (31 costs, net 930.00)";
        assert!(reason.contains(expected), "{reason}");
        daily.assert_usual("2026-10").await;
        let health = daily.health(at(today)).await;
        assert_eq!(health.incomplete.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fall_is_held_until_it_is_accepted_and_small_restatements_go_through() {
    let restated = |now: DateTime<Utc>, of: NaiveDate| {
        let mut costs = costs(now, of);
        for cost in &mut costs {
            if of == day("2026-10-12") && now.date_naive() >= day("2026-11-04") {
                cost.cents += 700;
            }
            if of == day("2026-10-13") && now.date_naive() >= day("2026-11-05") {
                cost.cents -= cost.cents / 10;
            }
            if of == day("2026-10-14") && now.date_naive() >= day("2026-11-07") {
                cost.cents /= 2;
            }
        }
        costs
    };
    let daily = Daily::start(Script::new(restated)).await;
    daily.import_daily("2026-11-01", "2026-11-03").await;
    for today in ["2026-11-04", "2026-11-05"] {
        let summary = daily.import_at(at(day(today))).await;
        let month = of(&summary, "2026-10");
        assert_eq!(month.status, PeriodStatus::Published, "{today}");
        assert_ne!(month.previous_net_amount.as_ref(), Some(&month.net_amount));
    }
    let held = daily.import_daily("2026-11-06", "2026-11-08").await;
    let reason = of(&held, "2026-10").hold_reason.clone().unwrap();
    assert!(
        reason.contains("the net of 2026-10-14 fell from"),
        "{reason}"
    );
    let hold = daily.state("2026-10").await.completeness.on_hold.unwrap();
    assert_eq!(hold.since, at(day("2026-11-07")));
    let accepted = daily.import_with(at(day("2026-11-09")), true).await;
    assert_eq!(of(&accepted, "2026-10").status, PeriodStatus::Published);
    daily
        .assert_month(period("2026-10"), NaiveDate::MAX, |of| {
            restated(DateTime::<Utc>::MAX_UTC, of)
        })
        .await;
    let after = daily.import_at(at(day("2026-11-10"))).await;
    assert_eq!(after.kind(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restatement_after_settling_is_found_within_a_week() {
    let restated = |now: DateTime<Utc>, of: NaiveDate| {
        let mut costs = costs(now, of);
        if in_month(of, "2026-09") && now.date_naive() >= day("2026-10-28") {
            costs.push(Cost {
                line_type: "KAFKA_STORAGE",
                cents: 77,
            });
        }
        costs
    };
    let daily = Daily::start(Script::new(restated)).await;
    daily.import_daily(FIRST_RUN, "2026-10-27").await;
    assert_eq!(daily.state_name("2026-09", "2026-10-27").await, "settled");
    let mut found = Vec::new();
    for today in day("2026-10-28").iter_days().take(7) {
        let summary = daily.import_at(at(today)).await;
        let mut months = summary.periods.into_iter();
        found.extend(months.find(|month| month.billing_period == period("2026-09")));
    }
    let statuses: Vec<PeriodStatus> = found.iter().map(|month| month.status).collect();
    assert_eq!(
        statuses,
        [PeriodStatus::Published],
        "pulled once in the week"
    );
    assert!(found[0].was_settled);
    assert_eq!(found[0].state, Some("settled"));
    daily
        .assert_month(period("2026-09"), NaiveDate::MAX, |of| {
            restated(DateTime::<Utc>::MAX_UTC, of)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_and_a_lost_role_change_nothing() {
    let script = Script::new(costs).refusing(|now, _| match now.date_naive() {
        today if (day("2026-10-10")..day("2026-10-14")).contains(&today) => Some(503),
        today if (day("2026-11-15")..day("2026-11-20")).contains(&today) => Some(403),
        _ => None,
    });
    sixty_days(script, async |daily, today, summary| {
        let expected = match today {
            today if (day("2026-10-10")..day("2026-10-14")).contains(&today) => ErrorKind::Remote,
            today if (day("2026-11-15")..day("2026-11-20")).contains(&today) => ErrorKind::Config,
            _ => return assert_eq!(summary.kind(), None, "{today}"),
        };
        assert_eq!(summary.kind(), Some(expected), "{today}");
        let health = daily.health(at(today)).await;
        assert_eq!(health.status, HealthStatus::Error, "{today}");
        daily.assert_usual("2026-09").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_steps_lose_nothing() {
    let daily = Daily::start(Script::new(costs)).await;
    let days = [
        "2026-10-05",
        "2026-10-25",
        "2026-10-10",
        "2026-11-19",
        "2026-11-12",
    ];
    for today in days {
        daily.import_at(at(day(today))).await;
    }
    daily.import_daily("2026-11-20", LAST_RUN).await;
    assert_final(&daily, |of| costs(DateTime::<Utc>::MAX_UTC, of)).await;
}
