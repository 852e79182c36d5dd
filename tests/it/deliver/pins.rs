//! Months that are rolled back to an earlier drop or cleared, and deletion of old drops.

use super::{Scene, active_drop, deliver, drops};
use crate::support::{
    BUCKET, Holding, MONTH, STREAM, Sandbox, csv_gz_rows, drop_folder, files_below, names_below,
};

/// Scene whose bucket received the month and then its restatement, which is returned.
fn delivered_twice() -> (Scene, Holding) {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let restated = scene.publish(&["--revision", "1"]);
    let later = scene.to_bucket().at("2026-11-23T07:00:00Z");
    deliver(&later, &[]).ok();
    scene.assert_polled(&restated);
    (scene, restated)
}

const FIRST: &str = "20261123T060000Z";

#[test]
fn rolled_back_month_stays_until_delivered_by_name() {
    let (scene, _) = delivered_twice();
    let billstream = scene.to_bucket();
    let roll_back = ["--month", MONTH, "--drop", FIRST];
    deliver(
        &billstream,
        &["--month", MONTH, "--drop", FIRST, "--dry-run"],
    )
    .ok();
    assert_eq!(
        active_drop(scene.bucket.path()).as_deref(),
        Some("20261123T070000Z")
    );
    let delivery = deliver(&billstream, &roll_back)
        .ok()
        .delivery("pointed-back");
    assert_eq!(delivery["drop_id"], FIRST);
    assert_eq!(delivery["rows"], scene.month.holding.total().rows);
    assert_eq!(drops(scene.bucket.path()).len(), 2);
    scene.assert_polled(&scene.month.holding);

    // Neither an unchanged nor a changed month replaces it.
    deliver(&billstream, &[]).ok().delivery("pinned");
    let confluent = Sandbox::start(&["--revision", "2"]);
    let importing = scene.to_bucket().from(&confluent);
    importing.import(MONTH).ok().status("published");
    assert_eq!(active_drop(scene.bucket.path()).as_deref(), Some(FIRST));
    assert_eq!(scene.cloudzero.poll().months(), 0);
    deliver(&billstream, &[]).ok().delivery("pinned");

    // Delivering it by name ends the pin.
    deliver(&billstream, &["--month", MONTH])
        .ok()
        .delivery("delivered");
    let now = crate::support::expected(&importing, &confluent.totals(MONTH));
    scene.assert_polled(&now);
    deliver(&billstream, &[]).ok().delivery("unchanged");
}

#[test]
fn refuses_unknown_drops() {
    let (scene, restated) = delivered_twice();
    let file = format!("{FIRST}/line_items-00-0001.csv.gz");
    for id in ["20200101T000000Z", "..", "", "manifest.json", &file, "a/b"] {
        let output = deliver(&scene.to_bucket(), &["--month", MONTH, "--drop", id]).code(2);
        assert!(output.stdout.is_empty(), "{id}");
    }
    deliver(
        &scene.to_bucket(),
        &["--month", MONTH, "--drop", "20200101T000000Z"],
    )
    .code(2)
    .says(&[FIRST, "20261123T070000Z"]);
    deliver(&scene.to_bucket(), &["--drop", FIRST]).code(2);
    scene.assert_polled(&restated);
}

#[test]
fn refuses_to_roll_back_to_an_unreadable_drop() {
    let (scene, restated) = delivered_twice();
    let folder = scene.bucket.path().join("20261001-20261101").join(FIRST);
    for (name, bytes) in files_below(&folder) {
        std::fs::write(folder.join(name), &bytes[..bytes.len() / 2]).unwrap();
    }
    deliver(&scene.to_bucket(), &["--month", MONTH, "--drop", FIRST]).code(5);
    scene.assert_polled(&restated);
}

#[test]
fn clearing_a_month_needs_confirmation() {
    let (scene, restated) = delivered_twice();
    let before = files_below(scene.bucket.path());
    deliver(&scene.to_bucket(), &["--month", MONTH, "--empty"])
        .code(2)
        .says(&["--yes"]);
    deliver(&scene.to_bucket(), &["--empty", "--yes"]).code(2);
    deliver(
        &scene.to_bucket(),
        &["--month", MONTH, "--empty", "--dry-run"],
    )
    .ok();
    assert!(files_below(scene.bucket.path()) == before);
    scene.assert_polled(&restated);

    let clear = ["--month", MONTH, "--empty", "--yes"];
    let delivery = deliver(&scene.to_bucket(), &clear).ok().delivery("cleared");
    assert_eq!(delivery["rows"], 0);
    scene.assert_polled(&Holding::default());
    let folder = scene
        .bucket
        .path()
        .join("20261001-20261101")
        .join(delivery["drop_id"].as_str().unwrap());
    let files = files_below(&folder);
    assert_eq!(files.len(), 1);
    assert!(files.values().all(|bytes| csv_gz_rows(bytes).is_empty()));

    let confluent = Sandbox::start(&["--revision", "2"]);
    scene.to_bucket().from(&confluent).import(MONTH).ok();
    deliver(&scene.to_bucket(), &[]).ok().delivery("pinned");
    scene.assert_polled(&Holding::default());

    deliver(&scene.to_bucket(), &["--month", MONTH])
        .ok()
        .delivery("delivered");
    assert_ne!(scene.cloudzero.poll().months(), 0);
    let cost = scene.cloudzero.holds(BUCKET, MONTH).total().cost;
    assert_eq!(cost.to_string(), confluent.totals(MONTH).net);
}

