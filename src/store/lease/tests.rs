//! Leases that are refused, replaced, lost and released, whatever becomes of a reply.

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::store::testing::{PutFault, ScriptedStore};

const LEASE: &str = "runs/leases/acme.json";
/// Time of the store's clock, which is not that of this computer.
const STORE_TIME: &str = "2020-02-29T12:00:00Z";

/// A store with a separate clock.
fn scripted() -> (ScriptedStore, Store) {
    let script = ScriptedStore::new(STORE_TIME);
    let store = Store::over(Arc::new(script.clone()));
    (script, store)
}

async fn take(store: &Store, run: &str) -> Result<Lease> {
    Lease::claim(store, "acme", run).await
}

async fn holder(store: &Store) -> Option<String> {
    let bytes = store.get(LEASE).await.unwrap()?;
    let claim: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    Some(claim["run"].as_str().unwrap().to_string())
}

#[track_caller]
fn assert_lost(confirmed: Result<()>) {
    let error = confirmed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(matches!(
        error.source_as(),
        Some(LeaseError::Lost { connection }) if connection == "acme"
    ));
}

fn lifetime() -> TimeDelta {
    TimeDelta::from_std(object::LIFETIME).unwrap()
}

#[tokio::test]
async fn second_run_of_a_connection_is_refused_until_the_first_releases() {
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(&folder.path().display().to_string()).unwrap();
    for store in [local, Store::in_memory()] {
        let first = take(&store, "run-1").await.unwrap();
        let refused = take(&store, "run-2").await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Locked);
        assert!(refused.source_as::<LeaseError>().is_some());
        let other = Lease::claim(&store, "other", "run-3").await.unwrap();
        let fence = first.fence().clone();
        fence.confirm().await.unwrap();
        first.release().await.unwrap();
        assert_lost(fence.confirm().await);
        let next = take(&store, "run-4").await.unwrap();
        drop((other, next));
    }
}

#[tokio::test]
async fn a_lease_expires_by_the_clock_of_the_store() {
    let (script, store) = scripted();
    drop(take(&store, "killed").await.unwrap());
    script.advance(lifetime() - TimeDelta::seconds(1));
    let refused = take(&store, "next").await.err().unwrap();
    assert!(matches!(
        refused.source_as(),
        Some(LeaseError::HeldBy { run, .. }) if run == "killed"
    ));
    assert!(refused.to_string().contains("until 12:05:00Z"), "{refused}");
    script.advance(TimeDelta::seconds(1));
    let lease = take(&store, "next").await.unwrap();
    lease.release().await.unwrap();
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_renewal_extends_the_lease() {
    let (script, store) = scripted();
    let lease = take(&store, "slow").await.unwrap();
    for _ in 0..3 {
        script.advance(lifetime() - TimeDelta::seconds(1));
        lease.fence().confirm().await.unwrap();
    }
    script.advance(lifetime() - TimeDelta::seconds(1));
    assert!(take(&store, "next").await.is_err());
}

#[tokio::test]
async fn claims_of_earlier_versions_expire_by_the_clock_of_the_store_as_well() {
    // Their machines' clocks were a year ahead and behind.
    for expires_at in ["2021-02-28T12:05:00Z", "2019-02-28T12:05:00Z"] {
        let (script, store) = scripted();
        let claim = json!({ "run": "old", "expires_at": expires_at }).to_string();
        store.put(LEASE, claim).await.unwrap();
        assert!(take(&store, "next").await.is_err(), "{expires_at}");
        script.advance(lifetime());
        take(&store, "next").await.unwrap().release().await.unwrap();
    }
}

#[tokio::test]
async fn claims_tell_earlier_versions_when_they_expire() {
    let store = Store::in_memory();
    let before = Utc::now();
    let _lease = take(&store, "new").await.unwrap();
    let bytes = store.get(LEASE).await.unwrap().unwrap();
    let claim: object::Claim = serde_json::from_slice(&bytes).unwrap();
    assert!(claim.expires_at.unwrap() >= before + lifetime());
}

#[tokio::test]
async fn an_interrupted_claim_is_replaced() {
    let store = Store::in_memory();
    store.put(LEASE, "{\"run\":\"2026").await.unwrap();
    let lease = take(&store, "new").await.unwrap();
    lease.release().await.unwrap();
}

#[tokio::test]
async fn a_run_that_slept_finds_out_that_its_lease_is_another_runs() {
    let (script, store) = scripted();
    let slept = take(&store, "slept").await.unwrap();
    script.advance(lifetime());
    let next = take(&store, "next").await.unwrap();
    for _ in 0..2 {
        assert_lost(slept.fence().confirm().await);
    }
    slept.release().await.unwrap();
    assert_eq!(holder(&store).await.as_deref(), Some("next"));
    next.fence().confirm().await.unwrap();
    next.release().await.unwrap();
    assert_eq!(holder(&store).await, None);
}

#[tokio::test]
async fn a_run_that_slept_keeps_a_lease_that_nobody_took() {
    let (script, store) = scripted();
    let slept = take(&store, "slept").await.unwrap();
    script.advance(lifetime() * 10);
    slept.fence().confirm().await.unwrap();
    assert!(take(&store, "next").await.is_err(), "it is renewed");
}

#[tokio::test]
async fn runs_with_the_same_id_are_told_apart() {
    let (script, store) = scripted();
    let first = take(&store, "run").await.unwrap();
    script.advance(lifetime());
    let _second = take(&store, "run").await.unwrap();
    assert_lost(first.fence().confirm().await);
}

#[tokio::test]
async fn a_lease_whose_reply_was_lost_is_adopted() {
    let (script, store) = scripted();
    script.fail_put(LEASE, PutFault::LostReply);
    let lease = take(&store, "run").await.unwrap();
    assert_eq!(script.faults_left(), 0);
    lease.fence().confirm().await.unwrap();
    script.fail_put(LEASE, PutFault::LostReply);
    lease.fence().confirm().await.unwrap();
    assert_eq!(script.faults_left(), 0);
    lease.fence().confirm().await.unwrap();
    script.fail_put(LEASE, PutFault::LostReply);
    lease.release().await.unwrap();
    assert_eq!(script.faults_left(), 0);
    assert_eq!(holder(&store).await, None);
}

#[tokio::test]
async fn a_refused_claim_leaves_no_lease() {
    let (script, store) = scripted();
    script.fail_put(LEASE, PutFault::Refused);
    let refused = take(&store, "run").await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Remote);
    assert_eq!(script.faults_left(), 0);
    assert_eq!(holder(&store).await, None);
}

