//! `/iam/v2/service-accounts` (spec: iam/v2 service-accounts).

use crate::sandbox::confluent::access::Permission;
use crate::sandbox::confluent::iam::SERVICE_ACCOUNTS;
use crate::sandbox::confluent::iam::directory::{ServiceAccount, now, principal};
use crate::sandbox::confluent::paged_list::ListQuery;
use crate::sandbox::confluent::request::{ApiRequest, ErrorResponse, HandlerResult};
use crate::sandbox::server::response::{ErrorSource, empty, json};
use crate::sandbox::server::state::lock;
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

const MAX_NAME_CHARS: usize = 64;
const MAX_DESCRIPTION_CHARS: usize = 128;

/// Body of a create request.
#[derive(Debug, Deserialize)]
struct CreateServiceAccount {
    #[serde(default)]
    display_name: String,
    description: Option<String>,
}

/// Lists all service accounts, or those with a `display_name`.
pub(crate) async fn list(request: ApiRequest) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let query = ListQuery::parse(&request, &["display_name"])?;
    let directory = lock(&request.sandbox.iam.directory);
    let service_accounts = directory.service_accounts.iter();
    let matching =
        service_accounts.filter(|account| query.matches("display_name", &account.display_name));
    Ok(
        query.page(&request, "iam/v2", "ServiceAccount", matching, |account| {
            to_json(&request, account)
        }),
    )
}

/// Creates a service account with a unique name.
pub(crate) async fn create(request: ApiRequest, body: Bytes) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let new: CreateServiceAccount = request.parse_body(&body)?;
    let description = new.description.unwrap_or_default();
    if new.display_name.is_empty() || new.display_name.chars().count() > MAX_NAME_CHARS {
        let detail = format!("display_name must have 1 to {MAX_NAME_CHARS} characters");
        return Err(validation_error(&request, "/display_name", &detail));
    }
    if description.chars().count() > MAX_DESCRIPTION_CHARS {
        let detail = format!("description must have at most {MAX_DESCRIPTION_CHARS} characters");
        return Err(validation_error(&request, "/description", &detail));
    }
    let mut directory = lock(&request.sandbox.iam.directory);
    let has_same_name = |account: &ServiceAccount| account.display_name == new.display_name;
    if directory.service_accounts.iter().any(has_same_name) {
        return Err(request.conflict("a service account with this display_name already exists"));
    }
    let account = ServiceAccount {
        id: directory.ids.id("sa"),
        display_name: new.display_name,
        description,
        created_at: now(),
    };
    let value = to_json(&request, &account);
    directory.service_accounts.push(account);
    Ok(json(StatusCode::CREATED, &value))
}

pub(crate) async fn get(request: ApiRequest, Path(id): Path<String>) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let directory = lock(&request.sandbox.iam.directory);
    let account = directory
        .service_accounts
        .iter()
        .find(|account| account.id == id);
    let account = account.ok_or_else(|| request.missing("service account", &id))?;
    Ok(json(StatusCode::OK, &to_json(&request, account)))
}

/// Deletes a service account with its keys and role bindings.
pub(crate) async fn delete(request: ApiRequest, Path(id): Path<String>) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let mut directory = lock(&request.sandbox.iam.directory);
    let before = directory.service_accounts.len();
    directory
        .service_accounts
        .retain(|account| account.id != id);
    if directory.service_accounts.len() == before {
        return Err(request.missing("service account", &id));
    }
    let principal = principal(&id);
    directory.api_keys.retain(|key| key.owner != id);
    directory
        .role_bindings
        .retain(|binding| binding.principal != principal);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// 422.
fn validation_error(request: &ApiRequest, pointer: &str, detail: &str) -> ErrorResponse {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let source = Some(ErrorSource::Pointer(pointer));
    request.error(status, "validation_error", detail, source)
}

fn to_json(request: &ApiRequest, account: &ServiceAccount) -> Value {
    let id = &account.id;
    let path = format!("{SERVICE_ACCOUNTS}/{id}");
    json!({
        "api_version": "iam/v2",
        "kind": "ServiceAccount",
        "id": id,
        "metadata": request.metadata(&path, &format!("/service-account={id}"), &account.created_at),
        "display_name": account.display_name,
        "description": account.description,
    })
}
