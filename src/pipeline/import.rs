//! Import: for each month pull, transform, check, publish, deliver; or the pull alone.

use std::sync::Arc;

use chrono::NaiveDate;
use reqwest::StatusCode;

use crate::billing_period::BillingPeriod;
use crate::confluent::client::{Client, RequestError};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::deliver::{self, Wish};
use crate::pipeline::publish::{self, Tables};
use crate::pipeline::pull::window::plain;
use crate::pipeline::pull::{self, Pulled};
use crate::pipeline::select::pending::{self, UpTo};
use crate::pipeline::select::{self, Selection};
use crate::pipeline::summary::{PeriodSummary, Status, Summary};
use crate::pipeline::transform::check;
use crate::pipeline::{RunContext, Stage, transform};
use crate::store::runs;

/// What an import may and should do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which months.
    pub months: Selection,
    /// All but publishing.
    pub dry_run: bool,
    /// Publish a month although a published day came back without costs.
    pub allow_shrink: bool,
    /// Stop after the costs are published.
    pub pull_only: bool,
    /// Stop after the line items are published.
    pub no_deliver: bool,
    /// Deliver without having CloudZero validate first.
    pub unvalidated: bool,
}

impl Options {
    fn wish(&self) -> Wish {
        Wish {
            unvalidated: self.unvalidated,
            ..Wish::default()
        }
    }
}

/// Imports the months asked for, oldest first. Call it with the connection's lease.
///
/// # Errors
/// Only what concerns the whole run; a month's own error is in the summary.
pub async fn import(job: &RunContext, client: &Arc<Client>, options: &Options) -> Result<Summary> {
    let today = (job.clock)().date_naive();
    let mut tables = Tables::open(job).await?;
    let selected = select(job, &tables, options, today).await?;
    if !options.pull_only {
        // A file of tags that cannot be read is told before anything is asked.
        tables.sources(job).await?;
    }
    let mut summary = Summary {
        run: job.run.clone(),
        periods: Vec::new(),
        errors: Vec::new(),
    };
    let oldest = select::pullable(today).first().copied();
    let mut options = options.clone();
    let mut stopped = false;
    for period in selected {
        if stopped {
            let failed = PeriodSummary::new(&job.connection, period, Status::Failed);
            summary.periods.push(failed);
            continue;
        }
        (job.progress)(format!("{period}: asking Confluent"));
        match one_month(job, client, &options, &mut tables, period).await {
            Ok((month, errors)) => {
                // Each later month would wait for the same in vain; the next run delivers them.
                options.no_deliver |= errors.iter().any(|e| stops_the_run(e.kind()));
                summary.periods.push(month);
                summary
                    .errors
                    .extend(errors.into_iter().map(|e| (period, e)));
            }
            Err(failure) => {
                let named = matches!(options.months, Selection::Named(_));
                let refused = failure.status == Some(StatusCode::BAD_REQUEST);
                if refused && !named && Some(period) == oldest {
                    tracing::warn!(%period, error = %failure.error, "Confluent refuses the oldest month; it is skipped.");
                    continue;
                }
                stopped = stops_the_run(failure.error.kind());
                let failed = PeriodSummary::new(&job.connection, period, Status::Failed);
                summary.periods.push(failed);
                summary.errors.push((period, failure.error));
            }
        }
    }
    let delivers = !options.dry_run && !options.pull_only && !options.no_deliver;
    if options.months == Selection::Due && delivers {
        deliver_the_rest(job, &options, &tables, &mut summary).await?;
    }
    Ok(summary)
}

/// Delivers published months that an earlier run did not get to their targets. They are settled, so
/// nothing of them is pulled again.
async fn deliver_the_rest(
    job: &RunContext,
    options: &Options,
    tables: &Tables,
    summary: &mut Summary,
) -> Result<()> {
    let mut published = deliver::published_months(job, tables, &Selection::All).await?;
    // What a held or failed month has published may be waiting, too.
    let went_through = |m: &PeriodSummary| !matches!(m.status, Status::Held | Status::Failed);
    published.retain(|period| {
        let mut done = summary.periods.iter().filter(|m| went_through(m));
        done.all(|m| m.billing_period != *period)
    });
    for period in pending::due(job, tables, published, UpTo::Delivery).await? {
        let deliveries = deliver::deliver(job, tables, period, options.wish()).await;
        let stopped = deliveries.errors.iter().any(|e| stops_the_run(e.kind()));
        let errors = deliveries.errors.into_iter().map(|e| (period, e));
        summary.errors.extend(errors);
        let known = summary
            .periods
            .iter_mut()
            .find(|m| m.billing_period == period);
        match known {
            Some(month) => month.deliveries = deliveries.made,
            None => {
                let state = runs::month_state(&job.store, &job.connection, period).await?;
                let mut month = PeriodSummary::new(&job.connection, period, Status::Unchanged);
                month.covered_until = state.covered_until;
                month.deliveries = deliveries.made;
                let published = tables.month(job, period).await?;
                month.previous_net_amount = published.net_amount();
                summary.periods.push(publish::summarize(month, &published));
            }
        }
        if stopped {
            break;
        }
    }
    summary.periods.sort_by_key(|month| month.billing_period);
    Ok(())
}

/// Errors that every later month would meet too.
fn stops_the_run(class: ErrorKind) -> bool {
    matches!(
        class,
        ErrorKind::Config | ErrorKind::Remote | ErrorKind::Locked | ErrorKind::Bug
    )
}

