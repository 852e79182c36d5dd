//! `targets`: CloudZero's half is set up, remembered, and never shared.

use tempfile::{TempDir, tempdir};

use super::{Scene, deliver, in_force};
use crate::support::{Billstream, MONTH, Output, STREAM, Sandbox, names_below};

fn add(billstream: &Billstream, arguments: &[&str]) -> Output {
    let mut all = vec!["targets", "add", "cloudzero"];
    all.extend(arguments);
    billstream.run(&all)
}

fn list(billstream: &Billstream) -> String {
    billstream.run(&["targets", "list"]).ok().stdout
}

/// A store without months.
fn store() -> (TempDir, Sandbox) {
    (tempdir().unwrap(), Sandbox::start(&[]))
}

#[test]
fn a_stream_is_made_once_and_found_again() {
    let (store, sandbox) = store();
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    let before = sandbox.connections();
    add(&billstream, &["--stream"])
        .ok()
        .says(&["made", "billstream-confluent"]);
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

    // From then on it is where imports go, without an id in the environment.
    let importing = billstream.from(&sandbox);
    importing.import(MONTH).ok().status("published");
    let holds = sandbox.holds(id, MONTH);
    let expected = crate::support::expected(&importing, &sandbox.totals(MONTH));
    holds.assert_is(&expected, "the stream holds");
    assert!(!store.path().join("cloudzero").exists());

    importing.run(&["targets", "remove"]).ok();
    assert!(!list(&importing).contains(id.as_str()));
    // Without a target the drops are in the store again.
    deliver(&importing, &[]).ok().delivery("delivered");
    assert!(store.path().join("cloudzero/confluent").exists());
}

#[test]
fn a_stream_has_the_name_that_it_is_given() {
    let (store, sandbox) = store();
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    add(&billstream, &["--stream", "--name", "Sandbox Stream"])
        .ok()
        .says(&["found", STREAM]);
    add(&billstream, &["--stream", "--name", "Ours"])
        .ok()
        .says(&["made"]);
    assert_eq!(sandbox.connections().last().unwrap().0, "Ours");
}

#[test]
fn a_bucket_prints_the_policy_and_the_path_to_paste() {
    let (store, sandbox) = store();
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    let output = add(
        &billstream,
        &["--bucket", "s3://acme-billing/confluent/prod"],
    );
    let output = output.ok().says(&["made"]);
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
    // The same name, and another bucket.
    add(&billstream, &["--bucket", "s3://acme-billing/other"])
        .code(3)
        .says(&["billstream-confluent", "--name"]);
    assert!(!list(&billstream).contains("other"));
}

#[test]
fn without_the_scope_the_steps_are_told() {
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

    // The steps done by hand, for a stream in its place.
    billstream.run(&["targets", "remove"]).ok();
    let by_hand = ["--stream", "--cloudzero-connection", STREAM];
    add(&billstream, &by_hand).ok();
    assert!(list(&billstream).contains(STREAM));
    billstream.from(&sandbox).import(MONTH).ok();
    assert_eq!(sandbox.sent().len(), 1);
}

#[test]
fn without_a_key_the_steps_are_told() {
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
fn two_connections_do_not_share_a_stream() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let other = || scene.to_stream().connection("other");
    let by_id = ["--stream", "--cloudzero-connection", STREAM];
    add(&other(), &by_id)
        .code(3)
        .says(&["confluent", "other", STREAM]);
    let importing = other().from(&scene.cloudzero);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    deliver(&importing, &[])
        .code(3)
        .says(&["confluent", "other"]);
    assert_eq!(scene.cloudzero.sent().len(), 1);
    // With a stream of its own it may.
    let known = scene.cloudzero.connections().len();
    let own = importing.without("CLOUDZERO_CONNECTION_ID");
    add(&own, &["--stream"]).ok().says(&["billstream-other"]);
    assert_eq!(scene.cloudzero.connections().len(), known + 1);
    deliver(&own, &[]).ok().delivery("delivered");
    scene.assert_streamed(&scene.month.holding);
}

