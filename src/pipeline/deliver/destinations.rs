//! Where a run delivers to: what is configured, or remembered in the store; and who else delivers there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use url::Url;

use crate::cloudzero::client::{self, Client};
use crate::cloudzero::connections::{self, BucketInfo};
use crate::error::{Error, Result};
use crate::http::retry::Timing;
use crate::store::Store;
use crate::store::destinations::{self, stream_place};
use crate::store::runs::Granularity;

/// What is configured of targets.
#[derive(Debug, Clone, Default)]
pub struct DestinationConfig {
    /// Folder or URL of the bucket target (`BILLSTREAM_BUCKET`).
    pub bucket: Option<String>,
    /// CloudZero's id of the stream (`CLOUDZERO_CONNECTION_ID`).
    pub stream: Option<String>,
    /// How to ask CloudZero, where there is a key (`CLOUDZERO_API_KEY`).
    pub api: Option<client::Settings>,
    /// Days or hours (`BILLSTREAM_GRANULARITY`).
    pub granularity: Granularity,
    /// How long a delivery waits to see that CloudZero holds it (`BILLSTREAM_READ_BACK_SECS`).
    pub read_back: Duration,
}

/// The targets of a run.
#[derive(Clone, Default)]
pub struct Targets {
    /// The bucket that CloudZero reads.
    pub bucket: Option<Bucket>,
    /// CloudZero's id of the stream.
    pub stream: Option<String>,
    /// CloudZero's API, where there is a key.
    pub api: Option<Arc<Client>>,
    /// Days or hours.
    pub granularity: Granularity,
    /// How long a delivery waits to see that CloudZero holds it.
    pub read_back: Duration,
    claimed: Arc<OnceCell<()>>,
}

/// A bucket target.
#[derive(Clone)]
pub struct Bucket {
    /// The folder that holds the billing periods.
    pub store: Store,
    /// CloudZero's id of the connection that reads it.
    pub cloudzero_connection: Option<String>,
}

impl Bucket {
    /// Opens the bucket target of a connection at a folder or URL.
    ///
    /// # Errors
    /// Kind configuration, for a bucket's root, a folder that holds the store, or one inside of it
    /// that is not the connection's own.
    pub fn open(location: &str, store: &Store, connection: &str) -> Result<Bucket> {
        let bucket = Bucket {
            store: Store::open(location)?,
            cloudzero_connection: None,
        };
        let url = bucket.store.url();
        if bucket.store.is_root() {
            return Err(Error::config(format!(
                "the bucket target {url} is the root of its bucket"
            ))
            .with_hint(
                "CloudZero takes a folder only: add a path, such as s3://bucket/confluent",
            ));
        }
        let holds_store = store.url().as_str().starts_with(url.as_str());
        let is_own = *url == *Bucket::in_store(store, connection).store.url();
        if holds_store || (bucket.is_in(store) && !is_own) {
            return Err(Error::config(format!(
                "the bucket target {url} and the store {} lie in one another",
                store.url()
            ))
            .with_hint("choose a folder of its own for what CloudZero reads"));
        }
        Ok(bucket)
    }

    /// The folder in the store of a connection that delivers nowhere else.
    fn in_store(store: &Store, connection: &str) -> Bucket {
        Bucket {
            store: store.below(&format!("cloudzero/{connection}")),
            cloudzero_connection: None,
        }
    }

    /// How states of months name it: relative to the store where it lies inside, so that a store may be
    /// moved.
    pub fn key(&self, store: &Store) -> String {
        let url = self.store.url().as_str();
        url.strip_prefix(store.url().as_str())
            .unwrap_or(url)
            .to_string()
    }

    /// Whether it is a folder of the store.
    fn is_in(&self, store: &Store) -> bool {
        self.store.url().as_str().starts_with(store.url().as_str())
    }
}

impl Targets {
    /// The folder of a connection that delivers nowhere else.
    pub fn in_store(store: &Store, connection: &str) -> Targets {
        Targets {
            bucket: Some(Bucket::in_store(store, connection)),
            ..Targets::default()
        }
    }

    /// The folder in the store, if that is where the connection delivers to, for stages that touch no
    /// network but the store's; else nothing.
    ///
    /// # Errors
    /// What the store says.
    pub async fn without_network(
        settings: &DestinationConfig,
        store: &Store,
        connection: &str,
    ) -> Result<Targets> {
        let known = destinations::load(store, connection).await?;
        let mut targets = Targets::in_store(store, connection);
        let elsewhere = known.stream.is_some() || known.bucket.is_some();
        if settings.bucket.is_some() || settings.stream.is_some() || elsewhere {
            targets.bucket = None;
        }
        targets.granularity = settings.granularity;
        Ok(targets)
    }

