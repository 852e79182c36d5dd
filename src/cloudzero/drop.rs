//! A drop on object storage: gzipped CSV files, read back, and then the manifest that names them.
//!
//! ```text
//! <target>/20261001-20261101/<drop_id>/line_items-00-0001.csv.gz
//! <target>/20261001-20261101/manifest.json
//! ```
//! CloudZero ingests when the manifest changes, and takes every file of the drop it names (source:
//! CloudZero, "S3 Bucket Delivery Reference"). So the manifest is written last, and a crash before
//! that leaves the drop before in force.

use std::io::Write;

use chrono::{DateTime, Utc};
use datafusion::execution::SendableRecordBatchStream;
use flate2::Compression;
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use futures::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::{GetResult, GetResultPayload, ObjectMeta, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::csv;
use crate::cloudzero::read_back::{self, LineItemTotalsByGroup};
use crate::engine;
use crate::error::{Error, Result};
use crate::store::{Operation, Store};

/// CloudZero takes a million rows a file. Smaller ones are read back from the bucket in one piece
/// without holding much.
const MAX_ROWS: usize = 250_000;
/// Favours speed: the files live until the next drop.
const GZIP_LEVEL: u32 = 1;

/// `manifest.json` of a billing period.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's format.
    #[serde(default)]
    pub version: String,
    /// The folder of the drop in force.
    pub current_drop_id: String,
}

/// The files of a drop, written and read back.
#[derive(Debug, Default)]
pub struct Files {
    /// Number of files.
    pub count: usize,
    /// Number of line items.
    pub rows: u64,
    /// Compressed bytes.
    pub bytes: u64,
    /// What they add up to, as they were read back.
    pub totals: LineItemTotalsByGroup,
}

/// The manifest of a period, and the object that it was read from.
pub async fn manifest(
    target: &Store,
    period: BillingPeriod,
) -> Result<Option<(Manifest, ObjectMeta)>> {
    let name = manifest_name(period);
    let Some((bytes, seen)) = target.get_with_meta(&name).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(|manifest| Some((manifest, seen)))
        .map_err(|e| {
            Error::data(format!("{} cannot be read: {e}", target.display(&name)))
                .with_hint("delete the file, and deliver the month again")
        })
}

/// Puts a drop in force, if the manifest is still the one that was `seen`.
///
/// # Errors
/// Kind locked, when the manifest was moved by someone else.
pub async fn activate_drop(
    target: &Store,
    period: BillingPeriod,
    drop_id: &str,
    seen: Option<&ObjectMeta>,
) -> Result<()> {
    let manifest = Manifest {
        version: "1.3.0".into(),
        current_drop_id: drop_id.to_string(),
    };
    let json =
        serde_json::to_vec_pretty(&manifest).map_err(|e| Error::bug(format!("manifest: {e}")))?;
    target
        .put_if_unchanged(&manifest_name(period), json.into(), seen)
        .await
}

fn manifest_name(period: BillingPeriod) -> String {
    format!("{}/manifest.json", period.folder())
}

/// The folder of a drop, relative to the target.
pub fn folder(period: BillingPeriod, drop_id: &str) -> String {
    format!("{}/{drop_id}", period.folder())
}

/// Writes each stream into files of the drop, and reads them back. With `keep` false nothing is
/// written, and what would have been is counted.
///
/// # Errors
/// Kind reconcile, when a file does not read back.
pub async fn write(
    target: &Store,
    folder: &str,
    streams: Vec<SendableRecordBatchStream>,
    keep: bool,
) -> Result<Files> {
    let mut tasks = tokio::task::JoinSet::new();
    for (at, stream) in streams.into_iter().enumerate() {
        let prefix = format!("{folder}/line_items-{at:02}");
        tasks.spawn(write_stream(target.clone(), stream, prefix, keep));
    }
    let mut all = Files::default();
    while let Some(done) = tasks.join_next().await {
        let files = done.map_err(|e| Error::bug(format!("writing {folder}: {e}")))??;
        all.count += files.count;
        all.rows += files.rows;
        all.bytes += files.bytes;
        read_back::merge(&mut all.totals, files.totals)
            .ok_or_else(|| Error::reconcile(format!("{folder}: a sum is too large")))?;
    }
    Ok(all)
}

/// Writes a drop of one file with a header and no rows: CloudZero then holds nothing of the month.
pub async fn write_empty(target: &Store, folder: &str, columns: &[String]) -> Result<()> {
    let mut text = Vec::new();
    csv::write_header(&mut text, columns.iter().map(String::as_str));
    let mut file = create(target, format!("{folder}/line_items-00-0001.csv.gz"), true);
    compress(&mut file, &text)?;
    finish(target, file, &mut Files::default()).await
}

/// Number and bytes of the files of a drop that are there.
pub async fn size(target: &Store, period: BillingPeriod, drop_id: &str) -> Result<(usize, u64)> {
    let folder = folder(period, drop_id);
    let files: Vec<ObjectMeta> = target
        .root()
        .list(Some(&target.path(&folder)))
        .try_collect()
        .await
        .map_err(|e| target.error(Operation::List, &folder, &e))?;
    Ok((files.len(), files.iter().map(|file| file.size).sum()))
}

