//! Warnings of double counting and of the first delivery, and secrecy of the API key.

use serde_json::json;

use super::{Scene, deliver};
use crate::support::{Billstream, CLOUDZERO_KEY, MONTH, Output, STREAM, Sandbox, files_below};

const NATIVE: &str = "native Confluent connection";
const TWICE: &str = "bucket and stream of one connection";
const NOT_S3: &str = "S3 buckets only";

fn native() -> Sandbox {
    Sandbox::start(&["--native-confluent"])
}

/// The same run on another day.
fn on_day(billstream: Billstream, day: &str) -> Billstream {
    billstream.at(&format!("2026-11-{day}Z"))
}

/// Requests for the list of billing connections.
fn asked(cloudzero: &Sandbox) -> usize {
    cloudzero
        .cloudzero_requests_to("GET", "/connections/billing")
        .len()
}

#[track_caller]
fn assert_silent(output: &Output, word: &str) {
    assert!(!output.stderr.contains(word), "{}", output.stderr);
}

#[test]
fn names_the_native_connection_once_a_day() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let run = |time: &str| {
        let billstream = on_day(scene.to_stream().on_stream(&cloudzero), time);
        deliver(&billstream, &[]).ok()
    };
    run("23T06:00:00").says(&[NATIVE]);
    assert_silent(&run("23T23:59:59"), NATIVE);
    // Another day, although less than 24 hours later, and although nothing changed.
    let next = run("24T00:00:00").says(&[NATIVE, "native-confluent"]);
    next.delivery("unchanged");
    assert_silent(&run("24T12:00:00"), NATIVE);
    assert_eq!(asked(&cloudzero), 2);
    // Imports that deliver say it as well.
    let importing = on_day(scene.to_stream().on_stream(&cloudzero), "25T00:00:00");
    importing
        .from(&cloudzero)
        .import(MONTH)
        .ok()
        .says(&[NATIVE]);
}

#[test]
fn status_shows_the_native_connection_without_a_request() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = || scene.to_stream().on_stream(&cloudzero).from(&cloudzero);
    billstream().import(MONTH).ok().says(&[NATIVE]);
    let requests = cloudzero.cloudzero_requests().len();
    let status = billstream().run(&["status"]).ok();
    status.says(&["confluent: note: ", NATIVE, "native-confluent"]);
    let json = billstream()
        .run(&["status", "--format", "json"])
        .ok()
        .json();
    let health = &json["connections"][0];
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["notes"].as_array().unwrap().len(), 1, "{health}");
    let shown = billstream().run(&["connections", "show", "confluent"]).ok();
    assert!(shown.stdout.contains(NATIVE), "{}", shown.stdout);
    assert_eq!(cloudzero.cloudzero_requests().len(), requests);
    // A CloudZero without it clears the note on the next day.
    let clean = on_day(scene.to_stream(), "24T00:00:00");
    assert_silent(&deliver(&clean, &[]).ok(), NATIVE);
    assert_silent(&clean.run(&["status"]), "note: ");
}

#[test]
fn verify_differs_while_the_native_connection_is_active() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene.to_stream().on_stream(&cloudzero);
    deliver(&billstream, &[]).ok();
    let output = billstream.run(&["verify", "--format", "json"]).code(5);
    let json = output.clone().says(&[NATIVE, "native-confluent"]).json();
    assert_eq!(
        json["duplicates"],
        json!([{ "name": "Confluent Cloud", "id": "native-confluent", "kind": "native" }])
    );
    assert_eq!(json["periods"][0]["status"], "equal");
    // Without the scope to list connections nothing is known.
    let without = billstream.env("CLOUDZERO_API_KEY", "no-scope-connections");
    let output = without.run(&["verify", "--format", "json"]).ok();
    assert_eq!(output.json()["duplicates"], json!([]));
    assert_silent(&output, NATIVE);
}

#[test]
fn names_connections_that_read_drops_beside_the_stream() {
    let scene = Scene::new(&[]);
    let billstream = scene.to_stream();
    // Drops that an earlier destination of the same connection left.
    let old = scene.store.path().join("targets/confluent.json");
    std::fs::create_dir_all(old.parent().unwrap()).unwrap();
    let record = json!({ "bucket": null, "stream": null, "delivered": ["s3://acme/confluent/"] });
    std::fs::write(old, record.to_string()).unwrap();
    let body = json!({
        "name": "Drops of ours", "cloud_provider": "Confluent",
        "s3_bucket_info": { "bucket_name": "acme", "bucket_path": "confluent" },
    });
    scene.cloudzero.create_connection(&body);
    let says = ["also reads the drops of this connection", "Drops of ours"];
    deliver(&billstream, &[]).ok().says(&says);
    let next_day = on_day(billstream, "24T06:00:00");
    deliver(&next_day, &[]).ok().says(&says);
    let output = next_day.run(&["verify", "--format", "json"]).code(5);
    assert_eq!(output.json()["duplicates"][0]["kind"], "reads-drops");
}

