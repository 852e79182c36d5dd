//! Settings: defaults, then environment, then flags.
//!
//! Environment variables are looked up through [`Environment`], so that the demo can leave them
//! out and tests need no process-wide state.

mod targets;

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use crate::confluent::client;
use crate::engine::Limits;
use crate::error::{Error, Result};
use crate::pipeline::Clock;

pub use targets::targets;

/// Where Confluent's API is.
const ENDPOINT: &str = "https://api.confluent.cloud";
/// The store of people who name none.
pub const DEFAULT_STORE: &str = "./billstream-data";

/// Environment variables, as they were when the process began.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The process's own.
    pub fn process() -> Environment {
        Environment(std::env::vars().collect())
    }

    /// A set value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn parsed<T: FromStr>(&self, name: &str, wanted: &str, default: T) -> Result<T> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Error::config(format!("{name}=`{text}` is not {wanted}"))),
        }
    }

    fn seconds(&self, name: &str, default: Duration) -> Result<Duration> {
        let seconds: f64 = self.parsed(name, "a number of seconds", default.as_secs_f64())?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| Error::config(format!("{name}=`{seconds}` is not a number of seconds")))
    }
}

/// What flags may say; each wins over the environment.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Folder or URL of the store.
    pub store: Option<String>,
    /// Name of the connection.
    pub connection: Option<String>,
    /// Folder of SQL overrides.
    pub sql_dir: Option<PathBuf>,
}

/// Resolved settings, without credentials.
#[derive(Clone)]
pub struct Settings {
    /// Folder or URL of the store.
    pub store: String,
    /// Name of the connection.
    pub connection: String,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Folder of SQL overrides.
    pub sql_dir: Option<PathBuf>,
    /// Days after a month's end from which a successful pull settles it.
    pub settle_days: u64,
    /// Windows read at once.
    pub concurrency: usize,
    /// Limits of the engine.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
}

impl Settings {
    /// Resolves the settings of a run.
    ///
    /// # Errors
    /// Class configuration, naming the variable or flag and what it should be.
    pub fn resolve(flags: &Flags, environment: &Environment) -> Result<Settings> {
        let text = |flag: &Option<String>, name: &str, default: &str| {
            let value = flag.as_deref().or(environment.get(name)).unwrap_or(default);
            value.to_string()
        };
        let connection = text(&flags.connection, "BILLSTREAM_CONNECTION", "confluent");
        check_name(&connection)?;
        let currency = text(&None, "BILLSTREAM_CURRENCY", "USD");
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Error::config(format!(
                "BILLSTREAM_CURRENCY=`{currency}` is not a currency code such as USD"
            )));
        }
        let defaults = Limits::default();
        let memory_mb: usize = environment.parsed(
            "BILLSTREAM_MEMORY_MB",
            "a number of megabytes",
            defaults.memory_bytes >> 20,
        )?;
        if memory_mb < 64 {
            return Err(Error::config(format!(
                "BILLSTREAM_MEMORY_MB=`{memory_mb}` is too little: the engine needs 64 or more"
            )));
        }
        let sql_dir = environment.get("BILLSTREAM_SQL_DIR").map(PathBuf::from);
        Ok(Settings {
            store: text(&flags.store, "BILLSTREAM_STORE", DEFAULT_STORE),
            connection,
            cloud_provider: text(&None, "BILLSTREAM_CLOUD_PROVIDER", "Confluent"),
            currency,
            sql_dir: flags.sql_dir.clone().or(sql_dir),
            settle_days: environment.parsed("BILLSTREAM_SETTLE_DAYS", "a number of days", 17)?,
            concurrency: environment.parsed("BILLSTREAM_CONCURRENCY", "a number of windows", 4)?,
            limits: Limits {
                memory_bytes: memory_mb << 20,
                timeout: environment.seconds("BILLSTREAM_QUERY_TIMEOUT_SECS", defaults.timeout)?,
                ..defaults
            },
            clock: clock(environment)?,
        })
    }
}

/// The computer's clock, or the fixed time of `BILLSTREAM_NOW`, which tests set.
fn clock(environment: &Environment) -> Result<Clock> {
    let Some(text) = environment.get("BILLSTREAM_NOW") else {
        return Ok(Arc::new(Utc::now));
    };
    let now: DateTime<Utc> = text.parse().map_err(|_| {
        Error::config(format!(
            "BILLSTREAM_NOW=`{text}` is not a time such as 2026-11-23T06:00:00Z"
        ))
    })?;
    Ok(Arc::new(move || now))
}

