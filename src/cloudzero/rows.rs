//! Line items as the JSON rows of CloudZero's Stream API: every value is a string, empty columns are omitted.
//!
//! Numbers are plain decimals with a sign where they are negative. The pattern in CloudZero's published schema
//! forbids a sign; its guide and its own adaptors send negative discounts and credits, without which a bill
//! could not be delivered, so this crate follows the guide (source: CloudZero, "Connect via REST API").

use arrow::array::{Array, RecordBatch};

use crate::cloudzero::columns::{LineItemColumn, TimestampWriter, typed_columns};
use crate::decimal;
use crate::error::{Error, Result};

/// Encodes each row of a batch of line items and passes its start (microseconds since 1970) and its JSON to
/// `each`.
///
/// # Errors
/// Kind `Bug` for a batch without line items' columns; otherwise the first error of `each`.
pub fn each_row(batch: &RecordBatch, mut each: impl FnMut(i64, &[u8]) -> Result<()>) -> Result<()> {
    let schema = batch.schema();
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| serde_json::Value::from(field.name().as_str()).to_string())
        .collect();
    let columns = typed_columns(batch)?;
    let start = schema
        .index_of("time/usage_start")
        .ok()
        .and_then(|index| match columns.get(index) {
            Some(LineItemColumn::Time(starts)) => Some(*starts),
            _ => None,
        })
        .ok_or_else(|| Error::bug("line items without time/usage_start"))?;
    let mut timestamps = TimestampWriter::default();
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
            if !write_value(&mut text, column, row, &mut timestamps) {
                text.truncate(before);
            }
        }
        text.push(b'}');
        each(start.value(row), &text)?;
    }
    Ok(())
}

/// Appends a value as a JSON string. Returns false, with part of `text` to be discarded, if it is empty.
fn write_value(
    text: &mut Vec<u8>,
    column: &LineItemColumn<'_>,
    row: usize,
    timestamps: &mut TimestampWriter,
) -> bool {
    match column {
        LineItemColumn::Text(array) if array.is_valid(row) && !array.value(row).is_empty() => {
            // Writing to memory cannot fail.
            serde_json::to_writer(text, array.value(row)).is_ok()
        }
        LineItemColumn::Number(array) if array.is_valid(row) => {
            text.push(b'"');
            decimal::write_plain(text, array.value(row));
            text.push(b'"');
            true
        }
        LineItemColumn::Time(array) if array.is_valid(row) => {
            text.push(b'"');
            timestamps.write(text, array.value(row));
            text.push(b'"');
            true
        }
        _ => false,
    }
}
