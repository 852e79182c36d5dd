//! `billstream connections list` and `show`, and `billstream status`.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::cli::args::{StoreArgs, SummaryFormat};
use crate::cli::context::{CommandContext, NetworkScope};
use crate::cli::output::connections_table::{connections_table, months, time};
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::terminal_width;
use crate::cli::output::table::NONE;
use crate::cli::{print_json, print_text};
use crate::config::settings;
use crate::connections::health::{self, Expectations, Health};
use crate::connections::state;
use crate::error::{ErrorKind, Result};

/// Arguments of `connections list` and of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream connections list
  billstream status --format json")]
pub(crate) struct ListArgs {
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
pub(crate) async fn status(args: ListArgs) -> Result<u8> {
    let all = print_all(args).await?;
    let bad = all.iter().any(|health| health.status.is_bad());
    Ok(if bad {
        ErrorKind::Partial.exit_code()
    } else {
        0
    })
}

/// Prints all connections, and to stderr the reasons of those that are not healthy, and notes.
async fn print_all(args: ListArgs) -> Result<Vec<Health>> {
    let context = CommandContext::open_with_or_without_store(args.store.flags()).await?;
    let mut all = Vec::new();
    for name in names(&context).await? {
        let health = health_of(&context, &name).await;
        all.push(health.unwrap_or_else(|error| Health::unavailable(&name, &error)));
    }
    match args.format {
        SummaryFormat::Json => print_json(&serde_json::json!({ "connections": &all }))?,
        SummaryFormat::Table if all.is_empty() => {}
        SummaryFormat::Table => print_text(&connections_table(&all, terminal_width()))?,
    }
    if all.is_empty() {
        note!("no connections yet; add one with `billstream connections add confluent`");
    }
    for health in &all {
        if let Some(reason) = &health.reason {
            note!("{}: {}: {reason}", health.connection, health.status);
        }
        for month in &health.incomplete {
            note!("{}: {month}", health.connection);
        }
        for note in &health.notes {
            note!("{}: note: {note}", health.connection);
        }
    }
    Ok(all)
}

/// Runs `connections show`.
pub(crate) async fn show(args: ShowArgs) -> Result<u8> {
    let context = CommandContext::open_with_or_without_store(args.list.store.flags()).await?;
    super::check_exists(&context, &args.name).await?;
    let health = health_of(&context, &args.name).await?;
    match args.list.format {
        SummaryFormat::Json => print_json(&health)?,
        SummaryFormat::Table => print_text(&details(&context, &health))?,
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
        destinations: context.destinations(name, NetworkScope::Destinations).await,
        currency: settings.currency,
        sql: context.sql.clone(),
    };
    health::health(&context.store, name, expected, (context.settings.clock)()).await
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
    let notes = health.notes.iter();
    lines.extend(notes.map(|note| ("note", note.clone())));
    let endpoint = config.value(&settings::ENDPOINT, Some(name));
    let endpoint = endpoint.filter(|_| config.has_credentials(name));
    lines.extend(endpoint.map(|value| {
        let text = format!("{} ({})", value.redacted(), value.origin);
        ("endpoint", text)
    }));
    for (setting, location, origin) in config.credential_refs(name) {
        lines.push((setting.name, format!("hidden: {location} ({origin})")));
    }
    let day = |day: Option<NaiveDate>| day.map_or(NONE.to_string(), |day| day.to_string());
    lines.extend([
        ("last checked", time(health.last_checked)),
        ("last data", time(health.last_data)),
        ("newest costs", day(health.newest_day)),
        ("complete through", day(health.complete_through)),
        ("months", months(health)),
        ("next due", time(health.next_due)),
    ]);
    let incomplete = health.incomplete.iter();
    lines.extend(incomplete.map(|month| ("attention", month.clone())));
    lines.extend(health.destinations.iter().map(|destination| {
        let text = format!(
            "{} {} ({})",
            destination.destination,
            destination.location,
            time(destination.delivered_at)
        );
        ("destination", text)
    }));
    if let Some(inventory) = &health.inventory {
        let taken = time(Some(inventory.taken_at));
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