/// Refuses a connection's name that cannot be part of paths and of partition values.
///
/// # Errors
/// Class configuration.
pub fn check_name(name: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
        return Err(Error::config(format!("`{name}` cannot name a connection"))
            .with_hint("use lower-case letters, digits, - and _"));
    }
    Ok(())
}

/// How to reach Confluent, with the credentials of the environment.
///
/// # Errors
/// Class configuration, saying which variable is missing and how to come by its value.
pub fn confluent(environment: &Environment) -> Result<client::Settings> {
    let needed = |name: &str| {
        environment.get(name).ok_or_else(|| {
            Error::config(format!("{name} is not set")).with_hint(
                "make a Cloud API key (scope: Cloud resource management) owned by a service account \
                 with the role BillingAdmin, and set CONFLUENT_CLOUD_API_KEY and \
                 CONFLUENT_CLOUD_API_SECRET; or try `billstream import --demo`",
            )
        })
    };
    let endpoint = environment
        .get("CONFLUENT_CLOUD_REST_ENDPOINT")
        .unwrap_or(ENDPOINT);
    let endpoint = Url::parse(endpoint)
        .map_err(|e| Error::config(format!("CONFLUENT_CLOUD_REST_ENDPOINT is not a URL: {e}")))?;
    let key = needed("CONFLUENT_CLOUD_API_KEY")?;
    let secret = needed("CONFLUENT_CLOUD_API_SECRET")?;
    let mut settings = client::Settings::new(endpoint, key, secret.to_string().into());
    settings.connect_timeout =
        environment.seconds("BILLSTREAM_CONNECT_TIMEOUT_SECS", settings.connect_timeout)?;
    settings.read_timeout =
        environment.seconds("BILLSTREAM_READ_TIMEOUT_SECS", settings.read_timeout)?;
    settings.total_timeout =
        environment.seconds("BILLSTREAM_TOTAL_TIMEOUT_SECS", settings.total_timeout)?;
    settings.retry_elapsed =
        environment.seconds("BILLSTREAM_RETRY_ELAPSED_SECS", settings.retry_elapsed)?;
    settings.max_attempts = environment.parsed(
        "BILLSTREAM_RETRY_ATTEMPTS",
        "a number of attempts",
        settings.max_attempts,
    )?;
    settings.requests_per_second = environment.parsed(
        "BILLSTREAM_REQUESTS_PER_SECOND",
        "a number of requests",
        settings.requests_per_second,
    )?;
    settings.page_size = environment.parsed(
        "BILLSTREAM_PAGE_SIZE",
        "a number of costs",
        settings.page_size,
    )?;
    let limits = [
        ("BILLSTREAM_RETRY_ATTEMPTS", settings.max_attempts, 1000),
        (
            "BILLSTREAM_REQUESTS_PER_SECOND",
            settings.requests_per_second,
            100_000,
        ),
        (
            "BILLSTREAM_PAGE_SIZE",
            settings.page_size,
            client::PAGE_SIZE,
        ),
    ];
    for (name, value, most) in limits {
        if !(1..=most).contains(&value) {
            return Err(Error::config(format!(
                "{name}=`{value}` is not from 1 to {most}"
            )));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment(
            pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        )
    }

    #[test]
    fn flags_win_over_the_environment_and_it_over_defaults() {
        let none = Settings::resolve(&Flags::default(), &Environment::default()).unwrap();
        assert_eq!(
            (none.store.as_str(), none.connection.as_str()),
            (DEFAULT_STORE, "confluent")
        );
        let env = environment(&[
            ("BILLSTREAM_STORE", "s3://a/b"),
            ("BILLSTREAM_CONNECTION", "acme"),
        ]);
        let both = Settings::resolve(
            &Flags {
                store: Some("/tmp/x".into()),
                ..Flags::default()
            },
            &env,
        )
        .unwrap();
        assert_eq!(
            (both.store.as_str(), both.connection.as_str()),
            ("/tmp/x", "acme")
        );
    }

    #[test]
    fn bad_values_name_the_variable() {
        for (name, value) in [
            ("BILLSTREAM_SETTLE_DAYS", "soon"),
            ("BILLSTREAM_CURRENCY", "dollars"),
            ("BILLSTREAM_MEMORY_MB", "12"),
            ("BILLSTREAM_NOW", "yesterday"),
        ] {
            let error = Settings::resolve(&Flags::default(), &environment(&[(name, value)]))
                .err()
                .unwrap();
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = confluent(&Environment::default()).err().unwrap();
        assert!(error.to_string().contains("CONFLUENT_CLOUD_API_KEY"));
    }

    #[test]
    fn a_name_that_is_no_path_part_is_refused() {
        for name in ["", "Acme", "a/b", "a b", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
