//! An interrupted pull resumes from its finished windows.

use std::path::Path;

use tempfile::tempdir;

use crate::support::{Billstream, MONTH, Sandbox, age_marks, lost_files, names_below, orphans};

/// Pages of 500 with 56 costs per day result in windows of five days: seven in October, after one request
/// that shows that the month is large.
fn one_at_a_time(store: &Path, sandbox: &Sandbox) -> Billstream {
    Billstream::on(store)
        .from(sandbox)
        .env("BILLSTREAM_PAGE_SIZE", "500")
        .env("BILLSTREAM_CONCURRENCY", "1")
        .env("BILLSTREAM_RETRY_ATTEMPTS", "1")
}

/// Number of requests of a pull without faults.
fn requests_of_a_complete_pull() -> u64 {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    one_at_a_time(store.path(), &sandbox)
        .run(&["pull", "--month", MONTH])
        .ok();
    sandbox.requests()
}

/// A store in which a pull failed after some requests, and the server, which works again.
fn interrupted_pull(after: u32) -> (tempfile::TempDir, Sandbox) {
    let store = tempdir().unwrap();
    let sandbox = Sandbox::start(&["--fault", &format!("500:1:after={after}")]);
    one_at_a_time(store.path(), &sandbox)
        .import(MONTH)
        .code(7)
        .status("failed");
    assert_eq!(sandbox.fired("500"), 1);
    assert_eq!(orphans(store.path()), Vec::<String>::new());
    (store, sandbox)
}

fn staged(store: &Path) -> usize {
    names_below(&store.join("runs/staging")).len()
}

/// Asserts that the files left are those that no run takes up any more.
#[track_caller]
fn assert_only_discarded(store: &Path) {
    let left = names_below(&store.join("runs/staging"));
    assert!(
        left.iter().all(|mark| mark.contains("/discarded/")),
        "{left:?}"
    );
}

#[test]
fn the_next_run_resumes_finished_windows() {
    let all = requests_of_a_complete_pull();
    let (store, sandbox) = interrupted_pull(4);
    let finished = staged(store.path()) as u64;
    assert!(finished >= 2, "{finished} windows were finished");

    let before = sandbox.requests();
    let billstream = one_at_a_time(store.path(), &sandbox);
    let output = billstream
        .import(MONTH)
        .ok()
        .says(&["resumed from an interrupted pull"]);
    output.status("published");
    let requests = sandbox.requests() - before;
    assert!(requests < all, "{requests} of {all} requests");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_only_discarded(store.path());
    assert_eq!(orphans(store.path()), Vec::<String>::new());

    // The next run pulls the whole month.
    billstream.import(MONTH).ok().status("unchanged");
}

#[test]
fn windows_older_than_six_hours_are_pulled_again() {
    let all = requests_of_a_complete_pull();
    let (store, sandbox) = interrupted_pull(4);
    let before = sandbox.requests();
    let billstream = one_at_a_time(store.path(), &sandbox).at("2026-11-23T13:00:01Z");
    let output = billstream.import(MONTH).ok();
    assert!(
        !output.stderr.contains("resumed from an interrupted pull"),
        "{}",
        output.stderr
    );
    assert_eq!(sandbox.requests() - before, all);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_eq!(orphans(store.path()), Vec::<String>::new());
    // The interrupted run may be alive, so its files stay for a while.
    assert!(staged(store.path()) > 0);
    age_marks(store.path());
    billstream.import(MONTH).ok().status("unchanged");
    assert_eq!(staged(store.path()), 0);
    assert_eq!(orphans(store.path()), Vec::<String>::new());
    assert_eq!(lost_files(store.path()), Vec::<String>::new());
}

