//! Shared context of commands: configuration, store, connections and the [`RunContext`] of each.

mod leased_run;
mod run_start;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::file_modes;
use crate::cli::output::aggregate::ConnectionResults;
use crate::cli::output::stderr::note;
use crate::cli::panic;
use crate::config::{Config, Flags, Settings};
use crate::connections::state;
use crate::display_text::for_display;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, ErrorKind, Result};
use crate::http::retry::Timing;
use crate::pipeline::deliver::destinations::Destinations;
use crate::pipeline::{HeldLease, RunContext, StageOptions};
use crate::store::lease::Lease;
use crate::store::{Store, runs};

pub(crate) use crate::cli::context::leased_run::{Outcome, run_unrecorded, run_with_lease};

/// Configuration and services of a command, for all of its connections.
pub(crate) struct CommandContext {
    /// Configuration from all sources.
    pub(crate) config: Config,
    /// Settings that apply to every connection.
    pub(crate) settings: Settings,
    /// The store.
    pub(crate) store: Store,
    /// SQL files, with those that replace the embedded ones.
    pub(crate) sql: Arc<SqlFiles>,
    bars: MultiProgress,
}

/// Network access of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkScope {
    /// The store and the destinations.
    Destinations,
    /// The store only.
    Store,
}

impl CommandContext {
    /// Reads configuration and SQL files, and opens the store.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn open(flags: Flags) -> Result<CommandContext> {
        CommandContext::of(Config::load(flags)?)
    }

    /// Like [`CommandContext::open`], for a command that creates no store.
    ///
    /// # Errors
    /// Kind configuration, also for a store folder that does not exist.
    pub(crate) fn open_existing(flags: Flags) -> Result<CommandContext> {
        let config = Config::load(flags)?;
        let settings = config.settings()?;
        file_modes::share_with_group(settings.store_is_shared);
        let store = config.existing_store()?;
        CommandContext::with_store(config, settings, store)
    }

    /// Like [`CommandContext::open_existing`], for a command that needs what a store holds.
    ///
    /// # Errors
    /// Kind configuration, also for a place without a store.
    pub(crate) async fn open_with_store(flags: Flags) -> Result<CommandContext> {
        let context = CommandContext::open_existing(flags)?;
        context.store.require_existing().await?;
        Ok(context)
    }

    /// Like [`CommandContext::open_with_store`], but the store may be a folder that nothing was imported into yet.
    ///
    /// # Errors
    /// Kind configuration, also for a place with other files and no store.
    pub(crate) async fn open_with_or_without_store(flags: Flags) -> Result<CommandContext> {
        let context = CommandContext::open_existing(flags)?;
        context.store.require_existing_or_new().await?;
        Ok(context)
    }

    /// Reads SQL files and opens the store of a loaded configuration.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) fn of(config: Config) -> Result<CommandContext> {
        let settings = config.settings()?;
        file_modes::share_with_group(settings.store_is_shared);
        let store = Store::open(&settings.store)?;
        CommandContext::with_store(config, settings, store)
    }

    fn with_store(config: Config, settings: Settings, store: Store) -> Result<CommandContext> {
        let store = store.with_single_writer(settings.single_writer);
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Ok(CommandContext {
            sql: Arc::new(SqlFiles::load(settings.sql_dir.as_deref())?),
            store,
            bars: MultiProgress::with_draw_target(target),
            config,
            settings,
        })
    }

    /// Timing of the HTTP clients, with the configured clock.
    pub(crate) fn timing(&self) -> Timing {
        let clock = self.settings.clock.clone();
        Timing {
            now: Arc::new(move || clock().into()),
            ..Timing::real()
        }
    }

    /// Returns the destinations of a connection, from configuration or from the store.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) async fn destinations(
        &self,
        connection: &str,
        scope: NetworkScope,
    ) -> Result<Destinations> {
        let configured = self.config.destinations(connection)?;
        match scope {
            NetworkScope::Destinations => {
                Destinations::resolve(&configured, &self.store, connection, self.timing()).await
            }
            NetworkScope::Store => {
                Destinations::without_network(&configured, &self.store, connection).await
            }
        }
    }

    /// Creates the context of a run of a connection, and the bar that shows its progress.
    ///
    /// # Errors
    /// Kind configuration.
    pub(crate) async fn run_context(
        &self,
        connection: &str,
        scope: NetworkScope,
    ) -> Result<(Arc<RunContext>, ProgressBar)> {
        let destinations = self.destinations(connection, scope).await?;
        let settings = &self.settings;
        let configured = self.config.connection(connection)?;
        let bar = self.bar();
        let shown = bar.clone();
        let prefix = if self.config.configured().len() > 1 {
            format!("{connection}: ")
        } else {
            String::new()
        };
        let context = RunContext {
            run: runs::new_run_id((settings.clock)()).into(),
            connection: configured.name.into(),
            cloud_provider: configured.cloud_provider,
            currency: configured.currency,
            store: self.store.clone(),
            sql: self.sql.clone(),
            limits: settings.limits,
            destinations,
            clock: settings.clock.clone(),
            progress: Arc::new(move |message| {
                shown.set_message(for_display(&format!("{prefix}{message}")))
            }),
            options: StageOptions {
                tags: settings.tags.clone(),
                concurrency: settings.concurrency,
                settle_days: settings.settle_days,
                rechecks: settings.rechecks,
                losses: settings.losses,
            },
            lease: HeldLease::default(),
        };
        Ok((Arc::new(context), bar))
    }

    fn bar(&self) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// Prepares a run. A failure here is recorded like a failed run, except for dry runs (`tentative`) and
    /// usage errors.
    ///
    /// # Errors
    /// The errors of `preparing`.
    pub(crate) async fn record_if_failed<T>(
        &self,
        command: &'static str,
        connection: &str,
        tentative: bool,
        preparing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let prepared = preparing.await;
        if let Err(error) = &prepared
            && !tentative
            && error.kind() != ErrorKind::Usage
            && let Err(error) = self.record_failure(command, connection, error).await
        {
            tracing::warn!(connection, %error, "Could not record the failed run");
        }
        prepared
    }

    async fn record_failure(
        &self,
        command: &'static str,
        connection: &str,
        error: &Error,
    ) -> Result<()> {
        // A failed attempt does not create a connection.
        if !self.config.is_configured(connection)
            && !state::names(&self.store).await?.contains(connection)
        {
            return Ok(());
        }
        let at = (self.settings.clock)();
        let lease = match Lease::take(&self.store, connection, &runs::new_run_id(at)).await {
            // The run that holds the lease records its own outcome.
            Err(error) if error.kind() == ErrorKind::Locked => return Ok(()),
            lease => lease?,
        };
        let configured = self.config.connection(connection).ok();
        let outcome = state::RunOutcome {
            command,
            cloud_provider: configured.as_ref().map(|c| c.cloud_provider.as_str()),
            at,
            received: false,
            error: Some(error.to_string()),
        };
        let recorded = state::run_ended(lease.fence(), outcome).await;
        lease.release().await?;
        recorded
    }

    /// Returns the connections of a command that are not paused; see [`Config::connections`].
    ///
    /// # Errors
    /// Kind usage, for a named connection that is paused.
    pub(crate) async fn active(&self) -> Result<Vec<String>> {
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
                    .with_hint(format!(
                        "resume it with `billstream connections resume {name}`"
                    )));
                }
                Some(_) => note!("`{name}` is paused and skipped"),
            }
        }
        Ok(active)
    }

    /// Runs `work` for each connection, a few concurrently. A failure of one does not stop the others.
    pub(crate) async fn each<T>(
        &self,
        connections: Vec<String>,
        work: impl AsyncFn(&str) -> Result<T>,
    ) -> ConnectionResults<T> {
        let work = &work;
        let tasks = connections.into_iter().map(|name| async move {
            let result = panic::contained(work(&name)).await;
            (name, result)
        });
        let concurrency = self.settings.connections_at_once;
        ConnectionResults {
            all: stream::iter(tasks).buffered(concurrency).collect().await,
            several: self.config.several(),
        }
    }
}
