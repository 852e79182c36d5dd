//! Import: pulls, transforms, checks, publishes and delivers each month; or pulls alone.

mod month;
pub(crate) mod older_labels;
mod refused;

use std::sync::Arc;

use chrono::NaiveDate;
use tracing::Instrument;

use crate::billing_period::BillingPeriod;
use crate::confluent::client::Client;
use crate::error::{ErrorKind, Result};
use crate::pipeline::clock_check::ClockCheck;
use crate::pipeline::deliver::{self, DeliverOptions};
use crate::pipeline::organization::same_costs;
use crate::pipeline::publish::{self, Tables};
use crate::pipeline::select::pending::{self, Stage};
use crate::pipeline::select::{self, Selection, rechecks, unavailable};
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};
use crate::pipeline::{RunContext, damage};
use crate::store::runs;

/// Options of an import.
#[derive(Debug, Clone)]
pub(crate) struct ImportOptions {
    /// Selection of months.
    pub(crate) months: Selection,
    /// Run every stage except publish and deliver.
    pub(crate) dry_run: bool,
    /// Publish a month even if published costs are missing from it.
    pub(crate) allow_missing_data: bool,
    /// Stop after publishing the costs.
    pub(crate) pull_only: bool,
    /// Stop after publishing the line items.
    pub(crate) no_deliver: bool,
    /// Deliver without a validation by CloudZero first.
    pub(crate) unvalidated: bool,
    /// Accept that another connection has the same organization.
    pub(crate) allow_same_organization: bool,
}

impl ImportOptions {
    fn deliver_options(&self) -> DeliverOptions {
        DeliverOptions {
            skip_validation: self.unvalidated,
            ..DeliverOptions::default()
        }
    }
}

/// Imports the selected months, oldest first. The caller holds the connection's lease.
///
/// # Errors
/// Errors of the whole run; errors of single months are in the summary.
pub(crate) async fn import(
    context: &Arc<RunContext>,
    client: &Arc<Client>,
    options: &ImportOptions,
) -> Result<Summary> {
    let today = (context.clock)().date_naive();
    if !options.dry_run {
        context.store.remove_interrupted_writes().await;
    }
    let mut tables = Tables::open(context).await?;
    let (allow, dry_run) = (options.allow_same_organization, options.dry_run);
    same_costs::refuse_stored(context, &tables, allow, dry_run).await?;
    let selected = select(context, &tables, options, today).await?;
    if !options.pull_only {
        // An unreadable file of tags fails the run before the first request.
        tables.enrichment_inputs(context).await?;
    }
    let mut summary = Summary {
        run: context.run.clone(),
        periods: Vec::new(),
        unavailable: Vec::new(),
        errors: Vec::new(),
    };
    let mut options = options.clone();
    let mut refused = Vec::new();
    let mut answered = false;
    let mut stopped = false;
    let clock = ClockCheck::default();
    for period in selected {
        if stopped {
            summary.periods.push(failed_month(context, period));
            continue;
        }
        (context.progress)(format!("{period}: asking Confluent"));
        let span = context.period_span(period);
        let month = month::import_month(context, client, &clock, &options, &mut tables, period);
        match month.instrument(span).await {
            Ok((month, errors)) => {
                answered = true;
                // Later months would run into the same error; the next run delivers them.
                options.no_deliver |= errors.iter().any(|e| stops_the_run(e.kind()));
                summary.periods.push(month);
                summary
                    .errors
                    .extend(errors.into_iter().map(|e| (period, e)));
            }
            Err(failure) => {
                let named = matches!(options.months, Selection::Named(_));
                if failure.is_bad_request() && !named && !answered {
                    refused.push((period, failure.into_error()));
                    continue;
                }
                stopped = stops_the_run(failure.kind());
                summary.periods.push(failed_month(context, period));
                summary.errors.push((period, failure.into_error()));
            }
        }
    }
    refused::skip_refused(context, &tables, refused, answered, &mut summary).await?;
    refused::warn_if_all_empty(&tables, &summary);
    if !stopped && !options.dry_run {
        publish::clean_up_old_months(context, &tables).await;
    }
    let delivers = !options.dry_run && !options.pull_only && !options.no_deliver;
    if options.months == Selection::Pending && delivers {
        deliver_backlog(context, &options, &tables, &mut summary).await?;
    }
    if !options.pull_only {
        tables.warn_of_unmatched_rules(context);
        if !stopped && !options.dry_run {
            older_labels::report(context, &tables, &summary).await;
        }
    }
    Ok(summary)
}