/// What the files of a drop add up to.
///
/// # Errors
/// Kind reconcile, for a file that does not read back.
pub async fn read(target: &Store, period: BillingPeriod, drop_id: &str) -> Result<Files> {
    let mut files = Files::default();
    for name in target.list(&folder(period, drop_id)).await? {
        add_written(target, &name, &mut files.totals).await?;
        files.count += 1;
    }
    files.rows = files.totals.values().map(|sums| sums.rows).sum();
    Ok(files)
}

/// An unused drop id from the time; a second drop in the same second gets a number.
pub async fn free_drop_id(
    target: &Store,
    period: BillingPeriod,
    now: DateTime<Utc>,
) -> Result<String> {
    let base = now.format("%Y%m%dT%H%M%SZ").to_string();
    let mut id = base.clone();
    let mut number = 2;
    while target.has_any(&folder(period, &id)).await? {
        id = format!("{base}-{number}");
        number += 1;
    }
    Ok(id)
}

struct OpenFile {
    gzip: GzEncoder<Vec<u8>>,
    /// `None` where nothing is kept.
    upload: Option<BufWriter>,
    name: String,
    rows: usize,
    bytes: u64,
}

/// Writes one stream into files of at most [`MAX_ROWS`], and reads each back.
async fn write_stream(
    store: Store,
    mut stream: SendableRecordBatchStream,
    prefix: String,
    keep: bool,
) -> Result<Files> {
    let mut files = Files::default();
    let mut open: Option<OpenFile> = None;
    let mut text = Vec::with_capacity(2 << 20);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| engine::failed("reading published line items", &e))?;
        let mut from = 0;
        while from < batch.num_rows() {
            if open.as_ref().is_some_and(|file| file.rows == MAX_ROWS)
                && let Some(full) = open.take()
            {
                finish(&store, full, &mut files).await?;
            }
            let file = match &mut open {
                Some(file) => file,
                closed => {
                    files.count += 1;
                    let name = format!("{prefix}-{:04}.csv.gz", files.count);
                    let header = batch.schema();
                    text.clear();
                    csv::write_header(&mut text, header.fields().iter().map(|f| f.name().as_str()));
                    let mut file = create(&store, name, keep);
                    compress(&mut file, &text)?;
                    closed.insert(file)
                }
            };
            let to = batch.num_rows().min(from + MAX_ROWS - file.rows);
            text.clear();
            csv::write_rows(&mut text, &batch, from, to)?;
            compress(file, &text)?;
            file.rows += to - from;
            from = to;
            if file.gzip.get_ref().len() >= 1 << 20 {
                drain(&store, file).await?;
            }
        }
    }
    if let Some(last) = open {
        finish(&store, last, &mut files).await?;
    }
    Ok(files)
}

fn create(store: &Store, name: String, keep: bool) -> OpenFile {
    // No time and no file name in the gzip header: the same content gives the same bytes.
    let gzip = GzBuilder::new().write(Vec::new(), Compression::new(GZIP_LEVEL));
    let upload = keep.then(|| BufWriter::with_capacity(store.root(), store.path(&name), 5 << 20));
    OpenFile {
        gzip,
        upload,
        name,
        rows: 0,
        bytes: 0,
    }
}

fn compress(file: &mut OpenFile, text: &[u8]) -> Result<()> {
    file.gzip
        .write_all(text)
        .map_err(|e| Error::bug(format!("compressing {}: {e}", file.name)))
}

async fn drain(store: &Store, file: &mut OpenFile) -> Result<()> {
    let bytes = std::mem::take(file.gzip.get_mut());
    file.bytes += bytes.len() as u64;
    let Some(upload) = &mut file.upload else {
        return Ok(());
    };
    upload
        .put(bytes.into())
        .await
        .map_err(|e| store.error(Operation::Write, &file.name, &e))
}

async fn finish(store: &Store, mut file: OpenFile, files: &mut Files) -> Result<()> {
    file.gzip
        .try_finish()
        .map_err(|e| Error::bug(format!("compressing {}: {e}", file.name)))?;
    drain(store, &mut file).await?;
    files.rows += file.rows as u64;
    files.bytes += file.bytes;
    let Some(mut upload) = file.upload else {
        return Ok(());
    };
    upload.shutdown().await.map_err(|e| {
        Error::remote(format!("cannot write {}: {e}", store.display(&file.name)))
            .with_hint("check that the store is reachable and has free space, then run it again")
    })?;
    add_written(store, &file.name, &mut files.totals).await
}

/// Adds up a file that was written.
async fn add_written(store: &Store, name: &str, totals: &mut LineItemTotalsByGroup) -> Result<()> {
    let failed = |e| store.error(Operation::Read, name, &e);
    let written = store.root().get(&store.path(name)).await.map_err(failed)?;
    match written.payload {
        GetResultPayload::File(written, _) => read_back::add_file(totals, written, name),
        payload => {
            let written = GetResult { payload, ..written };
            let bytes = written.bytes().await.map_err(failed)?;
            read_back::add_file(totals, bytes.as_ref(), name)
        }
    }
}
