//! History of resources: what is written is read back, and unread lists delete nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::columns::from_batch;
use super::history::updated;
use super::*;
use crate::confluent::inventory::{ResourceKind, ResourceList};

fn resource(id: &str, kind: ResourceKind, parent: &str, name: &str) -> Resource {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let connector = kind == ResourceKind::Connector;
    Resource {
        id: id.to_string(),
        kind,
        name: text(name),
        environment_id: if connector {
            Some("env-1".into())
        } else {
            text(parent)
        },
        kafka_cluster_id: connector.then(|| parent.to_string()),
        cloud: Some("AWS".into()),
        region: None,
        cluster_kind: None,
        availability: None,
        package: None,
        connector_class: None,
    }
}

fn fence(store: &Store, run: &str) -> Fence {
    Fence::unchecked(store, "acme", run)
}

fn environment(id: &str) -> Resource {
    resource(id, ResourceKind::Environment, "", "prod")
}

/// Inventory with all lists read except the `unread` ones.
fn inventory(resources: &[Resource], unread: &[(ResourceKind, &str)]) -> Inventory {
    let mut listed = BTreeSet::new();
    let list = |kind, parent: &str| ResourceList {
        kind,
        parent: parent.to_string(),
    };
    listed.insert(list(ResourceKind::Environment, ""));
    for resource in resources {
        let inside: &[ResourceKind] = match resource.kind {
            ResourceKind::Environment => &[
                ResourceKind::KafkaCluster,
                ResourceKind::KsqldbCluster,
                ResourceKind::FlinkComputePool,
            ],
            ResourceKind::KafkaCluster => &[ResourceKind::Connector],
            _ => &[],
        };
        listed.extend(inside.iter().map(|kind| list(*kind, &resource.id)));
    }
    for (kind, parent) in unread {
        listed.remove(&list(*kind, parent));
    }
    Inventory {
        resources: resources.to_vec(),
        listed,
        problems: Vec::new(),
        hint: None,
    }
}

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + hour * 3600, 0).unwrap()
}

fn current_ids(rows: &[ResourceVersion]) -> Vec<&str> {
    let open = rows.iter().filter(|row| row.valid_until.is_none());
    open.map(|row| row.resource.id.as_str()).collect()
}

#[tokio::test]
async fn reads_back_what_it_writes_and_skips_an_unchanged_listing() {
    let store = Store::in_memory();
    assert_eq!(read(&store, None).await.unwrap().num_rows(), 0);
    let first = [
        environment("env-1"),
        resource("lkc-1", ResourceKind::KafkaCluster, "env-1", "orders"),
        resource("lcc-1", ResourceKind::Connector, "lkc-1", "sink, \"x\"\nü"),
    ];
    let seen = inventory(&first, &[]);
    assert!(update(&fence(&store, "run-1"), &seen, at(0)).await.unwrap());
    assert!(!update(&fence(&store, "run-2"), &seen, at(1)).await.unwrap());
    assert!(
        update(
            &Fence::unchecked(&store, "other", "run-3"),
            &inventory(&first[..1], &[]),
            at(1)
        )
        .await
        .unwrap()
    );
    let batch = read(&store, Some("acme")).await.unwrap();
    let expected = first.iter().map(|resource| ResourceVersion {
        resource: resource.clone(),
        valid_from: at(0),
        valid_until: None,
    });
    let mut expected: Vec<ResourceVersion> = expected.collect();
    expected.sort_by(|a, b| a.resource.id.cmp(&b.resource.id));
    assert_eq!(from_batch(&batch).unwrap(), expected);
    assert_eq!(read(&store, None).await.unwrap().num_rows(), 4);

    let mut renamed = first.clone();
    renamed[1].name = Some("orders-prod".into());
    assert!(
        update(&fence(&store, "run-4"), &inventory(&renamed, &[]), at(2))
            .await
            .unwrap()
    );
    let batch = read(&store, Some("acme")).await.unwrap();
    let all = from_batch(&batch).unwrap();
    let of: Vec<&ResourceVersion> = all
        .iter()
        .filter(|row| row.resource.id == "lkc-1")
        .collect();
    assert_eq!(of.len(), 2);
    assert_eq!(of[0].valid_until, Some(at(2)));
    assert_eq!((of[1].valid_from, of[1].valid_until), (at(2), None));
    assert_eq!(batch.column_by_name("connection").unwrap().len(), all.len());
}

