//! New attributes end to end. The rules themselves are tested in `pipeline::tests`.

use std::sync::OnceLock;

use tempfile::{TempDir, tempdir};

use super::{enriched, resource_of, tag};
use crate::support::{
    Billstream, CONNECTION, Files, Output, Sandbox, current_drop_id, drop_in_force, files_below,
    names_below, published_files, write_files,
};

const SETTLED: &str = "2026-09";
const SETTLING: &str = "2026-10";
const OPEN: &str = "2026-11";
const ALL: [&str; 3] = [SETTLED, SETTLING, OPEN];

fn sandbox(name: &str, more: &[&str]) -> Sandbox {
    let renamed = format!("lkc-7aa01x={name}");
    let options = ["--today", "2026-11-10", "--rename-resource", &renamed];
    Sandbox::start(&options.iter().chain(more).copied().collect::<Vec<_>>())
}

/// Three months as of 10 November. Imported once per test process.
struct Scene(TempDir);

impl Scene {
    fn new() -> Scene {
        static ONCE: OnceLock<Files> = OnceLock::new();
        let files = ONCE.get_or_init(|| {
            let scene = Scene(tempdir().unwrap());
            let output = scene.import(&sandbox("first", &[]), "2026-11-10T06:00:00Z");
            assert_eq!(statuses(&output), ["published"; 3]);
            scene.assert_names(["first"; 3]);
            files_below(scene.0.path())
        });
        let scene = Scene(tempdir().unwrap());
        write_files(scene.0.path(), files);
        scene
    }

    fn billstream(&self, sandbox: &Sandbox, now: &str) -> Billstream {
        enriched(Billstream::on(self.0.path()).from(sandbox)).at(now)
    }

    fn import(&self, sandbox: &Sandbox, now: &str) -> Output {
        let arguments = [
            "import", "--from", SETTLED, "--to", OPEN, "--format", "json",
        ];
        self.billstream(sandbox, now).run(&arguments).ok()
    }

    fn transform(&self, arguments: &[&str]) -> Output {
        let all = ["transform", "--format", "json"]
            .iter()
            .chain(arguments)
            .copied();
        Billstream::on(self.0.path())
            .run(&all.collect::<Vec<_>>())
            .ok()
    }

    /// Asserts the name of lkc-7aa01x in the line items and the drop of each month.
    #[track_caller]
    fn assert_names(&self, names: [&str; 3]) {
        let billstream = Billstream::on(self.0.path());
        for (month, name) in ALL.iter().zip(names) {
            let drop = drop_in_force(self.0.path(), CONNECTION, month);
            for rows in [billstream.line_items(month), drop] {
                let mut of = rows
                    .iter()
                    .filter(|row| resource_of(row) == "lkc-7aa01x")
                    .peekable();
                assert!(of.peek().is_some());
                assert!(
                    of.all(|row| tag(row, "confluent_name") == name),
                    "{month} does not have {name}"
                );
            }
        }
    }

    fn drops(&self) -> [String; 3] {
        ALL.map(|month| current_drop_id(self.0.path(), CONNECTION, month))
    }
}

fn statuses(output: &Output) -> Vec<String> {
    output
        .statuses()
        .into_iter()
        .map(|(_, status)| status)
        .collect()
}

#[test]
fn open_and_settling_months_take_new_attributes_once_and_settled_ones_keep_theirs() {
    let scene = Scene::new();
    let (second, drops) = (sandbox("second", &[]), scene.drops());
    let output = scene.import(&second, "2026-11-11T06:00:00Z");
    assert_eq!(statuses(&output), ["unchanged", "published", "published"]);
    scene.assert_names(["first", "second", "second"]);
    let now = scene.drops();
    assert_eq!(now[0], drops[0]);
    assert!(now[1] != drops[1] && now[2] != drops[2]);

    let before = published_files(scene.0.path());
    for now in ["2026-11-11T07:00:00Z", "2026-11-13T07:00:00Z"] {
        assert_eq!(statuses(&scene.import(&second, now)), ["unchanged"; 3]);
    }
    assert_eq!(
        statuses(&scene.transform(&[])),
        ["unchanged"; 2],
        "a settled month is not pending"
    );
    assert!(published_files(scene.0.path()) == before);
}

#[test]
fn a_transform_without_months_keeps_the_attributes_of_settled_ones() {
    let scene = Scene::new();
    // Without a delivery the month is pending.
    let states = scene.0.path().join("runs/months");
    let state = names_below(&states)
        .into_iter()
        .find(|name| name.contains(SETTLED))
        .unwrap();
    let path = states.join(state);
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    json["bucket"] = serde_json::Value::Null;
    std::fs::write(&path, json.to_string()).unwrap();
    scene.import(&sandbox("second", &[]), "2026-11-11T06:00:00Z");
    std::fs::write(&path, json.to_string()).unwrap();
    let output = scene.transform(&[]);
    assert_eq!(statuses(&output), ["unchanged"; 3]);
    output.says(&[
        "2026-09 is settled and keeps the names and tags of its last publish",
        "`billstream transform --connection confluent --month 2026-09` maps it again",
    ]);
    scene.assert_names(["first", "second", "second"]);
}
