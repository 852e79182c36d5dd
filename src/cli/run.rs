//! What commands that change a store share: the jobs of their connections, the lease, the record of the run,
//! the end on a signal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use super::args::SummaryFormat;
use super::{print, print_json, show_error};
use crate::config::{Config, Flags, Settings};
use crate::confluent::windows::BillingPeriod;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Class, Error, Result};
use crate::http::retry::Timing;
use crate::pipeline::Job;
use crate::pipeline::delivery::Delivery;
use crate::pipeline::summary::{PeriodSummary, RunRecord, reason};
use crate::pipeline::targets::Targets;
use crate::store::lease::Lease;
use crate::store::{Store, connections, runs};

/// What a command works with, whichever connections it takes.
pub struct Scene {
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
pub enum Reach {
    /// CloudZero's doors.
    Targets,
    /// No network but the store's.
    Store,
}

impl Scene {
    /// Reads configuration and SQL files, and opens the store.
    ///
    /// # Errors
    /// Class configuration.
    pub fn open(flags: Flags) -> Result<Scene> {
        Scene::of(Config::load(flags)?)
    }

    /// Of a configuration that was read.
    ///
    /// # Errors
    /// Class configuration.
    pub fn of(config: Config) -> Result<Scene> {
        let settings = config.settings()?;
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Ok(Scene {
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
    /// Class configuration.
    pub async fn targets(&self, connection: &str, reach: Reach) -> Result<Targets> {
        let wanted = self.config.targets(connection)?;
        match reach {
            Reach::Targets => {
                Targets::resolve(&wanted, &self.store, connection, self.timing()).await
            }
            Reach::Store => Targets::without_network(&wanted, &self.store, connection).await,
        }
    }

    /// The job of a connection, and the bar that shows its progress.
    ///
    /// # Errors
    /// Class configuration.
    pub async fn job(&self, connection: &str, reach: Reach) -> Result<(Job, ProgressBar)> {
        let targets = self.targets(connection, reach).await?;
        self.job_with(connection, targets)
    }

    /// As [`Scene::job`], with its targets.
    ///
    /// # Errors
    /// Class configuration.
    pub fn job_with(&self, connection: &str, targets: Targets) -> Result<(Job, ProgressBar)> {
        let settings = &self.settings;
        let configured = self.config.connection(connection)?;
        let bar = self.bar();
        let shown = bar.clone();
        let several = self.config.configured().len() > 1;
        let prefix = match several {
            true => format!("{connection}: "),
            false => String::new(),
        };
        let job = Job {
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

    /// The connections that a command works on: those of [`Config::connections`] that are not paused.
    ///
    /// # Errors
    /// Class usage, for a paused one where no other is left.
    pub async fn active(&self) -> Result<Vec<String>> {
        let all = self.config.connections()?;
        let mut active = Vec::new();
        for name in &all {
            match connections::paused(&self.store, name).await? {
                None => active.push(name.clone()),
                Some(paused) if all.len() == 1 => {
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
    ) -> Results<T> {
        let work = &work;
        let started = connections.into_iter().map(|name| async move {
            let result = work(&name).await;
            (name, result)
        });
        let at_once = self.settings.connections_at_once;
        Results {
            all: stream::iter(started).buffered(at_once).collect().await,
            several: self.config.connections().is_ok_and(|all| all.len() > 1),
        }
    }
}

/// What came of each connection.
pub struct Results<T> {
    /// By the connection's name.
    pub all: Vec<(String, Result<T>)>,
    /// Whether the command takes several connections, paused ones included: what it says has their names then.
    pub several: bool,
}

impl<T> Results<T> {
    /// The class that decides the exit code; `None` when all is well.
    ///
    /// A failed check of any connection decides over everything else. Other errors give their own class when
    /// all connections ended with it, and `Partial` when some did not.
    pub fn class(&self, of: impl Fn(&T) -> Option<Class>) -> Option<Class> {
        let classes = self.all.iter().map(|(_, result)| match result {
            Ok(done) => of(done),
            Err(error) => Some(error.class()),
        });
        let classes: Vec<Option<Class>> = classes.collect();
        let failed_check = [Class::Reconcile, Class::Data]
            .into_iter()
            .find(|class| classes.contains(&Some(*class)));
        let first = classes.iter().flatten().next().copied()?;
        let all_alike = classes.iter().all(|class| *class == Some(first));
        failed_check.or(Some(if all_alike { first } else { Class::Partial }))
    }

    /// The one result, where the command takes one connection only.
    ///
    /// # Errors
    /// The several, given back.
    pub fn single(mut self) -> std::result::Result<Result<T>, Results<T>> {
        match self.all.pop() {
            Some((_, result)) if !self.several => Ok(result),
            last => {
                self.all.extend(last);
                Err(self)
            }
        }
    }

    /// Writes the reports, as a table a connection or as JSON, lets `say` add what belongs on stderr, with the
    /// name of the connection where there are several, and gives the exit code. `errors` are those of months.
    ///
    /// # Errors
    /// The error of the only connection, where there is one.
    pub fn report(
        self,
        format: SummaryFormat,
        class: impl Fn(&T) -> Option<Class>,
        errors: impl Fn(&T) -> &[MonthError],
        table: impl Fn(&T) -> String,
        say: impl Fn(&T, &str),
    ) -> Result<u8>
    where
        T: Serialize,
    {
        let several = match self.single() {
            Ok(one) => {
                let one = one?;
                match format {
                    SummaryFormat::Json => print_json(&one)?,
                    SummaryFormat::Table => print(table(&one).as_bytes())?,
                }
                say(&one, "");
                errors(&one).iter().for_each(|(_, e)| show_error(e));
                return Ok(class(&one).map_or(0, Class::exit_code));
            }
            Err(several) => several,
        };
        if format == SummaryFormat::Json {
            print_json(
                &several.json(&class, |report| reason(&month_errors(errors(report)), &[]))?,
            )?;
        }
        for (name, result) in &several.all {
            let Ok(report) = result else { continue };
            if format == SummaryFormat::Table {
                print(format!("{name}\n{}", table(report)).as_bytes())?;
            }
            say(report, &format!("{name}: "));
        }
        several.show_errors(errors);
        Ok(several.class(class).map_or(0, Class::exit_code))
    }

    /// Shows the errors of months, and of connections that came to nothing.
    pub fn show_errors(&self, of: impl Fn(&T) -> &[MonthError]) {
        for (name, result) in &self.all {
            let errors: Vec<&Error> = match result {
                Ok(done) => of(done).iter().map(|(_, error)| error).collect(),
                Err(error) => vec![error],
            };
            for error in errors {
                match self.several {
                    true => show_error(&error.copy().context(format!("connection `{name}`"))),
                    false => show_error(error),
                }
            }
        }
    }

    /// One JSON object: a report for each connection, with its exit code and, unless that is 0, why.
    pub fn json(
        &self,
        of: impl Fn(&T) -> Option<Class>,
        why: impl Fn(&T) -> String,
    ) -> Result<Value>
    where
        T: Serialize,
    {
        let connections = self.all.iter().map(|(name, result)| {
            let (mut object, class, error) = match result {
                Ok(done) => {
                    let object = serde_json::to_value(done);
                    let object = object.map_err(|e| Error::bug(format!("JSON: {e}")))?;
                    (object, of(done), why(done))
                }
                Err(error) => (json!({}), Some(error.class()), error.to_string()),
            };
            object["connection"] = json!(name);
            object["exit_code"] = json!(class.map_or(0, Class::exit_code));
            if class.is_some() {
                object["error"] = json!(error);
            }
            Ok(object)
        });
        Ok(json!({ "connections": connections.collect::<Result<Vec<_>>>()? }))
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

/// The error of a month.
pub type MonthError = (BillingPeriod, Error);

/// Errors of single months, as they are shown.
pub fn month_errors(errors: &[MonthError]) -> Vec<String> {
    let shown = errors.iter().map(|(month, e)| format!("{month}: {e}"));
    shown.collect()
}

/// Runs the work with the connection's lease, keeps a record of the run and, unless it was `tentative`, of
/// how the connection fares, and ends on a signal.
pub async fn under_lease<T>(
    command: &'static str,
    job: &Job,
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
            exit_code: error.class().exit_code(),
            ..Outcome::default()
        },
    };
    let ended = connections::Ended {
        command,
        cloud_provider: &job.cloud_provider,
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
            false => connections::run_ended(&job.store, &job.connection, ended).await,
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
