//! `billstream deliver`.

use std::io::Write;

use chrono::TimeDelta;
use serde::Serialize;

use crate::billing_period::BillingPeriod;
use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::aggregate::month_errors;
use crate::cli::output::deliveries_table::deliveries_table;
use crate::cli::output::stdout::terminal_width;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::bucket::{self, Collected};
use crate::pipeline::deliver::delivery::{Delivery, Target};
use crate::pipeline::deliver::{self, Wish, stream};
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;

/// Arguments of `deliver`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes every published month; what is there already is left alone.

Examples:
  billstream deliver
  billstream deliver --month 2026-10 --dry-run
  billstream deliver --month 2026-10 --drop 20261105T061530Z
  billstream deliver --gc 30d")]
pub struct DeliverArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Deliver to one kind of target only
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// Show what would be written or sent
    #[arg(long)]
    dry_run: bool,
    /// Send to CloudZero's stream without having it validate each request first
    #[arg(long)]
    no_validate: bool,
    /// Put an earlier drop of the month back in force; it stays until the month is delivered by name
    #[arg(long, value_name = "ID", conflicts_with_all = ["empty", "gc", "all", "from"], requires = "month")]
    drop: Option<String>,
    /// Clear the month in CloudZero; it stays so until the month is delivered by name
    #[arg(long, conflicts_with_all = ["gc", "all", "from"], requires = "month")]
    empty: bool,
    /// Yes, clear it
    #[arg(long, requires = "empty")]
    yes: bool,
    /// Remove drops from the bucket that are not in force and older than this, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = age, conflicts_with_all = ["month", "all", "from"])]
    gc: Option<TimeDelta>,
    #[command(flatten)]
    run: RunArgs,
}

fn age(text: &str) -> std::result::Result<TimeDelta, String> {
    let wrong = || format!("`{text}` is not an age such as 30d or 12h");
    let unit = text
        .chars()
        .last()
        .filter(char::is_ascii)
        .ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let age = match unit {
        'd' => TimeDelta::try_days(number),
        'h' => TimeDelta::try_hours(number),
        _ => None,
    };
    age.filter(|age| *age >= TimeDelta::zero())
        .ok_or_else(wrong)
}

/// What the command did.
#[derive(Debug, Default, Serialize)]
struct Report {
    run: String,
    deliveries: Vec<Delivery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collected: Option<Collected>,
    #[serde(skip)]
    errors: Vec<(BillingPeriod, Error)>,
}

impl Report {
    /// Errors of single months are kept; wrong arguments end the command.
    fn add(&mut self, period: BillingPeriod, result: Result<Delivery>) -> Result<()> {
        match result {
            Ok(delivery) => self.deliveries.push(delivery),
            Err(error) if error.kind() == ErrorKind::Usage => return Err(error),
            Err(error) => self.errors.push((period, error)),
        }
        Ok(())
    }

    fn kind(&self) -> Option<ErrorKind> {
        let first = self.errors.first()?.1.kind();
        Some(if self.deliveries.is_empty() {
            first
        } else {
            ErrorKind::Partial
        })
    }
}

fn outcome_of(report: &Report) -> Outcome<'_> {
    Outcome {
        deliveries: report.deliveries.iter().collect(),
        errors: month_errors(&report.errors),
        exit_code: report.kind().map_or(0, ErrorKind::exit_code),
        ..Outcome::default()
    }
}

/// Runs `deliver`.
pub async fn run(args: DeliverArgs) -> Result<u8> {
    let selection = args.months.selection()?;
    if args.empty && !args.yes && !args.dry_run {
        return Err(
            Error::usage("clearing a month takes its costs out of CloudZero").with_hint(
                "add --yes if that is what you want, or --dry-run to see what would be done",
            ),
        );
    }
    let scene = CommandContext::open(args.run.flags())?;
    let connections = scene.active().await?;
    if (args.empty || args.drop.is_some()) && connections.len() > 1 {
        return Err(Error::usage(
            "a month is cleared or pointed back for one connection at a time",
        )
        .with_hint("name it with --connection"));
    }
    let work = async |name: &str| {
        let preparing = async {
            let (job, bar) = scene.job(name, NetworkScope::Targets).await?;
            check(&job, &args)?;
            Ok((job, bar))
        };
        let (job, bar) = scene
            .record_if_failed("deliver", name, args.dry_run, preparing)
            .await?;
        let work = work(&job, &args, &selection);
        let report = run_with_lease("deliver", &job, args.dry_run, work, outcome_of).await;
        bar.finish_and_clear();
        report
    };
    let results = scene.each(connections, work).await;
    results.print(
        args.run.summary.format,
        Report::kind,
        |report| &report.errors,
        |_, report| table(report),
        say,
    )
}

