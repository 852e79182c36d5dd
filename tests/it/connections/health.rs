//! Health of connections at several times: `connections list`, `show` and `status`.

use serde_json::Value;

use super::{KEY, NO_KEY_DELAY, Scene, configure, unconfigured};
use crate::support::{Billstream, MONTH, Output, Sandbox};

/// One hour after the usual time, 36 hours after it, and one minute later.
const SOON: &str = "2026-11-23T07:00:00Z";
const IN_TIME: &str = "2026-11-24T18:00:00Z";
const TOO_LATE: &str = "2026-11-24T18:01:00Z";

fn import(scene: &Scene) -> Output {
    scene.run(&["import", "--month", MONTH, "--format", "json"])
}

/// Returns the only connection of `status`, after checking the exit code.
#[track_caller]
fn status(scene: &Scene, code: i32) -> Value {
    let output = scene.run(&["status", "--format", "json"]).code(code);
    let connections = output.json()["connections"].clone();
    assert_eq!(connections.as_array().unwrap().len(), 1);
    // `list` shows the same, and always succeeds.
    assert_eq!(scene.only(), connections[0]);
    connections[0].clone()
}

#[test]
fn is_pending_then_healthy_then_late_after_36_hours() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let pending = status(&scene, 0);
    assert_eq!(pending["status"], "pending-data");
    assert_eq!(pending["last_data"], Value::Null);
    assert_eq!(pending["next_due"], Value::Null);
    assert_eq!(pending["complete_through"], Value::Null);
    assert_eq!(pending["reason"], Value::Null);

    import(&scene).ok();
    let healthy = status(&scene, 0);
    assert_eq!(healthy["status"], "healthy");
    assert_eq!(healthy["cloud_provider"], "Confluent");
    assert_eq!(healthy["last_checked"], "2026-11-23T06:00:00Z");
    assert_eq!(healthy["last_data"], "2026-11-23T06:00:00Z");
    assert_eq!(healthy["next_due"], IN_TIME);
    assert_eq!(healthy["complete_through"], "2026-10-31");
    assert_eq!(
        healthy["months"],
        serde_json::json!({ "open": 0, "settling": 0, "settled": 1 })
    );

    let scene = scene.at(IN_TIME);
    assert_eq!(status(&scene, 0)["status"], "healthy");
    let scene = scene.at(TOO_LATE);
    let late = status(&scene, 4);
    assert_eq!(late["status"], "late");
    let reason = late["reason"].as_str().unwrap();
    assert!(
        reason.contains("no data since 2026-11-23 06:00Z"),
        "{reason}"
    );
    scene
        .run(&["status"])
        .code(4)
        .says(&["acme: Late: no data since"]);

    import(&scene).ok();
    assert_eq!(status(&scene, 0)["status"], "healthy");
}

#[test]
fn expected_interval_is_configurable() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    import(&scene).ok();
    let file = scene.file("billstream.toml");
    scene.configure(&format!("{file}expected_interval_hours = 1\n"));
    let scene = scene.at(SOON);
    assert_eq!(status(&scene, 0)["next_due"], SOON);
    let scene = scene.at("2026-11-23T07:01:00Z");
    let late = status(&scene, 4);
    assert_eq!(late["status"], "late");
    assert!(
        late["reason"]
            .as_str()
            .unwrap()
            .contains("expected within 1")
    );
    scene.configure(&format!("{file}expected_interval_hours = 24\n"));
    assert_eq!(status(&scene, 0)["status"], "healthy");
}

