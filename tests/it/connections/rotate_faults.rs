//! Rotations that fail or are killed: before the switch the old key stays, after it the new one.

use super::{ADMIN, NO_KEY_DELAY, Scene};

/// Requests of a setup, and of a rotation after it before it creates, probes and deletes a key.
const SET_UP: usize = 8;
const BEFORE_KEY: usize = SET_UP + 2;
const BEFORE_PROOF: usize = SET_UP + 3;
const BEFORE_DELETION: usize = SET_UP + 4;

/// A connection that was set up, with faults from then on.
fn set_up_with(faults: &[&str]) -> (Scene, String, String) {
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let options: Vec<&str> = NO_KEY_DELAY.into_iter().chain(faults).collect();
    let scene = Scene::new(&options);
    scene.set_up("acme", &[]).ok();
    assert_eq!(scene.sandbox.requests(), SET_UP as u64);
    let (account, key) = scene.iam().assert_one(&["BillingAdmin"]);
    (scene, account, key)
}

/// Asserts that the rotation is complete: only a new key exists.
#[track_caller]
fn assert_rotated(scene: &Scene, old: &str) -> String {
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(scene.stored_key("acme"), key);
    assert_ne!(key, old);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    scene.run(&["connections", "check"]).ok();
    key
}

#[test]
fn failure_before_the_switch_keeps_the_old_key() {
    for (kind, code) in [("iam-500", 7), ("iam-402", 3), ("iam-403", 3)] {
        let fault = format!("{kind}:1:after={BEFORE_KEY}");
        let (scene, account, old) = set_up_with(&[&fault]);
        let output = scene.rotate("acme", &[]);
        assert_eq!(scene.sandbox.fired(kind), 1);
        if kind == "iam-500" {
            // The outcome is unknown: the rotation looks for the key, and then creates it.
            assert_rotated(&scene, &old);
            continue;
        }
        output
            .code(code)
            .says(&["`acme` still uses its old key", "the same command again"]);
        assert_eq!(scene.iam().keys(&account), std::slice::from_ref(&old));
        assert_eq!(scene.stored_key("acme"), old);
        scene.run(&["connections", "check"]).ok();
        scene
            .rotate("acme", &[])
            .ok()
            .says(&["resuming the interrupted rotation"]);
        assert_rotated(&scene, &old);
    }
}

#[test]
fn does_not_switch_to_a_key_that_cannot_read_costs() {
    let fault = format!("403:1:after={BEFORE_PROOF}");
    let (scene, account, old) = set_up_with(&[&fault]);
    let output = scene.rotate("acme", &[]).code(3);
    assert_eq!(scene.sandbox.fired("403"), 1);
    assert_eq!(scene.stored_key("acme"), old);
    let keys = scene.iam().keys(&account);
    assert_eq!(keys.len(), 2);
    let undo = format!("confluent api-key delete {}", keys[1]);
    output.says(&["may not read costs", "still uses its old key", &undo]);
    scene.run(&["connections", "check"]).ok();
    // The next run resumes with the key that was created.
    scene
        .rotate("acme", &[])
        .ok()
        .says(&[&format!("{}: created earlier", keys[1])]);
    assert_eq!(assert_rotated(&scene, &old), keys[1]);
}

#[test]
fn lost_response_to_key_creation_leaves_no_orphan() {
    let fault = format!("iam-lost-reply:1:after={BEFORE_KEY}");
    let (scene, _, old) = set_up_with(&[&fault]);
    scene.rotate("acme", &[]).ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 1);
    assert_rotated(&scene, &old);
}

#[test]
fn survives_a_lost_response_to_the_deletion() {
    let fault = format!("iam-lost-reply:1:after={BEFORE_DELETION}");
    let (scene, _, old) = set_up_with(&[&fault]);
    scene.rotate("acme", &[]).ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 1);
    assert_rotated(&scene, &old);
}

#[test]
fn next_run_deletes_the_remaining_old_key() {
    let fault = format!("reset:3:after={BEFORE_DELETION}");
    let (scene, account, old) = set_up_with(&[&fault]);
    let output = scene.rotate("acme", &[]).code(7);
    assert_eq!(scene.sandbox.fired("reset"), 3);
    let keys = scene.iam().keys(&account);
    assert_eq!(keys, [old.clone(), scene.stored_key("acme")]);
    let undo = format!("confluent api-key delete {old}");
    output.says(&[
        "`acme` already uses the new key",
        "the same command again",
        &undo,
    ]);
    scene.run(&["connections", "check"]).ok();
    let again = scene.rotate("acme", &[]).ok();
    again.says(&[
        "resuming the interrupted rotation",
        &format!("API key {old}: deleted"),
    ]);
    assert_eq!(assert_rotated(&scene, &old), keys[1]);
}

#[test]
fn rotation_killed_before_the_switch_resumes_with_its_key() {
    let scene = Scene::new(&["--key-delay-ms", "2000"]);
    let acme = ["--name", "acme", "--no-import"];
    scene.add(&acme, super::KEY).ok();
    let rotate = ["connections", "rotate", "acme"];
    let mut run = scene.billstream.spawn_told(&rotate, ADMIN);
    let held = scene.folder().join("credentials/acme.new.toml");
    while run.is_running() && !held.exists() {
        std::thread::yield_now();
    }
    assert!(run.kill(), "it was still waiting");
    assert_eq!(scene.stored_key("acme"), "sandbox-key");
    scene.run(&["connections", "check"]).ok();
    let keys = scene.iam().keys("sa-sandbox");
    assert_eq!(keys.len(), 2);
    scene.rotate("acme", &[]).ok().says(&["created earlier"]);
    assert_eq!(scene.iam().keys("sa-sandbox"), keys[1..]);
    assert_eq!(scene.stored_key("acme"), keys[1]);
    assert!(!held.exists());
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn rotation_killed_after_the_switch_deletes_the_old_key() {
    // The deletion takes long enough for the rotation to be killed.
    let fault = format!("429:9:retry_after=20:after={BEFORE_DELETION}");
    let (scene, account, old) = set_up_with(&[&fault]);
    let rotate = ["connections", "rotate", "acme"];
    let mut run = scene.billstream.spawn_told(&rotate, ADMIN);
    while run.is_running() && scene.sandbox.fired("429") == 0 {}
    assert!(run.kill(), "it was still waiting");
    let keys = scene.iam().keys(&account);
    assert_eq!(keys, [old.clone(), scene.stored_key("acme")]);
    // Uses up the remaining faults, because restarting the fake server would lose its state.
    while scene.sandbox.fired("429") < 9 {
        let mut check = scene.billstream.command(&["connections", "check"]);
        check.env("BILLSTREAM_RETRY_ATTEMPTS", "1");
        check.output().unwrap();
    }
    scene
        .rotate("acme", &[])
        .ok()
        .says(&[&format!("API key {old}: deleted")]);
    assert_eq!(assert_rotated(&scene, &old), keys[1]);
}
