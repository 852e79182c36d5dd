//! Rows of a statement in eight formats, on stdout or in a file or object.

mod encode;
mod fit;
mod report;
mod sink;
pub(crate) mod unfinished;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::cli::output::rows::encode::Encoder;
pub(crate) use crate::cli::output::rows::report::ReportLayout;
pub(crate) use crate::cli::output::rows::sink::RowSink;
use crate::error::{Error, Result};

/// Format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Text table
    Table,
    /// With a header line
    Csv,
    /// Like CSV, with tabs
    Tsv,
    /// One array of objects
    Json,
    /// One object per line
    Ndjson,
    /// Markdown table
    Markdown,
    /// Parquet file
    Parquet,
    /// Arrow IPC file
    Arrow,
}

impl Format {
    /// Returns the format of a file or URL by its extension, before `.gz` if it ends in that.
    ///
    /// # Errors
    /// Kind usage, for the extension of a format that cannot be written.
    pub(crate) fn of_output(location: &str) -> Result<Option<Format>> {
        let name = without_query(location).to_ascii_lowercase();
        let refused = REFUSED
            .iter()
            .find(|(extension, _)| name.ends_with(extension));
        if let Some((extension, hint)) = refused {
            return Err(Error::usage(format!("cannot write {extension} files")).with_hint(hint));
        }
        let (name, is_gzip) = match name.strip_suffix(GZIP) {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        match Format::of_name(name) {
            Some(format) if format.is_binary() && is_gzip => Err(compressed_twice()),
            format => Ok(format),
        }
    }

    fn of_name(name: &str) -> Option<Format> {
        let extensions = [
            (".csv", Format::Csv),
            (".tsv", Format::Tsv),
            (".json", Format::Json),
            (".ndjson", Format::Ndjson),
            (".jsonl", Format::Ndjson),
            (".md", Format::Markdown),
            (".txt", Format::Table),
            (".parquet", Format::Parquet),
            (".arrow", Format::Arrow),
        ];
        let found = extensions
            .into_iter()
            .find(|(extension, _)| name.ends_with(extension));
        found.map(|(_, format)| format)
    }

    /// Returns true for formats that a terminal cannot show and that hold one result per file.
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }

    fn needs_all_rows(self) -> bool {
        matches!(self, Format::Table | Format::Markdown)
    }
}

/// Extension of text that is compressed.
const GZIP: &str = ".gz";

/// Extensions of formats that are not written, with what to do instead.
const REFUSED: [(&str, &str); 9] = [
    (".xlsx", SPREADSHEETS),
    (".xls", SPREADSHEETS),
    (".ods", SPREADSHEETS),
    (".avro", "write .parquet or .csv"),
    (".orc", "write .parquet or .csv"),
    (".zip", ARCHIVES),
    (".zst", ARCHIVES),
    (".bz2", ARCHIVES),
    (".xz", ARCHIVES),
];
const SPREADSHEETS: &str = "write .csv, which spreadsheets open";
const ARCHIVES: &str = "write .csv.gz or .parquet";

/// The location without the query of a URL.
fn without_query(location: &str) -> &str {
    match location.contains("://") {
        true => location.split(['?', '#']).next().unwrap_or(location),
        false => location,
    }
}

/// Ending of a file name that no format has, such as `.html`.
fn unknown_extension(location: &str) -> Option<&str> {
    let name = without_query(location).rsplit('/').next()?;
    let name = name.strip_suffix(GZIP).unwrap_or(name);
    let at = name.rfind('.').filter(|at| *at > 0)?;
    let extension = &name[at..];
    let is_word = extension.len() > 1 && extension[1..].bytes().all(|b| b.is_ascii_alphabetic());
    is_word.then_some(extension)
}

/// Returns true for an output that is compressed.
fn is_gzip(location: &str) -> bool {
    without_query(location).to_ascii_lowercase().ends_with(GZIP)
}

fn compressed_twice() -> Error {
    Error::usage("a binary file is not compressed once more")
        .with_hint("leave out .gz: Parquet files are compressed already")
}

/// Default limit of the rows of a table.
pub(crate) const TABLE_ROWS: usize = 1000;

/// Style of the rows of one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style<'a> {
    /// The format.
    pub(crate) format: Format,
    /// Maximum number of rows, 0 for all; `None` for the default of the format.
    pub(crate) max_rows: Option<usize>,
    /// Maximum width of a table in characters; `None` for its natural width.
    pub(crate) width: Option<usize>,
    /// Layout of a table as a report; `None` for exact cells in a grid.
    pub(crate) layout: Option<&'a ReportLayout>,
}

impl Style<'_> {
    fn limit(&self) -> usize {
        let default = if self.format == Format::Table {
            TABLE_ROWS
        } else {
            usize::MAX
        };
        match self.max_rows {
            Some(0) => usize::MAX,
            Some(rows) => rows,
            None => default,
        }
    }
}

