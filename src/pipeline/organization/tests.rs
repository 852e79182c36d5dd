//! Unit tests of the check, without Confluent.

use std::sync::Arc;

use super::*;
use crate::error::ErrorKind;
use crate::store::lease::{Fence, Lease};
use crate::store::testing::ScriptedStore;

/// No server listens there, so that every request fails.
fn access(key: &str) -> Settings {
    Settings::new("http://127.0.0.1:9".parse().unwrap(), key, "secret".into())
}

async fn check_key(store: &Store, connection: &str, key: &str, allow: bool) -> Result<()> {
    let candidate = Candidate {
        store,
        connection,
        access: &access(key),
        timing: Timing::real(),
        now: "2026-11-23T06:00:00Z".parse().unwrap(),
        allow,
        dry_run: false,
        ask_again: false,
        fence: None,
    };
    check(&candidate, async || Ok(Vec::new())).await
}

#[tokio::test]
async fn refuses_a_second_connection_with_the_same_key() {
    let store = Store::in_memory();
    check_key(&store, "acme", "KEY-OF-ACME", false)
        .await
        .unwrap();
    let refused = check_key(&store, "globex", "KEY-OF-ACME", false).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("`acme`"), "{refused}");
    assert_eq!(load(&store, "globex").await.unwrap(), Default::default());
    check_key(&store, "globex", "ANOTHER-KEY", false)
        .await
        .unwrap();
    check_key(&store, "acme", "KEY-OF-ACME", false)
        .await
        .unwrap();
}

#[tokio::test]
async fn remembers_that_the_user_insisted_on_the_same_organization() {
    let store = Store::in_memory();
    check_key(&store, "acme", "KEY", false).await.unwrap();
    check_key(&store, "globex", "KEY", true).await.unwrap();
    check_key(&store, "globex", "KEY", false).await.unwrap();
    check_key(&store, "acme", "KEY", false).await.unwrap();
    check_key(&store, "third", "KEY", false).await.unwrap_err();
    release(&store, "acme").await.unwrap();
    check_key(&store, "third", "KEY", false).await.unwrap();
}

#[tokio::test]
async fn a_replaced_key_releases_the_former_one() {
    let store = Store::in_memory();
    check_key(&store, "acme", "OLD", false).await.unwrap();
    check_key(&store, "acme", "NEW", false).await.unwrap();
    check_key(&store, "globex", "OLD", false).await.unwrap();
    check_key(&store, "third", "NEW", false).await.unwrap_err();
}

#[tokio::test]
async fn a_run_that_lost_its_lease_remembers_nothing() {
    let script = ScriptedStore::new("2026-11-23T06:00:00Z");
    let store = Store::over(Arc::new(script.clone()));
    let lost = Lease::claim(&store, "acme", "one").await.unwrap();
    script.advance(chrono::TimeDelta::minutes(6));
    let taken = Lease::claim(&store, "acme", "two").await.unwrap();
    let access = access("KEY");
    let candidate = Candidate {
        store: &store,
        connection: "acme",
        access: &access,
        timing: Timing::real(),
        now: "2026-11-23T06:00:00Z".parse().unwrap(),
        allow: false,
        dry_run: false,
        ask_again: false,
        fence: Some(lost.fence()),
    };
    let refused = check(&candidate, async || Ok(Vec::new())).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(load(&store, "acme").await.unwrap(), Default::default());
    let candidate = Candidate {
        fence: Some(taken.fence()),
        ..candidate
    };
    check(&candidate, async || Ok(Vec::new())).await.unwrap();
    assert_ne!(load(&store, "acme").await.unwrap(), Default::default());
}

#[tokio::test]
async fn never_stores_the_key() {
    let store = Store::in_memory();
    check_key(&store, "acme", "KEY-OF-ACME", false)
        .await
        .unwrap();
    let names = store.list("runs").await.unwrap();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let bytes = store.get(&name).await.unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(
            !text.contains("KEY-OF-ACME") && !name.contains("KEY-OF-ACME"),
            "{text}"
        );
    }
}

#[test]
fn asks_once_unless_the_request_failed_for_a_moment() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let asked = OrganizationState {
        asked_at: Some(at("2026-11-23T06:00:00Z")),
        ..OrganizationState::default()
    };
    assert!(OrganizationState::default().is_due(at("2026-11-23T06:00:00Z")));
    assert!(!asked.is_due(at("2026-11-24T05:59:59Z")));
    assert!(asked.is_due(at("2026-11-24T06:00:00Z")));
    let refused = OrganizationState {
        refused: true,
        ..asked.clone()
    };
    assert!(!refused.is_due(at("2027-11-24T06:00:00Z")));
}

#[tokio::test]
async fn the_connection_that_published_first_takes_the_claim_over() {
    let store = Store::in_memory();
    check_key(&store, "late", "KEY", false).await.unwrap();
    publish(&store, "early").await;
    publish(&store, "late").await;
    check_key(&store, "early", "KEY", false).await.unwrap();
    let refused = check_key(&store, "late", "KEY", false).await.unwrap_err();
    assert!(refused.to_string().contains("`early`"), "{refused}");
    check_key(&store, "early", "KEY", false).await.unwrap();
}

/// Publishes a month of a connection; the file itself does not matter.
async fn publish(store: &Store, connection: &str) {
    let period = "2026-10".parse().unwrap();
    let columns = &crate::confluent::costs::decode::SCHEMA;
    let fence = Fence::unchecked(store, connection, "run");
    let mut costs = Table::open_or_create(&fence, TableName::Costs, columns)
        .await
        .unwrap();
    let file = crate::store::writer::DataFile {
        path: format!("connection={connection}/billing_period=2026-10/a.parquet"),
        hash: None,
        size: 1,
        rows: 1,
        start_range: None,
    };
    store
        .put(&format!("costs/{}", file.path), "x")
        .await
        .unwrap();
    let record = serde_json::json!({
        "run": "run", "version": 0, "digest": "d", "costs": 1, "line_items": 0, "original_amount": "1",
        "discount_amount": "0", "net_amount": "1", "mapping": "",
    });
    let mut record = serde_json::from_value(record).unwrap();
    costs
        .replace(&fence, period, &[file], &mut record)
        .await
        .unwrap();
}
