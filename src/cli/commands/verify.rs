//! `billstream verify`.

use std::io::Write;
use std::sync::Arc;

use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::aggregate::month_errors;
use crate::confluent::client::Client;
use crate::engine::text::table;
use crate::error::{ErrorKind, Result};
use crate::pipeline::verify::{self, Report, Side, Status};

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
            let (job, bar) = scene.run_context(name, NetworkScope::Targets).await?;
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
    results.report(
        args.run.format,
        Report::kind,
        |report| &report.errors,
        sides_table,
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

/// The net amount of each side.
fn sides_table(report: &Report) -> String {
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
    let net = |side: Option<&Side>| side.map_or("-".to_string(), |side| side.cost.clone());
    let rows = report.periods.iter().map(|month| {
        let status = match month.status {
            Status::Equal => "equal",
            Status::Pinned => "pinned",
            Status::Pending => "pending",
            Status::Behind => "behind",
            Status::Differs => "differs",
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
