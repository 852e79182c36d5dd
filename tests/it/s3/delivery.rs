//! Bucket destination on S3, separate from the store, as CloudZero reads it.

use tempfile::tempdir;

use super::server::{Bucket, on_s3, settings};
use super::{CREATED, REPLACED};
use crate::support::*;

#[test]
fn delivers_drops_to_a_bucket_that_cloudzero_polls() {
    let destination = Bucket::new("acme-billing", "cloudzero/confluent");
    let url = "s3://acme-billing/cloudzero/confluent";
    let store = tempdir().unwrap();
    let location = store.path().display().to_string();
    let billstream =
        |sandbox: &Sandbox| on_s3(&location).from(sandbox).env("BILLSTREAM_BUCKET", url);
    let manifest = format!("{}/manifest.json", drop_folder(MONTH));

    let first = Sandbox::start_with(&["--bucket", url], &settings());
    let run = billstream(&first);
    run.import(MONTH).ok().status("published");
    assert_eq!(first.poll().months(), 1);
    let before = expected(&run, &first.totals(MONTH));
    first.holds(BUCKET, MONTH).assert_is(&before, "first");
    assert_eq!(destination.puts(&manifest, CREATED), 1);
    assert!(!store.path().join("cloudzero").exists());

    let restated = Sandbox::start_with(&["--bucket", url, "--revision", "1"], &settings());
    let run = billstream(&restated);
    run.import(MONTH).ok().status("published");
    assert_eq!(restated.poll().months(), 1);
    let after = expected(&run, &restated.totals(MONTH));
    restated.holds(BUCKET, MONTH).assert_is(&after, "restated");
    assert_eq!(destination.puts(&manifest, REPLACED), 1);
    run.run(&["verify", "--month", MONTH]).ok();

    let first_drop = "20261123T060000Z";
    run.run(&["deliver", "--month", MONTH, "--drop", first_drop])
        .ok();
    assert_eq!(restated.poll().months(), 1);
    restated
        .holds(BUCKET, MONTH)
        .assert_is(&before, "rolled back");

    run.run(&["deliver", "--month", MONTH]).ok();
    restated.poll();
    restated
        .holds(BUCKET, MONTH)
        .assert_is(&after, "delivered again");
    let later = billstream(&restated).at("2099-01-01T00:00:00Z");
    later.run(&["deliver", "--gc", "30d"]).ok();
    assert_eq!(
        destination.objects("").len(),
        2,
        "one file and the manifest"
    );
    assert_eq!(restated.poll().months(), 0);
    later.run(&["deliver"]).ok();
}
