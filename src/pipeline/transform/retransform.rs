//! Transform of stored months: maps, checks, publishes and delivers from the `costs` table alone.

use tracing::Instrument;

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::damage::{self, MonthDamage};
use crate::pipeline::deliver::{self, DeliverOptions};
use crate::pipeline::publish::{self, PublishedMonth, Tables};
use crate::pipeline::select::Selection;
use crate::pipeline::select::pending::{self, Stage};
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};
use crate::pipeline::transform::check;
use crate::pipeline::{RunContext, pull, transform};
use crate::store::runs;
use crate::store::tables::PublishedFile;

/// Maps stored months again; see [`Selection`] for the default.
///
/// # Errors
/// Kind usage, for a month that is not stored; errors of single months are in the summary.
pub(crate) async fn retransform(
    context: &RunContext,
    months: &Selection,
    dry_run: bool,
) -> Result<Summary> {
    let mut tables = Tables::open(context).await?;
    let stored: Vec<PublishedFile> = match &tables.costs {
        Some(costs) => costs.files().await?,
        None => Vec::new(),
    };
    let stored: Vec<PublishedFile> = stored
        .into_iter()
        .filter(|file| file.connection == context.connection)
        .collect();
    let mut periods: Vec<BillingPeriod> = stored.iter().map(|file| file.period).collect();
    periods.dedup();
    if periods.is_empty() {
        return Err(Error::usage(format!(
            "no costs of `{}` are stored in {}",
            context.connection,
            context.store.display("costs")
        ))
        .with_hint("run `billstream import` first, or choose another --store or --connection"));
    }
    let selected = match months {
        Selection::All => periods,
        Selection::Named(named) => {
            if let Some(missing) = named.iter().find(|month| !periods.contains(month)) {
                return Err(Error::usage(format!(
                    "no costs of {missing} are stored for `{}`",
                    context.connection
                )));
            }
            named.clone()
        }
        Selection::Pending => {
            let damaged = damage::damaged_months(context, &tables, &periods).await?;
            let stage = Stage::Delivery;
            let mut selected = pending::pending_months(context, &tables, periods, stage).await?;
            selected.extend(damaged);
            selected.sort();
            selected.dedup();
            selected
        }
    };
    tables.enrichment_inputs(context).await?;
    let mut summary = Summary {
        run: context.run.clone(),
        periods: Vec::new(),
        unavailable: Vec::new(),
        errors: Vec::new(),
    };
    for period in selected {
        let named = *months != Selection::Pending;
        let month = async {
            let result = one_month(context, &mut tables, period, named, dry_run).await;
            publish::with_staging_cleanup(context, &tables, period, result).await
        };
        match month.instrument(context.period_span(period)).await {
            Ok((month, errors)) => {
                summary.periods.push(month);
                summary
                    .errors
                    .extend(errors.into_iter().map(|e| (period, e)));
            }
            Err(error) => {
                let failed = PeriodSummary::new(&context.connection, period, PeriodStatus::Failed);
                summary.periods.push(failed);
                summary.errors.push((period, error));
            }
        }
    }
    tables.warn_of_unmatched_rules(context);
    Ok(summary)
}

async fn one_month(
    context: &RunContext,
    tables: &mut Tables,
    period: BillingPeriod,
    named: bool,
    dry_run: bool,
) -> Result<(PeriodSummary, Vec<Error>)> {
    let published = tables.month(context, period).await?;
    let damage = MonthDamage::find_by_content(context, period, &published).await?;
    damage::refuse(period, &damage.costs)?;
    let costs = pull::stored_month(&context.store, &published.costs).await?;
    let mapping = transform::mapping_version(context)?;
    let digest = costs.digest.to_string();
    let state = runs::month_state(&context.store, &context.connection, period).await?;
    let today = (context.clock)().date_naive();
    let mut summary = PeriodSummary::new(&context.connection, period, PeriodStatus::Unchanged)
        .with_state(&state, today);
    let record = published.line_items_record.as_ref();
    summary.previous_net_amount = record.map(|record| record.net_amount.clone());

    let attributes = tables.attributes(context, period, &costs.files).await?;
    // New attributes alone do not change a settled month, unless it is named.
    let complete = Some(&attributes).filter(|found| !found.incomplete);
    let relevant = complete.filter(|_| named || !state.settled);
    if damage.line_items.is_empty() && published.is_current(&digest, &mapping, relevant) {
        summary.older_attributes = !published.is_current(&digest, &mapping, complete);
    } else {
        let line_items =
            check::checked_line_items(context, tables, period, &costs, &attributes).await?;
        if dry_run {
            summary.status = PeriodStatus::DryRun;
            summary = publish::summarize(
                summary,
                &PublishedMonth {
                    line_items_record: None,
                    ..published
                },
            );
            summary.line_items = line_items.rows();
            summary.own.clone_from(&line_items.own.totals);
            return Ok((summary, Vec::new()));
        }
        tables
            .publish_line_items(context, period, &costs, &line_items)
            .await?;
        summary.status = PeriodStatus::Published;
        summary.is_repaired = !damage.line_items.is_empty();
    }
    let published = tables.month(context, period).await?;
    let mut errors = Vec::new();
    if !dry_run {
        let deliveries = deliver::deliver(context, tables, period, DeliverOptions::default()).await;
        summary.deliveries = deliveries.completed;
        errors = deliveries.errors;
    }
    Ok((publish::summarize(summary, &published), errors))
}
