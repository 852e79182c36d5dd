//! Streams: operations, rules, credentials, idempotency.

use super::*;
use std::io::Write as _;

const H0: &str = "2026-10-01T00:00:00Z";
const H1: &str = "2026-10-01T01:00:00Z";

#[tokio::test]
async fn operations_do_what_they_say() {
    let app = App::new(options());
    let (status, first) = post(
        &app,
        DROPS,
        &october("replace_drop", &[(H0, "1.5"), (H1, "-0.25")]),
    )
    .await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["connection"]["month"], H0);
    assert_eq!(first["connection"]["row_count"], 2);
    let (_, second) = post(&app, DROPS, &october("sum", &[(H1, "10")])).await;
    assert_eq!(second["connection"]["row_count"], 3);
    assert_ne!(
        first["connection"]["drop_id"],
        second["connection"]["drop_id"]
    );
    assert_eq!(held(&app).await, held_is(3, "11.25"));
    let half_past = "2026-10-01T01:30:00Z";
    let (_, third) = post(
        &app,
        DROPS,
        &october(
            "replace_hourly",
            &[(half_past, "0.000000000000000000000001")],
        ),
    )
    .await;
    assert_eq!(third["connection"]["row_count"], 2);
    assert_eq!(held(&app).await, held_is(2, "1.500000000000000000000001"));
    let mut default = october("", &[(H0, "7")]);
    default.as_object_mut().unwrap().remove("operation");
    default.as_object_mut().unwrap().remove("month");
    assert_eq!(post(&app, DROPS, &default).await.0, 200);
    assert_eq!(held(&app).await, held_is(1, "7"));
    let (_, list) = get(&app, DROPS).await;
    assert_eq!(list["billing_drops"][0]["row_count"], 1);
    assert_eq!(list["billing_drops"][0]["drop_id"], "drop-00000004");
    for month in [
        "2026-10",
        "2026-10-01T00:00:00Z",
        "2026-10-01T00%3A00%3A00%2B00%3A00",
    ] {
        let (status, month) = get(&app, &format!("{DROPS}/{month}")).await;
        assert_eq!(
            (status, &month["billing_drop"]),
            (200, &json!([row(H0, "7")]))
        );
    }
    assert_eq!(
        post(&app, DROPS, &october("replace_drop", &[])).await.0,
        200
    );
    let (status, missing) = get(&app, &format!("{DROPS}/2026-10")).await;
    assert_eq!(status, 404);
    assert!(missing["error"]["message"].is_string() && missing["error"]["type"].is_string());
    assert_eq!(get(&app, DROPS).await.1["billing_drops"], json!([]));
    assert_eq!(held(&app).await, held_is(0, "0"));
    assert_eq!(get(&app, &format!("{DROPS}/october")).await.0, 400);
}

