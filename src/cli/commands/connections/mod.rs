//! `billstream connections`: set up, prove, watch, change and remove connections.

mod add;
mod ask;
mod check;
mod list;
mod provision;
mod remove;
mod rotate;

use clap::Subcommand;

use crate::cli::args::StoreArgs;
use crate::cli::context::CommandContext;
use crate::config::Flags;
use crate::confluent::client::{Client, Settings, with_short_retries};
use crate::connections::state;
use crate::error::{Error, Result};
use crate::suggest::nearest;

pub use crate::cli::commands::connections::list::{ListArgs, status};

/// Arguments of `connections`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream connections add --demo
  billstream connections add confluent
  billstream connections add confluent --name acme --setup --with-inventory
  billstream connections list
  billstream connections rotate acme")]
pub struct ConnectionsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take a Cloud API key or make one, prove it, store it, and begin to import
    Add(Box<add::AddArgs>),
    /// Show every connection and how it fares
    List(list::ListArgs),
    /// Show all that is known of a connection
    Show(list::ShowArgs),
    /// Ask Confluent for the costs of one day, with the key of each connection
    Check(check::CheckArgs),
    /// Give a connection a new key, prove it, switch, and delete the old one
    Rotate(rotate::RotateArgs),
    /// Leave a connection out of runs until it is resumed
    Pause(NamedArgs),
    /// End a pause
    Resume(NamedArgs),
    /// Forget a connection and its credentials; what was imported stays
    Remove(remove::RemoveArgs),
}

/// One connection by its name.
#[derive(Debug, clap::Args)]
struct NamedArgs {
    /// Name of the connection
    name: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// One connection by its name, and the key of an administrator where one is asked for.
#[derive(Debug, clap::Args)]
struct AdminArgs {
    /// Name of the connection
    name: String,
    #[command(flatten)]
    key: ask::KeyArgs,
    #[command(flatten)]
    store: StoreArgs,
}

impl AdminArgs {
    /// The scene with the connection named.
    fn scene(&self) -> Result<CommandContext> {
        CommandContext::open(Flags {
            connection: Some(self.name.clone()),
            ..self.store.flags()
        })
    }
}

/// Runs `connections`.
pub async fn run(args: ConnectionsArgs) -> Result<u8> {
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
    let scene = CommandContext::open(args.store.flags())?;
    known(&scene, &args.name).await?;
    if state::paused(&scene.store, &args.name).await?.is_none() {
        let now = (scene.settings.clock)();
        state::pause(&scene.store, &args.name, now).await?;
    }
    eprintln!(
        "`{}` is paused: imports and deliveries leave it out until `billstream connections resume {0}`",
        args.name
    );
    Ok(0)
}

async fn resume(args: NamedArgs) -> Result<u8> {
    let scene = CommandContext::open(args.store.flags())?;
    known(&scene, &args.name).await?;
    state::resume(&scene.store, &args.name).await?;
    eprintln!("`{}` is imported and delivered again", args.name);
    Ok(0)
}

/// A client for somebody who waits.
fn client(settings: Settings) -> Result<Client> {
    Client::new(with_short_retries(&settings))
}

/// Refuses a name that neither the configuration nor the store knows.
///
/// # Errors
/// Kind usage, with the nearest name.
async fn known(scene: &CommandContext, name: &str) -> Result<()> {
    let names = list::names(scene).await?;
    if names.contains(name) {
        return Ok(());
    }
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if names.is_empty() => "set one up with `billstream connections add confluent`".into(),
        None => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("there are {}", names.join(", "))
        }
    };
    Err(Error::usage(format!("there is no connection `{name}`")).with_hint(hint))
}
