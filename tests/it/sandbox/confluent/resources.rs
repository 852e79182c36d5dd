//! Consistency of inventory and costs.

use super::*;
use std::collections::BTreeSet;

/// Ids in the costs without an inventory entry: deleted resources, an unknown product, and USM.
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

async fn connectors(server: &Server, environment: &str, cluster: &str, found: &mut Resources) {
    let path = format!(
        "/connect/v1/environments/{environment}/clusters/{cluster}/connectors?expand=info,id"
    );
    let (status, connectors) = get(server, &path).await;
    assert_eq!(status, 200);
    for (name, connector) in connectors.as_object().unwrap() {
        let entry = (name.clone(), environment.to_owned());
        assert_eq!(found.insert(text(&connector["id"], "id"), entry), None);
    }
}

async fn inventory(server: &Server) -> Resources {
    let mut found = Resources::new();
    for environment in ids(&items(server, "/org/v2/environments?page_size=100").await) {
        for list in [
            "cmk/v2/clusters",
            "ksqldbcm/v2/clusters",
            "fcpm/v2/compute-pools",
            "srcm/v3/clusters",
        ] {
            for item in items(server, &format!("/{list}?environment={environment}")).await {
                let (id, name) = (text(&item, "id"), text(&item["spec"], "display_name"));
                if list.starts_with("cmk") {
                    connectors(server, &environment, &id, &mut found).await;
                }
                assert_eq!(found.insert(id, (name, environment.clone())), None);
            }
        }
    }
    found
}

/// Id, name and environment of the resources in the costs of a month.
async fn billed(server: &Server) -> BTreeSet<(String, Option<String>, Option<String>)> {
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
    let costs = all(server, &month_path(day("2026-10-01"))).await;
    costs.iter().filter_map(of).collect()
}

#[tokio::test]
async fn every_billed_resource_is_listed_or_known_to_be_deleted() {
    for costs_per_day in [1, 60, 900] {
        let server = Server::start(Options {
            costs_per_day,
            ..options()
        })
        .await;
        let (found, billed) = (inventory(&server).await, billed(&server).await);
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
    let found = inventory(&Server::start(options()).await).await;
    assert_eq!(inventory(&Server::start(options()).await).await, found);
    let server = Server::start(Options {
        seed: 7,
        today: day("2027-01-05"),
        ..options()
    })
    .await;
    let other = inventory(&server).await;
    assert!(other != found && other.contains_key("lkc-7aa01x"));
}

#[tokio::test]
async fn connectors_without_a_cluster_get_a_free_one() {
    let server = Server::start(options()).await;
    let billed: BTreeSet<_> = billed(&server)
        .await
        .into_iter()
        .map(|billed| billed.0)
        .collect();
    let found = inventory(&server).await;
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
async fn gone_resources_leave_the_inventory_and_stay_in_costs() {
    let gone = [
        "lkc-7aa01x",
        "lcc-cu5tm",
        "lfcp-m31k0",
        "lsrc-9x2k1",
        "lksqlc-90qpz",
        "lkc-st4g1n",
    ];
    let before = Server::start(options()).await;
    let server = Server::start(Options {
        gone_resources: gone.map(str::to_owned).to_vec(),
        ..options()
    })
    .await;
    assert_eq!(all(&server, OCTOBER).await, all(&before, OCTOBER).await);
    let (mut expected, found) = (inventory(&before).await, inventory(&server).await);
    expected.retain(|id, _| !gone.contains(&id.as_str()));
    // The other connectors of staging need a cluster.
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
async fn gone_environments_remove_their_resources() {
    let server = Server::start(Options {
        gone_resources: vec!["env-k2m9d".to_owned()],
        ..options()
    })
    .await;
    let found = inventory(&server).await;
    assert!(!found.contains_key("lkc-7aa01x") && found.contains_key("lkc-st4g1n"));
    assert_eq!(
        get(&server, "/cmk/v2/clusters?environment=env-k2m9d")
            .await
            .0,
        404
    );
    let path = "/connect/v1/environments/env-k2m9d/clusters/lkc-7aa01x/connectors";
    assert_eq!(get(&server, path).await.0, 404);
}

#[tokio::test]
async fn new_names_appear_only_in_the_inventory() {
    let renamed = [
        ("lkc-7aa01x", "orders"),
        ("lcc-5tt8w", "new, sink"),
        ("env-k2m9d", "live"),
    ];
    let server = Server::start(Options {
        renamed: renamed
            .map(|(id, name)| (id.to_owned(), name.to_owned()))
            .to_vec(),
        ..options()
    })
    .await;
    let before = Server::start(options()).await;
    assert_eq!(all(&server, OCTOBER).await, all(&before, OCTOBER).await);
    let (old, new) = (inventory(&before).await, inventory(&server).await);
    for (id, entry) in &old {
        let name = renamed
            .iter()
            .find(|(of, _)| of == id)
            .map_or(&*entry.0, |(_, name)| name);
        assert_eq!(new[id].0, name);
    }
    let names = async |server: &Server| {
        text(
            &items(server, "/org/v2/environments").await[0],
            "display_name",
        )
    };
    assert_eq!(
        (names(&before).await, names(&server).await),
        ("production".to_owned(), "live".to_owned())
    );
}

#[tokio::test]
async fn clusters_cover_all_kinds_clouds_and_availabilities() {
    let server = Server::start(Options {
        costs_per_day: 900,
        ..options()
    })
    .await;
    let (mut kinds, mut clouds, mut availabilities) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for environment in ids(&items(&server, "/org/v2/environments").await) {
        for cluster in items(
            &server,
            &format!("/cmk/v2/clusters?environment={environment}"),
        )
        .await
        {
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
