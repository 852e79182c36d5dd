//! Edits of the configuration file by `connections add`, `rotate` and `remove`.
//!
//! Comments and order are preserved; the file is replaced atomically.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value, value};

use crate::config::secret::SecretRef;
use crate::config::settings::{self, Setting, ValueType};
use crate::config::{Config, private_file};
use crate::error::{Error, Result};

/// Value to write for a connection's setting.
pub(crate) enum NewValue {
    Text(String),
    Boolean(bool),
    Secret(SecretRef),
}

impl Config {
    /// Path of the configuration file, checked to be writable.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn writable_path(&self) -> Result<PathBuf> {
        let path = self.path().ok_or_else(|| {
            Error::config("could not determine the path of the configuration file")
                .with_hint("set --config, BILLSTREAM_CONFIG or HOME")
        })?;
        // Another user's file, or a read-only one, must show before a key is created.
        if path.exists() {
            edit(path, |_| Ok(()))?;
        } else {
            private_file::check_writable(path)?;
        }
        Ok(path.to_path_buf())
    }
}

/// Writes settings of a connection, creating the connection if needed. `credentials` replaces a separate `key` and
/// `secret`, and the reverse.
///
/// # Errors
/// Kind configuration.
pub(crate) fn set_connection(
    path: &Path,
    connection: &str,
    settings: &[(Setting, NewValue)],
) -> Result<()> {
    edit(path, |document| {
        let connections = document
            .entry("connections")
            .or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            })
            .as_table_like_mut()
            .ok_or_else(|| not_a_table(path, "connections"))?;
        let table = connections
            .entry(connection)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or_else(|| not_a_table(path, connection))?;
        for (setting, new) in settings {
            if *setting == settings::CREDENTIALS {
                table.remove(settings::KEY.name);
                table.remove(settings::SECRET.name);
            } else if setting.value_type == ValueType::Secret {
                table.remove(settings::CREDENTIALS.name);
            }
            let item = match new {
                NewValue::Text(text) => value(text.as_str()),
                NewValue::Boolean(on) => value(*on),
                NewValue::Secret(secret) => value(secret_value(path, secret)?),
            };
            table.insert(setting.name, item);
        }
        Ok(())
    })
}

fn not_a_table(path: &Path, name: &str) -> Error {
    Error::config(format!("{}: `{name}` is not a table", path.display()))
}

/// Deletes a connection.
///
/// # Errors
/// Kind configuration.
pub(crate) fn remove_connection(path: &Path, connection: &str) -> Result<()> {
    edit(path, |document| {
        let connections = document.get_mut("connections");
        if let Some(connections) = connections.and_then(Item::as_table_like_mut) {
            connections.remove(connection);
        }
        Ok(())
    })
}

/// Formats a secret reference for the file; files below its folder become relative paths.
fn secret_value(path: &Path, secret: &SecretRef) -> Result<Value> {
    let (name, text) = match secret {
        SecretRef::Variable(name) => ("env", name.clone()),
        SecretRef::Keyring(entry) => ("keyring", entry.clone()),
        SecretRef::File(file) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            let relative = file.strip_prefix(folder).unwrap_or(file);
            ("file", relative.display().to_string())
        }
        SecretRef::Plain(_) => {
            return Err(Error::bug("secrets are never written in plain text"));
        }
    };
    let mut table = InlineTable::new();
    table.insert(name, text.into());
    Ok(table.into())
}

fn edit(path: &Path, change: impl FnOnce(&mut DocumentMut) -> Result<()>) -> Result<()> {
    let _lock = private_file::lock_folder(path)?;
    // Replaces the target of a symbolic link, not the link.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let failed = |e: &dyn std::fmt::Display| {
        Error::config(format!("could not write `{}`: {e}", path.display()))
    };
    let before = match std::fs::read_to_string(&target) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed(&e)),
    };
    let text = before.as_deref().unwrap_or_default();
    let mut document: DocumentMut = text
        .parse()
        .map_err(|_| Error::config(format!("`{}` is not valid TOML", path.display())))?;
    change(&mut document)?;
    let permissions = std::fs::metadata(&target).map(|metadata| metadata.permissions());
    private_file::write(&target, &document.to_string())?;
    if let Ok(permissions) = permissions {
        std::fs::set_permissions(&target, permissions).map_err(|e| failed(&e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::credential_store::CredentialStore;

    #[test]
    fn preserves_comments_and_other_connections() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/billstream.toml");
        let secret = CredentialStore::File.secret_ref(&path, "acme");
        let settings = || {
            [
                (settings::CREDENTIALS, NewValue::Secret(secret.clone())),
                (settings::INVENTORY, NewValue::Boolean(true)),
                (
                    settings::CLOUD_PROVIDER,
                    NewValue::Text("Kafka \"X\"".into()),
                ),
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
        remove_connection(&path, "unknown").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("acme") && text.contains("[connections.other]"),
            "{text}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn preserves_the_mode_and_the_symbolic_link() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (
            folder.path().join("real.toml"),
            folder.path().join("link.toml"),
        );
        std::fs::write(&real, "").unwrap();
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        set_connection(
            &link,
            "a",
            &[(settings::INVENTORY, NewValue::Boolean(false))],
        )
        .unwrap();
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
