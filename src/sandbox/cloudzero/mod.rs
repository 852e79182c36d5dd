//! CloudZero's API on loopback: streams, connections, costs, and a poller over a bucket.
//!
//! It keeps what it is sent as exact integers, read by its own code, so that what billstream
//! reports about its deliveries can be compared with what arrived.
//!
//! `service` takes requests to `handlers` in `stream`, `connections` and `costs`; `upload`, `rows`,
//! `period` and `amount` read and check what is sent; `holdings` keeps it; `poller` reads a bucket;
//! `trouble` holds the faults; `inspect` answers `/sandbox/cloudzero/*`.

pub(crate) mod amount;
pub(crate) mod connections;
pub(crate) mod costs;
pub mod faults;
pub mod inspect;
pub(crate) mod ledger;
pub(crate) mod period;
pub(crate) mod poller;
pub(crate) mod request_log;
pub(crate) mod response;
pub(crate) mod rows;
pub(crate) mod service;
pub(crate) mod stream;
pub(crate) mod upload;

pub use crate::sandbox::cloudzero::service::{answer, owns};

use crate::sandbox::Options;
use crate::sandbox::cloudzero::connections::Connections;
use crate::sandbox::cloudzero::costs::Reports;
use crate::sandbox::cloudzero::ledger::Holdings;
use crate::sandbox::cloudzero::poller::Seen;
use crate::sandbox::cloudzero::request_log::Journal;
use object_store::ObjectStore;
use object_store::path::Path;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The CloudZero API key that a sandbox takes unless told otherwise. It guards invented data only.
pub const DEFAULT_CLOUDZERO_KEY: &str = "sandbox-cloudzero-key";
/// Id of the stream connection that is there from the start.
pub const DEFAULT_STREAM_ID: &str = "sandbox-stream";
/// Id of the bucket connection, which is there when a bucket is polled.
pub const DEFAULT_BUCKET_ID: &str = "sandbox-bucket";

/// The bucket that the sandbox polls, as CloudZero does for a bucket connection.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Where the objects are.
    pub root: Arc<dyn ObjectStore>,
    /// The folder in it that holds the billing periods; empty for the root itself.
    pub prefix: Path,
    /// Bucket name to show in the connection.
    pub name: String,
    /// Bucket path to show in the connection.
    pub path: String,
}

/// What all CloudZero requests to one sandbox share.
pub struct CloudZero {
    key: SecretString,
    bucket: Option<Bucket>,
    requests: AtomicU64,
    connections: Mutex<Connections>,
    holdings: Mutex<Holdings>,
    reports: Mutex<Reports>,
    journal: Mutex<Journal>,
    /// Streams with a request in flight.
    busy: Mutex<BTreeSet<String>>,
    /// Held while polling, so that polls follow each other.
    seen: tokio::sync::Mutex<Seen>,
}

impl CloudZero {
    /// Prepares CloudZero's half of a sandbox.
    pub fn new(options: &Options) -> CloudZero {
        CloudZero {
            key: options.cloudzero_key.clone(),
            bucket: options.bucket.clone(),
            requests: AtomicU64::new(0),
            connections: Mutex::new(Connections::new(options)),
            holdings: Mutex::default(),
            reports: Mutex::default(),
            journal: Mutex::default(),
            busy: Mutex::default(),
            seen: tokio::sync::Mutex::default(),
        }
    }

    /// Requests to CloudZero's API so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
