//! `billstream import`, `pull` and `transform`.

use crate::cli::args::{MonthArgs, RunArgs};
#[cfg(feature = "sandbox")]
use crate::cli::commands::demo::import_demo;
use crate::cli::context::{CommandContext, NetworkScope, run_with_lease};
use crate::cli::import_connection::{import_connection, outcome_of};
use crate::cli::output::summary::print_summary;
use crate::error::Result;
use crate::pipeline::import::ImportOptions;
use crate::pipeline::transform::retransform::retransform;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months: the open month, months that can still change, months never pulled, and now and then settled ones.

Examples:
  billstream import --demo
  billstream import
  billstream import --from 2026-08 --to 2026-10 --format json
  billstream import --no-deliver")]
pub(crate) struct ImportArgs {
    /// Import twelve invented months from a sandbox in this process, ignoring the environment's settings
    #[cfg(feature = "sandbox")]
    #[arg(long, conflicts_with_all = ["connection"])]
    demo: bool,
    #[command(flatten)]
    months: MonthArgs,
    /// Run every stage except publish and deliver
    #[arg(long)]
    dry_run: bool,
    /// Publish a month even if published costs are missing from it
    #[arg(long, alias = "allow-shrink")]
    allow_missing_data: bool,
    /// Import although another connection has the same Confluent organization, now and in later runs
    #[arg(long)]
    allow_same_organization: bool,
    /// Publish without delivering to CloudZero
    #[arg(long)]
    no_deliver: bool,
    /// Send to CloudZero's stream without validating each request first
    #[arg(long)]
    no_validate: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Arguments of `pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream pull --month 2026-10
  billstream pull --all --dry-run")]
pub(crate) struct PullArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Run every stage except publish and deliver
    #[arg(long)]
    dry_run: bool,
    /// Publish a month even if published costs are missing from it
    #[arg(long, alias = "allow-shrink")]
    allow_missing_data: bool,
    /// Import although another connection has the same Confluent organization, now and in later runs
    #[arg(long)]
    allow_same_organization: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Arguments of `transform`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months: stored months that can still change, and months with line items older than their costs or not delivered.

Examples:
  billstream transform --all --sql-dir ./sql
  billstream transform --month 2026-10 --dry-run")]
pub(crate) struct TransformArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Run every stage except publish and deliver
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs `import`.
pub(crate) async fn import(args: ImportArgs) -> Result<u8> {
    let options = ImportOptions {
        months: args.months.selection()?,
        dry_run: args.dry_run,
        allow_missing_data: args.allow_missing_data,
        pull_only: false,
        no_deliver: args.no_deliver,
        unvalidated: args.no_validate,
        allow_same_organization: args.allow_same_organization,
    };
    #[cfg(feature = "sandbox")]
    if args.demo {
        return import_demo(&args.run, options).await;
    }
    each(args.run, options).await
}

/// Runs `pull`.
pub(crate) async fn pull(args: PullArgs) -> Result<u8> {
    let options = ImportOptions {
        months: args.months.selection()?,
        dry_run: args.dry_run,
        allow_missing_data: args.allow_missing_data,
        pull_only: true,
        no_deliver: true,
        unvalidated: false,
        allow_same_organization: args.allow_same_organization,
    };
    each(args.run, options).await
}

async fn each(args: RunArgs, options: ImportOptions) -> Result<u8> {
    let command = CommandContext::open(args.flags())?;
    let work = async |name: &str| import_connection(&command, name, &options).await;
    let results = command.each(command.active().await?, work).await;
    print_summary(&command, results, args.summary)
}

/// Runs `transform`.
pub(crate) async fn transform(args: TransformArgs) -> Result<u8> {
    let command = CommandContext::open_with_store(args.run.flags()).await?;
    let months = args.months.selection()?;
    let work = async |name: &str| {
        let preparing = command.run_context(name, NetworkScope::Store);
        let (context, bar) = command
            .record_if_failed("transform", name, args.dry_run, preparing)
            .await?;
        let work = retransform(&context, &months, args.dry_run);
        let summary = run_with_lease("transform", &context, args.dry_run, work, outcome_of).await;
        bar.finish_and_clear();
        summary
    };
    let results = command.each(command.config.connections()?, work).await;
    print_summary(&command, results, args.run.summary)
}
