//! Errors in the configuration file: reported with the line and the nearest valid name.

use super::Person;

/// Asserts that every command rejects the file.
#[track_caller]
fn refuses(text: &str, says: &[&str]) {
    let person = Person::new();
    person.configure(text);
    for command in [
        &["config", "check"][..],
        &["import"],
        &["connections", "list"],
    ] {
        let output = person.run(command).code(3);
        let output = output.says(says).says(&["billstream.toml, line "]);
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn suggests_the_nearest_setting() {
    refuses(
        "# mine\n\n[import]\nsetle_days = 3\n",
        &[
            "line 4: unknown setting `setle_days` in [import]",
            "did you mean `settle_days`?",
        ],
    );
    refuses(
        "stores = \"x\"\n",
        &["line 1: unknown setting `stores`", "`store`"],
    );
    refuses(
        "[connections.acme]\nkey = { env = \"A\" }\nend_point = \"https://x\"\n",
        &[
            "line 3: unknown setting `end_point` in [connections.acme]",
            "`endpoint`",
        ],
    );
}

#[test]
fn suggests_the_nearest_table() {
    refuses(
        "\n[conections.acme]\n",
        &["line 2: unknown setting `conections`", "`connections`"],
    );
    refuses(
        "[limit]\nmemory_mb = 64\n",
        &["unknown setting `limit`", "`limits`"],
    );
    refuses(
        "[zzzzzz]\n",
        &[
            "unknown setting `zzzzzz`",
            "expected one of: store",
            "connections",
            "sources",
        ],
    );
}

#[test]
fn lists_the_settings_of_a_table_for_an_unlike_name() {
    refuses(
        "[http]\nqqqqqqq = 1\n",
        &[
            "line 2",
            "`qqqqqqq` in [http]",
            "expected one of: connect_timeout_secs",
            "retry_attempts",
        ],
    );
}

#[test]
fn names_the_expected_type_of_a_value() {
    for (text, says) in [
        (
            "[import]\nsettle_days = \"three\"\n",
            "line 2: `import.settle_days` is not a whole number",
        ),
        (
            "[http]\nread_timeout_secs = \"1\"\n",
            "line 2: `http.read_timeout_secs` is not a number of seconds",
        ),
        ("store = 3\n", "line 1: `store` is not a quoted string"),
        (
            "[connections.a]\ninventory = \"yes\"\n",
            "`connections.a.inventory` is not true or false",
        ),
        ("connections = 3\n", "`connections` is not a table"),
        (
            "[connections]\nacme = \"key\"\n",
            "`connections.acme` is not a table",
        ),
        (
            "[sources]\naws = 3\n",
            "source `aws` is not a quoted string",
        ),
    ] {
        refuses(text, &[says]);
    }
}

#[test]
fn names_the_bounds_of_a_number() {
    let person = Person::new();
    person.configure("[limits]\nmemory_mb = 1\n");
    let says = [
        "billstream.toml, line 2: memory_mb = `1`",
        "megabytes from 64",
    ];
    person.run(&["import"]).code(3).says(&says);
    person.run(&["config", "check"]).code(3).says(&says);
    // A variable that overrides the file is named instead.
    let person = person.env("BILLSTREAM_MEMORY_MB", "2");
    person
        .run(&["import"])
        .code(3)
        .says(&["BILLSTREAM_MEMORY_MB=`2`"]);
}

#[test]
fn reports_malformed_toml_by_line_without_quoting_it() {
    let person = Person::new();
    person.configure("store = \"x\"\n[connections.acme]\nsecret = hush-5ecret hush\n");
    let output = person.run(&["config", "check"]).code(3).says(&["line 3"]);
    assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
    refuses(
        "store = \"a\"\nstore = \"b\"\n",
        &["line 2", "duplicate key"],
    );
}

#[test]
fn rejects_an_invalid_connection_name() {
    refuses(
        "[connections.\"A B\"]\n",
        &["line 1", "`A B` cannot name a connection", "lower-case"],
    );
}
