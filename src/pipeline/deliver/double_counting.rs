//! Other billing connections of CloudZero that bring the same costs: with one of them enabled, CloudZero counts every
//! dollar twice.
//!
//! Deliveries ask CloudZero once a day and warn; `verify` and `destinations add` always ask. The store remembers the
//! answer, which `status` shows. Without the scope to list connections nothing is known.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::cloudzero::client::Client;
use crate::cloudzero::connections::{self, BillingConnection, BucketInfo};
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::pipeline::deliver::destinations::Destinations;
use crate::store::Store;
use crate::store::connection_state;
use crate::store::destinations::{self, DestinationsRecord, stream_place};

/// Name of the state object.
const OBJECT: &str = "double-counting";

/// Last answer of CloudZero for a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoubleCountingState {
    /// Time of the last request.
    pub(crate) asked_at: Option<DateTime<Utc>>,
    /// Time of the last delivery that asked and warned.
    #[serde(default)]
    pub(crate) warned_at: Option<DateTime<Utc>>,
    /// Enabled connections with the same costs.
    #[serde(default)]
    pub(crate) duplicates: Vec<DuplicateSource>,
}

/// Enabled billing connection of CloudZero that brings the same costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DuplicateSource {
    /// Name in CloudZero.
    pub(crate) name: String,
    /// CloudZero's id.
    pub(crate) id: String,
    pub(crate) kind: DuplicateKind,
}

/// Way in which a billing connection brings the same costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DuplicateKind {
    /// CloudZero's native connection to Confluent.
    Native,
    /// It reads drops of this connection beside its stream, or beside another reader.
    ReadsDrops,
    /// A stream that this connection delivered to before.
    FormerStream,
}

impl DuplicateKind {
    fn warning(self) -> &'static str {
        match self {
            DuplicateKind::Native => {
                "CloudZero counts every dollar twice with its native Confluent connection: pause it in CloudZero"
            }
            DuplicateKind::ReadsDrops => {
                "CloudZero counts every dollar twice while it also reads the drops of this connection: pause that \
                 connection in CloudZero"
            }
            DuplicateKind::FormerStream => {
                "CloudZero counts every dollar twice while it also has the previous stream of this connection: pause \
                 that connection in CloudZero"
            }
        }
    }
}

impl fmt::Display for DuplicateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = self.kind.warning();
        write!(f, "{warning} (`{}`, {})", self.name, self.id)
    }
}

/// Places where line items of a connection are or were.
#[derive(Debug, Default)]
struct Places {
    /// Bucket that is delivered to.
    bucket: Option<BucketInfo>,
    /// CloudZero's id of the connection that reads it, if known.
    reader: Option<String>,
    /// CloudZero's id of the stream that is delivered to.
    stream: Option<String>,
    /// Other buckets with drops.
    other_buckets: Vec<BucketInfo>,
    /// Places of the record, including those of former streams.
    recorded: BTreeSet<String>,
}

impl Places {
    fn new(
        destinations: &Destinations,
        record: &DestinationsRecord,
        store: &Store,
        connection: &str,
    ) -> Places {
        let current = destinations.bucket.as_ref();
        let bucket = current.and_then(|bucket| bucket_info(bucket.store.url().as_str()));
        let default = Destinations::in_store(store, connection).bucket;
        let default = default.map(|bucket| bucket.store.url().to_string());
        // CloudZero reads earlier drops as long as its connection is enabled.
        let others = record.delivered.iter().chain(&default);
        let others = others.filter_map(|place| bucket_info(place));
        Places {
            other_buckets: others
                .filter(|other| Some(other) != bucket.as_ref())
                .collect(),
            reader: current.and_then(|bucket| bucket.cloudzero_connection.clone()),
            stream: destinations.stream.clone(),
            recorded: record.places(),
            bucket,
        }
    }

    /// Returns true if CloudZero may have line items of these places.
    fn are_visible(&self) -> bool {
        self.bucket.is_some() || self.stream.is_some() || !self.recorded.is_empty()
    }

