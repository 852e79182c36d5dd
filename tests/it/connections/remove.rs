//! `connections remove` without an administrator: what is deleted, and what stays.

use super::{KEY, NO_KEY_DELAY, Scene};
use crate::support::{Billstream, MONTH, files_below, published_files};

fn remove(scene: &Scene, name: &str) -> crate::support::Output {
    scene.run(&["connections", "remove", name])
}

#[test]
fn keeps_imported_costs_other_connections_and_comments() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let globex = [
        "--name",
        "globex",
        "--no-import",
        "--allow-same-organization",
    ];
    scene.add(&globex, KEY).ok();
    let file = scene.file("billstream.toml").replace(
        "[connections.globex]\n",
        "# theirs\n[connections.globex]\ncurrency = \"USD\" # dollars\n",
    );
    scene.configure(&format!("# mine\nstore = \"elsewhere\" # not now\n{file}"));
    scene.run(&["import", "--month", MONTH]).ok();
    let before = published_files(scene.store.path());

    remove(&scene, "acme").ok().says(&[
        "removed connection `acme`",
        "imported costs stay",
        "API key is still active",
    ]);
    let file = scene.file("billstream.toml");
    for kept in [
        "# mine\nstore = \"elsewhere\" # not now\n",
        "# theirs\n[connections.globex]\n",
        "# dollars",
    ] {
        assert!(file.contains(kept), "{file}");
    }
    assert!(!file.contains("acme"), "{file}");
    assert!(!scene.folder().join("credentials/acme.toml").exists());
    assert_eq!(scene.stored_key("globex"), "sandbox-key");
    assert!(published_files(scene.store.path()) == before);
    let acme = Billstream::on(scene.store.path()).connection("acme");
    acme.assert_month_is(MONTH, &scene.sandbox.totals(MONTH));
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn removed_connection_is_never_late() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    scene.run(&["import", "--month", MONTH]).ok();
    assert_eq!(scene.only()["connection"], "acme");
    remove(&scene, "acme").ok();
    let scene = scene.at("2027-01-23T06:00:00Z");
    assert_eq!(scene.list(), Vec::<serde_json::Value>::new());
    scene.run(&["status"]).ok();
    remove(&scene, "acme").code(2);
    // Added again, it continues with its months.
    let scene = scene.at(crate::support::NOW);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let import = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&import).ok().status("unchanged");
    assert_eq!(scene.only()["status"], "healthy");
}

#[test]
fn rejects_an_unknown_name_and_suggests_the_nearest() {
    let scene = Scene::new(&[]);
    remove(&scene, "acme")
        .code(2)
        .says(&["there is no connection `acme`", "connections add confluent"]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    remove(&scene, "acmee")
        .code(2)
        .says(&["did you mean `acme`?"]);
    remove(&scene, "zzz").code(2).says(&["choose one of: acme"]);
    assert_eq!(scene.stored_key("acme"), "sandbox-key");
}

#[test]
fn keeps_key_files_it_did_not_create() {
    let scene = Scene::new(&[]);
    let home = scene.billstream.home();
    for (name, text) in [("key", "sandbox-key"), ("secret", "sandbox-secret")] {
        std::fs::write(home.join(name), text).unwrap();
        super::chmod(&home.join(name), 0o600);
    }
    let by_path = ["--key-file", "key", "--secret-file", "secret"];
    scene
        .add(&[&["--no-import"][..], &by_path].concat(), "")
        .ok();
    remove(&scene, "confluent").ok();
    let files = files_below(home);
    assert_eq!(files["key"], b"sandbox-key");
    assert_eq!(files["secret"], b"sandbox-secret");
    assert!(!scene.file("billstream.toml").contains("confluent"));
}

#[test]
fn deletes_stored_credentials_although_the_environment_has_a_key() {
    let scene = Scene::new(&[]);
    scene.add(&["--no-import"], KEY).ok();
    let scene = Scene {
        billstream: scene.billstream.from(&scene.sandbox),
        ..scene
    };
    remove(&scene, "confluent").ok();
    assert!(!scene.folder().join("credentials/confluent.toml").exists());
}

#[test]
fn reports_that_cloudzero_keeps_delivered_data() {
    let scene = Scene::new(&[]);
    scene.add(&["--no-import"], KEY).ok();
    let bucket = tempfile::tempdir().unwrap();
    let delivering = Scene {
        billstream: scene.billstream.on_bucket(bucket.path()),
        ..scene
    };
    delivering.run(&["import", "--month", MONTH]).ok();
    let names = crate::support::names_below(bucket.path());
    remove(&delivering, "confluent")
        .ok()
        .says(&["CloudZero keeps what was delivered", "released"]);
    assert_eq!(crate::support::names_below(bucket.path()), names);
}

#[test]
fn refuses_to_remove_during_a_run() {
    let scene = Scene::new(&["--fault", "slow:1:secs=30:after=1"]);
    scene.add(&["--no-import"], KEY).ok();
    let mut run = scene.billstream.spawn(&["import", "--month", MONTH]);
    while run.is_running() && scene.sandbox.fired("slow") == 0 {}
    remove(&scene, "confluent").code(6);
    assert_eq!(scene.stored_key("confluent"), "sandbox-key");
    assert!(run.kill(), "the run was still there");
    remove(&scene, "confluent").ok();
}

#[test]
fn removal_ends_the_pause() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.add(&["--no-import"], KEY).ok();
    scene.run(&["connections", "pause", "confluent"]).ok();
    remove(&scene, "confluent").ok();
    scene.add(&["--no-import"], KEY).ok();
    assert_eq!(scene.only()["status"], "pending-data");
}
