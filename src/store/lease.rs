//! Leases: one run at a time per connection of a store.
//!
//! On a local folder the operating system's file lock is the lease: it ends with the process. On object storage
//! the lease is an object that is created conditionally, renewed while the run lives, and replaced once it has
//! expired. Delta commits are compare-and-swap as well, so that a run that lost its lease cannot mix its month
//! into another run's.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{ObjectStore, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Operation, Store};

const LIFETIME: Duration = Duration::from_secs(300);
const RENEWAL: Duration = Duration::from_secs(60);

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
        /// End of the lease, unless it is renewed.
        expires_at: DateTime<Utc>,
    },
    /// It expired before it was renewed, and another run has taken it.
    #[error("another run took the lease of connection `{connection}` after it had expired")]
    Lost {
        /// Connection of the lease.
        connection: String,
    },
}

impl From<LeaseError> for Error {
    fn from(error: LeaseError) -> Error {
        Error::new(ErrorKind::Locked, error)
            .with_hint("wait until it ends, then run the command again")
    }
}

/// Lease of a connection. Call [`Lease::release`]; dropping it stops the renewal and lets it expire.
#[must_use]
pub struct Lease {
    holding: Holding,
}

enum Holding {
    FileLock(#[allow(dead_code, reason = "the lock lives as long as the file is open")] File),
    Object {
        store: Store,
        name: String,
        run: Arc<str>,
        renewal: JoinHandle<()>,
    },
}

/// Content of a lease object.
#[derive(Serialize, Deserialize)]
struct Claim {
    run: String,
    expires_at: DateTime<Utc>,
}

impl Lease {
    /// Takes the lease of a connection for a run.
    ///
    /// # Errors
    /// [`LeaseError`], kind locked, when another run holds it.
    pub(crate) async fn take(store: &Store, connection: &str, run: &str) -> Result<Lease> {
        let name = format!("runs/leases/{connection}");
        let holding = match store.local() {
            Some(folder) => lock_file(&folder.join(format!("{name}.lock")), connection)?,
            None => claim_object(store, format!("{name}.json"), connection, run).await?,
        };
        Ok(Lease { holding })
    }

    /// Releases the lease, unless another run has taken it meanwhile.
    pub(crate) async fn release(mut self) -> Result<()> {
        if let Holding::Object {
            store,
            name,
            run,
            renewal,
        } = &mut self.holding
        {
            renewal.abort();
            // A renewal that is under way would write the lease again.
            let _ = renewal.await;
            let is_ours = store
                .get(name)
                .await?
                .and_then(|bytes| serde_json::from_slice::<Claim>(&bytes).ok())
                .is_some_and(|claim| *claim.run == **run);
            if is_ours {
                store.delete(name).await?;
            }
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Holding::Object { renewal, .. } = &self.holding {
            renewal.abort();
        }
    }
}

fn lock_file(path: &Path, connection: &str) -> Result<Holding> {
    let failed = |e: std::io::Error| {
        Error::config(format!(
            "could not lock the lease file `{}`: {e}",
            path.display()
        ))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Holding::FileLock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(LeaseError::Held {
            connection: connection.to_string(),
        }
        .into()),
        Err(std::fs::TryLockError::Error(e)) => Err(failed(e)),
    }
}

async fn claim_object(store: &Store, name: String, connection: &str, run: &str) -> Result<Holding> {
    let mode = match store.get_with_meta(&name).await? {
        None => PutMode::Create,
        Some((bytes, seen)) => {
            // An unreadable claim was interrupted while it was written: no run renews it.
            if let Ok(claim) = serde_json::from_slice::<Claim>(&bytes)
                && claim.expires_at > Utc::now()
            {
                return Err(LeaseError::HeldBy {
                    connection: connection.to_string(),
                    run: claim.run,
                    expires_at: claim.expires_at,
                }
                .into());
            }
            PutMode::Update(UpdateVersion {
                e_tag: seen.e_tag,
                version: seen.version,
            })
        }
    };
    let version = match write_claim(store, &name, run, mode).await {
        Ok(version) => version,
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => {
            return Err(LeaseError::Held {
                connection: connection.to_string(),
            }
            .into());
        }
        Err(e) => return Err(store.error(Operation::Write, &name, &e)),
    };
    let run = Arc::<str>::from(run);
    let renewal = tokio::spawn(renew(
        store.clone(),
        name.clone(),
        connection.to_string(),
        run.clone(),
        version,
    ));
    Ok(Holding::Object {
        store: store.clone(),
        name,
        run,
        renewal,
    })
}

/// Renews a lease until it is lost. A lost lease needs no more than a warning: the other run's commits win, and
/// this run's are refused.
async fn renew(
    store: Store,
    name: String,
    connection: String,
    run: Arc<str>,
    mut version: UpdateVersion,
) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match write_claim(&store, &name, &run, PutMode::Update(version.clone())).await {
            Ok(next) => version = next,
            Err(
                object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
            ) => {
                let error = LeaseError::Lost { connection };
                tracing::warn!(%error, "Lost the lease");
                return;
            }
            Err(error) => tracing::warn!(connection, %error, "Could not renew the lease"),
        }
    }
}

