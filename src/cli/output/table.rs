//! Tables of summaries: columns by position, no frame, a rule under the header and above the totals.

use unicode_width::UnicodeWidthStr;

use crate::display_text::{escape_controls, escape_controls_in_lines};

/// Space between two columns.
pub(crate) const GAP: usize = 2;
/// Cell without a value.
pub(crate) const NONE: &str = "-";

/// Column of a [`Table`].
#[derive(Debug, Clone)]
pub(crate) struct Column {
    header: String,
    is_number: bool,
    is_detail: bool,
}

impl Column {
    /// Column of text, aligned to the left.
    pub(crate) fn text(header: impl Into<String>) -> Column {
        Column {
            // Wrapped headers have line breaks.
            header: escape_controls_in_lines(&header.into()).into_owned(),
            is_number: false,
            is_detail: false,
        }
    }

    /// Column of numbers, aligned to the right.
    pub(crate) fn number(header: impl Into<String>) -> Column {
        Column {
            is_number: true,
            ..Column::text(header)
        }
    }

    /// Marks a column that a narrow terminal does not show.
    pub(crate) fn detail(self) -> Column {
        Column {
            is_detail: true,
            ..self
        }
    }
}

/// Breaks a header into two lines if that makes its column, whose cells are `cells` wide, narrower.
pub(crate) fn wrap_header(header: &str, cells: usize) -> String {
    let breaks = header.match_indices(' ').map(|(at, _)| at);
    let wrapped = breaks.map(|at| (&header[..at], &header[at + 1..]));
    let narrowest = wrapped.min_by_key(|(first, second)| first.width().max(second.width()));
    match narrowest {
        Some((first, second)) if header.width() > cells => format!("{first}\n{second}"),
        _ => header.to_string(),
    }
}

/// Header of an amount, with its currency where all amounts of the table share one.
pub(crate) fn money_header(name: &str, currency: Option<&str>) -> String {
    match currency {
        Some(currency) => format!("{name} ({currency})"),
        None => name.to_string(),
    }
}

/// Rows under a header, and totals.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    totals: Vec<Vec<String>>,
}

impl Table {
    /// Table without rows. Every row has one cell per column.
    pub(crate) fn new(columns: Vec<Column>) -> Table {
        Table {
            columns,
            rows: Vec::new(),
            totals: Vec::new(),
        }
    }

