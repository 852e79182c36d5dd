//! Role bindings.

use super::*;

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn list_of(server: &Server, more: &str) -> Vec<Value> {
    let crn = escaped(&organization(server).await);
    items(server, &format!("{BINDINGS}?crn_pattern={crn}{more}")).await
}

#[tokio::test]
async fn creates_finds_and_deletes_a_role_binding() {
    let server = Server::start(options()).await;
    let account = account(&server, "billstream").await;
    let (status, created) = bind(&server, &account, "BillingAdmin").await;
    assert_eq!(status, 201);
    let id = text(&created, "id");
    assert!(id.starts_with("rb-"), "{id}");
    assert_eq!(
        (&created["api_version"], &created["kind"]),
        (&json!("iam/v2"), &json!("RoleBinding"))
    );
    assert_eq!(created["principal"], format!("User:{account}"));
    assert_eq!(created["role_name"], "BillingAdmin");
    assert_eq!(created["crn_pattern"], organization(&server).await);
    assert!(text(&created["metadata"], "self").ends_with(&format!("{BINDINGS}/{id}")));
    assert_eq!(error(&bind(&server, &account, "BillingAdmin").await).0, 409);
    assert_eq!(bind(&server, &account, "Operator").await.0, 201);

    let one = format!("{BINDINGS}/{id}");
    assert_eq!(get(&server, &one).await, (200, created.clone()));
    assert_eq!(delete(&server, &one).await, (200, created));
    assert_eq!(error(&get(&server, &one).await).0, 404);
    assert_eq!(error(&delete(&server, &one).await).0, 404);
    assert_eq!(bind(&server, &account, "BillingAdmin").await.0, 201);
}

#[tokio::test]
async fn filters_role_bindings() {
    let server = Server::start(options()).await;
    let account = account(&server, "billstream").await;
    bind(&server, &account, "BillingAdmin").await;
    assert_eq!(list_of(&server, "").await.len(), 4);
    let by_principal = list_of(&server, &format!("&principal=User%3A{account}")).await;
    assert_eq!(
        (by_principal.len(), &by_principal[0]["role_name"]),
        (1, &json!("BillingAdmin"))
    );
    let billing = list_of(&server, "&role_name=BillingAdmin").await;
    assert_eq!(billing.len(), 2);
    let both = "&role_name=BillingAdmin&principal=User%3Asa-sandbox";
    assert_eq!(list_of(&server, both).await.len(), 1);
    assert!(
        list_of(&server, "&principal=User%3Asa-none")
            .await
            .is_empty()
    );

    for query in ["", "?crn_pattern=", "?principal=User%3Asa-sandbox"] {
        let refused = get(&server, &format!("{BINDINGS}{query}")).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["parameter"]),
            (400, &json!("crn_pattern")),
            "{query}"
        );
    }
    let crn = organization(&server).await;
    for (pattern, expected) in [
        (format!("{crn}/*"), 4),
        (format!("{}/*", &crn[..crn.len() - 1]), 0),
        ("crn://confluent.cloud/organization=other".to_owned(), 0),
    ] {
        let path = format!("{BINDINGS}?crn_pattern={}", escaped(&pattern));
        assert_eq!(items(&server, &path).await.len(), expected, "{pattern}");
    }
}

#[tokio::test]
async fn rejects_invalid_role_bindings() {
    let server = Server::start(options()).await;
    let crn = organization(&server).await;
    let good = json!({
        "principal": "User:sa-sandbox", "role_name": "MetricsViewer", "crn_pattern": crn,
    });
    for (field, value) in [
        ("principal", json!("User:sa-none")),
        ("principal", json!("sa-sandbox")),
        ("principal", json!("")),
        ("role_name", json!("BillingWizard")),
        ("role_name", json!("")),
        (
            "crn_pattern",
            json!("crn://confluent.cloud/organization=other"),
        ),
        ("crn_pattern", json!(format!("{crn}/environment=env-k2m9d"))),
        ("crn_pattern", json!("")),
    ] {
        let mut request = good.clone();
        request[field] = value.clone();
        let refused = post(&server, BINDINGS, request.clone()).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["pointer"]),
            (400, &json!(format!("/{field}"))),
            "{value}"
        );
        request.as_object_mut().unwrap().remove(field);
        assert_eq!(
            error(&post(&server, BINDINGS, request).await).0,
            400,
            "no {field}"
        );
    }
    let (status, _, answer) = call(&server, "POST", BINDINGS, ADMIN, "principal=x").await;
    assert_eq!(error(&(status, answer)).0, 400);
    assert_eq!(list_of(&server, "").await.len(), 3);
    assert_eq!(post(&server, BINDINGS, good).await.0, 201);
}

#[tokio::test]
async fn binds_roles_in_any_organization_of_the_admin() {
    let server = Server::start(Options {
        organizations: 2,
        ..without_key_delay()
    })
    .await;
    let second = items(&server, ORGANIZATIONS).await.remove(1);
    let account = account(&server, "billstream").await;
    let request = json!({
        "principal": format!("User:{account}"),
        "role_name": "BillingAdmin",
        "crn_pattern": second["metadata"]["resource_name"],
    });
    assert_eq!(post(&server, BINDINGS, request).await.0, 201);
    let key = key(&server, &account).await;
    let (_, seen) = get_as(&server, borrowed(&key), ORGANIZATIONS).await;
    assert_eq!(seen["data"], json!([second]));
}
