//! `billstream verify`.

use std::io::Write;
use std::sync::Arc;

use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::aggregate::month_errors;
use crate::cli::output::money::Precision;
use crate::cli::output::stdout::terminal_width;
use crate::cli::output::verify_table::verify_table;
use crate::confluent::client::Client;
use crate::error::{ErrorKind, Result};
use crate::pipeline::verify::{self, Report};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes every published month. Sides without credentials in the environment are not asked.

Examples:
  billstream verify
  billstream verify --month 2026-10 --format json")]
pub struct VerifyArgs {
    #[command(flatten)]
    months: MonthArgs,
    #[command(flatten)]
    run: RunArgs,
}

fn outcome_of(report: &Report) -> Outcome<'_> {
    Outcome {
        errors: month_errors(&report.errors),
        exit_code: report.kind().map_or(0, ErrorKind::exit_code),
        ..Outcome::default()
    }
}

/// Runs `verify`.
pub async fn run(args: VerifyArgs) -> Result<u8> {
    let scene = CommandContext::open(args.run.flags())?;
    let selection = args.months.selection()?;
    let work = async |name: &str| {
        let preparing = async {
            let client = match scene.config.has_credentials(name) {
                false => None,
                true => {
                    let confluent = scene.config.confluent(name)?;
                    Some(Arc::new(Client::with_timing(confluent, scene.timing())?))
                }
            };
            let (job, bar) = scene.job(name, NetworkScope::Targets).await?;
            Ok((client, job, bar))
        };
        let (client, job, bar) = scene
            .record_if_failed("verify", name, false, preparing)
            .await?;
        let work = verify::verify(&job, client.as_ref(), &selection);
        let report = run_with_lease("verify", &job, false, work, outcome_of).await;
        bar.finish_and_clear();
        report
    };
    let results = scene.each(scene.active().await?, work).await;
    let table = |name: &str, report: &Report| {
        if report.periods.is_empty() {
            return String::new();
        }
        let connection = scene.config.connection(name).ok();
        let currency = connection.map(|connection| connection.currency);
        let precision = Precision::new(args.run.summary.exact);
        verify_table(&report.periods, currency.as_deref(), precision).render(terminal_width())
    };
    results.print(
        args.run.summary.format,
        Report::kind,
        |report| &report.errors,
        table,
        say,
    )
}

/// Notes on the months.
fn say(report: &Report, whose: &str) {
    let mut stderr = std::io::stderr().lock();
    for month in &report.periods {
        for note in &month.notes {
            let _ = writeln!(stderr, "{whose}{}: {note}", month.billing_period);
        }
    }
    if report.periods.is_empty() && report.errors.is_empty() {
        let _ = writeln!(
            stderr,
            "{whose}nothing is published, so there is nothing to verify"
        );
    }
}
