//! Typed access to the columns of line item batches, and their timestamps as text.

use arrow::array::{
    Array, AsArray, Decimal128Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, TimestampMicrosecondType};
use chrono::DateTime;

use crate::decimal;
use crate::error::{Error, Result};

/// Microseconds of a second.
pub(crate) const SECOND_MICROS: i64 = 1_000_000;
/// Microseconds of an hour.
pub(crate) const HOUR_MICROS: i64 = 3_600_000_000;

/// One column of a batch of line items.
pub(crate) enum LineItemColumn<'a> {
    /// `Utf8View`.
    Text(&'a StringViewArray),
    /// `Decimal128(38, 24)`.
    Number(&'a Decimal128Array),
    /// Microseconds in UTC.
    Time(&'a TimestampMicrosecondArray),
}

/// Returns the columns of a batch in order.
///
/// # Errors
/// Kind `Bug` for a column of another type.
pub(crate) fn typed_columns(batch: &RecordBatch) -> Result<Vec<LineItemColumn<'_>>> {
    let typed = batch
        .columns()
        .iter()
        .zip(batch.schema_ref().fields())
        .map(|(array, field)| match array.data_type() {
            DataType::Utf8View => Ok(LineItemColumn::Text(array.as_string_view())),
            DataType::Decimal128(_, decimal::SCALE) => Ok(LineItemColumn::Number(
                array.as_primitive::<Decimal128Type>(),
            )),
            DataType::Timestamp(_, _) => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .map(LineItemColumn::Time)
                .ok_or_else(|| {
                    let name = field.name();
                    Error::bug(format!("line item column `{name}` is not in microseconds"))
                }),
            other => Err(Error::bug(format!(
                "line item column `{}` is {other}",
                field.name()
            ))),
        });
    typed.collect()
}

/// Writes timestamps, and keeps the text of the last two: a row has a start and an end, and most rows of a
/// batch share them.
#[derive(Default)]
pub(crate) struct TimestampWriter {
    recent: [Option<(i64, String)>; 2],
    next: usize,
}

impl TimestampWriter {
    /// Appends `micros` (microseconds since 1970) as `2026-10-01T00:00:00Z`.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, micros: i64) {
        let cached = self
            .recent
            .iter()
            .flatten()
            .find(|(value, _)| *value == micros);
        if let Some((_, text)) = cached {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let text = format_timestamp(micros);
        out.extend_from_slice(text.as_bytes());
        self.recent[self.next] = Some((micros, text));
        self.next = (self.next + 1) % self.recent.len();
    }
}

/// Formats microseconds since 1970 as `2026-10-01T00:00:00Z`.
pub(crate) fn format_timestamp(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// Parses what [`format_timestamp`] writes, to seconds since 1970.
pub(crate) fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp())
}

/// Returns the day of a timestamp, such as `2026-10-01`.
pub(crate) fn day_of(micros: i64) -> String {
    format_timestamp(micros).chars().take(10).collect()
}

/// Rounds a timestamp down to its hour.
pub(crate) fn hour_start(micros: i64) -> i64 {
    micros.div_euclid(HOUR_MICROS) * HOUR_MICROS
}