/// Writer of the rows of one statement.
pub(crate) struct Writer<'a> {
    style: Style<'a>,
    schema: SchemaRef,
    sink: &'a mut RowSink,
    encoder: Encoder,
    /// Rows of a table, whose column widths depend on all of them.
    collected: Vec<RecordBatch>,
    shown: usize,
    more: bool,
}

impl<'a> Writer<'a> {
    /// Starts writing rows of `schema`.
    pub(crate) fn new(
        style: Style<'a>,
        schema: SchemaRef,
        sink: &'a mut RowSink,
    ) -> Result<Writer<'a>> {
        Ok(Writer {
            encoder: Encoder::new(style.format, &schema)?,
            style,
            schema,
            sink,
            collected: Vec::new(),
            shown: 0,
            more: false,
        })
    }

    /// Writes a batch. Returns false once the limit is exceeded or nobody reads the rows.
    pub(crate) async fn rows(&mut self, batch: &RecordBatch) -> Result<bool> {
        let remaining = self.style.limit() - self.shown;
        if batch.num_rows() > remaining {
            self.more = true;
        }
        let batch = batch.slice(0, batch.num_rows().min(remaining));
        self.shown += batch.num_rows();
        if self.style.format.needs_all_rows() {
            self.collected.push(batch);
        } else {
            self.encoder.rows(&batch)?;
            self.sink.write(self.encoder.take()).await?;
        }
        Ok(!self.more && !self.sink.is_closed())
    }

    /// Writes the rest. Returns the number of rows written, and true if rows were left out.
    pub(crate) async fn end(mut self) -> Result<(usize, bool)> {
        let (schema, width) = (&self.schema, self.style.width);
        let text = match (self.style.format, self.style.layout) {
            (Format::Table, Some(layout)) => layout.table(schema, &self.collected, width)?,
            (Format::Table, None) => fit::table(schema, &self.collected, width)?,
            (Format::Markdown, _) => fit::markdown(schema, &self.collected)?,
            _ => String::new(),
        };
        self.encoder.end()?;
        self.sink.write(text.into_bytes()).await?;
        self.sink.write(self.encoder.take()).await?;
        Ok((self.shown, self.more))
    }
}

/// Returns the format of a result: the named one, else that of the output's extension, else a table.
///
/// # Errors
/// Kind usage, for binary output on a terminal and for an extension that cannot be written.
pub(crate) fn format_for(
    named: Option<Format>,
    output: Option<&str>,
    is_terminal: bool,
) -> Result<Format> {
    let of_output = output.map(Format::of_output).transpose()?.flatten();
    let extension = output.and_then(unknown_extension);
    let format = match (named.or(of_output), extension) {
        (Some(format), _) => format,
        (None, None) => Format::Table,
        (None, Some(extension)) => {
            return Err(
                Error::usage(format!("could not tell the format of a {extension} file"))
                    .with_hint("name it with --format, or end the file in .csv, .tsv, .json, .ndjson, .md, .txt, .parquet or .arrow"),
            );
        }
    };
    if format.is_binary() && output.is_some_and(is_gzip) {
        return Err(compressed_twice());
    }
    if format.is_binary() && output.is_none() && is_terminal {
        return Err(
            Error::usage("refusing to write binary output to a terminal")
                .with_hint("name a file with -o, or redirect stdout"),
        );
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides_the_format() {
        for (location, expected) in [
            ("a.csv", Some(Format::Csv)),
            ("A.CSV.GZ", Some(Format::Csv)),
            ("a.tsv", Some(Format::Tsv)),
            ("s3://bucket/a.ndjson.gz", Some(Format::Ndjson)),
            ("https://host/a.csv?sig=x.parquet", Some(Format::Csv)),
            ("a?b.parquet", Some(Format::Parquet)),
            ("a.gz", None),
            ("a", None),
        ] {
            assert_eq!(Format::of_output(location).unwrap(), expected, "{location}");
        }
        let named = format_for(Some(Format::Json), Some("a.csv"), false);
        assert_eq!(named.unwrap(), Format::Json);
    }

    #[test]
    fn formats_that_are_not_written_are_refused_by_name() {
        for (named, location, expected) in [
            (None, "costs.XLSX", "cannot write .xlsx files"),
            (
                Some(Format::Csv),
                "s3://bucket/costs.xlsx",
                "cannot write .xlsx files",
            ),
            (None, "costs.csv.zst", "cannot write .zst files"),
            (None, "costs.parquet.gz", "not compressed once more"),
            (Some(Format::Arrow), "costs.gz", "not compressed once more"),
        ] {
            let error = format_for(named, Some(location), false).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
