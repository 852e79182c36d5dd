//! Rotation of a connection's key: creates and probes a new key, switches to it, and deletes the old key last.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::credential_store::{self, CredentialStore};
use crate::config::edit::{self, NewValue};
use crate::config::secret::{Credentials, SecretRef, displayed_variable};
use crate::config::{Config, settings};
use crate::confluent::iam::Iam;
use crate::connections::setup_state::{SetupFiles, SetupState, still_active};
use crate::connections::{Report, interactive_client, key_probe, new_key};
use crate::error::{Error, Result};
use crate::store::lease::Lease;
use crate::store::{Store, runs};

/// A rotation whose preconditions hold.
pub(crate) struct Rotation {
    connection: String,
    config_file: PathBuf,
    credential_store: CredentialStore,
    files: SetupFiles,
}

/// Parameters of a rotation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RotateOptions {
    pub now: DateTime<Utc>,
    /// Longest wait for the new key to become active.
    pub timeout: Duration,
}

impl Rotation {
    /// Checks that billstream can rotate the key, before an administrator's key is requested.
    ///
    /// # Errors
    /// Kind configuration: credentials in environment variables or missing, an unfinished setup, a configuration
    /// file that cannot be written.
    pub(crate) fn prepare(config: &Config, connection: &str) -> Result<Rotation> {
        let credential_store = credential_store_of(config, connection)?;
        let config_file = config.writable_path()?;
        let files = SetupFiles::beside(&config_file, connection, credential_store);
        let rotation = Rotation {
            connection: connection.to_string(),
            config_file,
            credential_store,
            files,
        };
        rotation.load_state()?;
        config.credentials(connection)?;
        Ok(rotation)
    }

    /// Locks out other setups, rotations and removals until the result is dropped.
    ///
    /// # Errors
    /// Kind locked while another command holds the lock; kind configuration.
    pub(crate) fn lock(&self) -> Result<Option<File>> {
        let lock = self.files.lock()?;
        self.files.check_writable()?;
        Ok(lock)
    }

    /// Rotates the key, or resumes an interrupted rotation. The caller holds the lock, and `config` was loaded
    /// after it was taken.
    ///
    /// # Errors
    /// Those of the requests, with hints on which key is in use, how to resume and how to undo; kind locked while
    /// a run uses the key.
    pub(crate) async fn run(
        &self,
        config: &Config,
        store: &Store,
        admin: Credentials,
        options: RotateOptions,
        report: &Report,
    ) -> Result<()> {
        let connection = &self.connection;
        let present = config.credentials(connection)?;
        let mut state = self.load_state()?;
        if state.replaces.is_some() {
            if is_stale(&state, &present) {
                abandon(&mut state, report);
            } else {
                report(&format!(
                    "resuming the interrupted rotation of `{connection}`"
                ));
            }
        }
        let admin = interactive_client(&config.confluent_with(connection, admin)?)?;
        let steps = Steps {
            rotation: self,
            config,
            iam: &Iam::new(&admin, None),
            options,
            report,
        };
        // A run must not use a key that is about to be deleted.
        let lease = Lease::take(store, connection, &runs::new_run_id(options.now)).await?;
        let outcome = steps.run(&present, &mut state).await;
        super::release(lease, connection).await;
        outcome
    }

    /// Loads the state of an interrupted rotation or a finished setup.
    fn load_state(&self) -> Result<SetupState> {
        let connection = &self.connection;
        match self.files.load()? {
            Some(state) if state.replaces.is_some() => Ok(state),
            Some(state) if !state.finished => Err(Error::config(format!(
                "the setup of `{connection}` was interrupted"
            ))
            .with_hint(format!(
                "finish it first: billstream connections add confluent --name {connection} --setup --replace"
            ))),
            state => Ok(state.unwrap_or_default()),
        }
    }
}

struct Steps<'r> {
    rotation: &'r Rotation,
    config: &'r Config,
    iam: &'r Iam<'r>,
    options: RotateOptions,
    report: &'r Report,
}

