//! Line items as the JSON rows of CloudZero's Stream API: every value a text, empty columns left out.
//!
//! Numbers are plain decimals with a sign where they have one. The pattern in CloudZero's published
//! schema has no sign; its guide and its own adaptors send negative discounts and credits, without
//! which a bill could not be delivered at all, so the guide is followed (source: CloudZero, "Connect
//! via REST API").

use arrow::array::{Array, RecordBatch};

use crate::cloudzero::columns::{Column, Times, columns};
use crate::decimal;
use crate::error::{Error, Result};

/// Writes each row of a batch of line items and hands its hour (microseconds since 1970) and its
/// JSON text to `each`.
///
/// # Errors
/// Kind bug, for a batch that does not hold line items; else those of `each`.
pub fn each_row(batch: &RecordBatch, mut each: impl FnMut(i64, &[u8]) -> Result<()>) -> Result<()> {
    let schema = batch.schema();
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| serde_json::Value::from(field.name().as_str()).to_string())
        .collect();
    let columns = columns(batch)?;
    let start = schema
        .index_of("time/usage_start")
        .ok()
        .and_then(|at| match columns.get(at) {
            Some(Column::Time(starts)) => Some(*starts),
            _ => None,
        })
        .ok_or_else(|| Error::bug("line items without time/usage_start"))?;
    let mut times = Times::default();
    let mut text = Vec::with_capacity(1024);
    for row in 0..batch.num_rows() {
        text.clear();
        text.push(b'{');
        for (name, column) in names.iter().zip(&columns) {
            let before = text.len();
            if before > 1 {
                text.push(b',');
            }
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            let written = match column {
                Column::Text(array) if array.is_valid(row) && !array.value(row).is_empty() => {
                    // Writing to memory cannot fail.
                    serde_json::to_writer(&mut text, array.value(row)).is_ok()
                }
                Column::Number(array) if array.is_valid(row) => {
                    text.push(b'"');
                    decimal::write_plain(&mut text, array.value(row));
                    text.push(b'"');
                    true
                }
                Column::Time(array) if array.is_valid(row) => {
                    text.push(b'"');
                    times.write(&mut text, array.value(row));
                    text.push(b'"');
                    true
                }
                _ => false,
            };
            if !written {
                text.truncate(before);
            }
        }
        text.push(b'}');
        each(start.value(row), &text)?;
    }
    Ok(())
}
