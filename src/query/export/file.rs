//! Data files of an export: Parquet, or CSV with or without gzip, uploaded while they are encoded.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use crate::cloudzero::csv;
use crate::error::{Error, Result};
use crate::store::upload::Upload;
use crate::store::writer::FileWriter;
use crate::store::{Operation, Store};

/// Entry of a Parquet footer with the id of the schema object.
const SCHEMA_ID: &str = "FocusSchemaId";
/// Bytes that are encoded before they are uploaded.
const UPLOAD_BYTES: usize = 1 << 20;

/// Format of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataFormat {
    Parquet,
    Csv,
    CsvGzip,
}

impl DataFormat {
    pub(super) const ALL: [DataFormat; 3] =
        [DataFormat::Parquet, DataFormat::Csv, DataFormat::CsvGzip];

    pub(super) fn extension(self) -> &'static str {
        match self {
            DataFormat::Parquet => "parquet",
            DataFormat::Csv => "csv",
            DataFormat::CsvGzip => "csv.gz",
        }
    }
}

/// File that is being written; invisible before [`MonthFile::finish`], and gone if it is dropped before.
pub(super) enum MonthFile {
    Parquet(Box<FileWriter>, String),
    Csv(Box<CsvFile>),
}

impl MonthFile {
    /// Starts a file at a path below the output.
    pub(super) fn create(
        output: &Store,
        path: &str,
        format: DataFormat,
        schema: SchemaRef,
    ) -> Result<MonthFile> {
        if format == DataFormat::Parquet {
            let file = FileWriter::new(output, path, schema)?;
            return Ok(MonthFile::Parquet(Box::new(file), path.to_string()));
        }
        // Without time and file name in the header the same content gives the same bytes.
        let gzip = || GzBuilder::new().write(Vec::new(), Compression::default());
        let mut file = CsvFile {
            output: output.clone(),
            path: path.to_string(),
            upload: output.upload(path),
            gzip: (format == DataFormat::CsvGzip).then(gzip),
            text: Vec::new(),
            rows: 0,
            bytes: 0,
        };
        let names = schema.fields().iter().map(|field| field.name().as_str());
        csv::write_header(&mut file.text, names);
        Ok(MonthFile::Csv(Box::new(file)))
    }

    /// Appends rows.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            MonthFile::Parquet(file, _) => file.write(batch).await,
            MonthFile::Csv(file) => file.write(batch).await,
        }
    }

    /// Makes the file visible. Returns the numbers of its rows and bytes.
    pub(super) async fn finish(self, schema_id: &str) -> Result<(u64, u64)> {
        match self {
            MonthFile::Parquet(file, path) => {
                let footer = [(SCHEMA_ID, schema_id.to_string())];
                let written = file.finish(path, &footer).await?;
                Ok((written.rows, written.size))
            }
            MonthFile::Csv(file) => file.finish().await,
        }
    }
}

pub(super) struct CsvFile {
    output: Store,
    path: String,
    upload: Upload,
    gzip: Option<GzEncoder<Vec<u8>>>,
    /// Text that is neither compressed nor uploaded yet.
    text: Vec<u8>,
    rows: u64,
    bytes: u64,
}

impl CsvFile {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        csv::write_rows(&mut self.text, batch, 0, batch.num_rows())?;
        self.rows += batch.num_rows() as u64;
        if self.text.len() >= UPLOAD_BYTES {
            self.flush(false).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(u64, u64)> {
        self.flush(true).await?;
        let finished = self.upload.finish().await;
        finished.map_err(|e| self.output.error(Operation::Write, &self.path, &e))?;
        Ok((self.rows, self.bytes))
    }

    async fn flush(&mut self, is_last: bool) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.text);
        if let Some(gzip) = &mut self.gzip {
            let compressed = gzip.write_all(&bytes);
            let compressed = match is_last {
                true => compressed.and_then(|()| gzip.try_finish()),
                false => compressed,
            };
            compressed.map_err(|e| Error::bug(format!("compressing `{}`: {e}", self.path)))?;
            bytes = std::mem::take(gzip.get_mut());
        }
        self.bytes += bytes.len() as u64;
        let written = self.upload.write(bytes.into()).await;
        written.map_err(|e| self.output.error(Operation::Write, &self.path, &e))
    }
}
