//! Rehearsals: sent, read back and compared in a test namespace; nothing else changes.

use serde_json::Value;

use super::{LARGE, Scene, deliver};
use crate::support::{Billstream, CLOUDZERO_KEY, MONTH, Output, STREAM, files_below};

const REHEARSE: [&str; 3] = ["--month", MONTH, "--rehearse"];

/// Posts in a rehearsal, all with the same test key, which is returned too.
#[track_caller]
fn posts(requests: &[Value]) -> (Vec<&Value>, String) {
    let posts: Vec<&Value> = requests.iter().filter(|r| r["method"] == "POST").collect();
    let key = posts[0]["test_key"].as_str().unwrap().to_string();
    assert!(posts.iter().all(|r| r["test_key"] == *key), "{posts:?}");
    assert!(key.starts_with("billstream-") && key.len() == 43, "{key}");
    (posts, key)
}

/// Asserts that output has neither the API key nor a test key.
#[track_caller]
fn assert_secret(output: &Output, test_key: &str) {
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains(CLOUDZERO_KEY), "{text}");
        assert!(!text.contains(test_key), "{text}");
    }
}

#[test]
fn rehearses_a_month_without_changing_anything() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &[]);
        let before = files_below(scene.store.path());
        let verbose = scene.to_stream().env("RUST_LOG", "trace");
        let output = deliver(&verbose, &REHEARSE).ok();
        let rehearsed = output.delivery("rehearsed");
        assert_eq!(rehearsed["target"], "stream");
        assert_eq!(rehearsed["place"], STREAM);
        assert_eq!(rehearsed["rows"], scene.month.holding.total().rows);
        assert!(scene.cloudzero.holds(STREAM, MONTH).0.is_empty());
        assert!(
            files_below(scene.store.path()) == before,
            "the store changed"
        );

        let requests = scene.cloudzero.cloudzero_requests();
        let (rehearsals, key) = posts(&requests);
        assert!(rehearsals.len() >= 2, "{rehearsals:?}");
        assert_secret(&output, &key);
        // Reads in the namespace have the key; the others see the real month before and after.
        let real: Vec<&Value> = requests
            .iter()
            .filter(|r| r["test_key"].is_null())
            .collect();
        assert_eq!(real.len(), 2, "{real:?}");
        assert!(real.iter().all(|r| r["method"] == "GET"), "{real:?}");

        // Every rehearsal has its own key, and a delivery none.
        deliver(&scene.to_stream(), &REHEARSE).ok();
        let both = scene.cloudzero.cloudzero_requests();
        assert_ne!(posts(&both[requests.len()..]).1, key);
        let real = deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
        for name in ["rows", "bytes", "parts"] {
            assert_eq!(real[name], rehearsed[name], "{name}");
        }
        let delivered = scene.cloudzero.cloudzero_requests();
        let delivered = &delivered[both.len()..];
        assert!(delivered.iter().all(|r| r["test_key"].is_null()));
        assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
    }
}

#[test]
fn leaves_a_delivered_month_alone() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &[]);
        deliver(&scene.to_stream(), &[]).ok();
        let restated = scene.publish(&[options, &["--revision", "1"]].concat());
        let before = files_below(scene.store.path());
        deliver(&scene.to_stream(), &REHEARSE)
            .ok()
            .delivery("rehearsed");
        assert_eq!(scene.assert_streamed(&scene.month.holding), 0);
        assert!(
            files_below(scene.store.path()) == before,
            "the store changed"
        );
        deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
        assert_eq!(scene.assert_streamed(&restated), 0);
    }
}

#[test]
fn the_namespace_ends_after_an_hour() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &REHEARSE).ok();
    let (_, key) = posts(&scene.cloudzero.cloudzero_requests());
    let held = || scene.cloudzero.status_in_namespace(&key, MONTH);
    assert_eq!(held(), 200);
    scene.cloudzero.get("/sandbox/cloudzero/advance?minutes=59");
    assert_eq!(held(), 200);
    scene.cloudzero.get("/sandbox/cloudzero/advance?minutes=1");
    assert_eq!(held(), 404);
}

#[test]
fn a_different_read_back_fails() {
    for options in [&[][..], &LARGE] {
        let scene = Scene::of(options, &["cz-corrupt"]);
        let before = files_below(scene.store.path());
        let output = deliver(&scene.to_stream(), &REHEARSE).code(5);
        let output = output.says(&[MONTH, "CloudZero holds", "hint: "]);
        assert_eq!(scene.cloudzero.fired("cz-corrupt"), 1);
        assert_eq!(output.json()["deliveries"], serde_json::json!([]));
        let requests = scene.cloudzero.cloudzero_requests();
        assert_secret(&output, &posts(&requests).1);
        assert!(scene.cloudzero.holds(STREAM, MONTH).0.is_empty());
        assert!(
            files_below(scene.store.path()) == before,
            "the store changed"
        );
        // The next rehearsal meets no fault.
        deliver(&scene.to_stream(), &REHEARSE)
            .ok()
            .delivery("rehearsed");
    }
}

