//! Tables that fit where they are shown: texts are cut, then columns left out; numbers are never cut.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::engine::text::{self, Cells};
use crate::error::Result;

/// Texts and names are not cut below this; columns are left out instead.
const NARROWEST: usize = 16;

struct Column {
    name: String,
    is_number: bool,
    cells: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.width());
        cells.chain([self.name.width()]).max().unwrap_or_default()
    }

    /// Its width when everything that may be cut is at most `most` wide.
    fn width_within(&self, most: usize) -> usize {
        if self.is_number {
            let cells = self.cells.iter().map(|cell| cell.width());
            cells
                .max()
                .unwrap_or_default()
                .max(self.name.width().min(most))
        } else {
            self.width().min(most)
        }
    }

    fn cut(&mut self, most: usize) {
        let most = self.width_within(most);
        self.name = cut(&self.name, most);
        for cell in self.cells.iter_mut() {
            *cell = cut(cell, most);
        }
    }
}

/// A text of at most so many characters of a terminal.
fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_string();
    }
    let mut room = most.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or_default();
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The rows as a table; NULL is an empty cell.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch], width: Option<usize>) -> Result<String> {
    let mut columns = columns(schema, batches)?;
    if let [kind, plan] = columns.as_slice()
        && (kind.name.as_str(), plan.name.as_str()) == ("plan_type", "plan")
    {
        // EXPLAIN: trees of lines.
        let plans = kind.cells.iter().zip(&plan.cells);
        return Ok(plans
            .map(|(kind, plan)| format!("{kind}:\n{plan}\n"))
            .collect());
    }
    for cell in columns
        .iter_mut()
        .flat_map(|column| column.cells.iter_mut())
    {
        // A line break would break the table.
        if cell.contains(['\n', '\r', '\t']) {
            *cell = cell.replace(['\n', '\r', '\t'], " ");
        }
    }
    let all = columns.len();
    if let Some(width) = width {
        columns = fitted(columns, width);
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
    let shown = columns.iter().filter(|column| column.name != "…").count();
    if shown < all {
        out.push_str(&format!(
            "{shown} of {all} columns shown; name fewer of them, or use --format csv\n"
        ));
    }
    Ok(out)
}

fn total(columns: &[Column], most: usize) -> usize {
    let widths = columns.iter().map(|column| column.width_within(most) + 3);
    widths.sum::<usize>() + 1
}

/// Columns that fit: first texts are cut, then columns from the middle go, for keys stand at the front and
/// figures at the end.
fn fitted(mut columns: Vec<Column>, width: usize) -> Vec<Column> {
    const GAP: usize = 4;
    let mut left_out = 0;
    let most = loop {
        let room = width.saturating_sub(left_out);
        let widest = columns.iter().map(Column::width).max().unwrap_or_default();
        let fits = |most: &usize| total(&columns, *most) <= room;
        if let Some(most) = (NARROWEST.min(widest)..=widest).rev().find(fits) {
            break most;
        }
        if columns.len() == 1 {
            break room.saturating_sub(GAP).max(1);
        }
        columns.remove(columns.len() / 2);
        left_out = GAP;
    };
    for column in &mut columns {
        column.cut(most);
    }
    if left_out > 0 {
        let rows = columns.first().map_or(0, |column| column.cells.len());
        let gap = Column {
            name: "…".to_string(),
            is_number: false,
            cells: vec!["…".to_string(); rows],
        };
        columns.insert(columns.len().div_ceil(2), gap);
    }
    columns
}

/// The rows as a table in Markdown.
pub fn markdown(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String> {
    let columns = columns(schema, batches)?;
    let escaped = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('|', "\\|");
        text.replace("\r\n", "<br>").replace(['\n', '\r'], "<br>")
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

fn columns(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = schema
        .fields()
        .iter()
        .map(|field| Column {
            name: field.name().clone(),
            is_number: field.data_type().is_numeric(),
            cells: Vec::new(),
        })
        .collect();
    for batch in batches {
        let cells = Cells::new(batch)?;
        for (at, column) in columns.iter_mut().enumerate() {
            let texts = (0..batch.num_rows()).map(|row| cells.text(row, at).unwrap_or_default());
            column.cells.extend(texts);
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
        fn a_table_is_never_wider_than_it_may_be(
            words in prop::collection::vec("\\PC{0,60}", 3),
            numbers in prop::collection::vec(any::<i64>(), 3),
            width in 60usize..200,
        ) {
            let batch = batch(words, numbers.clone());
            let out = table(&batch.schema(), &[batch], Some(width)).unwrap();
            for line in out.lines().filter(|line| line.starts_with(['│', '┌', '╞', '└'])) {
                prop_assert!(line.width() <= width, "{line}");
            }
        }
    }

    #[test]
    fn numbers_are_not_cut_and_what_is_left_out_is_said() {
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
    fn markdown_escapes_its_own_signs() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a|b\nc"), None]));
        let batch = RecordBatch::try_from_iter([("w|x", words)]).unwrap();
        assert_eq!(
            markdown(&batch.schema(), &[batch]).unwrap(),
            "| w\\|x |\n| --- |\n| a\\|b<br>c |\n|  |\n"
        );
    }
}
