//! `billstream report`.

use std::io::IsTerminal;

use arrow::record_batch::RecordBatch;

use crate::cli::output::money::Precision;
use crate::cli::output::rows::{Format, ReportLayout, RowSink, Style, Writer, format_for};
use crate::cli::output::stderr::note;
use crate::cli::output::stdout::terminal_width;
use crate::cli::print_text;
use crate::cli::query_session::{SessionArgs, note_damage, output_location};
use crate::cli::signals::until_stopped;
use crate::error::{Error, ErrorKind, Result};
use crate::query::charts;
use crate::query::reports::{Report, ReportPart, ReportResult};
use crate::query::session::Session;
use crate::query::sources::CURRENCY;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream report list
  billstream report top_resources --month 2026-10
  billstream report cost_over_time --by environment --format svg -o costs.svg
  billstream report top_resources --month 2026-10 --compare year_before
  billstream report changes --month 2026-10 --normalize day
  billstream report changes --param previous=year_before --format csv")]
pub(crate) struct ReportArgs {
    /// Name of a report, or `list`
    name: String,
    #[command(flatten)]
    session: SessionArgs,
    /// Billing month [default: the newest]
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
    /// First month of a range
    #[arg(long, value_name = "YYYY-MM")]
    from: Option<String>,
    /// Last month of the range, included
    #[arg(long, value_name = "YYYY-MM")]
    to: Option<String>,
    /// Column to break costs down by, such as service, environment or tag:team
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// Maximum number of rows
    #[arg(long, value_name = "ROWS")]
    limit: Option<u64>,
    /// Add the costs of another month to top_resources and owners: previous, year_before or a month
    #[arg(long, value_name = "MONTH")]
    compare: Option<String>,
    /// Divide amounts by the days of their month, which have different lengths
    #[arg(long, value_name = "day")]
    normalize: Option<String>,
    /// Report the costs of one currency alone
    #[arg(long, value_name = "CODE", conflicts_with = "convert")]
    currency: Option<String>,
    /// Convert all costs to a currency, by the daily rates of the setting query.rates
    #[arg(long, value_name = "CODE")]
    convert: Option<String>,
    /// Show amounts in tables with all digits
    #[arg(long)]
    exact: bool,
    /// Format of the rows [default: by the ending of -o, else table]
    #[arg(long, value_enum)]
    format: Option<ReportFormat>,
    /// Write to a file or a URL instead of stdout (-); it appears once complete, gzipped if it ends in .gz
    #[arg(short, long, value_name = "PATH|URL")]
    output: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    /// Aligned columns, with a chart on a terminal
    Table,
    /// CSV with a header line
    Csv,
    /// Like CSV, with tabs
    Tsv,
    /// JSON array of objects
    Json,
    /// One JSON object per line
    Ndjson,
    /// Markdown table
    Markdown,
    /// Parquet file
    Parquet,
    /// Arrow IPC file
    Arrow,
    /// Chart as an SVG picture
    Svg,
}

impl ReportFormat {
    /// The format of rows; `None` for a picture.
    fn of_rows(self) -> Option<Format> {
        match self {
            ReportFormat::Table => Some(Format::Table),
            ReportFormat::Csv => Some(Format::Csv),
            ReportFormat::Tsv => Some(Format::Tsv),
            ReportFormat::Json => Some(Format::Json),
            ReportFormat::Ndjson => Some(Format::Ndjson),
            ReportFormat::Markdown => Some(Format::Markdown),
            ReportFormat::Parquet => Some(Format::Parquet),
            ReportFormat::Arrow => Some(Format::Arrow),
            ReportFormat::Svg => None,
        }
    }
}

impl ReportArgs {
    /// Parameter texts from all flags, by the names that reports use.
    fn assignments(&self) -> Result<Vec<(String, String)>> {
        let limit = self.limit.map(|limit| limit.to_string());
        let named = [
            ("month", &self.month),
            ("from", &self.from),
            ("to", &self.to),
            ("by", &self.by),
            ("limit", &limit),
            ("compare", &self.compare),
            ("normalize", &self.normalize),
            ("currency", &self.currency),
            ("convert", &self.convert),
        ];
        let named = named.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some((name.to_string(), value.clone()))
        });
        Ok(named.chain(self.session.assignments()?).collect())
    }
}

/// Lists the reports, or runs one.
pub(crate) async fn run(args: ReportArgs) -> Result<u8> {
    until_stopped(list_or_run(args)).await
}

