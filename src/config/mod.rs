//! Settings: defaults, overridden by the configuration file, environment variables and flags, in this order.
//!
//! [`settings`] lists all of them. Settings of a connection (credentials, endpoint, label, destinations) are looked up
//! by its name. Environment variables for such settings apply to one connection only, so that no key is sent to
//! another connection's endpoint and no costs are stored under another connection: the one that
//! `BILLSTREAM_CONNECTION` names, else the one named `confluent`. The environment alone can define that
//! connection if the file defines none. A flag can name a connection that is not configured.

mod connection;
mod connection_names;
pub(crate) mod credential_store;
mod destinations;
pub(crate) mod edit;
mod environment;
pub(crate) mod file;
mod file_parser;
pub(crate) mod init;
pub(crate) mod keyring;
pub(crate) mod private_file;
pub(crate) mod secret;
pub(crate) mod settings;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike, Utc};

pub(crate) use crate::config::connection::Connection;
pub(crate) use crate::config::connection_names::check_name;
pub(crate) use crate::config::environment::Environment;
pub(crate) use crate::config::value::{Origin, Value};

use crate::clock::Clock;
use crate::config::file::ConfigFile;
use crate::config::settings::Setting;
use crate::engine::Limits;
use crate::error::{Error, Result};
use crate::http::Timeouts;
use crate::http::retry::Policy;
use crate::pipeline::assess::losses::LossLimits;
use crate::pipeline::select::rechecks::RecheckIntervals;
use crate::store::Store;
use crate::store::path_or_url::expand_home;

/// Name of the connection if none is given.
pub(crate) const DEFAULT_CONNECTION: &str = "confluent";

/// Settings given as command-line flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// Path of the configuration file.
    pub config: Option<PathBuf>,
    /// Folder or URL of the store.
    pub store: Option<String>,
    /// Use a server without conditional writes.
    pub single_writer: bool,
    /// Name of the connection.
    pub connection: Option<String>,
    /// Folder of SQL overrides.
    pub sql_dir: Option<PathBuf>,
}

/// All layers of settings.
pub(crate) struct Config {
    flags: Flags,
    environment: Environment,
    file: Option<ConfigFile>,
    path: Option<PathBuf>,
}

/// Resolved settings that all connections share.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Folder or URL of the store.
    pub store: String,
    /// Use a server without conditional writes.
    pub single_writer: bool,
    /// New files of the store are for the owner's group as well.
    pub store_is_shared: bool,
    /// Folder of SQL overrides.
    pub sql_dir: Option<PathBuf>,
    /// Path or URL of the CSV file of tags and owners.
    pub tags: Option<String>,
    /// CSV file of exchange rates.
    pub rates: Option<PathBuf>,
    /// Days after a month's end from which a successful pull settles it.
    pub settle_days: u64,
    /// Re-pulls of settled months.
    pub rechecks: RecheckIntervals,
    /// Falls of a published day above which its month is put on hold.
    pub losses: LossLimits,
    /// Windows of a month read in parallel.
    pub concurrency: usize,
    /// Connections imported in parallel.
    pub connections_at_once: usize,
    /// Memory and time limits of the engine.
    pub limits: Limits,
    pub clock: Clock,
}

impl Config {
    /// Loads the configuration file and the environment of the process.
    ///
    /// # Errors
    /// As [`Config::of`].
    pub(crate) fn load(flags: Flags) -> Result<Config> {
        let config = Config::of(flags, Environment::process()?)?;
        for path in config.file.iter().flat_map(ConfigFile::plain_text_secrets) {
            tracing::warn!(
                setting = path,
                "Secret in plain text in the configuration file; refer to a variable, file or keyring entry instead"
            );
        }
        Ok(config)
    }

