//! Time limit, memory limit and Ctrl-C: a statement ends in time, with all rows or an error.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::store;
use crate::support::{Billstream, Output, Running, names_below};

/// Statements that would take hours: a join that does not yield, a recursion, and a cross product.
pub const LONG: [&str; 3] = [
    "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b where a.value + b.value = 7",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 1000000000) select max(n) from t",
    "select sum(a.value * b.value % 7) from generate_series(1, 1000) a, generate_series(1, 1000000000) b",
];

#[test]
fn statement_stops_at_its_time_limit() {
    let (_store, billstream) = store();
    for sql in LONG {
        let started = Instant::now();
        let output = billstream
            .run(&["query", "--timeout-secs", "1", sql])
            .code(1);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{sql}: {took:?}");
        assert_eq!(output.stdout, "");
        output.says(&["no answer after 1 second", "--timeout-secs"]);
    }
}

#[test]
fn time_limit_applies_while_rows_are_written() {
    let (_store, billstream) = store();
    let sql = "select a.value, b.value as other \
               from generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    for format in ["csv", "ndjson"] {
        let started = Instant::now();
        let arguments = ["query", "--timeout-secs", "1", "--format", format, sql];
        let mut command = billstream.command(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            let took = started.elapsed();
            if took > Duration::from_secs(20) {
                child.kill().unwrap();
                panic!("{format}: still running after {took:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let output = Output::of(format.to_string(), child.wait_with_output().unwrap());
        output.code(1).says(&["no answer after 1 second"]);
    }
}

#[test]
fn environment_sets_the_limits() {
    let (_store, billstream) = store();
    let billstream = billstream.env("BILLSTREAM_QUERY_TIMEOUT_SECS", "1");
    billstream
        .run(&["query", LONG[1]])
        .code(1)
        .says(&["no answer after 1 second"]);
    billstream
        .run(&["query", "--timeout-secs", "0", "select 1"])
        .code(2);
    billstream
        .run(&["query", "--memory-mb", "63", "select 1"])
        .code(2);
}

#[test]
fn interrupt_stops_a_query() {
    let (_store, billstream) = store();
    let target = billstream.home().join("out.csv");
    for sql in LONG {
        let running = billstream.spawn(&["query", "-o", "out.csv", sql]);
        std::thread::sleep(Duration::from_secs(1));
        let started = Instant::now();
        let id = running.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        let output = running.wait().code(4).says(&["stopped by Ctrl-C"]);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{sql}: {took:?}");
        assert_eq!(output.stdout, "");
        assert!(!target.exists());
    }
    let left = std::fs::read_dir(billstream.home()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with(".tmp")),
        "{left:?}"
    );
}

/// 92 MB of unsorted text.
const WIDE: &str = "select a.value as n, \
    concat(repeat('x', 300), lpad(cast(a.value * 7919 % 300000 as varchar), 6, '0')) as t \
    from generate_series(0, 299999) a";

fn sorted() -> String {
    format!("select n, t from ({WIDE}) order by t")
}

/// Asserts that a run returned all rows in order, each with its number.
#[track_caller]
fn assert_sorted(output: &Output) {
    let mut rows = 0;
    for line in output.stdout.lines().skip(1) {
        let (number, text) = line.split_once(",x").unwrap();
        let (number, place): (u64, u64) = (
            number.parse().unwrap(),
            text.trim_start_matches('x').parse().unwrap(),
        );
        assert_eq!((place, number * 7919 % 300_000), (rows, rows), "row {rows}");
        rows += 1;
    }
    assert_eq!(rows, 300_000);
}

#[test]
fn sort_larger_than_its_memory_spills_to_disk() {
    let (_store, billstream) = store();
    let folder = billstream.home().join("tmp");
    std::fs::create_dir(&folder).unwrap();
    let billstream = billstream.env("TMPDIR", &folder.display().to_string());
    let query = ["query", "--memory-mb", "128", "--format", "csv"];
    let run = |sql: &str| billstream.run(&[&query[..], &[sql]].concat()).ok();
    assert_sorted(&run(&sorted()));
    let plan = run(&format!("explain analyze {}", sorted())).stdout;
    let spilled = plan.split("spill_count=").skip(1);
    assert!(
        spilled.into_iter().any(|rest| !rest.starts_with('0')),
        "{plan}"
    );
    assert_empty(&folder);
}

#[track_caller]
fn assert_empty(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(left.is_empty(), "temporary files are removed: {left:?}");
}

/// Starts a sort that has spilled to `folder` and is not done.
fn spilling(billstream: &Billstream, folder: &Path) -> Running {
    let endless = "select n, t from (select a.value as n, concat(repeat('x', 300), \
        cast(a.value * 7919 % 300000 as varchar)) as t from generate_series(0, 1000000000) a) order by t";
    let mut running = billstream.spawn(&["query", "--memory-mb", "64", "--format", "csv", endless]);
    let spilled = |name: &String| !name.ends_with("lock");
    while !names_below(folder).iter().any(spilled) {
        assert!(running.is_running(), "{:?}", running.wait());
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

#[test]
fn temporary_files_are_removed_at_every_end() {
    let (_store, billstream) = store();
    let folder = billstream.home().join("tmp");
    std::fs::create_dir(&folder).unwrap();
    let billstream = billstream.env("TMPDIR", &folder.display().to_string());
    let query = [
        "query",
        "--memory-mb",
        "128",
        "--format",
        "csv",
        "--max-rows",
    ];
    billstream
        .run(&[&query[..], &["1", &sorted()]].concat())
        .ok();
    assert_empty(&folder);

    let mut closed = billstream.spawn(&[&query[..], &["0", &sorted()]].concat());
    closed.close_stdout();
    closed.wait().code(0);
    assert_empty(&folder);

    for signal in ["INT", "TERM", "HUP"] {
        let running = spilling(&billstream, &folder);
        running.signal(signal);
        running.wait().code(4).says(&["stopped by"]);
        assert_empty(&folder);
    }

    spilling(&billstream, &folder).kill();
    assert!(
        !names_below(&folder).is_empty(),
        "nothing removes files of a killed run"
    );
    let other = spilling(&billstream, &folder);
    let folders = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(folders, 1, "the next run removes them");
    billstream.run(&["query", "select 1"]).ok();
    let folders = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(folders, 1, "those of a run that lives stay");
    other.signal("TERM");
    other.wait().code(4);
    assert_empty(&folder);
}

#[test]
fn minimum_memory_returns_all_rows_or_an_error() {
    let (_store, billstream) = store();
    let query = ["query", "--memory-mb", "64", "--format", "csv"];
    let run = |sql: &str| billstream.run(&[&query[..], &[sql]].concat());
    let reports_shortage = |output: &Output| {
        let short = output.code == 1;
        if short {
            output.clone().says(&["not enough memory", "--memory-mb"]);
        }
        short
    };
    let output = run(&sorted());
    if !reports_shortage(&output) {
        assert_sorted(&output.ok());
    }
    let output = run(&format!(
        "select count(*) as groups, sum(n) as n, sum(m) as m \
         from (select t, count(*) as n, max(n) as m from ({WIDE}) group by t)"
    ));
    if !reports_shortage(&output) {
        assert_eq!(
            output.ok().stdout,
            "groups,n,m\n300000,300000,44999850000\n"
        );
    }
}
