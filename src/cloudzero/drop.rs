//! A drop on object storage: gzipped CSV files, read back, and then the manifest that names them.
//!
//! ```text
//! cloudzero/<connection>/20261001-20261101/<drop_id>/line_items-00-0001.csv.gz
//! cloudzero/<connection>/20261001-20261101/manifest.json
//! ```
//! CloudZero ingests when the manifest changes, and takes every file of the drop it names (source:
//! CloudZero, "S3 Bucket Delivery Reference"). So the manifest is written last, and a crash before
//! that leaves the drop before in force.

use std::io::Write;

use chrono::{DateTime, Utc};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use flate2::Compression;
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use futures::StreamExt;
use object_store::buffered::BufWriter;
use object_store::{GetResult, GetResultPayload, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::read_back::{self, LineTotals};
use super::{cbf, csv};
use crate::confluent::windows::BillingPeriod;
use crate::engine::{self, Limits};
use crate::error::{Error, Result};
use crate::store::Store;

/// CloudZero takes a million rows a file. Smaller ones are read back from the bucket in one piece
/// without holding much.
const MAX_ROWS: usize = 250_000;
/// Favours speed: the files live until the next drop.
const GZIP_LEVEL: u32 = 1;

/// `manifest.json` of a billing period.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's format.
    pub version: String,
    /// The folder of the drop in force.
    pub current_drop_id: String,
}

/// A drop that was written, read back and put in force.
#[derive(Debug, Clone)]
pub struct Drop {
    /// The folder name.
    pub drop_id: String,
    /// Number of files.
    pub files: usize,
    /// Number of line items.
    pub rows: u64,
}

fn period_folder(connection: &str, period: BillingPeriod) -> String {
    format!("cloudzero/{connection}/{}", period.folder())
}

/// Writes the published line items of a month as a new drop and points the manifest at it.
///
/// `context` must have the month as table `line_items`.
///
/// # Errors
/// Class reconcile when the files do not read back as what was published; class locked when the
/// manifest was moved by another run. The drop before stays in force in both cases.
pub async fn write_drop(
    store: &Store,
    context: &SessionContext,
    limits: Limits,
    connection: &str,
    period: BillingPeriod,
    now: DateTime<Utc>,
) -> Result<Drop> {
    let what = format!("writing the drop of {period}");
    let folder = period_folder(connection, period);
    let manifest_name = format!("{folder}/manifest.json");
    let seen = store.head(&manifest_name).await?;
    let drop_id = free_drop_id(store, &folder, now).await?;

    let table = engine::within(limits, &what, context.table("line_items")).await?;
    let names = cbf::ordered(table.schema().inner());
    let columns: Vec<_> = names
        .iter()
        .map(|name| datafusion::prelude::ident(name.as_str()))
        .collect();
    let rows = table
        .select(columns)
        .map_err(|e| engine::failed(&what, &e))?;
    let streams = engine::within(limits, &what, rows.execute_stream_partitioned()).await?;

    let mut tasks = tokio::task::JoinSet::new();
    for (at, stream) in streams.into_iter().enumerate() {
        let files = format!("{folder}/{drop_id}/line_items-{at:02}");
        tasks.spawn(write_stream(store.clone(), stream, files));
    }
    let (mut found, mut files) = (LineTotals::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (totals, count) = done.map_err(|e| Error::bug(format!("{what}: {e}")))??;
        files += count;
        read_back::merge(&mut found, totals)
            .ok_or_else(|| Error::reconcile(format!("{what}: a sum is too large")))?;
    }
    let expected = published_totals(context, limits).await?;
    read_back::compare(&expected, &found)?;

    let manifest = Manifest {
        version: "1.3.0".into(),
        current_drop_id: drop_id.clone(),
    };
    let json =
        serde_json::to_vec_pretty(&manifest).map_err(|e| Error::bug(format!("manifest: {e}")))?;
    store
        .put_if_unchanged(&manifest_name, json.into(), seen.as_ref())
        .await?;
    let rows = found.values().map(|sums| sums.rows).sum();
    Ok(Drop {
        drop_id,
        files,
        rows,
    })
}

/// The manifest in force, or `None` when the month was never delivered.
pub async fn manifest(
    store: &Store,
    connection: &str,
    period: BillingPeriod,
) -> Result<Option<Manifest>> {
    let name = format!("{}/manifest.json", period_folder(connection, period));
    let Some(bytes) = store.get(&name).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| Error::data(format!("{} cannot be read: {e}", store.display(&name))))
}

/// A drop id from the time; a second drop in the same second gets a number.
async fn free_drop_id(store: &Store, folder: &str, now: DateTime<Utc>) -> Result<String> {
    let base = now.format("%Y%m%dT%H%M%SZ").to_string();
    let mut id = base.clone();
    let mut number = 2;
    while !store.list(&format!("{folder}/{id}")).await?.is_empty() {
        id = format!("{base}-{number}");
        number += 1;
    }
    Ok(id)
}

