//! `billstream connections`: adds, checks, lists, changes and removes connections.

mod add;
mod check;
mod key_input;
mod list;
mod remove;
mod rotate;

use clap::Subcommand;

use crate::cli::args::StoreArgs;
use crate::cli::context::CommandContext;
use crate::cli::output::stderr::note;
use crate::config::Flags;
use crate::connections::state;
use crate::error::{Error, Result};
use crate::suggest::nearest;

pub(crate) use crate::cli::commands::connections::list::{ListArgs, status};

/// Arguments of `connections`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream connections add --demo
  billstream connections add confluent
  billstream connections add confluent --name acme --setup --with-inventory
  billstream connections list
  billstream connections rotate acme")]
pub(crate) struct ConnectionsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a connection: enter or create a Cloud API key, verify and store it, and import
    Add(Box<add::AddArgs>),
    /// List all connections with their health
    List(list::ListArgs),
    /// Show all details of a connection
    Show(list::ShowArgs),
    /// Verify the key of each connection by reading the costs of one day
    Check(check::CheckArgs),
    /// Replace the key of a connection: create and verify a new one, switch, delete the old one
    Rotate(rotate::RotateArgs),
    /// Exclude a connection from imports and deliveries
    Pause(NamedArgs),
    /// Include a paused connection again
    Resume(NamedArgs),
    /// Remove a connection and its credentials; imported costs stay
    Remove(remove::RemoveArgs),
}

#[derive(Debug, clap::Args)]
struct NamedArgs {
    /// Name of the connection
    name: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// A connection, and the key of an organization administrator.
#[derive(Debug, clap::Args)]
struct AdminArgs {
    /// Name of the connection
    name: String,
    #[command(flatten)]
    key: key_input::KeyArgs,
    #[command(flatten)]
    store: StoreArgs,
}

impl AdminArgs {
    /// Opens the context with the connection selected.
    fn context(&self) -> Result<CommandContext> {
        CommandContext::open(Flags {
            connection: Some(self.name.clone()),
            ..self.store.flags()
        })
    }
}

/// Runs `connections`.
pub(crate) async fn run(args: ConnectionsArgs) -> Result<u8> {
    match args.command {
        Command::Add(args) => add::run(*args).await,
        Command::List(args) => list::list(args).await,
        Command::Show(args) => list::show(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Rotate(args) => rotate::run(args).await,
        Command::Pause(args) => pause(args).await,
        Command::Resume(args) => resume(args).await,
        Command::Remove(args) => remove::run(args).await,
    }
}

async fn pause(args: NamedArgs) -> Result<u8> {
    let context = CommandContext::open_existing(args.store.flags())?;
    check_exists(&context, &args.name).await?;
    state::pause(&context.store, &args.name, (context.settings.clock)()).await?;
    let name = &args.name;
    note!(
        "paused `{name}`: imports and deliveries skip it until `billstream connections resume {name}`"
    );
    Ok(0)
}

async fn resume(args: NamedArgs) -> Result<u8> {
    let context = CommandContext::open_existing(args.store.flags())?;
    check_exists(&context, &args.name).await?;
    state::resume(&context.store, &args.name).await?;
    let name = &args.name;
    note!("resumed `{name}`: imports and deliveries include it again");
    Ok(0)
}

/// Prints a progress line to stderr.
fn report(line: &str) {
    note!("{line}");
}

/// Checks that the configuration, the environment or the store knows a connection.
///
/// # Errors
/// Kind usage, with the nearest name.
async fn check_exists(context: &CommandContext, name: &str) -> Result<()> {
    let names = list::names(context).await?;
    if names.contains(name) {
        return Ok(());
    }
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if names.is_empty() => "add one with `billstream connections add confluent`".into(),
        None => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("choose one of: {}", names.join(", "))
        }
    };
    Err(Error::usage(format!("there is no connection `{name}`")).with_hint(hint))
}
