//! A sparkline a series, between its name and its figures.

use ratatui_core::style::Style;
use ratatui_core::symbols::bar::Set;
use ratatui_widgets::sparkline::Sparkline;

use super::super::row::{Row, columns};
use super::super::{Number, Series};
use super::{FAINT, NEGATIVE, POSITIVE, fitting, widest};

/// The figures of a series, the least needed first.
const FIGURES: [&str; 3] = ["first", "last", "total"];
const ABSENT: &str = "–";
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
    let figures: Vec<[String; 3]> = series
        .iter()
        .map(|one| figures(one, places, width))
        .collect();
    let widest_of = |column: usize| widest(figures.iter().map(|row| &row[column])).max(5);
    let name = widest(series.iter().map(|one| &one.name));
    let layout = Layout::of([0, 1, 2].map(widest_of), name, x.len(), width);
    let head = layout.figures(Row::new(width), FIGURES, FAINT);
    let lines = series.iter().zip(&figures);
    let lines = lines.flat_map(|(one, figures)| layout.series(one, figures, width));
    let range = layout.range(x, width);
    std::iter::once(head).chain(lines).chain([range]).collect()
}

/// First, last and total of a series.
fn figures(series: &Series, places: usize, width: u16) -> [String; 3] {
    let present = series.values.iter().flatten();
    let total = present.clone().next().map(|_| Number::sum(present));
    let ends = [series.values.first(), series.values.last()].map(|end| end.cloned().flatten());
    let [first, last] = ends;
    let absent = || ABSENT.to_owned();
    [first, last, total].map(|n| n.map_or_else(absent, |n| fitting(&n, places, width)))
}

/// The columns: name, sparkline, as many figures as there is room for.
struct Layout {
    name: u16,
    spark: u16,
    /// Columns a point, where there are more columns than points.
    stretch: u16,
    /// The widths of the figures; none for one that is left out.
    figures: [u16; 3],
}

impl Layout {
    fn of(mut figures: [u16; 3], longest: u16, points: usize, width: u16) -> Layout {
        let points = u16::try_from(points).unwrap_or(u16::MAX).max(1);
        let taken = |figures: [u16; 3]| -> u16 {
            let shown = figures.iter().filter(|figure| **figure > 0);
            shown.map(|figure| figure + 2).sum()
        };
        // A name and a sparkline of some use come before the lesser figures.
        let wanted = longest.min(16) + 1 + points.min(24);
        for lesser in 0..2 {
            if wanted + taken(figures) > width {
                figures[lesser] = 0;
            }
        }
        let left = width - taken(figures);
        let name = longest.min((left - 1) / 2);
        let room = left - name - 1;
        let stretch = (room / points).clamp(1, 4);
        Layout {
            name,
            spark: room.min(points.saturating_mul(stretch)),
            stretch,
            figures,
        }
    }

    fn figures<T: AsRef<str>>(&self, mut row: Row, texts: [T; 3], style: Style) -> Row {
        let mut x = self.name + 1 + self.spark;
        for (text, figure) in texts.iter().zip(self.figures) {
            if figure > 0 {
                row = row.right(x + 2, figure, text.as_ref(), style);
                x += figure + 2;
            }
        }
        row
    }

    /// The sparkline of a series; a second line below it has what is negative.
    fn series(&self, series: &Series, figures: &[String; 3], width: u16) -> Vec<Row> {
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
        let mut rows = vec![self.figures(row, figures.each_ref(), Style::new())];
        if values.iter().flatten().any(|value| *value < 0.0) {
            let falling = values.iter().map(|value| value.map_or(0, below));
            let falling = Sparkline::default().data(falling).max(8).style(NEGATIVE);
            let falling = falling.bar_set(HANGING);
            rows.push(Row::new(width).widget(self.name + 1, self.spark, falling));
        }
        rows
    }

    /// One value a column: a point takes several columns, or a column has the mean of its points.
    fn resampled(&self, values: &[Option<Number>]) -> Vec<Option<f64>> {
        let (spark, stretch) = (usize::from(self.spark), usize::from(self.stretch));
        let mean = |column: usize| {
            let points = match values.len() > spark {
                true => column * values.len() / spark..(column + 1) * values.len() / spark,
                false => column / stretch..column / stretch + 1,
            };
            let present = values.get(points)?.iter().flatten();
            let count = present.clone().count() as f64;
            let sum: f64 = present.map(|number| number.value).sum();
            (count > 0.0).then_some(sum / count)
        };
        (0..spark).map(mean).collect()
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
