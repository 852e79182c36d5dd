//! `destinations`: sets up CloudZero's side, remembers it, and never shares it between connections.

use tempfile::{TempDir, tempdir};

use super::{Scene, active_drop, deliver};
use crate::support::{Billstream, MONTH, Output, STREAM, Sandbox, names_below};

fn add(billstream: &Billstream, arguments: &[&str]) -> Output {
    let mut all = vec!["destinations", "add", "cloudzero"];
    all.extend(arguments);
    billstream.run(&all)
}

fn list(billstream: &Billstream) -> String {
    billstream.run(&["destinations", "list"]).ok().stdout
}

/// Empty store and a sandbox.
fn store() -> (TempDir, Sandbox) {
    (tempdir().unwrap(), Sandbox::start(&[]))
}

#[test]
fn creates_a_stream_once_and_finds_it_again() {
    let (store, sandbox) = store();
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    let before = sandbox.connections();
    add(&billstream, &["--stream"])
        .ok()
        .says(&["created", "billstream-confluent"]);
    let after = sandbox.connections();
    assert_eq!(after.len(), before.len() + 1);
    let (name, id) = after.last().unwrap();
    assert_eq!(name, "billstream-confluent");
    add(&billstream, &["--stream"]).ok().says(&["found", id]);
    assert_eq!(sandbox.connections(), after);
    let listed = list(&billstream);
    for word in ["confluent", "stream", id.as_str()] {
        assert!(listed.contains(word), "{listed}");
    }

    // Imports deliver there now, without an id in the environment.
    let importing = billstream.from(&sandbox);
    importing.import(MONTH).ok().status("published");
    let holds = sandbox.holds(id, MONTH);
    let expected = crate::support::expected(&importing, &sandbox.totals(MONTH));
    holds.assert_is(&expected, "the stream holds");
    assert!(!store.path().join("cloudzero").exists());

    importing.run(&["destinations", "remove"]).ok();
    assert!(!list(&importing).contains(id.as_str()));
    // Without a destination, drops go to the store again.
    deliver(&importing, &[]).ok().delivery("delivered");
    assert!(store.path().join("cloudzero/confluent").exists());
}

#[test]
fn uses_the_name_of_the_billing_connection() {
    let (store, sandbox) = store();
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    add(&billstream, &["--stream", "--name", "Sandbox Stream"])
        .ok()
        .says(&["found", STREAM]);
    add(&billstream, &["--stream", "--name", "Ours"])
        .ok()
        .says(&["created"]);
    assert_eq!(sandbox.connections().last().unwrap().0, "Ours");
}

#[test]
fn bucket_prints_the_policy_and_path() {
    let (store, sandbox) = store();
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    let output = add(
        &billstream,
        &["--bucket", "s3://acme-billing/confluent/prod"],
    );
    let output = output.ok().says(&["created"]);
    for word in [
        "Bucket Path: confluent/prod",
        "Bucket Name: acme-billing",
        "s3:Get*",
        "s3:List*",
        "arn:aws:s3:::acme-billing\"",
        "arn:aws:s3:::acme-billing/confluent/prod/*",
    ] {
        assert!(output.stdout.contains(word), "{word}\n{}", output.stdout);
    }
    let listed = list(&billstream);
    assert!(
        listed.contains("s3://acme-billing/confluent/prod"),
        "{listed}"
    );
    add(
        &billstream,
        &["--bucket", "s3://acme-billing/confluent/prod"],
    )
    .ok()
    .says(&["found"]);
    // Same name, another bucket.
    add(&billstream, &["--bucket", "s3://acme-billing/other"])
        .code(3)
        .says(&["billstream-confluent", "--name"]);
    assert!(!list(&billstream).contains("other"));
    // The refused bucket is free for another connection.
    let other = Billstream::on(store.path())
        .with_cloudzero(&sandbox)
        .connection("other");
    add(&other, &["--bucket", "s3://acme-billing/other"]).ok();
}

