//! `billstream config`: where settings come from, a file to begin with, and what is wrong with one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::args::{StoreArgs, SummaryFormat};
use crate::cli::output::table::{Column, Table};
use crate::cli::{print, print_json, show_error};
use crate::cloudzero;
use crate::config::file::ConfigFile;
use crate::config::secret::Credentials;
use crate::config::settings::{ALL, Key, Kind};
use crate::config::{Config, DEFAULT_CONNECTION, Flags, init, shown};
use crate::confluent::client::Client;
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
pub struct ConfigArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every setting, what it is and who says so; secrets are hidden
    Show {
        #[command(flatten)]
        store: StoreArgs,
        /// How it is written to stdout
        #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
        format: SummaryFormat,
    },
    /// Write a configuration file with every setting in a comment
    Init {
        /// The file [env: BILLSTREAM_CONFIG] [default: billstream/billstream.toml in XDG_CONFIG_HOME or ~/.config]
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Read everything that is configured, and connect to nothing
    Check {
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Runs `config`.
pub async fn run(args: ConfigArgs) -> Result<u8> {
    match args.command {
        Command::Show { store, format } => show(&Config::load(store.flags())?, format),
        Command::Init { config } => init(config),
        Command::Check { store } => check(store.flags()).await,
    }
}

/// A setting for people: its path, its value, who says so.
type Line = [String; 3];

fn show(config: &Config, format: SummaryFormat) -> Result<u8> {
    let mut lines: Vec<Line> = Vec::new();
    let general = ALL.iter().filter(|key| !key.is_of_connection());
    lines.extend(general.filter_map(|key| line(config, key, None)));
    for (source, origin) in config.sources_by_origin() {
        let (name, place) = source.split_once('=').unwrap_or((&source, ""));
        lines.push([format!("sources.{name}"), shown(place), origin.to_string()]);
    }
    for name in shown_connections(config) {
        let own = ALL.iter().filter(|key| key.is_of_connection());
        lines.extend(own.filter_map(|key| line(config, key, Some(&name))));
    }
    match format {
        SummaryFormat::Json => {
            let objects = lines.iter().map(|[setting, value, from]| {
                serde_json::json!({ "setting": setting, "value": value, "from": from })
            });
            print_json(&objects.collect::<Vec<_>>())?;
        }
        SummaryFormat::Table => {
            let headers = ["setting", "value", "from"];
            let mut table = Table::new(headers.map(Column::text).to_vec());
            for line in lines {
                table.row(line.into());
            }
            print(table.render(None).as_bytes())?;
        }
    }
    match (config.file(), config.place()) {
        (Some(file), _) => eprintln!("configuration file: {}", file.path.display()),
        (None, Some(place)) => eprintln!("there is no configuration file at {}", place.display()),
        (None, None) => eprintln!("there is no configuration file"),
    }
    Ok(0)
}

/// The configured connections; without one, that which the environment makes.
fn shown_connections(config: &Config) -> Vec<String> {
    let configured = config.configured().to_vec();
    match configured.is_empty() {
        true => config
            .connections()
            .unwrap_or_else(|_| vec![DEFAULT_CONNECTION.to_string()]),
        false => configured,
    }
}

fn line(config: &Config, key: &Key, connection: Option<&str>) -> Option<Line> {
    let path = key.path(connection);
    if key.kind == Kind::Secret {
        let (place, origin) = config.secret_place(key, connection)?;
        return Some([path, format!("hidden: {place}"), origin.to_string()]);
    }
    let value = config.value(key, connection)?;
    Some([path, value.shown(), value.origin.to_string()])
}

fn init(config: Option<PathBuf>) -> Result<u8> {
    // A file that cannot be read is no reason not to say where the new one goes.
    let environment = crate::config::Environment::process();
    let (place, _) = crate::config::file::place(config.as_deref(), &environment);
    let place = place.ok_or_else(|| {
        Error::config("there is no place for a configuration file")
            .with_hint("name one with --config or BILLSTREAM_CONFIG, or set HOME")
    })?;
    if place.exists() {
        return Err(Error::config(format!("`{}` is there already", place.display()))
            .with_hint("`billstream config show` says what it sets; take it away, or name another with --config"));
    }
    crate::config::secret::write_private(&place, &init::text())?;
    eprintln!(
        "wrote {}: every setting stands in a comment",
        place.display()
    );
    Ok(0)
}

/// Reads everything, shows everything that is wrong, and ends with the class of the first error.
async fn check(flags: Flags) -> Result<u8> {
    let config = Config::load(flags)?;
    let mut errors: Vec<Error> = Vec::new();
    let connections = shown_connections(&config);
    let mut note = |result: Result<()>| errors.extend(result.err());
    for key in ALL {
        let of: Vec<Option<&str>> = match key.is_of_connection() {
            true => connections.iter().map(|name| Some(name.as_str())).collect(),
            false => vec![None],
        };
        for connection in of {
            let value = config.value(key, connection);
            note(value.map_or(Ok(()), |value| value.check()));
        }
    }
    match config.settings() {
        Ok(settings) => {
            let sql = SqlFiles::load(settings.sql_dir.as_deref());
            note(sql.and_then(|sql| sources::named(&config.sources(), &[], &sql).map(|_| ())));
            note(check_store(&settings.store));
            if let Some(tags) = settings.tags {
                note(check_tags(&tags).await);
            }
        }
        Err(error) => note(Err(error)),
    }
    for name in &connections {
        note(config.connection(name).map(|_| ()));
        match config.targets(name) {
            Ok(targets) => {
                note(targets.bucket.as_deref().map_or(Ok(()), check_store));
                let client = |api| cloudzero::client::Client::new(api, Timing::real());
                note(targets.api.map(client).transpose().map(|_| ()));
            }
            Err(error) => note(Err(error)),
        }
        for (key, place, _) in config.key_places(name) {
            let what = format!("the {} of connection `{name}`", key.name);
            note(place.read(config.environment(), &what).map(|_| ()));
        }
        let credentials = config.credentials(name);
        note(credentials.as_ref().map(|_| ()).map_err(Error::clone));
        // The endpoint is looked at all the same.
        let credentials = credentials.unwrap_or_else(|_| Credentials {
            key: "none".to_string(),
            secret: "none".to_string().into(),
        });
        let client = config.reaching(name, credentials).and_then(Client::new);
        note(client.map(|_| ()));
    }
    let mut told = BTreeSet::new();
    errors.retain(|error| told.insert(error.to_string()));
    for error in &errors {
        show_error(error);
    }
    if errors.is_empty() {
        let place = config
            .file()
            .map(|file: &ConfigFile| file.path.display().to_string());
        let place = place.unwrap_or_else(|| "the environment".to_string());
        eprintln!("{place}: all is well with {}", connections.join(", "));
    }
    Ok(errors.first().map_or(0, |error| match error.kind() {
        ErrorKind::Bug => ErrorKind::Bug.exit_code(),
        _ => ErrorKind::Config.exit_code(),
    }))
}

/// Whether a store or bucket can be there; a folder is not made.
fn check_store(location: &str) -> Result<()> {
    match remote::url_of(location)?.scheme() {
        "file" => Ok(()),
        _ => Store::open(location).map(|_| ()),
    }
}

/// Reads the file of tags, if it is on this computer.
async fn check_tags(location: &str) -> Result<()> {
    let url = remote::url_of(location)?;
    match url.scheme() {
        "file" => tag_rules::read(location, DEFAULT_CONNECTION)
            .await
            .map(|_| ()),
        _ => remote::object_store(&url).map(|_| ()),
    }
}