    /// What the environment says, else what the store remembers; a connection with neither delivers
    /// to a folder in the store.
    ///
    /// # Errors
    /// Kind configuration, as [`Bucket::open`]. A stream may lack its key: see
    /// [`Targets::check_key`].
    pub async fn resolve(
        settings: &DestinationConfig,
        store: &Store,
        connection: &str,
        timing: Timing,
    ) -> Result<Targets> {
        let known = destinations::load(store, connection).await?;
        let named = settings.bucket.is_some() || settings.stream.is_some();
        let stream = match (&settings.stream, &known.stream) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(stream)) if !named => Some(stream.cloudzero_connection.clone()),
            _ => None,
        };
        let bucket = match (&settings.bucket, &known.bucket) {
            (Some(location), _) => Some(Bucket::open(location, store, connection)?),
            (None, Some(bucket)) if !named => Some(Bucket::open(&bucket.url, store, connection)?),
            (None, _) if stream.is_none() => Some(Bucket::in_store(store, connection)),
            _ => None,
        };
        let bucket = bucket.map(|bucket| {
            let read_by = known
                .bucket
                .filter(|known| known.url == bucket.store.url().as_str())
                .and_then(|known| known.cloudzero_connection);
            Bucket {
                cloudzero_connection: read_by,
                ..bucket
            }
        });
        let api = settings.api.clone();
        let api = api.map(|api| Client::new(api, timing)).transpose()?;
        Ok(Targets {
            bucket,
            stream,
            api: api.map(Arc::new),
            granularity: settings.granularity,
            read_back: settings.read_back,
            claimed: Arc::default(),
        })
    }

    /// Refuses a stream without a key, before anything is done in vain.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn check_key(&self) -> Result<()> {
        match (&self.stream, &self.api) {
            (Some(stream), None) => Err(Error::config(format!(
                "CLOUDZERO_API_KEY is not set, and CloudZero's stream `{stream}` takes nothing without it"
            ))
            .with_hint(
                "make an API key in CloudZero (Settings, API Keys) and set CLOUDZERO_API_KEY",
            )),
            _ => Ok(()),
        }
    }

    /// Claims the targets for a connection, once a run. Before the first delivery it warns of what
    /// CloudZero would count twice, and of a bucket that it cannot read.
    ///
    /// # Errors
    /// Kind configuration, when another connection delivers there.
    pub async fn claim(&self, store: &Store, connection: &str) -> Result<()> {
        let once = || self.claim_once(store, connection);
        self.claimed.get_or_try_init(once).await.copied()
    }

    async fn claim_once(&self, store: &Store, connection: &str) -> Result<()> {
        let known = destinations::load(store, connection).await?;
        let outside = self.bucket.as_ref().filter(|bucket| !bucket.is_in(store));
        let mut places: BTreeSet<String> = self.stream.iter().map(|id| stream_place(id)).collect();
        places.extend(outside.map(|bucket| bucket.store.url().to_string()));
        if places.is_empty() {
            for place in &known.delivered {
                tracing::warn!(
                    place,
                    "No target is set, so line items stay in the store; they went there before."
                );
            }
        }
        if places.is_subset(&known.delivered) {
            return Ok(());
        }
        let mut record = known.clone();
        record.delivered.extend(places.iter().cloned());
        destinations::save(store, connection, &record).await?;
        for place in known.delivered.difference(&places) {
            tracing::warn!(
                place,
                "CloudZero keeps what went there before: pause that connection in CloudZero, or every dollar counts twice."
            );
        }
        if let Some(bucket) = outside
            && bucket.store.url().scheme() != "s3"
        {
            tracing::warn!(bucket = %bucket.store.url(), "CloudZero reads buckets of S3 only: it does not see this one.");
        }
        let read_by_cloudzero = self
            .bucket
            .as_ref()
            .is_some_and(|bucket| bucket.store.url().scheme() == "s3");
        if read_by_cloudzero && self.stream.is_some() {
            tracing::warn!(
                "Bucket and stream of one connection: CloudZero counts every dollar twice. Pause one of the two connections there."
            );
        }
        if let Some(api) = &self.api {
            let own = Bucket::in_store(store, connection).store.url().to_string();
            // Drops are read as long as CloudZero's connection is on.
            let buckets: Vec<&str> = match &self.stream {
                Some(_) => record
                    .delivered
                    .iter()
                    .chain([&own])
                    .map(|url| url.as_str())
                    .collect(),
                None => Vec::new(),
            };
            warn_of_same_costs(api, &buckets).await;
        }
        Ok(())
    }
}

/// Where the key may list connections, names those that bring the same costs by other means:
/// CloudZero's own Confluent connection, and those that read one of `buckets` (URLs).
pub async fn warn_of_same_costs(api: &Client, buckets: &[&str]) {
    // Without the scope nothing can be said, which is no reason to stop.
    let Ok(all) = connections::list(api).await else {
        return;
    };
    let buckets = buckets.iter().filter_map(|url| Url::parse(url).ok());
    let buckets: Vec<BucketInfo> = buckets
        .filter(|url| url.scheme() == "s3")
        .map(|url| BucketInfo::of(&url, None))
        .collect();
    for other in all.iter().filter(|other| other.is_enabled) {
        let (name, id) = (&other.name, other.id());
        if other.is_native_confluent() {
            tracing::warn!(
                %name, %id,
                "CloudZero has its own Confluent connection: with it every dollar counts twice. Pause it there."
            );
        } else if buckets.iter().any(|bucket| other.reads(bucket)) {
            tracing::warn!(
                %name, %id,
                "CloudZero also reads drops of this connection: with them every dollar counts twice. Pause it there."
            );
        }
    }
}
