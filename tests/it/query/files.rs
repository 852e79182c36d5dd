//! `-o`: results in files, whole or not at all.

use super::store;
use crate::support::{Billstream, names_below};

/// Names in the folder in which the program runs.
fn names(billstream: &Billstream) -> Vec<String> {
    let mut names = names_below(billstream.home());
    names.sort();
    names
}

#[test]
fn the_name_of_a_file_says_its_format() {
    let (_store, billstream) = store();
    for (name, expected) in [
        ("a.csv", "n\n1\n"),
        ("a.JSON", "[\n{\"n\":1}\n]\n"),
        ("a.ndjson", "{\"n\":1}\n"),
        ("a.jsonl", "{\"n\":1}\n"),
        ("a.md", "| n |\n| ---: |\n| 1 |\n"),
        ("a.txt", "┌───┐\n│ n │\n╞═══╡\n│ 1 │\n└───┘\n"),
        ("plain", "┌───┐\n│ n │\n╞═══╡\n│ 1 │\n└───┘\n"),
    ] {
        let output = billstream.run(&["query", "select 1 as n", "-o", name]).ok();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
        let written = std::fs::read_to_string(billstream.home().join(name)).unwrap();
        assert_eq!(written, expected, "{name}");
    }
    let csv = ["query", "select 1 as n", "-o", "b.json", "--format", "csv"];
    billstream.run(&csv).ok();
    assert_eq!(
        std::fs::read_to_string(billstream.home().join("b.json")).unwrap(),
        "n\n1\n"
    );
}

#[test]
fn a_failing_run_leaves_no_file_and_an_older_one_as_it_was() {
    let (_store, billstream) = store();
    std::fs::write(billstream.home().join("old.csv"), "as it was\n").unwrap();
    let before = names(&billstream);
    for sql in [
        "select nope from costs",
        "select 1 as n; select nope from costs",
        // This one fails after it has given rows.
        "select 1 / (30000 - value) as n from generate_series(1, 40000)",
    ] {
        for name in ["old.csv", "new.csv", "new.parquet", "new.arrow"] {
            if sql.contains(';') && !name.ends_with("csv") {
                continue;
            }
            let output = billstream.run(&["query", sql, "-o", name]).code(1);
            assert_eq!(output.stdout, "");
        }
    }
    assert_eq!(names(&billstream), before);
    let old = std::fs::read_to_string(billstream.home().join("old.csv")).unwrap();
    assert_eq!(old, "as it was\n");
    billstream
        .run(&["query", "select 2 as n", "-o", "old.csv"])
        .ok();
    let old = std::fs::read_to_string(billstream.home().join("old.csv")).unwrap();
    assert_eq!(old, "n\n2\n");
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let (_store, billstream) = store();
    billstream
        .run(&["query", "select 1 as n", "-o", "no/such/folder/a.csv"])
        .code(3)
        .says(&["no/such/folder"]);
    std::fs::create_dir(billstream.home().join("folder")).unwrap();
    let output = billstream.run(&["query", "select 1 as n", "-o", "folder"]);
    assert_eq!(output.code, 3, "{}", output.stderr);
}

#[test]
fn a_binary_file_holds_one_result() {
    let (_store, billstream) = store();
    for name in ["two.parquet", "two.arrow"] {
        billstream
            .run(&["query", "select 1 as a; select 2 as b", "-o", name])
            .code(2)
            .says(&["a file holds one result, and these are 2 statements"]);
        assert!(!billstream.home().join(name).exists());
    }
    let to_pipe = billstream
        .command(&["query", "--format", "parquet", "select 1 as a"])
        .output()
        .unwrap();
    assert!(to_pipe.status.success());
    assert!(to_pipe.stdout.starts_with(b"PAR1") && to_pipe.stdout.ends_with(b"PAR1"));
}

#[test]
fn columns_without_a_name_of_their_own_are_told() {
    let (_store, billstream) = store();
    let sql = "select a.n, b.n from (select 1 as n) a, (select 2 as n) b";
    for name in ["same.parquet", "same.arrow"] {
        let output = billstream.run(&["query", sql, "-o", name]);
        assert!(output.code == 0 || output.code == 1, "{}", output.stderr);
        assert_eq!(output.code == 0, billstream.home().join(name).exists());
    }
}
