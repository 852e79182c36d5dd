//! The system's keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.

use keyring::Entry;

use crate::error::{Error, Result};

/// The service under which entries lie.
const SERVICE: &str = "billstream";

/// The text of an entry; `None` when there is no such entry.
///
/// # Errors
/// Kind configuration: there is no keyring, or it is locked.
pub fn read(entry: &str) -> Result<Option<String>> {
    match open(entry)?.get_password() {
        Ok(text) => Ok(Some(text)),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(failed("read", entry, &error)),
    }
}

/// Makes or replaces an entry.
///
/// # Errors
/// As [`read`].
pub fn write(entry: &str, text: &str) -> Result<()> {
    let written = open(entry)?.set_password(text);
    written.map_err(|error| failed("write", entry, &error))
}

/// Removes an entry; one that is not there is no error.
///
/// # Errors
/// As [`read`].
pub fn remove(entry: &str) -> Result<()> {
    match open(entry)?.delete_credential() {
        Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
        Err(error) => Err(failed("remove", entry, &error)),
    }
}

fn open(entry: &str) -> Result<Entry> {
    Entry::new(SERVICE, entry).map_err(|error| failed("open", entry, &error))
}

fn failed(verb: &str, entry: &str, error: &keyring::Error) -> Error {
    use keyring::Error::*;
    // Some errors hold what was read: only those that do not are shown.
    let why = match error {
        PlatformFailure(_) | NoStorageAccess(_) | TooLong(..) => error.to_string(),
        NoDefaultStore => match Entry::store_status() {
            Err(PlatformFailure(why) | NoStorageAccess(why)) => why.to_string(),
            _ => "this computer has none".to_string(),
        },
        Ambiguous(_) => "there are several of that name".to_string(),
        _ => "it is no text".to_string(),
    };
    Error::config(format!("cannot {verb} the keyring's entry `{entry}`: {why}")).with_hint(
        "on Linux it takes a session bus and a Secret Service (GNOME Keyring, KWallet) that is unlocked; \
         without one keep the secret in a file of mode 0600 or in an environment variable",
    )
}
