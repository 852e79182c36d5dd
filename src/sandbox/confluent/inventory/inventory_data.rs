//! Data of the inventory: the resources of the organization by environment.
//!
//! Resources that occur only in edge cases count as deleted and are not listed.

use crate::sandbox::Options;
use crate::sandbox::confluent::inventory::ResourceList;
use crate::sandbox::data::bulk::{base36, environment_name};
use crate::sandbox::data::history::costs_per_day;
use crate::sandbox::data::organization::resources;
use crate::sandbox::data::random::{fingerprint, mix};
use crate::sandbox::data::resource::{ENVIRONMENTS, Resource};
use std::collections::BTreeMap;

/// Environment with its resources.
#[derive(Debug)]
pub(crate) struct Environment {
    /// `env-…`.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kafka: Vec<Resource>,
    pub(crate) ksql: Vec<Resource>,
    pub(crate) flink: Vec<Resource>,
    pub(crate) schema_registry: Vec<Resource>,
    pub(crate) connectors: Vec<Resource>,
}

/// All environments: the named ones, then those of the bulk resources by id.
#[derive(Debug)]
pub(crate) struct InventoryData {
    environments: Vec<Environment>,
}

impl InventoryData {
    /// Resources of the organization, without the gone ones and with new names applied.
    pub(crate) fn new(options: &Options) -> InventoryData {
        let mut environments: Vec<Environment> = ENVIRONMENTS
            .iter()
            .map(|(id, name)| Environment::new(id, (*name).to_owned()))
            .collect();
        let mut bulk: BTreeMap<String, Environment> = BTreeMap::new();
        let is_gone = |id: &str| options.gone_resources.iter().any(|gone| gone == id);
        for resource in resources(options.seed, costs_per_day(options)) {
            let id = resource.environment.clone();
            let environment = match environments.iter_mut().find(|named| named.id == id) {
                Some(named) => named,
                None => bulk
                    .entry(id)
                    .or_insert_with_key(|id| Environment::new(id, environment_name(id))),
            };
            if !is_gone(&resource.id) {
                environment.add(resource);
            }
        }
        environments.extend(bulk.into_values());
        environments.retain(|environment| !is_gone(&environment.id));
        for environment in &mut environments {
            environment.add_missing_cluster();
            environment.kafka.retain(|cluster| !is_gone(&cluster.id));
            environment.rename(&options.renamed);
        }
        InventoryData { environments }
    }

    pub(crate) fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.environments.iter()
    }

    pub(crate) fn environment(&self, id: &str) -> Option<&Environment> {
        self.environments().find(|environment| environment.id == id)
    }

    /// Returns whether a Kafka, ksqlDB or Schema Registry cluster has this id.
    pub(crate) fn has_cluster(&self, id: &str) -> bool {
        let clusters = self.environments().flat_map(|environment| {
            let Environment {
                kafka,
                ksql,
                schema_registry,
                ..
            } = environment;
            kafka.iter().chain(ksql).chain(schema_registry)
        });
        clusters.into_iter().any(|cluster| cluster.id == id)
    }
}

impl Environment {
    fn new(id: &str, name: String) -> Environment {
        Environment {
            id: id.to_owned(),
            name,
            kafka: Vec::new(),
            ksql: Vec::new(),
            flink: Vec::new(),
            schema_registry: Vec::new(),
            connectors: Vec::new(),
        }
    }

    /// Resources of one list.
    pub(crate) fn resources(&self, list: ResourceList) -> &[Resource] {
        match list {
            ResourceList::Environments => &[],
            ResourceList::Kafka => &self.kafka,
            ResourceList::Ksql => &self.ksql,
            ResourceList::Flink => &self.flink,
            ResourceList::SchemaRegistry => &self.schema_registry,
            ResourceList::Connectors { .. } => &self.connectors,
        }
    }

    /// Adds a resource to its list; ignores those without a list, such as `usm-…`.
    fn add(&mut self, resource: Resource) {
        let list = match resource.id.split('-').next() {
            Some("lkc") => &mut self.kafka,
            Some("lksqlc") => &mut self.ksql,
            Some("lfcp") => &mut self.flink,
            Some("lsrc") => &mut self.schema_registry,
            Some("lcc") => &mut self.connectors,
            _ => return,
        };
        list.push(resource);
    }

    /// Adds a Kafka cluster without costs where connectors have none to run in.
    fn add_missing_cluster(&mut self) {
        if self.connectors.is_empty() || !self.kafka.is_empty() {
            return;
        }
        let minimum = 36u64.pow(5);
        let digits = minimum + fingerprint(&self.id) % (35 * minimum);
        self.kafka.push(Resource {
            id: format!("lkc-{}", base36(digits)),
            name: format!("{} connect", self.name),
            environment: self.id.clone(),
            network: "INTERNET",
            line_types: Vec::new(),
        });
    }

    fn rename(&mut self, renamed: &[(String, String)]) {
        let new_name = |id: &str| {
            let mut renamed = renamed.iter().rev();
            renamed.find(|(of, _)| of == id).map(|(_, name)| name)
        };
        if let Some(name) = new_name(&self.id) {
            self.name.clone_from(name);
        }
        let lists = [
            &mut self.kafka,
            &mut self.ksql,
            &mut self.flink,
            &mut self.schema_registry,
            &mut self.connectors,
        ];
        for resource in lists.into_iter().flatten() {
            if let Some(name) = new_name(&resource.id) {
                resource.name.clone_from(name);
            }
        }
    }

    /// Kafka cluster of a connector or ksqlDB cluster. Independent of other clusters in the environment.
    pub(crate) fn cluster_of(&self, resource: &Resource) -> Option<&Resource> {
        let hash = fingerprint(&resource.id);
        self.kafka
            .iter()
            .min_by_key(|cluster| mix(hash ^ fingerprint(&cluster.id)))
    }
}
