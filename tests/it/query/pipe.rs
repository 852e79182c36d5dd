//! `billstream shell` from a pipe: statements, dot-commands and their errors.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use super::errors::with_stdin;
use super::store;
use crate::support::{Billstream, Output, csv_rows};

/// Runs a shell with a text on stdin.
fn piped(billstream: &Billstream, text: &str) -> Output {
    with_stdin(billstream, &["shell", "--format", "csv"], text)
}

#[test]
fn statements_and_commands_run_in_order() {
    let (_store, billstream) = store();
    let text = "select 1 as a,\n  'x;y' as b; select 2 as c;\n\
                .mode json\n-- a comment; alone\nselect 0.10 as d;\n\
                .mode\nselect 3\n  as last";
    let output = piped(&billstream, text).ok();
    assert_eq!(
        output.stdout,
        "a,b\n1,x;y\nc\n2\n[\n{\"d\":\"0.1\"}\n]\n[\n{\"last\":3}\n]\n"
    );
    assert_eq!(output.stderr, "json\n");
    assert_eq!(piped(&billstream, "").ok().stdout, "");
}

#[test]
fn tables_lists_every_table_with_a_description() {
    let (_store, billstream) = store();
    let output = piped(&billstream, ".tables\n").ok();
    let lines: Vec<(&str, &str)> = output
        .stdout
        .lines()
        .map(|line| line.split_once("  ").expect("a name and a description"))
        .collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let expected = [
        "all_line_items",
        "cost_changes",
        "costs",
        "costs_by_tag",
        "costs_per_day",
        "daily_costs",
        "line_items",
        "monthly_costs",
        "months",
        "newest_labels",
        "periods",
        "resources",
        "runs",
        "versions",
        "line_items_at(month, version)",
        "costs_at(month, version)",
    ];
    assert_eq!(names, expected);
    assert!(
        lines.iter().all(|(_, about)| about.trim().len() > 10),
        "{}",
        output.stdout
    );
    let made = piped(
        &billstream,
        "create view mine as select 1 as n;\n.tables\n.schema mine\n",
    )
    .ok();
    assert!(made.stdout.contains("\nmine "), "{}", made.stdout);
    assert!(
        made.stdout.contains("│ n      ┆ bigint │"),
        "{}",
        made.stdout
    );
}

#[test]
fn schema_lists_columns_with_their_types() {
    let (_store, billstream) = store();
    let output = piped(&billstream, ".schema line_items\n").ok();
    for line in [
        "│ cost/cost                             ┆ decimal(38, 24) │",
        "│ time/usage_start                      ┆ timestamp       │",
        "│ billing_period                        ┆ varchar         │",
    ] {
        assert!(output.stdout.contains(line), "{line}\n{}", output.stdout);
    }
    let all = piped(&billstream, ".schema\n").ok();
    for table in ["costs\n", "line_items\n", "daily_costs\n", "versions\n"] {
        assert!(all.stdout.contains(table), "{table}\n{}", all.stdout);
    }
    piped(&billstream, ".schema cost\n")
        .code(1)
        .says(&["did you mean `costs`?"]);
}

#[test]
fn help_lists_every_command() {
    let (_store, billstream) = store();
    let output = piped(&billstream, ".help\n").ok();
    for command in [
        "tables", "schema", "reports", "report", "mode", "output", "maxrows", "timer", "pager",
        "read", "help", "quit",
    ] {
        assert!(
            output
                .stdout
                .lines()
                .any(|line| line.starts_with(&format!(".{command} "))),
            "{command}\n{}",
            output.stdout
        );
    }
}

#[test]
fn wrong_command_ends_the_shell_with_a_suggestion() {
    let (_store, billstream) = store();
    for (command, expected) in [
        (".tabels", "did you mean .tables?"),
        (".schem", "did you mean .schema?"),
        (".xyz", ".help lists the commands"),
        (
            ".mode yaml",
            "table, csv, tsv, json, ndjson, markdown, parquet, arrow",
        ),
        (".timer maybe", ".timer takes on or off"),
        (".timer", ".timer on|off"),
        (".maxrows many", ".maxrows takes a number"),
        (".read missing.sql", "missing.sql"),
    ] {
        let output = piped(&billstream, &format!("{command}\nselect 1 as n;\n")).code(2);
        assert_eq!(output.stdout, "", "{command}");
        output.says(&[expected]);
    }
}

#[test]
fn quit_ignores_the_rest_of_the_input() {
    let (_store, billstream) = store();
    for quit in [".quit", ".exit"] {
        let output = piped(
            &billstream,
            &format!("select 1 as n;\n{quit}\nselect nope;\n"),
        )
        .ok();
        assert_eq!(output.stdout, "n\n1\n");
    }
}

fn written(billstream: &Billstream, name: &str) -> String {
    std::fs::read_to_string(billstream.home().join(name)).unwrap()
}

#[test]
fn output_writes_to_a_file_until_it_is_closed() {
    let (_store, billstream) = store();
    let text = ".output out.csv\nselect 1 as a;\nselect 2 as b;\n.output\nselect 3 as c;\n\
                .output last.csv\nselect 4 as d;\n";
    let output = piped(&billstream, text).ok();
    assert_eq!(output.stdout, "c\n3\n");
    assert_eq!(written(&billstream, "out.csv"), "a\n1\nb\n2\n");
    assert_eq!(written(&billstream, "last.csv"), "d\n4\n");
    let failing = ".output never.csv\nselect 1 as a;\nselect nope;\n";
    piped(&billstream, failing).code(1);
    assert!(!billstream.home().join("never.csv").exists());
    piped(&billstream, ".output /no/such/folder/x.csv\n")
        .code(3)
        .says(&["/no/such/folder"]);
}

