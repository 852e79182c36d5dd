//! `billstream connections check`.

use serde::Serialize;

use crate::cli::args::{StoreArgs, SummaryFormat};
use crate::cli::check_organization::{CheckOptions, check_organization};
use crate::cli::context::CommandContext;
use crate::cli::output::money::count;
use crate::cli::output::table::{Column, Table};
use crate::connections::interactive_client;
use crate::connections::key_probe::{self, ProbedCosts};
use crate::connections::state::{self, CheckState};
use crate::error::{Error, Result};

/// Arguments of `connections check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Name of a connection [default: all]
    name: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Output format on stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    format: SummaryFormat,
}

#[derive(Debug, Serialize)]
struct CheckResult {
    /// Probed day.
    day: chrono::NaiveDate,
    /// Number of costs on the first page.
    costs: usize,
}

/// Probes the key of each connection, and checks that no two have the same organization.
pub(crate) async fn run(args: CheckArgs) -> Result<u8> {
    let mut flags = args.store.flags();
    flags.connection = args.name.clone();
    let context = CommandContext::open(flags)?;
    if let Some(name) = &args.name {
        super::check_exists(&context, name).await?;
    }
    let connections = context.config.connections()?;
    let results = context
        .each(connections, async |name| check(&context, name).await)
        .await;
    results.print(
        args.format,
        |_| None,
        |_| &[],
        |_, checked| row(checked),
        |_, _| {},
    )
}

async fn check(context: &CommandContext, name: &str) -> Result<CheckResult> {
    let at = (context.settings.clock)();
    let probed = probe(context, name).await;
    // A check must not create state for a connection that does not exist.
    if context.config.knows(name) {
        let error = probed.as_ref().err().map(Error::to_string);
        state::save_check(&context.store, name, &CheckState { at, error }).await?;
    }
    let ProbedCosts { day, costs } = probed?;
    Ok(CheckResult { day, costs })
}

async fn probe(context: &CommandContext, name: &str) -> Result<ProbedCosts> {
    let access = context.config.confluent(name)?;
    let client = interactive_client(&access)?;
    let probed = key_probe::probe(&client, (context.settings.clock)().date_naive()).await?;
    if context.config.knows(name) {
        let options = CheckOptions {
            ask_again: true,
            ..CheckOptions::default()
        };
        check_organization(context, name, &access, options, None).await?;
    }
    Ok(probed)
}

fn row(result: &CheckResult) -> String {
    let mut table = Table::new(vec![
        Column::text("day"),
        Column::number("costs"),
        Column::text("key"),
    ]);
    table.row(vec![
        result.day.to_string(),
        count(result.costs as u64),
        "works".to_string(),
    ]);
    table.render(None)
}
