//! Cost sources: cost columns, equal rows of CSV and Parquet, and no effect on store and drops.

use std::path::Path;

use tempfile::tempdir;

use crate::support::{
    Billstream, Exact, MONTH, Row, Sandbox, csv_rows, drop_in_force, published_files,
};

/// `name=path` of a fixture.
fn source(name: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sources");
    format!("{name}={}", path.join(file).display())
}

fn rows(billstream: &Billstream, sources: &[&str], sql: &str) -> Vec<Row> {
    let mut command = vec!["query", "--format", "csv", sql];
    sources
        .iter()
        .for_each(|source| command.extend(["--source", source]));
    csv_rows(billstream.run(&command).ok().stdout.as_bytes())
}

#[test]
fn cost_columns_match_the_files() {
    let store = tempdir().unwrap();
    let billstream = Billstream::on(store.path());
    // Line items, and the sums of billed, discounted, list and effective cost; empty where unknown.
    for (file, count, sums) in [
        (
            "focus-1.0.csv",
            "13",
            [
                "122.190000000000000040000001",
                // Each commitment once: as its purchase at cost, as the usage that it covers at list price.
                "122.190000000000000040000001",
                "25.8900001",
                "16.2245",
            ],
        ),
        (
            "focus-1.2.csv.gz",
            "4",
            [
                "1.45000010000000004",
                "1.45000010000000004",
                "3.2000001",
                "",
            ],
        ),
        (
            "focus-1.2.parquet",
            "4",
            [
                "1.45000010000000004",
                "1.45000010000000004",
                "3.2000001",
                "",
            ],
        ),
        ("cur2.parquet", "16", ["724.58000010000000004", "", "", ""]),
        ("cbf", "5", ["5.308999999999999999999999", "", "", ""]),
    ] {
        let given = source("x", file);
        let sql = "select count(*) as rows, min(connection) as first, max(connection) as last, \
            sum(\"cost/cost\") as c0, sum(\"cost/discounted_cost\") as c1, sum(\"cost/on_demand_cost\") as c2, \
            sum(\"cost/discounted_amortized_cost\") as c3 from all_line_items";
        let found = rows(&billstream, &[&given], sql).remove(0);
        let names = [&found["rows"], &found["first"], &found["last"]];
        assert_eq!(names, [count, "x", "x"], "{file}");
        for (at, sum) in sums.iter().enumerate().filter(|(_, sum)| !sum.is_empty()) {
            assert_eq!(
                Exact::of(&found[&format!("c{at}")]),
                Exact::of(sum),
                "{file} {at}"
            );
        }
        let sql = "select connection, sum(billed_cost) as cost from daily_costs group by 1";
        let daily = rows(&billstream, &[&given], sql);
        assert_eq!(daily.len(), 1, "{file}");
        assert_eq!(Exact::of(&daily[0]["cost"]), Exact::of(sums[0]), "{file}");
    }
    // The source is a table under its name, and nothing was written to the store.
    let own = rows(
        &billstream,
        &[&source("x", "cbf")],
        "select count(*) as n from x",
    );
    assert_eq!(own[0]["n"], "5");
    assert!(published_files(store.path()).is_empty());
    let sources = [
        "query",
        "--source",
        &source("x", "cbf"),
        "select * from line_items",
    ];
    billstream
        .run(&sources)
        .code(3)
        .says(&["nothing is imported"]);
}

#[test]
fn csv_and_parquet_of_one_bill_give_the_same_line_items() {
    let store = tempdir().unwrap();
    let billstream = Billstream::on(store.path());
    let sql =
        "select * from x order by \"time/usage_start\", \"lineitem/description\", \"cost/cost\"";
    let of = |file: &str| rows(&billstream, &[&source("x", file)], sql);
    let (text, parquet) = (of("focus-1.2.csv.gz"), of("focus-1.2.parquet"));
    assert_eq!(text.len(), 4);
    assert_eq!(text, parquet);
}

