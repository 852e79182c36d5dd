//! Publish: replaces a month by checked files, in one commit per table.
//!
//! `costs` is committed before `line_items`. After a crash between the two the old line items stay current;
//! they record the digest of their costs, so the next run detects that they are behind.

pub mod restore;

use arrow::datatypes::SchemaRef;
use tokio::sync::OnceCell;

use crate::billing_period::BillingPeriod;
use crate::confluent::costs::decode;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::enrich::attributes::{self, EnrichmentInputs, ResourceAttributes};
use crate::pipeline::enrich::tag_rules;
use crate::pipeline::pull::{PulledMonth, window};
use crate::pipeline::summary::PeriodSummary;
use crate::pipeline::transform::{self, LineItems};
use crate::pipeline::{RunContext, StageTimer};
use crate::store::TableName;
use crate::store::lease::Fence;
use crate::store::staging::{self, Staging};
use crate::store::tables::{PeriodRecord, Table};
use crate::store::writer::DataFile;

/// Lines of the file of tags that a warning lists.
const MAX_LINES: usize = 10;

/// The two tables as opened by a run; a table is created with its first commit.
pub struct Tables {
    /// Costs as received.
    pub costs: Option<Table>,
    /// Line items in CBF.
    pub line_items: Option<Table>,
    /// Read on first use.
    enrichment_inputs: OnceCell<EnrichmentInputs>,
}

/// Published files and records of a month.
#[derive(Debug, Clone, Default)]
pub struct PublishedMonth {
    /// Files of `costs`.
    pub costs: Vec<DataFile>,
    /// Record of the commit of `costs`.
    pub costs_record: Option<PeriodRecord>,
    /// Files of `line_items`.
    pub line_items: Vec<DataFile>,
    /// Record of the commit of `line_items`.
    pub line_items_record: Option<PeriodRecord>,
}

impl PublishedMonth {
    /// Net amount of the line items, or of the costs before the first transform.
    pub(crate) fn net_amount(&self) -> Option<String> {
        let record = self.line_items_record.as_ref();
        let record = record.or(self.costs_record.as_ref())?;
        Some(record.net_amount.clone())
    }

    /// Returns true if the line items result from these costs, this mapping and, if given, these resource
    /// attributes.
    pub(crate) fn is_current(
        &self,
        digest: &str,
        mapping: &str,
        attributes: Option<&ResourceAttributes>,
    ) -> bool {
        self.line_items_record.as_ref().is_some_and(|record| {
            record.digest == digest
                && record.mapping == mapping
                && attributes.is_none_or(|attributes| record.facts == attributes.digest)
        })
    }
}

impl Tables {
    /// Opens the tables that exist.
    pub(crate) async fn open(context: &RunContext) -> Result<Tables> {
        Ok(Tables {
            costs: Table::open(&context.store, TableName::Costs).await?,
            line_items: Table::open(&context.store, TableName::LineItems).await?,
            enrichment_inputs: OnceCell::new(),
        })
    }

    /// Reads inventory and tag rules, once per run, and warns if the mapping ignores them.
    ///
    /// # Errors
    /// As [`EnrichmentInputs::read`].
    pub(crate) async fn enrichment_inputs(
        &self,
        context: &RunContext,
    ) -> Result<&EnrichmentInputs> {
        let published = self.line_item_names()?;
        let read = async || {
            let inputs = EnrichmentInputs::read(context, &published).await?;
            let mapping = context.sql.get(transform::MODEL)?;
            if !inputs.is_empty() && !mapping.names(attributes::TABLE) {
                tracing::warn!(
                    mapping = mapping.display(),
                    "Line items have no regions and tags: the mapping does not join resource_facts"
                );
            }
            Ok(inputs)
        };
        self.enrichment_inputs.get_or_try_init(read).await
    }

    /// Returns the resource attributes of a month with these costs; none if the mapping does not join them.
    pub(crate) async fn attributes(
        &self,
        context: &RunContext,
        period: BillingPeriod,
        costs: &[DataFile],
    ) -> Result<ResourceAttributes> {
        let _timer = StageTimer::begin("attributes");
        if !context.sql.get(transform::MODEL)?.names(attributes::TABLE) {
            return ResourceAttributes::none();
        }
        let inputs = self.enrichment_inputs(context).await?;
        inputs.of_month(context, period, costs).await
    }

    /// Warns of rules of the file of tags that matched no resource of the months of this run.
    pub(crate) fn warn_of_unmatched_rules(&self, context: &RunContext) {
        let (Some(inputs), Some(location)) = (self.enrichment_inputs.get(), &context.options.tags)
        else {
            return;
        };
        let unmatched = inputs.unmatched_rules();
        if unmatched.is_empty() {
            return;
        }
        let shown = unmatched.iter().take(MAX_LINES).map(ToString::to_string);
        tracing::warn!(
            file = tag_rules::display(location),
            rules = unmatched.len(),
            lines = shown.collect::<Vec<_>>().join(", "),
            "Rules match no resource of these months"
        );
    }

    /// Months of the connection that have line items.
    pub(crate) async fn published_periods(
        &self,
        context: &RunContext,
    ) -> Result<Vec<BillingPeriod>> {
        let Some(line_items) = &self.line_items else {
            return Ok(Vec::new());
        };
        let files = line_items.files().await?.into_iter();
        let files = files.filter(|file| file.connection == context.connection);
        let mut periods: Vec<BillingPeriod> = files.map(|file| file.period).collect();
        periods.dedup();
        Ok(periods)
    }

