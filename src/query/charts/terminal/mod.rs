//! A chart as lines of text: bars, or a sparkline a series.

mod bars;
mod sparklines;

use ratatui_core::style::{Color, Style};

use crate::query::charts::figures::{figure, short};
use crate::query::charts::row::{Row, columns};
use crate::query::charts::{Chart, Kind, Number};

// Terminals map these to their theme.
const POSITIVE: Style = Style::new().fg(Color::Indexed(6));
const NEGATIVE: Style = Style::new().fg(Color::Indexed(1));
const FAINT: Style = Style::new().dim();

/// The chart as lines of at most `width` (20 to 300) columns, each ended by a newline.
pub fn terminal(chart: &Chart, width: u16, colours: bool) -> String {
    let (chart, width) = (chart.tidy(), width.clamp(20, 300));
    let title = (chart.title.clone(), Style::new().bold());
    let heading = [title, (chart.caption(), FAINT), (String::new(), FAINT)];
    let mut rows: Vec<Row> = Vec::new();
    for (text, style) in heading {
        if !text.is_empty() || !rows.is_empty() {
            rows.push(Row::new(width).left(0, width, &text, style));
        }
    }
    let places = chart.places();
    match &chart.kind {
        _ if chart.is_empty() => rows.push(Row::new(width).left(0, width, "no data", FAINT)),
        Kind::Bars(bars) => rows.extend(bars::rows(bars, places, width)),
        Kind::Lines { x, series } => rows.extend(sparklines::rows(x, series, places, width)),
    }
    let lines = rows.iter().map(|row| row.text(colours) + "\n");
    lines.collect()
}

/// The figures of a column; short ones where the exact ones take more than half of the width.
fn column(numbers: &[Option<&Number>], places: usize, width: u16) -> Vec<String> {
    let text = |form: &dyn Fn(&Number) -> String| -> Vec<String> {
        let absent = || "–".to_owned();
        let texts = numbers.iter().map(|n| n.map_or_else(absent, form));
        texts.collect()
    };
    let exact = text(&|number| figure(&number.text, places));
    match widest(&exact) <= (width - 2) / 2 {
        true => exact,
        false => text(&|number| short(number.value)),
    }
}

fn widest<'a>(texts: impl IntoIterator<Item = &'a String>) -> u16 {
    let widths = texts.into_iter().map(|text| columns(text));
    widths.max().unwrap_or(0)
}