async fn select(
    job: &RunContext,
    tables: &Tables,
    options: &Options,
    today: NaiveDate,
) -> Result<Vec<BillingPeriod>> {
    match &options.months {
        Selection::Named(named) => {
            select::refuse_unpullable(named, today)?;
            Ok(named.clone())
        }
        Selection::All => Ok(select::pullable(today)),
        Selection::Due => {
            let up_to = match options.pull_only {
                true => UpTo::Costs,
                false => UpTo::LineItems,
            };
            pending::due(job, tables, select::pullable(today), up_to).await
        }
    }
}

async fn one_month(
    job: &RunContext,
    client: &Arc<Client>,
    options: &Options,
    tables: &mut Tables,
    period: BillingPeriod,
) -> std::result::Result<(PeriodSummary, Vec<Error>), RequestError> {
    let published = tables.month(job, period).await.map_err(plain)?;
    let stage = Stage::begin("pull");
    let pulled = pull::pull(job, client, period, &published.costs).await?;
    drop(stage);
    let result = month_pulled(job, options, tables, period, &published, pulled).await;
    publish::swept(job, tables, period, result)
        .await
        .map_err(plain)
}

/// Goes on with a pulled month: publishes and delivers it, or leaves everything as it was. The errors
/// are those of targets.
async fn month_pulled(
    job: &RunContext,
    options: &Options,
    tables: &mut Tables,
    period: BillingPeriod,
    published: &publish::PublishedMonth,
    pulled: Pulled,
) -> Result<(PeriodSummary, Vec<Error>)> {
    let mut summary = PeriodSummary::new(&job.connection, period, Status::Published)
        .with_sums(&pulled.totals.sum()?);
    summary.covered_until = select::covered_until(period, pulled.pulled_at);
    summary.previous_net_amount = match (options.pull_only, &published.costs_record) {
        (true, Some(record)) => Some(record.net_amount.clone()),
        _ => published.net_amount(),
    };
    summary.oddities = pulled.oddities;
    summary.resumed = pulled.resumed as u64;
    summary.received = summary.costs;

    let lost = publish::lost_days(job, period, &published.costs, &pulled).await?;
    if !lost.is_empty() && (!options.allow_shrink || pulled.files.is_empty()) {
        let mut held = PeriodSummary::new(&job.connection, period, Status::Held);
        held.previous_net_amount = summary.previous_net_amount;
        held.held = Some(held_note(&lost, pulled.files.is_empty()));
        return Ok((publish::summarize(held, published), Vec::new()));
    }
    let pulled_at = pulled.pulled_at;
    if pulled.files.is_empty() {
        summary.status = Status::Empty;
    } else {
        summary.digest = Some(pulled.digest.to_string());
        summary = replace_month(job, options, tables, published, pulled, summary).await?;
    }
    let mut errors = Vec::new();
    if !options.dry_run {
        publish::remember_pull(job, period, pulled_at).await?;
        if !options.pull_only && !options.no_deliver {
            let deliveries = deliver::deliver(job, tables, period, options.wish()).await;
            summary.deliveries = deliveries.made;
            errors = deliveries.errors;
        }
    }
    Ok((summary, errors))
}

/// Transforms, checks and commits a month, unless it is unchanged or a dry run.
async fn replace_month(
    job: &RunContext,
    options: &Options,
    tables: &mut Tables,
    published: &publish::PublishedMonth,
    mut source: Pulled,
    mut summary: PeriodSummary,
) -> Result<PeriodSummary> {
    let period = summary.billing_period;
    let digest = source.digest.to_string();
    let mapping = transform::mapping_version(job)?;
    let record = published.costs_record.as_ref();
    let same_costs = record.is_some_and(|record| record.digest == digest);
    let facts = match options.pull_only {
        true => None,
        false => Some(tables.facts(job, period, &source.files).await?),
    };
    // ResourceAttributes alone do not change a month that is settled.
    let settled = runs::month_state(&job.store, &job.connection, period)
        .await?
        .settled;
    let complete = facts.as_ref().filter(|facts| !facts.incomplete);
    let counting = complete.filter(|_| !settled);
    if same_costs && (options.pull_only || published.is_current(&digest, &mapping, counting)) {
        summary = publish::summarize(summary, published);
        summary.status = Status::Unchanged;
        summary.older_facts =
            !options.pull_only && !published.is_current(&digest, &mapping, complete);
        return Ok(summary);
    }
    if same_costs {
        source.files.clone_from(&published.costs);
    }
    if options.dry_run {
        summary.status = Status::DryRun;
    }
    let Some(facts) = facts else {
        check::check_costs(job, period, &source.files, &source.totals).await?;
        if !options.dry_run {
            tables.publish_costs(job, period, &source).await?;
        }
        return Ok(summary);
    };
    let line_items = check::checked_line_items(job, tables, period, &source, &facts).await?;
    summary.line_items = line_items.rows();
    if options.dry_run {
        return Ok(summary);
    }
    (job.progress)(format!("{period}: publishing"));
    if !same_costs {
        tables.publish_costs(job, period, &source).await?;
    }
    let record = tables
        .publish_line_items(job, period, &source, &line_items)
        .await?;
    summary.version = Some(record.version);
    Ok(summary)
}

fn held_note(lost: &[NaiveDate], nothing: bool) -> String {
    let days: Vec<String> = lost.iter().take(5).map(|day| day.to_string()).collect();
    let more = if lost.len() > 5 { ", …" } else { "" };
    let next = if nothing {
        "Confluent gave none for the whole month"
    } else {
        "check with Confluent, or accept it with --allow-shrink"
    };
    format!(
        "stays as published: days came back without costs ({}{more}); {next}",
        days.join(", ")
    )
}
