//! Who sends a request to Confluent's API, and what they may do.

use crate::sandbox::confluent::iam::roles::{BILLING_ADMIN, OPERATOR, ORGANIZATION_ADMIN};
use crate::sandbox::server::response::{forbidden, unauthorized};
use crate::sandbox::server::state::{Sandbox, Ticket};
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret as _;

/// A key for a cluster, whatever its secret.
const CLUSTER_KEY: &str = "cluster-key";
/// A key whose owner may do nothing, whatever its secret.
const NO_ROLE_KEY: &str = "no-role";
/// A key whose owner is BillingAdmin and nothing else, with the secret of the main key.
const BILLING_ONLY_KEY: &str = "billing-only";

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Seeing one's organizations: every key may.
    Organizations,
    /// Reading costs.
    Costs,
    /// Seeing resources.
    Inventory,
    /// Seeing and changing service accounts, role bindings and API keys.
    Iam,
}

/// The owner of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its roles.
    pub roles: Vec<&'static str>,
    /// Ids of the organizations that it has them in.
    pub organizations: Vec<String>,
}

impl Caller {
    /// Whether one of the roles has a right.
    pub fn may(&self, right: Right) -> bool {
        let enough = match right {
            Right::Organizations => return true,
            Right::Costs => BILLING_ADMIN,
            Right::Inventory => OPERATOR,
            Right::Iam => ORGANIZATION_ADMIN,
        };
        let mut roles = self.roles.iter();
        roles.any(|role| *role == enough || *role == ORGANIZATION_ADMIN)
    }
}

/// Why a request is refused whatever it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The key is unknown, deleted, or so new that it is not known yet.
    UnknownKey,
    /// The key is one for a cluster.
    WrongKind,
    /// The owner of the key lacks a role.
    NoRole(Right),
}

impl Denied {
    /// 401 or 403.
    pub fn status(self) -> StatusCode {
        match self {
            Denied::UnknownKey | Denied::WrongKind => StatusCode::UNAUTHORIZED,
            Denied::NoRole(_) => StatusCode::FORBIDDEN,
        }
    }

    /// What is wrong, for people.
    pub fn detail(self) -> &'static str {
        match self {
            Denied::UnknownKey => "invalid API key",
            Denied::WrongKind => {
                "invalid API key: make sure you're using a Cloud API Key and not a Cluster API Key"
            }
            Denied::NoRole(Right::Costs) => {
                "the owner of this API key lacks a role that may read costs"
            }
            Denied::NoRole(Right::Inventory) => {
                "the owner of this API key lacks a role that may see resources"
            }
            Denied::NoRole(_) => "the owner of this API key lacks a role that may manage access",
        }
    }

    /// The answer in the usual shape.
    pub fn response(self, ticket: &Ticket) -> Response<Body> {
        match self {
            Denied::NoRole(_) => forbidden(ticket, self.detail()),
            _ => unauthorized(ticket, self.detail()),
        }
    }
}

/// The sender of a request that needs `right`.
pub fn authorize(sandbox: &Sandbox, headers: &HeaderMap, right: Right) -> Result<Caller, Denied> {
    let credentials = header(headers, AUTHORIZATION.as_str())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| BASE64.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .unwrap_or_default();
    let caller = match credentials.split_once(':') {
        Some((CLUSTER_KEY, _)) => Err(Denied::WrongKind),
        Some((NO_ROLE_KEY, _)) => Err(Denied::NoRole(right)),
        Some((BILLING_ONLY_KEY, secret)) => {
            let known = secret == sandbox.options.secret.expose_secret();
            known.then(billing_only).ok_or(Denied::UnknownKey)
        }
        Some((key, secret)) => sandbox.iam.caller(key, secret),
        None => Err(Denied::UnknownKey),
    }?;
    if caller.may(right) {
        Ok(caller)
    } else {
        Err(Denied::NoRole(right))
    }
}

fn billing_only() -> Caller {
    Caller {
        roles: vec![BILLING_ADMIN],
        organizations: Vec::new(),
    }
}

/// The value of a header that is text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
