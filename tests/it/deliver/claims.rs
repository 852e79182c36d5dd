//! Claims on destinations, and billing connections that are created once.

use serde_json::json;

use super::{Scene, deliver};
use crate::support::{Billstream, MONTH, Output, STREAM, Sandbox, names_below};

fn add(billstream: &Billstream, arguments: &[&str]) -> Output {
    let mut all = vec!["destinations", "add", "cloudzero"];
    all.extend(arguments);
    billstream.run(&all)
}

/// Objects of claims on destinations.
fn claims(scene: &Scene) -> Vec<String> {
    names_below(&scene.store.path().join("runs/claims/destinations"))
}

/// Requests that create a billing connection.
fn created(sandbox: &Sandbox) -> usize {
    sandbox
        .cloudzero_requests_to("POST", "/connections/billing")
        .len()
}

#[test]
fn adopts_a_connection_whose_creation_lost_its_reply() {
    for destination in [
        &["--stream"][..],
        &["--bucket", "s3://acme-billing/confluent"],
    ] {
        let store = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(&["--fault", "cz-lost-reply"]);
        let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
        let before = sandbox.connections().len();
        let output = add(&billstream, destination).ok();
        assert_eq!(sandbox.fired("cz-lost-reply"), 1);
        assert_eq!(created(&sandbox), 1, "sent once");
        let connections = sandbox.connections();
        assert_eq!(connections.len(), before + 1, "{connections:?}");
        let (name, id) = connections.last().unwrap();
        assert_eq!(name, "billstream-confluent");
        output.says(&["created", id]);
        add(&billstream, destination).ok().says(&["found", id]);
        assert_eq!(sandbox.connections().len(), before + 1);
    }
}

#[test]
fn reports_a_creation_that_may_or_may_not_have_happened() {
    // The first request lists the connections, the second one creates.
    for (fault, says) in [
        (
            "cz-503:1:after=1:retry_after=0",
            "does not list the new connection",
        ),
        ("cz-reset:9:after=1", "could not be looked up"),
    ] {
        let store = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(&["--fault", fault]);
        let billstream = Billstream::on(store.path())
            .with_cloudzero(&sandbox)
            .env("BILLSTREAM_RETRY_ATTEMPTS", "1");
        add(&billstream, &["--stream"]).code(7).says(&[
            says,
            "billstream-confluent",
            "run the command again",
        ]);
        assert_ne!(sandbox.fired(fault.split(':').next().unwrap()), 0);
        assert_eq!(created(&sandbox), 1, "sent once");
    }
}

#[test]
fn refuses_a_bucket_that_a_connection_of_another_name_reads() {
    let store = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(&[]);
    let billstream = Billstream::on(store.path()).with_cloudzero(&sandbox);
    let bucket = ["--bucket", "s3://acme-billing/confluent"];
    add(&billstream, &[&bucket[..], &["--name", "by hand"]].concat()).ok();
    let id = sandbox.connections().last().unwrap().1.clone();
    let known = sandbox.connections();
    add(&billstream, &bucket)
        .code(3)
        .says(&["by hand", &id, "--cloudzero-connection", "twice"]);
    add(
        &billstream,
        &[&bucket[..], &["--cloudzero-connection", &id]].concat(),
    )
    .ok();
    assert_eq!(sandbox.connections(), known);
}

#[test]
fn a_claim_is_verified_at_every_run() {
    let scene = Scene::new(&[]);
    deliver(&scene.to_stream(), &[]).ok();
    let file = claims(&scene);
    assert_eq!(file.len(), 1, "{file:?}");
    let path = scene
        .store
        .path()
        .join("runs/claims/destinations")
        .join(&file[0]);
    let claim = std::fs::read_to_string(&path).unwrap();
    assert!(
        claim.contains("\"confluent\"") && claim.contains(STREAM),
        "{claim}"
    );
    // Another run got the claim, as after a race that an older version lost.
    std::fs::write(&path, claim.replace("confluent", "other")).unwrap();
    let sent = scene.cloudzero.sent().len();
    scene.publish(&["--revision", "1"]);
    for arguments in [
        &["--month", MONTH][..],
        &["--month", MONTH, "--empty", "--yes"],
        &["--gc", "0d"],
    ] {
        deliver(&scene.to_stream(), arguments).code(3).says(&[
            "`confluent` and `other` cannot both deliver",
            STREAM,
            "`billstream destinations remove --connection other`",
        ]);
    }
    assert_eq!(scene.cloudzero.sent().len(), sent);
    // The hint works, although nothing else is known of that connection.
    scene
        .to_stream()
        .run(&["destinations", "remove", "--connection", "other"])
        .ok();
    deliver(&scene.to_stream(), &[]).ok().delivery("delivered");
    assert_eq!(claims(&scene), file);
}

