//! Files that a location stands for.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Files, TOTAL, costs, gzip, texts};
use crate::s3::server::Bucket;
use crate::support::{Billstream, Exact, MONTH, Sandbox};

#[test]
fn every_file_is_read_or_named() {
    let files = Files::new();
    for name in [
        "A.CSV",
        "sub dir/b.csv.gz",
        "sub dir/{x}/c.csv",
        "d.csv",
        "2026/10/e.CSV.GZ",
    ] {
        files.write(name, &costs(&["1"]));
    }
    files.write_parquet(
        "P.PARQUET",
        &[
            ("time/usage_start", texts(&["2026-10-01"])),
            ("cost/cost", texts(&["1"])),
        ],
    );
    files
        .write(".hidden.csv", &costs(&["100"]))
        .write("zero.csv", "")
        .write("blank.csv.gz", "\n")
        .write("notes.txt", "x")
        .write("_SUCCESS", "");
    files.run("x", TOTAL).ok().says(&[
        ".hidden.csv (hidden)",
        "zero.csv (empty)",
        "blank.csv.gz",
        "notes.txt (neither Parquet nor CSV)",
    ]);
    assert_eq!(files.total("x"), "6,6");
    for (location, total) in [
        ("x/", "6,6"),
        ("x/sub dir", "2,2"),
        ("x/sub dir/*.gz", "1,1"),
        ("x/sub dir/{x}", "1,1"),
        ("x/{d,none}.csv", "1,1"),
        ("x/{A,d}.{CSV,csv}", "2,2"),
        ("x/**/*.csv", "2,2"),
        ("x/20??", "1,1"),
        ("x/sub*", "2,2"),
    ] {
        assert_eq!(files.total(location), total, "{location}");
    }
    for (location, code, words) in [
        ("x/zero.csv", 1, "`zero.csv` is empty"),
        ("x/notes.txt", 1, "neither Parquet nor CSV"),
        ("x/*.txt", 3, "not read: notes.txt"),
    ] {
        files.run(location, TOTAL).code(code).says(&[words]);
    }
    // One file in two formats.
    files.write("d.csv.gz", &costs(&["1"]));
    files
        .run("x", TOTAL)
        .ok()
        .says(&["may be one file in two formats", "d.csv.gz"]);
}

#[test]
fn cut_gzip_is_an_error_and_its_members_are_all_read() {
    let files = Files::new();
    let mut members = gzip(&costs(&["1"]));
    let first = members.len();
    let mut second = GzEncoder::new(Vec::new(), Compression::default());
    for row in 0..1000 {
        writeln!(second, "2026-10-02,{row}").unwrap();
    }
    members.extend(second.finish().unwrap());
    files.write_bytes("a.csv.gz", &members);
    assert_eq!(files.total("x"), "1001,499501");
    for length in [first + 5, first + 200, members.len() - 8, members.len() - 1] {
        files.write_bytes("a.csv.gz", &members[..length]);
        files
            .run("x", TOTAL)
            .code(1)
            .says(&["source `x`", "could not read `a.csv.gz`"]);
    }
}

#[test]
fn parts_of_a_delta_table_are_refused() {
    let files = Files::new();
    files.write("_delta_log/00000000000000000000.json", "{}");
    files.write("part=1/a.csv", &costs(&["1"]));
    for location in ["x/part=1", "x/*/*.csv"] {
        let refused = files.run(location, TOTAL).code(1);
        refused.says(&["are a part of the Delta table", "hint: name the folder"]);
    }
}

