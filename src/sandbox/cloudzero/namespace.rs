//! Namespaces: the real one, and those that `cloudzero-test-key` names.
//!
//! A test namespace begins with the first change in it, as a copy of the real one, and ends an hour later with all of
//! its changes. Before and after, operations with its key see the real one.

use crate::sandbox::cloudzero::connections::Connections;
use crate::sandbox::cloudzero::costs::BillingCostsResults;
use crate::sandbox::cloudzero::ledger::Ledger;
use crate::sandbox::server::state::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Life of the changes in a test namespace (spec: `cloudzero-test-key`).
const LIFETIME: Duration = Duration::from_secs(3_600);

/// Connections and line items that operations see and change.
pub(crate) struct Namespace {
    pub(crate) connections: Mutex<Connections>,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) costs_results: Mutex<BillingCostsResults>,
}

impl Namespace {
    pub(crate) fn new(connections: Connections) -> Namespace {
        Namespace {
            connections: Mutex::new(connections),
            ledger: Mutex::default(),
            costs_results: Mutex::default(),
        }
    }

    fn copy(&self) -> Namespace {
        Namespace {
            connections: Mutex::new(lock(&self.connections).clone()),
            ledger: Mutex::new(lock(&self.ledger).clone()),
            costs_results: Mutex::new(lock(&self.costs_results).clone()),
        }
    }
}

/// Test namespaces by key, and the clock by which they end.
pub(crate) struct TestNamespaces {
    started_at: Instant,
    advanced: Duration,
    by_key: BTreeMap<String, (Duration, Arc<Namespace>)>,
}

impl TestNamespaces {
    pub(crate) fn new() -> TestNamespaces {
        TestNamespaces {
            started_at: Instant::now(),
            advanced: Duration::ZERO,
            by_key: BTreeMap::new(),
        }
    }

    /// Moves the clock.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.advanced += time;
    }

    /// Namespace of an operation with a test key, which makes a change or not.
    pub(crate) fn of(
        &mut self,
        key: &str,
        makes_change: bool,
        real: &Arc<Namespace>,
    ) -> Arc<Namespace> {
        let now = self.started_at.elapsed() + self.advanced;
        self.by_key
            .retain(|_, (began_at, _)| *began_at + LIFETIME > now);
        match self.by_key.get(key) {
            Some((_, namespace)) => namespace.clone(),
            None if makes_change => {
                let namespace = Arc::new(real.copy());
                self.by_key.insert(key.to_owned(), (now, namespace.clone()));
                namespace
            }
            None => real.clone(),
        }
    }
}
