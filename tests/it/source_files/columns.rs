//! Columns of files: by name, with types reconciled.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMillisecondArray,
    TimestampNanosecondArray,
};

use super::{Files, TOTAL, costs, texts};

/// Milliseconds of 2026-10-01T00:00:00Z.
const OCTOBER: i64 = 1_790_812_800_000;

#[test]
fn columns_match_by_name_whatever_their_order() {
    let files = Files::new();
    files
        .write("a.csv", "time/usage_start,cost/cost,resource/tag:env\n2026-10-01,1,prod\n")
        .write(
            "b.csv",
            "cost/cost,time/usage_start,resource/tag:team,resource/tag:env\n2,2026-10-02,core,dev\n",
        )
        // With a byte order mark and quoted names.
        .write("c.csv", "\u{feff}\"cost/cost\",\"time/usage_start\"\n4,2026-10-03\n");
    assert_eq!(files.total("x"), "3,7");
    let rows = files.rows("select \"cost/cost\" as cost, tags from x order by 1");
    let tags: Vec<_> = rows.iter().map(|row| row["tags"].as_str()).collect();
    assert_eq!(
        tags,
        [r#"{"env":"prod"}"#, r#"{"env":"dev","team":"core"}"#, ""]
    );
}

#[test]
fn types_of_files_are_reconciled_without_loss() {
    let files = Files::new();
    let (time, cost) = ("time/usage_start", "cost/cost");
    let nanos = TimestampNanosecondArray::from(vec![OCTOBER * 1_000_000]).with_timezone("+02:00");
    let decimal = Decimal128Array::from(vec![1]).with_precision_and_scale(38, 24);
    let columns: [(&str, ArrayRef, ArrayRef); 4] = [
        (
            "ms.parquet",
            Arc::new(TimestampMillisecondArray::from(vec![OCTOBER])),
            Arc::new(Int64Array::from(vec![1])),
        ),
        (
            "ns.parquet",
            Arc::new(nanos),
            Arc::new(Float64Array::from(vec![0.1])),
        ),
        (
            "date.parquet",
            Arc::new(Date32Array::from(vec![20_727])),
            Arc::new(decimal.unwrap()),
        ),
        (
            "text.parquet",
            texts(&["2026-10-01T02:00+02:00"]),
            texts(&["1e-7"]),
        ),
    ];
    for (name, times, costs) in columns {
        files.write_parquet(name, &[(time, times), (cost, costs)]);
    }
    files.write("x.csv", &costs(&["20"]));
    assert_eq!(files.total("x"), "5,21.100000100000000000000001");
    let rows = files.rows("select distinct billing_period, \"time/usage_start\" as t from x");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0]["t"].starts_with("2026-10-01T00:00:00"), "{rows:?}");
}

#[test]
fn missing_required_column_is_named_with_the_nearest_name() {
    let files = Files::new();
    files
        .write("a.csv", &costs(&["1"]))
        .write("b.csv", "time/usage_start,Cost/Cost\n2026-10-01,1\n");
    files.run("x", TOTAL).code(1).says(&[
        "source `x`",
        "`b.csv` has no column \"cost/cost\"",
        "\"Cost/Cost\"",
    ]);
    let files = Files::new();
    files.write(
        "a.csv",
        "cost/cost,cost/cost,time/usage_start\n1,2,2026-10-01\n",
    );
    files
        .run("x", TOTAL)
        .code(1)
        .says(&["`a.csv` has two columns \"cost/cost\""]);
}

#[test]
fn own_drops_with_new_tag_columns_are_a_source() {
    let files = Files::new();
    let september =
        "time/usage_start,cost/cost,resource/id,resource/tag:env\n2026-09-01,1,x/1,prod\n";
    let october = "time/usage_start,resource/tag:cost_center,resource/id,cost/cost,resource/tag:env\n2026-10-01,007,x/2,2,dev\n";
    for (month, drop) in [
        ("20260901-20261001", september),
        ("20261001-20261101", october),
    ] {
        files
            .write(&format!("{month}/d1/costs-0.csv.gz"), drop)
            .write(&format!("{month}/d0/costs-0.csv.gz"), drop)
            .write(
                &format!("{month}/manifest.json"),
                r#"{"version": "1.3.0", "current_drop_id": "d1"}"#,
            );
    }
    let sql = "select tag_key, tag_value from costs_by_tag group by 1, 2 order by 1, 2";
    let rows = files.rows(sql);
    let tags: Vec<_> = rows
        .iter()
        .map(|row| (row["tag_key"].as_str(), row["tag_value"].as_str()))
        .collect();
    assert!(tags.contains(&("cost_center", "007")), "{tags:?}");
    assert!(
        tags.contains(&("env", "prod")) && tags.contains(&("env", "dev")),
        "{tags:?}"
    );
    assert_eq!(files.total("x"), "2,3");
}
