//! Texts of Confluent on terminals: escaped in tables, reports, notes and errors, exact in data formats.

use tempfile::tempdir;

use super::server::{FakeServer, respond};
use super::{against, page};
use crate::support::{Billstream, MONTH, Output};

/// Moves the cursor, starts a forged line, and reverses what follows.
const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\nerror: forged\r\u{202e}lkc\u{200b}";
const IN_JSON: &str = r"\u001b[2J\u009b31m\nerror: forged\r\u202elkc\u200b";

/// Asserts that output holds no control character and starts no forged line.
#[track_caller]
fn assert_tame(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let is_hostile = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
        assert!(!text.contains(is_hostile), "{}: {text:?}", output.arguments);
        assert!(
            !text.lines().any(|line| line.starts_with("error: forged")),
            "{text}"
        );
    }
}

#[test]
fn hostile_names_are_escaped_in_tables_and_exact_in_data() {
    let body = page(&format!(
        r#","product":"{IN_JSON}","line_type":"{IN_JSON}","description":"{IN_JSON}","resource":{{"id":"lkc-1{IN_JSON}","display_name":"{IN_JSON}"}}"#
    ));
    let server = FakeServer::of_bodies(move |_, _| body.clone().into_bytes());
    let store = tempdir().unwrap();
    let billstream = against(&server, store.path());
    assert_tame(&billstream.run(&["import", "--month", MONTH, "-vv"]).ok());
    let select = "select \"resource/id\", \"lineitem/description\" from line_items";
    for arguments in [
        &["query", select][..],
        &["query", select, "--format", "markdown"],
        &["query", "select * from costs"],
        &["report", "services"],
        &["report", "resources"],
        &["status", "-vv"],
        &["diff", MONTH, MONTH],
    ] {
        assert_tame(&billstream.run(arguments));
    }
    let table = billstream.run(&["query", select]).ok().stdout;
    assert!(
        table.contains(r"\u{1b}[2J\u{9b}31m\nerror: forged\r\u{202e}lkc\u{200b}"),
        "{table}"
    );
    let rows = billstream.query("select product, resource_name from costs");
    assert_eq!(
        (
            rows[0]["product"].as_str(),
            rows[0]["resource_name"].as_str()
        ),
        (HOSTILE, HOSTILE)
    );
    let json = billstream
        .run(&["query", "select product from costs", "--format", "json"])
        .ok();
    assert_eq!(json.json()[0]["product"], HOSTILE);

    // Errors that quote what a person or another system wrote.
    let column = format!("select \"{HOSTILE}\" from costs");
    assert_tame(&billstream.run(&["query", &column]).code(1));
    assert_tame(&billstream.run(&["report", HOSTILE]));
    assert_tame(&billstream.run(&["query", "select 1", "-o", &format!("/nowhere/{HOSTILE}")]));
}

#[test]
fn hostile_error_details_are_shown_on_one_line_and_recorded_so() {
    let server = FakeServer::start(|_, _, stream| {
        let body = format!(r#"{{"errors":[{{"status":"400","detail":"no {IN_JSON} here"}}]}}"#);
        respond(stream, "400 Bad Request", body.as_bytes())
    });
    let store = tempdir().unwrap();
    let billstream = against(&server, store.path());
    let output = billstream.run(&["import", "--month", MONTH, "-vv"]);
    assert_tame(&output);
    assert!(output.stderr.contains("error: forged"), "{}", output.stderr);
    for arguments in [&["status"][..], &["connections", "show", "confluent"]] {
        assert_tame(&billstream.run(arguments));
    }
    for (name, bytes) in crate::support::files_below(store.path()) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{name}");
    }
}

#[test]
fn hostile_logs_stay_on_their_lines() {
    let server = FakeServer::start(|_, _, stream| {
        let body = format!(r#"{{"message":"try {IN_JSON} later"}}"#);
        respond(stream, "503 Service Unavailable", body.as_bytes())
    });
    let store = tempdir().unwrap();
    let output = against(&server, store.path())
        .env("BILLSTREAM_RETRY_ATTEMPTS", "2")
        .run(&["pull", "--month", MONTH, "-vv"])
        .code(7)
        .says(&["Request failed, retrying", "cause="]);
    assert_tame(&output);
}

#[test]
fn a_hostile_store_name_is_escaped() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("a\u{1b}[31m\u{202e}b");
    let billstream = Billstream::on(&store);
    for arguments in [
        &["config", "show"][..],
        &["connections", "list"],
        &["query", "select * from costs"],
    ] {
        assert_tame(&billstream.run(arguments));
    }
}
