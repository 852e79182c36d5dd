//! The inventory and the costs: the same resources.

use super::*;
use std::collections::BTreeSet;

/// Ids that costs have and no inventory: deleted resources, a product of the future, and USM.
const UNLISTED: [&str; 10] = [
    "lcc-1nt3g",
    "lcc-esc4p",
    "lkc-bl4nk",
    "lkc-gone1",
    "lkc-n0env",
    "lkc-old77",
    "lkc-tr1p1",
    "lkc-tw1n5",
    "usm-h7e2c",
    "xyz-1",
];

/// Name and environment of every resource in the inventory, by id.
type Resources = BTreeMap<String, (String, String)>;

async fn connectors(app: &App, environment: &str, cluster: &str, found: &mut Resources) {
    let path = format!(
        "/connect/v1/environments/{environment}/clusters/{cluster}/connectors?expand=info,id"
    );
    let (status, connectors) = get(app, &path).await;
    assert_eq!(status, 200);
    for (name, connector) in connectors.as_object().unwrap() {
        let entry = (name.clone(), environment.to_owned());
        assert_eq!(found.insert(text(&connector["id"], "id"), entry), None);
    }
}

async fn inventory(app: &App) -> Resources {
    let mut found = Resources::new();
    for environment in ids(&items(app, "/org/v2/environments?page_size=100").await) {
        for list in [
            "cmk/v2/clusters",
            "ksqldbcm/v2/clusters",
            "fcpm/v2/compute-pools",
            "srcm/v3/clusters",
        ] {
            for item in items(app, &format!("/{list}?environment={environment}")).await {
                let (id, name) = (text(&item, "id"), text(&item["spec"], "display_name"));
                if list.starts_with("cmk") {
                    connectors(app, &environment, &id, &mut found).await;
                }
                assert_eq!(found.insert(id, (name, environment.clone())), None);
            }
        }
    }
    found
}

/// Id, name and environment of the resources of a month's costs.
async fn billed(app: &App) -> BTreeSet<(String, Option<String>, Option<String>)> {
    let of = |cost: &String| {
        let cost: Value = serde_json::from_str(cost).unwrap();
        let resource = &cost["resource"];
        let part = |value: &Value| value.as_str().map(str::to_owned);
        let id = part(&resource["id"])?;
        Some((
            id,
            part(&resource["display_name"]),
            part(&resource["environment"]["id"]),
        ))
    };
    let costs = all(app, &month_path(day("2026-10-01"))).await;
    costs.iter().filter_map(of).collect()
}

#[tokio::test]
async fn every_billed_resource_is_in_the_inventory_or_known_to_be_gone() {
    for costs_per_day in [1, 60, 900] {
        let app = App::new(Options {
            costs_per_day,
            ..options()
        });
        let (found, billed) = (inventory(&app).await, billed(&app).await);
        let mut unlisted = BTreeSet::new();
        for (id, name, environment) in &billed {
            match found.get(id) {
                Some((known, place)) => {
                    assert_eq!(
                        (Some(known), Some(place)),
                        (name.as_ref(), environment.as_ref())
                    );
                }
                None => {
                    unlisted.insert(id.as_str());
                }
            }
        }
        assert_eq!(Vec::from_iter(unlisted), UNLISTED, "{costs_per_day}");
        assert!(billed.len() > 20);
    }
}

#[tokio::test]
async fn the_inventory_depends_on_the_seed_alone() {
    let found = inventory(&App::new(options())).await;
    assert_eq!(inventory(&App::new(options())).await, found);
    let app = App::new(Options {
        seed: 7,
        today: day("2027-01-05"),
        ..options()
    });
    let other = inventory(&app).await;
    assert!(other != found && other.contains_key("lkc-7aa01x"));
}

