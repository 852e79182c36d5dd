//! Versions of months: `diff` shows exact changes, and `restore` brings an earlier version back.

use tempfile::TempDir;

use crate::support::{Billstream, Exact, MONTH, Sandbox};

/// Store with three versions of a month: half of it, all of it, and a restatement.
fn three_versions() -> (TempDir, Sandbox, Billstream) {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(&["--today", "2026-10-20"]);
    Billstream::on(folder.path())
        .from(&sandbox)
        .at("2026-10-20T06:00:00Z")
        .import(MONTH)
        .ok();
    let sandbox = Sandbox::start(&[]);
    Billstream::on(folder.path())
        .from(&sandbox)
        .import(MONTH)
        .ok();
    let restated = Sandbox::start(&["--revision", "1"]);
    let billstream = Billstream::on(folder.path()).from(&restated);
    billstream.import(MONTH).ok();
    (folder, restated, billstream)
}

fn versions(billstream: &Billstream, table: &str) -> Vec<(u64, String)> {
    let rows = billstream.query(&format!(
        "select version, net_amount from versions where table_name = '{table}' order by version"
    ));
    let version = |text: &str| text.parse().unwrap();
    rows.iter()
        .map(|row| (version(&row["version"]), row["net_amount"].clone()))
        .collect()
}

fn sum(billstream: &Billstream, sql: &str) -> Exact {
    Exact::of(&billstream.query(sql)[0]["sum"])
}

#[test]
fn differences_sum_to_the_difference_of_the_totals() {
    let (_folder, _sandbox, billstream) = three_versions();
    let all = versions(&billstream, "line_items");
    assert_eq!(all.len(), 3, "{all:?}");
    for (from, to) in [(0, 1), (1, 2), (0, 2), (2, 0)] {
        let (from, to) = (all[from].0.to_string(), all[to].0.to_string());
        for by in [
            "",
            "service",
            "usage_type,line_item_type",
            "usage_date,tier",
        ] {
            let mut command = vec![
                "diff",
                "--month",
                MONTH,
                "--from-version",
                &from,
                "--to-version",
                &to,
                "--format",
                "csv",
            ];
            if !by.is_empty() {
                command.extend(["--by", by]);
            }
            let output = billstream.run(&command).ok();
            let rows = crate::support::csv_rows(output.stdout.as_bytes());
            let total = crate::support::sum(&rows, "change");
            let cost = |version: &str| {
                let sql = format!(
                    "select sum(\"cost/cost\") as sum from line_items_at('{MONTH}', {version})"
                );
                sum(&billstream, &sql)
            };
            assert!(!rows.is_empty());
            assert_eq!(total, cost(&to) - cost(&from), "{from} {to} {by}");
            assert!(
                output
                    .stderr
                    .contains("equal to the sum of the differences"),
                "{}",
                output.stderr
            );
        }
    }
}

#[test]
fn compares_content_and_ignores_ids() {
    let (_folder, _sandbox, billstream) = three_versions();
    let newest = versions(&billstream, "line_items")[2].0.to_string();
    let same = billstream
        .run(&[
            "diff",
            "--month",
            MONTH,
            "--from-version",
            &newest,
            "--to-version",
            &newest,
            "--format",
            "ndjson",
        ])
        .ok();
    assert_eq!(same.stdout, "");
    // A restated day has new ids; rows with unchanged figures are not a difference.
    let rows = billstream
        .run(&[
            "diff",
            "--month",
            MONTH,
            "--format",
            "csv",
            "--max-rows",
            "0",
        ])
        .ok();
    let rows = crate::support::csv_rows(rows.stdout.as_bytes());
    let line_items = billstream.line_items(MONTH).len();
    assert!(
        !rows.is_empty() && rows.len() < line_items,
        "{} of {line_items}",
        rows.len()
    );
    for row in &rows {
        let stayed = row["cost_before"] == row["cost_after"]
            && row["quantity_before"] == row["quantity_after"]
            && row["rows_before"] == row["rows_after"];
        assert!(!stayed, "{row:?}");
    }
}

