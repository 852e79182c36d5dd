//! Fake CloudZero API: streams, connections, costs, and a bucket poller.
//!
//! Parses received amounts to exact integers with its own code, so that tests can compare deliveries with
//! what arrived.
//!
//! `service` routes requests to the handlers `stream`, `connections` and `costs`; `upload`, `line_item`,
//! `period` and `amount` parse and validate; `ledger` stores the line items; `poller` reads a bucket;
//! `namespace` keeps what belongs to a test key apart; `dialect` decides where the document and the guide disagree;
//! `inspect` serves `/sandbox/cloudzero/*`.

pub(crate) mod amount;
pub(crate) mod connections;
pub(crate) mod costs;
pub(crate) mod dialect;
pub(crate) mod faults;
pub(crate) mod inspect;
pub(crate) mod ledger;
pub(crate) mod line_item;
pub(crate) mod namespace;
pub(crate) mod pagination;
pub(crate) mod period;
pub(crate) mod poller;
pub(crate) mod request_log;
pub(crate) mod response;
pub(crate) mod route;
pub(crate) mod service;
pub(crate) mod stream;
pub(crate) mod upload;

use crate::sandbox::Options;
use crate::sandbox::cloudzero::connections::Connections;
use crate::sandbox::cloudzero::namespace::{Namespace, TestNamespaces};
use crate::sandbox::cloudzero::poller::SeenManifests;
use crate::sandbox::cloudzero::request_log::RequestLog;
use crate::sandbox::server::state::lock;
use object_store::ObjectStore;
use object_store::path::Path;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Default CloudZero API key. It guards invented data only.
pub(crate) const DEFAULT_CLOUDZERO_KEY: &str = "sandbox-cloudzero-key";
/// Id of the initial stream connection.
pub(crate) const DEFAULT_STREAM_ID: &str = "sandbox-stream";
/// Id of the bucket connection of a sandbox with a bucket.
pub(crate) const DEFAULT_BUCKET_ID: &str = "sandbox-bucket";

/// Bucket of the bucket connection, which the sandbox polls on request.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Object store.
    pub root: Arc<dyn ObjectStore>,
    /// Folder of the billing periods; empty for the root.
    pub prefix: Path,
    /// Bucket name in the connection.
    pub name: String,
    /// Bucket path in the connection.
    pub path: String,
}

/// State shared by all CloudZero requests to one sandbox.
pub(crate) struct CloudZero {
    key: SecretString,
    bucket: Option<Bucket>,
    requests: AtomicU64,
    real: Arc<Namespace>,
    test_namespaces: Mutex<TestNamespaces>,
    request_log: Mutex<RequestLog>,
    /// Streams with a drop in flight.
    busy_streams: Mutex<BTreeSet<String>>,
    /// Locked during a poll, which serializes polls.
    seen_manifests: tokio::sync::Mutex<SeenManifests>,
}

impl CloudZero {
    pub(crate) fn new(options: &Options) -> CloudZero {
        CloudZero {
            key: options.cloudzero_key.clone(),
            bucket: options.bucket.clone(),
            requests: AtomicU64::new(0),
            real: Arc::new(Namespace::new(Connections::new(options))),
            test_namespaces: Mutex::new(TestNamespaces::new()),
            request_log: Mutex::default(),
            busy_streams: Mutex::default(),
            seen_manifests: tokio::sync::Mutex::default(),
        }
    }

    /// Namespace of an operation, which makes a change or not.
    fn namespace(&self, test_key: Option<&str>, makes_change: bool) -> Arc<Namespace> {
        match test_key {
            Some(key) => lock(&self.test_namespaces).of(key, makes_change, &self.real),
            None => self.real.clone(),
        }
    }

    /// Number of requests to CloudZero's API.
    pub(crate) fn request_count(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }
}
