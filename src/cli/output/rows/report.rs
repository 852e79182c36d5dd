//! Reports as tables for people: amounts with two decimals, words as headers, totals.

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::cli::output::money::{self, Precision};
use crate::cli::output::rows::fit::{self, Column};
use crate::cli::output::table::{self, Table, money_header};
use crate::display_text::escape_controls;
use crate::error::Result;

/// Widest table where there is no terminal whose width counts.
const DEFAULT_WIDTH: usize = 120;
/// Width below which texts are not cut as long as there are secondary columns.
const READABLE_TEXT: usize = 32;
/// Decimals of a column of percentages.
const PERCENT_SCALE: i8 = 2;

/// Layout of the rows of a report.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReportLayout {
    /// Columns of amounts.
    pub(crate) money: Vec<String>,
    /// Columns that a row of totals adds up.
    pub(crate) totals: Vec<String>,
    /// Currency of the amounts, if it is known.
    pub(crate) currency: Option<String>,
    /// Columns that a narrow table leaves out, the first of these first.
    pub(crate) secondary: Vec<String>,
    /// Moves columns with the same text in all rows above the table.
    pub(crate) folds_constants: bool,
    /// Precision of all numbers.
    pub(crate) precision: Precision,
}

impl ReportLayout {
    /// Returns the rows as a table, narrowed to `width`.
    pub(crate) fn table(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
        width: Option<usize>,
    ) -> Result<String> {
        let mut columns = fit::columns(schema, batches, escape_controls)?;
        let row_count = columns.first().map_or(0, |column| column.cells.len());
        let totals: Vec<Option<String>> = columns.iter().map(|column| self.total(column)).collect();
        let has_totals = row_count > 1 && totals.iter().any(Option::is_some);
        let mut currency = self.currency.as_deref();
        for ((column, field), total) in columns.iter_mut().zip(schema.fields()).zip(totals) {
            if has_totals {
                column.cells.push(total.unwrap_or_default());
            }
            let is_money = self.money.contains(&column.name);
            for cell in &mut column.cells {
                *cell = self.cell(cell, field.data_type(), is_money);
            }
            column.name = column.name.replace('_', " ");
            if is_money {
                column.name = money_header(&column.name, currency.take());
            }
        }
        let constants = if self.folds_constants {
            fold_constants(&mut columns, row_count)
        } else {
            String::new()
        };
        if has_totals
            && let Some(first) = columns.first_mut()
            && !first.is_number
            && let Some(label) = first.cells.last_mut()
        {
            *label = format!("Total ({row_count} rows)");
        }
        let width = width.or((self.precision == Precision::Rounded).then_some(DEFAULT_WIDTH));
        let mut hidden = String::new();
        if let Some(width) = width {
            (columns, hidden) = self.fitted(columns, width);
        }
        let mut table = Table::new(columns.iter().map(header).collect());
        for at in 0..row_count {
            table.row(columns.iter().map(|c| c.cells[at].clone()).collect());
        }
        if has_totals {
            table.total(columns.iter().map(|c| c.cells[row_count].clone()).collect());
        }
        Ok(format!("{constants}{}{hidden}", table.render(None)))
    }

    /// Narrows a table: wraps headers, leaves out secondary columns, then cuts texts. Returns a note about
    /// columns that were left out.
    fn fitted(&self, mut columns: Vec<Column>, width: usize) -> (Vec<Column>, String) {
        // The last column is followed by no gap.
        let width = width + table::GAP;
        let fits = |columns: &[Column], max_text: usize| {
            fit::table_width(columns, max_text, table::GAP) <= width
        };
        if !fits(&columns, usize::MAX) {
            for column in &mut columns {
                column.name = table::wrap_header(&column.name, column.cells_width());
            }
        }
        let all = columns.len();
        let mut hidden = Vec::new();
        for name in &self.secondary {
            let name = name.replace('_', " ");
            let is_column = |column: &Column| self.plain_name(column) == name;
            if let Some(at) = columns.iter().position(is_column)
                && !fits(&columns, READABLE_TEXT)
            {
                let removed = columns.remove(at);
                if removed.name.replace('\n', " ") != name {
                    self.name_currency(&mut columns);
                }
                hidden.push(name);
            }
        }
        let named = columns.len();
        let columns = fit::fitted(columns, width, table::GAP);
        let shown = columns.iter().filter(|column| !fit::is_ellipsis(column));
        let shown = shown.count();
        let names = format!("not shown: {} (see --format csv)\n", hidden.join(", "));
        let note = if shown == all {
            String::new()
        } else if shown == named && names.len() <= width {
            names
        } else {
            format!("{shown} of {all} columns shown (see --format csv)\n")
        };
        (columns, note)
    }

    /// Returns the name of a column without line breaks and currency.
    fn plain_name(&self, column: &Column) -> String {
        let name = column.name.replace('\n', " ");
        let suffix = money_header("", self.currency.as_deref());
        match name.strip_suffix(&suffix) {
            Some(plain) if !suffix.is_empty() => plain.to_string(),
            _ => name,
        }
    }

    /// Adds the currency to the first column of amounts, after the one that had it was left out.
    fn name_currency(&self, columns: &mut [Column]) {
        let is_money = |column: &&mut Column| {
            let name = self.plain_name(column).replace(' ', "_");
            self.money.contains(&name)
        };
        if let Some(column) = columns.iter_mut().find(is_money) {
            let name = money_header(&self.plain_name(column), self.currency.as_deref());
            column.name = table::wrap_header(&name, column.cells_width());
        }
    }

