//! Planning is bounded as running is: time, memory, Ctrl-C, and the depth of statements.

use std::time::{Duration, Instant};

use super::errors::with_stdin;
use super::store;
use super::terminal::{CTRL_C, PROMPT, Terminal};
use crate::support::{Billstream, Output};

/// A constant that the planner computes for hours, within one call of a function.
const ENDLESS: &str = "select levenshtein(repeat('a', 300000), repeat('b', 300000))";
/// A constant array of 8 GB.
const HUGE: &str = "select array_length(generate_series(1, 1000000000))";

#[track_caller]
fn assert_soon(started: Instant, what: &str) {
    let took = started.elapsed();
    assert!(took < Duration::from_secs(30), "{what}: {took:?}");
}

#[test]
fn planning_stops_at_its_time_limit() {
    let (_store, billstream) = store();
    let started = Instant::now();
    let query = ["query", "--timeout-secs", "1", ENDLESS];
    billstream
        .run(&query)
        .code(1)
        .says(&["no answer after 1 second", "--timeout-secs"]);
    let shell = ["shell", "--timeout-secs", "1"];
    with_stdin(&billstream, &shell, &format!("{ENDLESS};\n"))
        .code(1)
        .says(&["no answer after 1 second"]);
    assert_soon(started, ENDLESS);
}

#[test]
fn time_limits_that_are_no_point_in_time_are_refused() {
    let (_store, billstream) = store();
    let longest = u64::MAX.to_string();
    for seconds in [longest.as_str(), "31536001", "-1", "x"] {
        let limit = format!("--timeout-secs={seconds}");
        billstream.run(&["query", &limit, "select 1"]).code(2);
    }
    billstream
        .run(&["query", "--timeout-secs=31536000", "select 1"])
        .ok();
    let billstream = billstream.env("BILLSTREAM_QUERY_TIMEOUT_SECS", &longest);
    billstream.run(&["query", "select 1"]).code(3);
}

