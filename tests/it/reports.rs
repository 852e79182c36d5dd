//! Reports through the real binary: amounts match the source, charts are valid pictures.

use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{Billstream, CHANGE_EFFECTS, Exact, Row, Sandbox, csv_rows, sum};

const MONTHS: [&str; 2] = ["2026-09", "2026-10"];
const ALL: [&str; 6] = [
    "changes",
    "cost_over_time",
    "discounts_and_credits",
    "idle_resources",
    "top_resources",
    "unit_prices",
];

struct Imported {
    folder: TempDir,
    net: [Exact; 2],
}

/// Two complete months, imported once.
fn imported() -> &'static Imported {
    static ONCE: OnceLock<Imported> = OnceLock::new();
    ONCE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(&[]);
        let billstream = Billstream::on(folder.path()).from(&sandbox);
        for month in MONTHS {
            billstream.import(month).ok();
        }
        let net = MONTHS.map(|month| Exact::of(&sandbox.totals(month).net));
        Imported { folder, net }
    })
}

fn billstream() -> Billstream {
    Billstream::on(imported().folder.path())
}

fn report(arguments: &[&str]) -> Vec<Row> {
    let mut command = vec!["report"];
    command.extend(arguments);
    command.extend(["--format", "csv"]);
    csv_rows(billstream().run(&command).ok().stdout.as_bytes())
}

#[test]
fn every_report_is_listed_and_defaults_to_the_newest_month() {
    let listed = billstream().run(&["report", "list"]).ok().stdout;
    for name in ALL {
        assert!(listed.lines().any(|line| line == name), "{listed}");
        assert!(!report(&[name]).is_empty(), "{name}");
        let json = billstream().run(&["report", name, "--format", "json"]).ok();
        assert!(json.json().as_array().is_some_and(|rows| !rows.is_empty()));
    }
}

#[test]
fn amounts_add_up_to_the_totals_of_the_months() {
    let [september, october] = imported().net;
    for by in [
        "resource_id",
        "service",
        "environment",
        "usage_type",
        "connection",
        "cloud_provider",
    ] {
        let rows = report(&[
            "top_resources",
            "--month",
            "2026-10",
            "--limit",
            "100000",
            "--by",
            by,
        ]);
        assert_eq!(sum(&rows, "billed_cost"), october, "{by}");
        let rows = report(&["cost_over_time", "--limit", "3", "--by", by]);
        for (month, net) in MONTHS.into_iter().zip([september, october]) {
            let rows: Vec<_> = rows.iter().filter(|row| row["period"] == month).collect();
            assert_eq!(
                sum(rows.iter().copied(), "billed_cost"),
                net,
                "{by} {month}"
            );
        }
    }
    let rows = report(&[
        "discounts_and_credits",
        "--month",
        "2026-09",
        "--limit",
        "100000",
    ]);
    assert_eq!(sum(&rows, "billed_cost"), september);
}

#[test]
fn changes_split_exactly_into_new_gone_quantity_and_price() {
    let [september, october] = imported().net;
    for by in ["resource_id", "service", "usage_type"] {
        let rows = report(&[
            "changes", "--month", "2026-10", "--limit", "100000", "--by", by,
        ]);
        for row in &rows {
            let parts: Exact = CHANGE_EFFECTS
                .map(|part| Exact::of(&row[part]))
                .into_iter()
                .sum();
            assert_eq!(parts, Exact::of(&row["difference"]), "{row:?}");
            assert_eq!(
                Exact::of(&row["cost"]) - Exact::of(&row["previous_cost"]),
                parts,
                "{row:?}"
            );
        }
        assert_eq!(sum(&rows, "difference"), october - september, "{by}");
    }
}

#[test]
fn svg_chart_has_the_texts_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["cost_over_time", "top_resources"] {
        let drawn = billstream()
            .run(&["report", name, "--format", "svg"])
            .ok()
            .stdout;
        assert!(drawn.trim_start().starts_with("<svg"), "{name}");
        assert!(drawn.trim_end().ends_with("</svg>"), "{name}");
        assert!(
            drawn.contains("Kafka") || drawn.contains("kafka-cluster/"),
            "{name}"
        );
        let file = folder.path().join(format!("{name}.svg"));
        billstream()
            .run(&["report", name, "-o", &file.display().to_string()])
            .ok();
        assert_eq!(std::fs::read_to_string(file).unwrap(), drawn, "{name}");
    }
}

#[test]
fn wrong_names_and_values_list_the_valid_ones() {
    let cases: [(&[&str], &str); 6] = [
        (&["top_resorces"], "did you mean `top_resources`?"),
        (
            &["top_resources", "--by", "colour"],
            "use one of resource_id",
        ),
        (&["top_resources", "--month", "October"], "October"),
        (
            &["idle_resources", "--by", "service"],
            "has no parameter `by`",
        ),
        (
            &["top_resources", "--param", "colour=red"],
            "has no parameter `colour`",
        ),
        (
            &["unit_prices", "--month", "2026-10"],
            "has no parameter `month`",
        ),
    ];
    for (arguments, words) in cases {
        let mut command = vec!["report"];
        command.extend(arguments);
        let output = billstream().run(&command);
        assert!([2, 1, 3].contains(&output.code), "{arguments:?}");
        assert!(
            output.stderr.contains(words),
            "{arguments:?}: {}",
            output.stderr
        );
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn user_folder_adds_reports() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    std::fs::create_dir(&reports).unwrap();
    std::fs::write(
        reports.join("mine.sql"),
        "-- Mine: line items <of> a month & more\n-- parameter month: the month [latest]\n\
         -- parameter least: least cost\n-- chart: bars label=service value=cost\n\n\
         select service, sum(billed_cost) as cost from daily_costs\n\
         where billing_period = $month and billed_cost >= $least group by service order by 1\n",
    )
    .unwrap();
    std::fs::write(
        reports.join("broken.sql"),
        "-- Broken\n\nselect nothing_there from costs\n",
    )
    .unwrap();
    let own = folder.path().display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = vec!["report", "--sql-dir", &own];
        command.extend(arguments);
        billstream().run(&command)
    };
    let rows = run(&["mine", "--param", "least=0", "--format", "csv"]).ok();
    let rows = csv_rows(rows.stdout.as_bytes());
    assert!(rows.iter().any(|row| row["service"] == "Kafka"));
    let svg = run(&["mine", "--param", "least=0", "--format", "svg"])
        .ok()
        .stdout;
    assert!(
        svg.contains("&lt;of&gt;") && svg.contains("&amp;"),
        "escaped once"
    );
    assert!(!svg.contains("&amp;amp;"));
    let needs = run(&["mine"]);
    assert_eq!(needs.code, 2, "{}", needs.stderr);
    assert!(
        needs.stderr.contains("requires the parameter `least`"),
        "{}",
        needs.stderr
    );
    let broken = run(&["broken"]);
    assert_eq!(broken.code, 1);
    assert!(
        broken.stderr.contains(" 3 | select nothing_there"),
        "{}",
        broken.stderr
    );
}