    /// Adds a row. Control characters and line breaks of its cells are escaped.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(escaped(cells));
    }

    /// Adds a row below the rule.
    pub(crate) fn total(&mut self, cells: Vec<String>) {
        self.totals.push(escaped(cells));
    }

    /// Returns the text. Within `width` the last details are left out, as many as necessary.
    pub(crate) fn render(&self, width: Option<usize>) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let mut hidden = Vec::new();
        while let Some(width) = width
            && line_width(&widths, &shown) > width
            && let Some(last) = shown.iter().rposition(|at| self.columns[*at].is_detail)
        {
            hidden.insert(0, self.columns[shown.remove(last)].header.as_str());
        }
        let rule = "─".repeat(line_width(&widths, &shown)) + "\n";
        let mut out = String::new();
        let headers = self.columns.iter().map(|column| column.header.lines());
        let headers: Vec<Vec<&str>> = headers.map(Iterator::collect).collect();
        let height = headers.iter().map(Vec::len).max().unwrap_or_default();
        for line in 0..height {
            // Short headers are at the bottom, next to their cells.
            let part = |at: usize| {
                let above = height - headers[at].len();
                let part = line.checked_sub(above).map(|line| headers[at][line]);
                part.unwrap_or_default().to_string()
            };
            out.push_str(&self.line(&widths, &shown, part));
        }
        out.push_str(&rule);
        let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
        for row in &self.rows {
            out.push_str(&self.line(&widths, &shown, |at| cell(row, at)));
        }
        if !self.totals.is_empty() {
            out.push_str(&rule);
        }
        for row in &self.totals {
            out.push_str(&self.line(&widths, &shown, |at| cell(row, at)));
        }
        if !hidden.is_empty() {
            out.push_str(&format!("not shown: {}\n", hidden.join(", ")));
        }
        out
    }

    fn width(&self, at: usize) -> usize {
        let rows = self.rows.iter().chain(&self.totals);
        let cells = rows.filter_map(|row| row.get(at)).map(|cell| cell.width());
        let header = self.columns[at].header.lines().map(|line| line.width());
        cells.chain(header).max().unwrap_or_default()
    }

    fn line(&self, widths: &[usize], shown: &[usize], cell: impl Fn(usize) -> String) -> String {
        let mut line = String::new();
        for (position, at) in shown.iter().enumerate() {
            let text = cell(*at);
            let padding = " ".repeat(widths[*at].saturating_sub(text.width()));
            if position > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            if self.columns[*at].is_number {
                line.extend([padding, text]);
            } else {
                line.extend([text, padding]);
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

fn line_width(widths: &[usize], shown: &[usize]) -> usize {
    let columns: usize = shown.iter().map(|at| widths[*at]).sum();
    columns + GAP * shown.len().saturating_sub(1)
}

fn escaped(cells: Vec<String>) -> Vec<String> {
    let cells = cells.into_iter();
    cells
        .map(|cell| escape_controls(&cell).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::text("period"),
            Column::number("net (USD)"),
            Column::text("status"),
            Column::number("costs").detail(),
            Column::number("line items").detail(),
        ]);
        for (period, net) in [("2026-09", "33,692.16"), ("2026-10", "5.00")] {
            let cells = [period, net, "published", "1,860", "3,037"];
            table.row(cells.map(str::to_string).to_vec());
        }
        let cells = ["Total", "33,697.16", "", "3,720", "6,074"];
        table.total(cells.map(str::to_string).to_vec());
        table
    }

    #[test]
    fn aligns_numbers_to_the_right_and_separates_totals() {
        let rule = "─".repeat(48);
        let expected = format!(
            "\
period   net (USD)  status     costs  line items
{rule}
2026-09  33,692.16  published  1,860       3,037
2026-10       5.00  published  1,860       3,037
{rule}
Total    33,697.16             3,720       6,074
"
        );
        assert_eq!(table().render(None), expected);
        assert_eq!(table().render(Some(48)), expected);
    }

    #[test]
    fn narrow_terminals_lose_the_last_details_and_are_told_which() {
        let shown = table().render(Some(47));
        assert!(shown.contains("costs\n"), "{shown}");
        assert!(shown.ends_with("not shown: line items\n"), "{shown}");
        let shown = table().render(Some(10));
        assert!(shown.starts_with("period   net (USD)  status\n"), "{shown}");
        assert!(shown.ends_with("not shown: costs, line items\n"), "{shown}");
    }

    #[test]
    fn wrapped_headers_end_next_to_their_cells() {
        assert_eq!(wrap_header("billed cost (USD)", 9), "billed\ncost (USD)");
        assert_eq!(wrap_header("billed cost", 11), "billed cost");
        assert_eq!(wrap_header("difference", 4), "difference");
        let mut table = Table::new(vec![
            Column::text("item"),
            Column::number(wrap_header("previous cost", 4)),
        ]);
        table.row(vec!["Kafka".into(), "1.00".into()]);
        assert_eq!(
            table.render(None),
            "       previous\nitem       cost\n───────────────\nKafka      1.00\n"
        );
    }

    #[test]
    fn hostile_cells_break_neither_rows_nor_the_terminal() {
        let mut table = Table::new(vec![Column::text("a\u{1b}"), Column::text("b")]);
        table.row(vec!["x\ny".into(), "\u{1b}[2J\u{202e}z".into()]);
        table.row(vec!["x".into(), "z".into()]);
        let shown = table.render(None);
        assert_eq!(shown.lines().count(), 4);
        assert!(
            shown.contains("x\\ny     \\u{1b}[2J\\u{202e}z\n"),
            "{shown}"
        );
        assert!(shown.contains("x        z\n"), "{shown}");
    }
}
