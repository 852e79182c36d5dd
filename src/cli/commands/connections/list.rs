//! `billstream connections list` and `show`, and `billstream status`.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use crate::cli::args::{StoreArgs, SummaryFormat};
use crate::cli::context::{CommandContext, NetworkScope};
use crate::cli::{print, print_json};
use crate::config::settings;
use crate::connections::health::{self, Expectations, Health};
use crate::connections::state;
use crate::engine::text::table;
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
    /// Output format on stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    format: SummaryFormat,
}

/// Arguments of `connections show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Name of the connection
    name: String,
    #[command(flatten)]
    list: ListArgs,
}

/// Runs `connections list`.
pub(crate) async fn list(args: ListArgs) -> Result<u8> {
    print_all(args).await.map(|_| 0)
}

/// Runs `status`: exit code 4 if a connection is late or in error.
pub async fn status(args: ListArgs) -> Result<u8> {
    let all = print_all(args).await?;
    let bad = all.iter().any(|health| health.status.is_bad());
    Ok(if bad {
        ErrorKind::Partial.exit_code()
    } else {
        0
    })
}

/// Prints all connections, and to stderr the reasons of those that are not healthy.
async fn print_all(args: ListArgs) -> Result<Vec<Health>> {
    let context = CommandContext::open(args.store.flags())?;
    let mut all = Vec::new();
    for name in names(&context).await? {
        let health = health_of(&context, &name).await;
        all.push(health.unwrap_or_else(|error| Health::unavailable(&name, &error)));
    }
    match args.format {
        SummaryFormat::Json => print_json(&serde_json::json!({ "connections": &all }))?,
        SummaryFormat::Table => print(overview(&all).as_bytes())?,
    }
    if all.is_empty() {
        eprintln!("no connections yet; add one with `billstream connections add confluent`");
    }
    for health in &all {
        if let Some(reason) = &health.reason {
            eprintln!("{}: {}: {reason}", health.connection, health.status);
        }
    }
    Ok(all)
}

/// Runs `connections show`.
pub(crate) async fn show(args: ShowArgs) -> Result<u8> {
    let context = CommandContext::open(args.list.store.flags())?;
    super::check_exists(&context, &args.name).await?;
    let health = health_of(&context, &args.name).await?;
    match args.list.format {
        SummaryFormat::Json => print_json(&health)?,
        SummaryFormat::Table => print(details(&context, &health).as_bytes())?,
    }
    Ok(0)
}

/// Names of the connections in the configuration file, the environment or the store.
///
/// # Errors
/// Those of the store.
pub(crate) async fn names(context: &CommandContext) -> Result<BTreeSet<String>> {
    let mut names = state::names(&context.store).await?;
    names.extend(context.config.configured().iter().cloned());
    // The connection that the environment defines.
    let selected = context.config.connections().unwrap_or_default();
    let with_key = selected
        .into_iter()
        .filter(|name| context.config.has_credentials(name));
    names.extend(with_key);
    Ok(names)
}

async fn health_of(context: &CommandContext, name: &str) -> Result<Health> {
    let settings = context.config.connection(name)?;
    let has_credentials = context.config.has_credentials(name);
    let expected = Expectations {
        cloud_provider: has_credentials.then_some(settings.cloud_provider),
        interval: settings.expected_interval,
        destinations: context.targets(name, NetworkScope::Targets).await,
    };
    health::health(&context.store, name, expected, (context.settings.clock)()).await
}

fn time_text(time: Option<DateTime<Utc>>) -> String {
    time.map_or("-".to_string(), |time| {
        time.format("%Y-%m-%d %H:%MZ").to_string()
    })
}

fn day_text(day: Option<NaiveDate>) -> String {
    day.map_or("-".to_string(), |day| day.to_string())
}

fn months_text(health: &Health) -> String {
    let counts = ["open", "settling", "settled"].map(|state| {
        let count = health.months.get(state).copied().unwrap_or_default();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if counts.is_empty() {
        "-".to_string()
    } else {
        counts.join(", ")
    }
}

/// One row per connection, narrow enough for 120 columns; `connections show` and JSON have the rest.
fn overview(all: &[Health]) -> String {
    let header = [
        "connection",
        "status",
        "last data",
        "complete through",
        "months",
        "last delivery",
    ];
    let row = |health: &Health| {
        let deliveries = health.destinations.iter().map(|d| d.delivered_at);
        vec![
            health.connection.clone(),
            health.status.to_string(),
            time_text(health.last_data),
            day_text(health.complete_through),
            months_text(health),
            time_text(deliveries.flatten().max()),
        ]
    };
    table(&header, &[false; 6], all.iter().map(row))
}

/// One line per detail.
fn details(context: &CommandContext, health: &Health) -> String {
    let config = &context.config;
    let name = health.connection.as_str();
    let mut lines: Vec<(&str, String)> = vec![
        ("connection", name.to_string()),
        ("provider", health.cloud_provider.clone()),
        ("status", health.status.to_string()),
    ];
    let reason = health.reason.iter();
    lines.extend(reason.map(|reason| ("reason", reason.clone())));
    let endpoint = config.value(&settings::ENDPOINT, Some(name));
    let endpoint = endpoint.filter(|_| config.has_credentials(name));
    lines.extend(endpoint.map(|value| {
        let text = format!("{} ({})", value.redacted(), value.origin);
        ("endpoint", text)
    }));
    for (setting, location, origin) in config.credential_refs(name) {
        lines.push((setting.name, format!("hidden: {location} ({origin})")));
    }
    lines.extend([
        ("last checked", time_text(health.last_checked)),
        ("last data", time_text(health.last_data)),
        ("complete through", day_text(health.complete_through)),
        ("months", months_text(health)),
        ("next due", time_text(health.next_due)),
    ]);
    lines.extend(health.destinations.iter().map(|destination| {
        let text = format!(
            "{} {} ({})",
            destination.destination,
            destination.location,
            time_text(destination.delivered_at)
        );
        ("destination", text)
    }));
    if let Some(inventory) = &health.inventory {
        let taken = time_text(Some(inventory.taken_at));
        let text = format!("{} resources, {taken}", inventory.resources);
        lines.push(("inventory", text));
        let problems = inventory.problems.iter();
        lines.extend(problems.map(|problem| ("not listed", problem.clone())));
    }
    let width = lines.iter().map(|(label, _)| label.len()).max();
    let width = width.unwrap_or_default();
    let lines = lines
        .iter()
        .map(|(label, value)| format!("{label:width$}  {value}\n"));
    lines.collect()
}
