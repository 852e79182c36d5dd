//! Rows of a file or a part of it, in their order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::csv::reader::Decoder;
use bytes::{Buf, Bytes};
use datafusion::common::DataFusionError;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use crate::error::Error;
use crate::query::sources::cells::{CellType, value_at};
use crate::query::sources::open::{OpenFile, csv_bytes, parquet_reader, read_error};
use crate::query::sources::table::ReadPlan;
use crate::query::sources::types::convert;

type Result<T> = std::result::Result<T, DataFusionError>;
type Batches = BoxStream<'static, Result<RecordBatch>>;

/// A CSV, or consecutive rows of a Parquet file.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) file: Arc<OpenFile>,
    /// Row group of a Parquet file; `None` for the whole file.
    row_group: Option<usize>,
    /// Number of rows before the part.
    first_row: usize,
    /// Bytes on storage.
    pub(super) size: u64,
}

impl Part {
    pub(super) fn whole(file: &Arc<OpenFile>) -> Part {
        Part {
            file: file.clone(),
            row_group: None,
            first_row: 0,
            size: file.file.object.size,
        }
    }

    /// Parts of a file that can be read at the same time.
    pub(super) fn all_of(file: &Arc<OpenFile>) -> Vec<Part> {
        let groups = file
            .footer
            .as_ref()
            .map(|footer| footer.metadata().row_groups());
        let Some(groups) = groups.filter(|groups| groups.len() > 1) else {
            return vec![Part::whole(file)];
        };
        let mut first_row = 0;
        let parts = groups.iter().enumerate().map(|(at, group)| {
            let part = Part {
                file: file.clone(),
                row_group: Some(at),
                first_row,
                size: group.compressed_size().unsigned_abs(),
            };
            first_row += group.num_rows().unsigned_abs() as usize;
            part
        });
        parts.collect()
    }
}

/// Rows of a part in the columns of a plan.
pub(super) fn rows(part: Part, plan: Arc<ReadPlan>, batch_size: usize) -> Batches {
    let file = part.file.clone();
    let columns = plan.columns.fields().iter();
    let columns = columns.filter_map(|field| file.schema.index_of(field.name()).ok());
    let columns: Vec<usize> = columns.collect();
    let mut first_row = part.first_row;
    futures::stream::once(async move { raw_rows(&part, columns, batch_size).await })
        .try_flatten()
        .map(move |batch| {
            let batch = batch.map_err(|e| external(read_error(&file.file, &e), &plan))?;
            let conformed = conform(&batch, &file, &plan, first_row)?;
            first_row += batch.num_rows();
            Ok(conformed)
        })
        .boxed()
}

/// Error of the source that the plan reads.
fn external(error: Error, plan: &ReadPlan) -> DataFusionError {
    let error = error.context(format!("source `{}`", plan.source));
    DataFusionError::External(Box::new(error))
}

async fn raw_rows(part: &Part, columns: Vec<usize>, batch_size: usize) -> Result<Batches> {
    let file = &part.file;
    match &file.footer {
        Some(footer) => {
            let reader = parquet_reader(&file.file)?;
            let builder =
                ParquetRecordBatchStreamBuilder::new_with_metadata(reader, footer.clone());
            let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
            let builder = match part.row_group {
                Some(at) => builder.with_row_groups(vec![at]),
                None => builder,
            };
            let stream = builder
                .with_projection(mask)
                .with_batch_size(batch_size)
                .build()?;
            Ok(stream.map_err(DataFusionError::from).boxed())
        }
        None => {
            // Rows can be counted only by reading a column.
            let columns = if columns.is_empty() { vec![0] } else { columns };
            let decoder = arrow::csv::ReaderBuilder::new(file.schema.clone())
                .with_header(true)
                .with_batch_size(batch_size)
                .with_projection(columns)
                .build_decoder();
            let state = CsvRows {
                bytes: csv_bytes(&file.file).await?,
                chunk: Bytes::new(),
                is_end: false,
                decoder,
            };
            Ok(futures::stream::try_unfold(state, CsvRows::next).boxed())
        }
    }
}

/// Rows of a CSV as its text arrives.
struct CsvRows {
    bytes: BoxStream<'static, Result<Bytes>>,
    chunk: Bytes,
    is_end: bool,
    decoder: Decoder,
}

impl CsvRows {
    async fn next(mut self) -> Result<Option<(RecordBatch, CsvRows)>> {
        loop {
            while self.chunk.is_empty() && !self.is_end {
                match self.bytes.try_next().await? {
                    Some(chunk) => self.chunk = chunk,
                    None => self.is_end = true,
                }
            }
            // An empty text ends the last record.
            let used = self.decoder.decode(&self.chunk)?;
            self.chunk.advance(used);
            if self.decoder.capacity() == 0 || self.is_end {
                match self.decoder.flush()? {
                    Some(batch) => return Ok(Some((batch, self))),
                    None if self.is_end => return Ok(None),
                    None => {}
                }
            }
        }
    }
}

/// Columns of a batch by name, with the plan's types; values that cannot be read are errors.
fn conform(
    batch: &RecordBatch,
    file: &OpenFile,
    plan: &ReadPlan,
    first_row: usize,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.columns.fields().len());
    for (field, common) in plan.columns.fields().iter().zip(&plan.common_types) {
        let name = field.name();
        let partition = file.file.partition.iter().find(|(key, _)| key == name);
        let given: Option<ArrayRef> = match (batch.column_by_name(name), partition) {
            (Some(array), _) => Some(array.clone()),
            (None, Some((_, value))) => {
                let values = std::iter::repeat_n(value.as_deref(), rows);
                Some(Arc::new(values.collect::<StringViewArray>()))
            }
            (None, None) => None,
        };
        let Some(given) = given else {
            columns.push(arrow::array::new_null_array(field.data_type(), rows));
            continue;
        };
        let bad = |row: usize, reason: &str| {
            let row = first_row + row + 1;
            let error = Error::data(format!(
                "{}, row {row}, column \"{name}\": {reason}",
                file.file.name
            ))
            .with_hint(
                "correct the file, or read the column in another way by a mapping of your own",
            );
            external(error, plan)
        };
        let array = convert(&given, common).map_err(|e| bad(0, &e.to_string()))?;
        columns.push(match plan.uses.get(name) {
            Some(cell) => {
                let read = cell.read(array.clone());
                let read = read.map_err(|cell| bad(cell.row, &cell.reason))?;
                if cell.cell_type == CellType::Quantity && read.null_count() > array.null_count() {
                    let lost = |row: &usize| read.is_null(*row) && array.is_valid(*row);
                    let row = (0..rows).find(lost).unwrap_or_default();
                    warn_of_lost(
                        plan,
                        file,
                        name,
                        first_row + row + 1,
                        &value_at(&array, row),
                    );
                }
                read
            }
            None => array,
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        plan.columns.clone(),
        columns,
        &options,
    )?)
}

/// Warns once of each column whose quantities do not fit.
fn warn_of_lost(plan: &ReadPlan, file: &OpenFile, column: &str, row: usize, value: &str) {
    let file = &file.file.name;
    if plan.warned.lock().insert(format!("{file}\0{column}")) {
        tracing::warn!(
            source = plan.source,
            file,
            column,
            row,
            value,
            "Quantities of 1e14 or more are left out"
        );
    }
}
