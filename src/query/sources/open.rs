//! Files with their columns: the header of a CSV, the footer of a Parquet file.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    DefaultParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::Type;
use parquet::schema::types::SchemaDescriptor;

use crate::error::{Error, Result};
use crate::query::sources::aws_names;
use crate::query::sources::files::{FileType, SourceFile};

/// Files whose columns are read at once.
const OPENED_AT_ONCE: usize = 16;
/// Largest header of a CSV.
const MAX_HEADER_BYTES: usize = 4 << 20;

type ParquetReader = Box<dyn AsyncFileReader>;

/// File with its columns.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: SourceFile,
    /// Columns in the order of the file, without those of its path.
    pub(super) schema: SchemaRef,
    /// Footer of a Parquet file.
    pub(super) footer: Option<ArrowReaderMetadata>,
}

/// Reads the columns of files. A CSV without a header is left out, with a warning.
pub(super) async fn open_all(source: &str, files: Vec<SourceFile>) -> Result<Vec<OpenFile>> {
    let opened = futures::stream::iter(files.into_iter().map(open));
    let opened: Vec<OpenFile> = opened.buffered(OPENED_AT_ONCE).try_collect().await?;
    let (empty, opened): (Vec<_>, Vec<_>) = opened
        .into_iter()
        .partition(|file| file.schema.fields().is_empty());
    for file in &empty {
        tracing::warn!(
            source,
            file = file.file.name,
            "An empty file of a source was not read"
        );
    }
    Ok(opened)
}

async fn open(file: SourceFile) -> Result<OpenFile> {
    let (schema, footer) = match file.file_type {
        FileType::Parquet => {
            let footer = parquet_footer(&file).await?;
            (footer.schema().clone(), Some(footer))
        }
        FileType::Csv | FileType::CsvGzip => (csv_schema(&file).await?, None),
    };
    let mut names = HashSet::new();
    if let Some(field) = schema.fields().iter().find(|f| !names.insert(f.name())) {
        return Err(Error::data(format!(
            "`{}` has two columns \"{}\"",
            file.name,
            field.name()
        ))
        .with_hint("rename or remove one of them"));
    }
    Ok(OpenFile {
        file,
        schema,
        footer,
    })
}

/// Reader of a Parquet file's bytes.
pub(super) fn parquet_reader(file: &SourceFile) -> datafusion::common::Result<ParquetReader> {
    let metrics = ExecutionPlanMetricsSet::new();
    let factory = DefaultParquetFileReaderFactory::new(file.store.clone());
    let part = PartitionedFile::new_from_meta(file.object.clone());
    Ok(factory.create_reader(0, part, None, &metrics)?)
}

async fn parquet_footer(file: &SourceFile) -> Result<ArrowReaderMetadata> {
    let failed = |e: parquet::errors::ParquetError| read_error(file, &DataFusionError::from(e));
    let options = ArrowReaderOptions::new();
    let mut reader = parquet_reader(file).map_err(|e| read_error(file, &e))?;
    let footer = ArrowReaderMetadata::load_async(&mut reader, options.clone());
    let footer = footer.await.map_err(failed)?;
    let Some(schema) = without_int96(footer.schema(), footer.parquet_schema()) else {
        return Ok(footer);
    };
    let options = options.with_schema(schema);
    ArrowReaderMetadata::try_new(footer.metadata().clone(), options).map_err(failed)
}

/// Columns with INT96 as microseconds, which hold every year; `None` without such columns.
fn without_int96(columns: &SchemaRef, parquet: &SchemaDescriptor) -> Option<SchemaRef> {
    let roots = parquet.root_schema().get_fields().iter();
    let is_int96 = roots.map(|root| root.is_primitive() && root.get_physical_type() == Type::INT96);
    let is_int96: Vec<bool> = is_int96.collect();
    if !is_int96.contains(&true) {
        return None;
    }
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = columns.fields().iter().zip(is_int96);
    let fields = fields.map(|(field, is_int96)| match is_int96 {
        true => Arc::new(field.as_ref().clone().with_data_type(micros.clone())),
        false => field.clone(),
    });
    Some(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// Columns of a CSV, all text.
async fn csv_schema(file: &SourceFile) -> Result<SchemaRef> {
    let failed = |e: DataFusionError| read_error(file, &e);
    let mut chunks = csv_bytes(file).await.map_err(failed)?;
    let mut text: Vec<u8> = Vec::new();
    let header = loop {
        let chunk = chunks.try_next().await.map_err(failed)?;
        let is_end = chunk.is_none();
        text.extend(chunk.unwrap_or_default());
        if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
            return Err(
                Error::data(format!("`{}` is UTF-16", file.name)).with_hint("save it as UTF-8")
            );
        }
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_slice());
        let mut record = csv::StringRecord::new();
        let is_read = reader
            .read_record(&mut record)
            .map_err(|e| Error::data(format!("could not read the header of `{}`: {e}", file.name)));
        let is_complete = reader.position().byte() < text.len() as u64;
        match is_read {
            Ok(is_read) if is_complete || is_end => break is_read.then_some(record),
            Err(error) if is_end || text.len() > MAX_HEADER_BYTES => return Err(error),
            _ if text.len() > MAX_HEADER_BYTES => {
                return Err(Error::data(format!("`{}` has no header", file.name)));
            }
            _ => {}
        }
    };
    let header = header.unwrap_or_default();
    let names = header
        .iter()
        .enumerate()
        .map(|(at, name)| match name.trim() {
            "" => format!("column_{}", at + 1),
            name => name.to_string(),
        });
    let names = aws_names::in_snake_case(names.collect()).into_iter();
    let fields = names.map(|name| Field::new(name, DataType::Utf8View, true));
    let fields: Vec<_> = fields.collect();
    let is_blank = fields.len() == 1 && header.iter().all(|name| name.trim().is_empty());
    Ok(Arc::new(Schema::new(if is_blank {
        Vec::new()
    } else {
        fields
    })))
}

/// Text of a CSV, decompressed and without byte order mark.
pub(super) async fn csv_bytes(
    file: &SourceFile,
) -> std::result::Result<
    BoxStream<'static, std::result::Result<Bytes, DataFusionError>>,
    DataFusionError,
> {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    let compression = match file.file_type {
        FileType::CsvGzip => FileCompressionType::GZIP,
        FileType::Csv | FileType::Parquet => FileCompressionType::UNCOMPRESSED,
    };
    let object = file.store.get(&file.object.location).await?;
    let bytes = object.into_stream().map_err(DataFusionError::from).boxed();
    let mut is_first = true;
    let bytes = compression.convert_stream(bytes)?.map_ok(move |chunk| {
        let is_marked = std::mem::take(&mut is_first) && chunk.starts_with(BYTE_ORDER_MARK);
        if is_marked {
            chunk.slice(BYTE_ORDER_MARK.len()..)
        } else {
            chunk
        }
    });
    Ok(bytes.boxed())
}

/// Error of a file that could not be read.
pub(super) fn read_error(file: &SourceFile, error: &DataFusionError) -> Error {
    let root = error.find_root();
    let text = root.strip_backtrace();
    let message = format!("could not read `{}`: {}", file.name, text.trim());
    match root {
        DataFusionError::ObjectStore(_) => Error::remote(message).with_hint(
            "check the location, and the credentials in the provider's environment variables",
        ),
        _ => Error::data(message).with_hint("export or copy the file again"),
    }
}
