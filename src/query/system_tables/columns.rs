//! Columns and tables in memory.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::datasource::MemTable;

use crate::decimal;
use crate::error::{Error, Result};

/// A table of nullable columns.
pub(super) fn table<const N: usize>(columns: [(&'static str, ArrayRef); N]) -> Result<MemTable> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    memory_table(RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| failed(&e))?)
}

pub(super) fn memory_table(batch: RecordBatch) -> Result<MemTable> {
    MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(|e| failed(&e))
}

fn failed(e: &dyn std::fmt::Display) -> Error {
    Error::bug(format!("could not build a system table: {e}"))
}

pub(super) fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(super) fn booleans(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

pub(super) fn integers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(
        values
            .map(|value| value.and_then(|value| i64::try_from(value).ok()))
            .collect::<Int64Array>(),
    )
}

/// Amounts from their exact texts.
pub(super) fn amounts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let units = values.map(|text| decimal::parse(text?).ok().map(|parsed| parsed.units));
    Arc::new(
        units
            .collect::<Decimal128Array>()
            .with_data_type(decimal::TYPE),
    )
}

pub(super) fn dates(values: impl Iterator<Item = Option<NaiveDate>>) -> ArrayRef {
    let days = values
        .map(|day| day.and_then(|day| i32::try_from((day - NaiveDate::default()).num_days()).ok()));
    Arc::new(days.collect::<Date32Array>())
}

pub(super) fn timestamps(values: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let micros = values.map(|time| time.map(|time| time.timestamp_micros()));
    Arc::new(
        micros
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}
