//! Destinations of each connection, as the store remembers them.
//!
//! A record holds what `destinations add` set up and what deliveries claimed, so that no two connections of a
//! store deliver to one destination: each would erase the other's bill. It holds no secrets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::Store;

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
    fn places(&self) -> BTreeSet<String> {
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

/// Saves the destinations of a connection, unless another connection has one of them.
///
/// # Errors
/// Kind `Config`, naming the other connection.
pub(crate) async fn save(
    store: &Store,
    connection: &str,
    record: &DestinationsRecord,
) -> Result<()> {
    refuse_shared(store, connection, record).await?;
    let json = serde_json::to_vec_pretty(record).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    store.put(&file_name(connection), json).await
}

/// Deletes the record of a connection.
pub(crate) async fn forget(store: &Store, connection: &str) -> Result<()> {
    store.delete(&file_name(connection)).await
}

/// Refuses destinations that another connection of the store has.
///
/// # Errors
/// Kind `Config`, naming the other connection.
pub(crate) async fn refuse_shared(
    store: &Store,
    connection: &str,
    record: &DestinationsRecord,
) -> Result<()> {
    for (other, others_record) in load_all(store).await? {
        if other == connection {
            continue;
        }
        if let Some(place) = shared_place(record, &others_record) {
            return Err(Error::config(format!(
                "connections `{connection}` and `{other}` cannot both deliver to {place}: each would erase \
                 the other's bill"
            ))
            .with_hint(format!(
                "choose a separate folder and CloudZero connection for each; if `{other}` no longer delivers \
                 there, run `billstream destinations remove --connection {other}`"
            )));
        }
    }
    Ok(())
}

fn shared_place(ours: &DestinationsRecord, theirs: &DestinationsRecord) -> Option<String> {
    let theirs = theirs.places();
    // CloudZero would read the periods of an inner folder as periods of the outer one.
    let collide = |a: &str, b: &str| a == b || (a.ends_with('/') && b.starts_with(a));
    ours.places()
        .into_iter()
        .find(|our| theirs.iter().any(|b| collide(our, b) || collide(b, our)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        save(&store, "one", &bucket("s3://a/b/")).await.unwrap();
        save(&store, "one", &bucket("s3://a/b/")).await.unwrap();
        save(&store, "two", &bucket("s3://a/bc/")).await.unwrap();
        for url in ["s3://a/b/", "s3://a/b/c/", "s3://a/"] {
            let error = save(&store, "three", &bucket(url)).await.unwrap_err();
            assert!(error.to_string().contains("`one`"), "{url}: {error}");
        }
        let stream = DestinationsRecord {
            stream: Some(StreamRecord {
                cloudzero_connection: "x".into(),
            }),
            ..DestinationsRecord::default()
        };
        save(&store, "three", &stream).await.unwrap();
        assert!(save(&store, "four", &stream).await.is_err());
        forget(&store, "three").await.unwrap();
        save(&store, "four", &stream).await.unwrap();
        assert_eq!(load(&store, "four").await.unwrap(), stream);
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
        save(&store, "one", &record).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), stored);
        assert_eq!(load_all(&store).await.unwrap(), [("one".into(), record)]);
    }
}