    /// Loads the configuration file that flags or environment name, or the default one if it exists.
    ///
    /// # Errors
    /// Kind configuration: a named file that does not exist, and as [`ConfigFile::read`].
    pub(crate) fn of(flags: Flags, environment: Environment) -> Result<Config> {
        let location = file::locate(flags.config.as_deref(), &environment);
        let path = location.path;
        let must_read = |path: &PathBuf| location.is_explicit || path.exists();
        let file = match path.as_ref().filter(|path| must_read(path)) {
            Some(path) => Some(ConfigFile::read(path)?),
            None => None,
        };
        let config = Config {
            flags,
            environment,
            file,
            path,
        };
        if let Some(name) = config.selected() {
            check_name(name)?;
        }
        Ok(config)
    }

    /// Reads the file again, which another command may have changed.
    ///
    /// # Errors
    /// As [`Config::of`].
    pub(crate) fn reload(&self) -> Result<Config> {
        Config::of(self.flags.clone(), self.environment.clone())
    }

    /// Path of the configuration file, which may not exist.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Contents of the configuration file, if it exists.
    pub(crate) fn file(&self) -> Option<&ConfigFile> {
        self.file.as_ref()
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Value of a setting that is not a secret; `None` if it is unset and has no default.
    pub(crate) fn value(&self, setting: &Setting, connection: Option<&str>) -> Option<Value> {
        let value = |text: &str, origin| Value {
            setting: *setting,
            text: text.to_string(),
            origin,
        };
        if let Some((text, flag)) = self.flag(setting) {
            return Some(value(&text, Origin::Flag(flag)));
        }
        let reads_variable = !setting.is_per_connection()
            || connection.is_some_and(|name| self.reads_env_vars(name));
        let variable = self.environment.get(setting.variable);
        if let Some(text) = variable.filter(|_| reads_variable) {
            return Some(value(text, Origin::Variable(setting.variable)));
        }
        if let Some((text, origin)) = self
            .file
            .as_ref()
            .and_then(|file| file.text(setting, connection))
        {
            return Some(value(text, origin));
        }
        (!setting.default.is_empty()).then(|| value(setting.default, Origin::Default))
    }

    fn flag(&self, setting: &Setting) -> Option<(String, &'static str)> {
        let sql_dir = || Some(self.flags.sql_dir.as_ref()?.display().to_string());
        match *setting {
            settings::STORE => Some((self.flags.store.clone()?, "--store")),
            settings::SINGLE_WRITER if self.flags.single_writer => {
                Some(("true".to_string(), "--single-writer"))
            }
            settings::SQL_DIR => Some((sql_dir()?, "--sql-dir")),
            _ => None,
        }
    }

    /// Value of a setting that has a default.
    fn required(&self, setting: &Setting, connection: Option<&str>) -> Result<Value> {
        self.value(setting, connection)
            .ok_or_else(|| Error::bug(format!("setting {} has no value", setting.name)))
    }

    /// Returns whether a setting is set anywhere, rather than at its default.
    pub(crate) fn is_given(&self, setting: &Setting) -> bool {
        self.value(setting, None)
            .is_some_and(|value| value.origin != Origin::Default)
    }

    /// Opens the store of a command that only reads. Nothing is created; the default folder may be missing.
    ///
    /// # Errors
    /// Kind configuration, for a given folder that does not exist.
    pub(crate) fn existing_store(&self) -> Result<Store> {
        let store = self.required(&settings::STORE, None)?.text;
        Store::open_existing(&store, !self.is_given(&settings::STORE))
    }

    /// Resolves the settings that all connections share.
    ///
    /// # Errors
    /// Kind configuration, with the origin and the expected value.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let integer = |setting: &Setting| self.required(setting, None)?.integer();
        let text = |setting: &Setting| self.value(setting, None).map(|value| value.text);
        Ok(Settings {
            store: self.required(&settings::STORE, None)?.text,
            single_writer: self.required(&settings::SINGLE_WRITER, None)?.boolean()?,
            store_is_shared: self.required(&settings::STORE_PERMISSIONS, None)?.word()? == "group",
            sql_dir: text(&settings::SQL_DIR)
                .map(|text| expand_home(&text))
                .transpose()?,
            tags: text(&settings::TAGS),
            rates: text(&settings::RATES).map(PathBuf::from),
            settle_days: integer(&settings::SETTLE_DAYS)?,
            rechecks: RecheckIntervals {
                recent_days: integer(&settings::RECHECK_RECENT_DAYS)?,
                all_days: integer(&settings::RECHECK_ALL_DAYS)?,
            },
            losses: LossLimits {
                percent: integer(&settings::HOLD_PERCENT)?,
                amount: integer(&settings::HOLD_AMOUNT)?,
            },
            concurrency: integer(&settings::CONCURRENCY)? as usize,
            connections_at_once: integer(&settings::CONNECTIONS_AT_ONCE)? as usize,
            limits: Limits {
                memory_bytes: (integer(&settings::MEMORY_MB)? as usize) << 20,
                timeout: self
                    .required(&settings::QUERY_TIMEOUT_SECS, None)?
                    .seconds()?,
                ..Limits::default()
            },
            clock: clock(&self.environment)?,
        })
    }

