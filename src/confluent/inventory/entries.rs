//! Entries of lists as received: anything but the id may be missing or null.

use serde::Deserialize;

use crate::confluent::inventory::resource::{Resource, ResourceKind};

/// Entry of the list of environments.
#[derive(Deserialize)]
pub(super) struct EnvironmentEntry {
    /// `env-…`
    pub id: String,
    display_name: Option<String>,
    stream_governance_config: Option<Governance>,
}

#[derive(Deserialize)]
struct Governance {
    package: Option<String>,
}

impl EnvironmentEntry {
    /// Converts the entry into a resource.
    pub fn into_resource(self) -> Resource {
        Resource {
            name: self.display_name,
            package: self.stream_governance_config.and_then(|g| g.package),
            ..Resource::new(self.id, ResourceKind::Environment)
        }
    }
}

/// Cluster, compute pool or Schema Registry: they share the names of their fields.
#[derive(Deserialize)]
pub(super) struct ResourceEntry {
    id: String,
    spec: Option<ResourceSpec>,
}

#[derive(Default, Deserialize)]
struct ResourceSpec {
    display_name: Option<String>,
    cloud: Option<String>,
    region: Option<RegionField>,
    availability: Option<String>,
    package: Option<String>,
    config: Option<ClusterConfig>,
    kafka_cluster: Option<Reference>,
}

/// Name or, with Schema Registry v2, a reference.
#[derive(Deserialize)]
#[serde(untagged)]
enum RegionField {
    Name(String),
    Reference(Reference),
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct ClusterConfig {
    kind: Option<String>,
}

impl ResourceEntry {
    /// Converts an entry of the list of `environment` into a resource.
    pub fn into_resource(self, kind: ResourceKind, environment: &str) -> Resource {
        let ResourceSpec {
            display_name,
            cloud,
            region,
            availability,
            package,
            config,
            kafka_cluster,
        } = self.spec.unwrap_or_default();
        Resource {
            name: display_name,
            environment_id: Some(environment.to_string()),
            kafka_cluster_id: kafka_cluster.and_then(|cluster| cluster.id),
            cloud: cloud.map(|cloud| cloud.to_uppercase()),
            region: region.and_then(|region| match region {
                RegionField::Name(name) => Some(name),
                RegionField::Reference(region) => region.id,
            }),
            cluster_kind: config.and_then(|config| config.kind),
            availability,
            package,
            ..Resource::new(self.id, kind)
        }
    }
}

/// Connector.
#[derive(Deserialize)]
pub(super) struct ConnectorEntry {
    id: Option<Reference>,
    info: Option<ConnectorInfo>,
}

impl ConnectorEntry {
    /// Converts an entry of the list of `cluster` into a resource; `None` for one without an id.
    pub fn into_resource(self, name: String, environment: &str, cluster: &str) -> Option<Resource> {
        let id = self.id?.id.filter(|id| !id.is_empty())?;
        Some(Resource {
            name: Some(name),
            environment_id: Some(environment.to_string()),
            kafka_cluster_id: Some(cluster.to_string()),
            // The rest of the configuration may contain secrets.
            connector_class: self.info.and_then(|info| info.config?.class),
            ..Resource::new(id, ResourceKind::Connector)
        })
    }
}

#[derive(Deserialize)]
struct ConnectorInfo {
    config: Option<ConnectorConfig>,
}

#[derive(Deserialize)]
struct ConnectorConfig {
    #[serde(rename = "connector.class")]
    class: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_and_null_fields_are_unknown() {
        for entry in [
            json!({"id": "lkc-1"}),
            json!({"id": "lkc-1", "spec": null}),
            json!({"id": "lkc-1", "spec": {"region": null, "config": null, "kafka_cluster": {"id": null}}}),
            json!({"id": "lkc-1", "spec": {"config": {}, "kafka_cluster": {}, "new": {"key": 1}}}),
        ] {
            let entry: ResourceEntry = serde_json::from_value(entry).unwrap();
            let resource = entry.into_resource(ResourceKind::KafkaCluster, "env-1");
            let bare = Resource::new("lkc-1".into(), ResourceKind::KafkaCluster);
            let environment_id = Some("env-1".to_string());
            assert_eq!(
                resource,
                Resource {
                    environment_id,
                    ..bare
                }
            );
        }
        let reference =
            json!({"id": "lsrc-1", "spec": {"cloud": "aws", "region": {"id": "sgreg-1"}}});
        let entry: ResourceEntry = serde_json::from_value(reference).unwrap();
        let resource = entry.into_resource(ResourceKind::SchemaRegistry, "env-1");
        assert_eq!(
            (resource.cloud.as_deref(), resource.region.as_deref()),
            (Some("AWS"), Some("sgreg-1"))
        );
        for (connector, id) in [
            (json!({}), None),
            (json!({"id": null, "info": null}), None),
            (json!({"id": {"id": ""}}), None),
            (
                json!({"id": {"id": "lcc-1"}, "info": {"config": null}}),
                Some("lcc-1"),
            ),
        ] {
            let entry: ConnectorEntry = serde_json::from_value(connector).unwrap();
            let resource = entry.into_resource("sink".into(), "env-1", "lkc-1");
            assert_eq!(resource.as_ref().map(|resource| resource.id.as_str()), id);
        }
    }
}
