//! Leases: one run at a time per connection of a store.
//!
//! On a local folder the operating system's file lock is the lease: it ends with the process. On object storage
//! the lease is an object that is created conditionally, renewed while the run lives, and replaced once it has
//! expired by the store's clock.
//!
//! A run may lose its lease without noticing: its machine slept, or its renewals failed. So whatever changes the
//! store takes the lease's [`Fence`], which is confirmed right before the change.

mod fence;
mod file_lock;
mod object;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::store::lease::fence::Hold;
use crate::store::lease::file_lock::FileLock;
use crate::store::lease::object::ObjectLease;
use crate::store::{Store, conditional};

pub use crate::store::lease::fence::Fence;

/// Lease that is not available.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// A local run holds it, or a run that took it at the same moment.
    #[error("another run holds the lease of connection `{connection}`")]
    Held {
        /// Connection of the lease.
        connection: String,
    },
    /// A run holds it that renewed it in time.
    #[error(
        "another run holds the lease of connection `{connection}` (run {run}, until {})",
        expires_at.format("%H:%M:%SZ")
    )]
    HeldBy {
        /// Connection of the lease.
        connection: String,
        /// Run that holds the lease.
        run: String,
        /// End of the lease by the store's clock, unless it is renewed.
        expires_at: DateTime<Utc>,
    },
    /// It was not renewed in time, and another run has taken it, or it was deleted.
    #[error("this run lost the lease of connection `{connection}` to another run")]
    Lost {
        /// Connection of the lease.
        connection: String,
    },
}

impl From<LeaseError> for Error {
    fn from(error: LeaseError) -> Error {
        let hint = match error {
            LeaseError::Held { .. } | LeaseError::HeldBy { .. } => {
                "wait until it ends, then run the command again"
            }
            LeaseError::Lost { .. } => {
                "this run changes nothing more; run the command again once the other run has ended"
            }
        };
        Error::new(ErrorKind::Locked, error).with_hint(hint)
    }
}

/// Lease of a connection. Call [`Lease::release`]; dropping it stops the renewal and lets it expire.
#[must_use]
pub struct Lease {
    fence: Fence,
    renewal: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the lease of a connection for a run, on a store whose conditional writes are probed first.
    ///
    /// # Errors
    /// [`LeaseError`], kind locked, when another run holds it; those of [`conditional::require`].
    pub(crate) async fn take(store: &Store, connection: &str, run: &str) -> Result<Lease> {
        conditional::require(store).await?;
        Lease::claim(store, connection, run).await
    }

    /// As [`Lease::take`], without the probe.
    pub(crate) async fn claim(store: &Store, connection: &str, run: &str) -> Result<Lease> {
        let name = format!("runs/leases/{connection}");
        let (hold, renewal) = match store.local() {
            Some(folder) => {
                let path = folder.join(format!("{name}.lock"));
                (Hold::File(FileLock::take(path, connection)?), None)
            }
            None => {
                let name = format!("{name}.json");
                let lease = ObjectLease::claim(store, name, connection, run).await?;
                let lease = Arc::new(lease);
                let renewal = tokio::spawn(lease.clone().keep());
                (Hold::Object(lease), Some(renewal))
            }
        };
        Ok(Lease {
            fence: Fence::new(store, connection, run, hold),
            renewal,
        })
    }

    /// Fence of the lease, for whatever changes the store.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Releases the lease, unless another run has taken it meanwhile.
    pub(crate) async fn release(mut self) -> Result<()> {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
            // A renewal that is under way would write the lease again.
            let _ = renewal.await;
        }
        self.fence.release().await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        self.fence.end();
    }
}