#[test]
fn failed_run_is_an_error_until_a_run_succeeds() {
    let scene = Scene::new(&["--fault", "401:1:after=1"]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    import(&scene).code(3);
    assert_eq!(scene.sandbox.fired("401"), 1);
    let error = status(&scene, 4);
    assert_eq!(error["status"], "error");
    let reason = error["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("import of 2026-11-23 06:00Z: "),
        "{reason}"
    );
    assert!(reason.contains("does not accept the API key"), "{reason}");
    assert_eq!(error["last_data"], Value::Null);
    let shown = scene.run(&["connections", "show", "acme"]).ok();
    assert!(shown.stdout.contains("does not accept"), "{}", shown.stdout);
    // Dry runs do not count.
    scene.run(&["import", "--month", MONTH, "--dry-run"]).ok();
    assert_eq!(status(&scene, 4)["status"], "error");
    import(&scene).ok();
    assert_eq!(status(&scene, 0)["status"], "healthy");
}

#[test]
fn failure_outranks_earlier_data() {
    let scene = Scene::new(&["--fault", "503:8:retry_after=0:after=2"]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    import(&scene).ok();
    assert_eq!(scene.sandbox.requests(), 2);
    let mut scene = scene.at(SOON);
    scene.billstream = scene.billstream.env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    import(&scene).code(7);
    let error = status(&scene, 4);
    assert_eq!(error["status"], "error");
    assert!(error["reason"].as_str().unwrap().contains("503"));
    assert_eq!(error["last_data"], "2026-11-23T06:00:00Z");
    assert_eq!(error["last_checked"], SOON);
    assert_eq!(error["complete_through"], "2026-10-31");
}

#[test]
fn counts_months_by_state() {
    let scene = Scene::new(&[]).at("2026-11-10T06:00:00Z");
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let all = ["import", "--from", "2026-09", "--to", "2026-11"];
    scene.run(&all).ok();
    let health = status(&scene, 0);
    assert_eq!(
        health["months"],
        serde_json::json!({ "open": 1, "settling": 1, "settled": 1 })
    );
    assert_eq!(health["complete_through"], "2026-11-06");
    let shown = scene.run(&["connections", "list"]).ok().stdout;
    assert!(shown.contains("1 open, 1 settling, 1 settled"), "{shown}");
    assert!(shown.contains("2026-11-06"), "{shown}");
}

#[test]
fn shows_connections_defined_by_the_environment_alone() {
    let (sandbox, store) = (Sandbox::start(&[]), tempfile::tempdir().unwrap());
    for (name, billstream) in [
        ("confluent", unconfigured(store.path()).from(&sandbox)),
        (
            "acme",
            unconfigured(store.path()).from(&sandbox).connection("acme"),
        ),
    ] {
        let shown = billstream.run(&["connections", "show", name]).ok().stdout;
        assert!(shown.contains("Pending Data"), "{shown}");
        assert!(
            shown.contains("environment variable CONFLUENT_CLOUD_API_SECRET"),
            "{shown}"
        );
        assert!(!shown.contains("sandbox-secret"), "{shown}");
        billstream
            .run(&["import", "--month", MONTH, "--allow-same-organization"])
            .ok();
    }
    // Without their keys the connections are known from the store.
    let health = unconfigured(store.path())
        .run(&["status", "--format", "json"])
        .ok();
    let names: Vec<_> = health.json()["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["connection"].clone(), c["status"].clone()))
        .collect();
    assert_eq!(
        names,
        [
            ("acme".into(), "healthy".into()),
            ("confluent".into(), "healthy".into())
        ]
    );
}

#[test]
fn hints_at_connections_add_if_there_are_none() {
    let store = tempfile::tempdir().unwrap();
    let billstream = Billstream::on(store.path());
    for command in [&["status"][..], &["connections", "list"]] {
        billstream
            .run(command)
            .ok()
            .says(&["no connections yet", "connections add confluent"]);
    }
    billstream
        .run(&["connections", "show", "acme"])
        .code(2)
        .says(&["there is no connection `acme`"]);
    assert_eq!(
        crate::support::names_below(store.path()),
        Vec::<String>::new()
    );
}

#[test]
fn one_bad_connection_among_several_sets_the_exit_code() {
    let scene = Scene::new(&NO_KEY_DELAY);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    scene
        .run(&["import", "--connection", "acme", "--month", MONTH])
        .ok();
    let file = scene.file("billstream.toml");
    configure(
        &scene.billstream,
        &format!(
            "{file}[connections.globex]\nkey = {{ env = \"NOT_THERE\" }}\nsecret = {{ env = \"NOR_THIS\" }}\n"
        ),
    );
    // A connection that has not run yet is pending, which is not bad.
    scene.run(&["status"]).ok();
    scene.run(&["connections", "check"]).code(4);
    let scene = scene.at(SOON);
    let output = scene.run(&["status", "--format", "json"]).code(4);
    let statuses: Vec<Value> = output.json()["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["status"].clone())
        .collect();
    assert_eq!(statuses, ["healthy", "error"]);
    output.says(&["globex: Error: check of", "NOT_THERE is not set"]);
}

#[test]
fn shows_the_cloud_provider_label() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let file = scene.file("billstream.toml");
    scene.configure(&format!("{file}cloud_provider = \"Kafka, Inc.\"\n"));
    assert_eq!(status(&scene, 0)["cloud_provider"], "Kafka, Inc.");
    import(&scene).ok();
    // The store keeps the label of the last run.
    let elsewhere = unconfigured(scene.store.path());
    let listed = elsewhere.run(&["connections", "list", "--format", "json"]);
    assert_eq!(
        listed.json()["connections"][0]["cloud_provider"],
        "Kafka, Inc."
    );
}

#[test]
fn run_that_fails_to_start_is_an_error_until_one_succeeds() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    import(&scene).ok();
    let credentials = scene.folder().join("credentials/acme.toml");
    super::chmod(&credentials, 0o644);
    // Dry runs do not count.
    scene
        .run(&["import", "--month", MONTH, "--dry-run"])
        .code(3);
    assert_eq!(status(&scene, 0)["status"], "healthy");
    import(&scene).code(3);
    let error = status(&scene, 4);
    assert_eq!(error["status"], "error");
    let reason = error["reason"].as_str().unwrap();
    assert!(reason.starts_with("import of "), "{reason}");
    assert!(
        reason.contains("others than its owner can read"),
        "{reason}"
    );
    assert_eq!(error["last_data"], "2026-11-23T06:00:00Z");
    super::chmod(&credentials, 0o600);
    // A pull clears the error of an import.
    scene.run(&["pull", "--month", MONTH]).ok();
    assert_eq!(status(&scene, 0)["status"], "healthy");
}

#[test]
fn connection_without_imports_becomes_late() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let scene = scene.at(IN_TIME);
    assert_eq!(status(&scene, 0)["status"], "pending-data");
    let scene = scene.at(TOO_LATE);
    let late = status(&scene, 4);
    assert_eq!(late["status"], "late");
    assert!(
        late["reason"]
            .as_str()
            .unwrap()
            .contains("not checked since")
    );
}

#[test]
fn invalid_connection_does_not_hide_the_others() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme"], KEY).ok();
    let file = scene.file("billstream.toml");
    scene.configure(&format!("{file}[connections.bad]\ncurrency = \"usd\"\n"));
    std::fs::write(scene.store.path().join("runs/connections/.DS_Store"), "x").unwrap();
    let output = scene.run(&["status", "--format", "json"]).code(4);
    let connections = output.json()["connections"].clone();
    assert_eq!(connections.as_array().unwrap().len(), 2, "{connections}");
    assert_eq!(connections[0]["status"], "healthy");
    assert_eq!(connections[1]["status"], "error");
    output.says(&["bad: Error: ", "currency"]);
}
