//! Reports: list of parameters, amounts by day and by tag, charts as XML, overrides.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::{TempDir, tempdir};

use crate::support::{
    Billstream, CHANGE_EFFECTS, Exact, MONTH, Output, Row, Sandbox, Totals, csv_rows, sum,
};

const PREVIOUS: &str = "2026-09";
/// Every report with its parameters and their defaults.
const LISTED: [(&str, &str); 8] = [
    ("changes", "--month latest, previous previous, --limit 20"),
    (
        "cost_over_time",
        "--from earliest, --to latest, step month, --limit 8",
    ),
    ("discounts_and_credits", "--month latest, --limit 20"),
    (
        "idle_resources",
        "--month latest, traffic 0.01, days 7, --limit 20",
    ),
    (
        "marketplace_charges",
        "--from earliest, --to latest, --limit 24",
    ),
    ("owners", "--month latest, key team, --limit 100"),
    ("top_resources", "--month latest, --limit 20"),
    ("unit_prices", "--from earliest, --to latest, usage_type %"),
];

fn imported() -> &'static (TempDir, Totals, Totals) {
    static ONCE: OnceLock<(TempDir, Totals, Totals)> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (store, sandbox) = (tempdir().unwrap(), Sandbox::start(&[]));
        let billstream = Billstream::on(store.path()).from(&sandbox);
        billstream
            .run(&["import", "--from", PREVIOUS, "--to", MONTH])
            .ok();
        (store, sandbox.totals(PREVIOUS), sandbox.totals(MONTH))
    })
}

fn run(arguments: &[&str]) -> Output {
    let mut command = vec!["report"];
    command.extend(arguments);
    Billstream::on(imported().0.path()).run(&command)
}

fn rows(arguments: &[&str]) -> Vec<Row> {
    let mut command = arguments.to_vec();
    command.extend(["--format", "csv"]);
    csv_rows(run(&command).ok().stdout.as_bytes())
}

/// Asserts that an XML document has one root, closed tags and no stray `&` or `<`.
fn assert_is_xml(text: &str) {
    let (mut open, mut rest) = (Vec::new(), text.trim());
    assert!(rest.starts_with("<svg "), "{rest}");
    while let Some((before, after)) = rest.split_once('<') {
        let known = ["amp;", "lt;", "gt;", "quot;", "apos;", "#"];
        for entity in before.split('&').skip(1) {
            assert!(known.iter().any(|e| entity.starts_with(e)), "&{entity}");
        }
        let (tag, next) = after.split_once('>').expect("a tag ends");
        assert!(!tag.contains('<'), "<{tag}>");
        let name = tag.split_whitespace().next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{text}"),
            None if !tag.ends_with('/') => open.push(name),
            None => {}
        }
        assert!(!open.is_empty() || next.is_empty(), "one root: {next}");
        rest = next;
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} {rest}");
}

/// A user's SQL folder with these reports.
fn sql_folder(reports: &[(&str, &str)]) -> (TempDir, String) {
    let folder = tempdir().unwrap();
    let below = folder.path().join("reports");
    std::fs::create_dir(&below).unwrap();
    for (name, sql) in reports {
        std::fs::write(below.join(format!("{name}.sql")), sql).unwrap();
    }
    let path = folder.path().display().to_string();
    (folder, path)
}

#[test]
fn list_shows_parameters_and_defaults() {
    let listed = run(&["list"]).ok().stdout;
    let starts: Vec<&str> = listed.lines().filter(|l| !l.starts_with(' ')).collect();
    assert_eq!(starts, LISTED.map(|(name, _)| name));
    for (name, values) in LISTED {
        let lines = listed.lines().skip_while(|line| *line != name).skip(1);
        let lines = lines.take_while(|line| line.starts_with(' '));
        let found = lines.filter_map(|line| {
            let (flag, rest) = line.trim().split_once(": ")?;
            let (_, default) = rest.rsplit_once("[default: ")?;
            let flag = flag.trim_start_matches("--param ").trim_end_matches("=…");
            Some(format!("{flag} {}", default.trim_end_matches(']')))
        });
        assert_eq!(found.collect::<Vec<_>>().join(", "), values, "{name}");
    }
}

#[test]
fn days_weeks_and_others_add_up_to_the_month() {
    let month = &imported().2;
    let of = |step: &str| {
        let step = format!("step={step}");
        let given = ["cost_over_time", "--param", &step, "--from", MONTH];
        rows(&[&given[..], &["--limit", "2"]].concat())
    };
    let days = of("day");
    assert!(days.iter().any(|row| row["item"] == "(others)"));
    let mut seen = 0;
    for day in 1..=31 {
        let day = format!("{MONTH}-{day:02}");
        let groups = month.groups.iter().filter(|(key, _)| key.0 == day);
        let expected: Exact = groups.map(|(_, sums)| sums.net).sum();
        let found: Vec<&Row> = days.iter().filter(|row| row["period"] == day).collect();
        assert_eq!(sum(found.iter().copied(), "billed_cost"), expected, "{day}");
        seen += found.len();
    }
    assert_eq!(seen, days.len(), "rows of other days");
    let weeks = of("week");
    assert_eq!(sum(&weeks, "billed_cost").to_string(), month.net);
    // Mondays of the weeks that include days of October.
    let mut mondays: Vec<&str> = weeks.iter().map(|row| row["period"].as_str()).collect();
    mondays.dedup();
    let expected = ["09-28", "10-05", "10-12", "10-19", "10-26"].map(|day| format!("2026-{day}"));
    assert_eq!(mondays, expected);
}

