//! `connections add --demo`: a complete setup against a fake Confluent in the same process.

use crate::support::{Billstream, names_below};

#[test]
fn runs_a_complete_setup_and_keeps_the_invented_costs() {
    let store = tempfile::tempdir().unwrap();
    // The fake Confluent uses the computer's date.
    let billstream = Billstream::on(store.path()).without("BILLSTREAM_NOW");
    // Real settings must not affect the demo.
    let billstream = billstream
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", "http://127.0.0.1:1")
        .env("CONFLUENT_CLOUD_API_KEY", "real")
        .env("CONFLUENT_CLOUD_API_SECRET", "real-5ecret");
    // The demo ignores the store of the environment, so that it cannot end up beside real costs.
    let place = store.path().display().to_string();
    let demo = [
        "connections",
        "add",
        "--demo",
        "--store",
        &place,
        "--format",
        "json",
    ];
    let output = billstream.run(&demo).ok();
    let statuses = output.statuses();
    assert!(statuses.len() >= 12, "{statuses:?}");
    assert!(
        statuses.iter().all(|(_, status)| status == "published"),
        "{statuses:?}"
    );
    let output = output.says(&[
        "service account `billstream` (sa-",
        "role `Operator` (rb-",
        "waiting up to",
        "key works",
        "the fake Confluent and its key are gone",
    ]);
    assert!(!output.stderr.contains("5ecret") && !output.stderr.contains("admin-secret"));
    assert_eq!(names_below(billstream.home()), Vec::<String>::new());
    let list = billstream
        .run(&["connections", "list", "--format", "json"])
        .ok();
    let demo = list.json()["connections"].clone();
    let demo = demo
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["connection"] == "demo");
    assert_eq!(demo.unwrap()["status"], "healthy");
    let named = ["connections", "add", "--demo", "--name", "acme"];
    billstream.run(&named).code(2);
}
