//! `billstream query`: formats and exactness.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::pulled;
use crate::support::{Billstream, Exact, MONTH};

const SQL: &str = "select * from (values \
    (1, cast('0.000000000000000000000001' as decimal(38, 24)), 'a, \"b\"', null, date '2026-10-01', true, cast(1.5 as double)), \
    (2, cast('-12345678901234.5' as decimal(38, 24)), 'line\nbreak é', '', null, false, null)) \
    as v(n, money, words, gap, day, yes, ratio) order by n";

#[test]
fn csv_is_exact_and_quoted() {
    let (_store, billstream) = pulled();
    let output = billstream.run(&["query", SQL, "--format", "csv"]).ok();
    assert_eq!(
        output.stdout,
        "n,money,words,gap,day,yes,ratio\n\
         1,0.000000000000000000000001,\"a, \"\"b\"\"\",,2026-10-01,true,1.5\n\
         2,-12345678901234.5,\"line\nbreak é\",,,false,\n"
    );
    assert_eq!(output.stderr, "");
    let none = billstream
        .run(&[
            "query",
            "select 1 as n, 2 as m where false",
            "--format",
            "csv",
        ])
        .ok();
    assert_eq!(none.stdout, "n,m\n");
}

#[test]
fn json_has_decimals_as_text_and_nulls() {
    let (_store, billstream) = pulled();
    let expected = json!([
        {"n": 1, "money": "0.000000000000000000000001", "words": "a, \"b\"", "gap": null, "day": "2026-10-01", "yes": true, "ratio": 1.5},
        {"n": 2, "money": "-12345678901234.5", "words": "line\nbreak é", "gap": "", "day": null, "yes": false, "ratio": null},
    ]);
    assert_eq!(
        billstream
            .run(&["query", SQL, "--format", "json"])
            .ok()
            .json(),
        expected
    );
    let lines = billstream
        .run(&["query", SQL, "--format", "ndjson"])
        .ok()
        .stdout;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::Array(lines), expected);

    let nothing = "select 1 as n where false";
    assert_eq!(
        billstream
            .run(&["query", nothing, "--format", "json"])
            .ok()
            .json(),
        json!([])
    );
    assert_eq!(
        billstream
            .run(&["query", nothing, "--format", "ndjson"])
            .ok()
            .stdout,
        ""
    );
}

#[test]
fn tables_show_all_digits() {
    let (_store, billstream) = pulled();
    let output = billstream.run(&["query", SQL]).ok();
    for words in [
        "money",
        "0.000000000000000000000001",
        "-12345678901234.5",
        "a, \"b\"",
        "2026-10-01",
    ] {
        assert!(
            output.stdout.contains(words),
            "{words} is missing:\n{}",
            output.stdout
        );
    }
    assert!(
        billstream
            .run(&["query", "select 1 as n where false"])
            .ok()
            .stdout
            .contains('n')
    );
}

#[test]
fn sums_are_exact_decimals() {
    let (_store, billstream) = pulled();
    let rows =
        billstream.query("select original_amount, amount from costs where amount is not null");
    let expected: Exact = rows.iter().map(|row| Exact::of(&row["amount"])).sum();
    let summed = billstream
        .query("select sum(amount) as net, count(*) as n from costs where amount is not null");
    assert_eq!(
        (summed[0]["net"].as_str(), summed[0]["n"].as_str()),
        (
            expected.to_string().as_str(),
            rows.len().to_string().as_str()
        )
    );
}

#[test]
fn literals_are_decimals_and_not_floats() {
    let (_store, billstream) = pulled();
    let found = |sql: &str| billstream.query(sql)[0]["n"].clone();
    let all = billstream.costs(MONTH);
    let expected = all
        .iter()
        .filter(|cost| cost["original_amount"] == "5.5656")
        .count()
        .to_string();
    assert_ne!(expected, "0");
    assert_eq!(
        found("select count(*) as n from costs where original_amount = 5.5656"),
        expected
    );
    assert_eq!(
        found("select count(*) as n from costs where original_amount between 5.5656 and 5.5656"),
        expected
    );
    assert_eq!(found("select 0.1 + 0.2 = 0.3 as n"), "true");
    let limited = billstream.query("select billing_period from costs limit 3");
    assert_eq!(limited.len(), 3);
}

#[test]
fn reports_broken_sql() {
    let (_store, billstream) = pulled();
    billstream
        .run(&["query", "select nothing_like_it from costs"])
        .code(1)
        .says(&["nothing_like_it"]);
    billstream.run(&["query", "select from where"]).code(1);
    billstream
        .run(&["query", "select * from elsewhere"])
        .code(1)
        .says(&["elsewhere"]);
    billstream.run(&["query", "select 1; selec 2"]).code(1);
    billstream.run(&["query", ""]).code(2);
    let late = billstream
        .run(&["query", "select cast(line_type as int) from costs"])
        .code(1);
    assert!(!late.stderr.is_empty());
    billstream.run(&["query", "select 1 as n;"]).ok();
}

#[test]
fn reports_an_empty_store() {
    let store = tempdir().unwrap();
    let output = Billstream::on(store.path())
        .run(&["query", "select * from costs"])
        .code(3);
    output.says(&["nothing is imported", "hint:", "--demo"]);
    let (_store, billstream) = pulled();
    // Before the first transform there are only costs.
    billstream
        .run(&["query", "select * from line_items"])
        .code(1)
        .says(&["line_items", "billstream transform"]);
}

#[test]
fn a_closed_pipe_ends_the_query_without_an_error() {
    let (_store, billstream) = pulled();
    for format in ["csv", "ndjson", "json", "table"] {
        let mut command = billstream.command(&[
            "query",
            "select a.* from costs a, (values (1), (2), (3), (4)) b",
            "--format",
            format,
        ]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{format}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            output.stderr.is_empty(),
            "{format}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
