//! Line items as CSV: UTF-8, plain decimals, timestamps in ISO 8601, quotes only where needed.

use arrow::array::{Array, RecordBatch};

use crate::cloudzero::columns::{LineItemColumn, TimestampWriter, typed_columns};
use crate::decimal;
use crate::error::Result;

/// Appends the header line.
pub fn write_header<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = &'n str>) {
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, name);
    }
    out.push(b'\n');
}

/// Appends rows `from..to` of a batch of line items. Both NULL and empty text are written as an empty field.
///
/// # Errors
/// Kind `Bug` for a column of a type that line items do not have.
pub fn write_rows(out: &mut Vec<u8>, batch: &RecordBatch, from: usize, to: usize) -> Result<()> {
    let columns = typed_columns(batch)?;
    let mut timestamps = TimestampWriter::default();
    for row in from..to {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match column {
                LineItemColumn::Text(array) if array.is_valid(row) => {
                    write_text(out, array.value(row));
                }
                LineItemColumn::Number(array) if array.is_valid(row) => {
                    decimal::write_plain(out, array.value(row));
                }
                LineItemColumn::Time(array) if array.is_valid(row) => {
                    timestamps.write(out, array.value(row));
                }
                _ => {}
            }
        }
        out.push(b'\n');
    }
    Ok(())
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
