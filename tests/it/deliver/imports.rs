//! Deliveries by imports: a failed delivery keeps what is published, and a later run delivers it.

use super::{Scene, deliver, drops, published};
use crate::support::{Billstream, Holding, MONTH, STREAM, Sandbox, expected, names_below};

const RESTATED: [&str; 2] = ["--revision", "1"];

#[test]
fn failed_delivery_keeps_the_import() {
    let scene = Scene::new(&["cz-403:1:after=3"]);
    let confluent = Sandbox::start(&["--revision", "1"]);
    let importing = scene.to_stream().from(&confluent);
    let output = importing.import(MONTH);
    assert_ne!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("CLOUDZERO_API_KEY"), "{output:?}");
    assert_eq!(scene.cloudzero.fired("cz-403"), 1);
    let totals = confluent.totals(MONTH);
    let month = expected(&importing, &totals);
    // The costs are unchanged, but the month is still delivered.
    importing.import(MONTH).ok();
    assert_eq!(scene.assert_streamed(&month), 0);
}

#[test]
fn failed_stream_does_not_stop_the_bucket() {
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
    // The second run delivers to the stream.
    let json = deliver(&both, &[]).ok().json();
    assert_eq!(json["deliveries"][0]["status"], "unchanged");
    assert_eq!(json["deliveries"][1]["status"], "delivered");
    assert_eq!(scene.assert_streamed(month), 0);
}

#[test]
fn failed_month_does_not_stop_the_others() {
    let scene = Scene::new(&["cz-400:2:after=3"]);
    let confluent = Sandbox::start(&[]);
    let importing = scene.to_stream().from(&confluent);
    let two = ["--from", "2026-09", "--to", MONTH];
    importing
        .run(&[&["import", "--no-deliver"][..], &two].concat())
        .ok();
    let output = deliver(&importing, &[]).code(4);
    assert_eq!(scene.cloudzero.fired("cz-400"), 2);
    assert_eq!(output.json()["deliveries"][0]["billing_period"], MONTH);
    let month = |month| expected(&importing, &confluent.totals(month));
    scene.assert_streamed(&month(MONTH));
    assert!(scene.cloudzero.holds(STREAM, "2026-09").0.is_empty());
    deliver(&importing, &[]).ok();
    let holds = scene.cloudzero.holds(STREAM, "2026-09");
    holds.assert_is(&month("2026-09"), "the stream holds");
}

#[test]
fn next_import_delivers_months_that_were_not_delivered() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let importing = scene.to_bucket().from(&confluent);
    assert!(names_below(scene.bucket.path()).is_empty());
    // The month is settled; only the destination is behind.
    importing.run(&["import"]).ok();
    scene.assert_polled(&scene.month.holding);
    assert_eq!(drops(scene.bucket.path()).len(), 1);
}

#[test]
fn pull_transform_and_dry_runs_deliver_nothing() {
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
        assert!(
            scene.cloudzero.cloudzero_requests().is_empty(),
            "{arguments:?}"
        );
        assert!(names_below(scene.bucket.path()).is_empty(), "{arguments:?}");
    }
}

#[test]
fn remembered_stream_needs_its_key_for_deliveries_only() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&RESTATED));
    let stream = scene.to_stream();
    let add = ["destinations", "add", "cloudzero", "--stream"];
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
        "no fallback to the folder in the store"
    );
    scene.assert_streamed(&scene.month.holding);
}

#[test]
fn warns_when_the_environment_no_longer_names_the_stream() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let without = Billstream::on(scene.store.path());
    deliver(&without, &[])
        .ok()
        .says(&["No destination is configured", STREAM]);
    assert!(scene.store.path().join("cloudzero").exists());
}

#[test]
fn unreachable_cloudzero_exits_7() {
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
fn next_import_delivers_after_a_kill() {
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
fn delivers_the_published_month_while_it_is_on_hold() {
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
