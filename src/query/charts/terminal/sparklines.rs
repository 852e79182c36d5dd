//! One sparkline per series, between its name and its first, last and total value.

use crate::query::charts::terminal::{value_texts, widest};
use crate::query::charts::text_line::{Style, TextLine, text_width};
use crate::query::charts::{ChartValue, Series};

/// Headers of the value columns, the least important first.
const HEADERS: [&str; 3] = ["first", "last", "total"];
/// Blocks from the bottom, by eighths of a cell.
const RISING: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Blocks from the top, by eighths of a cell; Unicode has only these.
const HANGING: [&str; 9] = [" ", "▔", "▔", "▀", "▀", "▀", "█", "█", "█"];

/// Labels of the points, and marks of those that are not final.
pub(super) struct Points<'a> {
    pub(super) x: &'a [String],
    pub(super) incomplete: &'a [bool],
}

pub(super) fn lines(
    points: &Points<'_>,
    series: &[Series],
    has_totals: bool,
    places: usize,
    width: u16,
) -> Vec<TextLine> {
    let columns = value_columns(series, places, width);
    let mut widths = columns.each_ref().map(|column| widest(column).max(5));
    if !has_totals {
        widths[2] = 0;
    }
    let name = widest(series.iter().map(|one| &one.name));
    let layout = SparklineLayout::new(widths, name, points.x.len(), width);
    let mut lines = vec![layout.values(TextLine::default(), HEADERS, Style::Faint)];
    for (at, one) in series.iter().enumerate() {
        let values = columns.each_ref().map(|column| column[at].as_str());
        lines.extend(layout.series(one, points.incomplete, values));
    }
    lines.push(layout.range(points.x, width));
    lines
}

/// First, last and total of every series, by column.
fn value_columns(series: &[Series], places: usize, width: u16) -> [Vec<String>; 3] {
    let totals = series.iter().map(|one| {
        let present = one.values.iter().flatten();
        present.clone().next().map(|_| ChartValue::sum(present))
    });
    let totals: Vec<Option<ChartValue>> = totals.collect();
    let values = series.iter().map(|one| &one.values);
    let firsts = values.clone().map(|values| values.first()?.as_ref());
    let lasts = values.map(|values| values.last()?.as_ref());
    let (firsts, lasts) = (firsts.collect(), lasts.collect());
    let totals: Vec<_> = totals.iter().map(Option::as_ref).collect();
    [firsts, lasts, totals].map(|values| value_texts(&values, places, width))
}

/// Widths of the name, the sparkline, and the values that have space.
struct SparklineLayout {
    name: u16,
    sparkline: u16,
    /// Points per column, if there are more points than columns.
    points_per_column: usize,
    /// Columns per point, if there are few points.
    columns_per_point: usize,
    /// Widths of the value columns; zero for one that is left out.
    values: [u16; 3],
}

impl SparklineLayout {
    fn new(mut values: [u16; 3], longest_name: u16, points: usize, width: u16) -> SparklineLayout {
        let taken = |values: [u16; 3]| -> u16 {
            let shown = values.iter().filter(|width| **width > 0);
            shown.map(|width| width + 2).sum()
        };
        // A readable name and sparkline come before the less important values.
        let wanted = longest_name.min(16) + 1 + points.min(24) as u16;
        for column in 0..2 {
            if wanted + taken(values) > width {
                values[column] = 0;
            }
        }
        let left = width - taken(values);
        let spare = usize::from(left - 1).saturating_sub(points) as u16;
        let name = longest_name.min(spare.max((left - 1) / 2));
        let available = usize::from(left - name - 1);
        let points_per_column = points.div_ceil(available).max(1);
        let cells = points.div_ceil(points_per_column).max(1);
        let columns_per_point = (available / cells).clamp(1, 4);
        SparklineLayout {
            name,
            sparkline: (cells * columns_per_point) as u16,
            points_per_column,
            columns_per_point,
            values,
        }
    }

    fn values(&self, mut line: TextLine, texts: [&str; 3], style: Style) -> TextLine {
        let mut column = self.name + 1 + self.sparkline;
        for (text, width) in texts.into_iter().zip(self.values) {
            if width > 0 {
                line = line.right(column + 2, width, text, style);
                column += width + 2;
            }
        }
        line
    }

    /// Sparkline of a series; a second line below it shows negative values.
    fn series(&self, series: &Series, incomplete: &[bool], values: [&str; 3]) -> Vec<TextLine> {
        let points = self.resampled(&series.values);
        let chunks = incomplete.chunks(self.points_per_column);
        let faint = chunks
            .flat_map(|chunk| std::iter::repeat_n(chunk.contains(&true), self.columns_per_point));
        let sizes = points.iter().flatten().map(|value| value.abs());
        let largest = sizes.fold(f64::MIN_POSITIVE, f64::max);
        // Any value shows at least an eighth of a cell.
        let eighths = |value: f64| ((value / largest * 8.0).round() as usize).clamp(1, 8);
        let rising = points
            .iter()
            .zip(faint)
            .map(|(point, is_faint)| match point {
                None => ("·", Style::Absent),
                Some(value) if *value < 0.0 => (RISING[0], Style::Positive),
                Some(value) if is_faint => (RISING[eighths(*value)], Style::Absent),
                Some(value) => (RISING[eighths(*value)], Style::Positive),
            });
        let start = self.name + 1;
        let line = TextLine::default().name(self.name, &series.name);
        let line = line.symbols(start, rising);
        let mut lines = vec![self.values(line, values, Style::Plain)];
        if points.iter().flatten().any(|value| *value < 0.0) {
            let hanging = points.iter().map(|point| match point {
                Some(value) if *value < 0.0 => (HANGING[eighths(-value)], Style::Negative),
                _ => (HANGING[0], Style::Negative),
            });
            lines.push(TextLine::default().symbols(start, hanging));
        }
        lines
    }

    /// One value per column: that of its point, or the mean of its points.
    fn resampled(&self, values: &[Option<ChartValue>]) -> Vec<Option<f64>> {
        let mean = |points: &[Option<ChartValue>]| {
            let present = points.iter().flatten();
            let count = present.clone().count() as f64;
            let sum: f64 = present.map(|value| value.approximate).sum();
            (count > 0.0).then_some(sum / count)
        };
        let means = values.chunks(self.points_per_column).map(mean);
        let columns = means.flat_map(|mean| std::iter::repeat_n(mean, self.columns_per_point));
        columns.collect()
    }

    /// First and last point, below the ends of the sparklines if they fit there.
    fn range(&self, x: &[String], width: u16) -> TextLine {
        let line = TextLine::default();
        let (Some(first), Some(last)) = (x.first(), x.last()) else {
            return line;
        };
        let start = self.name + 1;
        if text_width(first).saturating_add(text_width(last)) < self.sparkline && x.len() > 1 {
            let line = line.left(start, self.sparkline, first, Style::Faint);
            return line.right(start, self.sparkline, last, Style::Faint);
        }
        let range = match x.len() {
            1 => first.clone(),
            _ => format!("{first} – {last}"),
        };
        let start = start.min(width.saturating_sub(text_width(&range)));
        line.left(start, width - start, &range, Style::Faint)
    }
}
