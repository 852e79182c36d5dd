//! Import: for each month pull, transform, check, publish, deliver; or the pull alone.

use std::sync::Arc;

use chrono::NaiveDate;
use reqwest::StatusCode;

use super::Job;
use super::months::{self, Selection};
use super::publish::{self, Tables};
use super::pull::{self, Pulled};
use super::summary::{PeriodSummary, Status, Summary};
use super::{check, transform};
use crate::confluent::client::{Client, Failure};
use crate::confluent::windows::BillingPeriod;
use crate::error::{Class, Error, Result};
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
}

/// Imports the months asked for, oldest first. Call it with the connection's lease.
///
/// # Errors
/// Only what concerns the whole run; a month's own error is in the summary.
pub async fn import(job: &Job, client: &Arc<Client>, options: &Options) -> Result<Summary> {
    let today = (job.clock)().date_naive();
    let selected = select(job, &options.months, today).await?;
    let mut tables = Tables::open(job).await?;
    let mut summary = Summary { run: job.run.clone(), periods: Vec::new(), errors: Vec::new() };
    let oldest = months::pullable(today).first().copied();
    let mut stopped = false;
    for period in selected {
        if stopped {
            let failed = PeriodSummary::new(&job.connection, period, Status::Failed);
            summary.periods.push(failed);
            continue;
        }
        (job.progress)(format!("{period}: asking Confluent"));
        match one_month(job, client, options, &mut tables, period).await {
            Ok(month) => summary.periods.push(month),
            Err(failure) => {
                let named = matches!(options.months, Selection::Named(_));
                let refused = failure.status == Some(StatusCode::BAD_REQUEST);
                if refused && !named && Some(period) == oldest {
                    tracing::warn!(%period, error = %failure.error, "Confluent refuses the oldest month; it is skipped.");
                    continue;
                }
                stopped = stops_the_run(failure.error.class());
                let failed = PeriodSummary::new(&job.connection, period, Status::Failed);
                summary.periods.push(failed);
                summary.errors.push((period, failure.error));
            }
        }
    }
    Ok(summary)
}

/// Errors that every later month would meet too.
fn stops_the_run(class: Class) -> bool {
    matches!(class, Class::Config | Class::Remote | Class::Locked | Class::Bug)
}

async fn select(job: &Job, selection: &Selection, today: NaiveDate) -> Result<Vec<BillingPeriod>> {
    match selection {
        Selection::Named(named) => {
            months::refuse_unpullable(named, today)?;
            Ok(named.clone())
        }
        Selection::All => Ok(months::pullable(today)),
        Selection::Due => {
            let mut due = Vec::new();
            for period in months::pullable(today) {
                if !runs::month_state(&job.store, &job.connection, period).await?.settled {
                    due.push(period);
                }
            }
            Ok(due)
        }
    }
}

fn plain(error: Error) -> Failure {
    Failure { error, status: None }
}

async fn one_month(
    job: &Job,
    client: &Arc<Client>,
    options: &Options,
    tables: &mut Tables,
    period: BillingPeriod,
) -> std::result::Result<PeriodSummary, Failure> {
    let published = tables.month(job, period).await.map_err(plain)?;
    let pulled = pull::pull(job, client, period, &published.costs).await?;
    month_pulled(job, options, tables, period, &published, pulled).await.map_err(plain)
}

/// Goes on with a pulled month: publishes it, or leaves everything as it was.
async fn month_pulled(
    job: &Job,
    options: &Options,
    tables: &mut Tables,
    period: BillingPeriod,
    published: &publish::PublishedMonth,
    pulled: Pulled,
) -> Result<PeriodSummary> {
    let mut summary = PeriodSummary::new(&job.connection, period, Status::Published)
        .with_sums(&pulled.totals.sum()?);
    summary.covered_until = months::covered_until(period, pulled.pulled_at);
    summary.notes = notes(&pulled);

    let lost = publish::lost_days(job, period, &published.costs, &pulled).await?;
    if !lost.is_empty() && (!options.allow_shrink || pulled.files.is_empty()) {
        pull::discard(job, period, &pulled.files).await?;
        let mut held = PeriodSummary::new(&job.connection, period, Status::Held);
        held.notes.push(held_note(&lost, pulled.files.is_empty()));
        return Ok(publish::summarize(held, published));
    }
    if pulled.files.is_empty() {
        if !options.dry_run {
            publish::remember_pull(job, period, pulled.pulled_at).await?;
        }
        summary.status = Status::Empty;
        return Ok(summary);
    }

    let digest = pulled.digest.to_string();
    let mapping = transform::mapping_version(job)?;
    let same_costs = published.costs_record.as_ref().is_some_and(|record| record.digest == digest);
    let mut source = pulled;
    if same_costs {
        pull::discard(job, period, &source.files).await?;
        source.files.clone_from(&published.costs);
    }
    if same_costs && (options.pull_only || published.is_current(&digest, &mapping)) {
        summary = publish::summarize(summary, published);
        summary.status = Status::Unchanged;
        if !options.dry_run {
            publish::remember_pull(job, period, source.pulled_at).await?;
            deliver(job, options, tables, &mut summary).await?;
        }
        return Ok(summary);
    }

    let result = stage_and_publish(job, options, tables, period, &source, same_costs, &mapping).await;
    match result {
        Ok(Some(record)) => {
            summary.line_items = record.line_items;
            summary.version = Some(record.version);
        }
        Ok(None) if options.dry_run => {
            summary.status = Status::DryRun;
        }
        Ok(None) => {}
        Err(error) => {
            // Unless its commit may have gone through, nothing of a failed month stays behind.
            if !same_costs && !matches!(error.class(), Class::Remote | Class::Locked) {
                pull::discard(job, period, &unpublished(job, tables, period, &source).await?).await?;
            }
            return Err(error);
        }
    }
    summary.digest = Some(digest);
    if !options.dry_run {
        publish::remember_pull(job, period, source.pulled_at).await?;
        deliver(job, options, tables, &mut summary).await?;
    }
    Ok(summary)
}

