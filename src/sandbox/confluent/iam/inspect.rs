//! `GET /sandbox/iam`: all IAM objects without secrets, and the request log.

use crate::sandbox::server::response::json;
use crate::sandbox::server::state::{Sandbox, lock};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// Returns all IAM objects, and all IAM and inventory requests in order.
pub(crate) async fn snapshot(State(sandbox): State<Arc<Sandbox>>) -> Response<Body> {
    let iam = &sandbox.iam;
    let requests = lock(&iam.requests).clone();
    let directory = lock(&iam.directory);
    let organizations = directory.organizations.iter().map(
        |organization| json!({ "id": organization.id, "display_name": organization.display_name }),
    );
    let service_accounts = directory
        .service_accounts
        .iter()
        .map(|account| json!({ "id": account.id, "display_name": account.display_name }));
    let role_bindings = directory.role_bindings.iter().map(|binding| {
        json!({
            "id": binding.id,
            "principal": binding.principal,
            "role_name": binding.role_name,
        })
    });
    let api_keys = directory.api_keys.iter().map(|key| {
        json!({
            "id": key.id,
            "owner": key.owner,
            "display_name": key.display_name,
            "resource": key.resource,
        })
    });
    let all = json!({
        "organizations": Vec::<Value>::from_iter(organizations),
        "service_accounts": Vec::<Value>::from_iter(service_accounts),
        "role_bindings": Vec::<Value>::from_iter(role_bindings),
        "api_keys": Vec::<Value>::from_iter(api_keys),
        "requests": requests,
    });
    json(StatusCode::OK, &all)
}
