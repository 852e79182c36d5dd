//! Paths of the configuration file, and precedence of the layers.

use super::Person;
use crate::support::{MONTH, Sandbox};

/// Default path below HOME.
const DEFAULT_PATH: &str = ".config/billstream/billstream.toml";

/// Asserts that `store` is a folder beside the file at `place`, and that its origin is that file.
#[track_caller]
fn assert_read(person: &Person, store: &str, place: &str, flags: &[&str]) {
    let (value, from) = person.shown("store", flags).unwrap();
    let beside = std::path::Path::new(place).with_file_name(store);
    assert!(value.ends_with(beside.to_str().unwrap()), "{value}");
    assert!(from.ends_with(&format!("{place}, line 1")), "{from}");
}

#[test]
fn finds_the_file_at_each_path_by_precedence() {
    let person = Person::new();
    assert_eq!(
        person.shown("store", &[]),
        Some(("./billstream-data".into(), "default".into()))
    );
    person.configure("store = \"of-home\"\n");
    assert_read(&person, "of-home", DEFAULT_PATH, &[]);

    person.write("xdg/billstream/billstream.toml", "store = \"of-xdg\"\n");
    let xdg = person.home().join("xdg").display().to_string();
    let person = person.env("XDG_CONFIG_HOME", &xdg);
    assert_read(&person, "of-xdg", "xdg/billstream/billstream.toml", &[]);

    let named = person.write("named.toml", "store = \"of-variable\"\n");
    let person = person.env("BILLSTREAM_CONFIG", named.to_str().unwrap());
    assert_read(&person, "of-variable", "named.toml", &[]);

    person.write("flag.toml", "store = \"of-flag\"\n");
    assert_read(&person, "of-flag", "flag.toml", &["--config", "flag.toml"]);
}

#[test]
fn ignores_a_relative_or_empty_xdg_config_home() {
    let person = Person::new();
    person.configure("store = \"of-home\"\n");
    // The XDG specification ignores a relative path.
    person.write("xdg/billstream/billstream.toml", "store = \"of-xdg\"\n");
    let person = person.env("XDG_CONFIG_HOME", "xdg");
    assert_read(&person, "of-home", DEFAULT_PATH, &[]);
    let person = person.env("XDG_CONFIG_HOME", "");
    assert_read(&person, "of-home", DEFAULT_PATH, &[]);
}

#[test]
fn fails_when_a_named_file_does_not_exist() {
    let person = Person::new();
    person.configure("store = \"of-home\"\n");
    let says = [
        "could not read the configuration file",
        "nowhere.toml",
        "config init",
    ];
    let flag = ["config", "show", "--config", "nowhere.toml"];
    person.run(&flag).code(3).says(&says);
    let person = person.env("BILLSTREAM_CONFIG", "nowhere.toml");
    for command in [
        &["config", "show"][..],
        &["import"],
        &["status"],
        &["query", "select 1"],
    ] {
        person.run(command).code(3).says(&says);
    }
}

#[test]
fn flags_override_environment_then_file_then_defaults() {
    let sandbox = Sandbox::start(&[]);
    let person = Person::new();
    let person = Person {
        billstream: person.billstream.from(&sandbox),
        ..person
    };
    let pull = ["pull", "--month", MONTH];
    let costs_in = |person: &Person| {
        let folders = ["billstream-data", "of-file", "of-variable", "of-flag"];
        let has_costs = |folder: &&str| person.home().join(folder).join("costs").exists();
        folders.into_iter().rfind(has_costs).unwrap()
    };
    person.run(&pull).ok();
    assert_eq!(costs_in(&person), "billstream-data");
    person.configure("store = \"../../of-file\"\n");
    person.run(&pull).ok();
    assert_eq!(costs_in(&person), "of-file");
    let person = person.env("BILLSTREAM_STORE", "of-variable");
    person.run(&pull).ok();
    assert_eq!(costs_in(&person), "of-variable");
    person
        .run(&[&pull[..], &["--store", "of-flag"]].concat())
        .ok();
    assert_eq!(costs_in(&person), "of-flag");
}

#[test]
fn a_run_uses_settings_of_the_file() {
    let sandbox = Sandbox::start(&[]);
    let person = Person::new();
    let person = Person {
        billstream: person.billstream.from(&sandbox),
        ..person
    };
    // Pages of 40 costs need more requests than pages of 10000.
    person.configure("[import]\npage_size = 10_000\n[http]\nrequests_per_second = 999\n");
    person.run(&["pull", "--month", MONTH]).ok();
    let one = sandbox.requests();
    person.configure("[import]\npage_size = 40\n");
    person
        .run(&["pull", "--month", MONTH, "--store", "other"])
        .ok();
    let many = sandbox.requests() - one;
    assert!(many > 10 * one, "{one} and {many} requests");
    let person = person.env("BILLSTREAM_PAGE_SIZE", "10000");
    person
        .run(&["pull", "--month", MONTH, "--store", "third"])
        .ok();
    assert_eq!(sandbox.requests() - one - many, one);
}
