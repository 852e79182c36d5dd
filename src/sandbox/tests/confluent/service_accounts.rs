//! Organizations and service accounts.

use super::*;

#[tokio::test]
async fn organizations_are_whole_objects() {
    let app = App::new(options());
    let (status, list) = get(&app, ORGANIZATIONS).await;
    assert_eq!((status, &list["kind"]), (200, &json!("OrganizationList")));
    let found = list["data"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    let id = text(&found[0], "id");
    assert_eq!(id.len(), 36);
    assert_eq!(found[0]["api_version"], "org/v2");
    assert_eq!(found[0]["kind"], "Organization");
    assert_eq!(found[0]["display_name"], "Sandbox");
    let metadata = &found[0]["metadata"];
    let own = format!("http://127.0.0.1:8900{ORGANIZATIONS}/{id}");
    assert_eq!(metadata["self"], own);
    assert_eq!(metadata["resource_name"], organization(&app).await);
    assert!(metadata["created_at"].is_string() && metadata["updated_at"].is_string());
}

#[tokio::test]
async fn the_admin_can_be_in_several_organizations() {
    let app = App::new(Options {
        organizations: 12,
        ..options()
    });
    let all = items(&app, ORGANIZATIONS).await;
    assert_eq!(all.len(), 12);
    for key in [MAIN, ("billing-only", "sandbox-secret")] {
        let (status, own) = get_as(&app, key, ORGANIZATIONS).await;
        assert_eq!(status, 200);
        assert_eq!(own["data"], json!([all[0]]));
    }
    let none = App::new(Options {
        organizations: 0,
        ..options()
    });
    assert_eq!(items(&none, ORGANIZATIONS).await, all[..1]);
}

#[tokio::test]
async fn a_service_account_is_made_found_and_deleted() {
    let app = App::new(options());
    let wish = json!({ "display_name": "billstream", "description": "Reads costs" });
    let (status, made) = post(&app, ACCOUNTS, wish.clone()).await;
    assert_eq!(status, 201);
    let id = text(&made, "id");
    assert!(id.starts_with("sa-"), "{id}");
    assert_eq!(
        (&made["api_version"], &made["kind"]),
        (&json!("iam/v2"), &json!("ServiceAccount"))
    );
    assert_eq!(made["display_name"], "billstream");
    assert_eq!(made["description"], "Reads costs");
    let one = format!("{ACCOUNTS}/{id}");
    assert_eq!(
        made["metadata"]["self"],
        format!("http://127.0.0.1:8900{one}")
    );
    let name = text(&made["metadata"], "resource_name");
    assert_eq!(
        name,
        format!("{}/service-account={id}", organization(&app).await)
    );
    assert_eq!(get(&app, &one).await, (200, made.clone()));
    let found = items(&app, &format!("{ACCOUNTS}?display_name=billstream")).await;
    assert_eq!(found, [made]);
    assert!(
        items(&app, &format!("{ACCOUNTS}?display_name=other"))
            .await
            .is_empty()
    );
    assert_eq!(ids(&items(&app, ACCOUNTS).await), ["sa-sandbox", &id]);

    let again = post(&app, ACCOUNTS, wish.clone()).await;
    assert_eq!(error(&again).0, 409);
    assert_eq!(delete(&app, &one).await, (204, Value::Null));
    assert_eq!(error(&get(&app, &one).await).0, 404);
    assert_eq!(error(&delete(&app, &one).await).0, 404);
    assert_eq!(post(&app, ACCOUNTS, wish).await.0, 201);
}

#[tokio::test]
async fn service_accounts_that_break_a_rule_are_refused() {
    let app = App::new(options());
    for (wish, expected, pointer) in [
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
        let refused = post(&app, ACCOUNTS, wish).await;
        let (status, _, source) = error(&refused);
        assert_eq!((status, &source["pointer"]), (expected, &json!(pointer)));
    }
    for body in ["", "{", "[]", r#"{"display_name":7}"#] {
        let (status, _, answer) = call(&app, "POST", ACCOUNTS, ADMIN, body).await;
        assert_eq!(error(&(status, answer)).0, 400, "{body}");
    }
    account(&app, &"é".repeat(64)).await;
    assert_eq!(items(&app, ACCOUNTS).await.len(), 2);
}

#[tokio::test]
async fn a_deleted_service_account_takes_its_keys_and_bindings_with_it() {
    let app = App::new(quick());
    let (gone, stays) = (account(&app, "gone").await, account(&app, "stays").await);
    let (first, second) = (key(&app, &gone).await, key(&app, &gone).await);
    let other = key(&app, &stays).await;
    for account in [&gone, &stays] {
        assert_eq!(bind(&app, account, "BillingAdmin").await.0, 201);
    }
    for key in [&first, &second, &other] {
        assert_eq!(get_as(&app, lent(key), COSTS).await.0, 200);
    }
    assert_eq!(delete(&app, &format!("{ACCOUNTS}/{gone}")).await.0, 204);
    for key in [&first, &second] {
        assert_eq!(get_as(&app, lent(key), COSTS).await.0, 401);
        assert_eq!(get(&app, &format!("{KEYS}/{}", key.0)).await.0, 404);
    }
    assert_eq!(get_as(&app, lent(&other), COSTS).await.0, 200);
    let (_, all) = get(&app, "/sandbox/iam").await;
    assert!(!all["role_bindings"].to_string().contains(&gone));
    assert!(!all["api_keys"].to_string().contains(&gone));
    assert_eq!(all["api_keys"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_ids() {
    let made = async |seed| {
        let app = App::new(Options { seed, ..quick() });
        let account = account(&app, "a").await;
        (organization(&app).await, key(&app, &account).await, account)
    };
    assert_eq!(made(1).await, made(1).await);
    let (first, second) = (made(1).await, made(2).await);
    assert_ne!(
        (&first.0, &first.1.0, &first.1.1),
        (&second.0, &second.1.0, &second.1.1)
    );
}

#[tokio::test]
async fn what_is_there_and_what_was_asked_can_be_looked_at() {
    let app = App::new(quick());
    let home = organization(&app).await;
    let account = account(&app, "billstream").await;
    let key = key(&app, &account).await;
    let path = format!("{ACCOUNTS}?display_name=a%20b");
    get_as(&app, ("unknown", "unknown"), &path).await;
    get(&app, COSTS).await;
    get_as(&app, MAIN, "/cmk/v2/clusters?environment=env-k2m9d").await;
    delete(&app, &format!("{KEYS}/{}", key.0)).await;
    let (status, all) = get_as(&app, ("", ""), "/sandbox/iam").await;
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
    let (_, status) = get(&app, "/sandbox/status").await;
    assert_eq!(status["requests"], 7);
    assert_eq!(status["costs_requests"], 1);
    assert_eq!(status["inventory_requests"], 1);
}
