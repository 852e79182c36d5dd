//! What a set-up writes down while it is on its way, beside the configuration file, for its owner alone.
//!
//! ```text
//! setup/<connection>.json               what was found and made, without secrets
//! credentials/<connection>.new.toml     the new key, until it is proven; or an entry of the keyring
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::edit::{self, Keep};
use crate::config::secret::{self, Credentials, Place};
use crate::error::{Error, Result};

/// What a set-up found or made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedResource {
    /// Its id.
    pub id: String,
    /// Its name, or its role.
    pub name: String,
    /// Whether a set-up made it; else it was there before.
    pub made: bool,
    /// Whether that set-up came to its end, so that a later one has nothing to take back.
    #[serde(default)]
    pub earlier: bool,
}

impl ProvisionedResource {
    /// Whether a set-up made it that is on its way.
    pub fn is_new(&self) -> bool {
        self.made && !self.earlier
    }
}

/// How far a set-up or a rotation came. It holds no secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The service account.
    pub service_account: Option<ProvisionedResource>,
    /// Its roles.
    #[serde(default)]
    pub role_bindings: Vec<ProvisionedResource>,
    /// The name that the new key has, and no other one.
    #[serde(default)]
    pub key_name: String,
    /// The new key.
    pub key: Option<String>,
    /// The key that it takes the place of.
    pub replaces: Option<String>,
    /// Whether it came to its end.
    #[serde(default)]
    pub finished: bool,
    /// The root of the API that it talks to.
    #[serde(default)]
    pub endpoint: Option<Url>,
    /// Whether the new key is held in the keyring.
    #[serde(default)]
    pub keyring: bool,
}

impl Progress {
    /// What was made so far, in words; nothing when nothing was.
    pub fn made(&self) -> Vec<String> {
        let account = self.service_account.iter().filter(|thing| thing.is_new());
        let account = account.map(|a| format!("service account `{}` ({})", a.name, a.id));
        let roles = self.role_bindings.iter().filter(|thing| thing.is_new());
        let roles = roles.map(|role| format!("role {} ({})", role.name, role.id));
        let key = self.key.iter().map(|key| format!("API key {key}"));
        account.chain(roles).chain(key).collect()
    }

    /// Commands of Confluent's own tool that take back what was made.
    pub fn undo(&self) -> Vec<String> {
        match &self.service_account {
            // Its keys and roles go along.
            Some(account) if account.is_new() => {
                vec![format!(
                    "confluent iam service-account delete {}",
                    account.id
                )]
            }
            _ => {
                let key = self
                    .key
                    .iter()
                    .map(|key| format!("confluent api-key delete {key}"));
                let roles = self.role_bindings.iter().filter(|role| role.is_new());
                let account = self
                    .service_account
                    .as_ref()
                    .map_or("", |account| &account.id);
                let roles = roles.map(|role| {
                    format!(
                        "confluent iam rbac role-binding delete --principal User:{account} --role {}",
                        role.name
                    )
                });
                key.chain(roles).collect()
            }
        }
    }
}

/// The notes of a connection.
#[derive(Debug)]
pub struct Notebook {
    path: PathBuf,
    new: Place,
}

impl Notebook {
    /// Beside the configuration `file`; the new key is held as `keep` says.
    pub fn beside(file: &Path, connection: &str, keep: Keep) -> Notebook {
        let folder = file.parent().unwrap_or(Path::new(""));
        Notebook {
            path: folder.join(format!("setup/{connection}.json")),
            new: edit::credentials_place(file, &format!("{connection}.new"), keep),
        }
    }

    /// Keeps other set-ups, rotations and removals out until it is dropped.
    ///
    /// # Errors
    /// Kind locked while another one is at work; class configuration.
    pub fn lock(&self) -> Result<Option<File>> {
        secret::try_lock_beside(&self.path)
    }

    /// Whether notes and key can be written: a folder that cannot shows before anything is made.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn writable(&self) -> Result<()> {
        secret::writable_beside(&self.path)?;
        match &self.new {
            Place::File(path) => secret::writable_beside(path),
            _ => Ok(()),
        }
    }

    /// What was written down; nothing when there is nothing.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn load(&self) -> Result<Option<Progress>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let text = secret::read_private(&self.path)?;
        serde_json::from_str(&text).map(Some).map_err(|e| {
            Error::config(format!("`{}` cannot be read: {e}", self.path.display())).with_hint(
                "it says what a set-up made: delete it if you have looked after that yourself",
            )
        })
    }

    /// Writes down how far a set-up came.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn save(&self, progress: &Progress) -> Result<()> {
        let text =
            serde_json::to_string_pretty(progress).map_err(|e| Error::bug(format!("JSON: {e}")))?;
        secret::write_private(&self.path, &text)
    }

    /// Holds the new key.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn hold(&self, credentials: &Credentials) -> Result<()> {
        edit::keep(&self.new, credentials)
    }

    /// The key that is held.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn held(&self) -> Result<Option<Credentials>> {
        edit::kept(&self.new)
    }

    /// Lets the held key go.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn let_go(&self) -> Result<()> {
        edit::forget(&self.new)
    }

    /// Throws the notes away.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn discard(&self) -> Result<()> {
        self.let_go()?;
        edit::forget(&Place::File(self.path.clone()))
    }
}
