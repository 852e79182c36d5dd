//! What an organization has: environments, clusters, connectors, with names and regions (docs: Cloud API
//! reference, `org/v2`, `cmk/v2`, `connect/v1`, `ksqldbcm/v2`, `fcpm/v2`, `srcm/v3`).
//!
//! It takes the role Operator. Each list fails alone: what could not be listed is known to be unknown, which
//! is not the same as being gone. A poor role shows as a refusal or as an empty list. When Confluent does not
//! answer any more, what was listed until then counts.

mod entries;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use futures::{StreamExt, stream};

use crate::confluent::client::{Client, RequestError};
use crate::confluent::inventory::entries::{ConnectorEntry, Entry, EnvironmentEntry};
use crate::confluent::lists;
use crate::error::{Error, ErrorKind, Result};

/// The role that lists take.
const RIGHT: &str = "Operator";
/// Environments whose lists are read at the same time.
const AT_ONCE: usize = 4;

/// Kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `env-…`
    Environment,
    /// `lkc-…`
    KafkaCluster,
    /// `lcc-…`
    Connector,
    /// `lksqlc-…`
    KsqldbCluster,
    /// `lfcp-…`
    FlinkComputePool,
    /// `lsrc-…`
    SchemaRegistry,
}

impl Kind {
    const ALL: [Kind; 6] = [
        Kind::Environment,
        Kind::KafkaCluster,
        Kind::Connector,
        Kind::KsqldbCluster,
        Kind::FlinkComputePool,
        Kind::SchemaRegistry,
    ];

    /// As in `resource/id`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Environment => "environment",
            Kind::KafkaCluster => "kafka-cluster",
            Kind::Connector => "connector",
            Kind::KsqldbCluster => "ksqldb-cluster",
            Kind::FlinkComputePool => "flink-compute-pool",
            Kind::SchemaRegistry => "schema-registry",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What is known of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// Its display name.
    pub name: Option<String>,
    /// The environment that it is in.
    pub environment_id: Option<String>,
    /// The Kafka cluster that it works with.
    pub kafka_cluster_id: Option<String>,
    /// `AWS`, `GCP` or `AZURE`.
    pub cloud: Option<String>,
    /// The cloud's name of the region.
    pub region: Option<String>,
    /// `Basic`, `Standard`, `Enterprise`, `Dedicated` or `Freight`.
    pub cluster_kind: Option<String>,
    /// `SINGLE_ZONE`, `MULTI_ZONE`, `LOW` or `HIGH`.
    pub availability: Option<String>,
    /// The package of Stream Governance.
    pub package: Option<String>,
    /// A connector's class.
    pub connector_class: Option<String>,
}

impl Resource {
    fn new(id: String, kind: Kind) -> Resource {
        Resource {
            id,
            kind,
            name: None,
            environment_id: None,
            kafka_cluster_id: None,
            cloud: None,
            region: None,
            cluster_kind: None,
            availability: None,
            package: None,
            connector_class: None,
        }
    }
}

/// A list: resources of a kind, in an environment or (connectors) a Kafka cluster; the environments' own has
/// no parent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct List {
    /// What it lists.
    pub kind: Kind,
    /// In what.
    pub parent: String,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let List { kind, parent } = self;
        match parent.as_str() {
            "" => write!(f, "{}s", kind.name()),
            parent => write!(f, "{}s of {parent}", kind.name()),
        }
    }
}

/// What was listed, and what could not be.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Resources.
    pub resources: Vec<Resource>,
    /// Lists that were read to their end.
    pub listed: BTreeSet<List>,
    /// Why the other ones were not.
    pub problems: Vec<String>,
    /// What to do about the first of them.
    pub hint: Option<String>,
}

impl Inventory {
    fn add(
        &mut self,
        list: List,
        outcome: std::result::Result<Vec<Resource>, RequestError>,
    ) -> Result<()> {
        match outcome {
            Ok(resources) => {
                self.resources.extend(resources);
                self.listed.insert(list);
            }
            // An environment or a cluster that went meanwhile has nothing in it.
            Err(failure) if failure.status.is_some_and(|status| status.as_u16() == 404) => {
                self.listed.insert(list);
            }
            // A service that is out of order is so alone. Without an answer, or with too many questions, each
            // further list would wait for the same in vain.
            Err(failure)
                if failure.error.kind() == ErrorKind::Remote
                    && !failure
                        .status
                        .is_some_and(|status| status.is_server_error()) =>
            {
                return Err(failure.error);
            }
            Err(failure) => self.problem(&failure.error),
        }
        Ok(())
    }

