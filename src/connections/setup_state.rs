//! Persisted progress of setups and rotations, beside the configuration file and readable by its owner only.
//!
//! ```text
//! setup/<connection>.json               what was found and created, without secrets
//! credentials/<connection>.new.toml     the new key until it is probed; or a keyring entry
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::credential_store::{self, CredentialStore};
use crate::config::private_file;
use crate::config::secret::{Credentials, SecretRef};
use crate::error::{Error, Result};

/// A service account or role binding that a setup found or created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProvisionedResource {
    pub id: String,
    /// Name of the account, or of the role.
    pub name: String,
    /// Set if a setup created it; otherwise it existed before.
    #[serde(rename = "made")]
    pub created: bool,
    /// Set if the setup that created it has finished, so that a later one must not undo it.
    #[serde(default)]
    pub earlier: bool,
}

impl ProvisionedResource {
    /// Returns whether the current setup created it.
    pub(crate) fn is_new(&self) -> bool {
        self.created && !self.earlier
    }
}

/// Progress of a setup or a rotation. It holds no secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetupState {
    pub service_account: Option<ProvisionedResource>,
    #[serde(default)]
    pub role_bindings: Vec<ProvisionedResource>,
    /// Unique display name of the new key.
    #[serde(default)]
    pub key_name: String,
    /// Id of the new key.
    pub key: Option<String>,
    /// Id of the key that a rotation replaces.
    pub replaces: Option<String>,
    #[serde(default)]
    pub finished: bool,
    /// Root URL of the API.
    #[serde(default)]
    pub endpoint: Option<Url>,
    /// Set if the new key is in the keyring.
    #[serde(default)]
    pub keyring: bool,
}

impl SetupState {
    /// Describes what the current setup has created.
    pub(crate) fn created(&self) -> Vec<String> {
        let account = self
            .service_account
            .iter()
            .filter(|account| account.is_new());
        let account = account.map(|a| format!("service account `{}` ({})", a.name, a.id));
        let roles = self.role_bindings.iter().filter(|role| role.is_new());
        let roles = roles.map(|role| format!("role {} ({})", role.name, role.id));
        let key = self.key.iter().map(|key| format!("API key {key}"));
        account.chain(roles).chain(key).collect()
    }

    /// Commands of Confluent's CLI that delete what the current setup has created.
    pub(crate) fn undo_commands(&self) -> Vec<String> {
        let account = self.service_account.as_ref();
        if let Some(account) = account.filter(|account| account.is_new()) {
            // Deletes its keys and roles as well.
            return vec![format!(
                "confluent iam service-account delete {}",
                account.id
            )];
        }
        let account = account.map_or("", |account| &account.id);
        let key = self
            .key
            .iter()
            .map(|key| format!("confluent api-key delete {key}"));
        let roles = self.role_bindings.iter().filter(|role| role.is_new());
        let roles = roles.map(|role| {
            format!(
                "confluent iam rbac role-binding delete --principal User:{account} --role {}",
                role.name
            )
        });
        key.chain(roles).collect()
    }
}

/// Message about a key that a replaced or abandoned setup leaves active.
pub(crate) fn still_active(key: &str) -> String {
    format!("API key {key} is still active; delete it with `confluent api-key delete {key}`")
}

/// The state file of a connection, and the location of its new key.
#[derive(Debug)]
pub(crate) struct SetupFiles {
    path: PathBuf,
    new_key: SecretRef,
}

impl SetupFiles {
    /// Files beside the configuration file; `store` is where the new key is kept.
    pub(crate) fn beside(
        config_file: &Path,
        connection: &str,
        store: CredentialStore,
    ) -> SetupFiles {
        let folder = config_file.parent().unwrap_or(Path::new(""));
        SetupFiles {
            path: folder.join(format!("setup/{connection}.json")),
            new_key: store.secret_ref(config_file, &format!("{connection}.new")),
        }
    }

    /// Locks out other setups, rotations and removals until the result is dropped.
    ///
    /// # Errors
    /// Kind locked while another command holds the lock; kind configuration.
    pub(crate) fn lock(&self) -> Result<Option<File>> {
        private_file::try_lock_folder(&self.path)
    }

    /// Checks that state and key can be written, before anything is created at Confluent.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn check_writable(&self) -> Result<()> {
        private_file::check_writable(&self.path)?;
        match &self.new_key {
            SecretRef::File(path) => private_file::check_writable(path),
            _ => Ok(()),
        }
    }

    /// Loads the state; `None` if there is none.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn load(&self) -> Result<Option<SetupState>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let text = private_file::read(&self.path)?;
        serde_json::from_str(&text).map(Some).map_err(|e| {
            Error::config(format!("could not read `{}`: {e}", self.path.display())).with_hint(
                "it records what a setup created: check that in Confluent Cloud, then delete it",
            )
        })
    }

    /// Saves the state.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn save(&self, state: &SetupState) -> Result<()> {
        let text =
            serde_json::to_string_pretty(state).map_err(|e| Error::bug(format!("JSON: {e}")))?;
        private_file::write(&self.path, &text)
    }

    /// Stores the new key.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn store_new_key(&self, credentials: &Credentials) -> Result<()> {
        credential_store::write(&self.new_key, credentials)
    }

    /// Reads the new key; `None` if there is none.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn new_key(&self) -> Result<Option<Credentials>> {
        credential_store::read(&self.new_key)
    }

    /// Deletes the stored new key.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn delete_new_key(&self) -> Result<()> {
        credential_store::delete(&self.new_key)
    }

    /// Deletes state and new key.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn delete(&self) -> Result<()> {
        self.delete_new_key()?;
        private_file::delete(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_state_of_earlier_versions() {
        let state: SetupState = serde_json::from_str(
            "{\"service_account\": {\"id\": \"sa-1\", \"name\": \"billstream\", \"made\": true}, \"key\": \"K\", \
             \"replaces\": null}",
        )
        .unwrap();
        assert!(state.service_account.as_ref().unwrap().is_new());
        assert!(!state.finished && !state.keyring);
        assert_eq!(
            state.created(),
            ["service account `billstream` (sa-1)", "API key K"]
        );
        assert_eq!(
            state.undo_commands(),
            ["confluent iam service-account delete sa-1"]
        );
    }

    #[test]
    fn undo_of_a_replacement_deletes_only_what_is_new() {
        let resource = |id: &str, name: &str, earlier| ProvisionedResource {
            id: id.into(),
            name: name.into(),
            created: true,
            earlier,
        };
        let state = SetupState {
            service_account: Some(resource("sa-1", "billstream", true)),
            role_bindings: vec![
                resource("rb-1", "BillingAdmin", true),
                resource("rb-2", "Operator", false),
            ],
            key: Some("K".into()),
            ..SetupState::default()
        };
        assert_eq!(state.created(), ["role Operator (rb-2)", "API key K"]);
        assert_eq!(
            state.undo_commands(),
            [
                "confluent api-key delete K",
                "confluent iam rbac role-binding delete --principal User:sa-1 --role Operator"
            ]
        );
    }
}