#[test]
fn names_the_previous_stream() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let body = json!({ "name": "Second", "cloud_provider": "Confluent" });
    let id = scene.cloudzero.create_connection(&body);
    let moved = scene.to_stream().env("CLOUDZERO_CONNECTION_ID", &id);
    let next_day = on_day(moved, "24T06:00:00");
    deliver(&next_day, &[])
        .ok()
        .says(&["the previous stream of this connection", STREAM]);
}

#[test]
fn names_the_native_connection_before_the_first_delivery() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene.to_stream().on_stream(&cloudzero);
    let first = deliver(&billstream, &[]).ok();
    let first = first.says(&[NATIVE, "Confluent Cloud", "native-confluent"]);
    assert_eq!(first.stderr.matches(NATIVE).count(), 1);
    scene.publish(&["--revision", "1"]);
    let second = deliver(&billstream, &[]).ok();
    second.delivery("delivered");
    assert_silent(&second, NATIVE);
    // The warning precedes all requests with line items.
    let asked = cloudzero.cloudzero_requests();
    assert_eq!(asked[0]["path"], "/v2/connections/billing");
}

#[test]
fn names_the_native_connection_for_buckets_and_imports() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene
        .to_bucket()
        .with_cloudzero(&cloudzero)
        .from(&cloudzero);
    billstream.import(MONTH).ok().says(&[NATIVE]);
    let again = deliver(&billstream, &[]).ok();
    assert!(!again.stderr.contains(NATIVE), "{}", again.stderr);
}

#[test]
fn names_the_native_connection_when_a_destination_is_added() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = Billstream::on(scene.store.path()).with_cloudzero(&cloudzero);
    billstream
        .run(&["destinations", "add", "cloudzero", "--stream"])
        .ok()
        .says(&[NATIVE]);
}

#[test]
fn does_not_warn_without_the_scope_and_asks_once_a_day() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene
        .to_stream()
        .on_stream(&cloudzero)
        .env("CLOUDZERO_API_KEY", "no-scope-connections");
    let output = deliver(&billstream, &[]).ok();
    output.delivery("delivered");
    assert_silent(&output, "counts every dollar twice");
    deliver(&billstream, &[]).ok();
    assert_eq!(asked(&cloudzero), 1);
}

#[test]
fn warns_of_a_bucket_that_cloudzero_cannot_read() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok().says(&[NOT_S3]);
    let again = deliver(&scene.to_bucket(), &[]).ok();
    assert!(!again.stderr.contains(NOT_S3), "{}", again.stderr);
    // The default folder in the store gets no warning.
    let scene = Scene::new(&[]);
    let inside = deliver(&Billstream::on(scene.store.path()), &[]).ok();
    assert!(!inside.stderr.contains(NOT_S3), "{}", inside.stderr);
}

#[test]
fn dry_run_claims_nothing() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene.to_stream().on_stream(&cloudzero);
    deliver(&billstream, &["--dry-run"]).ok();
    deliver(&billstream, &[]).ok().says(&[NATIVE]);
}

#[test]
fn warns_of_bucket_and_stream_of_one_connection() {
    let scene = Scene::new(&[]);
    // CloudZero reads S3 buckets only, so a local folder would not be counted twice.
    let both = scene
        .to_stream()
        .env("BILLSTREAM_BUCKET", "s3://acme-billing/confluent")
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let output = deliver(&both, &["--destination", "stream"]).ok();
    output.delivery("delivered");
    output.says(&[TWICE]);
    scene.assert_streamed(&scene.month.holding);
}

#[test]
fn never_writes_the_key_to_output_or_files() {
    for fault in [
        "cz-500:1:after=3",
        "cz-500:99",
        "cz-403:99",
        "cz-400:1:after=3",
        "cz-reset:99",
        "cz-invalid",
        "cz-corrupt",
    ] {
        let scene = Scene::new(&[fault]);
        let billstream = scene
            .to_stream()
            .on_bucket(scene.bucket.path())
            .env("BILLSTREAM_RETRY_ATTEMPTS", "2")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1");
        let mut said = String::new();
        for arguments in [
            &["deliver", "-vv"][..],
            &["verify", "-vv"],
            &["destinations", "add", "cloudzero", "--stream"],
            &["destinations", "list"],
        ] {
            let output = billstream.run(arguments);
            said += &output.stdout;
            said += &output.stderr;
        }
        assert_ne!(
            scene.cloudzero.fired(fault.split(':').next().unwrap()),
            0,
            "{fault}"
        );
        assert!(!said.contains(CLOUDZERO_KEY), "{fault}: {said}");
        for folder in [&scene.store, &scene.bucket] {
            for (name, bytes) in files_below(folder.path()) {
                let key = CLOUDZERO_KEY.as_bytes();
                let found = bytes.windows(key.len()).any(|window| window == key);
                assert!(!found, "{fault}: {name} holds the key");
            }
        }
    }
}