impl Steps<'_> {
    async fn run(&self, present: &Credentials, state: &mut SetupState) -> Result<()> {
        let connection = &self.rotation.connection;
        let files = &self.rotation.files;
        let has_switched = state.replaces.is_some() && state.key.as_ref() == Some(&present.key);
        if !has_switched {
            let owner = self.owner(present, state).await?;
            if state.replaces.is_none() {
                state.replaces = Some(present.key.clone());
                (state.key, state.finished) = (None, false);
                state.key_name.clear();
                files.save(state)?;
            }
            let new = self
                .create_and_probe(&owner, state)
                .await
                .map_err(|e| before_switch(e, connection, state))?;
            self.switch(&new)?;
        }
        if let Some(old) = &state.replaces {
            self.iam.delete_api_key(old).await.map_err(|failure| {
                failure.into_error().with_another_hint(format!(
                    "`{connection}` already uses the new key; delete the old one by running the same command again \
                     or with `confluent api-key delete {old}`"
                ))
            })?;
            (self.report)(&format!("API key {old}: deleted"));
        }
        (state.replaces, state.finished) = (None, true);
        files.save(state)?;
        files.delete_new_key()
    }

    /// Returns the owner of the present key, for which the new one is created.
    async fn owner(&self, present: &Credentials, state: &SetupState) -> Result<String> {
        let key = self.iam.api_key(&present.key).await?;
        let owner = key.as_ref().and_then(|key| key.owner()).map(str::to_string);
        let saved = || Some(state.service_account.as_ref()?.id.clone());
        owner.or_else(saved).ok_or_else(|| {
            Error::config(
                "could not find the current API key at Confluent, so its owner is unknown",
            )
            .with_hint(
                "use the key of an administrator of the same organization, or start over with \
                 `billstream connections add --setup --replace`",
            )
        })
    }

    async fn create_and_probe(&self, owner: &str, state: &mut SetupState) -> Result<Credentials> {
        let connection = &self.rotation.connection;
        let (files, report) = (&self.rotation.files, self.report);
        let new = new_key::create(self.iam, owner, connection, files, state, report).await?;
        let settings = self.config.confluent_with(connection, new.clone())?;
        let client = interactive_client(&settings)?;
        let today = self.options.now.date_naive();
        let timeout = self.options.timeout;
        let probed = key_probe::probe_new_key(&client, today, timeout, false, report).await?;
        report(&format!(
            "new key works: read {} costs of {}",
            probed.costs, probed.day
        ));
        Ok(new)
    }

    /// Replaces the old key by the new one in the credential store and the configuration file.
    fn switch(&self, new: &Credentials) -> Result<()> {
        let Rotation {
            connection,
            config_file,
            credential_store,
            ..
        } = self.rotation;
        let location = credential_store.secret_ref(config_file, connection);
        credential_store::write(&location, new)?;
        let setting = (settings::CREDENTIALS, NewValue::Secret(location.clone()));
        edit::set_connection(config_file, connection, &[setting])?;
        (self.report)(&format!(
            "switched `{connection}` to the new key (credentials: {location})"
        ));
        Ok(())
    }
}

/// Chooses where the new key is stored: in the keyring if the present one is there, else in a file.
fn credential_store_of(config: &Config, connection: &str) -> Result<CredentialStore> {
    let locations: Vec<SecretRef> = config
        .credential_refs(connection)
        .map(|(_, location, _)| location)
        .collect();
    for location in &locations {
        if let SecretRef::Variable(name) = location {
            let variable = displayed_variable(name);
            return Err(Error::config(format!(
                "the credentials of `{connection}` come from {variable}, which only you can change"
            ))
            .with_hint(
                "create a key with the same owner in Confluent Cloud, set the variables, run `billstream \
                 connections check`, then delete the old key",
            ));
        }
    }
    if locations.is_empty() {
        return Err(Error::config(format!("`{connection}` is not configured")));
    }
    let in_keyring = |location: &SecretRef| matches!(location, SecretRef::Keyring(_));
    Ok(if locations.iter().any(in_keyring) {
        CredentialStore::Keyring
    } else {
        CredentialStore::File
    })
}

/// Returns whether the connection has received another key since the rotation was interrupted.
fn is_stale(state: &SetupState, present: &Credentials) -> bool {
    ![&state.replaces, &state.key].contains(&&Some(present.key.clone()))
}

/// Forgets an interrupted rotation.
fn abandon(state: &mut SetupState, report: &Report) {
    for key in state.replaces.take().iter().chain(&state.key) {
        report(&still_active(key));
    }
}

/// Adds hints to an error before the switch.
fn before_switch(error: Error, connection: &str, state: &SetupState) -> Error {
    let undo = match &state.key {
        Some(key) => format!(", or undo with `confluent api-key delete {key}`"),
        None => String::new(),
    };
    error.with_another_hint(format!(
        "`{connection}` still uses its old key; run the same command again to resume{undo}"
    ))
}
