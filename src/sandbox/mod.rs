//! Confluent Cloud on loopback, over a synthetic organization: costs, inventory and IAM; and
//! CloudZero's API on the same port. To try billstream with, for the demo, the integration tests and
//! the benches.
//!
//! Everything it serves follows from a seed and a day, so two runs give the same costs. It breaks
//! on demand ([`Fault`]), and it knows its own exact totals (`/sandbox/totals`), made in integers
//! without billstream's decoder.
//!
//! | path | answer |
//! |---|---|
//! | `GET /billing/v1/costs` | pages of costs, as Confluent's specification has them |
//! | `GET /org/v2/organizations`, `/iam/v2/service-accounts`, `/iam/v2/role-bindings`, `/iam/v2/api-keys` | who is there, and who may do what; the last three can be added to and deleted from |
//! | `GET /org/v2/environments`, `/cmk/v2/clusters`, `/ksqldbcm/v2/clusters`, `/fcpm/v2/compute-pools`, `/srcm/v3/clusters`, `/connect/v1/…/connectors` | the resources that costs are for |
//! | `/v2/connections/billing…`, `GET /v2/billing/costs` | CloudZero's connections, streams and costs |
//! | `GET /sandbox/cloudzero/holds?month=YYYY-MM&connection=ID` | exact totals of what CloudZero holds |
//! | `GET /sandbox/cloudzero/requests` | every request to CloudZero's API, in order |
//! | `GET /sandbox/cloudzero/poll` | lets CloudZero look at the bucket once |
//! | `GET /sandbox/totals?month=YYYY-MM` | exact totals of a month, per day, product and line type |
//! | `GET /sandbox/warm?month=YYYY-MM` | makes a month's records beforehand |
//! | `GET /sandbox/iam` | who and what there is, and every IAM and inventory request, in order |
//! | `GET /sandbox/status` | requests, concurrency, and which faults fired |
//!
//! The paths below `/sandbox/` need no credentials, never fail on purpose and are not counted.
//!
//! Data: `catalogue`, `organization` and `bulk` say who is billed for what, `meter` and `oddities`
//! make records, `day` and `history` keep them. Service: `access` knows the keys, `window` and `costs`
//! answer queries for costs, `call` and `list` what `iam` and `inventory` share, `area` tells these
//! apart, `faults` and `sabotage` break answers, `server` holds the connections. `cloudzero` is the
//! other API.

pub(crate) mod cloudzero;
pub mod confluent;
pub mod data;
pub(crate) mod faults;
pub(crate) mod server;
#[cfg(test)]
mod tests;

pub use crate::sandbox::cloudzero::{
    Bucket, DEFAULT_BUCKET_ID, DEFAULT_CLOUDZERO_KEY, DEFAULT_STREAM_ID,
};
pub use crate::sandbox::faults::Fault;
pub use crate::sandbox::server::serve;

use chrono::{NaiveDate, Utc};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::time::Duration;

/// The key that a sandbox takes unless told otherwise.
pub const DEFAULT_KEY: &str = "sandbox-key";
/// The secret that a sandbox takes unless told otherwise. It guards invented data only.
pub const DEFAULT_SECRET: &str = "sandbox-secret";
/// The key of the organization's admin unless told otherwise.
pub const DEFAULT_ADMIN_KEY: &str = "sandbox-admin";
/// The secret of the admin's key unless told otherwise. It guards invented data only.
pub const DEFAULT_ADMIN_SECRET: &str = "sandbox-admin-secret";
/// How long a new API key is unknown unless told otherwise.
pub const DEFAULT_KEY_DELAY: Duration = Duration::from_millis(1_500);
/// Costs a day unless told otherwise.
pub const DEFAULT_COSTS_PER_DAY: usize = 60;

/// What a sandbox serves, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// API key that requests have to carry. It belongs to the service account `sa-sandbox`, which is
    /// BillingAdmin and Operator. Three names are special, whatever this is: `cluster-key` is refused
    /// as a key of the wrong kind (401), `no-role` as one without the role (403), and `billing-only`,
    /// with the same secret, has the role BillingAdmin alone.
    pub key: String,
    /// API secret that goes with the key.
    pub secret: SecretString,
    /// API key of the user `u-admin`, who is OrganizationAdmin and may do everything.
    pub admin_key: String,
    /// API secret that goes with the admin's key.
    pub admin_secret: SecretString,
    /// How long an API key that is made stays unknown.
    pub key_delay: Duration,
    /// How many organizations the admin is in, at least 1. The costs are those of the first.
    pub organizations: usize,
    /// Ids of resources and environments that are not in the inventory, though in the costs.
    pub gone_resources: Vec<String>,
    /// Ids of resources and environments, with their names in the inventory; the costs have the
    /// names from before.
    pub renamed: Vec<(String, String)>,
    /// Costs of each complete day; less than 56 counts as 56, so that every line type and oddity
    /// comes up.
    pub costs_per_day: usize,
    /// Another seed, another organization of the same kind.
    pub seed: u64,
    /// The current day, UTC: the last with costs, which go one year back from it. Today and
    /// yesterday are not complete yet.
    pub today: NaiveDate,
    /// What is to go wrong, and how often.
    pub faults: Vec<Fault>,
    /// Requests a second after which 429 is answered; `None` for any number.
    pub rate_limit: Option<u32>,
    /// Whether costs are compressed for clients that accept gzip.
    pub gzip: bool,
    /// Each revision above 0 changes a few amounts on the 3rd and 17th of the months before
    /// today's, as a restatement does.
    pub revision: u32,
    /// Days that come back without any cost, also in the totals.
    pub drop_days: Vec<NaiveDate>,
    /// Serves the same costs in another order.
    pub reorder: bool,
    /// Bytes of made records to keep in memory; older days are made anew when they are asked for.
    pub cache_bytes: usize,
    /// API key that requests to CloudZero's API have to carry. The key `no-scope-connections` is
    /// taken as well, whatever this is, but not for listing, creating and reading connections.
    pub cloudzero_key: SecretString,
    /// The bucket that CloudZero polls when it is told to; with it there is a bucket connection.
    pub bucket: Option<Bucket>,
    /// Whether CloudZero also has its own connection to Confluent.
    pub native_confluent: bool,
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
            gzip: false,
            revision: 0,
            drop_days: Vec::new(),
            reorder: false,
            cache_bytes: 2 << 30,
            cloudzero_key: DEFAULT_CLOUDZERO_KEY.into(),
            bucket: None,
            native_confluent: false,
        }
    }
}

/// The endpoint to configure billstream with for a sandbox that listens on `address`.
pub fn base_url(address: &SocketAddr) -> String {
    format!("http://{address}")
}
