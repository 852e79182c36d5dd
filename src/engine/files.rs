//! Tables over a given list of Parquet files, scanned by DataFusion's own reader.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use crate::billing_period::BillingPeriod;
use crate::engine;
use crate::engine::parquet_reader::StoreReaders;
use crate::store::tables::PARTITIONS;
use crate::store::writer::DataFile;
use crate::store::{Store, TableName};

/// Files of one table, committed or staged, with their partitions.
#[derive(Debug)]
pub struct FilesTable {
    url: ObjectStoreUrl,
    store: Store,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
}

impl FilesTable {
    /// Creates a table over `files` of the store's table `name`; `columns` exclude the partition columns.
    ///
    /// Partition columns come last and are plain text. Rows come in the order of the files.
    pub fn new(
        store: &Store,
        name: TableName,
        columns: &SchemaRef,
        files: impl IntoIterator<Item = (String, BillingPeriod, DataFile)>,
    ) -> crate::error::Result<FilesTable> {
        let url = engine::url_of(store)?;
        let partitions = PARTITIONS.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
        let schema = TableSchema::builder(with_text_views(columns))
            .with_table_partition_cols(partitions)
            .build();
        let files = files
            .into_iter()
            .map(|(connection, period, file)| {
                let path = store.path(&format!("{name}/{}", file.path));
                let mut part = PartitionedFile::new(path.to_string(), file.size);
                part.object_meta.location = path;
                part.partition_values = vec![
                    ScalarValue::from(connection),
                    ScalarValue::from(period.to_string()),
                ];
                part.with_statistics(Arc::new(statistics(name, schema.file_schema(), &file)))
            })
            .collect();
        Ok(FilesTable {
            url,
            store: store.clone(),
            schema,
            files,
        })
    }

    /// Connections that have months in the table.
    pub(crate) fn connections(&self) -> BTreeSet<String> {
        let values = self
            .files
            .iter()
            .filter_map(|file| file.partition_values.first());
        values.map(ToString::to_string).collect()
    }

    /// Files that may hold rows that pass the filters.
    fn matching_files(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<PartitionedFile>> {
        // Neither partition values nor statistics can be evaluated without a file.
        if self.files.is_empty() {
            return Ok(Vec::new());
        }
        let (on_partitions, on_rows): (Vec<_>, Vec<_>) =
            filters.iter().cloned().partition(is_on_partitions);
        let mut keep = vec![true; self.files.len()];
        if let Some(filter) = conjunction(on_partitions) {
            let (schema, batch) = self.partition_values()?;
            let filter = state.create_physical_expr(filter, &schema)?;
            let passed = filter.evaluate(&batch)?.into_array(keep.len())?;
            let passed = passed.as_boolean();
            for (at, keep) in keep.iter_mut().enumerate() {
                *keep = passed.is_valid(at) && passed.value(at);
            }
        }
        // A filter that the pruning does not support keeps every file.
        if let Some(filter) = conjunction(on_rows) {
            // Statistics of a file include its partition.
            let schema = self.schema.table_schema().clone();
            let columns = DFSchema::try_from(schema.as_ref().clone())?;
            let filter = state.create_physical_expr(filter, &columns)?;
            let pruning = PruningPredicateBuilder::new()
                .with_file_schema(schema.clone())
                .build(filter);
            if let Some(pruning) = pruning {
                let statistics = self.files.iter().filter_map(|file| file.statistics.clone());
                let statistics = PrunableStatistics::new(statistics.collect(), schema);
                let may_match = pruning.prune(&statistics)?;
                for (keep, may_match) in keep.iter_mut().zip(may_match) {
                    *keep &= may_match;
                }
            }
        }
        let files = self.files.iter().zip(keep);
        Ok(files
            .filter(|(_, keep)| *keep)
            .map(|(file, _)| file.clone())
            .collect())
    }

    /// Partition values, one row per file.
    fn partition_values(&self) -> Result<(DFSchema, RecordBatch)> {
        let fields: Vec<FieldRef> = self.schema.table_partition_cols().to_vec();
        let columns = (0..fields.len()).map(|at| {
            let values = self
                .files
                .iter()
                .map(|file| file.partition_values[at].clone());
            ScalarValue::iter_to_array(values)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns)?;
        Ok((DFSchema::try_from(schema.as_ref().clone())?, batch))
    }
}

/// Returns true for a filter on partition columns only: it holds for all rows of a file or for none.
fn is_on_partitions(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty()
        && columns
            .iter()
            .all(|column| PARTITIONS.contains(&column.name.as_str()))
        && !filter.is_volatile()
}

/// Statistics of a file: its rows, and when they begin.
fn statistics(table: TableName, columns: &SchemaRef, file: &DataFile) -> Statistics {
    let mut statistics = Statistics::new_unknown(columns);
    statistics.num_rows = Precision::Exact(file.rows as usize);
    let start_column = table.start_column();
    let at = start_column.and_then(|name| columns.index_of(name).ok());
    if let (Some(at), Some((first, last))) = (at, file.start_range) {
        let value = |value: i64| match columns.field(at).data_type() {
            DataType::Date32 => i32::try_from(value)
                .ok()
                .map(|v| ScalarValue::Date32(Some(v))),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Some(ScalarValue::TimestampMicrosecond(Some(value), zone.clone()))
            }
            _ => None,
        };
        let bound = |bound| value(bound).map_or(Precision::Absent, Precision::Exact);
        let column = &mut statistics.column_statistics[at];
        (column.min_value, column.max_value) = (bound(first), bound(last));
    }
    statistics
}

/// Contiguous groups of about equal bytes, one per stream, so that the files keep their order.
fn groups(files: Vec<PartitionedFile>, count: usize) -> Vec<FileGroup> {
    let total: u64 = files.iter().map(|file| file.object_meta.size).sum();
    let share = total.div_ceil(count.max(1) as u64).max(1);
    let mut groups: Vec<Vec<PartitionedFile>> = Vec::new();
    let mut before = 0;
    for file in files {
        let group = (before / share) as usize;
        before += file.object_meta.size;
        if groups.is_empty() || group >= groups.len() {
            groups.push(Vec::new());
        }
        if let Some(last) = groups.last_mut() {
            last.push(file);
        }
    }
    groups.into_iter().map(FileGroup::new).collect()
}

fn rows_of(files: &[PartitionedFile]) -> usize {
    let rows = |file: &PartitionedFile| match file.statistics.as_ref()?.num_rows {
        Precision::Exact(rows) => Some(rows),
        _ => None,
    };
    files.iter().filter_map(rows).sum()
}

/// Columns with texts as views, which are read without a copy.
fn with_text_views(columns: &SchemaRef) -> SchemaRef {
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
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.matching_files(state, filters)?;
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = Precision::Exact(rows_of(&files));
        if files.is_empty() {
            let schema = self.schema.table_schema();
            let schema = match projection {
                Some(columns) => Arc::new(schema.project(columns)?),
                None => schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        // Checks read the same files one after another: cached footers are read once.
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let reader = StoreReaders::new(&self.store, footers);
        let source = ParquetSource::new(self.schema.clone())
            .with_parquet_file_reader_factory(Arc::new(reader));
        let source = Arc::new(source);
        let config = FileScanConfigBuilder::new(self.url.clone(), source)
            .with_file_groups(groups(files, state.config().target_partitions()))
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
        let pushdown = |filter: &&Expr| {
            if is_on_partitions(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                // Statistics skip files and row groups; a filter above this scan decides on rows.
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = Precision::Exact(rows_of(&self.files));
        Some(statistics)
    }
}
