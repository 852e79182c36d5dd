//! `connections add --demo`: the whole set-up against a sandbox in the same process.

use crate::support::{Billstream, names_below};

#[test]
fn the_demo_plays_a_whole_set_up_and_leaves_invented_costs() {
    let store = tempfile::tempdir().unwrap();
    // The current day is the computer's, as the demo's sandbox has it.
    let billstream = Billstream::on(store.path()).without("BILLSTREAM_NOW");
    // What is set up for real does not get into it.
    let billstream = billstream
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", "http://127.0.0.1:1")
        .env("CONFLUENT_CLOUD_API_KEY", "real")
        .env("CONFLUENT_CLOUD_API_SECRET", "real-5ecret");
    // The environment's store is not taken either: a demo does not get beside real costs by mistake.
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
        "tried again",
        "so the key works",
        "the sandbox and its key are gone",
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
