//! Line items as CSV text: UTF-8, plain decimals, hours in ISO 8601, quotes only where needed.

use arrow::array::{Array, RecordBatch};

use crate::cloudzero::columns::{Column, Times, columns};
use crate::decimal;
use crate::error::Result;

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
/// Kind bug, for a column of a type that line items do not have.
pub fn write_rows(out: &mut Vec<u8>, batch: &RecordBatch, from: usize, to: usize) -> Result<()> {
    let columns = columns(batch)?;
    let mut times = Times::default();
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
                Column::Time(array) if array.is_valid(row) => times.write(out, array.value(row)),
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