#[test]
fn cleared_stream_stays_until_delivered_by_name() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    deliver(&scene.to_stream(), &["--month", MONTH, "--empty"]).code(2);
    scene.assert_streamed(&scene.month.holding);

    let clear = ["--month", MONTH, "--empty", "--yes"];
    deliver(&scene.to_stream(), &clear).ok().delivery("cleared");
    assert_eq!(scene.assert_streamed(&Holding::default()), 1);
    let total = scene.cloudzero.holds(STREAM, MONTH).total();
    assert_eq!((total.rows, total.cost.to_string()), (1, "0".into()));

    deliver(&scene.to_stream(), &[]).ok().delivery("pinned");
    let sent = scene.cloudzero.sent().len();
    scene.publish(&["--revision", "1"]);
    deliver(&scene.to_stream(), &[]).ok().delivery("pinned");
    assert_eq!(scene.cloudzero.sent().len(), sent);
    let restated = scene.publish(&["--revision", "2"]);
    deliver(&scene.to_stream(), &["--month", MONTH])
        .ok()
        .delivery("delivered");
    assert_eq!(scene.assert_streamed(&restated), 0);
}

#[test]
fn gc_deletes_only_old_inactive_drops() {
    let (scene, restated) = delivered_twice();
    let bucket = scene.bucket.path();
    deliver(&scene.to_bucket(), &["--month", MONTH, "--drop", FIRST]).ok();
    scene.assert_polled(&scene.month.holding);
    // Too young, by the clock of the bucket.
    let young = deliver(
        &scene.to_bucket().at("2020-01-01T00:00:00Z"),
        &["--gc", "1h"],
    )
    .ok();
    assert_eq!(young.json()["collected"]["drops"], 0);
    assert_eq!(drops(bucket).len(), 2);

    let later = scene.to_bucket().at("2099-01-01T00:00:00Z");
    let dry = deliver(&later, &["--gc", "30d", "--dry-run"]).ok().json();
    assert_eq!(dry["collected"]["drops"], 1, "{dry}");
    assert_eq!(drops(bucket).len(), 2);
    let files = names_below(bucket).len();
    let collected = deliver(&later, &["--gc", "30d"]).ok().json();
    assert_eq!(collected["collected"], dry["collected"]);
    assert_eq!(drops(bucket), [FIRST]);
    let again = deliver(&later, &["--gc", "30d"]).ok().json();
    assert_eq!(
        again["collected"]["drops"], 0,
        "everything is deleted: {again}"
    );
    let gone = files - names_below(bucket).len();
    assert_eq!(collected["collected"]["files"], gone);
    assert_eq!(scene.cloudzero.poll().months(), 0);

    // The drop is deleted; the published month can be delivered again.
    deliver(&scene.to_bucket(), &["--month", MONTH])
        .ok()
        .delivery("delivered");
    scene.assert_polled(&restated);
    deliver(&scene.to_bucket(), &["--gc", "soon"]).code(2);
}

#[test]
fn refuses_to_roll_back_to_a_drop_left_by_a_crash() {
    let (scene, _) = delivered_twice();
    let folder = scene.bucket.path().join(drop_folder(MONTH));
    let part = folder.join("20261101T000000Z");
    std::fs::create_dir(&part).unwrap();
    let whole = folder.join(FIRST).join("line_items-00-0001.csv.gz");
    std::fs::copy(whole, part.join("line_items-00-0001.csv.gz")).unwrap();
    deliver(
        &scene.to_bucket(),
        &["--month", MONTH, "--drop", "20261101T000000Z"],
    )
    .code(2)
    .says(&["never active", FIRST]);
}

#[test]
fn gc_deletes_files_left_by_a_killed_writer() {
    let (scene, _) = delivered_twice();
    let bucket = scene.bucket.path();
    let left = bucket.join("20261001-20261101/20261123T080000Z");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("00000.csv.gz#1"), "incomplete").unwrap();
    assert_eq!(drops(bucket).len(), 3);
    let later = scene.to_bucket().at("2099-01-01T00:00:00Z");
    let collected = deliver(&later, &["--gc", "30d"]).ok().json();
    assert_eq!(collected["collected"]["drops"], 2, "{collected}");
    assert_eq!(drops(bucket), [active_drop(bucket).unwrap()]);
}

#[test]
fn gc_does_not_follow_symbolic_links() {
    let (scene, _) = delivered_twice();
    let bucket = scene.bucket.path();
    let outside = tempfile::tempdir().unwrap();
    for (folder, link) in [
        ("drop", bucket.join("20261001-20261101/20251101T000000Z")),
        ("month", bucket.join("20200101-20200201")),
    ] {
        let inner = outside.path().join(folder).join("20200101T000000Z");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("precious"), "x").unwrap();
        std::os::unix::fs::symlink(inner.parent().unwrap(), link).unwrap();
    }
    let partly = bucket.join("20261001-20261101/20251102T000000Z");
    std::fs::create_dir(&partly).unwrap();
    std::os::unix::fs::symlink(outside.path(), partly.join("link")).unwrap();
    let later = scene.to_bucket().at("2099-01-01T00:00:00Z");
    let output = deliver(&later, &["--gc", "30d"]).ok();
    output.clone().says(&["symbolic link"]);
    assert_eq!(output.json()["collected"]["drops"], 1);
    assert_eq!(names_below(outside.path()).len(), 2);
    assert!(partly.exists());
}
