//! `/iam/v2/api-keys` (spec: iam/v2 api-keys).

use crate::sandbox::confluent::access::Permission;
use crate::sandbox::confluent::iam::directory::{ApiKey, CLOUD, now};
use crate::sandbox::confluent::iam::{API_KEYS, SERVICE_ACCOUNTS};
use crate::sandbox::confluent::paged_list::ListQuery;
use crate::sandbox::confluent::request::{ApiRequest, HandlerResult};
use crate::sandbox::server::response::{empty, json};
use crate::sandbox::server::state::lock;
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Instant;

/// Body of a create request.
#[derive(Debug, Deserialize)]
struct CreateApiKey {
    #[serde(default)]
    spec: ApiKeySpec,
}

#[derive(Debug, Default, Deserialize)]
struct ApiKeySpec {
    display_name: Option<String>,
    description: Option<String>,
    owner: Option<ObjectReference>,
    resource: Option<ObjectReference>,
}

#[derive(Debug, Deserialize)]
struct ObjectReference {
    id: String,
}

/// Lists all keys, or those of an owner or resource.
pub(crate) async fn list(request: ApiRequest) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let query = ListQuery::parse(&request, &["spec.owner", "spec.resource"])?;
    let directory = lock(&request.sandbox.iam.directory);
    let matching = directory.api_keys.iter().filter(|key| {
        query.matches("spec.owner", &key.owner) && query.matches("spec.resource", &key.resource)
    });
    Ok(query.page(&request, "iam/v2", "ApiKey", matching, |key| {
        to_json(&request, key)
    }))
}

/// Creates a key. Only this response contains its secret.
pub(crate) async fn create(request: ApiRequest, body: Bytes) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let CreateApiKey { spec } = request.parse_body(&body)?;
    let mut directory = lock(&request.sandbox.iam.directory);
    let owner = spec.owner.map(|owner| owner.id).unwrap_or_default();
    if !directory.has_owner(&owner) {
        let detail = "spec.owner must be a service account or user";
        return Err(request.bad_field("/spec/owner/id", detail));
    }
    let resource = match spec.resource {
        Some(resource) => resource.id,
        None => CLOUD.to_owned(),
    };
    if resource != CLOUD && !request.sandbox.inventory.has_cluster(&resource) {
        let detail = "spec.resource must be cloud or a cluster";
        return Err(request.bad_field("/spec/resource/id", detail));
    }
    let secret = directory.ids.api_secret();
    let key = ApiKey {
        id: directory.ids.api_key(),
        secret: secret.clone().into(),
        display_name: spec.display_name.unwrap_or_default(),
        description: spec.description.unwrap_or_default(),
        owner,
        resource,
        created_at: now(),
        created: Some(Instant::now()),
    };
    let mut value = to_json(&request, &key);
    value["spec"]["secret"] = secret.into();
    directory.api_keys.push(key);
    Ok(json(StatusCode::ACCEPTED, &value))
}

pub(crate) async fn get(request: ApiRequest, Path(id): Path<String>) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let directory = lock(&request.sandbox.iam.directory);
    let key = directory.api_keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| request.missing("API key", &id))?;
    Ok(json(StatusCode::OK, &to_json(&request, key)))
}

pub(crate) async fn delete(request: ApiRequest, Path(id): Path<String>) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let mut directory = lock(&request.sandbox.iam.directory);
    let before = directory.api_keys.len();
    directory.api_keys.retain(|key| key.id != id);
    if directory.api_keys.len() == before {
        return Err(request.missing("API key", &id));
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Key without its secret.
fn to_json(request: &ApiRequest, key: &ApiKey) -> Value {
    let (id, owner) = (&key.id, &key.owner);
    let is_account = owner.starts_with("sa-");
    let owner_path = if is_account {
        format!("{SERVICE_ACCOUNTS}/{owner}")
    } else {
        format!("/iam/v2/users/{owner}")
    };
    let owner_kind = if is_account { "ServiceAccount" } else { "User" };
    let resource_kind = if key.resource == CLOUD {
        "Cloud"
    } else {
        "Cluster"
    };
    let path = format!("{API_KEYS}/{id}");
    json!({
        "api_version": "iam/v2",
        "kind": "ApiKey",
        "id": id,
        "metadata": request.metadata(&path, &format!("/user={owner}/api-key={id}"), &key.created_at),
        "spec": {
            "display_name": key.display_name,
            "description": key.description,
            "owner": {
                "id": owner,
                "api_version": "iam/v2",
                "kind": owner_kind,
                "related": request.url(&owner_path),
            },
            "resource": { "id": key.resource, "kind": resource_kind },
        },
    })
}
