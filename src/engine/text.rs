//! Rows as text: plain decimals, ISO 8601 times, tables with right-aligned numbers.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::display_text::escape_controls;
use crate::error::{Error, Result};

/// Renders a table; columns marked in `right` are right-aligned. Control characters and line breaks are escaped.
pub(crate) fn table(
    header: &[&str],
    right: &[bool],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let cell = |text: String, at: usize| {
        let alignment = if right.get(at) == Some(&true) {
            CellAlignment::Right
        } else {
            CellAlignment::Left
        };
        Cell::new(escape_controls(&text)).set_alignment(alignment)
    };
    table.set_header(
        header
            .iter()
            .enumerate()
            .map(|(at, name)| cell(name.to_string(), at)),
    );
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(|(at, text)| cell(text, at)));
    }
    format!("{table}\n")
}

/// Renders the rows of batches as a table; NULL is an empty cell.
pub(crate) fn batches_table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String> {
    let mut rows = Vec::new();
    for batch in batches {
        let cells = Cells::new(batch)?;
        let columns = 0..cells.width();
        rows.extend((0..batch.num_rows()).map(|row| {
            let text = |column| cells.text(row, column).unwrap_or_default();
            columns.clone().map(text).collect::<Vec<_>>()
        }));
    }
    let fields = schema.fields();
    let right: Vec<bool> = fields.iter().map(|f| f.data_type().is_numeric()).collect();
    let names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
    Ok(table(&names, &right, rows.into_iter()))
}

/// Cells of a batch as text.
pub struct Cells<'a> {
    columns: Vec<(ArrayFormatter<'a>, &'a ArrayRef)>,
}

impl<'a> Cells<'a> {
    /// Creates the cells of a batch. Decimals are plain, times ISO 8601.
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Cells<'a>> {
        let options = FormatOptions::new()
            .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"))
            .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
        let columns = batch
            .columns()
            .iter()
            .map(|column| {
                let formatter = ArrayFormatter::try_new(column.as_ref(), &options);
                formatter
                    .map(|formatter| (formatter, column))
                    .map_err(|e| Error::bug(format!("could not format a column: {e}")))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Cells { columns })
    }

    /// Text of a cell; `None` for NULL.
    pub(crate) fn text(&self, row: usize, column: usize) -> Option<String> {
        let (formatter, array) = &self.columns[column];
        // An array of the type Null has no bits for its NULLs.
        if array.is_null(row) || *array.data_type() == DataType::Null {
            return None;
        }
        let text = formatter.value(row).to_string();
        Some(match array.data_type() {
            data_type if data_type.is_decimal() && text.contains('.') => {
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            }
            _ => text,
        })
    }

    /// Cell as JSON. Decimals are strings, because JSON readers turn numbers into floats.
    pub(crate) fn json(&self, row: usize, column: usize) -> serde_json::Value {
        let Some(text) = self.text(row, column) else {
            return serde_json::Value::Null;
        };
        match self.columns[column].1.data_type() {
            DataType::Boolean => serde_json::Value::Bool(text == "true"),
            data_type if data_type.is_integer() || data_type.is_floating() => {
                serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
            }
            _ => serde_json::Value::String(text),
        }
    }

    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }
}
