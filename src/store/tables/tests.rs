//! Months under concurrent writers.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::*;
use crate::error::ErrorKind;

fn october() -> BillingPeriod {
    "2026-10".parse().unwrap()
}

fn record() -> PeriodRecord {
    PeriodRecord {
        run: "run".into(),
        version: 0,
        digest: "d".into(),
        costs: 1,
        line_items: 0,
        original_amount: "1".into(),
        discount_amount: "0".into(),
        net_amount: "1".into(),
        mapping: String::new(),
        facts: String::new(),
        own: None,
    }
}

fn file(name: &str) -> DataFile {
    let path = format!("connection=acme/billing_period=2026-10/{name}.parquet");
    DataFile {
        path,
        hash: None,
        size: 1,
        rows: 1,
        start_range: None,
    }
}

fn columns(names: &[&str]) -> SchemaRef {
    let field = |name: &&str| Field::new(*name, DataType::Utf8, true);
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

fn fence(store: &Store) -> Fence {
    Fence::unchecked(store, "acme", "run")
}

async fn table(store: &Store) -> Table {
    Table::open_or_create(&fence(store), TableName::Costs, &columns(&["record_id"]))
        .await
        .unwrap()
}

/// Writes a file and publishes it.
async fn replace(table: &mut Table, period: BillingPeriod, name: &str) -> Result<u64> {
    publish(table, period, name, &mut record()).await
}

async fn publish(
    table: &mut Table,
    period: BillingPeriod,
    name: &str,
    record: &mut PeriodRecord,
) -> Result<u64> {
    let file = file(name);
    let path = format!("costs/{}", file.path);
    table.store.put(&path, "x").await.unwrap();
    let fence = fence(&table.store);
    table.replace(&fence, period, &[file], record).await
}

async fn published(store: &Store, period: BillingPeriod) -> Vec<DataFile> {
    table(store).await.month("acme", period).await.unwrap().0
}

fn assert_month_changed(result: Result<u64>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(matches!(
        error.source_as::<PublishError>(),
        Some(PublishError::MonthChanged { .. })
    ));
}

fn stores() -> (tempfile::TempDir, [Store; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(&folder.path().display().to_string()).unwrap();
    (folder, [local, Store::in_memory()])
}

#[tokio::test]
async fn a_month_is_never_replaced_by_nothing() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut costs = table(&store).await;
        replace(&mut costs, october(), "a").await.unwrap();
        let error = costs
            .replace(&fence(&store), october(), &[], &mut record())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bug);
        assert_eq!(published(&store, october()).await, [file("a")]);
    }
}

#[tokio::test]
async fn second_writer_of_a_month_from_the_same_version_is_refused() {
    let (_folder, stores) = stores();
    for store in stores {
        // An empty month first, then an existing one; another month in between is no conflict.
        for round in ["one", "two"] {
            let (mut first, mut second, mut other) = (
                table(&store).await,
                table(&store).await,
                table(&store).await,
            );
            replace(&mut first, october(), round).await.unwrap();
            replace(&mut other, october().next(), "n").await.unwrap();
            assert_month_changed(replace(&mut second, october(), "late").await);
            let mut now = record();
            let (files, published) = table(&store).await.month("acme", october()).await.unwrap();
            assert_eq!(files, [file(round)]);
            now.version = published.as_ref().unwrap().version;
            assert_eq!(published, Some(now));
        }
    }
}

#[tokio::test]
async fn a_commit_of_one_month_does_not_hide_a_change_of_another() {
    let store = Store::in_memory();
    let (mut run, mut other) = (table(&store).await, table(&store).await);
    replace(&mut other, october(), "other").await.unwrap();
    // This run's commit to November reads the table again; October is still not what the run began with.
    replace(&mut run, october().next(), "n").await.unwrap();
    assert_month_changed(replace(&mut run, october(), "late").await);
    assert_eq!(published(&store, october()).await, [file("other")]);
}

#[tokio::test]
async fn added_columns_do_not_hide_a_change_of_the_month() {
    let store = Store::in_memory();
    let (mut run, mut other) = (table(&store).await, table(&store).await);
    replace(&mut other, october(), "other").await.unwrap();
    run.add_columns(&fence(&store), &columns(&["record_id", "new"]))
        .await
        .unwrap();
    assert_month_changed(replace(&mut run, october(), "late").await);
    assert_eq!(published(&store, october()).await, [file("other")]);
}

#[tokio::test]
async fn a_writer_may_replace_its_own_month_again() {
    let store = Store::in_memory();
    let mut costs = table(&store).await;
    assert_eq!(replace(&mut costs, october(), "a").await.unwrap(), 1);
    assert_eq!(replace(&mut costs, october(), "b").await.unwrap(), 2);
    assert_eq!(published(&store, october()).await, [file("b")]);
}

#[tokio::test]
async fn a_commit_whose_reply_was_lost_counts_as_published() {
    let store = Store::in_memory();
    let (mut applied, mut without_reply) = (table(&store).await, table(&store).await);
    let version = replace(&mut applied, october(), "a").await.unwrap();
    // The same files from the same base, as the writer sees its own commit after a lost reply.
    let mut record = record();
    let again = publish(&mut without_reply, october(), "a", &mut record)
        .await
        .unwrap();
    assert_eq!((again, record.version), (version, version));
    assert_eq!(table(&store).await.delta.version(), version);
}

#[tokio::test]
async fn opens_earlier_versions_and_refuses_later_ones() {
    let store = Store::in_memory();
    let mut costs = table(&store).await;
    for name in ["a", "b"] {
        replace(&mut costs, october(), name).await.unwrap();
    }
    let at = |version| Table::open_at(&store, TableName::Costs, version);
    let earlier = at(1).await.unwrap().unwrap();
    assert_eq!(
        earlier.month("acme", october()).await.unwrap().0,
        [file("a")]
    );
    let error = at(3).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let commits = costs.history().await.unwrap();
    let versions: Vec<u64> = commits.iter().map(|c| c.record.version).collect();
    assert_eq!(versions, [2, 1]);
    assert_eq!(commits[0].connection, "acme");
    assert_eq!(commits[0].period, october());
}
