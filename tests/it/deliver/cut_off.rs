//! `kill -9` in a delivery: the drop before stays in force, the poller holds it exactly, and the next
//! run delivers.

use std::time::Duration;

use super::{Scene, deliver, drops, in_force};
use crate::support::{BUCKET, Holding, MONTH, names_below};

/// A month that was delivered and polled, and published anew since.
struct Restated {
    scene: Scene,
    /// What it is now.
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
        in_force(self.scene.bucket.path()).unwrap()
    }

    /// Asserts that CloudZero has the old month, or the new one once the manifest has moved. True if it
    /// has.
    fn assert_whole(&self, before: &str) -> bool {
        let moved = self.manifest() != before;
        self.scene.cloudzero.poll().months();
        let holds = self.scene.cloudzero.holds(BUCKET, MONTH);
        let expected = if moved {
            &self.month
        } else {
            &self.scene.month.holding
        };
        holds.assert_is(expected, "after the cut-off the poller holds");
        moved
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
fn killed_at_many_points_the_old_drop_stays_in_force() {
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
    assert!(kills > 0, "no kill has hit");
    if drops(bucket).len() == 1 {
        restated.assert_recovers();
    }
    deliver(&restated.scene.to_bucket(), &[]).ok();
    restated.scene.assert_polled(&restated.month);

    // What the killed runs left behind is collected later.
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
fn killed_when_a_file_of_the_drop_is_there() {
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
fn killed_when_the_manifest_has_moved() {
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
    assert!(restated.assert_whole(&before), "the manifest has moved");
    // Whether or not the record of it was written: the next run leaves the same month in force.
    deliver(&restated.scene.to_bucket(), &[]).ok();
    restated.scene.assert_polled(&restated.month);
}

#[test]
fn killed_in_the_first_delivery_cloudzero_has_nothing() {
    let scene = Scene::new(&[]);
    let mut run = scene.to_bucket().spawn(&["deliver"]);
    while run.is_running() && names_below(scene.bucket.path()).is_empty() {}
    run.kill();
    scene.cloudzero.poll().months();
    if in_force(scene.bucket.path()).is_none() {
        let nothing = Holding::default();
        let holds = scene.cloudzero.holds(BUCKET, MONTH);
        holds.assert_is(&nothing, "the poller holds");
    }
    deliver(&scene.to_bucket(), &[]).ok();
    scene.assert_polled(&scene.month.holding);
}
