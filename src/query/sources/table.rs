//! Files of a source as one table, with columns matched by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt;
use parking_lot::Mutex;

use crate::error::Error;
use crate::query::sources::cells::Use;
use crate::query::sources::open::OpenFile;
use crate::query::sources::read::{self, Part};
use crate::query::sources::types;
use crate::suggest::nearest;

/// Rows of a source's files.
///
/// The files are read here, not by the engine's scan: it matches the columns of CSVs by position, and takes a column
/// of a Parquet file for a constant where its statistics have one value, although they leave out NaN.
#[derive(Debug)]
pub(super) struct SourceTable {
    source: String,
    files: Vec<Arc<OpenFile>>,
    /// Columns as the files have them.
    common: SchemaRef,
    /// Columns with the types of their uses.
    schema: SchemaRef,
    uses: HashMap<String, Use>,
}

/// Columns to read of each file.
#[derive(Debug)]
pub(super) struct ReadPlan {
    pub(super) source: String,
    pub(super) columns: SchemaRef,
    /// Types of the columns before their cells are read.
    pub(super) common_types: Vec<DataType>,
    pub(super) uses: HashMap<String, Use>,
    /// Columns of files of which a warning was given.
    pub(super) warned: Mutex<HashSet<String>>,
}

impl SourceTable {
    pub(super) fn new(source: &str, files: Vec<OpenFile>) -> SourceTable {
        let common = types::common_columns(&files);
        SourceTable {
            source: source.to_string(),
            files: files.into_iter().map(Arc::new).collect(),
            schema: common.clone(),
            common,
            uses: HashMap::new(),
        }
    }

    /// Reads cells as a mapping uses them.
    pub(super) fn with_uses(mut self, uses: HashMap<String, Use>) -> SourceTable {
        let fields = self.common.fields().iter().map(|field| {
            let given = field.data_type();
            let used = uses.get(field.name());
            let data_type = used.map_or(given.clone(), |used| used.data_type(given));
            Field::new(field.name(), data_type, true)
        });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.uses = uses;
        self
    }

    pub(super) fn files(&self) -> &[Arc<OpenFile>] {
        &self.files
    }

    /// Checks that every file has the columns that a mapping needs.
    ///
    /// # Errors
    /// Kind data, with the nearest name of the file's columns.
    pub(super) fn check_needed(&self, needed: &[&str]) -> crate::error::Result<()> {
        for file in &self.files {
            let has = |name: &str| {
                file.schema.field_with_name(name).is_ok()
                    || file.file.partition.iter().any(|(key, _)| key == name)
            };
            let Some(missing) = needed.iter().find(|name| !has(name)) else {
                continue;
            };
            let error = Error::data(format!("`{}` has no column \"{missing}\"", file.file.name));
            let names = file
                .schema
                .fields()
                .iter()
                .map(|field| field.name().as_str());
            return Err(match nearest(missing, names) {
                Some(name) => error.with_hint(format!("its column \"{name}\" has a similar name")),
                None => error.with_hint("move files of other exports to another folder"),
            });
        }
        Ok(())
    }

    /// Plan to read columns, by their positions.
    pub(super) fn read_plan(&self, columns: &[usize]) -> Result<Arc<ReadPlan>> {
        let common = self.common.project(columns)?;
        let common = common.fields().iter();
        Ok(Arc::new(ReadPlan {
            source: self.source.clone(),
            columns: Arc::new(self.schema.project(columns)?),
            common_types: common.map(|field| field.data_type().clone()).collect(),
            uses: self.uses.clone(),
            warned: Mutex::default(),
        }))
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
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
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let plan = self.read_plan(&columns)?;
        let parts = self.files.iter().flat_map(Part::all_of).collect();
        let partitions = groups(parts, state.config().target_partitions());
        let partitions = partitions.into_iter().map(|parts| {
            let partition: Arc<dyn PartitionStream> = Arc::new(Partition {
                plan: plan.clone(),
                parts,
            });
            partition
        });
        Ok(Arc::new(StreamingTableExec::try_new(
            plan.columns.clone(),
            partitions.collect(),
            None,
            [],
            false,
            limit,
        )?))
    }
}

/// At most `count` contiguous groups of about equal bytes, and at least one.
fn groups(parts: Vec<Part>, count: usize) -> Vec<Vec<Part>> {
    let total: u64 = parts.iter().map(|part| part.size).sum();
    let share = total.div_ceil(count.max(1) as u64).max(1);
    let mut groups = vec![Vec::new()];
    let mut filled = 0;
    for part in parts {
        if filled >= share && groups.len() < count {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += part.size;
        if let Some(last) = groups.last_mut() {
            last.push(part);
        }
    }
    groups
}

/// Parts that are read one after another.
#[derive(Debug)]
struct Partition {
    plan: Arc<ReadPlan>,
    parts: Vec<Part>,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.plan.columns
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batch_size = context.session_config().batch_size();
        let plan = self.plan.clone();
        let parts = futures::stream::iter(self.parts.clone());
        let rows = parts.flat_map(move |part| read::rows(part, plan.clone(), batch_size));
        Box::pin(RecordBatchStreamAdapter::new(
            self.plan.columns.clone(),
            rows,
        ))
    }
}
