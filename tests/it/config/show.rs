//! `config show`: every setting with its origin, and no secret.

use super::Person;

const FILE: &str = "\
store = \"s3://acme/billing\"
[import]
settle_days = 3
[cloudzero]
api_key = { env = \"CZ\" }
[connections.acme]
key = \"plain-k5ecret\"
secret = { file = \"s5ecret\" }
inventory = true
[connections.globex]
credentials = { keyring = \"globex\" }
currency = \"EUR\"
[sources]
aws = \"s3://acme/cur\"
";

fn person() -> Person {
    let person = Person::new();
    person.configure(FILE);
    person.write(".config/billstream/s5ecret", "hidden-5ecret");
    person
        .env("CZ", "cloudzero-5ecret")
        .env("BILLSTREAM_CONCURRENCY", "7")
        .env("BILLSTREAM_SOURCES", "gcp=s3://acme/gcp")
}

#[test]
fn shows_the_origin_of_every_setting() {
    let person = person();
    let file = person.home().join(".config/billstream/billstream.toml");
    let line = |number: usize| format!("{}, line {number}", file.display());
    for (setting, value, from) in [
        ("store", "s3://acme/billing", line(1)),
        ("import.settle_days", "3", line(3)),
        (
            "import.windows_at_once",
            "7",
            "BILLSTREAM_CONCURRENCY".into(),
        ),
        ("http.retry_attempts", "8", "default".into()),
        (
            "cloudzero.api_key",
            "hidden: environment variable CZ",
            line(5),
        ),
        ("connections.acme.key", "hidden: plain text", line(7)),
        ("connections.acme.inventory", "true", line(9)),
        ("connections.acme.currency", "USD", "default".into()),
        (
            "connections.globex.credentials",
            "hidden: keyring entry globex",
            line(11),
        ),
        ("sources.aws", "s3://acme/cur", line(14)),
        ("sources.gcp", "s3://acme/gcp", "BILLSTREAM_SOURCES".into()),
        ("connections.globex.currency", "EUR", line(12)),
    ] {
        assert_eq!(
            person.shown(setting, &[]),
            Some((value.into(), from)),
            "{setting}"
        );
    }
    let by_file = person.shown("connections.acme.secret", &[]).unwrap();
    assert!(
        by_file.0.starts_with("hidden: file /") && by_file.0.ends_with("s5ecret"),
        "{by_file:?}"
    );
    assert_eq!(
        person.shown("store", &["--store", "x"]).unwrap(),
        ("x".into(), "--store".into())
    );
}

#[test]
fn shows_no_secret_in_any_format() {
    let person = person();
    for format in ["table", "json"] {
        let output = person.run(&["config", "show", "--format", format]).ok();
        let said = output.stdout.clone() + &output.stderr;
        for secret in ["k5ecret", "hidden-5ecret", "cloudzero-5ecret"] {
            assert!(!said.contains(secret), "{said}");
        }
        assert!(output.stdout.contains("hidden: "), "{}", output.stdout);
    }
    let table = person.run(&["config", "show"]).ok();
    for words in [
        "settle_days",
        "line 3",
        "BILLSTREAM_CONCURRENCY",
        "environment variable CZ",
    ] {
        assert!(table.stdout.contains(words), "{words}\n{}", table.stdout);
    }
    table.says(&["configuration file: "]);
}

#[test]
fn shows_the_environment_without_a_file() {
    let person = Person::new()
        .env("CONFLUENT_CLOUD_API_KEY", "env-k5ecret")
        .env("CONFLUENT_CLOUD_API_SECRET", "env-5ecret")
        .env("BILLSTREAM_CURRENCY", "EUR");
    let output = person
        .run(&["config", "show"])
        .ok()
        .says(&["no configuration file at"]);
    assert!(!output.stdout.contains("5ecret"), "{}", output.stdout);
    assert_eq!(
        person.shown("connections.confluent.secret", &[]).unwrap(),
        (
            "hidden: environment variable CONFLUENT_CLOUD_API_SECRET".into(),
            "CONFLUENT_CLOUD_API_SECRET".into()
        )
    );
    assert_eq!(
        person.shown("connections.confluent.currency", &[]).unwrap(),
        ("EUR".into(), "BILLSTREAM_CURRENCY".into())
    );
    let person = person.env("BILLSTREAM_CONNECTION", "acme");
    assert_eq!(
        person.shown("connections.acme.currency", &[]).unwrap().0,
        "EUR"
    );
}

#[test]
fn sources_of_the_environment_override_the_file() {
    let person = Person::new();
    person.configure("[sources]\naws = \"of-file.csv\"\n");
    let person = person.env("BILLSTREAM_SOURCES", "aws=of-variable.csv, more=x.csv");
    assert_eq!(
        person.shown("sources.aws", &[]).unwrap().0,
        "of-variable.csv"
    );
    let shown = person.run(&["config", "show"]).ok().stdout;
    assert!(!shown.contains("of-file"), "{shown}");
    let query = [
        "query",
        "select distinct connection from daily_costs",
        "--format",
        "csv",
    ];
    person.run(&query).code(1).says(&["of-variable.csv"]);
}
