//! What CloudZero does with a bucket (docs: custom drops, bucket delivery): it looks at the
//! manifest of each billing period, and takes the drop that a changed one names.

use crate::sandbox::cloudzero::period::Month;
use crate::sandbox::cloudzero::rows::{REQUIRED, Row, is_column};
use crate::sandbox::cloudzero::{Bucket, CloudZero, DEFAULT_BUCKET_ID, lock};
use flate2::read::MultiGzDecoder;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore as _, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Rows that a file may have.
const MOST_ROWS: usize = 1_000_000;

/// Content of each period's manifest at the last poll.
pub type Seen = BTreeMap<String, Vec<u8>>;

/// What a poll did.
#[derive(Debug, Default, Serialize)]
pub struct Poll {
    ingested: Vec<Ingested>,
    /// Months whose manifest is as it was.
    unchanged: Vec<String>,
    errors: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Ingested {
    month: String,
    drop_id: String,
    files: usize,
    rows: usize,
}

#[derive(Debug, Serialize)]
struct Failed {
    /// Name of the billing period's folder; none if it is about the bucket.
    period: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "version")]
    _version: String,
    current_drop_id: String,
}

/// Polls the bucket once; `None` when there is no bucket.
pub async fn poll(cloudzero: &CloudZero) -> Option<Poll> {
    let bucket = cloudzero.bucket.as_ref()?;
    let mut seen = cloudzero.seen.lock().await;
    let mut poll = Poll::default();
    if !lock(&cloudzero.connections).is_enabled(DEFAULT_BUCKET_ID) {
        poll.fail(None, "the connection is paused".to_owned());
        return Some(poll);
    }
    let listing = bucket.root.list_with_delimiter(Some(&bucket.prefix)).await;
    let folders = match listing {
        Ok(listing) => listing.common_prefixes,
        Err(error) => {
            poll.fail(None, format!("the bucket cannot be listed: {error}"));
            return Some(poll);
        }
    };
    for folder in folders {
        let name = folder.filename().unwrap_or_default().to_owned();
        let month = match Month::of_folder(&name) {
            None => continue,
            Some(Ok(month)) => month,
            Some(Err(error)) => {
                poll.fail(Some(name), error);
                continue;
            }
        };
        match manifest(bucket, &folder).await {
            Ok(None) => {}
            Ok(Some(content)) if seen.get(&name) == Some(&content) => {
                poll.unchanged.push(month.to_string());
            }
            Ok(Some(content)) => {
                match ingest(cloudzero, bucket, &folder, month, &content).await {
                    Ok(ingested) => poll.ingested.push(ingested),
                    Err(message) => poll.fail(Some(name.clone()), message),
                }
                // Also after an error: only a changed manifest is looked at again.
                seen.insert(name, content);
            }
            Err(error) => poll.fail(Some(name), error),
        }
    }
    Some(poll)
}

impl Poll {
    fn fail(&mut self, period: Option<String>, message: String) {
        self.errors.push(Failed { period, message });
    }
}

async fn manifest(bucket: &Bucket, folder: &Path) -> Result<Option<Vec<u8>>, String> {
    match bucket.root.get(&folder.clone().join("manifest.json")).await {
        Ok(object) => match object.bytes().await {
            Ok(content) => Ok(Some(content.to_vec())),
            Err(error) => Err(format!("the manifest cannot be read: {error}")),
        },
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(format!("the manifest cannot be read: {error}")),
    }
}

