//! Transform: stored or staged costs through `sql/models/line_items.sql` into staged line items.
//!
//! The month streams: each stream of the query writes one Parquet file. No network is touched.

pub mod check;
pub mod inputs;
pub mod retransform;

use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf;
use crate::confluent::costs::decode;
use crate::engine;
use crate::engine::sql_files::{SqlFile, short_digest};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::enrich::attributes::{self, ResourceAttributes};
use crate::pipeline::transform::inputs::{parameters, register};
use crate::store::staging::Staging;
use crate::store::writer::{DataFile, FileWriter};
use crate::store::{Store, TableName};

/// The mapping's file.
pub const MODEL: &str = "models/line_items";

/// Staged line items of a month.
#[derive(Debug)]
pub struct LineItems {
    /// Files that no commit names yet.
    pub files: Vec<DataFile>,
    /// Columns of the files.
    pub columns: SchemaRef,
    /// Digest of the facts of resources that went into them.
    pub facts: String,
}

impl LineItems {
    /// Number of line items.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// The staged line items of a month.
pub fn staging(job: &RunContext, period: BillingPeriod) -> Staging {
    Staging::new(&job.store, TableName::LineItems, &job.connection, period)
}

/// The version of the mapping: another SQL text or provider label gives another one.
pub fn mapping_version(job: &RunContext) -> Result<String> {
    let model = job.sql.get(MODEL)?;
    let text = format!("{}\0{}", model.text, job.cloud_provider);
    Ok(short_digest(&text))
}

/// Maps the costs in `costs` (files of the `costs` table, committed or not) to line items.
///
/// # Errors
/// Kind data, for a mapping that does not plan, does not give CBF, or fails on a row.
///
/// `facts` are joined by resource; `published` are the columns that the `line_items` table has already.
pub async fn transform(
    job: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    facts: &ResourceAttributes,
    published: &[String],
) -> Result<LineItems> {
    let model = job.sql.get(MODEL)?;
    let context = engine::session(&job.store, job.limits)?;
    register(
        job,
        &context,
        TableName::Costs,
        &decode::SCHEMA,
        period,
        costs,
    )?;
    context
        .register_batch(attributes::TABLE, facts.batch.clone())
        .map_err(|e| engine::failed(attributes::TABLE, &e))?;
    let mapped = model.plan(&context, parameters(job, period)).await?;
    let conformed =
        cbf::conform(mapped.schema(), published).map_err(|e| e.context(model.display()))?;
    let frame = mapped
        .select(conformed.expressions)
        .map_err(|e| model.failed(&e))?;
    let what = format!("mapping {period}");
    let streams = tokio::time::timeout(job.limits.timeout, frame.execute_stream_partitioned())
        .await
        .map_err(|_| Error::data(format!("{what}: planning took too long")))?
        .map_err(|e| model.failed(&e))?;

    let staging = staging(job, period);
    let mut tasks = JoinSet::new();
    for (at, stream) in streams.into_iter().enumerate() {
        let output = Output {
            store: job.store.clone(),
            staging: staging.clone(),
            name: format!("{}-{at:03}.parquet", job.run),
            columns: conformed.schema.clone(),
            model: model.clone(),
        };
        tasks.spawn(write_stream(output, stream));
    }
    let mut files: Vec<DataFile> = Vec::new();
    let mut failure = None;
    let deadline = tokio::time::Instant::now() + job.limits.timeout;
    loop {
        match tokio::time::timeout_at(deadline, tasks.join_next()).await {
            Ok(None) => break,
            Ok(Some(Ok(Ok(file)))) => files.extend(file),
            Ok(Some(Ok(Err(e)))) => failure = Some(e),
            Ok(Some(Err(e))) if e.is_cancelled() => {}
            Ok(Some(Err(e))) => failure = Some(Error::bug(format!("{what}: {e}"))),
            Err(_) => {
                let limit = job.limits.timeout.as_secs();
                failure = Some(Error::data(format!(
                    "{what}: not done after {limit} seconds"
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
    Ok(LineItems {
        files,
        columns: conformed.schema,
        facts: facts.digest.clone(),
    })
}

/// Where one stream of line items goes.
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
