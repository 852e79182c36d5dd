//! `billstream restore`.

use super::args::RunArgs;
use super::run::{Outcome, Reach, Scene, under_lease};
use crate::confluent::windows::BillingPeriod;
use crate::error::Result;
use crate::pipeline::restore::{Restored, restore};

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
    let scene = Scene::open(args.run.flags())?;
    let (job, bar) = scene
        .job(&scene.config.one_connection()?, Reach::Store)
        .await?;
    let work = restore(&job, args.month, args.version);
    let restored = under_lease("restore", &job, false, work, |_: &Restored| {
        Outcome::default()
    });
    let restored = restored.await;
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
