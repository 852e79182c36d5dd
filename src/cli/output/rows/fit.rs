//! Tables that fit the terminal: texts are cut, then columns left out. Numbers are never cut.

use std::borrow::Cow;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::display_text::{escape_controls, escape_controls_in_lines};
use crate::engine::text::{self, Cells};
use crate::error::Result;

/// Minimum width of a cut text; below it columns are left out.
const MIN_TEXT_WIDTH: usize = 16;
/// Width of a cell's padding and separator in a grid.
const GRID_OVERHEAD: usize = 3;
/// Cell, and header, of the columns left out.
const ELLIPSIS: &str = "…";

/// Column of a result as text.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) is_number: bool,
    pub(super) cells: Vec<String>,
}

impl Column {
    /// Returns the width of the name, which may have several lines, and all cells.
    pub(super) fn width(&self) -> usize {
        self.cells_width().max(self.name_width())
    }

    pub(super) fn cells_width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.width());
        cells.max().unwrap_or_default()
    }

    fn name_width(&self) -> usize {
        let lines = self.name.lines().map(|line| line.width());
        lines.max().unwrap_or_default()
    }

    /// Returns the width after cutting texts, and names of numbers, to `max_text`.
    fn width_within(&self, max_text: usize) -> usize {
        if self.is_number {
            self.cells_width().max(self.name_width().min(max_text))
        } else {
            self.width().min(max_text)
        }
    }

    fn cut(&mut self, max_text: usize) {
        let width = self.width_within(max_text);
        let lines: Vec<String> = self.name.lines().map(|line| cut(line, width)).collect();
        self.name = lines.join("\n");
        for cell in &mut self.cells {
            *cell = cut(cell, width);
        }
    }
}

/// Cuts a text to `max` terminal cells.
fn cut(text: &str, max: usize) -> String {
    if text.width() <= max {
        return text.to_string();
    }
    let mut remaining = max.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or_default();
        let fits = width <= remaining;
        remaining = remaining.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).collect::<String>() + ELLIPSIS
}

/// Returns rows as a grid; NULL is an empty cell.
pub(super) fn table(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    width: Option<usize>,
) -> Result<String> {
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    if names == ["plan_type", "plan"] {
        // EXPLAIN returns trees of lines.
        let columns = columns(schema, batches, escape_controls_in_lines)?;
        let plans = columns[0].cells.iter().zip(&columns[1].cells);
        return Ok(plans
            .map(|(kind, plan)| format!("{kind}:\n{plan}\n"))
            .collect());
    }
    let mut columns = columns(schema, batches, escape_controls)?;
    let all = columns.len();
    if let Some(width) = width {
        columns = fitted(columns, width.saturating_sub(1), GRID_OVERHEAD);
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let right: Vec<bool> = columns.iter().map(|column| column.is_number).collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let row = |at: usize| {
        columns
            .iter()
            .map(|column| column.cells[at].clone())
            .collect()
    };
    let mut out = text::table(&names, &right, (0..rows).map(row));
    let shown = columns.iter().filter(|column| !is_ellipsis(column)).count();
    if shown < all {
        out.push_str(&format!(
            "{shown} of {all} columns shown; select fewer, or use --format csv\n"
        ));
    }
    Ok(out)
}

/// Returns true for the column that stands for those that [`fitted`] left out.
pub(super) fn is_ellipsis(column: &Column) -> bool {
    column.name == ELLIPSIS
}

/// Returns the width of a table whose columns take `overhead` each beside their text.
pub(super) fn table_width(columns: &[Column], max_text: usize, overhead: usize) -> usize {
    let widths = columns
        .iter()
        .map(|column| column.width_within(max_text) + overhead);
    widths.sum()
}

/// Narrows columns to `width`: cuts texts, then leaves out columns from the middle, because keys are at the
/// start and figures at the end.
pub(super) fn fitted(mut columns: Vec<Column>, width: usize, overhead: usize) -> Vec<Column> {
    let ellipsis_width = overhead + 1;
    let mut gap = 0;
    let max_text = loop {
        let available = width.saturating_sub(gap);
        let widest = columns.iter().map(Column::width).max().unwrap_or_default();
        let fits = |max_text: &usize| table_width(&columns, *max_text, overhead) <= available;
        if let Some(max_text) = (MIN_TEXT_WIDTH.min(widest)..=widest).rev().find(fits) {
            break max_text;
        }
        if columns.len() == 1 {
            break available.saturating_sub(overhead).max(1);
        }
        columns.remove(columns.len() / 2);
        gap = ellipsis_width;
    };
    for column in &mut columns {
        column.cut(max_text);
    }
    if gap > 0 {
        let rows = columns.first().map_or(0, |column| column.cells.len());
        let ellipses = Column {
            name: ELLIPSIS.to_string(),
            is_number: false,
            cells: vec![ELLIPSIS.to_string(); rows],
        };
        columns.insert(columns.len().div_ceil(2), ellipses);
    }
    columns
}

/// Returns rows as a Markdown table.
pub(super) fn markdown(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String> {
    let columns = columns(schema, batches, escape_markdown_lines)?;
    let escaped = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('|', "\\|");
        text.replace('\n', "<br>")
    };
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = line(columns.iter().map(|column| escaped(&column.name)).collect());
    let rule = |column: &Column| if column.is_number { "---:" } else { "---" }.to_string();
    out.push_str(&line(columns.iter().map(rule).collect()));
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for at in 0..rows {
        out.push_str(&line(
            columns
                .iter()
                .map(|column| escaped(&column.cells[at]))
                .collect(),
        ));
    }
    Ok(out)
}

fn escape_markdown_lines(text: &str) -> Cow<'_, str> {
    match text.contains("\r\n") {
        true => Cow::Owned(escape_controls_in_lines(&text.replace("\r\n", "\n")).into_owned()),
        false => escape_controls_in_lines(text),
    }
}

