//! Lease on object storage: an object that is replaced by compare-and-swap only.
//!
//! Its age is judged by the store's clock alone, its `last_modified` against that of an object written now, so a
//! machine whose clock is wrong neither takes a live lease nor holds one too long.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{ObjectMeta, ObjectStore, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::error::{ErrorKind, Result};
use crate::store::lease::LeaseError;
use crate::store::{Operation, Store, store_clock};

/// Time from a renewal to the end of the lease.
pub(super) const LIFETIME: Duration = Duration::from_secs(300);
/// Longest lifetime that is accepted in the claim of another run.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const RENEWAL: Duration = Duration::from_secs(60);
/// Attempts of a renewal whose request failed and was not applied.
pub(super) const ATTEMPTS: usize = 2;

/// Content of a lease object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) run: String,
    /// Distinguishes two holders whose runs have the same id. Empty in claims of earlier versions.
    #[serde(default)]
    pub(super) token: String,
    /// Number of renewals, so that no two contents of a lease are equal.
    #[serde(default)]
    pub(super) renewals: u64,
    /// Time from the object's last modification to the end of the lease.
    #[serde(default = "lifetime_secs")]
    pub(super) lifetime_secs: u64,
    /// End of the lease by the clock of the run's machine: earlier versions of billstream read it, this one
    /// writes it only.
    #[serde(default)]
    pub(super) expires_at: Option<DateTime<Utc>>,
}

fn lifetime_secs() -> u64 {
    LIFETIME.as_secs()
}

/// Lease object of this run.
pub(super) struct ObjectLease {
    store: Store,
    name: String,
    connection: String,
    run: String,
    token: String,
    held: Mutex<Held>,
}

struct Held {
    /// Version of the object as this run wrote it; `None` once the lease is lost or released.
    version: Option<UpdateVersion>,
    renewals: u64,
}

impl ObjectLease {
    /// Creates the lease object `name`, or replaces an expired one.
    ///
    /// # Errors
    /// [`LeaseError`], kind locked, when another run holds the lease; those of the store.
    pub(super) async fn claim(
        store: &Store,
        name: String,
        connection: &str,
        run: &str,
    ) -> Result<ObjectLease> {
        let mode = match store.get_with_meta(&name).await? {
            None => PutMode::Create,
            Some((bytes, seen)) => {
                // An unreadable claim was interrupted while it was written: no run renews it.
                if let Ok(claim) = serde_json::from_slice::<Claim>(&bytes) {
                    refuse_live(store, connection, claim, &seen).await?;
                }
                PutMode::Update(version_of(seen))
            }
        };
        let lease = ObjectLease {
            store: store.clone(),
            name,
            connection: connection.to_string(),
            run: run.to_string(),
            token: format!("{:016x}", rand::random::<u64>()),
            held: Mutex::new(Held {
                version: None,
                renewals: 0,
            }),
        };
        let version = match lease.write(mode, 0, LIFETIME).await {
            Ok(version) => version,
            Err(error) => match (lease.own_version().await, &error) {
                // The write was applied, although its reply was lost.
                (Ok(Some(version)), _) => version,
                (
                    _,
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => {
                    return Err(LeaseError::Held {
                        connection: lease.connection,
                    }
                    .into());
                }
                _ => return Err(store.error(Operation::Write, &lease.name, &error)),
            },
        };
        lease.held.lock().await.version = Some(version);
        Ok(lease)
    }

    /// Renews the lease until it is lost.
    pub(super) async fn keep(self: Arc<Self>) {
        let connection = &self.connection;
        loop {
            tokio::time::sleep(RENEWAL).await;
            match self.renew().await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Locked => {
                    tracing::warn!(%error, "Lost the lease");
                    return;
                }
                Err(error) => tracing::warn!(connection, %error, "Could not renew the lease"),
            }
        }
    }

    /// Renews the lease, which proves that no other run has taken it.
    ///
    /// # Errors
    /// [`LeaseError::Lost`]; those of the store.
    pub(super) async fn renew(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        let mut attempt = 1;
        loop {
            let Some(version) = held.version.clone() else {
                return Err(self.lost());
            };
            held.renewals += 1;
            let mode = PutMode::Update(version.clone());
            let error = match self.write(mode, held.renewals, LIFETIME).await {
                Ok(next) => {
                    held.version = Some(next);
                    return Ok(());
                }
                Err(error) => self.store.error(Operation::Write, &self.name, &error),
            };
            // A request that failed may have been applied: the object itself says whose it is.
            let Ok(found) = self.own_version().await else {
                return Err(error);
            };
            let was_applied = found
                .as_ref()
                .is_some_and(|found| found.e_tag != version.e_tag);
            held.version = found;
            if was_applied {
                return Ok(());
            }
            if held.version.is_some() && attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Deletes the lease object, unless another run has taken it. If that fails, the lease ends at once.
    pub(super) async fn release(&self) -> Result<()> {
        // An expired lease is renewed first, lest another run takes it between the look and the deletion.
        match self.renew().await {
            Err(error) if error.kind() == ErrorKind::Locked => return Ok(()),
            // A store that refuses writes may still take deletions.
            Err(_) if self.own_version().await?.is_none() => return Ok(()),
            _ => {}
        }
        let mut held = self.held.lock().await;
        let Some(version) = held.version.take() else {
            return Ok(());
        };
        let Err(error) = self.store.delete(&self.name).await else {
            return Ok(());
        };
        let mode = PutMode::Update(version);
        match self.write(mode, held.renewals + 1, Duration::ZERO).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        }
    }

    fn lost(&self) -> crate::error::Error {
        LeaseError::Lost {
            connection: self.connection.clone(),
        }
        .into()
    }

    /// Version of the lease object if it is this run's.
    async fn own_version(&self) -> Result<Option<UpdateVersion>> {
        let Some((bytes, meta)) = self.store.get_with_meta(&self.name).await? else {
            return Ok(None);
        };
        let claim = serde_json::from_slice::<Claim>(&bytes).ok();
        let is_ours = claim.is_some_and(|c| c.run == self.run && c.token == self.token);
        Ok(is_ours.then(|| version_of(meta)))
    }

    async fn write(
        &self,
        mode: PutMode,
        renewals: u64,
        lifetime: Duration,
    ) -> object_store::Result<UpdateVersion> {
        let claim = Claim {
            run: self.run.clone(),
            token: self.token.clone(),
            renewals,
            lifetime_secs: lifetime.as_secs(),
            expires_at: Some(Utc::now() + lifetime),
        };
        let bytes = serde_json::to_vec(&claim).unwrap_or_default();
        let path = self.store.path(&self.name);
        let options = PutOptions::from(mode);
        let root = self.store.root();
        let put = root
            .put_opts(&path, Bytes::from(bytes).into(), options)
            .await?;
        Ok(UpdateVersion::from(put))
    }
}

fn version_of(meta: ObjectMeta) -> UpdateVersion {
    UpdateVersion {
        e_tag: meta.e_tag,
        version: meta.version,
    }
}

/// Refuses a lease of another run that has not expired.
async fn refuse_live(
    store: &Store,
    connection: &str,
    claim: Claim,
    seen: &ObjectMeta,
) -> Result<()> {
    let lifetime = Duration::from_secs(claim.lifetime_secs).min(LONGEST_LIFETIME);
    let expires_at = seen.last_modified + lifetime;
    if store_clock::now(store).await? >= expires_at {
        return Ok(());
    }
    Err(LeaseError::HeldBy {
        connection: connection.to_string(),
        run: claim.run,
        expires_at,
    }
    .into())
}
