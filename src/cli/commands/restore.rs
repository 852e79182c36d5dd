//! `billstream restore`.

use crate::billing_period::BillingPeriod;
use crate::cli::args::RunArgs;
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::error::Result;
use crate::pipeline::publish::restore::{Restored, restore};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
To list the versions of a month: billstream query \"select * from versions where billing_period = '2026-10'\"
To preview the changes: billstream diff --month 2026-10 --from-version 14 --to-version 12")]
pub(crate) struct RestoreArgs {
    /// Month to restore
    #[arg(long, value_name = "YYYY-MM")]
    month: BillingPeriod,
    /// Version of line_items to restore
    #[arg(long, value_name = "VERSION")]
    version: u64,
    #[command(flatten)]
    run: RunArgs,
}

/// Publishes an earlier version of a month again, as a new commit.
pub(crate) async fn run(args: RestoreArgs) -> Result<u8> {
    let context = CommandContext::open(args.run.flags())?;
    let (job, bar) = context
        .job(&context.config.one_connection()?, NetworkScope::Store)
        .await?;
    let work = restore(&job, args.month, args.version);
    let restored = run_with_lease("restore", &job, false, work, |_: &Restored| {
        Outcome::default()
    });
    let restored = restored.await;
    bar.finish_and_clear();
    let restored = restored?;
    let (month, record) = (args.month, &restored.record);
    match restored.version {
        Some(version) => {
            eprintln!(
                "restored {month} of `{}` to version {}: {} line items, net {}; now version {version}",
                job.connection, args.version, record.line_items, record.net_amount
            );
            eprintln!("run `billstream deliver --month {month}` to update CloudZero");
        }
        None => eprintln!(
            "{month} of `{}` is already at version {}: nothing changed",
            job.connection, args.version
        ),
    }
    Ok(0)
}
