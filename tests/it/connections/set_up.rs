//! `connections add --setup`: an administrator's key, used once, makes all that is needed.

use super::{AT_ONCE, Scene};
use crate::support::{MONTH, files_below, names_below};

const BILLING: [&str; 1] = ["BillingAdmin"];
const BOTH: [&str; 2] = ["BillingAdmin", "Operator"];

#[test]
fn one_account_one_role_and_one_key_are_made() {
    let scene = Scene::new(&AT_ONCE);
    let output = scene.set_up("acme", &[]).ok();
    let (account, key) = scene.iam().assert_one(&BILLING);
    assert_eq!(scene.kept_key("acme"), key);
    output.says(&[
        "organization `Sandbox`",
        &format!("service account `billstream` ({account}): made"),
        "role `BillingAdmin` (rb-",
        &format!("API key {key}"),
        "so the key works",
    ]);
    let methods: Vec<String> = scene
        .iam()
        .requests()
        .iter()
        .map(|r| r.split(['?']).next().unwrap().to_string())
        .collect();
    assert_eq!(
        methods,
        [
            "GET /org/v2/organizations",
            "GET /iam/v2/service-accounts",
            "POST /iam/v2/service-accounts",
            "GET /iam/v2/role-bindings",
            "POST /iam/v2/role-bindings",
            "GET /iam/v2/api-keys",
            "POST /iam/v2/api-keys",
        ]
    );
    assert_no_administrator(&scene);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());

    // The new key does what it is for, and no more.
    let import = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&import).ok().status("published");
    let billstream = super::of_nobody(scene.store.path()).connection("acme");
    billstream.assert_month_is(MONTH, &scene.sandbox.totals(MONTH));
}

/// The administrator's secret is in no file.
fn assert_no_administrator(scene: &Scene) {
    for folder in [scene.billstream.home(), scene.store.path()] {
        for (name, bytes) in files_below(folder) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("sandbox-admin"), "{name}");
        }
    }
}

#[test]
fn names_and_regions_take_a_second_role() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &["--with-inventory"]).ok();
    scene.iam().assert_one(&BOTH);
    assert!(scene.file("billstream.toml").contains("inventory = true"));
    scene.run(&["import", "--month", MONTH]).ok();
    let resources = scene.run(&[
        "query",
        "select count(*) as n from resources",
        "--format",
        "csv",
    ]);
    assert_ne!(resources.ok().stdout, "n\n0\n");
    let listed = scene.only()["inventory"]["resources"].as_u64().unwrap();
    assert!(listed > 10, "{listed}");
}

#[test]
fn a_second_set_up_finds_what_is_there_and_makes_a_key() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    let (account, first) = scene.iam().assert_one(&BILLING);
    let changes = scene.iam().changes().len();
    scene.set_up("acme", &[]).code(3).says(&["--replace"]);
    assert_eq!(scene.iam().changes().len(), changes);

    let output = scene.set_up("acme", &["--replace"]).ok();
    let second = scene.kept_key("acme");
    assert_ne!(first, second);
    output.says(&[
        &format!("`billstream` ({account}): made before"),
        "role `BillingAdmin` (",
        &format!("api-key delete {first}"),
    ]);
    assert_eq!(scene.iam().changes()[changes..], ["POST /iam/v2/api-keys"]);
    assert_eq!(scene.iam().keys(&account), [first, second]);
    scene.run(&["connections", "check"]).ok();
    // A role that is wanted now is made now.
    scene
        .set_up("acme", &["--replace", "--with-inventory"])
        .ok();
    assert_eq!(scene.iam().roles(&account), BOTH);
}

#[test]
fn a_replacement_that_fails_takes_nothing_back_that_is_in_use() {
    let scene = Scene::new(&["--key-delay-ms", "700"]);
    scene.set_up("acme", &[]).ok();
    let (account, first) = scene.iam().assert_one(&BILLING);
    let replace = ["--replace", "--wait-secs", "0"];
    let output = scene.set_up("acme", &replace).code(3);
    let second = scene.iam().keys(&account).remove(1);
    let output = output.says(&[&format!("confluent api-key delete {second}")]);
    for harmful in ["service-account delete", "--revoke", "made so far: service"] {
        assert!(!output.stderr.contains(harmful), "{}", output.stderr);
    }
    assert_eq!(scene.kept_key("acme"), first);
    scene.run(&["connections", "check"]).ok();
    scene.set_up("acme", &["--replace"]).ok();
    assert_eq!(scene.kept_key("acme"), second);
    assert_eq!(scene.iam().keys(&account), [first, second]);
}

#[test]
fn an_account_that_is_there_is_taken() {
    let scene = Scene::new(&AT_ONCE);
    let arguments = ["--service-account", "sandbox"];
    scene
        .set_up("acme", &arguments)
        .ok()
        .says(&["`sandbox` (sa-sandbox): found"]);
    let iam = scene.iam();
    assert_eq!(iam.changes(), ["POST /iam/v2/api-keys"]);
    assert_eq!(
        iam.keys("sa-sandbox"),
        ["sandbox-key", &scene.kept_key("acme")]
    );
    assert_eq!(iam.roles("sa-sandbox"), BOTH);
}

