//! Confluent's IAM endpoints: organizations, service accounts, role bindings, API keys.
//!
//! `directory` holds them, with names and secrets from `mint`, and knows which key may do what.
//! `organizations`, `service_accounts`, `role_bindings` and `api_keys` answer requests, `trouble`
//! holds the faults, `inspect` answers `/sandbox/iam`.

pub(crate) mod api_keys;
pub(crate) mod directory;
pub mod faults;
pub(crate) mod id_generator;
pub(crate) mod inspect;
pub(crate) mod organizations;
pub(crate) mod role_bindings;
pub mod roles;
pub(crate) mod service_accounts;

pub use crate::sandbox::confluent::iam::directory::SERVICE_ACCOUNT;
pub use crate::sandbox::confluent::iam::inspect::iam as inspect;

use crate::sandbox::Options;
use crate::sandbox::confluent::access::{Caller, Denied};
use crate::sandbox::confluent::iam::directory::Directory;
use crate::sandbox::server::state::Sandbox;
use axum::Router;
use axum::routing::get;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where organizations are.
pub const ORGANIZATIONS: &str = "/org/v2/organizations";
const SERVICE_ACCOUNTS: &str = "/iam/v2/service-accounts";
const ROLE_BINDINGS: &str = "/iam/v2/role-bindings";
const API_KEYS: &str = "/iam/v2/api-keys";

/// What all IAM requests to one sandbox share.
pub struct Iam {
    /// Id of the organization that the costs are of.
    pub home: String,
    directory: Mutex<Directory>,
    /// Method, path and query of each IAM and inventory request, in order.
    requests: Mutex<Vec<String>>,
}

impl Iam {
    /// The organization as it is at the start.
    pub fn new(options: &Options) -> Iam {
        let directory = Directory::new(options);
        Iam {
            home: directory.home().to_owned(),
            directory: Mutex::new(directory),
            requests: Mutex::default(),
        }
    }

    /// Notes a request.
    pub fn note(&self, request: String) {
        lock(&self.requests).push(request);
    }

    /// The owner of a key, by its name and secret.
    pub fn caller(&self, key: &str, secret: &str) -> Result<Caller, Denied> {
        lock(&self.directory).caller(key, secret)
    }
}

/// The routes below `/iam/`, and the list of organizations.
pub fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route(ORGANIZATIONS, get(organizations::list))
        .route(
            SERVICE_ACCOUNTS,
            get(service_accounts::list).post(service_accounts::create),
        )
        .route(
            &one_of(SERVICE_ACCOUNTS),
            get(service_accounts::one).delete(service_accounts::remove),
        )
        .route(
            ROLE_BINDINGS,
            get(role_bindings::list).post(role_bindings::create),
        )
        .route(
            &one_of(ROLE_BINDINGS),
            get(role_bindings::one).delete(role_bindings::remove),
        )
        .route(API_KEYS, get(api_keys::list).post(api_keys::create))
        .route(
            &one_of(API_KEYS),
            get(api_keys::one).delete(api_keys::remove),
        )
}

fn one_of(path: &str) -> String {
    format!("{path}/{{id}}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
