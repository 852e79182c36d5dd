//! Precedence of the layers, and which connection environment variables apply to.

use secrecy::ExposeSecret;

use super::*;

fn config(flags: Flags, variables: &[(&str, &str)], file: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file::FILE_NAME);
    private_file::write(&path, file).unwrap();
    let named = ("BILLSTREAM_CONFIG", path.to_str().unwrap());
    let environment = variables.iter().copied().chain([named]).collect();
    Config::of(flags, environment).unwrap()
}

fn with_store(store: &str) -> Flags {
    Flags {
        store: Some(store.into()),
        ..Flags::default()
    }
}

#[test]
fn a_tilde_is_the_home_folder_in_paths_of_the_file() {
    let home = std::env::home_dir().unwrap();
    let file = "store = \"~/store\"\ntags = \"~/tags.csv\"\nsql_dir = \"~/sql\"\n\
                [connections.acme]\nkey = { file = \"~/key\" }\n\
                [sources]\naws = \"~/exports\"\n";
    let read = config(Flags::default(), &[], file);
    let settings = read.settings().unwrap();
    assert_eq!(settings.store, home.join("store").display().to_string());
    assert_eq!(settings.sql_dir, Some(home.join("sql")));
    let tags = home.join("tags.csv").display().to_string();
    assert_eq!(settings.tags, Some(tags));
    let (key, _) = read.secret_ref(&settings::KEY, Some("acme")).unwrap();
    let file = format!("file {}", home.join("key").display());
    assert_eq!(key.to_string(), file);
    let exports = format!("aws={}", home.join("exports").display());
    assert_eq!(read.sources(), [exports]);
    let variables = [("BILLSTREAM_SQL_DIR", "~/sql")];
    let read = config(Flags::default(), &variables, "");
    assert_eq!(read.settings().unwrap().sql_dir, Some(home.join("sql")));
    let variables = [("BILLSTREAM_SQL_DIR", "~other/sql")];
    let read = config(Flags::default(), &variables, "");
    assert!(read.settings().is_err());
}

#[test]
fn flags_override_variables_override_the_file_overrides_defaults() {
    let store = |config: Config| {
        let value = config.value(&settings::STORE, None).unwrap();
        (config.settings().unwrap().store, value.origin)
    };
    let none = Config::of(Flags::default(), Environment::default()).unwrap();
    assert_eq!(store(none), ("./billstream-data".into(), Origin::Default));
    let file = "\nstore = \"/of-file\"\n";
    let (text, origin) = store(config(Flags::default(), &[], file));
    assert_eq!(text, "/of-file");
    assert!(matches!(origin, Origin::File { line: 2, .. }));
    let variables = [("BILLSTREAM_STORE", "s3://a/b")];
    assert_eq!(
        store(config(Flags::default(), &variables, file)),
        ("s3://a/b".into(), Origin::Variable("BILLSTREAM_STORE"))
    );
    assert_eq!(
        store(config(with_store("/tmp/x"), &variables, file)),
        ("/tmp/x".into(), Origin::Flag("--store"))
    );
}

#[test]
fn invalid_values_name_their_origin() {
    for (variable, value) in [
        ("BILLSTREAM_SETTLE_DAYS", "soon"),
        ("BILLSTREAM_MEMORY_MB", "12"),
        ("BILLSTREAM_QUERY_TIMEOUT_SECS", "-1"),
        ("BILLSTREAM_NOW", "yesterday"),
        ("BILLSTREAM_NOW", "+262142-01-01T00:00:00Z"),
        ("BILLSTREAM_NOW", "-0001-01-01T00:00:00Z"),
    ] {
        let config = config(Flags::default(), &[(variable, value)], "");
        let error = config.settings().err().unwrap();
        assert!(error.to_string().contains(variable), "{error}");
    }
    for (variable, value) in [
        ("BILLSTREAM_CURRENCY", "dollars"),
        ("BILLSTREAM_INVENTORY", "perhaps"),
    ] {
        let config = config(Flags::default(), &[(variable, value)], "");
        let error = config.connection("confluent").err().unwrap();
        assert!(error.to_string().contains(variable), "{error}");
    }
    let from_file = config(Flags::default(), &[], "[limits]\nmemory_mb = 12");
    let error = from_file.settings().err().unwrap().to_string();
    assert!(
        error.contains("billstream.toml, line 2: memory_mb = `12`"),
        "{error}"
    );
    let secret = config(
        Flags::default(),
        &[("CLOUDZERO_CONNECTION_ID", "hu sh")],
        "",
    );
    let error = secret.destinations("confluent").err().unwrap().to_string();
    assert!(
        error.contains("CLOUDZERO_CONNECTION_ID") && !error.contains("hu sh"),
        "{error}"
    );
}