/// Refuses what cannot be done before anything is.
fn check(job: &RunContext, args: &DeliverArgs) -> Result<()> {
    if args.drop.is_some() && args.target == Some(Target::Stream) {
        return Err(Error::usage(
            "--drop puts a drop of the bucket in force, not one of the stream",
        ));
    }
    if job.currency != "USD" && args.gc.is_none() {
        return Err(Error::config(format!(
            "nothing is delivered: CloudZero takes US dollars only, and BILLSTREAM_CURRENCY is {}",
            job.currency
        )));
    }
    let only = args.target.or(args.drop.as_ref().map(|_| Target::Bucket));
    if deliver::wanted(job, only)?.contains(&Target::Stream) && args.gc.is_none() {
        job.targets.check_key()?;
    }
    Ok(())
}

async fn work(job: &RunContext, args: &DeliverArgs, selection: &Selection) -> Result<Report> {
    let mut report = Report {
        run: job.run.clone(),
        ..Report::default()
    };
    if let Some(age) = args.gc {
        report.collected = Some(bucket::collect(job, age, args.dry_run).await?);
        return Ok(report);
    }
    let named = match selection {
        Selection::Named(named) => named.as_slice(),
        _ => &[],
    };
    if let Some(drop_id) = &args.drop {
        for period in named {
            let result = bucket::roll_back(job, *period, drop_id, args.dry_run).await;
            report.add(*period, result)?;
        }
        return Ok(report);
    }
    if args.empty {
        for period in named {
            for target in deliver::wanted(job, args.target)? {
                let result = match target {
                    Target::Bucket => bucket::clear(job, *period, args.dry_run).await,
                    Target::Stream => stream::clear(job, *period, args.dry_run).await,
                };
                report.add(*period, result)?;
            }
        }
        return Ok(report);
    }
    let tables = Tables::open(job).await?;
    let wish = Wish {
        only: args.target,
        named: args.months.by_name(),
        dry_run: args.dry_run,
        unvalidated: args.no_validate,
    };
    for period in deliver::published_months(job, &tables, selection).await? {
        let deliveries = deliver::deliver(job, &tables, period, wish).await;
        report.deliveries.extend(deliveries.made);
        let stopped = deliveries
            .errors
            .iter()
            .any(|e| e.kind() == ErrorKind::Remote);
        let errors = deliveries.errors.into_iter().map(|e| (period, e));
        report.errors.extend(errors);
        if stopped {
            // Each later month would wait for the same in vain.
            break;
        }
    }
    Ok(report)
}

/// What was collected, or that there is nothing.
fn say(report: &Report, whose: &str) {
    let mut stderr = std::io::stderr().lock();
    if let Some(collected) = report.collected {
        let Collected {
            drops,
            files,
            bytes,
        } = collected;
        let _ = writeln!(
            stderr,
            "{whose}{drops} drops that are not in force: {files} files, {bytes} bytes"
        );
    } else if report.deliveries.is_empty() && report.errors.is_empty() {
        let _ = writeln!(
            stderr,
            "{whose}nothing is published, so there is nothing to deliver"
        );
    }
}

fn table(report: &Report) -> String {
    if report.collected.is_some() || report.deliveries.is_empty() {
        return String::new();
    }
    deliveries_table(&report.deliveries, terminal_width())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_days_or_hours() {
        assert_eq!(age("30d"), Ok(TimeDelta::days(30)));
        assert_eq!(age("0h"), Ok(TimeDelta::zero()));
        for wrong in ["", "d", "30", "3w", "-1d", "99999999999999999d", "1ä"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
