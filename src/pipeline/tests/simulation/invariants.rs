//! What must hold: while processes run, and after them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::Value;

use super::commands::MONTHS;
use super::organization::{Costs, cents_by_day, sums};
use super::schedule::ProcessId;
use super::{CONNECTIONS, World};
use crate::billing_period::BillingPeriod;
use crate::pipeline::publish::Tables;
use crate::pipeline::pull;
use crate::pipeline::tests::{drop_rows_of, period};
use crate::store::{Store, TableName};

/// Reads the tables now and then. Readers hold no lease, and see only states that some run published.
pub(super) async fn read_often(world: &World, process: ProcessId) {
    let store = world.store(process, false);
    for _ in 0..world.schedule.below(6) {
        for connection in CONNECTIONS {
            for month in MONTHS {
                let month = period(month);
                let costs = costs(world, &store, process, connection, month).await;
                let organization = world.organization(connection);
                assert!(
                    costs.is_empty() || organization.has_shown(month, &costs),
                    "{month} of {connection} was never so: {costs:?}"
                );
                // CloudZero reads the bucket at any time.
                let plain = Store::over(Arc::new(world.bucket.objects.clone()));
                let drop = delivered(&plain, connection, month).await;
                assert!(
                    drop.is_empty() || organization.has_shown_sums(month, &drop),
                    "the drop of {month} of {connection} was never so: {drop:?}"
                );
                let streamed = world.cloudzero.month(connection, month);
                assert!(
                    streamed.is_empty() || organization.has_shown_sums(month, &streamed),
                    "the stream of {month} of {connection} was never so: {streamed:?}"
                );
            }
        }
    }
}

/// Published costs of a month.
async fn costs(
    world: &World,
    store: &Store,
    process: ProcessId,
    connection: &str,
    month: BillingPeriod,
) -> Costs {
    let context = world.context(store, process, connection, chrono::TimeDelta::zero());
    let tables = Tables::open(&context).await.unwrap();
    let files = tables.month(&context, month).await.unwrap();
    for (table, file) in files
        .line_items
        .iter()
        .map(|file| (TableName::LineItems, file))
    {
        let name = format!("{table}/{}", file.path);
        let size = store.head(&name).await.unwrap().map(|meta| meta.size);
        assert_eq!(size, Some(file.size), "{name}");
    }
    let stored = pull::stored_month(store, &files.costs).await.unwrap();
    let mut costs = Costs::new();
    for group in stored.totals.groups() {
        let day = NaiveDate::default() + Days::new(group.day.try_into().unwrap());
        let cents = (group.totals.net / 10i128.pow(22)) as i64;
        let line_type = group.line_type.clone().unwrap();
        assert_eq!(group.totals.costs, 1, "{day} {line_type}");
        costs.entry(day).or_default().insert(line_type, cents);
    }
    costs
}

/// Asserts that the store holds exactly what the sources show, and nothing is left over.
pub(super) async fn assert_exact(world: &World) {
    assert_committed_files_exist(world).await;
    let store = Store::over(Arc::new(world.bucket.objects.clone()));
    let now = world.schedule.now();
    for connection in CONNECTIONS {
        let organization = world.organization(connection);
        for month in MONTHS {
            let month = period(month);
            let costs = costs(world, &store, 0, connection, month).await;
            assert_eq!(
                costs,
                organization.truth(month, now),
                "{month} of {connection}"
            );
            if !world.pulls_only {
                assert_eq!(
                    delivered(&store, connection, month).await,
                    sums(&costs),
                    "drop of {month} of {connection}"
                );
                assert_eq!(
                    world.cloudzero.month(connection, month),
                    sums(&costs),
                    "stream of {month} of {connection}"
                );
            }
        }
    }
    let violations = world.cloudzero.violations();
    assert_eq!(violations, Vec::<String>::new(), "requests to CloudZero");
    let mut open = world.bucket.open_uploads();
    open.retain(|process| !world.schedule.was_killed(*process));
    assert_eq!(
        open,
        Vec::<ProcessId>::new(),
        "processes that left uploads open"
    );
    let left = store.list("runs/leases").await.unwrap();
    assert_eq!(left, Vec::<String>::new(), "leases");
    // Files of other runs, which this one took over and did not need, wait until no run can be about to commit them.
    let mut left = store.list("runs/staging").await.unwrap();
    left.retain(|mark| !mark.contains("/discarded/"));
    assert_eq!(left, Vec::<String>::new(), "marks of staged files");
}

/// Cents by day in the files of the active drop of a month.
async fn delivered(
    store: &Store,
    connection: &str,
    month: BillingPeriod,
) -> BTreeMap<NaiveDate, i64> {
    let manifests = store
        .list(&format!("cloudzero/{connection}/{}", month.folder()))
        .await;
    if !manifests
        .unwrap()
        .iter()
        .any(|name| name.ends_with("/manifest.json"))
    {
        return BTreeMap::new();
    }
    let rows = drop_rows_of(store, connection, month).await.into_iter();
    cents_by_day(rows.map(|row| (row["time/usage_start"].clone(), row["cost/cost"].clone())))
}

/// Asserts that every file that a commit ever added exists, and that all other files are marked.
async fn assert_committed_files_exist(world: &World) {
    let store = Store::over(Arc::new(world.bucket.objects.clone()));
    for table in [TableName::Costs, TableName::LineItems] {
        let mut named = BTreeSet::new();
        for entry in store.list(&format!("{table}/_delta_log")).await.unwrap() {
            if !entry.ends_with(".json") {
                continue;
            }
            let actions = store.get(&entry).await.unwrap().unwrap();
            for action in String::from_utf8(actions.to_vec()).unwrap().lines() {
                let action: Value = serde_json::from_str(action).unwrap();
                if let Some(add) = action.get("add") {
                    let name = format!("{table}/{}", add["path"].as_str().unwrap());
                    let meta = world.bucket.objects.head(&Path::from(name.as_str())).await;
                    let size = meta.map(|meta| meta.size);
                    assert_eq!(size.ok(), add["size"].as_u64(), "{name} of {entry}");
                    named.insert(name);
                }
            }
        }
        for mark in store.list(&format!("runs/staging/{table}")).await.unwrap() {
            let parts: Vec<&str> = mark.split('/').collect();
            let [_, _, _, connection, month, _, file] = parts[..] else {
                panic!("{mark} is no mark");
            };
            named.insert(format!(
                "{table}/connection={connection}/billing_period={month}/{file}"
            ));
        }
        let stored = store.list(table.as_str()).await.unwrap();
        let left: Vec<_> = stored
            .iter()
            .filter(|name| !name.contains("/_delta_log/") && !named.contains(*name))
            .collect();
        assert_eq!(
            left,
            Vec::<&String>::new(),
            "files that neither a commit nor a mark names"
        );
    }
}
