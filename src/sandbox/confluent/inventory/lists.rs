//! Paged lists (spec: org/v2 environments, cmk/v2, ksqldbcm/v2, fcpm/v2, srcm/v3).

use crate::sandbox::confluent::access::Permission;
use crate::sandbox::confluent::iam::SERVICE_ACCOUNT;
use crate::sandbox::confluent::inventory::ResourceList;
use crate::sandbox::confluent::inventory::attributes::{
    CloudRegion, availability, ckus, cluster_kind, created_at, governance_package, max_cfus,
    network_id, region_of,
};
use crate::sandbox::confluent::inventory::inventory_data::Environment;
use crate::sandbox::confluent::paged_list::ListQuery;
use crate::sandbox::confluent::request::{ApiRequest, HandlerResult};
use crate::sandbox::data::resource::Resource;
use serde_json::{Value, json};

/// `spec.config.max_ecku` of clusters without CKUs.
const MAX_ECKUS: u64 = 10;

/// Lists environments: an empty list, not an error, without the permission.
pub(crate) async fn environments(request: ApiRequest) -> HandlerResult {
    let caller = request.authorize(Permission::Organizations)?;
    let query = ListQuery::parse(&request, &[])?;
    let data = request.sandbox.inventory.data();
    let visible = data
        .environments()
        .filter(|_| caller.has_permission(Permission::Inventory));
    let (version, kind) = ResourceList::Environments
        .version_and_kind()
        .unwrap_or_default();
    Ok(query.page(&request, version, kind, visible, |environment| {
        let id = &environment.id;
        let name = format!("/environment={id}");
        let mut item = item(&request, ResourceList::Environments, id, &name);
        item["display_name"] = environment.name.as_str().into();
        item["stream_governance_config"] = json!({ "package": governance_package(id) });
        item
    }))
}

pub(crate) async fn kafka(request: ApiRequest) -> HandlerResult {
    page(&request, ResourceList::Kafka, kafka_cluster)
}

pub(crate) async fn ksql(request: ApiRequest) -> HandlerResult {
    page(&request, ResourceList::Ksql, ksql_cluster)
}

pub(crate) async fn flink(request: ApiRequest) -> HandlerResult {
    page(&request, ResourceList::Flink, compute_pool)
}

pub(crate) async fn schema_registry(request: ApiRequest) -> HandlerResult {
    page(
        &request,
        ResourceList::SchemaRegistry,
        schema_registry_cluster,
    )
}

/// Page of a list of one environment. `spec_and_status` returns those fields of a resource.
fn page(
    request: &ApiRequest,
    list: ResourceList,
    spec_and_status: impl Fn(&Environment, &Resource) -> (Value, Value),
) -> HandlerResult {
    request.authorize(Permission::Inventory)?;
    let query = ListQuery::parse(request, &["environment", "spec.environment"])?;
    let id = match query.get("spec.environment") {
        Some(id) => id,
        None => query.require(request, "environment")?,
    };
    let environment = request.sandbox.inventory.data().environment(id);
    let environment = environment.ok_or_else(|| request.missing("environment", id))?;
    let (version, kind) = list.version_and_kind().unwrap_or_default();
    let resources = environment.resources(list).iter();
    Ok(query.page(request, version, kind, resources, |resource| {
        let name = format!("/environment={id}/{}={}", kind.to_lowercase(), resource.id);
        let mut item = item(request, list, &resource.id, &name);
        let (mut spec, status) = spec_and_status(environment, resource);
        spec["environment"] = json!({
            "id": id,
            "related": request.url(&format!("{}/{id}", ResourceList::Environments.path())),
        });
        item["spec"] = spec;
        item["status"] = status;
        item
    }))
}

/// Common fields of an item.
fn item(request: &ApiRequest, list: ResourceList, id: &str, name: &str) -> Value {
    let (version, kind) = list.version_and_kind().unwrap_or_default();
    let path = format!("{}/{id}", list.path());
    json!({
        "api_version": version,
        "kind": kind,
        "id": id,
        "metadata": request.metadata(&path, name, &created_at(id)),
    })
}

fn kafka_cluster(_: &Environment, cluster: &Resource) -> (Value, Value) {
    let CloudRegion { cloud, region } = region_of(&cluster.environment);
    let host = format!(
        "{}.{region}.{}.confluent.cloud",
        cluster.id,
        cloud.to_lowercase()
    );
    let mut config = json!({ "kind": cluster_kind(cluster) });
    let mut status = json!({ "phase": "PROVISIONED" });
    match ckus(cluster) {
        Some(ckus) => {
            config["cku"] = ckus.into();
            status["cku"] = ckus.into();
        }
        None => config["max_ecku"] = MAX_ECKUS.into(),
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
    if let Some(id) = network_id(cluster) {
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
    let CloudRegion { cloud, region } = region_of(&pool.environment);
    let max_cfus = max_cfus(&pool.id);
    let spec = json!({
        "display_name": pool.name,
        "cloud": cloud,
        "region": region,
        "max_cfu": max_cfus,
    });
    (
        spec,
        json!({ "phase": "PROVISIONED", "current_cfu": max_cfus / 2 }),
    )
}

fn schema_registry_cluster(_: &Environment, cluster: &Resource) -> (Value, Value) {
    let CloudRegion { cloud, region } = region_of(&cluster.environment);
    let spec = json!({
        "display_name": cluster.name,
        "package": governance_package(&cluster.environment),
        "cloud": cloud,
        "region": region,
        "http_endpoint": format!("https://{}.{region}.confluent.cloud", cluster.id),
    });
    (spec, json!({ "phase": "PROVISIONED" }))
}
