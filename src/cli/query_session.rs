//! What `query`, `shell`, `report` and `diff` share: their arguments, the session, and a statement's rows.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cli::args::StoreArgs;
use crate::cli::output::rows::{Format, RowSink, Style, Writer, format_for};
use crate::cli::output::stdout::terminal_width;
use crate::config::{Config, Flags, Settings, settings};
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::query::permissions::{Parameters, named_value, parameter};
use crate::query::session::{Session, Setup};
use crate::query::sources;
use crate::query::statements::Piece;
use crate::store::Store;

/// Where to look, and how far a statement may go.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ExploreArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Folder of your own SQL: views/*.sql, sources/*.sql, reports/*.sql [env: BILLSTREAM_SQL_DIR]
    #[arg(long, value_name = "FOLDER")]
    sql_dir: Option<PathBuf>,
    /// Other cost data as a table: files, a folder or a pattern at a path or URL; may be repeated [env: BILLSTREAM_SOURCES]
    #[arg(long, value_name = "NAME=PATH|URL")]
    source: Vec<String>,
    /// A value for $NAME in the SQL; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Allow COPY, CREATE TABLE, CREATE EXTERNAL TABLE and SET
    #[arg(long)]
    allow_write: bool,
    /// Megabytes that a statement may hold before it spills to disk [env: BILLSTREAM_MEMORY_MB] [default: 256]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    memory_mb: Option<u32>,
    /// Seconds that a statement may take [env: BILLSTREAM_QUERY_TIMEOUT_SECS] [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout_secs: Option<u64>,
}

/// How rows are written, and where to.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RowsArgs {
    /// How rows are written [default: what -o ends in, else table]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the rows to a file or a URL instead of stdout; it appears when it is whole
    #[arg(short, long, value_name = "PATH|URL")]
    output: Option<String>,
    /// Rows at most, 0 for all [default: all, in a table 1000]
    #[arg(long, value_name = "ROWS")]
    max_rows: Option<usize>,
}

impl RowsArgs {
    /// The style: as named, else as the file's name says, else a table that fits the terminal.
    pub fn style(&self) -> Result<Style<'static>> {
        let terminal = std::io::stdout().is_terminal();
        Ok(Style {
            format: format_for(self.format, self.output.as_deref(), terminal)?,
            max_rows: self.max_rows,
            width: terminal_width().filter(|_| self.output.is_none()),
            layout: None,
        })
    }

    /// Stdout, or the named place.
    pub fn destination(&self) -> Result<RowSink> {
        match &self.output {
            Some(place) => RowSink::open(place),
            None => Ok(RowSink::stdout()),
        }
    }
}

/// Megabytes of a statement, when nobody says how many. Sorts of a year need more than a month's mapping.
const MEMORY_MB: u32 = 256;

impl ExploreArgs {
    /// The settings.
    fn settings(&self, config: &Config) -> Result<Settings> {
        let mut settings = config.settings()?;
        let default = (!config.is_given(&settings::MEMORY_MB)).then_some(MEMORY_MB);
        if let Some(memory_mb) = self.memory_mb.or(default) {
            settings.limits.memory_bytes = (memory_mb as usize) << 20;
        }
        if let Some(seconds) = self.timeout_secs {
            settings.limits.timeout = Duration::from_secs(seconds);
        }
        Ok(settings)
    }

    /// Opens the session.
    pub fn session(&self) -> Result<Session> {
        self.session_and_store().map(|(session, _)| session)
    }

    /// Opens the session, and gives the store that it looks at.
    pub fn session_and_store(&self) -> Result<(Session, Store)> {
        let config = Config::load(Flags {
            sql_dir: self.sql_dir.clone(),
            ..self.store.flags()
        })?;
        let settings = self.settings(&config)?;
        let sql = SqlFiles::load(settings.sql_dir.as_deref())?;
        let sources = sources::named(&config.sources(), &self.source, &sql)?;
        let store = Store::open(&settings.store)?;
        let session = Session::open(Setup {
            store: store.clone(),
            sql,
            sources,
            limits: settings.limits,
            clock: settings.clock,
            allow_write: self.allow_write,
        })?;
        Ok((session, store))
    }

    /// Currency of all configured connections, unless they differ or other cost data could.
    pub fn currency(&self) -> Result<Option<String>> {
        let config = Config::load(self.store.flags())?;
        if !self.source.is_empty() || !config.sources().is_empty() {
            return Ok(None);
        }
        let mut currencies = BTreeSet::new();
        for name in config.connections()? {
            currencies.insert(config.connection(&name)?.currency);
        }
        let first = currencies.pop_first();
        Ok(first.filter(|_| currencies.is_empty()))
    }

    /// The texts of `--param`, by name.
    pub fn given(&self) -> Result<Vec<(String, String)>> {
        self.param.iter().map(|text| named_value(text)).collect()
    }

    /// The values of `--param`.
    pub fn parameters(&self) -> Result<Parameters> {
        self.param.iter().map(|text| parameter(text)).collect()
    }
}

/// What a statement showed.
pub struct Shown {
    /// Rows that were written.
    pub rows: usize,
    /// Whether rows were left out.
    pub more: bool,
}

/// Runs a statement and writes its rows as they come. Ctrl-C ends it.
///
/// # Errors
/// As [`Session::start`]; class partial, when it was stopped.
pub async fn show(
    session: &Session,
    piece: &Piece,
    parameters: &Parameters,
    style: Style<'_>,
    destination: &mut RowSink,
) -> Result<Shown> {
    let stopped = || Error::partial("stopped by Ctrl-C");
    tokio::select! {
        shown = write(session, piece, parameters, style, destination) => shown,
        _ = tokio::signal::ctrl_c() => Err(stopped()),
    }
}

/// Rows that a task of its own makes: some operators compute for minutes without a pause, and clock and
/// Ctrl-C must not wait for them.
struct BackgroundStream {
    batches: mpsc::Receiver<datafusion::common::Result<RecordBatch>>,
    task: JoinHandle<()>,
}

impl BackgroundStream {
    fn start(mut rows: SendableRecordBatchStream) -> BackgroundStream {
        let (sender, batches) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            while let Some(batch) = rows.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
        });
        BackgroundStream { batches, task }
    }

    async fn next(&mut self) -> Option<datafusion::common::Result<RecordBatch>> {
        self.batches.recv().await
    }
}

impl Drop for BackgroundStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write(
    session: &Session,
    piece: &Piece,
    parameters: &Parameters,
    style: Style<'_>,
    destination: &mut RowSink,
) -> Result<Shown> {
    let deadline = Instant::now() + session.timeout();
    let rows = session.start(piece, parameters).await?;
    let schema = rows.schema();
    let mut rows = BackgroundStream::start(rows);
    if schema.fields().is_empty() {
        // A statement that gives no rows, such as CREATE VIEW, is done when its stream is at its end.
        while let Some(batch) = rows.next().await {
            batch.map_err(|e| session.explain(piece, &e))?;
        }
        return Ok(Shown {
            rows: 0,
            more: false,
        });
    }
    let mut writer = Writer::new(style, schema, destination)?;
    loop {
        // Rows that are there at once would never let the clock speak.
        if Instant::now() >= deadline {
            return Err(session.too_slow());
        }
        let next = tokio::time::timeout_at(deadline, rows.next()).await;
        let Some(batch) = next.map_err(|_| session.too_slow())? else {
            break;
        };
        let batch = batch.map_err(|e| session.explain(piece, &e))?;
        if !writer.rows(&batch).await? {
            break;
        }
    }
    let (rows, more) = writer.end().await?;
    Ok(Shown { rows, more })
}
