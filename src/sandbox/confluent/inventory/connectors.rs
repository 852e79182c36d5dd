//! Connectors of a Kafka cluster (spec: connect/v1), an API with habits of its own: no envelope,
//! no pages, another shape of errors.

use crate::sandbox::confluent::access::{Right, authorize};
use crate::sandbox::confluent::iam::SERVICE_ACCOUNT;
use crate::sandbox::confluent::inventory::attributes::{connector_class, place_of, tasks};
use crate::sandbox::confluent::request::{Answer, Call};
use crate::sandbox::data::resource::Resource;
use crate::sandbox::server::response::{connect_refusal, json};
use axum::extract::Path;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

/// Names of the connectors; with `expand` an object of what is asked for (`id`, `info`, `status`)
/// by name.
pub async fn list(call: Call, Path((environment, cluster)): Path<(String, String)>) -> Answer {
    authorize(&call.sandbox, &call.headers, Right::Inventory)
        .map_err(|denied| connect_refusal(denied.status(), denied.detail()))?;
    let missing = |what| {
        let message = format!("{what} not found");
        connect_refusal(StatusCode::NOT_FOUND, &message)
    };
    let stock = call.sandbox.inventory.stock();
    let environment = stock
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
    let expand = expand(call.uri.query().unwrap_or_default());
    let value = if expand.is_empty() {
        connectors
            .map(|connector| connector.name.as_str())
            .collect()
    } else {
        let shown = connectors.map(|connector| (connector.name.clone(), shown(connector, &expand)));
        Value::Object(shown.collect())
    };
    Ok(json(StatusCode::OK, &value))
}

/// What is asked for beyond names.
fn expand(query: &str) -> Vec<String> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "expand");
    let parts =
        given.flat_map(|(_, parts)| parts.split(',').map(str::to_owned).collect::<Vec<_>>());
    parts.collect()
}

fn shown(connector: &Resource, expand: &[String]) -> Value {
    let mut parts = Map::new();
    for part in expand {
        let value = match part.as_str() {
            "id" => json!({ "id": connector.id, "id_type": "ID" }),
            "info" => info(connector),
            "status" => status(connector),
            _ => continue,
        };
        parts.insert(part.clone(), value);
    }
    Value::Object(parts)
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
    let place = place_of(&connector.environment);
    let name = &connector.name;
    let tasks = tasks(connector);
    let class = connector_class(connector);
    let list = (0..tasks).map(|task| json!({ "connector": name, "task": task }));
    json!({
        "name": name,
        "type": direction(connector),
        "config": {
            "name": name,
            "connector.class": class,
            "cloud.environment": "prod",
            "cloud.provider": place.cloud.to_lowercase(),
            "kafka.auth.mode": "SERVICE_ACCOUNT",
            "kafka.region": place.region,
            "kafka.service.account.id": SERVICE_ACCOUNT,
            "tasks.max": tasks.to_string(),
            "aws.secret.access.key": "****************",
        },
        "tasks": Vec::from_iter(list),
    })
}

fn status(connector: &Resource) -> Value {
    let worker = &connector.id;
    let tasks = (0..tasks(connector))
        .map(|task| json!({ "id": task, "state": "RUNNING", "worker_id": worker, "msg": "" }));
    json!({
        "name": connector.name,
        "type": direction(connector),
        "connector": { "state": "RUNNING", "worker_id": worker, "trace": "" },
        "tasks": Vec::from_iter(tasks),
    })
}
