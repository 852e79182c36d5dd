//! Selection of months on the command line. The rules themselves are tested in `pipeline::tests`.

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{
    Billstream, CONNECTION, MONTH, Output, Sandbox, assert_summary_is, files_below, published_files,
};

/// The twelve months that Confluent still holds on 2026-11-23.
const TWELVE: [&str; 12] = [
    "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06", "2026-07",
    "2026-08", "2026-09", "2026-10", "2026-11",
];

fn months(output: &Output) -> Vec<String> {
    output
        .statuses()
        .into_iter()
        .map(|(month, _)| month)
        .collect()
}

fn pull(billstream: &Billstream, arguments: &[&str]) -> Output {
    let arguments: Vec<&str> = ["pull", "--format", "json"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    billstream.run(&arguments)
}

#[test]
fn reads_settle_days_from_the_environment() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let pull_with = |days: &str| {
        let billstream = Billstream::on(store.path()).from(&sandbox);
        let billstream = billstream.env("BILLSTREAM_SETTLE_DAYS", days);
        pull(&billstream, &["--month", MONTH])
    };
    for (days, settled) in [("60", false), ("0", true)] {
        pull_with(days).ok();
        let state = format!("runs/months/{CONNECTION}/{MONTH}.json");
        let state = std::fs::read(store.path().join(state)).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        assert_eq!(state["settled"], settled, "{days} days");
    }
    pull_with("soon").code(3).says(&["BILLSTREAM_SETTLE_DAYS"]);
}

#[test]
fn selects_months_by_name_or_range() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let named = pull(
        &billstream,
        &[
            "--month", "2026-10", "--month", "2026-08", "--month", "2026-10",
        ],
    )
    .ok();
    assert_eq!(
        months(&named),
        ["2026-08", "2026-10"],
        "once each, oldest first"
    );
    let range = pull(&billstream, &["--from", "2026-08", "--to", "2026-10"]).ok();
    assert_eq!(
        months(&range),
        ["2026-08", "2026-09", "2026-10"],
        "both included"
    );
    let one = pull(&billstream, &["--from", "2026-09", "--to", "2026-09"]).ok();
    assert_eq!(months(&one), ["2026-09"]);
    let over_a_year = pull(&billstream, &["--from", "2025-12", "--to", "2026-01"]).ok();
    assert_eq!(months(&over_a_year), ["2025-12", "2026-01"]);
}

#[test]
fn rejects_malformed_and_invalid_ranges() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    for (arguments, words) in [
        (&["--from", "2026-13", "--to", "2026-10"][..], "2026-13"),
        (&["--from", "2026-10", "--to", "2026-13"], "2026-13"),
        (&["--from", "2026-10", "--to", "202611"], "202611"),
        (&["--from", "2026-10", "--to", "2026-09"], "2026-09"),
        (&["--from", "2026-10"], "--to"),
        (&["--to", "2026-10"], "--from"),
        (&["--from", "2025-11", "--to", "2026-10"], "2025-11"),
        (&["--from", "2026-10", "--to", "2026-12"], "2026-12"),
        (&["--month", "2026-1"], "2026-1"),
        (&["--month", "2026-10-01"], "2026-10-01"),
        (&["--month", "october"], "october"),
        (&["--month", ""], "--month"),
        (&["--month", "2026-10", "--all"], "--all"),
        (
            &["--month", "2026-10", "--from", "2026-09", "--to", "2026-10"],
            "--from",
        ),
        (&["--all", "--from", "2026-09", "--to", "2026-10"], "--all"),
    ] {
        for command in ["import", "pull"] {
            let arguments: Vec<&str> = [command].iter().chain(arguments).copied().collect();
            billstream.run(&arguments).code(2).says(&[words]);
        }
    }
    assert_eq!(sandbox.requests(), 0);
}

#[test]
fn never_pulls_a_month_over_a_year_back() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    for month in ["2025-11", "2020-01"] {
        let refused = pull(&billstream, &["--month", month]).code(2);
        refused.says(&[month, "over a year back", "transform"]);
        billstream.import(month).code(2);
    }
    let refused = pull(&billstream, &["--month", "2025-11", "--month", MONTH]).code(2);
    assert_eq!(refused.stdout, "");
    assert_eq!(
        sandbox.requests(),
        0,
        "no month is pulled beside a refused one"
    );
    assert_eq!(published_files(store.path()).len(), 0);
}

