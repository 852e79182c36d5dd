//! Verify: months that were never published, and line items of an older mapping.

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::verify::{ComparisonStatus, VerifyReport, verify};
use ComparisonStatus::{Behind, Equal, Missing, Outdated};

async fn try_report(
    context: RunContext,
    sandbox: &Sandbox,
    selection: &Selection,
) -> Result<VerifyReport> {
    verify(&Arc::new(context), Some(&sandbox.client), selection).await
}

async fn report(context: RunContext, sandbox: &Sandbox, selection: Selection) -> VerifyReport {
    try_report(context, sandbox, &selection).await.unwrap()
}

/// Months and statuses of a report, which has no errors.
#[track_caller]
fn verified(report: &VerifyReport) -> Vec<(String, ComparisonStatus)> {
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let months = report.periods.iter();
    months
        .map(|month| (month.billing_period.to_string(), month.status))
        .collect()
}

fn of(months: &[(&str, ComparisonStatus)]) -> Vec<(String, ComparisonStatus)> {
    let months = months.iter();
    months.map(|(m, status)| (m.to_string(), *status)).collect()
}

/// Imports months into the drop of the store.
async fn imported(now: &str, sandbox: &Sandbox, months: &[&str]) -> Scenario {
    let scenario = Scenario::new();
    let summary = run_import(scenario.at(now), sandbox, options(named(months))).await;
    assert_eq!(
        statuses(&summary),
        vec![PeriodStatus::Published; months.len()]
    );
    scenario
}

