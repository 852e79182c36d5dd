//! Rotations that fail or are killed: before the switch the old key stays, after it the new one does.

use super::{ADMIN, AT_ONCE, Scene};

/// Requests of a set-up, and of a rotation after it until its new key is made, proven, and its old one deleted.
const SET_UP: usize = 8;
const BEFORE_KEY: usize = SET_UP + 2;
const BEFORE_PROOF: usize = SET_UP + 3;
const BEFORE_DELETION: usize = SET_UP + 4;

/// A connection that was set up, with faults from then on.
fn set_up_with(faults: &[&str]) -> (Scene, String, String) {
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let options: Vec<&str> = AT_ONCE.into_iter().chain(faults).collect();
    let scene = Scene::new(&options);
    scene.set_up("acme", &[]).ok();
    assert_eq!(scene.sandbox.requests(), SET_UP as u64);
    let (account, key) = scene.iam().assert_one(&["BillingAdmin"]);
    (scene, account, key)
}

/// The rotation comes to its end: a new key alone.
#[track_caller]
fn assert_rotated(scene: &Scene, old: &str) -> String {
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(scene.kept_key("acme"), key);
    assert_ne!(key, old);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    scene.run(&["connections", "check"]).ok();
    key
}

#[test]
fn a_failure_before_the_switch_leaves_the_old_key_in_force() {
    for (kind, code) in [("iam-500", 7), ("iam-402", 3), ("iam-403", 3)] {
        let fault = format!("{kind}:1:after={BEFORE_KEY}");
        let (scene, account, old) = set_up_with(&[&fault]);
        let output = scene.rotate("acme", &[]);
        assert_eq!(scene.sandbox.fired(kind), 1);
        if kind == "iam-500" {
            // Nobody knows whether it was done: it is looked for, and then made.
            assert_rotated(&scene, &old);
            continue;
        }
        output
            .code(code)
            .says(&["`acme` has its old key still", "the same command again"]);
        assert_eq!(scene.iam().keys(&account), std::slice::from_ref(&old));
        assert_eq!(scene.kept_key("acme"), old);
        scene.run(&["connections", "check"]).ok();
        scene.rotate("acme", &[]).ok().says(&["going on"]);
        assert_rotated(&scene, &old);
    }
}

#[test]
fn a_new_key_that_does_not_read_costs_is_not_switched_to() {
    let fault = format!("403:1:after={BEFORE_PROOF}");
    let (scene, account, old) = set_up_with(&[&fault]);
    let output = scene.rotate("acme", &[]).code(3);
    assert_eq!(scene.sandbox.fired("403"), 1);
    assert_eq!(scene.kept_key("acme"), old);
    let keys = scene.iam().keys(&account);
    assert_eq!(keys.len(), 2);
    let undo = format!("confluent api-key delete {}", keys[1]);
    output.says(&["may not read costs", "has its old key still", &undo]);
    scene.run(&["connections", "check"]).ok();
    // The next one goes on with the key that was made.
    scene
        .rotate("acme", &[])
        .ok()
        .says(&[&format!("{}: made before", keys[1])]);
    assert_eq!(assert_rotated(&scene, &old), keys[1]);
}

#[test]
fn a_new_key_whose_answer_is_lost_leaves_no_orphan() {
    let fault = format!("iam-lost-reply:1:after={BEFORE_KEY}");
    let (scene, _, old) = set_up_with(&[&fault]);
    scene.rotate("acme", &[]).ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 1);
    assert_rotated(&scene, &old);
}

#[test]
fn a_deletion_whose_answer_is_lost_is_a_deletion() {
    let fault = format!("iam-lost-reply:1:after={BEFORE_DELETION}");
    let (scene, _, old) = set_up_with(&[&fault]);
    scene.rotate("acme", &[]).ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 1);
    assert_rotated(&scene, &old);
}

#[test]
fn an_old_key_that_was_not_deleted_is_deleted_by_the_next_run() {
    let fault = format!("reset:3:after={BEFORE_DELETION}");
    let (scene, account, old) = set_up_with(&[&fault]);
    let output = scene.rotate("acme", &[]).code(7);
    assert_eq!(scene.sandbox.fired("reset"), 3);
    let keys = scene.iam().keys(&account);
    assert_eq!(keys, [old.clone(), scene.kept_key("acme")]);
    let undo = format!("confluent api-key delete {old}");
    output.says(&["`acme` has its new key", "the same command again", &undo]);
    scene.run(&["connections", "check"]).ok();
    let again = scene.rotate("acme", &[]).ok();
    again.says(&["going on", &format!("API key {old}: deleted")]);
    assert_eq!(assert_rotated(&scene, &old), keys[1]);
}

#[test]
fn a_rotation_that_was_killed_while_its_key_was_new_goes_on_with_it() {
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
    assert_eq!(scene.kept_key("acme"), "sandbox-key");
    scene.run(&["connections", "check"]).ok();
    let keys = scene.iam().keys("sa-sandbox");
    assert_eq!(keys.len(), 2);
    scene.rotate("acme", &[]).ok().says(&["made before"]);
    assert_eq!(scene.iam().keys("sa-sandbox"), keys[1..]);
    assert_eq!(scene.kept_key("acme"), keys[1]);
    assert!(!held.exists());
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn a_rotation_that_was_killed_after_the_switch_deletes_the_old_key() {
    // The deletion is not answered for long enough to be killed.
    let fault = format!("429:9:retry_after=20:after={BEFORE_DELETION}");
    let (scene, account, old) = set_up_with(&[&fault]);
    let rotate = ["connections", "rotate", "acme"];
    let mut run = scene.billstream.spawn_told(&rotate, ADMIN);
    while run.is_running() && scene.sandbox.fired("429") == 0 {}
    assert!(run.kill(), "it was still waiting");
    let keys = scene.iam().keys(&account);
    assert_eq!(keys, [old.clone(), scene.kept_key("acme")]);
    // The faults go with the sandbox, what is there does not: they are used up here instead.
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