#[tokio::test]
async fn a_refused_renewal_is_no_loss() {
    let (script, store) = scripted();
    let lease = take(&store, "run").await.unwrap();
    script.fail_put(LEASE, PutFault::Refused);
    lease.fence().confirm().await.unwrap();
    assert_eq!(script.faults_left(), 0);
    for _ in 0..object::ATTEMPTS {
        script.fail_put(LEASE, PutFault::Refused);
    }
    let error = lease.fence().confirm().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Remote);
    assert_eq!(script.faults_left(), 0);
    lease.fence().confirm().await.unwrap();
    lease.release().await.unwrap();
}

#[tokio::test]
async fn a_lease_ends_at_once_if_its_object_cannot_be_deleted() {
    let (script, store) = scripted();
    let lease = take(&store, "run").await.unwrap();
    script.refuse_deletes(Some(LEASE));
    lease.release().await.unwrap();
    assert_eq!(script.refused_deletes(), 1);
    assert_eq!(holder(&store).await.as_deref(), Some("run"));
    assert!(take(&store, "next").await.is_ok());
}

#[tokio::test]
async fn a_lease_is_deleted_if_it_cannot_be_written() {
    let (script, store) = scripted();
    let lease = take(&store, "run").await.unwrap();
    for _ in 0..object::ATTEMPTS {
        script.fail_put(LEASE, PutFault::Refused);
    }
    lease.release().await.unwrap();
    assert_eq!(script.faults_left(), 0);
    assert_eq!(holder(&store).await, None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_local_lease_is_lost_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().display().to_string()).unwrap();
    let lease = take(&store, "run").await.unwrap();
    lease.fence().confirm().await.unwrap();
    std::fs::remove_dir_all(folder.path().join("runs")).unwrap();
    assert_lost(lease.fence().confirm().await);
    let next = take(&store, "next").await.unwrap();
    assert_lost(lease.fence().confirm().await);
    next.fence().confirm().await.unwrap();
}
