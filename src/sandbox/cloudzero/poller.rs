//! Polling of a bucket (docs: custom drops, bucket delivery): reads the manifest of each billing period and
//! ingests the drop that a changed manifest names.

use crate::sandbox::cloudzero::line_item::{LineItem, REQUIRED_COLUMNS, is_column};
use crate::sandbox::cloudzero::period::Month;
use crate::sandbox::cloudzero::{Bucket, CloudZero, DEFAULT_BUCKET_ID};
use crate::sandbox::server::state::lock;
use flate2::read::MultiGzDecoder;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore as _, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MAX_ROWS_PER_FILE: usize = 1_000_000;

/// Manifest content at the last poll, by period folder.
pub(crate) type SeenManifests = BTreeMap<String, Vec<u8>>;

/// Result of one poll.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PollReport {
    ingested: Vec<IngestedDrop>,
    /// Months with an unchanged manifest.
    unchanged: Vec<String>,
    errors: Vec<PollError>,
}

#[derive(Debug, Serialize)]
struct IngestedDrop {
    month: String,
    drop_id: String,
    files: usize,
    rows: usize,
}

#[derive(Debug, Serialize)]
struct PollError {
    /// Folder name of the billing period; `None` for errors of the bucket.
    period: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "version")]
    _version: String,
    current_drop_id: String,
}

/// Polls the bucket once; `None` without a bucket.
pub(crate) async fn poll(cloudzero: &CloudZero) -> Option<PollReport> {
    let bucket = cloudzero.bucket.as_ref()?;
    let mut seen_manifests = cloudzero.seen_manifests.lock().await;
    let mut report = PollReport::default();
    if !lock(&cloudzero.real.connections).is_enabled(DEFAULT_BUCKET_ID) {
        report.fail(None, "the connection is paused".to_owned());
        return Some(report);
    }
    let listing = bucket.root.list_with_delimiter(Some(&bucket.prefix)).await;
    let folders = match listing {
        Ok(listing) => listing.common_prefixes,
        Err(error) => {
            report.fail(None, format!("could not list the bucket: {error}"));
            return Some(report);
        }
    };
    for folder in folders {
        let name = folder.filename().unwrap_or_default().to_owned();
        let month = match Month::from_folder(&name) {
            None => continue,
            Some(Ok(month)) => month,
            Some(Err(error)) => {
                report.fail(Some(name), error);
                continue;
            }
        };
        match read_manifest(bucket, &folder).await {
            Ok(None) => {}
            Ok(Some(content)) if seen_manifests.get(&name) == Some(&content) => {
                report.unchanged.push(month.to_string());
            }
            Ok(Some(content)) => {
                match ingest(cloudzero, bucket, &folder, month, &content).await {
                    Ok(ingested) => report.ingested.push(ingested),
                    Err(message) => report.fail(Some(name.clone()), message),
                }
                // Also after an error: only a changed manifest is ingested again.
                seen_manifests.insert(name, content);
            }
            Err(error) => report.fail(Some(name), error),
        }
    }
    Some(report)
}

impl PollReport {
    fn fail(&mut self, period: Option<String>, message: String) {
        self.errors.push(PollError { period, message });
    }
}

async fn read_manifest(bucket: &Bucket, folder: &Path) -> Result<Option<Vec<u8>>, String> {
    match bucket.root.get(&folder.clone().join("manifest.json")).await {
        Ok(object) => match object.bytes().await {
            Ok(content) => Ok(Some(content.to_vec())),
            Err(error) => Err(format!("could not read the manifest: {error}")),
        },
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(format!("could not read the manifest: {error}")),
    }
}

