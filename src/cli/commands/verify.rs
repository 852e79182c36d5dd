//! `billstream verify`.

use std::sync::Arc;

use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::aggregate::month_errors;
use crate::cli::output::money::Precision;
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::terminal_width;
use crate::cli::output::verify_table::verify_table;
use crate::confluent::client::Client;
use crate::error::{ErrorKind, Result};
use crate::pipeline::verify::{self, VerifyReport};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months, every published month is compared, and Confluent is asked for months that were never published.
Sides without credentials are left out.

Examples:
  billstream verify
  billstream verify --month 2026-10 --format json")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    months: MonthArgs,
    #[command(flatten)]
    run: RunArgs,
}

fn outcome_of(report: &VerifyReport) -> Outcome<'_> {
    let mut errors = month_errors(&report.errors);
    errors.extend(report.duplicates.iter().map(|one| one.to_string()));
    Outcome {
        errors,
        exit_code: report.kind().map_or(0, ErrorKind::exit_code),
        ..Outcome::default()
    }
}

/// Runs `verify`.
pub(crate) async fn run(args: VerifyArgs) -> Result<u8> {
    let context = CommandContext::open_with_store(args.run.flags()).await?;
    let selection = args.months.selection()?;
    let verify_connection = async |name: &str| {
        let preparation = async {
            let client = if context.config.has_credentials(name) {
                let confluent = context.config.confluent(name)?;
                Some(Arc::new(Client::with_timing(confluent, context.timing())?))
            } else {
                None
            };
            let (run, bar) = context
                .run_context(name, NetworkScope::Destinations)
                .await?;
            Ok((client, run, bar))
        };
        let (client, run, bar) = context
            .record_if_failed("verify", name, false, preparation)
            .await?;
        let work = verify::verify(&run, client.as_ref(), &selection);
        let report = run_with_lease("verify", &run, false, work, outcome_of).await;
        bar.finish_and_clear();
        report
    };
    let results = context
        .each(context.active().await?, verify_connection)
        .await;
    let table = |name: &str, report: &VerifyReport| {
        if report.periods.is_empty() {
            return String::new();
        }
        let connection = context.config.connection(name).ok();
        let currency = connection.map(|connection| connection.currency);
        let precision = Precision::new(args.run.summary.exact);
        verify_table(&report.periods, currency.as_deref(), precision).render(terminal_width())
    };
    results.print(
        args.run.summary.format,
        VerifyReport::kind,
        |report| &report.errors,
        table,
        print_notes,
    )
}

/// Prints the notes of each month, and what CloudZero counts twice, to stderr.
fn print_notes(report: &VerifyReport, prefix: &str) {
    for month in &report.periods {
        for note in &month.notes {
            note!("{prefix}{}: {note}", month.billing_period);
        }
    }
    for duplicate in &report.duplicates {
        note!("{prefix}{duplicate}");
    }
    if report.periods.is_empty() && report.errors.is_empty() {
        note!("{prefix}nothing is published, so there is nothing to verify");
    }
}
