//! The command line: what goes where, in which form, with which exit code.

#[path = "cli/query.rs"]
mod query;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::{TempDir, tempdir};

use crate::support::{
    Billstream, Files, MONTH, Sandbox, binary, csv_rows, files_below, write_files,
};

/// A store with pulled costs of [`MONTH`].
fn pulled() -> (TempDir, Billstream) {
    static ONCE: OnceLock<Files> = OnceLock::new();
    let files = ONCE.get_or_init(|| {
        let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
        Billstream::on(store.path())
            .from(&sandbox)
            .run(&["pull", "--month", MONTH])
            .ok();
        files_below(store.path())
    });
    let store = tempdir().unwrap();
    write_files(store.path(), files);
    let billstream = Billstream::on(store.path());
    (store, billstream)
}

/// Nowhere in particular.
fn anywhere() -> Billstream {
    Billstream::new("unused")
}

#[test]
fn the_version_is_told() {
    for flag in ["--version", "-V"] {
        let output = anywhere().run(&[flag]).ok();
        assert!(
            output.stdout.starts_with("billstream "),
            "{}",
            output.stdout
        );
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn help_has_examples() {
    for arguments in [
        &["--help"][..],
        &["import", "--help"],
        &["pull", "--help"],
        &["transform", "--help"],
        &["query", "--help"],
        &["sandbox", "--help"],
    ] {
        let output = anywhere().run(arguments).ok();
        assert!(
            output.stdout.contains("Examples:"),
            "{arguments:?} shows no examples:\n{}",
            output.stdout
        );
        assert!(output.stdout.contains("  billstream "), "{arguments:?}");
        assert_eq!(output.stderr, "");
    }
    let all = anywhere().run(&["--help"]).ok().stdout;
    for word in [
        "import",
        "pull",
        "transform",
        "query",
        "sandbox",
        "completions",
        "Exit codes",
        "CONFLUENT_CLOUD_API_KEY",
    ] {
        assert!(all.contains(word), "--help does not mention {word}");
    }
}

#[test]
fn a_command_without_arguments_shows_how_it_is_used() {
    let output = anywhere().run::<&str>(&[]).code(2);
    assert!(output.stderr.contains("Usage:"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn completions_are_scripts_that_shells_take() {
    for (shell, mark) in [
        ("bash", "complete"),
        ("zsh", "#compdef billstream"),
        ("fish", "complete -c billstream"),
    ] {
        let output = anywhere().run(&["completions", shell]).ok();
        assert!(
            output.stdout.contains(mark) && output.stdout.contains("allow-missing-data"),
            "{shell}"
        );
        let script = tempdir().unwrap();
        let path = script.path().join("script");
        std::fs::write(&path, &output.stdout).unwrap();
        // Where the shell is there, it reads the script without running it.
        if let Ok(checked) = Command::new(shell).arg("-n").arg(&path).output() {
            assert!(
                checked.status.success(),
                "{shell}: {}",
                String::from_utf8_lossy(&checked.stderr)
            );
        }
    }
    anywhere().run(&["completions", "cobol"]).code(2);
}

#[test]
fn unknown_arguments_are_wrong_usage() {
    for arguments in [
        &["imprt"][..],
        &["import", "--mnth", MONTH],
        &["import", MONTH],
        &["query"],
        &["query", "select 1", "select 2"],
        &["query", "select 1", "--format", "xml"],
        &["import", "--format", "csv"],
        &["transform", "--allow-shrink"],
        &["import", "--demo", "--connection", "acme"],
        &["sandbox", "--fault", "teapot"],
        &["sandbox", "--port", "99999"],
    ] {
        let output = anywhere().run(arguments).code(2);
        assert!(
            !output.stderr.is_empty() && output.stdout.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn missing_credentials_are_told_with_what_to_do() {
    let store = tempdir().unwrap();
    let none = Billstream::on(store.path());
    let no_secret = Billstream::on(store.path()).env("CONFLUENT_CLOUD_API_KEY", "k");
    let empty = Billstream::on(store.path())
        .env("CONFLUENT_CLOUD_API_KEY", "  ")
        .env("CONFLUENT_CLOUD_API_SECRET", "s");
    for command in ["import", "pull"] {
        none.run(&[command]).code(3).says(&[
            "CONFLUENT_CLOUD_API_KEY",
            "hint:",
            "BillingAdmin",
            "--demo",
        ]);
        no_secret
            .run(&[command])
            .code(3)
            .says(&["CONFLUENT_CLOUD_API_SECRET is not set"]);
        empty
            .run(&[command])
            .code(3)
            .says(&["CONFLUENT_CLOUD_API_KEY is not set"]);
    }
    assert_eq!(
        files_below(store.path()).len(),
        0,
        "nothing is begun without credentials"
    );
}

#[test]
fn plain_http_is_for_loopback_only() {
    let store = tempdir().unwrap();
    let with = |endpoint: &str| {
        Billstream::on(store.path())
            .env("CONFLUENT_CLOUD_API_KEY", "k-1")
            .env("CONFLUENT_CLOUD_API_SECRET", "s-1")
            .env("CONFLUENT_CLOUD_REST_ENDPOINT", endpoint)
            .env("BILLSTREAM_RETRY_ATTEMPTS", "1")
            .run(&["import", "--month", MONTH])
    };
    for endpoint in [
        "http://api.confluent.cloud",
        "http://192.0.2.1:8900",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
    ] {
        with(endpoint)
            .code(3)
            .says(&["CONFLUENT_CLOUD_REST_ENDPOINT"]);
    }
    with("http://user:password@127.0.0.1:9")
        .code(3)
        .says(&["credentials"]);
    with("not a url")
        .code(3)
        .says(&["CONFLUENT_CLOUD_REST_ENDPOINT"]);
    with("http://127.0.0.1:1").code(7);
    with("http://localhost:1").code(7);
}

#[test]
fn bad_settings_name_their_variable() {
    let store = tempdir().unwrap();
    for (name, value) in [
        ("BILLSTREAM_NOW", "yesterday"),
        ("BILLSTREAM_CONNECTION", "Ac me"),
        ("BILLSTREAM_CURRENCY", "dollars"),
        ("BILLSTREAM_MEMORY_MB", "12"),
        ("BILLSTREAM_CONCURRENCY", "many"),
        ("BILLSTREAM_QUERY_TIMEOUT_SECS", "-1"),
        ("BILLSTREAM_PAGE_SIZE", "x"),
        ("BILLSTREAM_PAGE_SIZE", "0"),
        ("BILLSTREAM_PAGE_SIZE", "20000"),
        ("BILLSTREAM_RETRY_ELAPSED_SECS", "soon"),
        ("BILLSTREAM_READ_TIMEOUT_SECS", "-3"),
    ] {
        let billstream = Billstream::on(store.path())
            .env("CONFLUENT_CLOUD_API_KEY", "k")
            .env("CONFLUENT_CLOUD_API_SECRET", "s")
            .env(name, value);
        let output = billstream.run(&["import", "--month", MONTH]).code(3);
        let named = if name == "BILLSTREAM_CONNECTION" {
            value
        } else {
            name
        };
        output.says(&[named]);
    }
}

#[test]
fn flags_win_over_the_environment() {
    let (_store, billstream) = pulled();
    let other = tempdir().unwrap();
    let folder = other.path().to_str().unwrap();
    billstream
        .run(&["query", "select 1 from costs", "--store", folder])
        .code(3)
        .says(&[folder]);
    let wrong = Billstream::on(other.path());
    wrong
        .run(&[
            "query",
            "select 1 from costs limit 1",
            "--store",
            billstream.location(),
        ])
        .ok();
}

#[test]
fn a_store_that_cannot_be_is_told() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for location in [
        file.join("store").display().to_string(),
        "ftp://somewhere/else".into(),
    ] {
        Billstream::new(&location)
            .run(&["query", "select 1"])
            .code(3)
            .says(&["store", "hint:"]);
    }
}

#[test]
fn pipes_and_files_get_no_colours_nor_progress() {
    let (sandbox, store) = (Sandbox::start(&["--fault", "500"]), tempdir().unwrap());
    for value in [None, Some("1")] {
        let mut billstream = Billstream::on(store.path()).from(&sandbox);
        if let Some(value) = value {
            billstream = billstream.env("NO_COLOR", value);
        }
        let output = billstream.run(&["import", "--month", MONTH, "-vv"]).ok();
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}

#[test]
fn data_goes_to_stdout_and_the_rest_to_stderr() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = Billstream::on(store.path()).from(&sandbox);
    let output = billstream
        .run(&["import", "--month", MONTH, "--format", "json", "-vv"])
        .ok();
    assert_eq!(output.stdout.lines().count(), 1);
    assert!(output.json().is_object() && output.stderr.contains("published"));
    let csv = billstream
        .run(&["query", "select 1 as n", "--format", "csv", "-vv"])
        .ok();
    assert_eq!(csv_rows(csv.stdout.as_bytes()).len(), 1);
    let failed = billstream
        .run(&["import", "--month", "2020-01", "--format", "json"])
        .code(2);
    assert_eq!(failed.stdout, "");
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
}

#[test]
fn the_sandbox_says_what_to_export() {
    let mut child = Command::new(binary())
        .args(["sandbox", "--port", "0"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut lines = Vec::new();
    for _ in 0..3 {
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        lines.push(line.trim().to_string());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let names = [
        "CONFLUENT_CLOUD_REST_ENDPOINT=http://127.0.0.1:",
        "CONFLUENT_CLOUD_API_KEY=",
        "CONFLUENT_CLOUD_API_SECRET=",
    ];
    for (line, name) in lines.iter().zip(names) {
        assert!(line.starts_with(&format!("export {name}")), "{lines:?}");
    }
}
