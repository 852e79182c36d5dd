//! `billstream destinations`: where connections deliver to.

mod add;
mod billing_connection;
mod manual_setup;

use clap::Subcommand;

use crate::cli::args::StoreArgs;
use crate::cli::context::CommandContext;
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::terminal_width;
use crate::cli::output::table::{Column, Table};
use crate::cli::print_text;
use crate::config::{Connection, Flags, check_name};
use crate::connections::release;
use crate::error::{Error, Result};
use crate::store::destinations::{self, DestinationsRecord};
use crate::store::lease::Lease;
use crate::store::runs;

/// Arguments of `destinations`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream destinations add cloudzero --stream --rehearse
  billstream destinations add cloudzero --stream
  billstream destinations add cloudzero --bucket s3://acme-billing/confluent
  billstream destinations list
  billstream destinations remove")]
pub(crate) struct DestinationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up CloudZero's side of a destination and deliver there from now on
    Add(add::AddArgs),
    /// List the destinations of every connection in the store
    List {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove and release the destinations of a connection, which then delivers to its folder in the store
    Remove {
        #[command(flatten)]
        connection: ConnectionArgs,
    },
}

#[derive(Debug, clap::Args)]
struct ConnectionArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Name of the connection [env: BILLSTREAM_CONNECTION] [default: confluent]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

impl ConnectionArgs {
    /// Opens the context of the command and the configuration of its connection.
    fn open(&self) -> Result<(CommandContext, Connection)> {
        let context = CommandContext::open(Flags {
            connection: self.connection.clone(),
            ..self.store.flags()
        })?;
        let connection = context
            .config
            .connection(&context.config.one_connection()?)?;
        Ok((context, connection))
    }
}

/// Runs `destinations`.
pub(crate) async fn run(args: DestinationsArgs) -> Result<u8> {
    match args.command {
        Command::Add(args) => add::run(&args).await,
        Command::List { store } => list(&store).await,
        Command::Remove { connection } => remove(&connection).await,
    }
}

async fn remove(args: &ConnectionArgs) -> Result<u8> {
    let context = CommandContext::open_existing(args.store.flags())?;
    let name = match &args.connection {
        // A connection that was renamed or deleted in the configuration may still have claims.
        Some(name) => name.clone(),
        None => context.config.one_connection()?,
    };
    check_name(&name)?;
    let (store, config) = (&context.store, &context.config);
    if !config.knows(&name) && !destinations::is_known(store, &name).await? {
        return Err(
            Error::usage(format!("connection `{name}` has no destinations"))
                .with_hint("list them with `billstream destinations list`"),
        );
    }
    let run = runs::new_run_id((context.settings.clock)());
    let lease = Lease::take(store, &name, &run).await?;
    let record = destinations::load(store, &name).await;
    let outcome = destinations::forget(lease.fence()).await;
    release(lease, &name).await;
    outcome?;
    // An unreadable record was deleted as well, with the places that it named.
    let places = record.unwrap_or_default().places();
    note!("`{name}` has no destination left but those of the configuration");
    for place in places {
        note!(
            "what it delivered to {place} stays there and counts in CloudZero: pause the connection in CloudZero, or \
             delete its folders of months before another connection delivers there"
        );
    }
    Ok(0)
}

async fn list(args: &StoreArgs) -> Result<u8> {
    let context = CommandContext::open_with_or_without_store(args.flags()).await?;
    let store = context.store;
    let headers = ["connection", "destination", "place", "cloudzero connection"];
    let mut table = Table::new(headers.map(Column::text).to_vec());
    for (connection, record) in destinations::load_all(&store).await? {
        for [destination, place, id] in listed(record) {
            table.row(vec![connection.clone(), destination, place, id]);
        }
    }
    print_text(&table.render(terminal_width()))?;
    Ok(0)
}

/// Destination, place and CloudZero connection of each row.
fn listed(record: DestinationsRecord) -> Vec<[String; 3]> {
    let mut from_environment = record.delivered;
    let mut rows = Vec::new();
    let mut row = |destination: &str, place: &str, id: &str| {
        rows.push([destination, place, id].map(str::to_string));
    };
    if let Some(bucket) = record.bucket {
        let read_by = bucket.cloudzero_connection.as_deref().unwrap_or("-");
        row("bucket", &bucket.url, read_by);
        from_environment.remove(&bucket.url);
    }
    if let Some(stream) = record.stream {
        let id = stream.cloudzero_connection;
        from_environment.remove(&destinations::stream_place(&id));
        row("stream", "-", &id);
    }
    for place in &from_environment {
        row("from environment", place, "-");
    }
    rows
}
