//! `/iam/v2/api-keys` (spec: iam/v2 api-keys).

use crate::sandbox::confluent::access::Right;
use crate::sandbox::confluent::iam::directory::{CLOUD, Key, now};
use crate::sandbox::confluent::iam::{API_KEYS, SERVICE_ACCOUNTS, lock};
use crate::sandbox::confluent::list::Query;
use crate::sandbox::confluent::request::{Answer, Call};
use crate::sandbox::server::response::{empty, json};
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Instant;

/// The body of a new one.
#[derive(Debug, Deserialize)]
struct Wish {
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    display_name: Option<String>,
    description: Option<String>,
    owner: Option<Reference>,
    resource: Option<Reference>,
}

/// Something that is named by its id.
#[derive(Debug, Deserialize)]
struct Reference {
    id: String,
}

/// All keys, or those of an owner or a resource.
pub async fn list(call: Call) -> Answer {
    call.authorize(Right::Iam)?;
    let query = Query::read(&call, &["spec.owner", "spec.resource"])?;
    let directory = lock(&call.sandbox.iam.directory);
    let wanted = directory.keys.iter().filter(|key| {
        query.takes("spec.owner", &key.owner) && query.takes("spec.resource", &key.resource)
    });
    Ok(query.answer(&call, "iam/v2", "ApiKey", wanted, |key| shown(&call, key)))
}

/// Makes one. Its secret is in this answer and in no other.
pub async fn create(call: Call, body: Bytes) -> Answer {
    call.authorize(Right::Iam)?;
    let Wish { spec } = call.read(&body)?;
    let mut directory = lock(&call.sandbox.iam.directory);
    let owner = spec.owner.map(|owner| owner.id).unwrap_or_default();
    if !directory.has_owner(&owner) {
        let detail = "spec.owner must be a service account or user";
        return Err(call.bad_field("/spec/owner/id", detail));
    }
    let resource = match spec.resource {
        Some(resource) => resource.id,
        None => CLOUD.to_owned(),
    };
    if resource != CLOUD && !call.sandbox.inventory.has_cluster(&resource) {
        let detail = "spec.resource must be cloud or a cluster";
        return Err(call.bad_field("/spec/resource/id", detail));
    }
    let secret = directory.mint.secret();
    let key = Key {
        id: directory.mint.key(),
        secret: secret.clone().into(),
        display_name: spec.display_name.unwrap_or_default(),
        description: spec.description.unwrap_or_default(),
        owner,
        resource,
        made: now(),
        since: Some(Instant::now()),
    };
    let mut shown = shown(&call, &key);
    shown["spec"]["secret"] = secret.into();
    directory.keys.push(key);
    Ok(json(StatusCode::ACCEPTED, &shown))
}

/// One key.
pub async fn one(call: Call, Path(id): Path<String>) -> Answer {
    call.authorize(Right::Iam)?;
    let directory = lock(&call.sandbox.iam.directory);
    let key = directory.keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| call.missing("API key", &id))?;
    Ok(json(StatusCode::OK, &shown(&call, key)))
}

/// Deletes one, which is unknown from then on.
pub async fn remove(call: Call, Path(id): Path<String>) -> Answer {
    call.authorize(Right::Iam)?;
    let mut directory = lock(&call.sandbox.iam.directory);
    let before = directory.keys.len();
    directory.keys.retain(|key| key.id != id);
    if directory.keys.len() == before {
        return Err(call.missing("API key", &id));
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// A key without its secret.
fn shown(call: &Call, key: &Key) -> Value {
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
        "metadata": call.metadata(&path, &format!("/user={owner}/api-key={id}"), &key.made),
        "spec": {
            "display_name": key.display_name,
            "description": key.description,
            "owner": {
                "id": owner,
                "api_version": "iam/v2",
                "kind": owner_kind,
                "related": call.url(&owner_path),
            },
            "resource": { "id": key.resource, "kind": resource_kind },
        },
    })
}
