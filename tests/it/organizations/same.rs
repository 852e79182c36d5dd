//! The same organization under two connections: refused, unless the user insists.

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::Scene;
use crate::support::{Billstream, MONTH, Output, Sandbox, names_below};

const REFUSED: &str = "same Confluent organization";
const ALLOW: &str = "--allow-same-organization";

/// Store into which `acme` imported a month of a sandbox.
fn imported() -> (TempDir, Sandbox) {
    let (store, sandbox) = (tempdir().unwrap(), Sandbox::start(&[]));
    as_connection(&store, &sandbox, "acme").import(MONTH).ok();
    (store, sandbox)
}

fn as_connection(store: &TempDir, sandbox: &Sandbox, name: &str) -> Billstream {
    Billstream::on(store.path()).from(sandbox).connection(name)
}

/// As [`as_connection`], with another key of the same organization.
fn with_other_key(store: &TempDir, sandbox: &Sandbox, name: &str) -> Billstream {
    as_connection(store, sandbox, name).env("CONFLUENT_CLOUD_API_KEY", "billing-only")
}

/// Requests for the list of organizations.
fn asked(sandbox: &Sandbox) -> usize {
    let requests = sandbox.get("/sandbox/iam")["requests"].clone();
    let requests: Vec<Value> = requests.as_array().unwrap().clone();
    let is_list = |request: &&Value| request.as_str().unwrap().contains("/org/v2/organizations");
    requests.iter().filter(is_list).count()
}

#[track_caller]
fn assert_refused(output: Output, store: &TempDir, name: &str) {
    output
        .code(3)
        .says(&[REFUSED, "`acme`", name, ALLOW, "connections remove acme"]);
    let names = names_below(store.path());
    let published = names.iter().find(|file| {
        file.contains(&format!("connection={name}/"))
            || file.contains(&format!("cloudzero/{name}/"))
    });
    assert_eq!(published, None);
}

#[test]
fn refuses_the_same_key_before_any_request() {
    let (store, sandbox) = imported();
    let requests = sandbox.requests();
    let globex = as_connection(&store, &sandbox, "globex");
    for command in ["import", "pull"] {
        let output = globex.run(&[command, "--month", MONTH]);
        assert_refused(output, &store, "globex");
    }
    let dry = globex.run(&["import", "--month", MONTH, "--dry-run"]);
    assert_refused(dry, &store, "globex");
    assert_eq!(sandbox.requests(), requests);
    as_connection(&store, &sandbox, "acme").import(MONTH).ok();
}

#[test]
fn insisting_once_is_enough_for_later_runs() {
    let (store, sandbox) = imported();
    let globex = as_connection(&store, &sandbox, "globex");
    globex.run(&["import", "--month", MONTH, ALLOW]).ok();
    globex.import(MONTH).ok().status("unchanged");
    globex.import("2026-09").ok().status("published");
    as_connection(&store, &sandbox, "acme")
        .import("2026-09")
        .ok()
        .status("published");
    // A third connection is refused all the same.
    let third = as_connection(&store, &sandbox, "initech").run(&["import", "--month", MONTH]);
    assert_refused(third, &store, "initech");
}

#[test]
fn recognizes_the_costs_under_another_key() {
    let (store, sandbox) = imported();
    let globex = with_other_key(&store, &sandbox, "globex");
    let first = globex.run(&["import", "--month", MONTH]);
    assert_refused(first, &store, "globex");
    // It was asked for the organization once; `acme` was not, as its key is not configured.
    assert_eq!(asked(&sandbox), 1);
    globex.run(&["import", "--month", MONTH, ALLOW]).ok();
    globex.import(MONTH).ok().status("unchanged");
    assert_eq!(asked(&sandbox), 1);
}

#[test]
fn recognizes_costs_without_an_id() {
    for fault in ["403", "404", "500"] {
        let store = tempdir().unwrap();
        let sandbox = Sandbox::start(&[]);
        as_connection(&store, &sandbox, "acme").import(MONTH).ok();
        let refusing = Sandbox::start(&["--fault", fault]);
        let globex = as_connection(&store, &refusing, "globex");
        let first = globex.run(&["import", "--month", MONTH]);
        assert_eq!(refusing.fired(fault), 1, "{fault}");
        assert_refused(first, &store, "globex");
    }
}

#[test]
fn other_organizations_are_imported_without_an_id() {
    let (store, _sandbox) = imported();
    let refusing = Sandbox::start(&["--seed", "2", "--fault", "403"]);
    let globex = as_connection(&store, &refusing, "globex");
    globex.import(MONTH).ok().status("published");
    assert_eq!(refusing.fired("403"), 1);
    let requests = asked(&refusing);
    globex.import(MONTH).ok().status("unchanged");
    assert_eq!(asked(&refusing), requests, "a refusal is remembered");
}

