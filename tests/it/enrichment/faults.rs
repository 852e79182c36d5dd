//! Failing lists: costs are imported, and resources that could not be listed keep their attributes.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use billstream::confluent::client::{Client, Settings};
use billstream::confluent::inventory;
use tempfile::{TempDir, tempdir};

use super::{TAGS, enriched, resource_of, tag};
use crate::support::{Billstream, Files, MONTH, Output, Row, Sandbox, files_below, write_files};

/// Region and tags by resource.
fn attributes(billstream: &Billstream) -> BTreeMap<String, Vec<String>> {
    let rows = billstream.line_items(MONTH);
    let of = |row| {
        let mut attributes: Vec<String> =
            TAGS.iter().map(|key| tag(row, key).to_string()).collect();
        // A price tier has a separate region, on some rows only.
        if !attributes[2].is_empty() {
            attributes.push(row["resource/region"].clone());
        }
        (resource_of(row).to_string(), attributes)
    };
    rows.iter().map(of).collect()
}

/// A store with an enriched month that is not settled, and its attributes. Created once per test process.
fn good_month() -> (TempDir, BTreeMap<String, Vec<String>>) {
    static ONCE: OnceLock<(Files, BTreeMap<String, Vec<String>>)> = OnceLock::new();
    let (files, attributes) = ONCE.get_or_init(|| {
        let (good, store) = (Sandbox::start(&[]), tempdir().unwrap());
        let billstream =
            enriched(Billstream::on(store.path()).from(&good)).at("2026-11-10T06:00:00Z");
        billstream.import(MONTH).ok().status("published");
        (files_below(store.path()), attributes(&billstream))
    });
    assert!(
        attributes
            .values()
            .any(|attributes| attributes[2] == "orders-prod")
    );
    let store = tempdir().unwrap();
    write_files(store.path(), files);
    (store, attributes.clone())
}

/// Imports a good month, and the same a day later with a fault. Returns the output of the second run, and the
/// resources that it closed.
#[track_caller]
fn import_then_fault(fault: &str, kind: &str) -> (Output, Vec<Row>) {
    let (store, before) = good_month();
    let broken = Sandbox::start(&["--fault", fault]);
    let billstream = enriched(Billstream::on(store.path()).from(&broken))
        .at("2026-11-11T06:00:00Z")
        .env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    let output = billstream.import(MONTH).ok();
    assert!(broken.fired(kind) > 0, "{fault} did not fire");
    output.status("unchanged");
    billstream.assert_month_is(MONTH, &broken.totals(MONTH));
    assert_eq!(attributes(&billstream), before, "{fault}");
    let closed = billstream.query(
        "select resource_id, kind from resources where valid_until is not null order by resource_id",
    );
    if closed.is_empty() {
        return (output, closed);
    }
    // The next run recovers, and each resource has one current row.
    billstream
        .at("2026-11-12T06:00:00Z")
        .import(MONTH)
        .ok()
        .status("unchanged");
    let rows = Billstream::on(store.path()).query(
        "select count(*) as n, count(distinct resource_id) as ids from resources where valid_until is null",
    );
    let all = Billstream::on(store.path())
        .query("select count(distinct resource_id) as ids from resources");
    assert_eq!(
        (&rows[0]["n"], &rows[0]["ids"]),
        (&all[0]["ids"], &all[0]["ids"]),
        "{fault}"
    );
    (output, closed)
}

#[test]
fn a_refused_list_keeps_its_attributes() {
    for after in ["1", "9"] {
        let (output, closed) =
            import_then_fault(&format!("inventory-403:1:after={after}"), "inventory-403");
        output.says(&[
            "WARN",
            "keeping their last known names and regions",
            "role Operator",
            "403",
            "more=0",
        ]);
        assert_eq!(closed.len(), 0, "after {after}: {closed:?}");
    }
}

#[test]
fn a_failing_service_affects_its_lists_only() {
    let (output, closed) = import_then_fault("inventory-500:1:after=3", "inventory-500");
    output.says(&[
        "WARN",
        "keeping their last known names and regions",
        "500",
        "more=0",
    ]);
    assert_eq!(closed.len(), 0, "{closed:?}");
}

#[test]
fn resources_missing_from_a_list_are_closed_and_keep_their_attributes() {
    for kind in ["inventory-empty", "inventory-404"] {
        let (output, closed) = import_then_fault(&format!("{kind}:3:after=1"), kind);
        assert!(
            !closed.is_empty(),
            "three lists, and not all of them were empty before"
        );
        assert!(!output.stderr.contains("WARN"), "{}", output.stderr);
        assert!(
            closed.iter().all(|row| row["kind"] != "environment"),
            "{closed:?}"
        );
    }
}

#[test]
fn failing_lists_close_no_resource() {
    for (kind, words) in [
        ("inventory-403", "role Operator"),
        ("inventory-404", "404"),
        ("inventory-500", "the next attempt is in an hour"),
        ("inventory-empty", "role Operator"),
    ] {
        let (output, closed) = import_then_fault(&format!("{kind}:1000"), kind);
        output.says(&["WARN", "costs are imported without the update", words]);
        assert_eq!(closed.len(), 0, "{kind}: {closed:?}");
    }
}

