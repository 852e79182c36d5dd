//! Transform of stored months: mapping, checks, publish, and the drop in the store, from the `costs`
//! table alone.

use crate::billing_period::BillingPeriod;
use crate::error::{Error, Result};
use crate::pipeline::deliver::{self, Wish};
use crate::pipeline::publish::{self, PublishedMonth, Tables};
use crate::pipeline::select::Selection;
use crate::pipeline::select::pending::{self, UpTo};
use crate::pipeline::summary::{PeriodSummary, Status, Summary};
use crate::pipeline::transform::check;
use crate::pipeline::{RunContext, pull, transform};
use crate::store::runs;
use crate::store::tables::Published;

/// Maps stored months anew. Without a selection these are the months that are not settled.
///
/// # Errors
/// Kind usage, for a month that is not stored; a month's own error is in the summary.
pub async fn transform_stored(
    job: &RunContext,
    months: &Selection,
    dry_run: bool,
) -> Result<Summary> {
    let mut tables = Tables::open(job).await?;
    let stored: Vec<Published> = match &tables.costs {
        Some(costs) => costs.files().await?,
        None => Vec::new(),
    };
    let stored: Vec<Published> = stored
        .into_iter()
        .filter(|file| file.connection == job.connection)
        .collect();
    let mut periods: Vec<BillingPeriod> = stored.iter().map(|file| file.period).collect();
    periods.dedup();
    if periods.is_empty() {
        return Err(Error::usage(format!(
            "no costs of `{}` are stored in {}",
            job.connection,
            job.store.display("costs")
        ))
        .with_hint("run `billstream import` first, or name another --store or --connection"));
    }
    let selected = match months {
        Selection::All => periods,
        Selection::Named(named) => {
            if let Some(missing) = named.iter().find(|month| !periods.contains(month)) {
                return Err(Error::usage(format!(
                    "no costs of {missing} are stored for `{}`",
                    job.connection
                )));
            }
            named.clone()
        }
        Selection::Due => pending::due(job, &tables, periods, UpTo::Delivery).await?,
    };
    tables.sources(job).await?;
    let mut summary = Summary {
        run: job.run.clone(),
        periods: Vec::new(),
        errors: Vec::new(),
    };
    for period in selected {
        let named = *months != Selection::Due;
        let result = one_month(job, &mut tables, period, named, dry_run).await;
        let result = publish::swept(job, &tables, period, result).await;
        match result {
            Ok((month, errors)) => {
                summary.periods.push(month);
                summary
                    .errors
                    .extend(errors.into_iter().map(|e| (period, e)));
            }
            Err(error) => {
                let failed = PeriodSummary::new(&job.connection, period, Status::Failed);
                summary.periods.push(failed);
                summary.errors.push((period, error));
            }
        }
    }
    Ok(summary)
}

async fn one_month(
    job: &RunContext,
    tables: &mut Tables,
    period: BillingPeriod,
    named: bool,
    dry_run: bool,
) -> Result<(PeriodSummary, Vec<Error>)> {
    let published = tables.month(job, period).await?;
    let costs = pull::stored(&job.store, &published.costs).await?;
    let mapping = transform::mapping_version(job)?;
    let digest = costs.digest.to_string();
    let state = runs::month_state(&job.store, &job.connection, period).await?;
    let mut summary = PeriodSummary::new(&job.connection, period, Status::Unchanged);
    summary.covered_until = state.covered_until;
    summary.previous_net_amount = published
        .line_items_record
        .as_ref()
        .map(|record| record.net_amount.clone());

    let facts = tables.facts(job, period, &costs.files).await?;
    // ResourceAttributes alone do not change a month that is settled, unless it is named.
    let complete = Some(&facts).filter(|facts| !facts.incomplete);
    let counting = complete.filter(|_| named || !state.settled);
    if published.is_current(&digest, &mapping, counting) {
        summary.older_facts = !published.is_current(&digest, &mapping, complete);
    } else {
        let line_items = check::checked_line_items(job, tables, period, &costs, &facts).await?;
        if dry_run {
            summary.status = Status::DryRun;
            summary = publish::summarize(
                summary,
                &PublishedMonth {
                    line_items_record: None,
                    ..published
                },
            );
            summary.line_items = line_items.rows();
            return Ok((summary, Vec::new()));
        }
        tables
            .publish_line_items(job, period, &costs, &line_items)
            .await?;
        summary.status = Status::Published;
    }
    let published = tables.month(job, period).await?;
    let mut errors = Vec::new();
    if !dry_run {
        let deliveries = deliver::deliver(job, tables, period, Wish::default()).await;
        summary.deliveries = deliveries.made;
        errors = deliveries.errors;
    }
    Ok((publish::summarize(summary, &published), errors))
}
