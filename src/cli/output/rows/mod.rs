//! Rows of a statement as people and programs want them: seven formats, to stdout or to any place.

pub(crate) mod destination;
pub(crate) mod encode;
pub(crate) mod fit;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

pub use crate::cli::output::rows::destination::Destination;
use crate::cli::output::rows::encode::Encoder;
use crate::error::{Error, Result};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
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
}

impl Format {
    /// The format that a file's name ends in.
    pub fn of_name(name: &str) -> Option<Format> {
        let name = name.to_ascii_lowercase();
        let endings = [
            (".csv", Format::Csv),
            (".json", Format::Json),
            (".ndjson", Format::Ndjson),
            (".jsonl", Format::Ndjson),
            (".md", Format::Markdown),
            (".txt", Format::Table),
            (".parquet", Format::Parquet),
            (".arrow", Format::Arrow),
        ];
        let found = endings
            .into_iter()
            .find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, format)| format)
    }

    /// Whether it is no text, so that a terminal should not see it and two results do not fit one file.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }

    fn needs_all_rows(self) -> bool {
        matches!(self, Format::Table | Format::Markdown)
    }
}

/// Rows that a table shows at most, when nobody says how many.
pub const TABLE_ROWS: usize = 1000;

/// How the rows of one statement are written.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// Rows at most; the rest is left out with a note.
    pub max_rows: Option<usize>,
    /// Characters that a table may be wide; `None` for as wide as it is.
    pub width: Option<usize>,
}

impl Style {
    /// How many rows are shown at most.
    fn limit(&self) -> usize {
        let default = match self.format {
            Format::Table => TABLE_ROWS,
            _ => usize::MAX,
        };
        match self.max_rows {
            Some(0) => usize::MAX,
            Some(rows) => rows,
            None => default,
        }
    }
}

/// Writes the rows of one statement.
pub struct Writer<'d> {
    style: Style,
    schema: SchemaRef,
    destination: &'d mut Destination,
    encoder: Encoder,
    /// Rows of a table, which needs all of them for its widths.
    held: Vec<RecordBatch>,
    shown: usize,
    more: bool,
}

impl<'d> Writer<'d> {
    /// Begins to write rows of `schema`.
    pub fn new(
        style: Style,
        schema: SchemaRef,
        destination: &'d mut Destination,
    ) -> Result<Writer<'d>> {
        Ok(Writer {
            encoder: Encoder::new(style.format, &schema)?,
            style,
            schema,
            destination,
            held: Vec::new(),
            shown: 0,
            more: false,
        })
    }

    /// Writes the rows of a batch. Gives whether more are wanted.
    pub async fn rows(&mut self, batch: &RecordBatch) -> Result<bool> {
        let room = self.style.limit() - self.shown;
        if batch.num_rows() > room {
            self.more = true;
        }
        let batch = batch.slice(0, batch.num_rows().min(room));
        self.shown += batch.num_rows();
        if self.style.format.needs_all_rows() {
            self.held.push(batch);
        } else {
            self.encoder.rows(&batch)?;
            self.destination.write(self.encoder.take()).await?;
        }
        Ok(!self.more)
    }

    /// Writes what remains. Gives the number of rows shown, and whether some were left out.
    pub async fn end(mut self) -> Result<(usize, bool)> {
        let text = match self.style.format {
            Format::Table => fit::table(&self.schema, &self.held, self.style.width)?,
            Format::Markdown => fit::markdown(&self.schema, &self.held)?,
            _ => String::new(),
        };
        self.encoder.end()?;
        self.destination.write(text.into_bytes()).await?;
        self.destination.write(self.encoder.take()).await?;
        Ok((self.shown, self.more))
    }
}

/// The format of a result: as named, else as the file's name says, else a table.
///
/// # Errors
/// Kind usage, for a picture of bytes on a terminal.
pub fn format_for(named: Option<Format>, output: Option<&str>, terminal: bool) -> Result<Format> {
    let format = named.or_else(|| output.and_then(Format::of_name));
    let format = format.unwrap_or(Format::Table);
    if format.is_binary() && output.is_none() && terminal {
        return Err(Error::usage("bytes of a file are nothing for a terminal")
            .with_hint("name a file with -o, or redirect stdout"));
    }
    Ok(format)
}