#[test]
fn named_file_must_exist_and_the_default_one_need_not() {
    let missing = [("BILLSTREAM_CONFIG", "/nowhere/billstream.toml")];
    let error = Config::of(Flags::default(), missing.into_iter().collect())
        .err()
        .unwrap();
    assert!(error.to_string().contains("/nowhere/billstream.toml"));
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let default = || Config::of(Flags::default(), [("HOME", home)].into_iter().collect()).unwrap();
    let path = folder.path().join(".config/billstream/billstream.toml");
    assert!(default().file().is_none());
    assert_eq!(default().path(), Some(path.as_path()));
    private_file::write(&path, "store = \"/x\"").unwrap();
    assert_eq!(default().settings().unwrap().store, "/x");
}

const TWO: &str = "[connections.acme]\nkey = { env = \"ACME\" }\nsecret = { env = \"ACME_SECRET\" }\n\
                   endpoint = \"https://acme.example\"\n[connections.globex]\ncurrency = \"EUR\"\n";
const KEYS: [(&str, &str); 4] = [
    ("ACME", "a"),
    ("ACME_SECRET", "b"),
    ("CONFLUENT_CLOUD_API_KEY", "env-key"),
    ("CONFLUENT_CLOUD_API_SECRET", "env-secret"),
];

#[test]
fn environment_alone_defines_a_connection() {
    let config = Config::of(Flags::default(), KEYS.into_iter().collect()).unwrap();
    assert_eq!(config.connections().unwrap(), ["confluent"]);
    assert_eq!(config.one_connection().unwrap(), "confluent");
    assert_eq!(config.credentials("confluent").unwrap().key, "env-key");
}

#[test]
fn variables_of_one_connection_do_not_apply_to_others() {
    let config = config(Flags::default(), &KEYS, TWO);
    assert_eq!(config.connections().unwrap(), ["acme", "globex"]);
    assert_eq!(
        config.one_connection().err().unwrap().kind(),
        crate::error::ErrorKind::Usage
    );
    let acme = config.confluent("acme").unwrap();
    assert_eq!((acme.key.as_str(), acme.secret.expose_secret()), ("a", "b"));
    assert_eq!(acme.endpoint.as_str(), "https://acme.example/");
    assert_eq!(config.connection("globex").unwrap().currency, "EUR");
    let error = config.credentials("globex").err().unwrap();
    assert!(error.to_string().contains("`globex` has no key"), "{error}");
}

#[test]
fn variables_apply_to_the_named_connection() {
    let endpoint = ("CONFLUENT_CLOUD_REST_ENDPOINT", "https://other.example");
    let variables: Vec<_> = KEYS.into_iter().chain([endpoint]).collect();
    let flags = |name: &str| Flags {
        connection: Some(name.into()),
        ..Flags::default()
    };
    let named: Vec<_> = variables
        .iter()
        .copied()
        .chain([("BILLSTREAM_CONNECTION", "acme")])
        .collect();
    let by_environment = config(Flags::default(), &named, TWO);
    assert_eq!(by_environment.connections().unwrap(), ["acme"]);
    let acme = by_environment.confluent("acme").unwrap();
    assert_eq!(
        (acme.key.as_str(), acme.endpoint.as_str()),
        ("env-key", "https://other.example/")
    );
    assert!(by_environment.credentials("globex").is_err());

    // A flag selects a connection; the variables apply to it only if the file does not define it.
    let by_flag = config(flags("acme"), &variables, TWO);
    assert_eq!(by_flag.connections().unwrap(), ["acme"]);
    let acme = by_flag.confluent("acme").unwrap();
    assert_eq!(
        (acme.key.as_str(), acme.endpoint.as_str()),
        ("a", "https://acme.example/")
    );
    let new = config(flags("initech"), &variables, TWO)
        .confluent("initech")
        .unwrap();
    assert_eq!(
        (new.key.as_str(), new.endpoint.as_str()),
        ("env-key", "https://other.example/")
    );
}

