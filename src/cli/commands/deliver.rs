//! `billstream deliver`.

use chrono::TimeDelta;
use serde::Serialize;
use tracing::Instrument;

use crate::billing_period::BillingPeriod;
use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_unrecorded, run_with_lease};
use crate::cli::output::aggregate::month_errors;
use crate::cli::output::deliveries_table::deliveries_table;
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::terminal_width;
use crate::cloudzero::drop::DropId;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::RunContext;
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus, DestinationKind};
use crate::pipeline::deliver::gc::{DeletedDrops, delete_old_drops};
use crate::pipeline::deliver::rehearsal::Rehearsal;
use crate::pipeline::deliver::{self, DeliverOptions, bucket, stream};
use crate::pipeline::publish::Tables;
use crate::pipeline::select::Selection;

/// Arguments of `deliver`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months, every published month is delivered; destinations that have it already stay unchanged.

Examples:
  billstream deliver
  billstream deliver --month 2026-10 --dry-run
  billstream deliver --month 2026-10 --rehearse
  billstream deliver --month 2026-10 --drop 20261105T061530Z
  billstream deliver --gc 30d")]
pub(crate) struct DeliverArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Deliver to one kind of destination only
    #[arg(long, alias = "target", value_enum)]
    destination: Option<DestinationArg>,
    /// Show what would be written or sent
    #[arg(long)]
    dry_run: bool,
    /// Send the month to a test namespace of CloudZero's stream and read it back; nobody sees it
    #[arg(long, requires = "month", conflicts_with_all = ["dry_run", "drop", "empty", "gc"])]
    rehearse: bool,
    /// Send requests to CloudZero's stream without validating them first
    #[arg(long)]
    no_validate: bool,
    /// Activate an earlier drop of the month again, until the month is delivered by name
    #[arg(long, value_name = "ID", conflicts_with_all = ["empty", "gc", "all", "from"], requires = "month")]
    drop: Option<DropId>,
    /// Clear the month in CloudZero, until the month is delivered by name
    #[arg(long, conflicts_with_all = ["gc", "all", "from"], requires = "month")]
    empty: bool,
    /// Confirm --empty
    #[arg(long, requires = "empty")]
    yes: bool,
    /// Delete drops from the bucket that are not active and older than this, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = parse_age, conflicts_with_all = ["month", "all", "from"])]
    gc: Option<TimeDelta>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DestinationArg {
    /// Drops in a bucket that CloudZero reads
    Bucket,
    /// Requests to CloudZero's Stream API
    Stream,
}

impl From<DestinationArg> for DestinationKind {
    fn from(arg: DestinationArg) -> DestinationKind {
        match arg {
            DestinationArg::Bucket => DestinationKind::Bucket,
            DestinationArg::Stream => DestinationKind::Stream,
        }
    }
}

impl DeliverArgs {
    fn destination(&self) -> Option<DestinationKind> {
        self.destination.map(DestinationKind::from)
    }
}

fn parse_age(text: &str) -> std::result::Result<TimeDelta, String> {
    let invalid = || format!("`{text}` is not an age such as 30d or 12h");
    let unit = text
        .chars()
        .last()
        .filter(char::is_ascii)
        .ok_or_else(invalid)?;
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
    let age = match unit {
        'd' => TimeDelta::try_days(number),
        'h' => TimeDelta::try_hours(number),
        _ => None,
    };
    age.filter(|age| *age >= TimeDelta::zero())
        .ok_or_else(invalid)
}

/// Outcome of the command for one connection.
#[derive(Debug, Default, Serialize)]
pub(super) struct DeliverReport {
    run: String,
    deliveries: Vec<Delivery>,
    #[serde(rename = "collected", skip_serializing_if = "Option::is_none")]
    deleted: Option<DeletedDrops>,
    #[serde(skip)]
    pub(super) errors: Vec<(BillingPeriod, Error)>,
}

impl DeliverReport {
    /// Creates an empty report of a run.
    pub(super) fn new(run: &RunContext) -> DeliverReport {
        DeliverReport {
            run: run.run.to_string(),
            ..DeliverReport::default()
        }
    }

