//! Parquet files, streamed to the store: zstd, row groups of 65,536 rows, footer entries for what was learnt
//! while writing.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};
use crate::store::file_hash::{FileHash, FileHasher};
use crate::store::upload::Upload;
use crate::store::{Operation, Store, TableName};

const ROW_GROUP_ROWS: usize = 65_536;
/// Bytes read from the end of a file to find its footer.
const FOOTER_BYTES: u64 = 64 * 1024;

/// File in the store, committed or staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path relative to the table's folder, as in the Delta log.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of its bytes as they were written; `None` for files of older versions and of other tools.
    pub hash: Option<FileHash>,
    /// Number of rows.
    pub rows: u64,
    /// Least and greatest value of [`TableName::start_column`], if known: days since 1970 in `costs`,
    /// microseconds in `line_items`.
    pub start_range: Option<(i64, i64)>,
}

/// Parquet file being written; invisible before [`FileWriter::finish`], and gone if it is dropped before.
pub struct FileWriter {
    store: Store,
    /// Path relative to the store.
    name: String,
    arrow: ArrowWriter<Vec<u8>>,
    upload: Upload,
    written: FileHasher,
    rows: u64,
}

impl FileWriter {
    /// Starts a file; `name` is relative to the store.
    pub fn new(store: &Store, name: &str, schema: SchemaRef) -> Result<FileWriter> {
        let zstd = ZstdLevel::try_new(1).map_err(|e| Error::bug(format!("zstd: {e}")))?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for field in schema.fields() {
            // Ids are unique: a dictionary of them saves nothing.
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
        let arrow =
            ArrowWriter::try_new_with_options(Vec::new(), schema, options).map_err(|e| {
                Error::bug(format!(
                    "could not create a Parquet writer for `{name}`: {e}"
                ))
            })?;
        let upload = store.upload(name);
        Ok(FileWriter {
            store: store.clone(),
            name: name.to_string(),
            arrow,
            upload,
            written: FileHasher::default(),
            rows: 0,
        })
    }

    /// Appends a batch.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.arrow
            .write(batch)
            .map_err(|e| self.encoding_error(e))?;
        self.rows += batch.num_rows() as u64;
        if self.arrow.inner().len() >= 1 << 20 {
            self.drain().await?;
        }
        Ok(())
    }

    /// Closes the file with footer entries and makes it visible. `path` is relative to the table.
    pub async fn finish(mut self, path: String, footer: &[(&str, String)]) -> Result<DataFile> {
        for (key, value) in footer {
            self.arrow
                .append_key_value_metadata(KeyValue::new(key.to_string(), value.clone()));
        }
        let metadata = self.arrow.finish().map_err(|e| self.encoding_error(e))?;
        self.drain().await?;
        let finished = self.upload.finish().await;
        finished.map_err(|e| self.store.error(Operation::Write, &self.name, &e))?;
        Ok(DataFile {
            path,
            size: self.written.size(),
            hash: Some(self.written.hash()),
            rows: self.rows,
            start_range: start_range(&metadata),
        })
    }

    async fn drain(&mut self) -> Result<()> {
        let bytes = std::mem::take(self.arrow.inner_mut());
        self.written.write(&bytes);
        self.upload
            .write(Bytes::from(bytes))
            .await
            .map_err(|e| self.store.error(Operation::Write, &self.name, &e))
    }

    fn encoding_error(&self, error: ParquetError) -> Error {
        Error::bug(format!("could not encode `{}`: {error}", self.name))
    }
}

/// Least and greatest start of a file's rows, from the statistics of its row groups.
fn start_range(metadata: &ParquetMetaData) -> Option<(i64, i64)> {
    let columns = metadata.file_metadata().schema_descr();
    let start_columns = [TableName::Costs, TableName::LineItems].map(TableName::start_column);
    let at = columns
        .columns()
        .iter()
        .position(|column| start_columns.contains(&Some(column.name())))?;
    let ranges = metadata
        .row_groups()
        .iter()
        .map(|group| match group.column(at).statistics()? {
            Statistics::Int32(days) => {
                Some((i64::from(*days.min_opt()?), i64::from(*days.max_opt()?)))
            }
            Statistics::Int64(micros) => Some((*micros.min_opt()?, *micros.max_opt()?)),
            _ => None,
        });
    let ranges: Vec<(i64, i64)> = ranges.collect::<Option<_>>()?;
    let first = ranges.iter().map(|(first, _)| *first).min()?;
    let last = ranges.iter().map(|(_, last)| *last).max()?;
    Some((first, last))
}

/// Reads a footer entry of a Parquet file; `name` is relative to the store.
pub(crate) async fn footer_entry(
    store: &Store,
    name: &str,
    size: u64,
    key: &str,
) -> Result<Option<String>> {
    let unreadable = |e: &dyn std::fmt::Display| {
        Error::data(format!(
            "could not read the footer of `{}`: {e}",
            store.display(name)
        ))
    };
    let mut tail = size.min(FOOTER_BYTES);
    loop {
        let bytes = store
            .root()
            .get_range(&store.path(name), size - tail..size)
            .await
            .map_err(|e| store.error(Operation::Read, name, &e))?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&bytes, size) {
            Ok(()) => {
                let metadata = reader.finish().map_err(|e| unreadable(&e))?;
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
            Err(e) => return Err(unreadable(&e)),
        }
    }
}
