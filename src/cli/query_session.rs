//! Shared by `query`, `shell`, `report` and `diff`: arguments, the session, and writing a statement's rows.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::args::{StoreArgs, parse_path};
use crate::cli::file_modes;
use crate::cli::output::rows::{Format, RowSink, Style, Writer, format_for};
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::{self, terminal_width};
use crate::config::{Config, Flags, Settings, settings};
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::pipeline::{command_for, damage};
use crate::query::parameters::{Parameters, parse_assignment, parse_parameter};
use crate::query::session::{Session, SessionOptions};
use crate::query::sources;
use crate::query::statements::Statement;
use crate::store::Store;

/// Store, sources, parameters and limits of a session.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Folder with your own SQL: views/*.sql, sources/*.sql, reports/*.sql [env: BILLSTREAM_SQL_DIR]
    #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
    sql_dir: Option<PathBuf>,
    /// Other cost data as a table: a file, folder or pattern, local or a URL; repeatable [env: BILLSTREAM_SOURCES]
    #[arg(long, value_name = "NAME=PATH|URL")]
    source: Vec<String>,
    /// Value of $NAME in the SQL, with a type in NAME:TYPE=VALUE (text, int, decimal, bool, date, timestamp, null); repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Allow COPY, CREATE TABLE, CREATE EXTERNAL TABLE and SET
    #[arg(long)]
    allow_write: bool,
    /// Memory of a statement in megabytes, before it spills to disk [env: BILLSTREAM_MEMORY_MB] [default: 256]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    memory_mb: Option<u32>,
    /// Time limit of a statement in seconds [env: BILLSTREAM_QUERY_TIMEOUT_SECS] [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    timeout_secs: Option<u64>,
}

/// Format and destination of rows.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RowsArgs {
    /// Format of the rows [default: by the ending of -o, else table]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the rows to a file or a URL instead of stdout (-); it appears once complete, gzipped if it ends in .gz
    #[arg(short, long, value_name = "PATH|URL")]
    output: Option<String>,
    /// Maximum number of rows, 0 for all [default: 1000 in a table, else all]
    #[arg(long, value_name = "ROWS")]
    max_rows: Option<usize>,
}

impl RowsArgs {
    /// The given format, else that of the file's ending, else a table that fits the terminal.
    pub(crate) fn style(&self) -> Result<Style<'static>> {
        let terminal = std::io::stdout().is_terminal();
        let output = output_location(self.output.as_deref());
        Ok(Style {
            format: format_for(self.format, output, terminal)?,
            max_rows: self.max_rows,
            width: terminal_width().filter(|_| output.is_none()),
            layout: None,
        })
    }

    pub(crate) fn destination(&self) -> Result<RowSink> {
        match output_location(self.output.as_deref()) {
            Some(location) => RowSink::open(location),
            None => Ok(RowSink::stdout()),
        }
    }
}

/// Location of `-o`; `None` for `-`, which is stdout.
pub(crate) fn output_location(output: Option<&str>) -> Option<&str> {
    output.filter(|output| *output != "-")
}

/// Default memory of a statement: sorting a year needs more than mapping a month.
const DEFAULT_MEMORY_MB: u32 = 256;

impl SessionArgs {
    fn settings(&self, config: &Config) -> Result<Settings> {
        let mut settings = config.settings()?;
        let default = (!config.is_given(&settings::MEMORY_MB)).then_some(DEFAULT_MEMORY_MB);
        if let Some(memory_mb) = self.memory_mb.or(default) {
            settings.limits.memory_bytes = (memory_mb as usize) << 20;
        }
        if let Some(seconds) = self.timeout_secs {
            settings.limits.timeout = Duration::from_secs(seconds);
        }
        Ok(settings)
    }

    pub(crate) fn session(&self) -> Result<Session> {
        self.session_and_store().map(|(session, _)| session)
    }

