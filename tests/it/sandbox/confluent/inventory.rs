//! The inventory: formats of lists and objects.

use super::*;

const CONNECTORS: &str = "/connect/v1/environments";

async fn one(server: &Server, path: &str, id: &str) -> Value {
    let mut items = items(server, path).await;
    items.retain(|item| item["id"] == id);
    assert_eq!(items.len(), 1, "{path} {id}");
    items.remove(0)
}

#[tokio::test]
async fn environments_have_names_and_packages() {
    let server = Server::start(options()).await;
    let all = items(&server, "/org/v2/environments").await;
    let named: Vec<_> = all[..5]
        .iter()
        .map(|item| (text(item, "id"), text(item, "display_name")))
        .collect();
    let expected = [
        ("env-k2m9d", "production"),
        ("env-s4t7q", "staging"),
        ("env-d3v1x", "développement"),
        ("env-an9ly", "analytics, shared"),
        ("env-0ld11", "legacy"),
    ];
    assert_eq!(
        named,
        expected.map(|(id, name)| (id.to_owned(), name.to_owned()))
    );
    for item in &all {
        assert_eq!(
            (&item["api_version"], &item["kind"]),
            (&json!("org/v2"), &json!("Environment"))
        );
        let package = text(&item["stream_governance_config"], "package");
        assert!(["ESSENTIALS", "ADVANCED"].contains(&package.as_str()));
        assert!(item["metadata"]["created_at"].is_string());
    }
    let bulk = &all[5..];
    assert!(bulk.len() > 3);
    for item in bulk {
        let (id, name) = (text(item, "id"), text(item, "display_name"));
        assert_eq!((&id[..5], name), ("env-b", format!("team-{}", &id[5..7])));
    }
}

#[tokio::test]
async fn kafka_clusters_are_complete() {
    let server = Server::start(options()).await;
    let path = "/cmk/v2/clusters?environment=env-k2m9d";
    let (_, list) = get(&server, path).await;
    assert_eq!(
        (&list["api_version"], &list["kind"]),
        (&json!("cmk/v2"), &json!("ClusterList"))
    );
    let orders = one(&server, path, "lkc-7aa01x").await;
    assert_eq!(
        (&orders["api_version"], &orders["kind"]),
        (&json!("cmk/v2"), &json!("Cluster"))
    );
    let spec = &orders["spec"];
    assert_eq!(spec["display_name"], "orders-prod");
    assert_eq!(
        (&spec["cloud"], &spec["region"]),
        (&json!("AWS"), &json!("eu-west-1"))
    );
    assert_eq!(spec["environment"]["id"], "env-k2m9d");
    assert_eq!(spec["config"]["kind"], "Dedicated");
    assert!(text(&spec["network"], "id").starts_with("n-"));
    assert!(spec["config"]["cku"].as_u64().unwrap() >= 1);
    assert_eq!(orders["status"]["phase"], "PROVISIONED");
    assert_eq!(orders["status"]["cku"], spec["config"]["cku"]);
    let staging = one(
        &server,
        "/cmk/v2/clusters?spec.environment=env-s4t7q",
        "lkc-st4g1n",
    )
    .await;
    assert_eq!(staging["spec"]["config"]["kind"], "Standard");
    assert!(staging["spec"]["config"].get("cku").is_none());
    assert!(staging["status"].get("cku").is_none());
    assert!(staging["spec"].get("network").is_none());
}

#[tokio::test]
async fn other_resources_are_complete() {
    let server = Server::start(options()).await;
    let ksql = one(
        &server,
        "/ksqldbcm/v2/clusters?environment=env-k2m9d",
        "lksqlc-90qpz",
    )
    .await;
    assert_eq!(ksql["spec"]["display_name"], "enrichment");
    assert_eq!(ksql["spec"]["csu"], 4);
    assert_eq!(ksql["spec"]["credential_identity"]["id"], "sa-sandbox");
    let kafka = text(&ksql["spec"]["kafka_cluster"], "id");
    one(&server, "/cmk/v2/clusters?environment=env-k2m9d", &kafka).await;
    let pool = one(
        &server,
        "/fcpm/v2/compute-pools?environment=env-d3v1x",
        "lfcp-adh0c",
    )
    .await;
    assert_eq!(
        (&pool["api_version"], &pool["kind"]),
        (&json!("fcpm/v2"), &json!("ComputePool"))
    );
    assert_eq!(pool["spec"]["display_name"], "ad hoc\nqueries");
    assert!(pool["spec"]["max_cfu"].as_u64() > pool["status"]["current_cfu"].as_u64());
    let registry = one(
        &server,
        "/srcm/v3/clusters?environment=env-k2m9d",
        "lsrc-9x2k1",
    )
    .await;
    assert_eq!(registry["api_version"], "srcm/v3");
    let spec = &registry["spec"];
    assert_eq!(
        (&spec["display_name"], &spec["package"]),
        (&json!("schémas"), &json!("ADVANCED"))
    );
    for item in [&ksql, &pool, &registry] {
        assert_eq!(item["status"]["phase"], "PROVISIONED");
        assert!(text(&item["spec"]["environment"], "id").starts_with("env-"));
        assert!(text(&item["metadata"], "resource_name").ends_with(&text(item, "id")));
    }
    for item in [&pool, &registry] {
        let cloud = text(&item["spec"], "cloud");
        assert!(["AWS", "GCP", "AZURE"].contains(&cloud.as_str()));
        assert!(!text(&item["spec"], "region").is_empty());
    }
}

