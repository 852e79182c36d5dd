//! Selection of connections: which exist, which a command works on, and which one environment variables are about.

use crate::config::{Config, DEFAULT_CONNECTION, settings};
use crate::error::{Error, Result};
use crate::suggest::nearest;

impl Config {
    /// Connection named by a flag or by `BILLSTREAM_CONNECTION`.
    pub(super) fn selected(&self) -> Option<&str> {
        let flag = self.flags.connection.as_deref();
        flag.or(self.environment.get("BILLSTREAM_CONNECTION"))
    }

    /// Returns whether a flag or the environment names this connection.
    pub(crate) fn is_named(&self, connection: &str) -> bool {
        self.selected() == Some(connection)
    }

    /// Returns whether commands work on several connections.
    pub(crate) fn several(&self) -> bool {
        self.selected().is_none() && self.configured().len() > 1
    }

    /// Returns whether the file defines this connection or the environment has its key.
    pub(crate) fn knows(&self, connection: &str) -> bool {
        self.is_configured(connection) || self.has_credentials(connection)
    }

    /// Names of the connections in the file.
    pub(crate) fn configured(&self) -> &[String] {
        self.file.as_ref().map_or(&[], |file| &file.connections)
    }

    /// Returns whether the file defines this connection.
    pub(crate) fn is_configured(&self, connection: &str) -> bool {
        self.configured().iter().any(|name| name == connection)
    }

    /// Returns whether variables such as `CONFLUENT_CLOUD_API_KEY` apply to this connection: the environment names
    /// it, or it has the default name, or a flag names it and the file does not define it.
    pub(crate) fn reads_env_vars(&self, connection: &str) -> bool {
        let is_new = !self.is_configured(connection);
        let by_flag = self.flags.connection.as_deref() == Some(connection);
        let by_variable = self.environment.get("BILLSTREAM_CONNECTION").is_some();
        self.env_overrides(connection) || (by_flag && is_new && !by_variable)
    }

    /// Returns whether such variables override the file's settings of this connection.
    pub(crate) fn env_overrides(&self, connection: &str) -> bool {
        let by_variable = self.environment.get("BILLSTREAM_CONNECTION");
        by_variable.unwrap_or(DEFAULT_CONNECTION) == connection
    }

    /// Connections a command works on: the selected one, else all in the file, else the one that the environment
    /// defines.
    ///
    /// # Errors
    /// Kind configuration, for an unknown name that resembles one in the file.
    pub(crate) fn connections(&self) -> Result<Vec<String>> {
        match (self.selected(), self.configured()) {
            (Some(name), configured) => {
                // An unknown name is allowed: its costs may be in the store, its key in the environment.
                let suggestion = nearest(name, configured.iter().map(String::as_str));
                if let Some(suggestion) = suggestion
                    && !self.knows(name)
                {
                    return Err(Error::config(format!("there is no connection `{name}`"))
                        .with_hint(format!("did you mean `{suggestion}`?")));
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

    /// The only connection a command works on.
    ///
    /// # Errors
    /// Kind usage, if there are several and none is named.
    pub(crate) fn one_connection(&self) -> Result<String> {
        let mut connections = self.connections()?;
        match (connections.pop(), connections.len()) {
            (Some(one), 0) => Ok(one),
            _ => Err(
                Error::usage("there are several connections").with_hint(format!(
                    "choose one with --connection: {}",
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
        let per_connection = settings::ALL.iter().filter(|s| s.is_per_connection());
        let set = per_connection.filter(|s| self.environment.get(s.variable).is_some());
        let variables: Vec<&str> = set.map(|setting| setting.variable).collect();
        if !variables.is_empty() {
            tracing::warn!(
                variables = variables.join(", "),
                "Environment variables apply to no configured connection; set BILLSTREAM_CONNECTION to use them"
            );
        }
    }
}

/// Checks that a connection name can be part of paths and partition values.
///
/// # Errors
/// Kind configuration.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(Error::config(format!("`{name}` cannot name a connection"))
            .with_hint("use up to 64 lower-case letters, digits, - and _"));
    }
    Ok(())
}
