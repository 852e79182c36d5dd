//! Input of a key and its secret: a prompt on the terminal, stdin, environment variables or files. Never arguments,
//! which other users of the computer could read.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use secrecy::ExposeSecret;

use crate::cli::args::parse_path;
use crate::config::Config;
use crate::config::secret::{Credentials, SecretRef};
use crate::error::{Error, Result};

/// Location of a key and its secret. Without these flags both are prompted for on a terminal, and otherwise read
/// from stdin, one per line.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct KeyArgs {
    /// Environment variable that holds the key
    #[arg(
        long,
        value_name = "VARIABLE",
        group = "key_place",
        requires = "secret_place"
    )]
    key_env: Option<String>,
    /// File that holds the key
    #[arg(
        long,
        value_name = "PATH",
        value_parser = parse_path,
        group = "key_place",
        requires = "secret_place"
    )]
    key_file: Option<PathBuf>,
    /// Environment variable that holds the secret
    #[arg(
        long,
        value_name = "VARIABLE",
        group = "secret_place",
        requires = "key_place"
    )]
    secret_env: Option<String>,
    /// File that holds the secret, accessible to its owner only
    #[arg(
        long,
        value_name = "PATH",
        value_parser = parse_path,
        group = "secret_place",
        requires = "key_place"
    )]
    secret_file: Option<PathBuf>,
}

/// Whose key is entered.
#[derive(Debug, Clone, Copy)]
enum KeyOwner {
    Connection,
    Administrator,
}

impl KeyOwner {
    fn prompt(self) -> &'static str {
        match self {
            KeyOwner::Connection => "Cloud API key (not shown): ",
            KeyOwner::Administrator => "Administrator's Cloud API key (not shown): ",
        }
    }

    fn description(self) -> &'static str {
        match self {
            KeyOwner::Connection => "Cloud API key",
            KeyOwner::Administrator => "administrator's Cloud API key",
        }
    }
}

/// A key as the user gave it.
pub(crate) enum KeyInput {
    /// Typed or read from stdin.
    Entered(Credentials),
    /// Referred to by flags.
    Referenced {
        key: SecretRef,
        secret: SecretRef,
        /// Present values.
        credentials: Credentials,
    },
}

impl KeyArgs {
    /// Reads the key of the connection.
    ///
    /// # Errors
    /// Kind configuration: an unset variable, a file that others can read. Kind usage: empty input.
    pub(crate) fn connection_key(&self, config: &Config) -> Result<KeyInput> {
        self.read(config, KeyOwner::Connection)
    }

    /// Reads the key of an organization administrator.
    ///
    /// # Errors
    /// As [`KeyArgs::connection_key`].
    pub(crate) fn administrator_key(&self, config: &Config) -> Result<Credentials> {
        let input = self.read(config, KeyOwner::Administrator)?;
        let (KeyInput::Entered(credentials) | KeyInput::Referenced { credentials, .. }) = input;
        Ok(credentials)
    }

    fn read(&self, config: &Config, owner: KeyOwner) -> Result<KeyInput> {
        let key = secret_ref(self.key_env.as_ref(), self.key_file.as_ref())?;
        let secret = secret_ref(self.secret_env.as_ref(), self.secret_file.as_ref())?;
        let (Some(key), Some(secret)) = (key, secret) else {
            return prompt(owner).map(KeyInput::Entered);
        };
        let read = |location: &SecretRef, description: &str| {
            location.read(config.environment(), description)
        };
        let credentials = Credentials {
            key: read(&key, "the key")?.expose_secret().to_string(),
            secret: read(&secret, "the secret")?,
        };
        Ok(KeyInput::Referenced {
            key,
            secret,
            credentials,
        })
    }
}

fn secret_ref(variable: Option<&String>, file: Option<&PathBuf>) -> Result<Option<SecretRef>> {
    let file = file.map(std::path::absolute).transpose();
    let file = file.map_err(|e| Error::usage(format!("invalid path of a key: {e}")))?;
    let variable = variable.map(|name| {
        SecretRef::variable(name).ok_or_else(|| {
            // The text may be the secret itself.
            Error::usage("a value of --key-env or --secret-env is not the name of a variable")
                .with_hint("name the environment variable that holds it")
        })
    });
    Ok(variable.transpose()?.or(file.map(SecretRef::File)))
}

fn prompt(owner: KeyOwner) -> Result<Credentials> {
    let description = owner.description();
    let failed = |e: std::io::Error| Error::usage(format!("could not read the {description}: {e}"));
    // Both are hidden: whoever pastes two lines types the secret before its prompt.
    let (key, secret) = if std::io::stdin().is_terminal() {
        let key = prompt_hidden(owner.prompt()).map_err(failed)?;
        let secret = prompt_hidden("API secret (not shown): ").map_err(failed)?;
        (key, secret)
    } else {
        let mut lines = std::io::stdin().lock();
        let (mut key, mut secret) = (String::new(), String::new());
        lines.read_line(&mut key).map_err(failed)?;
        lines.read_line(&mut secret).map_err(failed)?;
        (key, secret)
    };
    let (key, secret) = (key.trim(), secret.trim());
    if key.is_empty() || secret.is_empty() {
        let missing = if key.is_empty() { "key" } else { "secret" };
        return Err(
            Error::usage(format!("no {missing} was given")).with_hint(format!(
                "type the {description} and its secret, pass them on stdin (one per line), or refer to them with \
                 --key-env or --key-file and --secret-env or --secret-file"
            )),
        );
    }
    Ok(Credentials {
        key: key.to_string(),
        secret: secret.to_string().into(),
    })
}

/// Reads a line from the terminal without echo.
#[cfg(unix)]
fn prompt_hidden(prompt: &str) -> std::io::Result<String> {
    // Ctrl-C would end the process before the echo is switched on again.
    let line = crate::os::ignoring_interrupts(|| rpassword::prompt_password(prompt));
    let is_interrupt = |e: &std::io::Error| e.kind() == std::io::ErrorKind::Interrupted;
    if line.as_ref().is_err_and(is_interrupt) {
        crate::os::raise_interrupt();
    }
    line
}

#[cfg(not(unix))]
fn prompt_hidden(prompt: &str) -> std::io::Result<String> {
    rpassword::prompt_password(prompt)
}
