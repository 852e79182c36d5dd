//! Errors in SQL: positions and suggestions.

use std::io::Write;
use std::process::Stdio;

use super::store;
use crate::support::{Billstream, Output, names_below};

/// Stderr of a `query` that fails with exit code 1.
#[track_caller]
fn stderr_of(billstream: &Billstream, sql: &str) -> String {
    billstream.run(&["query", sql]).code(1).stderr
}

#[test]
fn errors_show_a_caret_and_the_nearest_name() {
    let (_store, billstream) = store();
    let cases = [
        (
            "select nope from periods p",
            "error: there is no column `nope`\n\
             \x201 | select nope from periods p\n\
             \x20  |        ^^^^\n\
             hint: columns: `connection`, `billing_period`, ",
        ),
        (
            "select amuont from costs",
            "error: there is no column `amuont`\n\
             \x201 | select amuont from costs\n\
             \x20  |        ^^^^^^\n\
             hint: did you mean `amount`?\n",
        ),
        (
            "select * from cost",
            "error: there is no table `cost`\n\
             \x201 | select * from cost\n\
             \x20  |               ^^^^\n\
             hint: did you mean `costs`?\n",
        ),
        (
            "select date_trunk('month', start_date) from costs",
            "error: there is no function `date_trunk`\n\
             \x201 | select date_trunk('month', start_date) from costs\n\
             \x20  |        ^^^^^^^^^^\n\
             hint: did you mean `date_trunc`?\n",
        ),
        (
            "select * frm costs",
            "error: invalid SQL: Expected: end of statement, found: frm\n\
             \x201 | select * frm costs\n\
             \x20  |          ^",
        ),
        (
            "select 'ü', größe from costs",
            "error: there is no column `größe`\n\
             \x201 | select 'ü', größe from costs\n\
             \x20  |             ^^^^^\n",
        ),
        (
            "select\n  amount,\n  prodct\nfrom costs",
            "error: there is no column `prodct`\n\
             \x203 |   prodct\n\
             \x20  |   ^^^^^^\n\
             hint: did you mean `product`?\n",
        ),
        (
            "select product, amount from costs group by product",
            "error: 'costs.amount' must appear in GROUP BY clause because it's not an aggregate expression\n\
             \x201 | select product, amount from costs group by product\n\
             \x20  |                 ^^^^^^\n",
        ),
        (
            "select c.billing_perod from costs c",
            "error: there is no column `billing_perod`\n\
             \x201 | select c.billing_perod from costs c\n\
             \x20  |        ^^^^^^^^^^^^^^^\n\
             hint: did you mean `billing_period`?\n",
        ),
    ];
    for (sql, expected) in cases {
        let stderr = stderr_of(&billstream, sql);
        assert!(stderr.starts_with(expected), "{sql}\n{stderr}");
    }
}

#[test]
fn suggested_names_are_quoted_where_necessary() {
    let (_store, billstream) = store();
    for (sql, near) in [
        ("select cost/cost from line_items", "`\"cost/cost\"`"),
        ("select \"cost/csot\" from line_items", "`\"cost/cost\"`"),
        ("select * from cots", "`costs`"),
        (
            "select * from line_item_at('2026-10', 1)",
            "`line_items_at`",
        ),
    ] {
        let stderr = stderr_of(&billstream, sql);
        assert!(
            stderr.contains(&format!("did you mean {near}?")),
            "{sql}\n{stderr}"
        );
        assert!(stderr.contains("^^^"), "{sql}\n{stderr}");
    }
}

#[test]
fn unknown_alias_is_reported_with_its_column() {
    let (_store, billstream) = store();
    assert_eq!(
        stderr_of(&billstream, "select x.amount from costs c"),
        "error: there is no column `amount` in `x`\n\
         \x201 | select x.amount from costs c\n\
         \x20  |        ^^^^^^^^\n\
         hint: did you mean `c.amount`?\n"
    );
}

#[test]
fn errors_do_not_show_engine_prefixes() {
    let (_store, billstream) = store();
    for sql in [
        "select round('a')",
        "select 'open",
        "select * from costs where",
        "select * from elsewhere",
        "select cast(line_type as int) from costs",
    ] {
        let stderr = stderr_of(&billstream, sql);
        for word in [
            "Internal error",
            "DataFusion",
            "bug",
            "Error(\"",
            "datafusion.public",
        ] {
            assert!(!stderr.contains(word), "{sql}\n{stderr}");
        }
    }
}

#[test]
fn first_error_ends_the_run_after_earlier_results() {
    let (_store, billstream) = store();
    let text = "select 1 as a;\n\nselect amuont\nfrom costs;\nselect 2 as b;\n";
    let file = billstream.home().join("three.sql");
    std::fs::write(&file, text).unwrap();
    let from_file = billstream.run(&["query", "--format", "csv", "-f", "three.sql"]);
    let from_argument = billstream.run(&["query", "--format", "csv", text]);
    let from_stdin = with_stdin(&billstream, &["query", "--format", "csv"], text);
    let from_pipe = with_stdin(&billstream, &["shell", "--format", "csv"], text);
    for output in [from_file, from_argument, from_stdin, from_pipe] {
        let output = output.code(1);
        assert_eq!(output.stdout, "a\n1\n", "{}", output.arguments);
        assert_eq!(
            output.stderr,
            "error: there is no column `amuont`\n\
             \x203 | select amuont\n\
             \x20  |        ^^^^^^\n\
             hint: did you mean `amount`?\n"
        );
    }
}

#[test]
fn missing_sql_is_a_usage_error() {
    let (_store, billstream) = store();
    for sql in ["", "  \n", "/* nothing */ ;;"] {
        billstream
            .run(&["query", sql])
            .code(2)
            .says(&["no SQL given", "hint:"]);
    }
    with_stdin(&billstream, &["query"], "")
        .code(2)
        .says(&["no SQL given"]);
    billstream
        .run(&["query", "-f", "missing.sql"])
        .code(2)
        .says(&["missing.sql"]);
    billstream
        .run(&["query", "select 1", "-f", "missing.sql"])
        .code(2);
}

/// Runs a command with a text on stdin.
pub fn with_stdin(billstream: &Billstream, arguments: &[&str], text: &str) -> Output {
    let mut command = billstream.command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("billstream starts");
    // A run that ends early closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let description = format!("{} < {text:?}", arguments.join(" "));
    Output::of(description, child.wait_with_output().unwrap())
}

#[test]
fn damaged_file_is_an_error_and_not_a_defect() {
    let (store, billstream) = store();
    let names = names_below(&store.path().join("costs"));
    let name = names
        .iter()
        .find(|name| name.ends_with(".parquet"))
        .unwrap();
    let path = store.path().join("costs").join(name);
    let whole = std::fs::read(&path).unwrap();
    let end = whole.len();
    let mut damages = vec![Vec::new(), whole[..end / 2].to_vec()];
    // The length of the footer: none, more than the file, and the most.
    for length in [0, end as u32 + 1, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        damages.push(bytes);
    }
    for (at, bytes) in damages.iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        let output = billstream.run(&["query", "select count(*), sum(amount) from costs"]);
        assert_eq!(output.code, 1, "damage {at}: {}", output.stderr);
        assert!(
            !output.stderr.contains("internal error"),
            "{}",
            output.stderr
        );
    }
}
