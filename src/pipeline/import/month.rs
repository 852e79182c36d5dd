//! Import of one month.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::billing_period::BillingPeriod;
use crate::confluent::client::{Client, RequestError};
use crate::error::{Error, Result};
use crate::pipeline::assess::losses::{self, Losses};
use crate::pipeline::clock_check::{ClockCheck, not_past_confluent};
use crate::pipeline::damage::MonthDamage;
use crate::pipeline::import::ImportOptions;
use crate::pipeline::organization::same_costs;
use crate::pipeline::publish::{self, Tables};
use crate::pipeline::pull::{self, PulledMonth};
use crate::pipeline::summary::{PeriodStatus, PeriodSummary};
use crate::pipeline::transform::check;
use crate::pipeline::{RunContext, StageTimer, assess, deliver, select, transform};
use crate::store::runs::{self, MonthState};

/// Pulls a month and takes it through the later stages. The returned errors are those of destinations.
pub(super) async fn import_month(
    context: &Arc<RunContext>,
    client: &Arc<Client>,
    clock: &ClockCheck,
    options: &ImportOptions,
    tables: &mut Tables,
    period: BillingPeriod,
) -> std::result::Result<(PeriodSummary, Vec<Error>), RequestError> {
    let internal = RequestError::internal;
    let published = tables.month(context, period).await.map_err(internal)?;
    let timer = StageTimer::begin("pull");
    let pulled = pull::pull(context, client, period, &published.costs).await;
    drop(timer);
    // A clock that is far off explains a failed pull as well.
    let result = match clock.check(client) {
        Ok(()) => {
            let mut pulled = pulled?;
            pulled.pulled_at = not_past_confluent(pulled.pulled_at, client.clock_ahead());
            finish_month(context, options, tables, period, &published, pulled).await
        }
        Err(error) => Err(error),
    };
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
    summary.previous_net_amount = match &published.costs_record {
        Some(record) if options.pull_only => Some(record.net_amount.clone()),
        _ => published.net_amount(),
    };
    summary.data_quality = pulled.data_quality;
    summary.resumed = pulled.resumed as u64;
    summary.received = summary.costs;

    let state = month_state(context, period, published).await?;
    summary.was_settled = state.settled;
    let damage = MonthDamage::find_by_content(context, period, published).await?;
    let losses = losses(context, published, &damage, &pulled).await?;
    let is_empty = pulled.files.is_empty();
    if !losses.is_empty() && (!options.allow_missing_data || is_empty) {
        summary.hold_reason = Some(hold_reason(&losses, is_empty));
        let on_hold = put_on_hold(context, options, summary, state, pulled.pulled_at).await?;
        return Ok((publish::summarize(on_hold, published), Vec::new()));
    }
    if is_empty && let Some(file) = damage.costs.first() {
        summary.hold_reason = Some(format!(
            "is damaged ({file}), and Confluent returned no costs for the whole month"
        ));
        let on_hold = put_on_hold(context, options, summary, state, pulled.pulled_at).await?;
        return Ok((publish::summarize(on_hold, published), Vec::new()));
    }
    let (with_costs, pulled_at) = (assess::days_of(&pulled), pulled.pulled_at);
    if is_empty {
        summary.status = PeriodStatus::Empty;
    } else {
        summary.digest = Some(pulled.digest.to_string());
        let sides = (published, &damage);
        summary = replace_month(context, options, tables, sides, pulled, summary).await?;
    }
    let mut state =
        assess::after_pull(context, tables, state, period, &with_costs, pulled_at).await?;
    state.costs.clone_from(&summary.digest);
    summary = summary.with_state(&state, (context.clock)().date_naive());
    let mut errors = Vec::new();
    if !options.dry_run {
        save_state(context, period, &state).await?;
        if !options.pull_only && !options.no_deliver {
            let deliveries =
                deliver::deliver(context, tables, period, options.deliver_options()).await;
            summary.deliveries = deliveries.completed;
            errors = deliveries.errors;
        }
    }
    Ok((summary, errors))
}

