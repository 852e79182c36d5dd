//! `GET /org/v2/organizations` (spec: org/v2 organizations).

use crate::sandbox::confluent::access::Right;
use crate::sandbox::confluent::iam::directory::Organization;
use crate::sandbox::confluent::iam::{ORGANIZATIONS, lock};
use crate::sandbox::confluent::list::Query;
use crate::sandbox::confluent::request::{Answer, Call};
use serde_json::{Value, json};

/// The organizations that the caller has a role in; without any role, the one of its key.
pub async fn list(call: Call) -> Answer {
    let caller = call.authorize(Right::Organizations)?;
    let query = Query::read(&call, &[])?;
    let iam = &call.sandbox.iam;
    let directory = lock(&iam.directory);
    let seen = |organization: &&Organization| match &caller.organizations[..] {
        [] => organization.id == iam.home,
        own => own.contains(&organization.id),
    };
    let seen = directory.organizations.iter().filter(seen);
    Ok(
        query.answer(&call, "org/v2", "Organization", seen, |organization| {
            shown(&call, organization)
        }),
    )
}

fn shown(call: &Call, organization: &Organization) -> Value {
    let id = &organization.id;
    let mut metadata = call.metadata(&format!("{ORGANIZATIONS}/{id}"), "", &organization.made);
    metadata["resource_name"] = crate::sandbox::confluent::iam::directory::crn(organization).into();
    json!({
        "api_version": "org/v2",
        "kind": "Organization",
        "id": id,
        "metadata": metadata,
        "display_name": organization.display_name,
        "jit_enabled": true,
    })
}
