//! Destinations of each connection, as the store remembers them.
//!
//! A record holds what `destinations add` set up and where line items were delivered. No two connections of a store may
//! deliver to one destination, because each would erase the other's bill: every place of a record is claimed (see
//! [`claims`]). Records of stores that are older than claims count as claims until the next delivery creates those.
//! Nothing here is secret.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::claims::{self, Scope, Taken};
use crate::store::lease::Fence;

/// Folder of the records. Its name is older than the word "destination"; it stays, so that all versions of
/// billstream see the same claims.
const FOLDER: &str = "targets";

/// Destinations of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DestinationsRecord {
    /// Bucket that was added.
    pub(crate) bucket: Option<BucketRecord>,
    /// Stream that was added.
    pub(crate) stream: Option<StreamRecord>,
    /// Places that line items were delivered to, whether added or set in the environment: URLs of buckets and
    /// the [`stream_place`] of streams.
    #[serde(default)]
    pub(crate) delivered: BTreeSet<String>,
}

/// Returns the place of a stream. It is part of the stored format.
pub(crate) fn stream_place(cloudzero_connection: &str) -> String {
    format!("CloudZero's stream `{cloudzero_connection}`")
}

impl DestinationsRecord {
    /// Places of all destinations, added or delivered to.
    pub(crate) fn places(&self) -> BTreeSet<String> {
        let mut places = self.delivered.clone();
        places.extend(self.bucket.iter().map(|bucket| bucket.url.clone()));
        let streams = self.stream.iter();
        places.extend(streams.map(|stream| stream_place(&stream.cloudzero_connection)));
        places
    }
}

/// Bucket destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BucketRecord {
    /// URL of the folder that contains the billing periods, ending in `/`.
    pub(crate) url: String,
    /// CloudZero's id of the billing connection that reads it, if known.
    pub(crate) cloudzero_connection: Option<String>,
}

/// Stream destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    /// CloudZero's id of the billing connection.
    pub(crate) cloudzero_connection: String,
}

fn file_name(connection: &str) -> String {
    format!("{FOLDER}/{connection}.json")
}

/// Loads the destinations of a connection; the default if the store remembers none.
pub(crate) async fn load(store: &Store, connection: &str) -> Result<DestinationsRecord> {
    let name = file_name(connection);
    let Some(bytes) = store.get(&name).await? else {
        return Ok(DestinationsRecord::default());
    };
    serde_json::from_slice(&bytes).map_err(|e| {
        let name = store.display(&name);
        Error::data(format!("could not read `{name}`: {e}")).with_hint(
            "delete the file, then add the destinations again with `billstream destinations add`",
        )
    })
}

/// Loads the destinations of every connection.
pub(crate) async fn load_all(store: &Store) -> Result<Vec<(String, DestinationsRecord)>> {
    let mut all = Vec::new();
    for name in store.list(FOLDER).await? {
        let connection = name
            .strip_prefix(FOLDER)
            .and_then(|name| name.strip_prefix('/'))
            .and_then(|name| name.strip_suffix(".json"));
        if let Some(connection) = connection {
            all.push((connection.to_string(), load(store, connection).await?));
        }
    }
    Ok(all)
}

/// Saves the destinations of the fence's connection, and claims their places. Claims on places that the record no
/// longer has are released.
///
/// # Errors
/// Kind `Config`, naming the connection that has one of the places; kind `Locked` after a lost lease.
pub(crate) async fn save(fence: &Fence, record: &DestinationsRecord) -> Result<()> {
    let (store, connection) = (fence.store(), fence.connection());
    let places = record.places();
    claim(fence, &places).await?;
    let json = serde_json::to_vec_pretty(record).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    fence.confirm().await?;
    store.put(&file_name(connection), json).await?;
    claims::release(store, Scope::Destinations, connection, &places).await
}

/// Deletes the record of the fence's connection and releases its claims.
pub(crate) async fn forget(fence: &Fence) -> Result<()> {
    let (store, connection) = (fence.store(), fence.connection());
    fence.confirm().await?;
    store.delete(&file_name(connection)).await?;
    claims::release(store, Scope::Destinations, connection, &BTreeSet::new()).await
}

/// Releases the claims of the fence's connection on places that its record does not have, after a set-up that failed.
pub(crate) async fn release_unrecorded(fence: &Fence) -> Result<()> {
    let (store, connection) = (fence.store(), fence.connection());
    fence.confirm().await?;
    let places = load(store, connection).await?.places();
    claims::release(store, Scope::Destinations, connection, &places).await
}