#[test]
fn user_mappings_are_selected_by_name_and_by_columns() {
    let store = tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let billstream =
        Billstream::on(store.path()).env("BILLSTREAM_SQL_DIR", &fixtures.display().to_string());
    let sql = "select billing_period, \"lineitem/type\" as type, \"cost/cost\" as cost from own order by 1, 2, 3";
    let found = rows(&billstream, &[&source("own", "own.csv")], sql);
    let found: Vec<[&str; 3]> = found
        .iter()
        .map(|row| ["billing_period", "type", "cost"].map(|column| row[column].as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ["2026-10", "Usage", "0.12345"],
            ["2026-11", "Credit", "-0.3"],
            ["2026-11", "Usage", "0.000000001"],
        ]
    );
    // Under another name it is detected by its columns.
    let sql =
        "select distinct connection, \"lineitem/cloud_provider\" as provider from all_line_items";
    let found = rows(&billstream, &[&source("other", "own.csv")], sql);
    let found: Vec<_> = found
        .iter()
        .map(|r| (&*r["connection"], &*r["provider"]))
        .collect();
    assert_eq!(found, [("other", "Builder")]);
    // A mapping with the source's name overrides the one that fits its columns.
    let (folder, cbf) = (tempdir().unwrap(), source("mine", "cbf"));
    std::fs::create_dir(folder.path().join("sources")).unwrap();
    let mapping = "-- Twice as much\n\nselect '2026-10' as billing_period, \
        cast(\"time/usage_start\" as timestamp) as \"time/usage_start\", \
        times(amount(\"cost/cost\"), amount('2')) as \"cost/cost\" from source\n";
    std::fs::write(folder.path().join("sources/mine.sql"), mapping).unwrap();
    let billstream = billstream.env("BILLSTREAM_SQL_DIR", &folder.path().display().to_string());
    let found = rows(
        &billstream,
        &[&cbf],
        "select sum(\"cost/cost\") as cost from mine",
    );
    assert_eq!(found[0]["cost"], "10.617999999999999999999998");
}

#[test]
fn flags_override_the_environment_and_sources_are_not_delivered() {
    let (store, sandbox) = (tempdir().unwrap(), Sandbox::start(&[]));
    let listed = format!("{}, {}", source("a", "cur2.parquet"), source("b", "cbf"));
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_SOURCES", &listed);
    billstream.import(MONTH).ok();
    let files = published_files(store.path());
    let sorted_drop = || {
        let rows = drop_in_force(store.path(), billstream.connection_name(), MONTH);
        let mut rows: Vec<Vec<(String, String)>> = rows
            .into_iter()
            .map(|row| {
                let mut cells: Vec<_> = row.into_iter().collect();
                cells.sort();
                cells
            })
            .collect();
        rows.sort();
        rows
    };
    let before = sorted_drop();
    let sql = "select connection, sum(billed_cost) as cost from daily_costs group by 1 order by 1";
    let found = rows(&billstream, &[&source("b", "focus-1.2.parquet")], sql);
    let found: Vec<_> = found
        .iter()
        .map(|row| (row["connection"].as_str(), Exact::of(&row["cost"])))
        .collect();
    let expected = [
        ("a", Exact::of("724.58000010000000004")),
        ("b", Exact::of("1.45000010000000004")),
        ("confluent", Exact::of(&sandbox.totals(MONTH).net)),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        files,
        published_files(store.path()),
        "a query wrote to the store"
    );
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    for command in [
        &["deliver", "--month", MONTH][..],
        &["import", "--month", MONTH],
    ] {
        billstream.run(command).ok();
        assert_eq!(sorted_drop(), before, "{command:?}");
    }
    let connections = std::fs::read_dir(store.path().join("cloudzero")).unwrap();
    assert_eq!(connections.count(), 1);
}

#[test]
fn unmapped_source_lists_its_columns_and_the_file_to_write() {
    let store = tempdir().unwrap();
    let billstream = Billstream::on(store.path());
    let odd = store.path().join("odd.csv");
    std::fs::write(&odd, "day,money\n2026-10-01,5\n").unwrap();
    let odd = format!("odd={}", odd.display());
    let view = source("daily_costs", "cbf");
    for (given, code, words) in [
        (
            odd.as_str(),
            1,
            &[
                "\"day\", \"money\"",
                "focus lacks BilledCost",
                "sources/odd.sql",
            ][..],
        ),
        ("x=/nowhere/at/all", 3, &["`x` at /nowhere/at/all"]),
        ("1x=/tmp", 2, &["invalid source name `1x`"]),
        (&view, 2, &["`daily_costs` is already a table"]),
    ] {
        let sql = "select * from all_line_items";
        let output = billstream.run(&["query", "--source", given, sql]);
        assert_eq!(output.code(code).says(words).stdout, "", "{given}");
    }
}
