//! `kill -9` at chosen moments: readers see the old month or the new one, and the next import completes it.
//!
//! A moment is the appearance of a file in the store. The run may be slightly further when the signal arrives;
//! the assertions hold at every moment.

use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::published_month;
use crate::support::{
    Billstream, CONNECTION, Exact, MONTH, Running, Sandbox, Totals, age_marks, current_drop_id,
    drop_in_force, lost_files, names_below, net_of, orphans, sum,
};

/// A store with the old version of a month, and a sandbox with the new one.
struct Scene {
    store: TempDir,
    old: Totals,
    new: Totals,
    sandbox: Sandbox,
}

impl Scene {
    fn new(faults: &[&str]) -> Scene {
        let (store, old) = published_month();
        let options: Vec<&str> = ["--revision", "1"].iter().chain(faults).copied().collect();
        let sandbox = Sandbox::start(&options);
        let new = sandbox.totals(MONTH);
        assert_ne!(old.net, new.net);
        Scene {
            store,
            old,
            new,
            sandbox,
        }
    }

    fn billstream(&self) -> Billstream {
        Billstream::on(self.store.path())
            .from(&self.sandbox)
            .at("2026-11-23T07:00:00Z")
    }

    /// Asserts that readers see one complete version in costs, line items and drop.
    fn assert_readable(&self) {
        let billstream = self.billstream();
        let nets = [Exact::of(&self.old.net), Exact::of(&self.new.net)];
        let costs: Exact = billstream.costs(MONTH).iter().map(net_of).sum();
        assert!(
            nets.contains(&costs),
            "costs are {costs}, neither of {nets:?}"
        );
        let items = sum(&billstream.line_items(MONTH), "cost/cost");
        assert!(
            nets.contains(&items),
            "line items are {items}, neither of {nets:?}"
        );
        let drop = sum(
            &drop_in_force(self.store.path(), CONNECTION, MONTH),
            "cost/cost",
        );
        assert!(
            nets.contains(&drop),
            "the drop is {drop}, neither of {nets:?}"
        );
    }

    /// Asserts that the next import publishes the new version and keeps the old one, and that files of the killed
    /// run are deleted once their time is past.
    fn assert_recovers(&self) {
        let store = self.store.path();
        self.billstream().import(MONTH).ok();
        self.billstream().assert_month_is(MONTH, &self.new);
        assert_eq!(orphans(store), Vec::<String>::new());
        age_marks(store);
        self.billstream().import(MONTH).ok().status("unchanged");
        assert_eq!(names_below(&store.join("runs/staging")), [""; 0]);
        assert_eq!(orphans(store), Vec::<String>::new());
        assert_eq!(lost_files(store), Vec::<String>::new());
    }
}

/// Number of files below a folder of the store with this ending.
fn count(store: &Path, folder: &str, ending: &str) -> usize {
    names_below(&store.join(folder))
        .iter()
        .filter(|name| name.ends_with(ending))
        .count()
}

/// Kills an import once a new file appears, and checks the store.
fn assert_recovers_from_a_kill_at(folder: &str, ending: &str) {
    let scene = Scene::new(&[]);
    let store = scene.store.path();
    let before = count(store, folder, ending);
    let mut run = scene.billstream().spawn(&["import", "--month", MONTH]);
    while run.is_running() && count(store, folder, ending) <= before {}
    let killed = run.kill();
    assert!(
        killed || count(store, folder, ending) > before,
        "the import ended before the file appeared"
    );
    scene.assert_readable();
    scene.assert_recovers();
}

#[test]
fn killed_when_the_costs_are_staged() {
    assert_recovers_from_a_kill_at("runs/staging/costs", ".parquet");
}

#[test]
fn killed_when_a_costs_file_is_written() {
    assert_recovers_from_a_kill_at("costs/connection=confluent", ".parquet");
}

#[test]
fn killed_when_a_line_items_file_is_written() {
    assert_recovers_from_a_kill_at("line_items/connection=confluent", ".parquet");
}

#[test]
fn killed_when_the_costs_are_committed() {
    assert_recovers_from_a_kill_at("costs/_delta_log", ".json");
}

#[test]
fn killed_when_the_line_items_are_committed() {
    assert_recovers_from_a_kill_at("line_items/_delta_log", ".json");
}

#[test]
fn killed_when_a_file_of_the_drop_is_written() {
    // A writer that opens the final path would leave half a file after a crash.
    assert_recovers_from_a_kill_at("cloudzero", ".csv.gz");
}

