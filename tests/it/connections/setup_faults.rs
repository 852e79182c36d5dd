//! Setups that fail, lose a response, or stop halfway.

use super::{NO_KEY_DELAY, Scene};

/// Requests of a setup before it creates its service account, role and key.
const BEFORE_ACCOUNT: &str = "2";
const BEFORE_ROLE: &str = "4";
const BEFORE_KEY: &str = "6";

/// A fake Confluent with one fault, whose new keys are active at once.
fn with(fault: &str) -> Scene {
    Scene::new(&[&NO_KEY_DELAY[..], &["--fault", fault]].concat())
}

#[test]
fn reports_the_role_an_administrator_lacks() {
    let scene = Scene::new(&[]);
    let arguments = ["--setup", "--no-import"];
    for key in ["sandbox-key", "billing-only"] {
        scene
            .add(&arguments, &format!("{key}\nsandbox-secret\n"))
            .code(3)
            .says(&["403", "OrganizationAdmin", "hint: "]);
    }
    scene
        .add(&arguments, "sandbox-admin\nwrong-5ecret\n")
        .code(3)
        .says(&["401", "does not accept the API key"]);
    scene
        .add(&arguments, "cluster-key\nany-5ecret\n")
        .code(3)
        .says(&["not a Cloud API key"]);
    assert_eq!(scene.iam().changes(), Vec::<String>::new());
    scene.assert_nothing_stored();
}

#[test]
fn failure_of_the_first_request_leaves_nothing_behind() {
    for (fault, code, says) in [
        ("iam-402", 3, ["402", "quota", "delete what is not used"]),
        ("iam-403", 3, ["403", "OrganizationAdmin", "hint: "]),
        (
            "iam-500",
            7,
            ["500", "creating the service account", "on purpose"],
        ),
    ] {
        // Retries fail as well.
        let scene = with(&format!("{fault}:3"));
        let output = scene.set_up("acme", &[]).code(code).says(&says);
        assert!(
            !output.stderr.contains("created so far"),
            "{}",
            output.stderr
        );
        assert_ne!(scene.sandbox.fired(fault), 0);
        scene.assert_nothing_stored();
        assert_eq!(scene.iam().accounts("billstream"), Vec::<String>::new());
    }
}

#[test]
fn failure_lists_created_resources_and_setup_resumes() {
    for (fault, code, after, says) in [
        ("iam-402:3", 3, BEFORE_ROLE, "quota"),
        ("iam-402:3", 3, BEFORE_KEY, "quota"),
        ("iam-403:1", 3, BEFORE_ROLE, "OrganizationAdmin"),
        ("iam-500:3", 7, BEFORE_KEY, "creating a Cloud API key"),
    ] {
        let scene = with(&format!("{fault}:after={after}"));
        let output = scene.set_up("acme", &[]).code(code);
        let account = scene.iam().accounts("billstream").remove(0);
        let bindings = scene.iam().bindings(&account);
        assert_eq!(bindings.len(), usize::from(after == BEFORE_KEY));
        assert_eq!(scene.iam().keys(&account), Vec::<String>::new());
        let mut says = vec![says, "created so far: ", &account, "the same command again"];
        says.extend(bindings.iter().map(String::as_str));
        let undo = format!("confluent iam service-account delete {account}");
        output.says(&[&says[..], &[&undo, "remove acme --revoke"]].concat());
        assert!(!scene.folder().join("billstream.toml").exists());
        let kind = fault.split(':').next().unwrap();
        assert_ne!(scene.sandbox.fired(kind), 0);

        // Repeats the setup until the faults are used up.
        let mut tries = 0;
        while scene.set_up("acme", &[]).code != 0 {
            tries += 1;
            assert!(tries < 3, "{fault}");
        }
        assert_eq!(scene.iam().assert_one(&["BillingAdmin"]).0, account);
        scene.run(&["connections", "check"]).ok();
    }
}

#[test]
fn survives_concurrent_creation() {
    // 409 although nothing exists: the setup looks again, and then creates it.
    for after in [BEFORE_ACCOUNT, BEFORE_ROLE] {
        let scene = with(&format!("iam-409:1:after={after}"));
        scene.set_up("acme", &[]).ok();
        assert_eq!(scene.sandbox.fired("iam-409"), 1);
        scene.iam().assert_one(&["BillingAdmin"]);
    }
    let scene = with("iam-409:9");
    scene.set_up("acme", &[]).code(1).says(&[
        "409",
        "the name is already in use",
        "choose another name",
    ]);
    scene.assert_nothing_stored();
}

#[test]
fn lost_response_creates_no_duplicates() {
    for after in [BEFORE_ACCOUNT, BEFORE_ROLE, BEFORE_KEY] {
        let scene = with(&format!("iam-lost-reply:1:after={after}"));
        let output = scene.set_up("acme", &[]).ok();
        assert_eq!(scene.sandbox.fired("iam-lost-reply"), 1, "after {after}");
        let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
        assert_eq!(scene.stored_key("acme"), key);
        scene.run(&["connections", "check"]).ok();
        let deleted = output
            .stderr
            .contains("deleted because its secret was lost");
        assert_eq!(deleted, after == BEFORE_KEY, "{}", output.stderr);
    }
}

#[test]
fn every_response_lost_once_creates_no_duplicates() {
    // Account, two roles, key, and the deletion of the key whose secret was lost.
    let scene = with("iam-lost-reply:5");
    scene.set_up("acme", &["--with-inventory"]).ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 5);
    scene.iam().assert_one(&["BillingAdmin", "Operator"]);
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn revoke_deletes_an_account_whose_response_was_lost() {
    let scene = with("iam-lost-reply:1:after=2");
    scene.set_up("acme", &[]).ok();
    let revoke = ["connections", "remove", "acme", "--revoke"];
    scene.billstream.told(&revoke, super::ADMIN).ok();
    assert_eq!(scene.iam().accounts("billstream"), Vec::<String>::new());
}

#[test]
fn next_run_replaces_keys_whose_secrets_were_lost() {
    // Each of three attempts creates a key whose secret is lost; two are deleted on the way.
    let scene = with("iam-lost-reply:5:after=6");
    let output = scene.set_up("acme", &[]).code(7);
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 5);
    let account = scene.iam().accounts("billstream").remove(0);
    output.says(&[
        "creating a Cloud API key",
        &account,
        "the same command again",
    ]);
    scene.set_up("acme", &[]).ok();
    let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
    assert_eq!(scene.stored_key("acme"), key);
}

#[test]
fn survives_transient_errors() {
    for fault in [
        "429:2:retry_after=0",
        "500:1:after=1",
        "reset:1:after=5",
        "truncated-json:1",
    ] {
        let scene = with(fault);
        scene.set_up("acme", &[]).ok();
        let kind = fault.split(':').next().unwrap();
        assert_ne!(scene.sandbox.fired(kind), 0, "{fault}");
        scene.iam().assert_one(&["BillingAdmin"]);
    }
}

#[test]
fn unreadable_success_response_creates_no_duplicates() {
    for (fault, after) in [
        ("truncated-json", BEFORE_ACCOUNT),
        ("cut", BEFORE_ROLE),
        ("truncated-json", BEFORE_KEY),
    ] {
        let scene = with(&format!("{fault}:1:after={after}"));
        scene.set_up("acme", &[]).ok();
        assert_eq!(scene.sandbox.fired(fault), 1, "after {after}");
        let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
        assert_eq!(scene.stored_key("acme"), key);
    }
}
