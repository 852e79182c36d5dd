//! `billstream query`.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;

use super::args::StoreArgs;
use super::print;
use crate::config::{Environment, Settings};
use crate::engine;
use crate::engine::text::{Cells, batches_table};
use crate::error::{Error, Result};
use crate::explore::query;
use crate::store::Store;

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  billstream query 'select billing_period, sum(\"cost/cost\") from line_items group by 1 order by 1'
  billstream query --format csv \"select * from costs where billing_period = '2026-10'\"")]
pub struct QueryArgs {
    /// The SQL, over the tables `costs` and `line_items`
    sql: String,
    #[command(flatten)]
    store: StoreArgs,
    /// How rows are written to stdout
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// With a header line
    Csv,
    /// One array of objects
    Json,
    /// An object a line
    Ndjson,
}

/// Runs the query and prints its rows as they come.
pub async fn run(args: QueryArgs) -> Result<u8> {
    let settings = Settings::resolve(&args.store.flags(), &Environment::process())?;
    let store = Store::open(&settings.store)?;
    let context = query::session(&store, settings.limits).await?;
    let mut rows = query::start(&context, settings.limits, &args.sql).await?;
    let schema = rows.schema();
    let mut printer = Printer::new(args.format, schema);
    let deadline = tokio::time::Instant::now() + settings.limits.timeout;
    loop {
        let next = tokio::time::timeout_at(deadline, rows.next())
            .await
            .map_err(|_| {
                Error::data(format!(
                    "query: not done after {} seconds",
                    settings.limits.timeout.as_secs()
                ))
            })?;
        let Some(batch) = next else { break };
        printer.rows(&batch.map_err(|e| engine::failed("query", &e))?)?;
    }
    printer.end()?;
    Ok(0)
}

struct Printer {
    format: Format,
    schema: SchemaRef,
    /// Rows of a table, which needs all of them for its widths.
    held: Vec<RecordBatch>,
    printed: u64,
}

impl Printer {
    fn new(format: Format, schema: SchemaRef) -> Printer {
        Printer {
            format,
            schema,
            held: Vec::new(),
            printed: 0,
        }
    }

    fn names(&self) -> Vec<&str> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect()
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.format == Format::Table {
            self.held.push(batch.clone());
            return Ok(());
        }
        let cells = Cells::new(batch)?;
        let mut out = Vec::new();
        if self.printed == 0 && self.format == Format::Csv {
            out.extend(csv_line(self.names().into_iter().map(str::to_string))?);
        }
        for row in 0..batch.num_rows() {
            if self.format == Format::Csv {
                let text = |column| cells.text(row, column).unwrap_or_default();
                out.extend(csv_line((0..cells.width()).map(text))?);
            } else {
                if self.format == Format::Json {
                    out.extend(if self.printed == 0 { b"[\n" } else { b",\n" });
                }
                self.object(&cells, row, &mut out);
                if self.format == Format::Ndjson {
                    out.push(b'\n');
                }
            }
            self.printed += 1;
        }
        print(&out)
    }

    /// One JSON object, its keys in the order of the columns.
    fn object(&self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        for (column, name) in self.names().into_iter().enumerate() {
            if column > 0 {
                out.push(b',');
            }
            out.extend(serde_json::Value::from(name).to_string().bytes());
            out.push(b':');
            out.extend(cells.json(row, column).to_string().bytes());
        }
        out.push(b'}');
    }

    fn end(self) -> Result<()> {
        match self.format {
            Format::Table => print(batches_table(&self.schema, &self.held)?.as_bytes()),
            Format::Csv if self.printed == 0 => {
                print(&csv_line(self.names().into_iter().map(str::to_string))?)
            }
            Format::Json if self.printed == 0 => print(b"[]\n"),
            Format::Json => print(b"\n]\n"),
            Format::Csv | Format::Ndjson => Ok(()),
        }
    }
}

fn csv_line(texts: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(texts.map(String::into_bytes));
    written.map_err(|e| Error::bug(format!("output: {e}")))?;
    writer
        .into_inner()
        .map_err(|e| Error::bug(format!("output: {e}")))
}
