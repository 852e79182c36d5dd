//! Checks: `sql/checks/*.sql` over costs, staged line items and the totals taken on the wire.
//!
//! A check returns the rows that offend. Any row stops the publish: exit code 5 for a check that
//! reconciles (`-- exit 5` in its second line), else 1.

use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt, stream};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf;
use crate::confluent::costs::decode;
use crate::control_totals::ControlTotals;
use crate::engine;
use crate::engine::sql_files::SqlFile;
use crate::engine::text::batches_table;
use crate::error::{Error, Result};
use crate::pipeline::enrich::attributes::ResourceAttributes;
use crate::pipeline::publish::Tables;
use crate::pipeline::pull::Pulled;
use crate::pipeline::transform::inputs::{parameters, register};
use crate::pipeline::transform::{self, LineItems};
use crate::pipeline::{RunContext, Stage};
use crate::store::TableName;
use crate::store::writer::DataFile;

/// The check that a pull alone must pass.
const COSTS_MATCH_WIRE: &str = "checks/costs_match_wire";
/// Line items in one bucket of a check that uses `$bucket`.
const BUCKET_ROWS: u64 = 1_500_000;
/// Checks that run at the same time.
const AT_ONCE: usize = 2;
const SHOWN_ROWS: usize = 20;

/// Compares costs files, as written, with the totals of the wire.
///
/// # Errors
/// Kind reconcile, with the groups that differ.
pub async fn check_costs(
    job: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
) -> Result<()> {
    let context = session(job, period, costs, totals)?;
    let check = job.sql.get(COSTS_MATCH_WIRE)?;
    let offending = run(job, &context, check, period, 1).await?;
    verdict(
        job,
        period,
        offending.map(|rows| (check, rows)).into_iter().collect(),
    )
}

/// Maps a month's costs to staged line items that have passed every check.
///
/// # Errors
/// As [`transform::transform`] and [`check_all`].
pub async fn checked_line_items(
    job: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    source: &Pulled,
    facts: &ResourceAttributes,
) -> Result<LineItems> {
    (job.progress)(format!("{period}: mapping {} costs", source.digest.count()));
    let stage = Stage::begin("transform");
    let published = tables.line_item_names()?;
    let line_items = transform::transform(job, period, &source.files, facts, &published).await?;
    drop(stage);
    let _stage = Stage::begin("checks");
    check_all(job, period, &source.files, &source.totals, &line_items).await?;
    Ok(line_items)
}

/// Runs every check over a month that is about to be published.
///
/// # Errors
/// Kind reconcile or data, with the offending rows of every check that failed.
pub async fn check_all(
    job: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
    line_items: &LineItems,
) -> Result<()> {
    let context = session(job, period, costs, totals)?;
    register(
        job,
        &context,
        TableName::LineItems,
        &line_items.columns,
        period,
        &line_items.files,
    )?;
    let tags = tags_view(&line_items.columns);
    let what = "view line_item_tags";
    engine::within(job.limits, what, context.sql(&tags)).await?;
    let buckets = line_items.rows().div_ceil(BUCKET_ROWS).max(1);
    (job.progress)(format!(
        "{period}: checking {} line items",
        line_items.rows()
    ));
    // A few at once: planning is one thread's work.
    let answers = stream::iter(job.sql.checks())
        .map(|check| {
            let answer = run(job, &context, check, period, buckets);
            async move { answer.await.map(|rows| rows.map(|rows| (check, rows))) }
        })
        .buffered(AT_ONCE);
    let answers: Vec<_> = answers.try_collect().await?;
    verdict(job, period, answers.into_iter().flatten().collect())
}

fn session(
    job: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
) -> Result<SessionContext> {
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
        .register_batch("wire_totals", totals.to_batch()?)
        .map_err(|e| engine::failed("table wire_totals", &e))?;
    Ok(context)
}

/// A view of every distinct tag: `resource_id`, `key`, `value`.
fn tags_view(columns: &arrow::datatypes::SchemaRef) -> String {
    let quoted = |text: &str| text.replace('\'', "''");
    let mut parts: Vec<String> = columns
        .fields()
        .iter()
        .filter_map(|field| field.name().strip_prefix(cbf::TAG_PREFIX))
        .map(|key| {
            let column = format!("\"{}{key}\"", cbf::TAG_PREFIX);
            format!(
                "select \"resource/id\" as resource_id, '{}' as key, {column} as value \
                 from line_items where {column} <> ''",
                quoted(key)
            )
        })
        .collect();
    if parts.is_empty() {
        parts.push(
            "select \"resource/id\" as resource_id, '' as key, '' as value from line_items where false"
                .to_string(),
        );
    }
    format!(
        "create view line_item_tags as select distinct * from ({})",
        parts.join(" union all ")
    )
}

/// The offending rows of a check, or `None`.
async fn run(
    job: &RunContext,
    context: &SessionContext,
    check: &SqlFile,
    period: BillingPeriod,
    buckets: u64,
) -> Result<Option<Vec<RecordBatch>>> {
    let buckets = if check.uses("bucket") { buckets } else { 1 };
    for bucket in 0..buckets {
        let mut values = parameters(job, period);
        values.push(("bucket", ScalarValue::Int64(Some(bucket as i64))));
        values.push(("buckets", ScalarValue::Int64(Some(buckets as i64))));
        let frame = check.plan(context, values).await?;
        let limited = frame
            .limit(0, Some(SHOWN_ROWS))
            .map_err(|e| check.failed(&e))?;
        let rows = tokio::time::timeout(job.limits.timeout, limited.collect())
            .await
            .map_err(|_| {
                let limit = job.limits.timeout.as_secs();
                Error::data(format!(
                    "check {} gave no answer after {limit} seconds",
                    check.name
                ))
            })?
            .map_err(|e| check.failed(&e))?;
        if rows.iter().any(|batch| batch.num_rows() > 0) {
            return Ok(Some(rows));
        }
    }
    Ok(None)
}

fn reconciles(check: &SqlFile) -> bool {
    let head = check.text.lines().take_while(|line| line.starts_with("--"));
    head.filter_map(|line| line.strip_prefix("--"))
        .any(|line| line.trim() == "exit 5")
}

fn verdict(
    job: &RunContext,
    period: BillingPeriod,
    failed: Vec<(&SqlFile, Vec<RecordBatch>)>,
) -> Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let mut message = format!("{period} of `{}` was not published: ", job.connection);
    let names: Vec<&str> = failed
        .iter()
        .map(|(check, _)| check.name.as_str())
        .collect();
    message.push_str(&format!("{} failed", names.join(", ")));
    for (check, rows) in &failed {
        let table = match rows.first() {
            Some(batch) => batches_table(&batch.schema(), rows)?,
            None => String::new(),
        };
        message.push_str(&format!(
            "\n{}: this does not hold: {}\n{}",
            check.display(),
            check.title(),
            table.trim_end()
        ));
    }
    let hint = "what was published before is untouched; the rows above show where it differs";
    Err(if failed.iter().any(|(check, _)| reconciles(check)) {
        Error::reconcile(message)
    } else {
        Error::data(message)
    }
    .with_hint(hint))
}
