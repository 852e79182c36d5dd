//! Refused commits: whatever a writer read, it never overwrites a commit that it has not seen, and whatever becomes
//! of a reply, it knows whether it committed.

use std::time::Duration;

use arrow::datatypes::{DataType, Field};
use chrono::TimeDelta;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use serde_json::json;

use super::*;
use crate::error::ErrorKind;
use crate::store::lease::Lease;
use crate::store::testing::{PutFault, ScriptedStore};

fn columns(names: &[&str]) -> SchemaRef {
    let field = |name: &&str| Field::new(*name, DataType::Utf8, true);
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

fn file(name: &str) -> DataFile {
    DataFile {
        path: format!("connection=acme/{name}.parquet"),
        hash: None,
        size: 1,
        rows: 1,
        start_range: None,
    }
}

fn fence(store: &Store) -> Fence {
    Fence::unchecked(store, "acme", "run")
}

async fn open(store: &Store) -> Delta {
    Delta::open_or_create(&fence(store), TableName::Resources, &columns(&["a"]))
        .await
        .unwrap()
}

/// Writes and commits a file.
async fn replace(delta: &mut Delta, name: &str) -> std::result::Result<(), CommitError> {
    let path = format!("resources/{}", file(name).path);
    delta.store.put(&path, "x").await.unwrap();
    commit(delta, name).await
}

/// Commits a file.
async fn commit(delta: &mut Delta, name: &str) -> std::result::Result<(), CommitError> {
    let fence = fence(&delta.store);
    delta
        .replace(&fence, &["acme"], &[file(name)], &json!({ "run": name }))
        .await
}

async fn paths(store: &Store) -> Vec<String> {
    let delta = open(store).await;
    let files = delta.files().await.unwrap().iter();
    files.map(|current| current.file.path.clone()).collect()
}

fn stores() -> (tempfile::TempDir, [Store; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(&folder.path().display().to_string()).unwrap();
    (folder, [local, Store::in_memory()])
}

#[tokio::test]
async fn second_writer_from_the_same_version_is_refused() {
    let (_folder, stores) = stores();
    for store in stores {
        let (mut first, mut second) = (open(&store).await, open(&store).await);
        replace(&mut first, "first").await.unwrap();
        let refused = replace(&mut second, "second").await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
        assert_eq!(paths(&store).await, [file("first").path]);
    }
}

#[tokio::test]
async fn writer_from_an_older_version_is_refused_until_it_loads() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut stale = open(&store).await;
        let mut writer = open(&store).await;
        for name in ["one", "two", "three"] {
            replace(&mut writer, name).await.unwrap();
        }
        for _ in 0..2 {
            let refused = replace(&mut stale, "stale").await;
            assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
        }
        assert_eq!(paths(&store).await, [file("three").path]);
        stale.load().await.unwrap();
        replace(&mut stale, "stale").await.unwrap();
        assert_eq!(paths(&store).await, [file("stale").path]);
    }
}

#[tokio::test]
async fn writers_at_the_same_time_from_the_same_version_publish_once() {
    let store = slow_store();
    open(&store).await;
    let (mut first, mut second) = (open(&store).await, open(&store).await);
    let (one, other) = tokio::join!(replace(&mut first, "one"), replace(&mut second, "other"));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let winner = if one.is_ok() { "one" } else { "other" };
    assert_eq!(paths(&store).await, [file(winner).path]);
}

#[tokio::test]
async fn second_creator_leaves_the_first_ones_table_unchanged() {
    let store = slow_store();
    let fence = fence(&store);
    let narrow = columns(&["a"]);
    let wide = columns(&["a", "b"]);
    let (one, other) = tokio::join!(
        Delta::open_or_create(&fence, TableName::Resources, &narrow),
        Delta::open_or_create(&fence, TableName::Resources, &wide),
    );
    let (mut one, mut other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.version(), other.version()), (0, 0));
    assert_eq!(one.columns().unwrap(), other.columns().unwrap());
    replace(&mut one, "one").await.unwrap();
    let refused = replace(&mut other, "other").await;
    assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
}

#[tokio::test]
async fn columns_added_by_two_writers_are_all_kept() {
    let store = Store::in_memory();
    let (mut first, mut second) = (open(&store).await, open(&store).await);
    let fence = fence(&store);
    first.add_columns(&fence, &columns(&["b"])).await.unwrap();
    second.add_columns(&fence, &columns(&["c"])).await.unwrap();
    let names: Vec<String> = open(&store)
        .await
        .columns()
        .unwrap()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    // A replacement by the writer with the older columns is refused.
    let refused = replace(&mut first, "first").await;
    assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
}

