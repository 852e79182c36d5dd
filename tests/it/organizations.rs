//! Several organizations in one store: concurrent runs, separate leases, separate failures.

#[path = "organizations/commands.rs"]
mod commands;
#[path = "organizations/failures.rs"]
mod failures;
#[path = "organizations/leases.rs"]
mod leases;
#[path = "organizations/same.rs"]
mod same;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::{
    Billstream, Exact, MONTH, Output, Running, Sandbox, assert_summary_is, orphans, published_files,
};

/// Names of the connections, in the order of the configuration.
pub const NAMES: [&str; 3] = ["acme", "globex", "initech"];

/// Connections in a configuration file, each with a separate sandbox.
pub struct Scene {
    store: TempDir,
    pub sandboxes: Vec<Sandbox>,
    billstream: Billstream,
}

impl Scene {
    /// One connection per list of sandbox options.
    pub fn new(options: &[&[&str]]) -> Scene {
        let sandbox = |(at, options): (usize, &&[&str])| {
            let seed = (at + 1).to_string();
            let all: Vec<&str> = ["--seed", &seed]
                .iter()
                .chain(options.iter())
                .copied()
                .collect();
            Sandbox::start(&all)
        };
        let store = tempdir().unwrap();
        let billstream = Billstream::on(store.path()).env("BILLSTREAM_REQUESTS_PER_SECOND", "1000");
        let scene = Scene {
            store,
            sandboxes: options.iter().enumerate().map(sandbox).collect(),
            billstream,
        };
        scene.configure("", |_| String::new());
        scene
    }

    /// Writes the configuration: `head`, and the lines of `more` for each connection.
    pub fn configure(&self, head: &str, more: impl Fn(&str) -> String) {
        let mut text = format!("{head}\n");
        for (name, sandbox) in NAMES.iter().zip(&self.sandboxes) {
            let (url, more) = (sandbox.url(), more(name));
            text += &format!(
                "[connections.{name}]\nendpoint = \"{url}\"\nkey = {{ env = \"{name}_KEY\" }}\n\
                 secret = {{ env = \"THE_SECRET\" }}\n{more}\n"
            );
        }
        self.write_configuration(&text);
    }

    /// Writes the text of the configuration.
    pub fn write_configuration(&self, text: &str) {
        std::fs::write(self.billstream.home().join("billstream.toml"), text).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// billstream with the configuration and valid keys.
    pub fn billstream(&self) -> Billstream {
        let config = self.billstream.home().join("billstream.toml");
        let mut billstream = Billstream::on(self.path())
            .env("BILLSTREAM_REQUESTS_PER_SECOND", "1000")
            .env("BILLSTREAM_CONFIG", config.to_str().unwrap())
            .env("THE_SECRET", "sandbox-secret");
        for name in NAMES {
            billstream = billstream.env(&format!("{name}_KEY"), "sandbox-key");
        }
        billstream
    }

    /// As [`Scene::billstream`], with another key for one connection.
    pub fn with_key(&self, name: &str, key: &str) -> Billstream {
        self.billstream().env(&format!("{name}_KEY"), key)
    }

    pub fn names(&self) -> &'static [&'static str] {
        &NAMES[..self.sandboxes.len()]
    }

    /// Asserts the totals of a month of a connection in costs, line items and drop.
    #[track_caller]
    pub fn assert_month_is(&self, name: &str, month: &str) {
        let sandbox = &self.sandboxes[NAMES.iter().position(|n| *n == name).unwrap()];
        let reader = Billstream::on(self.path()).connection(name);
        reader.assert_month_is(month, &sandbox.totals(month));
    }

    /// Asserts that nothing of a connection is published.
    #[track_caller]
    pub fn assert_nothing_of(&self, name: &str) {
        let of = format!("connection={name}/");
        let files = published_files(self.path());
        let found: Vec<&String> = files.keys().filter(|file| file.contains(&of)).collect();
        assert!(found.is_empty(), "{found:?}");
        assert!(!self.path().join("cloudzero").join(name).exists());
    }
}

/// The part of a JSON summary for a connection.
#[track_caller]
pub fn of<'j>(json: &'j Value, name: &str) -> &'j Value {
    let all = json["connections"]
        .as_array()
        .unwrap_or_else(|| panic!("no connections: {json}"));
    let mut of = all.iter().filter(|one| one["connection"] == name);
    let one = of
        .next()
        .unwrap_or_else(|| panic!("nothing of {name}: {json}"));
    assert!(of.next().is_none());
    one
}

/// Statuses of the months of a connection.
pub fn statuses(json: &Value, name: &str) -> Vec<String> {
    let periods = of(json, name)["periods"].as_array().unwrap();
    let status = |period: &Value| period["status"].as_str().unwrap().to_string();
    periods.iter().map(status).collect()
}

/// `import --month … --format json`.
pub fn import(billstream: &Billstream) -> Output {
    billstream.import(MONTH)
}

