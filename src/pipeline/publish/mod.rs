//! Publish: checked files become the month, in one commit a table.
//!
//! `costs` comes before `line_items`. A run that dies between the two leaves the old line items in
//! force; they name the digest of their costs, so the next run sees that they are behind.

pub mod restore;

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, SchemaRef};
use chrono::{DateTime, NaiveDate, Utc};
use tokio::sync::OnceCell;

use crate::billing_period::BillingPeriod;
use crate::confluent::costs::decode;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::enrich::attributes::{self, ResourceAttributes};
use crate::pipeline::pull::{Pulled, window};
use crate::pipeline::summary::PeriodSummary;
use crate::pipeline::transform::inputs::register;
use crate::pipeline::transform::{self, LineItems};
use crate::pipeline::{RunContext, Stage, select};
use crate::store::runs;
use crate::store::tables::{PeriodRecord, Table};
use crate::store::writer::DataFile;

/// The two tables as a run sees them; a table is created with its first commit.
pub struct Tables {
    /// Costs as received.
    pub costs: Option<Table>,
    /// Line items in CBF.
    pub line_items: Option<Table>,
    /// What is known of resources, read when it is first wanted.
    sources: OnceCell<attributes::Sources>,
}

/// What is published of a month.
#[derive(Debug, Clone, Default)]
pub struct PublishedMonth {
    /// Files of `costs`.
    pub costs: Vec<DataFile>,
    /// What the commit of `costs` said.
    pub costs_record: Option<PeriodRecord>,
    /// Files of `line_items`.
    pub line_items: Vec<DataFile>,
    /// What the commit of `line_items` said.
    pub line_items_record: Option<PeriodRecord>,
}

impl PublishedMonth {
    /// Net amount of the line items, or of the costs before the first transform.
    pub fn net_amount(&self) -> Option<String> {
        let record = self.line_items_record.as_ref();
        let record = record.or(self.costs_record.as_ref())?;
        Some(record.net_amount.clone())
    }

    /// Whether the line items were made from these very costs with this mapping and, where they count, these
    /// facts of resources.
    pub fn is_current(
        &self,
        digest: &str,
        mapping: &str,
        facts: Option<&ResourceAttributes>,
    ) -> bool {
        self.line_items_record.as_ref().is_some_and(|record| {
            record.digest == digest
                && record.mapping == mapping
                && facts.is_none_or(|facts| record.facts == facts.digest)
        })
    }
}

impl Tables {
    /// Opens what is there.
    pub async fn open(job: &RunContext) -> Result<Tables> {
        Ok(Tables {
            costs: Table::open(&job.store, "costs").await?,
            line_items: Table::open(&job.store, "line_items").await?,
            sources: OnceCell::new(),
        })
    }

    /// Reads what is known of resources, once a run, and tells when the mapping leaves it out.
    ///
    /// # Errors
    /// As [`attributes::Sources::read`].
    pub async fn sources(&self, job: &RunContext) -> Result<&attributes::Sources> {
        let published = self.line_item_names()?;
        let read = async || {
            let sources = attributes::Sources::read(job, &published).await?;
            let mapping = job.sql.get(transform::MODEL)?;
            if sources.any() && !mapping.names(attributes::TABLE) {
                tracing::warn!(
                    mapping = mapping.display(),
                    "Regions and tags are left out: this file does not join resource_facts, as the shipped one does."
                );
            }
            Ok(sources)
        };
        self.sources.get_or_try_init(read).await
    }

    /// What is known of the resources of a month with these costs; nothing where the mapping does not ask.
    pub async fn facts(
        &self,
        job: &RunContext,
        period: BillingPeriod,
        costs: &[DataFile],
    ) -> Result<ResourceAttributes> {
        let _stage = Stage::begin("facts");
        if !job.sql.get(transform::MODEL)?.names(attributes::TABLE) {
            return ResourceAttributes::none();
        }
        let sources = self.sources(job).await?;
        sources.of_month(job, period, costs).await
    }

    /// What is published of a month.
    pub async fn month(&self, job: &RunContext, period: BillingPeriod) -> Result<PublishedMonth> {
        let mut month = PublishedMonth::default();
        if let Some(costs) = &self.costs {
            (month.costs, month.costs_record) = costs.month(&job.connection, period).await?;
        }
        if let Some(line_items) = &self.line_items {
            (month.line_items, month.line_items_record) =
                line_items.month(&job.connection, period).await?;
        }
        Ok(month)
    }

    /// Commits pulled costs as the month.
    pub async fn publish_costs(
        &mut self,
        job: &RunContext,
        period: BillingPeriod,
        pulled: &Pulled,
    ) -> Result<()> {
        let table = open_or_create(&mut self.costs, job, "costs", &decode::SCHEMA).await?;
        let mut record = record(job, pulled)?;
        table
            .replace(&job.connection, period, &pulled.files, &mut record)
            .await
            .map(|_| ())
    }

