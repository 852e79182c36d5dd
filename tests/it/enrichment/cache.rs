//! Frequency of inventory requests: once a day, and an hour after a failure.

use serde_json::Value;
use tempfile::tempdir;

use super::enriched;
use crate::support::{Billstream, MONTH, Sandbox};

#[test]
fn inventory_is_current_for_a_day() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let at = |now: &str| enriched(Billstream::on(store.path()).from(&sandbox)).at(now);
    let pull = |now: &str| {
        at(now).run(&["pull", "--month", MONTH]).ok();
        sandbox.inventory_requests()
    };
    let once = pull("2026-11-22T06:00:00Z");
    assert!(once > 20, "{once}");
    assert_eq!(pull("2026-11-22T07:30:00Z"), once);
    assert_eq!(pull("2026-11-23T05:59:59Z"), once);
    assert_eq!(pull("2026-11-23T06:00:00Z"), 2 * once);
    assert_eq!(
        pull("2026-11-24T05:00:00Z"),
        2 * once,
        "a day after the second update"
    );
}

#[test]
fn a_failed_inventory_is_retried_after_an_hour() {
    for (fault, code) in [("inventory-403:1", "403"), ("inventory-404:1:after=1", "")] {
        let (sandbox, store) = (Sandbox::start(&["--fault", fault]), tempdir().unwrap());
        let at = |now: &str| enriched(Billstream::on(store.path()).from(&sandbox)).at(now);
        let pull = |now: &str| at(now).run(&["pull", "--month", MONTH]).ok();
        let first = pull("2026-11-22T06:00:00Z");
        let asked = sandbox.inventory_requests();
        if code.is_empty() {
            // A deleted environment has no resources: a valid response, current for a day.
            assert!(!first.stderr.contains("WARN"), "{}", first.stderr);
            pull("2026-11-23T05:59:59Z");
            assert_eq!(sandbox.inventory_requests(), asked, "{fault}");
            continue;
        }
        first.says(&["WARN", code]);
        let quiet = pull("2026-11-22T06:59:59Z");
        assert_eq!(sandbox.inventory_requests(), asked, "{fault}");
        assert!(!quiet.stderr.contains("WARN"), "{}", quiet.stderr);
        pull("2026-11-22T07:00:00Z");
        assert!(sandbox.inventory_requests() > asked + 20, "{fault}");
    }
}

#[test]
fn inventory_state_is_kept_per_connection() {
    let store = tempdir().unwrap();
    let sandboxes = ["1", "2"].map(|seed| Sandbox::start(&["--seed", seed]));
    for (name, sandbox) in ["acme", "globex"].iter().zip(&sandboxes) {
        let billstream = enriched(Billstream::on(store.path()).from(sandbox).connection(name));
        billstream.run(&["pull", "--month", MONTH]).ok();
        assert!(sandbox.inventory_requests() > 20, "{name}");
        let path = store
            .path()
            .join(format!("runs/connections/{name}/inventory.json"));
        let state: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(state["taken_at"], "2026-11-23T06:00:00Z");
        assert_eq!(state["problems"], serde_json::json!([]));
    }
    let kept = Billstream::on(store.path()).query(
        "select connection, count(*) as n, count(distinct resource_id) as ids from resources group by 1 order by 1",
    );
    let names: Vec<&str> = kept.iter().map(|row| row["connection"].as_str()).collect();
    assert_eq!(names, ["acme", "globex"]);
    assert!(kept.iter().all(|row| row["n"] == row["ids"]));
}

#[test]
fn an_unreadable_inventory_state_does_not_stop_an_import() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let path = store
        .path()
        .join("runs/connections/confluent/inventory.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{]").unwrap();
    let billstream = enriched(Billstream::on(store.path()).from(&sandbox));
    let output = billstream.import(MONTH).ok();
    output.status("published");
    output.says(&["WARN", "inventory.json", "delete the file"]);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}
