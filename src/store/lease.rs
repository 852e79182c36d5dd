//! One run at a time for each connection of a store.
//!
//! On a local folder the operating system's file lock is the lease: it ends with the process. On
//! object storage the lease is an object that is created conditionally, renewed while the run
//! lives, and taken over once it has expired. The Delta commits are compare-and-swap besides, so
//! that a run which lost its lease cannot mix its month into another's.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{ObjectStore, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::store::Store;

const LIFETIME: Duration = Duration::from_secs(300);
const RENEWAL: Duration = Duration::from_secs(60);

/// A held lease. Call [`Lease::release`]; dropping it stops the renewal and lets it expire.
pub struct Lease {
    held: Held,
}

enum Held {
    Local(#[allow(dead_code, reason = "the lock lives as long as the file is open")] File),
    Remote {
        store: Store,
        name: String,
        run: Arc<str>,
        renewal: JoinHandle<()>,
    },
}

#[derive(Serialize, Deserialize)]
struct Claim {
    run: String,
    expires_at: DateTime<Utc>,
}

fn taken(connection: &str, holder: &str) -> Error {
    Error::locked(format!(
        "another run holds the lease of connection `{connection}`{holder}"
    ))
    .with_hint("wait until it ends and run the command again")
}

impl Lease {
    /// Takes the lease of a connection for a run.
    ///
    /// # Errors
    /// Kind locked when another run holds it.
    pub async fn take(store: &Store, connection: &str, run: &str) -> Result<Lease> {
        let name = format!("runs/leases/{connection}");
        let held = match store.local() {
            Some(folder) => local(&folder.join(format!("{name}.lock")), connection)?,
            None => remote(store, format!("{name}.json"), connection, run).await?,
        };
        Ok(Lease { held })
    }

    /// Gives the lease back.
    pub async fn release(mut self) -> Result<()> {
        if let Held::Remote {
            store,
            name,
            run,
            renewal,
        } = &mut self.held
        {
            renewal.abort();
            // Waits for a renewal on its way, which would write the lease again.
            let _ = renewal.await;
            let ours = store
                .get(name)
                .await?
                .and_then(|bytes| serde_json::from_slice::<Claim>(&bytes).ok())
                .is_some_and(|claim| *claim.run == **run);
            if ours {
                store.delete(name).await?;
            }
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Held::Remote { renewal, .. } = &self.held {
            renewal.abort();
        }
    }
}

fn local(path: &std::path::Path, connection: &str) -> Result<Held> {
    let failed = |e: std::io::Error| Error::config(format!("lease file `{}`: {e}", path.display()));
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
        Ok(()) => Ok(Held::Local(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(taken(connection, "")),
        Err(std::fs::TryLockError::Error(e)) => Err(failed(e)),
    }
}

async fn remote(store: &Store, name: String, connection: &str, run: &str) -> Result<Held> {
    let mode = match store.get_seen(&name).await? {
        None => PutMode::Create,
        Some((bytes, seen)) => {
            // A claim that cannot be read was cut off: nobody renews it.
            if let Ok(claim) = serde_json::from_slice::<Claim>(&bytes)
                && claim.expires_at > Utc::now()
            {
                let holder = format!(
                    " (run {}, until {})",
                    claim.run,
                    claim.expires_at.format("%H:%M:%SZ")
                );
                return Err(taken(connection, &holder));
            }
            PutMode::Update(UpdateVersion {
                e_tag: seen.e_tag,
                version: seen.version,
            })
        }
    };
    let mut version = match claim(store, &name, run, mode).await {
        Ok(version) => version,
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => {
            return Err(taken(connection, ""));
        }
        Err(e) => return Err(store.failed("write", &name, e)),
    };
    let run = Arc::<str>::from(run);
    let (renewed, lease, renewer) = (store.clone(), name.clone(), run.clone());
    let renewal = tokio::spawn(async move {
        loop {
            tokio::time::sleep(RENEWAL).await;
            match claim(&renewed, &lease, &renewer, PutMode::Update(version.clone())).await {
                Ok(next) => version = next,
                // Taken over by another run: its commits win, ours are refused.
                Err(
                    object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
                ) => {
                    tracing::warn!("The lease was lost to another run.");
                    return;
                }
                Err(error) => tracing::warn!(%error, "The lease could not be renewed."),
            }
        }
    });
    Ok(Held::Remote {
        store: store.clone(),
        name,
        run,
        renewal,
    })
}

async fn claim(
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

    #[tokio::test]
    async fn the_second_run_is_told_and_the_next_may_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        let first = Lease::take(&store, "acme", "run-1").await.unwrap();
        let refused = Lease::take(&store, "acme", "run-2").await.err().unwrap();
        assert_eq!(refused.kind(), crate::error::ErrorKind::Locked);
        Lease::take(&store, "other", "run-3").await.unwrap();
        first.release().await.unwrap();
        Lease::take(&store, "acme", "run-4").await.unwrap();
    }
}