    /// Returns the published files and records of a month.
    pub(crate) async fn month(
        &self,
        context: &RunContext,
        period: BillingPeriod,
    ) -> Result<PublishedMonth> {
        let mut month = PublishedMonth::default();
        if let Some(costs) = &self.costs {
            (month.costs, month.costs_record) = costs.month(&context.connection, period).await?;
        }
        if let Some(line_items) = &self.line_items {
            (month.line_items, month.line_items_record) =
                line_items.month(&context.connection, period).await?;
        }
        Ok(month)
    }

    /// Commits pulled costs as the month.
    pub(crate) async fn publish_costs(
        &mut self,
        context: &RunContext,
        period: BillingPeriod,
        pulled: &PulledMonth,
    ) -> Result<()> {
        let fence = context.fence()?;
        let table =
            open_or_create(&mut self.costs, &fence, TableName::Costs, &decode::SCHEMA).await?;
        let mut record = new_record(context, pulled)?;
        table
            .replace(&fence, period, &pulled.files, &mut record)
            .await
            .map(|_| ())
    }

    /// Commits line items as the month, and returns the record of the commit.
    pub(crate) async fn publish_line_items(
        &mut self,
        context: &RunContext,
        period: BillingPeriod,
        pulled: &PulledMonth,
        line_items: &LineItems,
    ) -> Result<PeriodRecord> {
        let fence = context.fence()?;
        let table = open_or_create(
            &mut self.line_items,
            &fence,
            TableName::LineItems,
            &line_items.columns,
        )
        .await?;
        let columns = line_items.all_columns();
        table.add_columns(&fence, &columns).await?;
        let mut record = new_record(context, pulled)?;
        record.line_items = line_items.rows();
        record.mapping = transform::mapping_version(context)?;
        record.facts.clone_from(&line_items.attributes_digest);
        record.own.clone_from(&line_items.own.totals);
        let files: Vec<DataFile> = line_items.all_files().cloned().collect();
        table.replace(&fence, period, &files, &mut record).await?;
        Ok(record)
    }

    /// Column names of the `line_items` table; none before the first commit.
    pub(crate) fn line_item_names(&self) -> Result<Vec<String>> {
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

    /// Columns of the `line_items` table.
    pub(crate) fn line_item_columns(&self) -> Result<SchemaRef> {
        self.line_items
            .as_ref()
            .ok_or_else(|| Error::bug("the line_items table does not exist"))?
            .columns()
    }
}

async fn open_or_create<'t>(
    slot: &'t mut Option<Table>,
    fence: &Fence,
    name: TableName,
    columns: &SchemaRef,
) -> Result<&'t mut Table> {
    match slot {
        Some(table) => Ok(table),
        none => Ok(none.insert(Table::open_or_create(fence, name, columns).await?)),
    }
}

fn new_record(context: &RunContext, pulled: &PulledMonth) -> Result<PeriodRecord> {
    let totals = pulled.totals.sum()?;
    Ok(PeriodRecord {
        run: context.run.to_string(),
        version: 0,
        digest: pulled.digest.to_string(),
        costs: totals.costs,
        line_items: 0,
        original_amount: crate::decimal::to_plain_string(totals.original),
        discount_amount: crate::decimal::to_plain_string(totals.discount()),
        net_amount: crate::decimal::to_plain_string(totals.net),
        mapping: String::new(),
        facts: String::new(),
        own: None,
    })
}

/// Returns `result` after deleting the month's staged files that no commit names: those of this run, and those of
/// crashed runs that are past their time.
pub(crate) async fn with_staging_cleanup<T>(
    context: &RunContext,
    tables: &Tables,
    period: BillingPeriod,
    result: Result<T>,
) -> Result<T> {
    // With an unavailable store the outcome of a commit is unknown, so the files stay for the next run.
    if result
        .as_ref()
        .is_err_and(|e| e.kind() == ErrorKind::Remote)
    {
        return result;
    }
    let cleaned = clean_up(context, tables, period).await;
    match (result, cleaned) {
        (Ok(done), cleaned) => cleaned.map(|()| done),
        (Err(first), cleaned) => {
            if let Err(error) = cleaned {
                tracing::debug!(%error, "Could not delete the month's staged files");
            }
            Err(first)
        }
    }
}

async fn clean_up(context: &RunContext, tables: &Tables, period: BillingPeriod) -> Result<()> {
    let fence = context.fence()?;
    window::staging(context, period)
        .clean_up(&fence, tables.costs.as_ref())
        .await?;
    transform::staging(context, period)
        .clean_up(&fence, tables.line_items.as_ref())
        .await
}

/// Deletes the files that earlier runs staged and that are past their time, in all months of the connection. A failure
/// is logged only: the next run tries again.
pub(crate) async fn clean_up_old_months(context: &RunContext, tables: &Tables) {
    let cleaned = async {
        let fence = context.fence()?;
        for (name, table) in [
            (TableName::Costs, &tables.costs),
            (TableName::LineItems, &tables.line_items),
        ] {
            for period in staging::marked_months(&fence, name).await? {
                let staging = Staging::of(&fence, name, period);
                staging.clean_up_others(&fence, table.as_ref()).await?;
            }
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = cleaned.await {
        tracing::warn!(%error, "Could not delete staged files of earlier runs");
    }
}

/// Fills a summary with the amounts of the published month.
pub(crate) fn summarize(mut summary: PeriodSummary, month: &PublishedMonth) -> PeriodSummary {
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
        summary.own.clone_from(&record.own);
        summary.version = Some(record.version);
    }
    summary
}
