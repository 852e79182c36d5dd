//! Imports that deliver, or do not: what is published stays published, and what was not delivered is
//! taken up by a later run.

use super::{Scene, deliver, drops, published};
use crate::support::{Billstream, Holding, MONTH, STREAM, Sandbox, expected, names_below};

const RESTATED: [&str; 2] = ["--revision", "1"];

#[test]
fn a_failed_delivery_does_not_undo_the_import() {
    let scene = Scene::new(&["cz-403:1:after=3"]);
    let confluent = Sandbox::start(&["--revision", "1"]);
    let importing = scene.to_stream().from(&confluent);
    let output = importing.import(MONTH);
    assert_ne!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("CLOUDZERO_API_KEY"), "{output:?}");
    assert_eq!(scene.cloudzero.fired("cz-403"), 1);
    let totals = confluent.totals(MONTH);
    let month = expected(&importing, &totals);
    // The costs are the same, and the month is delivered all the same.
    importing.import(MONTH).ok();
    assert_eq!(scene.assert_streamed(&month), 0);
}

#[test]
fn a_stream_that_fails_does_not_keep_the_bucket_from_its_drop() {
    let scene = Scene::new(&["cz-403:1:after=3"]);
    let confluent = Sandbox::start(&RESTATED);
    let both = scene
        .to_stream()
        .on_bucket(scene.bucket.path())
        .from(&confluent);
    both.import(MONTH).code(4).says(&["CLOUDZERO_API_KEY"]);
    let month = &published(&RESTATED).holding;
    scene.assert_polled(month);
    assert_eq!(scene.assert_streamed(&Holding::default()), 0);
    // The second run has the stream's half to do.
    let json = deliver(&both, &[]).ok().json();
    assert_eq!(json["deliveries"][0]["status"], "unchanged");
    assert_eq!(json["deliveries"][1]["status"], "delivered");
    assert_eq!(scene.assert_streamed(month), 0);
}

#[test]
fn a_month_that_fails_does_not_keep_the_others_back() {
    let scene = Scene::new(&["cz-400:1:after=3"]);
    let confluent = Sandbox::start(&[]);
    let importing = scene.to_stream().from(&confluent);
    let two = ["--from", "2026-09", "--to", MONTH];
    importing
        .run(&[&["import", "--no-deliver"][..], &two].concat())
        .ok();
    let output = deliver(&importing, &[]).code(4);
    assert_eq!(scene.cloudzero.fired("cz-400"), 1);
    assert_eq!(output.json()["deliveries"][0]["billing_period"], MONTH);
    let month = |month| expected(&importing, &confluent.totals(month));
    scene.assert_streamed(&month(MONTH));
    assert!(scene.cloudzero.holds(STREAM, "2026-09").0.is_empty());
    deliver(&importing, &[]).ok();
    let holds = scene.cloudzero.holds(STREAM, "2026-09");
    holds.assert_is(&month("2026-09"), "the stream holds");
}

#[test]
fn a_month_that_was_left_out_is_delivered_by_the_next_import() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let importing = scene.to_bucket().from(&confluent);
    assert!(names_below(scene.bucket.path()).is_empty());
    // The month is settled: only the target is behind.
    importing.run(&["import"]).ok();
    scene.assert_polled(&scene.month.holding);
    assert_eq!(drops(scene.bucket.path()).len(), 1);
}

#[test]
fn neither_pull_nor_transform_nor_a_dry_run_delivers() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let both = scene
        .to_stream()
        .on_bucket(scene.bucket.path())
        .from(&confluent);
    for arguments in [
        &["import", "--dry-run"][..],
        &["import", "--no-deliver"],
        &["pull"],
        &["transform"],
    ] {
        both.run(&[arguments, &["--month", MONTH]].concat()).ok();
        assert!(scene.cloudzero.asked().is_empty(), "{arguments:?}");
        assert!(names_below(scene.bucket.path()).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_remembered_stream_needs_its_key_where_it_delivers_only() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let stream = scene.to_stream();
    let add = ["targets", "add", "cloudzero", "--stream"];
    stream
        .run(&[&add[..], &["--cloudzero-connection", STREAM]].concat())
        .ok();
    deliver(&stream, &[]).ok();
    let keyless = Billstream::on(scene.store.path()).from(&confluent);
    keyless.import(MONTH).code(3).says(&["CLOUDZERO_API_KEY"]);
    deliver(&keyless, &[]).code(3).says(&["CLOUDZERO_API_KEY"]);
    keyless
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    keyless.run(&["transform", "--month", MONTH]).ok();
    assert!(!keyless.line_items(MONTH).is_empty());
    assert!(
        !scene.store.path().join("cloudzero").exists(),
        "it does not fall back to a folder"
    );
    scene.assert_streamed(&scene.month.holding);
}

#[test]
fn a_stream_that_the_environment_no_longer_names_is_missed() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let without = Billstream::on(scene.store.path());
    deliver(&without, &[])
        .ok()
        .says(&["No target is set", STREAM]);
    assert!(scene.store.path().join("cloudzero").exists());
}

#[test]
fn a_cloudzero_that_is_not_there_is_the_remote_side() {
    let mut scene = Scene::new(&[]);
    let stream = scene.to_stream().env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    scene.cloudzero.stop();
    deliver(&stream, &[]).code(7).says(&["CloudZero"]);
    let elsewhere = stream.env("CLOUDZERO_API_URL", "http://cloudzero.invalid");
    deliver(&elsewhere, &[])
        .code(3)
        .says(&["CLOUDZERO_API_URL", "https"]);
    let odd = elsewhere.env("CLOUDZERO_CONNECTION_ID", "a/../b");
    deliver(&odd, &[])
        .code(3)
        .says(&["CLOUDZERO_CONNECTION_ID"]);
}

#[test]
fn an_import_killed_before_it_delivers_is_made_good_by_the_next() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let both = scene
        .to_stream()
        .on_bucket(scene.bucket.path())
        .from(&confluent);
    let log = scene.store.path().join("line_items/_delta_log");
    let commits = || names_below(&log).len();
    let before = commits();
    let mut run = both.spawn(&["import", "--month", MONTH]);
    while run.is_running() && commits() <= before {}
    run.kill();
    assert!(commits() > before);
    both.import(MONTH).ok();
    let month = &published(&RESTATED).holding;
    scene.assert_polled(month);
    assert_eq!(scene.assert_streamed(month), 0);
}

#[test]
fn a_month_that_is_held_is_delivered_as_it_was_published() {
    let (scene, store) = (Scene::new(&[]), tempfile::tempdir().unwrap());
    let (whole, lost) = (
        Sandbox::start(&[]),
        Sandbox::start(&["--drop-day", "2026-10-05"]),
    );
    // A month that may still change is pulled again.
    let settling = || Billstream::on(store.path()).at("2026-11-05T06:00:00Z");
    settling()
        .from(&whole)
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    let published = expected(&settling(), &whole.totals(MONTH));
    let importing = settling().from(&lost).on_bucket(scene.bucket.path());
    importing.run(&["import"]).code(4).says(&["held"]);
    scene.cloudzero.poll();
    let held = scene.cloudzero.holds(crate::support::BUCKET, MONTH);
    held.assert_is(&published, "what was published");
}
