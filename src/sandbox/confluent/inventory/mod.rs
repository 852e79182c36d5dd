//! Confluent's inventory endpoints: environments and what is in them, by the very ids and names
//! that the costs have.
//!
//! `stock` holds the resources, `facts` what follows from them, `lists` and `connectors` answer
//! requests, `trouble` holds the faults.

pub(crate) mod attributes;
pub(crate) mod connectors;
pub mod faults;
pub(crate) mod inventory_data;
pub(crate) mod lists;

use crate::sandbox::Options;
use crate::sandbox::confluent::inventory::inventory_data::Stock;
use crate::sandbox::server::state::Sandbox;
use axum::Router;
use axum::http::Uri;
use axum::routing::get;
use std::sync::{Arc, OnceLock};
use url::form_urlencoded;

/// The resources of one sandbox.
pub struct Inventory {
    options: Options,
    /// Made when it is first asked for: many costs have many resources.
    stock: OnceLock<Stock>,
}

impl Inventory {
    /// The inventory of the organization that `options` describe.
    pub fn new(options: &Options) -> Inventory {
        Inventory {
            options: options.clone(),
            stock: OnceLock::new(),
        }
    }

    /// Whether there is a cluster that API keys can be for.
    pub fn has_cluster(&self, id: &str) -> bool {
        self.stock().has_cluster(id)
    }

    fn stock(&self) -> &Stock {
        self.stock.get_or_init(|| Stock::new(&self.options))
    }
}

/// One of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Environments.
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
        /// Whether more than their names is asked for.
        expanded: bool,
    },
}

/// The lists that have pages.
const PAGED: [List; 5] = [
    List::Environments,
    List::Kafka,
    List::Ksql,
    List::Flink,
    List::SchemaRegistry,
];

impl List {
    /// The list that a request is for.
    pub fn of(uri: &Uri) -> Option<List> {
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
            let expanded =
                form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "expand");
            return Some(List::Connectors { expanded });
        }
        PAGED.into_iter().find(|list| list.path() == path)
    }

    /// Its path, as a route.
    fn path(self) -> &'static str {
        match self {
            List::Environments => "/org/v2/environments",
            List::Kafka => "/cmk/v2/clusters",
            List::Ksql => "/ksqldbcm/v2/clusters",
            List::Flink => "/fcpm/v2/compute-pools",
            List::SchemaRegistry => "/srcm/v3/clusters",
            List::Connectors { .. } => {
                "/connect/v1/environments/{environment}/clusters/{cluster}/connectors"
            }
        }
    }

    /// `api_version` and `kind` of its items; none where they have no such thing.
    fn names(self) -> Option<(&'static str, &'static str)> {
        match self {
            List::Environments => Some(("org/v2", "Environment")),
            List::Kafka => Some(("cmk/v2", "Cluster")),
            List::Ksql => Some(("ksqldbcm/v2", "Cluster")),
            List::Flink => Some(("fcpm/v2", "ComputePool")),
            List::SchemaRegistry => Some(("srcm/v3", "Cluster")),
            List::Connectors { .. } => None,
        }
    }
}

/// The routes of the inventory.
pub fn routes() -> Router<Arc<Sandbox>> {
    let connectors = List::Connectors { expanded: false };
    Router::new()
        .route(List::Environments.path(), get(lists::environments))
        .route(List::Kafka.path(), get(lists::kafka))
        .route(List::Ksql.path(), get(lists::ksql))
        .route(List::Flink.path(), get(lists::flink))
        .route(List::SchemaRegistry.path(), get(lists::schema_registry))
        .route(connectors.path(), get(connectors::list))
}