#[test]
fn output_file_ending_decides_the_format() {
    let (_store, billstream) = store();
    let text =
        ".output named.csv\nselect 1.50 as a;\n.output named.json\nselect 2 as b;\n.output\n";
    with_stdin(&billstream, &["shell"], text).ok();
    assert_eq!(written(&billstream, "named.csv"), "a\n1.5\n");
    assert_eq!(written(&billstream, "named.json"), "[\n{\"b\":2}\n]\n");
}

#[test]
fn binary_output_file_holds_one_result() {
    let (_store, billstream) = store();
    let one = ".mode parquet\n.output one.parquet\nselect 1 as a;\n.output\n";
    piped(&billstream, one).ok();
    let bytes = std::fs::read(billstream.home().join("one.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let two = ".mode parquet\n.output two.parquet\nselect 1 as a;\nselect 2 as b;\n.output\n";
    let output = piped(&billstream, two);
    assert_ne!(output.code, 0);
    assert!(!billstream.home().join("two.parquet").exists());
}

#[test]
fn exit_help_and_quit_need_no_dot() {
    let (_store, billstream) = store();
    for leave in ["exit", "quit;", "EXIT ;", ".exit"] {
        let text = format!("help\n{leave}\nselect nope;\n");
        let output = piped(&billstream, &text).ok();
        assert!(output.stdout.contains(".tables"), "{}", output.stdout);
        assert_eq!(output.stderr, "", "{leave}");
    }
    // Within a statement they are names.
    let output = piped(&billstream, "select 1 as\nexit\n;\n").ok();
    assert_eq!(output.stdout, "exit\n1\n");
}

#[test]
fn read_runs_a_file_with_parameters_and_limits() {
    let (_store, billstream) = store();
    let sql = "select $month as month;\nselect value from generate_series(1, 3);\n";
    std::fs::write(billstream.home().join("both.sql"), sql).unwrap();
    let arguments = [
        "shell",
        "--format",
        "csv",
        "--param",
        "month=2026-10",
        "--max-rows",
        "2",
    ];
    let output = with_stdin(&billstream, &arguments, ".read both.sql\n").ok();
    assert_eq!(output.stdout, "month\n2026-10\nvalue\n1\n2\n");
    output.says(&["showing the first 2 rows"]);
}

#[test]
fn maxrows_and_timer_apply_to_later_statements() {
    let (_store, billstream) = store();
    let text = ".maxrows 2\n.timer on\nselect value from generate_series(1, 5);\n\
                .maxrows 0\n.timer off\nselect value from generate_series(1, 3);\n";
    let output = piped(&billstream, text).ok();
    assert_eq!(output.stdout, "value\n1\n2\nvalue\n1\n2\n3\n");
    let notes: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(notes.len(), 2, "{}", output.stderr);
    assert!(
        notes[0].starts_with("note: showing the first 2 rows"),
        "{}",
        notes[0]
    );
    assert!(
        notes[1].starts_with("2 rows in ") && notes[1].ends_with(" s"),
        "{}",
        notes[1]
    );
}

#[test]
fn shell_sees_months_imported_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, billstream) = (
        crate::support::Sandbox::start(&[]),
        Billstream::on(folder.path()),
    );
    let billstream = billstream.from(&sandbox);
    billstream.import("2026-10").ok();
    let mut shell = PipedShell::start(&billstream);
    let months = "select billing_period as month, sum(billed_cost) as net from daily_costs group by 1 order by 1;";
    shell.send(months);
    assert_eq!(shell.rows(2)[0]["net"], sandbox.totals("2026-10").net);
    billstream.import("2026-09").ok();
    shell.send(months);
    let rows = shell.rows(3);
    assert_eq!(rows[0]["net"], sandbox.totals("2026-09").net);
    assert_eq!(rows[1]["net"], sandbox.totals("2026-10").net);
}

/// A running shell with piped input and output.
struct PipedShell {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl PipedShell {
    fn start(billstream: &Billstream) -> PipedShell {
        let mut command = billstream.command(&["shell", "--format", "csv"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        PipedShell { child, out }
    }

    fn send(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// The rows of the next `lines` lines, header included.
    fn rows(&mut self, lines: usize) -> Vec<crate::support::Row> {
        let mut text = String::new();
        for _ in 0..lines {
            assert_ne!(
                self.out.read_line(&mut text).unwrap(),
                0,
                "the shell ended:\n{text}"
            );
        }
        csv_rows(text.as_bytes())
    }
}

impl Drop for PipedShell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn reports_lists_every_report() {
    let (_store, billstream) = store();
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/reports");
    let listed = piped(&billstream, ".reports\n").ok().stdout;
    let Ok(files) = std::fs::read_dir(reports) else {
        return;
    };
    for file in files {
        let name = file.unwrap().path();
        let name = name.file_stem().unwrap().to_str().unwrap();
        assert!(listed.contains(name), "{name}\n{listed}");
    }
}
