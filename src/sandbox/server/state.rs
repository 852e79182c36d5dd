//! What all requests to one sandbox share: its data, its counters, its limits.

use crate::sandbox::Options;
use crate::sandbox::cloudzero::CloudZero;
use crate::sandbox::confluent::iam::Iam;
use crate::sandbox::confluent::inventory::Inventory;
use crate::sandbox::data::history::History;
use crate::sandbox::faults::Faults;
use crate::sandbox::server::route::Area;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One running sandbox.
pub struct Sandbox {
    /// What it was started with.
    pub options: Options,
    /// Its costs.
    pub history: History,
    /// Who may read them, and who else there is.
    pub iam: Iam,
    /// Whose costs they are.
    pub inventory: Inventory,
    /// CloudZero's half.
    pub cloudzero: CloudZero,
    /// What is still to go wrong.
    pub faults: Faults,
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
pub struct Ticket {
    /// Counted from 1; 0 for requests that are not counted.
    pub number: u64,
    /// Value of `X-Request-Id`.
    pub id: String,
}

/// Whether the rate limit lets a request through, and what to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Let through.
    pub granted: bool,
    /// Requests a second.
    pub limit: u32,
    /// Requests left in this second.
    pub remaining: u32,
}

/// Answer of `/sandbox/status`.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Those to Confluent's API.
    requests: u64,
    in_flight_max: usize,
    fired: BTreeMap<&'static str, u32>,
    authorization_seen: bool,
    cloudzero_requests: u64,
    costs_requests: u64,
    inventory_requests: u64,
}

/// What is announced as the limit when there is none.
const NO_LIMIT: u32 = 1_000;

impl Sandbox {
    /// Prepares a sandbox.
    pub fn new(options: Options) -> Sandbox {
        Sandbox {
            history: History::new(&options),
            iam: Iam::new(&options),
            inventory: Inventory::new(&options),
            cloudzero: CloudZero::new(&options),
            faults: Faults::new(&options.faults),
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

    /// Counts a request for `area`; it is in flight until the result is dropped.
    pub fn admit(self: &Arc<Self>, area: Area, authorized: bool) -> (Ticket, InFlight) {
        match area {
            Area::Costs => self.costs_requests.fetch_add(1, Ordering::AcqRel),
            Area::Inventory(_) => self.inventory_requests.fetch_add(1, Ordering::AcqRel),
            Area::Iam { .. } | Area::Elsewhere => 0,
        };
        let number = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        let in_flight = self.in_flight.fetch_add(1, Ordering::AcqRel) + 1;
        self.in_flight_max.fetch_max(in_flight, Ordering::AcqRel);
        if authorized {
            self.authorization_seen.store(true, Ordering::Release);
        }
        (
            Ticket {
                number,
                id: format!("req-{number:08}"),
            },
            InFlight(self.clone()),
        )
    }

    /// Asks the rate limit.
    pub fn allow(&self) -> Allowance {
        let Some(limit) = self.options.rate_limit else {
            return Allowance {
                granted: true,
                limit: NO_LIMIT,
                remaining: NO_LIMIT - 1,
            };
        };
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0.elapsed() >= Duration::from_secs(1) {
            *second = (Instant::now(), 0);
        }
        let granted = second.1 < limit;
        second.1 += u32::from(granted);
        Allowance {
            granted,
            limit,
            remaining: limit - second.1,
        }
    }

    /// What happened so far.
    pub fn status(&self) -> Status {
        Status {
            requests: self.requests.load(Ordering::Acquire),
            in_flight_max: self.in_flight_max.load(Ordering::Acquire),
            fired: self.faults.fired(),
            authorization_seen: self.authorization_seen.load(Ordering::Acquire),
            cloudzero_requests: self.cloudzero.requests(),
            costs_requests: self.costs_requests.load(Ordering::Acquire),
            inventory_requests: self.inventory_requests.load(Ordering::Acquire),
        }
    }
}

/// A request that is being answered.
pub struct InFlight(Arc<Sandbox>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