async fn list_or_run(args: ReportArgs) -> Result<u8> {
    let (session, store) = args.session.session_and_store()?;
    if args.name == "list" {
        print_text(&list(&session))?;
        return Ok(0);
    }
    note_damage(&store).await;
    let output = output_location(args.output.as_deref());
    let is_svg = match (args.format, output) {
        (Some(format), _) => format == ReportFormat::Svg,
        (None, Some(output)) => output.to_ascii_lowercase().ends_with(".svg"),
        (None, None) => false,
    };
    let is_terminal = std::io::stdout().is_terminal();
    let named = args.format.and_then(ReportFormat::of_rows);
    let format = match is_svg {
        true => Format::Table,
        false => format_for(named, output, is_terminal)?,
    };
    let mut destination = match output {
        Some(location) => RowSink::open(location)?,
        None => RowSink::stdout(),
    };
    let report = Report::find(session.catalog().sql(), &args.name)?;
    let given = args.assignments()?;
    if is_svg {
        let no_chart = || Error::usage(format!("the report `{}` has no chart", args.name));
        if !report.has_chart() {
            return Err(no_chart());
        }
        let result = report.run(&session, &given).await?;
        let part = match result.parts.as_slice() {
            [part] => part,
            parts => {
                let found: Vec<_> = parts.iter().map(|part| part.currency.as_str()).collect();
                let found = found.join(" and ");
                return Err(Error::usage(format!(
                    "a picture shows one currency, and the costs are in {found}"
                ))
                .with_hint("name it with --currency, or convert them with --convert"));
            }
        };
        let chart = part.chart.as_ref().ok_or_else(no_chart)?;
        let svg = charts::svg(chart).map_err(|e| Error::new(ErrorKind::Bug, e))?;
        destination.write(svg.into_bytes()).await?;
        print_notes(&result.notes);
    } else {
        let names = report.column_names(&given)?;
        let layout = ReportLayout {
            money: names.money,
            totals: names.totals,
            secondary: names.secondary,
            precision: Precision::new(args.exact),
            ..ReportLayout::default()
        };
        let style = Style {
            format,
            max_rows: None,
            width: terminal_width().filter(|_| output.is_none()),
            layout: Some(&layout),
        };
        write(&session, &report, &given, style, &mut destination).await?;
    }
    destination.finish().await?;
    Ok(0)
}

/// Prints notes on stderr, apart from the rows.
fn print_notes(notes: &[String]) {
    for note in notes {
        note!("note: {note}");
    }
}

/// Writes a report's rows: one table for each currency, or all rows in another format.
pub(crate) async fn write(
    session: &Session,
    report: &Report<'_>,
    given: &[(String, String)],
    style: Style<'_>,
    destination: &mut RowSink,
) -> Result<()> {
    let ReportResult { parts, notes } = report.run(session, given).await?;
    if style.format == Format::Table {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                destination.write(b"\n".to_vec()).await?;
            }
            write_table(part, style, destination).await?;
        }
    } else if let Some(first) = parts.first().and_then(|part| part.batches.first()) {
        let mut writer = Writer::new(style, first.schema(), destination)?;
        for batch in parts.iter().flat_map(|part| &part.batches) {
            writer.rows(batch).await?;
        }
        writer.end().await?;
    }
    print_notes(&notes);
    Ok(())
}

/// Writes the table of one currency, which its headers name, below its chart on a terminal.
async fn write_table(part: &ReportPart, style: Style<'_>, destination: &mut RowSink) -> Result<()> {
    if let (Some(chart), Some(width)) = (&part.chart, style.width) {
        let width = u16::try_from(width).unwrap_or(u16::MAX).clamp(20, 120);
        let colours = std::env::var_os("NO_COLOR").is_none();
        let drawn = charts::terminal(chart, width, colours);
        destination.write(format!("{drawn}\n").into_bytes()).await?;
    }
    let Some(first) = part.batches.first() else {
        return Ok(());
    };
    let layout = style.layout.map(|layout| ReportLayout {
        currency: Some(part.currency.clone()),
        ..layout.clone()
    });
    let schema = first.schema();
    // The headers of a layout name the currency.
    let columns = (0..schema.fields().len())
        .filter(|index| layout.is_none() || schema.field(*index).name() != CURRENCY);
    let columns: Vec<usize> = columns.collect();
    let project = |batch: &RecordBatch| {
        let projected = batch.project(&columns);
        projected.map_err(|e| Error::bug(format!("columns of a report: {e}")))
    };
    let schema = project(first)?.schema();
    let style = Style {
        layout: layout.as_ref(),
        ..style
    };
    let mut writer = Writer::new(style, schema, destination)?;
    for batch in &part.batches {
        writer.rows(&project(batch)?).await?;
    }
    writer.end().await?;
    Ok(())
}

/// The reports with their parameters.
pub(crate) fn list(session: &Session) -> String {
    let mut out = String::new();
    for report in Report::all(session.catalog().sql()) {
        out.push_str(&format!("{}\n    {}\n", report.name, report.title()));
        if !report.by.is_empty() {
            out.push_str(&format!("    --by {}\n", report.by.join(", ")));
        }
        for parameter in &report.parameters {
            let default = match parameter.default {
                Some(default) => format!(" [default: {default}]"),
                None => String::new(),
            };
            let (flag, description) = (parameter.flag(), parameter.description);
            out.push_str(&format!("    {flag}: {description}{default}\n"));
        }
    }
    out
}
