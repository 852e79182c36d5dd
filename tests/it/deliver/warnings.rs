//! Warnings before the first delivery, and secrecy of the API key.

use super::{Scene, deliver};
use crate::support::{Billstream, CLOUDZERO_KEY, MONTH, Sandbox, files_below};

const NATIVE: &str = "native Confluent connection";
const TWICE: &str = "bucket and stream of one connection";
const NOT_S3: &str = "S3 buckets only";

fn native() -> Sandbox {
    Sandbox::start(&["--native-confluent"])
}

#[test]
fn names_the_native_connection_before_the_first_delivery_only() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene.to_stream().on_stream(&cloudzero);
    let first = deliver(&billstream, &[]).ok();
    let first = first.says(&[NATIVE, "Confluent Cloud", "native-confluent"]);
    assert_eq!(first.stderr.matches(NATIVE).count(), 1);
    scene.publish(&["--revision", "1"]);
    let second = deliver(&billstream, &[]).ok();
    second.delivery("delivered");
    assert!(!second.stderr.contains(NATIVE), "{}", second.stderr);
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
fn does_not_warn_without_the_scope() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene
        .to_stream()
        .on_stream(&cloudzero)
        .env("CLOUDZERO_API_KEY", "no-scope-connections");
    let output = deliver(&billstream, &[]).ok();
    output.delivery("delivered");
    assert!(!output.stderr.contains(NATIVE), "{}", output.stderr);
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
