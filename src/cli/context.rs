//! What commands that change a store share: the jobs of their connections, the lease, the record of the run,
//! the end on a signal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output::aggregate::ConnectionResults;
use crate::config::{Config, Flags, Settings};
use crate::connections::state;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, ErrorKind, Result};
use crate::http::retry::Timing;
use crate::pipeline::RunContext;
use crate::pipeline::deliver::delivery::Delivery;
use crate::pipeline::deliver::destinations::Targets;
use crate::pipeline::summary::{PeriodSummary, RunRecord, reason};
use crate::store::lease::Lease;
use crate::store::{Store, runs};

/// What a command works with, whichever connections it takes.
pub struct CommandContext {
    /// All that was said about settings.
    pub config: Config,
    /// Settings of all connections.
    pub settings: Settings,
    /// Where everything lies.
    pub store: Store,
    sql: SqlFiles,
    bars: MultiProgress,
}

/// How far a command reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkScope {
    /// CloudZero's doors.
    Targets,
    /// No network but the store's.
    Store,
}

impl CommandContext {
    /// Reads configuration and SQL files, and opens the store.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn open(flags: Flags) -> Result<CommandContext> {
        CommandContext::of(Config::load(flags)?)
    }

    /// Of a configuration that was read.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn of(config: Config) -> Result<CommandContext> {
        let settings = config.settings()?;
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Ok(CommandContext {
            sql: SqlFiles::load(settings.sql_dir.as_deref())?,
            store: Store::open(&settings.store)?,
            bars: MultiProgress::with_draw_target(target),
            config,
            settings,
        })
    }

    /// Clocks of the HTTP clients: the run's time of day.
    pub fn timing(&self) -> Timing {
        let clock = self.settings.clock.clone();
        Timing {
            now: Arc::new(move || clock().into()),
            ..Timing::real()
        }
    }

    /// The targets of a connection, as configured or remembered.
    ///
    /// # Errors
    /// Kind configuration.
    pub async fn targets(&self, connection: &str, reach: NetworkScope) -> Result<Targets> {
        let wanted = self.config.targets(connection)?;
        match reach {
            NetworkScope::Targets => {
                Targets::resolve(&wanted, &self.store, connection, self.timing()).await
            }
            NetworkScope::Store => Targets::without_network(&wanted, &self.store, connection).await,
        }
    }

    /// The job of a connection, and the bar that shows its progress.
    ///
    /// # Errors
    /// Kind configuration.
    pub async fn job(
        &self,
        connection: &str,
        reach: NetworkScope,
    ) -> Result<(RunContext, ProgressBar)> {
        let targets = self.targets(connection, reach).await?;
        self.job_with(connection, targets)
    }

    /// As [`CommandContext::job`], with its targets.
    ///
    /// # Errors
    /// Kind configuration.
    pub fn job_with(
        &self,
        connection: &str,
        targets: Targets,
    ) -> Result<(RunContext, ProgressBar)> {
        let settings = &self.settings;
        let configured = self.config.connection(connection)?;
        let bar = self.bar();
        let shown = bar.clone();
        let several = self.config.configured().len() > 1;
        let prefix = match several {
            true => format!("{connection}: "),
            false => String::new(),
        };
        let job = RunContext {
            run: runs::new_run_id((settings.clock)()),
            store: self.store.clone(),
            connection: configured.name,
            cloud_provider: configured.cloud_provider,
            currency: configured.currency,
            tags: settings.tags.clone(),
            sql: self.sql.clone(),
            limits: settings.limits,
            concurrency: settings.concurrency,
            settle_days: settings.settle_days,
            targets,
            clock: settings.clock.clone(),
            progress: Arc::new(move |message| shown.set_message(format!("{prefix}{message}"))),
        };
        Ok((job, bar))
    }

    fn bar(&self) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// Prepares a run. One that fails already here is remembered of its connection as a run is, unless it is
    /// `tentative` or was asked for wrongly.
    ///
    /// # Errors
    /// Those of the preparation.
    pub async fn record_if_failed<T>(
        &self,
        command: &'static str,
        connection: &str,
        tentative: bool,
        preparing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let record_if_failed = preparing.await;
        if let Err(error) = &record_if_failed
            && !tentative
            && error.kind() != ErrorKind::Usage
            && let Err(also) = self.remember(command, connection, error).await
        {
            tracing::warn!(connection, error = %also, "That the run failed could not be noted.");
        }
        record_if_failed
    }

    async fn remember(&self, command: &'static str, connection: &str, error: &Error) -> Result<()> {
        // Somebody who has no connection yet does not get one by trying.
        if !self.config.is_configured(connection)
            && !state::names(&self.store).await?.contains(connection)
        {
            return Ok(());
        }
        let at = (self.settings.clock)();
        let lease = match Lease::take(&self.store, connection, &runs::new_run_id(at)).await {
            // Another run is at work, and tells how it ends.
            Err(error) if error.kind() == ErrorKind::Locked => return Ok(()),
            lease => lease?,
        };
        let configured = self.config.connection(connection).ok();
        let ended = state::RunOutcome {
            command,
            cloud_provider: configured.as_ref().map(|c| c.cloud_provider.as_str()),
            at,
            received: false,
            error: Some(error.to_string()),
        };
        let ended = state::run_ended(&self.store, connection, ended).await;
        lease.release().await?;
        ended
    }

    /// The connections that a command works on: those of [`Config::connections`] that are not paused.
    ///
    /// # Errors
    /// Kind usage, for a paused one that is named.
    pub async fn active(&self) -> Result<Vec<String>> {
        let all = self.config.connections()?;
        let mut active = Vec::new();
        for name in &all {
            match state::paused(&self.store, name).await? {
                None => active.push(name.clone()),
                Some(paused) if self.config.is_named(name) => {
                    let since = paused.since.format("%Y-%m-%d %H:%M:%SZ");
                    return Err(Error::usage(format!(
                        "connection `{name}` is paused since {since}"
                    ))
                    .with_hint(format!("billstream connections resume {name}")));
                }
                Some(_) => eprintln!("`{name}` is paused, so it is left out"),
            }
        }
        Ok(active)
    }

    /// Works on each connection, a few side by side. Each fails alone.
    pub async fn each<T>(
        &self,
        connections: Vec<String>,
        work: impl AsyncFn(&str) -> Result<T>,
    ) -> ConnectionResults<T> {
        let work = &work;
        let started = connections.into_iter().map(|name| async move {
            let result = work(&name).await;
            (name, result)
        });
        let at_once = self.settings.connections_at_once;
        ConnectionResults {
            all: stream::iter(started).buffered(at_once).collect().await,
            several: self.config.several(),
        }
    }
}