#[test]
fn delta_folder_is_read_through_its_log() {
    let files = Files::new();
    let data = |name: &str, cost: &str| {
        let columns = [
            ("time/usage_start", texts(&["2026-10-01"])),
            ("cost/cost", texts(&[cost])),
        ];
        files.write_parquet(name, &columns);
        fs::metadata(files.path().join("x").join(name))
            .unwrap()
            .len()
    };
    let (old, new) = (
        data("table/env=dev/old.parquet", "4"),
        data("table/env=dev/new.parquet", "2"),
    );
    data("table/orphan.parquet", "100");
    let add = |path: &str, size: u64| {
        format!(
            r#"{{"add":{{"path":"{path}","partitionValues":{{"resource/tag:env":"dev"}},"size":{size},"modificationTime":1,"dataChange":true}}}}"#
        )
    };
    let field = |name: &str| {
        format!(
            r#"{{\"name\":\"{name}\",\"type\":\"string\",\"nullable\":true,\"metadata\":{{}}}}"#
        )
    };
    let fields = ["time/usage_start", "cost/cost", "resource/tag:env"].map(field);
    let schema = format!(
        r#"{{\"type\":\"struct\",\"fields\":[{}]}}"#,
        fields.join(",")
    );
    let metadata = |configuration: &str| {
        format!(
            r#"{{"metaData":{{"id":"1","format":{{"provider":"parquet","options":{{}}}},"schemaString":"{schema}","partitionColumns":["resource/tag:env"],"configuration":{{{configuration}}},"createdTime":1}}}}"#
        )
    };
    let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
    let first = format!(
        "{protocol}\n{}\n{}\n",
        metadata(""),
        add("env=dev/old.parquet", old)
    );
    let second = format!(
        "{}\n{}\n",
        r#"{"remove":{"path":"env=dev/old.parquet","deletionTimestamp":1,"dataChange":true}}"#,
        add("env=dev/new.parquet", new)
    );
    files
        .write("table/_delta_log/00000000000000000000.json", &first)
        .write("table/_delta_log/00000000000000000001.json", &second);
    assert_eq!(files.total("x/table"), "1,2");
    // The log names the partition.
    assert_eq!(
        files.rows("select tags from x")[0]["tags"],
        r#"{"env":"dev"}"#
    );
    fs::remove_file(files.path().join("x/table/env=dev/new.parquet")).unwrap();
    files
        .run("x", TOTAL)
        .code(1)
        .says(&["new.parquet of the Delta log does not exist"]);
}

/// A line item of a Cost and Usage Report.
fn cur(id: &str, cost: f64) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("identity_line_item_id", texts(&[id])),
        ("line_item_line_item_type", texts(&["Usage"])),
        (
            "line_item_unblended_cost",
            Arc::new(Float64Array::from(vec![cost])),
        ),
        ("line_item_usage_start_date", texts(&["2026-10-01"])),
        ("bill_billing_period_start_date", texts(&["2026-10-01"])),
    ]
}

#[test]
fn deliveries_of_a_month_do_not_count_twice() {
    let files = Files::new();
    let month = "cur/data/BILLING_PERIOD=2026-10";
    files
        .write_parquet(
            &format!("{month}/2026-10-02T05:00:00.000Z-a/1.parquet"),
            &cur("i1", 1.0),
        )
        .write_parquet(
            &format!("{month}/2026-10-05T05:00:00.000Z-b/1.parquet"),
            &cur("i1", 1.5),
        )
        .write_parquet(
            &format!("{month}/2026-10-05T05:00:00.000Z-b/2.parquet"),
            &cur("i2", 2.0),
        )
        .write(
            "cur/metadata/BILLING_PERIOD=2026-10/cur-Manifest.json",
            "{}",
        );
    files
        .run("x/cur", TOTAL)
        .ok()
        .says(&["read the newest", "2026-10-05T05:00:00.000Z-b"]);
    assert_eq!(files.total("x/cur"), "2,3.5");
    // Side by side nothing tells which one is newer.
    files
        .write_parquet("flat/a.parquet", &cur("i1", 1.5))
        .write_parquet("flat/b.parquet", &cur("i1", 1.5));
    files.run("x/flat", TOTAL).code(1).says(&[
        "`b.parquet` repeats 100 % of its line items from `a.parquet`",
        "identity_line_item_id `i1`",
        "keep the newest one",
    ]);
    files.write_parquet("flat/b.parquet", &cur("i2", 1.5));
    assert_eq!(files.total("x/flat"), "2,3");
}

