//! `config init`: a commented configuration file.

use std::os::unix::fs::PermissionsExt;

use super::Person;
use crate::support::{MONTH, Sandbox};

#[test]
fn writes_a_private_file_that_changes_no_setting() {
    let person = Person::new();
    let before = person
        .run(&["config", "show", "--format", "json"])
        .ok()
        .stdout;
    person
        .run(&["config", "init"])
        .ok()
        .says(&["wrote ", ".config/billstream/billstream.toml"]);
    let path = person.home().join(".config/billstream/billstream.toml");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let after = person.run(&["config", "show", "--format", "json"]).ok();
    assert_eq!(after.stdout, before);
    after.says(&["configuration file: "]);
    let text = std::fs::read_to_string(&path).unwrap();
    for setting in [
        "#store = ",
        "#[connections.acme]",
        "#settle_days = 17",
        "# ",
        "CONFLUENT_CLOUD_API_KEY",
    ] {
        assert!(text.contains(setting), "{setting}\n{text}");
    }
}

#[test]
fn does_not_overwrite_an_existing_file() {
    let person = Person::new();
    let path = person.configure("store = \"mine\"\n");
    person
        .run(&["config", "init"])
        .code(3)
        .says(&["already exists", "config show", "--config"]);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "store = \"mine\"\n"
    );
    // Nor a malformed one.
    std::fs::write(&path, "broken").unwrap();
    person
        .run(&["config", "init"])
        .code(3)
        .says(&["already exists"]);
    person
        .run(&["config", "init", "--config", "other.toml"])
        .ok();
    assert!(person.home().join("other.toml").exists());
    let person = person.env("BILLSTREAM_CONFIG", "third.toml");
    person.run(&["config", "init"]).ok();
    assert!(person.home().join("third.toml").exists());
}

#[test]
fn keeps_comments_when_a_connection_is_added_and_removed() {
    let (sandbox, person) = (Sandbox::start(&[]), Person::new());
    person.run(&["config", "init"]).ok();
    let path = person.home().join(".config/billstream/billstream.toml");
    let comments = std::fs::read_to_string(&path).unwrap();
    let add = [
        "connections",
        "add",
        "--name",
        "acme",
        "--no-import",
        "--endpoint",
        sandbox.url(),
    ];
    person
        .billstream
        .told(&add, "sandbox-key\nsandbox-secret\n")
        .ok();
    let text = std::fs::read_to_string(&path).unwrap();
    for line in comments.lines() {
        assert!(text.contains(line), "{line}\n{text}");
    }
    person.run(&["pull", "--month", MONTH]).ok();
    person.run(&["connections", "remove", "acme"]).ok();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim_end(), comments.trim_end());
}

#[test]
fn requires_a_path_without_a_home_folder() {
    let person = Person::new();
    let mut command = person.billstream.command(&["config", "init"]);
    command.env_remove("HOME");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("could not determine the path of the configuration file"),
        "{said}"
    );
    assert!(said.contains("--config"), "{said}");
}
