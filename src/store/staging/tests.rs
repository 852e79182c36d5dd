//! Files that are deleted, and those that never are.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::*;
use crate::error::ErrorKind;
use crate::store::lease::Lease;
use crate::store::tables::PeriodRecord;
use crate::store::testing::ScriptedStore;
use crate::store::writer::DataFile;

/// A month of `acme` in a store with a separate clock.
struct Month {
    script: ScriptedStore,
    store: Store,
}

impl Month {
    fn new() -> Month {
        let script = ScriptedStore::new("2026-11-23T06:00:00Z");
        let store = Store::over(Arc::new(script.clone()));
        Month { script, store }
    }

    fn fence(&self, run: &str) -> Fence {
        Fence::unchecked(&self.store, "acme", run)
    }

    fn staging(&self, run: &str) -> Staging {
        Staging::of(&self.fence(run), TableName::Costs, period())
    }

    /// Stages a file of a run.
    async fn stage(&self, run: &str, file: &str) -> DataFile {
        let staging = self.staging(run);
        let path = staging.mark(file).await.unwrap();
        self.store.put(&path, "x").await.unwrap();
        DataFile {
            path: staging.path(file),
            hash: None,
            size: 1,
            rows: 1,
            start_range: None,
        }
    }

    async fn publish(&self, run: &str, file: &DataFile) -> u64 {
        let fence = self.fence(run);
        let columns = Schema::new(vec![Field::new("record_id", DataType::Utf8, true)]);
        let columns = Arc::new(columns);
        let table = Table::open_or_create(&fence, TableName::Costs, &columns).await;
        let mut table = table.unwrap();
        let mut record = PeriodRecord {
            run: run.to_string(),
            ..PeriodRecord::default()
        };
        let files = std::slice::from_ref(file);
        let replaced = table.replace(&fence, period(), files, &mut record);
        replaced.await.unwrap()
    }

    async fn clean_up(&self, run: &str) {
        let table = Table::open(&self.store, TableName::Costs).await.unwrap();
        let (staging, fence) = (self.staging(run), self.fence(run));
        staging.clean_up(&fence, table.as_ref()).await.unwrap();
    }

    /// Data files of the table.
    async fn files(&self) -> Vec<String> {
        let mut names = self.store.list("costs").await.unwrap();
        names.retain(|name| name.ends_with(".parquet"));
        names
            .iter()
            .map(|name| name.rsplit('/').next().unwrap().to_string())
            .collect()
    }

    /// Marks, without the folder of the month.
    async fn marks(&self) -> Vec<String> {
        let folder = format!("{}/", self.staging("any").folder());
        let names = self.store.list("runs/staging").await.unwrap();
        let names = names.iter();
        names
            .map(|name| name.strip_prefix(&folder).unwrap().to_string())
            .collect()
    }
}

fn period() -> BillingPeriod {
    "2026-10".parse().unwrap()
}

const NONE: [&str; 0] = [];

#[tokio::test]
async fn a_run_deletes_its_orphans_and_keeps_published_files() {
    let month = Month::new();
    month.stage("run", "orphan.parquet").await;
    month
        .staging("run")
        .mark("never-written.parquet")
        .await
        .unwrap();
    let published = month.stage("run", "published.parquet").await;
    month.publish("run", &published).await;
    month.clean_up("run").await;
    assert_eq!(month.files().await, ["published.parquet"]);
    assert_eq!(month.marks().await, NONE);
}

#[tokio::test]
async fn files_of_other_runs_stay_until_their_time_is_past() {
    let month = Month::new();
    month.stage("other", "theirs.parquet").await;
    // A mark of an earlier version names no run.
    let earlier = format!("{}/earlier.parquet", month.staging("any").folder());
    month.store.put(&earlier, Vec::new()).await.unwrap();
    month.stage("run", "ours.parquet").await;
    month.script.advance(KEPT_FOR);
    month.clean_up("run").await;
    assert_eq!(month.files().await, ["theirs.parquet"]);
    let theirs = ["earlier.parquet", "other/theirs.parquet"];
    assert_eq!(month.marks().await, theirs);
    month.script.advance(TimeDelta::seconds(1));
    month.clean_up("run").await;
    assert_eq!(month.files().await, NONE);
    assert_eq!(month.marks().await, NONE);
}

#[tokio::test]
async fn a_file_that_was_taken_over_is_committed_or_discarded() {
    let month = Month::new();
    let used = month.stage("killed", "used.parquet").await;
    month.stage("killed", "unused.parquet").await;
    month.stage("killed", "refused.parquet").await;
    let staging = month.staging("run");
    for mark in staging.marks().await.unwrap() {
        match mark.file.as_str() {
            "refused.parquet" => staging.discard(&mark).await.unwrap(),
            _ => staging.take_over(&mark).await.unwrap(),
        }
    }
    month.publish("run", &used).await;
    month.clean_up("run").await;
    let kept = ["refused.parquet", "unused.parquet", "used.parquet"];
    assert_eq!(month.files().await, kept, "the killed run may be alive");
    let discarded = ["discarded/refused.parquet", "discarded/unused.parquet"];
    assert_eq!(month.marks().await, discarded);
    assert!(month.staging("next").marks().await.unwrap().is_empty());
    month.script.advance(KEPT_FOR + TimeDelta::seconds(1));
    month.clean_up("next").await;
    assert_eq!(month.files().await, ["used.parquet"]);
    assert_eq!(month.marks().await, NONE);
}

#[tokio::test]
async fn files_of_earlier_versions_are_never_deleted() {
    let month = Month::new();
    let first = month.stage("first", "first.parquet").await;
    month.publish("first", &first).await;
    assert_eq!(month.marks().await, ["first/first.parquet"], "no clean-up");
    // The mark goes before the commit that replaces its file.
    let second = month.stage("second", "second.parquet").await;
    month.publish("second", &second).await;
    assert_eq!(month.marks().await, ["second/second.parquet"]);
    // Even a mark that was written again deletes nothing that the history names.
    month.staging("first").mark("first.parquet").await.unwrap();
    month.script.advance(KEPT_FOR + TimeDelta::seconds(1));
    month.clean_up("second").await;
    assert_eq!(month.files().await, ["first.parquet", "second.parquet"]);
    assert_eq!(month.marks().await, NONE);
}

#[tokio::test]
async fn a_run_without_its_lease_deletes_nothing() {
    let month = Month::new();
    let lease = Lease::claim(&month.store, "acme", "slept").await.unwrap();
    month.stage("slept", "staged.parquet").await;
    month.script.advance(TimeDelta::minutes(6));
    let next = Lease::claim(&month.store, "acme", "next").await.unwrap();
    let cleaned = month.staging("slept").clean_up(lease.fence(), None).await;
    assert_eq!(cleaned.unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(month.files().await, ["staged.parquet"]);
    next.release().await.unwrap();
}