    /// Adds the outcome of a month.
    ///
    /// # Errors
    /// Kind `Usage`, which ends the command; other errors are kept in the report.
    pub(super) fn add(&mut self, period: BillingPeriod, result: Result<Delivery>) -> Result<()> {
        match result {
            Ok(delivery) => self.deliveries.push(delivery),
            Err(error) if error.kind() == ErrorKind::Usage => return Err(error),
            Err(error) => self.errors.push((period, error)),
        }
        Ok(())
    }

    pub(super) fn kind(&self) -> Option<ErrorKind> {
        let first = self.errors.first()?.1.kind();
        let is_rehearsed = |delivery: &Delivery| delivery.status == DeliveryStatus::Rehearsed;
        let is_failed_check = |(_, error): &(_, Error)| error.kind() == ErrorKind::Reconcile;
        if self.deliveries.iter().any(is_rehearsed) && self.errors.iter().any(is_failed_check) {
            // A rehearsal is a check, which fails with one of its months.
            return Some(ErrorKind::Reconcile);
        }
        Some(if self.deliveries.is_empty() {
            first
        } else {
            ErrorKind::Partial
        })
    }
}

fn outcome_of(report: &DeliverReport) -> Outcome<'_> {
    Outcome {
        deliveries: report.deliveries.iter().collect(),
        errors: month_errors(&report.errors),
        exit_code: report.kind().map_or(0, ErrorKind::exit_code),
        ..Outcome::default()
    }
}

/// Runs `deliver`.
pub(crate) async fn run(args: DeliverArgs) -> Result<u8> {
    let selection = args.months.selection()?;
    if args.empty && !args.yes && !args.dry_run {
        return Err(
            Error::usage("clearing a month removes its costs from CloudZero")
                .with_hint("confirm with --yes, or preview with --dry-run"),
        );
    }
    let context = CommandContext::open_with_store(args.run.flags()).await?;
    let connections = context.active().await?;
    if (args.empty || args.drop.is_some()) && connections.len() > 1 {
        return Err(
            Error::usage("--drop and --empty take one connection at a time")
                .with_hint("choose one with --connection"),
        );
    }
    let deliver_connection = async |name: &str| {
        let preparation = async {
            let (run, bar) = context
                .run_context(name, NetworkScope::Destinations)
                .await?;
            check(&run, &args)?;
            Ok((run, bar))
        };
        let (run, bar) = context
            .record_if_failed("deliver", name, args.dry_run || args.rehearse, preparation)
            .await?;
        let report = if args.rehearse {
            run_unrecorded(&run, rehearse(&run, &args, &selection)).await
        } else {
            let work = work(&run, &args, &selection);
            run_with_lease("deliver", &run, args.dry_run, work, outcome_of).await
        };
        bar.finish_and_clear();
        report
    };
    let results = context.each(connections, deliver_connection).await;
    results.print(
        args.run.summary.format,
        DeliverReport::kind,
        |report| &report.errors,
        |_, report| table(report),
        print_notes,
    )
}

/// Refuses impossible requests before anything is done.
fn check(run: &RunContext, args: &DeliverArgs) -> Result<()> {
    let destination = args.destination();
    if args.drop.is_some() && destination == Some(DestinationKind::Stream) {
        return Err(
            Error::usage("--drop applies to the bucket: a stream has no drops")
                .with_hint("leave out --destination stream"),
        );
    }
    if args.rehearse && destination == Some(DestinationKind::Bucket) {
        return Err(Error::usage(
            "--rehearse applies to the stream: CloudZero has no test namespace for the files of a bucket",
        )
        .with_hint("leave out --destination bucket, or preview a drop with --dry-run"));
    }
    if args.gc.is_none() && run.currency != "USD" {
        return Err(Error::config(format!(
            "could not deliver amounts in {}: CloudZero accepts US dollars only",
            run.currency
        ))
        .with_hint("set BILLSTREAM_CURRENCY=USD if the amounts are in US dollars"));
    }
    if args.rehearse {
        return Rehearsal::of_destination(run).map(|_| ());
    }
    let only = destination.or(args.drop.as_ref().map(|_| DestinationKind::Bucket));
    let selected = deliver::selected_destinations(run, only)?;
    if args.gc.is_none() && selected.contains(&DestinationKind::Stream) {
        run.destinations.check_key()?;
    }
    Ok(())
}

