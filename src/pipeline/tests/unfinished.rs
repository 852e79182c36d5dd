//! Months between two stages: what `status` says of them, and how they are finished.

use chrono::{TimeDelta, Utc};

use super::*;
use crate::connections::health::{self, Expectations, Health, HealthStatus};
use crate::engine::sql_files::SqlFiles;
use crate::error::{ErrorKind, Result};
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::publish::restore::restore;
use crate::store::TableName;
use crate::store::runs::month_state;
use crate::store::tables::Table;

const SETTLED: &str = "2026-08";

async fn sandbox(revision: u32) -> Sandbox {
    Sandbox::start(sandbox::Options {
        costs_per_day: 56,
        revision,
        ..sandbox_on("2026-11-23")
    })
    .await
}

async fn try_health(scenario: &Scenario) -> Result<Health> {
    let expected = Expectations {
        cloud_provider: None,
        interval: TimeDelta::hours(36),
        destinations: Ok(Destinations::in_store(&scenario.store, "acme")),
        currency: "USD".into(),
        sql: Arc::new(SqlFiles::load(None).unwrap()),
    };
    let now: chrono::DateTime<Utc> = NOW.parse().unwrap();
    health::health(&scenario.store, "acme", expected, now).await
}

/// Status and reason.
async fn health_of(scenario: &Scenario) -> (HealthStatus, String) {
    let health = try_health(scenario).await.unwrap();
    (health.status, health.reason.unwrap_or_default())
}

async fn oldest_version(store: &Store) -> u64 {
    let table = Table::open(store, TableName::LineItems).await.unwrap();
    let commits = table.unwrap().history().await.unwrap();
    commits.last().unwrap().record.version
}

async fn delete_folder(store: &Store, folder: &str) {
    let names = store.list(folder).await.unwrap();
    assert!(!names.is_empty());
    for name in names {
        store.delete(&name).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_not_healthy_between_pull_transform_and_delivery() {
    let scenario = Scenario::new();
    let first = sandbox(0).await;
    let imported = run_import(scenario.at(NOW), &first, options(named(&[MONTH]))).await;
    assert_eq!(statuses(&imported), [PeriodStatus::Published]);
    assert_eq!(
        health_of(&scenario).await,
        (HealthStatus::Healthy, String::new())
    );

    let restated = sandbox(1).await;
    let pulled = pull(scenario.at(NOW), &restated, named(&[MONTH])).await;
    assert_eq!(statuses(&pulled), [PeriodStatus::Published]);
    let (status, reason) = health_of(&scenario).await;
    assert_eq!(status, HealthStatus::Behind);
    assert!(status.is_bad());
    assert!(
        reason.contains("line items of 2026-10 are older"),
        "{reason}"
    );
    assert!(reason.contains("billstream transform"), "{reason}");

    let mapped = transform(scenario.at(NOW), Selection::Pending).await;
    assert_eq!(statuses(&mapped), [PeriodStatus::Published]);
    assert_eq!(health_of(&scenario).await.0, HealthStatus::Healthy);

    let oldest = oldest_version(&scenario.store).await;
    let context = scenario.at(NOW);
    let restored = restore(&context, period(MONTH), oldest).await.unwrap();
    assert!(restored.version.is_some());
    let (status, reason) = health_of(&scenario).await;
    assert_eq!(status, HealthStatus::Behind);
    let expected = "2026-10 is published but not delivered: run `billstream deliver`";
    assert_eq!(reason, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_names_months_whose_table_is_gone() {
    let scenario = Scenario::new();
    let sandbox = sandbox(0).await;
    run_import(scenario.at(NOW), &sandbox, options(named(&[MONTH]))).await;
    delete_folder(&scenario.store, "costs/_delta_log").await;
    let error = try_health(&scenario).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("costs/_delta_log"), "{error}");

    // As that error advises.
    delete_folder(&scenario.store, "costs").await;
    let (status, reason) = health_of(&scenario).await;
    assert_eq!(status, HealthStatus::Error);
    assert!(reason.starts_with("2026-10 was published, but"), "{reason}");
    let again = run_import(scenario.at(NOW), &sandbox, options(named(&[MONTH]))).await;
    sandbox.assert_totals(&again.periods[0]).await;
    assert_eq!(health_of(&scenario).await.0, HealthStatus::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_stopped_after_its_commit_is_completed_by_the_next_one() {
    let scenario = Scenario::new();
    let store = &scenario.store;
    for revision in [0, 1] {
        let sandbox = sandbox(revision).await;
        run_import(scenario.at(NOW), &sandbox, options(named(&[SETTLED]))).await;
    }
    let state = || async { month_state(store, "acme", period(SETTLED)).await.unwrap() };
    assert!(state().await.settled);
    let name = format!("runs/months/acme/{SETTLED}.json");
    let before = store.get(&name).await.unwrap().unwrap();
    let oldest = oldest_version(store).await;
    let context = scenario.at(NOW);
    let restored = restore(&context, period(SETTLED), oldest).await.unwrap();
    assert!(restored.version.is_some());
    let digest = Some(restored.record.digest);
    assert_eq!(state().await.costs, digest);

    // The state of a run that was killed between the commit and the state.
    store.put(&name, before).await.unwrap();
    assert_ne!(state().await.costs, digest);
    for completes in [true, false] {
        let again = restore(&context, period(SETTLED), oldest).await.unwrap();
        assert_eq!(again.version, None);
        assert_eq!(again.has_completed_state, completes);
        let state = state().await;
        assert!(state.costs == digest && state.settled);
    }
}
