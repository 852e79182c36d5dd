//! Charts of reports: as text for a terminal, as an SVG picture for a slide.
//!
//! ```text
//! cut.rs        texts that are too long
//! figures.rs    decimal texts: rounding, exact sums, short units
//! row.rs        one line of terminal cells
//! terminal.rs   heading, choice of figures (terminal/ has bars, sparklines)
//! svg.rs        the page: heading, text, shapes (svg/ has bars, lines, scale)
//! ```
//! Floats decide lengths only; every figure shown comes from the decimal text of the report.

mod figures;
mod row;
mod svg;
mod terminal;
#[cfg(test)]
mod tests;
mod truncate;

pub use crate::query::charts::svg::svg;
pub use crate::query::charts::terminal::terminal;

/// What to draw, under which heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The heading.
    pub title: String,
    /// A second, smaller line; may be empty.
    pub subtitle: String,
    /// What the figures count, such as `USD`; may be empty.
    pub unit: String,
    /// The data.
    pub kind: Kind,
}

/// The data of a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// One figure a label, in this order.
    Bars(Vec<Bar>),
    /// Series over the same points.
    Lines {
        /// The labels of the points, in order.
        x: Vec<String>,
        /// The series; values past the points are ignored, missing ones are absent.
        series: Vec<Series>,
    },
}

/// A labelled figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What the figure is of.
    pub label: String,
    /// The figure.
    pub value: Number,
}

/// A named row of figures, one a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the figures are of.
    pub name: String,
    /// The figures; absent ones are gaps.
    pub values: Vec<Option<Number>>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// The exact plain decimal, as the report printed it.
    pub text: String,
    /// About the same, for lengths only.
    pub value: f64,
}

impl Chart {
    /// The chart with texts that are safe to print, series as long as the points, finite lengths.
    fn tidy(&self) -> Chart {
        let kind = match &self.kind {
            Kind::Bars(bars) => {
                let tidy = |bar: &Bar| Bar {
                    label: clean(&bar.label),
                    value: bar.value.tidy(),
                };
                Kind::Bars(bars.iter().map(tidy).collect())
            }
            Kind::Lines { x, series } => {
                let value =
                    |one: &Series, at: usize| one.values.get(at)?.as_ref().map(Number::tidy);
                let tidy = |one: &Series| Series {
                    name: clean(&one.name),
                    values: (0..x.len()).map(|at| value(one, at)).collect(),
                };
                Kind::Lines {
                    x: x.iter().map(|label| clean(label)).collect(),
                    series: series.iter().map(tidy).collect(),
                }
            }
        };
        Chart {
            title: clean(&self.title),
            subtitle: clean(&self.subtitle),
            unit: clean(&self.unit),
            kind,
        }
    }

    /// The line under the title: subtitle and unit.
    fn caption(&self) -> String {
        let parts = [self.subtitle.as_str(), self.unit.as_str()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    }

    fn is_empty(&self) -> bool {
        self.numbers().is_empty()
    }

    /// Digits after the point in every figure: two, but none where all figures are whole.
    fn places(&self) -> usize {
        let whole = self.numbers().iter().all(|number| number.is_whole());
        if whole { 0 } else { 2 }
    }

    fn numbers(&self) -> Vec<&Number> {
        match &self.kind {
            Kind::Bars(bars) => bars.iter().map(|bar| &bar.value).collect(),
            Kind::Lines { series, .. } => {
                let values = series.iter().flat_map(|one| &one.values);
                values.flatten().collect()
            }
        }
    }
}

impl Number {
    fn tidy(&self) -> Number {
        let drawable = self.value.abs() > 1e-100; // not so when it is not a number
        Number {
            text: clean(&self.text),
            value: match drawable {
                true => self.value.clamp(-1e100, 1e100),
                false => 0.0,
            },
        }
    }

    fn is_whole(&self) -> bool {
        let digits = self.text.trim_start_matches('-');
        digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The sum: exact when all texts are plain decimals.
    fn sum<'a>(numbers: impl Iterator<Item = &'a Number> + Clone) -> Number {
        let value: f64 = numbers.clone().map(|number| number.value).sum();
        let text = figures::sum(numbers.map(|number| number.text.as_str()));
        Number {
            text: text.unwrap_or_else(|| value.to_string()),
            value,
        }
    }
}

/// Which of so many sizes are the `most` largest, in their order, and which are the others.
fn largest(sizes: &[f64], most: usize) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
    let others = order.split_off(most.min(order.len()));
    order.sort_unstable();
    (order, others)
}

/// Without control characters (they would steer a terminal or break XML) and without marks that
/// turn the direction of the text around.
fn clean(text: &str) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        '\u{fffe}' | '\u{ffff}' => None,
        '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => Some(' '),
        c => Some(c),
    });
    kept.collect::<String>().trim().to_owned()
}
