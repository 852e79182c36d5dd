//! The command line: one file a command, data to stdout, everything else to stderr.

mod args;
pub mod commands;
mod context;
pub mod output;
mod query_session;

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::cli::commands::{
    completions, config, connections, deliver, destinations, diff, import, query, report, restore,
    sandbox, shell, verify,
};
use crate::error::{Error, ErrorKind, Result};

const EXAMPLES: &str = "\
Examples:
  billstream import --demo                       twelve invented months, no account needed
  billstream connections add confluent           asks for a key, proves it, and begins to import
  billstream import --store s3://bucket/billing  what is due of every connection
  billstream import --month 2026-10 --dry-run    everything but the publish
  billstream query \"select billing_period, sum(\\\"cost/cost\\\") from line_items group by 1\"

Environment:
  CONFLUENT_CLOUD_API_KEY, CONFLUENT_CLOUD_API_SECRET, CONFLUENT_CLOUD_REST_ENDPOINT
  CLOUDZERO_API_KEY, CLOUDZERO_CONNECTION_ID, BILLSTREAM_BUCKET: where line items are delivered to
  BILLSTREAM_CONFIG, BILLSTREAM_STORE, BILLSTREAM_CONNECTION, BILLSTREAM_SQL_DIR; `config show` has them all
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL for s3:// stores

Exit codes:
  0 done · 1 bad data or a failed check · 2 wrong arguments · 3 configuration or credentials
  4 partial · 5 totals do not reconcile · 6 another run holds the lease
  7 remote unavailable after retries · 70 a bug";

/// Confluent Cloud costs into CloudZero: exact, reconciled, replaced month by month
#[derive(Debug, Parser)]
#[command(name = "billstream", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more on stderr: -v what is done, -vv details
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pull, transform, check, publish and deliver billing months
    Import(import::ImportArgs),
    /// Pull costs and publish them as received, without the rest
    Pull(import::PullArgs),
    /// Map stored costs to line items anew, without network
    Transform(import::TransformArgs),
    /// Bring CloudZero up to what is published, by its bucket or its stream
    Deliver(deliver::DeliverArgs),
    /// Compare Confluent, the store, the bucket, the stream and CloudZero's totals
    Verify(verify::VerifyArgs),
    /// Set up, prove, watch, change and remove connections to Confluent
    Connections(connections::ConnectionsArgs),
    /// Show how every connection fares; exit code 4 when one is late or in error
    Status(connections::ListArgs),
    /// Show where settings come from, write a configuration file, or check one
    Config(config::ConfigArgs),
    /// Set up, list and remove the destinations of connections
    #[command(alias = "targets")]
    Destinations(destinations::DestinationsArgs),
    /// Ask SQL of what was imported, and of other cost data beside it
    Query(query::QueryArgs),
    /// Ask SQL statement by statement, with completion and history
    Shell(shell::ShellArgs),
    /// Run a report, or list them
    Report(report::ReportArgs),
    /// Compare two versions of a month, or two months
    Diff(diff::DiffArgs),
    /// Bring an earlier version of a month back
    Restore(restore::RestoreArgs),
    /// Play Confluent and CloudZero on loopback, with invented costs
    Sandbox(sandbox::SandboxArgs),
    /// Print a shell's completion script
    Completions(completions::CompletionsArgs),
}

/// Whether the command is done and the runtime about to go.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// Parses the arguments, runs the command, and gives the process's exit code.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // A task that was given up may still ask the runtime for something when that is gone.
        if LEAVING.load(Ordering::Relaxed) {
            return;
        }
        let place = panic
            .location()
            .map(|l| format!("{}:{}", l.file(), l.line()));
        eprintln!(
            "error: billstream met a bug at {}",
            place.unwrap_or_default()
        );
        eprintln!("hint: please report it with the command and `billstream --version`");
        std::process::exit(ErrorKind::Bug.exit_code().into());
    }));
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    // A query may keep as many threads busy as it has streams: clocks and signals need others.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(4) + 2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => return fail(&Error::bug(format!("runtime: {e}"))),
    };
    let code = match runtime.block_on(run(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error),
    };
    LEAVING.store(true, Ordering::Relaxed);
    runtime.shutdown_background();
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
        Command::Restore(args) => restore::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await.map(|()| 0),
        Command::Completions(args) => completions::run(&args).map(|()| 0),
    }
}

fn log_to_stderr(verbose: u8) {
    let own = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // The libraries' own debug output could hold payloads: never.
    let targets = Targets::new()
        .with_default(LevelFilter::ERROR)
        // A commit that loses a race is tried again, here; what fails in the end is told by the error.
        .with_target("deltalake_core::kernel::transaction", LevelFilter::OFF)
        .with_target("billstream", own);
    let colours = std::env::var_os("NO_COLOR").is_none() && console_is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false);
    // The filter is everybody's, not the layer's own: that kind forgets the line after one that it left out.
    let registry = tracing_subscriber::registry().with(targets);
    let _ = registry.with(lines).try_init();
}

fn console_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

fn fail(error: &Error) -> ExitCode {
    show_error(error);
    ExitCode::from(error.kind().exit_code())
}

/// Writes an error and its hint to stderr.
fn show_error(error: &Error) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "error: {error}");
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "hint: {hint}");
    }
}

/// Writes a value as one line of JSON to stdout.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_string(value).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    print(format!("{json}\n").as_bytes())
}

/// Writes data to stdout; a reader that went away ends the process quietly.
fn print(data: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Error::config(format!("cannot write to stdout: {e}"))),
    }
}
