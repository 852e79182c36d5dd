//! Removal of a connection: revocation of its access at Confluent, and deletion of its configuration,
//! credentials and state. Imported costs are kept.

use std::fs::File;

use crate::config::credential_store::{self, CredentialStore};
use crate::config::edit;
use crate::config::secret::{Credentials, SecretRef};
use crate::config::{Config, settings};
use crate::confluent::iam::Iam;
use crate::connections::setup_state::{SetupFiles, SetupState};
use crate::connections::{Report, interactive_client, state};
use crate::error::{Error, Result};
use crate::store::destinations;
use crate::store::lease::Fence;

/// Loads the state of the connection's setup or rotation; `None` if there is none.
///
/// # Errors
/// Kind configuration.
pub(crate) fn setup_state(config: &Config, connection: &str) -> Result<Option<SetupState>> {
    let files = |file| SetupFiles::beside(file, connection, CredentialStore::File);
    let state = config.path().map(|file| files(file).load());
    Ok(state.transpose()?.flatten())
}

/// Locks out other setups, rotations and removals until the result is dropped.
///
/// # Errors
/// Kind locked while another command holds the lock; kind configuration.
pub(crate) fn lock(config: &Config, connection: &str) -> Result<Option<File>> {
    let is_local = config.is_configured(connection) || setup_state(config, connection)?.is_some();
    // Without local files there is nothing to protect, and no folder should be created.
    match config.path().filter(|_| is_local) {
        Some(file) => SetupFiles::beside(file, connection, CredentialStore::File).lock(),
        None => Ok(None),
    }
}

/// Deletes the connection's keys at Confluent, and the roles and service account that its setup created.
///
/// # Errors
/// Those of the requests; kind configuration if no key is known.
pub(crate) async fn revoke(
    config: &Config,
    connection: &str,
    admin: Credentials,
    report: &Report,
) -> Result<()> {
    let saved = setup_state(config, connection)?;
    let mut keys = known_keys(config, connection, saved.as_ref())?;
    let saved = saved.unwrap_or_default();
    let mut settings = config.confluent_with(connection, admin)?;
    // An interrupted setup is not in the configuration file yet, so its endpoint is not either.
    if let Some(endpoint) = &saved.endpoint
        && !config.is_configured(connection)
    {
        settings.endpoint = endpoint.clone();
    }
    let admin = interactive_client(&settings)?;
    let iam = Iam::new(&admin, None);
    let account = saved.service_account.as_ref();
    let mut other_keys = 0;
    if let Some(account) = account {
        for key in iam.api_keys(&account.id).await? {
            // A key whose secret was lost is recognized by its name.
            let has_our_name = !saved.key_name.is_empty() && key.display_name() == saved.key_name;
            if has_our_name || keys.contains(&key.id) {
                keys.push(key.id);
            } else {
                other_keys += 1;
            }
        }
    }
    keys.sort();
    keys.dedup();
    for key in &keys {
        iam.delete_api_key(key).await?;
        report(&format!("API key {key}: deleted"));
    }
    let Some(account) = account else {
        if keys.is_empty() {
            return Err(Error::config(format!(
                "could not find an API key of `{connection}` to delete"
            ))
            .with_hint("remove it without --revoke, and delete the key in Confluent Cloud"));
        }
        return Ok(());
    };
    let described = format!("service account `{}` ({})", account.name, account.id);
    if other_keys > 0 {
        let noun = if other_keys == 1 { "key" } else { "keys" };
        report(&format!(
            "{described}: kept because it has {other_keys} other {noun}"
        ));
    } else if account.created {
        iam.delete_service_account(&account.id).await?;
        report(&format!("{described}: deleted"));
    } else {
        for role in saved.role_bindings.iter().filter(|role| role.created) {
            iam.delete_role_binding(&role.id).await?;
            report(&format!("role {} ({}): deleted", role.name, role.id));
        }
    }
    Ok(())
}

/// Ids of the keys that belong to the connection.
fn known_keys(
    config: &Config,
    connection: &str,
    saved: Option<&SetupState>,
) -> Result<Vec<String>> {
    let ids = |state: &SetupState| -> Vec<String> {
        state.key.iter().chain(&state.replaces).cloned().collect()
    };
    let mut keys = saved.map(ids).unwrap_or_default();
    // The environment's key may serve other purposes, unless it is all there is of the connection.
    let has_own = saved.is_some() || config.is_configured(connection);
    let is_foreign = has_own && config.uses_env_credentials(connection);
    if config.has_credentials(connection) && !is_foreign {
        match config.credentials(connection) {
            Ok(credentials) => keys.push(credentials.key),
            Err(error) if keys.is_empty() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(keys)
}

/// Deletes the connection's configuration, the credentials that billstream stored, and its state, and releases its
/// claims.
///
/// # Errors
/// Kind configuration; kind locked after a lost lease; those of the store.
pub(crate) async fn delete(config: &Config, fence: &Fence) -> Result<()> {
    let connection = fence.connection();
    fence.confirm().await?;
    let saved = setup_state(config, connection)?;
    let in_keyring = saved.is_some_and(|saved| saved.keyring)
        || matches!(
            config.stored_credentials(connection),
            Some(SecretRef::Keyring(_))
        );
    let credential_store = if in_keyring {
        CredentialStore::Keyring
    } else {
        CredentialStore::File
    };
    if let Some(file) = config.path() {
        if config.is_configured(connection) {
            // The keyring may be locked, so the configuration that refers to it is deleted last.
            credential_store::delete_own(file, connection, config.stored_credentials(connection))?;
            edit::remove_connection(file, connection)?;
        }
        SetupFiles::beside(file, connection, credential_store).delete()?;
    }
    destinations::forget(fence).await?;
    state::delete(fence).await
}

/// Returns the variable whose key still defines the connection after its removal.
pub(crate) fn remaining_variable(config: &Config, connection: &str) -> Option<&'static str> {
    config
        .uses_env_credentials(connection)
        .then_some(settings::KEY.variable)
}