    /// Commits line items as the month, and returns what the commit says.
    pub async fn publish_line_items(
        &mut self,
        job: &RunContext,
        period: BillingPeriod,
        pulled: &Pulled,
        line_items: &LineItems,
    ) -> Result<PeriodRecord> {
        let table =
            open_or_create(&mut self.line_items, job, "line_items", &line_items.columns).await?;
        table.add_columns(&line_items.columns).await?;
        let mut record = record(job, pulled)?;
        record.line_items = line_items.rows();
        record.mapping = transform::mapping_version(job)?;
        record.facts.clone_from(&line_items.facts);
        table
            .replace(&job.connection, period, &line_items.files, &mut record)
            .await?;
        Ok(record)
    }

    /// Names of the published line items' columns; none before the first commit.
    pub fn line_item_names(&self) -> Result<Vec<String>> {
        let Some(table) = &self.line_items else {
            return Ok(Vec::new());
        };
        let columns = table.columns()?;
        Ok(columns
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect())
    }

    /// Columns of the published line items.
    pub fn line_item_columns(&self) -> Result<SchemaRef> {
        self.line_items
            .as_ref()
            .ok_or_else(|| Error::bug("no line_items table"))?
            .columns()
    }
}

async fn open_or_create<'t>(
    slot: &'t mut Option<Table>,
    job: &RunContext,
    name: &'static str,
    columns: &SchemaRef,
) -> Result<&'t mut Table> {
    match slot {
        Some(table) => Ok(table),
        none => Ok(none.insert(Table::open_or_create(&job.store, name, columns).await?)),
    }
}

fn record(job: &RunContext, pulled: &Pulled) -> Result<PeriodRecord> {
    let sums = pulled.totals.sum()?;
    Ok(PeriodRecord {
        run: job.run.clone(),
        version: 0,
        digest: pulled.digest.to_string(),
        costs: sums.costs,
        line_items: 0,
        original_amount: crate::decimal::plain(sums.original),
        discount_amount: crate::decimal::plain(sums.discount()),
        net_amount: crate::decimal::plain(sums.net),
        mapping: String::new(),
        facts: String::new(),
    })
}

/// Passes a month's result on, and clears away what was staged for it and is not published, by this
/// run or one that died.
pub async fn swept<T>(
    job: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    result: Result<T>,
) -> Result<T> {
    // While the store does not answer, a commit may have gone through or not: the next run sees.
    if !result
        .as_ref()
        .is_err_and(|e| e.kind() == ErrorKind::Remote)
    {
        sweep(job, tables, period).await?;
    }
    result
}

async fn sweep(job: &RunContext, tables: &Tables, period: BillingPeriod) -> Result<()> {
    let published = tables.month(job, period).await?;
    window::staging(job, period).sweep(&published.costs).await?;
    transform::staging(job, period)
        .sweep(&published.line_items)
        .await
}

/// The published days that the pull came back without.
pub async fn lost_days(
    job: &RunContext,
    period: BillingPeriod,
    published: &[DataFile],
    pulled: &Pulled,
) -> Result<Vec<NaiveDate>> {
    if published.is_empty() {
        return Ok(Vec::new());
    }
    let what = format!("days of {period} in costs");
    let context = engine::session(&job.store, job.limits)?;
    register(job, &context, "costs", &decode::SCHEMA, period, published)?;
    let query = context.sql("select distinct start_date from costs order by 1");
    let frame = engine::within(job.limits, &what, query).await?;
    let batches = engine::within(job.limits, &what, frame.collect()).await?;
    let now: BTreeSet<i32> = pulled
        .totals
        .groups()
        .iter()
        .map(|group| group.day)
        .collect();
    let published = batches.iter().flat_map(|batch| {
        batch
            .column(0)
            .as_primitive::<Date32Type>()
            .values()
            .iter()
            .copied()
            .collect::<Vec<_>>()
    });
    Ok(published
        .filter(|day| !now.contains(day))
        .filter_map(|day| {
            NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(day.into()))
        })
        .collect())
}

/// Remembers a successful pull: coverage, and whether it settles the month.
pub async fn remember_pull(
    job: &RunContext,
    period: BillingPeriod,
    pulled_at: DateTime<Utc>,
) -> Result<()> {
    let mut state = runs::month_state(&job.store, &job.connection, period).await?;
    state.pulled_at = Some(pulled_at);
    state.covered_until = select::covered_until(period, pulled_at);
    state.settled |= select::settles(period, pulled_at, job.settle_days);
    runs::save_month_state(&job.store, &job.connection, period, &state).await
}

/// Fills a summary from what is published.
pub fn summarize(mut summary: PeriodSummary, month: &PublishedMonth) -> PeriodSummary {
    if let Some(record) = month
        .costs_record
        .as_ref()
        .or(month.line_items_record.as_ref())
    {
        summary.costs = record.costs;
        summary.original_amount.clone_from(&record.original_amount);
        summary.discount_amount.clone_from(&record.discount_amount);
        summary.net_amount.clone_from(&record.net_amount);
        summary.digest = Some(record.digest.clone());
    }
    if let Some(record) = &month.line_items_record {
        summary.line_items = record.line_items;
        summary.version = Some(record.version);
    }
    summary
}
