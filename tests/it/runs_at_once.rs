//! Concurrent runs on one store: of one connection one run wins, of several connections all.

use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Output, Sandbox, orphans, published_files};

#[test]
fn refuses_a_second_run_of_a_connection() {
    let store = tempdir().unwrap();
    let slow = Sandbox::start(&["--fault", "slow:1:secs=4"]);
    let billstream = Billstream::on(store.path()).from(&slow);
    let mut first = billstream.spawn(&["import", "--month", MONTH, "--format", "json"]);
    while first.is_running() && slow.fired("slow") == 0 {}
    for command in ["import", "pull"] {
        let refused = billstream
            .run(&[command, "--month", MONTH, "--format", "json"])
            .code(6);
        refused.says(&["another run", "confluent", "hint:"]);
    }
    billstream.run(&["transform", "--month", MONTH]).code(6);
    assert!(first.is_running());
    assert_eq!(
        slow.requests(),
        1,
        "a run without the lease sends no request"
    );
    first.wait().ok().status("published");
    billstream.assert_month_is(MONTH, &slow.totals(MONTH));
    billstream.import(MONTH).ok().status("unchanged");
}

#[test]
fn concurrent_imports_do_not_duplicate_a_month() {
    for _ in 0..2 {
        let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
        let billstream = Billstream::on(store.path()).from(&sandbox);
        let arguments = ["import", "--month", MONTH, "--format", "json"];
        let runs = [billstream.spawn(&arguments), billstream.spawn(&arguments)];
        let outputs = runs.map(|run| run.wait());
        let codes = outputs.each_ref().map(|output| output.code);
        assert!(
            codes.iter().all(|code| [0, 6].contains(code)),
            "{outputs:?}"
        );
        assert!(codes.contains(&0), "{outputs:?}");
        billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
        assert_eq!(orphans(store.path()), Vec::<String>::new());
        billstream.import(MONTH).ok().status("unchanged");
    }
}

#[test]
fn two_connections_can_import_concurrently_into_a_new_store() {
    for _ in 0..2 {
        let store = tempdir().unwrap();
        let sandboxes = ["1", "2"].map(|seed| Sandbox::start(&["--seed", seed]));
        let [one, two] = [("acme", &sandboxes[0]), ("globex", &sandboxes[1])]
            .map(|(name, sandbox)| Billstream::on(store.path()).from(sandbox).connection(name));
        let arguments = ["import", "--month", MONTH, "--format", "json"];
        let outputs: Vec<Output> = [one.spawn(&arguments), two.spawn(&arguments)]
            .into_iter()
            .map(|run| run.wait())
            .collect();
        for output in outputs {
            output.ok().status("published");
        }
        for (billstream, sandbox) in [(&one, &sandboxes[0]), (&two, &sandboxes[1])] {
            billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
        }
        assert_eq!(orphans(store.path()), Vec::<String>::new());
    }
}

#[test]
fn concurrent_imports_of_many_months_are_exact() {
    let store = tempdir().unwrap();
    let names = ["acme", "globex"];
    let sandboxes = ["1", "2"].map(|seed| Sandbox::start(&["--seed", seed]));
    let programs: Vec<Billstream> = names
        .iter()
        .zip(&sandboxes)
        .map(|(name, sandbox)| Billstream::on(store.path()).from(sandbox).connection(name))
        .collect();
    let arguments = [
        "import", "--from", "2026-08", "--to", MONTH, "--format", "json",
    ];
    let runs: Vec<_> = programs
        .iter()
        .map(|billstream| billstream.spawn(&arguments))
        .collect();
    for run in runs {
        let output = run.wait().ok();
        assert!(
            output
                .statuses()
                .iter()
                .all(|(_, status)| status == "published"),
            "{}",
            output.stdout
        );
    }
    for (billstream, sandbox) in programs.iter().zip(&sandboxes) {
        for month in ["2026-08", "2026-09", MONTH] {
            billstream.assert_month_is(month, &sandbox.totals(month));
        }
    }
    assert_eq!(orphans(store.path()), Vec::<String>::new());

    // A repetition changes nothing.
    let before = published_files(store.path());
    let runs: Vec<_> = programs
        .iter()
        .map(|billstream| billstream.spawn(&arguments))
        .collect();
    for run in runs {
        assert!(
            run.wait()
                .ok()
                .statuses()
                .iter()
                .all(|(_, status)| status == "unchanged")
        );
    }
    assert!(published_files(store.path()) == before);
}

#[test]
fn connections_with_a_common_prefix_stay_separate() {
    let store = tempdir().unwrap();
    let sandboxes = ["1", "2"].map(|seed| Sandbox::start(&["--seed", seed]));
    let [short, long] = [("acme", &sandboxes[0]), ("acme-eu", &sandboxes[1])]
        .map(|(name, sandbox)| Billstream::on(store.path()).from(sandbox).connection(name));
    short.import(MONTH).ok();
    long.import(MONTH).ok();
    short.import(MONTH).ok().status("unchanged");
    short.assert_month_is(MONTH, &sandboxes[0].totals(MONTH));
    long.assert_month_is(MONTH, &sandboxes[1].totals(MONTH));
    let ids = |billstream: &Billstream| {
        billstream
            .costs(MONTH)
            .into_iter()
            .map(|row| row["record_id"].clone())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(
        ids(&short).is_disjoint(&ids(&long)),
        "ids include the connection"
    );
}

#[test]
fn equal_costs_of_two_connections_have_separate_ids() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    for name in ["one", "two"] {
        let billstream = Billstream::on(store.path()).from(&sandbox).connection(name);
        billstream
            .run(&["import", "--month", MONTH, "--allow-same-organization"])
            .ok();
        billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    }
    let ids = Billstream::on(store.path())
        .query("select count(*) as n, count(distinct \"lineitem/id\") as ids from line_items");
    assert_eq!(ids[0]["n"], ids[0]["ids"]);
}

#[test]
fn a_killed_run_releases_its_lease() {
    let store = tempdir().unwrap();
    let slow = Sandbox::start(&["--fault", "slow:1:secs=60"]);
    let billstream = Billstream::on(store.path()).from(&slow);
    let mut first = billstream.spawn(&["import", "--month", MONTH]);
    while first.is_running() && slow.fired("slow") == 0 {}
    assert!(first.kill());
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &slow.totals(MONTH));
}

#[test]
fn a_query_needs_no_lease() {
    let store = tempdir().unwrap();
    let good = Sandbox::start(&[]);
    Billstream::on(store.path()).from(&good).import(MONTH).ok();
    let slow = Sandbox::start(&["--revision", "1", "--fault", "slow:1:secs=60"]);
    let billstream = Billstream::on(store.path()).from(&slow);
    let mut run = billstream.spawn(&["import", "--month", MONTH]);
    while run.is_running() && slow.fired("slow") == 0 {}
    billstream.assert_month_is(MONTH, &good.totals(MONTH));
    assert!(run.kill());
}
