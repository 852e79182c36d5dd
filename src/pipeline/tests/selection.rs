//! Default selection of months, settling, holds and completeness.

use super::*;
use crate::error::ErrorKind;
use crate::pipeline::summary::PeriodStatus::{Empty, Failed, OnHold, Published, Unchanged};
use crate::store::runs;

/// The twelve months that Confluent still holds at [`NOW`].
const TWELVE: [&str; 12] = [
    "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06", "2026-07",
    "2026-08", "2026-09", "2026-10", "2026-11",
];

async fn sandbox() -> Sandbox {
    Sandbox::start(sandbox_on("2026-11-23")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_takes_twelve_months_and_later_runs_those_not_settled() {
    let (sandbox, scenario) = (sandbox().await, Scenario::new());
    let first = pull(scenario.at(NOW), &sandbox, Selection::Pending).await;
    assert_eq!(months(&first), TWELVE);
    assert_eq!(statuses(&first), [Published; 12]);
    for month in &first.periods {
        sandbox.assert_totals(month).await;
    }
    // October ended 23 days ago, so its first pull settled it.
    let second = pull(scenario.at(NOW), &sandbox, Selection::Pending).await;
    assert_eq!(months(&second), ["2026-11"]);
    let all = pull(scenario.at(NOW), &sandbox, Selection::All).await;
    assert_eq!(months(&all), TWELVE);
    let named = pull(scenario.at(NOW), &sandbox, named(&["2026-03"])).await;
    assert_eq!(months(&named), ["2026-03"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_settles_with_the_first_pull_seventeen_days_after_its_end() {
    let (sandbox, scenario) = (sandbox().await, Scenario::new());
    let old: Vec<&str> = TWELVE.into_iter().filter(|m| *m < "2026-10").collect();
    pull(scenario.at("2026-11-10T06:00:00Z"), &sandbox, named(&old)).await;
    // A settling month can be restated, so it is selected. The 17th day counts.
    for (now, expected) in [
        ("2026-11-10T06:00:00Z", &["2026-10", "2026-11"][..]),
        ("2026-11-17T23:59:59Z", &["2026-10", "2026-11"]),
        ("2026-11-18T00:00:00Z", &["2026-10", "2026-11"]),
        ("2026-11-18T00:00:01Z", &["2026-11"]),
        ("2026-11-23T06:00:00Z", &["2026-11"]),
    ] {
        let mut context = scenario.at(now);
        context.options.rechecks.recent_days = 0;
        let summary = pull(context, &sandbox, Selection::Pending).await;
        assert_eq!(months(&summary), expected, "at {now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settle_days_decide_which_months_are_pending() {
    let (sandbox, scenario) = (sandbox().await, Scenario::new());
    let at = |settle_days: u64| {
        let mut context = scenario.at(NOW);
        context.options.settle_days = settle_days;
        context
    };
    let unsettled = ["2026-09", "2026-10", "2026-11"];
    pull(at(60), &sandbox, Selection::Pending).await;
    let long = pull(at(60), &sandbox, Selection::Pending).await;
    assert_eq!(months(&long), unsettled);
    let short = pull(at(0), &sandbox, Selection::Pending).await;
    assert_eq!(months(&short), unsettled);
    let short = pull(at(0), &sandbox, Selection::Pending).await;
    assert_eq!(months(&short), ["2026-11"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pull_does_not_settle() {
    let scenario = Scenario::new();
    let broken = Sandbox::start(sandbox::Options {
        faults: vec!["404".parse().unwrap()],
        ..sandbox_on("2026-11-23")
    })
    .await;
    let failed = pull(scenario.at(NOW), &broken, named(&[MONTH])).await;
    assert_eq!(failed.periods[0].status, Failed);
    assert_eq!(failed.kind(), Some(ErrorKind::Data));
    let again = pull(scenario.at(NOW), &broken, Selection::Pending).await;
    assert!(months(&again).contains(&MONTH.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_months_that_were_only_pulled_are_pending_for_transform() {
    let (sandbox, scenario) = (sandbox().await, Scenario::new());
    pull(scenario.at(NOW), &sandbox, named(&["2026-09", MONTH])).await;
    let first = transform(scenario.at(NOW), Selection::Pending).await;
    assert_eq!(months(&first), ["2026-09", MONTH]);
    assert_eq!(statuses(&first), [Published; 2]);
    for month in &first.periods {
        sandbox.assert_totals(month).await;
    }
    let second = transform(scenario.at(NOW), Selection::Pending).await;
    assert_eq!(statuses(&second), [], "no month is pending any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn complete_through_lags_three_days_behind() {
    let sandbox = sandbox().await;
    for (now, month, expected) in [
        ("2026-11-23T06:00:00Z", "2026-11", Some("2026-11-19")),
        ("2026-11-23T00:00:00Z", "2026-11", Some("2026-11-19")),
        ("2026-11-22T23:59:59Z", "2026-11", Some("2026-11-18")),
        ("2026-11-04T00:00:00Z", "2026-11", None),
        ("2026-11-05T00:00:00Z", "2026-11", Some("2026-11-01")),
        ("2026-11-03T00:00:00Z", "2026-10", Some("2026-10-30")),
        ("2026-11-04T00:00:00Z", "2026-10", Some("2026-10-31")),
        ("2026-11-23T06:00:00Z", "2026-10", Some("2026-10-31")),
    ] {
        let scenario = Scenario::new();
        let expected = expected.map(|day| day.parse().unwrap());
        for status in [Published, Unchanged] {
            let summary = pull(scenario.at(now), &sandbox, named(&[month])).await;
            assert_eq!(statuses(&summary), [status]);
            let complete_through = summary.periods[0].complete_through;
            assert_eq!(complete_through, expected, "{month} at {now}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_month_states_with_the_former_name_of_complete_through() {
    let scenario = Scenario::new();
    let state = r#"{"pulled_at":null,"settled":true,"covered_until":"2026-10-31"}"#;
    let name = format!("runs/months/acme/{MONTH}.json");
    scenario.store.put(&name, state).await.unwrap();
    let state = runs::month_state(&scenario.store, "acme", period(MONTH)).await;
    let expected = Some("2026-10-31".parse().unwrap());
    assert_eq!(state.unwrap().complete_through, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_days_put_a_month_on_hold_until_they_are_allowed() {
    let scenario = Scenario::new();
    let whole = sandbox().await;
    let published = pull(scenario.at(NOW), &whole, named(&[MONTH])).await;
    let missing = Sandbox::start(sandbox::Options {
        drop_days: vec!["2026-10-14".parse().unwrap()],
        ..sandbox_on("2026-11-23")
    })
    .await;
    let held = pull(scenario.at(NOW), &missing, named(&[MONTH])).await;
    assert_eq!(statuses(&held), [OnHold]);
    assert_eq!(held.kind(), Some(ErrorKind::Partial));
    let month = &held.periods[0];
    let reason = month.hold_reason.as_deref().unwrap();
    assert!(
        reason.contains("2026-10-14") && reason.contains("--allow-missing-data"),
        "{reason}"
    );
    assert_eq!(month.digest, published.periods[0].digest);
    assert_eq!(serde_json::to_value(month.status).unwrap(), "held");

    let allowed = ImportOptions {
        pull_only: true,
        allow_missing_data: true,
        ..options(named(&[MONTH]))
    };
    let allowed = run_import(scenario.at(NOW), &missing, allowed).await;
    assert_eq!(statuses(&allowed), [Published]);
    missing.assert_totals(&allowed.periods[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_response_never_replaces_a_published_month() {
    let scenario = Scenario::new();
    let first = "2026-10-01".parse::<chrono::NaiveDate>().unwrap();
    let empty = Sandbox::start(sandbox::Options {
        drop_days: first.iter_days().take(31).collect(),
        ..sandbox_on("2026-11-23")
    })
    .await;
    let unpublished = pull(scenario.at(NOW), &empty, named(&[MONTH])).await;
    assert_eq!(statuses(&unpublished), [Empty]);
    let whole = pull(scenario.at(NOW), &sandbox().await, named(&[MONTH])).await;
    assert_eq!(statuses(&whole), [Published]);
    let allowed = ImportOptions {
        pull_only: true,
        allow_missing_data: true,
        ..options(named(&[MONTH]))
    };
    let held = run_import(scenario.at(NOW), &empty, allowed).await;
    assert_eq!(statuses(&held), [OnHold]);
    assert_eq!(held.periods[0].digest, whole.periods[0].digest);
}