/// What the record of a run says of how it went.
#[derive(Default)]
pub struct Outcome<'a> {
    /// Months that were imported.
    pub periods: &'a [PeriodSummary],
    /// Whether costs came from Confluent.
    pub received: bool,
    /// What was delivered.
    pub deliveries: Vec<&'a Delivery>,
    /// Errors, as they are shown.
    pub errors: Vec<String>,
    /// The process's exit code.
    pub exit_code: u8,
}

/// Runs the work with the connection's lease, keeps a record of the run and, unless it was `tentative`, of
/// how the connection fares, and ends on a signal.
pub async fn run_with_lease<T>(
    command: &'static str,
    job: &RunContext,
    tentative: bool,
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
            exit_code: error.kind().exit_code(),
            ..Outcome::default()
        },
    };
    let ended = state::RunOutcome {
        command,
        cloud_provider: Some(&job.cloud_provider),
        at: started_at,
        received: outcome.received,
        error: match outcome.exit_code {
            0 => None,
            _ => Some(reason(&outcome.errors, outcome.periods)),
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
    let saved = async {
        runs::save_run(&job.store, &job.run, &record).await?;
        match tentative {
            true => Ok(()),
            false => state::run_ended(&job.store, &job.connection, ended).await,
        }
    };
    let saved = saved.await;
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
