//! Storage of credentials that billstream writes itself: a private file, or the system's keyring.

use std::path::Path;

use secrecy::ExposeSecret;

use crate::config::secret::{Credentials, SecretRef};
use crate::config::{Environment, keyring, private_file};
use crate::error::{Error, Result};

/// Kind of storage for a connection's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialStore {
    /// `credentials/<connection>.toml` beside the configuration file, readable by its owner only.
    File,
    /// An entry of the system's keyring.
    Keyring,
}

impl CredentialStore {
    /// Location of a connection's credentials; `config_file` is the configuration file.
    pub(crate) fn secret_ref(self, config_file: &Path, connection: &str) -> SecretRef {
        match self {
            CredentialStore::Keyring => SecretRef::Keyring(connection.to_string()),
            CredentialStore::File => {
                let folder = config_file.parent().unwrap_or(Path::new(""));
                SecretRef::File(folder.join(format!("credentials/{connection}.toml")))
            }
        }
    }
}

/// Writes credentials to a file or keyring entry.
///
/// # Errors
/// Kind configuration.
pub(crate) fn write(location: &SecretRef, credentials: &Credentials) -> Result<()> {
    let text = credentials.to_text();
    match location {
        SecretRef::File(path) => private_file::write(path, text.expose_secret()),
        SecretRef::Keyring(entry) => keyring::write(entry, text.expose_secret()),
        SecretRef::Plain(_) | SecretRef::Variable(_) => Err(Error::bug(format!(
            "credentials cannot be written to {location}"
        ))),
    }
}

/// Reads credentials; `None` if the file or entry does not exist.
///
/// # Errors
/// Kind configuration: a file that others can read, a locked keyring.
pub(crate) fn read(location: &SecretRef) -> Result<Option<Credentials>> {
    let exists = match location {
        SecretRef::File(path) => path.exists(),
        SecretRef::Keyring(entry) => keyring::read(entry)?.is_some(),
        SecretRef::Plain(_) | SecretRef::Variable(_) => false,
    };
    if !exists {
        return Ok(None);
    }
    let description = "the credentials";
    // Files and keyring entries do not depend on the environment.
    let text = location.read(&Environment::default(), description)?;
    Credentials::parse(&text, description).map(Some)
}

/// Deletes what [`write()`] wrote.
///
/// # Errors
/// Kind configuration.
pub(crate) fn delete(location: &SecretRef) -> Result<()> {
    match location {
        SecretRef::Keyring(entry) => keyring::delete(entry),
        SecretRef::File(path) => private_file::delete(path),
        SecretRef::Plain(_) | SecretRef::Variable(_) => Ok(()),
    }
}

/// Deletes the credentials at `location` only if billstream wrote them for this connection. Files and entries
/// from elsewhere are kept.
///
/// # Errors
/// Kind configuration.
pub(crate) fn delete_own(
    config_file: &Path,
    connection: &str,
    location: Option<&SecretRef>,
) -> Result<()> {
    let own = [CredentialStore::File, CredentialStore::Keyring]
        .map(|store| store.secret_ref(config_file, connection).to_string());
    match location.filter(|location| own.contains(&location.to_string())) {
        Some(location) => delete(location),
        None => Ok(()),
    }
}
