//! Arguments that several commands share.

use std::path::PathBuf;

use crate::billing_period::BillingPeriod;
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::pipeline::select::Selection;

/// Where things are.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct StoreArgs {
    /// Configuration file [env: BILLSTREAM_CONFIG] [default: billstream/billstream.toml in XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Folder or s3:// URL under which everything lies [env: BILLSTREAM_STORE] [default: ./billstream-data]
    #[arg(long, value_name = "PATH|URL")]
    store: Option<String>,
}

/// Which connection, and with which SQL.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Name of the connection [env: BILLSTREAM_CONNECTION] [default: all that are configured, else confluent]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Folder whose models/*.sql and checks/*.sql replace the shipped ones [env: BILLSTREAM_SQL_DIR]
    #[arg(long, value_name = "FOLDER")]
    sql_dir: Option<PathBuf>,
    #[command(flatten)]
    pub summary: SummaryArgs,
}

/// Form of the summary on stdout.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct SummaryArgs {
    /// Format of the summary on stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    pub format: SummaryFormat,
    /// Show amounts with all digits
    #[arg(long)]
    pub exact: bool,
}

impl StoreArgs {
    /// As flags of the settings.
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            store: self.store.clone(),
            ..Flags::default()
        }
    }
}

impl RunArgs {
    /// As flags of the settings.
    pub fn flags(&self) -> Flags {
        Flags {
            connection: self.connection.clone(),
            sql_dir: self.sql_dir.clone(),
            ..self.store.flags()
        }
    }
}

/// Formats of the summary of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SummaryFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Which months.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MonthArgs {
    /// A month, such as 2026-10; may be repeated
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to", "all"])]
    month: Vec<BillingPeriod>,
    /// The first of several months
    #[arg(long, value_name = "YYYY-MM", requires = "to")]
    from: Option<BillingPeriod>,
    /// The last of them, included
    #[arg(long, value_name = "YYYY-MM", requires = "from")]
    to: Option<BillingPeriod>,
    /// Every month, settled ones too
    #[arg(long, conflicts_with_all = ["from", "to"])]
    all: bool,
}

impl MonthArgs {
    /// Whether months were named one by one, rather than as a range.
    pub fn by_name(&self) -> bool {
        !self.month.is_empty()
    }

    /// As a selection: open and settling months when nothing is named.
    pub fn selection(&self) -> Result<Selection> {
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
            return Ok(Selection::Due);
        }
        let mut named = self.month.clone();
        named.sort();
        named.dedup();
        Ok(Selection::Named(named))
    }
}
