//! A chart as lines of text: bars, or one sparkline per series.

mod bars;
mod sparklines;

use crate::query::charts::decimals::{abbreviate, format_decimal};
use crate::query::charts::text_line::{Style, TextLine, text_width};
use crate::query::charts::{Chart, ChartData, ChartValue};

/// Renders the chart as lines of at most `width` (20 to 300) columns, each ended by a newline.
pub(crate) fn terminal(chart: &Chart, width: u16, colours: bool) -> String {
    let (chart, width) = (chart.sanitized(), width.clamp(20, 300));
    let heading = [
        (chart.title.clone(), Style::Bold),
        (chart.caption(), Style::Faint),
        (String::new(), Style::Faint),
    ];
    let mut lines: Vec<TextLine> = Vec::new();
    for (text, style) in heading {
        if !text.is_empty() || !lines.is_empty() {
            lines.push(TextLine::default().left(0, width, &text, style));
        }
    }
    let places = chart.decimal_places();
    match &chart.data {
        _ if chart.is_empty() => {
            lines.push(TextLine::default().left(0, width, "no data", Style::Faint));
        }
        ChartData::Bars(bars) => lines.extend(bars::lines(bars, places, width)),
        ChartData::Lines {
            x,
            series,
            incomplete,
            adds_up,
        } => {
            let points = sparklines::Points { x, incomplete };
            lines.extend(sparklines::lines(&points, series, *adds_up, places, width));
        }
    }
    let lines = lines.into_iter().map(|line| line.render(colours) + "\n");
    lines.collect()
}

/// Texts of a column of values; abbreviated if the exact ones take more than half of the width.
fn value_texts(values: &[Option<&ChartValue>], places: usize, width: u16) -> Vec<String> {
    let texts = |format: &dyn Fn(&ChartValue) -> String| -> Vec<String> {
        let absent = || "–".to_owned();
        let texts = values.iter().map(|value| value.map_or_else(absent, format));
        texts.collect()
    };
    let exact = texts(&|value| format_decimal(&value.text, places));
    if widest(&exact) <= (width - 2) / 2 {
        exact
    } else {
        texts(&|value| abbreviate(value.approximate))
    }
}

fn widest<'a>(texts: impl IntoIterator<Item = &'a String>) -> u16 {
    let widths = texts.into_iter().map(|text| text_width(text));
    widths.max().unwrap_or(0)
}
