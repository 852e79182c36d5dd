//! Faults of IAM and inventory requests.

use super::*;
use chrono::{DateTime, Utc};

const CONNECTORS: &str = "/connect/v1/environments/env-k2m9d/clusters/lkc-7aa01x/connectors";
const LISTS: [&str; 5] = [
    "/org/v2/environments",
    "/cmk/v2/clusters?environment=env-k2m9d",
    "/ksqldbcm/v2/clusters?environment=env-k2m9d",
    "/fcpm/v2/compute-pools?environment=env-an9ly",
    "/srcm/v3/clusters?environment=env-k2m9d",
];

async fn fired(server: &Server, fault: &str) -> u64 {
    let (_, status) = get(server, "/sandbox/status").await;
    status["fired"][fault].as_u64().unwrap()
}

async fn iam(server: &Server) -> Value {
    let (_, mut all) = get(server, "/sandbox/iam").await;
    all.as_object_mut().unwrap().remove("requests");
    all
}

#[tokio::test]
async fn refuses_changes_without_effect() {
    for (fault, expected) in [
        ("iam-402", 402),
        ("iam-403", 403),
        ("iam-409", 409),
        ("iam-500", 500),
    ] {
        let server = with_faults(&[&format!("{fault}:4")]).await;
        let before = iam(&server).await;
        get(&server, ACCOUNTS).await;
        get(&server, LISTS[0]).await;
        assert_eq!(fired(&server, fault).await, 0);
        for (method, path, body) in [
            ("POST", ACCOUNTS, r#"{"display_name":"a"}"#),
            ("POST", KEYS, r#"{"spec":{"owner":{"id":"sa-sandbox"}}}"#),
            ("DELETE", "/iam/v2/api-keys/sandbox-key", ""),
            ("DELETE", "/iam/v2/service-accounts/sa-sandbox", ""),
        ] {
            let (status, _, answer) = call(&server, method, path, ADMIN, body).await;
            assert_eq!(error(&(status, answer)).0, expected, "{method} {path}");
        }
        assert_eq!(
            (fired(&server, fault).await, iam(&server).await),
            (4, before)
        );
        account(&server, "a").await;
    }
}

#[tokio::test]
async fn applies_changes_whose_reply_is_lost() {
    let server = with_faults(&["iam-lost-reply:3"]).await;
    // Failed requests are not affected.
    assert_eq!(post(&server, ACCOUNTS, json!({})).await.0, 422);
    assert_eq!(fired(&server, "iam-lost-reply").await, 0);
    assert_eq!(
        post(&server, ACCOUNTS, json!({ "display_name": "a" }))
            .await
            .0,
        0
    );
    let id = text(
        &items(&server, &format!("{ACCOUNTS}?display_name=a")).await[0],
        "id",
    );
    let request = json!({ "spec": { "owner": { "id": id } } });
    assert_eq!(post(&server, KEYS, request).await.0, 0);
    assert_eq!(
        items(&server, &format!("{KEYS}?spec.owner={id}"))
            .await
            .len(),
        1
    );
    assert_eq!(delete(&server, &format!("{ACCOUNTS}/{id}")).await.0, 0);
    assert_eq!(get(&server, &format!("{ACCOUNTS}/{id}")).await.0, 404);
    assert_eq!(fired(&server, "iam-lost-reply").await, 3);
    account(&server, "a").await;
}

#[tokio::test]
async fn refuses_lists_of_resources() {
    for (fault, expected) in [
        ("inventory-403", 403),
        ("inventory-404", 404),
        ("inventory-500", 500),
    ] {
        let server = with_faults(&[&format!("{fault}:6")]).await;
        for path in [COSTS, ACCOUNTS, ORGANIZATIONS] {
            assert_eq!(get(&server, path).await.0, 200, "{fault} {path}");
        }
        for path in LISTS {
            assert_eq!(error(&get(&server, path).await).0, expected, "{path}");
        }
        let (status, refused) = get(&server, CONNECTORS).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (expected, &json!(expected))
        );
        assert_eq!(fired(&server, fault).await, 6);
        for path in LISTS.into_iter().chain([CONNECTORS]) {
            assert_eq!(get(&server, path).await.0, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn returns_empty_lists_of_resources() {
    let server = with_faults(&["inventory-empty:7"]).await;
    for path in LISTS {
        let (status, list) = get(&server, path).await;
        assert_eq!((status, &list["data"]), (200, &json!([])), "{path}");
        assert!(text(&list, "kind").ends_with("List") && list["metadata"].is_object());
    }
    assert_eq!(get(&server, CONNECTORS).await, (200, json!([])));
    assert_eq!(
        get(&server, &format!("{CONNECTORS}?expand=id,info")).await,
        (200, json!({}))
    );
    assert_eq!(fired(&server, "inventory-empty").await, 7);
    for path in LISTS {
        assert_ne!(get(&server, path).await.1["data"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn faults_apply_to_their_api_after_the_skipped_requests() {
    let server = with_faults(&["inventory-500:1:after=2", "429:1:retry_after=7:after=3"]).await;
    for (path, expected) in [
        (COSTS, 200),
        (LISTS[0], 200),
        (LISTS[0], 500),
        (KEYS, 429),
        (KEYS, 200),
    ] {
        assert_eq!(get(&server, path).await.0, expected, "{path}");
    }
    let (_, status) = get(&server, "/sandbox/status").await;
    assert_eq!(
        (&status["requests"], &status["inventory_requests"]),
        (&json!(5), &json!(2))
    );
}

#[tokio::test]
async fn sends_wrong_dates_and_redirects() {
    let server = with_faults(&["wrong-clock:2", "redirect:1:after=1"]).await;
    let ahead = |headers: &HeaderMap| {
        let date = DateTime::parse_from_rfc2822(headers["date"].to_str().unwrap()).unwrap();
        (date.to_utc() - Utc::now()).num_minutes()
    };
    let (status, headers, _) = call(&server, "GET", COSTS, ADMIN, "").await;
    assert_eq!(status, 200);
    assert!((1_438..=1_440).contains(&ahead(&headers)), "{headers:?}");
    let (status, headers, _) = call(&server, "GET", LISTS[0], ADMIN, "").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (302, "http://localhost:9/elsewhere")
    );
    assert!(ahead(&headers) >= 1_438);
    let (status, headers, _) = call(&server, "GET", KEYS, ADMIN, "").await;
    assert_eq!(status, 200);
    assert!(ahead(&headers) <= 0, "{headers:?}");
    assert_eq!(
        (
            fired(&server, "wrong-clock").await,
            fired(&server, "redirect").await
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn repeats_and_expires_tokens_of_lists() {
    let server = with_faults(&["repeat-token", "expired-token:1:after=2"]).await;
    let (_, first) = get(&server, "/org/v2/environments?page_size=2").await;
    let next = text(&first["metadata"], "next");
    let path = server.path_of(&next);
    assert_eq!(get(&server, &path).await.1["metadata"]["next"], next);
    assert_eq!(
        error(&get(&server, &path).await).1,
        "page_token has expired"
    );
    let (_, second) = get(&server, &path).await;
    assert_ne!(second["metadata"]["next"], next);
}

#[tokio::test]
async fn truncates_bodies_of_lists() {
    let server = with_faults(&["truncated-json:2"]).await;
    let paths = [LISTS[1], KEYS];
    for path in paths {
        assert_eq!(get(&server, path).await, (200, Value::Null), "{path}");
    }
    for path in paths {
        assert!(get(&server, path).await.1["data"].is_array(), "{path}");
    }
    assert_eq!(fired(&server, "truncated-json").await, 2);
}

#[tokio::test]
async fn cuts_and_resets_connections_on_any_endpoint() {
    let server = with_faults(&["cut", "reset:1:after=1", "iam-lost-reply"]).await;
    let authorization = credentials(ADMIN.0, ADMIN.1);
    let headers = [("authorization", authorization.as_str())];
    let send = async |method: &str, path: &str, body: &str| {
        server.send(method, path, &headers, body.as_bytes()).await
    };
    let error = async |method: &str, path: &str, body: &str| {
        let response = send(method, path, body).await;
        response.map(|response| response.status).unwrap_err().kind()
    };
    let cut = send("GET", ORGANIZATIONS, "").await.unwrap();
    assert_eq!(cut.body.len(), cut.announced_len() / 2);
    let reset = error("GET", ORGANIZATIONS, "").await;
    assert_eq!(reset, std::io::ErrorKind::ConnectionReset);
    let account = r#"{"display_name":"a"}"#;
    let lost = error("POST", ACCOUNTS, account).await;
    assert_eq!(lost, std::io::ErrorKind::ConnectionReset);
    let again = send("POST", ACCOUNTS, account).await.unwrap();
    assert_eq!(again.status, 409);
}
