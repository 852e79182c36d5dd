//! `connections pause` and `resume`.

use super::{KEY, Scene};
use crate::support::MONTH;

fn two() -> Scene {
    let scene = Scene::new(&[]);
    for name in ["acme", "globex"] {
        let arguments = ["--name", name, "--no-import", "--allow-same-organization"];
        scene.add(&arguments, KEY).ok();
    }
    scene
}

#[test]
fn skips_and_reports_a_paused_connection() {
    let scene = two();
    scene
        .run(&["connections", "pause", "acme"])
        .ok()
        .says(&["resume acme"]);
    let import = ["import", "--month", MONTH, "--format", "json"];
    let output = scene.run(&import).ok();
    let output = output.says(&["`acme` is paused and skipped"]);
    let imported = output.json()["connections"].clone();
    assert_eq!(imported.as_array().unwrap().len(), 1, "{imported}");
    assert_eq!(imported[0]["connection"], "globex");
    for command in ["deliver", "verify"] {
        scene
            .run(&[command, "--month", MONTH])
            .ok()
            .says(&["`acme` is paused"]);
    }

    let list = scene.list();
    assert_eq!(list[0]["status"], "paused");
    assert_eq!(list[0]["reason"], "since 2026-11-23 06:00Z");
    assert_eq!(list[0]["next_due"], serde_json::Value::Null);
    assert_eq!(list[1]["status"], "healthy");
    // A paused connection is never late.
    let scene = scene.at("2026-11-24T12:00:00Z");
    scene.run(&["status"]).ok();

    scene.run(&["connections", "resume", "acme"]).ok();
    let output = scene.run(&import).ok();
    let connections = output.json()["connections"].clone();
    assert_eq!(connections.as_array().unwrap().len(), 2, "{connections}");
}

#[test]
fn refuses_a_paused_connection_by_name() {
    let scene = two();
    scene.run(&["connections", "pause", "acme"]).ok();
    let asked = scene.sandbox.requests();
    for command in ["import", "pull", "deliver"] {
        scene
            .run(&[command, "--connection", "acme", "--month", MONTH])
            .code(2)
            .says(&["`acme` is paused since 2026-11-23 06:00:00Z", "resume acme"]);
    }
    let by_environment = super::unconfigured(scene.store.path()).from(&scene.sandbox);
    by_environment.connection("acme").import(MONTH).code(2);
    assert_eq!(scene.sandbox.requests(), asked);
    scene
        .run(&["import", "--connection", "globex", "--month", MONTH])
        .ok();
}

#[test]
fn import_succeeds_if_the_only_connection_is_paused() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    let asked = scene.sandbox.requests();
    scene.run(&["connections", "pause", "acme"]).ok();
    let output = scene.run(&["import", "--format", "json"]).ok();
    let output = output.says(&["`acme` is paused and skipped"]);
    assert_eq!(output.json(), serde_json::json!({ "connections": [] }));
    scene.run(&["import"]).ok();
    assert_eq!(scene.sandbox.requests(), asked);
}

#[test]
fn second_pause_keeps_the_start_of_the_first() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    scene.run(&["connections", "pause", "acme"]).ok();
    let scene = scene.at("2026-12-01T00:00:00Z");
    scene.run(&["connections", "pause", "acme"]).ok();
    assert_eq!(scene.only()["reason"], "since 2026-11-23 06:00Z");
    for _ in 0..2 {
        scene.run(&["connections", "resume", "acme"]).ok();
        assert_eq!(scene.only()["status"], "late");
    }
    for command in ["pause", "resume"] {
        scene
            .run(&["connections", command, "acne"])
            .code(2)
            .says(&["did you mean `acme`?"]);
    }
}

#[test]
fn paused_connection_can_be_checked_and_queried() {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    scene.run(&["import", "--month", MONTH]).ok();
    scene.run(&["connections", "pause", "acme"]).ok();
    scene.run(&["connections", "check", "acme"]).ok();
    scene.run(&["transform", "--month", MONTH]).ok();
    scene
        .run(&["query", "select count(*) from line_items"])
        .ok();
    assert_eq!(scene.only()["status"], "paused");
}