#[test]
fn drop_without_files_and_iceberg_tables_are_errors() {
    let files = Files::new();
    files.write(
        "20261001-20261101/manifest.json",
        r#"{"version": "1.3.0", "current_drop_id": "gone"}"#,
    );
    files
        .run("x", TOTAL)
        .code(1)
        .says(&["names the drop gone, which has no files"]);
    let files = Files::new();
    files
        .write("t/data/a.csv", &costs(&["1"]))
        .write("t/metadata/00001-a.metadata.json", "{}");
    files.run("x/t", TOTAL).code(1).says(&["Iceberg"]);
}

#[test]
fn newest_run_of_an_azure_export_counts() {
    let files = Files::new();
    let header = "BilledCost,BillingPeriodStart,ChargePeriodStart,ChargeCategory";
    let month = "focus/20261001-20261031";
    for (run, cost) in [
        ("202610020500/0a1b2c3d-0000-4000-8000-0123456789ab", "1"),
        ("202610030500/0a1b2c3d-0000-4000-8000-0123456789ac", "1.5"),
    ] {
        let row = format!("{cost},2026-10-01T00:00Z,2026-10-01T00:00Z,Usage");
        files
            .write(
                &format!("{month}/{run}/part_0_0001.csv"),
                &format!("\u{feff}{header}\n{row}\n"),
            )
            .write(
                &format!("{month}/{run}/manifest.json"),
                r#"{"manifestVersion": "2024-04-01", "blobs": []}"#,
            );
    }
    assert_eq!(files.total("x/focus"), "1,1.5");
    files.run("x", TOTAL).ok().says(&["read=\"202610030500\""]);
}

#[test]
fn legacy_report_is_read_from_its_newest_assembly() {
    let files = Files::new();
    let header = "identity/LineItemId,bill/BillingPeriodStartDate,lineItem/UsageStartDate,\
                  lineItem/LineItemType,lineItem/UnblendedCost,product/region,resourceTags/user:CostCenter";
    for (assembly, cost) in [("20261002T000000Z", "1"), ("20261003T000000Z", "1.5")] {
        let text = format!(
            "{header}\ni1,2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,Usage,{cost},eu-west-1,007\n"
        );
        files.write(
            &format!("cur/20261001-20261101/{assembly}/cur-1.csv.gz"),
            &text,
        );
    }
    files.write("cur/20261001-20261101/cur-Manifest.json", "{}");
    assert_eq!(files.total("x/cur"), "1,1.5");
    let row = files
        .rows("select \"resource/region\" as region, tags from x")
        .remove(0);
    assert_eq!(row["region"], "eu-west-1");
    assert_eq!(row["tags"], r#"{"CostCenter":"007"}"#);
}

#[test]
fn s3_folders_need_no_trailing_slash_and_delta_tables_are_read_there() {
    let bucket = Bucket::new("sources", "store");
    bucket.put("bill/a.csv", &costs(&["1"]));
    bucket.put("bill/2026/10/b.csv", &costs(&["2"]));
    bucket.put("bill-of-others/c.csv", &costs(&["100"]));
    let sandbox = Sandbox::start(&[]);
    let billstream = bucket.billstream().from(&sandbox);
    let total = |billstream: &Billstream, location: &str| {
        let source = format!("x=s3://sources/store/{location}");
        let arguments = ["query", "--format", "csv", "--source", &source, TOTAL];
        let output = billstream.run(&arguments).ok();
        output.stdout.lines().nth(1).unwrap().to_string()
    };
    for (location, expected) in [
        ("bill", "2,3"),
        ("bill/", "2,3"),
        ("bill/*.csv", "1,1"),
        ("bill*/**/*.csv", "3,103"),
        ("bill/a.csv", "1,1"),
    ] {
        assert_eq!(total(&billstream, location), expected, "{location}");
    }
    // Two versions: the files of the first are no longer current.
    billstream.import(MONTH).ok();
    let restated = Sandbox::start(&["--revision", "1"]);
    let billstream = bucket.billstream().from(&restated);
    billstream.import(MONTH).ok();
    let net = total(&billstream, "line_items");
    let net = Exact::of(net.split_once(',').unwrap().1);
    assert_ne!(sandbox.totals(MONTH).net, restated.totals(MONTH).net);
    assert_eq!(net, Exact::of(&restated.totals(MONTH).net));
}
