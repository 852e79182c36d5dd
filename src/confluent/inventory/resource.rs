//! Resources of an organization, and the lists that they come from.

use std::fmt;

/// Kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
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

impl ResourceKind {
    const ALL: [ResourceKind; 6] = [
        ResourceKind::Environment,
        ResourceKind::KafkaCluster,
        ResourceKind::Connector,
        ResourceKind::KsqldbCluster,
        ResourceKind::FlinkComputePool,
        ResourceKind::SchemaRegistry,
    ];

    /// Name, as in `resource/id`.
    pub fn name(self) -> &'static str {
        match self {
            ResourceKind::Environment => "environment",
            ResourceKind::KafkaCluster => "kafka-cluster",
            ResourceKind::Connector => "connector",
            ResourceKind::KsqldbCluster => "ksqldb-cluster",
            ResourceKind::FlinkComputePool => "flink-compute-pool",
            ResourceKind::SchemaRegistry => "schema-registry",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<ResourceKind> {
        ResourceKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Resource with its known attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Id, such as `lkc-…`.
    pub id: String,
    /// Kind.
    pub kind: ResourceKind,
    /// Display name.
    pub name: Option<String>,
    /// Environment that contains it.
    pub environment_id: Option<String>,
    /// Kafka cluster that it works with.
    pub kafka_cluster_id: Option<String>,
    /// `AWS`, `GCP` or `AZURE`.
    pub cloud: Option<String>,
    /// Region, as the cloud names it.
    pub region: Option<String>,
    /// `Basic`, `Standard`, `Enterprise`, `Dedicated` or `Freight`.
    pub cluster_kind: Option<String>,
    /// `SINGLE_ZONE`, `MULTI_ZONE`, `LOW` or `HIGH`.
    pub availability: Option<String>,
    /// Package of Stream Governance.
    pub package: Option<String>,
    /// Class of a connector.
    pub connector_class: Option<String>,
}

impl Resource {
    /// A resource without known attributes.
    pub(super) fn new(id: String, kind: ResourceKind) -> Resource {
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

/// One list of the API: resources of a kind in an environment or, for connectors, a Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceList {
    /// Kind of the listed resources.
    pub kind: ResourceKind,
    /// Id of the environment or cluster; empty for the list of environments.
    pub parent: String,
}

impl fmt::Display for ResourceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ResourceList { kind, parent } = self;
        match parent.as_str() {
            "" => write!(f, "{}s", kind.name()),
            parent => write!(f, "{}s of {parent}", kind.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_names() {
        for kind in ResourceKind::ALL {
            assert_eq!(ResourceKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(ResourceKind::from_name("topic"), None);
    }
}