    /// Finds the enabled connections that bring the same costs.
    fn duplicates(&self, all: &[BillingConnection]) -> Vec<DuplicateSource> {
        let enabled = || all.iter().filter(|other| other.is_enabled);
        let reads_current = |other: &BillingConnection| {
            self.bucket
                .as_ref()
                .is_some_and(|bucket| other.reads(bucket))
        };
        // One reader of the bucket is right, unless the stream has the same line items.
        let reader = match (&self.stream, &self.reader) {
            (Some(_), _) => None,
            (None, Some(reader)) => Some(reader.as_str()),
            (None, None) => enabled()
                .find(|other| reads_current(other))
                .map(|other| other.id()),
        };
        let kind_of = |other: &BillingConnection| {
            let id = other.id();
            let reads_other = self.other_buckets.iter().any(|bucket| other.reads(bucket));
            let is_former = self.recorded.contains(&stream_place(id));
            if other.is_native_confluent() {
                Some(DuplicateKind::Native)
            } else if reads_other || (reads_current(other) && reader != Some(id)) {
                Some(DuplicateKind::ReadsDrops)
            } else if is_former && self.stream.as_deref() != Some(id) {
                Some(DuplicateKind::FormerStream)
            } else {
                None
            }
        };
        let found = enabled().filter_map(|other| {
            Some(DuplicateSource {
                name: other.name.clone(),
                id: other.id().to_string(),
                kind: kind_of(other)?,
            })
        });
        found.collect()
    }
}

/// Bucket of an `s3://` URL; CloudZero reads no others.
fn bucket_info(place: &str) -> Option<BucketInfo> {
    let url = Url::parse(place).ok().filter(|url| url.scheme() == "s3")?;
    Some(BucketInfo::from_url(&url, None))
}

/// Loads the last answer for a connection; the default if CloudZero was never asked.
pub(crate) async fn load(store: &Store, connection: &str) -> Result<DoubleCountingState> {
    let state = connection_state::read(store, connection, OBJECT).await?;
    Ok(state.unwrap_or_default())
}

/// Deletes the last answer for a connection.
pub(crate) async fn delete(store: &Store, connection: &str) -> Result<()> {
    connection_state::delete(store, connection, OBJECT).await
}

/// Warns of connections that bring the same costs, at most once a day (UTC). It never fails a delivery.
pub(super) async fn warn_daily(run: &RunContext, record: &DestinationsRecord) {
    let (destinations, now) = (&run.destinations, (run.clock)());
    let Some(api) = &destinations.api else {
        return;
    };
    let places = Places::new(destinations, record, &run.store, &run.connection);
    if !places.are_visible() {
        return;
    }
    let state = load(&run.store, &run.connection).await;
    let mut state = state.unwrap_or_else(|error| {
        tracing::debug!(%error, "Could not read the last answer about double counting");
        DoubleCountingState::default()
    });
    let is_today = |at: DateTime<Utc>| at.date_naive() == now.date_naive();
    if state.warned_at.is_some_and(is_today) {
        return;
    }
    ask(api, &places, now, &mut state).await;
    state.warned_at = Some(now);
    warn(&state.duplicates);
    save(run, &state).await;
}

/// Asks CloudZero and remembers the answer. Returns the connections that bring the same costs; none without an API
/// key or scope, or without a place that CloudZero can read.
pub(crate) async fn verify(run: &RunContext) -> Result<Vec<DuplicateSource>> {
    let record = destinations::load(&run.store, &run.connection).await?;
    let Some(api) = &run.destinations.api else {
        return Ok(Vec::new());
    };
    let places = Places::new(&run.destinations, &record, &run.store, &run.connection);
    if !places.are_visible() {
        return Ok(Vec::new());
    }
    let mut state = load(&run.store, &run.connection).await?;
    let is_known = ask(api, &places, (run.clock)(), &mut state).await;
    save(run, &state).await;
    Ok(if is_known {
        state.duplicates
    } else {
        Vec::new()
    })
}

/// Warns of connections that bring the same costs as a destination that is being added, which `record` contains.
pub(crate) async fn warn_of_added(
    api: &Client,
    added: &Destinations,
    record: &DestinationsRecord,
    store: &Store,
    connection: &str,
) {
    let places = Places::new(added, record, store, connection);
    let mut state = DoubleCountingState::default();
    ask(api, &places, DateTime::UNIX_EPOCH, &mut state).await;
    warn(&state.duplicates);
}

/// Asks CloudZero; returns false if it does not say. The last answer is kept, unless the key lost its scope.
async fn ask(
    api: &Client,
    places: &Places,
    now: DateTime<Utc>,
    state: &mut DoubleCountingState,
) -> bool {
    match connections::list(api).await {
        Ok(all) => {
            state.asked_at = Some(now);
            state.duplicates = places.duplicates(&all);
            true
        }
        Err(error) => {
            if error.is_forbidden() {
                state.duplicates.clear();
            }
            tracing::debug!(%error, "Could not ask CloudZero for connections that bring the same costs");
            false
        }
    }
}

