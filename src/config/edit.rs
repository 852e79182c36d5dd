//! Changes to the configuration file: what `connections add`, `rotate` and `remove` write there.
//!
//! Comments and order stay as they are; the file changes whole or not at all.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value, value};

use crate::config::secret::{self, Credentials, Place};
use crate::config::settings::{self, Key, Kind};
use crate::config::{Config, keyring};
use crate::error::{Error, Result};

/// Where the credentials of a connection are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// In a file beside the configuration, which only its owner may read.
    File,
    /// In the system's keyring.
    Keyring,
}

/// The place of a connection's credentials.
pub fn credentials_place(file: &Path, connection: &str, keep: Keep) -> Place {
    match keep {
        Keep::Keyring => Place::Keyring(connection.to_string()),
        Keep::File => {
            let folder = file.parent().unwrap_or(Path::new(""));
            Place::File(folder.join(format!("credentials/{connection}.toml")))
        }
    }
}

/// Keeps credentials at a place.
///
/// # Errors
/// Kind configuration.
pub fn keep(place: &Place, credentials: &Credentials) -> Result<()> {
    use secrecy::ExposeSecret;
    let text = credentials.text();
    match place {
        Place::File(path) => secret::write_private(path, text.expose_secret()),
        Place::Keyring(entry) => keyring::write(entry, text.expose_secret()),
        place => Err(Error::bug(format!("credentials are not kept in {place}"))),
    }
}

/// The credentials at a place, if there are any.
///
/// # Errors
/// Kind configuration: a file that others can read, a keyring that is locked.
pub fn kept(place: &Place) -> Result<Option<Credentials>> {
    let there = match place {
        Place::File(path) => path.exists(),
        Place::Keyring(entry) => keyring::read(entry)?.is_some(),
        _ => false,
    };
    if !there {
        return Ok(None);
    }
    let what = "the credentials";
    // Neither a file nor a keyring is looked up in the environment.
    let text = place.read(&super::Environment::default(), what)?;
    Credentials::parse(&text, what).map(Some)
}

/// Removes what [`keep`] wrote.
///
/// # Errors
/// Kind configuration.
pub fn forget(place: &Place) -> Result<()> {
    match place {
        Place::Keyring(entry) => keyring::remove(entry),
        Place::File(path) => match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::config(format!(
                "cannot remove `{}`: {e}",
                path.display()
            ))),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Removes what [`keep`] wrote for a connection at `place`, which its configuration names. A file or an entry that
/// somebody else made stays.
///
/// # Errors
/// Kind configuration.
pub fn forget_own(file: &Path, connection: &str, place: Option<&Place>) -> Result<()> {
    let own = [Keep::File, Keep::Keyring].map(|keep| credentials_place(file, connection, keep));
    match place.filter(|place| own.iter().any(|own| own.to_string() == place.to_string())) {
        Some(place) => forget(place),
        None => Ok(()),
    }
}

/// A setting of a connection to write.
pub enum Set {
    /// A text.
    Text(String),
    /// Yes or no.
    Switch(bool),
    /// The place of a secret.
    Place(Place),
}

impl Config {
    /// The path of the configuration file to write to, which can be written.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn writable(&self) -> Result<PathBuf> {
        let path = self.place().ok_or_else(|| {
            Error::config("there is no place for a configuration file")
                .with_hint("name one with --config or BILLSTREAM_CONFIG, or set HOME")
        })?;
        // Another user's file, or a read-only one, shows now rather than after a key was made.
        match path.exists() {
            true => edit(path, |_| Ok(()))?,
            false => secret::writable_beside(path)?,
        }
        Ok(path.to_path_buf())
    }
}

/// Sets settings of a connection, and makes the connection if it is not there. Credentials replace a key
/// and secret that were set one by one, and these replace credentials.
///
/// # Errors
/// Kind configuration.
pub fn set_connection(path: &Path, connection: &str, settings: &[(Key, Set)]) -> Result<()> {
    edit(path, |document| {
        let connections = document
            .entry("connections")
            .or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            })
            .as_table_like_mut()
            .ok_or_else(|| {
                Error::config(format!("{}: `connections` is no table", path.display()))
            })?;
        let table = connections
            .entry(connection)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or_else(|| {
                Error::config(format!("{}: `{connection}` is no table", path.display()))
            })?;
        for (key, set) in settings {
            // Key and secret stand together or one by one, not both.
            if *key == settings::CREDENTIALS {
                table.remove(settings::KEY.name);
                table.remove(settings::SECRET.name);
            } else if key.kind == Kind::Secret {
                table.remove(settings::CREDENTIALS.name);
            }
            let item = match set {
                Set::Text(text) => value(text.as_str()),
                Set::Switch(on) => value(*on),
                Set::Place(place) => value(place_value(path, place)?),
            };
            table.insert(key.name, item);
        }
        Ok(())
    })
}

