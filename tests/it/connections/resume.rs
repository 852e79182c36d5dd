//! Set-ups that were killed go on where they stopped.

use std::path::Path;

use super::{KEY, Scene};
use crate::support::Running;

/// New keys take a while, in which a set-up can be killed.
const SLOW: [&str; 2] = ["--key-delay-ms", "3000"];

/// Waits until a file is there, which a run makes.
fn wait_for(path: &Path, run: &mut Running) {
    while !path.exists() {
        assert!(run.is_running(), "{} was not made", path.display());
        std::thread::yield_now();
    }
}

/// A set-up that was killed while it waited for its key.
fn killed(scene: &Scene) -> (String, String) {
    let mut run = scene.begin_set_up("acme");
    wait_for(&scene.folder().join("credentials/acme.new.toml"), &mut run);
    assert!(run.kill(), "it was still waiting");
    scene.iam().assert_one(&["BillingAdmin"])
}

#[test]
fn a_set_up_that_was_killed_goes_on_with_the_same_key() {
    let scene = Scene::new(&SLOW);
    let (account, key) = killed(&scene);
    assert!(!scene.folder().join("billstream.toml").exists());
    let output = scene.set_up("acme", &[]).ok();
    output.says(&[
        "going on where it stopped",
        &format!("API key {key}: made before"),
    ]);
    assert_eq!(
        scene.iam().assert_one(&["BillingAdmin"]),
        (account, key.clone())
    );
    assert_eq!(scene.kept_key("acme"), key);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn a_key_whose_secret_was_lost_is_made_anew() {
    let scene = Scene::new(&SLOW);
    let (account, lost) = killed(&scene);
    std::fs::remove_file(scene.folder().join("credentials/acme.new.toml")).unwrap();
    let output = scene.set_up("acme", &[]).ok();
    output.says(&[&format!("API key {lost}: deleted, as its secret was lost")]);
    let (same, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!((same, scene.kept_key("acme")), (account, key.clone()));
    assert_ne!(key, lost);
}

#[test]
fn a_set_up_that_was_killed_early_makes_no_second_account() {
    for file in ["setup", "setup/acme.json"] {
        let scene = Scene::new(&super::AT_ONCE);
        let mut run = scene.begin_set_up("acme");
        wait_for(&scene.folder().join(file), &mut run);
        run.kill();
        scene.set_up("acme", &["--replace"]).ok();
        let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
        assert_eq!(scene.kept_key("acme"), key);
    }
}

#[test]
fn what_is_written_down_is_for_its_owner_alone_and_holds_no_secret() {
    let scene = Scene::new(&SLOW);
    killed(&scene);
    let (_, secret) = super::of_credentials(&scene.file("credentials/acme.new.toml"));
    let notes = scene.file("setup/acme.json");
    assert!(notes.contains("sa-") && !notes.contains(&secret), "{notes}");
    for name in ["setup/acme.json", "credentials/acme.new.toml"] {
        assert_eq!(super::mode(&scene.folder().join(name)), 0o600, "{name}");
    }
    // One that others can read is not trusted.
    super::chmod(&scene.folder().join("credentials/acme.new.toml"), 0o644);
    scene
        .set_up("acme", &[])
        .code(3)
        .says(&["acme.new.toml", "0644", "chmod 600"]);
}

#[test]
fn another_way_to_add_it_does_not_take_the_unfinished_key() {
    let scene = Scene::new(&SLOW);
    killed(&scene);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    assert_eq!(scene.kept_key("acme"), "sandbox-key");
    // A rotation would not know which key it is about.
    let rotate = ["connections", "rotate", "acme"];
    scene
        .billstream
        .told(&rotate, super::ADMIN)
        .code(3)
        .says(&["a set-up of `acme` was cut off", "--setup --replace"]);
    scene.set_up("acme", &["--replace"]).ok();
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(scene.kept_key("acme"), key);
}

#[test]
fn notes_that_cannot_be_read_are_not_guessed_at() {
    let scene = Scene::new(&super::AT_ONCE);
    let path = scene.folder().join("setup/acme.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "{").unwrap();
    super::chmod(&path, 0o600);
    scene
        .set_up("acme", &[])
        .code(3)
        .says(&["acme.json", "cannot be read", "delete it"]);
    assert_eq!(scene.iam().changes(), Vec::<String>::new());
}
