//! Charts of reports: text for a terminal, SVG pictures for slides.
//!
//! Floats decide lengths only; every number shown comes from the decimal text of the report.

mod decimals;
mod svg;
mod terminal;
#[cfg(test)]
mod tests;
mod text_line;
mod truncate;

pub(crate) use crate::query::charts::svg::svg;
pub(crate) use crate::query::charts::terminal::terminal;

use crate::display_text::escape_controls;

/// A chart with its heading.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// Second, smaller line; may be empty.
    pub(crate) subtitle: String,
    /// Unit of the values, such as `USD`; may be empty.
    pub(crate) unit: String,
    pub(crate) data: ChartData,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChartData {
    /// One value per label, in this order.
    Bars(Vec<Bar>),
    /// Series over the same points.
    Lines {
        /// Labels of the points, in order.
        x: Vec<String>,
        /// Values past the points are ignored, missing ones are absent.
        series: Vec<Series>,
        /// True for points whose values may still change; missing ones are final.
        incomplete: Vec<bool>,
        /// False for values that have no sum, such as prices.
        adds_up: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: ChartValue,
}

/// Named values, one per point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Absent values are gaps.
    pub(crate) values: Vec<Option<ChartValue>>,
}

/// An exact decimal with an approximation that decides lengths.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartValue {
    /// Exact plain decimal, as the report printed it.
    pub(crate) text: String,
    pub(crate) approximate: f64,
}

/// Failure of the drawing library.
#[derive(Debug, thiserror::Error)]
#[error("could not draw the chart: {0}")]
pub(crate) struct DrawError(String);

impl Chart {
    /// The chart with printable texts, series as long as the points, and finite lengths.
    fn sanitized(&self) -> Chart {
        let data = match &self.data {
            ChartData::Bars(bars) => {
                let sanitized = |bar: &Bar| Bar {
                    label: printable(&bar.label),
                    value: bar.value.sanitized(),
                };
                ChartData::Bars(bars.iter().map(sanitized).collect())
            }
            ChartData::Lines {
                x,
                series,
                incomplete,
                adds_up,
            } => {
                let value = |one: &Series, at: usize| {
                    one.values.get(at)?.as_ref().map(ChartValue::sanitized)
                };
                let sanitized = |one: &Series| Series {
                    name: printable(&one.name),
                    values: (0..x.len()).map(|at| value(one, at)).collect(),
                };
                ChartData::Lines {
                    x: x.iter().map(|label| printable(label)).collect(),
                    series: series.iter().map(sanitized).collect(),
                    incomplete: (0..x.len())
                        .map(|at| incomplete.get(at) == Some(&true))
                        .collect(),
                    adds_up: *adds_up,
                }
            }
        };
        Chart {
            title: printable(&self.title),
            subtitle: printable(&self.subtitle),
            unit: printable(&self.unit),
            data,
        }
    }

    /// Line under the title: subtitle, unit and points that are not final.
    fn caption(&self) -> String {
        let incomplete = self.incomplete_points();
        let incomplete = match incomplete.as_slice() {
            [] => String::new(),
            few if few.len() <= 3 => format!("not complete: {}", few.join(", ")),
            [first, .., last] => {
                format!("not complete: {} from {first} to {last}", incomplete.len())
            }
            [one] => format!("not complete: {one}"),
        };
        let parts = [self.subtitle.as_str(), self.unit.as_str(), &incomplete];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    }

    fn incomplete_points(&self) -> Vec<&str> {
        match &self.data {
            ChartData::Bars(_) => Vec::new(),
            ChartData::Lines { x, incomplete, .. } => {
                let points = x.iter().zip(incomplete);
                let points = points.filter(|(_, is_incomplete)| **is_incomplete);
                points.map(|(label, _)| label.as_str()).collect()
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.values().is_empty()
    }

    /// Decimal places of every value: two, but none if all values are whole, and as many as the smallest price needs.
    fn decimal_places(&self) -> usize {
        let values = self.values();
        if values.iter().all(|value| value.is_whole()) {
            return 0;
        }
        let is_price = matches!(&self.data, ChartData::Lines { adds_up: false, .. });
        let sizes = values.iter().map(|value| value.approximate.abs());
        let smallest = sizes.filter(|size| *size > 0.0).fold(1.0, f64::min);
        if is_price {
            // Two digits after the zeros.
            (1.0 - smallest.log10().floor()).clamp(2.0, 10.0) as usize
        } else {
            2
        }
    }

    fn values(&self) -> Vec<&ChartValue> {
        match &self.data {
            ChartData::Bars(bars) => bars.iter().map(|bar| &bar.value).collect(),
            ChartData::Lines { series, .. } => {
                let values = series.iter().flat_map(|one| &one.values);
                values.flatten().collect()
            }
        }
    }
}

impl ChartValue {
    /// A value from the text of a report's cell.
    pub(crate) fn new(text: &str) -> ChartValue {
        ChartValue {
            text: text.to_owned(),
            approximate: text.parse().unwrap_or_default(),
        }
    }

    fn sanitized(&self) -> ChartValue {
        // False for NaN.
        let is_drawable = self.approximate.abs() > 1e-100;
        let approximate = if is_drawable {
            self.approximate.clamp(-1e100, 1e100)
        } else {
            0.0
        };
        ChartValue {
            text: printable(&self.text),
            approximate,
        }
    }

    fn is_whole(&self) -> bool {
        let digits = self.text.trim_start_matches('-');
        digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Exact if all texts are plain decimals.
    fn sum<'a>(values: impl Iterator<Item = &'a ChartValue> + Clone) -> ChartValue {
        let approximate: f64 = values.clone().map(|value| value.approximate).sum();
        let text = decimals::exact_sum(values.map(|value| value.text.as_str()));
        ChartValue {
            text: text.unwrap_or_else(|| approximate.to_string()),
            approximate,
        }
    }
}

/// Indexes of the `count` largest sizes, and of the others, both in their order.
fn largest(sizes: &[f64], count: usize) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
    let others = order.split_off(count.min(order.len()));
    order.sort_unstable();
    (order, others)
}

/// The text without control characters, which could steer a terminal or break XML, and without marks that change the
/// writing direction; other invisible characters are escaped.
fn printable(text: &str) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        '\u{fffe}' | '\u{ffff}' => None,
        '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => Some(' '),
        c => Some(c),
    });
    escape_controls(kept.collect::<String>().trim()).into_owned()
}
