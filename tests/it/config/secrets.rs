//! Secrets in and beside the configuration file.

use std::path::Path;

use super::Person;
use crate::connections::chmod;
use crate::support::{MONTH, Sandbox};

const CHECK: [&str; 2] = ["connections", "check"];
const PLAIN: &str = "key = \"sandbox-key\"\nsecret = \"sandbox-secret\"\n";

/// User with the connection `acme` to a sandbox and further settings.
fn acme(sandbox: &Sandbox, settings: &str) -> Person {
    let person = Person::new();
    let endpoint = sandbox.url();
    person.configure(&format!(
        "[connections.acme]\nendpoint = \"{endpoint}\"\n{settings}"
    ));
    person
}

/// Asserts that a file that others can read is rejected with a hint, whose command fixes it.
#[track_caller]
fn assert_fixed_by_chmod(person: &Person, path: &Path) {
    for mode in [0o644, 0o640, 0o604] {
        chmod(path, mode);
        let command = format!("chmod 600 '{}'", path.display());
        let mode = format!("mode {mode:04o}");
        let says = [
            mode.as_str(),
            "others than its owner",
            "hint: ",
            command.as_str(),
        ];
        let output = person.run(&CHECK).code(3).says(&says);
        assert!(
            !output.stderr.contains("sandbox-secret"),
            "{}",
            output.stderr
        );
        let status = std::process::Command::new("sh")
            .args(["-c", &command])
            .status();
        assert!(status.unwrap().success());
        person.run(&CHECK).ok();
    }
}

#[test]
fn warns_about_a_plain_secret_and_requires_a_private_file() {
    let sandbox = Sandbox::start(&[]);
    let person = acme(&sandbox, PLAIN);
    let output = person.run(&CHECK).ok();
    let says = [
        "Secret in plain text",
        "setting=\"connections.acme.key\"",
        "setting=\"connections.acme.secret\"",
    ];
    let output = output.says(&says);
    assert!(
        !output.stderr.contains("sandbox-secret"),
        "{}",
        output.stderr
    );
    let path = person.home().join(".config/billstream/billstream.toml");
    assert_fixed_by_chmod(&person, &path);
    // A file without secrets may be readable by others.
    person.configure("store = \"x\"\n");
    chmod(&path, 0o644);
    person.run(&["config", "show"]).ok();
}

#[test]
fn treats_cloudzeros_key_as_a_secret() {
    let person = Person::new();
    let path = person.configure("[cloudzero]\napi_key = \"cz-5ecret\"\n");
    let output = person.run(&["config", "show"]).ok();
    let output = output.says(&["Secret in plain text", "cloudzero.api_key"]);
    assert!(!(output.stdout + &output.stderr).contains("5ecret"));
    chmod(&path, 0o644);
    person.run(&["config", "show"]).code(3).says(&["chmod 600"]);
}

#[test]
fn reads_secrets_from_variables_in_every_run() {
    let sandbox = Sandbox::start(&[]);
    let by_name = "key = { env = \"ACME_KEY\" }\nsecret = { env = \"ACME_SECRET\" }\n";
    let person = acme(&sandbox, by_name).env("ACME_KEY", "sandbox-key");
    person
        .run(&CHECK)
        .code(3)
        .says(&["the secret of connection `acme`", "ACME_SECRET is not set"]);
    let person = person.env("ACME_SECRET", "  ");
    person.run(&CHECK).code(3).says(&["ACME_SECRET is not set"]);
    let person = person.env("ACME_SECRET", " sandbox-secret\n");
    let output = person.run(&CHECK).ok();
    assert!(!output.stderr.contains("plain text"), "{}", output.stderr);
}

#[test]
fn reads_private_secret_files_relative_to_the_configuration() {
    let sandbox = Sandbox::start(&[]);
    let by_path = "key = { file = \"deep/key\" }\nsecret = { file = \"deep/secret\" }\n";
    let person = acme(&sandbox, by_path);
    person.run(&CHECK).code(3).says(&[
        "the key of connection `acme`",
        "deep/key",
        "could not read",
    ]);
    person.write(".config/billstream/deep/key", "sandbox-key\n");
    let secret = person.write(".config/billstream/deep/secret", "sandbox-secret\n");
    person.run(&CHECK).ok();
    assert_fixed_by_chmod(&person, &secret);
    let pull = ["pull", "--month", MONTH];
    let mut elsewhere = person.billstream.command(&pull);
    let output = elsewhere
        .current_dir("/tmp")
        .args(["--store", person.home().to_str().unwrap()]);
    assert!(output.output().unwrap().status.success());
    std::fs::write(&secret, " \n").unwrap();
    person
        .run(&CHECK)
        .code(3)
        .says(&["the secret of connection `acme`", "is empty"]);
}

#[test]
fn reads_key_and_secret_from_one_file() {
    let sandbox = Sandbox::start(&[]);
    let person = acme(&sandbox, "credentials = { file = \"acme.toml\" }\n");
    let path = ".config/billstream/acme.toml";
    let file = person.write(path, "key = \"sandbox-key\"\nsecret = \"sandbox-secret\"\n");
    person.run(&CHECK).ok();
    assert_fixed_by_chmod(&person, &file);
    for broken in [
        "",
        "sandbox-5ecret",
        "key = \"sandbox-5ecret\"\n",
        "key = 1\nsecret = \"sandbox-5ecret\"\n",
    ] {
        person.write(path, broken);
        let output = person.run(&CHECK).code(3);
        assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
        output.says(&["the credentials of connection `acme`"]);
    }
}

#[test]
fn names_the_missing_half_of_credentials() {
    let sandbox = Sandbox::start(&[]);
    for (given, missing) in [("key = \"k\"\n", "secret"), ("secret = \"s\"\n", "key")] {
        let person = acme(&sandbox, given);
        let says = format!("connection `acme` has no {missing}");
        person
            .run(&CHECK)
            .code(3)
            .says(&[&says, "connections add confluent --name acme"]);
    }
    assert_eq!(sandbox.requests(), 0);
}

#[test]
fn rejects_malformed_secret_references_without_echoing_them() {
    for (setting, says) in [
        (
            "secret = { var = \"hush-5ecret\" }",
            "`secret` is not a secret reference",
        ),
        (
            "secret = { env = \"A\", file = \"hush-5ecret\" }",
            "`secret` is not a secret reference",
        ),
        ("secret = \"\"", "`secret` is not a secret reference"),
        (
            "credentials = \"hush-5ecret\"",
            "`credentials` is not a secret reference",
        ),
        (
            "credentials = { env = \"hush-5ecret\" }",
            "`credentials` is not a secret reference",
        ),
    ] {
        let person = Person::new();
        person.configure(&format!("[connections.acme]\n{setting}\n"));
        let output = person.run(&["config", "check"]).code(3);
        assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
        output.says(&["line 2", says, "{ file ="]);
    }
}
