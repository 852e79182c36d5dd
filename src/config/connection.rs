//! A connection as it is configured: who it is, how to reach it, where its costs go.

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use url::Url;

use crate::config::secret::{Credentials, Place};
use crate::config::settings::{self, Key};
use crate::config::{Config, Origin, check_name};
use crate::confluent::client;
use crate::error::{Error, Result};

/// A connection, without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Label in CloudZero's Cloud Provider dimension.
    pub cloud_provider: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Whether names and regions are asked for.
    pub inventory: bool,
    /// Time without data after which it is late.
    pub expected_interval: TimeDelta,
}

impl Config {
    /// A connection by name; one that is not configured has the defaults.
    ///
    /// # Errors
    /// Kind configuration, naming who said so and what it should be.
    pub fn connection(&self, name: &str) -> Result<Connection> {
        check_name(name)?;
        let value = |key: &Key| self.known(key, Some(name));
        let currency = value(&settings::CURRENCY)?;
        if currency.text.len() != 3 || !currency.text.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(currency.wrong("is not a currency code such as USD"));
        }
        let hours = value(&settings::EXPECTED_INTERVAL_HOURS)?.whole()?;
        Ok(Connection {
            name: name.to_string(),
            cloud_provider: value(&settings::CLOUD_PROVIDER)?.text,
            currency: currency.text,
            inventory: value(&settings::INVENTORY)?.switch()?,
            expected_interval: TimeDelta::hours(hours as i64),
        })
    }

    /// Whether a connection has a key, wherever that is.
    pub fn has_credentials(&self, connection: &str) -> bool {
        self.key_places(connection).next().is_some()
    }

    /// Where the credentials of a connection are, for people: each setting, its place, and who says so.
    pub fn key_places<'c>(
        &'c self,
        connection: &'c str,
    ) -> impl Iterator<Item = (Key, Place, Origin)> + 'c {
        let all = [settings::KEY, settings::SECRET, settings::CREDENTIALS];
        all.into_iter().filter_map(move |key| {
            let (place, origin) = self.secret_place(&key, Some(connection))?;
            Some((key, place, origin))
        })
    }

    /// The place of key and secret together, as the file names it, whatever the environment says.
    pub fn credentials_place(&self, connection: &str) -> Option<&Place> {
        let (place, _) = self
            .file
            .as_ref()?
            .secret(&settings::CREDENTIALS, Some(connection))?;
        Some(place)
    }

    /// Where a secret is, and who says so.
    pub fn secret_place(&self, key: &Key, connection: Option<&str>) -> Option<(Place, Origin)> {
        let set = self.environment.get(key.variable).is_some();
        let counts = match connection {
            Some(connection) => self.uses_env_credentials(connection),
            None => set,
        };
        if counts {
            let place = Place::Variable(key.variable.to_string());
            return set.then_some((place, Origin::Variable(key.variable)));
        }
        let (place, origin) = self.file.as_ref()?.secret(key, connection)?;
        Some((place.clone(), origin))
    }

    /// Whether the environment has the key of this connection. Key and secret are taken together.
    pub fn uses_env_credentials(&self, connection: &str) -> bool {
        let set = |key: &Key| self.environment.get(key.variable).is_some();
        self.reads_env_vars(connection) && (set(&settings::KEY) || set(&settings::SECRET))
    }

    /// The credentials of a connection.
    ///
    /// # Errors
    /// Kind configuration, saying what is missing and how to come by it.
    pub fn credentials(&self, connection: &str) -> Result<Credentials> {
        let what = |key: &Key| format!("the {} of connection `{connection}`", key.name);
        let read = |key: &Key, place: Place| place.read(&self.environment, &what(key));
        let place = |key: &Key| Some(self.secret_place(key, Some(connection))?.0);
        let of_environment = self.uses_env_credentials(connection);
        if of_environment && self.file_has_key(connection) {
            tracing::warn!(
                connection,
                "The key is that of CONFLUENT_CLOUD_API_KEY, not the one of the configuration."
            );
        }
        if let Some(both) = place(&settings::CREDENTIALS) {
            return Credentials::parse(
                &read(&settings::CREDENTIALS, both)?,
                &what(&settings::CREDENTIALS),
            );
        }
        let missing = match (place(&settings::KEY), place(&settings::SECRET)) {
            (Some(key), Some(secret)) => {
                return Ok(Credentials {
                    key: read(&settings::KEY, key)?.expose_secret().to_string(),
                    secret: read(&settings::SECRET, secret)?,
                });
            }
            (None, _) => settings::KEY,
            (Some(_), None) => settings::SECRET,
        };
        let by_variable = self.reads_env_vars(connection) && !self.file_has_key(connection);
        Err(match of_environment || by_variable {
            true => Error::config(format!("{} is not set", missing.variable)).with_hint(HOW_TO),
            false => {
                let error = format!("connection `{connection}` has no {}", missing.name);
                Error::config(error).with_hint(format!(
                    "set it up with `billstream connections add confluent --name {connection} --replace`"
                ))
            }
        })
    }

    /// Whether the file has anything of a connection's key.
    fn file_has_key(&self, connection: &str) -> bool {
        let all = [settings::KEY, settings::SECRET, settings::CREDENTIALS];
        let of_file = |key: &Key| self.file.as_ref()?.secret(key, Some(connection));
        all.iter().any(|key| of_file(key).is_some())
    }

    /// How to reach a connection's organization, with its credentials.
    ///
    /// # Errors
    /// As [`Config::credentials`], and for settings that are wrong.
    pub fn confluent(&self, connection: &str) -> Result<client::Settings> {
        self.reaching(connection, self.credentials(connection)?)
    }

    /// How to reach a connection's organization with other credentials than its own.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn reaching(&self, connection: &str, credentials: Credentials) -> Result<client::Settings> {
        let endpoint = self.known(&settings::ENDPOINT, Some(connection))?;
        let url = Url::parse(&endpoint.text)
            .map_err(|e| endpoint.refused(&format!("is not a URL: {e}")))?;
        let whole = |key: &Key| Ok::<_, Error>(self.known(key, None)?.whole()? as u32);
        Ok(client::Settings {
            page_size: whole(&settings::PAGE_SIZE)?,
            requests_per_second: whole(&settings::REQUESTS_PER_SECOND)?,
            timeouts: self.timeouts()?,
            policy: self.policy()?,
            ..client::Settings::new(url, credentials.key, credentials.secret)
        })
    }
}

const HOW_TO: &str = "make a Cloud API key (scope: Cloud resource management) owned by a service account with the role \
                      BillingAdmin, and set CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET, or give it to \
                      `billstream connections add confluent`, which can also make it (--setup); or try `billstream \
                      import --demo`";
