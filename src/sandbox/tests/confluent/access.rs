//! Which key may do what.

use super::*;

const CLUSTERS: &str = "/cmk/v2/clusters?environment=env-k2m9d";
const ENVIRONMENTS: &str = "/org/v2/environments";
const CONNECTORS: &str =
    "/connect/v1/environments/env-k2m9d/clusters/lkc-7aa01x/connectors?expand=id";

/// Statuses of costs, organizations, environments, clusters, connectors and service accounts,
/// and how many environments there are to see.
async fn may(app: &App, key: (&str, &str)) -> ([u16; 6], usize) {
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
        *status = get_as(app, key, path).await.0;
    }
    let (_, environments) = get_as(app, key, ENVIRONMENTS).await;
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
async fn keys_that_are_there_from_the_start() {
    let app = App::new(options());
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
        assert_eq!(may(&app, key).await, expected, "{key:?}");
    }
    let app = App::new(Options {
        key: "mine".to_owned(),
        secret: "hush".into(),
        admin_key: "boss".to_owned(),
        admin_secret: "hush-hush".into(),
        ..options()
    });
    for (key, expected) in [
        (("boss", "hush-hush"), EVERYTHING),
        (("mine", "hush"), BILLING_AND_OPERATOR),
        (("billing-only", "hush"), BILLING),
        (("billing-only", "sandbox-secret"), UNKNOWN),
        (ADMIN, UNKNOWN),
        (MAIN, UNKNOWN),
    ] {
        assert_eq!(may(&app, key).await, expected, "{key:?}");
    }
}

#[tokio::test]
async fn a_key_may_what_its_owner_may_at_the_time() {
    let app = App::new(quick());
    let account = account(&app, "billstream").await;
    let made = key(&app, &account).await;
    assert_eq!(may(&app, lent(&made)).await, NOTHING);
    let (_, billing) = bind(&app, &account, "BillingAdmin").await;
    assert_eq!(may(&app, lent(&made)).await, BILLING);
    bind(&app, &account, "Operator").await;
    assert_eq!(may(&app, lent(&made)).await, BILLING_AND_OPERATOR);
    let second = key(&app, &account).await;
    assert_eq!(may(&app, lent(&second)).await, BILLING_AND_OPERATOR);
    delete(&app, &format!("{BINDINGS}/{}", text(&billing, "id"))).await;
    assert_eq!(may(&app, lent(&made)).await, OPERATOR);
    bind(&app, &account, "MetricsViewer").await;
    assert_eq!(may(&app, lent(&made)).await, OPERATOR);
    bind(&app, &account, "OrganizationAdmin").await;
    assert_eq!(may(&app, lent(&made)).await, EVERYTHING);
    delete(&app, &format!("{KEYS}/{}", made.0)).await;
    assert_eq!(may(&app, lent(&made)).await, UNKNOWN);
    assert_eq!(may(&app, lent(&second)).await, EVERYTHING);
}

#[tokio::test]
async fn the_main_key_can_be_taken_away() {
    let app = App::new(options());
    assert_eq!(delete(&app, &format!("{ACCOUNTS}/sa-sandbox")).await.0, 204);
    assert_eq!(may(&app, MAIN).await, UNKNOWN);
    assert_eq!(may(&app, ("billing-only", "sandbox-secret")).await, BILLING);
}

#[tokio::test]
async fn refusals_say_what_is_missing() {
    let app = App::new(options());
    for (path, detail) in [
        (COSTS, "read costs"),
        (CLUSTERS, "see resources"),
        (KEYS, "manage access"),
    ] {
        let refused = get_as(&app, ("no-role", "any"), path).await;
        assert!(error(&refused).1.contains(detail), "{}", refused.1);
        let (status, headers, _) = call(&app, "GET", path, ("who", "?"), "").await;
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
            call(&app, method, path, MAIN, "{}").await.0,
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
            call(&app, method, path, ADMIN, "{}").await.0,
            405,
            "{method} {path}"
        );
    }
    assert_eq!(get(&app, "/iam/v2/users").await.0, 404);
}
