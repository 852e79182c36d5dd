//! `billstream import`, `pull` and `transform`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use indicatif::ProgressBar;

use super::args::{MonthArgs, RunArgs, SummaryFormat};
use super::demo::demo;
use super::output::summary_table;
use super::run::{Outcome, job, month_errors, targets, timing, under_lease, without_network};
use super::{print, show_error};
use crate::config::{self, Environment, Settings};
use crate::confluent::client::{self, Client};
use crate::error::{Class, Error, Result};
use crate::pipeline::import::Options;
use crate::pipeline::summary::{PeriodSummary, Status, Summary};
use crate::pipeline::{self, Job, deliver};
use crate::store::Store;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes the open month, those that may still change, and those never pulled.

Examples:
  billstream import --demo
  billstream import
  billstream import --from 2026-08 --to 2026-10 --format json
  billstream import --no-deliver")]
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
    /// Publish, and deliver nothing to CloudZero
    #[arg(long)]
    no_deliver: bool,
    /// Send to CloudZero's stream without having it validate each request first
    #[arg(long)]
    no_validate: bool,
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
        no_deliver: args.no_deliver,
        unvalidated: args.no_validate,
    };
    if args.demo {
        return demo(&args.run, options).await;
    }
    let environment = Environment::process();
    let settings = Settings::resolve(&args.run.flags(), &environment)?;
    let confluent = config::confluent(&environment)?;
    let store = Store::open(&settings.store)?;
    let targets = match args.no_deliver {
        true => without_network(&settings, &environment, &store).await?,
        false => targets(&settings, &environment, &store).await?,
    };
    let job = job(&settings, store, targets)?;
    from_confluent(
        "import",
        &settings,
        job,
        confluent,
        options,
        args.run.format,
    )
    .await
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
        no_deliver: true,
        unvalidated: false,
    };
    let store = Store::open(&settings.store)?;
    let targets = without_network(&settings, &environment, &store).await?;
    let job = job(&settings, store, targets)?;
    from_confluent("pull", &settings, job, confluent, options, args.run.format).await
}

/// Runs `transform`.
pub async fn transform(args: TransformArgs) -> Result<u8> {
    let environment = Environment::process();
    let settings = Settings::resolve(&args.run.flags(), &environment)?;
    let months = args.months.selection()?;
    let store = Store::open(&settings.store)?;
    let targets = without_network(&settings, &environment, &store).await?;
    let (job, bar) = job(&settings, store, targets)?;
    let work = pipeline::stored::transform_stored(&job, &months, args.dry_run);
    let summary = under_lease("transform", &job, work, outcome_of).await;
    bar.finish_and_clear();
    report(&job, summary?, args.run.format)
}

/// Imports from Confluent, or whoever plays it, and reports.
pub(super) async fn from_confluent(
    command: &'static str,
    settings: &Settings,
    (job, bar): (Job, ProgressBar),
    confluent: client::Settings,
    options: Options,
    format: SummaryFormat,
) -> Result<u8> {
    let client = Arc::new(Client::with_timing(confluent, timing(settings))?);
    let work = pipeline::import::import(&job, &client, &options);
    let summary = under_lease(command, &job, work, outcome_of).await;
    bar.finish_and_clear();
    let stats = client.stats();
    tracing::info!(
        requests = stats.requests,
        retries = stats.retries,
        "Confluent was asked."
    );
    report(&job, summary?, format)
}

/// What the record of a run says of a summary.
fn outcome_of(summary: &Summary) -> Outcome<'_> {
    let periods = summary.periods.as_slice();
    Outcome {
        periods,
        deliveries: periods.iter().flat_map(|p| &p.deliveries).collect(),
        errors: month_errors(&summary.errors),
        exit_code: summary.class().map_or(0, Class::exit_code),
    }
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
    for line in delivered(job, &summary) {
        let _ = writeln!(stderr, "{line}");
    }
    drop(stderr);
    for (_, error) in &summary.errors {
        show_error(error);
    }
    Ok(summary.class().map_or(0, Class::exit_code))
}

/// What was odd, added up over the months, and why months are held or pinned.
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
    let pinned = summary.periods.iter().flat_map(|p| &p.deliveries);
    let pinned = pinned
        .filter(|delivery| delivery.status == deliver::Status::Pinned)
        .map(|delivery| {
            let (period, place) = (delivery.billing_period, &delivery.place);
            format!("pinned: {period} stays as it is in {place}; `deliver --month {period}` delivers it again")
        });
    counted.chain(held).chain(pinned).collect()
}

/// What went to targets outside of the store.
fn delivered(job: &Job, summary: &Summary) -> Vec<String> {
    let deliveries = summary.periods.iter().flat_map(|p| &p.deliveries);
    let inside = job.store.display("");
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries.filter(|d| d.status == deliver::Status::Delivered) {
        if !delivery.place.starts_with(&inside) {
            *places.entry(&delivery.place).or_default() += 1;
        }
    }
    let line = |(place, count): (&str, usize)| format!("{} delivered to {place}", months(count));
    places.into_iter().map(line).collect()
}

fn months(count: usize) -> String {
    match count {
        1 => "1 month".to_string(),
        count => format!("{count} months"),
    }
}

fn outcome(job: &Job, summary: &Summary) -> String {
    let count = |status| {
        summary
            .periods
            .iter()
            .filter(|p| p.status == status)
            .count()
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
