//! `connections check`: probes each key and records the outcome.

use super::{KEY, Scene};
use crate::support::MONTH;

#[test]
fn reads_one_day_and_imports_nothing() {
    let scene = Scene::new(&[]);
    scene.add(&["--no-import"], KEY).ok();
    let scene = scene.at("2026-11-23T07:00:00Z");
    let output = scene
        .run(&["connections", "check", "--format", "json"])
        .ok();
    assert_eq!(
        output.json(),
        serde_json::json!({ "day": "2026-11-19", "costs": 56 })
    );
    assert_eq!(scene.sandbox.requests(), 2);
    let health = scene.only();
    assert_eq!(health["last_checked"], "2026-11-23T07:00:00Z");
    assert_eq!(health["status"], "pending-data");
    assert!(!scene.store.path().join("costs").exists());
}

#[test]
fn error_is_shown_until_the_next_successful_check_or_import() {
    let scene = Scene::new(&["--fault", "403:2:after=2"]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let import = ["import", "--month", MONTH];
    scene.run(&import).ok();
    assert_eq!(scene.sandbox.requests(), 2);

    let scene = scene.at("2026-11-23T07:00:00Z");
    scene
        .run(&["connections", "check", "acme"])
        .code(3)
        .says(&["may not read costs"]);
    let health = scene.only();
    assert_eq!(health["status"], "error");
    let reason = health["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("check of 2026-11-23 07:00Z: "),
        "{reason}"
    );
    assert!(reason.contains("may not read costs"), "{reason}");
    scene.run(&["status"]).code(4);

    let scene = scene.at("2026-11-23T08:00:00Z");
    scene.run(&["connections", "check"]).code(3);
    assert_eq!(scene.sandbox.fired("403"), 2);
    let scene = scene.at("2026-11-23T09:00:00Z");
    scene.run(&import).ok();
    assert_eq!(scene.only()["status"], "healthy");

    // A successful check also clears the error of a check.
    let broken = scene.folder().join("credentials/acme.toml");
    let kept = std::fs::read_to_string(&broken).unwrap();
    std::fs::write(&broken, kept.replace("sandbox-secret", "other-5ecret")).unwrap();
    let scene = scene.at("2026-11-23T10:00:00Z");
    let output = scene.run(&["connections", "check"]).code(3).says(&["401"]);
    assert!(!output.stderr.contains("5ecret"));
    assert_eq!(scene.only()["status"], "error");
    std::fs::write(&broken, kept).unwrap();
    let scene = scene.at("2026-11-23T11:00:00Z");
    scene.run(&["connections", "check"]).ok();
    assert_eq!(scene.only()["status"], "healthy");
}

#[test]
fn successful_check_does_not_clear_a_failed_run() {
    let scene = Scene::new(&["--fault", "404:1:after=1"]);
    scene.add(&["--no-import"], KEY).ok();
    scene.run(&["import", "--month", MONTH]).code(1);
    assert_eq!(scene.sandbox.fired("404"), 1);
    let scene = scene.at("2026-11-23T07:00:00Z");
    scene.run(&["connections", "check"]).ok();
    assert_eq!(scene.only()["status"], "error");
}

#[test]
fn rejects_an_unknown_name_without_recording_it() {
    let scene = Scene::new(&[]);
    scene
        .run(&["connections", "check"])
        .code(3)
        .says(&["CONFLUENT_CLOUD_API_KEY is not set"]);
    scene
        .run(&["connections", "check", "acme"])
        .code(2)
        .says(&["there is no connection `acme`"]);
    scene.assert_nothing_stored();
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    scene
        .run(&["connections", "check", "acmee"])
        .code(2)
        .says(&["did you mean `acme`?"]);
    assert_eq!(scene.only()["connection"], "acme");
}

#[test]
fn connections_fail_independently() {
    let scene = Scene::new(&[]);
    for name in ["acme", "globex", "initech"] {
        let arguments = ["--name", name, "--no-import", "--allow-same-organization"];
        scene.add(&arguments, KEY).ok();
    }
    let path = scene.folder().join("credentials/globex.toml");
    std::fs::write(&path, "key = \"k\"\nsecret = \"other-5ecret\"\n").unwrap();
    let output = scene
        .run(&["connections", "check", "--format", "json"])
        .code(4);
    let codes: Vec<_> = output.json()["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["connection"].clone(), c["exit_code"].clone()))
        .collect();
    assert_eq!(
        codes,
        [
            ("acme".into(), 0.into()),
            ("globex".into(), 3.into()),
            ("initech".into(), 0.into())
        ]
    );
    output.says(&["connection `globex`", "401"]);
    let table = scene.run(&["connections", "check"]).code(4).stdout;
    assert!(
        table.contains("acme") && table.contains("initech"),
        "{table}"
    );
}
