//! Stores on S3: a real server over HTTP, conditional puts, and other readers.

mod at_once;
mod conditions;
mod delivery;
mod outputs;
mod refused;
pub mod server;
mod stalled;

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::*;
use server::{Bucket, python, script};

const LEASE: &str = "runs/leases/confluent.json";
/// Log line of a put that created an object.
const CREATED: &str = "200 if-none-match=*";
/// Log line of a put that replaced the object its writer had read.
const REPLACED: &str = "200 if-match=";

fn log_entry(table: &str, version: u64) -> String {
    format!("{table}/_delta_log/{version:020}.json")
}

fn manifest(connection: &str) -> String {
    format!(
        "cloudzero/{connection}/{}/manifest.json",
        drop_folder(MONTH)
    )
}

/// Active drop of the bucket's manifest, and its rows.
fn drop_in_bucket(bucket: &Bucket, connection: &str) -> (String, Vec<Row>) {
    let bytes = bucket
        .get(&manifest(connection))
        .expect("there is a manifest");
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(manifest["version"], "1.3.0");
    let id = manifest["current_drop_id"].as_str().unwrap().to_string();
    let files = bucket.objects(&format!(
        "cloudzero/{connection}/{}/{id}/",
        drop_folder(MONTH)
    ));
    assert!(!files.is_empty());
    let rows = files.iter().flat_map(|(name, bytes)| {
        assert!(name.ends_with(".csv.gz"), "{name} is in a drop");
        csv_gz_rows(bytes)
    });
    (id, rows.collect())
}

/// Asserts that the month's costs, line items and drop equal the totals.
fn assert_month_is(bucket: &Bucket, billstream: &Billstream, totals: &Totals) {
    let costs = billstream.costs(MONTH);
    assert_costs_are(&costs, totals);
    assert_line_items_are(&billstream.line_items(MONTH), &costs, totals);
    assert_line_items_are(
        &drop_in_bucket(bucket, billstream.connection_name()).1,
        &costs,
        totals,
    );
}

fn import() -> [&'static str; 5] {
    ["import", "--month", MONTH, "--format", "json"]
}

#[test]
fn imports_a_month_exactly_and_a_second_run_changes_nothing() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("month", "some/path");
    let billstream = bucket.billstream().from(&sandbox);
    let totals = sandbox.totals(MONTH);

    assert_summary_is(&billstream.import(MONTH).ok().status("published"), &totals);
    assert_month_is(&bucket, &billstream, &totals);
    for created in [
        LEASE.to_string(),
        log_entry("costs", 0),
        log_entry("costs", 1),
        log_entry("line_items", 0),
        log_entry("line_items", 1),
        manifest(CONNECTION),
    ] {
        assert_eq!(bucket.puts(&created, CREATED), 1, "{created}");
    }
    assert!(bucket.get(LEASE).is_none(), "the lease was released");

    let published = |bucket: &Bucket| {
        let mut objects = bucket.objects("");
        objects.retain(|name, _| !name.starts_with("runs/"));
        objects
    };
    let before = published(&bucket);
    assert_summary_is(&billstream.import(MONTH).ok().status("unchanged"), &totals);
    assert!(
        published(&bucket) == before,
        "a run without changes changed the store"
    );
}

#[test]
fn a_restatement_replaces_the_month_and_updates_the_manifest_conditionally() {
    let sandbox = Sandbox::start(&[]);
    let restated = Sandbox::start(&["--revision", "1"]);
    let bucket = Bucket::new("restated", "store");
    let first = bucket.billstream().from(&sandbox).import(MONTH).ok();
    let (old_drop, _) = drop_in_bucket(&bucket, CONNECTION);

    let billstream = bucket
        .billstream()
        .from(&restated)
        .at("2026-11-23T12:00:00Z");
    let totals = restated.totals(MONTH);
    assert_ne!(totals, sandbox.totals(MONTH));
    let second = billstream.import(MONTH).ok();
    assert_summary_is(&second.status("published"), &totals);
    assert_month_is(&bucket, &billstream, &totals);
    assert_ne!(drop_in_bucket(&bucket, CONNECTION).0, old_drop);
    assert_eq!(bucket.puts(&manifest(CONNECTION), REPLACED), 1);

    assert_others_read(billstream.location(), &[first.json(), second.json()]);
}

