//! Checks: `sql/checks/*.sql` over costs, staged line items and the totals taken on the wire.
//!
//! A check returns the offending rows. Any row stops the publish: with exit code 5 if the check reconciles
//! totals (`-- exit 5` among its first comment lines), else 1.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt, stream};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf;
use crate::control_totals::ControlTotals;
use crate::engine;
use crate::engine::sql_files::SqlFile;
use crate::engine::text::batches_table;
use crate::error::{Error, Result};
use crate::pipeline::enrich::attributes::ResourceAttributes;
use crate::pipeline::publish::Tables;
use crate::pipeline::pull::PulledMonth;
use crate::pipeline::transform::inputs::{costs_session, parameters, register, register_as};
use crate::pipeline::transform::{self, LineItems, own};
use crate::pipeline::{RunContext, StageTimer};
use crate::store::TableName;
use crate::store::writer::DataFile;

/// Check of a pull without transform.
const COSTS_MATCH_WIRE: &str = "checks/costs_match_wire";
/// Line items per bucket of a check that uses `$bucket`.
const BUCKET_ROWS: u64 = 1_500_000;
/// Checks that run concurrently.
const CONCURRENCY: usize = 2;
/// Offending rows in the error of a check.
const MAX_ROWS_SHOWN: usize = 20;

/// Compares written costs files with the totals taken on the wire.
///
/// # Errors
/// Kind reconcile, with the groups that differ.
pub(crate) async fn check_costs(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
) -> Result<()> {
    let session = session(context, period, costs, totals)?;
    let check = context.sql.get(COSTS_MATCH_WIRE)?;
    let offending = run_check(context, &session, check, period, 1).await?;
    verdict(
        context,
        period,
        offending.map(|rows| (check, rows)).into_iter().collect(),
    )
}

/// Maps a month's costs to staged line items that pass every check.
///
/// # Errors
/// As [`transform::transform`] and [`check_all`].
pub(crate) async fn checked_line_items(
    context: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    source: &PulledMonth,
    attributes: &ResourceAttributes,
) -> Result<LineItems> {
    (context.progress)(format!("{period}: mapping {} costs", source.digest.count()));
    let timer = StageTimer::begin("transform");
    let published = tables.line_item_names()?;
    let costs = &source.files;
    let mut line_items =
        transform::transform(context, period, costs, attributes, &published).await?;
    line_items.own =
        own::own_line_items(context, period, costs, attributes, &published, &line_items).await?;
    drop(timer);
    let _timer = StageTimer::begin("checks");
    check_all(context, period, &source.files, &source.totals, &line_items).await?;
    Ok(line_items)
}

/// Runs every check over a staged month. Own line items equal no source: checks that reconcile do not see them.
///
/// # Errors
/// Kind reconcile or data, with the offending rows of every check that failed.
pub async fn check_all(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
    line_items: &LineItems,
) -> Result<()> {
    let (columns, files) = (&line_items.columns, &line_items.files);
    let of_costs = || line_items_session(context, period, costs, totals, columns, files);
    let reconciling = of_costs().await?;
    let others = match &line_items.own.columns {
        None => reconciling.clone(),
        Some(own) => {
            let all: Vec<DataFile> = line_items.all_files().cloned().collect();
            let columns = line_items.all_columns();
            let session =
                line_items_session(context, period, costs, totals, &columns, &all).await?;
            register_as(
                context,
                &session,
                own::TABLE,
                own,
                period,
                &line_items.own.files,
            )?;
            session
        }
    };
    let has_own = line_items.own.columns.is_some();
    let checks = context.sql.checks();
    let checks = checks.filter(|check| has_own || !check.names(own::TABLE));
    let buckets = line_items.rows().div_ceil(BUCKET_ROWS).max(1);
    (context.progress)(format!(
        "{period}: checking {} line items",
        line_items.rows()
    ));
    // Concurrent, because planning uses one thread.
    let results = stream::iter(checks)
        .map(|check| {
            let session = if reconciles(check) {
                &reconciling
            } else {
                &others
            };
            let result = run_check(context, session, check, period, buckets);
            async move { result.await.map(|rows| rows.map(|rows| (check, rows))) }
        })
        .buffered(CONCURRENCY);
    let results: Vec<_> = results.try_collect().await?;
    verdict(context, period, results.into_iter().flatten().collect())
}

fn session(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
) -> Result<SessionContext> {
    let session = costs_session(context, period, costs)?;
    session
        .register_batch("wire_totals", totals.to_batch()?)
        .map_err(|e| engine::failed("table wire_totals", &e))?;
    Ok(session)
}

/// Session of a month with these line items.
async fn line_items_session(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    totals: &ControlTotals,
    columns: &SchemaRef,
    files: &[DataFile],
) -> Result<SessionContext> {
    let session = session(context, period, costs, totals)?;
    register(
        context,
        &session,
        TableName::LineItems,
        columns,
        period,
        files,
    )?;
    let tags = tags_view(columns);
    let what = "view line_item_tags";
    engine::within(context.limits, what, session.sql(&tags)).await?;
    Ok(session)
}

/// SQL of the view of all distinct tags: `resource_id`, `key`, `value`.
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

/// Returns the offending rows of a check, or `None`.
async fn run_check(
    context: &RunContext,
    session: &SessionContext,
    check: &SqlFile,
    period: BillingPeriod,
    buckets: u64,
) -> Result<Option<Vec<RecordBatch>>> {
    let buckets = if check.uses("bucket") { buckets } else { 1 };
    for bucket in 0..buckets {
        let mut values = parameters(context, period);
        values.push(("bucket", ScalarValue::Int64(Some(bucket as i64))));
        values.push(("buckets", ScalarValue::Int64(Some(buckets as i64))));
        let frame = check.plan(session, values).await?;
        let limited = frame
            .limit(0, Some(MAX_ROWS_SHOWN))
            .map_err(|e| check.failed(&e))?;
        let rows = tokio::time::timeout(context.limits.timeout, limited.collect())
            .await
            .map_err(|_| {
                let limit = context.limits.timeout.as_secs();
                Error::data(format!(
                    "check {} did not finish within {limit} seconds",
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

/// Returns true if a failure of the check means that totals do not reconcile.
fn reconciles(check: &SqlFile) -> bool {
    let head = check.text.lines().take_while(|line| line.starts_with("--"));
    head.filter_map(|line| line.strip_prefix("--"))
        .any(|line| line.trim() == "exit 5")
}

/// Returns an error that lists the failed checks with their rows.
fn verdict(
    context: &RunContext,
    period: BillingPeriod,
    failed: Vec<(&SqlFile, Vec<RecordBatch>)>,
) -> Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let mut message = format!("{period} of `{}` was not published: ", context.connection);
    let names: Vec<&str> = failed
        .iter()
        .map(|(check, _)| check.name.as_str())
        .collect();
    message.push_str(&format!("{} failed", names.join(", ")));
    let mut excerpt = Vec::new();
    for (check, rows) in &failed {
        let table = match rows.first() {
            Some(batch) => batches_table(&batch.schema(), rows)?,
            None => String::new(),
        };
        excerpt.push(format!(
            "{}: violated: {}\n{}",
            check.display(),
            check.title(),
            table.trim_end()
        ));
    }
    let hint = "the published month is unchanged; the rows above show where the new one differs";
    Err(if failed.iter().any(|(check, _)| reconciles(check)) {
        Error::reconcile(message)
    } else {
        Error::data(message)
    }
    .with_excerpt(&excerpt.join("\n"))
    .with_hint(hint))
}
