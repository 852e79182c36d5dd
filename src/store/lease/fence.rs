//! Fence: the confirmation of a lease right before each change of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::store::Store;
use crate::store::lease::LeaseError;
use crate::store::lease::file_lock::FileLock;
use crate::store::lease::object::ObjectLease;

/// What makes a lease one's own.
pub(super) enum Hold {
    File(FileLock),
    Object(Arc<ObjectLease>),
    /// Unit tests of a single writer.
    #[cfg(test)]
    Unchecked,
}

/// Right of a run to change what belongs to its connection, for as long as it holds the lease. Cheap to clone.
#[derive(Clone)]
pub struct Fence(Arc<Inner>);

struct Inner {
    store: Store,
    connection: String,
    run: String,
    hold: Hold,
    /// Set once the lease is released or dropped.
    ended: AtomicBool,
}

impl Fence {
    pub(super) fn new(store: &Store, connection: &str, run: &str, hold: Hold) -> Fence {
        Fence(Arc::new(Inner {
            store: store.clone(),
            connection: connection.to_string(),
            run: run.to_string(),
            hold,
            ended: AtomicBool::new(false),
        }))
    }

    /// Fence that never fails, for tests of a single writer.
    #[cfg(test)]
    pub(crate) fn unchecked(store: &Store, connection: &str, run: &str) -> Fence {
        Fence::new(store, connection, run, Hold::Unchecked)
    }

    /// Store of the lease.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Connection of the lease.
    pub(crate) fn connection(&self) -> &str {
        &self.0.connection
    }

    /// Run that holds the lease.
    pub(crate) fn run(&self) -> &str {
        &self.0.run
    }

    /// Confirms that the run still holds the lease, and on object storage renews it. Call it right before a
    /// change.
    ///
    /// # Errors
    /// [`LeaseError::Lost`], kind locked; the store's errors if it cannot be confirmed.
    pub(crate) async fn confirm(&self) -> Result<()> {
        let is_held = match &self.0.hold {
            _ if self.0.ended.load(Ordering::Acquire) => false,
            Hold::File(lock) => lock.is_held(),
            Hold::Object(lease) => return lease.renew().await,
            #[cfg(test)]
            Hold::Unchecked => true,
        };
        if is_held {
            return Ok(());
        }
        let connection = self.0.connection.clone();
        Err(LeaseError::Lost { connection }.into())
    }

    /// Releases the lease, unless another run has taken it.
    pub(super) async fn release(&self) -> Result<()> {
        let released = match &self.0.hold {
            Hold::Object(lease) => lease.release().await,
            _ => Ok(()),
        };
        self.end();
        released
    }

    /// Ends the right to change the store, and unlocks a local lease.
    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        if let Hold::File(lock) = &self.0.hold {
            lock.unlock();
        }
    }
}