#[test]
fn accepts_a_bucket_as_the_store() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("whole", "");
    let billstream = bucket.billstream().from(&sandbox);
    billstream.import(MONTH).ok();
    assert_month_is(&bucket, &billstream, &sandbox.totals(MONTH));
    assert!(bucket.get(&log_entry("costs", 1)).is_some());
}

#[test]
fn uploads_large_files_in_parts() {
    let sandbox = Sandbox::start(&[]);
    let bucket = Bucket::new("parts", "store");
    // Incompressible descriptions of four kilobytes result in files of several parts of 5 MiB.
    let words: Vec<String> = (0..34)
        .map(|n| format!("encode(sha512(concat(\"lineitem/id\", '{n}')), 'hex')"))
        .collect();
    let built_in = include_str!("../../sql/models/line_items.sql")
        .trim_end()
        .trim_end_matches(';');
    let model = format!(
        "select * replace (concat({}) as \"lineitem/description\") from (\n{built_in}\n)",
        words.join(", ")
    );
    let sql = tempfile::tempdir().unwrap();
    std::fs::create_dir(sql.path().join("models")).unwrap();
    std::fs::write(sql.path().join("models/line_items.sql"), model).unwrap();

    let billstream = bucket
        .billstream()
        .from(&sandbox)
        .env("BILLSTREAM_SQL_DIR", sql.path().to_str().unwrap());
    billstream.import(MONTH).ok();
    let log = bucket.log();
    for file in [".parquet?uploadId=", ".csv.gz?uploadId="] {
        let completed = log
            .iter()
            .filter(|line| line.starts_with("POST 200") && line.contains(file));
        assert_eq!(completed.count(), 1, "{file}");
        let parts = log
            .iter()
            .filter(|line| line.starts_with("PUT 200") && line.contains(&file[..5]));
        assert!(parts.filter(|line| line.contains("partNumber=")).count() > 1);
    }
    let totals = sandbox.totals(MONTH);
    assert_line_items_are(
        &drop_in_bucket(&bucket, CONNECTION).1,
        &billstream.costs(MONTH),
        &totals,
    );
    let sums = "select sum(\"cost/cost\") as net, min(length(\"lineitem/description\")) as shortest from line_items";
    let sums = billstream.query(sums).remove(0);
    assert_eq!(Exact::of(&sums["net"]).to_string(), totals.net);
    assert_eq!(sums["shortest"], (34 * 128).to_string());
}

#[test]
fn deltalake_and_duckdb_read_both_versions_of_a_local_store_exactly() {
    let months = [
        "import", "--from", "2026-09", "--to", "2026-10", "--format", "json",
    ];
    let folder = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(folder.path());
    let first = billstream
        .from(&Sandbox::start(&[]))
        .run(&months)
        .ok()
        .json();
    let restated = Sandbox::start(&["--revision", "1"]);
    let second = Billstream::on(folder.path())
        .from(&restated)
        .run(&months)
        .ok()
        .json();
    assert_ne!(
        first["periods"][0]["net_amount"],
        second["periods"][0]["net_amount"]
    );
    assert_others_read(&folder.path().display().to_string(), &[first, second]);
}

/// Compares the rows that other programs read with the summaries, oldest first.
fn assert_others_read(location: &str, summaries: &[Value]) {
    let mut command = python();
    command
        .arg(script("readers.py"))
        .arg(location)
        .stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if location.starts_with("s3://") {
        command.envs(server::settings());
    }
    let mut child = command.spawn().unwrap();
    let json = serde_json::to_vec(summaries).unwrap();
    child.stdin.take().unwrap().write_all(&json).unwrap();
    Output::of("(readers.py)".into(), child.wait_with_output().unwrap()).ok();
}
