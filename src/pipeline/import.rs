//! Import: pulls, transforms, checks, publishes and delivers each month; or pulls alone.

use std::sync::Arc;

use chrono::NaiveDate;
use tracing::Instrument;

use crate::billing_period::BillingPeriod;
use crate::confluent::client::{Client, RequestError};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::deliver::{self, DeliverOptions};
use crate::pipeline::organization::same_costs;
use crate::pipeline::publish::{self, Tables};
use crate::pipeline::pull::{self, PulledMonth};
use crate::pipeline::select::pending::{self, Stage};
use crate::pipeline::select::{self, Selection};
use crate::pipeline::summary::{PeriodStatus, PeriodSummary, Summary};
use crate::pipeline::transform::check;
use crate::pipeline::{RunContext, StageTimer, transform};
use crate::store::runs;

/// Options of an import.
#[derive(Debug, Clone)]
pub(crate) struct ImportOptions {
    /// Selection of months.
    pub(crate) months: Selection,
    /// Run every stage except publish and deliver.
    pub(crate) dry_run: bool,
    /// Publish a month even if published days came back without costs.
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
        errors: Vec::new(),
    };
    let oldest = select::pullable(today).first().copied();
    let mut options = options.clone();
    let mut stopped = false;
    for period in selected {
        if stopped {
            summary.periods.push(failed_month(context, period));
            continue;
        }
        (context.progress)(format!("{period}: asking Confluent"));
        let span = context.period_span(period);
        let month = one_month(context, client, &options, &mut tables, period);
        match month.instrument(span.clone()).await {
            Ok((month, errors)) => {
                // Later months would run into the same error; the next run delivers them.
                options.no_deliver |= errors.iter().any(|e| stops_the_run(e.kind()));
                summary.periods.push(month);
                summary
                    .errors
                    .extend(errors.into_iter().map(|e| (period, e)));
            }
            Err(failure) => {
                let named = matches!(options.months, Selection::Named(_));
                let refused = failure.is_bad_request();
                if refused && !named && Some(period) == oldest {
                    let error = failure.error();
                    span.in_scope(
                        || tracing::warn!(%error, "Oldest month skipped: Confluent refuses it"),
                    );
                    continue;
                }
                stopped = stops_the_run(failure.kind());
                summary.periods.push(failed_month(context, period));
                summary.errors.push((period, failure.into_error()));
            }
        }
    }
    let delivers = !options.dry_run && !options.pull_only && !options.no_deliver;
    if options.months == Selection::Pending && delivers {
        deliver_backlog(context, &options, &tables, &mut summary).await?;
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
                month.complete_through = state.complete_through;
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
            pending::pending_months(context, tables, select::pullable(today), stage).await
        }
    }
}

async fn one_month(
    context: &Arc<RunContext>,
    client: &Arc<Client>,
    options: &ImportOptions,
    tables: &mut Tables,
    period: BillingPeriod,
) -> std::result::Result<(PeriodSummary, Vec<Error>), RequestError> {
    let internal = RequestError::internal;
    let published = tables.month(context, period).await.map_err(internal)?;
    let timer = StageTimer::begin("pull");
    let pulled = pull::pull(context, client, period, &published.costs).await?;
    drop(timer);
    let result = finish_month(context, options, tables, period, &published, pulled).await;
    publish::with_staging_cleanup(context, tables, period, result)
        .await
        .map_err(internal)
}

