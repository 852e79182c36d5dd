//! Formats of rows on stdout.

use serde_json::{Value, json};

use super::store;
use crate::support::Billstream;

/// One value of each type.
const TYPES: &str = "select 1 as n, cast('0.000000000000000000000001' as decimal(38, 24)) as money, \
    'a|b' as words, cast(null as varchar) as gap, date '2026-10-01' as day, true as yes, \
    timestamp '2026-10-01T12:30:00Z' as at";

fn written(billstream: &Billstream, format: &str, sql: &str) -> String {
    let output = billstream.run(&["query", "--format", format, sql]).ok();
    assert_eq!(output.stderr, "");
    output.stdout
}

#[test]
fn text_formats_are_exact() {
    let (_store, billstream) = store();
    assert_eq!(
        written(&billstream, "table", TYPES),
        "┌───┬────────────────────────────┬───────┬─────┬────────────┬──────┬─────────────────────┐\n\
         │ n ┆                      money ┆ words ┆ gap ┆ day        ┆ yes  ┆ at                  │\n\
         ╞═══╪════════════════════════════╪═══════╪═════╪════════════╪══════╪═════════════════════╡\n\
         │ 1 ┆ 0.000000000000000000000001 ┆ a|b   ┆     ┆ 2026-10-01 ┆ true ┆ 2026-10-01T12:30:00 │\n\
         └───┴────────────────────────────┴───────┴─────┴────────────┴──────┴─────────────────────┘\n"
    );
    assert_eq!(
        written(&billstream, "csv", TYPES),
        "n,money,words,gap,day,yes,at\n\
         1,0.000000000000000000000001,a|b,,2026-10-01,true,2026-10-01T12:30:00\n"
    );
    assert_eq!(
        written(&billstream, "markdown", TYPES),
        "| n | money | words | gap | day | yes | at |\n\
         | ---: | ---: | --- | --- | --- | --- | --- |\n\
         | 1 | 0.000000000000000000000001 | a\\|b |  | 2026-10-01 | true | 2026-10-01T12:30:00 |\n"
    );
    let object = json!({
        "n": 1, "money": "0.000000000000000000000001", "words": "a|b", "gap": null,
        "day": "2026-10-01", "yes": true, "at": "2026-10-01T12:30:00",
    });
    let array = written(&billstream, "json", TYPES);
    assert_eq!(
        serde_json::from_str::<Value>(&array).unwrap(),
        json!([object])
    );
    let line = written(&billstream, "ndjson", TYPES);
    assert_eq!(line.matches('\n').count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), object);
    // Keys are in the order of the columns.
    assert!(line.starts_with("{\"n\":1,\"money\":"), "{line}");
}

#[test]
fn a_bare_null_is_null() {
    let (_store, billstream) = store();
    for (format, expected) in [
        ("json", "[\n{\"a\":null,\"b\":null}\n]\n"),
        ("ndjson", "{\"a\":null,\"b\":null}\n"),
        ("csv", "a,b\n,\n"),
        ("tsv", "a\tb\n\t\n"),
    ] {
        let sql = "select null as a, cast(null as bigint) as b";
        assert_eq!(written(&billstream, format, sql), expected, "{format}");
    }
}

#[test]
fn numbers_are_right_aligned_without_exponents() {
    let (_store, billstream) = store();
    let sql = "select * from (values (cast(1.50 as decimal(38, 24)), 'a'), (-20, 'bb'), (1000000, null)) \
               as v(amount, word) order by amount";
    assert_eq!(
        written(&billstream, "table", sql),
        "┌─────────┬──────┐\n\
         │  amount ┆ word │\n\
         ╞═════════╪══════╡\n\
         │     -20 ┆ bb   │\n\
         │     1.5 ┆ a    │\n\
         │ 1000000 ┆      │\n\
         └─────────┴──────┘\n"
    );
}

#[test]
fn markdown_escapes_pipes_and_line_breaks() {
    let (_store, billstream) = store();
    let sql = "select 'a|b\\c\nd\r\ne' as \"x|y\"";
    assert_eq!(
        written(&billstream, "markdown", sql),
        "| x\\|y |\n| --- |\n| a\\|b\\\\c<br>d<br>e |\n"
    );
}

#[test]
fn empty_result_has_its_columns() {
    let (_store, billstream) = store();
    let sql = "select 1 as n, 'x' as word where false";
    for (format, expected) in [
        ("csv", "n,word\n"),
        ("json", "[]\n"),
        ("ndjson", ""),
        ("markdown", "| n | word |\n| ---: | --- |\n"),
        (
            "table",
            "┌───┬──────┐\n│ n ┆ word │\n╞═══╪══════╡\n└───┴──────┘\n",
        ),
    ] {
        assert_eq!(written(&billstream, format, sql), expected, "{format}");
    }
}

#[test]
fn results_of_several_statements_are_written_in_order() {
    let (_store, billstream) = store();
    let sql = "select 1 as a; select 'x' as b, 2 as c; select 3 as d where false";
    assert_eq!(written(&billstream, "csv", sql), "a\n1\nb,c\nx,2\nd\n");
    assert_eq!(
        written(&billstream, "ndjson", sql),
        "{\"a\":1}\n{\"b\":\"x\",\"c\":2}\n"
    );
    let arrays: Vec<Value> = serde_json::Deserializer::from_str(&written(&billstream, "json", sql))
        .into_iter()
        .map(|array| array.expect("an array for each statement"))
        .collect();
    assert_eq!(
        arrays,
        [json!([{"a": 1}]), json!([{"b": "x", "c": 2}]), json!([])]
    );
}

#[test]
fn max_rows_limits_rows_and_tables_have_a_default() {
    let (_store, billstream) = store();
    let sql = "select value from generate_series(1, 2500)";
    let rows = |arguments: &[&str]| {
        let all: Vec<&str> = ["query", sql].iter().chain(arguments).copied().collect();
        let output = billstream.run(&all).ok();
        (output.stdout.lines().count(), output.stderr)
    };
    let note =
        |rows: usize| format!("note: showing the first {rows} rows (--max-rows 0 shows all)\n");
    // A table has four lines around its rows, CSV one before.
    assert_eq!(rows(&[]), (1004, note(1000)));
    assert_eq!(rows(&["--max-rows", "0"]), (2504, String::new()));
    assert_eq!(rows(&["--max-rows", "7"]), (11, note(7)));
    assert_eq!(rows(&["--max-rows", "2500"]), (2504, String::new()));
    assert_eq!(rows(&["--format", "csv"]), (2501, String::new()));
    assert_eq!(
        rows(&["--format", "csv", "--max-rows", "2499"]),
        (2500, note(2499))
    );
}

#[test]
fn table_is_not_truncated_without_a_terminal() {
    let (_store, billstream) = store();
    let table = written(&billstream, "table", "select * from line_items limit 1");
    assert!(
        !table.contains('…') && table.contains("cost/discounted_cost"),
        "{table}"
    );
}

#[test]
fn column_names_with_quotes_and_slashes_are_preserved() {
    let (_store, billstream) = store();
    let sql =
        "select \"cost/cost\" as \"cost/cost\", 1 as \"a \"\"b\"\", c\" from line_items limit 0";
    assert_eq!(
        written(&billstream, "csv", sql),
        "cost/cost,\"a \"\"b\"\", c\"\n"
    );
}
