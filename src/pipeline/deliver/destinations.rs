//! Destinations of a run: configured, remembered in the store, or by default a folder in the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::cloudzero::client::{self, Client};
use crate::error::{Error, Result};
use crate::http::retry::Timing;
use crate::pipeline::deliver::delivery::DestinationKind;
use crate::store::Store;
use crate::store::destinations;
use crate::store::runs::{BucketState, Granularity, MonthState};

/// Configuration of destinations.
#[derive(Debug, Clone, Default)]
pub(crate) struct DestinationConfig {
    /// Folder or URL of the bucket (`BILLSTREAM_BUCKET`).
    pub(crate) bucket: Option<String>,
    /// CloudZero's id of the stream (`CLOUDZERO_CONNECTION_ID`).
    pub(crate) stream: Option<String>,
    /// CloudZero's API, if there is a key (`CLOUDZERO_API_KEY`).
    pub(crate) api: Option<client::Settings>,
    /// Days or hours (`BILLSTREAM_GRANULARITY`).
    pub(crate) granularity: Granularity,
    /// Longest wait for CloudZero to show a delivery (`BILLSTREAM_READ_BACK_SECS`).
    pub(crate) read_back: Duration,
}

/// Destinations of a run.
#[derive(Clone, Default)]
pub struct Destinations {
    pub(crate) bucket: Option<BucketDestination>,
    /// CloudZero's id of the stream.
    pub(crate) stream: Option<String>,
    /// CloudZero's API, if there is a key.
    pub(crate) api: Option<Arc<Client>>,
    /// Days or hours.
    pub(crate) granularity: Granularity,
    /// Longest wait for CloudZero to show a delivery.
    pub(crate) read_back: Duration,
    pub(super) claimed: Arc<OnceCell<()>>,
}

/// Folder of a bucket that CloudZero reads.
#[derive(Clone)]
pub(crate) struct BucketDestination {
    /// Folder that contains the billing periods.
    pub(crate) store: Store,
    /// CloudZero's id of the billing connection that reads it.
    pub(crate) cloudzero_connection: Option<String>,
}

impl BucketDestination {
    /// Opens the bucket destination of a connection at a folder or URL.
    ///
    /// # Errors
    /// Kind `Config` for the root of a bucket, a folder that contains the store, or a folder in the store
    /// that is not the connection's default.
    pub(crate) fn open(
        location: &str,
        store: &Store,
        connection: &str,
    ) -> Result<BucketDestination> {
        let bucket = BucketDestination {
            store: Store::open(location)?.with_single_writer(store.is_single_writer()),
            cloudzero_connection: None,
        };
        let url = bucket.store.url();
        if bucket.store.is_root() {
            return Err(Error::config(format!(
                "the bucket destination {url} is the root of its bucket"
            ))
            .with_hint("add a path, such as s3://bucket/confluent: CloudZero reads folders only"));
        }
        let holds_store = store.url().as_str().starts_with(url.as_str());
        let is_default = *url == *BucketDestination::in_store(store, connection).store.url();
        if holds_store || (bucket.is_in(store) && !is_default) {
            return Err(Error::config(format!(
                "the bucket destination {url} and the store {} overlap",
                store.url()
            ))
            .with_hint("choose a separate folder for CloudZero"));
        }
        Ok(bucket)
    }

    /// Default folder of a connection, in the store.
    fn in_store(store: &Store, connection: &str) -> BucketDestination {
        BucketDestination {
            store: store.below(&format!("cloudzero/{connection}")),
            cloudzero_connection: None,
        }
    }

    /// Returns the identifier in month states: the path relative to the store if it is inside, so that the
    /// store can be moved, else the URL.
    pub(crate) fn key(&self, store: &Store) -> String {
        let url = self.store.url().as_str();
        url.strip_prefix(store.url().as_str())
            .unwrap_or(url)
            .to_string()
    }