async fn work(
    run: &RunContext,
    args: &DeliverArgs,
    selection: &Selection,
) -> Result<DeliverReport> {
    let mut report = DeliverReport::new(run);
    let named = match selection {
        Selection::Named(named) => named.as_slice(),
        _ => &[],
    };
    if let Some(age) = args.gc {
        if !args.dry_run {
            // Drops of another connection must not be deleted.
            run.destinations.claim(run).await?;
        }
        report.deleted = Some(delete_old_drops(run, age, args.dry_run).await?);
    } else if let Some(drop_id) = &args.drop {
        for period in named {
            let result = bucket::roll_back(run, *period, drop_id, args.dry_run).await;
            report.add(*period, result)?;
        }
    } else if args.empty {
        for period in named {
            for destination in deliver::selected_destinations(run, args.destination())? {
                let result = match destination {
                    DestinationKind::Bucket => bucket::clear(run, *period, args.dry_run).await,
                    DestinationKind::Stream => stream::clear(run, *period, args.dry_run).await,
                };
                report.add(*period, result)?;
            }
        }
    } else {
        deliver_months(run, args, selection, &mut report).await?;
    }
    Ok(report)
}

/// Rehearses the selected months, all in one test namespace.
async fn rehearse(
    run: &RunContext,
    args: &DeliverArgs,
    selection: &Selection,
) -> Result<DeliverReport> {
    let mut report = DeliverReport::new(run);
    let tables = Tables::open(run).await?;
    let rehearsal = Rehearsal::of_destination(run)?;
    for period in deliver::published_months(run, &tables, selection).await? {
        let rehearsed = rehearsal
            .rehearse(run, &tables, period, args.no_validate)
            .instrument(run.period_span(period))
            .await;
        report.add(period, rehearsed)?;
    }
    Ok(report)
}

async fn deliver_months(
    run: &RunContext,
    args: &DeliverArgs,
    selection: &Selection,
    report: &mut DeliverReport,
) -> Result<()> {
    let tables = Tables::open(run).await?;
    let options = DeliverOptions {
        only: args.destination(),
        by_name: args.months.by_name(),
        dry_run: args.dry_run,
        skip_validation: args.no_validate,
    };
    for period in deliver::published_months(run, &tables, selection).await? {
        let deliveries = deliver::deliver(run, &tables, period, options)
            .instrument(run.period_span(period))
            .await;
        report.deliveries.extend(deliveries.completed);
        let is_unavailable = deliveries
            .errors
            .iter()
            .any(|e| e.kind() == ErrorKind::Remote);
        let errors = deliveries.errors.into_iter().map(|e| (period, e));
        report.errors.extend(errors);
        if is_unavailable {
            // Every later month would wait for the same timeouts.
            break;
        }
    }
    Ok(())
}

/// Prints the deleted drops, or that there is nothing to deliver, to stderr.
fn print_notes(report: &DeliverReport, prefix: &str) {
    if let Some(deleted) = report.deleted {
        let DeletedDrops {
            drops,
            files,
            bytes,
        } = deleted;
        note!("{prefix}{drops} old drops that are not active: {files} files, {bytes} bytes");
    } else if report.deliveries.is_empty() && report.errors.is_empty() {
        note!("{prefix}nothing is published, so there is nothing to deliver");
    }
}

pub(super) fn table(report: &DeliverReport) -> String {
    if report.deleted.is_some() || report.deliveries.is_empty() {
        return String::new();
    }
    deliveries_table(&report.deliveries, terminal_width())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_ages_in_days_or_hours() {
        assert_eq!(parse_age("30d"), Ok(TimeDelta::days(30)));
        assert_eq!(parse_age("0h"), Ok(TimeDelta::zero()));
        for wrong in ["", "d", "30", "3w", "-1d", "99999999999999999d", "1ä"] {
            assert!(parse_age(wrong).is_err(), "{wrong}");
        }
    }
}
