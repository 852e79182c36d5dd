//! Set-ups that are refused, that lose an answer, or that stop half-way.

use super::{AT_ONCE, Scene};

/// Requests of a set-up before its service account, its role and its key are asked for.
const BEFORE_ACCOUNT: &str = "2";
const BEFORE_ROLE: &str = "4";
const BEFORE_KEY: &str = "6";

/// A sandbox whose new keys work at once, with a fault.
fn with(fault: &str) -> Scene {
    Scene::new(&[&AT_ONCE[..], &["--fault", fault]].concat())
}

#[test]
fn an_administrator_that_may_not_is_told_about_the_right() {
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
fn a_refusal_of_the_first_call_leaves_nothing_behind() {
    for (fault, code, says) in [
        ("iam-402", 3, ["402", "quota", "delete what is not used"]),
        ("iam-403", 3, ["403", "OrganizationAdmin", "hint: "]),
        (
            "iam-500",
            7,
            ["500", "creating the service account", "on purpose"],
        ),
    ] {
        // What is asked again is refused again.
        let scene = with(&format!("{fault}:3"));
        let output = scene.set_up("acme", &[]).code(code).says(&says);
        assert!(!output.stderr.contains("made so far"), "{}", output.stderr);
        assert_ne!(scene.sandbox.fired(fault), 0);
        scene.assert_nothing_stored();
        assert_eq!(scene.iam().accounts("billstream"), Vec::<String>::new());
    }
}

#[test]
fn what_was_made_before_a_refusal_is_named_and_gone_on_from() {
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
        let mut says = vec![says, "made so far: ", &account, "the same command again"];
        says.extend(bindings.iter().map(String::as_str));
        let undo = format!("confluent iam service-account delete {account}");
        output.says(&[&says[..], &[&undo, "remove acme --revoke"]].concat());
        assert!(!scene.folder().join("billstream.toml").exists());
        let kind = fault.split(':').next().unwrap();
        assert_ne!(scene.sandbox.fired(kind), 0);

        // Until the faults are used up, as often as it takes.
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
fn somebody_who_was_faster_is_no_failure() {
    // 409 says that there is one already, which there is not: it is looked for again, and then made.
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
fn an_answer_that_is_lost_makes_nothing_twice() {
    for after in [BEFORE_ACCOUNT, BEFORE_ROLE, BEFORE_KEY] {
        let scene = with(&format!("iam-lost-reply:1:after={after}"));
        let output = scene.set_up("acme", &[]).ok();
        assert_eq!(scene.sandbox.fired("iam-lost-reply"), 1, "after {after}");
        let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
        assert_eq!(scene.kept_key("acme"), key);
        scene.run(&["connections", "check"]).ok();
        let deleted = output.stderr.contains("deleted, as its secret was lost");
        assert_eq!(deleted, after == BEFORE_KEY, "{}", output.stderr);
    }
}

#[test]
fn all_answers_that_are_lost_once_make_nothing_twice() {
    // Account, two roles, key, and the deletion of the key whose secret was lost.
    let scene = with("iam-lost-reply:5");
    scene.set_up("acme", &["--with-inventory"]).ok();
    assert_eq!(scene.sandbox.fired("iam-lost-reply"), 5);
    scene.iam().assert_one(&["BillingAdmin", "Operator"]);
    scene.run(&["connections", "check"]).ok();
}

#[test]
fn a_lost_account_counts_as_made_when_all_is_taken_back() {
    let scene = with("iam-lost-reply:1:after=2");
    scene.set_up("acme", &[]).ok();
    let revoke = ["connections", "remove", "acme", "--revoke"];
    scene.billstream.told(&revoke, super::ADMIN).ok();
    assert_eq!(scene.iam().accounts("billstream"), Vec::<String>::new());
}

#[test]
fn a_key_that_cannot_be_had_is_made_by_the_next_run_and_no_other_is_left() {
    // Each of three attempts makes a key whose secret is lost; two are deleted on the way.
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
    assert_eq!(scene.kept_key("acme"), key);
}

#[test]
fn what_passes_by_itself_is_survived() {
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
fn a_success_with_a_body_that_cannot_be_read_makes_nothing_twice() {
    for (fault, after) in [
        ("truncated-json", BEFORE_ACCOUNT),
        ("cut", BEFORE_ROLE),
        ("truncated-json", BEFORE_KEY),
    ] {
        let scene = with(&format!("{fault}:1:after={after}"));
        scene.set_up("acme", &[]).ok();
        assert_eq!(scene.sandbox.fired(fault), 1, "after {after}");
        let (_, key) = scene.iam().assert_one(&["BillingAdmin"]);
        assert_eq!(scene.kept_key("acme"), key);
    }
}