/// Publishes and delivers a pulled month, or puts it on hold and changes nothing. The returned errors are
/// those of destinations.
async fn finish_month(
    context: &RunContext,
    options: &ImportOptions,
    tables: &mut Tables,
    period: BillingPeriod,
    published: &publish::PublishedMonth,
    pulled: PulledMonth,
) -> Result<(PeriodSummary, Vec<Error>)> {
    let (allow, dry_run) = (options.allow_same_organization, options.dry_run);
    same_costs::refuse_pulled(context, tables, period, &pulled, allow, dry_run).await?;
    let mut summary = PeriodSummary::new(&context.connection, period, PeriodStatus::Published)
        .with_totals(&pulled.totals.sum()?);
    summary.complete_through = select::complete_through(period, pulled.pulled_at);
    summary.previous_net_amount = match &published.costs_record {
        Some(record) if options.pull_only => Some(record.net_amount.clone()),
        _ => published.net_amount(),
    };
    summary.data_quality = pulled.data_quality;
    summary.resumed = pulled.resumed as u64;
    summary.received = summary.costs;

    let lost = publish::lost_days(context, period, &published.costs, &pulled).await?;
    if !lost.is_empty() && (!options.allow_missing_data || pulled.files.is_empty()) {
        let mut on_hold = PeriodSummary::new(&context.connection, period, PeriodStatus::OnHold);
        on_hold.previous_net_amount = summary.previous_net_amount;
        on_hold.hold_reason = Some(hold_reason(&lost, pulled.files.is_empty()));
        return Ok((publish::summarize(on_hold, published), Vec::new()));
    }
    let pulled_at = pulled.pulled_at;
    if pulled.files.is_empty() {
        summary.status = PeriodStatus::Empty;
    } else {
        summary.digest = Some(pulled.digest.to_string());
        summary = replace_month(context, options, tables, published, pulled, summary).await?;
    }
    let mut errors = Vec::new();
    if !options.dry_run {
        publish::record_pull(context, period, pulled_at).await?;
        if !options.pull_only && !options.no_deliver {
            let deliveries =
                deliver::deliver(context, tables, period, options.deliver_options()).await;
            summary.deliveries = deliveries.completed;
            errors = deliveries.errors;
        }
    }
    Ok((summary, errors))
}

/// Transforms, checks and commits a month, unless it is unchanged or the run is dry.
async fn replace_month(
    context: &RunContext,
    options: &ImportOptions,
    tables: &mut Tables,
    published: &publish::PublishedMonth,
    mut source: PulledMonth,
    mut summary: PeriodSummary,
) -> Result<PeriodSummary> {
    let period = summary.billing_period;
    let digest = source.digest.to_string();
    let mapping = transform::mapping_version(context)?;
    let record = published.costs_record.as_ref();
    let same_costs = record.is_some_and(|record| record.digest == digest);
    let attributes = if options.pull_only {
        None
    } else {
        Some(tables.attributes(context, period, &source.files).await?)
    };
    // New attributes alone do not change a settled month.
    let settled = runs::month_state(&context.store, &context.connection, period)
        .await?
        .settled;
    let complete = attributes.as_ref().filter(|found| !found.incomplete);
    let relevant = complete.filter(|_| !settled);
    if same_costs && (options.pull_only || published.is_current(&digest, &mapping, relevant)) {
        summary = publish::summarize(summary, published);
        summary.status = PeriodStatus::Unchanged;
        summary.older_attributes =
            !options.pull_only && !published.is_current(&digest, &mapping, complete);
        return Ok(summary);
    }
    if same_costs {
        source.files.clone_from(&published.costs);
    }
    if options.dry_run {
        summary.status = PeriodStatus::DryRun;
    }
    let Some(attributes) = attributes else {
        check::check_costs(context, period, &source.files, &source.totals).await?;
        if !options.dry_run {
            tables.publish_costs(context, period, &source).await?;
        }
        return Ok(summary);
    };
    let line_items =
        check::checked_line_items(context, tables, period, &source, &attributes).await?;
    summary.line_items = line_items.rows();
    if options.dry_run {
        return Ok(summary);
    }
    (context.progress)(format!("{period}: publishing"));
    if !same_costs {
        tables.publish_costs(context, period, &source).await?;
    }
    let record = tables
        .publish_line_items(context, period, &source, &line_items)
        .await?;
    summary.version = Some(record.version);
    Ok(summary)
}

fn hold_reason(lost: &[NaiveDate], is_empty: bool) -> String {
    let days: Vec<String> = lost.iter().take(5).map(|day| day.to_string()).collect();
    let more = if lost.len() > 5 { ", …" } else { "" };
    let next = if is_empty {
        "Confluent returned none for the whole month"
    } else {
        "check with Confluent, or accept it with --allow-missing-data"
    };
    format!(
        "stays as published: days came back without costs ({}{more}); {next}",
        days.join(", ")
    )
}
