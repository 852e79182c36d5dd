//! `GET /org/v2/organizations` (spec: org/v2 organizations).

use crate::sandbox::confluent::access::Permission;
use crate::sandbox::confluent::iam::ORGANIZATIONS;
use crate::sandbox::confluent::iam::directory::{Organization, crn};
use crate::sandbox::confluent::paged_list::ListQuery;
use crate::sandbox::confluent::request::{ApiRequest, HandlerResult};
use crate::sandbox::server::state::lock;
use serde_json::{Value, json};

/// Lists the organizations in which the caller has a role; without any role, that of its key.
pub(crate) async fn list(request: ApiRequest) -> HandlerResult {
    let caller = request.authorize(Permission::Organizations)?;
    let query = ListQuery::parse(&request, &[])?;
    let iam = &request.sandbox.iam;
    let directory = lock(&iam.directory);
    let visible = |organization: &&Organization| match &caller.organizations[..] {
        [] => organization.id == iam.home_organization,
        organizations => organizations.contains(&organization.id),
    };
    let visible = directory.organizations.iter().filter(visible);
    Ok(query.page(
        &request,
        "org/v2",
        "Organization",
        visible,
        |organization| to_json(&request, organization),
    ))
}

fn to_json(request: &ApiRequest, organization: &Organization) -> Value {
    let id = &organization.id;
    let mut metadata = request.metadata(
        &format!("{ORGANIZATIONS}/{id}"),
        "",
        &organization.created_at,
    );
    metadata["resource_name"] = crn(organization).into();
    json!({
        "api_version": "org/v2",
        "kind": "Organization",
        "id": id,
        "metadata": metadata,
        "display_name": organization.display_name,
        "jit_enabled": true,
    })
}
