//! `billstream import`, `pull` and `transform`.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{MonthArgs, RunArgs, SummaryFormat};
use super::demo::demo;
use super::output::summary_table;
use super::{print, show_error};
use crate::config::{self, Environment, Settings};
use crate::confluent::client::{self, Client};
use crate::engine::sql_files::SqlFiles;
use crate::error::{Class, Error, Result};
use crate::http::retry::Timing;
use crate::pipeline::import::Options;
use crate::pipeline::summary::{PeriodSummary, RunRecord, Status, Summary};
use crate::pipeline::{self, Job};
use crate::store::lease::Lease;
use crate::store::{Store, runs};

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes the open month, those that may still change, and those never pulled.

Examples:
  billstream import --demo
  billstream import
  billstream import --from 2026-08 --to 2026-10 --format json")]
pub struct ImportArgs {
    /// Import twelve invented months from a sandbox in this process, ignoring the environment's settings
    #[arg(long, conflicts_with_all = ["connection"])]
    demo: bool,
    #[command(flatten)]
    months: MonthArgs,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    /// Publish a month although published days came back without costs
    #[arg(long)]
    allow_shrink: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Arguments of `pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream pull --month 2026-10
  billstream pull --all --dry-run")]
pub struct PullArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    /// Publish a month although published days came back without costs
    #[arg(long)]
    allow_shrink: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Arguments of `transform`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes stored months that may still change, or whose line items are behind.

Examples:
  billstream transform --all --sql-dir ./sql
  billstream transform --month 2026-10 --dry-run")]
pub struct TransformArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs `import`.
pub async fn import(args: ImportArgs) -> Result<u8> {
    let options = Options {
        months: args.months.selection()?,
        dry_run: args.dry_run,
        allow_shrink: args.allow_shrink,
        pull_only: false,
    };
    if args.demo {
        return demo(&args.run, options).await;
    }
    let environment = Environment::process();
    let settings = Settings::resolve(&args.run.flags(), &environment)?;
    let confluent = config::confluent(&environment)?;
    from_confluent("import", settings, confluent, options, args.run.format).await
}

/// Runs `pull`.
pub async fn pull(args: PullArgs) -> Result<u8> {
    let environment = Environment::process();
    let settings = Settings::resolve(&args.run.flags(), &environment)?;
    let confluent = config::confluent(&environment)?;
    let options = Options {
        months: args.months.selection()?,
        dry_run: args.dry_run,
        allow_shrink: args.allow_shrink,
        pull_only: true,
    };
    from_confluent("pull", settings, confluent, options, args.run.format).await
}

/// Runs `transform`.
pub async fn transform(args: TransformArgs) -> Result<u8> {
    let settings = Settings::resolve(&args.run.flags(), &Environment::process())?;
    let months = args.months.selection()?;
    let (job, bar) = job(&settings)?;
    let work = pipeline::stored::transform_stored(&job, &months, args.dry_run);
    let summary = under_lease("transform", &job, work).await;
    bar.finish_and_clear();
    report(&job, summary?, args.run.format)
}

/// Imports from Confluent, or whoever plays it, and reports.
pub(super) async fn from_confluent(
    command: &'static str,
    settings: Settings,
    confluent: client::Settings,
    options: Options,
    format: SummaryFormat,
) -> Result<u8> {
    let clock = settings.clock.clone();
    let timing = Timing {
        now: Arc::new(move || clock().into()),
        ..Timing::real()
    };
    let client = Arc::new(Client::with_timing(confluent, timing)?);
    let (job, bar) = job(&settings)?;
    let work = pipeline::import::import(&job, &client, &options);
    let summary = under_lease(command, &job, work).await;
    bar.finish_and_clear();
    let stats = client.stats();
    tracing::info!(
        requests = stats.requests,
        retries = stats.retries,
        "Confluent was asked."
    );
    report(&job, summary?, format)
}

fn job(settings: &Settings) -> Result<(Job, ProgressBar)> {
    let bar = progress_bar();
    let shown = bar.clone();
    let job = Job {
        run: runs::new_run_id((settings.clock)()),
        store: Store::open(&settings.store)?,
        connection: settings.connection.clone(),
        cloud_provider: settings.cloud_provider.clone(),
        currency: settings.currency.clone(),
        sql: SqlFiles::load(settings.sql_dir.as_deref())?,
        limits: settings.limits,
        concurrency: settings.concurrency,
        settle_days: settings.settle_days,
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

/// Runs the work with the connection's lease, keeps a record of the run, and ends on a signal.
async fn under_lease(
    command: &'static str,
    job: &Job,
    work: impl Future<Output = Result<Summary>>,
) -> Result<Summary> {
    let lease = Lease::take(&job.store, &job.connection, &job.run).await?;
    let started_at = (job.clock)();
    let result = tokio::select! {
        result = work => result,
        signal = stop_signal() => Err(Error::partial(format!("stopped by {signal}"))
            .with_hint("what was published is whole; run it again to go on from the finished windows")),
    };
    let (periods, errors, exit_code) = match &result {
        Ok(summary) => {
            let errors = summary
                .errors
                .iter()
                .map(|(month, e)| format!("{month}: {e}"))
                .collect();
            (
                summary.periods.as_slice(),
                errors,
                summary.class().map_or(0, Class::exit_code),
            )
        }
        Err(error) => (&[][..], vec![error.to_string()], error.class().exit_code()),
    };
    let drops = periods
        .iter()
        .filter_map(|period| Some((period.billing_period, period.drop.as_deref()?)))
        .collect();
    let record = RunRecord {
        run: &job.run,
        command,
        billstream: env!("CARGO_PKG_VERSION"),
        connection: &job.connection,
        started_at,
        ended_at: (job.clock)(),
        exit_code,
        periods,
        drops,
        errors,
    };
    let saved = runs::save_run(&job.store, &job.run, &record).await;
    lease.release().await?;
    let summary = result?;
    saved?;
    Ok(summary)
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

/// Prints the summary and the errors of single months, and gives the exit code.
fn report(job: &Job, summary: Summary, format: SummaryFormat) -> Result<u8> {
    match format {
        SummaryFormat::Json => {
            let json =
                serde_json::to_string(&summary).map_err(|e| Error::bug(format!("summary: {e}")))?;
            print(format!("{json}\n").as_bytes())?;
        }
        SummaryFormat::Table => print(summary_table(&summary).as_bytes())?,
    }
    let mut stderr = std::io::stderr().lock();
    for note in notes(&summary) {
        let _ = writeln!(stderr, "{note}");
    }
    if summary.periods.is_empty() {
        let _ = writeln!(
            stderr,
            "nothing is due: every month is settled (name one with --month, or all with --all)"
        );
    } else if summary.errors.is_empty() {
        let _ = writeln!(stderr, "{}", outcome(job, &summary));
    }
    drop(stderr);
    for (_, error) in &summary.errors {
        show_error(error);
    }
    Ok(summary.class().map_or(0, Class::exit_code))
}

/// What was odd, added up over the months, and why months are held.
fn notes(summary: &Summary) -> Vec<String> {
    let sum = |count: fn(&PeriodSummary) -> u64| summary.periods.iter().map(count).sum::<u64>();
    let counted = [
        (
            sum(|p| p.oddities.discount_differs),
            "costs have a discount that is not original - net; the net amount counts",
        ),
        (
            sum(|p| p.oddities.rounded),
            "numbers had more than 24 decimals and were rounded half-even",
        ),
        (
            sum(|p| p.resumed),
            "windows were taken over from a pull that was cut off",
        ),
    ];
    let counted = counted
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("note: {n} {what}"));
    let held = summary.periods.iter().filter_map(|period| {
        period
            .held
            .as_ref()
            .map(|why| format!("held: {} {why}", period.billing_period))
    });
    counted.chain(held).collect()
}

fn outcome(job: &Job, summary: &Summary) -> String {
    let count = |status| {
        summary
            .periods
            .iter()
            .filter(|p| p.status == status)
            .count()
    };
    let months = |n: usize| {
        if n == 1 {
            "1 month".to_string()
        } else {
            format!("{n} months")
        }
    };
    let published = count(Status::Published);
    let place = job.store.display("");
    if published > 0 {
        format!("{} published to {place}", months(published))
    } else if count(Status::DryRun) > 0 {
        "dry run: nothing was published".to_string()
    } else {
        format!("nothing changed, so nothing was published to {place}")
    }
}
