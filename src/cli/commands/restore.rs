//! `billstream restore`.

use crate::billing_period::BillingPeriod;
use crate::cli::args::{RunArgs, parse_month};
use crate::cli::context::{CommandContext, NetworkScope, Outcome, run_with_lease};
use crate::cli::output::money::{Precision, count};
use crate::cli::output::stderr::note;
use crate::error::Result;
use crate::pipeline::publish::restore::{Restored, restore};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
To list the versions of a month: billstream query \"select * from versions where billing_period = '2026-10'\"
To preview the changes: billstream diff --month 2026-10 --from-version 14 --to-version 12")]
pub(crate) struct RestoreArgs {
    /// Month to restore
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    month: BillingPeriod,
    /// Version of line_items to restore
    #[arg(long, value_name = "VERSION")]
    version: u64,
    #[command(flatten)]
    run: RunArgs,
}

/// Publishes an earlier version of a month again, as a new commit.
pub(crate) async fn run(args: RestoreArgs) -> Result<u8> {
    let context = CommandContext::open_with_store(args.run.flags()).await?;
    let (run, bar) = context
        .run_context(&context.config.one_connection()?, NetworkScope::Store)
        .await?;
    let work = restore(&run, args.month, args.version);
    let restored = run_with_lease("restore", &run, false, work, |_: &Restored| {
        Outcome::default()
    });
    let restored = restored.await;
    bar.finish_and_clear();
    let restored = restored?;
    let (month, record, currency) = (args.month, &restored.record, &run.currency);
    let net = Precision::new(args.run.summary.exact).money(&record.net_amount);
    match restored.version {
        Some(version) => {
            note!(
                "restored {month} of `{}` to version {}: {} line items, net {net} {currency}; now version {version}",
                run.connection,
                args.version,
                count(record.line_items),
            );
            note!("run `billstream deliver --month {month}` to update CloudZero");
        }
        None if restored.has_completed_state => {
            note!(
                "{month} of `{}` was at version {} already; completed the state that an interrupted restore left behind",
                run.connection,
                args.version
            );
            note!("run `billstream deliver --month {month}` to update CloudZero");
        }
        None => note!(
            "{month} of `{}` is already at version {}: nothing changed",
            run.connection,
            args.version
        ),
    }
    Ok(0)
}