    /// Returns the drop that was last delivered to this destination, as recorded.
    pub(crate) fn recorded<'s>(
        &self,
        store: &Store,
        state: &'s MonthState,
    ) -> Option<&'s BucketState> {
        let key = self.key(store);
        state.bucket.as_ref().filter(|drop| drop.target == key)
    }

    /// Returns true if it is a folder of the store.
    pub(crate) fn is_in(&self, store: &Store) -> bool {
        self.store.url().as_str().starts_with(store.url().as_str())
    }

    /// Returns true if CloudZero can read it.
    pub(super) fn is_on_s3(&self) -> bool {
        self.store.url().scheme() == "s3"
    }
}

impl Destinations {
    /// Destinations without an API key.
    pub(crate) fn of(bucket: Option<BucketDestination>, stream: Option<String>) -> Destinations {
        Destinations {
            bucket,
            stream,
            ..Destinations::default()
        }
    }

    /// Default destinations of a connection: its folder in the store.
    pub(crate) fn in_store(store: &Store, connection: &str) -> Destinations {
        Destinations {
            bucket: Some(BucketDestination::in_store(store, connection)),
            ..Destinations::default()
        }
    }

    /// Resolves destinations for stages that use no network besides the store: the default folder, or none if
    /// the connection delivers elsewhere.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn without_network(
        config: &DestinationConfig,
        store: &Store,
        connection: &str,
    ) -> Result<Destinations> {
        let remembered = destinations::load(store, connection).await?;
        let mut resolved = Destinations::in_store(store, connection);
        let is_remembered = remembered.stream.is_some() || remembered.bucket.is_some();
        if config.bucket.is_some() || config.stream.is_some() || is_remembered {
            resolved.bucket = None;
        }
        resolved.granularity = config.granularity;
        Ok(resolved)
    }

    /// Resolves destinations: the configured ones, else those that the store remembers, else the default
    /// folder in the store.
    ///
    /// # Errors
    /// Kind `Config`, see [`BucketDestination::open`]. A stream may lack its API key: see
    /// [`Destinations::check_key`].
    pub(crate) async fn resolve(
        config: &DestinationConfig,
        store: &Store,
        connection: &str,
        timing: Timing,
    ) -> Result<Destinations> {
        let remembered = destinations::load(store, connection).await?;
        let is_configured = config.bucket.is_some() || config.stream.is_some();
        let stream = match (&config.stream, &remembered.stream) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(stream)) if !is_configured => Some(stream.cloudzero_connection.clone()),
            _ => None,
        };
        let open = |location: &str| BucketDestination::open(location, store, connection);
        let bucket = match (&config.bucket, &remembered.bucket) {
            (Some(location), _) => Some(open(location)?),
            (None, Some(bucket)) if !is_configured => Some(open(&bucket.url)?),
            (None, _) if stream.is_none() => Some(BucketDestination::in_store(store, connection)),
            _ => None,
        };
        let bucket = bucket.map(|bucket| {
            let cloudzero_connection = remembered
                .bucket
                .filter(|known| known.url == bucket.store.url().as_str())
                .and_then(|known| known.cloudzero_connection);
            BucketDestination {
                cloudzero_connection,
                ..bucket
            }
        });
        let api = config.api.clone();
        let api = api.map(|api| Client::new(api, timing)).transpose()?;
        Ok(Destinations {
            bucket,
            stream,
            api: api.map(Arc::new),
            granularity: config.granularity,
            read_back: config.read_back,
            claimed: Arc::default(),
        })
    }

    /// Returns the kinds of the destinations, bucket first.
    pub(crate) fn kinds(&self) -> Vec<DestinationKind> {
        let bucket = self.bucket.as_ref().map(|_| DestinationKind::Bucket);
        let stream = self.stream.as_ref().map(|_| DestinationKind::Stream);
        bucket.into_iter().chain(stream).collect()
    }

    /// Fails early if there is a stream but no API key.
    ///
    /// # Errors
    /// Kind `Config`.
    pub(crate) fn check_key(&self) -> Result<()> {
        let (Some(stream), None) = (&self.stream, &self.api) else {
            return Ok(());
        };
        Err(Error::config(format!(
            "CLOUDZERO_API_KEY is not set, but CloudZero's stream `{stream}` requires it"
        ))
        .with_hint("create an API key in CloudZero (Settings, API Keys) and set CLOUDZERO_API_KEY"))
    }
}
