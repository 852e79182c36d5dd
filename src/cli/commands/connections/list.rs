//! `billstream connections list` and `show`, and `billstream status`.

use std::collections::BTreeSet;

use crate::cli::args::{StoreArgs, SummaryFormat};
use crate::cli::context::{CommandContext, NetworkScope};
use crate::cli::output::connections_table::{connections_table, months, time};
use crate::cli::output::stdout::terminal_width;
use crate::cli::{print, print_json};
use crate::config::settings;
use crate::connections::health::{self, Expected, Health};
use crate::connections::state;
use crate::error::{ErrorKind, Result};

/// Arguments of `connections list` and of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream connections list
  billstream status --format json")]
pub struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// How it is written to stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    format: SummaryFormat,
}

/// Arguments of `connections show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Name of the connection
    name: String,
    #[command(flatten)]
    list: ListArgs,
}

/// Runs `connections list`.
pub async fn list(args: ListArgs) -> Result<u8> {
    all(args).await.map(|_| 0)
}

/// Runs `status`: exit code 4 when a connection is late or in error.
pub async fn status(args: ListArgs) -> Result<u8> {
    let all = all(args).await?;
    let bad = all.iter().any(|health| health.status.is_bad());
    Ok(if bad {
        ErrorKind::Partial.exit_code()
    } else {
        0
    })
}

/// Shows all connections, and why some are not well.
async fn all(args: ListArgs) -> Result<Vec<Health>> {
    let scene = CommandContext::open(args.store.flags())?;
    let mut all = Vec::new();
    for name in names(&scene).await? {
        let health = of(&scene, &name).await;
        all.push(health.unwrap_or_else(|error| Health::unavailable(&name, &error)));
    }
    match args.format {
        SummaryFormat::Json => print_json(&serde_json::json!({ "connections": &all }))?,
        SummaryFormat::Table if all.is_empty() => {}
        SummaryFormat::Table => print(connections_table(&all, terminal_width()).as_bytes())?,
    }
    if all.is_empty() {
        eprintln!("there is no connection yet: `billstream connections add confluent` sets one up");
    }
    for health in &all {
        if let Some(reason) = &health.reason {
            eprintln!("{}: {}: {reason}", health.connection, health.status);
        }
    }
    Ok(all)
}

/// Runs `connections show`.
pub async fn show(args: ShowArgs) -> Result<u8> {
    let scene = CommandContext::open(args.list.store.flags())?;
    crate::cli::commands::connections::known(&scene, &args.name).await?;
    let health = of(&scene, &args.name).await?;
    match args.list.format {
        SummaryFormat::Json => print_json(&health)?,
        SummaryFormat::Table => print(details(&scene, &health).as_bytes())?,
    }
    Ok(0)
}

/// The connections that the configuration, the environment or the store knows.
///
/// # Errors
/// What the store says.
pub async fn names(scene: &CommandContext) -> Result<BTreeSet<String>> {
    let mut names = state::names(&scene.store).await?;
    names.extend(scene.config.configured().iter().cloned());
    // The one that the environment makes.
    let taken = scene.config.connections().unwrap_or_default();
    names.extend(
        taken
            .into_iter()
            .filter(|name| scene.config.has_credentials(name)),
    );
    Ok(names)
}

/// How a connection fares.
pub async fn of(scene: &CommandContext, name: &str) -> Result<Health> {
    let configured = scene.config.connection(name)?;
    let is_configured = scene.config.has_credentials(name);
    let expected = Expected {
        cloud_provider: is_configured.then_some(configured.cloud_provider),
        interval: configured.expected_interval,
        targets: scene.targets(name, NetworkScope::Targets).await,
    };
    health::of(&scene.store, name, expected, (scene.settings.clock)()).await
}

fn targets(health: &Health) -> Vec<String> {
    let targets = health.targets.iter();
    let described = targets.map(|target| {
        format!(
            "{} {} ({})",
            target.target,
            target.place,
            time(target.delivered_at)
        )
    });
    described.collect()
}

/// A line a fact.
fn details(scene: &CommandContext, health: &Health) -> String {
    let name = health.connection.as_str();
    let mut lines: Vec<(&str, String)> = vec![
        ("connection", name.to_string()),
        ("provider", health.cloud_provider.clone()),
        ("status", health.status.to_string()),
    ];
    lines.extend(
        health
            .reason
            .iter()
            .map(|reason| ("reason", reason.clone())),
    );
    let endpoint = scene.config.value(&settings::ENDPOINT, Some(name));
    let endpoint = endpoint.filter(|_| scene.config.has_credentials(name));
    lines.extend(
        endpoint.map(|value| ("endpoint", format!("{} ({})", value.shown(), value.origin))),
    );
    for (key, place, origin) in scene.config.key_places(name) {
        lines.push((key.name, format!("hidden: {place} ({origin})")));
    }
    lines.push(("last checked", time(health.last_checked)));
    lines.push(("last data", time(health.last_data)));
    let until = health
        .complete_until
        .map_or("-".to_string(), |day| day.to_string());
    lines.push(("complete through", until));
    lines.push(("months", months(health)));
    lines.push(("next due", time(health.next_due)));
    lines.extend(targets(health).into_iter().map(|target| ("target", target)));
    if let Some(inventory) = &health.inventory {
        let taken = time(Some(inventory.taken_at));
        lines.push((
            "inventory",
            format!("{} resources, {taken}", inventory.resources),
        ));
        let problems = inventory.problems.iter();
        lines.extend(problems.map(|problem| ("not listed", problem.clone())));
    }
    let width = lines
        .iter()
        .map(|(label, _)| label.len())
        .max()
        .unwrap_or_default();
    let lines = lines
        .iter()
        .map(|(label, value)| format!("{label:width$}  {value}\n"));
    lines.collect()
}
