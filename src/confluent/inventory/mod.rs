//! Inventory of an organization: environments, clusters and connectors with names and regions (docs: Cloud API
//! reference, `org/v2`, `cmk/v2`, `connect/v1`, `ksqldbcm/v2`, `fcpm/v2`, `srcm/v3`).
//!
//! It takes the role Operator; a weaker role leads to refusals or empty lists. Each list fails separately: the
//! resources of a failed list are unknown, not deleted. When Confluent stops answering, the lists read so far count.

mod entries;
mod resource;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};

use crate::confluent::client::{Client, RequestError};
use crate::confluent::inventory::entries::{ConnectorEntry, EnvironmentEntry, ResourceEntry};
use crate::confluent::lists;
use crate::error::{Error, ErrorKind, Result};

pub use crate::confluent::inventory::resource::{Resource, ResourceKind, ResourceList};

/// Role that lists take.
const ROLE: &str = "Operator";
/// Environments whose lists are read at the same time.
const CONCURRENCY: usize = 4;

/// Resources of the lists that could be read, and the problems of the others.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Listed resources.
    pub resources: Vec<Resource>,
    /// Completely read lists.
    pub listed: BTreeSet<ResourceList>,
    /// Errors of the other lists.
    pub problems: Vec<String>,
    /// Advice for the first problem.
    pub hint: Option<String>,
}

impl Inventory {
    fn add(
        &mut self,
        list: ResourceList,
        outcome: std::result::Result<Vec<Resource>, RequestError>,
    ) -> Result<()> {
        match outcome {
            Ok(resources) => {
                self.resources.extend(resources);
                self.listed.insert(list);
            }
            // An environment or a cluster that was deleted meanwhile is empty.
            Err(error) if error.is_not_found() => {
                self.listed.insert(list);
            }
            // Server errors concern one service. Without a response, or with too many requests, each further list
            // would wait in vain.
            Err(error) if error.kind() == ErrorKind::Remote && !error.is_server_error() => {
                return Err(error.into());
            }
            Err(error) => self.add_problem(error.error()),
        }
        Ok(())
    }

    fn add_problem(&mut self, error: &Error) {
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

/// Lists everything that the key can see, as far as possible within `timeout`.
///
/// # Errors
/// When not even environments are listed.
pub async fn list(client: &Client, timeout: Duration) -> Result<Inventory> {
    let mut inventory = Inventory::default();
    let filled = tokio::time::timeout(timeout, fill(client, &mut inventory)).await;
    let timed_out = |_| {
        let secs = timeout.as_secs();
        Err(Error::remote(format!(
            "could not read all lists within {secs} seconds"
        )))
    };
    match filled.unwrap_or_else(timed_out) {
        Err(error) if inventory.listed.is_empty() => return Err(error),
        Err(error) => inventory.add_problem(&error),
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
        ROLE,
    )
    .await?;
    if environments.is_empty() {
        return Err(
            Error::config("environments: Confluent lists none that the API key can see").with_hint(
                "give the owner of the key the role Operator at the Organization scope, which names and regions take",
            ),
        );
    }
    inventory.listed.insert(ResourceList {
        kind: ResourceKind::Environment,
        parent: String::new(),
    });
    let ids: Vec<String> = environments.iter().map(|e| e.id.clone()).collect();
    inventory.resources.extend(
        environments
            .into_iter()
            .map(EnvironmentEntry::into_resource),
    );
    let mut parts = stream::iter(ids)
        .map(|id| async move {
            let mut part = Inventory::default();
            let filled = fill_environment(client, &id, &mut part).await;
            (part, filled)
        })
        .buffer_unordered(CONCURRENCY);
    while let Some((part, filled)) = parts.next().await {
        inventory.merge(part);
        filled?;
    }
    Ok(())
}

/// Lists the resources of one environment.
async fn fill_environment(client: &Client, id: &str, inventory: &mut Inventory) -> Result<()> {
    let lists: [(ResourceKind, &[&str]); 4] = [
        (ResourceKind::KafkaCluster, &["cmk", "v2", "clusters"]),
        (ResourceKind::KsqldbCluster, &["ksqldbcm", "v2", "clusters"]),
        (
            ResourceKind::FlinkComputePool,
            &["fcpm", "v2", "compute-pools"],
        ),
        (ResourceKind::SchemaRegistry, &["srcm", "v3", "clusters"]),
    ];
    for (kind, path) in lists {
        let list = ResourceList {
            kind,
            parent: id.to_string(),
        };
        let query = [("environment", id)];
        let entries = lists::all(client, &list.to_string(), path, &query, ROLE).await;
        let resources = entries.map(|entries: Vec<ResourceEntry>| {
            entries
                .into_iter()
                .map(|entry| entry.into_resource(kind, id))
                .collect()
        });
        inventory.add(list, resources)?;
    }
    let clusters = inventory
        .resources
        .iter()
        .filter(|r| r.kind == ResourceKind::KafkaCluster);
    let clusters: Vec<String> = clusters.map(|cluster| cluster.id.clone()).collect();
    for cluster in clusters {
        let list = ResourceList {
            kind: ResourceKind::Connector,
            parent: cluster.clone(),
        };
        let resources = connectors(client, &list.to_string(), id, &cluster).await;
        inventory.add(list, resources)?;
    }
    Ok(())
}

/// Lists the connectors of a cluster, which come as one object by name, without pages.
async fn connectors(
    client: &Client,
    operation: &str,
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
    let response = client.get(operation, &path, &query, ROLE).await?;
    let connectors: BTreeMap<String, ConnectorEntry> = lists::parse(operation, response)?;
    let resources = connectors
        .into_iter()
        .filter_map(|(name, connector)| connector.into_resource(name, environment, cluster));
    Ok(resources.collect())
}
