//! Permanent faults: the pull stops at once with a helpful error, and nothing is published.

use std::path::Path;

use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Output, Sandbox, orphans, published_files};

/// Imports into an empty store through a permanent fault; asserts that it fires once and nothing is published.
fn assert_stops(fault: &str, code: i32, settings: &[(&str, &str)]) -> Output {
    assert_stops_after(1, fault, code, settings)
}

fn assert_stops_after(times: u64, fault: &str, code: i32, settings: &[(&str, &str)]) -> Output {
    let (sandbox, store) = (Sandbox::start(&["--fault", fault]), tempdir().unwrap());
    let billstream = settings.iter().fold(
        Billstream::on(store.path()).from(&sandbox),
        |run, (name, value)| run.env(name, value),
    );
    let output = billstream.import(MONTH).code(code);
    output.status("failed");
    assert_eq!(
        sandbox.fired(fault.split(':').next().unwrap()),
        times,
        "{fault} fired"
    );
    assert_nothing_published(store.path());
    output
}

fn assert_nothing_published(store: &Path) {
    assert!(!store.join("line_items").exists() && !store.join("cloudzero").exists());
    assert_eq!(orphans(store), Vec::<String>::new());
    assert_eq!(
        Billstream::on(store)
            .run(&["query", "select * from costs"])
            .code,
        3
    );
}

#[test]
fn a_401_stops_at_once() {
    assert_stops("401:9", 3, &[]).says(&[
        "401",
        "API key",
        "request id req-00000001",
        "hint:",
        "Cloud resource management",
    ]);
}

#[test]
fn a_403_stops_at_once() {
    assert_stops("403:9", 3, &[]).says(&["403", "request id req-00000001", "hint:"]);
}

#[test]
fn a_404_is_an_error_and_not_an_empty_page() {
    assert_stops("404:9", 1, &[]).says(&[
        "404",
        "request id req-00000001",
        "hint:",
        "nothing was taken for empty",
    ]);
}

#[test]
fn an_amount_that_is_not_a_number_stops_the_pull() {
    // It must never count as 0.
    assert_stops("bad-record:9", 1, &[]).says(&[
        "2026-10-01..2026-11-01",
        "page 1",
        "row ",
        "`original_amount`",
        "not a number",
        "request id req-00000001",
    ]);
}

#[test]
fn a_missing_amount_stops_the_pull() {
    // The unit price must never replace it.
    assert_stops("missing-amount:9", 1, &[]).says(&[
        "2026-10-01..2026-11-01",
        "page 1",
        "row ",
        "`original_amount`",
        "missing",
    ]);
}

#[test]
fn a_cost_outside_its_window_stops_the_pull() {
    assert_stops("outside-window:9", 1, &[]).says(&[
        "page 1",
        "row ",
        "`start_date`",
        "outside the window",
        "2026-10-01..2026-11-01",
    ]);
}

#[test]
fn names_a_wrong_record_of_a_later_page() {
    // With 56 costs a day, pages of 40 lead to windows of one day with two pages each.
    let settings = [
        ("BILLSTREAM_PAGE_SIZE", "40"),
        ("BILLSTREAM_CONCURRENCY", "1"),
    ];
    assert_stops("bad-record:1:after=4", 1, &settings).says(&[
        "2026-10-02..2026-10-03",
        "page 2",
        "`original_amount`",
    ]);
}

#[test]
fn a_repeated_page_token_stops_the_pull() {
    assert_stops("repeat-token:1", 1, &[("BILLSTREAM_PAGE_SIZE", "20")]).says(&[
        "page_token",
        "2026-10-",
        "page 2",
    ]);
}

#[test]
fn page_tokens_that_expire_again_stop_the_pull() {
    let settings = [
        ("BILLSTREAM_PAGE_SIZE", "20"),
        ("BILLSTREAM_CONCURRENCY", "1"),
    ];
    assert_stops_after(2, "expired-token:2", 8, &settings).says(&[
        "reading the window again",
        "the page token is no longer valid",
        "run the command again",
    ]);
}

