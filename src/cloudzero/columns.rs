//! Batches of line items, column by column, and their values as text.

use arrow::array::{
    Array, AsArray, Decimal128Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, TimestampMicrosecondType};
use chrono::DateTime;

use crate::decimal;
use crate::error::{Error, Result};

/// A column of line items.
pub enum Column<'a> {
    /// `Utf8View`.
    Text(&'a StringViewArray),
    /// `Decimal128(38, 24)`.
    Number(&'a Decimal128Array),
    /// Microseconds in UTC.
    Time(&'a TimestampMicrosecondArray),
}

/// The columns of a batch, in its order.
///
/// # Errors
/// Kind bug, for a column of a type that line items do not have.
pub fn columns(batch: &RecordBatch) -> Result<Vec<Column<'_>>> {
    let typed = batch
        .columns()
        .iter()
        .zip(batch.schema_ref().fields())
        .map(|(array, field)| match array.data_type() {
            DataType::Utf8View => Ok(Column::Text(array.as_string_view())),
            DataType::Decimal128(_, decimal::SCALE) => {
                Ok(Column::Number(array.as_primitive::<Decimal128Type>()))
            }
            DataType::Timestamp(_, _) => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .map(Column::Time)
                .ok_or_else(|| Error::bug(format!("line item column `{}`", field.name()))),
            other => Err(Error::bug(format!(
                "line item column `{}` is {other}",
                field.name()
            ))),
        });
    typed.collect()
}

/// The text of the last times written: a month has few.
#[derive(Default)]
pub struct Times {
    recent: [Option<(i64, String)>; 2],
    next: usize,
}

impl Times {
    /// Appends a time (microseconds since 1970) as `2026-10-01T00:00:00Z`.
    pub fn write(&mut self, out: &mut Vec<u8>, micros: i64) {
        let known = self
            .recent
            .iter()
            .flatten()
            .find(|(value, _)| *value == micros);
        if let Some((_, text)) = known {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let text = iso(micros);
        out.extend_from_slice(text.as_bytes());
        self.recent[self.next] = Some((micros, text));
        self.next = (self.next + 1) % self.recent.len();
    }
}

/// A time (microseconds since 1970) as `2026-10-01T00:00:00Z`.
pub fn iso(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
