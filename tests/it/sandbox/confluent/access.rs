//! Permissions of keys.

use super::*;

const CLUSTERS: &str = "/cmk/v2/clusters?environment=env-k2m9d";
const ENVIRONMENTS: &str = "/org/v2/environments";
const CONNECTORS: &str =
    "/connect/v1/environments/env-k2m9d/clusters/lkc-7aa01x/connectors?expand=id";

/// Statuses of costs, organizations, environments, clusters, connectors and service accounts, and the
/// number of visible environments.
async fn access(server: &Server, key: (&str, &str)) -> ([u16; 6], usize) {
    let mut statuses = [0; 6];
    let paths = [
        COSTS,
        ORGANIZATIONS,
        ENVIRONMENTS,
        CLUSTERS,
        CONNECTORS,
        ACCOUNTS,
    ];
    for (status, path) in statuses.iter_mut().zip(paths) {
        *status = get_as(server, key, path).await.0;
    }
    let (_, environments) = get_as(server, key, ENVIRONMENTS).await;
    let seen = environments["data"].as_array().map_or(0, Vec::len);
    (statuses, seen)
}

const EVERYTHING: ([u16; 6], usize) = ([200; 6], 10);
const BILLING_AND_OPERATOR: ([u16; 6], usize) = ([200, 200, 200, 200, 200, 403], 10);
const BILLING: ([u16; 6], usize) = ([200, 200, 200, 403, 403, 403], 0);
const OPERATOR: ([u16; 6], usize) = ([403, 200, 200, 200, 200, 403], 10);
const NOTHING: ([u16; 6], usize) = ([403, 200, 200, 403, 403, 403], 0);
const UNKNOWN: ([u16; 6], usize) = ([401; 6], 0);

#[tokio::test]
async fn initial_keys_have_their_permissions() {
    let server = Server::start(options()).await;
    for (key, expected) in [
        (ADMIN, EVERYTHING),
        (MAIN, BILLING_AND_OPERATOR),
        (("billing-only", "sandbox-secret"), BILLING),
        (("billing-only", "sandbox-admin-secret"), UNKNOWN),
        (("no-role", "any"), ([403; 6], 0)),
        (("cluster-key", "any"), UNKNOWN),
        (("sandbox-admin", "sandbox-secret"), UNKNOWN),
        (("sandbox-key", "sandbox-admin-secret"), UNKNOWN),
    ] {
        assert_eq!(access(&server, key).await, expected, "{key:?}");
    }
    let server = Server::start(Options {
        key: "mine".to_owned(),
        secret: "hush".into(),
        admin_key: "boss".to_owned(),
        admin_secret: "hush-hush".into(),
        ..options()
    })
    .await;
    for (key, expected) in [
        (("boss", "hush-hush"), EVERYTHING),
        (("mine", "hush"), BILLING_AND_OPERATOR),
        (("billing-only", "hush"), BILLING),
        (("billing-only", "sandbox-secret"), UNKNOWN),
        (ADMIN, UNKNOWN),
        (MAIN, UNKNOWN),
    ] {
        assert_eq!(access(&server, key).await, expected, "{key:?}");
    }
}

#[tokio::test]
async fn keys_have_the_current_permissions_of_their_owner() {
    let server = Server::start(without_key_delay()).await;
    let account = account(&server, "billstream").await;
    let created = key(&server, &account).await;
    assert_eq!(access(&server, borrowed(&created)).await, NOTHING);
    let (_, billing) = bind(&server, &account, "BillingAdmin").await;
    assert_eq!(access(&server, borrowed(&created)).await, BILLING);
    bind(&server, &account, "Operator").await;
    assert_eq!(
        access(&server, borrowed(&created)).await,
        BILLING_AND_OPERATOR
    );
    let second = key(&server, &account).await;
    assert_eq!(
        access(&server, borrowed(&second)).await,
        BILLING_AND_OPERATOR
    );
    delete(&server, &format!("{BINDINGS}/{}", text(&billing, "id"))).await;
    assert_eq!(access(&server, borrowed(&created)).await, OPERATOR);
    bind(&server, &account, "MetricsViewer").await;
    assert_eq!(access(&server, borrowed(&created)).await, OPERATOR);
    bind(&server, &account, "OrganizationAdmin").await;
    assert_eq!(access(&server, borrowed(&created)).await, EVERYTHING);
    delete(&server, &format!("{KEYS}/{}", created.0)).await;
    assert_eq!(access(&server, borrowed(&created)).await, UNKNOWN);
    assert_eq!(access(&server, borrowed(&second)).await, EVERYTHING);
}

#[tokio::test]
async fn deleting_the_service_account_disables_the_main_key() {
    let server = Server::start(options()).await;
    assert_eq!(
        delete(&server, &format!("{ACCOUNTS}/sa-sandbox")).await.0,
        204
    );
    assert_eq!(access(&server, MAIN).await, UNKNOWN);
    assert_eq!(
        access(&server, ("billing-only", "sandbox-secret")).await,
        BILLING
    );
}

#[tokio::test]
async fn refusals_name_the_missing_permission() {
    let server = Server::start(options()).await;
    for (path, detail) in [
        (COSTS, "read costs"),
        (CLUSTERS, "see resources"),
        (KEYS, "manage access"),
    ] {
        let refused = get_as(&server, ("no-role", "any"), path).await;
        assert!(error(&refused).1.contains(detail), "{}", refused.1);
        let (status, headers, _) = call(&server, "GET", path, ("who", "?"), "").await;
        assert_eq!(status, 401);
        assert!(headers.contains_key("www-authenticate") && headers.contains_key("x-request-id"));
    }
    for (method, path) in [
        ("POST", ACCOUNTS),
        ("POST", BINDINGS),
        ("POST", KEYS),
        ("DELETE", "/iam/v2/api-keys/sandbox-key"),
    ] {
        assert_eq!(
            call(&server, method, path, MAIN, "{}").await.0,
            403,
            "{method} {path}"
        );
    }
    for (method, path) in [
        ("PATCH", "/iam/v2/api-keys/sandbox-key"),
        ("DELETE", ACCOUNTS),
        ("POST", CLUSTERS),
    ] {
        assert_eq!(
            call(&server, method, path, ADMIN, "{}").await.0,
            405,
            "{method} {path}"
        );
    }
    assert_eq!(get(&server, "/iam/v2/users").await.0, 404);
}