/// Rows of the table of settings in `docs/settings.md`.
fn documented_rows() -> Vec<String> {
    settings::ALL
        .iter()
        .map(|setting| {
            let code = |text: &str| match text {
                "" => String::new(),
                text => format!("`{text}`"),
            };
            format!(
                "| `{}` | {} | {} | {} |",
                setting.path(None),
                code(setting.variable),
                code(setting.default),
                setting.description
            )
        })
        .collect()
}

#[test]
fn documentation_lists_every_setting() {
    let documentation = include_str!("../../docs/settings.md");
    let header = "| Setting | Variable | Default | Description |";
    let table = documentation.lines().skip_while(|line| *line != header);
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let expected = documented_rows();
    assert!(
        rows.eq(expected.iter()),
        "docs/settings.md should have this table:\n{header}\n|---|---|---|---|\n{}",
        expected.join("\n")
    );
}

#[test]
fn documentation_lists_every_exit_code() {
    use crate::error::ErrorKind;
    let documentation = include_str!("../../docs/settings.md");
    let kinds = [
        ErrorKind::Data,
        ErrorKind::Usage,
        ErrorKind::Config,
        ErrorKind::Partial,
        ErrorKind::Reconcile,
        ErrorKind::Locked,
        ErrorKind::Remote,
        ErrorKind::Bug,
    ];
    for code in std::iter::once(0).chain(kinds.map(ErrorKind::exit_code)) {
        let row = format!("\n| {code} | ");
        assert!(documentation.contains(&row), "exit code {code}");
    }
}

#[test]
fn reports_a_missing_secret() {
    let variables = [("CONFLUENT_CLOUD_API_KEY", "k")];
    let config = Config::of(Flags::default(), variables.into_iter().collect()).unwrap();
    let error = config.credentials("confluent").err().unwrap();
    assert!(
        error.to_string().contains("CONFLUENT_CLOUD_API_SECRET"),
        "{error}"
    );
}

#[test]
fn suggests_the_configured_name_for_a_similar_one() {
    let flags = |name: &str| Flags {
        connection: Some(name.into()),
        ..Flags::default()
    };
    let error = config(flags("acmee"), &[], TWO)
        .connections()
        .err()
        .unwrap();
    assert!(error.hint().unwrap().contains("`acme`"));
    assert_eq!(
        config(flags("zzz"), &[], TWO).connections().unwrap(),
        ["zzz"]
    );
    let illegal = Config::of(flags("A b"), Environment::default());
    assert!(illegal.is_err());
}

#[test]
fn defaults_match_those_of_client_and_engine() {
    let config = Config::of(Flags::default(), KEYS.into_iter().collect()).unwrap();
    let settings = config.settings().unwrap();
    assert_eq!(settings.limits, Limits::default());
    let confluent = config.confluent("confluent").unwrap();
    assert_eq!(confluent.timeouts, Timeouts::default());
    assert_eq!(confluent.policy, Policy::default());
    assert_eq!(confluent.page_size, crate::confluent::client::PAGE_SIZE);
    assert_eq!(
        confluent.requests_per_second,
        crate::confluent::client::REQUESTS_PER_SECOND
    );
}

#[test]
fn defaults_are_valid_values() {
    let config = Config::of(Flags::default(), Environment::default()).unwrap();
    for setting in settings::ALL {
        if let Some(value) = config.value(setting, Some("confluent")) {
            value.check().unwrap();
        }
    }
}

#[test]
fn rejects_names_that_cannot_be_path_segments() {
    for name in ["", "Acme", "a/b", "a b", "ä"] {
        assert!(check_name(name).is_err(), "{name}");
    }
}
