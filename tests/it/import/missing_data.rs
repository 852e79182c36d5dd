//! Missing days, empty responses and dry runs do not change published months.

use tempfile::tempdir;

use super::published_month;
use crate::support::{
    Billstream, MONTH, Sandbox, assert_summary_is, files_below, orphans, published_files,
};

/// Sandbox options that leave every day of [`MONTH`] without costs.
fn all_days_dropped() -> Vec<String> {
    (1..=31)
        .flat_map(|day| ["--drop-day".to_string(), format!("{MONTH}-{day:02}")])
        .collect()
}

fn without(days: &[String]) -> Sandbox {
    Sandbox::start(&days.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn missing_days_put_the_month_on_hold_until_allowed() {
    let (store, whole) = published_month();
    let billstream = Billstream::on(store.path());
    let before = published_files(store.path());

    let shrunk = Sandbox::start(&["--drop-day", "2026-10-14", "--drop-day", "2026-10-20"]);
    let billstream = billstream.from(&shrunk);
    let output = billstream.import(MONTH).code(4).says(&[
        "2026-10-14",
        "2026-10-20",
        "--allow-missing-data",
    ]);
    let held = output.status("held");
    assert_summary_is(&held, &whole); // The amounts are those of the published month.
    assert!(
        published_files(store.path()) == before,
        "a month on hold is not changed"
    );
    billstream.assert_month_is(MONTH, &whole);

    let allowed = [
        "import",
        "--month",
        MONTH,
        "--format",
        "json",
        "--allow-missing-data",
    ];
    let period = billstream.run(&allowed).ok().status("published");
    assert_summary_is(&period, &shrunk.totals(MONTH));
    billstream.assert_month_is(MONTH, &shrunk.totals(MONTH));
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn an_empty_response_never_replaces_a_published_month() {
    let (store, whole) = published_month();
    let before = published_files(store.path());

    let emptied = without(&all_days_dropped());
    let billstream = Billstream::on(store.path()).from(&emptied);
    billstream.import(MONTH).code(4).status("held");
    billstream
        .run(&["pull", "--month", MONTH, "--format", "json"])
        .code(4)
        .status("held");
    assert!(published_files(store.path()) == before);
    billstream.assert_month_is(MONTH, &whole);
}

#[test]
fn a_month_without_costs_is_empty_and_not_published() {
    let store = tempdir().unwrap();
    let emptied = without(&all_days_dropped());
    let billstream = Billstream::on(store.path()).from(&emptied);
    let period = billstream.import(MONTH).ok().status("empty");
    assert_eq!(
        (period["costs"].as_u64(), period["net_amount"].as_str()),
        (Some(0), Some("0"))
    );
    assert_eq!(published_files(store.path()).len(), 0);
}

#[test]
fn a_month_is_empty_before_its_first_costs() {
    let store = tempdir().unwrap();
    let sandbox = Sandbox::start(&["--today", "2026-11-01", "--drop-day", "2026-11-01"]);
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .at("2026-11-01T03:00:00Z");
    let period = billstream.import("2026-11").ok().status("empty");
    assert!(
        period["complete_through"].is_null() && period["digest"].is_null(),
        "{period}"
    );
    assert_eq!(published_files(store.path()).len(), 0);
}

#[test]
fn an_empty_month_does_not_affect_the_drop_of_another() {
    // A faulty manifest could reference the previous file for an empty source.
    let store = tempdir().unwrap();
    let sandbox = Sandbox::start(&["--today", "2026-11-01", "--drop-day", "2026-11-01"]);
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .at("2026-11-01T03:00:00Z");
    let months = [
        "import", "--from", MONTH, "--to", "2026-11", "--format", "json",
    ];
    let statuses = billstream.run(&months).ok().statuses();
    assert_eq!(
        statuses,
        [
            ("2026-10".into(), "published".into()),
            ("2026-11".into(), "empty".into())
        ]
    );
    let drops = files_below(&store.path().join("cloudzero"));
    assert!(
        drops.keys().all(|name| name.contains("20261001-20261101")),
        "{:?}",
        drops.keys()
    );
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn a_dry_run_writes_only_its_record() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let dry = ["import", "--month", MONTH, "--format", "json", "--dry-run"];
    let period = billstream
        .run(&dry)
        .ok()
        .says(&["nothing was published"])
        .status("dry-run");
    assert_summary_is(&period, &sandbox.totals(MONTH));
    assert!(period["version"].is_null(), "{period}");
    let left: Vec<String> = files_below(store.path()).into_keys().collect();
    let record = format!(
        "runs/{}.json",
        billstream.run(&dry).ok().json()["run"].as_str().unwrap()
    );
    assert!(files_below(store.path()).contains_key(&record));
    let unexpected = left
        .iter()
        .filter(|name| !name.starts_with("runs/20") && !name.starts_with("runs/leases/"));
    assert_eq!(unexpected.count(), 0, "{left:?}");

    // The same holds beside a published month.
    billstream.import(MONTH).ok().status("published");
    let before = files_below(store.path());
    let restated = Sandbox::start(&["--revision", "1"]);
    let dry_run = Billstream::on(store.path()).from(&restated).run(&dry).ok();
    assert_summary_is(&dry_run.status("dry-run"), &restated.totals(MONTH));
    let mut after = files_below(store.path());
    after.remove(&format!(
        "runs/{}.json",
        dry_run.json()["run"].as_str().unwrap()
    ));
    assert!(after == before, "a dry run changes no file");
}
