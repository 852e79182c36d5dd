//! Bucket destination: new drops, changed months, and the content of folders.

use tempfile::tempdir;

use super::{LARGE, Scene, active_drop, assert_unchanged, deliver, drops, published};
use crate::support::{
    BUCKET, Billstream, Holding, MONTH, Sandbox, csv_gz_rows, files_below, names_below,
};

const RESTATED: [&str; 2] = ["--revision", "1"];
const LOST_DAY: &str = "2026-10-15";

#[test]
fn first_delivery_reaches_the_poller_exactly() {
    let scene = Scene::new(&[]);
    let delivery = deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    let total = scene.month.holding.total();
    assert_eq!(delivery["rows"], total.rows);
    assert_eq!(delivery["target"], "bucket");
    assert_eq!(delivery["billing_period"], MONTH);
    let files = files_below(scene.bucket.path());
    let bytes: usize = files
        .iter()
        .filter(|(name, _)| name.ends_with(".csv.gz"))
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert_eq!(delivery["bytes"], bytes);

    let drop_id = delivery["drop_id"].as_str().unwrap();
    assert_eq!(active_drop(scene.bucket.path()).as_deref(), Some(drop_id));
    let poll = scene.cloudzero.poll();
    let ingested = poll.ingested(drop_id);
    assert_eq!(ingested["files"], delivery["parts"]);
    assert_eq!(ingested["rows"], total.rows);
    let holds = scene.cloudzero.holds(BUCKET, MONTH);
    holds.assert_is(&scene.month.holding, "the poller holds");
    assert_eq!(total.cost.to_string(), scene.month.totals.net);
    assert!(
        scene.cloudzero.cloudzero_requests().is_empty(),
        "sends no requests without a key"
    );
}

#[test]
fn import_delivers_and_a_restated_month_replaces_the_drop() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);

    let confluent = Sandbox::start(&RESTATED);
    let importing = scene
        .to_bucket()
        .from(&confluent)
        .at("2026-11-23T07:00:00Z");
    importing.import(MONTH).ok().status("published");
    let restated = published(&RESTATED);
    assert_ne!(restated.totals.net, scene.month.totals.net);
    scene.assert_polled(&restated.holding);
    assert_eq!(
        drops(scene.bucket.path()),
        ["20261123T060000Z", "20261123T070000Z"]
    );
}

#[test]
fn removes_a_lost_day_from_the_bucket() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);
    let confluent = Sandbox::start(&["--drop-day", LOST_DAY]);
    let importing = scene.to_bucket().from(&confluent);
    // The month is on hold first, so CloudZero keeps the previous one.
    importing.import(MONTH);
    scene.assert_polled(&scene.month.holding);

    importing
        .run(&["import", "--month", MONTH, "--allow-shrink"])
        .ok();
    let shrunk = published(&["--drop-day", LOST_DAY]);
    assert!(!shrunk.holding.has_day(LOST_DAY));
    scene.assert_polled(&shrunk.holding);
}

#[test]
fn unchanged_month_creates_no_drop() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);
    let before = files_below(scene.bucket.path());

    let later = scene.to_bucket().at("2026-11-24T06:00:00Z");
    assert_unchanged(later, &confluent);
    assert!(files_below(scene.bucket.path()) == before);
    assert_eq!(scene.cloudzero.poll().months(), 0);
}

#[test]
fn dry_run_counts_without_writing() {
    let scene = Scene::new(&[]);
    let before = files_below(scene.store.path());
    let dry = deliver(&scene.to_bucket(), &["--dry-run"])
        .ok()
        .delivery("dry-run");
    assert!(names_below(scene.bucket.path()).is_empty());
    let mut after = files_below(scene.store.path());
    after.retain(|name, _| !name.starts_with("runs/2") && !name.starts_with("runs/leases"));
    let mut before = before;
    before.retain(|name, _| !name.starts_with("runs/2") && !name.starts_with("runs/leases"));
    assert!(after == before, "{:?}", after.keys());

    let real = deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    for key in ["rows", "bytes", "parts"] {
        assert_eq!(dry[key], real[key], "{key}");
    }
}

#[test]
fn equal_months_give_equal_bytes() {
    let drop_of = |now: &str| {
        let scene = Scene::new(&[]);
        deliver(&scene.to_bucket().at(now), &[]).ok();
        let drop_id = active_drop(scene.bucket.path()).unwrap();
        let folder = scene.bucket.path().join("20261001-20261101").join(drop_id);
        files_below(&folder)
    };
    let (first, second) = (
        drop_of("2026-11-23T06:00:00Z"),
        drop_of("2026-11-25T18:30:00Z"),
    );
    assert!(!first.is_empty());
    assert!(first == second);
}

