//! Tables for people: their width, rounding, totals and changes.

use tempfile::{TempDir, tempdir};

use crate::support::{Billstream, Exact, MONTH, Output, Sandbox};

/// Widest table of a normal command.
const WIDTH: usize = 120;

/// Asserts that a table fits a page and returns its rows, the totals last, as cells.
#[track_caller]
fn rows(table: &str) -> Vec<Vec<String>> {
    for line in table.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
        assert_eq!(line, line.trim_end(), "space at the end of a line");
    }
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim);
        cells
            .filter(|cell| !cell.is_empty())
            .map(String::from)
            .collect()
    };
    let is_rule = |line: &&str| line.starts_with('─');
    let body = table.lines().skip_while(|line| !is_rule(line));
    body.filter(|line| !is_rule(line)).map(cells).collect()
}

/// Store with two months, the later one open.
fn imported() -> (TempDir, Sandbox, Billstream) {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream
        .run(&["import", "--from", "2026-10", "--to", "2026-11"])
        .ok();
    (store, sandbox, billstream)
}

fn net(output: &Output, key: &str) -> Option<Exact> {
    let period = &output.json()["periods"][0];
    period[key].as_str().map(Exact::of)
}

#[test]
fn import_shows_the_change_against_the_published_net() {
    let store = tempdir().unwrap();
    let earlier = Sandbox::start(&["--today", "2026-10-20"]);
    let later = Sandbox::start(&[]);
    let at_first = || {
        let billstream = Billstream::on(store.path()).from(&earlier);
        billstream.at("2026-10-20T06:00:00Z")
    };
    let first = at_first().import(MONTH).ok();
    assert_eq!(net(&first, "previous_net_amount"), None);
    let before = net(&first, "net_amount").unwrap();
    let again = at_first().run(&["import", "--month", MONTH]).ok();
    assert_eq!(
        rows(&again.stdout)[0][1..3],
        [before.shown(), "0.00".into()]
    );

    let billstream = Billstream::on(store.path()).from(&later);
    let arguments = ["import", "--month", MONTH, "--dry-run"];
    let dry = billstream.run(&arguments).ok();
    let second = billstream.import(MONTH).ok();
    assert_eq!(net(&second, "previous_net_amount"), Some(before));
    let after = net(&second, "net_amount").unwrap();
    let change = (after - before).shown();
    let expected = [MONTH.to_string(), after.shown(), format!("+{change}")];
    assert_eq!(rows(&dry.stdout)[0][..3], expected, "{}", dry.stdout);
    // A transform of the same costs changes nothing.
    let transform = ["transform", "--month", MONTH, "--format", "json"];
    let transformed = billstream.run(&transform).ok();
    assert_eq!(net(&transformed, "previous_net_amount"), Some(after));
}

#[test]
fn totals_are_rounded_sums_of_exact_amounts() {
    let (_store, sandbox, billstream) = imported();
    let output = billstream.run(&["import", "--all", "--dry-run"]).ok();
    let rows_shown = rows(&output.stdout);
    let total = rows_shown.last().unwrap();
    let months = rows_shown[..rows_shown.len() - 1].iter();
    let months: Vec<_> = months.map(|row| sandbox.totals(&row[0])).collect();
    assert_eq!(months.len(), 12, "{}", output.stdout);
    let sum = |amount: fn(&crate::support::Totals) -> &String| {
        let sum: Exact = months.iter().map(|m| Exact::of(amount(m))).sum();
        sum.shown()
    };
    assert_eq!(total[0], "Total");
    assert_eq!(total[1], sum(|m| &m.net), "{}", output.stdout);
    for amount in [sum(|m| &m.original), sum(|m| &m.discount)] {
        assert!(total.contains(&amount), "{amount}\n{}", output.stdout);
    }
}

#[test]
fn reports_and_diffs_fit_a_page_and_add_up() {
    let (_store, _sandbox, billstream) = imported();
    for (arguments, amount) in [
        (
            &["report", "top_resources", "--limit", "100"][..],
            "billed_cost",
        ),
        (&["report", "cost_over_time"], "billed_cost"),
        (&["report", "changes", "--limit", "100"], "difference"),
        (&["report", "discounts_and_credits"], "saved"),
        (&["report", "idle_resources"], "idle_cost"),
        (&["report", "owners"], "billed_cost"),
        (&["report", "unit_prices"], ""),
        (&["diff", "2026-10", "2026-11"], "change"),
        (&["diff", "2026-10", "2026-11", "--by", "service"], "change"),
    ] {
        let table = billstream.run(arguments).ok().stdout;
        let shown = rows(&table);
        let csv = [arguments, &["--format", "csv"]].concat();
        let csv = crate::support::csv_rows(billstream.run(&csv).ok().stdout.as_bytes());
        assert!(csv.len() > 1, "{arguments:?}");
        if amount.is_empty() {
            assert!(!table.contains("Total"), "{table}");
            continue;
        }
        let sum = crate::support::sum(&csv, amount).shown();
        let label = format!("Total ({} rows)", csv.len());
        let total = shown.iter().find(|row| row[0] == label);
        let total = total.unwrap_or_else(|| panic!("{label} is missing:\n{table}"));
        assert!(total.contains(&sum), "{sum} is missing:\n{table}");
        assert!(table.contains("(USD)"), "{table}");
    }
}

#[test]
fn exact_shows_all_digits_and_queries_always_do() {
    let (_store, sandbox, billstream) = imported();
    let net = sandbox.totals(MONTH).net;
    for arguments in [
        &["report", "cost_over_time", "--by", "connection", "--exact"][..],
        &["import", "--month", MONTH, "--exact"],
        &["verify", "--month", MONTH, "--exact"],
        &[
            "query",
            "select sum(\"cost/cost\") as net from line_items group by billing_period",
        ],
    ] {
        let output = billstream.run(arguments).ok();
        assert!(output.stdout.contains(&net), "{}", output.stdout);
    }
    let rounded = billstream.run(&["report", "cost_over_time", "--by", "connection"]);
    let rounded = rounded.ok().stdout;
    assert!(!rounded.contains(&net), "{rounded}");
    assert!(rounded.contains(&Exact::of(&net).shown()), "{rounded}");
}

#[test]
fn other_tables_fit_a_page() {
    let (_store, _sandbox, billstream) = imported();
    for arguments in [
        &["status"][..],
        &["connections", "list"],
        &["deliver", "--month", MONTH],
        &["verify"],
    ] {
        let output = billstream.run(arguments);
        assert!(!rows(&output.stdout).is_empty(), "{arguments:?}");
    }
}
