//! The rest of Confluent's API: IAM and inventory. Here: what its tests share.

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

/// A sandbox whose new keys are known at once.
fn quick() -> Options {
    Options {
        key_delay: Duration::ZERO,
        ..options()
    }
}

fn with_faults(faults: &[&str]) -> App {
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    App::new(Options { faults, ..quick() })
}

/// A request: its status, headers and JSON; status 0 when the connection was reset.
async fn call(
    app: &App,
    method: &str,
    path: &str,
    key: (&str, &str),
    body: &str,
) -> (u16, HeaderMap, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", credentials(key.0, key.1))
        .header("host", "127.0.0.1:8900")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let Ok(response) = app.answer(request).await else {
        return (0, HeaderMap::new(), Value::Null);
    };
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&body).unwrap_or_default();
    (parts.status.as_u16(), parts.headers, json)
}

async fn get_as(app: &App, key: (&str, &str), path: &str) -> (u16, Value) {
    let (status, _, body) = call(app, "GET", path, key, "").await;
    (status, body)
}

async fn get(app: &App, path: &str) -> (u16, Value) {
    get_as(app, ADMIN, path).await
}

async fn post(app: &App, path: &str, body: Value) -> (u16, Value) {
    let (status, _, body) = call(app, "POST", path, ADMIN, &body.to_string()).await;
    (status, body)
}

async fn delete(app: &App, path: &str) -> (u16, Value) {
    let (status, _, body) = call(app, "DELETE", path, ADMIN, "").await;
    (status, body)
}

/// The items of a list, page by page.
async fn items(app: &App, first: &str) -> Vec<Value> {
    let (mut path, mut items) = (first.to_owned(), Vec::new());
    loop {
        let (status, list) = get(app, &path).await;
        assert_eq!(status, 200, "{path}: {list}");
        items.extend(list["data"].as_array().unwrap().iter().cloned());
        match list["metadata"]["next"].as_str().unwrap_or_default() {
            "" => return items,
            next => path = next.replace("http://127.0.0.1:8900", ""),
        }
    }
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| text(item, "id")).collect()
}

/// The organization of the costs, as role bindings name it.
async fn organization(app: &App) -> String {
    let id = text(&items(app, ORGANIZATIONS).await[0], "id");
    format!("crn://confluent.cloud/organization={id}")
}

/// A new service account.
async fn account(app: &App, name: &str) -> String {
    let (status, made) = post(app, ACCOUNTS, json!({ "display_name": name })).await;
    assert_eq!(status, 201, "{made}");
    text(&made, "id")
}

async fn bind(app: &App, account: &str, role: &str) -> (u16, Value) {
    let wish = json!({
        "principal": format!("User:{account}"),
        "role_name": role,
        "crn_pattern": organization(app).await,
    });
    post(app, BINDINGS, wish).await
}

/// A new key: its name and secret.
async fn key(app: &App, owner: &str) -> (String, String) {
    let wish = json!({ "spec": { "owner": { "id": owner }, "resource": { "id": "cloud" } } });
    let (status, made) = post(app, KEYS, wish).await;
    assert_eq!(status, 202, "{made}");
    (text(&made, "id"), text(&made["spec"], "secret"))
}

fn lent(key: &(String, String)) -> (&str, &str) {
    (&key.0, &key.1)
}

/// Status and detail of an error in the usual shape, with what is at fault.
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
