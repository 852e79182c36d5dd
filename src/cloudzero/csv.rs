//! Line items as CSV text: UTF-8, plain decimals, hours in ISO 8601, quotes only where needed.

use arrow::array::{
    Array, AsArray, Decimal128Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, TimestampMicrosecondType};
use chrono::DateTime;

use crate::decimal;
use crate::error::{Error, Result};

enum Column<'a> {
    Text(&'a StringViewArray),
    Number(&'a Decimal128Array),
    Time(&'a TimestampMicrosecondArray),
}

/// Appends the header line.
pub fn write_header<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = &'n str>) {
    for (at, name) in names.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(out, name);
    }
    out.push(b'\n');
}

/// Appends rows `from..to` of a batch of line items. NULL and empty text are both empty.
///
/// # Errors
/// Class bug, for a column of a type that line items do not have.
pub fn write_rows(out: &mut Vec<u8>, batch: &RecordBatch, from: usize, to: usize) -> Result<()> {
    let columns = batch
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
                .ok_or_else(|| Error::bug(format!("CSV column `{}`", field.name()))),
            other => Err(Error::bug(format!(
                "CSV column `{}` is {other}",
                field.name()
            ))),
        })
        .collect::<Result<Vec<_>>>()?;
    let mut hour = Hour::default();
    for row in from..to {
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            match column {
                Column::Text(array) if array.is_valid(row) => write_text(out, array.value(row)),
                Column::Number(array) if array.is_valid(row) => {
                    decimal::write_plain(out, array.value(row));
                }
                Column::Time(array) if array.is_valid(row) => hour.write(out, array.value(row)),
                _ => {}
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

/// The text of the last times written: a month has few.
#[derive(Default)]
struct Hour {
    recent: [Option<(i64, String)>; 2],
    next: usize,
}

impl Hour {
    fn write(&mut self, out: &mut Vec<u8>, micros: i64) {
        let known = self
            .recent
            .iter()
            .flatten()
            .find(|(value, _)| *value == micros);
        if let Some((_, text)) = known {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let text = DateTime::from_timestamp_micros(micros)
            .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
            .unwrap_or_default();
        out.extend_from_slice(text.as_bytes());
        self.recent[self.next] = Some((micros, text));
        self.next = (self.next + 1) % self.recent.len();
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if !bytes
        .iter()
        .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
    {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for &byte in bytes {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
