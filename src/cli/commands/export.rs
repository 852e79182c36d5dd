//! `billstream export`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::cli::args::{MonthArgs, StoreArgs, SummaryFormat, parse_path};
use crate::cli::file_modes;
use crate::cli::output::money::{self, Precision, count};
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::terminal_width;
use crate::cli::output::table::{Column, Table, money_header};
use crate::cli::signals::until_stopped;
use crate::cli::{print_json, print_text};
use crate::config::{Config, Flags, Settings, check_name};
use crate::engine::sql_files::SqlFiles;
use crate::error::{Error, Result};
use crate::pipeline::organization;
use crate::query::export::{
    Account, DataFormat, ExportedMonth, PublishedMonth, published_months, write_month,
};
use crate::query::session::{Session, SessionOptions};
use crate::store::Store;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    command: ExportCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ExportCommand {
    /// Published months as a FOCUS 1.2 dataset
    Focus(FocusArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without months, every published month is written. A file replaces that of an earlier export, and appears only if its
total equals the published one.

Examples:
  billstream export focus focus/
  billstream export focus s3://bucket/focus --month 2026-10 --format csv.gz
  billstream query --source focus=focus/data \"select sum(billed_cost) from daily_costs where connection = 'focus'\"")]
struct FocusArgs {
    /// Folder, or s3://, gs:// or az:// URL, to write to
    #[arg(value_name = "PATH|URL")]
    output: String,
    /// Format of the data files
    #[arg(long, value_enum, default_value_t = FileFormat::Parquet)]
    format: FileFormat,
    #[command(flatten)]
    months: MonthArgs,
    /// Connection to export [default: all]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Folder with exports/focus.sql that replaces the built-in one [env: BILLSTREAM_SQL_DIR]
    #[arg(long, value_name = "FOLDER", value_parser = parse_path)]
    sql_dir: Option<PathBuf>,
    /// Format of the summary on stdout
    #[arg(long, value_enum, default_value_t = SummaryFormat::Table)]
    summary: SummaryFormat,
    /// Show amounts with all digits
    #[arg(long)]
    exact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FileFormat {
    /// Parquet, compressed with zstd
    Parquet,
    /// CSV with a header line
    Csv,
    /// CSV, compressed with gzip
    #[value(name = "csv.gz")]
    CsvGz,
}

impl FileFormat {
    fn data_format(self) -> DataFormat {
        match self {
            FileFormat::Parquet => DataFormat::Parquet,
            FileFormat::Csv => DataFormat::Csv,
            FileFormat::CsvGz => DataFormat::CsvGzip,
        }
    }
}

/// Runs `export`.
pub(crate) async fn run(args: ExportArgs) -> Result<u8> {
    let ExportCommand::Focus(args) = args.command;
    until_stopped(focus(args)).await
}

async fn focus(args: FocusArgs) -> Result<u8> {
    if let Some(name) = &args.connection {
        check_name(name)?;
    }
    let selection = args.months.selection()?;
    let config = Config::load(Flags {
        sql_dir: args.sql_dir.clone(),
        ..args.store.flags()
    })?;
    let settings = config.settings()?;
    file_modes::share_with_group(settings.store_is_shared);
    let store = config.existing_store()?;
    let session = open_session(&config, &settings, &store)?;
    let months = published_months(&session, &store, args.connection.as_deref(), &selection).await?;
    let output = Store::open_output(&args.output)?;
    refuse_overlap(&output, &store)?;
    let mut exported = Vec::new();
    for month in &months {
        let account = account(&config, &store, month).await?;
        let format = args.format.data_format();
        let now = (settings.clock)();
        let written = write_month(&session, &output, month, &account, format, now).await;
        if written.is_err() {
            output.uploads_ended().await;
        }
        let (period, connection) = (month.billing_period, &month.connection);
        let written =
            written.map_err(|e| e.context(format!("exporting {period} of `{connection}`")));
        exported.push(written?);
    }
    match args.summary {
        SummaryFormat::Table => print_table(&exported, Precision::new(args.exact), &output)?,
        SummaryFormat::Json => print_json(&serde_json::json!({
            "output": output.display(""),
            "months": exported,
            "totals": totals(&exported),
        }))?,
    }
    Ok(0)
}

/// A session over the published months alone: an export has no rows of other sources.
fn open_session(config: &Config, settings: &Settings, store: &Store) -> Result<Session> {
    Session::open(SessionOptions {
        store: store.clone(),
        sql: SqlFiles::load(settings.sql_dir.as_deref())?,
        sources: BTreeMap::new(),
        limits: settings.limits,
        clock: settings.clock.clone(),
        allow_write: false,
        currencies: config.currencies(),
        rates: None,
    })
}

async fn account(config: &Config, store: &Store, month: &PublishedMonth) -> Result<Account> {
    let connection = month.connection.as_str();
    let organization = organization::id(store, connection).await?;
    Ok(Account {
        currency: config.connection(connection)?.currency,
        id: organization.unwrap_or_else(|| connection.to_string()),
    })
}

fn refuse_overlap(output: &Store, store: &Store) -> Result<()> {
    let (output, store) = (output.url().as_str(), store.url().as_str());
    if output.starts_with(store) || store.starts_with(output) {
        return Err(
            Error::usage(format!("the output {output} and the store {store} overlap"))
                .with_hint("choose a separate folder for the export"),
        );
    }
    Ok(())
}

/// Sum of a currency.
#[derive(Debug, serde::Serialize)]
struct CurrencyTotal {
    currency: String,
    rows: u64,
    billed_cost: String,
}

fn totals(months: &[ExportedMonth]) -> Vec<CurrencyTotal> {
    let currencies: BTreeSet<&str> = months.iter().map(|month| month.currency.as_str()).collect();
    let total = |currency: &str| {
        let own = || months.iter().filter(|month| month.currency == currency);
        CurrencyTotal {
            currency: currency.to_string(),
            rows: own().map(|month| month.rows).sum(),
            billed_cost: money::sum(own().map(|month| month.billed_cost.as_str()))
                .unwrap_or_default(),
        }
    };
    currencies.into_iter().map(total).collect()
}

fn print_table(months: &[ExportedMonth], precision: Precision, output: &Store) -> Result<()> {
    let totals = totals(months);
    let one_currency = match totals.as_slice() {
        [one] => Some(one.currency.as_str()),
        _ => None,
    };
    let mut table = Table::new(vec![
        Column::text("period"),
        Column::text("connection"),
        Column::number("line items"),
        Column::number("rows"),
        Column::number(money_header("billed cost", one_currency)),
        Column::text("state"),
        Column::text("file").detail(),
    ]);
    for month in months {
        let currency = match one_currency {
            Some(_) => String::new(),
            None => format!(" {}", month.currency),
        };
        table.row(vec![
            month.billing_period.to_string(),
            month.connection.clone(),
            count(month.line_items),
            count(month.rows),
            precision.money(&month.billed_cost) + &currency,
            completeness(month.is_complete).to_string(),
            month.file.clone(),
        ]);
    }
    print_text(&table.render(terminal_width()))?;
    for total in &totals {
        note!(
            "exported {} rows, {} {}, equal to the published line items, to {}",
            count(total.rows),
            precision.money(&total.billed_cost),
            total.currency,
            output.display("")
        );
    }
    Ok(())
}

fn completeness(is_complete: bool) -> &'static str {
    if is_complete { "complete" } else { "open" }
}
