//! Reports of months that are not complete, of connections without costs in a month, and of limited rows.

use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{
    Billstream, CHANGE_EFFECTS, Exact, MONTH, Output, Row, Sandbox, csv_rows, sum,
};

const PREVIOUS: &str = "2026-09";
const OPEN: &str = "2026-11";
/// Last complete day of the open month: the day that ended 72 hours ago.
const COMPLETE_THROUGH: &str = "2026-11-19";
/// Connections with the months that they imported.
const CONNECTIONS: [(&str, &str, &[&str]); 3] = [
    ("acme", "1", &[PREVIOUS, MONTH, OPEN]),
    ("left", "2", &[PREVIOUS]),
    ("joined", "3", &[MONTH]),
];
fn store() -> &'static TempDir {
    static ONCE: OnceLock<TempDir> = OnceLock::new();
    ONCE.get_or_init(|| {
        let store = tempfile::tempdir().unwrap();
        for (name, seed, months) in CONNECTIONS {
            let sandbox = Sandbox::start(&["--seed", seed]);
            let billstream = Billstream::on(store.path()).from(&sandbox);
            let billstream = billstream.env("BILLSTREAM_CONNECTION", name);
            for month in months {
                billstream.import(month).ok();
            }
        }
        store
    })
}

fn run(arguments: &[&str]) -> Output {
    let command = [&["report"], arguments, &["--format", "csv"]].concat();
    Billstream::on(store().path()).run(&command).ok()
}

fn rows(arguments: &[&str]) -> Vec<Row> {
    csv_rows(run(arguments).stdout.as_bytes())
}

/// Sum of billed costs that match a condition.
fn billed(table: &str, condition: &str) -> Exact {
    let sql = format!("select sum(billed_cost) as cost from {table} where {condition}");
    let rows = Billstream::on(store().path()).query(&sql);
    Exact::of(&rows[0]["cost"])
}

#[track_caller]
fn assert_reasons_add_up(rows: &[Row]) {
    for row in rows {
        let reasons: Exact = CHANGE_EFFECTS
            .map(|name| Exact::of(&row[name]))
            .into_iter()
            .sum();
        assert_eq!(reasons, Exact::of(&row["difference"]), "{row:?}");
    }
}

#[test]
fn an_open_month_is_compared_through_its_last_complete_day() {
    let output = run(&["changes", "--by", "usage_type", "--limit", "1000"]);
    let found = csv_rows(output.stdout.as_bytes());
    assert!(
        output.stderr.contains(&format!(
            "{OPEN} is not complete: acme through {COMPLETE_THROUGH}"
        )),
        "{}",
        output.stderr
    );
    let note = "2026-11 is the newest month, but some connections end with 2026-09 (left), 2026-10 (joined)";
    assert!(output.stderr.contains(note), "{}", output.stderr);
    assert!(found.iter().all(|row| row["through_day"] == "19"));
    assert_reasons_add_up(&found);
    let days = |month: &str| {
        let until = format!("billing_period = '{month}' and usage_date <= '{month}-19'");
        billed("daily_costs", &until)
    };
    assert_eq!(sum(&found, "cost"), days(OPEN));
    assert_eq!(sum(&found, "previous_cost"), days(MONTH));
}

#[test]
fn connections_of_one_month_are_new_or_gone_and_totals_are_those_of_the_months() {
    for limit in ["1", "1000"] {
        for by in ["connection", "resource_id", "service"] {
            let given = ["changes", "--month", MONTH, "--limit", limit, "--by", by];
            let found = rows(&given);
            assert_reasons_add_up(&found);
            let month =
                |month: &str| billed("monthly_costs", &format!("billing_period = '{month}'"));
            assert_eq!(sum(&found, "cost"), month(MONTH), "{by} {limit}");
            assert_eq!(
                sum(&found, "previous_cost"),
                month(PREVIOUS),
                "{by} {limit}"
            );
        }
    }
    let given = ["changes", "--month", MONTH, "--by", "connection"];
    let output = run(&given);
    for note in [
        "without costs in 2026-09, all of it is new: joined",
        "without costs in 2026-10, all of it is gone or not imported yet: left",
    ] {
        assert!(output.stderr.contains(note), "{}", output.stderr);
    }
    let found = csv_rows(output.stdout.as_bytes());
    let of = |name: &str| found.iter().find(|row| row["item"] == name).unwrap();
    let sum_of = |row: &Row, names: [&str; 2]| -> Exact {
        names.map(|name| Exact::of(&row[name])).into_iter().sum()
    };
    // Refunds and credits are apart from what is new or gone.
    let (joined, left) = (of("joined"), of("left"));
    let whole = Exact::of(&joined["cost"]);
    assert_eq!(sum_of(joined, ["new_cost", "adjustments"]), whole);
    let whole = Exact::default() - Exact::of(&left["previous_cost"]);
    assert_eq!(sum_of(left, ["gone_cost", "adjustments"]), whole);
}

