//! Entries of lists, as they come: any part but the id may be missing or null.

use serde::Deserialize;

use crate::confluent::inventory::{Kind, Resource};

/// An environment.
#[derive(Deserialize)]
pub struct EnvironmentEntry {
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
    /// What is known by it.
    pub fn resource(self) -> Resource {
        Resource {
            name: self.display_name,
            package: self.stream_governance_config.and_then(|g| g.package),
            ..Resource::new(self.id, Kind::Environment)
        }
    }
}

/// A cluster, a pool or a registry: they share the names of their fields.
#[derive(Deserialize)]
pub struct Entry {
    id: String,
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
struct Spec {
    display_name: Option<String>,
    cloud: Option<String>,
    region: Option<Region>,
    availability: Option<String>,
    package: Option<String>,
    config: Option<Config>,
    kafka_cluster: Option<Reference>,
}

/// A name, or (Schema Registry v2) a reference.
#[derive(Deserialize)]
#[serde(untagged)]
enum Region {
    Name(String),
    Reference(Reference),
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Config {
    kind: Option<String>,
}

impl Entry {
    /// What is known by it in the list of an environment.
    pub fn resource(self, kind: Kind, environment: &str) -> Resource {
        let Spec {
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
                Region::Name(name) => Some(name),
                Region::Reference(region) => region.id,
            }),
            cluster_kind: config.and_then(|config| config.kind),
            availability,
            package,
            ..Resource::new(self.id, kind)
        }
    }
}

/// A connector.
#[derive(Deserialize)]
pub struct ConnectorEntry {
    id: Option<Reference>,
    info: Option<Info>,
}

impl ConnectorEntry {
    /// What is known by it in the list of a cluster; nothing of one without an id.
    pub fn resource(self, name: String, environment: &str, cluster: &str) -> Option<Resource> {
        let id = self.id?.id.filter(|id| !id.is_empty())?;
        Some(Resource {
            name: Some(name),
            environment_id: Some(environment.to_string()),
            kafka_cluster_id: Some(cluster.to_string()),
            // The rest of the configuration may hold secrets.
            connector_class: self.info.and_then(|info| info.config?.class),
            ..Resource::new(id, Kind::Connector)
        })
    }
}

#[derive(Deserialize)]
struct Info {
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
    fn what_is_missing_or_null_is_unknown() {
        for entry in [
            json!({"id": "lkc-1"}),
            json!({"id": "lkc-1", "spec": null}),
            json!({"id": "lkc-1", "spec": {"region": null, "config": null, "kafka_cluster": {"id": null}}}),
            json!({"id": "lkc-1", "spec": {"config": {}, "kafka_cluster": {}, "new": {"key": 1}}}),
        ] {
            let entry: Entry = serde_json::from_value(entry).unwrap();
            let resource = entry.resource(Kind::KafkaCluster, "env-1");
            let bare = Resource::new("lkc-1".into(), Kind::KafkaCluster);
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
        let entry: Entry = serde_json::from_value(reference).unwrap();
        let resource = entry.resource(Kind::SchemaRegistry, "env-1");
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
            let resource = entry.resource("sink".into(), "env-1", "lkc-1");
            assert_eq!(resource.as_ref().map(|resource| resource.id.as_str()), id);
        }
    }
}
