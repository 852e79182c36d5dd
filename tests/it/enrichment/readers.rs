//! The table of resources as other tools read it, locally and on S3.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{assert_named, enriched};
use crate::s3::server::{Bucket, python, settings};
use crate::support::inventory::Inventory;
use crate::support::{
    Billstream, MONTH, Output, Sandbox, assert_costs_are, assert_line_items_are, assert_summary_is,
};

/// Rows of the table as read by deltalake, and by DuckDB from the files in the log (for a local store only,
/// because DuckDB's S3 extension needs a download).
const READ: &str = "
import json, os, sys
import duckdb
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1] + '/resources')
columns = 'resource_id, kind, name, region, cast(valid_from as varchar), cast(valid_until as varchar)'
text = lambda v: None if v is None else str(v)
keys = ['resource_id', 'kind', 'name', 'region', 'valid_from', 'valid_until']
rows = table.to_pyarrow_table().to_pylist()
delta = sorted([text(row[key]) for key in keys] for row in rows)
duck = None
if '://' not in sys.argv[1]:
    connection = duckdb.connect()
    connection.execute(\"set timezone = 'UTC'\")
    files = table.file_uris()
    found = connection.execute(f'select {columns} from read_parquet(?, hive_partitioning = true)', [files])
    duck = sorted([text(value) for value in row] for row in found.fetchall())
types = {f.name: str(f.type) for f in table.to_pyarrow_table().schema}
print(json.dumps({'delta': delta, 'duck': duck, 'types': types, 'connections': sorted({r['connection'] for r in rows}),
    'partitions': table.metadata().partition_columns}))
sys.stdout.flush()
os._exit(0)
";

fn read(location: &str, prepare: impl Fn(&mut Command)) -> Value {
    let mut command = python();
    command.args(["-c", READ, location]);
    prepare(&mut command);
    Output::of("(readers)".into(), command.output().unwrap())
        .ok()
        .json()
}

/// Rows as read by billstream.
fn own(billstream: &Billstream) -> Vec<Vec<String>> {
    let rows = billstream.query(
        "select resource_id, kind, name, region, cast(valid_from as varchar) as since, \
         cast(valid_until as varchar) as until from resources",
    );
    let columns = ["resource_id", "kind", "name", "region", "since", "until"];
    let mut rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| columns.iter().map(|c| row[*c].clone()).collect())
        .collect();
    rows.sort();
    rows
}

/// Texts of rows, times as `2026-11-23T06:00:00`.
fn texts(rows: &Value) -> Vec<Vec<String>> {
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_default()
            .replace("+00:00", "")
            .replace("+00", "")
    };
    let row = |row: &Value| {
        let mut row: Vec<String> = row.as_array().unwrap().iter().map(text).collect();
        row[4..]
            .iter_mut()
            .for_each(|time| *time = time.replace(' ', "T"));
        row
    };
    let mut rows: Vec<Vec<String>> = rows.as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

fn plain(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let plain = |mut row: Vec<String>| {
        row[4..]
            .iter_mut()
            .for_each(|time| *time = time.trim_end_matches('Z').to_string());
        row
    };
    rows.into_iter().map(plain).collect()
}

#[test]
fn deltalake_and_duckdb_read_the_table_of_resources() {
    let store = tempdir().unwrap();
    let renamed = [
        "--rename-resource",
        "lkc-7aa01x=neu, \"größe\"",
        "--gone-resource",
        "lfcp-m31k0",
    ];
    for (name, options, now) in [
        ("acme", &[][..], "2026-11-22T06:00:00Z"),
        ("acme", &renamed, "2026-11-23T06:00:00.123456Z"),
        ("globex", &["--seed", "2"], "2026-11-23T07:00:00Z"),
    ] {
        let sandbox = Sandbox::start(options);
        let billstream = Billstream::on(store.path())
            .from(&sandbox)
            .connection(name)
            .at(now);
        enriched(billstream).run(&["pull", "--month", MONTH]).ok();
    }
    let billstream = Billstream::on(store.path());
    let found = read(billstream.location(), |_| {});
    let own = plain(own(&billstream));
    assert!(own.len() > 50);
    assert_eq!(texts(&found["delta"]), own);
    assert_eq!(texts(&found["duck"]), own);
    assert!(
        own.iter()
            .any(|row| row[2] == "neu, \"größe\"" && row[4] == "2026-11-23T06:00:00.123456")
    );
    assert_eq!(found["connections"], json!(["acme", "globex"]));
    assert_eq!(found["partitions"], json!(["connection"]));
    assert_eq!(found["types"]["valid_from"], "timestamp[us, tz=UTC]");
    assert_eq!(found["types"]["region"], "string");
}

#[test]
fn a_month_on_s3_is_enriched_and_the_second_run_changes_nothing() {
    let (sandbox, bucket) = (Sandbox::start(&[]), Bucket::new("enriched", "store"));
    let (totals, inventory) = (sandbox.totals(MONTH), Inventory::of(&sandbox));
    let billstream = enriched(bucket.billstream().from(&sandbox)).at("2026-11-10T06:00:00Z");
    assert_summary_is(&billstream.import(MONTH).ok().status("published"), &totals);
    let (costs, items) = (billstream.costs(MONTH), billstream.line_items(MONTH));
    assert_costs_are(&costs, &totals);
    assert_line_items_are(&items, &costs, &totals);
    assert!(assert_named(&items, &costs, &inventory) >= 12);
    let published = || {
        let mut objects = bucket.objects("");
        objects.retain(|name, _| !name.starts_with("runs/"));
        objects
    };
    let before = published();
    let later = enriched(bucket.billstream().from(&sandbox)).at("2026-11-12T06:00:00Z");
    later.import(MONTH).ok().status("unchanged");
    assert!(published() == before);

    let found = read(billstream.location(), |command| {
        command.envs(settings());
    });
    assert_eq!(texts(&found["delta"]), plain(own(&billstream)));
}