/// Records that a month is on hold, for the reason in its summary; what is published stays.
async fn put_on_hold(
    context: &RunContext,
    options: &ImportOptions,
    summary: PeriodSummary,
    mut state: MonthState,
    pulled_at: DateTime<Utc>,
) -> Result<PeriodSummary> {
    let period = summary.billing_period;
    let reason = summary.hold_reason.clone().unwrap_or_default();
    state.completeness.hold(pulled_at, reason);
    if !options.dry_run {
        save_state(context, period, &state).await?;
    }
    let today = (context.clock)().date_naive();
    let on_hold = PeriodSummary {
        previous_net_amount: summary.previous_net_amount,
        hold_reason: summary.hold_reason,
        ..PeriodSummary::new(&context.connection, period, PeriodStatus::OnHold)
    };
    Ok(on_hold.with_state(&state, today))
}

/// Returns the state of a month, without what it says of other costs than the published ones.
async fn month_state(
    context: &RunContext,
    period: BillingPeriod,
    published: &publish::PublishedMonth,
) -> Result<MonthState> {
    let state = runs::month_state(&context.store, &context.connection, period).await?;
    if state.describes(published.costs_record.as_ref()) {
        return Ok(state);
    }
    tracing::warn!(
        settled = state.settled,
        "Ignored the state of the month, which belongs to other costs than the published ones"
    );
    Ok(state.without_pull())
}

/// Returns the published costs, as far as they can be read, that the pull lacks.
async fn losses(
    context: &RunContext,
    published: &publish::PublishedMonth,
    damage: &MonthDamage,
    pulled: &PulledMonth,
) -> Result<Losses> {
    let stored = pull::stored_month(&context.store, &damage.readable_costs(published)).await?;
    let open_from = select::open_from(pulled.pulled_at);
    let limits = context.options.losses;
    Ok(losses::find(
        &stored.totals,
        &pulled.totals,
        open_from,
        limits,
    ))
}

async fn save_state(context: &RunContext, period: BillingPeriod, state: &MonthState) -> Result<()> {
    runs::save_month_state(&context.fence()?, period, state).await
}

/// Transforms, checks and commits a month, unless it is unchanged and whole, or the run is dry.
async fn replace_month(
    context: &RunContext,
    options: &ImportOptions,
    tables: &mut Tables,
    (published, damage): (&publish::PublishedMonth, &MonthDamage),
    mut source: PulledMonth,
    mut summary: PeriodSummary,
) -> Result<PeriodSummary> {
    let period = summary.billing_period;
    let digest = source.digest.to_string();
    let mapping = transform::mapping_version(context)?;
    let record = published.costs_record.as_ref();
    let had_these_costs = record.is_some_and(|record| record.digest == digest);
    let same_costs = damage.costs.is_empty() && had_these_costs;
    let attributes = if options.pull_only {
        None
    } else {
        Some(tables.attributes(context, period, &source.files).await?)
    };
    // New attributes alone do not change a settled month.
    let complete = attributes.as_ref().filter(|found| !found.incomplete);
    let relevant = complete.filter(|_| !summary.was_settled);
    let is_current =
        damage.line_items.is_empty() && published.is_current(&digest, &mapping, relevant);
    if same_costs && (options.pull_only || is_current) {
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
    summary.has_new_costs = !had_these_costs;
    let is_damaged = damage.first().is_some();
    summary.is_repaired = had_these_costs && is_damaged && !options.dry_run;
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
    summary.own.clone_from(&line_items.own.totals);
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

fn hold_reason(losses: &Losses, is_empty: bool) -> String {
    let next = if is_empty {
        "Confluent returned none for the whole month"
    } else {
        "check with Confluent, or accept it with --allow-missing-data"
    };
    format!("stays as published: {}; {next}", losses.describe())
}
