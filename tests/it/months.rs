//! Which months a run takes, which it refuses, and until when each is covered.

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{
    Billstream, MONTH, Output, Sandbox, assert_summary_is, files_below, published_files,
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
fn the_first_run_takes_twelve_months_and_the_next_what_is_not_settled() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let first = pull(&billstream, &[]).ok();
    assert_eq!(months(&first), TWELVE);
    for period in first.json()["periods"].as_array().unwrap() {
        assert_eq!(period["status"], "published");
        assert_summary_is(
            period,
            &sandbox.totals(period["billing_period"].as_str().unwrap()),
        );
    }
    // October ended 23 days ago: its first pull settled it.
    assert_eq!(months(&pull(&billstream, &[]).ok()), ["2026-11"]);
    assert_eq!(months(&pull(&billstream, &["--all"]).ok()), TWELVE);
    assert_eq!(
        months(&pull(&billstream, &["--month", "2026-03"]).ok()),
        ["2026-03"]
    );
}

#[test]
fn a_month_settles_with_the_first_pull_seventeen_days_after_its_end() {
    let sandbox = Sandbox::start(&[]);
    let store = tempdir().unwrap();
    let at = |now: &str| Billstream::on(store.path()).from(&sandbox).at(now);
    for month in TWELVE {
        if month < "2026-10" {
            pull(&at("2026-11-10T06:00:00Z"), &["--month", month]).ok();
        }
    }
    // Settling: it may be restated still, so it comes along. The 17th day counts.
    for (now, expected) in [
        ("2026-11-10T06:00:00Z", &["2026-10", "2026-11"][..]),
        ("2026-11-17T23:59:59Z", &["2026-10", "2026-11"]),
        ("2026-11-18T00:00:00Z", &["2026-10", "2026-11"]),
        ("2026-11-18T00:00:01Z", &["2026-11"]),
        ("2026-11-23T06:00:00Z", &["2026-11"]),
    ] {
        assert_eq!(months(&pull(&at(now), &[]).ok()), expected, "at {now}");
    }
}

#[test]
fn settle_days_can_be_set() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let patient = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_SETTLE_DAYS", "60");
    pull(&patient, &[]).ok();
    assert_eq!(
        months(&pull(&patient, &[]).ok()),
        ["2026-09", "2026-10", "2026-11"]
    );
    let hasty = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_SETTLE_DAYS", "0");
    assert_eq!(
        months(&pull(&hasty, &[]).ok()),
        ["2026-09", "2026-10", "2026-11"]
    );
    assert_eq!(months(&pull(&hasty, &[]).ok()), ["2026-11"]);
    let wrong = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_SETTLE_DAYS", "soon");
    pull(&wrong, &[]).code(3).says(&["BILLSTREAM_SETTLE_DAYS"]);
}

#[test]
fn a_failed_pull_does_not_settle() {
    let store = tempdir().unwrap();
    let broken = Sandbox::start(&["--fault", "404"]);
    let billstream = Billstream::on(store.path()).from(&broken);
    pull(&billstream, &["--month", MONTH])
        .code(1)
        .status("failed");
    let again = pull(&billstream, &[]).ok();
    assert!(months(&again).contains(&MONTH.to_string()));
}

#[test]
fn settled_months_that_were_only_pulled_are_still_to_be_transformed() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    pull(&billstream, &["--from", "2026-09", "--to", MONTH]).ok();
    let transform = || billstream.run(&["transform", "--format", "json"]).ok();
    let published = [
        ("2026-09".into(), "published".into()),
        (MONTH.into(), "published".into()),
    ];
    assert_eq!(transform().statuses(), published);
    assert_eq!(transform().statuses(), [], "by now nothing is due");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn months_are_named_one_by_one_or_from_to() {
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
        "once each, the oldest first"
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
fn both_ends_of_a_range_are_checked() {
    // A peer validated the start twice and the end never.
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
fn a_month_over_a_year_back_is_never_pulled() {
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
        "nothing is pulled beside a refused month"
    );
    assert_eq!(published_files(store.path()).len(), 0);
}

#[test]
fn a_future_month_is_refused() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    pull(&billstream, &["--month", "2026-12"])
        .code(2)
        .says(&["2026-12", "has not begun"]);
    // Days are UTC days.
    let next_day = billstream.at("2026-12-01T00:00:00Z");
    pull(&next_day, &["--month", "2026-12"]).ok();
}

#[test]
fn a_refused_oldest_month_is_named_and_skipped() {
    // The sandbox is ahead of the run: to it December 2025 begins over a year back.
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
        output.says(&["2025-12", "skipped"]);
        // One that is named is an error.
        let named = pull(&billstream, &["--month", "2025-12"]).code(1);
        named.status("failed");
        named.says(&["2025-12", "too far back"]);
    }
}

#[test]
fn covered_until_lags_three_days_behind() {
    let sandbox = Sandbox::start(&[]);
    for (now, month, expected) in [
        ("2026-11-23T06:00:00Z", "2026-11", "2026-11-19".into()),
        ("2026-11-23T00:00:00Z", "2026-11", "2026-11-19".into()),
        ("2026-11-22T23:59:59Z", "2026-11", "2026-11-18".into()),
        ("2026-11-04T00:00:00Z", "2026-11", Value::Null),
        ("2026-11-05T00:00:00Z", "2026-11", "2026-11-01".into()),
        ("2026-11-03T00:00:00Z", "2026-10", "2026-10-30".into()),
        ("2026-11-04T00:00:00Z", "2026-10", "2026-10-31".into()),
        ("2026-11-23T06:00:00Z", "2026-10", "2026-10-31".into()),
    ] {
        let store = tempdir().unwrap();
        let billstream = Billstream::on(store.path()).from(&sandbox).at(now);
        let period = pull(&billstream, &["--month", month])
            .ok()
            .status("published");
        assert_eq!(period["covered_until"], expected, "{month} at {now}");
        let again = pull(&billstream, &["--month", month])
            .ok()
            .status("unchanged");
        assert_eq!(again["covered_until"], expected);
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
fn transform_takes_any_stored_month_and_no_other() {
    let store = tempdir().unwrap();
    let sandbox = Sandbox::start(&["--today", "2025-03-20"]);
    let then = Billstream::on(store.path())
        .from(&sandbox)
        .at("2025-03-20T06:00:00Z");
    pull(&then, &["--from", "2025-01", "--to", "2025-02"]).ok();
    let totals = sandbox.totals("2025-01");
    drop(sandbox);

    // Far too old to be pulled by now.
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
fn a_transform_that_is_dry_leaves_nothing() {
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