#[test]
fn many_failed_lists_are_one_warning() {
    let (output, closed) = import_then_fault("inventory-403:1000:after=1", "inventory-403");
    assert_eq!(
        output.stderr.matches("WARN").count(),
        1,
        "{}",
        output.stderr
    );
    output.says(&["WARN", "more="]);
    assert_eq!(closed.len(), 0, "{closed:?}");
}

#[test]
fn invalid_responses_keep_attributes() {
    for (fault, words) in [
        ("html-200", "HTML page"),
        ("truncated-json", "not JSON"),
        ("reset", "the next attempt is in an hour"),
        ("redirect", "redirects to"),
    ] {
        // The first request lists environments.
        let (output, closed) = import_then_fault(fault, fault);
        output.says(&["WARN", "costs are imported without the update", words]);
        assert_eq!(closed.len(), 0, "{fault}: {closed:?}");
    }
}

#[test]
fn a_stalled_list_delays_an_import_by_one_timeout() {
    for (fault, said) in [
        ("slow:1:secs=60", "costs are imported without the update"),
        (
            "slow:1:secs=60:after=3",
            "keeping their last known names and regions",
        ),
    ] {
        let (sandbox, store) = (Sandbox::start(&["--fault", fault]), tempdir().unwrap());
        let billstream = enriched(Billstream::on(store.path()).from(&sandbox))
            .env("BILLSTREAM_RETRY_ATTEMPTS", "1")
            .env("BILLSTREAM_READ_TIMEOUT_SECS", "1");
        let began = Instant::now();
        let output = billstream.import(MONTH).ok();
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{:?}",
            began.elapsed()
        );
        output.status("published");
        output.says(&["WARN", said]);
        assert_eq!(sandbox.fired("slow"), 1);
        billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    }
}

#[tokio::test]
async fn lists_received_before_the_timeout_count() {
    let sandbox = Sandbox::start(&["--fault", "slow:8:secs=30:after=4"]);
    let url = sandbox.url().parse().unwrap();
    let settings = Settings {
        requests_per_second: 1000,
        ..Settings::new(url, "sandbox-key", "sandbox-secret".into())
    };
    let client = Client::new(settings).unwrap();
    let began = Instant::now();
    let listed = inventory::list(&client, Duration::from_secs(3))
        .await
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(sandbox.fired("slow") >= 4, "{}", sandbox.fired("slow"));
    assert_eq!(listed.problems.len(), 1, "{:?}", listed.problems);
    assert!(
        listed.problems[0].contains("within 3 seconds"),
        "{:?}",
        listed.problems
    );
    let environments = listed
        .resources
        .iter()
        .filter(|r| r.kind == inventory::ResourceKind::Environment);
    assert!(environments.count() >= 5);

    // Without environments the list fails, and no resource is closed.
    let sandbox = Sandbox::start(&["--fault", "slow:1:secs=30"]);
    let settings = Settings::new(
        sandbox.url().parse().unwrap(),
        "sandbox-key",
        "sandbox-secret".into(),
    );
    let client = Client::new(settings).unwrap();
    let error = inventory::list(&client, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("within 1 seconds"), "{error}");
    assert_eq!(sandbox.fired("slow"), 1);
}

#[test]
fn respects_the_rate_limit() {
    let (sandbox, store) = (Sandbox::start(&["--rate-limit", "60"]), tempdir().unwrap());
    let billstream = enriched(Billstream::on(store.path()).from(&sandbox))
        .env("BILLSTREAM_REQUESTS_PER_SECOND", "40");
    let output = billstream.import(MONTH).ok();
    assert!(!output.stderr.contains("WARN"), "{}", output.stderr);
    assert!(
        billstream
            .line_items(MONTH)
            .iter()
            .any(|row| tag(row, "confluent_name") == "orders-prod")
    );
}

#[test]
fn stores_no_secret_of_a_connector() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = enriched(Billstream::on(store.path()).from(&sandbox));
    billstream.import(MONTH).ok();
    let rows = billstream.query("select * from resources where kind = 'connector'");
    assert!(rows.iter().any(|row| row["connector_class"] == "S3_SINK"));
    let columns: Vec<&String> = rows[0].keys().collect();
    assert_eq!(columns.len(), 14, "{columns:?}");
    assert!(
        rows.iter()
            .all(|row| row.values().all(|value| !value.contains("****")))
    );
}

#[test]
fn an_unreadable_inventory_does_not_stop_an_import() {
    let (store, before) = good_month();
    for name in crate::support::names_below(&store.path().join("resources")) {
        if name.ends_with(".parquet") {
            std::fs::remove_file(store.path().join("resources").join(name)).unwrap();
        }
    }
    let sandbox = Sandbox::start(&[]);
    let billstream =
        enriched(Billstream::on(store.path()).from(&sandbox)).at("2026-11-10T07:00:00Z");
    let output = billstream.import(MONTH).ok();
    output.status("unchanged");
    output.says(&["Could not read names and regions"]);
    assert_eq!(
        attributes(&billstream),
        before,
        "the published month keeps its attributes"
    );
    // Changed costs are published.
    let restated = Sandbox::start(&["--revision", "1"]);
    let billstream =
        enriched(Billstream::on(store.path()).from(&restated)).at("2026-11-10T08:00:00Z");
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &restated.totals(MONTH));
}
