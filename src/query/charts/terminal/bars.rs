//! Horizontal bars between labels on the left and values on the right.

use crate::query::charts::Bar;
use crate::query::charts::terminal::{value_texts, widest};
use crate::query::charts::text_line::{Style, TextLine};

pub(super) fn lines(bars: &[Bar], places: usize, width: u16) -> Vec<TextLine> {
    let values: Vec<_> = bars.iter().map(|bar| Some(&bar.value)).collect();
    let texts = value_texts(&values, places, width);
    let value_width = widest(&texts);
    let label_width = widest(bars.iter().map(|bar| &bar.label)).min((width - value_width - 2) / 2);
    let axis = BarAxis::new(bars, width - value_width - label_width - 2);
    let line = |(bar, text): (&Bar, &String)| {
        let line = TextLine::default().name(label_width, &bar.label);
        let line = axis.draw(line, label_width + 1, bar.value.approximate);
        line.right(width - value_width, value_width, text, Style::Plain)
    };
    bars.iter().zip(&texts).map(line).collect()
}

/// Cells for negative and for positive bars, and cells per unit.
struct BarAxis {
    left: u16,
    right: u16,
    cells_per_unit: f64,
}

impl BarAxis {
    fn new(bars: &[Bar], width: u16) -> BarAxis {
        let values = bars.iter().map(|bar| bar.value.approximate);
        let high = values.clone().fold(0.0, f64::max);
        let low = values.fold(0.0, f64::min).abs();
        if low == 0.0 {
            return BarAxis {
                left: 0,
                right: width,
                cells_per_unit: f64::from(width) / high.max(f64::MIN_POSITIVE),
            };
        }
        let available = width - 1; // one cell is the axis itself
        let share = (f64::from(available) * low / (low + high)).round() as u16;
        let left = if high > 0.0 {
            share.clamp(1, available - 1)
        } else {
            available
        };
        let right = available - left;
        let (below, above) = (f64::from(left) / low, f64::from(right) / high);
        BarAxis {
            left,
            right,
            cells_per_unit: if high > 0.0 { below.min(above) } else { below },
        }
    }

    fn draw(&self, line: TextLine, column: u16, value: f64) -> TextLine {
        let zero = column + self.left;
        let (line, start) = if self.left > 0 {
            (line.left(zero, 1, "│", Style::Faint), zero + 1)
        } else {
            (line, zero)
        };
        let cells = value.abs() * self.cells_per_unit;
        if value > 0.0 {
            line.left(start, self.right, &rightward(cells), Style::Positive)
        } else if value < 0.0 {
            line.right(column, self.left, &leftward(cells), Style::Negative)
        } else {
            line
        }
    }
}

/// A bar in eighths of a cell, at least one.
fn rightward(cells: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((cells * 8.0).round() as usize).max(1);
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// A bar in halves of a cell, the finest right-aligned blocks of Unicode; a thin block for anything smaller.
fn leftward(cells: f64) -> String {
    let halves = (cells * 2.0).round() as usize;
    let part = match halves {
        0 => "▕",
        _ => ["", "▐"][halves % 2],
    };
    part.to_owned() + &"█".repeat(halves / 2)
}
