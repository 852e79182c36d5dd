//! Claims on destinations, so that two connections never share one, and warnings of double counting.

use std::collections::BTreeSet;

use url::Url;

use crate::cloudzero::client::Client;
use crate::cloudzero::connections::{self, BucketInfo};
use crate::error::Result;
use crate::pipeline::deliver::destinations::Destinations;
use crate::store::Store;
use crate::store::destinations::{self, DestinationsRecord, stream_place};

impl Destinations {
    /// Claims the destinations for a connection, once per run. Before the first delivery to a destination it
    /// warns of double counting in CloudZero, and of a bucket that CloudZero cannot read.
    ///
    /// # Errors
    /// Kind `Config` if another connection delivers there.
    pub(crate) async fn claim(&self, store: &Store, connection: &str) -> Result<()> {
        let claim = || self.claim_once(store, connection);
        self.claimed.get_or_try_init(claim).await.copied()
    }

    async fn claim_once(&self, store: &Store, connection: &str) -> Result<()> {
        let remembered = destinations::load(store, connection).await?;
        let places = self.places_outside(store);
        if places.is_empty() {
            for place in &remembered.delivered {
                tracing::warn!(
                    previous = place,
                    "No destination is configured: line items stay in the store"
                );
            }
        }
        if places.is_subset(&remembered.delivered) {
            // Claimed before, unless an older version delivered, or the claim was released meanwhile.
            return destinations::claim(store, connection, &places).await;
        }
        let mut record = remembered.clone();
        record.delivered.extend(places.iter().cloned());
        destinations::save(store, connection, &record).await?;
        for place in remembered.delivered.difference(&places) {
            tracing::warn!(
                previous = place,
                "CloudZero counts every dollar twice while it also reads the previous destination: pause that \
                 connection in CloudZero"
            );
        }
        self.warn_of_first_delivery(store, connection, &record)
            .await;
        Ok(())
    }

    /// Destinations that are not in the store, as they are recorded.
    fn places_outside(&self, store: &Store) -> BTreeSet<String> {
        let buckets = self.bucket.iter().filter(|bucket| !bucket.is_in(store));
        let buckets = buckets.map(|bucket| bucket.store.url().to_string());
        let streams = self.stream.iter().map(|id| stream_place(id));
        buckets.chain(streams).collect()
    }

    async fn warn_of_first_delivery(
        &self,
        store: &Store,
        connection: &str,
        record: &DestinationsRecord,
    ) {
        if let Some(bucket) = &self.bucket
            && !bucket.is_in(store)
            && !bucket.is_on_s3()
        {
            tracing::warn!(
                bucket = %bucket.store.url(),
                "CloudZero reads S3 buckets only: it cannot read this destination"
            );
        }
        let cloudzero_reads_bucket = self.bucket.as_ref().is_some_and(|b| b.is_on_s3());
        if cloudzero_reads_bucket && self.stream.is_some() {
            tracing::warn!(
                "CloudZero counts every dollar twice with bucket and stream of one connection: pause one of \
                 the two in CloudZero"
            );
        }
        if let Some(api) = &self.api {
            let default = Destinations::in_store(store, connection).bucket;
            let default = default.map(|bucket| bucket.store.url().to_string());
            // CloudZero reads earlier drops as long as its connection is enabled.
            let buckets: Vec<&str> = match &self.stream {
                Some(_) => record
                    .delivered
                    .iter()
                    .chain(&default)
                    .map(String::as_str)
                    .collect(),
                None => Vec::new(),
            };
            warn_of_double_counting(api, &buckets).await;
        }
    }
}

/// Warns of enabled billing connections that bring the same costs: CloudZero's native Confluent connection, and
/// those that read one of `buckets` (URLs). Without the scope to list connections it does nothing.
pub(crate) async fn warn_of_double_counting(api: &Client, buckets: &[&str]) {
    let Ok(all) = connections::list(api).await else {
        return;
    };
    let buckets = buckets.iter().filter_map(|url| Url::parse(url).ok());
    let buckets: Vec<BucketInfo> = buckets
        .filter(|url| url.scheme() == "s3")
        .map(|url| BucketInfo::from_url(&url, None))
        .collect();
    for other in all.iter().filter(|other| other.is_enabled) {
        let (name, id) = (&other.name, other.id());
        if other.is_native_confluent() {
            tracing::warn!(
                %name, %id,
                "CloudZero counts every dollar twice with its native Confluent connection: pause it in CloudZero"
            );
        } else if buckets.iter().any(|bucket| other.reads(bucket)) {
            tracing::warn!(
                %name, %id,
                "CloudZero counts every dollar twice while it also reads the drops of this connection: pause \
                 that connection in CloudZero"
            );
        }
    }
}
