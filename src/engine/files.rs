//! A table over named Parquet files: a snapshot that is scanned by DataFusion's own reader.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectStore;

use crate::confluent::windows::BillingPeriod;
use crate::error::Error;
use crate::store::Store;
use crate::store::tables::PARTITIONS;
use crate::store::writer::DataFile;

/// The files of one table, committed or staged, with the partition each belongs to.
#[derive(Debug)]
pub struct FilesTable {
    url: ObjectStoreUrl,
    root: Arc<dyn ObjectStore>,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    rows: u64,
}

impl FilesTable {
    /// A table `name` of the store with `columns` (partition columns excluded) over `files`.
    ///
    /// Partition columns come last and are plain text. Rows come in the order of the files.
    pub fn new(
        store: &Store,
        name: &str,
        columns: &SchemaRef,
        files: impl IntoIterator<Item = (String, BillingPeriod, DataFile)>,
    ) -> crate::error::Result<FilesTable> {
        let url = &store.url()[..url::Position::BeforePath];
        let url = ObjectStoreUrl::parse(url)
            .map_err(|e| Error::config(format!("store {}: {e}", store.url())))?;
        let partitions = PARTITIONS.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
        let schema = TableSchema::builder(views(columns))
            .with_table_partition_cols(partitions)
            .build();
        let mut rows = 0;
        let files = files
            .into_iter()
            .map(|(connection, period, file)| {
                rows += file.rows;
                let path = store.path(&format!("{name}/{}", file.path));
                let mut part = PartitionedFile::new(path.to_string(), file.size);
                part.object_meta.location = path;
                part.partition_values = vec![
                    ScalarValue::from(connection),
                    ScalarValue::from(period.to_string()),
                ];
                let mut statistics = Statistics::new_unknown(schema.file_schema());
                statistics.num_rows = Precision::Exact(file.rows as usize);
                part.with_statistics(Arc::new(statistics))
            })
            .collect();
        Ok(FilesTable {
            url,
            root: store.root(),
            schema,
            files,
            rows,
        })
    }

    /// Contiguous groups of about equal bytes, one a stream, so that the files keep their order.
    fn groups(&self, count: usize) -> Vec<FileGroup> {
        let total: u64 = self.files.iter().map(|file| file.object_meta.size).sum();
        let share = total.div_ceil(count.max(1) as u64).max(1);
        let mut groups: Vec<Vec<PartitionedFile>> = Vec::new();
        let mut before = 0;
        for file in &self.files {
            let group = (before / share) as usize;
            before += file.object_meta.size;
            if groups.is_empty() || group >= groups.len() {
                groups.push(Vec::new());
            }
            if let Some(last) = groups.last_mut() {
                last.push(file.clone());
            }
        }
        groups.into_iter().map(FileGroup::new).collect()
    }
}

/// Text columns are read as views, which costs no copy.
fn views(columns: &SchemaRef) -> SchemaRef {
    let view = |field: &FieldRef| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => field.clone(),
    };
    Arc::new(Schema::new(
        columns.fields().iter().map(view).collect::<Fields>(),
    ))
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = Precision::Exact(self.rows as usize);
        if self.files.is_empty() {
            let schema = self.schema.table_schema();
            let schema = match projection {
                Some(columns) => Arc::new(schema.project(columns)?),
                None => schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        // Checks read the same files one after the other: their footers are read once.
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(self.root.clone(), footers);
        let source = ParquetSource::new(self.schema.clone())
            .with_parquet_file_reader_factory(Arc::new(reader));
        let source = Arc::new(source);
        let config = FileScanConfigBuilder::new(self.url.clone(), source)
            .with_file_groups(self.groups(state.config().target_partitions()))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // The reader prunes by partition values and statistics; a filter above decides.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = Precision::Exact(self.rows as usize);
        Some(statistics)
    }
}
