//! Polling of a bucket, on a local folder.

use super::*;
use billstream::sandbox::Bucket;
use object_store::local::LocalFileSystem;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

const HEAD: &str =
    "time/usage_start,cost/cost,cost/discounted_cost,lineitem/type,resource/id,resource/tag:env";
const PERIOD: &str = "20261001-20261101";

async fn server_with_bucket(folder: &Path) -> Server {
    let bucket = Bucket {
        root: Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap()),
        prefix: "some/drops".into(),
        name: "bucket".to_owned(),
        path: "some/drops".to_owned(),
    };
    Server::start(Options {
        bucket: Some(bucket),
        ..options()
    })
    .await
}

fn write(folder: &Path, name: &str, rows: &[&str]) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let lines = [&[HEAD], rows].concat().join("\n");
    gzip.write_all(lines.as_bytes()).unwrap();
    put(folder, name, &gzip.finish().unwrap());
}

fn put(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join("some/drops").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn point(folder: &Path, period: &str, drop: &str) {
    let manifest = json!({ "version": "1.3.0", "current_drop_id": drop });
    put(
        folder,
        &format!("{period}/manifest.json"),
        manifest.to_string().as_bytes(),
    );
}

async fn poll(server: &Server) -> Value {
    let (status, body) = get(server, "/sandbox/cloudzero/poll").await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn ingests_the_drop_of_a_changed_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_with_bucket(folder.path()).await;
    let folder = folder.path();
    let nothing = json!({ "ingested": [], "unchanged": [], "errors": [] });
    assert_eq!(poll(&server).await, nothing);
    write(
        folder,
        "20261001-20261101/one/a.csv.gz",
        &[
            "2026-10-01T00:00:00Z,1.5,1,Usage,a/b,prod",
            "2026-10-02T00:00:00Z,-0.5,,Credit,,",
        ],
    );
    write(
        folder,
        "20261001-20261101/one/b.csv.gz",
        &["2026-10-31T23:00:00Z,2,,,\"x, y\","],
    );
    put(folder, "other/manifest.json", b"not a period");
    assert_eq!(poll(&server).await, nothing, "no manifest yet");
    point(folder, PERIOD, "one");
    let ingested = json!([{ "month": "2026-10", "drop_id": "one", "files": 2, "rows": 3 }]);
    assert_eq!(
        poll(&server).await,
        json!({ "ingested": ingested, "unchanged": [], "errors": [] })
    );
    let totals = totals_of(&server, "sandbox-bucket").await;
    assert_eq!((&totals["rows"], &totals["hours"]), (&json!(3), &json!(3)));
    assert_eq!(
        (text(&totals, "cost"), text(&totals, "discounted_cost")),
        ("3".to_owned(), "2.5".to_owned())
    );
    assert_eq!(totals["by_day_type"].as_array().unwrap().len(), 3);
    write(
        folder,
        "20261001-20261101/one/c.csv.gz",
        &["2026-10-31T23:00:00Z,2,,,,"],
    );
    let unchanged = json!({ "ingested": [], "unchanged": ["2026-10"], "errors": [] });
    assert_eq!(poll(&server).await, unchanged, "only the manifest counts");
    write(
        folder,
        "20261001-20261101/two/a.csv.gz",
        &["2026-10-05T00:00:00Z,7,,,,"],
    );
    point(folder, PERIOD, "two");
    assert_eq!(poll(&server).await["ingested"][0]["rows"], 1);
    assert_eq!(
        text(&totals_of(&server, "sandbox-bucket").await, "cost"),
        "7"
    );
    let costs = "/v2/billing/costs?start_date=2026-10-01&granularity=monthly&\
                 filters=%7B%22BillingConnectionID%22%3A%5B%22sandbox-bucket%22%5D%7D";
    assert_eq!(get(&server, costs).await.1["costs"][0]["cost"], 7.0);
    for (drop, file) in [("header-only", true), ("no-file", false)] {
        point(folder, PERIOD, "two");
        poll(&server).await;
        assert_eq!(totals_of(&server, "sandbox-bucket").await["rows"], 1);
        if file {
            write(folder, &format!("{PERIOD}/{drop}/a.csv.gz"), &[]);
        }
        point(folder, PERIOD, drop);
        assert_eq!(poll(&server).await["ingested"][0]["rows"], 0, "{drop}");
        assert_eq!(
            totals_of(&server, "sandbox-bucket").await["rows"],
            0,
            "{drop}"
        );
    }
}

#[tokio::test]
async fn invalid_drops_leave_the_month_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_with_bucket(folder.path()).await;
    let folder = folder.path();
    let good = "2026-10-05T00:00:00Z,7,,,,";
    write(folder, "20261001-20261101/good/a.csv.gz", &[good]);
    point(folder, PERIOD, "good");
    poll(&server).await;
    write(folder, "20261001-20261101/extra/a.csv.gz", &[good]);
    put(folder, "20261001-20261101/extra/_SUCCESS", b"");
    write(
        folder,
        "20261001-20261101/outside/a.csv.gz",
        &["2026-11-05T00:00:00Z,7,,,,"],
    );
    write(
        folder,
        "20261001-20261101/type/a.csv.gz",
        &["2026-10-05T00:00:00Z,7,,Other,,"],
    );
    put(folder, "20261001-20261101/plain/a.csv.gz", HEAD.as_bytes());
    for (drop, expected) in [
        ("extra", "_SUCCESS is not a .csv.gz file"),
        (
            "outside",
            "a.csv.gz: row 1: time/usage_start is not in 2026-10",
        ),
        ("type", "no lineitem/type"),
        ("plain", "could not read the header"),
        ("", "current_drop_id"),
        ("a/b", "current_drop_id"),
    ] {
        point(folder, PERIOD, drop);
        let errors = &poll(&server).await["errors"];
        assert_eq!(errors[0]["period"], PERIOD);
        assert!(text(&errors[0], "message").contains(expected), "{errors}");
        assert_eq!(
            text(&totals_of(&server, "sandbox-bucket").await, "cost"),
            "7",
            "{drop}"
        );
        assert_eq!(
            poll(&server).await["errors"],
            json!([]),
            "only when the manifest changes"
        );
    }
    for manifest in [
        "",
        "{}",
        r#"{"version":"1.3.0"}"#,
        r#"{"current_drop_id":"good"}"#,
    ] {
        put(
            folder,
            "20261001-20261101/manifest.json",
            manifest.as_bytes(),
        );
        let errors = &poll(&server).await["errors"];
        assert!(
            text(&errors[0], "message").contains("manifest.json"),
            "{manifest}: {errors}"
        );
    }
    point(folder, "20261001-20261201", "good");
    let errors = &poll(&server).await["errors"];
    assert!(
        text(&errors[0], "message").contains("not one calendar month"),
        "{errors}"
    );
}

#[tokio::test]
async fn paused_connections_are_not_polled() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_with_bucket(folder.path()).await;
    let path = "/v2/connections/billing/sandbox-bucket";
    call(&server, "PATCH", path, &[], r#"{"is_enabled":false}"#).await;
    assert!(text(&poll(&server).await["errors"][0], "message").contains("paused"));
    let (status, _) = get(&Server::start(options()).await, "/sandbox/cloudzero/poll").await;
    assert_eq!(status, 404);
}
