//! What is in the inventory: the resources of the organization by environment.
//!
//! Resources that only oddities have costs for are deleted ones, and not in it.

use crate::sandbox::Options;
use crate::sandbox::confluent::inventory::List;
use crate::sandbox::data::bulk::{base36, environment_name};
use crate::sandbox::data::history::costs_per_day;
use crate::sandbox::data::organization::resources;
use crate::sandbox::data::random::{fingerprint, mix};
use crate::sandbox::data::resource::{ENVIRONMENTS, Resource};
use std::collections::BTreeMap;

/// An environment with its resources.
#[derive(Debug)]
pub struct Environment {
    /// `env-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Kafka clusters.
    pub kafka: Vec<Resource>,
    /// ksqlDB clusters.
    pub ksql: Vec<Resource>,
    /// Flink compute pools.
    pub flink: Vec<Resource>,
    /// Schema Registry clusters.
    pub schema_registry: Vec<Resource>,
    /// Connectors.
    pub connectors: Vec<Resource>,
}

/// All environments: the named ones first, then those of the bulk resources by their ids.
#[derive(Debug)]
pub struct Stock {
    environments: Vec<Environment>,
}

impl Stock {
    /// The resources of the organization, without those that are gone and with their new names.
    pub fn new(options: &Options) -> Stock {
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
            environment.complete();
            environment.kafka.retain(|cluster| !is_gone(&cluster.id));
            environment.rename(&options.renamed);
        }
        Stock { environments }
    }

    /// All environments.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.environments.iter()
    }

    /// The environment with an id.
    pub fn environment(&self, id: &str) -> Option<&Environment> {
        self.environments().find(|environment| environment.id == id)
    }

    /// Whether there is a Kafka, ksqlDB or Schema Registry cluster with an id.
    pub fn has_cluster(&self, id: &str) -> bool {
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

    /// What a list has of it.
    pub fn resources(&self, list: List) -> &[Resource] {
        match list {
            List::Environments => &[],
            List::Kafka => &self.kafka,
            List::Ksql => &self.ksql,
            List::Flink => &self.flink,
            List::SchemaRegistry => &self.schema_registry,
            List::Connectors { .. } => &self.connectors,
        }
    }

    /// Takes a resource in; one that no list has, such as `usm-…`, is left out.
    fn add(&mut self, resource: Resource) {
        let shelf = match resource.id.split('-').next() {
            Some("lkc") => &mut self.kafka,
            Some("lksqlc") => &mut self.ksql,
            Some("lfcp") => &mut self.flink,
            Some("lsrc") => &mut self.schema_registry,
            Some("lcc") => &mut self.connectors,
            _ => return,
        };
        shelf.push(resource);
    }

    /// Connectors run in a Kafka cluster: without one there is one more, which costs nothing.
    fn complete(&mut self) {
        if self.connectors.is_empty() || !self.kafka.is_empty() {
            return;
        }
        let shortest = 36u64.pow(5);
        let digits = shortest + fingerprint(&self.id) % (35 * shortest);
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
        let shelves = [
            &mut self.kafka,
            &mut self.ksql,
            &mut self.flink,
            &mut self.schema_registry,
            &mut self.connectors,
        ];
        for resource in shelves.into_iter().flatten() {
            if let Some(name) = new_name(&resource.id) {
                resource.name.clone_from(name);
            }
        }
    }

    /// The Kafka cluster that a connector or ksqlDB cluster of this environment works with. It
    /// stays the same when other clusters come or go.
    pub fn cluster_of(&self, resource: &Resource) -> Option<&Resource> {
        let own = fingerprint(&resource.id);
        self.kafka
            .iter()
            .min_by_key(|cluster| mix(own ^ fingerprint(&cluster.id)))
    }
}
