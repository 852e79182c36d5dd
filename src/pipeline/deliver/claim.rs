//! Claims on destinations, so that two connections never share one.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::pipeline::RunContext;
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::deliver::double_counting;
use crate::store::Store;
use crate::store::destinations::{self, stream_place};

impl Destinations {
    /// Claims the destinations for the run's connection, once per run, and warns of double counting in CloudZero.
    /// Before the first delivery to a destination it also warns of a bucket that CloudZero cannot read. The caller
    /// holds the connection's lease.
    ///
    /// # Errors
    /// Kind `Config` if another connection delivers there.
    pub(crate) async fn claim(&self, run: &RunContext) -> Result<()> {
        let claim = || self.claim_once(run);
        self.claimed.get_or_try_init(claim).await.copied()
    }

    async fn claim_once(&self, run: &RunContext) -> Result<()> {
        let (store, connection) = (&run.store, &*run.connection);
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
        let mut record = remembered.clone();
        if places.is_subset(&remembered.delivered) {
            // Claimed before, unless an older version delivered, or the claim was released meanwhile.
            destinations::claim(&run.fence()?, &places).await?;
        } else {
            record.delivered.extend(places.iter().cloned());
            destinations::save(&run.fence()?, &record).await?;
            for place in remembered.delivered.difference(&places) {
                tracing::warn!(
                    previous = place,
                    "CloudZero counts every dollar twice while it also reads the previous destination: pause that \
                     connection in CloudZero"
                );
            }
            self.warn_of_first_delivery(store);
        }
        double_counting::warn_daily(run, &record).await;
        Ok(())
    }

    /// Destinations that are not in the store, as they are recorded.
    fn places_outside(&self, store: &Store) -> BTreeSet<String> {
        let buckets = self.bucket.iter().filter(|bucket| !bucket.is_in(store));
        let buckets = buckets.map(|bucket| bucket.store.url().to_string());
        let streams = self.stream.iter().map(|id| stream_place(id));
        buckets.chain(streams).collect()
    }

    fn warn_of_first_delivery(&self, store: &Store) {
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
    }
}
