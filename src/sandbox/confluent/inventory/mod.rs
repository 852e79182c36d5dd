//! Confluent's inventory endpoints: environments and their resources, with the ids and names of the
//! costs.
//!
//! `inventory_data` holds the resources, `attributes` derives their details, `lists` and `connectors`
//! handle requests.

pub(crate) mod attributes;
pub(crate) mod connectors;
pub(crate) mod faults;
pub(crate) mod inventory_data;
pub(crate) mod lists;

use crate::sandbox::Options;
use crate::sandbox::confluent::inventory::inventory_data::InventoryData;
use crate::sandbox::server::state::Sandbox;
use axum::Router;
use axum::http::Uri;
use axum::routing::get;
use std::sync::{Arc, OnceLock};
use url::form_urlencoded;

/// Inventory of one sandbox.
pub(crate) struct Inventory {
    options: Options,
    /// Generated on first use: many costs have many resources.
    data: OnceLock<InventoryData>,
}

impl Inventory {
    pub(crate) fn new(options: &Options) -> Inventory {
        Inventory {
            options: options.clone(),
            data: OnceLock::new(),
        }
    }

    /// Returns whether an API key can be for the cluster `id`.
    pub(crate) fn has_cluster(&self, id: &str) -> bool {
        self.data().has_cluster(id)
    }

    fn data(&self) -> &InventoryData {
        self.data.get_or_init(|| InventoryData::new(&self.options))
    }
}

/// List of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceList {
    Environments,
    /// Kafka clusters of an environment.
    Kafka,
    /// ksqlDB clusters of an environment.
    Ksql,
    /// Flink compute pools of an environment.
    Flink,
    /// Schema Registry clusters of an environment.
    SchemaRegistry,
    /// Connectors of a Kafka cluster.
    Connectors {
        /// Includes more than names.
        is_expanded: bool,
    },
}

const PAGED_LISTS: [ResourceList; 5] = [
    ResourceList::Environments,
    ResourceList::Kafka,
    ResourceList::Ksql,
    ResourceList::Flink,
    ResourceList::SchemaRegistry,
];

impl ResourceList {
    /// List that a request addresses.
    pub(crate) fn of(uri: &Uri) -> Option<ResourceList> {
        let path = uri.path();
        let parts: Vec<&str> = path.split('/').collect();
        if let [
            "",
            "connect",
            "v1",
            "environments",
            _,
            "clusters",
            _,
            "connectors",
        ] = parts[..]
        {
            let query = uri.query().unwrap_or_default();
            let is_expanded =
                form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "expand");
            return Some(ResourceList::Connectors { is_expanded });
        }
        PAGED_LISTS.into_iter().find(|list| list.path() == path)
    }

    /// Path as an axum route.
    fn path(self) -> &'static str {
        match self {
            ResourceList::Environments => "/org/v2/environments",
            ResourceList::Kafka => "/cmk/v2/clusters",
            ResourceList::Ksql => "/ksqldbcm/v2/clusters",
            ResourceList::Flink => "/fcpm/v2/compute-pools",
            ResourceList::SchemaRegistry => "/srcm/v3/clusters",
            ResourceList::Connectors { .. } => {
                "/connect/v1/environments/{environment}/clusters/{cluster}/connectors"
            }
        }
    }

    /// `api_version` and `kind` of the items; `None` for connectors, which have neither.
    fn version_and_kind(self) -> Option<(&'static str, &'static str)> {
        match self {
            ResourceList::Environments => Some(("org/v2", "Environment")),
            ResourceList::Kafka => Some(("cmk/v2", "Cluster")),
            ResourceList::Ksql => Some(("ksqldbcm/v2", "Cluster")),
            ResourceList::Flink => Some(("fcpm/v2", "ComputePool")),
            ResourceList::SchemaRegistry => Some(("srcm/v3", "Cluster")),
            ResourceList::Connectors { .. } => None,
        }
    }
}

pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    let connectors = ResourceList::Connectors { is_expanded: false };
    Router::new()
        .route(ResourceList::Environments.path(), get(lists::environments))
        .route(ResourceList::Kafka.path(), get(lists::kafka))
        .route(ResourceList::Ksql.path(), get(lists::ksql))
        .route(ResourceList::Flink.path(), get(lists::flink))
        .route(
            ResourceList::SchemaRegistry.path(),
            get(lists::schema_registry),
        )
        .route(connectors.path(), get(connectors::list))
}
