//! Connectors of a Kafka cluster (spec: connect/v1). This API has no envelope, no paging, and its own
//! error format.

use crate::sandbox::confluent::access::{Permission, authorize};
use crate::sandbox::confluent::iam::SERVICE_ACCOUNT;
use crate::sandbox::confluent::inventory::attributes::{connector_class, region_of, task_count};
use crate::sandbox::confluent::request::{ApiRequest, HandlerResult};
use crate::sandbox::data::resource::Resource;
use crate::sandbox::server::response::{connect_error, json};
use axum::extract::Path;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

/// Lists connector names; with `expand`, an object by name with the parts `id`, `info` and `status`.
pub(crate) async fn list(
    request: ApiRequest,
    Path((environment, cluster)): Path<(String, String)>,
) -> HandlerResult {
    authorize(&request.sandbox, &request.headers, Permission::Inventory)
        .map_err(|denied| connect_error(denied.status(), denied.detail()))?;
    let missing = |object| {
        let message = format!("{object} not found");
        connect_error(StatusCode::NOT_FOUND, &message)
    };
    let data = request.sandbox.inventory.data();
    let environment = data
        .environment(&environment)
        .ok_or_else(|| missing("Environment"))?;
    if !environment.kafka.iter().any(|kafka| kafka.id == cluster) {
        return Err(missing("Cluster").into());
    }
    let is_here = |connector: &&Resource| {
        let kafka = environment.cluster_of(connector);
        kafka.is_some_and(|kafka| kafka.id == cluster)
    };
    let connectors = environment.connectors.iter().filter(is_here);
    let parts = requested_parts(request.uri.query().unwrap_or_default());
    let value = if parts.is_empty() {
        connectors
            .map(|connector| connector.name.as_str())
            .collect()
    } else {
        let by_name =
            connectors.map(|connector| (connector.name.clone(), to_json(connector, &parts)));
        Value::Object(by_name.collect())
    };
    Ok(json(StatusCode::OK, &value))
}

/// Parts in the `expand` parameters.
fn requested_parts(query: &str) -> Vec<String> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "expand");
    let parts =
        given.flat_map(|(_, parts)| parts.split(',').map(str::to_owned).collect::<Vec<_>>());
    parts.collect()
}

fn to_json(connector: &Resource, parts: &[String]) -> Value {
    let mut object = Map::new();
    for part in parts {
        let value = match part.as_str() {
            "id" => json!({ "id": connector.id, "id_type": "ID" }),
            "info" => info(connector),
            "status" => status(connector),
            _ => continue,
        };
        object.insert(part.clone(), value);
    }
    Value::Object(object)
}

/// `source` or `sink`.
fn direction(connector: &Resource) -> &'static str {
    let class = connector_class(connector).to_ascii_lowercase();
    if class.contains("source") {
        "source"
    } else {
        "sink"
    }
}

fn info(connector: &Resource) -> Value {
    let location = region_of(&connector.environment);
    let name = &connector.name;
    let task_count = task_count(connector);
    let class = connector_class(connector);
    let tasks = (0..task_count).map(|task| json!({ "connector": name, "task": task }));
    json!({
        "name": name,
        "type": direction(connector),
        "config": {
            "name": name,
            "connector.class": class,
            "cloud.environment": "prod",
            "cloud.provider": location.cloud.to_lowercase(),
            "kafka.auth.mode": "SERVICE_ACCOUNT",
            "kafka.region": location.region,
            "kafka.service.account.id": SERVICE_ACCOUNT,
            "tasks.max": task_count.to_string(),
            "aws.secret.access.key": "****************",
        },
        "tasks": Vec::from_iter(tasks),
    })
}

fn status(connector: &Resource) -> Value {
    let worker = &connector.id;
    let tasks = (0..task_count(connector))
        .map(|task| json!({ "id": task, "state": "RUNNING", "worker_id": worker, "msg": "" }));
    json!({
        "name": connector.name,
        "type": direction(connector),
        "connector": { "state": "RUNNING", "worker_id": worker, "trace": "" },
        "tasks": Vec::from_iter(tasks),
    })
}
