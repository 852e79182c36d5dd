//! A sparkline a series, between its name and its figures.

use ratatui_core::style::Style;
use ratatui_core::symbols::bar::Set;
use ratatui_widgets::sparkline::Sparkline;

use crate::query::charts::row::{Row, columns};
use crate::query::charts::terminal::{FAINT, NEGATIVE, POSITIVE, column, widest};
use crate::query::charts::{Number, Series};

/// The figures of a series, the least needed first.
const FIGURES: [&str; 3] = ["first", "last", "total"];
/// Blocks that hang from the top; Unicode has only these.
const HANGING: Set = Set {
    one_eighth: "▔",
    one_quarter: "▔",
    three_eighths: "▀",
    half: "▀",
    five_eighths: "▀",
    three_quarters: "█",
    seven_eighths: "█",
    full: "█",
    empty: " ",
};

pub(super) fn rows(x: &[String], series: &[Series], places: usize, width: u16) -> Vec<Row> {
    let figures = figures(series, places, width);
    let widths = figures.each_ref().map(|column| widest(column).max(5));
    let name = widest(series.iter().map(|one| &one.name));
    let layout = Layout::of(widths, name, x.len(), width);
    let mut rows = vec![layout.figures(Row::new(width), FIGURES, FAINT)];
    for (at, one) in series.iter().enumerate() {
        let figures = figures.each_ref().map(|column| column[at].as_str());
        rows.extend(layout.series(one, figures, width));
    }
    rows.push(layout.range(x, width));
    rows
}

/// First, last and total of every series, in columns.
fn figures(series: &[Series], places: usize, width: u16) -> [Vec<String>; 3] {
    let totals = series.iter().map(|one| {
        let present = one.values.iter().flatten();
        present.clone().next().map(|_| Number::sum(present))
    });
    let totals: Vec<Option<Number>> = totals.collect();
    let values = series.iter().map(|one| &one.values);
    let firsts = values.clone().map(|values| values.first()?.as_ref());
    let lasts = values.map(|values| values.last()?.as_ref());
    let (firsts, lasts) = (firsts.collect(), lasts.collect());
    let totals: Vec<_> = totals.iter().map(Option::as_ref).collect();
    [firsts, lasts, totals].map(|numbers| column(&numbers, places, width))
}

/// The columns: name, sparkline, as many figures as there is room for.
struct Layout {
    name: u16,
    spark: u16,
    /// Points a column, where there are too many of them.
    points: usize,
    /// Columns a point, where there are few.
    stretch: usize,
    /// The widths of the figures; none for one that is left out.
    figures: [u16; 3],
}

impl Layout {
    fn of(mut figures: [u16; 3], longest: u16, points: usize, width: u16) -> Layout {
        let taken = |figures: [u16; 3]| -> u16 {
            let shown = figures.iter().filter(|figure| **figure > 0);
            shown.map(|figure| figure + 2).sum()
        };
        // A name and a sparkline of some use come before the lesser figures.
        let wanted = longest.min(16) + 1 + points.min(24) as u16;
        for lesser in 0..2 {
            if wanted + taken(figures) > width {
                figures[lesser] = 0;
            }
        }
        let left = width - taken(figures);
        let spare = usize::from(left - 1).saturating_sub(points) as u16;
        let name = longest.min(spare.max((left - 1) / 2));
        let room = usize::from(left - name - 1);
        let each = points.div_ceil(room).max(1);
        let cells = points.div_ceil(each).max(1);
        let stretch = (room / cells).clamp(1, 4);
        Layout {
            name,
            spark: (cells * stretch) as u16,
            points: each,
            stretch,
            figures,
        }
    }

    fn figures(&self, mut row: Row, texts: [&str; 3], style: Style) -> Row {
        let mut x = self.name + 1 + self.spark;
        for (text, figure) in texts.into_iter().zip(self.figures) {
            if figure > 0 {
                row = row.right(x + 2, figure, text, style);
                x += figure + 2;
            }
        }
        row
    }

    /// The sparkline of a series; a second line below it has what is negative.
    fn series(&self, series: &Series, figures: [&str; 3], width: u16) -> Vec<Row> {
        let values = self.resampled(&series.values);
        let sizes = values.iter().flatten().map(|value| value.abs());
        let most = sizes.fold(f64::MIN_POSITIVE, f64::max);
        // Something present takes at least an eighth of a cell.
        let eighths = |value: f64| ((value / most * 8.0).round() as u64).max(1);
        let above = |value: f64| if value < 0.0 { 0 } else { eighths(value) };
        let below = |value: f64| if value < 0.0 { eighths(-value) } else { 0 };
        let rising = values.iter().map(|value| value.map(above));
        let rising = Sparkline::default().data(rising).max(8).style(POSITIVE);
        let rising = rising.absent_value_symbol("·").absent_value_style(FAINT);
        let row = Row::new(width).name(self.name, &series.name);
        let row = row.widget(self.name + 1, self.spark, rising);
        let mut rows = vec![self.figures(row, figures, Style::new())];
        if values.iter().flatten().any(|value| *value < 0.0) {
            let falling = values.iter().map(|value| value.map_or(0, below));
            let falling = Sparkline::default().data(falling).max(8).style(NEGATIVE);
            let falling = falling.bar_set(HANGING);
            rows.push(Row::new(width).widget(self.name + 1, self.spark, falling));
        }
        rows
    }

    /// One value a column: that of its point, or the mean of its points.
    fn resampled(&self, values: &[Option<Number>]) -> Vec<Option<f64>> {
        let mean = |points: &[Option<Number>]| {
            let present = points.iter().flatten();
            let count = present.clone().count() as f64;
            let sum: f64 = present.map(|number| number.value).sum();
            (count > 0.0).then_some(sum / count)
        };
        let means = values.chunks(self.points).map(mean);
        let columns = means.flat_map(|mean| std::iter::repeat_n(mean, self.stretch));
        columns.collect()
    }

    /// First and last point, below the ends of the sparklines if they fit there.
    fn range(&self, x: &[String], width: u16) -> Row {
        let (Some(first), Some(last)) = (x.first(), x.last()) else {
            return Row::new(width);
        };
        let start = self.name + 1;
        if columns(first).saturating_add(columns(last)) < self.spark && x.len() > 1 {
            let row = Row::new(width).left(start, self.spark, first, FAINT);
            return row.right(start, self.spark, last, FAINT);
        }
        let range = match x.len() {
            1 => first.clone(),
            _ => format!("{first} – {last}"),
        };
        let start = start.min(width.saturating_sub(columns(&range)));
        Row::new(width).left(start, width - start, &range, FAINT)
    }
}
