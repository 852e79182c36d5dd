//! Killed setups resume where they stopped.

use std::path::Path;

use super::{KEY, Scene};
use crate::support::Running;

/// New keys take a while to become active, so that a setup can be killed.
const SLOW: [&str; 2] = ["--key-delay-ms", "3000"];

/// Waits until a run has created a file.
fn wait_for(path: &Path, run: &mut Running) {
    while !path.exists() {
        assert!(run.is_running(), "{} was not created", path.display());
        std::thread::yield_now();
    }
}

/// Kills a setup while it waits for its key.
fn killed(scene: &Scene) -> (String, String) {
    let mut run = scene.start_setup("acme");
    wait_for(&scene.folder().join("credentials/acme.new.toml"), &mut run);
    assert!(run.kill(), "it was still waiting");
    scene.iam().assert_one(&["BillingAdmin"])
}

#[test]
fn killed_setup_resumes_with_the_same_key() {
    let scene = Scene::new(&SLOW);
    let (account, key) = killed(&scene);
    assert!(!scene.folder().join("billstream.toml").exists());
    let output = scene.set_up("acme", &[]).ok();
    output.says(&[
        "resuming the interrupted setup of `acme`",
        &format!("API key {key}: created earlier"),
    ]);
    assert_eq!(
        scene.iam().assert_one(&["BillingAdmin"]),
        (account, key.clone())
    );
    assert_eq!(scene.stored_key("acme"), key);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn recreates_a_key_whose_secret_was_lost() {
    let scene = Scene::new(&SLOW);
    let (account, lost) = killed(&scene);
    std::fs::remove_file(scene.folder().join("credentials/acme.new.toml")).unwrap();
    let output = scene.set_up("acme", &[]).ok();
    output.says(&[&format!(
        "API key {lost}: deleted because its secret was lost"
    )]);
    let (same, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!((same, scene.stored_key("acme")), (account, key.clone()));
    assert_ne!(key, lost);
}

#[test]
fn setup_killed_early_creates_no_second_account() {
    for file in ["setup", "setup/acme.json"] {
        let scene = Scene::new(&super::NO_KEY_DELAY);
        let mut run = scene.start_setup("acme");
        wait_for(&scene.folder().join(file), &mut run);
        run.kill();
        scene.set_up("acme", &["--replace"]).ok();
        let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
        assert_eq!(scene.stored_key("acme"), key);
    }
}

#[test]
fn setup_state_is_private_and_holds_no_secret() {
    let scene = Scene::new(&SLOW);
    killed(&scene);
    let (_, secret) = super::parse_credentials(&scene.file("credentials/acme.new.toml"));
    let notes = scene.file("setup/acme.json");
    assert!(notes.contains("sa-") && !notes.contains(&secret), "{notes}");
    for name in ["setup/acme.json", "credentials/acme.new.toml"] {
        assert_eq!(super::mode(&scene.folder().join(name)), 0o600, "{name}");
    }
    // A file that others can read is not trusted.
    super::chmod(&scene.folder().join("credentials/acme.new.toml"), 0o644);
    scene
        .set_up("acme", &[])
        .code(3)
        .says(&["acme.new.toml", "0644", "chmod 600"]);
}

#[test]
fn entered_key_does_not_use_the_interrupted_setup() {
    let scene = Scene::new(&SLOW);
    killed(&scene);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    assert_eq!(scene.stored_key("acme"), "sandbox-key");
    // A rotation could not tell which key to replace.
    let rotate = ["connections", "rotate", "acme"];
    scene
        .billstream
        .told(&rotate, super::ADMIN)
        .code(3)
        .says(&["the setup of `acme` was interrupted", "--setup --replace"]);
    scene.set_up("acme", &["--replace"]).ok();
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(scene.stored_key("acme"), key);
}

#[test]
fn reports_unreadable_setup_state() {
    let scene = Scene::new(&super::NO_KEY_DELAY);
    let path = scene.folder().join("setup/acme.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{").unwrap();
    super::chmod(&path, 0o600);
    scene
        .set_up("acme", &[])
        .code(3)
        .says(&["acme.json", "could not read", "delete it"]);
    assert_eq!(scene.iam().changes(), Vec::<String>::new());
}
