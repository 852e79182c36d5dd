//! Authentication and permissions of requests to Confluent's API.

use crate::sandbox::confluent::iam::roles::{BILLING_ADMIN, OPERATOR, ORGANIZATION_ADMIN};
use crate::sandbox::server::response::{forbidden, unauthorized};
use crate::sandbox::server::state::{RequestId, Sandbox};
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret as _;

/// Cluster API key, with any secret.
const CLUSTER_KEY: &str = "cluster-key";
/// Key whose owner has no role, with any secret.
const NO_ROLE_KEY: &str = "no-role";
/// Key whose owner has only the role BillingAdmin, with the secret of the main key.
const BILLING_ONLY_KEY: &str = "billing-only";

/// Permission that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Lists the caller's organizations; every key has it.
    Organizations,
    /// Reads costs.
    Costs,
    /// Lists resources.
    Inventory,
    /// Lists and changes service accounts, role bindings and API keys.
    Iam,
}

/// Owner of an API key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) roles: Vec<&'static str>,
    /// Ids of the organizations in which it has a role.
    pub(crate) organizations: Vec<String>,
}

impl Caller {
    pub(crate) fn has_permission(&self, permission: Permission) -> bool {
        let sufficient = match permission {
            Permission::Organizations => return true,
            Permission::Costs => BILLING_ADMIN,
            Permission::Inventory => OPERATOR,
            Permission::Iam => ORGANIZATION_ADMIN,
        };
        let mut roles = self.roles.iter();
        roles.any(|role| *role == sufficient || *role == ORGANIZATION_ADMIN)
    }
}

/// Refusal of a request because of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessDenied {
    /// The key is unknown, deleted, or not active yet.
    UnknownKey,
    ClusterKey,
    MissingRole(Permission),
}

impl AccessDenied {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            AccessDenied::UnknownKey | AccessDenied::ClusterKey => StatusCode::UNAUTHORIZED,
            AccessDenied::MissingRole(_) => StatusCode::FORBIDDEN,
        }
    }

    pub(crate) fn detail(self) -> &'static str {
        match self {
            AccessDenied::UnknownKey => "invalid API key",
            AccessDenied::ClusterKey => {
                "invalid API key: make sure you're using a Cloud API Key and not a Cluster API Key"
            }
            AccessDenied::MissingRole(Permission::Costs) => {
                "the owner of this API key lacks a role that may read costs"
            }
            AccessDenied::MissingRole(Permission::Inventory) => {
                "the owner of this API key lacks a role that may see resources"
            }
            AccessDenied::MissingRole(_) => {
                "the owner of this API key lacks a role that may manage access"
            }
        }
    }

    /// Error response in the common format.
    pub(crate) fn response(self, request_id: &RequestId) -> Response<Body> {
        match self {
            AccessDenied::MissingRole(_) => forbidden(request_id, self.detail()),
            _ => unauthorized(request_id, self.detail()),
        }
    }
}

/// Authenticates the sender of a request and checks its permission.
pub(crate) fn authorize(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    permission: Permission,
) -> Result<Caller, AccessDenied> {
    let credentials = header(headers, AUTHORIZATION.as_str())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| BASE64.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .unwrap_or_default();
    let caller = match credentials.split_once(':') {
        Some((CLUSTER_KEY, _)) => Err(AccessDenied::ClusterKey),
        Some((NO_ROLE_KEY, _)) => Err(AccessDenied::MissingRole(permission)),
        Some((BILLING_ONLY_KEY, secret)) => {
            let is_valid = secret == sandbox.options.secret.expose_secret();
            is_valid.then(billing_only).ok_or(AccessDenied::UnknownKey)
        }
        Some((key, secret)) => sandbox.iam.authenticate(key, secret),
        None => Err(AccessDenied::UnknownKey),
    }?;
    if caller.has_permission(permission) {
        Ok(caller)
    } else {
        Err(AccessDenied::MissingRole(permission))
    }
}

fn billing_only() -> Caller {
    Caller {
        roles: vec![BILLING_ADMIN],
        organizations: Vec::new(),
    }
}

/// Value of a header, if it is text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
