//! Published line items of a month in their delivered form: CBF's columns, by day or by hour.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Decimal256Type, Int64Type, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit, when};
use datafusion::prelude::{SessionContext, coalesce, ident};
use futures::StreamExt;

use crate::billing_period::BillingPeriod;
use crate::cloudzero::cbf;
use crate::cloudzero::row_digest::RowDigests;
use crate::cloudzero::totals::{LineItemGroup, LineItemTotals, LineItemTotalsByGroup};
use crate::decimal::{self, QuantitySum};
use crate::engine::{self, Limits};
use crate::error::{Error, Result};
use crate::pipeline::transform::inputs::register;
use crate::pipeline::{RunContext, damage};
use crate::store::TableName;
use crate::store::runs::Granularity;
use crate::store::tables::PeriodRecord;
use crate::store::writer::DataFile;

/// SQL file that spreads the costs of a day over its hours.
pub(crate) const HOURLY: &str = "models/hourly_line_items";

/// Published line items of a month.
pub struct PublishedLineItems<'r> {
    /// The run.
    pub run: &'r RunContext,
    /// The month.
    pub period: BillingPeriod,
    /// Columns of the `line_items` table, with every tag of any month.
    pub columns: SchemaRef,
    /// Files of the month.
    pub files: Vec<DataFile>,
    /// Record of their commit.
    pub record: Option<PeriodRecord>,
}

