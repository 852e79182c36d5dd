//! Settings: defaults, then the configuration file, then environment variables, then flags.
//!
//! [`keys`] lists them all. What belongs to a connection (credentials, endpoint, label, targets) is asked
//! for by its name. A variable of that kind counts for one connection alone, so that nobody's key goes to
//! another's endpoint, nor one organization's costs into another's months: the connection that
//! `BILLSTREAM_CONNECTION` names, else the one called `confluent`, which the environment alone can make where
//! no connection is configured. A flag can name another one that is not configured.

mod connection;
mod destinations;
pub mod edit;
mod environment;
pub mod file;
pub mod init;
pub mod keyring;
pub mod secret;
pub mod settings;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use crate::config::connection::Connection;
pub use crate::config::environment::Environment;
pub use crate::config::value::{Origin, Value, shown};

use crate::clock::Clock;
use crate::config::file::ConfigFile;
use crate::config::settings::Key;
use crate::engine::Limits;
use crate::error::{Error, Result};
use crate::http::Timeouts;
use crate::http::retry::Policy;
use crate::suggest::nearest;

/// The connection of those who name none.
pub const DEFAULT_CONNECTION: &str = "confluent";

/// What flags may say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Folder or URL of the store.
    pub store: Option<String>,
    /// Name of the connection.
    pub connection: Option<String>,
    /// Folder of SQL overrides.
    pub sql_dir: Option<PathBuf>,
}

/// All that was said about settings, and by whom.
pub struct Config {
    flags: Flags,
    environment: Environment,
    file: Option<ConfigFile>,
    place: Option<PathBuf>,
}

/// Settings that are the same for every connection, resolved.
#[derive(Clone)]
pub struct Settings {
    /// Folder or URL of the store.
    pub store: String,
    /// Folder of SQL overrides.
    pub sql_dir: Option<PathBuf>,
    /// Path or URL of the CSV file of tags.
    pub tags: Option<String>,
    /// Days after a month's end from which a successful pull settles it.
    pub settle_days: u64,
    /// Windows of a month read at once.
    pub concurrency: usize,
    /// Connections imported side by side.
    pub connections_at_once: usize,
    /// Limits of the engine.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
}

impl Config {
    /// Reads the configuration file and the process's environment.
    ///
    /// # Errors
    /// As [`Config::of`].
    pub fn load(flags: Flags) -> Result<Config> {
        let config = Config::of(flags, Environment::process())?;
        for path in config.file.iter().flat_map(ConfigFile::plain) {
            tracing::warn!(
                setting = path,
                "A secret stands in plain text in the configuration: name a variable, a file or a keyring entry instead."
            );
        }
        Ok(config)
    }

    /// Reads the configuration file that flags or environment name, or the one at the usual place.
    ///
    /// # Errors
    /// Kind configuration: a named file that is not there, and as [`ConfigFile::read`].
    pub fn of(flags: Flags, environment: Environment) -> Result<Config> {
        let (place, named) = file::place(flags.config.as_deref(), &environment);
        let there = |path: &PathBuf| named || path.exists();
        let file = match place.as_ref().filter(|path| there(path)) {
            Some(path) => Some(ConfigFile::read(path)?),
            None => None,
        };
        let config = Config {
            flags,
            environment,
            file,
            place,
        };
        if let Some(name) = config.named() {
            check_name(name)?;
        }
        Ok(config)
    }

    /// As the file says now: another command may have changed it.
    ///
    /// # Errors
    /// As [`Config::of`].
    pub fn reload(&self) -> Result<Config> {
        Config::of(self.flags.clone(), self.environment.clone())
    }

