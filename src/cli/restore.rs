//! `billstream restore`.

use super::args::RunArgs;
use super::run::{Outcome, job, under_lease, without_network};
use crate::config::{Environment, Settings};
use crate::confluent::windows::BillingPeriod;
use crate::error::Result;
use crate::pipeline::restore::{Restored, restore};
use crate::store::Store;

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
    let environment = Environment::process();
    let settings = Settings::resolve(&args.run.flags(), &environment)?;
    let store = Store::open(&settings.store)?;
    let targets = without_network(&settings, &environment, &store).await?;
    let (job, bar) = job(&settings, store, targets)?;
    let work = restore(&job, args.month, args.version);
    let restored = under_lease("restore", &job, work, |_: &Restored| Outcome::default()).await;
    bar.finish_and_clear();
    let restored = restored?;
    let (month, record) = (args.month, &restored.record);
    match restored.version {
        Some(version) => {
            eprintln!(
                "{month} of `{}` is as it was at version {}: {} line items, net {}; now version {version}",
                job.connection, args.version, record.line_items, record.net_amount
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