fn warn(duplicates: &[DuplicateSource]) {
    for duplicate in duplicates {
        let (name, id) = (&duplicate.name, &duplicate.id);
        tracing::warn!(%name, %id, "{}", duplicate.kind.warning());
    }
}

async fn save(run: &RunContext, state: &DoubleCountingState) {
    let saved = async { connection_state::write_fenced(&run.fence()?, OBJECT, state).await };
    if let Err(error) = saved.await {
        tracing::warn!(%error, "Could not remember CloudZero's answer about double counting");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pipeline::testing;
    use crate::store::lease::Lease;
    use crate::store::testing::ScriptedStore;

    fn billing(id: &str, kind: &str, bucket: &str, is_enabled: bool) -> BillingConnection {
        let (name, path) = bucket.split_once('/').unwrap_or_default();
        let info = serde_json::json!({ "bucket_name": name, "bucket_path": path });
        serde_json::from_value(serde_json::json!({
            "id": id, "name": id, "connection_type": kind, "is_enabled": is_enabled,
            "s3_bucket_info": (!name.is_empty()).then_some(info),
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_run_that_lost_its_lease_remembers_nothing() {
        let now = "2026-11-23T06:00:00Z";
        let script = ScriptedStore::new(now);
        let store = Store::over(Arc::new(script.clone()));
        let run = testing::context(&store, now);
        let lost = Lease::claim(&store, "acme", "one").await.unwrap();
        run.set_fence(Some(lost.fence()));
        script.advance(chrono::TimeDelta::minutes(6));
        let taken = Lease::claim(&store, "acme", "two").await.unwrap();
        let state = DoubleCountingState {
            warned_at: Some(DateTime::UNIX_EPOCH),
            ..DoubleCountingState::default()
        };
        save(&run, &state).await;
        assert_eq!(load(&store, "acme").await.unwrap(), Default::default());
        run.set_fence(Some(taken.fence()));
        save(&run, &state).await;
        assert_eq!(load(&store, "acme").await.unwrap(), state);
    }

    fn found(places: &Places, all: &[BillingConnection]) -> Vec<(String, DuplicateKind)> {
        let found = places.duplicates(all).into_iter();
        found.map(|one| (one.id, one.kind)).collect()
    }

    fn all() -> Vec<BillingConnection> {
        vec![
            billing("ours", "custom", "acme/confluent", true),
            billing("second", "custom", "acme/confluent/", true),
            billing("paused", "custom", "acme/confluent", false),
            billing("other", "custom", "acme/other", true),
            billing("old", "custom", "acme/old", true),
            billing("stream", "custom", "", true),
            billing("former", "custom", "", true),
            billing("native", "Confluent Cloud", "", true),
        ]
    }

    #[test]
    fn finds_every_connection_beside_a_bucket() {
        let mut places = Places {
            bucket: bucket_info("s3://acme/confluent/"),
            other_buckets: bucket_info("s3://acme/old/").into_iter().collect(),
            recorded: [stream_place("former")].into(),
            ..Places::default()
        };
        let expected = [
            ("second", DuplicateKind::ReadsDrops),
            ("old", DuplicateKind::ReadsDrops),
            ("former", DuplicateKind::FormerStream),
            ("native", DuplicateKind::Native),
        ];
        let expected = expected.map(|(id, kind)| (id.to_string(), kind));
        assert_eq!(found(&places, &all()), expected);
        places.reader = Some("second".into());
        assert_eq!(found(&places, &all())[0].0, "ours");
    }

    #[test]
    fn with_a_stream_every_reader_of_a_bucket_counts_twice() {
        let places = Places {
            bucket: bucket_info("s3://acme/confluent/"),
            reader: Some("ours".into()),
            stream: Some("stream".into()),
            recorded: [stream_place("stream")].into(),
            ..Places::default()
        };
        let ids: Vec<String> = found(&places, &all())
            .into_iter()
            .map(|one| one.0)
            .collect();
        assert_eq!(ids, ["ours", "second", "native"]);
    }

    #[test]
    fn ignores_folders_that_cloudzero_cannot_read() {
        assert_eq!(bucket_info("file:///data/confluent/"), None);
        assert_eq!(bucket_info(&stream_place("x")), None);
        assert!(found(&Places::default(), &all()[..7]).is_empty());
    }
}
