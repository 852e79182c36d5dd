//! Names, regions and tags from Confluent's inventory: exact, and never an obstacle for costs.

#[path = "enrichment/cache.rs"]
mod cache;
#[path = "enrichment/faults.rs"]
mod faults;
#[path = "enrichment/history.rs"]
mod history;
#[path = "enrichment/months.rs"]
mod months;
#[path = "enrichment/overrides.rs"]
mod overrides;
#[path = "enrichment/pages.rs"]
mod pages;
#[path = "enrichment/readers.rs"]
mod readers;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tempfile::tempdir;

use crate::support::inventory::{Inventory, Known};
use crate::support::{
    Billstream, CONNECTION, MONTH, Row, Sandbox, assert_summary_is, drop_in_force, published_files,
};

/// Tags from the inventory.
pub const TAGS: [&str; 5] = [
    "confluent_environment_id",
    "confluent_environment",
    "confluent_name",
    "confluent_cloud",
    "confluent_cluster_kind",
];

/// billstream with the inventory enabled.
pub fn enriched(billstream: Billstream) -> Billstream {
    billstream.env("BILLSTREAM_INVENTORY", "true")
}

/// Confluent's id of the resource of a line item; empty without a resource.
pub fn resource_of(row: &Row) -> &str {
    row["resource/id"].split_once('/').map_or("", |(_, id)| id)
}

pub fn tag<'r>(row: &'r Row, key: &str) -> &'r str {
    &row[&format!("resource/tag:{key}")]
}

/// Newest value of a column of the costs of each resource; the greatest one of a day.
fn newest<'c>(costs: &'c [Row], column: &str) -> BTreeMap<&'c str, &'c str> {
    let mut newest: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for cost in costs.iter().filter(|cost| !cost[column].is_empty()) {
        let of = newest.entry(&cost["resource_id"]).or_default();
        *of = (*of).max((&cost["start_date"], &cost[column]));
    }
    let newest = newest.into_iter();
    newest
        .filter(|(id, _)| !id.is_empty())
        .map(|(id, (_, value))| (id, value))
        .collect()
}

/// Asserts that line items have the names and regions of an inventory, and those of the costs for other resources.
/// Returns the number of resources found in it.
#[track_caller]
pub fn assert_named(rows: &[Row], costs: &[Row], inventory: &Inventory) -> usize {
    let environments = newest(costs, "environment_id");
    let names = newest(costs, "resource_name");
    let nothing = Known::default();
    let mut found = BTreeSet::new();
    for row in rows {
        let id = resource_of(row);
        let known = inventory.resources.get(id);
        found.extend(known.map(|_| id));
        let Known {
            name,
            cloud,
            region,
            cluster_kind,
            ..
        } = known.unwrap_or(&nothing);
        let environment = match known {
            Some(known) => known.environment.as_str(),
            None => environments.get(id).copied().unwrap_or_default(),
        };
        let named = inventory
            .environments
            .get(environment)
            .filter(|_| !id.is_empty());
        let own_name = names.get(id).copied().unwrap_or_default();
        let expected = [
            environment,
            named.map_or("", String::as_str),
            if name.is_empty() { own_name } else { name },
            cloud,
            cluster_kind,
        ];
        let tags = TAGS.map(|key| tag(row, key));
        assert_eq!(tags, expected, "{id}: {row:?}");
        // Price tiers contain a region as well.
        if !region.is_empty() || id != "lcc-5tt8w" {
            assert_eq!(row["resource/region"], *region, "{id}");
        }
    }
    found.len()
}