#[test]
fn killed_while_confluent_answers() {
    let scene = Scene::new(&["--fault", "slow:1:secs=3"]);
    let mut run = scene.billstream().spawn(&["import", "--month", MONTH]);
    while run.is_running() && scene.sandbox.requests() == 0 {}
    assert!(run.kill(), "the body was slow, so the run was waiting");
    assert_eq!(scene.sandbox.fired("slow"), 1);
    scene.assert_readable();
    assert_eq!(
        sum(&scene.billstream().line_items(MONTH), "cost/cost").to_string(),
        scene.old.net
    );
    scene.assert_recovers();
}

#[test]
fn killed_between_windows() {
    let scene = Scene::new(&["--fault", "slow:1:secs=3:after=4"]);
    let paged = scene
        .billstream()
        .env("BILLSTREAM_PAGE_SIZE", "500")
        .env("BILLSTREAM_CONCURRENCY", "1");
    let mut run = paged.spawn(&["import", "--month", MONTH]);
    while run.is_running() && scene.sandbox.fired("slow") == 0 {}
    assert!(run.kill(), "the body was slow, so the run was waiting");
    assert!(count(scene.store.path(), "runs/staging/costs", ".parquet") > 0);
    scene.assert_readable();
    let requests = scene.sandbox.requests();
    scene.assert_recovers();
    assert!(scene.sandbox.requests() > requests);
}

#[test]
fn killed_in_the_first_import_of_a_store() {
    for (folder, ending) in [
        ("costs", ".parquet"),
        ("costs/_delta_log", "1.json"),
        ("line_items/_delta_log", "0.json"),
    ] {
        let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
        let billstream = Billstream::on(store.path()).from(&sandbox);
        let mut run = billstream.spawn(&["import", "--month", MONTH]);
        while run.is_running() && count(store.path(), folder, ending) == 0 {}
        run.kill();
        let query = billstream.run(&[
            "query",
            "select line_type, sum(amount) from costs group by 1 order by 2",
        ]);
        assert!(query.code == 0 || query.code == 3, "{}", query.stderr);
        billstream.import(MONTH).ok();
        billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
        assert_eq!(orphans(store.path()), Vec::<String>::new());
    }
}

#[test]
fn queries_work_on_a_table_without_a_commit() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    billstream.run(&["pull", "--month", MONTH]).ok();
    // The state between the creation of the table and its first commit.
    std::fs::remove_file(
        store
            .path()
            .join("costs/_delta_log/00000000000000000001.json"),
    )
    .unwrap();
    for (sql, expected) in [
        ("select count(*) as n, sum(amount) as net from costs", 1),
        (
            "select line_type, sum(amount) from costs group by 1 order by 2 limit 2",
            0,
        ),
        ("select * from costs where connection = 'confluent'", 0),
        (
            "select * from costs where billing_period = '2026-10' and amount > 1",
            0,
        ),
        ("select * from costs order by amount limit 3", 0),
        (
            "select a.* from costs a join costs b on a.record_id = b.record_id",
            0,
        ),
    ] {
        assert_eq!(billstream.query(sql).len(), expected, "{sql}");
    }
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn a_settled_month_with_an_interrupted_drop_is_pending_again() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let mut run = billstream.spawn(&["import", "--month", MONTH]);
    while run.is_running() && count(store.path(), "cloudzero", ".csv.gz") == 0 {}
    run.kill();
    // The default selection includes the month.
    let due = Billstream::on(store.path()).run(&["transform"]).ok();
    assert!(
        due.stdout.contains(MONTH) || due.stderr.contains("nothing is due"),
        "{due:?}"
    );
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn readers_see_the_old_or_the_new_month_during_a_publish() {
    let scene = Scene::new(&[]);
    let mut run = scene.billstream().spawn(&["import", "--month", MONTH]);
    let mut looks = 0;
    while run.is_running() {
        scene.assert_readable();
        looks += 1;
    }
    run.wait().ok();
    assert!(looks > 0);
    scene.billstream().assert_month_is(MONTH, &scene.new);
    assert_ne!(
        current_drop_id(scene.store.path(), CONNECTION, MONTH),
        "20261123T060000Z"
    );
}

#[cfg(unix)]
fn terminate(run: &Running) {
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &run.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_signal_stops_the_run_cleanly() {
    let scene = Scene::new(&["--fault", "slow:1:secs=60"]);
    let mut run = scene.billstream().spawn(&["import", "--month", MONTH]);
    while run.is_running() && scene.sandbox.fired("slow") == 0 {}
    terminate(&run);
    run.wait().code(4).says(&["SIGTERM"]);
    scene.assert_readable();
    scene.assert_recovers();
}
