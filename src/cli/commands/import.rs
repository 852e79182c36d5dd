//! `billstream import`, `pull` and `transform`.

use crate::cli::args::{MonthArgs, RunArgs};
use crate::cli::commands::demo::demo;
use crate::cli::context::{CommandContext, NetworkScope, run_with_lease};
use crate::cli::import_connection::{import_connection, outcome_of};
use crate::cli::output::summary::print_summary;
use crate::error::Result;
use crate::pipeline;
use crate::pipeline::import::Options;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes the open month, those that may still change, and those never pulled.

Examples:
  billstream import --demo
  billstream import
  billstream import --from 2026-08 --to 2026-10 --format json
  billstream import --no-deliver")]
pub struct ImportArgs {
    /// Import twelve invented months from a sandbox in this process, ignoring the environment's settings
    #[arg(long, conflicts_with_all = ["connection"])]
    demo: bool,
    #[command(flatten)]
    months: MonthArgs,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    /// Publish a month although published days came back without costs
    #[arg(long)]
    allow_shrink: bool,
    /// Publish, and deliver nothing to CloudZero
    #[arg(long)]
    no_deliver: bool,
    /// Send to CloudZero's stream without having it validate each request first
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
pub struct PullArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    /// Publish a month although published days came back without costs
    #[arg(long)]
    allow_shrink: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Arguments of `transform`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months it takes stored months that may still change, or whose line items are behind.

Examples:
  billstream transform --all --sql-dir ./sql
  billstream transform --month 2026-10 --dry-run")]
pub struct TransformArgs {
    #[command(flatten)]
    months: MonthArgs,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs `import`.
pub async fn import(args: ImportArgs) -> Result<u8> {
    let options = Options {
        months: args.months.selection()?,
        dry_run: args.dry_run,
        allow_shrink: args.allow_shrink,
        pull_only: false,
        no_deliver: args.no_deliver,
        unvalidated: args.no_validate,
    };
    if args.demo {
        return demo(&args.run, options).await;
    }
    each(args.run, options).await
}

/// Runs `pull`.
pub async fn pull(args: PullArgs) -> Result<u8> {
    let options = Options {
        months: args.months.selection()?,
        dry_run: args.dry_run,
        allow_shrink: args.allow_shrink,
        pull_only: true,
        no_deliver: true,
        unvalidated: false,
    };
    each(args.run, options).await
}

async fn each(args: RunArgs, options: Options) -> Result<u8> {
    let scene = CommandContext::open(args.flags())?;
    let work = async |name: &str| import_connection(&scene, name, &options).await;
    let results = scene.each(scene.active().await?, work).await;
    print_summary(&scene, results, args.summary)
}

/// Runs `transform`.
pub async fn transform(args: TransformArgs) -> Result<u8> {
    let scene = CommandContext::open(args.run.flags())?;
    let months = args.months.selection()?;
    let work = async |name: &str| {
        let preparing = scene.job(name, NetworkScope::Store);
        let (job, bar) = scene
            .record_if_failed("transform", name, args.dry_run, preparing)
            .await?;
        let work = pipeline::transform::retransform::transform_stored(&job, &months, args.dry_run);
        let summary = run_with_lease("transform", &job, args.dry_run, work, outcome_of).await;
        bar.finish_and_clear();
        summary
    };
    let results = scene.each(scene.config.connections()?, work).await;
    print_summary(&scene, results, args.run.summary)
}