#[test]
fn a_failed_rehearsal_is_no_error_of_the_connection() {
    let scene = Scene::new(&["cz-invalid"]);
    let before = files_below(scene.store.path());
    deliver(&scene.to_stream(), &REHEARSE)
        .code(1)
        .says(&["data[0]", "rehearsing"]);
    assert_eq!(scene.cloudzero.fired("cz-invalid"), 1);
    let without_key = scene.to_stream().without("CLOUDZERO_API_KEY");
    deliver(&without_key, &REHEARSE)
        .code(3)
        .says(&["CLOUDZERO_API_KEY"]);
    assert!(
        files_below(scene.store.path()) == before,
        "the store changed"
    );
}

#[test]
fn prints_a_table() {
    let scene = Scene::new(&[]);
    let arguments = [&["deliver"][..], &REHEARSE].concat();
    let output = scene.to_stream().run(&arguments).ok();
    for word in [MONTH, "stream", "rehearsed", "1 request", STREAM] {
        assert!(output.stdout.contains(word), "{word}\n{}", output.stdout);
    }
}

#[test]
fn rehearses_streams_only() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &REHEARSE)
        .code(2)
        .says(&["bucket", "--dry-run"]);
    let both = scene.to_stream().on_bucket(scene.bucket.path());
    let bucket = [&REHEARSE[..], &["--destination", "bucket"]].concat();
    deliver(&both, &bucket).code(2).says(&["bucket"]);
    deliver(&both, &REHEARSE).ok().delivery("rehearsed");
    assert!(files_below(scene.bucket.path()).is_empty());
    deliver(&both, &["--rehearse"]).code(2).says(&["--month"]);
    for other in [&["--dry-run"][..], &["--empty", "--yes"]] {
        deliver(&both, &[&REHEARSE[..], other].concat()).code(2);
    }
    scene
        .to_bucket()
        .run(&["deliver", "--month", "2026-09", "--rehearse"])
        .code(2);
}

fn add(billstream: &Billstream, arguments: &[&str]) -> Output {
    let mut all = vec!["destinations", "add", "cloudzero"];
    all.extend(arguments);
    billstream.run(&all)
}

#[test]
fn rehearses_a_stream_before_it_is_added() {
    let scene = Scene::new(&[]);
    let billstream = Billstream::on(scene.store.path()).with_cloudzero(&scene.cloudzero);
    let before = files_below(scene.store.path());
    let connections = scene.cloudzero.connections();
    let output = add(&billstream, &["--stream", "--rehearse", "--format", "json"]).ok();
    let rehearsed = output.delivery("rehearsed");
    assert_eq!(rehearsed["billing_period"], MONTH);
    assert_eq!(rehearsed["place"], "conn-0001");
    output.says(&["test namespace", "created", "billstream-confluent"]);
    assert_eq!(scene.cloudzero.connections(), connections);
    assert!(
        files_below(scene.store.path()) == before,
        "the store changed"
    );

    // By id, as a table, and of a month by name.
    let by_id = ["--stream", "--cloudzero-connection", STREAM, "--rehearse"];
    let output = add(&billstream, &[&by_id[..], &["--month", MONTH]].concat()).ok();
    assert!(output.stdout.contains("rehearsed"), "{}", output.stdout);
    assert!(scene.cloudzero.holds(STREAM, MONTH).0.is_empty());
    assert!(
        files_below(scene.store.path()) == before,
        "the store changed"
    );

    add(&billstream, &[&by_id[..], &["--month", "2026-09"]].concat()).code(2);
    let folder = scene.bucket.path().display().to_string();
    add(&billstream, &["--bucket", &folder, "--rehearse"])
        .code(2)
        .says(&["bucket"]);
    add(&billstream, &["--stream", "--month", MONTH]).code(2);
    assert!(
        files_below(scene.store.path()) == before,
        "the store changed"
    );
}

#[test]
fn a_rehearsal_of_a_new_stream_detects_a_different_read_back() {
    let scene = Scene::new(&["cz-corrupt"]);
    let billstream = Billstream::on(scene.store.path()).with_cloudzero(&scene.cloudzero);
    let before = files_below(scene.store.path());
    add(&billstream, &["--stream", "--rehearse"])
        .code(5)
        .says(&["CloudZero holds"]);
    assert_eq!(scene.cloudzero.fired("cz-corrupt"), 1);
    assert!(
        files_below(scene.store.path()) == before,
        "the store changed"
    );
}

#[test]
fn a_rehearsal_needs_an_api_key_and_a_published_month() {
    let scene = Scene::new(&[]);
    let without_key = Billstream::on(scene.store.path());
    add(&without_key, &["--stream", "--rehearse"])
        .code(3)
        .says(&["CLOUDZERO_API_KEY"]);
    let empty = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(empty.path()).with_cloudzero(&scene.cloudzero);
    add(&billstream, &["--stream", "--rehearse"])
        .code(2)
        .says(&["import"]);
    assert!(scene.cloudzero.cloudzero_requests().is_empty());
}
