//! History of resources: what a listing changes, and what it cannot tell.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::ResourceVersion;
use crate::confluent::inventory::{Inventory, Resource, ResourceKind, ResourceList};

/// Rows after a listing at `at`; `None` if nothing changed. Rows of lists that were not read stay as they are.
pub(super) fn updated(
    mut rows: Vec<ResourceVersion>,
    inventory: &Inventory,
    at: DateTime<Utc>,
) -> Option<Vec<ResourceVersion>> {
    let listed: BTreeMap<&str, &Resource> = inventory
        .resources
        .iter()
        .map(|r| (r.id.as_str(), r))
        .collect();
    let mut unchanged = BTreeSet::new();
    let mut changed = false;
    for row in rows.iter_mut().filter(|row| row.valid_until.is_none()) {
        let is_same = match listed.get(row.resource.id.as_str()) {
            Some(now) => **now == row.resource,
            None => !is_gone(&row.resource, inventory, &listed),
        };
        if is_same {
            unchanged.insert(row.resource.id.clone());
        } else {
            row.valid_until = Some(at);
            changed = true;
        }
    }
    for (id, resource) in &listed {
        if !unchanged.contains(*id) {
            rows.push(ResourceVersion {
                resource: (*resource).clone(),
                valid_from: at,
                valid_until: None,
            });
            changed = true;
        }
    }
    rows.sort_by(|a, b| (&a.resource.id, a.valid_from).cmp(&(&b.resource.id, b.valid_from)));
    changed.then_some(rows)
}

/// Returns true if an unlisted resource no longer exists: its list was read, or its parent is gone.
fn is_gone(resource: &Resource, inventory: &Inventory, listed: &BTreeMap<&str, &Resource>) -> bool {
    let was_read = |kind: ResourceKind, parent: &str| {
        let parent = parent.to_string();
        inventory.listed.contains(&ResourceList { kind, parent })
    };
    let environments_read = was_read(ResourceKind::Environment, "");
    let environment = resource.environment_id.as_deref().unwrap_or_default();
    if resource.kind == ResourceKind::Environment {
        return environments_read;
    }
    if environments_read && !listed.contains_key(environment) {
        return true;
    }
    if resource.kind != ResourceKind::Connector {
        return was_read(resource.kind, environment);
    }
    let cluster = resource.kafka_cluster_id.as_deref().unwrap_or_default();
    let cluster_gone =
        was_read(ResourceKind::KafkaCluster, environment) && !listed.contains_key(cluster);
    cluster_gone || was_read(ResourceKind::Connector, cluster)
}
