//! `billstream connections check`.

use serde::Serialize;

use crate::cli::args::{StoreArgs, SummaryFormat};
use crate::cli::context::CommandContext;
use crate::cli::output::money::count;
use crate::cli::output::table::{Column, Table};
use crate::connections::key_probe::{self, Proof};
use crate::connections::state::{self, CheckState};
use crate::error::{Error, Result};

/// Arguments of `connections check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Name of a connection [default: all]
    name: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// How it is written to stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    format: SummaryFormat,
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Checked {
    /// The day that was asked for.
    day: chrono::NaiveDate,
    /// Costs on its first page.
    costs: usize,
}

/// Asks Confluent with the key of each connection.
pub async fn run(args: CheckArgs) -> Result<u8> {
    let mut flags = args.store.flags();
    flags.connection = args.name.clone();
    let scene = CommandContext::open(flags)?;
    if let Some(name) = &args.name {
        crate::cli::commands::connections::known(&scene, name).await?;
    }
    let connections = scene.config.connections()?;
    let results = scene
        .each(connections, async |name| check(&scene, name).await)
        .await;
    results.print(
        args.format,
        |_| None,
        |_| &[],
        |_, checked| row(checked),
        |_, _| {},
    )
}

async fn check(scene: &CommandContext, name: &str) -> Result<Checked> {
    let at = (scene.settings.clock)();
    let asked = ask(scene, name).await;
    let state = CheckState {
        at,
        error: asked.as_ref().err().map(Error::to_string),
    };
    // Somebody who has no connection yet does not get one by asking.
    if scene.config.knows(name) {
        state::checked(&scene.store, name, &state).await?;
    }
    let Proof { day, costs } = asked?;
    Ok(Checked { day, costs })
}

async fn ask(scene: &CommandContext, name: &str) -> Result<Proof> {
    let client = crate::cli::commands::connections::client(scene.config.confluent(name)?)?;
    key_probe::prove(&client, (scene.settings.clock)().date_naive()).await
}

fn row(checked: &Checked) -> String {
    let mut table = Table::new(vec![
        Column::text("day"),
        Column::number("costs"),
        Column::text("key"),
    ]);
    table.row(vec![
        checked.day.to_string(),
        count(checked.costs as u64),
        "works".to_string(),
    ]);
    table.render(None)
}
