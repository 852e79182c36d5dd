//! Organizations and service accounts.

use super::*;

#[tokio::test]
async fn organizations_are_complete() {
    let server = Server::start(options()).await;
    let (status, list) = get(&server, ORGANIZATIONS).await;
    assert_eq!((status, &list["kind"]), (200, &json!("OrganizationList")));
    let found = list["data"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    let id = text(&found[0], "id");
    assert_eq!(id.len(), 36);
    assert_eq!(found[0]["api_version"], "org/v2");
    assert_eq!(found[0]["kind"], "Organization");
    assert_eq!(found[0]["display_name"], "Sandbox");
    let metadata = &found[0]["metadata"];
    let url = format!("{}{ORGANIZATIONS}/{id}", server.url());
    assert_eq!(metadata["self"], url);
    assert_eq!(metadata["resource_name"], organization(&server).await);
    assert!(metadata["created_at"].is_string() && metadata["updated_at"].is_string());
}

#[tokio::test]
async fn admins_can_have_several_organizations() {
    let server = Server::start(Options {
        organizations: 12,
        ..options()
    })
    .await;
    let all = items(&server, ORGANIZATIONS).await;
    assert_eq!(all.len(), 12);
    for key in [MAIN, ("billing-only", "sandbox-secret")] {
        let (status, own) = get_as(&server, key, ORGANIZATIONS).await;
        assert_eq!(status, 200);
        assert_eq!(own["data"], json!([all[0]]));
    }
    let none = Server::start(Options {
        organizations: 0,
        ..options()
    })
    .await;
    let relative =
        |server: &Server, items: &[Value]| json!(items).to_string().replace(&server.url(), "");
    let of_none = items(&none, ORGANIZATIONS).await;
    assert_eq!(relative(&none, &of_none), relative(&server, &all[..1]));
}

#[tokio::test]
async fn creates_finds_and_deletes_a_service_account() {
    let server = Server::start(options()).await;
    let request = json!({ "display_name": "billstream", "description": "Reads costs" });
    let (status, created) = post(&server, ACCOUNTS, request.clone()).await;
    assert_eq!(status, 201);
    let id = text(&created, "id");
    assert!(id.starts_with("sa-"), "{id}");
    assert_eq!(
        (&created["api_version"], &created["kind"]),
        (&json!("iam/v2"), &json!("ServiceAccount"))
    );
    assert_eq!(created["display_name"], "billstream");
    assert_eq!(created["description"], "Reads costs");
    let one = format!("{ACCOUNTS}/{id}");
    assert_eq!(
        created["metadata"]["self"],
        format!("{}{one}", server.url())
    );
    let name = text(&created["metadata"], "resource_name");
    assert_eq!(
        name,
        format!("{}/service-account={id}", organization(&server).await)
    );
    assert_eq!(get(&server, &one).await, (200, created.clone()));
    let found = items(&server, &format!("{ACCOUNTS}?display_name=billstream")).await;
    assert_eq!(found, [created]);
    assert!(
        items(&server, &format!("{ACCOUNTS}?display_name=other"))
            .await
            .is_empty()
    );
    assert_eq!(ids(&items(&server, ACCOUNTS).await), ["sa-sandbox", &id]);

    let again = post(&server, ACCOUNTS, request.clone()).await;
    assert_eq!(error(&again).0, 409);
    assert_eq!(delete(&server, &one).await, (204, Value::Null));
    assert_eq!(error(&get(&server, &one).await).0, 404);
    assert_eq!(error(&delete(&server, &one).await).0, 404);
    assert_eq!(post(&server, ACCOUNTS, request).await.0, 201);
}

#[tokio::test]
async fn rejects_invalid_service_accounts() {
    let server = Server::start(options()).await;
    for (request, expected, pointer) in [
        (json!({}), 422, "/display_name"),
        (json!({ "display_name": "" }), 422, "/display_name"),
        (
            json!({ "display_name": "é".repeat(65) }),
            422,
            "/display_name",
        ),
        (
            json!({ "display_name": "a", "description": "x".repeat(129) }),
            422,
            "/description",
        ),
    ] {
        let refused = post(&server, ACCOUNTS, request).await;
        let (status, _, source) = error(&refused);
        assert_eq!((status, &source["pointer"]), (expected, &json!(pointer)));
    }
    for body in ["", "{", "[]", r#"{"display_name":7}"#] {
        let (status, _, answer) = call(&server, "POST", ACCOUNTS, ADMIN, body).await;
        assert_eq!(error(&(status, answer)).0, 400, "{body}");
    }
    account(&server, &"é".repeat(64)).await;
    assert_eq!(items(&server, ACCOUNTS).await.len(), 2);
}

#[tokio::test]
async fn deleting_a_service_account_deletes_its_keys_and_role_bindings() {
    let server = Server::start(without_key_delay()).await;
    let (gone, stays) = (
        account(&server, "gone").await,
        account(&server, "stays").await,
    );
    let (first, second) = (key(&server, &gone).await, key(&server, &gone).await);
    let other = key(&server, &stays).await;
    for account in [&gone, &stays] {
        assert_eq!(bind(&server, account, "BillingAdmin").await.0, 201);
    }
    for key in [&first, &second, &other] {
        assert_eq!(get_as(&server, borrowed(key), COSTS).await.0, 200);
    }
    assert_eq!(delete(&server, &format!("{ACCOUNTS}/{gone}")).await.0, 204);
    for key in [&first, &second] {
        assert_eq!(get_as(&server, borrowed(key), COSTS).await.0, 401);
        assert_eq!(get(&server, &format!("{KEYS}/{}", key.0)).await.0, 404);
    }
    assert_eq!(get_as(&server, borrowed(&other), COSTS).await.0, 200);
    let (_, all) = get(&server, "/sandbox/iam").await;
    assert!(!all["role_bindings"].to_string().contains(&gone));
    assert!(!all["api_keys"].to_string().contains(&gone));
    assert_eq!(all["api_keys"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn ids_depend_on_the_seed() {
    let created = async |seed| {
        let server = Server::start(Options {
            seed,
            ..without_key_delay()
        })
        .await;
        let account = account(&server, "a").await;
        (
            organization(&server).await,
            key(&server, &account).await,
            account,
        )
    };
    assert_eq!(created(1).await, created(1).await);
    let (first, second) = (created(1).await, created(2).await);
    assert_ne!(
        (&first.0, &first.1.0, &first.1.1),
        (&second.0, &second.1.0, &second.1.1)
    );
}

#[tokio::test]
async fn lists_all_iam_objects_and_requests() {
    let server = Server::start(without_key_delay()).await;
    let home = organization(&server).await;
    let account = account(&server, "billstream").await;
    let key = key(&server, &account).await;
    let path = format!("{ACCOUNTS}?display_name=a%20b");
    get_as(&server, ("unknown", "unknown"), &path).await;
    get(&server, COSTS).await;
    get_as(&server, MAIN, "/cmk/v2/clusters?environment=env-k2m9d").await;
    delete(&server, &format!("{KEYS}/{}", key.0)).await;
    let (status, all) = get_as(&server, ("", ""), "/sandbox/iam").await;
    assert_eq!(status, 200);
    let id = home.split('=').next_back().unwrap();
    assert_eq!(
        all["organizations"],
        json!([{ "id": id, "display_name": "Sandbox" }])
    );
    let accounts = json!([
        { "id": "sa-sandbox", "display_name": "sandbox" },
        { "id": account, "display_name": "billstream" },
    ]);
    assert_eq!(all["service_accounts"], accounts);
    let bindings: Vec<_> = all["role_bindings"].as_array().unwrap().iter().collect();
    let bound: Vec<_> = bindings
        .iter()
        .map(|binding| (text(binding, "principal"), text(binding, "role_name")))
        .collect();
    let expected = [
        ("User:u-admin", "OrganizationAdmin"),
        ("User:sa-sandbox", "BillingAdmin"),
        ("User:sa-sandbox", "Operator"),
    ];
    assert_eq!(
        bound,
        expected.map(|(who, role)| (who.to_owned(), role.to_owned()))
    );
    assert!(text(bindings[0], "id").starts_with("rb-"));
    let keys = json!([
        { "id": "sandbox-admin", "owner": "u-admin", "display_name": "sandbox-admin", "resource": "cloud" },
        { "id": "sandbox-key", "owner": "sa-sandbox", "display_name": "sandbox-key", "resource": "cloud" },
    ]);
    assert_eq!(all["api_keys"], keys);
    let requests = json!([
        "GET /org/v2/organizations",
        "POST /iam/v2/service-accounts",
        "POST /iam/v2/api-keys",
        "GET /iam/v2/service-accounts?display_name=a%20b",
        "GET /cmk/v2/clusters?environment=env-k2m9d",
        format!("DELETE /iam/v2/api-keys/{}", key.0),
    ]);
    assert_eq!(all["requests"], requests);
    assert!(!all.to_string().contains("secret") && !all.to_string().contains(&key.1));
    let (_, status) = get(&server, "/sandbox/status").await;
    assert_eq!(status["requests"], 7);
    assert_eq!(status["costs_requests"], 1);
    assert_eq!(status["inventory_requests"], 1);
}
