//! Leases per connection, killed runs, and pauses.

use super::{Scene, import, of, statuses};
use crate::support::{MONTH, orphans, published_files};

#[test]
fn a_held_lease_blocks_its_connection_only() {
    // The first request lists the organizations, the second one is slow.
    let slow: &[&str] = &["--fault", "slow:1:secs=60:after=1"];
    let scene = Scene::new(&[&[], slow, &[]]);
    let only = ["import", "--connection", "globex", "--month", MONTH];
    let mut other = scene.billstream().spawn(&only);
    while other.is_running() && scene.sandboxes[1].fired("slow") == 0 {}
    let asked = scene.sandboxes[1].requests();
    let output = import(&scene.billstream()).code(4);
    assert!(other.is_running());
    let json = output.json();
    let locked = of(&json, "globex");
    assert_eq!(locked["exit_code"], 6);
    assert!(
        locked["error"].as_str().unwrap().contains("another run"),
        "{locked}"
    );
    output.says(&["connection `globex`: ", "another run"]);
    assert_eq!(scene.sandboxes[1].requests(), asked);
    for name in ["acme", "initech"] {
        assert_eq!(statuses(&json, name), ["published"]);
        scene.assert_month_is(name, MONTH);
    }
    assert!(other.kill());
    import(&scene.billstream()).ok();
    scene.assert_month_is("globex", MONTH);
}

#[test]
fn the_next_run_completes_a_killed_one() {
    let slow: &[&str] = &["--fault", "slow:1:secs=60:after=1"];
    let scene = Scene::new(&[&[], slow]);
    scene.configure("", |_| "inventory = true".to_string());
    let mut run = scene.billstream().spawn(&["import", "--month", MONTH]);
    let published = || {
        published_files(scene.path())
            .keys()
            .any(|name| name.ends_with("manifest.json"))
    };
    // One connection is done, the other waits for a list.
    while run.is_running() && !(scene.sandboxes[1].fired("slow") == 1 && published()) {}
    assert!(run.kill(), "a body was slow, so the run was waiting");
    scene.assert_month_is("acme", MONTH);
    scene.assert_nothing_of("globex");
    let json = import(&scene.billstream()).ok().json();
    assert_eq!(statuses(&json, "acme"), ["unchanged"]);
    assert_eq!(statuses(&json, "globex"), ["published"]);
    for name in scene.names() {
        scene.assert_month_is(name, MONTH);
    }
    assert_eq!(orphans(scene.path()), Vec::<String>::new());
}

#[test]
fn concurrent_runs_of_all_connections_duplicate_nothing() {
    let scene = Scene::new(&[&[], &[]]);
    scene.configure("", |_| "inventory = true".to_string());
    let arguments = ["import", "--month", MONTH, "--format", "json"];
    let runs = [
        scene.billstream().spawn(&arguments),
        scene.billstream().spawn(&arguments),
    ];
    let outputs = runs.map(|run| run.wait());
    for output in &outputs {
        assert!([0, 4, 6].contains(&output.code), "{output:?}");
    }
    import(&scene.billstream()).ok();
    for name in scene.names() {
        scene.assert_month_is(name, MONTH);
    }
    assert_eq!(orphans(scene.path()), Vec::<String>::new());
    let twice = scene.billstream().query(
        "select resource_id from resources where valid_until is null group by connection, resource_id having count(*) > 1",
    );
    assert_eq!(twice.len(), 0, "{twice:?}");
}

#[test]
fn skips_a_paused_connection() {
    let scene = Scene::new(&[&[], &[]]);
    scene
        .billstream()
        .run(&["connections", "pause", "acme"])
        .ok();
    let output = import(&scene.billstream()).ok();
    let output = output.says(&["`acme` is paused"]);
    let json = output.json();
    // The summary keeps its usual shape.
    assert_eq!(json["connections"].as_array().unwrap().len(), 1);
    assert_eq!(statuses(&json, "globex"), ["published"]);
    assert_eq!(scene.sandboxes[0].requests(), 0);
    scene.assert_nothing_of("acme");
    for command in ["deliver", "verify"] {
        scene
            .billstream()
            .run(&[command, "--month", MONTH])
            .ok()
            .says(&["`acme` is paused"]);
    }
    let named = ["import", "--connection", "acme", "--month", MONTH];
    scene
        .billstream()
        .run(&named)
        .code(2)
        .says(&["acme", "paused", "resume"]);

    scene
        .billstream()
        .run(&["connections", "pause", "globex"])
        .ok();
    let output = import(&scene.billstream()).ok();
    assert_eq!(output.json()["connections"], serde_json::json!([]));

    for name in scene.names() {
        scene
            .billstream()
            .run(&["connections", "resume", name])
            .ok();
    }
    let json = import(&scene.billstream()).ok().json();
    assert_eq!(statuses(&json, "acme"), ["published"]);
    assert_eq!(statuses(&json, "globex"), ["unchanged"]);
}
