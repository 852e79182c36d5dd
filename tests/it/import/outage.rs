//! Outages: published months stay unchanged, and the exit code reports the failure.

use tempfile::tempdir;

use super::published_month;
use crate::support::{Billstream, MONTH, Sandbox, orphans, published_files};

#[test]
fn an_unreachable_host_does_not_change_a_published_month() {
    let (mut sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_RETRY_ELAPSED_SECS", "1");
    billstream.import(MONTH).ok();
    let (totals, before) = (sandbox.totals(MONTH), published_files(store.path()));
    sandbox.stop();
    let output = billstream.import(MONTH).code(7);
    output.status("failed");
    output.says(&["gave up", "what is published in the store is untouched"]);
    assert!(published_files(store.path()) == before);
    billstream.assert_month_is(MONTH, &totals);
}

#[test]
fn persistent_errors_do_not_change_a_published_month() {
    for fault in [
        "500",
        "503",
        "429",
        "502-html",
        "html-200",
        "cut",
        "truncated-json",
        "reset",
    ] {
        let (store, _) = published_month();
        let before = published_files(store.path());

        let broken = Sandbox::start(&["--revision", "1", "--fault", &format!("{fault}:1000")]);
        let billstream = Billstream::on(store.path())
            .from(&broken)
            .env("BILLSTREAM_RETRY_ELAPSED_SECS", "1")
            .env("BILLSTREAM_RETRY_ATTEMPTS", "2");
        let output = billstream.import(MONTH).code(7);
        output.status("failed");
        output.says(&["2026-10-01..", "page 1"]);
        assert!(broken.fired(fault) >= 1, "{fault} did not fire");
        assert!(
            published_files(store.path()) == before,
            "{fault} changed what is published"
        );
    }
}

#[test]
fn refusals_do_not_change_a_published_month() {
    let (store, _) = published_month();
    let before = published_files(store.path());
    for (fault, code) in [("404", 1), ("403", 3), ("401", 3)] {
        let broken = Sandbox::start(&["--fault", fault]);
        Billstream::on(store.path())
            .from(&broken)
            .import(MONTH)
            .code(code)
            .status("failed");
        assert_eq!(broken.fired(fault), 1, "requested once");
        assert!(
            published_files(store.path()) == before,
            "{fault} changed what is published"
        );
    }
}

#[test]
fn one_failed_window_fails_the_month() {
    let store = tempdir().unwrap();
    let broken = Sandbox::start(&["--fault", "500:1000:after=4"]);
    let billstream = Billstream::on(store.path())
        .from(&broken)
        .env("BILLSTREAM_PAGE_SIZE", "500")
        .env("BILLSTREAM_RETRY_ATTEMPTS", "2");
    billstream.import(MONTH).code(7).status("failed");
    assert!(broken.fired("500") >= 2);
    assert_eq!(
        billstream.run(&["query", "select 1 from costs"]).code,
        3,
        "nothing is published"
    );
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn a_failed_month_does_not_affect_the_others() {
    // An error of one month must not end with exit code 0.
    let store = tempdir().unwrap();
    let broken = Sandbox::start(&["--fault", "bad-record:1"]);
    let billstream = Billstream::on(store.path()).from(&broken);
    let months = [
        "import", "--from", "2026-09", "--to", MONTH, "--format", "json",
    ];
    let output = billstream.run(&months);
    assert_ne!(output.code, 0);
    assert_eq!(
        output.statuses(),
        [
            ("2026-09".into(), "failed".into()),
            (MONTH.into(), "published".into())
        ]
    );
    assert_eq!(broken.fired("bad-record"), 1);
    billstream.assert_month_is(MONTH, &broken.totals(MONTH));
    assert!(billstream.costs("2026-09").is_empty());

    let again = billstream.run(&months).ok().statuses();
    assert_eq!(
        again,
        [
            ("2026-09".into(), "published".into()),
            (MONTH.into(), "unchanged".into())
        ]
    );
}

#[test]
fn an_outage_after_a_published_month_is_partial() {
    let store = tempdir().unwrap();
    let broken = Sandbox::start(&["--fault", "500:1000:after=1"]);
    let billstream = Billstream::on(store.path())
        .from(&broken)
        .env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    let months = [
        "import", "--from", "2026-08", "--to", MONTH, "--format", "json",
    ];
    let output = billstream.run(&months).code(4);
    let statuses: Vec<String> = output
        .statuses()
        .into_iter()
        .map(|(_, status)| status)
        .collect();
    assert_eq!(statuses, ["published", "failed", "failed"]);
    assert_eq!(
        broken.fired("500"),
        1,
        "an error that affects every month stops the run"
    );
    billstream.assert_month_is("2026-08", &broken.totals("2026-08"));
}
