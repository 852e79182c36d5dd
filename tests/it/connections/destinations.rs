//! Destinations and their last delivery in `connections list` and `show`.

use serde_json::{Value, json};

use super::{KEY, Scene};
use crate::support::{CLOUDZERO_KEY, MONTH, STREAM};

const LATER: &str = "2026-11-23T07:00:00Z";

fn added() -> Scene {
    let scene = Scene::new(&[]);
    scene.add(&["--name", "acme", "--no-import"], KEY).ok();
    scene
}

fn targets(scene: &Scene) -> Value {
    scene.only()["targets"].clone()
}

#[test]
fn shows_the_last_delivery_to_the_default_bucket() {
    let scene = added();
    let place = format!("{}/cloudzero/acme/", scene.store.path().display());
    let target = |at: Value| json!([{ "target": "bucket", "place": place, "delivered_at": at }]);
    assert_eq!(targets(&scene), target(Value::Null));
    scene
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    assert_eq!(targets(&scene), target(Value::Null));
    let scene = scene.at(LATER);
    scene.run(&["deliver", "--month", MONTH]).ok();
    assert_eq!(targets(&scene), target(LATER.into()));
    let shown = scene.run(&["connections", "show", "acme"]).ok().stdout;
    assert!(
        shown.contains(&format!("bucket {place} (2026-11-23 07:00Z)")),
        "{shown}"
    );
    // An import without changes delivers nothing.
    let scene = scene.at("2026-11-23T08:00:00Z");
    scene.run(&["import", "--month", MONTH]).ok();
    assert_eq!(targets(&scene), target(LATER.into()));
}

#[test]
fn shows_a_configured_bucket() {
    let scene = added();
    let bucket = tempfile::tempdir().unwrap();
    let file = scene.file("billstream.toml");
    scene.configure(&format!("{file}bucket = \"{}\"\n", bucket.path().display()));
    scene.run(&["import", "--month", MONTH]).ok();
    let targets = targets(&scene);
    assert_eq!(targets.as_array().unwrap().len(), 1, "{targets}");
    let place = targets[0]["place"].as_str().unwrap().to_string();
    assert!(place.contains(bucket.path().to_str().unwrap()), "{place}");
    assert_eq!(targets[0]["delivered_at"], "2026-11-23T06:00:00Z");
    assert!(!scene.store.path().join("cloudzero").exists());
}

#[test]
fn shows_a_configured_stream() {
    let scene = added();
    let file = scene.file("billstream.toml");
    scene.configure(&format!("{file}stream = \"{STREAM}\"\n"));
    let scene = Scene {
        billstream: scene.billstream.with_cloudzero(&scene.sandbox),
        ..scene
    };
    scene.run(&["import", "--month", MONTH]).ok();
    assert_eq!(
        targets(&scene),
        json!([{ "target": "stream", "place": STREAM, "delivered_at": "2026-11-23T06:00:00Z" }])
    );
    let asked = scene.sandbox.cloudzero_requests().len();
    scene.run(&["status"]).ok();
    scene.run(&["connections", "show", "acme"]).ok();
    assert_eq!(
        scene.sandbox.cloudzero_requests().len(),
        asked,
        "status sends no request"
    );
}

#[test]
fn shows_an_added_destination() {
    let scene = added();
    let scene = Scene {
        billstream: scene.billstream.with_cloudzero(&scene.sandbox),
        ..scene
    };
    let add = [
        "targets",
        "add",
        "cloudzero",
        "--connection",
        "acme",
        "--stream",
    ];
    scene.run(&add).ok();
    let id = scene.sandbox.connections().last().unwrap().1.clone();
    scene.run(&["import", "--month", MONTH]).ok();
    assert_eq!(targets(&scene)[0]["place"], id);
    assert_eq!(targets(&scene)[0]["delivered_at"], "2026-11-23T06:00:00Z");
}

#[test]
fn failed_delivery_is_an_error_until_one_succeeds() {
    let scene = added();
    let file = scene.file("billstream.toml");
    scene.configure(&format!("{file}stream = \"{STREAM}\"\n"));
    let with_key = |scene: Scene, key: &str| Scene {
        billstream: scene
            .billstream
            .with_cloudzero(&scene.sandbox)
            .env("CLOUDZERO_API_KEY", key),
        ..scene
    };
    let scene = with_key(scene, "wrong-5ecret");
    scene
        .run(&["import", "--month", MONTH, "--no-deliver"])
        .ok();
    assert_eq!(scene.only()["status"], "behind");
    scene.run(&["deliver", "--month", MONTH]).code(3);
    let health = scene.only();
    assert_eq!(health["status"], "error");
    let reason = health["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("deliver of ") && !reason.contains("5ecret"),
        "{reason}"
    );
    assert_eq!(health["last_data"], "2026-11-23T06:00:00Z");
    let scene = with_key(scene, CLOUDZERO_KEY);
    scene.run(&["deliver", "--month", MONTH]).ok();
    assert_eq!(scene.only()["status"], "healthy");
}

#[test]
fn invalid_destination_is_an_error_of_its_connection() {
    let scene = added();
    let file = scene.file("billstream.toml");
    let store = scene.store.path().display();
    scene.configure(&format!("{file}bucket = \"{store}\"\n"));
    let health = scene.only();
    assert_eq!(health["status"], "error");
    assert!(health["reason"].as_str().unwrap().contains("overlap"));
    scene.run(&["status"]).code(4);
}
