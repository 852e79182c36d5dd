//! `connections add --setup`: creates everything with an administrator's key.

use super::{NO_KEY_DELAY, Scene};
use crate::support::{MONTH, files_below, names_below};

const BILLING: [&str; 1] = ["BillingAdmin"];
const BOTH: [&str; 2] = ["BillingAdmin", "Operator"];

#[test]
fn creates_one_account_one_role_and_one_key() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let output = scene.set_up("acme", &[]).ok();
    let (account, key) = scene.iam().assert_one(&BILLING);
    assert_eq!(scene.stored_key("acme"), key);
    output.says(&[
        "organization `Sandbox`",
        &format!("service account `billstream` ({account}): created"),
        "role `BillingAdmin` (rb-",
        &format!("API key {key}"),
        "key works",
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

    // The new key can read costs.
    let import = ["import", "--month", MONTH, "--format", "json"];
    scene.run(&import).ok().status("published");
    let billstream = super::unconfigured(scene.store.path()).connection("acme");
    billstream.assert_month_is(MONTH, &scene.sandbox.totals(MONTH));
}

/// Asserts that no file contains the administrator's credentials.
fn assert_no_administrator(scene: &Scene) {
    for folder in [scene.billstream.home(), scene.store.path()] {
        for (name, bytes) in files_below(folder) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("sandbox-admin"), "{name}");
        }
    }
}

#[test]
fn inventory_binds_a_second_role() {
    let scene = Scene::new(&NO_KEY_DELAY);
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
fn second_setup_reuses_account_and_role_and_creates_a_key() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    let (account, first) = scene.iam().assert_one(&BILLING);
    let changes = scene.iam().changes().len();
    scene.set_up("acme", &[]).code(3).says(&["--replace"]);
    assert_eq!(scene.iam().changes().len(), changes);

    let output = scene.set_up("acme", &["--replace"]).ok();
    let second = scene.stored_key("acme");
    assert_ne!(first, second);
    output.says(&[
        &format!("`billstream` ({account}): created earlier"),
        "role `BillingAdmin` (",
        &format!("api-key delete {first}"),
    ]);
    assert_eq!(scene.iam().changes()[changes..], ["POST /iam/v2/api-keys"]);
    assert_eq!(scene.iam().keys(&account), [first, second]);
    scene.run(&["connections", "check"]).ok();
    // A role that was not requested before is bound now.
    scene
        .set_up("acme", &["--replace", "--with-inventory"])
        .ok();
    assert_eq!(scene.iam().roles(&account), BOTH);
}

#[test]
fn failed_replacement_suggests_no_undo_of_resources_in_use() {
    let scene = Scene::new(&["--key-delay-ms", "700"]);
    scene.set_up("acme", &[]).ok();
    let (account, first) = scene.iam().assert_one(&BILLING);
    let replace = ["--replace", "--wait-secs", "0"];
    let output = scene.set_up("acme", &replace).code(3);
    let second = scene.iam().keys(&account).remove(1);
    let output = output.says(&[&format!("confluent api-key delete {second}")]);
    for harmful in [
        "service-account delete",
        "--revoke",
        "created so far: service",
    ] {
        assert!(!output.stderr.contains(harmful), "{}", output.stderr);
    }
    assert_eq!(scene.stored_key("acme"), first);
    scene.run(&["connections", "check"]).ok();
    scene.set_up("acme", &["--replace"]).ok();
    assert_eq!(scene.stored_key("acme"), second);
    assert_eq!(scene.iam().keys(&account), [first, second]);
}

#[test]
fn reuses_an_existing_account() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let arguments = ["--service-account", "sandbox"];
    scene
        .set_up("acme", &arguments)
        .ok()
        .says(&["`sandbox` (sa-sandbox): found"]);
    let iam = scene.iam();
    assert_eq!(iam.changes(), ["POST /iam/v2/api-keys"]);
    assert_eq!(
        iam.keys("sa-sandbox"),
        ["sandbox-key", &scene.stored_key("acme")]
    );
    assert_eq!(iam.roles("sa-sandbox"), BOTH);
}

#[test]
fn two_connections_share_the_account_but_not_the_key() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.set_up("acme", &[]).ok();
    scene.set_up("globex", &["--allow-same-organization"]).ok();
    let iam = scene.iam();
    let accounts = iam.accounts("billstream");
    assert_eq!(accounts.len(), 1);
    let kept = [scene.stored_key("acme"), scene.stored_key("globex")];
    assert_eq!(iam.keys(&accounts[0]), kept);
}

#[test]
fn dry_run_lists_requests_and_creates_nothing() {
    let scene = Scene::new(&NO_KEY_DELAY);
    let before = scene.iam();
    let output = scene
        .set_up("acme", &["--with-inventory", "--dry-run"])
        .ok();
    assert_eq!(scene.iam().resources(), before.resources());
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
    output.says(&["would be created", "nothing was created"]);

    // If everything exists, only a key would be created.
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
fn requires_a_choice_among_several_organizations() {
    let scene = Scene::new(&["--key-delay-ms", "0", "--organizations", "2"]);
    let [first, second] = &scene.iam().organizations()[..] else {
        panic!("there are two");
    };
    let says = ["several organizations", "--organization", first, second];
    scene.set_up("acme", &[]).code(2).says(&says);
    let unknown = ["--organization", "11111111-2222-4333-8444-555555555555"];
    scene.set_up("acme", &unknown).code(2).says(&[
        "no access to organization 11111111",
        first,
        second,
    ]);
    scene.assert_nothing_stored();
    assert_eq!(scene.iam().changes(), Vec::<String>::new());
    scene.set_up("acme", &["--organization", first]).ok();
    assert_eq!(scene.iam().accounts("billstream").len(), 1);
}

#[test]
fn waits_until_a_new_key_is_active() {
    let scene = Scene::new(&["--key-delay-ms", "1500"]);
    let output = scene.set_up("acme", &["--wait-secs", "30"]).ok();
    assert_eq!(output.stderr.matches("waiting up to").count(), 1);
    output.says(&["waiting up to 30 s", "key works"]);
    scene.iam().assert_one(&BILLING);
}

#[test]
fn timeout_reports_the_wait_and_how_to_resume() {
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
    // The same command resumes with the key that it created.
    let again = scene.set_up("acme", &["--wait-secs", "30"]).ok();
    again.says(&[
        "resuming the interrupted setup of `acme`",
        &format!("{key}: created earlier"),
    ]);
    assert_eq!(scene.iam().assert_one(&BILLING), (account, key.clone()));
    assert_eq!(scene.stored_key("acme"), key);
    assert!(!scene.folder().join("credentials/acme.new.toml").exists());
    scene.run(&["connections", "check"]).ok();
}
