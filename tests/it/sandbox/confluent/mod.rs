//! IAM and inventory of Confluent's API. Shared helpers.

mod access;
mod api_keys;
mod faults;
mod inventory;
mod pages;
mod resources;
mod role_bindings;
mod service_accounts;

use super::*;
use serde_json::json;
use std::time::Duration;

const ADMIN: (&str, &str) = ("sandbox-admin", "sandbox-admin-secret");
const MAIN: (&str, &str) = ("sandbox-key", "sandbox-secret");
const COSTS: &str = "/billing/v1/costs?start_date=2026-10-02&end_date=2026-10-03";
const ORGANIZATIONS: &str = "/org/v2/organizations";
const ACCOUNTS: &str = "/iam/v2/service-accounts";
const BINDINGS: &str = "/iam/v2/role-bindings";
const KEYS: &str = "/iam/v2/api-keys";

/// Options whose new keys are active at once.
fn without_key_delay() -> Options {
    Options {
        key_delay: Duration::ZERO,
        ..options()
    }
}

async fn with_faults(faults: &[&str]) -> Server {
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    Server::start(Options {
        faults,
        ..without_key_delay()
    })
    .await
}

/// Sends a request; returns status, headers and JSON, and status 0 if the connection was reset.
async fn call(
    server: &Server,
    method: &str,
    path: &str,
    key: (&str, &str),
    body: &str,
) -> (u16, HeaderMap, Value) {
    let authorization = credentials(key.0, key.1);
    let headers = [("authorization", authorization.as_str())];
    let Ok(response) = server.send(method, path, &headers, body.as_bytes()).await else {
        return (0, HeaderMap::new(), Value::Null);
    };
    let json = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status, response.headers, json)
}

async fn get_as(server: &Server, key: (&str, &str), path: &str) -> (u16, Value) {
    let (status, _, body) = call(server, "GET", path, key, "").await;
    (status, body)
}

async fn get(server: &Server, path: &str) -> (u16, Value) {
    get_as(server, ADMIN, path).await
}

async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let (status, _, body) = call(server, "POST", path, ADMIN, &body.to_string()).await;
    (status, body)
}

async fn delete(server: &Server, path: &str) -> (u16, Value) {
    let (status, _, body) = call(server, "DELETE", path, ADMIN, "").await;
    (status, body)
}

/// Items of a list, page by page.
async fn items(server: &Server, first: &str) -> Vec<Value> {
    let (mut path, mut items) = (first.to_owned(), Vec::new());
    loop {
        let (status, list) = get(server, &path).await;
        assert_eq!(status, 200, "{path}: {list}");
        items.extend(list["data"].as_array().unwrap().iter().cloned());
        match list["metadata"]["next"].as_str().unwrap_or_default() {
            "" => return items,
            next => path = server.path_of(next),
        }
    }
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| text(item, "id")).collect()
}

/// CRN of the organization of the costs.
async fn organization(server: &Server) -> String {
    let id = text(&items(server, ORGANIZATIONS).await[0], "id");
    format!("crn://confluent.cloud/organization={id}")
}

/// Creates a service account; returns its id.
async fn account(server: &Server, name: &str) -> String {
    let (status, created) = post(server, ACCOUNTS, json!({ "display_name": name })).await;
    assert_eq!(status, 201, "{created}");
    text(&created, "id")
}

async fn bind(server: &Server, account: &str, role: &str) -> (u16, Value) {
    let request = json!({
        "principal": format!("User:{account}"),
        "role_name": role,
        "crn_pattern": organization(server).await,
    });
    post(server, BINDINGS, request).await
}

/// Creates a key; returns key and secret.
async fn key(server: &Server, owner: &str) -> (String, String) {
    let request = json!({ "spec": { "owner": { "id": owner }, "resource": { "id": "cloud" } } });
    let (status, created) = post(server, KEYS, request).await;
    assert_eq!(status, 202, "{created}");
    (text(&created, "id"), text(&created["spec"], "secret"))
}

fn borrowed(key: &(String, String)) -> (&str, &str) {
    (&key.0, &key.1)
}

/// Status, detail and source of an error in the common format.
fn error(answer: &(u16, Value)) -> (u16, &str, &Value) {
    let error = &answer.1["errors"][0];
    assert_eq!(error["status"], answer.0.to_string(), "{}", answer.1);
    assert!(error["id"].is_string() && error["code"].is_string() && error["title"].is_string());
    (
        answer.0,
        error["detail"].as_str().unwrap(),
        &error["source"],
    )
}
