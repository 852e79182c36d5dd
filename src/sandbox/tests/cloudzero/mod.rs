//! CloudZero's half. Here: what its tests share.

mod bucket;
mod connections;
mod costs;
mod faults;
mod stream;

use super::*;
use serde_json::json;

const DROPS: &str = "/v2/connections/billing/anycost/sandbox-stream/billing_drops";
const VALIDATE: &str = "/v2/connections/billing/anycost/validate_billing_drop";
const KEY: &str = "sandbox-cloudzero-key";

/// A request: its status, headers and JSON; status 0 when the connection was reset.
async fn call(
    app: &App,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> (u16, HeaderMap, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        request = request.header("authorization", KEY);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let Ok(response) = app.answer(request.body(body.into()).unwrap()).await else {
        return (0, HeaderMap::new(), Value::Null);
    };
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&body).unwrap();
    (parts.status.as_u16(), parts.headers, json)
}

async fn get(app: &App, path: &str) -> (u16, Value) {
    let (status, _, body) = call(app, "GET", path, &[], Body::empty()).await;
    (status, body)
}

async fn post(app: &App, path: &str, body: &Value) -> (u16, Value) {
    let (status, _, body) = call(app, "POST", path, &[], body.to_string()).await;
    (status, body)
}

async fn post_as(app: &App, key: &str, body: &Value) -> (u16, Value) {
    let headers = [("cloudzero-idempotency-key", key)];
    let (status, _, body) = call(app, "POST", DROPS, &headers, body.to_string()).await;
    (status, body)
}

fn row(start: &str, cost: &str) -> Value {
    json!({ "time/usage_start": start, "cost/cost": cost })
}

fn october(operation: &str, rows: &[(&str, &str)]) -> Value {
    let rows: Vec<Value> = rows.iter().map(|(start, cost)| row(start, cost)).collect();
    json!({ "month": "2026-10-01T00:00:00Z", "operation": operation, "data": rows })
}

async fn holds(app: &App, connection: &str) -> Value {
    let path = format!("/sandbox/cloudzero/holds?month=2026-10&connection={connection}");
    get(app, &path).await.1
}

/// Rows and cost of October in the stream.
async fn held(app: &App) -> (u64, String) {
    let held = holds(app, "sandbox-stream").await;
    (held["rows"].as_u64().unwrap(), text(&held, "cost"))
}

fn held_is(rows: u64, cost: &str) -> (u64, String) {
    (rows, cost.to_owned())
}