#[test]
fn two_connections_share_the_account_and_no_key() {
    let scene = Scene::new(&AT_ONCE);
    scene.set_up("acme", &[]).ok();
    scene.set_up("globex", &[]).ok();
    let iam = scene.iam();
    let accounts = iam.accounts("billstream");
    assert_eq!(accounts.len(), 1);
    let kept = [scene.kept_key("acme"), scene.kept_key("globex")];
    assert_eq!(iam.keys(&accounts[0]), kept);
}

#[test]
fn a_dry_run_lists_the_calls_and_makes_nothing() {
    let scene = Scene::new(&AT_ONCE);
    let before = scene.iam();
    let output = scene
        .set_up("acme", &["--with-inventory", "--dry-run"])
        .ok();
    assert_eq!(scene.iam().things(), before.things());
    assert_eq!(scene.iam().changes(), Vec::<String>::new());
    scene.assert_nothing_stored();
    let calls: Vec<&str> = output.stdout.lines().collect();
    let url = scene.sandbox.url();
    let posts: Vec<&&str> = calls.iter().filter(|c| c.starts_with("POST ")).collect();
    assert_eq!(posts.len(), 4, "{calls:?}");
    for (call, words) in posts.iter().zip([
        [
            "/iam/v2/service-accounts",
            "\"display_name\":\"billstream\"",
        ],
        ["/iam/v2/role-bindings", "\"role_name\":\"BillingAdmin\""],
        ["/iam/v2/role-bindings", "\"role_name\":\"Operator\""],
        ["/iam/v2/api-keys", "\"resource\":{\"id\":\"cloud\"}"],
    ]) {
        assert!(
            call.starts_with(&format!("POST {url}{}", words[0])),
            "{call}"
        );
        assert!(call.contains(words[1]), "{call}");
    }
    let organization = &scene.iam().organizations()[0];
    let crn = format!("crn://confluent.cloud/organization={organization}");
    assert!(posts[1].contains(&crn), "{}", posts[1]);
    assert_eq!(
        calls.last().unwrap(),
        &format!("GET {url}/billing/v1/costs (with the new key)")
    );
    output.says(&["would be made", "nothing was made"]);

    // Where all is there already, a key is all that would be made.
    scene.set_up("acme", &["--with-inventory"]).ok();
    let files = names_below(scene.billstream.home());
    let again = scene.set_up("acme", &["--with-inventory", "--dry-run", "--replace"]);
    let output = again.ok();
    assert_eq!(
        output.stdout.matches("POST ").count(),
        1,
        "{}",
        output.stdout
    );
    assert_eq!(names_below(scene.billstream.home()), files);
}

#[test]
fn several_organizations_are_told_apart() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--organizations", "2"]);
    let [first, second] = &scene.iam().organizations()[..] else {
        panic!("there are two");
    };
    let says = ["several organizations", "--organization", first, second];
    scene.set_up("acme", &[]).code(2).says(&says);
    let unknown = ["--organization", "11111111-2222-4333-8444-555555555555"];
    scene
        .set_up("acme", &unknown)
        .code(2)
        .says(&["sees no organization 11111111", first, second]);
    scene.assert_nothing_stored();
    assert_eq!(scene.iam().changes(), Vec::<String>::new());
    scene.set_up("acme", &["--organization", first]).ok();
    assert_eq!(scene.iam().accounts("billstream").len(), 1);
}

#[test]
fn the_delay_of_a_new_key_is_waited_out() {
    let scene = Scene::new(&["--key-delay-ms", "1500"]);
    let output = scene.set_up("acme", &["--wait-secs", "30"]).ok();
    assert_eq!(output.stderr.matches("tried again").count(), 1);
    output.says(&["up to 30 s", "so the key works"]);
    scene.iam().assert_one(&BILLING);
}

#[test]
fn a_limit_that_is_too_short_says_how_long_it_waited_and_how_to_go_on() {
    let scene = Scene::new(&["--key-delay-ms", "2500"]);
    let output = scene.set_up("acme", &["--wait-secs", "1"]).code(3);
    let (account, key) = scene.iam().assert_one(&BILLING);
    output.says(&[
        "error: after 1 s: ",
        "401",
        &format!("service account `billstream` ({account})"),
        &format!("API key {key}"),
        "the same command again",
        "connections remove acme --revoke",
        &format!("confluent iam service-account delete {account}"),
    ]);
    assert!(!scene.folder().join("billstream.toml").exists());
    // The same command goes on with the key that it made.
    let again = scene.set_up("acme", &["--wait-secs", "30"]).ok();
    again.says(&["going on where it stopped", &format!("{key}: made before")]);
    assert_eq!(scene.iam().assert_one(&BILLING), (account, key.clone()));
    assert_eq!(scene.kept_key("acme"), key);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    scene.run(&["connections", "check"]).ok();
}
