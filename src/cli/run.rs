//! What commands that change a store share: the job, the lease, the record of the run, the end on a
//! signal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{self, Environment, Settings};
use crate::confluent::windows::BillingPeriod;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::http::retry::Timing;
use crate::pipeline::Job;
use crate::pipeline::delivery::Delivery;
use crate::pipeline::summary::{PeriodSummary, RunRecord};
use crate::pipeline::targets::Targets;
use crate::store::lease::Lease;
use crate::store::{Store, runs};

/// Clocks of the HTTP clients: the run's time of day.
pub fn timing(settings: &Settings) -> Timing {
    let clock = settings.clock.clone();
    Timing {
        now: Arc::new(move || clock().into()),
        ..Timing::real()
    }
}

/// The targets that are configured or remembered.
pub async fn targets(
    settings: &Settings,
    environment: &Environment,
    store: &Store,
) -> Result<Targets> {
    let wanted = config::targets(environment)?;
    Targets::resolve(&wanted, store, &settings.connection, timing(settings)).await
}

/// The targets of a command that touches no network but the store's.
pub async fn without_network(
    settings: &Settings,
    environment: &Environment,
    store: &Store,
) -> Result<Targets> {
    let wanted = config::targets(environment)?;
    Targets::without_network(&wanted, store, &settings.connection).await
}

/// The job of a run, and the bar that shows its progress.
pub fn job(settings: &Settings, store: Store, targets: Targets) -> Result<(Job, ProgressBar)> {
    let bar = progress_bar();
    let shown = bar.clone();
    let job = Job {
        run: runs::new_run_id((settings.clock)()),
        store,
        connection: settings.connection.clone(),
        cloud_provider: settings.cloud_provider.clone(),
        currency: settings.currency.clone(),
        sql: SqlFiles::load(settings.sql_dir.as_deref())?,
        limits: settings.limits,
        concurrency: settings.concurrency,
        settle_days: settings.settle_days,
        targets,
        clock: settings.clock.clone(),
        progress: Arc::new(move |message| shown.set_message(message)),
    };
    Ok((job, bar))
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What the record of a run says of how it went.
#[derive(Default)]
pub struct Outcome<'a> {
    /// Months that were imported.
    pub periods: &'a [PeriodSummary],
    /// What was delivered.
    pub deliveries: Vec<&'a Delivery>,
    /// Errors, as they are shown.
    pub errors: Vec<String>,
    /// The process's exit code.
    pub exit_code: u8,
}

/// Errors of single months, as they are shown.
pub fn month_errors(errors: &[(BillingPeriod, Error)]) -> Vec<String> {
    let shown = errors.iter().map(|(month, e)| format!("{month}: {e}"));
    shown.collect()
}

/// Runs the work with the connection's lease, keeps a record of the run, and ends on a signal.
pub async fn under_lease<T>(
    command: &'static str,
    job: &Job,
    work: impl Future<Output = Result<T>>,
    outcome_of: fn(&T) -> Outcome<'_>,
) -> Result<T> {
    let lease = Lease::take(&job.store, &job.connection, &job.run).await?;
    let started_at = (job.clock)();
    let result = tokio::select! {
        result = work => result,
        signal = stop_signal() => Err(Error::partial(format!("stopped by {signal}"))
            .with_hint("what was published is whole; run it again to go on from where it stopped")),
    };
    let outcome = match &result {
        Ok(done) => outcome_of(done),
        Err(error) => Outcome {
            errors: vec![error.to_string()],
            exit_code: error.class().exit_code(),
            ..Outcome::default()
        },
    };
    let record = RunRecord {
        run: &job.run,
        command,
        billstream: env!("CARGO_PKG_VERSION"),
        connection: &job.connection,
        started_at,
        ended_at: (job.clock)(),
        exit_code: outcome.exit_code,
        periods: outcome.periods,
        deliveries: outcome.deliveries,
        errors: outcome.errors,
    };
    let saved = runs::save_run(&job.store, &job.run, &record).await;
    lease.release().await?;
    let done = result?;
    saved?;
    Ok(done)
}

async fn stop_signal() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = tokio::signal::ctrl_c() => "Ctrl-C",
                _ = terminate.recv() => "SIGTERM",
            };
        }
    }
    let _ = tokio::signal::ctrl_c().await;
    "Ctrl-C"
}
