//! Changes that sums and hours of a month do not show, and rows that others add to the stream.

use serde_json::json;

use super::tags::{tag, transform};
use super::{LARGE, Scene, deliver};
use crate::support::{MONTH, STREAM};

const RESTATED: [&str; 2] = ["--revision", "1"];

#[test]
fn sends_changes_that_do_not_affect_sums() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    transform(&scene, MONTH, &[tag("team", "payments")]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    let rows = scene.cloudzero.rows(MONTH);
    let tagged = rows.iter().filter(|r| r["resource/tag:team"] == "payments");
    let resources = rows.iter().filter(|r| r.get("resource/id").is_some());
    assert_eq!(tagged.count(), resources.count());
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
}

#[test]
fn writes_changes_that_do_not_affect_sums() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    transform(&scene, MONTH, &[tag("team", "payments")]);
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.poll().months(), 1);
    scene.assert_polled(&scene.month.holding);
}

#[test]
fn clears_hours_that_others_added() {
    let scene = Scene::of(&LARGE, &[]);
    deliver(&scene.to_stream(), &[]).ok();
    scene.cloudzero.send(&json!({
        "month": "2026-10-01T00:00:00Z",
        "operation": "replace_hourly",
        "data": [
            { "time/usage_start": "2026-10-03T05:00:00Z", "cost/cost": "12.5" },
            { "time/usage_start": "2026-10-31T23:00:00Z", "cost/cost": "1", "lineitem/type": "Tax" },
        ],
    }));
    assert_eq!(scene.cloudzero.hours(STREAM, MONTH), 33);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.cloudzero.hours(STREAM, MONTH), 33);
    let mut holds = scene.cloudzero.holds(STREAM, MONTH);
    // A day may already have an adjustment, so rows are counted.
    let emptied = holds.total().rows - scene.month.holding.total().rows;
    assert_eq!(emptied, 2);
    assert_eq!(holds.total().cost, scene.month.holding.total().cost);
    holds.take_cleared_hours(&scene.month.holding);
    holds.without_rows().assert_is(
        &scene.month.holding.clone().without_rows(),
        "the stream holds",
    );
    deliver(&scene.to_stream(), &[]).ok().delivery("unchanged");
}

#[test]
fn replaces_rows_that_others_added() {
    let scene = Scene::new(&[]);
    scene.cloudzero.send(&json!({
        "month": "2026-10-01T00:00:00Z",
        "operation": "replace_drop",
        "data": [{ "time/usage_start": "2026-10-03T05:00:00Z", "cost/cost": "12.5" }],
    }));
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
}

#[test]
fn month_that_reverts_after_an_interrupted_delivery_is_exact() {
    // The first delivery sends seven requests; the second reads the stream, validates two bodies and sends the
    // first of them.
    let first = 7;
    let scene = Scene::of(&LARGE, &[&format!("cz-reset:1:after={}", first + 4)]);
    deliver(&scene.to_stream(), &[]).ok();
    assert_eq!(scene.cloudzero.cloudzero_requests().len(), first);
    scene.publish(&[LARGE[0], LARGE[1], RESTATED[0], RESTATED[1]]);
    let once = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    deliver(&once, &[]).code(7);
    assert_eq!(scene.cloudzero.fired("cz-reset"), 1);
    // Half of the stream is restated; now the month reverts.
    assert_ne!(scene.cloudzero.holds(STREAM, MONTH), scene.month.holding);
    let month = scene.publish(&LARGE);
    deliver(&once, &[]).ok().delivery("delivered");
    assert_eq!(scene.assert_streamed(&month), 0);
    assert_eq!(month, scene.month.holding);
}

#[test]
fn new_destination_gets_the_whole_month() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let other = scene.to_stream().without("CLOUDZERO_CONNECTION_ID");
    let add = [
        "destinations",
        "add",
        "cloudzero",
        "--stream",
        "--name",
        "other",
    ];
    other.run(&add).ok();
    deliver(&other, &[]).ok().delivery("delivered");
    let (_, id) = scene.cloudzero.connections().pop().unwrap();
    let holds = scene.cloudzero.holds(&id, MONTH);
    holds.assert_is(&scene.month.holding, "the other stream holds");

    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = scene.to_bucket().on_bucket(elsewhere.path());
    deliver(&moved, &[]).ok().delivery("delivered");
    deliver(&moved, &[]).ok().delivery("unchanged");
    assert_eq!(super::drops(elsewhere.path()).len(), 1);
}

#[test]
fn clears_one_destination_of_two() {
    let scene = Scene::new(&[]);
    let both = scene.to_stream().on_bucket(scene.bucket.path());
    deliver(&both, &[]).ok();
    let clear = [
        "--month",
        MONTH,
        "--empty",
        "--yes",
        "--destination",
        "stream",
    ];
    deliver(&both, &clear).ok().delivery("cleared");
    scene.assert_streamed(&Default::default());
    scene.assert_polled(&scene.month.holding);
    let statuses = || {
        let json = deliver(&both, &[]).ok().json();
        let all = json["deliveries"].as_array().unwrap().clone();
        all.iter().map(|d| d["status"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(), ["unchanged", "pinned"]);
    deliver(&both, &["--month", MONTH, "--empty", "--yes"]).ok();
    scene.assert_polled(&Default::default());
    assert_eq!(statuses(), ["pinned", "pinned"]);
    // A stream has no earlier drops.
    let roll_back = ["--month", MONTH, "--drop", "20261123T060000Z"];
    deliver(&scene.to_stream(), &roll_back)
        .code(3)
        .says(&["bucket"]);
}
