//! `/sandbox/iam`: what is there, without secrets, and what was asked.

use crate::sandbox::confluent::iam::lock;
use crate::sandbox::server::response::json;
use crate::sandbox::server::state::Sandbox;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// Everything there is, and every IAM and inventory request in order.
pub async fn iam(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    let iam = &sandbox.iam;
    let requests = lock(&iam.requests).clone();
    let directory = lock(&iam.directory);
    let organizations = directory.organizations.iter().map(
        |organization| json!({ "id": organization.id, "display_name": organization.display_name }),
    );
    let accounts = directory
        .accounts
        .iter()
        .map(|account| json!({ "id": account.id, "display_name": account.display_name }));
    let bindings = directory.bindings.iter().map(|binding| {
        json!({
            "id": binding.id,
            "principal": binding.principal,
            "role_name": binding.role_name,
        })
    });
    let keys = directory.keys.iter().map(|key| {
        json!({
            "id": key.id,
            "owner": key.owner,
            "display_name": key.display_name,
            "resource": key.resource,
        })
    });
    let all = json!({
        "organizations": Vec::<Value>::from_iter(organizations),
        "service_accounts": Vec::<Value>::from_iter(accounts),
        "role_bindings": Vec::<Value>::from_iter(bindings),
        "api_keys": Vec::<Value>::from_iter(keys),
        "requests": requests,
    });
    json(StatusCode::OK, &all)
}
