//! State shared by all requests to one sandbox: data, counters, rate limit.

use crate::sandbox::Options;
use crate::sandbox::cloudzero::CloudZero;
use crate::sandbox::confluent::iam::Iam;
use crate::sandbox::confluent::inventory::Inventory;
use crate::sandbox::confluent::route::ConfluentRoute;
use crate::sandbox::data::history::History;
use crate::sandbox::faults::FaultBudgets;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One running sandbox.
pub(crate) struct Sandbox {
    pub(crate) options: Options,
    pub(crate) history: History,
    pub(crate) iam: Iam,
    pub(crate) inventory: Inventory,
    pub(crate) cloudzero: CloudZero,
    pub(crate) faults: FaultBudgets,
    requests: AtomicU64,
    costs_requests: AtomicU64,
    inventory_requests: AtomicU64,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
    authorization_seen: AtomicBool,
    /// Start of the current second of the rate limit, and the requests in it.
    second: Mutex<(Instant, u32)>,
}

/// Number and id of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestId {
    /// Counted from 1; 0 for requests that are not counted.
    pub(crate) number: u64,
    /// Value of `X-Request-Id`.
    pub(crate) id: String,
}

/// Decision of the rate limit about one request, with the values of its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitDecision {
    pub(crate) is_granted: bool,
    /// Requests per second.
    pub(crate) limit: u32,
    /// Requests left in this second.
    pub(crate) remaining: u32,
}

/// Response of `/sandbox/status`.
#[derive(Debug, Serialize)]
pub(crate) struct SandboxStatus {
    /// Requests to Confluent's API.
    requests: u64,
    in_flight_max: usize,
    fired: BTreeMap<&'static str, u32>,
    authorization_seen: bool,
    cloudzero_requests: u64,
    costs_requests: u64,
    inventory_requests: u64,
}

/// Limit in the headers of a sandbox without a rate limit.
const UNLIMITED: u32 = 1_000;

impl Sandbox {
    pub(crate) fn new(options: Options) -> Sandbox {
        Sandbox {
            history: History::new(&options),
            iam: Iam::new(&options),
            inventory: Inventory::new(&options),
            cloudzero: CloudZero::new(&options),
            faults: FaultBudgets::new(&options.faults),
            options,
            requests: AtomicU64::new(0),
            costs_requests: AtomicU64::new(0),
            inventory_requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
            authorization_seen: AtomicBool::new(false),
            second: Mutex::new((Instant::now(), 0)),
        }
    }

    /// Counts a request to Confluent's API; it is in flight until the guard is dropped.
    pub(crate) fn count_request(
        self: &Arc<Self>,
        route: ConfluentRoute,
        has_authorization: bool,
    ) -> (RequestId, InFlightGuard) {
        match route {
            ConfluentRoute::Costs => self.costs_requests.fetch_add(1, Ordering::AcqRel),
            ConfluentRoute::Inventory(_) => self.inventory_requests.fetch_add(1, Ordering::AcqRel),
            ConfluentRoute::Iam { .. } | ConfluentRoute::Unknown => 0,
        };
        let number = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        let in_flight = self.in_flight.fetch_add(1, Ordering::AcqRel) + 1;
        self.in_flight_max.fetch_max(in_flight, Ordering::AcqRel);
        if has_authorization {
            self.authorization_seen.store(true, Ordering::Release);
        }
        let id = format!("req-{number:08}");
        (RequestId { number, id }, InFlightGuard(self.clone()))
    }

    /// Takes one request from the rate limit.
    pub(crate) fn apply_rate_limit(&self) -> RateLimitDecision {
        let Some(limit) = self.options.rate_limit else {
            return RateLimitDecision {
                is_granted: true,
                limit: UNLIMITED,
                remaining: UNLIMITED - 1,
            };
        };
        let mut second = lock(&self.second);
        if second.0.elapsed() >= Duration::from_secs(1) {
            *second = (Instant::now(), 0);
        }
        let is_granted = second.1 < limit;
        second.1 += u32::from(is_granted);
        RateLimitDecision {
            is_granted,
            limit,
            remaining: limit - second.1,
        }
    }

    pub(crate) fn status(&self) -> SandboxStatus {
        SandboxStatus {
            requests: self.requests.load(Ordering::Acquire),
            in_flight_max: self.in_flight_max.load(Ordering::Acquire),
            fired: self.faults.fired(),
            authorization_seen: self.authorization_seen.load(Ordering::Acquire),
            cloudzero_requests: self.cloudzero.request_count(),
            costs_requests: self.costs_requests.load(Ordering::Acquire),
            inventory_requests: self.inventory_requests.load(Ordering::Acquire),
        }
    }
}

/// Counts a request as in flight until it is dropped.
pub(crate) struct InFlightGuard(Arc<Sandbox>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Locks a mutex; a panic of another request does not make its state unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
