//! Rows as bytes, batch by batch.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::FileWriter as ArrowFile;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::cli::output::rows::Format;
use crate::engine::text::Cells;
use crate::error::{Error, Result};

/// Encoder of a format. Formats that need all rows at once encode nothing here.
pub(crate) struct Encoder {
    names: Vec<String>,
    out: Vec<u8>,
    writer: FormatWriter,
    rows: u64,
}

enum FormatWriter {
    None,
    /// With this separator.
    Csv(u8),
    Json,
    Ndjson,
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Arrow(Box<ArrowFile<Vec<u8>>>),
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::bug(format!("could not encode rows: {error}"))
}

impl Encoder {
    /// Starts an encoder for rows of `schema`.
    pub(crate) fn new(format: Format, schema: &SchemaRef) -> Result<Encoder> {
        let writer = match format {
            Format::Table | Format::Markdown => FormatWriter::None,
            Format::Csv => FormatWriter::Csv(b','),
            Format::Tsv => FormatWriter::Csv(b'\t'),
            Format::Json => FormatWriter::Json,
            Format::Ndjson => FormatWriter::Ndjson,
            Format::Parquet => {
                let zstd = ZstdLevel::try_new(1).map_err(internal)?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(zstd))
                    .set_max_row_group_row_count(Some(65_536))
                    .build();
                let parquet =
                    ArrowWriter::try_new(Vec::new(), portable_schema(schema), Some(properties));
                FormatWriter::Parquet(Box::new(parquet.map_err(unwritable)?))
            }
            Format::Arrow => {
                let file =
                    ArrowFile::try_new(Vec::new(), &portable_schema(schema)).map_err(internal)?;
                FormatWriter::Arrow(Box::new(file))
            }
        };
        let names = schema.fields().iter().map(|field| field.name().clone());
        let mut encoder = Encoder {
            names: names.collect(),
            out: Vec::new(),
            writer,
            rows: 0,
        };
        if let FormatWriter::Csv(separator) = encoder.writer {
            let header = encoder.names.clone();
            encoder.csv_line(separator, header.into_iter())?;
        }
        Ok(encoder)
    }

    /// Encodes a batch.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.writer {
            FormatWriter::None => return Ok(()),
            FormatWriter::Parquet(writer) => {
                writer.write(&portable_batch(batch)?).map_err(unwritable)?;
                self.out.append(writer.inner_mut());
                return Ok(());
            }
            FormatWriter::Arrow(writer) => {
                writer.write(&portable_batch(batch)?).map_err(internal)?;
                self.out.append(writer.get_mut());
                return Ok(());
            }
            _ => {}
        }
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            match self.writer {
                FormatWriter::Csv(separator) => {
                    let text = |column| cells.text(row, column).unwrap_or_default();
                    self.csv_line(separator, (0..cells.width()).map(text))?;
                }
                FormatWriter::Json => {
                    let separator: &[u8] = if self.rows == 0 { b"[\n" } else { b",\n" };
                    self.out.extend(separator);
                    self.object(&cells, row);
                }
                _ => {
                    self.object(&cells, row);
                    self.out.push(b'\n');
                }
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Encodes the end of the output.
    pub(crate) fn end(&mut self) -> Result<()> {
        match &mut self.writer {
            FormatWriter::Json if self.rows == 0 => self.out.extend(b"[]\n"),
            FormatWriter::Json => self.out.extend(b"\n]\n"),
            FormatWriter::Parquet(writer) => {
                writer.finish().map_err(unwritable)?;
                self.out.append(writer.inner_mut());
            }
            FormatWriter::Arrow(writer) => {
                writer.finish().map_err(internal)?;
                self.out.append(writer.get_mut());
            }
            FormatWriter::None | FormatWriter::Csv(_) | FormatWriter::Ndjson => {}
        }
        Ok(())
    }

    /// Returns the bytes encoded since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Encodes a row as a JSON object with its keys in column order.
    fn object(&mut self, cells: &Cells<'_>, row: usize) {
        self.out.push(b'{');
        for (column, name) in self.names.iter().enumerate() {
            if column > 0 {
                self.out.push(b',');
            }
            let name = serde_json::Value::from(name.as_str());
            self.out.extend(name.to_string().bytes());
            self.out.push(b':');
            self.out.extend(cells.json(row, column).to_string().bytes());
        }
        self.out.push(b'}');
    }

    fn csv_line(&mut self, separator: u8, texts: impl Iterator<Item = String>) -> Result<()> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(separator)
            .from_writer(&mut self.out);
        writer
            .write_record(texts.map(String::into_bytes))
            .map_err(internal)?;
        writer.flush().map_err(internal)
    }
}

fn unwritable(error: parquet::errors::ParquetError) -> Error {
    Error::data(format!("could not encode the rows as Parquet: {error}"))
        .with_hint("give every column a distinct name and a type with `cast(… as …) as …`")
}

/// Replaces string views and dictionaries by plain strings, which every reader supports.
fn portable_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8View | DataType::Dictionary(..) => {
            Field::new(field.name(), DataType::Utf8, field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    Schema::new(fields.collect::<Vec<_>>()).into()
}

fn portable_batch(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = portable_schema(&batch.schema());
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| arrow::compute::cast(column, field.data_type()).map_err(internal))
        .collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(schema, columns).map_err(internal)
}
