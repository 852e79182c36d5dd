//! Files of a published month that were lost or cut.

use std::path::{Path, PathBuf};

use crate::support::{Billstream, MONTH, Sandbox, names_below, orphans};

fn imported() -> (tempfile::TempDir, Sandbox, Billstream) {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::on(folder.path()).from(&sandbox);
    billstream.import(MONTH).ok().status("published");
    billstream.run(&["status"]).ok();
    (folder, sandbox, billstream)
}

/// A Parquet file of a table.
fn parquet(store: &Path, table: &str) -> PathBuf {
    let table = store.join(table);
    let name = names_below(&table)
        .into_iter()
        .find(|name| name.ends_with(".parquet"));
    table.join(name.unwrap())
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn lost_costs_are_named_by_every_command_and_imported_again() {
    let (folder, sandbox, billstream) = imported();
    let lost = parquet(folder.path(), "costs");
    std::fs::remove_file(&lost).unwrap();
    let name = lost.to_str().unwrap();
    let hint = format!("billstream import --month {MONTH}");

    billstream
        .run(&["status"])
        .code(4)
        .says(&["Error", name, "is missing", &hint]);
    billstream
        .run(&["transform", "--month", MONTH])
        .code(1)
        .says(&[name, "is missing", &hint]);
    billstream
        .run(&["verify", "--month", MONTH])
        .code(5)
        .says(&["is missing", &hint]);

    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_eq!(orphans(folder.path()), Vec::<String>::new());
    billstream.run(&["status"]).ok();
    billstream.run(&["verify", "--month", MONTH]).ok();
    billstream.import(MONTH).ok().status("unchanged");
}

#[test]
fn cut_line_items_are_named_by_every_command_and_written_again() {
    let (folder, sandbox, billstream) = imported();
    let damaged = parquet(folder.path(), "line_items");
    cut(&damaged);
    let name = damaged.to_str().unwrap();
    let hint = format!("billstream import --month {MONTH}");

    for (command, code) in [("status", 4), ("deliver", 1), ("verify", 5)] {
        let output = billstream.run(&[command]).code(code);
        let text = format!("{}{}", output.stdout, output.stderr);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&hint), "{command}: {text}");
        assert!(text.contains("bytes instead of"), "{command}: {text}");
    }
    billstream
        .run(&["deliver", "--month", MONTH])
        .code(1)
        .says(&[name, &hint]);

    billstream
        .run(&["transform", "--format", "json"])
        .ok()
        .status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    cut(&parquet_of_newest(folder.path()));
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    billstream.run(&["status"]).ok();
}

/// File of the newest commit of `line_items`.
fn parquet_of_newest(store: &Path) -> PathBuf {
    let table = store.join("line_items");
    let mut logs = names_below(&table.join("_delta_log"));
    logs.retain(|name| name.ends_with(".json"));
    let newest = logs.into_iter().max().unwrap();
    let log = std::fs::read_to_string(table.join("_delta_log").join(newest)).unwrap();
    let added = log.lines().find_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        action["add"]["path"].as_str().map(str::to_string)
    });
    table.join(added.unwrap())
}

#[test]
fn a_cut_log_entry_is_one_error_without_a_backtrace() {
    let (folder, _sandbox, billstream) = imported();
    let log = folder.path().join("line_items/_delta_log");
    let newest = names_below(&log).into_iter().max().unwrap();
    cut(&log.join(&newest));
    let billstream = billstream.env("RUST_BACKTRACE", "1");
    let output = billstream
        .run(&["query", "select count(*) from line_items"])
        .code(1);
    assert!(output.stderr.len() < 1000, "{}", output.stderr);
    output.says(&[&newest, "is cut or not JSON", "from a backup"]);
}

#[test]
fn a_vacuum_by_another_tool_is_named_by_diff_time_travel_and_restore() {
    let (folder, _sandbox, _) = imported();
    let old = parquet(folder.path(), "line_items");
    let restated = Sandbox::start(&["--revision", "1"]);
    let billstream = Billstream::on(folder.path()).from(&restated);
    billstream.import(MONTH).ok().status("published");
    let first = billstream
        .query("select min(version) as version from versions where table_name = 'line_items'");
    let first = &first[0]["version"];
    std::fs::remove_file(&old).unwrap();

    // The current version is whole.
    billstream.run(&["status"]).ok();
    let words = ["no longer exist", "vacuum"];
    let sql = format!("select count(*) from line_items_at('{MONTH}', {first})");
    billstream.run(&["query", &sql]).code(1).says(&words);
    billstream
        .run(&["diff", "--month", MONTH])
        .code(1)
        .says(&words);
    billstream
        .run(&["restore", "--month", MONTH, "--version", first])
        .code(1)
        .says(&["is missing", "vacuum"]);
}