    fn problem(&mut self, error: &Error) {
        self.problems.push(error.to_string());
        if self.hint.is_none() && error.kind() != ErrorKind::Remote {
            self.hint = error.hint();
        }
    }

    fn merge(&mut self, other: Inventory) {
        self.resources.extend(other.resources);
        self.listed.extend(other.listed);
        self.problems.extend(other.problems);
        self.hint = self.hint.take().or(other.hint);
    }
}

/// Lists everything that the key may see, as far as it comes `within` some time.
///
/// # Errors
/// When not even environments are listed.
pub async fn list(client: &Client, within: Duration) -> Result<Inventory> {
    let mut inventory = Inventory::default();
    let filled = tokio::time::timeout(within, fill(client, &mut inventory)).await;
    let late = |_| {
        let secs = within.as_secs();
        Err(Error::remote(format!(
            "the lists did not all come within {secs} seconds"
        )))
    };
    match filled.unwrap_or_else(late) {
        Err(error) if inventory.listed.is_empty() => return Err(error),
        Err(error) => inventory.problem(&error),
        Ok(()) => {}
    }
    Ok(inventory)
}

async fn fill(client: &Client, inventory: &mut Inventory) -> Result<()> {
    let environments: Vec<EnvironmentEntry> = lists::all(
        client,
        "environments",
        &["org", "v2", "environments"],
        &[],
        RIGHT,
    )
    .await?;
    if environments.is_empty() {
        return Err(
            Error::config("environments: Confluent lists none that the API key may see")
                .with_hint("names and regions take the role Operator at the Organization scope"),
        );
    }
    inventory.listed.insert(List {
        kind: Kind::Environment,
        parent: String::new(),
    });
    let ids: Vec<String> = environments.iter().map(|e| e.id.clone()).collect();
    inventory
        .resources
        .extend(environments.into_iter().map(EnvironmentEntry::resource));
    let mut parts = stream::iter(ids)
        .map(|id| async move {
            let mut part = Inventory::default();
            let filled = fill_environment(client, &id, &mut part).await;
            (part, filled)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((part, filled)) = parts.next().await {
        inventory.merge(part);
        filled?;
    }
    Ok(())
}

/// What is in one environment.
async fn fill_environment(client: &Client, id: &str, inventory: &mut Inventory) -> Result<()> {
    let lists: [(Kind, &[&str]); 4] = [
        (Kind::KafkaCluster, &["cmk", "v2", "clusters"]),
        (Kind::KsqldbCluster, &["ksqldbcm", "v2", "clusters"]),
        (Kind::FlinkComputePool, &["fcpm", "v2", "compute-pools"]),
        (Kind::SchemaRegistry, &["srcm", "v3", "clusters"]),
    ];
    for (kind, path) in lists {
        let list = List {
            kind,
            parent: id.to_string(),
        };
        let query = [("environment", id)];
        let entries = lists::all(client, &list.to_string(), path, &query, RIGHT).await;
        let entries = entries.map(|entries: Vec<Entry>| {
            entries
                .into_iter()
                .map(|entry| entry.resource(kind, id))
                .collect()
        });
        inventory.add(list, entries)?;
    }
    let clusters = inventory
        .resources
        .iter()
        .filter(|r| r.kind == Kind::KafkaCluster);
    let clusters: Vec<String> = clusters.map(|cluster| cluster.id.clone()).collect();
    for cluster in clusters {
        let list = List {
            kind: Kind::Connector,
            parent: cluster.clone(),
        };
        let entries = connectors(client, &list.to_string(), id, &cluster).await;
        inventory.add(list, entries)?;
    }
    Ok(())
}

/// Connectors come as one object by name, without pages.
async fn connectors(
    client: &Client,
    asked: &str,
    environment: &str,
    cluster: &str,
) -> std::result::Result<Vec<Resource>, RequestError> {
    let path = [
        "connect",
        "v1",
        "environments",
        environment,
        "clusters",
        cluster,
        "connectors",
    ];
    let query = [("expand", "info,status,id")];
    let answer = client.get(asked, &path, &query, RIGHT).await?;
    let connectors: BTreeMap<String, ConnectorEntry> = lists::read(asked, answer)?;
    let resources = connectors
        .into_iter()
        .filter_map(|(name, connector)| connector.resource(name, environment, cluster));
    Ok(resources.collect())
}
