//! Transform: maps stored or staged costs to staged line items with `sql/models/line_items.sql`.
//!
//! The month is streamed: each stream of the query writes one Parquet file. No network is used.

pub mod check;
pub(crate) mod inputs;
pub(crate) mod own;
pub(crate) mod retransform;

use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf::{self, Conformed};
use crate::engine;
use crate::engine::sql_files::{SqlFile, short_digest};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::enrich::attributes::{self, ResourceAttributes};
use crate::pipeline::transform::inputs::{costs_session, parameters};
use crate::pipeline::transform::own::OwnLineItems;
use crate::store::staging::Staging;
use crate::store::writer::{DataFile, FileWriter};
use crate::store::{Store, TableName};

/// SQL file of the mapping.
pub(crate) const MODEL: &str = "models/line_items";

/// Staged line items of a month.
#[derive(Debug)]
pub struct LineItems {
    /// Files that are not committed yet.
    pub files: Vec<DataFile>,
    /// Columns of the files.
    pub columns: SchemaRef,
    /// Digest of the joined resource attributes.
    pub(crate) attributes_digest: String,
    /// Line items besides those of the costs.
    pub(crate) own: OwnLineItems,
}

impl LineItems {
    /// Number of line items, own ones included.
    pub(crate) fn rows(&self) -> u64 {
        self.all_files().map(|file| file.rows).sum()
    }

    /// Files of all line items, own ones included.
    pub(crate) fn all_files(&self) -> impl Iterator<Item = &DataFile> {
        self.files.iter().chain(&self.own.files)
    }

    /// Columns of all files.
    pub(crate) fn all_columns(&self) -> SchemaRef {
        match &self.own.columns {
            Some(own) => cbf::union_of(&self.columns, own),
            None => self.columns.clone(),
        }
    }
}

/// Staging area of a month's line items.
pub(crate) fn staging(context: &RunContext, period: BillingPeriod) -> Staging {
    Staging::new(
        &context.store,
        TableName::LineItems,
        &context.connection,
        period,
        &context.run,
    )
}

/// Version of the mapping: a digest of the SQL text and the provider label.
pub(crate) fn mapping_version(context: &RunContext) -> Result<String> {
    let model = context.sql.get(MODEL)?;
    let mut text = format!("{}\0{}", model.text, context.cloud_provider);
    if let Some(own) = context.sql.own_line_items() {
        text = format!("{text}\0{}", own.text);
    }
    Ok(short_digest(&text))
}

/// Maps costs, in committed or staged files of the `costs` table, to line items.
///
/// `attributes` are joined by resource; `published` are the columns of the `line_items` table.
///
/// # Errors
/// Kind data, for a mapping that does not plan, does not return CBF, or fails on a row.
pub async fn transform(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    attributes: &ResourceAttributes,
    published: &[String],
) -> Result<LineItems> {
    let model = context.sql.get(MODEL)?;
    let session = costs_session(context, period, costs)?;
    session
        .register_batch(attributes::TABLE, attributes.batch.clone())
        .map_err(|e| engine::failed(attributes::TABLE, &e))?;
    let mapped = model.plan(&session, parameters(context, period)).await?;
    let conformed =
        cbf::conform(mapped.schema(), published).map_err(|e| e.context(model.display()))?;
    let (files, columns) = write_line_items(context, period, model, mapped, conformed, "").await?;
    Ok(LineItems {
        files,
        columns,
        attributes_digest: attributes.digest.clone(),
        own: OwnLineItems::default(),
    })
}

/// Writes the rows of a model to staged files, whose names have `suffix`.
async fn write_line_items(
    context: &RunContext,
    period: BillingPeriod,
    model: &SqlFile,
    mapped: DataFrame,
    conformed: Conformed,
    suffix: &str,
) -> Result<(Vec<DataFile>, SchemaRef)> {
    let frame = mapped
        .select(conformed.expressions)
        .map_err(|e| model.failed(&e))?;
    let what = format!("mapping {period}");
    let streams = tokio::time::timeout(context.limits.timeout, frame.execute_stream_partitioned())
        .await
        .map_err(|_| Error::data(format!("{what}: planning exceeded the timeout")))?
        .map_err(|e| model.failed(&e))?;

    let staging = staging(context, period);
    let mut tasks = JoinSet::new();
    for (at, stream) in streams.into_iter().enumerate() {
        let output = Output {
            store: context.store.clone(),
            staging: staging.clone(),
            name: format!("{}{suffix}-{at:03}.parquet", context.run),
            columns: conformed.schema.clone(),
            model: model.clone(),
        };
        tasks.spawn(write_stream(output, stream).in_current_span());
    }
    let mut files: Vec<DataFile> = Vec::new();
    let mut failure = None;
    let deadline = tokio::time::Instant::now() + context.limits.timeout;
    loop {
        match tokio::time::timeout_at(deadline, tasks.join_next()).await {
            Ok(None) => break,
            Ok(Some(Ok(Ok(file)))) => files.extend(file),
            Ok(Some(Ok(Err(e)))) => failure = Some(e),
            Ok(Some(Err(e))) if e.is_cancelled() => {}
            Ok(Some(Err(e))) => failure = Some(Error::bug(format!("{what}: {e}"))),
            Err(_) => {
                let limit = context.limits.timeout.as_secs();
                failure = Some(Error::data(format!(
                    "{what}: not finished after {limit} seconds"
                )));
            }
        }
        if failure.is_some() {
            tasks.abort_all();
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(error) = failure {
        return Err(error);
    }
    Ok((files, conformed.schema))
}

/// Output file of one stream of line items.
struct Output {
    store: Store,
    staging: Staging,
    name: String,
    columns: SchemaRef,
    model: SqlFile,
}

async fn write_stream(
    output: Output,
    mut stream: SendableRecordBatchStream,
) -> Result<Option<DataFile>> {
    let mut writer: Option<FileWriter> = None;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| output.model.failed(&e))?;
        if batch.num_rows() == 0 {
            continue;
        }
        let file = match &mut writer {
            Some(file) => file,
            closed => {
                let name = output.staging.mark(&output.name).await?;
                closed.insert(FileWriter::new(
                    &output.store,
                    &name,
                    output.columns.clone(),
                )?)
            }
        };
        file.write(&batch).await?;
    }
    let Some(writer) = writer else {
        return Ok(None);
    };
    let path = output.staging.path(&output.name);
    writer.finish(path, &[]).await.map(Some)
}