#[test]
fn stores_without_claims_get_them() {
    let scene = Scene::new(&[]);
    let bucket = scene.to_bucket();
    deliver(&bucket, &[]).ok();
    std::fs::remove_dir_all(scene.store.path().join("runs/claims")).unwrap();
    // The record of the earlier version protects its destination.
    let other = scene.to_bucket().connection("other");
    add(&other, &["--bucket", scene.bucket.path().to_str().unwrap()])
        .code(3)
        .says(&["`confluent`"]);
    assert_eq!(claims(&scene), Vec::<String>::new());
    deliver(&bucket, &[]).ok().delivery("unchanged");
    assert_eq!(claims(&scene).len(), 1);
}

#[test]
fn removing_a_destination_or_connection_releases_it() {
    let scene = Scene::new(&[]);
    let folder = scene.bucket.path().to_str().unwrap();
    let other = scene.to_bucket().connection("other");
    deliver(&scene.to_bucket(), &[]).ok();
    add(&other, &["--bucket", folder]).code(3);
    scene.to_bucket().run(&["destinations", "remove"]).ok();
    assert_eq!(claims(&scene), Vec::<String>::new());
    add(&other, &["--bucket", folder]).ok();
    deliver(&scene.to_bucket(), &[]).code(3).says(&["`other`"]);
    other.run(&["connections", "remove", "other"]).code(2);
    other
        .run(&["destinations", "remove", "--connection", "other"])
        .ok();
    deliver(&scene.to_bucket(), &[]).ok();
    scene
        .to_bucket()
        .run(&["connections", "remove", "confluent"])
        .ok()
        .says(&["released"]);
    assert_eq!(claims(&scene), Vec::<String>::new());
    other
        .run(&["destinations", "remove", "--connection", "nobody"])
        .code(2)
        .says(&["`nobody`"]);
}

#[test]
fn of_two_connections_in_one_run_one_gets_the_destination() {
    let scene = Scene::new(&[]);
    let sandboxes = [Sandbox::start(&[]), Sandbox::start(&["--seed", "2"])];
    let store = tempfile::tempdir().unwrap();
    let names = ["acme", "globex"];
    let bucket = scene.bucket.path().to_str().unwrap();
    let mut text = String::new();
    for (name, sandbox) in names.iter().zip(&sandboxes) {
        text += &format!(
            "[connections.{name}]\nendpoint = \"{}\"\nkey = {{ env = \"THE_KEY\" }}\n\
             secret = {{ env = \"THE_SECRET\" }}\nbucket = {bucket:?}\n",
            sandbox.url()
        );
    }
    let billstream = Billstream::on(store.path());
    let config = billstream.home().join("billstream.toml");
    std::fs::write(&config, text).unwrap();
    let billstream = billstream
        .env("BILLSTREAM_CONFIG", config.to_str().unwrap())
        .env("THE_KEY", "sandbox-key")
        .env("THE_SECRET", "sandbox-secret");
    let output = billstream
        .run(&["import", "--month", MONTH, "--format", "json"])
        .code(4);
    let json = output.json();
    let codes = json["connections"].as_array().unwrap().iter();
    let mut codes: Vec<_> = codes.map(|one| one["exit_code"].clone()).collect();
    codes.sort_by_key(|code| code.as_u64());
    assert_eq!(codes, [json!(0), json!(4)], "{}", output.stderr);
    output.says(&["`acme`", "`globex`", "cannot both deliver"]);
}