#[test]
fn prints_manual_steps_without_the_scope() {
    let (store, sandbox) = store();
    let before = sandbox.connections();
    let billstream = Billstream::on(store.path())
        .with_cloudzero(&sandbox)
        .env("CLOUDZERO_API_KEY", "no-scope-connections");
    let output = add(&billstream, &["--stream"]).code(3);
    let output = output.says(&["Custom", "billstream-confluent", "--cloudzero-connection"]);
    assert!(!output.stderr.contains("no-scope-connections"));
    assert!(!list(&billstream).contains("stream"));

    let output = add(&billstream, &["--bucket", "s3://acme-billing/confluent"]).ok();
    assert!(
        output.stdout.contains("Bucket Path: confluent"),
        "{}",
        output.stdout
    );
    output.says(&["Custom", "billstream-confluent"]);
    assert_eq!(sandbox.connections(), before);

    // Manual steps completed, for a stream instead.
    billstream.run(&["destinations", "remove"]).ok();
    let by_hand = ["--stream", "--cloudzero-connection", STREAM];
    add(&billstream, &by_hand).ok();
    assert!(list(&billstream).contains(STREAM));
    billstream.from(&sandbox).import(MONTH).ok();
    assert_eq!(sandbox.sent().len(), 1);
}

#[test]
fn prints_manual_steps_without_a_key() {
    let store = tempdir().unwrap();
    let billstream = Billstream::on(store.path());
    add(&billstream, &["--stream"])
        .code(3)
        .says(&["CLOUDZERO_API_KEY", "Custom"]);
    let output = add(&billstream, &["--bucket", "s3://acme-billing/confluent"]).ok();
    assert!(output.stdout.contains("Bucket Path: confluent"));
    add(&billstream, &[]).code(2);
}

#[test]
fn refuses_a_stream_of_another_connection() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let other = || scene.to_stream().connection("other");
    let by_id = ["--stream", "--cloudzero-connection", STREAM];
    add(&other(), &by_id)
        .code(3)
        .says(&["confluent", "other", STREAM]);
    let confluent = Sandbox::start(&["--seed", "2"]);
    let importing = other().from(&confluent);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    deliver(&importing, &[])
        .code(3)
        .says(&["confluent", "other"]);
    assert_eq!(scene.cloudzero.sent().len(), 1);
    // A separate stream is accepted.
    let known = scene.cloudzero.connections().len();
    let own = importing.without("CLOUDZERO_CONNECTION_ID");
    add(&own, &["--stream"]).ok().says(&["billstream-other"]);
    assert_eq!(scene.cloudzero.connections().len(), known + 1);
    deliver(&own, &[]).ok().delivery("delivered");
    scene.assert_streamed(&scene.month.holding);
}

#[test]
fn refuses_a_bucket_of_another_connection() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let inner = scene.bucket.path().join("inner");
    let before = names_below(scene.bucket.path());
    let confluent = Sandbox::start(&["--seed", "2"]);
    let importing = scene.to_bucket().connection("other").from(&confluent);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    // The same folder, and one inside it.
    deliver(&importing, &[])
        .code(3)
        .says(&["confluent", "other"]);
    let nested = || {
        Billstream::on(scene.store.path())
            .on_bucket(&inner)
            .connection("other")
    };
    deliver(&nested(), &[])
        .code(3)
        .says(&["confluent", "other"]);
    let folder = inner.display().to_string();
    add(&nested(), &["--bucket", &folder]).code(3);
    assert_eq!(names_below(scene.bucket.path()), before);
    scene.assert_polled(&scene.month.holding);

    // Other spellings of the same folder.
    for ending in ["/", "/.", "//", "/x/.."] {
        let spelled = format!("{}{ending}", scene.bucket.path().display());
        let billstream = other_connection_on(&scene, &spelled);
        deliver(&billstream, &[])
            .code(3)
            .says(&["confluent", "other"]);
    }
    scene.assert_polled(&scene.month.holding);

    // A name with the same beginning is another folder.
    let beside = format!("{}-2", scene.bucket.path().display());
    let beside_run = Billstream::on(scene.store.path())
        .on_bucket(beside.as_ref())
        .connection("other");
    deliver(&beside_run, &[]).ok().delivery("delivered");
    std::fs::remove_dir_all(beside).unwrap();
}