    /// Where the configuration file is, or would be.
    pub fn place(&self) -> Option<&Path> {
        self.place.as_deref()
    }

    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<&ConfigFile> {
        self.file.as_ref()
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The value of a setting that is no secret; `None` when nobody says and there is no default.
    pub fn value(&self, key: &Key, connection: Option<&str>) -> Option<Value> {
        let value = |text: &str, origin| Value {
            key: *key,
            text: text.to_string(),
            origin,
        };
        if let Some((text, flag)) = self.flag(key) {
            return Some(value(&text, Origin::Flag(flag)));
        }
        let counts =
            !key.is_of_connection() || connection.is_some_and(|name| self.reads_env_vars(name));
        if let Some(text) = self.environment.get(key.variable).filter(|_| counts) {
            return Some(value(text, Origin::Variable(key.variable)));
        }
        if let Some((text, origin)) = self
            .file
            .as_ref()
            .and_then(|file| file.text(key, connection))
        {
            return Some(value(text, origin));
        }
        (!key.default.is_empty()).then(|| value(key.default, Origin::Default))
    }

    fn flag(&self, key: &Key) -> Option<(String, &'static str)> {
        let sql_dir = || Some(self.flags.sql_dir.as_ref()?.display().to_string());
        match *key {
            settings::STORE => Some((self.flags.store.clone()?, "--store")),
            settings::SQL_DIR => Some((sql_dir()?, "--sql-dir")),
            _ => None,
        }
    }

    /// A setting that has a default.
    fn known(&self, key: &Key, connection: Option<&str>) -> Result<Value> {
        self.value(key, connection)
            .ok_or_else(|| Error::bug(format!("the setting {} has no value", key.name)))
    }

    /// Whether somebody said what a setting is.
    pub fn is_given(&self, key: &Key) -> bool {
        self.value(key, None)
            .is_some_and(|value| value.origin != Origin::Default)
    }

    /// The settings of all connections.
    ///
    /// # Errors
    /// Kind configuration, naming who said so and what it should be.
    pub fn settings(&self) -> Result<Settings> {
        let whole = |key: &Key| self.known(key, None)?.whole();
        let text = |key: &Key| self.value(key, None).map(|value| value.text);
        Ok(Settings {
            store: self.known(&settings::STORE, None)?.text,
            sql_dir: text(&settings::SQL_DIR).map(PathBuf::from),
            tags: text(&settings::TAGS),
            settle_days: whole(&settings::SETTLE_DAYS)?,
            concurrency: whole(&settings::CONCURRENCY)? as usize,
            connections_at_once: whole(&settings::CONNECTIONS_AT_ONCE)? as usize,
            limits: Limits {
                memory_bytes: (whole(&settings::MEMORY_MB)? as usize) << 20,
                timeout: self.known(&settings::QUERY_TIMEOUT_SECS, None)?.seconds()?,
                ..Limits::default()
            },
            clock: clock(&self.environment)?,
        })
    }

    fn timeouts(&self) -> Result<Timeouts> {
        let seconds = |key: &Key| self.known(key, None)?.seconds();
        Ok(Timeouts {
            connect: seconds(&settings::CONNECT_TIMEOUT_SECS)?,
            read: seconds(&settings::READ_TIMEOUT_SECS)?,
            total: seconds(&settings::TOTAL_TIMEOUT_SECS)?,
        })
    }

    fn policy(&self) -> Result<Policy> {
        Ok(Policy {
            max_attempts: self.known(&settings::RETRY_ATTEMPTS, None)?.whole()? as u32,
            max_elapsed: self.known(&settings::RETRY_ELAPSED_SECS, None)?.seconds()?,
        })
    }

    /// Other cost data for queries, as `name=place`.
    pub fn sources(&self) -> Vec<String> {
        let sources = self.sources_by_origin().into_iter();
        sources.map(|(source, _)| source).collect()
    }

    /// As [`Config::sources`], and who says so: the file, unless the environment names another place.
    pub fn sources_by_origin(&self) -> Vec<(String, Origin)> {
        const VARIABLE: &str = "BILLSTREAM_SOURCES";
        let listed = self.environment.get(VARIABLE).unwrap_or_default();
        let listed = listed.split(',').map(str::trim);
        let listed: Vec<&str> = listed.filter(|text| !text.is_empty()).collect();
        let is_listed = |name: &str| {
            let mut names = listed.iter().filter_map(|text| text.split_once('='));
            names.any(|(listed, _)| listed.trim() == name)
        };
        let of_file = self.file.iter().flat_map(|file| {
            let own = file.sources.iter().filter(|(name, ..)| !is_listed(name));
            own.map(|(name, place, line)| (format!("{name}={place}"), file.origin(*line)))
        });
        let of_variable = listed
            .iter()
            .map(|text| (text.to_string(), Origin::Variable(VARIABLE)));
        of_file.chain(of_variable).collect()
    }

    /// The connection that a flag or the environment names.
    fn named(&self) -> Option<&str> {
        let flag = self.flags.connection.as_deref();
        flag.or(self.environment.get("BILLSTREAM_CONNECTION"))
    }

    /// Whether a flag or the environment names this connection.
    pub fn is_named(&self, connection: &str) -> bool {
        self.named() == Some(connection)
    }

    /// Whether a command takes several connections.
    pub fn several(&self) -> bool {
        self.named().is_none() && self.configured().len() > 1
    }

    /// Whether there is such a connection: the file has it, or the environment its key.
    pub fn knows(&self, connection: &str) -> bool {
        self.is_configured(connection) || self.has_credentials(connection)
    }

    /// Names of the connections of the file.
    pub fn configured(&self) -> &[String] {
        self.file.as_ref().map_or(&[], |file| &file.connections)
    }

    /// Whether the file has a connection.
    pub fn is_configured(&self, connection: &str) -> bool {
        self.configured().iter().any(|known| known == connection)
    }

    /// Whether variables such as `CONFLUENT_CLOUD_API_KEY` are about this connection: the environment names it,
    /// or it has the default name, or a flag names it and the file does not know it.
    pub fn reads_env_vars(&self, connection: &str) -> bool {
        let is_new = !self.is_configured(connection);
        let by_flag = self.flags.connection.as_deref() == Some(connection);
        let others = self.environment.get("BILLSTREAM_CONNECTION").is_some();
        self.environment_overrules(connection) || (by_flag && is_new && !others)
    }

    /// Whether such variables count more than what the file says of the connection.
    pub fn environment_overrules(&self, connection: &str) -> bool {
        let named = self.environment.get("BILLSTREAM_CONNECTION");
        named.unwrap_or(DEFAULT_CONNECTION) == connection
    }

    /// The connections that a command takes: the one that is named, else all that are configured, else the
    /// one that the environment makes.
    ///
    /// # Errors
    /// Kind configuration, for a name that is like one that is configured.
    pub fn connections(&self) -> Result<Vec<String>> {
        match (self.named(), self.configured()) {
            (Some(name), configured) => {
                // A new name may be meant: its costs may be in the store, its key in the environment.
                let known = self.is_configured(name);
                let meant = nearest(name, configured.iter().map(String::as_str));
                if let (false, false, Some(meant)) = (known, self.has_credentials(name), meant) {
                    return Err(Error::config(format!("there is no connection `{name}`"))
                        .with_hint(format!("did you mean `{meant}`?")));
                }
                Ok(vec![name.to_string()])
            }
            (None, []) => Ok(vec![DEFAULT_CONNECTION.to_string()]),
            (None, configured) => {
                self.warn_of_unused_variables();
                Ok(configured.to_vec())
            }
        }
    }

    /// The one connection that a command is about.
    ///
    /// # Errors
    /// Kind usage, when there are several and none is named.
    pub fn one_connection(&self) -> Result<String> {
        let mut connections = self.connections()?;
        match (connections.pop(), connections.len()) {
            (Some(one), 0) => Ok(one),
            _ => Err(
                Error::usage("there are several connections").with_hint(format!(
                    "name one with --connection: {}",
                    self.configured().join(", ")
                )),
            ),
        }
    }

    fn warn_of_unused_variables(&self) {
        if self
            .configured()
            .iter()
            .any(|name| self.reads_env_vars(name))
        {
            return;
        }
        let of_connection = settings::ALL.iter().filter(|key| key.is_of_connection());
        let set = of_connection.filter(|key| self.environment.get(key.variable).is_some());
        let set: Vec<&str> = set.map(|key| key.variable).collect();
        if !set.is_empty() {
            tracing::warn!(
                variables = set.join(", "),
                "These are about one connection, and it is none of those that are configured: BILLSTREAM_CONNECTION says which it is."
            );
        }
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
/// Kind configuration.
pub fn check_name(name: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
        return Err(Error::config(format!("`{name}` cannot name a connection"))
            .with_hint("use lower-case letters, digits, - and _"));
    }
    Ok(())
}
