//! One Parquet file, streamed to the store: zstd, row groups of 65,536 rows, a footer entry for
//! what was learnt on the way.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, Result};
use crate::store::Store;

const ROW_GROUP_ROWS: usize = 65_536;
/// What is read of a file's end to find its footer.
const FOOTER_BYTES: u64 = 64 * 1024;
/// S3's smallest part; smaller files are one put.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// A file that lies in the store, whether a commit names it yet or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path relative to the table's folder, as the Delta log has it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Least and greatest value of the table's [`start_column`], where they are known: days since 1970
    /// in `costs`, microseconds in `line_items`.
    pub span: Option<(i64, i64)>,
}

/// The column that says when a row's time begins, by which files are skipped.
pub fn start_column(table: &str) -> &'static str {
    match table {
        "costs" => "start_date",
        _ => "time/usage_start",
    }
}

/// A Parquet file being written. Nothing is visible before [`FileWriter::finish`].
pub struct FileWriter {
    store: Store,
    /// Relative to the store.
    name: String,
    arrow: ArrowWriter<Vec<u8>>,
    upload: BufWriter,
    size: u64,
    rows: u64,
}

impl FileWriter {
    /// Starts the file `name` (relative to the store).
    pub fn new(store: &Store, name: &str, schema: SchemaRef) -> Result<FileWriter> {
        let zstd = ZstdLevel::try_new(1).map_err(|e| Error::bug(format!("zstd: {e}")))?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for field in schema.fields() {
            // Every row has another id: a dictionary of them is built in vain.
            if matches!(field.name().as_str(), "record_id" | "id" | "lineitem/id") {
                let column = ColumnPath::new(vec![field.name().clone()]);
                properties = properties
                    .set_column_dictionary_enabled(column.clone(), false)
                    .set_column_statistics_enabled(column, EnabledStatistics::None);
            }
        }
        let properties = properties.build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let arrow = ArrowWriter::try_new_with_options(Vec::new(), schema, options)
            .map_err(|e| Error::bug(format!("parquet writer for {name}: {e}")))?;
        let upload = BufWriter::with_capacity(store.root(), store.path(name), PART_BYTES);
        Ok(FileWriter {
            store: store.clone(),
            name: name.to_string(),
            arrow,
            upload,
            size: 0,
            rows: 0,
        })
    }

    /// Appends a batch.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.arrow.write(batch).map_err(|e| self.bad(e))?;
        self.rows += batch.num_rows() as u64;
        if self.arrow.inner().len() >= 1 << 20 {
            self.drain().await?;
        }
        Ok(())
    }

    /// Closes the file with footer entries and makes it visible, as `path` of its table.
    pub async fn finish(mut self, path: String, footer: &[(&str, String)]) -> Result<DataFile> {
        for (key, value) in footer {
            self.arrow
                .append_key_value_metadata(KeyValue::new(key.to_string(), value.clone()));
        }
        let metadata = self.arrow.finish().map_err(|e| self.bad(e))?;
        self.drain().await?;
        self.upload
            .shutdown()
            .await
            .map_err(|e| self.unwritten(&e))?;
        Ok(DataFile {
            path,
            size: self.size,
            rows: self.rows,
            span: span(&metadata),
        })
    }

    async fn drain(&mut self) -> Result<()> {
        let bytes = std::mem::take(self.arrow.inner_mut());
        self.size += bytes.len() as u64;
        self.upload
            .put(Bytes::from(bytes))
            .await
            .map_err(|e| self.store.failed("write", &self.name, e))
    }

    fn bad(&self, error: parquet::errors::ParquetError) -> Error {
        Error::bug(format!("encoding {}: {error}", self.name))
    }

    fn unwritten(&self, error: &std::io::Error) -> Error {
        Error::remote(format!(
            "cannot write {}: {error}",
            self.store.display(&self.name)
        ))
        .with_hint("check that the store is reachable and has free space, then run it again")
    }
}

/// Least and greatest start among a file's rows, from the statistics of its row groups.
fn span(metadata: &ParquetMetaData) -> Option<(i64, i64)> {
    let columns = metadata.file_metadata().schema_descr();
    let named = |name| columns.columns().iter().position(|c| c.name() == name);
    let at = named(start_column("costs")).or_else(|| named(start_column("line_items")))?;
    let spans = metadata
        .row_groups()
        .iter()
        .map(|group| match group.column(at).statistics()? {
            Statistics::Int32(days) => {
                Some((i64::from(*days.min_opt()?), i64::from(*days.max_opt()?)))
            }
            Statistics::Int64(micros) => Some((*micros.min_opt()?, *micros.max_opt()?)),
            _ => None,
        });
    let spans: Vec<(i64, i64)> = spans.collect::<Option<_>>()?;
    let first = spans.iter().map(|(first, _)| *first).min()?;
    let last = spans.iter().map(|(_, last)| *last).max()?;
    Some((first, last))
}

/// Reads one footer entry of a Parquet file (`name` relative to the store).
pub async fn footer_entry(
    store: &Store,
    name: &str,
    size: u64,
    key: &str,
) -> Result<Option<String>> {
    let bad = |e: &dyn std::fmt::Display| {
        Error::data(format!(
            "cannot read the footer of {}: {e}",
            store.display(name)
        ))
    };
    let mut tail = size.min(FOOTER_BYTES);
    loop {
        let bytes = store
            .root()
            .get_range(&store.path(name), size - tail..size)
            .await
            .map_err(|e| store.failed("read", name, e))?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&bytes, size) {
            Ok(()) => {
                let metadata = reader.finish().map_err(|e| bad(&e))?;
                let entries = metadata.file_metadata().key_value_metadata();
                return Ok(entries
                    .into_iter()
                    .flatten()
                    .find(|entry| entry.key == key)
                    .and_then(|entry| entry.value.clone()));
            }
            Err(ParquetError::NeedMoreData(needed)) if (needed as u64) > tail && tail < size => {
                tail = size.min(needed as u64);
            }
            Err(e) => return Err(bad(&e)),
        }
    }
}