fn other_connection_on(scene: &Scene, bucket: &str) -> Billstream {
    scene
        .to_bucket()
        .env("BILLSTREAM_BUCKET", bucket)
        .connection("other")
}

#[test]
fn refuses_the_default_folder_of_another_connection() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&["--seed", "2"]));
    let own = Billstream::on(scene.store.path());
    deliver(&own, &[]).ok().delivery("delivered");
    let before = names_below(&scene.store.path().join("cloudzero"));
    let importing = scene.to_bucket().connection("other").from(&confluent);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    for folder in ["cloudzero/confluent", "cloudzero"] {
        let folder = scene.store.path().join(folder).display().to_string();
        deliver(&other_connection_on(&scene, &folder), &[]).code(3);
    }
    assert_eq!(names_below(&scene.store.path().join("cloudzero")), before);
}

#[test]
fn import_into_a_shared_destination_publishes_and_exits_4() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&["--seed", "2"]));
    deliver(&scene.to_bucket(), &[]).ok();
    let importing = scene.to_bucket().connection("other").from(&confluent);
    // Published but not delivered: partial.
    importing
        .run(&["import", "--month", MONTH])
        .code(4)
        .says(&["confluent", "other"]);
    scene.assert_polled(&scene.month.holding);
}

#[test]
fn refuses_bucket_roots_and_folders_around_the_store() {
    let scene = Scene::new(&[]);
    let on = |bucket: &str| scene.to_bucket().env("BILLSTREAM_BUCKET", bucket);
    deliver(&on("s3://acme-billing"), &[])
        .code(3)
        .says(&["acme-billing", "path"]);
    deliver(&on("s3://acme-billing/"), &[])
        .code(3)
        .says(&["acme-billing"]);
    deliver(&on("/"), &[]).code(3);
    // Neither the store itself nor a folder that contains it.
    let store = scene.store.path().display().to_string();
    deliver(&on(&store), &[]).code(3).says(&["store"]);
    let around = scene.store.path().parent().unwrap().display().to_string();
    deliver(&on(&around), &[]).code(3);
    assert!(active_drop(scene.store.path()).is_none());
    add(&scene.to_bucket(), &["--bucket", "s3://acme-billing"]).code(3);
}

#[test]
fn refuses_internal_folders_of_the_store() {
    let scene = Scene::new(&[]);
    for internal in ["costs", "line_items", "runs"] {
        let folder = scene.store.path().join(internal);
        let billstream = scene.to_bucket().on_bucket(&folder);
        let before = names_below(&folder).len();
        deliver(&billstream, &[]).code(3);
        if internal != "runs" {
            assert_eq!(names_below(&folder).len(), before, "{internal}");
        }
    }
}

#[test]
fn environment_overrides_remembered_destinations() {
    let scene = Scene::new(&[]);
    let remembered = Billstream::on(scene.store.path()).with_cloudzero(&scene.cloudzero);
    add(&remembered, &["--stream", "--cloudzero-connection", STREAM]).ok();
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    scene.assert_polled(&scene.month.holding);
    assert!(scene.cloudzero.sent().is_empty());
}

#[test]
fn rejects_malformed_urls_without_echoing_them() {
    let scene = Scene::new(&[]);
    for url in [
        "s3://AKIA:SECRETX@acme/x",
        "s3://acme/x?SECRETX",
        "s3://acme//SECRETX",
    ] {
        let output = deliver(&scene.to_bucket().env("BILLSTREAM_BUCKET", url), &[]).code(3);
        assert!(!output.stderr.contains("SECRETX"), "{}", output.stderr);
    }
}

#[test]
fn accepts_the_former_names_targets_and_target() {
    let scene = Scene::new(&[]);
    let billstream = scene.to_bucket();
    assert_eq!(
        billstream.run(&["targets", "list"]).ok().stdout,
        list(&billstream)
    );
    deliver(&billstream, &["--target", "bucket"])
        .ok()
        .delivery("delivered");
    assert!(list(&billstream).contains(scene.bucket.path().to_str().unwrap()));
}
