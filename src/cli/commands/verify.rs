//! `billstream verify`.

use std::io::Write;
use std::sync::Arc;

use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::aggregate::month_errors;
use crate::confluent::client::Client;
use crate::engine::text::table;
use crate::error::{ErrorKind, Result};
use crate::pipeline::verify::{self, ComparisonStatus, SideTotals, VerifyReport};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months, every published month is compared. Sides without credentials are left out.

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
    Outcome {
        errors: month_errors(&report.errors),
        exit_code: report.kind().map_or(0, ErrorKind::exit_code),
        ..Outcome::default()
    }
}

/// Runs `verify`.
pub(crate) async fn run(args: VerifyArgs) -> Result<u8> {
    let context = CommandContext::open(args.run.flags())?;
    let selection = args.months.selection()?;
    let verify_connection = async |name: &str| {
        let preparation = async {
            let client = if context.config.has_credentials(name) {
                let confluent = context.config.confluent(name)?;
                Some(Arc::new(Client::with_timing(confluent, context.timing())?))
            } else {
                None
            };
            let (run, bar) = context.job(name, NetworkScope::Destinations).await?;
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
    results.report(
        args.run.format,
        VerifyReport::kind,
        |report| &report.errors,
        net_amounts_table,
        print_notes,
    )
}

/// Prints the notes of each month to stderr.
fn print_notes(report: &VerifyReport, prefix: &str) {
    let mut stderr = std::io::stderr().lock();
    for month in &report.periods {
        for note in &month.notes {
            let _ = writeln!(stderr, "{prefix}{}: {note}", month.billing_period);
        }
    }
    if report.periods.is_empty() && report.errors.is_empty() {
        let _ = writeln!(
            stderr,
            "{prefix}nothing is published, so there is nothing to verify"
        );
    }
}

/// Table of the net amount of each side.
fn net_amounts_table(report: &VerifyReport) -> String {
    let header = [
        "period",
        "confluent",
        "store",
        "bucket",
        "stream",
        "cloudzero",
        "status",
    ];
    let right = [false, true, true, true, true, true, false];
    let net = |side: Option<&SideTotals>| side.map_or("-".to_string(), |side| side.cost.clone());
    let rows = report.periods.iter().map(|month| {
        let status = match month.status {
            ComparisonStatus::Equal => "equal",
            ComparisonStatus::Pinned => "pinned",
            ComparisonStatus::Pending => "pending",
            ComparisonStatus::Behind => "behind",
            ComparisonStatus::Differs => "differs",
        };
        vec![
            month.billing_period.to_string(),
            net(month.confluent.as_ref()),
            month.store.cost.clone(),
            net(month.bucket.as_ref()),
            net(month.stream.as_ref()),
            net(month.cloudzero.as_ref()),
            status.to_string(),
        ]
    });
    table(&header, &right, rows)
}
