//! Fake servers on loopback: Confluent Cloud over a synthetic organization (costs, inventory, IAM) and
//! CloudZero's API, on one port. For trying billstream, the demo, integration tests and benches.
//!
//! All data is a function of a seed and a day, so two runs serve the same costs. Faults are injected
//! on request ([`Fault`]). Exact totals (`/sandbox/totals`) are computed in integers, without
//! billstream's decoder.
//!
//! | path | response |
//! |---|---|
//! | `GET /billing/v1/costs` | pages of costs in the format of Confluent's specification |
//! | `GET /org/v2/organizations`, `/iam/v2/service-accounts`, `/iam/v2/role-bindings`, `/iam/v2/api-keys` | organizations and principals; the last three also support create and delete |
//! | `GET /org/v2/environments`, `/cmk/v2/clusters`, `/ksqldbcm/v2/clusters`, `/fcpm/v2/compute-pools`, `/srcm/v3/clusters`, `/connect/v1/…/connectors` | the resources of the costs |
//! | `/v2/connections/billing…`, `GET /v2/billing/costs` | CloudZero's connections, streams and costs |
//! | `GET /sandbox/cloudzero/holds?month=YYYY-MM&connection=ID` | exact totals of the line items in CloudZero |
//! | `GET /sandbox/cloudzero/requests` | all requests to CloudZero's API, in order |
//! | `GET /sandbox/cloudzero/poll` | makes CloudZero poll the bucket once |
//! | `GET /sandbox/cloudzero/advance?minutes=N` | moves the clock by which test namespaces end |
//! | `GET /sandbox/totals?month=YYYY-MM` | exact totals of a month, per day, product and line type |
//! | `GET /sandbox/warm?month=YYYY-MM` | generates the costs of a month ahead of time |
//! | `GET /sandbox/iam` | principals, and all IAM and inventory requests, in order |
//! | `GET /sandbox/status` | request counts, concurrency, fired faults |
//!
//! Paths below `/sandbox/` need no credentials, have no faults and are not counted.
//!
//! - `data`: the synthetic organization and its costs.
//! - `confluent`, `cloudzero`: the two APIs.
//! - `faults`: fault kinds, budgets and injection.
//! - `server`: connections, request counts, rate limit, `/sandbox/*`.

mod cloudzero;
mod confluent;
mod data;
mod faults;
mod server;

pub use crate::sandbox::cloudzero::Bucket;
pub use crate::sandbox::cloudzero::dialect::{AcceptedMonths, Dialect};
pub(crate) use crate::sandbox::cloudzero::{DEFAULT_CLOUDZERO_KEY, DEFAULT_STREAM_ID};
pub use crate::sandbox::faults::Fault;
pub use crate::sandbox::server::serve;

use chrono::{NaiveDate, Utc};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::time::Duration;

/// Default API key.
pub(crate) const DEFAULT_KEY: &str = "sandbox-key";
/// Default API secret. It guards invented data only.
pub(crate) const DEFAULT_SECRET: &str = "sandbox-secret";
/// Default API key of the organization's admin.
pub(crate) const DEFAULT_ADMIN_KEY: &str = "sandbox-admin";
/// Default API secret of the admin. It guards invented data only.
pub(crate) const DEFAULT_ADMIN_SECRET: &str = "sandbox-admin-secret";
/// Default time until a new API key is active.
pub(crate) const DEFAULT_KEY_DELAY: Duration = Duration::from_millis(1_500);
/// Default number of costs per day.
pub(crate) const DEFAULT_COSTS_PER_DAY: usize = 60;

/// Data and behavior of a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// API key of the service account `sa-sandbox`, which has the roles BillingAdmin and Operator.
    ///
    /// Three other keys always exist: `cluster-key` is refused as a cluster key (401), `no-role` as
    /// lacking the role (403), and `billing-only`, with the same secret, has the role BillingAdmin.
    pub key: String,
    /// API secret of the key.
    pub secret: SecretString,
    /// API key of the user `u-admin`, who has the role OrganizationAdmin.
    pub admin_key: String,
    /// API secret of the admin's key.
    pub admin_secret: SecretString,
    /// Time until a new API key is active.
    pub key_delay: Duration,
    /// Number of organizations of the admin, at least 1. The costs belong to the first.
    pub organizations: usize,
    /// Ids of resources and environments that the costs have and the inventory lacks.
    pub gone_resources: Vec<String>,
    /// Ids of resources and environments with their new names in the inventory; the costs keep the
    /// old names.
    pub renamed: Vec<(String, String)>,
    /// Costs of each complete day, at least 56, so that every line type and edge case occurs.
    pub costs_per_day: usize,
    /// Seed of the synthetic organization.
    pub seed: u64,
    /// Current day, UTC: the last day with costs, which go back one year. Today and yesterday are
    /// incomplete.
    pub today: NaiveDate,
    /// Faults to inject.
    pub faults: Vec<Fault>,
    /// Requests per second before 429; `None` for no limit.
    pub rate_limit: Option<u32>,
    /// Time until Confluent's API answers.
    pub latency: Duration,
    /// Compresses costs for clients that accept gzip.
    pub gzip: bool,
    /// Restatement: each number above 0 changes a few amounts on the 3rd and 17th of the months
    /// before today's.
    pub revision: u32,
    /// Days without any costs, also in the totals.
    pub drop_days: Vec<NaiveDate>,
    /// Serves the same costs in another order.
    pub reorder: bool,
    /// Bytes of generated costs to keep in memory; evicted days are generated again on request.
    pub cache_bytes: usize,
    /// CloudZero API key. The key `no-scope-connections` always exists; it may not list, create or
    /// read connections.
    pub cloudzero_key: SecretString,
    /// Bucket that CloudZero polls on request. Adds a bucket connection.
    pub bucket: Option<Bucket>,
    /// Adds CloudZero's native Confluent connection.
    pub native_confluent: bool,
    /// Reading of requests where it is uncertain what CloudZero does.
    pub dialect: Dialect,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            key: DEFAULT_KEY.to_owned(),
            secret: DEFAULT_SECRET.into(),
            admin_key: DEFAULT_ADMIN_KEY.to_owned(),
            admin_secret: DEFAULT_ADMIN_SECRET.into(),
            key_delay: DEFAULT_KEY_DELAY,
            organizations: 1,
            gone_resources: Vec::new(),
            renamed: Vec::new(),
            costs_per_day: DEFAULT_COSTS_PER_DAY,
            seed: 1,
            today: Utc::now().date_naive(),
            faults: Vec::new(),
            rate_limit: None,
            latency: Duration::ZERO,
            gzip: false,
            revision: 0,
            drop_days: Vec::new(),
            reorder: false,
            cache_bytes: 2 << 30,
            cloudzero_key: DEFAULT_CLOUDZERO_KEY.into(),
            bucket: None,
            native_confluent: false,
            dialect: Dialect::default(),
        }
    }
}

/// Endpoint URL of a sandbox that listens on `address`.
pub fn base_url(address: &SocketAddr) -> String {
    format!("http://{address}")
}
