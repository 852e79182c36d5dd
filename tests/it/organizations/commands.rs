//! The other commands with several connections: pull, transform, deliver, verify.

use serde_json::Value;

use super::{NAMES, Scene, import, of, statuses};
use crate::support::{MONTH, Output, published_files};

fn run(scene: &Scene, command: &str) -> Output {
    scene
        .billstream()
        .run(&[command, "--month", MONTH, "--format", "json"])
}

#[test]
fn pull_then_transform_equals_import() {
    let mut scene = Scene::new(&[&[], &[], &[]]);
    let json = run(&scene, "pull").ok().json();
    assert!(
        NAMES
            .iter()
            .all(|name| statuses(&json, name) == ["published"])
    );
    assert!(!scene.path().join("line_items").exists());
    let totals: Vec<_> = scene.sandboxes.iter().map(|s| s.totals(MONTH)).collect();
    scene
        .sandboxes
        .iter_mut()
        .for_each(|sandbox| sandbox.stop());
    let keyless = NAMES.iter().fold(scene.billstream(), |b, name| {
        b.without(&format!("{name}_KEY"))
    });
    let arguments = ["transform", "--month", MONTH, "--format", "json"];
    let json = keyless.run(&arguments).ok().json();
    assert!(
        NAMES
            .iter()
            .all(|name| statuses(&json, name) == ["published"])
    );
    for (name, totals) in NAMES.iter().zip(&totals) {
        let reader = crate::support::Billstream::on(scene.path()).connection(name);
        reader.assert_month_is(MONTH, totals);
    }
    let before = published_files(scene.path());
    let json = keyless.run(&arguments).ok().json();
    assert!(
        NAMES
            .iter()
            .all(|name| statuses(&json, name) == ["unchanged"])
    );
    assert!(published_files(scene.path()) == before);
}

#[test]
fn transform_reports_a_connection_without_costs_and_continues() {
    let scene = Scene::new(&[&[], &[]]);
    let only = ["pull", "--connection", "acme", "--month", MONTH];
    scene.billstream().run(&only).ok();
    let output = run(&scene, "transform").code(4);
    let json = output.json();
    assert_eq!(statuses(&json, "acme"), ["published"]);
    assert_eq!(of(&json, "globex")["exit_code"], 2);
    output.says(&["connection `globex`: no costs of `globex` are stored"]);
    scene.assert_month_is("acme", MONTH);
}

#[test]
fn deliver_and_verify_cover_all_connections() {
    let scene = Scene::new(&[&[], &[]]);
    let bucket = tempfile::tempdir().unwrap();
    let place = |name: &str| bucket.path().join(name).to_str().unwrap().to_string();
    scene.configure("", |name| format!("bucket = {:?}", place(name)));
    let no_delivery = ["import", "--month", MONTH, "--no-deliver"];
    scene.billstream().run(&no_delivery).ok();
    let behind = run(&scene, "verify");
    assert_ne!(
        behind.code, 0,
        "nothing is delivered yet: {}",
        behind.stdout
    );

    let json = run(&scene, "deliver").ok().json();
    for name in scene.names() {
        let delivery = &of(&json, name)["deliveries"][0];
        assert_eq!(delivery["status"], "delivered");
        assert!(
            delivery["place"].as_str().unwrap().contains(name),
            "{delivery}"
        );
        assert!(
            bucket
                .path()
                .join(name)
                .join("20261001-20261101/manifest.json")
                .exists()
        );
    }
    let json = run(&scene, "verify").ok().json();
    for (name, sandbox) in scene.names().iter().zip(&scene.sandboxes) {
        let month: &Value = &of(&json, name)["periods"][0];
        assert_eq!(month["status"], "equal", "{month}");
        for side in ["confluent", "store", "bucket"] {
            assert_eq!(
                month[side]["cost"],
                sandbox.totals(MONTH).net,
                "{side} of {name}"
            );
        }
    }
    let table = scene.billstream().run(&["verify", "--month", MONTH]).ok();
    assert!(
        scene.names().iter().all(|name| table.stdout.contains(name)),
        "{}",
        table.stdout
    );
    let json = run(&scene, "deliver").ok().json();
    assert!(
        scene
            .names()
            .iter()
            .all(|name| of(&json, name)["deliveries"][0]["status"] == "unchanged")
    );
}

#[test]
fn verify_reports_a_difference_with_its_connection() {
    let scene = Scene::new(&[&[], &[]]);
    import(&scene.billstream()).ok();
    let restated = Scene::new(&[&[], &["--revision", "1"]]);
    let billstream = restated
        .billstream()
        .env("BILLSTREAM_STORE", scene.path().to_str().unwrap());
    let output = billstream.run(&["verify", "--month", MONTH, "--format", "json"]);
    let json = output.json();
    assert_eq!(of(&json, "acme")["exit_code"], 0);
    let differs = of(&json, "globex");
    assert_ne!(differs["exit_code"], 0, "{json}");
    assert!(differs["error"].is_string(), "{json}");
    assert_eq!(
        output.code as u64,
        differs["exit_code"].as_u64().unwrap().max(1),
        "{output:?}"
    );
    assert!(output.stderr.contains("globex"), "{}", output.stderr);
}

#[test]
fn commands_for_one_connection_require_a_name() {
    let scene = Scene::new(&[&[], &[]]);
    import(&scene.billstream()).ok();
    for arguments in [
        &["deliver", "--month", MONTH, "--empty", "--yes"][..],
        &["restore", "--month", MONTH, "--version", "1"],
    ] {
        let output = scene.billstream().run(arguments).code(2);
        assert!(output.stderr.contains("--connection"), "{}", output.stderr);
    }
}
