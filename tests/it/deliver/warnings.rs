//! What billstream warns of before the first delivery; and that keys stay out of what it says and
//! stores.

use super::{Scene, deliver};
use crate::support::{Billstream, CLOUDZERO_KEY, MONTH, Sandbox, files_below};

const NATIVE: &str = "CloudZero has its own Confluent connection";
const TWICE: &str = "counts every dollar twice";
const NOT_S3: &str = "S3 only";

fn native() -> Sandbox {
    Sandbox::start(&["--native-confluent"])
}

#[test]
fn the_connection_of_cloudzeros_own_is_named_before_the_first_delivery_only() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene.to_stream().on_stream(&cloudzero);
    let first = deliver(&billstream, &[]).ok();
    let first = first.says(&[NATIVE, "Confluent Cloud", "native-confluent"]);
    assert_eq!(first.stderr.matches(NATIVE).count(), 1);
    scene.publish(&["--revision", "1"]);
    let second = deliver(&billstream, &[]).ok();
    second.delivery("delivered");
    assert!(!second.stderr.contains(NATIVE), "{}", second.stderr);
    // The warning came before anything was sent.
    let asked = cloudzero.asked();
    assert_eq!(asked[0]["path"], "/v2/connections/billing");
}

#[test]
fn it_is_named_for_a_bucket_and_by_an_import_too() {
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
fn adding_a_target_warns_of_it() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = Billstream::on(scene.store.path()).with_cloudzero(&cloudzero);
    billstream
        .run(&["targets", "add", "cloudzero", "--stream"])
        .ok()
        .says(&[NATIVE]);
}

#[test]
fn without_the_scope_there_is_no_warning_and_no_error() {
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
fn a_bucket_that_cloudzero_cannot_read_is_warned_of() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok().says(&[NOT_S3]);
    let again = deliver(&scene.to_bucket(), &[]).ok();
    assert!(!again.stderr.contains(NOT_S3), "{}", again.stderr);
    // The folder in the store is where drops go that nobody asked for.
    let scene = Scene::new(&[]);
    let inside = deliver(&Billstream::on(scene.store.path()), &[]).ok();
    assert!(!inside.stderr.contains(NOT_S3), "{}", inside.stderr);
}

#[test]
fn a_dry_run_claims_nothing() {
    let (scene, cloudzero) = (Scene::new(&[]), native());
    let billstream = scene.to_stream().on_stream(&cloudzero);
    deliver(&billstream, &["--dry-run"]).ok();
    deliver(&billstream, &[]).ok().says(&[NATIVE]);
}

#[test]
fn bucket_and_stream_of_one_connection_are_warned_of() {
    let scene = Scene::new(&[]);
    // The bucket is one that CloudZero reads: of a folder elsewhere it counts nothing.
    let both = scene
        .to_stream()
        .env("BILLSTREAM_BUCKET", "s3://acme-billing/confluent")
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let output = deliver(&both, &["--target", "stream"]).ok();
    output.delivery("delivered");
    output.says(&[TWICE]);
    scene.assert_streamed(&scene.month.holding);
}

#[test]
fn the_key_is_in_no_output_and_in_no_file() {
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
            &["targets", "add", "cloudzero", "--stream"],
            &["targets", "list"],
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