#[test]
fn imports_all_connections_exactly() {
    let scene = Scene::new(&[&[], &[], &["--costs-per-day", "90"]]);
    let json = import(&scene.billstream()).ok().json();
    for (name, sandbox) in NAMES.iter().zip(&scene.sandboxes) {
        let one = of(&json, name);
        assert_eq!(one["exit_code"], 0);
        assert!(one.get("error").is_none(), "{one}");
        assert!(one["run"].is_string());
        let period = &one["periods"][0];
        assert_eq!(
            (&period["status"], &period["connection"]),
            (&"published".into(), &(*name).into())
        );
        assert_summary_is(period, &sandbox.totals(MONTH));
        scene.assert_month_is(name, MONTH);
    }
    let order: Vec<&Value> = json["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["connection"])
        .collect();
    assert_eq!(order, NAMES, "in the order of the configuration");
    assert_eq!(orphans(scene.path()), Vec::<String>::new());

    let before = published_files(scene.path());
    let again = import(&scene.billstream()).ok();
    assert!(
        NAMES
            .iter()
            .all(|name| statuses(&again.json(), name) == ["unchanged"])
    );
    again.says(&["nothing changed"]);
    assert!(published_files(scene.path()) == before);
}

#[test]
fn table_has_a_connection_column() {
    let scene = Scene::new(&[&[], &[]]);
    let output = scene
        .billstream()
        .run(&["import", "--from", "2026-09", "--to", MONTH])
        .ok();
    let rows: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.contains("published"))
        .collect();
    assert_eq!(rows.len(), 4, "{}", output.stdout);
    for (name, sandbox) in NAMES.iter().zip(&scene.sandboxes) {
        let net = Exact::of(&sandbox.totals(MONTH).net).shown();
        let mut of = rows.iter().filter(|row| row.contains(name));
        assert!(
            of.any(|row| row.contains(MONTH) && row.contains(&net)),
            "{}",
            output.stdout
        );
    }
    output.says(&["4 months published"]);
}

/// Waits until this many sandboxes have sent a slow body.
fn wait_for(run: &mut Running, scene: &Scene, slow: u64) {
    let fired = || scene.sandboxes.iter().map(|s| s.fired("slow")).sum::<u64>();
    while run.is_running() && fired() < slow {}
    assert!(run.is_running());
}

#[test]
fn imports_connections_concurrently() {
    let slow: &[&str] = &["--fault", "slow:1:secs=4"];
    let scene = Scene::new(&[slow, slow, slow]);
    scene.configure("[import]\nconnections_at_once = 3\n", |_| String::new());
    let arguments = ["import", "--month", MONTH, "--format", "json"];
    let mut run = scene.billstream().spawn(&arguments);
    wait_for(&mut run, &scene, 1);
    let began = Instant::now();
    wait_for(&mut run, &scene, 3);
    // In sequence, the third would begin eight seconds after the first.
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    let json = run.wait().ok().json();
    for name in NAMES {
        assert_eq!(statuses(&json, name), ["published"]);
        scene.assert_month_is(name, MONTH);
    }
}

#[test]
fn respects_connections_at_once() {
    let slow: &[&str] = &["--fault", "slow:1:secs=60"];
    for (at_once, met) in [("1", 1), ("2", 2)] {
        let scene = Scene::new(&[slow, slow, slow]);
        scene.configure(
            &format!("[import]\nconnections_at_once = {at_once}\n"),
            |_| String::new(),
        );
        let mut run = scene.billstream().spawn(&["import", "--month", MONTH]);
        wait_for(&mut run, &scene, met);
        std::thread::sleep(Duration::from_millis(700));
        let asked = scene.sandboxes.iter().filter(|s| s.requests() > 0).count();
        assert_eq!(asked as u64, met, "{at_once} at once");
        assert!(run.kill());
    }
}

#[test]
fn imports_a_named_connection_only() {
    let scene = Scene::new(&[&[], &[]]);
    let arguments = [
        "import",
        "--connection",
        "globex",
        "--month",
        MONTH,
        "--format",
        "json",
    ];
    let output = scene.billstream().run(&arguments).ok();
    assert_eq!(output.status("published")["connection"], "globex");
    scene.assert_month_is("globex", MONTH);
    scene.assert_nothing_of("acme");
    assert_eq!(scene.sandboxes[0].requests(), 0);
    scene
        .billstream()
        .run(&["import", "--connection", "globx", "--month", MONTH])
        .code(3)
        .says(&["globx", "did you mean `globex`"]);
}

#[test]
fn names_and_tags_are_kept_per_organization() {
    let renamed = ["one", "two"].map(|name| format!("lkc-7aa01x=orders of {name}"));
    let options = renamed
        .each_ref()
        .map(|r| ["--rename-resource", r.as_str()]);
    let scene = Scene::new(&[&options[0], &options[1]]);
    let tags = scene.path().join("tags.csv");
    std::fs::write(
        &tags,
        "name,team\norders of one,first\norders of two,second\n",
    )
    .unwrap();
    let head = format!("tags = {:?}\n", tags.to_str().unwrap());
    scene.configure(&head, |_| "inventory = true".to_string());
    let billstream = || scene.billstream().at("2026-11-10T06:00:00Z");
    import(&billstream()).ok();
    for (name, team) in [("acme", "first"), ("globex", "second")] {
        scene.assert_month_is(name, MONTH);
        let rows = Billstream::on(scene.path())
            .connection(name)
            .line_items(MONTH);
        let of = rows
            .iter()
            .filter(|row| row["resource/id"] == "kafka-cluster/lkc-7aa01x");
        let teams: std::collections::BTreeSet<&str> =
            of.map(|row| row["resource/tag:team"].as_str()).collect();
        assert_eq!(Vec::from_iter(teams), [team]);
    }
    let again = import(&billstream()).ok().json();
    assert!(
        scene
            .names()
            .iter()
            .all(|name| statuses(&again, name) == ["unchanged"])
    );
}