/// Replaces a month with the drop that its manifest names; keeps the month on errors.
async fn ingest(
    cloudzero: &CloudZero,
    bucket: &Bucket,
    folder: &Path,
    month: Month,
    content: &[u8],
) -> Result<IngestedDrop, String> {
    let manifest: Manifest = serde_json::from_slice(content)
        .map_err(|error| format!("could not parse manifest.json: {error}"))?;
    let drop_id = manifest.current_drop_id;
    if drop_id.is_empty() || drop_id.contains('/') {
        return Err("manifest.json: current_drop_id is not the name of a folder".to_owned());
    }
    let drop_folder = folder.clone().join(drop_id.as_str());
    let listing: Result<Vec<_>, StoreError> =
        bucket.root.list(Some(&drop_folder)).try_collect().await;
    let mut files: Vec<Path> = listing
        .map_err(|error| format!("could not list the drop: {error}"))?
        .into_iter()
        .map(|object| object.location)
        .collect();
    files.sort();
    let mut line_items = Vec::new();
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
        let content = content.map_err(|error| format!("could not read {name}: {error}"))?;
        let parsing =
            tokio::task::spawn_blocking(move || parse_file(&content, month, MAX_ROWS_PER_FILE));
        let parsed = parsing.await.map_err(|error| error.to_string())?;
        line_items.extend(parsed.map_err(|error| format!("{name}: {error}"))?);
    }
    let ingested = IngestedDrop {
        month: month.to_string(),
        drop_id: drop_id.clone(),
        files: files.len(),
        rows: line_items.len(),
    };
    lock(&cloudzero.real.ledger).replace(DEFAULT_BUCKET_ID, month, &drop_id, line_items);
    Ok(ingested)
}

/// Parses a gzipped CSV file of at most `max_rows` rows.
fn parse_file(content: &[u8], month: Month, max_rows: usize) -> Result<Vec<LineItem>, String> {
    let mut csv = csv::Reader::from_reader(MultiGzDecoder::new(content));
    let header = csv
        .headers()
        .map_err(|error| format!("could not read the header: {error}"))?;
    let header = header.clone();
    let names: BTreeSet<&str> = header.iter().collect();
    if names.len() < header.len() {
        return Err("a column occurs twice".to_owned());
    }
    if let Some(missing) = REQUIRED_COLUMNS.iter().find(|name| !names.contains(*name)) {
        return Err(format!("the column {missing} is missing"));
    }
    if let Some(unknown) = names.iter().find(|name| !is_column(name)) {
        return Err(format!("no column `{unknown}` in the Common Bill Format"));
    }
    let mut line_items = Vec::new();
    let mut record = csv::StringRecord::new();
    while csv
        .read_record(&mut record)
        .map_err(|error| format!("invalid CSV: {error}"))?
    {
        if line_items.len() == max_rows {
            return Err(format!("a file has at most {max_rows} rows"));
        }
        let number = line_items.len() + 1;
        // Empty cells count as absent.
        let cells = header
            .iter()
            .zip(&record)
            .filter(|(_, value)| !value.is_empty());
        line_items
            .push(LineItem::parse(cells, month).map_err(|error| format!("row {number}: {error}"))?);
    }
    Ok(line_items)
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

    fn rejection(text: &str, max_rows: usize) -> String {
        let month = Month::parse("2026-10");
        let parsed = month.map(|month| parse_file(&file(text.as_bytes()), month, max_rows));
        parsed.and_then(Result::err).unwrap_or_default()
    }

    #[test]
    fn rejects_invalid_files() {
        let head = "time/usage_start,cost/cost,resource/id,resource/tag:env\n";
        let row = "2026-10-01T05:00:00Z,1.5,\"a/b, c\",\n";
        assert_eq!(rejection(&format!("{head}{row}{row}"), 2), "");
        assert_eq!(rejection(head, 2), "");
        for (text, expected) in [
            (format!("{head}{row}{row}{row}"), "at most 2 rows"),
            (String::new(), "time/usage_start is missing"),
            ("time/usage_start\n".to_owned(), "cost/cost is missing"),
            (
                "time/usage_start,cost/cost,cost/cost\n".to_owned(),
                "occurs twice",
            ),
            (
                "time/usage_start,cost/cost,colour\n".to_owned(),
                "no column `colour`",
            ),
            (
                format!("{head}{row}2026-10-01T05:00:00Z,1\n"),
                "invalid CSV",
            ),
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
            let error = rejection(&text, 2);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let parsed = Month::parse("2026-10").map(|month| parse_file(b"plain text", month, 2));
        assert!(parsed.is_some_and(|parsed| parsed.is_err()));
    }
}