#[test]
fn a_pull_completes_after_repeated_interruptions() {
    let store = tempdir().unwrap();
    let mut finished = 0;
    // Every third request fails, and ends its run.
    let faults = (0..20).map(|run| format!("reset:1:after={}", 2 + 3 * run));
    let faults: Vec<String> = faults.flat_map(|fault| ["--fault".into(), fault]).collect();
    let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
    let flaky = Sandbox::start(&faults);
    for _ in 0..20 {
        let output = one_at_a_time(store.path(), &flaky).import(MONTH);
        assert_eq!(orphans(store.path()), Vec::<String>::new());
        if output.code == 0 {
            let totals = Sandbox::start(&[]).totals(MONTH);
            return one_at_a_time(store.path(), &flaky).assert_month_is(MONTH, &totals);
        }
        let now = staged(store.path());
        assert!(now > finished, "a run made no progress: {}", output.stderr);
        finished = now;
    }
    panic!("the month was never published");
}

#[test]
fn does_not_resume_windows_of_another_connection_or_month() {
    let (store, _) = interrupted_pull(4);
    let left = staged(store.path());
    let sandbox = Sandbox::start(&["--seed", "5"]);
    let other = one_at_a_time(store.path(), &sandbox).connection("acme");
    assert!(
        !other
            .import(MONTH)
            .ok()
            .stderr
            .contains("resumed from an interrupted pull")
    );
    other.assert_month_is(MONTH, &sandbox.totals(MONTH));
    let sandbox = Sandbox::start(&["--seed", "6"]);
    let same = one_at_a_time(store.path(), &sandbox);
    assert!(
        !same
            .import("2026-09")
            .ok()
            .stderr
            .contains("resumed from an interrupted pull")
    );
    same.assert_month_is("2026-09", &sandbox.totals("2026-09"));
    assert_eq!(staged(store.path()), left);
}

/// As after a try with the sandbox, when the real keys follow.
#[test]
fn does_not_resume_windows_of_another_endpoint() {
    let (store, _) = interrupted_pull(4);
    assert!(staged(store.path()) > 0);
    let sandbox = Sandbox::start(&["--seed", "5"]);
    let billstream = one_at_a_time(store.path(), &sandbox);
    let output = billstream.import(MONTH).ok();
    assert!(!output.stderr.contains("resumed from an interrupted pull"));
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_only_discarded(store.path());
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn pulls_a_damaged_window_again() {
    let (store, sandbox) = interrupted_pull(4);
    let costs = store.path().join("costs");
    let window = names_below(&costs)
        .into_iter()
        .find(|name| name.ends_with(".parquet"))
        .unwrap();
    let path = costs.join(window);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();

    let billstream = one_at_a_time(store.path(), &sandbox);
    billstream.import(MONTH).ok().status("published");
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert_eq!(orphans(store.path()), Vec::<String>::new());
}

#[test]
fn resumes_a_month_with_full_pages() {
    // 21,700 costs: more than two pages of 10,000.
    let store = tempdir().unwrap();
    let options = ["--costs-per-day", "700", "--fault", "500:1:after=3"];
    let sandbox = Sandbox::start(&options);
    let large = |sandbox: &Sandbox| {
        Billstream::on(store.path())
            .from(sandbox)
            .env("BILLSTREAM_CONCURRENCY", "1")
            .env("BILLSTREAM_RETRY_ATTEMPTS", "1")
    };
    large(&sandbox).run(&["pull", "--month", MONTH]).code(7);
    assert!(staged(store.path()) > 0);

    let before = sandbox.requests();
    large(&sandbox)
        .import(MONTH)
        .ok()
        .says(&["resumed from an interrupted pull"])
        .status("published");
    let totals = sandbox.totals(MONTH);
    assert_eq!(totals.costs, 21_700);
    large(&sandbox).assert_month_is(MONTH, &totals);
    assert_eq!(orphans(store.path()), Vec::<String>::new());

    // Finished windows were not requested again: a complete pull has one request that shows the size, and one
    // for each of four windows.
    let requests = sandbox.requests() - before;
    assert!(requests < 5, "{requests} requests");
}
