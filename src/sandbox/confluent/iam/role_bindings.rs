//! `/iam/v2/role-bindings` (spec: iam/v2 role-bindings).

use crate::sandbox::confluent::access::Right;
use crate::sandbox::confluent::iam::directory::{Binding, Directory, crn, now};
use crate::sandbox::confluent::iam::roles::role;
use crate::sandbox::confluent::iam::{ROLE_BINDINGS, lock};
use crate::sandbox::confluent::list::Query;
use crate::sandbox::confluent::request::{Answer, Call};
use crate::sandbox::server::response::json;
use axum::extract::Path;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

/// The body of a new one. Whatever is left out is as wrong as an empty text.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Wish {
    principal: String,
    role_name: String,
    crn_pattern: String,
}

/// The role bindings within `crn_pattern`, all or those of a `principal` or `role_name`.
pub async fn list(call: Call) -> Answer {
    call.authorize(Right::Iam)?;
    let query = Query::read(&call, &["crn_pattern", "principal", "role_name"])?;
    let pattern = query.require(&call, "crn_pattern")?;
    let directory = lock(&call.sandbox.iam.directory);
    let wanted = directory.bindings.iter().filter(|binding| {
        is_within(&binding.crn_pattern, pattern)
            && query.takes("principal", &binding.principal)
            && query.takes("role_name", binding.role_name)
    });
    Ok(
        query.answer(&call, "iam/v2", "RoleBinding", wanted, |binding| {
            shown(&call, binding)
        }),
    )
}

/// Gives somebody a role in an organization.
pub async fn create(call: Call, body: Bytes) -> Answer {
    call.authorize(Right::Iam)?;
    let wish: Wish = call.read(&body)?;
    let Some(role_name) = role(&wish.role_name) else {
        let detail = "role_name must be a role that can be bound at an organization";
        return Err(call.bad_field("/role_name", detail));
    };
    let mut directory = lock(&call.sandbox.iam.directory);
    let mut organizations = directory.organizations.iter();
    if !organizations.any(|organization| crn(organization) == wish.crn_pattern) {
        let detail = "crn_pattern must be crn://confluent.cloud/organization= with the id of one";
        return Err(call.bad_field("/crn_pattern", detail));
    }
    if !is_known(&directory, &wish.principal) {
        let detail = "principal must be User: with the id of a service account or user";
        return Err(call.bad_field("/principal", detail));
    }
    let same = |binding: &Binding| {
        binding.principal == wish.principal
            && binding.role_name == role_name
            && binding.crn_pattern == wish.crn_pattern
    };
    if directory.bindings.iter().any(same) {
        return Err(call.conflict("this role binding exists"));
    }
    let binding = Binding {
        id: directory.mint.id("rb"),
        principal: wish.principal,
        role_name,
        crn_pattern: wish.crn_pattern,
        made: now(),
    };
    let shown = shown(&call, &binding);
    directory.bindings.push(binding);
    Ok(json(StatusCode::CREATED, &shown))
}

/// One role binding.
pub async fn one(call: Call, Path(id): Path<String>) -> Answer {
    call.authorize(Right::Iam)?;
    let directory = lock(&call.sandbox.iam.directory);
    let binding = directory.bindings.iter().find(|binding| binding.id == id);
    let binding = binding.ok_or_else(|| call.missing("role binding", &id))?;
    Ok(json(StatusCode::OK, &shown(&call, binding)))
}

/// Deletes one, and shows it once more.
pub async fn remove(call: Call, Path(id): Path<String>) -> Answer {
    call.authorize(Right::Iam)?;
    let mut directory = lock(&call.sandbox.iam.directory);
    let mut bindings = directory.bindings.iter();
    let place = bindings.position(|binding| binding.id == id);
    let place = place.ok_or_else(|| call.missing("role binding", &id))?;
    let binding = directory.bindings.remove(place);
    Ok(json(StatusCode::OK, &shown(&call, &binding)))
}

/// Whether `crn` is what a pattern names; one that ends with `/*` also names all that is below.
fn is_within(crn: &str, pattern: &str) -> bool {
    match pattern.strip_suffix("/*") {
        None => crn == pattern,
        Some(above) => crn
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

fn is_known(directory: &Directory, principal: &str) -> bool {
    principal
        .strip_prefix("User:")
        .is_some_and(|id| directory.has_owner(id))
}

fn shown(call: &Call, binding: &Binding) -> Value {
    let id = &binding.id;
    let path = format!("{ROLE_BINDINGS}/{id}");
    json!({
        "api_version": "iam/v2",
        "kind": "RoleBinding",
        "id": id,
        "metadata": call.metadata(&path, &format!("/role-binding={id}"), &binding.made),
        "principal": binding.principal,
        "role_name": binding.role_name,
        "crn_pattern": binding.crn_pattern,
    })
}
