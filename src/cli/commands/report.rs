//! `billstream report`.

use std::io::IsTerminal;

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;

use crate::cli::output::money::Precision;
use crate::cli::output::rows::{Format, ReportLayout, RowSink, Style, Writer, format_for};
use crate::cli::output::stdout::terminal_width;
use crate::cli::print;
use crate::cli::query_session::ExploreArgs;
use crate::error::{Error, Result};
use crate::query::charts;
use crate::query::reports::Report;
use crate::query::session::Session;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream report list
  billstream report top_resources --month 2026-10
  billstream report cost_over_time --by environment --format svg -o costs.svg
  billstream report changes --month 2026-10 --format csv")]
pub struct ReportArgs {
    /// A report's name, or `list`
    name: String,
    #[command(flatten)]
    explore: ExploreArgs,
    /// The billing month [default: the newest]
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
    /// The first of several months
    #[arg(long, value_name = "YYYY-MM")]
    from: Option<String>,
    /// The last of them, included
    #[arg(long, value_name = "YYYY-MM")]
    to: Option<String>,
    /// What the costs are broken down by, such as service, environment or tag:team
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// Rows at most
    #[arg(long, value_name = "ROWS")]
    limit: Option<u64>,
    /// Show amounts in tables with all digits
    #[arg(long)]
    exact: bool,
    /// How the rows are written [default: what -o ends in, else table]
    #[arg(long, value_enum)]
    format: Option<ReportFormat>,
    /// Write to a file or a URL instead of stdout; it appears when it is whole
    #[arg(short, long, value_name = "PATH|URL")]
    output: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    /// For people, with a chart on a terminal
    Table,
    /// With a header line
    Csv,
    /// One array of objects
    Json,
    /// An object a line
    Ndjson,
    /// A table in Markdown
    Markdown,
    /// A Parquet file
    Parquet,
    /// An Arrow IPC file
    Arrow,
    /// The chart as a picture
    Svg,
}

impl ReportFormat {
    /// As a format of rows; none for a picture.
    fn rows(self) -> Option<Format> {
        match self {
            ReportFormat::Table => Some(Format::Table),
            ReportFormat::Csv => Some(Format::Csv),
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
    /// The values that were given, by the names that reports know.
    fn given(&self) -> Result<Vec<(String, String)>> {
        let limit = self.limit.map(|limit| limit.to_string());
        let named = [
            ("month", &self.month),
            ("from", &self.from),
            ("to", &self.to),
            ("by", &self.by),
            ("limit", &limit),
        ];
        let named = named.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some((name.to_string(), value.clone()))
        });
        Ok(named.chain(self.explore.given()?).collect())
    }
}

/// Lists the reports, or runs one.
pub async fn run(args: ReportArgs) -> Result<u8> {
    let session = args.explore.session()?;
    if args.name == "list" {
        print(list(&session).as_bytes())?;
        return Ok(0);
    }
    let is_svg = match (args.format, &args.output) {
        (Some(format), _) => format == ReportFormat::Svg,
        (None, Some(output)) => output.to_ascii_lowercase().ends_with(".svg"),
        (None, None) => false,
    };
    let mut destination = match &args.output {
        Some(place) => RowSink::open(place)?,
        None => RowSink::stdout(),
    };
    let report = Report::named(session.catalog().sql(), &args.name)?;
    let given = args.given()?;
    if is_svg {
        if !report.has_chart() {
            return Err(Error::usage(format!(
                "the report {} has no chart",
                args.name
            )));
        }
        let (_, chart) = rows_and_chart(&session, &report, &given).await?;
        let drawn = chart.map(|chart| charts::svg(&chart)).transpose();
        let svg = drawn.map_err(|e| Error::bug(format!("chart: {e}")))?;
        destination
            .write(svg.unwrap_or_default().into_bytes())
            .await?;
    } else {
        let terminal = std::io::stdout().is_terminal();
        let named = args.format.and_then(ReportFormat::rows);
        let format = format_for(named, args.output.as_deref(), terminal)?;
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let layout = ReportLayout {
            money: names(&report.money),
            totals: names(&report.totals),
            secondary: names(&report.secondary),
            currency: args.explore.currency()?,
            precision: Precision::new(args.exact),
            ..ReportLayout::default()
        };
        let style = Style {
            format,
            max_rows: None,
            width: terminal_width().filter(|_| args.output.is_none()),
            layout: Some(&layout),
        };
        show(&session, &report, &given, style, &mut destination).await?;
    }
    destination.finish().await?;
    Ok(0)
}

/// Writes a report's rows, under its chart where a terminal is wide.
pub async fn show(
    session: &Session,
    report: &Report<'_>,
    given: &[(String, String)],
    style: Style<'_>,
    destination: &mut RowSink,
) -> Result<()> {
    let (batches, chart) = rows_and_chart(session, report, given).await?;
    if let (Some(chart), Some(width), Format::Table) = (&chart, style.width, style.format) {
        let width = u16::try_from(width).unwrap_or(u16::MAX).clamp(20, 120);
        let colours = std::env::var_os("NO_COLOR").is_none();
        let drawn = charts::terminal(chart, width, colours);
        destination.write(format!("{drawn}\n").into_bytes()).await?;
    }
    let Some(first) = batches.first() else {
        return Ok(());
    };
    let mut writer = Writer::new(style, first.schema(), destination)?;
    for batch in &batches {
        writer.rows(batch).await?;
    }
    writer.end().await.map(|_| ())
}

async fn rows_and_chart(
    session: &Session,
    report: &Report<'_>,
    given: &[(String, String)],
) -> Result<(Vec<RecordBatch>, Option<charts::Chart>)> {
    let values = report.values(session, given).await?;
    let piece = report.piece();
    let rows = session.start(&piece, &values).await;
    let rows = rows.map_err(|e| e.context(report.place()))?;
    let schema = rows.schema();
    let collected = tokio::time::timeout(session.timeout(), rows.try_collect()).await;
    let collected = collected.map_err(|_| session.too_slow())?;
    let mut batches: Vec<RecordBatch> = collected.map_err(|e| session.explain(&piece, &e))?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    let chart = report.chart(&values, &batches)?;
    Ok((batches, chart))
}

/// The reports with what they take.
pub fn list(session: &Session) -> String {
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
            let (name, about) = (parameter.name, parameter.about);
            let flag = match name {
                "month" | "from" | "to" | "limit" => format!("--{name}"),
                name => format!("--param {name}=…"),
            };
            out.push_str(&format!("    {flag}: {about}{default}\n"));
        }
    }
    out
}
