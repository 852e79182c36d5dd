//! `verify`: months of an older mapping, and months that were never published.

use super::{Scene, deliver};
use crate::support::{Billstream, MONTH, Output, Sandbox};

fn verify(billstream: &Billstream) -> Output {
    billstream.run(&["verify", "--month", MONTH, "--format", "json"])
}

#[test]
fn months_of_another_mapping_or_label_are_outdated() {
    let scene = Scene::new(&[]);
    let bucket = scene.to_bucket();
    deliver(&bucket, &[]).ok();
    let labelled = bucket.env("BILLSTREAM_CLOUD_PROVIDER", "Confluent Cloud");
    let output = verify(&labelled).ok();
    let note = output.status("outdated")["notes"][0].to_string();
    assert!(note.contains("billstream transform --all"), "{note}");
    let table = labelled.run(&["verify"]).ok();
    assert!(table.stdout.contains("outdated"), "{}", table.stdout);
    labelled.run(&["transform", "--all"]).ok();
    // The drop still has the old label; all of its sums are right.
    let notes = verify(&labelled).code(5).status("differs")["notes"].to_string();
    assert!(notes.contains("rows of 2026-10-01 differ"), "{notes}");
    deliver(&labelled, &[]).ok().delivery("delivered");
    verify(&labelled).ok().status("equal");
}

#[test]
fn months_that_were_never_published_are_missing() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let billstream = scene.to_bucket().from(&confluent);
    deliver(&billstream, &[]).ok();
    let output = billstream.run(&["verify", "--format", "json"]).code(5);
    let statuses = output.statuses();
    assert_eq!(statuses.len(), 12, "{statuses:?}");
    for (month, status) in &statuses {
        let expected = if month == MONTH { "equal" } else { "missing" };
        assert_eq!(status, expected, "{month}");
    }
    let json = output.json();
    let september = &json["periods"][9];
    assert_eq!(september["billing_period"], "2026-09");
    assert!(september["store"].is_null(), "{september}");
    let totals = confluent.totals("2026-09");
    assert_eq!(september["confluent"]["cost"], totals.net);
    assert_eq!(september["confluent"]["rows"], totals.costs);
    output.says(&["2026-09: store: the month was never published"]);

    let named = ["verify", "--month", "2026-09"];
    let table = billstream.run(&named).code(5);
    assert!(table.stdout.contains("missing"), "{}", table.stdout);
    // Without Confluent's key nobody knows whether the month has costs.
    scene.to_bucket().run(&named).code(2).says(&["2026-09"]);
    billstream
        .run(&["verify", "--month", "2025-01"])
        .code(2)
        .says(&["2025-01"]);
}
