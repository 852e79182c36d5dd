//! Reader of the store's Parquet files that keeps what the store answered: the engine's own reader turns a failure to read
//! a footer into text, so that an unreachable store looks like a damaged file.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::error::Error;
use crate::store::{Store, damage};

/// Creates readers of a store's files. Footers are read once per session.
pub(super) struct StoreReaders {
    store: Store,
    root: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
}

impl StoreReaders {
    pub(super) fn new(store: &Store, footers: Arc<FileMetadataCache>) -> StoreReaders {
        StoreReaders {
            store: store.clone(),
            root: store.root(),
            footers,
        }
    }
}

impl fmt::Debug for StoreReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreReaders")
    }
}

impl ParquetFileReaderFactory for StoreReaders {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        footer_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(StoreReader {
            store: self.store.clone(),
            root: self.root.clone(),
            footers: self.footers.clone(),
            footer_hint,
            file,
        }))
    }
}

struct StoreReader {
    store: Store,
    root: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
    footer_hint: Option<usize>,
    file: PartitionedFile,
}

impl StoreReader {
    /// Error of a read, which [`super::failed`] finds again behind those of the engine.
    fn error(&self, error: Box<dyn StdError + Send + Sync>) -> ParquetError {
        match super::store_failure(error.as_ref()) {
            // On a local folder it is the file that cannot be read.
            Some(failure) if self.store.local().is_none() => {
                let location = &self.file.object_meta.location;
                ParquetError::External(self.store.read_error(location, failure).into())
            }
            None if super::is_missing(error.as_ref()) => ParquetError::External(error),
            _ => ParquetError::External(self.unreadable(error.as_ref()).into()),
        }
    }

    /// Error of a file that is there and cannot be read.
    fn unreadable(&self, error: &(dyn StdError + 'static)) -> Error {
        let mut root = error;
        while let Some(inner) = root.source() {
            root = inner;
        }
        let path = &self.file.object_meta.location;
        let relative = self.store.relative(path);
        let relative = relative.unwrap_or_else(|| path.to_string());
        let location = self.store.display(&relative);
        let text = root.to_string();
        let cause = text.lines().next().unwrap_or_default();
        let failed = Error::data(format!("could not read `{location}`: {cause}"));
        match damage::month_of(&relative) {
            Some(period) => failed.with_hint(damage::repair_hint(period)),
            None => failed.with_hint("restore the file from a backup"),
        }
    }
}

impl AsyncFileReader for StoreReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let bytes = self.root.get_range(&self.file.object_meta.location, range);
        let bytes = bytes.map_err(|e| self.error(e.into()));
        bytes.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            let location = &self.file.object_meta.location;
            let bytes = self.root.get_ranges(location, &ranges).await;
            bytes.map_err(|e| self.error(e.into()))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let page_index = options.map(ArrowReaderOptions::column_index_policy);
        async move {
            DFParquetMetadata::new(&self.root, &self.file.object_meta)
                .with_file_metadata_cache(Some(self.footers.clone()))
                .with_metadata_size_hint(self.footer_hint)
                .with_page_index_policy(page_index)
                .fetch_metadata()
                .await
                .map_err(|e| self.error(e.into()))
        }
        .boxed()
    }
}
