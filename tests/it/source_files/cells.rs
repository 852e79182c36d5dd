//! Values of files: missing ones, times, amounts that cannot be read, and tags.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, ListArray, MapBuilder, MapFieldNames, StringArray,
    StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};

use super::{Files, TOTAL, costs, texts};

#[test]
fn missing_values_and_times_of_every_form_are_read() {
    let files = Files::new();
    files.write(
        "a.csv",
        "time/usage_start,cost/cost,usage/amount,resource/id,lineitem/type\n\
         2026-10-01T01:00+02:00,1,NULL,N/A,usage\n\
         2026-10-01 07:00,null,3,null,COMMITTED_USE_PURCHASE\n\
         2026-10-01T00:00Z,N/A,5,x/1,\n\
         2026-10-01,,,,Other\n",
    );
    let sql = "select \"time/usage_start\" as t, \"cost/cost\" as cost, \"usage/amount\" as n, \
               \"resource/id\" as id, \"lineitem/type\" as type from x";
    let rows = files.rows(sql);
    let row = |at: usize| ["cost", "n", "id", "type"].map(|name| rows[at][name].as_str());
    assert_eq!(row(0), ["1", "", "", "Usage"]);
    assert_eq!(row(1), ["", "3", "", "CommittedUsePurchase"]);
    assert_eq!(row(2), ["", "5", "x/1", "Usage"]);
    assert_eq!(row(3), ["", "", "", "Other"]);
    let times: Vec<_> = rows.iter().map(|row| &row["t"][..16]).collect();
    assert_eq!(
        times,
        [
            "2026-09-30T23:00",
            "2026-10-01T07:00",
            "2026-10-01T00:00",
            "2026-10-01T00:00"
        ]
    );
}

#[test]
fn bad_cells_are_named_with_source_file_column_row_and_value() {
    let nan = Arc::new(Float64Array::from(vec![2.0, 2.0, 2.0, 2.0, f64::NAN]));
    let files = Files::new();
    files.write_parquet(
        "nan/a.parquet",
        &[
            ("time/usage_start", texts(&["2026-10-01"; 5])),
            ("cost/cost", nan),
        ],
    );
    files
        .write("cost/a.csv", &costs(&["1"]))
        .write(
            "cost/b.csv",
            &costs(&["1", "2", "1.000,5"]).replace("1.000,5", "\"1.000,5\""),
        )
        .write(
            "time/a.csv",
            "time/usage_start,cost/cost\n2026-10-01,1\n10/31/2026,1\n",
        )
        .write(
            "rows/a.csv",
            "time/usage_start,cost/cost\n2026-10-01,1\n2026-10-01\n",
        )
        .write(
            "tags/a.csv",
            "BilledCost,BillingPeriodStart,ChargePeriodStart,ChargeCategory,Tags\n\
             1,2026-10-01,2026-10-01,Usage,team=a\n",
        );
    let sql = "select max(\"time/usage_start\"), sum(\"cost/cost\"), max(tags) from x";
    for (location, words) in [
        (
            "x/nan",
            "a.parquet, row 5, column \"cost/cost\": `NaN` is not an amount",
        ),
        (
            "x/cost",
            "b.csv, row 3, column \"cost/cost\": `1.000,5` is not an amount",
        ),
        (
            "x/time",
            "a.csv, row 2, column \"time/usage_start\": `10/31/2026` is not a date",
        ),
        ("x/rows", "could not read `a.csv`"),
        (
            "x/tags",
            "a.csv, row 1, column \"Tags\": `team=a` is not a JSON object",
        ),
    ] {
        files
            .run(location, sql)
            .code(1)
            .says(&["source `x`", words]);
    }
    // Columns that a question does not read cannot end it.
    assert_eq!(
        files.run("x/time", TOTAL).ok().stdout.lines().nth(1),
        Some("2,2")
    );
    let count = files.run("x/nan", "select count(*) as n from x").ok();
    assert_eq!(count.stdout.lines().nth(1), Some("5"));
}

#[test]
fn quantities_past_the_limit_do_not_end_a_question() {
    let files = Files::new();
    files.write(
        "a.csv",
        "time/usage_start,cost/cost,usage/amount\n2026-10-01,1,5\n2026-10-01,2,2e15\n",
    );
    let sql = "select sum(\"cost/cost\") as cost, sum(\"usage/amount\") as n from x";
    let output = files.run("x", sql).ok();
    assert_eq!(output.stdout.lines().nth(1), Some("3,5"));
    output.says(&["Quantities", "a.csv", "row=2", "2e15"]);
}

/// Costs of FOCUS with a column of tags.
fn focus(tags: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("BilledCost", texts(&["1"])),
        ("BillingPeriodStart", texts(&["2026-10-01"])),
        ("ChargePeriodStart", texts(&["2026-10-01"])),
        ("ChargeCategory", texts(&["Usage"])),
        ("Tags", tags),
    ]
}

#[test]
fn tags_of_every_form_are_read() {
    let mut map = MapBuilder::new(
        Some(MapFieldNames {
            entry: "key_value".to_string(),
            key: "key".to_string(),
            value: "value".to_string(),
        }),
        StringBuilder::new(),
        StringBuilder::new(),
    );
    map.keys().append_value("user:team");
    map.values().append_value("map");
    map.append(true).unwrap();
    let field = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let structure = StructArray::new(
        Fields::from(vec![field("team"), field("none")]),
        vec![
            texts(&["struct"]),
            Arc::new(StringArray::from(vec![None::<&str>])),
        ],
        None,
    );
    let entries = StructArray::new(
        Fields::from(vec![field("key"), field("value")]),
        vec![texts(&["team"]), texts(&["list"])],
        None,
    );
    let item = Arc::new(Field::new_list_field(entries.data_type().clone(), true));
    let list = ListArray::new(
        item,
        OffsetBuffer::from_lengths([1]),
        Arc::new(entries),
        None,
    );
    let files = Files::new();
    files
        .write_parquet("map.parquet", &focus(Arc::new(map.finish())))
        .write_parquet("struct.parquet", &focus(Arc::new(structure)))
        .write_parquet("list.parquet", &focus(Arc::new(list)))
        .write(
            "text.csv",
            "BilledCost,BillingPeriodStart,ChargePeriodStart,ChargeCategory,Tags\n\
             1,2026-10-01,2026-10-01,Usage,\"{\"\"team\"\":\"\"json\"\"}\"\n\
             1,2026-10-01,2026-10-01,Usage,\"\"\"team\"\": \"\"azure\"\",\"\"b\"\": \"\"c\"\"\"\n\
             1,2026-10-01,2026-10-01,Usage,NULL\n",
        );
    let rows = files.rows("select tags from x order by 1 nulls last");
    let tags: Vec<_> = rows.iter().map(|row| row["tags"].as_str()).collect();
    assert_eq!(
        tags,
        [
            r#"{"b":"c","team":"azure"}"#,
            r#"{"team":"json"}"#,
            r#"{"team":"list"}"#,
            r#"{"team":"map"}"#,
            r#"{"team":"struct"}"#,
            ""
        ]
    );
}
