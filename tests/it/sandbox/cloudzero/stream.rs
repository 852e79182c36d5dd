//! Streams: operations, validation, credentials, idempotency.

use super::*;
use crate::sandbox::server::Upload;
use std::io::Write as _;
use std::time::Duration;

const H0: &str = "2026-10-01T00:00:00Z";
const H1: &str = "2026-10-01T01:00:00Z";

#[tokio::test]
async fn applies_all_operations() {
    let server = Server::start(options()).await;
    let (status, first) = post(
        &server,
        DROPS,
        &october("replace_drop", &[(H0, "1.5"), (H1, "-0.25")]),
    )
    .await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["connection"]["month"], H0);
    assert_eq!(first["connection"]["row_count"], 2);
    let (_, second) = post(&server, DROPS, &october("sum", &[(H1, "10")])).await;
    assert_eq!(second["connection"]["row_count"], 3);
    assert_ne!(
        first["connection"]["drop_id"],
        second["connection"]["drop_id"]
    );
    assert_eq!(stored(&server).await, rows_and_cost(3, "11.25"));
    let half_past = "2026-10-01T01:30:00Z";
    let (_, third) = post(
        &server,
        DROPS,
        &october(
            "replace_hourly",
            &[(half_past, "0.000000000000000000000001")],
        ),
    )
    .await;
    assert_eq!(third["connection"]["row_count"], 2);
    assert_eq!(
        stored(&server).await,
        rows_and_cost(2, "1.500000000000000000000001")
    );
    let mut default = october("", &[(H0, "7")]);
    default.as_object_mut().unwrap().remove("operation");
    default.as_object_mut().unwrap().remove("month");
    assert_eq!(post(&server, DROPS, &default).await.0, 200);
    assert_eq!(stored(&server).await, rows_and_cost(1, "7"));
    let (_, list) = get(&server, DROPS).await;
    assert_eq!(list["billing_drops"][0]["row_count"], 1);
    assert_eq!(list["billing_drops"][0]["drop_id"], "drop-00000004");
    for month in [
        "2026-10",
        "2026-10-01T00:00:00Z",
        "2026-10-01T00%3A00%3A00%2B00%3A00",
    ] {
        let (status, month) = get(&server, &format!("{DROPS}/{month}")).await;
        assert_eq!(
            (status, &month["billing_drop"]),
            (200, &json!([row(H0, "7")]))
        );
    }
    assert_eq!(
        post(&server, DROPS, &october("replace_drop", &[])).await.0,
        200
    );
    let (status, missing) = get(&server, &format!("{DROPS}/2026-10")).await;
    assert_eq!(status, 404);
    assert!(missing["error"]["message"].is_string() && missing["error"]["type"].is_string());
    assert_eq!(get(&server, DROPS).await.1["billing_drops"], json!([]));
    assert_eq!(stored(&server).await, rows_and_cost(0, "0"));
    assert_eq!(get(&server, &format!("{DROPS}/october")).await.0, 400);
}