#[test]
fn discounts_and_changes_reconcile_in_every_row() {
    let (_, september, october) = imported();
    let difference = Exact::of(&october.net) - Exact::of(&september.net);
    let of = |row: &Row, columns: &[&str]| -> Exact {
        columns.iter().map(|column| Exact::of(&row[*column])).sum()
    };
    for by in ["environment", "connection", "cloud_provider", "tag:team"] {
        let given = ["--month", MONTH, "--limit", "100000", "--by", by];
        let found = rows(&[&["discounts_and_credits"], &given[..]].concat());
        for row in &found {
            let parts = [
                "list_cost",
                "discounts",
                "credits",
                "adjustments",
                "other_charges",
            ];
            assert_eq!(of(row, &parts), Exact::of(&row["billed_cost"]), "{row:?}");
            let off = of(row, &["saved", "discounts", "credits"]);
            assert_eq!(off, Exact::default(), "{row:?}");
        }
        assert_eq!(sum(&found, "billed_cost").to_string(), october.net, "{by}");
        let found = rows(&[&["changes"], &given[..]].concat());
        for row in &found {
            assert_eq!(
                of(row, &CHANGE_EFFECTS),
                Exact::of(&row["difference"]),
                "{row:?}"
            );
        }
        assert_eq!(sum(&found, "difference"), difference, "{by}");
    }
}

#[test]
fn costs_of_sources_are_broken_down_by_their_tags() {
    let cbf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sources/cbf");
    let source = format!("cz={}", cbf.display());
    let given = ["--source", &source, "--month", MONTH, "--by", "tag:team"];
    let found = rows(&[&["top_resources"], &given[..]].concat());
    let mut whole = Exact::of(&imported().2.net);
    whole += Exact::of("5.308999999999999999999999");
    assert_eq!(sum(&found, "billed_cost"), whole);
    let items: Vec<&str> = found.iter().map(|row| row["item"].as_str()).collect();
    assert!(
        items.contains(&"(none)") && items.contains(&"a,b"),
        "{items:?}"
    );
}

#[test]
fn svg_charts_are_valid_and_deterministic() {
    for (name, _) in LISTED {
        let list = run(&["list"]).ok().stdout;
        let title = list
            .lines()
            .skip_while(|line| *line != name)
            .nth(1)
            .unwrap();
        let title = title.trim().split_once(": ").unwrap().0;
        let drawn = run(&[name, "--format", "svg"]).ok().stdout;
        assert_is_xml(&drawn);
        assert!(drawn.contains(title), "{name}: {title}");
        assert_eq!(drawn, run(&[name, "--format", "svg"]).ok().stdout, "{name}");
    }
    let empty = ["top_resources", "--month", "2025-01", "--format"];
    let drawn = run(&[&empty[..], &["svg"]].concat()).ok().stdout;
    assert_is_xml(&drawn);
    assert!(drawn.contains("Top resources") && drawn.contains("no data"));
    let none = run(&[&empty[..], &["json"]].concat()).ok().json();
    assert_eq!(none, serde_json::json!([]));
    let csv = run(&[&empty[..], &["csv"]].concat()).ok().stdout;
    assert_eq!(
        csv,
        "item,billed_cost,discounted_cost,real_cost,percent,currency\n"
    );
}

#[test]
fn user_reports_override_shipped_ones_and_errors_show_their_sql() {
    let (folder, sql) = sql_folder(&[
        (
            "top_resources",
            "-- Ours: one row\n-- by: service, connection\n\nselect $by as chosen\n",
        ),
        ("broken", "-- Broken\n\nselect nothing_there from costs\n"),
    ]);
    let with = |arguments: &[&str]| run(&[&["--sql-dir", &sql], arguments].concat());
    let csv = |arguments: &[&str]| {
        with(&[arguments, &["--format", "csv"]].concat())
            .ok()
            .stdout
    };
    assert_eq!(csv(&["top_resources"]), "chosen,currency\nservice,USD\n");
    let given = csv(&["top_resources", "--by", "connection"]);
    assert_eq!(given, "chosen,currency\nconnection,USD\n");
    let listed = with(&["list"]).ok().stdout;
    let named = |name: &str| listed.lines().filter(|line| *line == name).count();
    assert_eq!((named("top_resources"), named("changes")), (1, 1));
    assert!(listed.contains("    Ours: one row\n"), "{listed}");
    with(&["top_resources", "--by", "resource_id"])
        .code(2)
        .says(&["resource_id", "use one of service, connection"]);
    let picture = folder.path().join("x.svg").display().to_string();
    with(&["top_resources", "-o", &picture])
        .code(2)
        .says(&["has no chart"]);
    let table = folder.path().join("x.csv").display().to_string();
    with(&["broken", "-o", &table])
        .code(1)
        .says(&["nothing_there", " 3 | select", "^"]);
    let exists = [&picture, &table].map(|path| Path::new(path).exists());
    assert_eq!(exists, [false, false], "a failed report left a file");
}

#[test]
fn usage_errors_exit_with_2() {
    for (arguments, words) in [
        (&["chagnes"][..], "did you mean `changes`?"),
        (&["top_resources", "--by", "colour"], "tag:<key>"),
        (&["changes", "--param", "previos=2026-09"], "previos"),
        (&["unit_prices", "--limit", "3"], "has no parameter `limit`"),
    ] {
        let output = run(arguments).code(2).says(&[words]);
        assert_eq!(output.stdout, "");
    }
}