/// Replaces a month with the drop that its manifest names. On an error it stays as it was.
async fn ingest(
    cloudzero: &CloudZero,
    bucket: &Bucket,
    folder: &Path,
    month: Month,
    content: &[u8],
) -> Result<Ingested, String> {
    let manifest: Manifest = serde_json::from_slice(content)
        .map_err(|error| format!("manifest.json is wrong: {error}"))?;
    let drop_id = manifest.current_drop_id;
    if drop_id.is_empty() || drop_id.contains('/') {
        return Err("manifest.json: current_drop_id is not the name of a folder".to_owned());
    }
    let place = folder.clone().join(drop_id.as_str());
    let listing: Result<Vec<_>, StoreError> = bucket.root.list(Some(&place)).try_collect().await;
    let mut files: Vec<Path> = listing
        .map_err(|error| format!("the drop cannot be listed: {error}"))?
        .into_iter()
        .map(|object| object.location)
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for file in &files {
        let name = file.filename().unwrap_or_default().to_owned();
        if !name.ends_with(".csv.gz") {
            return Err(format!("{name} is not a .csv.gz file"));
        }
        let object = bucket.root.get(file).await;
        let content = match object {
            Ok(object) => object.bytes().await,
            Err(error) => Err(error),
        };
        let content = content.map_err(|error| format!("{name} cannot be read: {error}"))?;
        let read = tokio::task::spawn_blocking(move || read(&content, month, MOST_ROWS));
        let read = read.await.map_err(|error| error.to_string())?;
        rows.extend(read.map_err(|error| format!("{name}: {error}"))?);
    }
    let ingested = Ingested {
        month: month.to_string(),
        drop_id: drop_id.clone(),
        files: files.len(),
        rows: rows.len(),
    };
    lock(&cloudzero.holdings).replace(DEFAULT_BUCKET_ID, month, &drop_id, rows);
    Ok(ingested)
}

/// Reads a gzipped CSV file of at most `most` rows.
fn read(content: &[u8], month: Month, most: usize) -> Result<Vec<Row>, String> {
    let mut csv = csv::Reader::from_reader(MultiGzDecoder::new(content));
    let header = csv
        .headers()
        .map_err(|error| format!("the header is wrong: {error}"))?;
    let header = header.clone();
    let names: BTreeSet<&str> = header.iter().collect();
    if names.len() < header.len() {
        return Err("a column comes twice".to_owned());
    }
    if let Some(missing) = REQUIRED.iter().find(|name| !names.contains(*name)) {
        return Err(format!("the column {missing} is missing"));
    }
    if let Some(unknown) = names.iter().find(|name| !is_column(name)) {
        return Err(format!("there is no column `{unknown}`"));
    }
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while csv
        .read_record(&mut record)
        .map_err(|error| format!("bad CSV: {error}"))?
    {
        if rows.len() == most {
            return Err(format!("a file has at most {most} rows"));
        }
        let number = rows.len() + 1;
        // A blank cell is an absent one.
        let cells = header
            .iter()
            .zip(&record)
            .filter(|(_, value)| !value.is_empty());
        rows.push(Row::read(cells, month).map_err(|error| format!("row {number}: {error}"))?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let _ = gzip.write_all(text);
        gzip.finish().unwrap_or_default()
    }

    fn refused(text: &str, most: usize) -> String {
        let month = Month::read("2026-10");
        let read = month.map(|month| read(&file(text.as_bytes()), month, most));
        read.and_then(Result::err).unwrap_or_default()
    }

    #[test]
    fn files_are_checked() {
        let head = "time/usage_start,cost/cost,resource/id,resource/tag:env\n";
        let row = "2026-10-01T05:00:00Z,1.5,\"a/b, c\",\n";
        assert_eq!(refused(&format!("{head}{row}{row}"), 2), "");
        assert_eq!(refused(head, 2), "");
        for (text, expected) in [
            (format!("{head}{row}{row}{row}"), "at most 2 rows"),
            (String::new(), "time/usage_start is missing"),
            ("time/usage_start\n".to_owned(), "cost/cost is missing"),
            (
                "time/usage_start,cost/cost,cost/cost\n".to_owned(),
                "comes twice",
            ),
            (
                "time/usage_start,cost/cost,colour\n".to_owned(),
                "no column `colour`",
            ),
            (format!("{head}{row}2026-10-01T05:00:00Z,1\n"), "bad CSV"),
            (
                format!("{head}2026-11-01T00:00:00Z,1,,\n"),
                "not in 2026-10",
            ),
            (
                format!("{head}2026-10-01T00:00:00Z,,,\n"),
                "cost/cost is missing",
            ),
            (
                format!("{head}2026-10-01T00:00:00Z,1,,x\n"),
                "needs a resource/id",
            ),
        ] {
            let error = refused(&text, 2);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let month = Month::read("2026-10").map(|month| read(b"plain text", month, 2));
        assert!(month.is_some_and(|read| read.is_err()));
    }
}
