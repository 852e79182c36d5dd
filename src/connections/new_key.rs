//! Creation of a Cloud API key, resumable at every step.

use std::time::Duration;

use crate::config::secret::Credentials;
use crate::confluent::iam::{ApiKey, Iam};
use crate::connections::Report;
use crate::connections::setup_state::{SetupFiles, SetupState};
use crate::error::{Error, Result};

/// Attempts at a step whose outcome is unknown.
pub(super) const ATTEMPTS: u32 = 3;
/// Wait before the next attempt.
pub(super) const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Creates a Cloud API key of an owner, or returns the one that an interrupted setup created.
///
/// # Errors
/// Those of the requests, and of storing the key.
pub(super) async fn create(
    iam: &Iam<'_>,
    owner: &str,
    connection: &str,
    files: &SetupFiles,
    state: &mut SetupState,
    report: &Report,
) -> Result<Credentials> {
    if state.key_name.is_empty() {
        state.key_name = format!("billstream {connection} {:08x}", rand::random::<u32>());
        save(iam, files, state)?;
    }
    if iam.is_dry() {
        iam.api_keys(owner).await?;
        let key = iam.create_api_key(owner, &state.key_name).await?.id;
        let secret = String::new().into();
        return Ok(Credentials { key, secret });
    }
    for attempt in 1.. {
        if let Some(credentials) = created_earlier(iam, owner, files, state, report).await? {
            return Ok(credentials);
        }
        match iam.create_api_key(owner, &state.key_name).await {
            Ok(key) => return store(iam, key, files, state, report).await,
            Err(failure) if failure.outcome_unknown() && attempt < ATTEMPTS => {
                iam.client().sleep(RETRY_WAIT).await;
            }
            Err(failure) => return Err(failure.into_error()),
        }
    }
    Err(Error::bug("no API key was created"))
}

/// Returns the stored key if it exists at Confluent. Deletes other keys of its name, whose secrets are lost.
async fn created_earlier(
    iam: &Iam<'_>,
    owner: &str,
    files: &SetupFiles,
    state: &SetupState,
    report: &Report,
) -> Result<Option<Credentials>> {
    let stored = files.new_key()?;
    let mut usable = None;
    for key in iam.api_keys(owner).await? {
        if key.display_name() != state.key_name {
            continue;
        }
        let is_stored = |credentials: &&Credentials| credentials.key == key.id;
        if let Some(credentials) = stored.as_ref().filter(is_stored) {
            report(&format!("API key {}: created earlier", key.id));
            usable = Some(credentials.clone());
        } else {
            iam.delete_api_key(&key.id).await?;
            report(&format!(
                "API key {}: deleted because its secret was lost",
                key.id
            ));
        }
    }
    Ok(usable)
}

/// Stores a key that was just created: Confluent returns its secret only once.
async fn store(
    iam: &Iam<'_>,
    key: ApiKey,
    files: &SetupFiles,
    state: &mut SetupState,
    report: &Report,
) -> Result<Credentials> {
    let credentials = Credentials {
        key: key.id.clone(),
        secret: key.secret().to_string().into(),
    };
    state.key = Some(key.id.clone());
    let stored = files
        .store_new_key(&credentials)
        .and_then(|()| files.save(state));
    if let Err(error) = stored {
        // Without its secret the key is useless.
        iam.delete_api_key(&key.id).await?;
        state.key = None;
        return Err(error);
    }
    report(&format!(
        "API key {} (`{}`): created",
        key.id, state.key_name
    ));
    Ok(credentials)
}

/// Saves the progress, except in a dry run.
pub(super) fn save(iam: &Iam<'_>, files: &SetupFiles, state: &SetupState) -> Result<()> {
    if iam.is_dry() {
        return Ok(());
    }
    files.save(state)
}