#[test]
fn refuses_a_future_month() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    pull(&billstream, &["--month", "2026-12"])
        .code(2)
        .says(&["2026-12", "has not begun"]);
    // Days are in UTC.
    let next_day = billstream.at("2026-12-01T00:00:00Z");
    pull(&next_day, &["--month", "2026-12"]).ok();
}

#[test]
fn skips_the_oldest_month_if_confluent_refuses_it() {
    // The sandbox is ahead of the run: for it December 2025 begins over a year back.
    for arguments in [&[][..], &["--all"]] {
        let (sandbox, store) = (
            Sandbox::start(&["--today", "2026-12-05"]),
            tempdir().unwrap(),
        );
        let billstream = Billstream::on(store.path()).from(&sandbox);
        let output = pull(&billstream, arguments).ok();
        assert_eq!(months(&output), TWELVE[1..]);
        assert!(
            output
                .statuses()
                .iter()
                .all(|(_, status)| status == "published")
        );
        output.says(&["Confluent refuses 2025-12"]);
        // A named month is an error.
        let named = pull(&billstream, &["--month", "2025-12"]).code(8);
        named.status("failed");
        named.says(&["2025-12", "too far back"]);
    }
}

#[test]
fn an_open_month_grows_with_the_days() {
    let store = tempdir().unwrap();
    let mut digests = Vec::new();
    for (today, now) in [
        ("2026-11-05", "2026-11-05T20:00:00Z"),
        ("2026-11-06", "2026-11-06T20:00:00Z"),
    ] {
        let sandbox = Sandbox::start(&["--today", today]);
        let billstream = Billstream::on(store.path()).from(&sandbox).at(now);
        let period = billstream.import("2026-11").ok().status("published");
        assert_summary_is(&period, &sandbox.totals("2026-11"));
        billstream.assert_month_is("2026-11", &sandbox.totals("2026-11"));
        digests.push(period["digest"].clone());
    }
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn transforms_stored_months_only() {
    let store = tempdir().unwrap();
    let sandbox = Sandbox::start(&["--today", "2025-03-20"]);
    let then = Billstream::on(store.path())
        .from(&sandbox)
        .at("2025-03-20T06:00:00Z");
    pull(&then, &["--from", "2025-01", "--to", "2025-02"]).ok();
    let totals = sandbox.totals("2025-01");
    drop(sandbox);

    // Too old to be pulled.
    let now = Billstream::on(store.path());
    let transform = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["transform", "--format", "json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        now.run(&arguments)
    };
    transform(&["--month", "2025-01"]).ok().status("published");
    now.assert_month_is("2025-01", &totals);
    transform(&["--month", "2024-12"])
        .code(2)
        .says(&["2024-12", "stored"]);
    transform(&["--from", "2025-01", "--to", "2025-03"])
        .code(2)
        .says(&["2025-03"]);
    assert_eq!(
        transform(&["--all"]).ok().statuses(),
        [
            ("2025-01".into(), "unchanged".into()),
            ("2025-02".into(), "published".into())
        ]
    );
    let other = Billstream::on(store.path())
        .connection("acme")
        .run(&["transform", "--all"])
        .code(2);
    other.says(&["acme", "billstream import"]);
}

#[test]
fn a_dry_transform_writes_nothing() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    pull(&billstream, &["--month", MONTH]).ok();
    let before = published_files(store.path());
    let dry = billstream
        .run(&[
            "transform",
            "--month",
            MONTH,
            "--dry-run",
            "--format",
            "json",
        ])
        .ok();
    let period = dry.status("dry-run");
    assert_eq!(period["net_amount"], sandbox.totals(MONTH).net);
    assert!(published_files(store.path()) == before);
    assert!(
        !files_below(store.path())
            .keys()
            .any(|name| name.starts_with("line_items"))
    );
}