impl PublishedLineItems<'_> {
    /// Creates a session with `files` as the table `line_items`.
    fn session(&self, files: &[DataFile], limits: Limits) -> Result<SessionContext> {
        let (run, columns) = (self.run, &cbf::with_all_columns(&self.columns));
        let context = engine::session(&run.store, limits)?;
        register(
            run,
            &context,
            TableName::LineItems,
            columns,
            self.period,
            files,
        )?;
        Ok(context)
    }

    /// Returns the line items of `files` as they are delivered: CBF's columns in order, then the tags by legal
    /// key.
    ///
    /// # Errors
    /// Kind `Data` for an hourly SQL file that cannot be planned.
    pub async fn line_items(&self, files: &[DataFile], partitions: usize) -> Result<DataFrame> {
        let granularity = self.run.destinations.granularity;
        self.line_items_by(granularity, files, partitions).await
    }

    async fn line_items_by(
        &self,
        granularity: Granularity,
        files: &[DataFile],
        partitions: usize,
    ) -> Result<DataFrame> {
        let run = self.run;
        let operation = format!("reading line items of {}", self.period);
        let limits = Limits {
            partitions,
            ..run.limits
        };
        let context = self.session(files, limits)?;
        let frame = match granularity {
            Granularity::Daily => {
                engine::within(limits, &operation, context.table("line_items")).await?
            }
            Granularity::Hourly => run.sql.get(HOURLY)?.plan(&context, Vec::new()).await?,
        };
        let columns = delivered_columns(frame.schema().inner())?;
        frame
            .select(columns)
            .map_err(|e| engine::failed(&operation, &e))
    }

    /// Returns the digests of all rows as a delivery of this granularity has them.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) async fn row_digests(&self, granularity: Granularity) -> Result<RowDigests> {
        let limits = self.run.limits;
        let operation = format!("hashing line items of {}", self.period);
        let frame = self
            .line_items_by(granularity, &self.files, limits.partitions)
            .await?;
        let mut stream = engine::within(limits, &operation, frame.execute_stream()).await?;
        let mut digests = RowDigests::default();
        while let Some(batch) = stream.next().await {
            digests.add_batch(&batch.map_err(|e| engine::failed(&operation, &e))?)?;
        }
        Ok(digests)
    }

    /// Sums the published line items by the groups of read-back, and compares their files with what was written, and the
    /// sums with the record of their commit.
    ///
    /// # Errors
    /// Kind `Data` if a file was changed; kind `Reconcile` if rows or cost are others than were published. Those of the
    /// engine.
    pub(crate) async fn checked_totals(&self) -> Result<LineItemTotalsByGroup> {
        let (run, table) = (self.run, TableName::LineItems);
        let damaged = damage::by_content(run, table, self.period, &self.files).await?;
        damage::refuse(self.period, &damaged)?;
        let totals = self.totals().await?;
        let sum = totals.sum().map_err(|e| Error::data(e.to_string()))?;
        let cost = decimal::to_plain_string(sum.cost);
        let differs = |record: &&PeriodRecord| {
            (record.line_items, &record.line_item_cost()) != (sum.rows, &cost)
        };
        let Some(record) = self.record.as_ref().filter(differs) else {
            return Ok(totals);
        };
        Err(Error::reconcile(format!(
            "{} line items of {} cost {cost}, but {} with {} were published: a file of the store is damaged",
            sum.rows, self.period, record.line_items, record.line_item_cost()
        ))
        .with_hint(format!(
            "delete {}, then run `billstream import --month {}`",
            self.file_names(),
            self.period
        )))
    }

    fn file_names(&self) -> String {
        let name = |file: &DataFile| {
            let name = format!("{}/{}", TableName::LineItems, file.path);
            format!("`{}`", self.run.store.display(&name))
        };
        let names: Vec<String> = self.files.iter().map(name).collect();
        names.join(" and ")
    }

    /// Sums the published line items by the groups of read-back.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) async fn totals(&self) -> Result<LineItemTotalsByGroup> {
        const SQL: &str = r#"
            select cast(date_trunc('day', cast("time/usage_start" as timestamp)) as date),
                   coalesce("lineitem/type", ''), coalesce("action/usage_type", ''),
                   count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("cost/on_demand_cost"),
                   -- Two quantities can exceed 38 digits.
                   sum(cast(coalesce("usage/amount", cast(0 as decimal(38, 24))) as decimal(76, 24))),
                   sum(coalesce("cost/amortized_cost", "cost/cost")),
                   sum(coalesce("cost/discounted_amortized_cost", "cost/amortized_cost", "cost/discounted_cost"))
            from line_items group by 1, 2, 3"#;
        let run = self.run;
        let operation = "summing published line items";
        let context = self.session(&self.files, run.limits)?;
        let frame = engine::within(run.limits, operation, context.sql(SQL)).await?;
        let batches = engine::within(run.limits, operation, frame.collect()).await?;
        let mut totals = LineItemTotalsByGroup::default();
        for batch in batches {
            let text = |column: usize, row: usize| {
                arrow::util::display::array_value_to_string(batch.column(column), row)
                    .map_err(|e| Error::bug(format!("{operation}: {e}")))
            };
            let sum = |column: usize, row: usize| {
                batch
                    .column(column)
                    .as_primitive::<Decimal128Type>()
                    .value(row)
            };
            let usage = batch.column(7).as_primitive::<Decimal256Type>();
            for row in 0..batch.num_rows() {
                let group = LineItemGroup {
                    day: text(0, row)?,
                    line_item_type: text(1, row)?,
                    usage_type: text(2, row)?,
                };
                let sums = LineItemTotals {
                    rows: batch.column(3).as_primitive::<Int64Type>().value(row) as u64,
                    cost: sum(4, row),
                    discounted: sum(5, row),
                    on_demand: sum(6, row),
                    amortized: sum(8, row),
                    discounted_amortized: sum(9, row),
                    usage: QuantitySum::from_units(usage.value(row)),
                };
                totals
                    .add(group, &sums)
                    .map_err(|e| Error::reconcile(format!("{operation}: {e}")))?;
            }
        }
        Ok(totals)
    }
}

/// Returns CBF's columns of a table. Tag keys that become equal when they are made legal share one column, with
/// the first value that is not empty.
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
                "Merged tags whose keys are equal in CloudZero; the first value counts"
            );
        }
        let non_empty = |name: &String| {
            let value = ident(name.as_str());
            when(value.clone().not_eq(lit("")), value)
                .end()
                .map_err(|e| engine::failed("merging tag columns", &e))
        };
        let column = format!("{}{key}", cbf::TAG_PREFIX);
        columns.push(match names.as_slice() {
            [only] => ident(only.as_str()).alias(column),
            _ => {
                let values = names.iter().map(non_empty).collect::<Result<Vec<_>>>()?;
                coalesce(values).alias(column)
            }
        });
    }
    Ok(columns)
}
