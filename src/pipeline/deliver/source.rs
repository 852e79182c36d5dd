//! The line items that are delivered: a published month, in CBF's columns, by day or by hour.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int64Type, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit, when};
use datafusion::prelude::{SessionContext, coalesce, ident};

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf;
use crate::cloudzero::read_back::{LineItemTotals, LineItemTotalsByGroup};
use crate::engine::{self, Limits};
use crate::error::{Error, Result};
use crate::pipeline::RunContext;
use crate::pipeline::transform::inputs::register;
use crate::store::TableName;
use crate::store::runs::Granularity;
use crate::store::writer::DataFile;

/// The SQL that spreads days over hours.
pub const HOURLY: &str = "models/hourly_line_items";

/// A published month.
pub struct Published<'j> {
    /// The run.
    pub job: &'j RunContext,
    /// The month.
    pub period: BillingPeriod,
    /// Columns of the `line_items` table: every tag that any month ever had.
    pub columns: SchemaRef,
    /// The month's files.
    pub files: Vec<DataFile>,
}

impl Published<'_> {
    /// A session with `files` as the table `line_items`.
    fn session(&self, files: &[DataFile], limits: Limits) -> Result<SessionContext> {
        let (job, columns) = (self.job, &self.columns);
        let context = engine::session(&job.store, limits)?;
        register(
            job,
            &context,
            TableName::LineItems,
            columns,
            self.period,
            files,
        )?;
        Ok(context)
    }

    /// The line items of `files` as they are delivered: CBF's columns in their order, then the tags by
    /// key, made legal.
    ///
    /// # Errors
    /// Kind data, for an hourly SQL that does not plan.
    pub async fn line_items(&self, files: &[DataFile], partitions: usize) -> Result<DataFrame> {
        let job = self.job;
        let what = format!("line items of {}", self.period);
        let limits = Limits {
            partitions,
            ..job.limits
        };
        let context = self.session(files, limits)?;
        let frame = match job.targets.granularity {
            Granularity::Daily => {
                engine::within(limits, &what, context.table("line_items")).await?
            }
            Granularity::Hourly => job.sql.get(HOURLY)?.plan(&context, Vec::new()).await?,
        };
        let columns = delivered_columns(frame.schema().inner())?;
        frame.select(columns).map_err(|e| engine::failed(&what, &e))
    }

    /// What the published line items add up to, by the groups of read-back.
    ///
    /// # Errors
    /// Kind data, as the engine says.
    pub async fn totals(&self) -> Result<LineItemTotalsByGroup> {
        const SQL: &str = r#"
            select cast(date_trunc('day', cast("time/usage_start" as timestamp)) as date),
                   coalesce("lineitem/type", ''), coalesce("action/usage_type", ''),
                   count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("cost/on_demand_cost")
            from line_items group by 1, 2, 3"#;
        let job = self.job;
        let what = "adding up published line items";
        let context = self.session(&self.files, job.limits)?;
        let frame = engine::within(job.limits, what, context.sql(SQL)).await?;
        let batches = engine::within(job.limits, what, frame.collect()).await?;
        let mut totals = LineItemTotalsByGroup::new();
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
                let sums = LineItemTotals {
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
}

/// CBF's columns of a table; tag keys that meet once they are legal become one column, in which the
/// first that has a value counts.
fn delivered_columns(table: &SchemaRef) -> Result<Vec<Expr>> {
    let mut columns = Vec::new();
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in cbf::ordered(table) {
        match name.strip_prefix(cbf::TAG_PREFIX) {
            None => columns.push(ident(name.as_str())),
            Some(key) => tags
                .entry(cbf::legal_key(key))
                .or_default()
                .push(name.clone()),
        }
    }
    for (key, names) in tags {
        if let [first, second, ..] = names.as_slice() {
            tracing::warn!(
                first,
                second,
                key,
                "Two tag keys are one once they are legal in CloudZero; the first that has a value counts."
            );
        }
        let present = |name: &String| {
            let value = ident(name.as_str());
            when(value.clone().not_eq(lit("")), value)
                .end()
                .map_err(|e| engine::failed("tag columns", &e))
        };
        let values = names.iter().map(present).collect::<Result<Vec<_>>>()?;
        let column = format!("{}{key}", cbf::TAG_PREFIX);
        columns.push(match names.as_slice() {
            [only] => ident(only.as_str()).alias(column),
            _ => coalesce(values).alias(column),
        });
    }
    Ok(columns)
}