/// Returns the exact cells of rows by column, with `escape` applied to texts and names.
pub(super) fn columns(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    escape: fn(&str) -> Cow<'_, str>,
) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = schema
        .fields()
        .iter()
        .map(|field| Column {
            name: escape(field.name()).into_owned(),
            is_number: field.data_type().is_numeric(),
            cells: Vec::new(),
        })
        .collect();
    for batch in batches {
        let cells = Cells::new(batch)?;
        for (at, column) in columns.iter_mut().enumerate() {
            let texts = (0..batch.num_rows()).map(|row| cells.text(row, at).unwrap_or_default());
            column
                .cells
                .extend(texts.map(|text| escape(&text).into_owned()));
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(words: Vec<String>, numbers: Vec<i64>) -> RecordBatch {
        let columns = (0..6).map(|at| {
            let array: ArrayRef = match at % 2 {
                0 => Arc::new(StringArray::from(words.clone())),
                _ => Arc::new(Int64Array::from(numbers.clone())),
            };
            (format!("column {at}"), array)
        });
        RecordBatch::try_from_iter(columns).unwrap()
    }

    proptest! {
        #[test]
        fn tables_are_never_wider_than_the_terminal(
            words in prop::collection::vec("(?s).{0,60}", 3),
            numbers in prop::collection::vec(any::<i64>(), 3),
            width in 60usize..200,
        ) {
            let batch = batch(words, numbers.clone());
            let out = table(&batch.schema(), &[batch], Some(width)).unwrap();
            for line in out.lines().filter(|line| line.starts_with(['│', '┌', '╞', '└'])) {
                prop_assert!(line.width() <= width, "{line}");
            }
            prop_assert_eq!(escape_controls_in_lines(&out), out.as_str());
        }
    }

    #[test]
    fn numbers_are_never_cut_and_hidden_columns_are_counted() {
        let batch = batch(
            vec!["a long text that is cut".into()],
            vec![1_234_567_890_123],
        );
        let within = |width| table(&batch.schema(), std::slice::from_ref(&batch), width).unwrap();
        let cut = within(Some(110));
        assert!(cut.contains("a long text that…"), "{cut}");
        assert!(!cut.contains("columns shown"), "{cut}");
        let fewer = within(Some(70));
        assert!(fewer.contains("1234567890123"), "{fewer}");
        assert!(fewer.contains("3 of 6 columns shown"), "{fewer}");
        let whole = within(None);
        assert!(!whole.contains('…'));
    }

    #[test]
    fn markdown_syntax_in_cells_is_escaped() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a|b\nc"), None]));
        let batch = RecordBatch::try_from_iter([("w|x", words)]).unwrap();
        assert_eq!(
            markdown(&batch.schema(), &[batch]).unwrap(),
            "| w\\|x |\n| --- |\n| a\\|b<br>c |\n|  |\n"
        );
    }
}
