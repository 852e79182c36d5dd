//! New resource attributes: open and settling months take them, settled ones only on request.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::*;
use crate::engine;
use crate::pipeline::summary::PeriodStatus::{Published, Unchanged};
use crate::pipeline::transform::inputs::register;
use crate::store::TableName;

const SETTLED: &str = "2026-09";
const SETTLING: &str = "2026-10";
const OPEN: &str = "2026-11";
const ALL: [&str; 3] = [SETTLED, SETTLING, OPEN];
const RESOURCE: &str = "lkc-7aa01x";
const NAME: &str = "resource/tag:confluent_name";

/// A sandbox on 10 November with another name of [`RESOURCE`].
async fn sandbox(name: &str, revision: u32) -> Sandbox {
    Sandbox::start(sandbox::Options {
        renamed: vec![(RESOURCE.to_string(), name.to_string())],
        revision,
        ..sandbox_on("2026-11-10")
    })
    .await
}

/// The three months as imported on 10 November.
async fn imported() -> Scenario {
    let scenario = Scenario::new();
    let summary = import_at(
        &scenario,
        &sandbox("first", 0).await,
        "2026-11-10T06:00:00Z",
    )
    .await;
    assert_eq!(statuses(&summary), [Published; 3]);
    assert_names(&scenario, ["first"; 3]).await;
    scenario
}

async fn import_at(scenario: &Scenario, sandbox: &Sandbox, now: &str) -> Summary {
    enrich_and_import(scenario.at(now), sandbox, named(&ALL)).await
}

/// Asserts the name of [`RESOURCE`] in the line items and the drop of each month.
async fn assert_names(scenario: &Scenario, names: [&str; 3]) {
    for (month, name) in ALL.into_iter().zip(names) {
        let expected = BTreeSet::from([name.to_string()]);
        assert_eq!(
            names_in_line_items(scenario, month).await,
            expected,
            "{month}"
        );
        assert_eq!(names_in_drop(scenario, month).await, expected, "{month}");
    }
}

async fn names_in_line_items(scenario: &Scenario, month: &str) -> BTreeSet<String> {
    let (context, period) = (scenario.at(NOW), period(month));
    let tables = Tables::open(&context).await.unwrap();
    let columns = tables.line_item_columns().unwrap();
    let files = tables.month(&context, period).await.unwrap().line_items;
    let session = engine::session(&context.store, context.limits).unwrap();
    register(
        &context,
        &session,
        TableName::LineItems,
        &columns,
        period,
        &files,
    )
    .unwrap();
    let sql = format!(
        "select distinct \"{NAME}\" from line_items where \"resource/id\" = 'kafka-cluster/{RESOURCE}'"
    );
    let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
    let mut found = BTreeSet::new();
    for batch in batches {
        let names = cast(batch.column(0), &DataType::Utf8).unwrap();
        let names = names.as_string::<i32>().iter();
        found.extend(names.map(|name| name.unwrap_or_default().to_string()));
    }
    found
}

/// Names in the files of the active drop.
async fn names_in_drop(scenario: &Scenario, month: &str) -> BTreeSet<String> {
    let mut rows = drop_rows(scenario, period(month)).await;
    rows.retain(|row| row["resource/id"] == format!("kafka-cluster/{RESOURCE}"));
    rows.iter().map(|row| row[NAME].clone()).collect()
}

/// Objects of the published tables and drops.
async fn published(scenario: &Scenario) -> Vec<String> {
    let mut objects = scenario.store.list("").await.unwrap();
    objects.retain(|name| !name.starts_with("runs/"));
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn open_and_settling_months_take_new_attributes_once_and_settled_ones_keep_theirs() {
    let scenario = imported().await;
    let second = sandbox("second", 0).await;
    let summary = import_at(&scenario, &second, "2026-11-11T06:00:00Z").await;
    assert_eq!(statuses(&summary), [Unchanged, Published, Published]);
    let older: Vec<bool> = summary.periods.iter().map(|p| p.older_attributes).collect();
    assert_eq!(older, [true, false, false]);
    assert_names(&scenario, ["first", "second", "second"]).await;
    let before = published(&scenario).await;
    for now in ["2026-11-11T07:00:00Z", "2026-11-13T07:00:00Z"] {
        let again = import_at(&scenario, &second, now).await;
        assert_eq!(statuses(&again), [Unchanged; 3], "at {now}");
    }
    let pending = transform(scenario.at("2026-11-13T07:00:00Z"), Selection::Pending).await;
    assert_eq!(months(&pending), [SETTLING, OPEN]);
    assert_eq!(statuses(&pending), [Unchanged; 2]);
    assert_eq!(published(&scenario).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_transform_gives_a_settled_month_the_current_attributes() {
    let scenario = imported().await;
    let second = sandbox("second", 0).await;
    import_at(&scenario, &second, "2026-11-11T06:00:00Z").await;
    let at = || scenario.at("2026-11-11T07:00:00Z");
    let first = transform(at(), named(&[SETTLED])).await;
    assert_eq!(statuses(&first), [Published]);
    second.assert_totals(&first.periods[0]).await;
    assert_names(&scenario, ["second"; 3]).await;
    let before = published(&scenario).await;
    assert_eq!(
        statuses(&transform(at(), named(&[SETTLED])).await),
        [Unchanged]
    );
    assert_eq!(
        statuses(&transform(at(), Selection::All).await),
        [Unchanged; 3]
    );
    assert_eq!(published(&scenario).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_takes_new_attributes_for_the_last_time_with_the_pull_that_settles_it() {
    let scenario = imported().await;
    let second = import_at(
        &scenario,
        &sandbox("second", 0).await,
        "2026-11-18T06:00:00Z",
    )
    .await;
    assert_eq!(statuses(&second), [Unchanged, Published, Published]);
    let third = import_at(
        &scenario,
        &sandbox("third", 0).await,
        "2026-11-20T06:00:00Z",
    )
    .await;
    assert_eq!(statuses(&third), [Unchanged, Unchanged, Published]);
    assert_names(&scenario, ["first", "second", "third"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restated_settled_month_takes_new_attributes_along() {
    let scenario = imported().await;
    let restated = sandbox("second", 1).await;
    let summary = import_at(&scenario, &restated, "2026-11-11T06:00:00Z").await;
    assert_eq!(statuses(&summary), [Published; 3]);
    for month in &summary.periods {
        restated.assert_totals(month).await;
    }
    assert_names(&scenario, ["second"; 3]).await;
}
