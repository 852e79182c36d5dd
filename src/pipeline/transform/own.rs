//! Line items besides those of Confluent's costs, from the user's `models/own_line_items.sql`: taxes, true-ups, fees.
//!
//! They equal no source, so they are staged, counted and summed apart, and told apart by their ids.

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int64Type, SchemaRef};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf;
use crate::decimal;
use crate::engine;
use crate::error::Result;
use crate::pipeline::RunContext;
use crate::pipeline::enrich::attributes::{self, ResourceAttributes};
use crate::pipeline::transform::inputs::{costs_session, parameters, register};
use crate::pipeline::transform::{LineItems, write_line_items};
use crate::store::TableName;
use crate::store::tables::OwnTotals;
use crate::store::writer::DataFile;

/// Table of the own line items in checks.
pub(super) const TABLE: &str = "own_line_items";
/// Part of the names of staged files.
const SUFFIX: &str = "-own";

/// Staged own line items of a month; none without a model.
#[derive(Debug, Default)]
pub(crate) struct OwnLineItems {
    /// Files that are not committed yet.
    pub(crate) files: Vec<DataFile>,
    /// Columns of the files; `None` without a model.
    pub(crate) columns: Option<SchemaRef>,
    /// Number and cost; `None` without own line items.
    pub(crate) totals: Option<OwnTotals>,
}

/// Creates the own line items of a month. Their model reads the costs, the resource attributes and the line items of the
/// costs.
///
/// # Errors
/// Kind data, for a model that does not plan, does not return CBF, or fails on a row.
pub(super) async fn own_line_items(
    context: &RunContext,
    period: BillingPeriod,
    costs: &[DataFile],
    attributes: &ResourceAttributes,
    published: &[String],
    line_items: &LineItems,
) -> Result<OwnLineItems> {
    let Some(model) = context.sql.own_line_items() else {
        return Ok(OwnLineItems::default());
    };
    let session = costs_session(context, period, costs)?;
    session
        .register_batch(attributes::TABLE, attributes.batch.clone())
        .map_err(|e| engine::failed(attributes::TABLE, &e))?;
    let (columns, files) = (&line_items.columns, &line_items.files);
    register(
        context,
        &session,
        TableName::LineItems,
        columns,
        period,
        files,
    )?;
    let rows = model.plan(&session, parameters(context, period)).await?;
    // Tags of both models are columns of one table.
    let names = columns.fields().iter().map(|field| field.name().clone());
    let names: Vec<String> = published.iter().cloned().chain(names).collect();
    let conformed = cbf::conform_own(rows.schema(), &names, &context.cloud_provider)
        .map_err(|e| e.context(model.display()))?;
    let (files, columns) =
        write_line_items(context, period, model, rows, conformed, SUFFIX).await?;
    let totals = totals(context, period, &columns, &files).await?;
    Ok(OwnLineItems {
        files,
        columns: Some(columns),
        totals,
    })
}

/// Number and cost of staged own line items.
async fn totals(
    context: &RunContext,
    period: BillingPeriod,
    columns: &SchemaRef,
    files: &[DataFile],
) -> Result<Option<OwnTotals>> {
    const SQL: &str = r#"select count(*), coalesce(sum("cost/cost"), cast(0 as decimal(38, 24))) from line_items"#;
    let operation = "summing own line items";
    let session = engine::session(&context.store, context.limits)?;
    register(
        context,
        &session,
        TableName::LineItems,
        columns,
        period,
        files,
    )?;
    let frame = engine::within(context.limits, operation, session.sql(SQL)).await?;
    let batches = engine::within(context.limits, operation, frame.collect()).await?;
    let found = batches.iter().find(|batch| batch.num_rows() > 0);
    Ok(found.and_then(|batch| {
        let rows = batch.column(0).as_primitive::<Int64Type>().value(0) as u64;
        let cost = batch.column(1).as_primitive::<Decimal128Type>().value(0);
        (rows > 0).then(|| OwnTotals {
            line_items: rows,
            cost: decimal::to_plain_string(cost),
        })
    }))
}
