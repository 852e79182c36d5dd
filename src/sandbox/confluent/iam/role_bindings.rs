//! `/iam/v2/role-bindings` (spec: iam/v2 role-bindings).

use crate::sandbox::confluent::access::Permission;
use crate::sandbox::confluent::iam::ROLE_BINDINGS;
use crate::sandbox::confluent::iam::directory::{Directory, RoleBinding, crn, now};
use crate::sandbox::confluent::iam::roles::find_role;
use crate::sandbox::confluent::paged_list::ListQuery;
use crate::sandbox::confluent::request::{ApiRequest, HandlerResult};
use crate::sandbox::server::response::json;
use crate::sandbox::server::state::lock;
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

/// Body of a create request. Missing fields are as invalid as empty ones.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CreateRoleBinding {
    principal: String,
    role_name: String,
    crn_pattern: String,
}

/// Lists the role bindings within `crn_pattern`, all or those of a `principal` or `role_name`.
pub(crate) async fn list(request: ApiRequest) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let query = ListQuery::parse(&request, &["crn_pattern", "principal", "role_name"])?;
    let pattern = query.require(&request, "crn_pattern")?;
    let directory = lock(&request.sandbox.iam.directory);
    let matching = directory.role_bindings.iter().filter(|binding| {
        is_within(&binding.crn_pattern, pattern)
            && query.matches("principal", &binding.principal)
            && query.matches("role_name", binding.role_name)
    });
    Ok(
        query.page(&request, "iam/v2", "RoleBinding", matching, |binding| {
            to_json(&request, binding)
        }),
    )
}

pub(crate) async fn create(request: ApiRequest, body: Bytes) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let new: CreateRoleBinding = request.parse_body(&body)?;
    let Some(role_name) = find_role(&new.role_name) else {
        let detail = "role_name must be a role that can be bound at an organization";
        return Err(request.bad_field("/role_name", detail));
    };
    let mut directory = lock(&request.sandbox.iam.directory);
    let mut organizations = directory.organizations.iter();
    if !organizations.any(|organization| crn(organization) == new.crn_pattern) {
        let detail = "crn_pattern must be crn://confluent.cloud/organization= followed by the id of an organization";
        return Err(request.bad_field("/crn_pattern", detail));
    }
    if !is_known_principal(&directory, &new.principal) {
        let detail = "principal must be User: followed by the id of a service account or user";
        return Err(request.bad_field("/principal", detail));
    }
    let is_same = |binding: &RoleBinding| {
        binding.principal == new.principal
            && binding.role_name == role_name
            && binding.crn_pattern == new.crn_pattern
    };
    if directory.role_bindings.iter().any(is_same) {
        return Err(request.conflict("this role binding already exists"));
    }
    let binding = RoleBinding {
        id: directory.ids.id("rb"),
        principal: new.principal,
        role_name,
        crn_pattern: new.crn_pattern,
        created_at: now(),
    };
    let value = to_json(&request, &binding);
    directory.role_bindings.push(binding);
    Ok(json(StatusCode::CREATED, &value))
}

pub(crate) async fn get(request: ApiRequest, Path(id): Path<String>) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let directory = lock(&request.sandbox.iam.directory);
    let binding = directory
        .role_bindings
        .iter()
        .find(|binding| binding.id == id);
    let binding = binding.ok_or_else(|| request.missing("role binding", &id))?;
    Ok(json(StatusCode::OK, &to_json(&request, binding)))
}

/// Deletes a role binding and returns it.
pub(crate) async fn delete(request: ApiRequest, Path(id): Path<String>) -> HandlerResult {
    request.authorize(Permission::Iam)?;
    let mut directory = lock(&request.sandbox.iam.directory);
    let mut role_bindings = directory.role_bindings.iter();
    let index = role_bindings.position(|binding| binding.id == id);
    let index = index.ok_or_else(|| request.missing("role binding", &id))?;
    let binding = directory.role_bindings.remove(index);
    Ok(json(StatusCode::OK, &to_json(&request, &binding)))
}

/// Returns whether `crn` matches a pattern; one that ends with `/*` also matches everything below.
fn is_within(crn: &str, pattern: &str) -> bool {
    match pattern.strip_suffix("/*") {
        None => crn == pattern,
        Some(above) => crn
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

fn is_known_principal(directory: &Directory, principal: &str) -> bool {
    principal
        .strip_prefix("User:")
        .is_some_and(|id| directory.has_owner(id))
}

fn to_json(request: &ApiRequest, binding: &RoleBinding) -> Value {
    let id = &binding.id;
    let path = format!("{ROLE_BINDINGS}/{id}");
    json!({
        "api_version": "iam/v2",
        "kind": "RoleBinding",
        "id": id,
        "metadata": request.metadata(&path, &format!("/role-binding={id}"), &binding.created_at),
        "principal": binding.principal,
        "role_name": binding.role_name,
        "crn_pattern": binding.crn_pattern,
    })
}
