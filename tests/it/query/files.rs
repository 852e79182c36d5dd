//! `-o`: results in files, complete or not at all.

use super::store;
use crate::support::{Billstream, names_below};

/// Names in the working folder of the program.
fn names(billstream: &Billstream) -> Vec<String> {
    let mut names = names_below(billstream.home());
    names.sort();
    names
}

#[test]
fn file_ending_decides_the_format() {
    let (_store, billstream) = store();
    for (name, expected) in [
        ("a.csv", "n\n1\n"),
        ("a.tsv", "n\n1\n"),
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
fn output_may_be_gzipped_stdout_or_the_target_of_a_link() {
    let (_store, billstream) = store();
    let sql = "select 1 as n, 'a,b' as word";
    billstream.run(&["query", sql, "-o", "a.tsv.GZ"]).ok();
    let file = std::fs::File::open(billstream.home().join("a.tsv.GZ")).unwrap();
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(file);
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert_eq!(text, "n\tword\n1\ta,b\n");
    let output = billstream.run(&["query", sql, "-o", "-", "--format", "tsv"]);
    assert_eq!(output.ok().stdout, "n\tword\n1\ta,b\n");
    assert!(!billstream.home().join("-").exists());
    for (name, hint) in [("a.xlsx", "write .csv"), ("a.parquet.gz", "leave out .gz")] {
        let output = billstream.run(&["query", sql, "-o", name]).code(2);
        output.says(&[hint]);
        assert!(!billstream.home().join(name).exists());
    }
    // A link that leads nowhere yet is followed as well.
    std::fs::create_dir(billstream.home().join("real")).unwrap();
    std::os::unix::fs::symlink("real/b.csv", billstream.home().join("link.csv")).unwrap();
    for n in ["1", "2"] {
        let sql = format!("select {n} as n");
        billstream.run(&["query", &sql, "-o", "link.csv"]).ok();
        assert!(billstream.home().join("link.csv").is_symlink());
        let written = std::fs::read_to_string(billstream.home().join("real/b.csv")).unwrap();
        assert_eq!(written, format!("n\n{n}\n"));
    }
}

#[test]
fn sql_files_of_any_editor_run() {
    let (_store, billstream) = store();
    let marked = "\u{feff}-- A comment\r\nselect 1 as n;\r\nselect 2 as n;\r\n";
    std::fs::write(billstream.home().join("marked.sql"), marked).unwrap();
    let expected = "n\n1\nn\n2\n";
    let run = |arguments: &[&str], stdin: &str| billstream.told(arguments, stdin).ok().stdout;
    let csv = ["query", "--format", "csv"];
    assert_eq!(
        run(&[&csv[..], &["-f", "marked.sql"]].concat(), ""),
        expected
    );
    // The shell of the user does not expand this one.
    assert_eq!(
        run(&[&csv[..], &["--file=~/marked.sql"]].concat(), ""),
        expected
    );
    assert_eq!(run(&csv, marked), expected);
    let shell = ["shell", "--format", "csv"];
    assert_eq!(run(&shell, marked), expected);
    assert_eq!(run(&shell, ".read ~/marked.sql\n"), expected);
    let views = billstream.home().join("sql/views");
    std::fs::create_dir_all(&views).unwrap();
    std::fs::write(
        views.join("mine.sql"),
        "\u{feff}-- Mine\r\n\r\nselect 1 as n\r\n",
    )
    .unwrap();
    let from_view = [&csv[..], &["--sql-dir=~/sql", "select n from mine"]].concat();
    assert_eq!(run(&from_view, ""), "n\n1\n");
    let wide: Vec<u8> = "\u{feff}select 1"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(billstream.home().join("wide.sql"), wide).unwrap();
    let output = billstream.run(&["query", "-f", "wide.sql"]).code(2);
    output.says(&["save it as UTF-8"]);
}

#[test]
fn failed_run_leaves_no_file_and_keeps_an_older_one() {
    let (_store, billstream) = store();
    std::fs::write(billstream.home().join("old.csv"), "as it was\n").unwrap();
    let before = names(&billstream);
    for sql in [
        "select nope from costs",
        "select 1 as n; select nope from costs",
        // Fails after its first rows.
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
fn unwritable_location_is_an_error() {
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
fn binary_file_holds_one_result() {
    let (_store, billstream) = store();
    for name in ["two.parquet", "two.arrow"] {
        billstream
            .run(&["query", "select 1 as a; select 2 as b", "-o", name])
            .code(2)
            .says(&["a binary file holds one result, not those of 2 statements"]);
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
fn duplicate_column_names_leave_no_file_on_failure() {
    let (_store, billstream) = store();
    let sql = "select a.n, b.n from (select 1 as n) a, (select 2 as n) b";
    for name in ["same.parquet", "same.arrow"] {
        let output = billstream.run(&["query", sql, "-o", name]);
        assert!(output.code == 0 || output.code == 1, "{}", output.stderr);
        assert_eq!(output.code == 0, billstream.home().join(name).exists());
    }
}
