//! `connections remove --revoke`: what a set-up made goes at Confluent, too.

use super::{ADMIN, AT_ONCE, KEY, Scene};
use crate::support::{Output, names_below};

fn revoke(scene: &Scene, name: &str) -> Output {
    let arguments = ["connections", "remove", name, "--revoke"];
    scene.billstream.told(&arguments, ADMIN)
}

#[test]
fn key_roles_and_account_of_a_set_up_go() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam().things();
    scene.set_up("acme", &["--with-inventory"]).ok();
    let (account, key) = scene.iam().assert_one(&["BillingAdmin", "Operator"]);
    revoke(&scene, "acme").ok().says(&[
        &format!("API key {key}: deleted"),
        &format!("service account `billstream` ({account}): deleted"),
        "`acme` is removed",
    ]);
    assert_eq!(scene.iam().things(), before);
    let left = names_below(scene.billstream.home());
    assert_eq!(left, [".config/billstream/billstream.toml"]);
    assert_eq!(scene.list(), Vec::<serde_json::Value>::new());
}

#[test]
fn also_after_a_rotation_and_a_set_up_anew() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam().things();
    scene.set_up("acme", &[]).ok();
    scene.rotate("acme", &[]).ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);

    scene.set_up("acme", &[]).ok();
    let (account, first) = scene.iam().assert_one(&["BillingAdmin"]);
    scene.set_up("acme", &["--replace"]).ok();
    // The first key is nobody's to delete: it may be in use elsewhere.
    revoke(&scene, "acme").ok().says(&["stays", "1 other key"]);
    assert_eq!(scene.iam().keys(&account), [first]);
    assert_eq!(scene.iam().roles(&account), ["BillingAdmin"]);
}

#[test]
fn an_account_with_another_key_stays() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam().things();
    scene.set_up("acme", &[]).ok();
    scene.set_up("globex", &[]).ok();
    let account = scene.iam().accounts("billstream").remove(0);
    revoke(&scene, "acme")
        .ok()
        .says(&[&account, "stays", "1 other key"]);
    assert_eq!(scene.iam().keys(&account), [scene.kept_key("globex")]);
    assert_eq!(scene.iam().roles(&account), ["BillingAdmin"]);
    scene.run(&["connections", "check"]).ok();
    // globex found the account, so that it takes back its key alone.
    revoke(&scene, "globex").ok();
    assert_eq!(
        scene.iam().accounts("billstream"),
        std::slice::from_ref(&account)
    );
    assert_eq!(scene.iam().keys(&account), Vec::<String>::new());
    assert_ne!(scene.iam().things(), before);
}

#[test]
fn an_account_that_was_there_before_stays_with_its_roles() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam().things();
    scene.set_up("acme", &["--service-account", "sandbox"]).ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);
}

#[test]
fn a_key_that_was_typed_in_goes_alone() {
    let scene = Scene::new(&AT_ONCE);
    scene.add(&["--no-import"], KEY).ok();
    revoke(&scene, "confluent")
        .ok()
        .says(&["API key sandbox-key: deleted"]);
    assert_eq!(scene.iam().keys("sa-sandbox"), Vec::<String>::new());
    assert_eq!(scene.iam().roles("sa-sandbox").len(), 2);
}

#[test]
fn an_unfinished_set_up_is_taken_back() {
    let scene = Scene::new(&["--key-delay-ms", "60000"]);
    let before = scene.iam().things();
    scene.set_up("acme", &["--wait-secs", "0"]).code(3);
    scene.iam().assert_one(&["BillingAdmin"]);
    // Nothing is configured that would say where Confluent is.
    let url = scene.sandbox.url().to_string();
    let scene = Scene {
        billstream: scene.billstream.env("CONFLUENT_CLOUD_REST_ENDPOINT", &url),
        ..scene
    };
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);
    assert_eq!(names_below(scene.billstream.home()), Vec::<String>::new());
}

#[test]
fn the_key_of_the_environment_is_not_revoked_with_an_unfinished_set_up() {
    let scene = Scene::new(&["--key-delay-ms", "60000"]);
    let before = scene.iam().things();
    scene.set_up("acme", &["--wait-secs", "0"]).code(3);
    let scene = Scene {
        billstream: scene.billstream.from(&scene.sandbox),
        ..scene
    };
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);
}

#[test]
fn nor_with_a_connection_that_has_its_own() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam().things();
    scene.set_up("confluent", &[]).ok();
    scene.set_up("acme", &["--service-account", "other"]).ok();
    let scene = Scene {
        billstream: scene.billstream.from(&scene.sandbox),
        ..scene
    };
    revoke(&scene, "confluent").ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);
}

#[test]
fn the_key_of_the_environment_alone_is_revoked_when_it_is_asked_for() {
    let scene = Scene::new(&AT_ONCE);
    let scene = Scene {
        billstream: scene.billstream.from(&scene.sandbox),
        ..scene
    };
    revoke(&scene, "confluent")
        .ok()
        .says(&["API key sandbox-key: deleted"]);
    assert_eq!(scene.iam().keys("sa-sandbox"), Vec::<String>::new());
}

#[test]
fn a_refusal_leaves_the_connection_as_it_is_and_can_be_repeated() {
    // After the set-up: keys are listed, the key is deleted, and then the account.
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "iam-403:1:after=10"]);
    let before = scene.iam().things();
    scene.set_up("acme", &[]).ok();
    let arguments = ["connections", "remove", "acme", "--revoke"];
    scene
        .billstream
        .told(&arguments, KEY)
        .code(3)
        .says(&["OrganizationAdmin"]);
    scene.run(&["connections", "check"]).ok();
    assert_eq!(scene.sandbox.requests(), 10);
    revoke(&scene, "acme").code(3);
    assert_eq!(scene.sandbox.fired("iam-403"), 1);
    assert!(scene.file("billstream.toml").contains("acme"));
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);
}

#[test]
fn lost_answers_of_deletions_are_survived() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "iam-lost-reply:2:after=8"]);
    let before = scene.iam().things();
    scene.set_up("acme", &[]).ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 2);
    assert_eq!(scene.iam().things(), before);
}

#[test]
fn a_connection_whose_key_is_lost_can_be_revoked() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam().things();
    scene.set_up("acme", &[]).ok();
    std::fs::remove_file(scene.folder().join("credentials/acme.toml")).unwrap();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().things(), before);
}