#[test]
fn months_without_costs_are_named() {
    let output = run(&["changes", "--month", "2025-03"]);
    for month in ["2025-03", "2025-02"] {
        let note = format!("note: {month} has no costs");
        assert!(output.stderr.contains(&note), "{}", output.stderr);
    }
    let wrong = ["report", "changes", "--param", "previous=October"];
    let output = Billstream::on(store().path()).run(&wrong);
    assert!(output.stderr.contains("October"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn costs_over_time_mark_what_may_still_grow() {
    let months = rows(&["cost_over_time"]);
    for row in &months {
        let is_complete = row["period"] != OPEN;
        assert_eq!(row["is_complete"], is_complete.to_string(), "{row:?}");
    }
    let days = rows(&["cost_over_time", "--param", "step=day", "--from", OPEN]);
    for row in &days {
        let is_complete = row["period"].as_str() <= COMPLETE_THROUGH;
        assert_eq!(row["is_complete"], is_complete.to_string(), "{row:?}");
    }
    assert!(days.iter().any(|row| row["is_complete"] == "false"));
    let svg = ["report", "cost_over_time", "--format", "svg"];
    let drawn = Billstream::on(store().path()).run(&svg).ok().stdout;
    assert!(drawn.contains("not complete: 2026-11"), "{drawn}");
    let view = "select distinct billing_period, is_complete, complete_through from monthly_costs order by 1";
    let found = Billstream::on(store().path()).query(view);
    let found: Vec<_> = found
        .iter()
        .map(|row| {
            (
                row["is_complete"].as_str(),
                row["complete_through"].as_str(),
            )
        })
        .collect();
    let expected = [
        ("true", "2026-09-30"),
        ("true", "2026-10-31"),
        ("false", COMPLETE_THROUGH),
    ];
    assert_eq!(found, expected);
}

#[test]
fn shares_are_between_0_and_100_and_limits_hide_no_costs() {
    let month = billed("monthly_costs", &format!("billing_period = '{MONTH}'"));
    for report in ["top_resources", "owners", "discounts_and_credits"] {
        for limit in ["2", "1000"] {
            let found = rows(&[report, "--month", MONTH, "--limit", limit]);
            assert_eq!(sum(&found, "billed_cost"), month, "{report} {limit}");
            for row in &found {
                for share in ["percent", "owned_percent"] {
                    let share = row.get(share).filter(|share| !share.is_empty());
                    let share = share.map(|share| Exact::of(share));
                    let range = Exact::default()..=Exact::of("100");
                    assert!(share.is_none_or(|share| range.contains(&share)), "{row:?}");
                }
            }
        }
    }
    let idle = rows(&["idle_resources", "--month", OPEN, "--limit", "1000"]);
    let newest = |row: &Row| row["last_active"].as_str() <= COMPLETE_THROUGH;
    assert!(idle.iter().all(newest), "{idle:?}");
    assert!(
        idle.iter()
            .all(|row| row["days"].parse::<u8>().unwrap() <= 19)
    );
}

#[test]
fn costs_per_day_compare_months_of_different_lengths() {
    let per_day = |arguments: &[&str]| -> Vec<Row> {
        let rows = rows(&[arguments, &["--normalize", "day"]].concat());
        let plain = |(name, value): (String, String)| {
            (name.trim_end_matches("_per_day").to_string(), value)
        };
        let rows = rows.into_iter();
        rows.map(|row| row.into_iter().map(plain).collect())
            .collect()
    };
    // A quotient of each line item is rounded at 24 digits.
    let is_near = |found: Exact, whole: Exact, days: i128| {
        let off = found.0 * days - whole.0;
        assert!(off.abs() < 1_000_000, "{found} times {days} is not {whole}");
    };
    let acme = |month: &str| {
        let through = if month == OPEN {
            COMPLETE_THROUGH
        } else {
            "2026-10-31"
        };
        let condition = format!(
            "billing_period = '{month}' and connection = 'acme' and usage_date <= '{through}'"
        );
        billed("daily_costs", &condition)
    };
    let by = ["cost_over_time", "--by", "connection", "--limit", "10"];
    for (month, days) in [(PREVIOUS, 30), (MONTH, 31), (OPEN, 19)] {
        let found = per_day(&by);
        let is_acme = |row: &&Row| row["item"] == "acme" && row["period"] == month;
        let found = sum(found.iter().filter(is_acme), "billed_cost");
        is_near(found, acme(month), days);
    }
    let changes = ["changes", "--month", OPEN, "--by", "connection"];
    let found = per_day(&changes);
    assert_reasons_add_up(&found);
    let row = found.iter().find(|row| row["item"] == "acme").unwrap();
    is_near(Exact::of(&row["cost"]), acme(OPEN), 19);
    is_near(Exact::of(&row["previous_cost"]), acme(MONTH), 31);
    assert_eq!(
        (row["through_day"].as_str(), row["days_effect"].as_str()),
        ("", "0")
    );
    for report in [
        "discounts_and_credits",
        "idle_resources",
        "owners",
        "top_resources",
        "unit_prices",
    ] {
        assert!(!per_day(&[report]).is_empty(), "{report}");
    }
    // Columns say so, and rates of several months have no total.
    let command = |report: &str| {
        let command = [
            "report",
            report,
            "--normalize",
            "day",
            "--from",
            PREVIOUS,
            "--format",
            "table",
        ];
        let length = if report == "top_resources" { 4 } else { 6 };
        let command = [&command[..length], &command[6..]].concat();
        Billstream::on(store().path()).run(&command).ok().stdout
    };
    let table = command("top_resources");
    assert!(
        table.contains("per day") && table.contains("Total ("),
        "{table}"
    );
    let table = command("cost_over_time");
    assert!(
        table.contains("per day") && !table.contains("Total"),
        "{table}"
    );
    // Nothing of it stays in the session of a shell.
    let total = "select sum(billed_cost) as cost from daily_costs;\n";
    let text = format!("{total}.report top_resources normalize=day\n{total}");
    let shell = Billstream::on(store().path()).told(&["shell", "--format", "csv"], &text);
    let shell = shell.ok().stdout;
    let totals: Vec<&str> = shell
        .lines()
        .skip_while(|line| *line != "cost")
        .filter(|line| line.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        .collect();
    assert_eq!(totals.len(), 2, "{shell}");
    assert_eq!(totals[0], totals[1], "{shell}");
    for (wrong, words) in [
        (
            &["top_resources", "--normalize", "week"][..],
            "could not normalize by `week`",
        ),
        (
            &[
                "cost_over_time",
                "--normalize",
                "day",
                "--param",
                "step=week",
            ],
            "costs per day need whole months",
        ),
    ] {
        let command = [&["report"], wrong].concat();
        let output = Billstream::on(store().path()).run(&command);
        output.code(2).says(&[words]);
    }
}

#[test]
fn reports_compare_with_another_month_when_asked() {
    for report in ["top_resources", "owners"] {
        let plain = rows(&[report, "--month", OPEN]);
        assert!(!plain[0].contains_key("previous_cost"), "{report}");
        for (compare, other) in [("previous", MONTH), (PREVIOUS, PREVIOUS)] {
            let output = run(&[report, "--month", OPEN, "--compare", compare]);
            let note = "it is compared with a whole month";
            assert!(output.stderr.contains(note), "{}", output.stderr);
            let found = csv_rows(output.stdout.as_bytes());
            let month = |month: &str| billed("daily_costs", &format!("billing_period = '{month}'"));
            assert_eq!(sum(&found, "billed_cost"), month(OPEN), "{report}");
            assert_eq!(sum(&found, "previous_cost"), month(other), "{report}");
            assert_eq!(sum(&found, "difference").0, month(OPEN).0 - month(other).0);
        }
        let output = run(&[report, "--month", OPEN, "--compare", "year_before"]);
        assert!(
            output.stderr.contains("2025-11 has no costs"),
            "{}",
            output.stderr
        );
    }
    for (report, compare, words) in [
        ("unit_prices", "previous", "compares no months"),
        ("owners", "last", "or compare with previous or year_before"),
    ] {
        let command = ["report", report, "--compare", compare];
        let output = Billstream::on(store().path()).run(&command);
        output.code(2).says(&[words]);
    }
}

#[test]
fn changes_compare_with_the_year_before() {
    let given = [
        "changes",
        "--param",
        "previous=year_before",
        "--month",
        MONTH,
    ];
    let output = run(&given);
    let note = "2025-10 has no costs";
    assert!(output.stderr.contains(note), "{}", output.stderr);
    let found = csv_rows(output.stdout.as_bytes());
    assert_eq!(sum(&found, "previous_cost"), Exact::default());
}