#[test]
fn a_refused_window_names_the_reason() {
    // The sandbox is a few days ahead of the run, so that the oldest month starts too far back.
    let (sandbox, store) = (
        Sandbox::start(&["--today", "2026-12-05"]),
        tempdir().unwrap(),
    );
    let output = Billstream::on(store.path())
        .from(&sandbox)
        .import("2025-12")
        .code(8);
    output.status("failed");
    output.says(&["400", "too far back", "one year", "request id req-00000001"]);
    assert_eq!(sandbox.requests(), 1, "a 400 is not repeated");
    assert_nothing_published(store.path());
}

#[test]
fn a_key_of_the_wrong_type_is_named() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("CONFLUENT_CLOUD_API_KEY", "cluster-key");
    billstream.import(MONTH).code(3).says(&[
        "not a Cloud API key",
        "Cloud resource management",
        "request id",
    ]);
    assert_eq!(sandbox.requests(), 1);
    assert_nothing_published(store.path());
}

#[test]
fn a_key_without_the_role_is_a_config_error_that_names_the_role() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("CONFLUENT_CLOUD_API_KEY", "no-role");
    billstream.import(MONTH).code(3).says(&[
        "403",
        "may not read costs",
        "BillingAdmin",
        "request id",
    ]);
    assert_eq!(sandbox.requests(), 1);
    assert_nothing_published(store.path());
}

#[test]
fn a_wrong_secret_is_refused() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("CONFLUENT_CLOUD_API_SECRET", "wrong-5ecret");
    let output = billstream
        .import(MONTH)
        .code(3)
        .says(&["401", "request id"]);
    assert!(!output.stderr.contains("wrong-5ecret"));
}

#[test]
fn the_error_after_all_retries_has_the_number_of_attempts_and_the_cause() {
    let (sandbox, store) = (
        Sandbox::start(&["--fault", "503:99:retry_after=0"]),
        tempdir().unwrap(),
    );
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_RETRY_ATTEMPTS", "3");
    let output = billstream.import(MONTH).code(7);
    output.status("failed");
    output.says(&[
        "gave up after 3 attempts",
        "503",
        "request id req-00000003",
        "BILLSTREAM_RETRY_ELAPSED_SECS",
    ]);
    assert_eq!(sandbox.fired("503"), 3);
    assert_nothing_published(store.path());
}

#[test]
fn fails_at_once_when_the_server_asks_for_a_longer_wait_than_allowed() {
    let (sandbox, store) = (
        Sandbox::start(&["--fault", "429:99:retry_after=3600"]),
        tempdir().unwrap(),
    );
    let billstream = Billstream::on(store.path())
        .from(&sandbox)
        .env("BILLSTREAM_RETRY_ELAPSED_SECS", "5");
    billstream.import(MONTH).code(7).says(&["429", "gave up"]);
    assert_eq!(
        sandbox.fired("429"),
        1,
        "a repetition would come sooner than the server asks"
    );
}

#[test]
fn a_refused_refresh_of_several_months_changes_none_of_them() {
    let store = tempdir().unwrap();
    let good = Sandbox::start(&[]);
    let months = [
        "import", "--from", "2026-09", "--to", MONTH, "--format", "json",
    ];
    Billstream::on(store.path()).from(&good).run(&months).ok();
    let before = published_files(store.path());
    for (fault, code) in [
        ("401:9", 3),
        ("404:9", 1),
        ("missing-amount:9", 1),
        ("reset:99", 7),
    ] {
        let broken = Sandbox::start(&["--revision", "1", "--fault", fault]);
        let billstream = Billstream::on(store.path())
            .from(&broken)
            .env("BILLSTREAM_RETRY_ATTEMPTS", "2");
        let output = billstream.run(&months).code(code);
        assert!(
            output
                .statuses()
                .iter()
                .all(|(_, status)| status == "failed"),
            "{fault}"
        );
        assert!(published_files(store.path()) == before, "{fault}");
    }
}