async fn deliver(job: &Job, options: &Options, tables: &Tables, summary: &mut PeriodSummary) -> Result<()> {
    if options.pull_only {
        return Ok(());
    }
    if let Some(drop) = publish::deliver(job, tables, summary.billing_period).await? {
        tracing::info!(
            period = %summary.billing_period, drop = %drop.drop_id, files = drop.files, rows = drop.rows,
            "The CloudZero drop is written and read back."
        );
    }
    Ok(())
}

/// Pulled files that the table does not name.
async fn unpublished(
    job: &Job,
    tables: &Tables,
    period: BillingPeriod,
    pulled: &Pulled,
) -> Result<Vec<crate::store::writer::DataFile>> {
    let published = tables.month(job, period).await?.costs;
    Ok(pulled.files.iter().filter(|file| !published.contains(file)).cloned().collect())
}

/// Transforms and checks a month, and commits it unless it is a dry run.
async fn stage_and_publish(
    job: &Job,
    options: &Options,
    tables: &mut Tables,
    period: BillingPeriod,
    source: &Pulled,
    same_costs: bool,
    mapping: &str,
) -> Result<Option<crate::store::tables::PeriodRecord>> {
    if options.pull_only {
        check::check_costs(job, period, &source.files, &source.totals).await?;
        if options.dry_run {
            pull::discard(job, period, &source.files).await?;
        } else {
            tables.publish_costs(job, period, source).await?;
        }
        return Ok(None);
    }
    (job.progress)(format!("{period}: mapping {} costs", source.digest.count()));
    let line_items = transform::transform(job, period, &source.files).await?;
    let checked =
        check::check_all(job, period, &source.files, &source.totals, &line_items).await;
    if checked.is_err() || options.dry_run {
        transform::discard(job, &line_items.files).await?;
        checked?;
        if !same_costs {
            pull::discard(job, period, &source.files).await?;
        }
        return Ok(None);
    }
    (job.progress)(format!("{period}: publishing"));
    let publish = async {
        if !same_costs {
            tables.publish_costs(job, period, source).await?;
        }
        tables.publish_line_items(job, period, source, &line_items, mapping).await
    };
    match publish.await {
        Ok(record) => Ok(Some(record)),
        Err(error) => {
            if error.class() == Class::Locked {
                transform::discard(job, &line_items.files).await?;
            }
            Err(error)
        }
    }
}

fn notes(pulled: &Pulled) -> Vec<String> {
    let mut notes = Vec::new();
    if pulled.oddities.rounded > 0 {
        notes.push(format!("{} numbers had more than 24 decimals and were rounded half-even", pulled.oddities.rounded));
    }
    if pulled.oddities.discount_differs > 0 {
        notes.push(format!(
            "{} costs have a discount that is not original - net; the net amount counts",
            pulled.oddities.discount_differs
        ));
    }
    if pulled.resumed > 0 {
        notes.push(format!("{} windows were taken over from a pull that was cut off", pulled.resumed));
    }
    notes
}

fn held_note(lost: &[NaiveDate], nothing: bool) -> String {
    let days: Vec<String> = lost.iter().take(5).map(|day| day.to_string()).collect();
    let more = if lost.len() > 5 { ", …" } else { "" };
    let next = if nothing {
        "Confluent gave no costs at all; what is published stays"
    } else {
        "what is published stays; check with Confluent, or accept it with --allow-shrink"
    };
    format!("published days came back without costs ({}{more}): {next}", days.join(", "))
}
