//! Confluent's IAM endpoints: organizations, service accounts, role bindings, API keys.
//!
//! `directory` holds the objects and authenticates keys; their ids and secrets come from `id_generator`.
//! One module per endpoint; `inspect` serves `/sandbox/iam`.

pub(crate) mod api_keys;
pub(crate) mod directory;
pub(crate) mod faults;
pub(crate) mod id_generator;
pub(crate) mod inspect;
pub(crate) mod organizations;
pub(crate) mod role_bindings;
pub(crate) mod roles;
pub(crate) mod service_accounts;

pub(crate) use crate::sandbox::confluent::iam::directory::SERVICE_ACCOUNT;

use crate::sandbox::Options;
use crate::sandbox::confluent::access::{AccessDenied, Caller};
use crate::sandbox::confluent::iam::directory::Directory;
use crate::sandbox::server::state::{Sandbox, lock};
use axum::Router;
use axum::routing::get;
use std::sync::{Arc, Mutex};

pub(crate) const ORGANIZATIONS: &str = "/org/v2/organizations";
const SERVICE_ACCOUNTS: &str = "/iam/v2/service-accounts";
const ROLE_BINDINGS: &str = "/iam/v2/role-bindings";
const API_KEYS: &str = "/iam/v2/api-keys";

/// State shared by all IAM requests to one sandbox.
pub(crate) struct Iam {
    /// Id of the organization that the costs belong to.
    pub(crate) home_organization: String,
    directory: Mutex<Directory>,
    /// Method, path and query of all IAM and inventory requests, in order.
    requests: Mutex<Vec<String>>,
}

impl Iam {
    pub(crate) fn new(options: &Options) -> Iam {
        let directory = Directory::new(options);
        Iam {
            home_organization: directory.home_organization().to_owned(),
            directory: Mutex::new(directory),
            requests: Mutex::default(),
        }
    }

    pub(crate) fn log_request(&self, request: String) {
        lock(&self.requests).push(request);
    }

    /// Returns the owner of a key.
    pub(crate) fn authenticate(&self, key: &str, secret: &str) -> Result<Caller, AccessDenied> {
        lock(&self.directory).authenticate(key, secret)
    }
}

/// Routes below `/iam/`, and the list of organizations.
pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route(ORGANIZATIONS, get(organizations::list))
        .route(
            SERVICE_ACCOUNTS,
            get(service_accounts::list).post(service_accounts::create),
        )
        .route(
            &item_path(SERVICE_ACCOUNTS),
            get(service_accounts::get).delete(service_accounts::delete),
        )
        .route(
            ROLE_BINDINGS,
            get(role_bindings::list).post(role_bindings::create),
        )
        .route(
            &item_path(ROLE_BINDINGS),
            get(role_bindings::get).delete(role_bindings::delete),
        )
        .route(API_KEYS, get(api_keys::list).post(api_keys::create))
        .route(
            &item_path(API_KEYS),
            get(api_keys::get).delete(api_keys::delete),
        )
}

fn item_path(path: &str) -> String {
    format!("{path}/{{id}}")
}