/// Days of a month.
fn days(month: &str) -> Vec<chrono::NaiveDate> {
    let window = period(month).window();
    window
        .start
        .iter_days()
        .take_while(|day| *day < window.end)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_manifest_does_not_keep_other_months_from_being_compared() {
    let sandbox = Sandbox::start(sandbox_on("2026-11-23")).await;
    let scenario = imported(NOW, &sandbox, &["2026-09", "2026-10"]).await;
    let manifest = "cloudzero/acme/20260901-20261001/manifest.json";
    assert!(scenario.store.get(manifest).await.unwrap().is_some());
    scenario.store.put(manifest, "garbage").await.unwrap();
    let months = named(&["2026-09", "2026-10"]);
    let report = report(scenario.at(NOW), &sandbox, months).await;
    let expected = of(&[
        ("2026-09", ComparisonStatus::Unreadable),
        ("2026-10", Equal),
    ]);
    assert_eq!(verified(&report), expected);
    assert_eq!(report.kind(), Some(ErrorKind::Reconcile));
    let month = &report.periods[0];
    assert!(month.confluent.is_some() && month.store.is_some());
    let note = &month.notes[0];
    assert!(
        note.starts_with("bucket: ") && note.contains(manifest),
        "{note}"
    );
    assert!(note.contains("deliver the month again"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unpublished_months_are_missing_where_confluent_has_costs() {
    // Confluent has nothing for August and refuses months that begin before May 23.
    let sandbox = Sandbox::start(sandbox::Options {
        drop_days: days("2026-08"),
        ..sandbox_on("2027-05-23")
    })
    .await;
    let scenario = imported(NOW, &sandbox, &["2026-06", "2026-10"]).await;
    let all = report(scenario.at(NOW), &sandbox, Selection::Pending).await;
    let expected = of(&[
        ("2026-06", Equal),
        ("2026-07", Missing),
        ("2026-09", Missing),
        ("2026-10", Equal),
        ("2026-11", Missing),
    ]);
    assert_eq!(verified(&all), expected);
    assert_eq!(all.kind(), Some(ErrorKind::Reconcile));
    let json = serde_json::to_value(&all).unwrap();
    let url = format!("{}/sandbox/totals?month=2026-09", sandbox.url);
    let totals = reqwest::get(url).await.unwrap().text().await.unwrap();
    let totals: Value = serde_json::from_str(&totals).unwrap();
    let september = &json["periods"][2];
    assert_eq!(september["status"], "missing");
    assert_eq!(september["confluent"]["cost"], totals["net_amount"]);
    assert_eq!(september["confluent"]["rows"], totals["costs"]);
    assert!(september["confluent"]["usage_amount"].is_string());
    assert!(september["store"].is_null() && september["bucket"].is_null());
    assert!(
        september["notes"][0]
            .as_str()
            .unwrap()
            .contains("billstream import --month 2026-09")
    );
    assert_eq!(
        json["periods"][0]["confluent"]["usage_amount"],
        json["periods"][0]["store"]["usage_amount"]
    );
    // Nothing that was asked for stays in the store.
    let files = scenario.store.list("costs").await.unwrap();
    assert!(
        files.iter().all(|file| !file.contains("2026-09")),
        "{files:?}"
    );

    run_import(
        scenario.at(NOW),
        &sandbox,
        options(named(&["2026-07", "2026-09", "2026-11"])),
    )
    .await;
    let later = report(scenario.at(NOW), &sandbox, Selection::All).await;
    assert_eq!(later.kind(), None);
    assert_eq!(later.periods.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_a_month_after_published_ones_is_an_error() {
    let scenario = imported(
        NOW,
        &Sandbox::start(sandbox_on("2026-11-23")).await,
        &["2026-01"],
    )
    .await;
    let refusing = Sandbox::start(sandbox_on("2027-05-23")).await;
    let all = report(scenario.at(NOW), &refusing, Selection::Pending).await;
    let failed: Vec<String> = all
        .errors
        .iter()
        .map(|(month, _)| month.to_string())
        .collect();
    // January is published and refused; December lies before it.
    assert_eq!(
        failed,
        ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]
    );
    assert!(all.periods.iter().all(|month| month.status == Missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn named_months_may_be_unpublished_if_confluent_still_holds_them() {
    let sandbox = Sandbox::start(sandbox::Options {
        drop_days: days("2026-08"),
        ..sandbox_on("2026-11-23")
    })
    .await;
    let scenario = imported(NOW, &sandbox, &[MONTH]).await;
    let some = report(
        scenario.at(NOW),
        &sandbox,
        named(&["2026-08", "2026-09", MONTH]),
    )
    .await;
    let expected = of(&[("2026-08", Equal), ("2026-09", Missing), (MONTH, Equal)]);
    assert_eq!(verified(&some), expected);
    assert!(some.periods[0].notes[0].contains("Confluent returns no costs"));
    let only = report(scenario.at(NOW), &sandbox, named(&[MONTH])).await;
    assert_eq!(verified(&only), of(&[(MONTH, Equal)]));
    for month in ["2025-10", "2026-12"] {
        let refused = try_report(scenario.at(NOW), &sandbox, &named(&[month])).await;
        let error: Error = refused.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(month), "{error}");
    }
    // Without Confluent only published months are known.
    let run = Arc::new(scenario.at(NOW));
    let keyless = verify(&run, None, &Selection::Pending).await.unwrap();
    assert_eq!(verified(&keyless), of(&[(MONTH, Equal)]));
    let refused = verify(&run, None, &named(&["2026-09"])).await;
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::Usage);
}

#[tokio::test(flavor = "multi_thread")]
async fn pulled_months_without_line_items_are_missing_and_a_new_month_is_behind() {
    let first_days = "2026-11-02T06:00:00Z";
    let sandbox = Sandbox::start(sandbox_on("2026-11-02")).await;
    let scenario = imported(first_days, &sandbox, &[MONTH]).await;
    pull(scenario.at(first_days), &sandbox, named(&["2026-09"])).await;
    let some = report(
        scenario.at(first_days),
        &sandbox,
        named(&["2026-09", MONTH, "2026-11"]),
    )
    .await;
    let expected = of(&[("2026-09", Missing), (MONTH, Equal), ("2026-11", Behind)]);
    assert_eq!(verified(&some), expected);
    assert!(some.periods[0].notes[0].contains("billstream transform --month 2026-09"));
    let later = "2026-11-05T06:00:00Z";
    let november = report(scenario.at(later), &sandbox, named(&["2026-11"])).await;
    assert_eq!(verified(&november), of(&[("2026-11", Missing)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn line_items_of_another_label_are_outdated_until_they_are_transformed() {
    let sandbox = Sandbox::start(sandbox_on("2026-11-23")).await;
    let scenario = imported(NOW, &sandbox, &["2026-09", MONTH]).await;
    let labelled = || RunContext {
        cloud_provider: "Confluent Cloud".into(),
        ..scenario.at(NOW)
    };
    let months = || named(&["2026-09", MONTH]);
    let outdated = report(labelled(), &sandbox, months()).await;
    assert_eq!(
        verified(&outdated),
        of(&[("2026-09", Outdated), (MONTH, Outdated)])
    );
    assert_eq!(outdated.kind(), None, "all sides agree");
    assert!(outdated.periods[0].notes[0].contains("billstream transform --all"));
    transform(labelled(), Selection::All).await;
    let current = report(labelled(), &sandbox, months()).await;
    assert_eq!(
        verified(&current),
        of(&[("2026-09", Equal), (MONTH, Equal)])
    );
    let other = report(scenario.at(NOW), &sandbox, named(&[MONTH])).await;
    assert_eq!(verified(&other), of(&[(MONTH, Outdated)]));
}