fn failed_month(context: &RunContext, period: BillingPeriod) -> PeriodSummary {
    PeriodSummary::new(&context.connection, period, PeriodStatus::Failed)
}

/// Delivers published months that earlier runs did not deliver. They are settled and not pulled again.
async fn deliver_backlog(
    context: &RunContext,
    options: &ImportOptions,
    tables: &Tables,
    summary: &mut Summary,
) -> Result<()> {
    let mut published = deliver::published_months(context, tables, &Selection::All).await?;
    // Earlier content of months that are on hold or failed may await delivery as well.
    let completed =
        |m: &PeriodSummary| !matches!(m.status, PeriodStatus::OnHold | PeriodStatus::Failed);
    published.retain(|period| {
        let mut completed = summary.periods.iter().filter(|m| completed(m));
        completed.all(|m| m.billing_period != *period)
    });
    for period in pending::pending_months(context, tables, published, Stage::Delivery).await? {
        let deliveries = deliver::deliver(context, tables, period, options.deliver_options())
            .instrument(context.period_span(period))
            .await;
        let stopped = deliveries.errors.iter().any(|e| stops_the_run(e.kind()));
        let errors = deliveries.errors.into_iter().map(|e| (period, e));
        summary.errors.extend(errors);
        let mut listed = summary.periods.iter_mut();
        match listed.find(|m| m.billing_period == period) {
            Some(month) => month.deliveries = deliveries.completed,
            None => {
                let state = runs::month_state(&context.store, &context.connection, period).await?;
                let mut month =
                    PeriodSummary::new(&context.connection, period, PeriodStatus::Unchanged);
                month = month.with_state(&state, (context.clock)().date_naive());
                month.deliveries = deliveries.completed;
                let published = tables.month(context, period).await?;
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

/// Returns true for errors that every later month would run into as well.
fn stops_the_run(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Config | ErrorKind::Remote | ErrorKind::Locked | ErrorKind::Bug
    )
}

async fn select(
    context: &RunContext,
    tables: &Tables,
    options: &ImportOptions,
    today: NaiveDate,
) -> Result<Vec<BillingPeriod>> {
    match &options.months {
        Selection::Named(named) => {
            select::refuse_unpullable(named, today)?;
            Ok(named.clone())
        }
        Selection::All => Ok(select::pullable(today)),
        Selection::Pending => {
            let stage = if options.pull_only {
                Stage::Costs
            } else {
                Stage::LineItems
            };
            let refused = unavailable::refused_through(context, (context.clock)()).await?;
            let published = unavailable::published(context, tables).await?;
            let pullable = select::pullable(today);
            let is_available = |period: &BillingPeriod| Some(*period) > refused;
            let available: Vec<_> = pullable.iter().copied().filter(is_available).collect();
            let rechecks = rechecks::due_rechecks(context, &available, today).await?;
            // From the first published month on, whatever can still change is asked for, whatever was refused before.
            let is_known =
                |period: &BillingPeriod| published.first().is_some_and(|first| first <= period);
            let candidates = pullable.into_iter();
            let candidates: Vec<_> = candidates
                .filter(|period| is_available(period) || is_known(period))
                .collect();
            let damaged = damage::damaged_months(context, tables, &candidates).await?;
            let mut selected = pending::pending_months(context, tables, candidates, stage).await?;
            selected.extend(rechecks);
            selected.extend(damaged);
            selected.sort();
            selected.dedup();
            Ok(selected)
        }
    }
}
