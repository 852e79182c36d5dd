//! The lists that have pages (spec: org/v2 environments, cmk/v2, ksqldbcm/v2, fcpm/v2, srcm/v3).

use crate::sandbox::confluent::access::Right;
use crate::sandbox::confluent::iam::SERVICE_ACCOUNT;
use crate::sandbox::confluent::inventory::List;
use crate::sandbox::confluent::inventory::attributes::{
    Place, availability, ckus, governance, kind, made, most_cfus, network, place_of,
};
use crate::sandbox::confluent::inventory::inventory_data::Environment;
use crate::sandbox::confluent::list::Query;
use crate::sandbox::confluent::request::{Answer, Call};
use crate::sandbox::data::resource::Resource;
use serde_json::{Value, json};

/// ECKUs that a cluster without CKUs may use at most.
const MOST_ECKUS: u64 = 10;

/// The environments that the caller may see: none without the role, which is no error.
pub async fn environments(call: Call) -> Answer {
    let caller = call.authorize(Right::Organizations)?;
    let query = Query::read(&call, &[])?;
    let stock = call.sandbox.inventory.stock();
    let seen = stock
        .environments()
        .filter(|_| caller.may(Right::Inventory));
    let (version, kind) = List::Environments.names().unwrap_or_default();
    Ok(query.answer(&call, version, kind, seen, |environment| {
        let id = &environment.id;
        let name = format!("/environment={id}");
        let mut item = item(&call, List::Environments, id, &name);
        item["display_name"] = environment.name.as_str().into();
        item["stream_governance_config"] = json!({ "package": governance(id) });
        item
    }))
}

/// Kafka clusters of an environment.
pub async fn kafka(call: Call) -> Answer {
    page(&call, List::Kafka, kafka_cluster)
}

/// ksqlDB clusters of an environment.
pub async fn ksql(call: Call) -> Answer {
    page(&call, List::Ksql, ksql_cluster)
}

/// Flink compute pools of an environment.
pub async fn flink(call: Call) -> Answer {
    page(&call, List::Flink, compute_pool)
}

/// Schema Registry clusters of an environment.
pub async fn schema_registry(call: Call) -> Answer {
    page(&call, List::SchemaRegistry, schema_registry_cluster)
}

/// A page of a list of one environment. `shown` makes `spec` and `status` of a resource.
fn page(
    call: &Call,
    list: List,
    shown: impl Fn(&Environment, &Resource) -> (Value, Value),
) -> Answer {
    call.authorize(Right::Inventory)?;
    let query = Query::read(call, &["environment", "spec.environment"])?;
    let id = match query.get("spec.environment") {
        Some(id) => id,
        None => query.require(call, "environment")?,
    };
    let environment = call.sandbox.inventory.stock().environment(id);
    let environment = environment.ok_or_else(|| call.missing("environment", id))?;
    let (version, kind) = list.names().unwrap_or_default();
    let resources = environment.resources(list).iter();
    Ok(query.answer(call, version, kind, resources, |resource| {
        let name = format!("/environment={id}/{}={}", kind.to_lowercase(), resource.id);
        let mut item = item(call, list, &resource.id, &name);
        let (mut spec, status) = shown(environment, resource);
        spec["environment"] = json!({
            "id": id,
            "related": call.url(&format!("{}/{id}", List::Environments.path())),
        });
        item["spec"] = spec;
        item["status"] = status;
        item
    }))
}

/// What every item has.
fn item(call: &Call, list: List, id: &str, name: &str) -> Value {
    let (version, kind) = list.names().unwrap_or_default();
    let path = format!("{}/{id}", list.path());
    json!({
        "api_version": version,
        "kind": kind,
        "id": id,
        "metadata": call.metadata(&path, name, &made(id)),
    })
}

fn kafka_cluster(_: &Environment, cluster: &Resource) -> (Value, Value) {
    let Place { cloud, region } = place_of(&cluster.environment);
    let host = format!(
        "{}.{region}.{}.confluent.cloud",
        cluster.id,
        cloud.to_lowercase()
    );
    let mut config = json!({ "kind": kind(cluster) });
    let mut status = json!({ "phase": "PROVISIONED" });
    match ckus(cluster) {
        Some(ckus) => {
            config["cku"] = ckus.into();
            status["cku"] = ckus.into();
        }
        None => config["max_ecku"] = MOST_ECKUS.into(),
    }
    let mut spec = json!({
        "display_name": cluster.name,
        "availability": availability(cluster),
        "cloud": cloud,
        "region": region,
        "config": config,
        "kafka_bootstrap_endpoint": format!("SASL_SSL://{host}:9092"),
        "http_endpoint": format!("https://{host}:443"),
    });
    if let Some(id) = network(cluster) {
        spec["network"] = json!({ "id": id, "environment": cluster.environment });
    }
    (spec, status)
}

fn ksql_cluster(environment: &Environment, cluster: &Resource) -> (Value, Value) {
    let kafka = environment
        .cluster_of(cluster)
        .map(|kafka| json!({ "id": kafka.id, "environment": environment.id }));
    let spec = json!({
        "display_name": cluster.name,
        "use_detailed_processing_log": true,
        "csu": 4,
        "kafka_cluster": kafka,
        "credential_identity": { "id": SERVICE_ACCOUNT },
    });
    let status = json!({ "phase": "PROVISIONED", "is_paused": false, "storage": 500 });
    (spec, status)
}

fn compute_pool(_: &Environment, pool: &Resource) -> (Value, Value) {
    let Place { cloud, region } = place_of(&pool.environment);
    let most = most_cfus(&pool.id);
    let spec = json!({
        "display_name": pool.name,
        "cloud": cloud,
        "region": region,
        "max_cfu": most,
    });
    (
        spec,
        json!({ "phase": "PROVISIONED", "current_cfu": most / 2 }),
    )
}

fn schema_registry_cluster(_: &Environment, cluster: &Resource) -> (Value, Value) {
    let Place { cloud, region } = place_of(&cluster.environment);
    let spec = json!({
        "display_name": cluster.name,
        "package": governance(&cluster.environment),
        "cloud": cloud,
        "region": region,
        "http_endpoint": format!("https://{}.{region}.confluent.cloud", cluster.id),
    });
    (spec, json!({ "phase": "PROVISIONED" }))
}