/// Returns true if a connection has a record or a claim.
pub(crate) async fn is_known(store: &Store, connection: &str) -> Result<bool> {
    if store.head(&file_name(connection)).await?.is_some() {
        return Ok(true);
    }
    let claims = claims::all(store, Scope::Destinations).await?;
    Ok(claims.iter().any(|claim| claim.connection == connection))
}

/// Claims places for the fence's connection, all or none. Places that it has cost one read each.
///
/// # Errors
/// Kind `Config`, naming the connection that has one of the places, or one around or inside of it.
pub(crate) async fn claim(fence: &Fence, places: &BTreeSet<String>) -> Result<()> {
    let (store, connection) = (fence.store(), fence.connection());
    fence.confirm().await?;
    let mut new = BTreeSet::new();
    let claimed = claim_each(store, connection, places, &mut new).await;
    if claimed.is_err() && !new.is_empty() {
        let kept = claims::all(store, Scope::Destinations).await?;
        let kept = kept.into_iter().map(|claim| claim.subject);
        let kept: BTreeSet<String> = kept.filter(|place| !new.contains(place)).collect();
        claims::release(store, Scope::Destinations, connection, &kept).await?;
    }
    claimed
}

async fn claim_each(
    store: &Store,
    connection: &str,
    places: &BTreeSet<String>,
    new: &mut BTreeSet<String>,
) -> Result<()> {
    for place in places {
        match claims::take(store, Scope::Destinations, place, connection).await? {
            Taken::Kept => {}
            Taken::New => {
                new.insert(place.clone());
            }
            Taken::HeldBy(holder) => return Err(shared(connection, &holder, place)),
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    // The claims exist before the others are read, so of two connections with overlapping folders at least one sees
    // the other.
    refuse_shared(store, connection, new).await
}

/// Refuses places that another connection of the store has, or that contain one or lie in one.
///
/// # Errors
/// Kind `Config`, naming the other connection.
pub(crate) async fn refuse_shared(
    store: &Store,
    connection: &str,
    places: &BTreeSet<String>,
) -> Result<()> {
    let mut others: Vec<(String, String)> = Vec::new();
    for claim in claims::all(store, Scope::Destinations).await? {
        others.push((claim.connection, claim.subject));
    }
    for (other, record) in load_all(store).await? {
        let places = record.places().into_iter();
        others.extend(places.map(|place| (other.clone(), place)));
    }
    others.sort();
    for (holder, theirs) in others.iter().filter(|(other, _)| other != connection) {
        if let Some(place) = places.iter().find(|place| overlap(place, theirs)) {
            return Err(shared(connection, holder, place));
        }
    }
    Ok(())
}

/// CloudZero would read the periods of an inner folder as periods of the outer one.
fn overlap(a: &str, b: &str) -> bool {
    let contains = |outer: &str, inner: &str| outer.ends_with('/') && inner.starts_with(outer);
    a == b || contains(a, b) || contains(b, a)
}

fn shared(connection: &str, holder: &str, place: &str) -> Error {
    Error::config(format!(
        "connections `{connection}` and `{holder}` cannot both deliver to {place}: each would erase the other's \
         bill, and `{holder}` has claimed it"
    ))
    .with_hint(format!(
        "choose a separate folder and CloudZero connection for each; if `{holder}` no longer delivers there, release \
         it with `billstream destinations remove --connection {holder}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(store: &Store, connection: &str) -> Fence {
        Fence::unchecked(store, connection, "run")
    }

    fn bucket(url: &str) -> DestinationsRecord {
        DestinationsRecord {
            bucket: Some(BucketRecord {
                url: url.into(),
                cloudzero_connection: None,
            }),
            ..DestinationsRecord::default()
        }
    }

    #[tokio::test]
    async fn refuses_a_destination_of_another_connection() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        save(&fence(&store, "one"), &bucket("s3://a/b/"))
            .await
            .unwrap();
        save(&fence(&store, "one"), &bucket("s3://a/b/"))
            .await
            .unwrap();
        save(&fence(&store, "two"), &bucket("s3://a/bc/"))
            .await
            .unwrap();
        for url in ["s3://a/b/", "s3://a/b/c/", "s3://a/"] {
            let error = save(&fence(&store, "three"), &bucket(url))
                .await
                .unwrap_err();
            assert!(error.to_string().contains("`one`"), "{url}: {error}");
        }
        let stream = DestinationsRecord {
            stream: Some(StreamRecord {
                cloudzero_connection: "x".into(),
            }),
            ..DestinationsRecord::default()
        };
        save(&fence(&store, "three"), &stream).await.unwrap();
        assert!(save(&fence(&store, "four"), &stream).await.is_err());
        forget(&fence(&store, "three")).await.unwrap();
        save(&fence(&store, "four"), &stream).await.unwrap();
        assert_eq!(load(&store, "four").await.unwrap(), stream);
    }

    fn places(of: &[&str]) -> BTreeSet<String> {
        of.iter().map(|place| place.to_string()).collect()
    }

    #[tokio::test]
    async fn a_refused_connection_keeps_no_new_claim() {
        let store = Store::in_memory();
        claim(&fence(&store, "one"), &places(&["s3://a/b/"]))
            .await
            .unwrap();
        let both = places(&["s3://a/b/c/", "s3://x/y/"]);
        let error = claim(&fence(&store, "two"), &both).await.unwrap_err();
        assert!(error.hint().unwrap().contains("remove --connection one"));
        let both = places(&["s3://a/a/", "s3://a/b/"]);
        claim(&fence(&store, "two"), &both).await.unwrap_err();
        let left = claims::all(&store, Scope::Destinations).await.unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(!is_known(&store, "two").await.unwrap());
        assert!(is_known(&store, "one").await.unwrap());
    }

    #[tokio::test]
    async fn of_two_connections_at_the_same_moment_one_delivers_at_most() {
        for (ours, theirs) in [("s3://a/b/", "s3://a/b/"), ("s3://a/b/", "s3://a/b/c/")] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&folder.path().display().to_string()).unwrap();
            let (ours, theirs) = (places(&[ours]), places(&[theirs]));
            let (one, two) = (fence(&store, "one"), fence(&store, "two"));
            let (one, two) = futures::join!(claim(&one, &ours), claim(&two, &theirs));
            assert!(one.is_err() || two.is_err(), "{ours:?} {theirs:?}");
        }
    }

    #[tokio::test]
    async fn records_without_claims_count_as_claims_and_get_them() {
        let store = Store::in_memory();
        let old = br#"{"bucket": null, "stream": null, "delivered": ["s3://a/b/"]}"#;
        store.put("targets/one.json", &old[..]).await.unwrap();
        let here = places(&["s3://a/b/"]);
        let error = claim(&fence(&store, "two"), &here).await.unwrap_err();
        assert!(error.to_string().contains("`one`"), "{error}");
        claim(&fence(&store, "one"), &here).await.unwrap();
        let holder = claims::holder(&store, Scope::Destinations, "s3://a/b/").await;
        assert_eq!(holder.unwrap().as_deref(), Some("one"));
    }

    #[tokio::test]
    async fn a_replaced_destination_is_released() {
        let store = Store::in_memory();
        save(&fence(&store, "one"), &bucket("s3://a/b/"))
            .await
            .unwrap();
        save(&fence(&store, "one"), &bucket("s3://a/c/"))
            .await
            .unwrap();
        save(&fence(&store, "two"), &bucket("s3://a/b/"))
            .await
            .unwrap();
        assert!(
            save(&fence(&store, "two"), &bucket("s3://a/c/"))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn keeps_the_path_and_form_of_earlier_versions() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        let stored = r#"{
  "bucket": {
    "url": "s3://a/b/",
    "cloudzero_connection": null
  },
  "stream": {
    "cloudzero_connection": "x"
  },
  "delivered": [
    "CloudZero's stream `x`",
    "s3://a/b/"
  ]
}"#;
        let path = folder.path().join("targets/one.json");
        std::fs::create_dir(folder.path().join("targets")).unwrap();
        std::fs::write(&path, stored).unwrap();
        let record = load(&store, "one").await.unwrap();
        assert_eq!(record.bucket, bucket("s3://a/b/").bucket);
        assert!(record.delivered.contains(&stream_place("x")));
        std::fs::remove_file(&path).unwrap();
        save(&fence(&store, "one"), &record).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), stored);
        assert_eq!(load_all(&store).await.unwrap(), [("one".into(), record)]);
    }
}
