//! API keys.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn secret_is_returned_only_on_creation() {
    let server = Server::start(without_key_delay()).await;
    let account = account(&server, "billstream").await;
    let request = json!({ "spec": {
        "display_name": "billstream",
        "description": "Created by billstream",
        "owner": { "id": account },
        "resource": { "id": "cloud" },
    } });
    let (status, mut created) = post(&server, KEYS, request).await;
    assert_eq!(status, 202);
    assert_eq!(
        (&created["api_version"], &created["kind"]),
        (&json!("iam/v2"), &json!("ApiKey"))
    );
    let id = text(&created, "id");
    let is_uppercase = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
    assert!(id.len() == 16 && id.chars().all(is_uppercase), "{id}");
    let secret = text(&created["spec"], "secret");
    assert_eq!(secret.len(), 64);
    created["spec"].as_object_mut().unwrap().remove("secret");
    assert_eq!(created["spec"]["display_name"], "billstream");
    assert_eq!(created["spec"]["description"], "Created by billstream");
    assert_eq!(created["spec"]["owner"]["id"], account);
    assert_eq!(created["spec"]["owner"]["kind"], "ServiceAccount");
    assert_eq!(
        created["spec"]["resource"],
        json!({ "id": "cloud", "kind": "Cloud" })
    );

    let one = format!("{KEYS}/{id}");
    assert_eq!(get(&server, &one).await, (200, created.clone()));
    assert_eq!(
        items(&server, &format!("{KEYS}?spec.owner={account}")).await,
        [created]
    );
    let (_, all) = get(&server, "/sandbox/iam").await;
    let everything = format!("{all}{}", json!(items(&server, KEYS).await));
    assert!(!everything.contains(&secret) && !everything.contains(ADMIN.1));

    assert_eq!(delete(&server, &one).await, (204, Value::Null));
    assert_eq!(error(&get(&server, &one).await).0, 404);
    assert_eq!(error(&delete(&server, &one).await).0, 404);
    assert_eq!(get_as(&server, (&id, &secret), ORGANIZATIONS).await.0, 401);
}

#[tokio::test]
async fn filters_keys_by_owner_and_resource() {
    let server = Server::start(without_key_delay()).await;
    let account = account(&server, "billstream").await;
    let (first, second) = (
        key(&server, &account).await.0,
        key(&server, &account).await.0,
    );
    let request =
        json!({ "spec": { "owner": { "id": account }, "resource": { "id": "lkc-7aa01x" } } });
    let (status, cluster) = post(&server, KEYS, request).await;
    assert_eq!(
        (status, &cluster["spec"]["resource"]["kind"]),
        (202, &json!("Cluster"))
    );
    let third = text(&cluster, "id");
    for (query, expected) in [
        (
            "".to_owned(),
            vec!["sandbox-admin", "sandbox-key", &first, &second, &third],
        ),
        (
            format!("?spec.owner={account}"),
            vec![&first, &second, &third],
        ),
        ("?spec.owner=u-admin".to_owned(), vec!["sandbox-admin"]),
        ("?spec.resource=lkc-7aa01x".to_owned(), vec![&third]),
        (
            format!("?spec.owner={account}&spec.resource=cloud"),
            vec![&first, &second],
        ),
        ("?spec.owner=sa-none".to_owned(), vec![]),
        (
            "?spec.owner=u-admin&spec.owner=sa-sandbox".to_owned(),
            vec!["sandbox-admin", "sandbox-key"],
        ),
    ] {
        assert_eq!(
            ids(&items(&server, &format!("{KEYS}{query}")).await),
            expected,
            "{query}"
        );
    }
    let secret = text(&cluster["spec"], "secret");
    let refused = get_as(&server, (&third, &secret), ORGANIZATIONS).await;
    let (status, detail, _) = error(&refused);
    assert_eq!(status, 401);
    assert!(
        detail.contains("make sure you're using a Cloud API Key"),
        "{detail}"
    );
}

#[tokio::test]
async fn rejects_keys_of_unknown_owners_and_resources() {
    let server = Server::start(without_key_delay()).await;
    for (spec, pointer) in [
        (json!({}), "/spec/owner/id"),
        (json!({ "owner": { "id": "sa-none" } }), "/spec/owner/id"),
        (
            json!({ "owner": { "id": "sa-sandbox" }, "resource": { "id": "lkc-none0" } }),
            "/spec/resource/id",
        ),
    ] {
        let refused = post(&server, KEYS, json!({ "spec": spec })).await;
        let (status, _, source) = error(&refused);
        assert_eq!((status, &source["pointer"]), (400, &json!(pointer)));
    }
    assert_eq!(error(&post(&server, KEYS, json!({})).await).0, 400);
    assert_eq!(error(&post(&server, KEYS, json!([1])).await).0, 400);
    assert_eq!(items(&server, KEYS).await.len(), 2);
    // The default resource is the cloud; users can own keys too.
    for owner in ["sa-sandbox", "u-admin"] {
        let request = json!({ "spec": { "owner": { "id": owner }, "resource": null } });
        let (status, created) = post(&server, KEYS, request).await;
        assert_eq!(
            (status, &created["spec"]["resource"]["id"]),
            (202, &json!("cloud"))
        );
    }
}

#[tokio::test]
async fn new_keys_activate_after_the_delay() {
    let delay = Duration::from_millis(300);
    let server = Server::start(Options {
        key_delay: delay,
        ..options()
    })
    .await;
    let start = Instant::now();
    let created = key(&server, "sa-sandbox").await;
    let refused = get_as(&server, borrowed(&created), COSTS).await;
    // On a very slow machine the key may already be active.
    if start.elapsed() < delay {
        assert_eq!(error(&refused), (401, "invalid API key", &Value::Null));
    }
    tokio::time::sleep(delay).await;
    assert_eq!(get_as(&server, borrowed(&created), COSTS).await.0, 200);
    assert_eq!(get_as(&server, (&created.0, "wrong"), COSTS).await.0, 401);
    assert_eq!(Options::default().key_delay, Duration::from_millis(1_500));
}
