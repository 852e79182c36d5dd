//! Delivery to the sandbox's CloudZero: the content of its poller and its stream, in exact decimals.

#[path = "deliver/bucket.rs"]
mod bucket;
#[path = "deliver/claims.rs"]
mod claims;
#[path = "deliver/destinations.rs"]
mod destinations;
#[path = "deliver/disagreements.rs"]
mod disagreements;
#[path = "deliver/hourly.rs"]
mod hourly;
#[path = "deliver/imports.rs"]
mod imports;
#[path = "deliver/interrupted.rs"]
mod interrupted;
#[path = "deliver/limits.rs"]
mod limits;
#[path = "deliver/pins.rs"]
mod pins;
#[path = "deliver/rehearsal.rs"]
mod rehearsal;
#[path = "deliver/stream.rs"]
mod stream;
#[path = "deliver/stream_changes.rs"]
mod stream_changes;
#[path = "deliver/stream_faults.rs"]
mod stream_faults;
#[path = "deliver/tags.rs"]
mod tags;
#[path = "deliver/verify.rs"]
mod verify;
#[path = "deliver/verify_months.rs"]
mod verify_months;
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

/// Options of a sandbox whose month has two drop files, and two stream requests.
pub const LARGE: [&str; 2] = ["--costs-per-day", "250"];

/// Month of a sandbox, published in a store, and its totals.
pub struct Published {
    files: Files,
    pub totals: Totals,
    pub holding: Holding,
}

/// Returns [`MONTH`] of a sandbox with these options, imported once per test run.
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

/// Store with a published month, a bucket's folder, and CloudZero.
pub struct Scene {
    pub store: TempDir,
    pub bucket: TempDir,
    pub cloudzero: Sandbox,
    /// The month as first published.
    pub month: Arc<Published>,
}

impl Scene {
    /// Creates a scene with the smallest month.
    pub fn new(faults: &[&str]) -> Scene {
        Scene::of(&[], faults)
    }

    /// Creates a scene with the month of a sandbox with `options`, and a CloudZero with these faults.
    pub fn of(options: &[&str], faults: &[&str]) -> Scene {
        let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
        Scene::with_cloudzero(options, &faults.collect::<Vec<_>>())
    }

    /// Creates a scene with the month of a sandbox with `options`, and a CloudZero with other options.
    pub fn with_cloudzero(options: &[&str], cloudzero: &[&str]) -> Scene {
        let (store, bucket) = (tempdir().unwrap(), tempdir().unwrap());
        let month = published(options);
        write_files(store.path(), &month.files);
        let folder = bucket.path().display().to_string();
        let mut options = vec!["--bucket", folder.as_str()];
        options.extend(cloudzero);
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

    /// Publishes the month of a sandbox with other options without delivering it, and returns its totals.
    pub fn publish(&self, options: &[&str]) -> Holding {
        let confluent = Sandbox::start(options);
        let billstream = Billstream::on(self.store.path()).from(&confluent);
        let arguments = ["import", "--month", MONTH, "--no-deliver", "--allow-shrink"];
        billstream.run(&arguments).ok();
        let month = published(options);
        assert_eq!(month.totals, confluent.totals(MONTH));
        month.holding.clone()
    }

    /// Polls the bucket and asserts that CloudZero then holds this month.
    #[track_caller]
    pub fn assert_polled(&self, month: &Holding) {
        self.cloudzero.poll().months();
        let holds = self.cloudzero.holds(BUCKET, MONTH);
        holds.assert_is(month, "the poller holds");
    }

    /// Asserts that the stream holds this month and otherwise only cleared hours, and returns their number.
    #[track_caller]
    pub fn assert_streamed(&self, month: &Holding) -> u64 {
        let mut holds = self.cloudzero.holds(STREAM, MONTH);
        let cleared = holds.take_cleared_hours(month);
        holds.assert_is(month, "the stream holds");
        cleared
    }
}

/// Returns the drops of the month that have files in a bucket, complete or not, in order.
pub fn drops(bucket: &Path) -> Vec<String> {
    let names = names_below(&bucket.join("20261001-20261101"));
    let drops = names
        .iter()
        .filter_map(|name| Some(name.split_once('/')?.0));
    let drops: BTreeSet<&str> = drops.collect();
    drops.into_iter().map(str::to_string).collect()
}

/// Returns the drop that the month's manifest names.
pub fn active_drop(bucket: &Path) -> Option<String> {
    let manifest = std::fs::read(bucket.join("20261001-20261101/manifest.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["version"], "1.3.0");
    assert_eq!(manifest.as_object().unwrap().len(), 2, "{manifest}");
    Some(manifest["current_drop_id"].as_str().unwrap().to_string())
}

/// Runs `deliver --format json` with more arguments.
pub fn deliver(billstream: &Billstream, arguments: &[&str]) -> Output {
    let mut all = vec!["deliver", "--format", "json"];
    all.extend(arguments);
    billstream.run(&all)
}

/// Asserts that a delivered month stays unchanged when it is delivered again, also by name, and imported again.
pub fn assert_unchanged(later: Billstream, confluent: &Sandbox) {
    deliver(&later, &[]).ok().delivery("unchanged");
    deliver(&later, &["--month", MONTH])
        .ok()
        .delivery("unchanged");
    later.from(confluent).import(MONTH).ok().status("unchanged");
}
