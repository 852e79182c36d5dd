//! Connections to Confluent organizations: state, health, provisioning, rotation, revocation and probing.
//!
//! Operations report their steps through a [`Report`] callback; prompts and printing belong to the CLI.

pub(crate) mod health;
pub(crate) mod key_probe;
mod new_key;
pub(crate) mod provision;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod setup_state;
pub(crate) mod state;

use crate::confluent::client::{Client, Settings, with_short_retries};
use crate::error::Result;
use crate::store::lease::Lease;

/// Progress callback: receives one line per step.
pub(crate) type Report = dyn Fn(&str) + Send + Sync;

/// Creates a client for interactive commands, which gives up early instead of retrying for minutes.
///
/// # Errors
/// As [`Client::new`].
pub(crate) fn interactive_client(settings: &Settings) -> Result<Client> {
    Client::new(with_short_retries(settings))
}

/// Releases a lease. A failure is only logged, because it must not replace the outcome of the operation.
pub(crate) async fn release(lease: Lease, connection: &str) {
    if let Err(error) = lease.release().await {
        tracing::warn!(connection, %error, "Could not release the lease");
    }
}