#[test]
fn interrupt_stops_planning() {
    let (_store, billstream) = store();
    for signal in ["INT", "TERM", "HUP"] {
        let running = billstream.spawn(&["query", ENDLESS]);
        std::thread::sleep(Duration::from_secs(1));
        let started = Instant::now();
        running.signal(signal);
        running.wait().code(4).says(&["stopped by"]);
        assert_soon(started, signal);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_outside_the_pool_is_limited() {
    let (_store, billstream) = store();
    let run = |sql: &str| {
        let output = billstream.run(&["query", "--memory-mb", "64", sql]);
        output.code(1).says(&["not enough memory", "--memory-mb"]);
    };
    run(HUGE);
    // Computed while the statement runs, in many batches.
    run("select count(*) from generate_series(1, 100) t \
         where array_length(range(0, t.value * 100000000)) > 1");
}

/// SQL with 40 tables, each of which uses the one before twice.
fn multiplied(definition: impl Fn(usize, &str) -> String, between: &str) -> String {
    let tables = (1..=40).map(|n| {
        let of = n - 1;
        let body = format!("select x.a from t{of} as x join t{of} as y on x.a = y.a");
        definition(n, &body)
    });
    tables.collect::<Vec<_>>().join(between)
}

#[test]
fn tables_that_multiply_are_refused() {
    let (_store, billstream) = store();
    let expressions = multiplied(|n, body| format!("t{n} as ({body})"), ", ");
    let views = multiplied(|n, body| format!("create view t{n} as {body}"), "; ");
    for sql in [
        format!("with t0 as (select 1 as a), {expressions} select * from t40"),
        format!("create view t0 as select 1 as a; {views}; select * from t40"),
    ] {
        let started = Instant::now();
        let output = billstream.run(&["query", &sql]).code(1);
        output.says(&["more than 10000 steps", "at each use"]);
        assert_soon(started, &sql[..20]);
    }
}

/// Statements of `n` levels.
fn deep(n: usize) -> Vec<(&'static str, String)> {
    let around = |open: &str, close: &str| format!("select {}1{}", open.repeat(n), close.repeat(n));
    vec![
        ("or", format!("select 1 = 1{}", " or 1 = 2".repeat(n))),
        ("plus", format!("select 1{}", " + 1".repeat(n))),
        ("concat", format!("select 'a'{}", " || 'a'".repeat(n))),
        ("cast", format!("select 1{}", "::int".repeat(n))),
        (
            "union",
            format!("select 1{}", " union all select 1".repeat(n)),
        ),
        (
            "join",
            format!("select 1 from periods{}", ", periods".repeat(n)),
        ),
        ("parentheses", around("(", ")")),
        ("not", format!("select {}true", "not ".repeat(n))),
        ("minus", format!("select {}1", "- ".repeat(n))),
        ("case", around("case when true then ", " else 0 end")),
        ("function", around("abs(", ")")),
        ("array", around("array[", "]")),
        (
            "subquery",
            format!(
                "select * from {}periods{}",
                "(select * from ".repeat(n),
                ")".repeat(n)
            ),
        ),
        (
            "exists",
            format!(
                "select 1 where {}true{}",
                "exists (select 1 where ".repeat(n),
                ")".repeat(n)
            ),
        ),
        (
            "type",
            format!(
                "select cast(null as {}int{})",
                "array<".repeat(n),
                ">".repeat(n)
            ),
        ),
    ]
}

/// Asserts that a deep statement has rows or an error: not an abort, and not a defect.
#[track_caller]
fn assert_ended(kind: &str, output: Output) {
    assert!(
        output.code == 0 || output.code == 1,
        "{kind}: {}: {}",
        output.code,
        output.stderr.chars().take(2000).collect::<String>()
    );
    assert!(
        output.stderr.len() < 2000,
        "{kind}: {}",
        output.stderr.len()
    );
}

fn run_file(billstream: &Billstream, sql: &str, seconds: &str) -> Output {
    std::fs::write(billstream.home().join("deep.sql"), sql).unwrap();
    let query = ["query", "--timeout-secs", seconds, "--format", "ndjson"];
    billstream.run(&[&query[..], &["-f", "deep.sql"]].concat())
}

#[test]
fn deep_statements_end_with_rows_or_an_error() {
    let (_store, billstream) = store();
    for n in [30, 9_900] {
        for (kind, sql) in deep(n) {
            // Long enough to be deep in the planner when the time is over.
            assert_ended(kind, run_file(&billstream, &sql, "2"));
        }
    }
    for (kind, sql) in deep(30_000) {
        let output = run_file(&billstream, &sql, "600");
        assert_ended(kind, output.clone());
        output.code(1).says(&["nested too deeply"]);
    }
}

#[test]
fn long_conditions_run() {
    let (_store, billstream) = store();
    let terms = "billing_period = '2026-10' or ".repeat(500);
    let sql = format!("select count(*) as n from periods where {terms} false");
    let run = with_stdin(&billstream, &["query", "--format", "csv"], &sql);
    assert_eq!(run.ok().stdout, "n\n1\n");
    let shell = format!("{sql};\n");
    let run = with_stdin(&billstream, &["shell", "--format", "csv"], &shell);
    assert_eq!(run.ok().stdout, "n\n1\n");
    let list = vec!["'2026-10'"; 20_000].join(", ");
    let sql = format!("select count(*) as n from periods where billing_period in ({list})");
    assert_eq!(
        run_file(&billstream, &sql, "600").ok().stdout,
        "{\"n\":1}\n"
    );
    let long = format!("select '{}'", "x".repeat(9 << 20));
    run_file(&billstream, &long, "600")
        .code(1)
        .says(&["the SQL is too long"]);
}

#[test]
fn shell_goes_on_after_a_statement_that_cannot_be_stopped() {
    let (_store, billstream) = store();
    let reports = billstream.home().join("sql/reports");
    std::fs::create_dir_all(&reports).unwrap();
    std::fs::write(
        reports.join("endless.sql"),
        format!("-- Endless: never done\n{ENDLESS} as n\n"),
    )
    .unwrap();
    let command = billstream.command(&["shell", "--sql-dir", "sql"]);
    let mut terminal = Terminal::start(&command, 40, 120);
    terminal.shows(PROMPT);
    for line in [format!("{ENDLESS};"), ".report endless".to_string()] {
        terminal.clear();
        terminal.line(&line);
        terminal.shows(&line);
        std::thread::sleep(Duration::from_millis(500));
        terminal.keys(CTRL_C);
        let screen = terminal.answer();
        assert!(screen.contains("stopped by Ctrl-C"), "{screen}");
        assert!(screen.contains("cannot interrupt"), "{screen}");
    }
    let rows = terminal.ask("select 6 * 7 as answer;");
    assert!(rows.contains("42"), "{rows}");
    terminal.line(".quit");
}
