//! Refused commits: whatever a writer read, it never overwrites a commit that it has not seen.

use std::time::Duration;

use arrow::datatypes::{DataType, Field};
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use serde_json::json;

use super::*;

fn columns(names: &[&str]) -> SchemaRef {
    let field = |name: &&str| Field::new(*name, DataType::Utf8, true);
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

fn file(name: &str) -> DataFile {
    DataFile {
        path: format!("connection=acme/{name}.parquet"),
        size: 1,
        rows: 1,
        start_range: None,
    }
}

async fn open(store: &Store) -> Delta {
    Delta::open_or_create(store, TableName::Resources, &columns(&["a"]))
        .await
        .unwrap()
}

async fn replace(delta: &mut Delta, name: &str) -> std::result::Result<(), CommitError> {
    delta
        .replace(&["acme"], &[file(name)], &json!({ "run": name }))
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
    let narrow = columns(&["a"]);
    let wide = columns(&["a", "b"]);
    let (one, other) = tokio::join!(
        Delta::open_or_create(&store, TableName::Resources, &narrow),
        Delta::open_or_create(&store, TableName::Resources, &wide),
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
    first.add_columns(&columns(&["b"])).await.unwrap();
    second.add_columns(&columns(&["c"])).await.unwrap();
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
