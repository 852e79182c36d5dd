//! The command line: arguments, streams, formats and exit codes.

#[path = "cli/query.rs"]
mod query;
#[path = "cli/tables.rs"]
mod tables;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::{TempDir, tempdir};

use crate::support::{
    Billstream, Files, MONTH, Sandbox, binary, csv_rows, files_below, write_files,
};

/// Store with pulled costs of [`MONTH`].
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

/// For commands that do not open the store.
fn without_store() -> Billstream {
    Billstream::new("unused")
}

#[test]
fn prints_its_version() {
    for flag in ["--version", "-V"] {
        let output = without_store().run(&[flag]).ok();
        assert!(
            output.stdout.starts_with("billstream "),
            "{}",
            output.stdout
        );
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn help_has_examples_and_lists_exit_codes() {
    for arguments in [
        &["--help"][..],
        &["import", "--help"],
        &["pull", "--help"],
        &["transform", "--help"],
        &["query", "--help"],
        &["sandbox", "--help"],
    ] {
        let output = without_store().run(arguments).ok();
        assert!(
            output.stdout.contains("Examples:"),
            "{arguments:?} shows no examples:\n{}",
            output.stdout
        );
        assert!(output.stdout.contains("  billstream "), "{arguments:?}");
        assert_eq!(output.stderr, "");
    }
    let all = without_store().run(&["--help"]).ok().stdout;
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
fn without_arguments_shows_usage() {
    let output = without_store().run::<&str>(&[]).code(2);
    assert!(output.stderr.contains("Usage:"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn completion_scripts_are_valid_shell() {
    for (shell, mark) in [
        ("bash", "complete"),
        ("zsh", "#compdef billstream"),
        ("fish", "complete -c billstream"),
    ] {
        let output = without_store().run(&["completions", shell]).ok();
        assert!(
            output.stdout.contains(mark) && output.stdout.contains("allow-missing-data"),
            "{shell}"
        );
        let script = tempdir().unwrap();
        let path = script.path().join("script");
        std::fs::write(&path, &output.stdout).unwrap();
        // A shell that is installed checks the syntax.
        if let Ok(checked) = Command::new(shell).arg("-n").arg(&path).output() {
            assert!(
                checked.status.success(),
                "{shell}: {}",
                String::from_utf8_lossy(&checked.stderr)
            );
        }
    }
    without_store().run(&["completions", "cobol"]).code(2);
}

#[test]
fn rejects_unknown_arguments() {
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
        let output = without_store().run(arguments).code(2);
        assert!(
            !output.stderr.is_empty() && output.stdout.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn reports_missing_credentials_with_hints() {
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
        "files were written without credentials"
    );
}

#[test]
fn allows_plain_http_on_loopback_only() {
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
fn invalid_settings_name_their_variable() {
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
fn flags_override_the_environment() {
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
fn reports_unusable_store_locations() {
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
fn pipes_get_no_colours_and_no_progress() {
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
fn writes_data_to_stdout_and_the_rest_to_stderr() {
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
fn sandbox_prints_the_variables_to_export() {
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