    /// Returns the exact sum of a column that has one; NULL counts as 0.
    fn total(&self, column: &Column) -> Option<String> {
        if !self.totals.contains(&column.name) {
            return None;
        }
        let cells = column.cells.iter().map(String::as_str);
        money::sum(cells.filter(|cell| !cell.is_empty()))
    }

    fn cell(&self, exact: &str, data_type: &DataType, is_money: bool) -> String {
        match data_type {
            _ if exact.is_empty() => String::new(),
            data_type if data_type.is_integer() && self.precision == Precision::Rounded => {
                exact.parse().map_or(exact.to_string(), money::count)
            }
            DataType::Decimal128(_, PERCENT_SCALE) => self.precision.money(exact),
            data_type if data_type.is_decimal() && is_money => self.precision.money(exact),
            data_type if data_type.is_decimal() => self.precision.quantity(exact),
            _ => exact.to_string(),
        }
    }
}

fn header(column: &Column) -> table::Column {
    if column.is_number {
        table::Column::number(column.name.clone())
    } else {
        table::Column::text(column.name.clone())
    }
}

/// Removes columns of text with one value in all of several rows, and returns these as a line.
fn fold_constants(columns: &mut Vec<Column>, row_count: usize) -> String {
    if row_count < 2 {
        return String::new();
    }
    let mut constants = Vec::new();
    columns.retain(|column| {
        let cells = &column.cells[..row_count];
        let is_constant = !column.is_number && cells.iter().all(|cell| *cell == cells[0]);
        if is_constant && !cells[0].is_empty() {
            constants.push(format!("{}: {}", column.name, cells[0]));
        }
        !is_constant
    });
    if constants.is_empty() {
        return String::new();
    }
    format!("{}\n\n", constants.join(" · "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};

    use super::*;
    use crate::decimal;

    fn decimals(texts: &[&str], scale: i8) -> ArrayRef {
        let unit = 10i128.pow(u32::from((decimal::SCALE - scale).unsigned_abs()));
        let units = texts
            .iter()
            .map(|text| Some(decimal::parse(text).unwrap().units / unit));
        let array: Decimal128Array = units.collect();
        Arc::new(array.with_precision_and_scale(38, scale).unwrap())
    }

    fn batch() -> RecordBatch {
        let items: ArrayRef = Arc::new(StringArray::from(vec!["Kafka", "Flink"]));
        let kinds: ArrayRef = Arc::new(StringArray::from(vec!["Usage", "Usage"]));
        let days: ArrayRef = Arc::new(Int64Array::from(vec![30, 1200]));
        RecordBatch::try_from_iter([
            ("item", items),
            ("line_item_type", kinds),
            ("days", days),
            ("billed_cost", decimals(&["1234.565", "0.005"], 24)),
            ("unit_price", decimals(&["0.00001234567", "2"], 24)),
            ("percent", decimals(&["99.9", "0.1"], 2)),
        ])
        .unwrap()
    }

    fn layout() -> ReportLayout {
        ReportLayout {
            money: vec!["billed_cost".into()],
            totals: vec!["billed_cost".into(), "percent".into()],
            currency: Some("USD".into()),
            ..ReportLayout::default()
        }
    }

    #[test]
    fn amounts_have_two_decimals_and_totals_are_sums_of_exact_amounts() {
        let batch = batch();
        let shown = layout().table(&batch.schema(), &[batch], None).unwrap();
        let rule = "─".repeat(79);
        let expected = format!(
            "\
item            line item type   days  billed cost (USD)    unit price  percent
{rule}
Kafka           Usage              30           1,234.56  0.0000123457    99.90
Flink           Usage           1,200               0.00             2     0.10
{rule}
Total (2 rows)                                  1,234.57                 100.00
"
        );
        assert_eq!(shown, expected, "{shown}");
    }

    #[test]
    fn exact_layouts_show_all_digits() {
        let batch = batch();
        let exact = ReportLayout {
            precision: Precision::Exact,
            ..layout()
        };
        let shown = exact.table(&batch.schema(), &[batch], None).unwrap();
        for digits in ["1234.565 ", "1234.57 ", "0.00001234567", "1200"] {
            assert!(shown.contains(digits), "{digits} is missing:\n{shown}");
        }
    }

    #[test]
    fn constant_columns_move_above_the_table() {
        let batch = batch();
        let folding = ReportLayout {
            folds_constants: true,
            ..layout()
        };
        let shown = folding.table(&batch.schema(), &[batch], None).unwrap();
        assert!(
            shown.starts_with("line item type: Usage\n\nitem            "),
            "{shown}"
        );
    }

    #[test]
    fn a_narrow_table_leaves_out_secondary_columns_and_keeps_the_currency() {
        let item: ArrayRef = Arc::new(StringArray::from(vec!["kafka-cluster/lkc-1a2b3c4d5e6f7"]));
        let rows = RecordBatch::try_from_iter([
            ("item", item),
            ("list_cost", decimals(&["1000"], 24)),
            ("billed_cost", decimals(&["900"], 24)),
        ])
        .unwrap();
        let layout = ReportLayout {
            money: vec!["list_cost".into(), "billed_cost".into()],
            secondary: vec!["list_cost".into()],
            currency: Some("USD".into()),
            ..ReportLayout::default()
        };
        let table = layout.table(&rows.schema(), &[rows], Some(48)).unwrap();
        assert!(table.contains("not shown: list cost"), "{table}");
        assert!(table.contains("cost (USD)"), "{table}");
        assert!(
            !table.contains("1,000.00") && table.contains("900.00"),
            "{table}"
        );
    }
}