#[test]
fn unread_lists_delete_nothing() {
    let all = [
        environment("env-1"),
        resource("lkc-1", ResourceKind::KafkaCluster, "env-1", "a"),
        resource("lcc-1", ResourceKind::Connector, "lkc-1", "b"),
        resource("lfcp-1", ResourceKind::FlinkComputePool, "env-1", "c"),
    ];
    let rows = updated(Vec::new(), &inventory(&all, &[]), at(0)).unwrap();
    let without = |unread: &[(ResourceKind, &str)]| {
        updated(rows.clone(), &inventory(&all[..1], unread), at(1))
    };
    let gone = without(&[]).unwrap();
    assert_eq!(current_ids(&gone), ["env-1"]);
    assert_eq!(
        gone.len(),
        4,
        "deleted resources keep their last attributes"
    );
    let unread = [
        (ResourceKind::KafkaCluster, "env-1"),
        (ResourceKind::FlinkComputePool, "env-1"),
    ];
    assert!(without(&unread).is_none());
    let flink_read = without(&unread[..1]).unwrap();
    assert_eq!(current_ids(&flink_read), ["env-1", "lcc-1", "lkc-1"]);
    // The list of an existing cluster's connectors was refused.
    let refused = updated(
        rows.clone(),
        &inventory(&all[..2], &[(ResourceKind::Connector, "lkc-1"), unread[1]]),
        at(1),
    );
    assert!(refused.is_none());
    // A deleted environment takes everything in it along.
    let other = updated(rows, &inventory(&[environment("env-2")], &[]), at(1)).unwrap();
    assert_eq!(current_ids(&other), ["env-2"]);
}

#[test]
fn a_resource_that_comes_back_starts_a_new_version() {
    let all = [
        environment("env-1"),
        resource("lkc-1", ResourceKind::KafkaCluster, "env-1", "a"),
    ];
    let rows = updated(Vec::new(), &inventory(&all, &[]), at(0)).unwrap();
    let rows = updated(rows, &inventory(&all[..1], &[]), at(1)).unwrap();
    let rows = updated(rows, &inventory(&all, &[]), at(2)).unwrap();
    let spans: Vec<_> = rows
        .iter()
        .filter(|row| row.resource.id == "lkc-1")
        .map(|row| (row.valid_from, row.valid_until))
        .collect();
    assert_eq!(spans, [(at(0), Some(at(1))), (at(2), None)]);
}

proptest! {
    #[test]
    fn current_rows_equal_the_last_listing_and_versions_do_not_overlap(
        listings in proptest::collection::vec(proptest::collection::btree_map(0u8..6, "[ab]", 0..6), 1..8)
    ) {
        let mut all = Vec::new();
        let mut last = Vec::new();
        for (hour, listing) in listings.iter().enumerate() {
            let mut resources = vec![environment("env-1")];
            resources.extend(listing.iter().map(|(id, name)| {
                resource(&format!("lkc-{id}"), ResourceKind::KafkaCluster, "env-1", name)
            }));
            all = updated(all.clone(), &inventory(&resources, &[]), at(hour as i64)).unwrap_or(all);
            last = resources;
        }
        let open: BTreeMap<&str, &Resource> = all
            .iter()
            .filter(|row| row.valid_until.is_none())
            .map(|row| (row.resource.id.as_str(), &row.resource))
            .collect();
        let expected: BTreeMap<&str, &Resource> = last.iter().map(|r| (r.id.as_str(), r)).collect();
        prop_assert_eq!(open, expected);
        for pair in all.windows(2) {
            if pair[0].resource.id == pair[1].resource.id {
                prop_assert!(pair[0].valid_until.is_some_and(|until| until <= pair[1].valid_from));
                prop_assert!(pair[0].resource != pair[1].resource || pair[0].valid_until < Some(pair[1].valid_from));
            }
        }
        for row in &all {
            prop_assert!(row.valid_until.is_none_or(|until| row.valid_from < until));
        }
    }
}
