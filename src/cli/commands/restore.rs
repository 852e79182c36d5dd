//! `billstream restore`.

use crate::billing_period::BillingPeriod;
use crate::cli::args::RunArgs;
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::money::{Precision, count};
use crate::error::Result;
use crate::pipeline::publish::restore::{Restored, restore};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The versions of a month: billstream query \"select * from versions where billing_period = '2026-10'\"
What would change: billstream diff --month 2026-10 --from-version 14 --to-version 12")]
pub struct RestoreArgs {
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    month: BillingPeriod,
    /// The version of line_items to bring back
    #[arg(long, value_name = "VERSION")]
    version: u64,
    #[command(flatten)]
    run: RunArgs,
}

/// Brings an earlier version of a month back, as a new commit.
pub async fn run(args: RestoreArgs) -> Result<u8> {
    let scene = CommandContext::open(args.run.flags())?;
    let (job, bar) = scene
        .job(&scene.config.one_connection()?, NetworkScope::Store)
        .await?;
    let work = restore(&job, args.month, args.version);
    let restored = run_with_lease("restore", &job, false, work, |_: &Restored| {
        Outcome::default()
    });
    let restored = restored.await;
    bar.finish_and_clear();
    let restored = restored?;
    let (month, record, currency) = (args.month, &restored.record, &job.currency);
    let net = Precision::new(args.run.summary.exact).money(&record.net_amount);
    match restored.version {
        Some(version) => {
            eprintln!(
                "{month} of `{}` is as it was at version {}: {} line items, net {} {currency}; now version {version}",
                job.connection,
                args.version,
                count(record.line_items),
                net
            );
            eprintln!("CloudZero has it with the next `billstream deliver --month {month}`");
        }
        None => eprintln!(
            "{month} of `{}` is at version {} already: nothing changed",
            job.connection, args.version
        ),
    }
    Ok(0)
}