#[test]
fn drop_contains_only_csv_gz_files() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let drop_id = active_drop(scene.bucket.path()).unwrap();
    for name in names_below(scene.bucket.path()) {
        let (period, rest) = name.split_once('/').unwrap();
        assert_eq!(period, "20261001-20261101");
        let file = rest
            .strip_prefix(&format!("{drop_id}/"))
            .is_some_and(|file| file.ends_with(".csv.gz") && !file.contains('/'));
        assert!(file || rest == "manifest.json", "{name}");
    }
}

#[test]
fn drops_of_the_same_second_have_different_ids() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let restated = scene.publish(&RESTATED);
    let delivery = deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    assert_eq!(
        drops(scene.bucket.path()),
        ["20261123T060000Z", "20261123T060000Z-2"]
    );
    assert_eq!(delivery["drop_id"], "20261123T060000Z-2");
    scene.assert_polled(&restated);
}

#[test]
fn poller_ingests_every_file_of_a_drop() {
    let scene = Scene::of(&LARGE, &[]);
    let delivery = deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    let drop_id = delivery["drop_id"].as_str().unwrap();
    assert!(delivery["parts"].as_u64().unwrap() > 1, "{delivery}");
    let folder = scene.bucket.path().join("20261001-20261101").join(drop_id);
    let files = files_below(&folder);
    assert_eq!(delivery["parts"], files.len());
    let rows: Vec<_> = files
        .values()
        .flat_map(|bytes| csv_gz_rows(bytes))
        .collect();
    Holding::from_line_items(&rows).assert_is(&scene.month.holding, "the files have");
    assert_eq!(
        scene.cloudzero.poll().ingested(drop_id)["files"],
        files.len()
    );
    scene.assert_polled(&scene.month.holding);
}

#[test]
fn corrects_a_manifest_that_was_edited() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let restated = scene.publish(&RESTATED);
    deliver(&scene.to_bucket(), &[]).ok();
    // Edited to name the first drop, which is outdated.
    let manifest = scene.bucket.path().join("20261001-20261101/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let moved = text.replace("20261123T060000Z-2", "20261123T060000Z");
    assert_ne!(moved, text);
    std::fs::write(&manifest, moved).unwrap();
    scene.assert_polled(&scene.month.holding);

    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    scene.assert_polled(&restated);
}

#[test]
fn delivers_to_the_store_by_default() {
    let scene = Scene::new(&[]);
    let billstream = Billstream::on(scene.store.path());
    deliver(&billstream, &[]).ok().delivery("delivered");
    let folder = scene.store.path().join("cloudzero/confluent");
    let drop_id = active_drop(&folder).unwrap();
    let files = files_below(&folder.join("20261001-20261101").join(drop_id));
    let rows: Vec<_> = files
        .values()
        .flat_map(|bytes| csv_gz_rows(bytes))
        .collect();
    Holding::from_line_items(&rows).assert_is(&scene.month.holding, "the files have");
}

#[test]
fn refuses_months_that_are_not_published() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &["--month", "2026-08"])
        .code(2)
        .says(&["2026-08", "billstream import"]);
    deliver(&scene.to_bucket(), &["--destination", "stream"])
        .code(3)
        .says(&["stream"]);
    let empty = tempdir().unwrap();
    let nothing = Billstream::on(empty.path()).on_bucket(scene.bucket.path());
    let report = deliver(&nothing, &[]);
    assert!(report.stderr.contains("nothing is published") || report.code != 0);
    assert!(names_below(scene.bucket.path()).is_empty());
}

#[test]
fn delivers_each_month_separately() {
    let (confluent, scene) = (Sandbox::start(&[]), Scene::new(&[]));
    let importing = scene.to_bucket().from(&confluent);
    importing
        .run(&["import", "--from", "2026-09", "--to", MONTH])
        .ok();
    assert_eq!(scene.cloudzero.poll().months(), 2);
    for month in ["2026-09", MONTH] {
        let totals = confluent.totals(month);
        let expected = crate::support::expected(&importing, &totals);
        let holds = scene.cloudzero.holds(BUCKET, month);
        holds.assert_is(&expected, "the poller holds");
    }
}

#[test]
fn rewrites_a_drop_that_lost_a_file() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let file = names_below(scene.bucket.path())
        .into_iter()
        .find(|name| name.ends_with(".csv.gz"))
        .unwrap();
    std::fs::remove_file(scene.bucket.path().join(file)).unwrap();
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    scene.assert_polled(&scene.month.holding);
    deliver(&scene.to_bucket(), &[]).ok().delivery("unchanged");
}
