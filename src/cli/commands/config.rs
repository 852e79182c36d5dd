//! `billstream config`: shows settings and their origin, writes a template, and validates the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::args::{StoreArgs, SummaryFormat, parse_path};
use crate::cli::output::stderr::note;
use crate::cli::output::table::{Column, Table};
use crate::cli::{print_json, print_text, show_error};
use crate::cloudzero;
use crate::config::secret::Credentials;
use crate::config::settings::{ALL, Setting, ValueType};
use crate::config::{Config, DEFAULT_CONNECTION, Environment, Flags, file, init, private_file};
use crate::confluent::client::Client;
use crate::display_text::redact_url;
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, ErrorKind, Result};
use crate::http::retry::Timing;
use crate::pipeline::enrich::tag_rules;
use crate::query::sources;
use crate::store::{Store, remote};

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream config init
  billstream config show
  billstream config check --config ./billstream.toml")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show effective settings and where each comes from; secrets are hidden
    Show {
        #[command(flatten)]
        store: StoreArgs,
        /// Output format on stdout
        #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
        format: SummaryFormat,
    },
    /// Write a configuration file with every setting, commented out
    Init {
        /// Path of the file [env: BILLSTREAM_CONFIG] [default: billstream/billstream.toml in XDG_CONFIG_HOME or ~/.config]
        #[arg(long, value_name = "PATH", value_parser = parse_path)]
        config: Option<PathBuf>,
    },
    /// Validate the whole configuration without connecting to anything
    Check {
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Runs `config`.
pub(crate) async fn run(args: ConfigArgs) -> Result<u8> {
    match args.command {
        Command::Show { store, format } => show(&Config::load(store.flags())?, format),
        Command::Init { config } => init(config),
        Command::Check { store } => check(store.flags()).await,
    }
}

/// A displayed setting: path, value, origin.
type Row = [String; 3];

fn show(config: &Config, format: SummaryFormat) -> Result<u8> {
    let mut rows: Vec<Row> = Vec::new();
    let shared = ALL.iter().filter(|setting| !setting.is_per_connection());
    rows.extend(shared.filter_map(|setting| row(config, setting, None)));
    for (source, origin) in config.sources_by_origin() {
        let (name, location) = source.split_once('=').unwrap_or((&source, ""));
        rows.push([
            format!("sources.{name}"),
            redact_url(location),
            origin.to_string(),
        ]);
    }
    for name in displayed_connections(config) {
        let settings = ALL.iter().filter(|setting| setting.is_per_connection());
        rows.extend(settings.filter_map(|setting| row(config, setting, Some(&name))));
    }
    match format {
        SummaryFormat::Json => {
            let objects = rows.iter().map(|[setting, value, from]| {
                serde_json::json!({ "setting": setting, "value": value, "from": from })
            });
            print_json(&objects.collect::<Vec<_>>())?;
        }
        SummaryFormat::Table => {
            let headers = ["setting", "value", "from"];
            let mut table = Table::new(headers.map(Column::text).to_vec());
            for row in rows {
                table.row(row.into());
            }
            print_text(&table.render(None))?;
        }
    }
    match (config.file(), config.path()) {
        (Some(file), _) => note!("configuration file: {}", file.path.display()),
        (None, Some(path)) => note!("no configuration file at {}", path.display()),
        (None, None) => note!("no configuration file"),
    }
    Ok(0)
}

/// Configured connections, else the one that the environment defines.
fn displayed_connections(config: &Config) -> Vec<String> {
    let configured = config.configured().to_vec();
    if !configured.is_empty() {
        return configured;
    }
    config
        .connections()
        .unwrap_or_else(|_| vec![DEFAULT_CONNECTION.to_string()])
}

fn row(config: &Config, setting: &Setting, connection: Option<&str>) -> Option<Row> {
    let path = setting.path(connection);
    if setting.value_type == ValueType::Secret {
        let (location, origin) = config.secret_ref(setting, connection)?;
        return Some([path, format!("hidden: {location}"), origin.to_string()]);
    }
    let value = config.value(setting, connection)?;
    Some([path, value.redacted(), value.origin.to_string()])
}

fn init(config: Option<PathBuf>) -> Result<u8> {
    // Does not load the configuration: an existing file may be broken.
    let path = file::locate(config.as_deref(), &Environment::process()?).path;
    let path = path.ok_or_else(|| {
        Error::config("could not determine the path of the configuration file")
            .with_hint("set --config, BILLSTREAM_CONFIG or HOME")
    })?;
    if path.exists() {
        return Err(
            Error::config(format!("`{}` already exists", path.display())).with_hint(
                "see its settings with `billstream config show`; delete it, or choose another path with --config",
            ),
        );
    }
    private_file::write(&path, &init::text())?;
    note!(
        "wrote {}: every setting is listed, commented out",
        path.display()
    );
    Ok(0)
}

/// Validates everything and shows all errors; the exit code is that of a configuration error.
async fn check(flags: Flags) -> Result<u8> {
    let config = Config::load(flags)?;
    let connections = displayed_connections(&config);
    let mut errors = Vec::new();
    check_values(&config, &connections, &mut errors);
    check_shared(&config, &mut errors).await;
    for name in &connections {
        check_connection(&config, name, &mut errors);
    }
    let mut seen = BTreeSet::new();
    errors.retain(|error| seen.insert(error.to_string()));
    for error in &errors {
        show_error(error);
    }
    if errors.is_empty() {
        let path = config.file().map(|file| file.path.display().to_string());
        note!(
            "{}: configuration is valid for {}",
            path.unwrap_or_else(|| "environment".to_string()),
            connections.join(", ")
        );
    }
    Ok(errors.first().map_or(0, |error| match error.kind() {
        ErrorKind::Bug => ErrorKind::Bug.exit_code(),
        _ => ErrorKind::Config.exit_code(),
    }))
}

/// Checks the value of every setting.
fn check_values(config: &Config, connections: &[String], errors: &mut Vec<Error>) {
    for setting in ALL {
        let scopes: Vec<Option<&str>> = if setting.is_per_connection() {
            connections.iter().map(|name| Some(name.as_str())).collect()
        } else {
            vec![None]
        };
        let values = scopes.into_iter().filter_map(|c| config.value(setting, c));
        errors.extend(values.filter_map(|value| value.check().err()));
    }
}

/// Checks the settings that all connections share, and the files they name.
async fn check_shared(config: &Config, errors: &mut Vec<Error>) {
    let settings = match config.settings() {
        Ok(settings) => settings,
        Err(error) => return errors.push(error),
    };
    let sql = SqlFiles::load(settings.sql_dir.as_deref());
    let sources = sql.and_then(|sql| sources::resolve(&config.sources(), &[], &sql).map(|_| ()));
    errors.extend(sources.err());
    errors.extend(check_store(&settings.store).err());
    if let Some(tags) = settings.tags {
        errors.extend(check_tags(&tags).await.err());
    }
}

/// Checks settings, destinations and credentials of a connection.
fn check_connection(config: &Config, name: &str, errors: &mut Vec<Error>) {
    errors.extend(config.connection(name).err());
    match config.destinations(name) {
        Ok(destinations) => {
            errors.extend(
                destinations
                    .bucket
                    .and_then(|bucket| check_store(&bucket).err()),
            );
            let client = |api| cloudzero::client::Client::new(api, Timing::real());
            errors.extend(destinations.api.and_then(|api| client(api).err()));
        }
        Err(error) => errors.push(error),
    }
    for (setting, location, _) in config.credential_refs(name) {
        let description = format!("the {} of connection `{name}`", setting.name);
        let secret = location.read(config.environment(), &description);
        errors.extend(secret.err());
    }
    let credentials = config.credentials(name).unwrap_or_else(|error| {
        errors.push(error);
        // Placeholders, so that the endpoint is checked as well.
        Credentials {
            key: "none".to_string(),
            secret: "none".to_string().into(),
        }
    });
    let client = config.confluent_with(name, credentials);
    errors.extend(client.and_then(Client::new).err());
}

/// Checks that a store or bucket can be opened, without creating a local folder.
fn check_store(location: &str) -> Result<()> {
    match remote::url_of(location)?.scheme() {
        "file" => Ok(()),
        _ => Store::open(location).map(|_| ()),
    }
}

/// Checks the location of the tags, and the file if it is local.
async fn check_tags(location: &str) -> Result<()> {
    let url = remote::url_of(location)?;
    match url.scheme() {
        "file" => tag_rules::read(location, DEFAULT_CONNECTION)
            .await
            .map(|_| ()),
        _ => remote::object_store(&url).map(|_| ()),
    }
}
