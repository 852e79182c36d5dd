//! Settings, credentials and API access of one connection.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use crate::config::secret::{Credentials, SecretRef};
use crate::config::settings::{self, Setting};
use crate::config::{Config, DEFAULT_CONNECTION, Origin, check_name};
use crate::confluent::client;
use crate::error::{Error, Result};

/// Resolved settings of a connection, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub name: String,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Enables the listing of names and regions.
    pub inventory: bool,
    /// Time without new data after which the connection is late.
    pub expected_interval: TimeDelta,
}

/// Currency of a connection whose settings are wrong.
const UNKNOWN_CURRENCY: &str = "unknown";

/// Settings that hold a connection's key, its secret, or both.
const CREDENTIAL_SETTINGS: [Setting; 3] = [settings::KEY, settings::SECRET, settings::CREDENTIALS];

impl Config {
    /// Settings of a connection; defaults if it is not configured.
    ///
    /// # Errors
    /// Kind configuration, with the origin and the expected value.
    pub(crate) fn connection(&self, name: &str) -> Result<Connection> {
        check_name(name)?;
        let value = |setting: &Setting| self.required(setting, Some(name));
        let currency = value(&settings::CURRENCY)?;
        if currency.text.len() != 3 || !currency.text.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(currency.invalid("is not a currency code such as USD"));
        }
        let hours = value(&settings::EXPECTED_INTERVAL_HOURS)?.integer()?;
        Ok(Connection {
            name: name.to_string(),
            cloud_provider: value(&settings::CLOUD_PROVIDER)?.text,
            currency: currency.text,
            inventory: value(&settings::INVENTORY)?.boolean()?,
            expected_interval: TimeDelta::hours(hours as i64),
        })
    }

    /// Currencies of all known connections. One whose settings are wrong has an unknown currency, so that its amounts are
    /// not added to others.
    pub(crate) fn currencies(&self) -> BTreeMap<String, String> {
        let known = self.configured().iter().map(String::as_str);
        let default = self.configured().is_empty().then_some(DEFAULT_CONNECTION);
        let others = self.selected().or(default);
        let names: BTreeSet<&str> = known.chain(others).collect();
        let currency = |name: &str| match self.connection(name) {
            Ok(connection) => connection.currency,
            Err(_) => UNKNOWN_CURRENCY.to_string(),
        };
        let currencies = names
            .into_iter()
            .map(|name| (name.to_string(), currency(name)));
        currencies.collect()
    }

    /// Returns whether a connection has a key anywhere.
    pub(crate) fn has_credentials(&self, connection: &str) -> bool {
        self.credential_refs(connection).next().is_some()
    }

    /// Locations of a connection's credentials: setting, location, origin.
    pub(crate) fn credential_refs<'c>(
        &'c self,
        connection: &'c str,
    ) -> impl Iterator<Item = (Setting, SecretRef, Origin)> + 'c {
        CREDENTIAL_SETTINGS.into_iter().filter_map(move |setting| {
            let (secret, origin) = self.secret_ref(&setting, Some(connection))?;
            Some((setting, secret, origin))
        })
    }

    /// Location of key and secret together in the file, regardless of the environment.
    pub(crate) fn stored_credentials(&self, connection: &str) -> Option<&SecretRef> {
        let (secret, _) = self
            .file
            .as_ref()?
            .secret(&settings::CREDENTIALS, Some(connection))?;
        Some(secret)
    }

    /// Location and origin of a secret.
    pub(crate) fn secret_ref(
        &self,
        setting: &Setting,
        connection: Option<&str>,
    ) -> Option<(SecretRef, Origin)> {
        let is_set = self.environment.get(setting.variable).is_some();
        let from_environment = match connection {
            Some(connection) => self.uses_env_credentials(connection),
            None => is_set,
        };
        if from_environment {
            let variable = SecretRef::Variable(setting.variable.to_string());
            return is_set.then_some((variable, Origin::Variable(setting.variable)));
        }
        let (secret, origin) = self.file.as_ref()?.secret(setting, connection)?;
        Some((secret.clone(), origin))
    }

    /// Returns whether the environment has the key of this connection. Key and secret always come from the same
    /// layer.
    pub(crate) fn uses_env_credentials(&self, connection: &str) -> bool {
        let is_set = |setting: &Setting| self.environment.get(setting.variable).is_some();
        self.reads_env_vars(connection) && (is_set(&settings::KEY) || is_set(&settings::SECRET))
    }

    /// Reads the credentials of a connection.
    ///
    /// # Errors
    /// Kind configuration, with what is missing and how to create it.
    pub(crate) fn credentials(&self, connection: &str) -> Result<Credentials> {
        let describe = |s: &Setting| format!("the {} of connection `{connection}`", s.name);
        let read = |setting: &Setting, secret: SecretRef| {
            secret.read(&self.environment, &describe(setting))
        };
        let locate = |setting: &Setting| Some(self.secret_ref(setting, Some(connection))?.0);
        let from_environment = self.uses_env_credentials(connection);
        if from_environment && self.file_has_credentials(connection) {
            tracing::warn!(
                connection,
                "Using the key from CONFLUENT_CLOUD_API_KEY instead of the one in the configuration file"
            );
        }
        if let Some(credentials) = locate(&settings::CREDENTIALS) {
            return Credentials::parse(
                &read(&settings::CREDENTIALS, credentials)?,
                &describe(&settings::CREDENTIALS),
            );
        }
        let missing = match (locate(&settings::KEY), locate(&settings::SECRET)) {
            (Some(key), Some(secret)) => {
                return Ok(Credentials {
                    key: read(&settings::KEY, key)?.expose_secret().to_string(),
                    secret: read(&settings::SECRET, secret)?,
                });
            }
            (None, _) => settings::KEY,
            (Some(_), None) => settings::SECRET,
        };
        let expects_variables =
            self.reads_env_vars(connection) && !self.file_has_credentials(connection);
        Err(if from_environment || expects_variables {
            Error::config(format!("{} is not set", missing.variable)).with_hint(CREATE_KEY_HINT)
        } else {
            let error = format!("connection `{connection}` has no {}", missing.name);
            Error::config(error).with_hint(format!(
                "run `billstream connections add confluent --name {connection} --replace`"
            ))
        })
    }

    fn file_has_credentials(&self, connection: &str) -> bool {
        let in_file = |s: &Setting| self.file.as_ref()?.secret(s, Some(connection));
        CREDENTIAL_SETTINGS.iter().any(|s| in_file(s).is_some())
    }

    /// Client settings for a connection's organization, with its credentials.
    ///
    /// # Errors
    /// As [`Config::credentials`], and for invalid settings.
    pub(crate) fn confluent(&self, connection: &str) -> Result<client::Settings> {
        self.confluent_with(connection, self.credentials(connection)?)
    }

    /// Client settings for a connection's organization, with other credentials.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn confluent_with(
        &self,
        connection: &str,
        credentials: Credentials,
    ) -> Result<client::Settings> {
        let url = self
            .required(&settings::ENDPOINT, Some(connection))?
            .endpoint()?;
        let integer =
            |setting: &Setting| Ok::<_, Error>(self.required(setting, None)?.integer()? as u32);
        Ok(client::Settings {
            page_size: integer(&settings::PAGE_SIZE)?,
            requests_per_second: integer(&settings::REQUESTS_PER_SECOND)?,
            timeouts: self.timeouts()?,
            policy: self.policy()?,
            ..client::Settings::new(url, credentials.key, credentials.secret)
        })
    }
}

const CREATE_KEY_HINT: &str = "run `billstream connections add confluent` (with --setup it also creates the key), or \
                               create a Cloud API key (scope: Cloud resource management) owned by a service account \
                               with the role BillingAdmin and set CONFLUENT_CLOUD_API_KEY and \
                               CONFLUENT_CLOUD_API_SECRET; to look around first, run `billstream import --demo`";
