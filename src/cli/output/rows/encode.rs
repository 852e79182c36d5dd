//! Rows to bytes, as they come.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::FileWriter as ArrowFile;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::cli::output::rows::Format;
use crate::engine::text::Cells;
use crate::error::{Error, Result};

/// An encoder of a format; nothing for those that need all rows at once.
pub struct Encoder {
    names: Vec<String>,
    out: Vec<u8>,
    kind: Kind,
    rows: u64,
}

enum Kind {
    None,
    Csv,
    Json,
    Ndjson,
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Arrow(Box<ArrowFile<Vec<u8>>>),
}

fn bug(error: impl std::fmt::Display) -> Error {
    Error::bug(format!("output: {error}"))
}

impl Encoder {
    /// For rows of `schema`.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Encoder> {
        let kind = match format {
            Format::Table | Format::Markdown => Kind::None,
            Format::Csv => Kind::Csv,
            Format::Json => Kind::Json,
            Format::Ndjson => Kind::Ndjson,
            Format::Parquet => {
                let zstd = ZstdLevel::try_new(1).map_err(bug)?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(zstd))
                    .set_max_row_group_row_count(Some(65_536))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), plain(schema), Some(properties));
                Kind::Parquet(Box::new(writer.map_err(unwritable)?))
            }
            Format::Arrow => {
                let writer = ArrowFile::try_new(Vec::new(), &plain(schema)).map_err(bug)?;
                Kind::Arrow(Box::new(writer))
            }
        };
        let names = schema.fields().iter().map(|field| field.name().clone());
        let mut encoder = Encoder {
            names: names.collect(),
            out: Vec::new(),
            kind,
            rows: 0,
        };
        if let Kind::Csv = encoder.kind {
            let header = encoder.names.clone();
            encoder.csv_line(header.into_iter())?;
        }
        Ok(encoder)
    }

    /// Encodes rows.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.kind {
            Kind::None => return Ok(()),
            Kind::Parquet(writer) => {
                writer.write(&as_plain(batch)?).map_err(unwritable)?;
                self.out.append(writer.inner_mut());
                return Ok(());
            }
            Kind::Arrow(writer) => {
                writer.write(&as_plain(batch)?).map_err(bug)?;
                self.out.append(writer.get_mut());
                return Ok(());
            }
            _ => {}
        }
        let cells = Cells::new(batch)?;
        for row in 0..batch.num_rows() {
            match self.kind {
                Kind::Csv => {
                    let text = |column| cells.text(row, column).unwrap_or_default();
                    self.csv_line((0..cells.width()).map(text))?;
                }
                Kind::Json => {
                    let before: &[u8] = if self.rows == 0 { b"[\n" } else { b",\n" };
                    self.out.extend(before);
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

    /// Encodes what comes after the last row.
    pub fn end(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Json if self.rows == 0 => self.out.extend(b"[]\n"),
            Kind::Json => self.out.extend(b"\n]\n"),
            Kind::Parquet(writer) => {
                writer.finish().map_err(unwritable)?;
                self.out.append(writer.inner_mut());
            }
            Kind::Arrow(writer) => {
                writer.finish().map_err(bug)?;
                self.out.append(writer.get_mut());
            }
            Kind::None | Kind::Csv | Kind::Ndjson => {}
        }
        Ok(())
    }

    /// The bytes so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// One JSON object, its keys in the order of the columns.
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

    fn csv_line(&mut self, texts: impl Iterator<Item = String>) -> Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer
            .write_record(texts.map(String::into_bytes))
            .map_err(bug)?;
        writer.flush().map_err(bug)
    }
}

fn unwritable(error: parquet::errors::ParquetError) -> Error {
    Error::data(format!(
        "these rows are nothing for a Parquet file: {error}"
    ))
    .with_hint("give every column a name of its own and a type, with `cast(… as …) as …`")
}

/// Text as plain Utf8, which every reader knows.
fn plain(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8View | DataType::Dictionary(..) => {
            Field::new(field.name(), DataType::Utf8, field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    Schema::new(fields.collect::<Vec<_>>()).into()
}

fn as_plain(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = plain(&batch.schema());
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| arrow::compute::cast(column, field.data_type()).map_err(bug))
        .collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(schema, columns).map_err(bug)
}
