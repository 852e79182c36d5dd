//! `kill -9` during a delivery: the previous drop stays active and exact, and the next run delivers.

use std::time::Duration;

use super::{Scene, active_drop, deliver, drops};
use crate::support::{BUCKET, Holding, MONTH, names_below};

/// Month that was delivered and polled, then restated and published.
struct Restated {
    scene: Scene,
    /// The restated month.
    month: Holding,
}

impl Restated {
    fn new() -> Restated {
        let scene = Scene::new(&[]);
        deliver(&scene.to_bucket(), &[]).ok();
        scene.assert_polled(&scene.month.holding);
        let month = scene.publish(&["--revision", "1"]);
        Restated { scene, month }
    }

    fn manifest(&self) -> String {
        active_drop(self.scene.bucket.path()).unwrap()
    }

    /// Asserts that CloudZero has the old month, or the new one if the manifest has changed, which is returned.
    fn assert_whole(&self, before: &str) -> bool {
        let has_changed = self.manifest() != before;
        self.scene.cloudzero.poll().months();
        let holds = self.scene.cloudzero.holds(BUCKET, MONTH);
        let expected = if has_changed {
            &self.month
        } else {
            &self.scene.month.holding
        };
        holds.assert_is(expected, "after the kill the poller holds");
        has_changed
    }

    fn assert_recovers(&self) {
        deliver(&self.scene.to_bucket(), &[])
            .ok()
            .delivery("delivered");
        self.scene.assert_polled(&self.month);
        deliver(&self.scene.to_bucket(), &[])
            .ok()
            .delivery("unchanged");
    }
}

#[test]
fn kill_at_any_point_keeps_the_previous_drop_active() {
    let restated = Restated::new();
    let bucket = restated.scene.bucket.path();
    let before = restated.manifest();
    let (mut delay, mut kills) = (Duration::from_millis(5), 0);
    loop {
        let mut run = restated.scene.to_bucket().spawn(&["deliver"]);
        std::thread::sleep(delay);
        let running = run.is_running();
        if !run.kill() {
            break;
        }
        kills += u32::from(running);
        if restated.assert_whole(&before) {
            break;
        }
        delay += (delay / 4).max(Duration::from_millis(10));
    }
    assert!(kills > 0, "no run was killed");
    if drops(bucket).len() == 1 {
        restated.assert_recovers();
    }
    deliver(&restated.scene.to_bucket(), &[]).ok();
    restated.scene.assert_polled(&restated.month);

    // Files of killed runs are deleted later.
    let later = restated.scene.to_bucket().at("2099-01-01T00:00:00Z");
    deliver(&later, &["--gc", "1d"]).ok();
    assert_eq!(drops(bucket), [restated.manifest()]);
    assert_eq!(restated.scene.cloudzero.poll().months(), 0);
}

fn files(restated: &Restated) -> usize {
    let names = names_below(restated.scene.bucket.path());
    let drops = names.iter().filter(|name| !name.ends_with("manifest.json"));
    drops.count()
}

#[test]
fn recovers_from_a_kill_after_the_first_file() {
    let restated = Restated::new();
    let (before, count) = (restated.manifest(), files(&restated));
    let mut run = restated.scene.to_bucket().spawn(&["deliver"]);
    while run.is_running() && files(&restated) <= count {}
    run.kill();
    assert!(files(&restated) > count);
    if !restated.assert_whole(&before) {
        restated.assert_recovers();
    }
}

#[test]
fn recovers_from_a_kill_after_the_manifest() {
    let restated = Restated::new();
    let before = restated.manifest();
    let manifest = restated
        .scene
        .bucket
        .path()
        .join("20261001-20261101/manifest.json");
    let read = || std::fs::read(&manifest).unwrap();
    let content = read();
    let mut run = restated.scene.to_bucket().spawn(&["deliver"]);
    while run.is_running() && read() == content {}
    run.kill();
    assert!(restated.assert_whole(&before), "the manifest has changed");
    // The next run keeps the month active, whether or not the delivery was recorded.
    deliver(&restated.scene.to_bucket(), &[]).ok();
    restated.scene.assert_polled(&restated.month);
}

#[test]
fn kill_in_the_first_delivery_leaves_cloudzero_empty() {
    let scene = Scene::new(&[]);
    let mut run = scene.to_bucket().spawn(&["deliver"]);
    while run.is_running() && names_below(scene.bucket.path()).is_empty() {}
    run.kill();
    scene.cloudzero.poll().months();
    if active_drop(scene.bucket.path()).is_none() {
        let nothing = Holding::default();
        let holds = scene.cloudzero.holds(BUCKET, MONTH);
        holds.assert_is(&nothing, "the poller holds");
    }
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);
}