#[test]
fn compares_two_months_without_their_days() {
    let (_folder, sandbox, billstream) = three_versions();
    billstream.import("2026-09").ok();
    let output = billstream
        .run(&[
            "diff", "2026-09", MONTH, "--by", "service", "--format", "csv",
        ])
        .ok();
    let rows = crate::support::csv_rows(output.stdout.as_bytes());
    let net = |month: &str| Exact::of(&sandbox.totals(month).net);
    assert_eq!(
        crate::support::sum(&rows, "change"),
        net(MONTH) - net("2026-09")
    );
}

#[test]
fn rejects_what_cannot_be_compared_and_names_alternatives() {
    let (_folder, _sandbox, billstream) = three_versions();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["diff"], 2, "name two months"),
        (
            &["diff", "--month", "2026-03"],
            2,
            "2026-03 was never published",
        ),
        (
            &["diff", "--month", MONTH, "--from-version", "99"],
            2,
            "has no version 99",
        ),
        (
            &["diff", "--month", MONTH, "--to-version", "1"],
            2,
            "has no version before 1",
        ),
        (
            &["diff", "--month", MONTH, "--by", "servise"],
            2,
            "did you mean `service`?",
        ),
        (
            &["diff", "--month", MONTH, "--connection", "a'b"],
            3,
            "cannot name a connection",
        ),
    ];
    for (arguments, code, words) in cases {
        let output = billstream.run(arguments);
        assert_eq!(output.code, code, "{arguments:?}: {}", output.stderr);
        assert!(
            output.stderr.contains(words),
            "{arguments:?}: {}",
            output.stderr
        );
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn restores_an_earlier_version_as_a_new_commit() {
    let (_folder, sandbox, billstream) = three_versions();
    let before = versions(&billstream, "line_items");
    let (first, net) = before[0].clone();
    let restored = billstream
        .run(&["restore", "--month", MONTH, "--version", &first.to_string()])
        .ok();
    assert!(
        restored.stderr.contains("now version 4"),
        "{}",
        restored.stderr
    );
    for table in ["line_items", "costs"] {
        let now = versions(&billstream, table);
        assert_eq!(now.len(), 4);
        assert_eq!(now[3].1, net, "{table}");
    }
    let cost = sum(
        &billstream,
        "select sum(\"cost/cost\") as sum from line_items",
    );
    assert_eq!(cost, Exact::of(&net));
    // A second restore changes nothing; the versions in between still exist.
    let again = billstream
        .run(&["restore", "--month", MONTH, "--version", &first.to_string()])
        .ok();
    assert!(again.stderr.contains("nothing changed"), "{}", again.stderr);
    assert_eq!(versions(&billstream, "line_items").len(), 4);
    let second = format!(
        "select sum(\"cost/cost\") as sum from line_items_at('{MONTH}', {})",
        before[1].0
    );
    assert_eq!(sum(&billstream, &second), Exact::of(&before[1].1));
    // The restored month can be delivered; the next import publishes Confluent's costs again.
    billstream.run(&["deliver", "--month", MONTH]).ok();
    billstream.import(MONTH).ok();
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn an_incomplete_restore_changes_nothing() {
    let (folder, sandbox, billstream) = three_versions();
    let first = versions(&billstream, "line_items")[0].0.to_string();
    let wrong = billstream.run(&["restore", "--month", "2026-03", "--version", &first]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("does not contain 2026-03"),
        "{}",
        wrong.stderr
    );

    // Another tool vacuumed the files of the first version.
    let is_in_first_version = |name: &str| {
        let log = folder
            .path()
            .join("line_items/_delta_log/00000000000000000001.json");
        std::fs::read_to_string(log).unwrap().contains(name)
    };
    let month = folder.path().join(format!(
        "line_items/connection=confluent/billing_period={MONTH}"
    ));
    let mut removed = 0;
    for entry in std::fs::read_dir(month).unwrap() {
        let entry = entry.unwrap();
        if is_in_first_version(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path()).unwrap();
            removed += 1;
        }
    }
    assert!(removed > 0);
    let gone = billstream.run(&["restore", "--month", MONTH, "--version", &first]);
    assert_eq!(gone.code, 1, "{}", gone.stderr);
    assert!(gone.stderr.contains("is missing"), "{}", gone.stderr);
    assert_eq!(versions(&billstream, "line_items").len(), 3);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}