#[test]
fn a_single_connection_asks_nothing() {
    let (_store, sandbox) = imported();
    assert_eq!(asked(&sandbox), 0);
}

/// `acme` in the configuration file, added before a second connection.
fn configured() -> Scene {
    let scene = Scene::new(&[&[]]);
    let import = ["import", "--month", MONTH, "--no-deliver"];
    scene.billstream().run(&import).ok();
    scene
}

fn add(scene: &Scene, sandbox: &Sandbox, key: &str, more: &[&str]) -> Output {
    let mut arguments = vec!["connections", "add", "confluent", "--name", "globex"];
    arguments.extend(["--endpoint", sandbox.url(), "--no-import"]);
    arguments.extend(more);
    scene.billstream().told(&arguments, key)
}

#[test]
fn adding_a_connection_recognizes_the_organization_by_its_id() {
    let scene = configured();
    let sandbox = &scene.sandboxes[0];
    let key = "billing-only\nsandbox-secret\n";
    let refused = add(&scene, sandbox, key, &[]).code(3);
    refused.says(&[REFUSED, "`acme`", "`globex`", ALLOW]);
    let config = scene.billstream().run(&["connections", "list"]).ok();
    assert!(!config.stdout.contains("globex"), "{}", config.stdout);
    add(&scene, sandbox, key, &[ALLOW]).ok();
    // The earlier connection goes on as well.
    let arguments = [
        "import",
        "--month",
        MONTH,
        "--no-deliver",
        "--format",
        "json",
    ];
    scene.billstream().run(&arguments).ok();
}

#[test]
fn setup_refuses_before_it_creates_anything() {
    let scene = configured();
    let sandbox = &scene.sandboxes[0];
    let admin = "sandbox-admin\nsandbox-admin-secret\n";
    add(&scene, sandbox, admin, &["--setup"])
        .code(3)
        .says(&[REFUSED, "`acme`"]);
    let requests = sandbox.get("/sandbox/iam")["requests"].clone();
    let changes = |request: &&Value| !request.as_str().unwrap().starts_with("GET ");
    let requests = requests.as_array().unwrap();
    assert_eq!(requests.iter().find(changes), None);
}

#[test]
fn another_organization_can_be_added() {
    let scene = configured();
    let other = Sandbox::start(&["--seed", "2"]);
    add(&scene, &other, "sandbox-key\nsandbox-secret\n", &[])
        .ok()
        .says(&["marketplace"]);
}

#[test]
fn a_removed_connection_releases_its_organization_but_its_costs_stay() {
    let (store, sandbox) = imported();
    let acme = as_connection(&store, &sandbox, "acme");
    acme.run(&["connections", "remove", "acme"]).ok();
    let globex = as_connection(&store, &sandbox, "globex");
    // The organization is free again, but its costs would count twice.
    let refused = globex.run(&["import", "--month", MONTH]);
    assert_refused(refused, &store, "globex");
    globex.import("2026-09").ok().status("published");
}

#[test]
fn check_recognizes_the_organization() {
    let scene = Scene::new(&[&[], &[]]);
    // Both connections have the endpoint of the first.
    let first = scene.sandboxes[0].url().to_string();
    let text = ["acme", "globex"].map(|name| {
        format!(
            "[connections.{name}]\nendpoint = \"{first}\"\nkey = {{ env = \"{name}_KEY\" }}\n\
             secret = {{ env = \"THE_SECRET\" }}\n"
        )
    });
    scene.write_configuration(&text.concat());
    let billstream = scene.with_key("globex", "billing-only");
    billstream.run(&["connections", "check", "acme"]).ok();
    billstream
        .run(&["connections", "check", "globex"])
        .code(3)
        .says(&[REFUSED, "`acme`"]);
}

#[test]
fn the_connection_that_published_first_keeps_its_organization() {
    let (store, sandbox) = imported();
    // The open month does not show that the costs are the same.
    let globex = with_other_key(&store, &sandbox, "globex");
    globex.import("2026-11").ok().status("published");
    // Now `acme` has a reason to ask for its organization, which `globex` has claimed meanwhile.
    as_connection(&store, &sandbox, "acme")
        .import(MONTH)
        .ok()
        .status("unchanged");
    globex
        .run(&["import", "--month", "2026-11"])
        .code(3)
        .says(&[REFUSED, "`acme`"]);
}
