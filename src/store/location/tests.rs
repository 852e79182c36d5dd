use std::path::{Path as FsPath, PathBuf};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use proptest::prelude::*;

use super::*;
use crate::engine;
use crate::engine::files::FilesTable;
use crate::store::TableName;
use crate::store::lease::Fence;
use crate::store::tables::{PeriodRecord, Table};
use crate::store::writer::FileWriter;

#[test]
fn rejects_other_schemes_and_names_the_supported_ones() {
    let error = Store::open("ftp://user:secret@x/y").err().unwrap();
    assert!(error.hint().unwrap().contains("s3://"));
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn locates_objects_below_a_folder() {
    let store = Store::in_memory().below("a/b");
    assert_eq!(store.display("c"), "memory:///a/b/c");
    assert_eq!(store.path("c").as_ref(), "a/b/c");
    assert_eq!(store.relative(&store.path("c")).as_deref(), Some("c"));
}

fn names(folder: &FsPath) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Writes an object, a Parquet file and a commit, and reads all of them by every way that the store is read.
async fn use_store(location: &str) {
    let store = Store::open(location).unwrap();
    store.put("runs/a.json", "{}").await.unwrap();
    let column: ArrayRef = std::sync::Arc::new(StringArray::from(vec!["1", "2"]));
    let batch = RecordBatch::try_from_iter([("record_id", column)]).unwrap();
    let fence = Fence::unchecked(&store, "acme", "r");
    let mut costs = Table::open_or_create(&fence, TableName::Costs, &batch.schema())
        .await
        .unwrap();
    let path = "connection=acme/billing_period=2026-10/a.parquet";
    let name = format!("costs/{path}");
    let mut writer = FileWriter::new(&store, &name, batch.schema()).unwrap();
    writer.write(&batch).await.unwrap();
    let file = writer.finish(path.to_string(), &[]).await.unwrap();
    let mut record: PeriodRecord = serde_json::from_value(serde_json::json!({
        "run": "r", "version": 0, "digest": "d", "costs": 2, "line_items": 0, "original_amount": "1",
        "discount_amount": "0", "net_amount": "1", "mapping": "",
    }))
    .unwrap();
    let period = "2026-10".parse().unwrap();
    costs
        .replace(&fence, period, std::slice::from_ref(&file), &mut record)
        .await
        .unwrap();

    let store = Store::open(location).unwrap();
    let costs = Table::open(&store, TableName::Costs)
        .await
        .unwrap()
        .unwrap();
    let (published, _) = costs.month("acme", period).await.unwrap();
    assert_eq!(published, std::slice::from_ref(&file));
    assert_eq!(store.list("runs").await.unwrap(), ["runs/a.json"]);
    let session = engine::session(&store, engine::Limits::default()).unwrap();
    let files = [("acme".to_string(), period, file)];
    let table = FilesTable::new(&store, TableName::Costs, &batch.schema(), files).unwrap();
    session
        .register_table("costs", std::sync::Arc::new(table))
        .unwrap();
    let query = session.sql("select * from costs").await.unwrap();
    assert_eq!(query.count().await.unwrap(), 2);
}

fn assert_only_the_store(parent: &FsPath, name: &str) {
    assert_eq!(names(parent), [name]);
    let store = parent.join(name);
    assert_eq!(names(&store), ["costs", "runs"]);
    assert_eq!(
        names(&store.join("costs")),
        ["_delta_log", "connection=acme"]
    );
}

#[tokio::test]
async fn a_store_is_the_folder_that_its_name_says() {
    for name in [
        "per%20cent",
        "100%",
        r"back\slash",
        "a%2Fb",
        "%2e%2e",
        "a b",
        "a#1",
        "what?",
        "[x]*{y}",
        "ü\u{308}",
        " ",
        "tab\tline\nend",
        "s3:bucket",
        "~",
    ] {
        let parent = tempfile::tempdir().unwrap();
        for slashes in ["", "/", "//"] {
            let location = format!("{}/{name}{slashes}", parent.path().display());
            if slashes.is_empty() {
                use_store(&location).await;
            }
            let store = Store::open(&location).unwrap();
            assert!(store.head("runs/a.json").await.unwrap().is_some());
        }
        assert_only_the_store(parent.path(), name);
    }
}

#[tokio::test]
async fn a_file_url_is_decoded_once() {
    let parent = tempfile::tempdir().unwrap();
    let folder: PathBuf = parent.path().join("per%20cent #1");
    let url = Url::from_file_path(&folder).unwrap();
    use_store(url.as_str()).await;
    assert_only_the_store(parent.path(), "per%20cent #1");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn any_folder_name_is_taken_literally(name in "[^/\u{0}]{1,12}") {
        prop_assume!(name != "." && name != "..");
        let parent = tempfile::tempdir().unwrap();
        let location = format!("{}/{name}", parent.path().display());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(use_store(&location));
        assert_only_the_store(parent.path(), &name);
    }
}