#[tokio::test]
async fn a_connector_without_a_cluster_gets_one_that_costs_nothing() {
    let app = App::new(options());
    let billed: BTreeSet<_> = billed(&app)
        .await
        .into_iter()
        .map(|billed| billed.0)
        .collect();
    let found = inventory(&app).await;
    let free: Vec<_> = found
        .iter()
        .filter(|(id, (name, _))| id.starts_with("lkc-") && name.ends_with(" connect"))
        .collect();
    assert!(!free.is_empty());
    for (id, (_, environment)) in free {
        assert!(!billed.contains(id));
        let others = found.iter().filter(|(_, (_, place))| place == environment);
        let kinds: Vec<&str> = others
            .map(|(id, _)| id.split('-').next().unwrap())
            .collect();
        assert!(kinds.contains(&"lcc"), "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "lkc").count(), 1);
    }
}

#[tokio::test]
async fn gone_resources_are_out_of_the_inventory_alone() {
    let gone = [
        "lkc-7aa01x",
        "lcc-cu5tm",
        "lfcp-m31k0",
        "lsrc-9x2k1",
        "lksqlc-90qpz",
        "lkc-st4g1n",
    ];
    let before = App::new(options());
    let app = App::new(Options {
        gone_resources: gone.map(str::to_owned).to_vec(),
        ..options()
    });
    assert_eq!(all(&app, OCTOBER).await, all(&before, OCTOBER).await);
    let (mut expected, found) = (inventory(&before).await, inventory(&app).await);
    expected.retain(|id, _| !gone.contains(&id.as_str()));
    // Other connectors of staging, which has no other cluster, have to run somewhere.
    let added: Vec<_> = found
        .iter()
        .filter(|(id, _)| !expected.contains_key(*id))
        .collect();
    assert!(
        added.iter().all(|(_, (name, _))| name == "staging connect"),
        "{added:?}"
    );
    assert!(
        expected
            .iter()
            .all(|(id, entry)| found.get(id) == Some(entry))
    );
}

#[tokio::test]
async fn gone_environments_take_their_resources_with_them() {
    let app = App::new(Options {
        gone_resources: vec!["env-k2m9d".to_owned()],
        ..options()
    });
    let found = inventory(&app).await;
    assert!(!found.contains_key("lkc-7aa01x") && found.contains_key("lkc-st4g1n"));
    assert_eq!(
        get(&app, "/cmk/v2/clusters?environment=env-k2m9d").await.0,
        404
    );
    let path = "/connect/v1/environments/env-k2m9d/clusters/lkc-7aa01x/connectors";
    assert_eq!(get(&app, path).await.0, 404);
}

#[tokio::test]
async fn new_names_are_in_the_inventory_alone() {
    let renamed = [
        ("lkc-7aa01x", "orders"),
        ("lcc-5tt8w", "new, sink"),
        ("env-k2m9d", "live"),
    ];
    let app = App::new(Options {
        renamed: renamed
            .map(|(id, name)| (id.to_owned(), name.to_owned()))
            .to_vec(),
        ..options()
    });
    let before = App::new(options());
    assert_eq!(all(&app, OCTOBER).await, all(&before, OCTOBER).await);
    let (old, new) = (inventory(&before).await, inventory(&app).await);
    for (id, entry) in &old {
        let name = renamed
            .iter()
            .find(|(of, _)| of == id)
            .map_or(&*entry.0, |(_, name)| name);
        assert_eq!(new[id].0, name);
    }
    let names =
        async |app: &App| text(&items(app, "/org/v2/environments").await[0], "display_name");
    assert_eq!(
        (names(&before).await, names(&app).await),
        ("production".to_owned(), "live".to_owned())
    );
}

#[tokio::test]
async fn clusters_come_in_every_kind_cloud_and_availability() {
    let app = App::new(Options {
        costs_per_day: 900,
        ..options()
    });
    let (mut kinds, mut clouds, mut availabilities) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for environment in ids(&items(&app, "/org/v2/environments").await) {
        for cluster in items(&app, &format!("/cmk/v2/clusters?environment={environment}")).await {
            let spec = &cluster["spec"];
            let (kind, availability) = (text(&spec["config"], "kind"), text(spec, "availability"));
            let ckus = spec["config"]["cku"].as_u64();
            assert_eq!(ckus.is_some(), kind == "Dedicated");
            assert!(availability != "MULTI_ZONE" || ckus >= Some(2));
            clouds.insert(text(spec, "cloud"));
            kinds.insert(kind);
            availabilities.insert(availability);
        }
    }
    assert_eq!(
        Vec::from_iter(kinds),
        ["Basic", "Dedicated", "Enterprise", "Freight", "Standard"]
    );
    assert_eq!(Vec::from_iter(clouds), ["AWS", "AZURE", "GCP"]);
    assert_eq!(
        Vec::from_iter(availabilities),
        ["HIGH", "LOW", "MULTI_ZONE", "SINGLE_ZONE"]
    );
}