    pub(crate) fn session_and_store(&self) -> Result<(Session, Store)> {
        let config = Config::load(Flags {
            sql_dir: self.sql_dir.clone(),
            ..self.store.flags()
        })?;
        let settings = self.settings(&config)?;
        let sql = SqlFiles::load(settings.sql_dir.as_deref())?;
        let sources = sources::resolve(&config.sources(), &self.source, &sql)?;
        let currencies = config.currencies();
        let store = config.existing_store()?;
        file_modes::share_with_group(settings.store_is_shared);
        let session = Session::open(SessionOptions {
            store: store.clone(),
            sql,
            sources,
            currencies,
            rates: settings.rates,
            limits: settings.limits,
            clock: settings.clock,
            allow_write: self.allow_write,
        })?;
        Ok((session, store))
    }

    /// Currency of a connection, or of all configured ones.
    ///
    /// # Errors
    /// Kind usage, if they have several: their amounts cannot be added.
    pub(crate) fn currency_of(&self, connection: Option<&str>) -> Result<Option<String>> {
        let config = Config::load(self.store.flags())?;
        let mut currencies: BTreeSet<String> = match connection {
            Some(name) => BTreeSet::from([config.connection(name)?.currency]),
            None => config.currencies().into_values().collect(),
        };
        if currencies.len() > 1 {
            let found: Vec<String> = currencies.into_iter().collect();
            let error = Error::usage(format!(
                "the connections have costs in {}, which cannot be added",
                found.join(" and ")
            ));
            return Err(error.with_hint("name one with --connection"));
        }
        Ok(currencies.pop_first())
    }

    /// Names and texts of `--param`.
    pub(crate) fn assignments(&self) -> Result<Vec<(String, String)>> {
        self.param
            .iter()
            .map(|text| parse_assignment(text))
            .collect()
    }

    /// Typed values of `--param`.
    pub(crate) fn parameters(&self) -> Result<Parameters> {
        self.param
            .iter()
            .map(|text| parse_parameter(text))
            .collect()
    }
}

/// Result of writing a statement's rows.
pub(crate) struct WrittenRows {
    pub(crate) count: usize,
    /// More rows existed than the maximum.
    pub(crate) is_truncated: bool,
}

/// Runs a statement and writes its rows as they arrive.
///
/// # Errors
/// As [`Session::start`].
pub(crate) async fn write_rows(
    session: &Session,
    statement: &Statement,
    parameters: &Parameters,
    style: Style<'_>,
    destination: &mut RowSink,
) -> Result<WrittenRows> {
    let mut rows = session.start(statement, parameters).await?;
    let schema = rows.schema();
    if schema.fields().is_empty() {
        // A statement without rows, such as CREATE VIEW, completes when its stream ends.
        while rows.next().await?.is_some() {}
        return Ok(WrittenRows {
            count: 0,
            is_truncated: false,
        });
    }
    let mut writer = Writer::new(style, schema, destination)?;
    while let Some(batch) = rows.next().await? {
        if !writer.rows(&batch).await? {
            break;
        }
    }
    let (count, is_truncated) = writer.end().await?;
    if rows.ignores_currency {
        note_currencies(session).await;
    }
    Ok(WrittenRows {
        count,
        is_truncated,
    })
}

/// Reports on stderr that a statement read amounts of several currencies without naming them.
async fn note_currencies(session: &Session) {
    // Line items that cannot be read are none of the statement's, which succeeded.
    let currencies = session.currencies().await.unwrap_or_default();
    if currencies.len() > 1 && !stdout::is_closed() {
        note!(
            "note: costs are in {}, and the statement names no currency: filter or group by it",
            currencies.join(" and ")
        );
    }
}

/// Reports on stderr the months of which damaged files are known: their figures can be wrong.
pub(crate) async fn note_damage(store: &Store) {
    // The statement succeeded without what is noted here.
    for (connection, periods) in damage::known_months(store).await.unwrap_or_default() {
        let names: Vec<String> = periods.iter().map(ToString::to_string).collect();
        note!(
            "note: files of {} of `{connection}` are damaged, and figures can be wrong: run `{}`",
            names.join(", "),
            command_for("import", &connection, &periods)
        );
    }
}

/// Reports on stderr that rows were left out; `hint` tells how to show all.
pub(crate) fn note_truncation(written: &WrittenRows, hint: &str) {
    if written.is_truncated && !stdout::is_closed() {
        note!("note: showing the first {} rows ({hint})", written.count);
    }
}
