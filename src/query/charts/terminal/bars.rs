//! Horizontal bars: labels to the left, figures to the right.

use ratatui_core::style::Style;

use crate::query::charts::Bar;
use crate::query::charts::row::Row;
use crate::query::charts::terminal::{FAINT, NEGATIVE, POSITIVE, column, widest};

pub(super) fn rows(bars: &[Bar], places: usize, width: u16) -> Vec<Row> {
    let numbers: Vec<_> = bars.iter().map(|bar| Some(&bar.value)).collect();
    let figures = column(&numbers, places, width);
    let figure = widest(&figures);
    let label = widest(bars.iter().map(|bar| &bar.label)).min((width - figure - 2) / 2);
    let axis = Axis::of(bars, width - figure - label - 2);
    let row = |(bar, text): (&Bar, &String)| {
        let row = Row::new(width).name(label, &bar.label);
        let row = axis.draw(row, label + 1, bar.value.value);
        row.right(width - figure, figure, text, Style::new())
    };
    bars.iter().zip(&figures).map(row).collect()
}

/// How many cells there are for negative and for positive bars, and for a value of one.
struct Axis {
    left: u16,
    right: u16,
    one: f64,
}

impl Axis {
    fn of(bars: &[Bar], width: u16) -> Axis {
        let values = bars.iter().map(|bar| bar.value.value);
        let high = values.clone().fold(0.0, f64::max);
        let low = values.fold(0.0, f64::min).abs();
        if low == 0.0 {
            let one = f64::from(width) / high.max(f64::MIN_POSITIVE);
            return Axis {
                left: 0,
                right: width,
                one,
            };
        }
        let room = width - 1; // a cell is the axis itself
        let share = (f64::from(room) * low / (low + high)).round() as u16;
        let left = match high > 0.0 {
            true => share.clamp(1, room - 1),
            false => room,
        };
        let right = room - left;
        let (below, above) = (f64::from(left) / low, f64::from(right) / high);
        let one = if high > 0.0 { below.min(above) } else { below };
        Axis { left, right, one }
    }

    fn draw(&self, row: Row, x: u16, value: f64) -> Row {
        let zero = x + self.left;
        let (row, start) = match self.left > 0 {
            true => (row.left(zero, 1, "│", FAINT), zero + 1),
            false => (row, zero),
        };
        let cells = value.abs() * self.one;
        if value > 0.0 {
            row.left(start, self.right, &rightward(cells), POSITIVE)
        } else if value < 0.0 {
            row.right(x, self.left, &leftward(cells), NEGATIVE)
        } else {
            row
        }
    }
}

/// A bar in eighths of a cell, at least one.
fn rightward(cells: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((cells * 8.0).round() as usize).max(1);
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// A bar in halves of a cell: Unicode has no finer blocks at the right, but a thin one for little.
fn leftward(cells: f64) -> String {
    let halves = (cells * 2.0).round() as usize;
    let part = match halves {
        0 => "▕",
        _ => ["", "▐"][halves % 2],
    };
    part.to_owned() + &"█".repeat(halves / 2)
}