#[tokio::test]
async fn costs_fall_back_and_are_told_by_day_and_type() {
    let app = App::new(options());
    let rows = json!([
        { "time/usage_start": H0, "cost/cost": "-1.10", "lineitem/type": "Credit", "usage/amount": "3.0",
          "resource/id": "a/b", "resource/tag:env/x@y": "p", "lineitem/cloud_provider": "Confluent" },
        { "time/usage_start": H1, "cost/cost": "2", "cost/discounted_cost": "0.5", "cost/on_demand_cost": "4" },
        { "time/usage_start": "2026-10-31T23:00:00Z", "cost/cost": "3", "lineitem/type": "CommittedUseVacancy",
          "resource/tag:team": "" },
    ]);
    let (status, answer) = post(&app, DROPS, &json!({ "month": "2026-10", "data": rows })).await;
    assert_eq!(status, 200, "{answer}");
    let group = |day, kind, cost, discounted, on_demand| {
        json!({ "day": day, "type": kind, "rows": 1, "cost": cost,
                "discounted_cost": discounted, "on_demand_cost": on_demand })
    };
    assert_eq!(
        holds(&app, "sandbox-stream").await,
        json!({
            "rows": 3, "cost": "3.9", "discounted_cost": "2.4", "on_demand_cost": "5.9", "hours": 3,
            "by_day_type": [
                group("2026-10-01", "Credit", "-1.1", "-1.1", "-1.1"),
                group("2026-10-01", "Usage", "2", "0.5", "4"),
                group("2026-10-31", "CommittedUseVacancy", "3", "3", "3"),
            ],
        })
    );
    let (status, _) = get(&app, "/sandbox/cloudzero/holds").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn rules_are_kept_by_drops_and_validation() {
    let app = App::new(options());
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
        let (status, answer) = post(&app, DROPS, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(
            text(&answer["error"], "message").contains(expected),
            "{body}: {answer}"
        );
        let (status, answer) = post(&app, VALIDATE, body).await;
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
    assert_eq!(post(&app, VALIDATE, &good).await, (200, valid));
    assert_eq!(held(&app).await, held_is(0, "0"));
    for body in ["", "[]", "{}", r#"{"data":[1]}"#] {
        for path in [DROPS, VALIDATE] {
            assert_eq!(call(&app, "POST", path, &[], body).await.0, 400, "{body}");
        }
    }
    for (path, expected) in [
        ("/v2/connections/billing/anycost/other/billing_drops", 404),
        ("/v2/connections/billing/other", 404),
        ("/v2/unknown", 404),
    ] {
        assert_eq!(get(&app, path).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn bodies_have_at_most_five_million_bytes() {
    let app = App::new(options());
    let mut body = october("replace_drop", &[(H0, "1")]).to_string();
    body.push_str(&" ".repeat(5_000_000 - body.len()));
    assert_eq!(call(&app, "POST", DROPS, &[], body.clone()).await.0, 200);
    body.push(' ');
    for path in [DROPS, VALIDATE] {
        let (status, _, answer) = call(&app, "POST", path, &[], body.clone()).await;
        assert_eq!(status, 413);
        assert!(answer["message"].is_string());
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let headers = [("content-encoding", "gzip")];
    let (status, ..) = call(&app, "POST", DROPS, &headers, gzip.finish().unwrap()).await;
    assert_eq!(status, 413);
    let (_, requests) = get(&app, "/sandbox/cloudzero/requests").await;
    assert_eq!(
        (&requests[1]["bytes"], &requests[1]["status"]),
        (&json!(5_000_001), &json!(413))
    );
}

#[tokio::test]
async fn a_stream_takes_one_request_at_a_time() {
    let app = App::new(options());
    let (a, b) = (october("sum", &[(H0, "1")]), october("sum", &[(H0, "2")]));
    let (first, second) = tokio::join!(post(&app, DROPS, &a), post_as(&app, "k", &b));
    assert_eq!((first.0, second.0), (200, 409));
    assert!(second.1["error"]["message"].is_string());
    assert_eq!(
        post_as(&app, "k", &b).await.0,
        409,
        "the first answer to a key stays"
    );
    assert_eq!(post(&app, DROPS, &b).await.0, 200);
    // The answer of the request in flight is what its key gets.
    let (first, second) = tokio::join!(post_as(&app, "l", &a), post_as(&app, "l", &a));
    assert_eq!((first.0, second.0), (200, 409));
    assert_eq!(post_as(&app, "l", &a).await.0, 200);
    assert_eq!(held(&app).await, held_is(3, "4"));
}

#[tokio::test]
async fn an_idempotency_key_replays_the_first_answer() {
    let app = App::new(options());
    let one = october("sum", &[(H0, "1")]);
    let first = post_as(&app, "a", &one).await;
    assert_eq!(
        post_as(&app, "a", &october("sum", &[(H0, "5")])).await,
        first
    );
    assert_eq!(held(&app).await, held_is(1, "1"));
    let refused = post_as(&app, "b", &october("sum", &[(H0, "x")])).await;
    assert_eq!(refused.0, 400);
    assert_eq!(post_as(&app, "b", &one).await, refused);
    assert_eq!(post_as(&app, "c", &one).await.0, 200);
    let (_, requests) = get(&app, "/sandbox/cloudzero/requests").await;
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
        json!({ "method": "POST", "path": DROPS, "operation": "sum", "month": "2026-10", "rows": 1,
                "bytes": bytes, "idempotency_key": "a", "status": 200, "replayed": false })
    );
    let (_, status) = get(&app, "/sandbox/status").await;
    assert_eq!(
        (&status["requests"], &status["cloudzero_requests"]),
        (&json!(0), &json!(5))
    );
}

#[tokio::test]
async fn the_key_comes_without_a_word_before_it() {
    let app = App::new(options());
    for key in ["", "other", "Bearer sandbox-cloudzero-key", "Basic eDp5"] {
        let headers = [("authorization", key)];
        let (status, _, body) = call(&app, "GET", DROPS, &headers, Body::empty()).await;
        assert_eq!(status, 403, "{key}");
        assert!(body["message"].is_string());
    }
    let app = App::new(Options {
        cloudzero_key: "mine".into(),
        ..options()
    });
    let with = async |method, path, key| {
        call(&app, method, path, &[("authorization", key)], "{}")
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
