//! `config init`: a file to begin with.

use std::os::unix::fs::PermissionsExt;

use super::Person;
use crate::support::{MONTH, Sandbox};

#[test]
fn the_file_is_its_owners_alone_and_changes_nothing() {
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
fn a_file_that_is_there_is_not_written_over() {
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
    // Not even one that cannot be read.
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
fn a_connection_that_is_added_later_comes_into_it() {
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
fn without_a_home_a_place_has_to_be_named() {
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