/// Takes a connection out.
///
/// # Errors
/// Kind configuration.
pub fn remove_connection(path: &Path, connection: &str) -> Result<()> {
    edit(path, |document| {
        let connections = document.get_mut("connections");
        if let Some(connections) = connections.and_then(Item::as_table_like_mut) {
            connections.remove(connection);
        }
        Ok(())
    })
}

/// A place as the file has it; files below its folder are relative to it.
fn place_value(path: &Path, place: &Place) -> Result<Value> {
    let (name, text) = match place {
        Place::Variable(name) => ("env", name.clone()),
        Place::Keyring(entry) => ("keyring", entry.clone()),
        Place::File(file) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            let relative = file.strip_prefix(folder).unwrap_or(file);
            ("file", relative.display().to_string())
        }
        Place::Plain(_) => return Err(Error::bug("a secret is not written in plain text")),
    };
    let mut table = InlineTable::new();
    table.insert(name, text.into());
    Ok(table.into())
}

fn edit(path: &Path, change: impl FnOnce(&mut DocumentMut) -> Result<()>) -> Result<()> {
    let _lock = secret::lock_beside(path)?;
    // A link stays a link.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let failed = |e: &dyn std::fmt::Display| {
        Error::config(format!("cannot write `{}`: {e}", path.display()))
    };
    let before = match std::fs::read_to_string(&target) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed(&e)),
    };
    let text = before.as_deref().unwrap_or_default();
    let mut document: DocumentMut = text
        .parse()
        .map_err(|_| Error::config(format!("`{}` is no TOML", path.display())))?;
    change(&mut document)?;
    let permissions = std::fs::metadata(&target).map(|metadata| metadata.permissions());
    secret::write_private(&target, &document.to_string())?;
    if let Ok(permissions) = permissions {
        std::fs::set_permissions(&target, permissions).map_err(|e| failed(&e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_comes_and_goes_and_the_rest_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/billstream.toml");
        let place = credentials_place(&path, "acme", Keep::File);
        let settings = || {
            [
                (settings::CREDENTIALS, Set::Place(place.clone())),
                (settings::INVENTORY, Set::Switch(true)),
                (settings::CLOUD_PROVIDER, Set::Text("Kafka \"X\"".into())),
            ]
        };
        set_connection(&path, "acme", &settings()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "[connections.acme]\ncredentials = { file = \"credentials/acme.toml\" }\ninventory = true\n\
             cloud_provider = 'Kafka \"X\"'\n"
        );

        let own = "# mine\nstore = \"x\" # here\n\n[connections.acme]\nkey = \"k\"\nsecret = { env = \"S\" }\n\
                   currency = \"USD\" # dollars\n\n[connections.other]\nkey = { env = \"K\" }\n";
        std::fs::write(&path, own).unwrap();
        set_connection(&path, "acme", &settings()[..1]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for kept in [
            "# mine\nstore = \"x\" # here\n",
            "currency = \"USD\" # dollars\n",
            "[connections.other]\n",
        ] {
            assert!(text.contains(kept), "{text}");
        }
        assert!(
            !text.contains("key = \"k\"") && !text.contains("env = \"S\""),
            "{text}"
        );
        remove_connection(&path, "acme").unwrap();
        remove_connection(&path, "nobody").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("acme") && text.contains("[connections.other]"),
            "{text}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn mode_and_link_of_the_file_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (
            folder.path().join("real.toml"),
            folder.path().join("link.toml"),
        );
        std::fs::write(&real, "").unwrap();
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        set_connection(&link, "a", &[(settings::INVENTORY, Set::Switch(false))]).unwrap();
        assert!(link.is_symlink());
        assert_eq!(
            std::fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(
            std::fs::read_to_string(&real)
                .unwrap()
                .contains("inventory = false")
        );
    }
}
