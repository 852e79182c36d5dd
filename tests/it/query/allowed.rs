//! Permissions of statements: reading, and writing with `--allow-write`.

use std::path::PathBuf;

use super::store;
use crate::support::{Billstream, files_below};

/// Runs statements with `--allow-write`.
fn writing(billstream: &Billstream, sql: &str) -> crate::support::Output {
    billstream.run(&["query", "--allow-write", "--format", "csv", sql])
}

fn output_path(billstream: &Billstream, name: &str) -> (PathBuf, String) {
    let path = billstream.home().join(name);
    let text = path.display().to_string();
    (path, text)
}

#[test]
fn refuses_statements_that_write_or_read_other_files() {
    let (store, billstream) = store();
    let before = files_below(store.path());
    let (path, out) = output_path(&billstream, "out.csv");
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
        output.says(&[
            "not allowed: queries are read-only",
            "hint: pass --allow-write",
        ]);
    }
    assert!(!path.exists());
    assert!(
        files_below(store.path()) == before,
        "a query wrote to the store"
    );
}

#[test]
fn view_and_report_files_return_rows_and_change_nothing() {
    let (store, billstream) = store();
    let before = files_below(store.path());
    let (path, out) = output_path(&billstream, "out.csv");
    let folder = billstream.home().join("sql");
    for kind in ["views", "reports", "sources"] {
        std::fs::create_dir_all(folder.join(kind)).unwrap();
    }
    std::fs::write(billstream.home().join("s.csv"), "a\n1\n").unwrap();
    for sql in [
        format!("copy (select 1 as a) to '{out}'"),
        "create table t as select 1".to_string(),
        "create view v as select 1".to_string(),
        "insert into costs select * from costs".to_string(),
        "set datafusion.execution.batch_size = 1".to_string(),
    ] {
        for kind in ["views", "reports", "sources"] {
            let text = format!("-- Evil: writes\n{sql}\n");
            std::fs::write(folder.join(kind).join("evil.sql"), text).unwrap();
        }
        let queries: [&[&str]; 4] = [
            &["query", "--sql-dir", "sql", "select * from evil"],
            &[
                "query",
                "--sql-dir",
                "sql",
                "--allow-write",
                "select * from evil",
            ],
            &[
                "query",
                "--sql-dir",
                "sql",
                "create view w as select * from evil; select * from w",
            ],
            &["report", "--sql-dir", "sql", "evil"],
        ];
        for arguments in queries {
            // A report may define a view of the session, which ends with the run.
            if arguments[0] == "report" && sql.starts_with("create view") {
                continue;
            }
            let output = billstream.run(arguments).code(1);
            output.says(&["not allowed"]);
        }
        std::fs::remove_file(folder.join("views/evil.sql")).unwrap();
        // A mapping sees its files alone.
        if sql.starts_with("insert") {
            continue;
        }
        let source = [
            "query",
            "--sql-dir",
            "sql",
            "--source",
            "evil=s.csv",
            "select * from evil",
        ];
        billstream.run(&source).code(1).says(&["not allowed"]);
        assert!(!path.exists(), "{sql}");
    }
    assert!(files_below(store.path()) == before);
}

#[test]
fn reading_commands_create_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("mistyped");
    let billstream = Billstream::on(&missing);
    let commands: [&[&str]; 11] = [
        &["query", "select 1"],
        &["report", "top_resources"],
        &["report", "list"],
        &["shell"],
        &["diff", "2026-09", "2026-10"],
        &["status"],
        &["connections", "list"],
        &["verify"],
        &["transform"],
        &["deliver"],
        &["restore", "--month", "2026-10", "--version", "1"],
    ];
    for arguments in commands {
        let output = billstream.run(arguments).code(3);
        output.says(&["there is no store at", "mistyped", "--store"]);
        assert!(!missing.exists(), "{arguments:?}");
    }
    // The default folder may be missing.
    let billstream = billstream.without("BILLSTREAM_STORE");
    billstream
        .run(&["status"])
        .ok()
        .says(&["no connections yet"]);
    billstream
        .run(&["query", "select * from costs"])
        .code(3)
        .says(&["nothing is imported"]);
    billstream.run(&["query", "select 1"]).ok();
    assert!(!billstream.home().join("billstream-data").exists());
}

#[test]
fn store_is_private_and_output_is_the_users() {
    use std::os::unix::fs::PermissionsExt;

    use crate::support::{Sandbox, names_below};
    for (permissions, folders, files) in [("private", 0o700, 0o600), ("group", 0o770, 0o660)] {
        let (sandbox, home) = (Sandbox::start(&[]), tempfile::tempdir().unwrap());
        let store = home.path().join("store");
        let billstream = Billstream::on(&store)
            .from(&sandbox)
            .env("BILLSTREAM_STORE_PERMISSIONS", permissions);
        billstream.import("2026-10").ok();
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let names = names_below(&store);
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            let file = store.join(name);
            assert_eq!(mode(&file), files, "{}", file.display());
            assert_eq!(mode(file.parent().unwrap()), folders, "{}", file.display());
        }
        assert_eq!(mode(&store), folders);
        billstream.run(&["query", "-o", "out.csv", "select 1"]).ok();
        let made = billstream.home().join("made.csv");
        std::fs::write(&made, "").unwrap();
        assert_eq!(mode(&billstream.home().join("out.csv")), mode(&made));
    }
    let (_store, billstream) = store();
    let billstream = billstream.env("BILLSTREAM_STORE_PERMISSIONS", "all");
    billstream.run(&["query", "select 1"]).code(3);
}

#[test]
fn refused_statement_ends_the_run() {
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
fn files_cannot_be_read_as_tables() {
    let (_store, billstream) = store();
    let (path, secret) = output_path(&billstream, "secret.csv");
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
fn allow_write_permits_copy_and_create_table() {
    let (store, billstream) = store();
    let before = files_below(store.path());
    let (path, out) = output_path(&billstream, "out.csv");
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
        "a query wrote to the store"
    );
}

#[test]
fn published_tables_are_read_only_even_with_allow_write() {
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
fn harmless_settings_can_be_set() {
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
fn views_last_until_the_end_of_the_run() {
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
fn show_tables_describe_and_information_schema_work() {
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
        "costs_per_day",
        "daily_costs",
        "line_items",
        "monthly_costs",
        "months",
        "newest_labels",
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
fn explain_shows_one_line_per_step() {
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
            "several steps in one line:\n{}",
            output.stdout
        );
    }
    let ran = billstream
        .run(&["query", &sql.replace("explain", "explain analyze")])
        .ok();
    assert!(ran.stdout.contains("output_rows="), "{}", ran.stdout);
}
