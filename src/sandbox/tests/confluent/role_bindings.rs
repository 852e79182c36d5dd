//! Role bindings.

use super::*;

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn list_of(app: &App, more: &str) -> Vec<Value> {
    let crn = escaped(&organization(app).await);
    items(app, &format!("{BINDINGS}?crn_pattern={crn}{more}")).await
}

#[tokio::test]
async fn a_role_binding_is_made_found_and_deleted() {
    let app = App::new(options());
    let account = account(&app, "billstream").await;
    let (status, made) = bind(&app, &account, "BillingAdmin").await;
    assert_eq!(status, 201);
    let id = text(&made, "id");
    assert!(id.starts_with("rb-"), "{id}");
    assert_eq!(
        (&made["api_version"], &made["kind"]),
        (&json!("iam/v2"), &json!("RoleBinding"))
    );
    assert_eq!(made["principal"], format!("User:{account}"));
    assert_eq!(made["role_name"], "BillingAdmin");
    assert_eq!(made["crn_pattern"], organization(&app).await);
    assert!(text(&made["metadata"], "self").ends_with(&format!("{BINDINGS}/{id}")));
    assert_eq!(error(&bind(&app, &account, "BillingAdmin").await).0, 409);
    assert_eq!(bind(&app, &account, "Operator").await.0, 201);

    let one = format!("{BINDINGS}/{id}");
    assert_eq!(get(&app, &one).await, (200, made.clone()));
    assert_eq!(delete(&app, &one).await, (200, made));
    assert_eq!(error(&get(&app, &one).await).0, 404);
    assert_eq!(error(&delete(&app, &one).await).0, 404);
    assert_eq!(bind(&app, &account, "BillingAdmin").await.0, 201);
}

#[tokio::test]
async fn role_bindings_are_filtered() {
    let app = App::new(options());
    let account = account(&app, "billstream").await;
    bind(&app, &account, "BillingAdmin").await;
    assert_eq!(list_of(&app, "").await.len(), 4);
    let own = list_of(&app, &format!("&principal=User%3A{account}")).await;
    assert_eq!(
        (own.len(), &own[0]["role_name"]),
        (1, &json!("BillingAdmin"))
    );
    let billing = list_of(&app, "&role_name=BillingAdmin").await;
    assert_eq!(billing.len(), 2);
    let both = "&role_name=BillingAdmin&principal=User%3Asa-sandbox";
    assert_eq!(list_of(&app, both).await.len(), 1);
    assert!(list_of(&app, "&principal=User%3Asa-none").await.is_empty());

    for query in ["", "?crn_pattern=", "?principal=User%3Asa-sandbox"] {
        let refused = get(&app, &format!("{BINDINGS}{query}")).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["parameter"]),
            (400, &json!("crn_pattern")),
            "{query}"
        );
    }
    let crn = organization(&app).await;
    for (pattern, expected) in [
        (format!("{crn}/*"), 4),
        (format!("{}/*", &crn[..crn.len() - 1]), 0),
        ("crn://confluent.cloud/organization=other".to_owned(), 0),
    ] {
        let path = format!("{BINDINGS}?crn_pattern={}", escaped(&pattern));
        assert_eq!(items(&app, &path).await.len(), expected, "{pattern}");
    }
}

#[tokio::test]
async fn role_bindings_that_make_no_sense_are_refused() {
    let app = App::new(options());
    let crn = organization(&app).await;
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
        let mut wish = good.clone();
        wish[field] = value.clone();
        let refused = post(&app, BINDINGS, wish.clone()).await;
        let (status, _, source) = error(&refused);
        assert_eq!(
            (status, &source["pointer"]),
            (400, &json!(format!("/{field}"))),
            "{value}"
        );
        wish.as_object_mut().unwrap().remove(field);
        assert_eq!(
            error(&post(&app, BINDINGS, wish).await).0,
            400,
            "no {field}"
        );
    }
    let (status, _, answer) = call(&app, "POST", BINDINGS, ADMIN, "principal=x").await;
    assert_eq!(error(&(status, answer)).0, 400);
    assert_eq!(list_of(&app, "").await.len(), 3);
    assert_eq!(post(&app, BINDINGS, good).await.0, 201);
}

#[tokio::test]
async fn roles_are_bound_in_any_organization_of_the_admin() {
    let app = App::new(Options {
        organizations: 2,
        ..quick()
    });
    let second = items(&app, ORGANIZATIONS).await.remove(1);
    let account = account(&app, "billstream").await;
    let wish = json!({
        "principal": format!("User:{account}"),
        "role_name": "BillingAdmin",
        "crn_pattern": second["metadata"]["resource_name"],
    });
    assert_eq!(post(&app, BINDINGS, wish).await.0, 201);
    let key = key(&app, &account).await;
    let (_, seen) = get_as(&app, lent(&key), ORGANIZATIONS).await;
    assert_eq!(seen["data"], json!([second]));
}
