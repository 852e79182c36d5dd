//! API keys.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn a_key_shows_its_secret_once() {
    let app = App::new(quick());
    let account = account(&app, "billstream").await;
    let wish = json!({ "spec": {
        "display_name": "billstream",
        "description": "Made by billstream",
        "owner": { "id": account },
        "resource": { "id": "cloud" },
    } });
    let (status, mut made) = post(&app, KEYS, wish).await;
    assert_eq!(status, 202);
    assert_eq!(
        (&made["api_version"], &made["kind"]),
        (&json!("iam/v2"), &json!("ApiKey"))
    );
    let id = text(&made, "id");
    let capital = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
    assert!(id.len() == 16 && id.chars().all(capital), "{id}");
    let secret = text(&made["spec"], "secret");
    assert_eq!(secret.len(), 64);
    made["spec"].as_object_mut().unwrap().remove("secret");
    assert_eq!(made["spec"]["display_name"], "billstream");
    assert_eq!(made["spec"]["description"], "Made by billstream");
    assert_eq!(made["spec"]["owner"]["id"], account);
    assert_eq!(made["spec"]["owner"]["kind"], "ServiceAccount");
    assert_eq!(
        made["spec"]["resource"],
        json!({ "id": "cloud", "kind": "Cloud" })
    );

    let one = format!("{KEYS}/{id}");
    assert_eq!(get(&app, &one).await, (200, made.clone()));
    assert_eq!(
        items(&app, &format!("{KEYS}?spec.owner={account}")).await,
        [made]
    );
    let (_, all) = get(&app, "/sandbox/iam").await;
    let everything = format!("{all}{}", json!(items(&app, KEYS).await));
    assert!(!everything.contains(&secret) && !everything.contains(ADMIN.1));

    assert_eq!(delete(&app, &one).await, (204, Value::Null));
    assert_eq!(error(&get(&app, &one).await).0, 404);
    assert_eq!(error(&delete(&app, &one).await).0, 404);
    assert_eq!(get_as(&app, (&id, &secret), ORGANIZATIONS).await.0, 401);
}

#[tokio::test]
async fn keys_are_filtered() {
    let app = App::new(quick());
    let account = account(&app, "billstream").await;
    let (first, second) = (key(&app, &account).await.0, key(&app, &account).await.0);
    let wish =
        json!({ "spec": { "owner": { "id": account }, "resource": { "id": "lkc-7aa01x" } } });
    let (status, cluster) = post(&app, KEYS, wish).await;
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
            ids(&items(&app, &format!("{KEYS}{query}")).await),
            expected,
            "{query}"
        );
    }
    let secret = text(&cluster["spec"], "secret");
    let refused = get_as(&app, (&third, &secret), ORGANIZATIONS).await;
    let (status, detail, _) = error(&refused);
    assert_eq!(status, 401);
    assert!(
        detail.contains("make sure you're using a Cloud API Key"),
        "{detail}"
    );
}

#[tokio::test]
async fn keys_for_nobody_or_nothing_are_refused() {
    let app = App::new(quick());
    for (spec, pointer) in [
        (json!({}), "/spec/owner/id"),
        (json!({ "owner": { "id": "sa-none" } }), "/spec/owner/id"),
        (
            json!({ "owner": { "id": "sa-sandbox" }, "resource": { "id": "lkc-none0" } }),
            "/spec/resource/id",
        ),
    ] {
        let refused = post(&app, KEYS, json!({ "spec": spec })).await;
        let (status, _, source) = error(&refused);
        assert_eq!((status, &source["pointer"]), (400, &json!(pointer)));
    }
    assert_eq!(error(&post(&app, KEYS, json!({})).await).0, 400);
    assert_eq!(error(&post(&app, KEYS, json!([1])).await).0, 400);
    assert_eq!(items(&app, KEYS).await.len(), 2);
    // Without a resource a key is for the cloud; users have keys, too.
    for owner in ["sa-sandbox", "u-admin"] {
        let wish = json!({ "spec": { "owner": { "id": owner }, "resource": null } });
        let (status, made) = post(&app, KEYS, wish).await;
        assert_eq!(
            (status, &made["spec"]["resource"]["id"]),
            (202, &json!("cloud"))
        );
    }
}

#[tokio::test]
async fn a_new_key_is_unknown_for_a_while() {
    let delay = Duration::from_millis(300);
    let app = App::new(Options {
        key_delay: delay,
        ..options()
    });
    let start = Instant::now();
    let made = key(&app, "sa-sandbox").await;
    let refused = get_as(&app, lent(&made), COSTS).await;
    // On a machine that stands still for that long the key is known already.
    if start.elapsed() < delay {
        assert_eq!(error(&refused), (401, "invalid API key", &Value::Null));
    }
    tokio::time::sleep(delay).await;
    assert_eq!(get_as(&app, lent(&made), COSTS).await.0, 200);
    assert_eq!(get_as(&app, (&made.0, "wrong"), COSTS).await.0, 401);
    assert_eq!(Options::default().key_delay, Duration::from_millis(1_500));
}