/// Rows without the columns from the inventory, sorted.
fn without_attributes(rows: &[Row]) -> Vec<BTreeMap<String, String>> {
    let given = |column: &str| {
        ["resource/region", "resource/account"].contains(&column)
            || column.starts_with("resource/tag:confluent_")
    };
    let mut rows: Vec<BTreeMap<String, String>> = rows
        .iter()
        .map(|row| {
            let kept = row.iter().filter(|(column, _)| !given(column));
            kept.map(|(k, v)| (k.clone(), v.clone())).collect()
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn enrichment_adds_regions_and_tags_and_changes_nothing_else() {
    let (sandbox, with, without) = (Sandbox::start(&[]), tempdir().unwrap(), tempdir().unwrap());
    let (totals, inventory) = (sandbox.totals(MONTH), Inventory::of(&sandbox));
    let plain = Billstream::on(without.path()).from(&sandbox);
    let plain_period = plain.import(MONTH).ok().status("published");
    let billstream = enriched(Billstream::on(with.path()).from(&sandbox));
    let output = billstream.import(MONTH).ok();
    let period = output.status("published");
    assert_summary_is(&period, &totals);
    assert!(!output.stderr.contains("WARN"), "{}", output.stderr);

    billstream.assert_month_is(MONTH, &totals);
    let (costs, items) = (billstream.costs(MONTH), billstream.line_items(MONTH));
    let found = assert_named(&items, &costs, &inventory);
    assert!(found >= 12, "{found}");
    let drop = drop_in_force(with.path(), CONNECTION, MONTH);
    assert_eq!(assert_named(&drop, &costs, &inventory), found);
    let discounts = items
        .iter()
        .filter(|row| row["lineitem/type"] == "Discount");
    assert!(
        discounts
            .clone()
            .any(|row| tag(row, "confluent_name") == "orders-prod")
    );

    // Everything else is equal, to the last digit.
    assert_eq!(
        without_attributes(&items),
        without_attributes(&plain.line_items(MONTH))
    );
    let plain_drop = drop_in_force(without.path(), CONNECTION, MONTH);
    assert_eq!(without_attributes(&drop), without_attributes(&plain_drop));
    // Without the inventory resources have the names of their costs.
    let plain_names = newest(&costs, "resource_name");
    for row in &plain_drop {
        let name = plain_names.get(resource_of(row)).copied();
        assert_eq!(tag(row, "confluent_name"), name.unwrap_or_default());
        for key in [
            "confluent_environment",
            "confluent_cloud",
            "confluent_cluster_kind",
        ] {
            assert_eq!(tag(row, key), "");
        }
    }
    assert_eq!(period, plain_period);
}

#[test]
fn enriches_hundreds_of_resources() {
    let (sandbox, store) = (
        Sandbox::start(&["--costs-per-day", "2000", "--today", "2026-11-03"]),
        tempdir().unwrap(),
    );
    let billstream =
        enriched(Billstream::on(store.path()).from(&sandbox)).at("2026-11-03T20:00:00Z");
    billstream.import("2026-11").ok().status("published");
    let asked = sandbox.inventory_requests();
    let inventory = Inventory::of(&sandbox);
    let kafka = inventory
        .resources
        .keys()
        .filter(|id| id.starts_with("lkc"))
        .count();
    let lists = 1 + 4 * inventory.environments.len() + kafka;
    assert!(
        inventory.resources.len() > 600,
        "{}",
        inventory.resources.len()
    );
    assert!(
        asked as usize >= lists,
        "{asked} requests for {lists} lists"
    );
    let totals = sandbox.totals("2026-11");
    billstream.assert_month_is("2026-11", &totals);
    let found = assert_named(
        &billstream.line_items("2026-11"),
        &billstream.costs("2026-11"),
        &inventory,
    );
    assert!(found > 600, "{found}");
    let kept = billstream.query("select count(*) as n from resources where valid_until is null");
    assert_eq!(
        kept[0]["n"],
        (inventory.resources.len() + inventory.environments.len()).to_string()
    );
}

#[test]
fn without_the_role_costs_are_imported_and_the_role_is_named() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = enriched(Billstream::on(store.path()).from(&sandbox))
        .env("CONFLUENT_CLOUD_API_KEY", "billing-only");
    let output = billstream.import(MONTH).ok();
    assert_summary_is(&output.status("published"), &sandbox.totals(MONTH));
    output.says(&["WARN", "Operator", "costs are imported without the update"]);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
    assert!(
        billstream
            .line_items(MONTH)
            .iter()
            .all(|row| tag(row, "confluent_cloud").is_empty())
    );
    // `status` shows the problem, and it is not an error of the connection.
    let shown = billstream.run(&["status", "--format", "json"]).ok().json();
    let shown: &Value = shown.get("connections").map_or(&shown, |all| &all[0]);
    let problems = shown["inventory"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{shown}");
}

#[test]
fn imports_without_a_change_publish_nothing() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let at = |now: &str| enriched(Billstream::on(store.path()).from(&sandbox)).at(now);
    at("2026-11-10T06:00:00Z")
        .import(MONTH)
        .ok()
        .status("published");
    let before = published_files(store.path());
    assert!(before.keys().any(|name| name.starts_with("resources/")));
    let asked = sandbox.inventory_requests();
    for now in ["2026-11-10T06:05:00Z", "2026-11-12T06:00:00Z"] {
        at(now).import(MONTH).ok().status("unchanged");
        assert!(published_files(store.path()) == before, "at {now}");
    }
    assert_eq!(
        sandbox.inventory_requests(),
        2 * asked,
        "the inventory was requested again after two days"
    );
}

#[test]
fn pull_loads_names_and_transform_uses_them_offline() {
    let (mut sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let (totals, inventory) = (sandbox.totals(MONTH), Inventory::of(&sandbox));
    enriched(Billstream::on(store.path()).from(&sandbox))
        .run(&["pull", "--month", MONTH])
        .ok();
    sandbox.stop();
    let offline = Billstream::on(store.path());
    offline.run(&["transform", "--month", MONTH]).ok();
    offline.assert_month_is(MONTH, &totals);
    assert_named(
        &offline.line_items(MONTH),
        &offline.costs(MONTH),
        &inventory,
    );
}

#[test]
fn a_dry_run_requests_no_inventory_and_uses_the_stored_one() {
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream =
        enriched(Billstream::on(store.path()).from(&sandbox)).at("2026-11-10T06:00:00Z");
    let dry = ["import", "--month", MONTH, "--dry-run", "--format", "json"];
    billstream.run(&dry).ok().status("dry-run");
    assert_eq!(sandbox.inventory_requests(), 0);
    assert!(published_files(store.path()).is_empty());
    billstream.import(MONTH).ok();
    let asked = sandbox.inventory_requests();
    billstream
        .at("2026-11-17T06:00:00Z")
        .run(&dry)
        .ok()
        .status("unchanged");
    assert_eq!(sandbox.inventory_requests(), asked);
}

#[test]
fn logs_every_stage() {
    // A per-layer filter would lose the line after a filtered one.
    let (sandbox, store) = (Sandbox::start(&[]), tempdir().unwrap());
    let billstream = enriched(Billstream::on(store.path()).from(&sandbox));
    let output = billstream.run(&["-vv", "import", "--month", MONTH]).ok();
    let stages = [
        "enrich",
        "pull",
        "attributes",
        "transform",
        "checks",
        "drop",
    ];
    let stages: Vec<String> = stages.map(|stage| format!("stage=\"{stage}\"")).into();
    output.says(&stages.iter().map(String::as_str).collect::<Vec<_>>());
    let again = billstream.run(&["-vv", "transform", "--month", MONTH]).ok();
    again.says(&["stage=\"attributes\""]);
}
