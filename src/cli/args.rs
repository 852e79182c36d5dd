//! Arguments that several commands share.

use std::path::PathBuf;

use crate::billing_period::BillingPeriod;
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::pipeline::select::Selection;
use crate::store::path_or_url::expand_home;

/// Configuration file and store.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct StoreArgs {
    /// Configuration file [env: BILLSTREAM_CONFIG] [default: billstream/billstream.toml in XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "PATH", value_parser = parse_path)]
    config: Option<PathBuf>,
    /// Folder or s3:// URL of the store [env: BILLSTREAM_STORE] [default: ./billstream-data]
    #[arg(long, value_name = "PATH|URL")]
    store: Option<String>,
    /// Use an S3 server without conditional writes; only one run at a time may write to the store [env: BILLSTREAM_SINGLE_WRITER]
    #[arg(long)]
    single_writer: bool,
}

/// Arguments of commands that run on connections.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Name of the connection [env: BILLSTREAM_CONNECTION] [default: all configured ones, else confluent]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Folder with models/*.sql and checks/*.sql that replace the built-in ones [env: BILLSTREAM_SQL_DIR]
    #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
    sql_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) summary: SummaryArgs,
}

/// Form of the summary on stdout.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct SummaryArgs {
    /// Format of the summary on stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    pub format: SummaryFormat,
    /// Show amounts with all digits
    #[arg(long)]
    pub exact: bool,
}

impl StoreArgs {
    /// Converts to flags of the settings.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            store: self.store.clone(),
            single_writer: self.single_writer,
            ..Flags::default()
        }
    }
}

impl RunArgs {
    /// Converts to flags of the settings.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            connection: self.connection.clone(),
            sql_dir: self.sql_dir.clone(),
            ..self.store.flags()
        }
    }
}

/// Format of a command's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Parses a path, whose leading `~/` the shell does not expand in `--flag=~/path`.
pub(crate) fn parse_path(text: &str) -> std::result::Result<PathBuf, String> {
    expand_home(text).map_err(with_hint)
}

/// Parses a month; the error has its hint, which clap does not know.
pub(crate) fn parse_month(text: &str) -> std::result::Result<BillingPeriod, String> {
    text.parse().map_err(with_hint)
}

fn with_hint(error: Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

/// Selection of months.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct MonthArgs {
    /// Month such as 2026-10; may be repeated
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month, conflicts_with_all = ["from", "to", "all"])]
    month: Vec<BillingPeriod>,
    /// First month of a range
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month, requires = "to")]
    from: Option<BillingPeriod>,
    /// Last month of a range, inclusive
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month, requires = "from")]
    to: Option<BillingPeriod>,
    /// All months, including settled ones
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
}

impl MonthArgs {
    /// Returns whether months are named individually rather than as a range.
    pub(crate) fn by_name(&self) -> bool {
        !self.month.is_empty()
    }

    /// Converts to a selection; without arguments the months that are due.
    ///
    /// # Errors
    /// Kind usage, for a range that ends before it begins.
    pub(crate) fn selection(&self) -> Result<Selection> {
        if self.all {
            return Ok(Selection::All);
        }
        if let (Some(from), Some(to)) = (self.from, self.to) {
            if from > to {
                return Err(Error::usage(format!("--from {from} is after --to {to}")));
            }
            return Ok(Selection::Named(BillingPeriod::range(from, to).collect()));
        }
        if self.month.is_empty() {
            return Ok(Selection::Pending);
        }
        let mut named = self.month.clone();
        named.sort();
        named.dedup();
        Ok(Selection::Named(named))
    }
}