#[test]
fn two_connections_do_not_share_a_bucket() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_bucket(), &[]).ok();
    let inner = scene.bucket.path().join("inner");
    let before = names_below(scene.bucket.path());
    let confluent = Sandbox::start(&[]);
    let importing = scene.to_bucket().connection("other").from(&confluent);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    // The same folder, one in it, and one around it.
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

    // However it is spelled.
    for ending in ["/", "/.", "//", "/x/.."] {
        let spelled = format!("{}{ending}", scene.bucket.path().display());
        let billstream = importing_env(&scene, &spelled);
        deliver(&billstream, &[])
            .code(3)
            .says(&["confluent", "other"]);
    }
    scene.assert_polled(&scene.month.holding);

    // A name that only begins the same is another folder.
    let beside = format!("{}-2", scene.bucket.path().display());
    let beside_run = Billstream::on(scene.store.path())
        .on_bucket(beside.as_ref())
        .connection("other");
    deliver(&beside_run, &[]).ok().delivery("delivered");
    std::fs::remove_dir_all(beside).unwrap();
}

fn importing_env(scene: &Scene, bucket: &str) -> Billstream {
    scene
        .to_bucket()
        .env("BILLSTREAM_BUCKET", bucket)
        .connection("other")
}

#[test]
fn folders_in_the_store_are_not_shared_either() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    let own = Billstream::on(scene.store.path());
    deliver(&own, &[]).ok().delivery("delivered");
    let before = names_below(&scene.store.path().join("cloudzero"));
    let importing = scene.to_bucket().connection("other").from(&confluent);
    importing
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    for folder in ["cloudzero/confluent", "cloudzero"] {
        let folder = scene.store.path().join(folder).display().to_string();
        deliver(&importing_env(&scene, &folder), &[]).code(3);
    }
    assert_eq!(names_below(&scene.store.path().join("cloudzero")), before);
}

#[test]
fn an_import_into_a_shared_target_publishes_and_fails() {
    let (scene, confluent) = (Scene::new(&[]), Sandbox::start(&[]));
    deliver(&scene.to_bucket(), &[]).ok();
    let importing = scene.to_bucket().connection("other").from(&confluent);
    // Published and not delivered: a part is done.
    importing
        .run(&["import", "--month", MONTH])
        .code(4)
        .says(&["confluent", "other"]);
    scene.assert_polled(&scene.month.holding);
}

#[test]
fn a_bucket_has_a_folder_of_its_own() {
    let scene = Scene::new(&[]);
    let on = |bucket: &str| scene.to_bucket().env("BILLSTREAM_BUCKET", bucket);
    deliver(&on("s3://acme-billing"), &[])
        .code(3)
        .says(&["acme-billing", "path"]);
    deliver(&on("s3://acme-billing/"), &[])
        .code(3)
        .says(&["acme-billing"]);
    deliver(&on("/"), &[]).code(3);
    // Neither the store itself nor a folder around it.
    let store = scene.store.path().display().to_string();
    deliver(&on(&store), &[]).code(3).says(&["store"]);
    let around = scene.store.path().parent().unwrap().display().to_string();
    deliver(&on(&around), &[]).code(3);
    assert!(in_force(scene.store.path()).is_none());
    add(&scene.to_bucket(), &["--bucket", "s3://acme-billing"]).code(3);
}

#[test]
fn a_folder_that_the_store_keeps_for_itself_is_no_target() {
    let scene = Scene::new(&[]);
    for own in ["costs", "line_items", "runs"] {
        let folder = scene.store.path().join(own);
        let billstream = scene.to_bucket().on_bucket(&folder);
        let before = names_below(&folder).len();
        deliver(&billstream, &[]).code(3);
        if own != "runs" {
            assert_eq!(names_below(&folder).len(), before, "{own}");
        }
    }
}

#[test]
fn the_environment_wins_over_what_is_remembered() {
    let scene = Scene::new(&[]);
    let remembered = Billstream::on(scene.store.path()).with_cloudzero(&scene.cloudzero);
    add(&remembered, &["--stream", "--cloudzero-connection", STREAM]).ok();
    deliver(&scene.to_bucket(), &[]).ok().delivery("delivered");
    scene.assert_polled(&scene.month.holding);
    assert!(scene.cloudzero.sent().is_empty());
}

#[test]
fn a_url_with_more_than_a_place_is_refused_and_not_repeated() {
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