#[tokio::test]
async fn applies_cost_fallbacks_and_totals_by_day_and_type() {
    let server = Server::start(options()).await;
    let rows = json!([
        { "time/usage_start": H0, "cost/cost": "-1.10", "lineitem/type": "Credit", "usage/amount": "3.0",
          "resource/id": "a/b", "resource/tag:env/x@y": "p", "lineitem/cloud_provider": "Confluent" },
        { "time/usage_start": H1, "cost/cost": "2", "cost/discounted_cost": "0.5", "cost/on_demand_cost": "4" },
        { "time/usage_start": "2026-10-31T23:00:00Z", "cost/cost": "3", "lineitem/type": "CommittedUseVacancy",
          "resource/tag:team": "" },
    ]);
    let (status, answer) = post(&server, DROPS, &json!({ "month": "2026-10", "data": rows })).await;
    assert_eq!(status, 200, "{answer}");
    let group = |day, kind, cost, discounted, on_demand| {
        json!({ "day": day, "type": kind, "rows": 1, "cost": cost,
                "discounted_cost": discounted, "on_demand_cost": on_demand,
                "amortized_cost": cost, "discounted_amortized_cost": discounted })
    };
    assert_eq!(
        totals_of(&server, "sandbox-stream").await,
        json!({
            "rows": 3, "cost": "3.9", "discounted_cost": "2.4", "on_demand_cost": "5.9", "hours": 3,
            "amortized_cost": "3.9", "discounted_amortized_cost": "2.4",
            "by_day_type": [
                group("2026-10-01", "Credit", "-1.1", "-1.1", "-1.1"),
                group("2026-10-01", "Usage", "2", "0.5", "4"),
                group("2026-10-31", "CommittedUseVacancy", "3", "3", "3"),
            ],
        })
    );
    let (status, _) = get(&server, "/sandbox/cloudzero/holds").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn drops_and_validation_reject_the_same_rows() {
    let server = Server::start(options()).await;
    let with = |column: &str, value: Value| {
        let mut one = row(H0, "1");
        one[column] = value;
        json!({ "month": "2026-10", "data": [one] })
    };
    let cases = [
        (
            with("cost/cost", json!(1)),
            "data[0]: cost/cost must be a string",
        ),
        (with("cost/cost", json!("1e-3")), "plain decimal"),
        (with("cost/discounted_cost", json!("")), "plain decimal"),
        (with("usage/amount", json!("1E3")), "plain decimal"),
        (with("usage/units", Value::Null), "must be a string"),
        (
            with("time/usage_start", json!("2026-11-01T00:00:00Z")),
            "not in 2026-10",
        ),
        (
            with("time/usage_start", json!("2026-10-01 00:00:00")),
            "datetime",
        ),
        (with("time/usage_end", json!("2026-10-01")), "datetime"),
        (with("lineitem/type", json!("usage")), "no lineitem/type"),
        (with("colour", json!("red")), "no column `colour`"),
        (
            with("resource/tag:env", json!("prod")),
            "needs a resource/id",
        ),
        (with("resource/tag:Team Name", json!("")), "not legal"),
        (with("resource/tag:", json!("")), "not legal"),
        (
            json!({ "month": "2026-10", "data": [{ "cost/cost": "1" }] }),
            "usage_start is missing",
        ),
        (
            json!({ "month": "2026-10", "data": [{ "time/usage_start": H0 }] }),
            "cost/cost is missing",
        ),
        (
            json!({ "month": "2026-10-01", "data": [] }),
            "month must be",
        ),
        (json!({ "data": [] }), "month is missing"),
        (
            json!({ "month": "2026-10", "operation": "replace", "data": [] }),
            "no operation",
        ),
    ];
    for (body, expected) in &cases {
        let (status, answer) = post(&server, DROPS, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(
            text(&answer["error"], "message").contains(expected),
            "{body}: {answer}"
        );
        let (status, answer) = post(&server, VALIDATE, body).await;
        assert_eq!(
            (status, &answer["connection"]["is_valid"]),
            (200, &json!(false))
        );
        assert!(
            answer["connection"]["errors"][0]
                .as_str()
                .unwrap()
                .contains(expected),
            "{answer}"
        );
    }
    let good = with("resource/id", json!("a/b"));
    let valid = json!({ "connection": { "is_valid": true, "errors": [] } });
    assert_eq!(post(&server, VALIDATE, &good).await, (200, valid));
    assert_eq!(stored(&server).await, rows_and_cost(0, "0"));
    for body in ["", "[]", "{}", r#"{"data":[1]}"#] {
        for path in [DROPS, VALIDATE] {
            assert_eq!(
                call(&server, "POST", path, &[], body).await.0,
                400,
                "{body}"
            );
        }
    }
    for (path, expected) in [
        ("/v2/connections/billing/anycost/other/billing_drops", 404),
        ("/v2/connections/billing/other", 404),
        ("/v2/unknown", 404),
    ] {
        assert_eq!(get(&server, path).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn rejects_bodies_above_five_million_bytes() {
    let server = Server::start(options()).await;
    let mut body = october("replace_drop", &[(H0, "1")]).to_string();
    body.push_str(&" ".repeat(5_000_000 - body.len()));
    assert_eq!(call(&server, "POST", DROPS, &[], body.clone()).await.0, 200);
    body.push(' ');
    for path in [DROPS, VALIDATE] {
        let (status, _, answer) = call(&server, "POST", path, &[], body.clone()).await;
        assert_eq!(status, 413);
        assert!(answer["message"].is_string());
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let headers = [("content-encoding", "gzip")];
    let (status, ..) = call(&server, "POST", DROPS, &headers, gzip.finish().unwrap()).await;
    assert_eq!(status, 413);
    let (_, requests) = get(&server, "/sandbox/cloudzero/requests").await;
    assert_eq!(
        (&requests[1]["bytes"], &requests[1]["status"]),
        (&json!(5_000_001), &json!(413))
    );
}

/// Sends half of a drop, and waits until it occupies the stream.
async fn start_drop(server: &Server, body: &Value) -> Upload {
    let before = cloudzero_requests(server).await;
    let body = body.to_string();
    let headers = [("authorization", KEY)];
    let upload = server
        .send_half("POST", DROPS, &headers, body.as_bytes())
        .await;
    while cloudzero_requests(server).await == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    upload
}

async fn cloudzero_requests(server: &Server) -> u64 {
    let (_, status) = get(server, "/sandbox/status").await;
    status["cloudzero_requests"].as_u64().unwrap()
}

#[tokio::test]
async fn refuses_concurrent_drops_of_a_stream() {
    let server = Server::start(options()).await;
    let (a, b) = (october("sum", &[(H0, "1")]), october("sum", &[(H0, "2")]));
    let first = start_drop(&server, &a).await;
    let second = post_as(&server, "k", &b).await;
    assert_eq!((first.finish().await.status, second.0), (200, 409));
    assert!(second.1["error"]["message"].is_string());
    assert_eq!(
        post_as(&server, "k", &b).await.0,
        409,
        "the first reply to a key stays"
    );
    assert_eq!(post(&server, DROPS, &b).await.0, 200);
    // The reply of the request in flight is stored under the key, not the refusal.
    let (first, second) = tokio::join!(post_as(&server, "l", &a), post_as(&server, "l", &a));
    let mut statuses = [first.0, second.0];
    statuses.sort();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(post_as(&server, "l", &a).await.0, 200);
    assert_eq!(stored(&server).await, rows_and_cost(3, "4"));
}

#[tokio::test]
async fn idempotency_keys_replay_the_first_reply() {
    let server = Server::start(options()).await;
    let one = october("sum", &[(H0, "1")]);
    let first = post_as(&server, "a", &one).await;
    assert_eq!(
        post_as(&server, "a", &october("sum", &[(H0, "5")])).await,
        first
    );
    assert_eq!(stored(&server).await, rows_and_cost(1, "1"));
    let refused = post_as(&server, "b", &october("sum", &[(H0, "x")])).await;
    assert_eq!(refused.0, 400);
    assert_eq!(post_as(&server, "b", &one).await, refused);
    assert_eq!(post_as(&server, "c", &one).await.0, 200);
    let (_, requests) = get(&server, "/sandbox/cloudzero/requests").await;
    let replayed: Vec<_> = requests
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["replayed"])
        .collect();
    assert_eq!(replayed, [false, true, false, true, false]);
    let bytes = one.to_string().len();
    assert_eq!(
        requests[0],
        json!({ "method": "POST", "path": DROPS, "operation": "sum", "month": "2026-10",
                "month_sent": "2026-10-01T00:00:00Z", "rows": 1, "bytes": bytes, "idempotency_key": "a",
                "test_key": null, "status": 200, "replayed": false })
    );
    let (_, status) = get(&server, "/sandbox/status").await;
    assert_eq!(
        (&status["requests"], &status["cloudzero_requests"]),
        (&json!(0), &json!(5))
    );
}

#[tokio::test]
async fn the_authorization_header_is_the_bare_key() {
    let server = Server::start(options()).await;
    for key in ["", "other", "Bearer sandbox-cloudzero-key", "Basic eDp5"] {
        let headers = [("authorization", key)];
        let (status, _, body) = call(&server, "GET", DROPS, &headers, "").await;
        assert_eq!(status, 403, "{key}");
        assert!(body["message"].is_string());
    }
    let server = Server::start(Options {
        cloudzero_key: "mine".into(),
        ..options()
    })
    .await;
    let with = async |method, path, key| {
        call(&server, method, path, &[("authorization", key)], "{}")
            .await
            .0
    };
    assert_eq!(with("GET", DROPS, "mine").await, 200);
    assert_eq!(with("GET", DROPS, KEY).await, 403);
    let (scopeless, all) = ("no-scope-connections", "/v2/connections/billing");
    let one = "/v2/connections/billing/sandbox-stream";
    assert_eq!(with("GET", DROPS, scopeless).await, 200);
    assert_eq!(with("GET", all, scopeless).await, 403);
    assert_eq!(with("POST", all, scopeless).await, 403);
    assert_eq!(with("GET", one, scopeless).await, 403);
    assert_eq!(with("PATCH", one, scopeless).await, 200);
}
