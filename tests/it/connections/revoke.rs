//! `connections remove --revoke`: deletes at Confluent what a setup created.

use super::{ADMIN, KEY, NO_KEY_DELAY, Scene};
use crate::support::{Output, names_below};

fn revoke(scene: &Scene, name: &str) -> Output {
    let arguments = ["connections", "remove", name, "--revoke"];
    scene.billstream.told(&arguments, ADMIN)
}

#[test]
fn deletes_key_roles_and_account_of_a_setup() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam().resources();
    scene.set_up("acme", &["--with-inventory"]).ok();
    let (account, key) = scene.iam().assert_one(&["BillingAdmin", "Operator"]);
    revoke(&scene, "acme").ok().says(&[
        &format!("API key {key}: deleted"),
        &format!("service account `billstream` ({account}): deleted"),
        "removed connection `acme`",
    ]);
    assert_eq!(scene.iam().resources(), before);
    let left = names_below(scene.billstream.home());
    assert_eq!(left, [".config/billstream/billstream.toml"]);
    assert_eq!(scene.list(), Vec::<serde_json::Value>::new());
}

#[test]
fn deletes_them_after_a_rotation_and_a_second_setup() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam().resources();
    scene.set_up("acme", &[]).ok();
    scene.rotate("acme", &[]).ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().resources(), before);

    scene.set_up("acme", &[]).ok();
    let (account, first) = scene.iam().assert_one(&["BillingAdmin"]);
    scene.set_up("acme", &["--replace"]).ok();
    // The first key may be in use elsewhere.
    revoke(&scene, "acme").ok().says(&["kept", "1 other key"]);
    assert_eq!(scene.iam().keys(&account), [first]);
    assert_eq!(scene.iam().roles(&account), ["BillingAdmin"]);
}

#[test]
fn keeps_an_account_with_other_keys() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam().resources();
    scene.set_up("acme", &[]).ok();
    scene.set_up("globex", &["--allow-same-organization"]).ok();
    let account = scene.iam().accounts("billstream").remove(0);
    revoke(&scene, "acme")
        .ok()
        .says(&[&account, "kept", "1 other key"]);
    assert_eq!(scene.iam().keys(&account), [scene.stored_key("globex")]);
    assert_eq!(scene.iam().roles(&account), ["BillingAdmin"]);
    scene.run(&["connections", "check"]).ok();
    // globex found the account, so only its key is deleted.
    revoke(&scene, "globex").ok();
    assert_eq!(
        scene.iam().accounts("billstream"),
        std::slice::from_ref(&account)
    );
    assert_eq!(scene.iam().keys(&account), Vec::<String>::new());
    assert_ne!(scene.iam().resources(), before);
}

#[test]
fn keeps_an_account_that_existed_before_with_its_roles() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam().resources();
    scene.set_up("acme", &["--service-account", "sandbox"]).ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().resources(), before);
}

#[test]
fn deletes_only_the_key_if_it_was_entered() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.add(&["--no-import"], KEY).ok();
    revoke(&scene, "confluent")
        .ok()
        .says(&["API key sandbox-key: deleted"]);
    assert_eq!(scene.iam().keys("sa-sandbox"), Vec::<String>::new());
    assert_eq!(scene.iam().roles("sa-sandbox").len(), 2);
}

#[test]
fn undoes_an_interrupted_setup() {
    let scene = Scene::new(&["--key-delay-ms", "60000"]);
    let before = scene.iam().resources();
    scene.set_up("acme", &["--wait-secs", "0"]).code(3);
    scene.iam().assert_one(&["BillingAdmin"]);
    // No configuration says where Confluent is.
    let url = scene.sandbox.url().to_string();
    let scene = Scene {
        billstream: scene.billstream.env("CONFLUENT_CLOUD_REST_ENDPOINT", &url),
        ..scene
    };
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().resources(), before);
    assert_eq!(names_below(scene.billstream.home()), Vec::<String>::new());
}

#[test]
fn keeps_the_environment_key_when_undoing_an_interrupted_setup() {
    let scene = Scene::new(&["--key-delay-ms", "60000"]);
    let before = scene.iam().resources();
    scene.set_up("acme", &["--wait-secs", "0"]).code(3);
    let scene = Scene {
        billstream: scene.billstream.from(&scene.sandbox),
        ..scene
    };
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().resources(), before);
}

#[test]
fn keeps_the_environment_key_when_the_connection_has_its_own() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam().resources();
    scene.set_up("confluent", &[]).ok();
    let other_account = ["--service-account", "other", "--allow-same-organization"];
    scene.set_up("acme", &other_account).ok();
    let scene = Scene {
        billstream: scene.billstream.from(&scene.sandbox),
        ..scene
    };
    revoke(&scene, "confluent").ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().resources(), before);
}

#[test]
fn revokes_the_environment_key_of_an_unconfigured_connection() {
    let scene = Scene::new(&NO_KEY_DELAY);
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
fn failed_revocation_leaves_the_connection_and_can_be_repeated() {
    // Requests after the setup: list the keys, delete the key, delete the account.
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "iam-403:1:after=10"]);
    let before = scene.iam().resources();
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
    assert_eq!(scene.iam().resources(), before);
}

#[test]
fn survives_lost_responses_to_deletions() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--fault", "iam-lost-reply:2:after=8"]);
    let before = scene.iam().resources();
    scene.set_up("acme", &[]).ok();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 2);
    assert_eq!(scene.iam().resources(), before);
}

#[test]
fn revokes_a_connection_whose_credentials_are_lost() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam().resources();
    scene.set_up("acme", &[]).ok();
    std::fs::remove_file(scene.folder().join("credentials/acme.toml")).unwrap();
    revoke(&scene, "acme").ok();
    assert_eq!(scene.iam().resources(), before);
}