async fn write_claim(
    store: &Store,
    name: &str,
    run: &str,
    mode: PutMode,
) -> object_store::Result<UpdateVersion> {
    let claim = Claim {
        run: run.to_string(),
        expires_at: Utc::now() + LIFETIME,
    };
    let bytes = serde_json::to_vec(&claim).unwrap_or_default();
    let put = store
        .root()
        .put_opts(
            &store.path(name),
            Bytes::from(bytes).into(),
            PutOptions::from(mode),
        )
        .await?;
    Ok(UpdateVersion {
        e_tag: put.e_tag,
        version: put.version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = "runs/leases/acme.json";

    async fn put_claim(store: &Store, run: &str, expires_at: DateTime<Utc>) {
        let run = run.to_string();
        let claim = serde_json::to_vec(&Claim { run, expires_at }).unwrap();
        store.put(LEASE, claim).await.unwrap();
    }

    #[tokio::test]
    async fn second_run_of_a_connection_is_refused_until_the_first_releases() {
        let folder = tempfile::tempdir().unwrap();
        let local = Store::open(&folder.path().display().to_string()).unwrap();
        for store in [local, Store::in_memory()] {
            let first = Lease::take(&store, "acme", "run-1").await.unwrap();
            let refused = Lease::take(&store, "acme", "run-2").await.err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::Locked);
            assert!(refused.source_as::<LeaseError>().is_some());
            let other = Lease::take(&store, "other", "run-3").await.unwrap();
            first.release().await.unwrap();
            let next = Lease::take(&store, "acme", "run-4").await.unwrap();
            drop((other, next));
        }
    }

    #[tokio::test]
    async fn a_renewed_lease_names_its_run_and_an_expired_one_is_replaced() {
        let store = Store::in_memory();
        put_claim(&store, "alive", Utc::now() + LIFETIME).await;
        let refused = Lease::take(&store, "acme", "new").await.err().unwrap();
        assert!(matches!(
            refused.source_as(),
            Some(LeaseError::HeldBy { run, .. }) if run == "alive"
        ));
        put_claim(&store, "dead", Utc::now() - LIFETIME).await;
        let lease = Lease::take(&store, "acme", "new").await.unwrap();
        lease.release().await.unwrap();
        assert!(store.get(LEASE).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_interrupted_claim_is_replaced() {
        let store = Store::in_memory();
        store.put(LEASE, "{\"run\":\"2026").await.unwrap();
        let lease = Lease::take(&store, "acme", "new").await.unwrap();
        lease.release().await.unwrap();
    }

    #[tokio::test]
    async fn release_leaves_the_lease_of_the_run_that_took_it() {
        let store = Store::in_memory();
        let lease = Lease::take(&store, "acme", "slow").await.unwrap();
        put_claim(&store, "next", Utc::now() + LIFETIME).await;
        lease.release().await.unwrap();
        assert!(store.get(LEASE).await.unwrap().is_some());
    }
}
