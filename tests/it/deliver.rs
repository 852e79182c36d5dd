//! Delivery to CloudZero, which the sandbox plays: what its poller and its stream hold afterwards, in
//! exact decimals.

#[path = "deliver/bucket.rs"]
mod bucket;
#[path = "deliver/cut_off.rs"]
mod cut_off;
#[path = "deliver/hourly.rs"]
mod hourly;
#[path = "deliver/imports.rs"]
mod imports;
#[path = "deliver/limits.rs"]
mod limits;
#[path = "deliver/pins.rs"]
mod pins;
#[path = "deliver/stream.rs"]
mod stream;
#[path = "deliver/stream_changes.rs"]
mod stream_changes;
#[path = "deliver/stream_faults.rs"]
mod stream_faults;
#[path = "deliver/tags.rs"]
mod tags;
#[path = "deliver/targets.rs"]
mod targets;
#[path = "deliver/verify.rs"]
mod verify;
#[path = "deliver/warnings.rs"]
mod warnings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use tempfile::{TempDir, tempdir};

use crate::support::{
    BUCKET, Billstream, Files, Holding, MONTH, Output, STREAM, Sandbox, Totals, expected,
    files_below, names_below, write_files,
};

/// Options of a sandbox whose month makes two files of a drop, and two requests of a stream.
pub const LARGE: [&str; 2] = ["--costs-per-day", "250"];

/// A month as a sandbox with some options has it: published in a store, and what it adds up to.
pub struct Published {
    files: Files,
    pub totals: Totals,
    pub holding: Holding,
}

/// [`MONTH`] of a sandbox with these options. It is imported once a test run.
pub fn published(options: &[&str]) -> Arc<Published> {
    type Once = Arc<OnceLock<Arc<Published>>>;
    static ALL: Mutex<BTreeMap<String, Once>> = Mutex::new(BTreeMap::new());
    let once = ALL
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .entry(options.join(" "))
        .or_default()
        .clone();
    once.get_or_init(|| {
        let (sandbox, store) = (Sandbox::start(options), tempdir().unwrap());
        let billstream = Billstream::on(store.path()).from(&sandbox);
        billstream
            .run(&["import", "--month", MONTH, "--no-deliver"])
            .ok();
        let totals = sandbox.totals(MONTH);
        Arc::new(Published {
            holding: expected(&billstream, &totals),
            files: files_below(store.path()),
            totals,
        })
    })
    .clone()
}

/// A store in which the month is published, a bucket's folder, and CloudZero.
pub struct Scene {
    pub store: TempDir,
    pub bucket: TempDir,
    pub cloudzero: Sandbox,
    /// What the month is at first.
    pub month: Arc<Published>,
}

impl Scene {
    /// With the fewest costs.
    pub fn new(faults: &[&str]) -> Scene {
        Scene::of(&[], faults)
    }

    /// With the month of a sandbox with `options`, and a CloudZero in which these faults wait.
    pub fn of(options: &[&str], faults: &[&str]) -> Scene {
        let (store, bucket) = (tempdir().unwrap(), tempdir().unwrap());
        let month = published(options);
        write_files(store.path(), &month.files);
        let folder = bucket.path().display().to_string();
        let mut options = vec!["--bucket", folder.as_str()];
        options.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
        Scene {
            cloudzero: Sandbox::start(&options),
            store,
            bucket,
            month,
        }
    }

    /// Delivers to the bucket.
    pub fn to_bucket(&self) -> Billstream {
        Billstream::on(self.store.path()).on_bucket(self.bucket.path())
    }

    /// Delivers to the stream.
    pub fn to_stream(&self) -> Billstream {
        Billstream::on(self.store.path()).on_stream(&self.cloudzero)
    }

    /// Publishes the month of a sandbox with other options, without delivering it, and gives what it
    /// has to be at CloudZero.
    pub fn publish(&self, options: &[&str]) -> Holding {
        let confluent = Sandbox::start(options);
        let billstream = Billstream::on(self.store.path()).from(&confluent);
        let arguments = ["import", "--month", MONTH, "--no-deliver", "--allow-shrink"];
        billstream.run(&arguments).ok();
        let month = published(options);
        assert_eq!(month.totals, confluent.totals(MONTH));
        month.holding.clone()
    }

    /// Polls the bucket, and asserts that the month is this one then.
    #[track_caller]
    pub fn assert_polled(&self, month: &Holding) {
        self.cloudzero.poll().months();
        let holds = self.cloudzero.holds(BUCKET, MONTH);
        holds.assert_is(month, "the poller holds");
    }

    /// Asserts that the stream holds this month and nothing else but emptied hours, of which it gives
    /// the number.
    #[track_caller]
    pub fn assert_streamed(&self, month: &Holding) -> u64 {
        let mut holds = self.cloudzero.holds(STREAM, MONTH);
        let emptied = holds.take_emptied(month);
        holds.assert_is(month, "the stream holds");
        emptied
    }
}

/// Drops of the month of which a bucket has files, whole or not, in their order.
pub fn drops(bucket: &Path) -> Vec<String> {
    let names = names_below(&bucket.join("20261001-20261101"));
    let drops = names
        .iter()
        .filter_map(|name| Some(name.split_once('/')?.0));
    let drops: BTreeSet<&str> = drops.collect();
    drops.into_iter().map(str::to_string).collect()
}

/// The drop that the month's manifest names.
pub fn in_force(bucket: &Path) -> Option<String> {
    let manifest = std::fs::read(bucket.join("20261001-20261101/manifest.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["version"], "1.3.0");
    assert_eq!(manifest.as_object().unwrap().len(), 2, "{manifest}");
    Some(manifest["current_drop_id"].as_str().unwrap().to_string())
}

/// `deliver --format json` with more arguments.
pub fn deliver(billstream: &Billstream, arguments: &[&str]) -> Output {
    let mut all = vec!["deliver", "--format", "json"];
    all.extend(arguments);
    billstream.run(&all)
}

/// Asserts that a month that was delivered stays as it is: delivered again, by name too, and imported
/// again.
pub fn assert_unchanged(later: Billstream, confluent: &Sandbox) {
    deliver(&later, &[]).ok().delivery("unchanged");
    deliver(&later, &["--month", MONTH])
        .ok()
        .delivery("unchanged");
    later.from(confluent).import(MONTH).ok().status("unchanged");
}
