//! Resources of a sandbox, listed without billstream.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::Sandbox;

/// Base64 of `sandbox-key:sandbox-secret`.
const AUTHORIZATION: &str = "Basic c2FuZGJveC1rZXk6c2FuZGJveC1zZWNyZXQ=";

/// Attributes of a resource; empty if unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub name: String,
    pub environment: String,
    pub environment_name: String,
    pub cloud: String,
    pub region: String,
    pub cluster_kind: String,
    /// Kafka cluster that the resource uses.
    pub cluster: String,
}

/// Names of environments and resources, by id. A resource has the region of the Kafka cluster it uses.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    pub environments: BTreeMap<String, String>,
    pub resources: BTreeMap<String, Known>,
}

impl Inventory {
    /// Lists the resources of a sandbox.
    pub fn of(sandbox: &Sandbox) -> Inventory {
        let mut inventory = Inventory::default();
        for item in items(sandbox, "/org/v2/environments", "") {
            let name = text(&item["display_name"]);
            inventory.environments.insert(text(&item["id"]), name);
        }
        for (id, name) in inventory.environments.clone() {
            for path in [
                "/cmk/v2/clusters",
                "/ksqldbcm/v2/clusters",
                "/fcpm/v2/compute-pools",
                "/srcm/v3/clusters",
            ] {
                for item in items(sandbox, path, &format!("environment={id}&")) {
                    let spec = &item["spec"];
                    let known = Known {
                        name: text(&spec["display_name"]),
                        environment: id.clone(),
                        environment_name: name.clone(),
                        cloud: text(&spec["cloud"]),
                        region: text(&spec["region"]),
                        cluster_kind: text(&spec["config"]["kind"]),
                        cluster: text(&spec["kafka_cluster"]["id"]),
                    };
                    inventory.resources.insert(text(&item["id"]), known);
                }
            }
            inventory.add_connectors(sandbox, &id, &name);
        }
        inventory.place();
        inventory
    }

    fn add_connectors(&mut self, sandbox: &Sandbox, id: &str, name: &str) {
        let clusters = self.resources.iter();
        let clusters =
            clusters.filter(|(c, known)| c.starts_with("lkc") && known.environment == *id);
        let clusters: Vec<String> = clusters.map(|(cluster, _)| cluster.clone()).collect();
        for cluster in clusters {
            let path =
                format!("/connect/v1/environments/{id}/clusters/{cluster}/connectors?expand=id");
            for (connector, entry) in get(sandbox, &path).as_object().unwrap() {
                let known = Known {
                    name: connector.clone(),
                    environment: id.to_string(),
                    environment_name: name.to_string(),
                    cluster: cluster.clone(),
                    ..Known::default()
                };
                self.resources.insert(text(&entry["id"]["id"]), known);
            }
        }
    }

    fn place(&mut self) {
        let clusters = self.resources.clone();
        for known in self.resources.values_mut() {
            if let Some(cluster) = clusters.get(&known.cluster) {
                known.cloud.clone_from(&cluster.cloud);
                known.region.clone_from(&cluster.region);
                known.cluster_kind.clone_from(&cluster.cluster_kind);
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// Returns all items of a list.
pub fn items(sandbox: &Sandbox, path: &str, query: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = format!("{path}?{query}page_size=100");
    loop {
        let page = get(sandbox, &next);
        items.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["metadata"]["next"].as_str() {
            None | Some("") => return items,
            Some(url) => next = url.strip_prefix(sandbox.url()).unwrap().to_string(),
        }
    }
}

fn get(sandbox: &Sandbox, path: &str) -> Value {
    let address = sandbox.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {AUTHORIZATION}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{path}: {head}");
    serde_json::from_str(body).unwrap()
}