struct OpenFile {
    gzip: GzEncoder<Vec<u8>>,
    upload: BufWriter,
    name: String,
    rows: usize,
}

/// Writes one stream into files of at most [`MAX_ROWS`], and reads each back.
async fn write_stream(
    store: Store,
    mut stream: SendableRecordBatchStream,
    prefix: String,
) -> Result<(LineTotals, usize)> {
    let (mut totals, mut count) = (LineTotals::new(), 0);
    let mut open: Option<OpenFile> = None;
    let mut text = Vec::with_capacity(2 << 20);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| engine::failed("reading published line items", &e))?;
        let mut from = 0;
        while from < batch.num_rows() {
            if open.as_ref().is_some_and(|file| file.rows == MAX_ROWS)
                && let Some(full) = open.take()
            {
                finish(&store, full, &mut totals).await?;
            }
            let file = match &mut open {
                Some(file) => file,
                closed => {
                    count += 1;
                    let header = batch.schema();
                    text.clear();
                    csv::write_header(&mut text, header.fields().iter().map(|f| f.name().as_str()));
                    let mut file = create(&store, format!("{prefix}-{count:04}.csv.gz"));
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
        finish(&store, last, &mut totals).await?;
    }
    Ok((totals, count))
}

fn create(store: &Store, name: String) -> OpenFile {
    // No time and no file name in the gzip header: the same content gives the same bytes.
    let gzip = GzBuilder::new().write(Vec::new(), Compression::new(GZIP_LEVEL));
    let upload = BufWriter::with_capacity(store.root(), store.path(&name), 5 << 20);
    OpenFile {
        gzip,
        upload,
        name,
        rows: 0,
    }
}

fn compress(file: &mut OpenFile, text: &[u8]) -> Result<()> {
    file.gzip
        .write_all(text)
        .map_err(|e| Error::bug(format!("compressing {}: {e}", file.name)))
}

async fn drain(store: &Store, file: &mut OpenFile) -> Result<()> {
    let bytes = std::mem::take(file.gzip.get_mut());
    file.upload
        .put(bytes.into())
        .await
        .map_err(|e| store.failed("write", &file.name, e))
}

async fn finish(store: &Store, mut file: OpenFile, totals: &mut LineTotals) -> Result<()> {
    file.gzip
        .try_finish()
        .map_err(|e| Error::bug(format!("compressing {}: {e}", file.name)))?;
    drain(store, &mut file).await?;
    file.upload.shutdown().await.map_err(|e| {
        Error::remote(format!("cannot write {}: {e}", store.display(&file.name)))
            .with_hint("check that the store is reachable and has free space, then run it again")
    })?;
    let failed = |e| store.failed("read back", &file.name, e);
    let written = store
        .root()
        .get(&store.path(&file.name))
        .await
        .map_err(failed)?;
    match written.payload {
        GetResultPayload::File(written, _) => read_back::add_file(totals, written, &file.name),
        payload => {
            let written = GetResult { payload, ..written };
            let bytes = written.bytes().await.map_err(failed)?;
            read_back::add_file(totals, bytes.as_ref(), &file.name)
        }
    }
}

/// What the drop must add up to: the published line items, by the groups of read-back.
async fn published_totals(context: &SessionContext, limits: Limits) -> Result<LineTotals> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Decimal128Type, Int64Type};

    const SQL: &str = r#"
        select cast(date_trunc('day', cast("time/usage_start" as timestamp)) as date),
               coalesce("lineitem/type", ''), coalesce("action/usage_type", ''),
               count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("cost/on_demand_cost")
        from line_items group by 1, 2, 3"#;
    let what = "adding up published line items";
    let frame = engine::within(limits, what, context.sql(SQL)).await?;
    let batches = engine::within(limits, what, frame.collect()).await?;
    let mut totals = LineTotals::new();
    for batch in batches {
        let text = |column: usize, row: usize| {
            arrow::util::display::array_value_to_string(batch.column(column), row)
                .map_err(|e| Error::bug(format!("{what}: {e}")))
        };
        let sum = |column: usize, row: usize| {
            batch
                .column(column)
                .as_primitive::<Decimal128Type>()
                .value(row)
        };
        for row in 0..batch.num_rows() {
            let sums = read_back::LineSums {
                rows: batch.column(3).as_primitive::<Int64Type>().value(row) as u64,
                cost: sum(4, row),
                discounted: sum(5, row),
                on_demand: sum(6, row),
            };
            totals.insert((text(0, row)?, text(1, row)?, text(2, row)?), sums);
        }
    }
    Ok(totals)
}