    fn timeouts(&self) -> Result<Timeouts> {
        let seconds = |setting: &Setting| self.required(setting, None)?.seconds();
        Ok(Timeouts {
            connect: seconds(&settings::CONNECT_TIMEOUT_SECS)?,
            read: seconds(&settings::READ_TIMEOUT_SECS)?,
            total: seconds(&settings::TOTAL_TIMEOUT_SECS)?,
        })
    }

    fn policy(&self) -> Result<Policy> {
        Ok(Policy {
            max_attempts: self.required(&settings::RETRY_ATTEMPTS, None)?.integer()? as u32,
            max_elapsed: self
                .required(&settings::RETRY_ELAPSED_SECS, None)?
                .seconds()?,
        })
    }

    /// Other cost data for queries, as `name=location`.
    pub(crate) fn sources(&self) -> Vec<String> {
        let sources = self.sources_by_origin().into_iter();
        sources.map(|(source, _)| source).collect()
    }

    /// Sources with their origin: the environment overrides sources of the same name in the file.
    pub(crate) fn sources_by_origin(&self) -> Vec<(String, Origin)> {
        const VARIABLE: &str = "BILLSTREAM_SOURCES";
        let listed = self.environment.get(VARIABLE).unwrap_or_default();
        let listed = listed.split(',').map(str::trim);
        let listed: Vec<&str> = listed.filter(|text| !text.is_empty()).collect();
        let is_listed = |name: &str| {
            let mut names = listed.iter().filter_map(|text| text.split_once('='));
            names.any(|(listed, _)| listed.trim() == name)
        };
        let in_file = self.file.iter().flat_map(|file| {
            let sources = file.sources.iter().filter(|s| !is_listed(&s.name));
            sources.map(|s| (format!("{}={}", s.name, s.location), file.origin(s.line)))
        });
        let in_variable = listed
            .iter()
            .map(|text| (text.to_string(), Origin::Variable(VARIABLE)));
        in_file.chain(in_variable).collect()
    }
}

/// Returns the system clock, or the fixed time of `BILLSTREAM_NOW`, which tests set.
fn clock(environment: &Environment) -> Result<Clock> {
    let Some(text) = environment.get("BILLSTREAM_NOW") else {
        return Ok(Arc::new(Utc::now));
    };
    let now: Option<DateTime<Utc>> = text.parse().ok();
    // Months before and after it are months too.
    let now = now.filter(|now| (2000..3000).contains(&now.year()));
    let now = now.ok_or_else(|| {
        Error::config(format!(
            "BILLSTREAM_NOW=`{text}` is not a time such as 2026-11-23T06:00:00Z"
        ))
    })?;
    Ok(Arc::new(move || now))
}
