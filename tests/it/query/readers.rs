//! Results as other tools read them: Parquet and Arrow with pyarrow, objects in a bucket.

use std::path::Path;

use serde_json::{Value, json};

use super::{imported, store};
use crate::s3::server::{Bucket, python, settings};
use crate::support::{Billstream, Exact, MONTH};

/// Rows of Parquet and Arrow files as pyarrow reads them, with types; decimals as text.
const READ: &str = "
import decimal, json, sys
import pyarrow as pa, pyarrow.parquet, pyarrow.ipc
path = sys.argv[1]
table = pa.parquet.read_table(path, partitioning=None) if path.endswith('parquet') else pa.ipc.open_file(path).read_all()
text = lambda value: format(value, 'f') if isinstance(value, decimal.Decimal) else str(value)
rows = [{name: None if value is None else text(value) for name, value in row.items()} for row in table.to_pylist()]
print(json.dumps({'types': {field.name: str(field.type) for field in table.schema}, 'rows': rows}))
";

fn read_back(path: &Path) -> Value {
    let output = python().args(["-c", READ]).arg(path).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn pyarrow_reads_exact_decimals_and_plain_types() {
    let (_store, billstream) = store();
    let sql = "select * from (values \
        (1, cast('0.000000000000000000000001' as decimal(38, 24)), 'é', date '2026-10-01', timestamp '2026-10-01T12:30:00Z', true), \
        (2, cast('-12345678901234.567890123456789012345678' as decimal(38, 24)), null, null, null, null)) \
        as v(n, money, word, day, at, yes) order by n";
    let expected = json!([
        {"n": "1", "money": "0.000000000000000000000001", "word": "é", "day": "2026-10-01",
         "at": "2026-10-01 12:30:00", "yes": "True"},
        {"n": "2", "money": "-12345678901234.567890123456789012345678", "word": null, "day": null,
         "at": null, "yes": null},
    ]);
    for name in ["rows.parquet", "rows.arrow"] {
        billstream.run(&["query", sql, "-o", name]).ok();
        let found = read_back(&billstream.home().join(name));
        assert_eq!(found["rows"], expected, "{name}");
        assert_eq!(found["types"]["money"], "decimal128(38, 24)");
        assert_eq!(found["types"]["word"], "string");
        assert_eq!(found["types"]["day"], "date32[day]");
    }
}

#[test]
fn pyarrow_reads_a_published_month_exactly() {
    let (_store, billstream) = store();
    let totals = &imported().totals[MONTH];
    let sql = "select connection, billing_period, \"time/usage_start\", \"cost/cost\" from line_items \
               where billing_period = '2026-10'";
    let count = billstream.line_items(MONTH).len();
    for name in ["month.parquet", "month.arrow"] {
        billstream.run(&["query", sql, "-o", name]).ok();
        let found = read_back(&billstream.home().join(name));
        let rows = found["rows"].as_array().unwrap();
        assert_eq!(rows.len(), count);
        let net: Exact = rows
            .iter()
            .map(|row| Exact::of(row["cost/cost"].as_str().unwrap()))
            .sum();
        assert_eq!(net.to_string(), totals.net);
        assert_eq!(found["types"]["billing_period"], "string", "{name}");
        assert_eq!(found["types"]["time/usage_start"], "timestamp[us, tz=UTC]");
    }
    let none = "select \"cost/cost\" from line_items where false";
    billstream.run(&["query", none, "-o", "none.parquet"]).ok();
    assert_eq!(
        read_back(&billstream.home().join("none.parquet"))["rows"],
        json!([])
    );
}

/// `billstream` with credentials of the S3 server.
fn with_s3(billstream: Billstream) -> Billstream {
    settings()
        .iter()
        .fold(billstream, |billstream, (name, value)| {
            billstream.env(name, value)
        })
}

#[test]
fn results_in_a_bucket_are_complete_or_absent() {
    let bucket = Bucket::new("query-results", "");
    let (_store, billstream) = store();
    let billstream = with_s3(billstream);
    let url = |name: &str| format!("s3://query-results/{name}");
    let sql =
        "select billing_period, sum(billed_cost) as net from daily_costs group by 1 order by 1";
    billstream
        .run(&["query", sql, "-o", &url("by/month.csv")])
        .ok();
    let expected = billstream
        .run(&["query", "--format", "csv", sql])
        .ok()
        .stdout;
    assert_eq!(bucket.get("by/month.csv").unwrap(), expected.as_bytes());

    let failing = "select 1 / (30000 - value) as n from generate_series(1, 40000)";
    billstream
        .run(&["query", failing, "-o", &url("by/month.csv")])
        .code(1);
    billstream
        .run(&["query", failing, "-o", &url("never.csv")])
        .code(1);
    assert_eq!(bucket.get("by/month.csv").unwrap(), expected.as_bytes());
    assert_eq!(bucket.get("never.csv"), None);

    // More than one part of an upload.
    let many = "select value, repeat('x', 60) as text from generate_series(1, 300000)";
    billstream
        .run(&["query", many, "-o", &url("many.csv")])
        .ok();
    let bytes = bucket.get("many.csv").unwrap();
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 300_001);
    billstream
        .run(&["query", many, "-o", &url("many.parquet")])
        .ok();
    let bytes = bucket.get("many.parquet").unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));

    billstream
        .run(&["query", "select 1", "-o", "s3://no-such-bucket-here/a.csv"])
        .code(3)
        .says(&["no-such-bucket-here"]);
}
