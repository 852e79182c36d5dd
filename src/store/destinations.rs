//! Where a connection delivers to, as the store remembers it: `targets/<connection>.json`.
//!
//! It holds what `targets add` was told, and what a delivery claimed, so that no two connections of a
//! store deliver to one target: each would erase the other's bill. It holds no secrets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::Store;

/// The targets of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetsRecord {
    /// The bucket that was added.
    pub bucket: Option<BucketRecord>,
    /// The stream that was added.
    pub stream: Option<StreamRecord>,
    /// Where line items went, whether it was added or came from the environment: URLs of buckets,
    /// and [`stream_place`] of streams.
    #[serde(default)]
    pub delivered: BTreeSet<String>,
}

/// How a stream is named among the places.
pub fn stream_place(cloudzero_connection: &str) -> String {
    format!("CloudZero's stream `{cloudzero_connection}`")
}

impl TargetsRecord {
    fn places(&self) -> BTreeSet<String> {
        let mut places = self.delivered.clone();
        places.extend(self.bucket.iter().map(|bucket| bucket.url.clone()));
        let streams = self.stream.iter();
        places.extend(streams.map(|stream| stream_place(&stream.cloudzero_connection)));
        places
    }
}

/// A bucket target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRecord {
    /// URL of the folder that holds the billing periods, ending in `/`.
    pub url: String,
    /// CloudZero's id of the billing connection that reads it, where it is known.
    pub cloudzero_connection: Option<String>,
}

/// A stream target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// CloudZero's id of the billing connection.
    pub cloudzero_connection: String,
}

fn name(connection: &str) -> String {
    format!("targets/{connection}.json")
}

/// The targets of a connection; none when nothing is remembered.
pub async fn load(store: &Store, connection: &str) -> Result<TargetsRecord> {
    let name = name(connection);
    match store.get(&name).await? {
        None => Ok(TargetsRecord::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            Error::data(format!("{} cannot be read: {e}", store.display(&name)))
                .with_hint("delete the file and set the targets anew with `billstream targets add`")
        }),
    }
}

/// The targets of every connection.
pub async fn all(store: &Store) -> Result<Vec<(String, TargetsRecord)>> {
    let mut all = Vec::new();
    for file in store.list("targets").await? {
        let connection = file
            .trim_start_matches("targets/")
            .trim_end_matches(".json");
        all.push((connection.to_string(), load(store, connection).await?));
    }
    Ok(all)
}

/// Remembers the targets of a connection, if no other connection has one of them.
///
/// # Errors
/// Kind configuration, naming the other connection.
pub async fn save(store: &Store, connection: &str, record: &TargetsRecord) -> Result<()> {
    refuse_shared(store, connection, record).await?;
    let json = serde_json::to_vec_pretty(record).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    store.put(&name(connection), json).await
}

/// Forgets the targets of a connection.
pub async fn forget(store: &Store, connection: &str) -> Result<()> {
    store.delete(&name(connection)).await
}

/// Refuses targets that another connection of the store has.
///
/// # Errors
/// Kind configuration, naming the other connection.
pub async fn refuse_shared(store: &Store, connection: &str, record: &TargetsRecord) -> Result<()> {
    for (other, theirs) in all(store).await? {
        if other == connection {
            continue;
        }
        if let Some(target) = shared(record, &theirs) {
            return Err(Error::config(format!(
                "connections `{connection}` and `{other}` would both deliver to {target}: each would \
                 erase the other's bill"
            ))
            .with_hint(format!(
                "give each connection a folder, and a CloudZero connection, of its own; or, if `{other}` does not \
                 deliver there any more: `billstream targets remove --connection {other}`"
            )));
        }
    }
    Ok(())
}

fn shared(ours: &TargetsRecord, theirs: &TargetsRecord) -> Option<String> {
    let theirs = theirs.places();
    // Periods of an inner folder would be read as periods of the outer one.
    let collide = |a: &str, b: &str| a == b || (a.ends_with('/') && b.starts_with(a));
    ours.places()
        .into_iter()
        .find(|our| theirs.iter().any(|b| collide(our, b) || collide(b, our)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(url: &str) -> TargetsRecord {
        TargetsRecord {
            bucket: Some(BucketRecord {
                url: url.into(),
                cloudzero_connection: None,
            }),
            ..TargetsRecord::default()
        }
    }

    #[tokio::test]
    async fn two_connections_do_not_share_a_target() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string()).unwrap();
        save(&store, "one", &bucket("s3://a/b/")).await.unwrap();
        save(&store, "one", &bucket("s3://a/b/")).await.unwrap();
        save(&store, "two", &bucket("s3://a/bc/")).await.unwrap();
        for url in ["s3://a/b/", "s3://a/b/c/", "s3://a/"] {
            let error = save(&store, "three", &bucket(url)).await.unwrap_err();
            assert!(error.to_string().contains("`one`"), "{url}: {error}");
        }
        let stream = TargetsRecord {
            stream: Some(StreamRecord {
                cloudzero_connection: "x".into(),
            }),
            ..TargetsRecord::default()
        };
        save(&store, "three", &stream).await.unwrap();
        assert!(save(&store, "four", &stream).await.is_err());
        forget(&store, "three").await.unwrap();
        save(&store, "four", &stream).await.unwrap();
        assert_eq!(load(&store, "four").await.unwrap(), stream);
    }
}