#[tokio::test]
async fn lists_require_an_existing_environment() {
    let server = Server::start(options()).await;
    for path in [
        "/cmk/v2/clusters",
        "/ksqldbcm/v2/clusters",
        "/fcpm/v2/compute-pools",
        "/srcm/v3/clusters",
    ] {
        for query in ["", "?environment=", "?page_size=5"] {
            let refused = get(&server, &format!("{path}{query}")).await;
            let (status, _, source) = error(&refused);
            assert_eq!(
                (status, &source["parameter"]),
                (400, &json!("environment")),
                "{path}"
            );
        }
        let refused = get(&server, &format!("{path}?environment=env-none0")).await;
        assert_eq!(error(&refused).0, 404, "{path}");
        assert!(
            items(&server, &format!("{path}?environment=env-0ld11"))
                .await
                .is_empty()
        );
    }
}

#[tokio::test]
async fn connectors_are_listed_by_name_or_expanded() {
    let server = Server::start(options()).await;
    let mut found = Value::Null;
    for cluster in ids(&items(&server, "/cmk/v2/clusters?environment=env-k2m9d").await) {
        let path = format!("{CONNECTORS}/env-k2m9d/clusters/{cluster}/connectors");
        let (status, names) = get(&server, &path).await;
        assert_eq!(status, 200);
        let (_, expanded) = get(&server, &format!("{path}?expand=info,status,id")).await;
        let keys: Vec<_> = expanded.as_object().unwrap().keys().collect();
        let mut names: Vec<String> = serde_json::from_value(names).unwrap();
        names.sort();
        assert_eq!(Vec::from_iter(&names), keys);
        if expanded.get("lake-sink").is_some() {
            let (_, ids) = get(&server, &format!("{path}?expand=id")).await;
            assert_eq!(
                ids["lake-sink"],
                json!({ "id": { "id": "lcc-5tt8w", "id_type": "ID" } })
            );
            found = expanded["lake-sink"].clone();
        }
    }
    assert_eq!(found["id"]["id"], "lcc-5tt8w");
    assert_eq!(
        (&found["info"]["name"], &found["info"]["type"]),
        (&json!("lake-sink"), &json!("sink"))
    );
    let config = &found["info"]["config"];
    assert_eq!(config["connector.class"], "S3_SINK");
    assert_eq!(config["kafka.service.account.id"], "sa-sandbox");
    assert_eq!(config["aws.secret.access.key"], "****************");
    assert_eq!(found["status"]["connector"]["state"], "RUNNING");
    let tasks = found["status"]["tasks"].as_array().unwrap();
    assert_eq!(config["tasks.max"], tasks.len().to_string());
}

#[tokio::test]
async fn connectors_have_their_error_format() {
    let server = Server::start(options()).await;
    for (key, path, expected) in [
        (ADMIN, "env-none0/clusters/lkc-7aa01x", 404),
        (ADMIN, "env-k2m9d/clusters/lkc-none0", 404),
        (ADMIN, "env-s4t7q/clusters/lkc-7aa01x", 404),
        (
            ("billing-only", "sandbox-secret"),
            "env-k2m9d/clusters/lkc-7aa01x",
            403,
        ),
        (("no-role", "any"), "env-k2m9d/clusters/lkc-7aa01x", 403),
        (("who", "?"), "env-k2m9d/clusters/lkc-7aa01x", 401),
        (("cluster-key", "any"), "env-k2m9d/clusters/lkc-7aa01x", 401),
    ] {
        let path = format!("{CONNECTORS}/{path}/connectors?expand=id");
        let (status, headers, body) = call(&server, "GET", &path, key, "").await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (expected, &json!(expected)),
            "{path}"
        );
        assert!(body["error"]["message"].is_string() && body.get("errors").is_none());
        assert_eq!(headers.contains_key("www-authenticate"), expected == 401);
    }
}
