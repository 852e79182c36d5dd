//! CloudZero's API. Shared helpers.

mod bucket;
mod connections;
mod costs;
mod dialect;
mod faults;
mod namespaces;
mod stream;

use super::*;
use serde_json::json;

const DROPS: &str = "/v2/connections/billing/anycost/sandbox-stream/billing_drops";
const VALIDATE: &str = "/v2/connections/billing/anycost/validate_billing_drop";
const KEY: &str = "sandbox-cloudzero-key";

/// Sends a request; returns status, headers and JSON, and status 0 if the connection was reset.
async fn call(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> (u16, HeaderMap, Value) {
    let mut headers = headers.to_vec();
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        headers.push(("authorization", KEY));
    }
    let Ok(response) = server.send(method, path, &headers, &body.into()).await else {
        return (0, HeaderMap::new(), Value::Null);
    };
    let json = serde_json::from_slice(&response.body).unwrap();
    (response.status, response.headers, json)
}

async fn get(server: &Server, path: &str) -> (u16, Value) {
    let (status, _, body) = call(server, "GET", path, &[], "").await;
    (status, body)
}

async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let (status, _, body) = call(server, "POST", path, &[], body.to_string()).await;
    (status, body)
}

async fn post_as(server: &Server, key: &str, body: &Value) -> (u16, Value) {
    let headers = [("cloudzero-idempotency-key", key)];
    let (status, _, body) = call(server, "POST", DROPS, &headers, body.to_string()).await;
    (status, body)
}

fn row(start: &str, cost: &str) -> Value {
    json!({ "time/usage_start": start, "cost/cost": cost })
}

fn october(operation: &str, rows: &[(&str, &str)]) -> Value {
    let rows: Vec<Value> = rows.iter().map(|(start, cost)| row(start, cost)).collect();
    json!({ "month": "2026-10-01T00:00:00Z", "operation": operation, "data": rows })
}

async fn totals_of(server: &Server, connection: &str) -> Value {
    let path = format!("/sandbox/cloudzero/holds?month=2026-10&connection={connection}");
    get(server, &path).await.1
}

/// Rows and cost of October in the stream.
async fn stored(server: &Server) -> (u64, String) {
    let totals = totals_of(server, "sandbox-stream").await;
    (totals["rows"].as_u64().unwrap(), text(&totals, "cost"))
}

fn rows_and_cost(rows: u64, cost: &str) -> (u64, String) {
    (rows, cost.to_owned())
}
