//! The command line: one file per command, data on stdout, everything else on stderr.

mod args;
mod check_organization;
pub(crate) mod commands;
mod context;
mod exit;
mod file_modes;
mod import_connection;
mod logging;
pub(crate) mod output;
mod panic;
mod query_session;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(feature = "sandbox")]
use crate::cli::commands::sandbox;
use crate::cli::commands::{
    completions, config, connections, deliver, destinations, diff, export, import, query, report,
    restore, shell, verify,
};
use crate::cli::exit::show_error;
use crate::cli::output::rows::unfinished;
use crate::cli::output::stdout::{print, print_json, print_text};
use crate::engine::spill;
use crate::error::{Error, ErrorKind, Result};

const EXAMPLES: &str = "\
Examples:
  billstream import --demo                       twelve generated months, no account needed
  billstream connections add confluent           ask for an API key, test it and start importing
  billstream import --store s3://bucket/billing  pending months of all connections
  billstream import --month 2026-10 --dry-run    everything except publishing
  billstream query \"select billing_period, sum(\\\"cost/cost\\\") from line_items group by 1\"

Environment:
  CONFLUENT_CLOUD_API_KEY, CONFLUENT_CLOUD_API_SECRET, CONFLUENT_CLOUD_REST_ENDPOINT
  CLOUDZERO_API_KEY, CLOUDZERO_CONNECTION_ID, BILLSTREAM_BUCKET: destinations of line items
  BILLSTREAM_CONFIG, BILLSTREAM_STORE, BILLSTREAM_CONNECTION, BILLSTREAM_SQL_DIR; `config show` lists all
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL for s3:// stores

Exit codes:
  0 done · 1 bad data or a failed check · 2 wrong arguments · 3 configuration or credentials
  4 partial · 5 totals do not reconcile · 6 another run holds the lease
  7 remote unavailable after retries · 8 request rejected as invalid · 70 a bug";

/// Confluent Cloud costs into CloudZero: exact, reconciled, replaced month by month
#[derive(Debug, Parser)]
#[command(name = "billstream", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// More output on stderr: -v progress, -vv details
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pull, transform, check, publish and deliver billing months
    Import(import::ImportArgs),
    /// Pull costs and publish them as received
    Pull(import::PullArgs),
    /// Map stored costs to line items again, without network access
    Transform(import::TransformArgs),
    /// Deliver published line items to CloudZero, through a bucket or the Stream API
    Deliver(deliver::DeliverArgs),
    /// Compare totals of Confluent, the store, the bucket, the stream and CloudZero
    Verify(verify::VerifyArgs),
    /// Set up, test, monitor, change and remove connections to Confluent
    Connections(connections::ConnectionsArgs),
    /// Show the health of all connections; exit code 4 if one is late or failing
    Status(connections::ListArgs),
    /// Show effective settings and their origins, write a configuration file, or check one
    Config(config::ConfigArgs),
    /// Set up, list and remove the destinations of connections
    #[command(alias = "targets")]
    Destinations(destinations::DestinationsArgs),
    /// Run SQL over imported costs and other cost data
    Query(query::QueryArgs),
    /// Run SQL interactively, with completion and history
    Shell(shell::ShellArgs),
    /// Run a report, or list reports
    Report(report::ReportArgs),
    /// Compare two versions of a month, or two months
    Diff(diff::DiffArgs),
    /// Write published months in an open billing format
    Export(export::ExportArgs),
    /// Publish an earlier version of a month again
    Restore(restore::RestoreArgs),
    /// Serve fake Confluent and CloudZero APIs on loopback, with invented costs
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Stack of the threads that run a command: they plan the SQL files of a pipeline, whose expressions may be deep.
/// Unused pages of it cost nothing.
const STACK_BYTES: usize = 256 << 20;

/// Parses the arguments, runs the command and returns the exit code of the process.
pub fn main() -> ExitCode {
    panic::install_hook();
    file_modes::make_private();
    let cli = Cli::parse();
    logging::start(cli.verbose);
    let command = std::thread::Builder::new()
        .name("command".to_string())
        .stack_size(STACK_BYTES)
        .spawn(|| run_to_end(cli));
    let code = match command {
        // The panic hook has reported the panic of a command that has no result.
        Ok(command) => command
            .join()
            .unwrap_or_else(|_| exit::code_of(Some(ErrorKind::Bug))),
        Err(e) => exit::code(Err(Error::config(format!("could not start a thread: {e}"))
            .with_hint(
                "raise the limits of processes and virtual memory (`ulimit -u`, `ulimit -v`)",
            ))),
    };
    spill::delete_folder();
    ExitCode::from(code)
}

fn run_to_end(cli: Cli) -> u8 {
    // A query can occupy one thread per stream; timers and signals need separate threads.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(4) + 2)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => {
            return exit::code(Err(Error::bug(format!("could not start a runtime: {e}"))));
        }
    };
    let code = exit::code(runtime.block_on(async {
        let result = run(cli).await;
        unfinished::abort_uploads(signals::LAST_REQUEST).await;
        result
    }));
    panic::ignore_during_shutdown();
    runtime.shutdown_background();
    if panic::has_panicked() {
        return exit::code_of(Some(ErrorKind::Bug));
    }
    code
}

async fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Import(args) => import::import(args).await,
        Command::Pull(args) => import::pull(args).await,
        Command::Transform(args) => import::transform(args).await,
        Command::Deliver(args) => deliver::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Connections(args) => connections::run(args).await,
        Command::Status(args) => connections::status(args).await,
        Command::Config(args) => config::run(args).await,
        Command::Destinations(args) => destinations::run(args).await,
        Command::Query(args) => query::run(args).await,
        Command::Shell(args) => shell::run(args).await,
        Command::Report(args) => report::run(args).await,
        Command::Diff(args) => diff::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(args).await.map(|()| 0),
        Command::Completions(args) => completions::run(&args).map(|()| 0),
    }
}