#[tokio::test]
async fn a_column_added_by_two_writers_at_the_same_time_is_added_once() {
    let store = slow_store();
    open(&store).await;
    let (mut first, mut second) = (open(&store).await, open(&store).await);
    let (fence, wide) = (fence(&store), columns(&["a", "b"]));
    let (one, other) = tokio::join!(
        first.add_columns(&fence, &wide),
        second.add_columns(&fence, &wide)
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(open(&store).await.version(), 1);
    assert_eq!(second.columns().unwrap(), wide);
    replace(&mut second, "second").await.unwrap();
}

fn scripted() -> (ScriptedStore, Store) {
    let script = ScriptedStore::new("2026-11-23T06:00:00Z");
    let store = Store::over(Arc::new(script.clone()));
    (script, store)
}

fn entry(version: u64) -> String {
    format!("resources/_delta_log/{version:020}.json")
}

#[tokio::test]
async fn commits_whose_replies_were_lost_are_successes() {
    let (script, store) = scripted();
    for version in 0..3 {
        script.fail_put(&entry(version), PutFault::LostReply);
    }
    let mut delta = open(&store).await;
    assert_eq!((script.faults_left(), delta.version()), (2, 0));
    let wide = columns(&["a", "b"]);
    delta.add_columns(&fence(&store), &wide).await.unwrap();
    assert_eq!((script.faults_left(), delta.version()), (1, 1));
    assert_eq!(delta.columns().unwrap(), wide);
    replace(&mut delta, "one").await.unwrap();
    assert_eq!((script.faults_left(), delta.version()), (0, 2));
    assert_eq!(paths(&store).await, [file("one").path]);
    replace(&mut delta, "two").await.unwrap();
    assert_eq!(paths(&store).await, [file("two").path]);
    assert_eq!(delta.version(), 3);
}

#[tokio::test]
async fn commits_that_were_refused_are_failures() {
    let (script, store) = scripted();
    script.fail_put(&entry(0), PutFault::Refused);
    let (fence, narrow) = (fence(&store), columns(&["a"]));
    let table = Delta::open_or_create(&fence, TableName::Resources, &narrow).await;
    assert_eq!(table.err().unwrap().kind(), ErrorKind::Remote);
    let mut delta = open(&store).await;
    script.fail_put(&entry(1), PutFault::Refused);
    let added = delta.add_columns(&fence, &columns(&["b"])).await;
    assert_eq!(added.unwrap_err().kind(), ErrorKind::Remote);
    script.fail_put(&entry(1), PutFault::Refused);
    let Err(CommitError::Other(error)) = replace(&mut delta, "one").await else {
        panic!("the commit was refused");
    };
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert_eq!(script.faults_left(), 0);
    assert_eq!(paths(&store).await, Vec::<String>::new());
    replace(&mut delta, "one").await.unwrap();
}

#[tokio::test]
async fn files_that_are_missing_or_cut_are_never_committed() {
    let store = Store::in_memory();
    let mut delta = open(&store).await;
    for content in [None, Some(""), Some("xx")] {
        let path = format!("resources/{}", file("one").path);
        if let Some(content) = content {
            store.put(&path, content).await.unwrap();
        }
        let Err(CommitError::Other(error)) = commit(&mut delta, "one").await else {
            panic!("{content:?} was committed");
        };
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains("one.parquet"), "{error}");
    }
    assert_eq!(paths(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_run_that_lost_its_lease_commits_nothing() {
    let (script, store) = scripted();
    let slept = Lease::claim(&store, "acme", "slept").await.unwrap();
    let mut delta = open(&store).await;
    script.advance(TimeDelta::minutes(5));
    let _next = Lease::claim(&store, "acme", "next").await.unwrap();
    let path = format!("resources/{}", file("late").path);
    store.put(&path, "x").await.unwrap();
    let late = [file("late")];
    let record = json!({});
    let replaced = delta.replace(slept.fence(), &["acme"], &late, &record);
    let Err(CommitError::Other(error)) = replaced.await else {
        panic!("it was committed");
    };
    assert_eq!(error.kind(), ErrorKind::Locked);
    let added = delta.add_columns(slept.fence(), &columns(&["b"])).await;
    assert_eq!(added.unwrap_err().kind(), ErrorKind::Locked);
    let narrow = columns(&["a"]);
    let created = Delta::open_or_create(slept.fence(), TableName::Costs, &narrow).await;
    assert_eq!(created.err().unwrap().kind(), ErrorKind::Locked);
    assert_eq!(open(&store).await.version(), 0);
}

#[tokio::test]
async fn committed_paths_are_those_of_all_versions() {
    let store = Store::in_memory();
    let mut delta = open(&store).await;
    for name in ["one", "two", "three"] {
        replace(&mut delta, name).await.unwrap();
    }
    let expected = ["one", "three", "two"].map(|name| file(name).path);
    let committed = delta.committed_paths().await.unwrap();
    assert_eq!(*committed, expected.into());
}

/// Store in memory whose requests take long enough for two tasks to overlap at each of them.
fn slow_store() -> Store {
    let wait = Duration::from_millis(20);
    let config = ThrottleConfig {
        wait_get_per_call: wait,
        wait_put_per_call: wait,
        wait_list_per_call: wait,
        ..ThrottleConfig::default()
    };
    Store::over(Arc::new(ThrottledStore::new(InMemory::new(), config)))
}
