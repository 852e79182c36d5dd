//! Test namespaces: operations with `cloudzero-test-key`.

use super::*;

const H0: &str = "2026-10-01T00:00:00Z";
const OCTOBER_DROP: &str = "/v2/connections/billing/anycost/sandbox-stream/billing_drops/2026-10";
const CONNECTIONS: &str = "/v2/connections/billing";

async fn with_key(
    server: &Server,
    key: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let headers = [("cloudzero-test-key", key)];
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (status, _, body) = call(server, method, path, &headers, body).await;
    (status, body)
}

/// Number of rows of October as operations with a key see it.
async fn rows_with_key(server: &Server, key: &str) -> usize {
    let (_, body) = with_key(server, key, "GET", OCTOBER_DROP, &Value::Null).await;
    body["billing_drop"].as_array().map_or(0, Vec::len)
}

fn one() -> Value {
    october("sum", &[(H0, "1")])
}

#[tokio::test]
async fn changes_with_a_key_are_visible_with_this_key_only() {
    let server = Server::start(options()).await;
    assert_eq!(post(&server, DROPS, &one()).await.0, 200);
    // It begins as a copy.
    assert_eq!(rows_with_key(&server, "a").await, 1);
    let (status, body) = with_key(&server, "a", "POST", DROPS, &one()).await;
    assert_eq!((status, &body["connection"]["row_count"]), (200, &json!(2)));
    assert_eq!(rows_with_key(&server, "a").await, 2);
    assert_eq!(rows_with_key(&server, "b").await, 1);
    assert_eq!(stored(&server).await, rows_and_cost(1, "1"));
    assert_eq!(
        get(&server, OCTOBER_DROP).await.1["billing_drop"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let connection = json!({ "name": "tried", "cloud_provider": "Confluent" });
    let (status, _) = with_key(&server, "a", "POST", CONNECTIONS, &connection).await;
    assert_eq!(status, 200);
    let count = |body: &Value| body["connections"].as_array().unwrap().len();
    let (_, in_namespace) = with_key(&server, "a", "GET", CONNECTIONS, &Value::Null).await;
    assert_eq!(count(&in_namespace), 2);
    assert_eq!(count(&get(&server, CONNECTIONS).await.1), 1);

    let (_, requests) = get(&server, "/sandbox/cloudzero/requests").await;
    assert_eq!(requests[0]["test_key"], Value::Null);
    assert_eq!(requests[1]["test_key"], "a");
}

#[tokio::test]
async fn stored_replies_belong_to_a_namespace() {
    let server = Server::start(options()).await;
    let headers = [
        ("cloudzero-idempotency-key", "k"),
        ("cloudzero-test-key", "a"),
    ];
    let body = one().to_string();
    for _ in 0..2 {
        let (status, _, reply) = call(&server, "POST", DROPS, &headers, body.clone()).await;
        assert_eq!(
            (status, &reply["connection"]["row_count"]),
            (200, &json!(1))
        );
    }
    assert_eq!(rows_with_key(&server, "a").await, 1);
    assert_eq!(post_as(&server, "k", &one()).await.0, 200);
    assert_eq!(stored(&server).await, rows_and_cost(1, "1"));
}

#[tokio::test]
async fn changes_end_an_hour_after_the_first() {
    let server = Server::start(options()).await;
    with_key(&server, "a", "POST", DROPS, &one()).await;
    let advance = async |minutes: u32| {
        let path = format!("/sandbox/cloudzero/advance?minutes={minutes}");
        get(&server, &path).await.0
    };
    assert_eq!(advance(59).await, 200);
    assert_eq!(rows_with_key(&server, "a").await, 1);
    with_key(&server, "b", "POST", DROPS, &one()).await;
    assert_eq!(advance(1).await, 200);
    assert_eq!(rows_with_key(&server, "a").await, 0);
    assert_eq!(rows_with_key(&server, "b").await, 1);
    // The same key begins anew.
    let (_, body) = with_key(&server, "a", "POST", DROPS, &one()).await;
    assert_eq!(body["connection"]["row_count"], 1);
    assert_eq!(get(&server, "/sandbox/cloudzero/advance").await.0, 400);
}
