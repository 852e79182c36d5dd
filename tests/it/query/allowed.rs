//! What statements may do: read, and with `--allow-write` write.

use std::path::PathBuf;

use super::store;
use crate::support::{Billstream, files_below};

/// Runs statements with `--allow-write`.
fn writing(billstream: &Billstream, sql: &str) -> crate::support::Output {
    billstream.run(&["query", "--allow-write", "--format", "csv", sql])
}

fn target(billstream: &Billstream, name: &str) -> (PathBuf, String) {
    let path = billstream.home().join(name);
    let text = path.display().to_string();
    (path, text)
}

#[test]
fn what_writes_or_reads_elsewhere_is_refused_and_does_nothing() {
    let (store, billstream) = store();
    let before = files_below(store.path());
    let (path, out) = target(&billstream, "out.csv");
    for sql in [
        &format!("copy costs to '{out}'"),
        &format!("copy (select 1) to '{out}' stored as parquet"),
        &format!("explain analyze copy costs to '{out}'"),
        &format!("create external table t stored as csv location '{out}'"),
        "create table t as select 1",
        "create or replace table costs as select 1",
        "drop table costs",
        "insert into costs select * from costs",
        "explain analyze insert into costs select * from costs",
        "delete from costs",
        "update costs set amount = 0",
        "truncate table costs",
        "create schema s",
        "create database d",
        "create function f() returns int return 1",
        "prepare p as select 1",
        "set datafusion.execution.batch_size = 1",
        "set datafusion.runtime.memory_limit = '100G'",
        "set datafusion.execution.enable_file_stream_work_stealing = true",
        "set datafusion.sql_parser.parse_float_as_decimal = false",
        "reset datafusion.execution.batch_size",
    ] {
        let output = billstream.run(&["query", sql]).code(1);
        assert_eq!(output.stdout, "", "{sql}");
        output.says(&["not allowed: queries are read-only", "hint: --allow-write"]);
    }
    assert!(!path.exists());
    assert!(
        files_below(store.path()) == before,
        "a query writes nothing"
    );
}

#[test]
fn a_refused_statement_ends_the_run_before_the_next() {
    let (_store, billstream) = store();
    let output = billstream
        .run(&[
            "query",
            "--format",
            "csv",
            "select 1 as a; drop table costs; select 2 as b",
        ])
        .code(1);
    assert_eq!(output.stdout, "a\n1\n");
}

#[test]
fn other_files_are_no_tables() {
    let (_store, billstream) = store();
    let (path, secret) = target(&billstream, "secret.csv");
    std::fs::write(path, "word\nhush\n").unwrap();
    for sql in [
        format!("select * from '{secret}'"),
        format!("create view v as select * from '{secret}'; select * from v"),
        format!("select * from read_csv('{secret}')"),
    ] {
        let output = billstream.run(&["query", &sql]).code(1);
        assert!(!output.stdout.contains("hush"), "{sql}");
    }
}

#[test]
fn allow_write_allows_copy_and_tables() {
    let (store, billstream) = store();
    let before = files_below(store.path());
    let (path, out) = target(&billstream, "out.csv");
    let copied = writing(
        &billstream,
        &format!("copy (select 1.50 as a, 'x' as b) to '{out}'"),
    )
    .ok();
    assert_eq!(copied.stdout, "count\n1\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1.50,x\n");
    let read = format!(
        "create external table t stored as csv location '{out}' options ('format.has_header' 'true'); \
         select b, a from t"
    );
    assert_eq!(writing(&billstream, &read).ok().stdout, "b,a\nx,1.5\n");
    let made = "create table t as select 7 as n; select n + 1 as m from t";
    assert_eq!(writing(&billstream, made).ok().stdout, "m\n8\n");
    assert!(
        files_below(store.path()) == before,
        "the store stays as it is"
    );
}

#[test]
fn the_published_tables_stay_as_they_are_with_allow_write_too() {
    let (store, billstream) = store();
    let before = files_below(store.path());
    for sql in [
        "drop table costs",
        "delete from line_items",
        "insert into costs select * from costs",
        "update costs set amount = 0",
        "create table costs as select 1",
        "create or replace view line_items as select 1",
    ] {
        let output = writing(&billstream, sql);
        assert_ne!(output.code, 0, "{sql}");
        assert_ne!(output.code, 70, "{sql}: {}", output.stderr);
    }
    assert!(files_below(store.path()) == before);
}

#[test]
fn settings_that_lift_no_limit_may_be_set() {
    let (_store, billstream) = store();
    let sql = "set datafusion.explain.logical_plan_only = true; explain select 1";
    let output = billstream.run(&["query", "--format", "csv", sql]).ok();
    assert!(output.stdout.contains("logical_plan"), "{}", output.stdout);
    assert!(
        !output.stdout.contains("physical_plan"),
        "{}",
        output.stdout
    );
    writing(&billstream, "set datafusion.execution.batch_size = 1000").ok();
}

#[test]
fn views_live_as_long_as_their_run() {
    let (_store, billstream) = store();
    let sql = "create view answers as select 42 as n; select n from answers; \
               create or replace view answers as select 43 as n; select n from answers; \
               drop view answers";
    let output = billstream.run(&["query", "--format", "csv", sql]).ok();
    assert_eq!(output.stdout, "n\n42\nn\n43\n");
    billstream
        .run(&["query", "select * from answers"])
        .code(1)
        .says(&["there is no table `answers`"]);
    let dropped = "create view v as select 1; drop view v; select * from v";
    billstream.run(&["query", dropped]).code(1);
}

#[test]
fn what_there_is_can_be_asked_of_sql() {
    let (_store, billstream) = store();
    let names: Vec<String> = billstream
        .query("show tables")
        .into_iter()
        .filter(|row| row["table_schema"] == "public")
        .map(|row| row["table_name"].clone())
        .collect();
    let expected = [
        "all_line_items",
        "cost_changes",
        "costs",
        "costs_by_tag",
        "daily_costs",
        "line_items",
        "monthly_costs",
        "periods",
        "resources",
        "runs",
        "versions",
    ];
    assert_eq!(names, expected);
    let described = billstream.query("describe periods");
    assert_eq!(described[0]["column_name"], "connection");
    let columns = billstream.query(
        "select data_type from information_schema.columns \
         where table_name = 'line_items' and column_name = 'cost/cost'",
    );
    assert_eq!(columns[0]["data_type"], "Decimal128(38, 24)");
}

#[test]
fn a_plan_is_shown_line_by_line() {
    let (_store, billstream) = store();
    let sql = "explain select sum(amount) from costs where billing_period = '2026-10'";
    let output = billstream.run(&["query", sql]).ok();
    let scans = output
        .stdout
        .lines()
        .filter(|line| line.contains("TableScan: costs"));
    assert_eq!(scans.count(), 1, "{}", output.stdout);
    for line in output.stdout.lines() {
        assert!(
            !(line.contains("Aggregate:") && line.contains("TableScan:")),
            "a line for each step:\n{}",
            output.stdout
        );
    }
    let ran = billstream
        .run(&["query", &sql.replace("explain", "explain analyze")])
        .ok();
    assert!(ran.stdout.contains("output_rows="), "{}", ran.stdout);
}
