//! The system's keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Without the feature `keyring` every operation fails with a configuration error.

#[cfg(feature = "keyring")]
pub(crate) use system::{delete, read, write};
#[cfg(not(feature = "keyring"))]
pub(crate) use unsupported::{delete, read, write};

const ALTERNATIVES: &str = "keep the secret in a file of mode 0600 or in an environment variable";

#[cfg(feature = "keyring")]
mod system {
    use keyring::Entry;

    use super::ALTERNATIVES;
    use crate::error::{Error, Result};

    /// Service name of all entries.
    const SERVICE: &str = "billstream";

    /// Reads an entry; `None` if it does not exist.
    ///
    /// # Errors
    /// Kind configuration: the keyring is missing or locked.
    pub(crate) fn read(entry: &str) -> Result<Option<String>> {
        match open(entry)?.get_password() {
            Ok(text) => Ok(Some(text)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(failed("read", entry, &error)),
        }
    }

    /// Creates or replaces an entry.
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) fn write(entry: &str, text: &str) -> Result<()> {
        let written = open(entry)?.set_password(text);
        written.map_err(|error| failed("write", entry, &error))
    }

    /// Deletes an entry if it exists.
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) fn delete(entry: &str) -> Result<()> {
        match open(entry)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(failed("delete", entry, &error)),
        }
    }

    fn open(entry: &str) -> Result<Entry> {
        Entry::new(SERVICE, entry).map_err(|error| failed("open", entry, &error))
    }

    fn failed(verb: &str, entry: &str, error: &keyring::Error) -> Error {
        use keyring::Error::*;
        // Other variants can hold the secret that was read, so they are not displayed.
        let cause = match error {
            PlatformFailure(_) | NoStorageAccess(_) | TooLong(..) => error.to_string(),
            NoDefaultStore => match Entry::store_status() {
                Err(PlatformFailure(cause) | NoStorageAccess(cause)) => cause.to_string(),
                _ => "this computer has no keyring".to_string(),
            },
            Ambiguous(_) => "several entries have that name".to_string(),
            _ => "it is not text".to_string(),
        };
        Error::config(format!("could not {verb} keyring entry `{entry}`: {cause}")).with_hint(
            format!(
                "on Linux, start a session bus and unlock a Secret Service (GNOME Keyring, KWallet); without one, \
                 {ALTERNATIVES}"
            ),
        )
    }
}

#[cfg(not(feature = "keyring"))]
mod unsupported {
    use super::ALTERNATIVES;
    use crate::error::{Error, Result};

    pub(crate) fn read(entry: &str) -> Result<Option<String>> {
        Err(unsupported("read", entry))
    }

    pub(crate) fn write(entry: &str, _text: &str) -> Result<()> {
        Err(unsupported("write", entry))
    }

    pub(crate) fn delete(entry: &str) -> Result<()> {
        Err(unsupported("delete", entry))
    }

    fn unsupported(verb: &str, entry: &str) -> Error {
        Error::config(format!(
            "could not {verb} keyring entry `{entry}`: this build has no keyring support"
        ))
        .with_hint(format!(
            "build billstream with the feature `keyring`, or {ALTERNATIVES}"
        ))
    }
}
