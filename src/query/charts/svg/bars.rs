//! Horizontal bars with their values beside them.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::query::charts::svg::scale::Scale;
use crate::query::charts::svg::{
    AXIS, BOTTOM, Canvas, DARK, GRID, MARGIN, TICK, TOP, TextFormat, WIDTH,
};
use crate::query::charts::{Bar, ChartValue, DrawError, largest};

const POSITIVE: RGBColor = RGBColor(0x3b, 0x7d, 0xb5);
const NEGATIVE: RGBColor = RGBColor(0xd0, 0x6a, 0x3b);
const OTHER: RGBColor = RGBColor(0xa8, 0xb2, 0xbc);
/// More bars than these are not readable.
const MAX_BARS: usize = 24;
/// Height of the axis labels.
const AXIS_HEIGHT: i32 = 30;
/// Distance between a bar and its texts.
const GAP: i32 = 10;

pub(super) fn draw(canvas: &Canvas, bars: &[Bar], places: usize) -> Result<(), DrawError> {
    let (bars, has_other) = readable(bars);
    let layout = BarLayout::new(&bars, places);
    grid(canvas, &layout)?;
    for (at, bar) in bars.iter().enumerate() {
        let colour = match bar.value.approximate {
            _ if has_other && at + 1 == bars.len() => OTHER,
            value if value < 0.0 => NEGATIVE,
            _ => POSITIVE,
        };
        layout.bar(canvas, at, bar, colour)?;
    }
    let (zero, (top, bottom)) = (layout.scale.at(0.0), layout.ends());
    canvas.line(vec![(zero, top), (zero, bottom)], AXIS, 1)
}

/// The bars; too many become the largest ones and the sum of the others, flagged by `true`.
fn readable(bars: &[Bar]) -> (Vec<Bar>, bool) {
    if bars.len() <= MAX_BARS {
        return (bars.to_vec(), false);
    }
    let sizes: Vec<f64> = bars.iter().map(|bar| bar.value.approximate.abs()).collect();
    let (kept, others) = largest(&sizes, MAX_BARS - 1);
    let mut shown: Vec<Bar> = kept.iter().map(|&at| bars[at].clone()).collect();
    shown.push(Bar {
        label: format!("Other ({})", others.len()),
        value: ChartValue::sum(others.iter().map(|&at| &bars[at].value)),
    });
    (shown, true)
}

struct BarLayout {
    scale: Scale,
    left: i32,
    pitch: i32,
    count: i32,
    format: TextFormat,
    places: usize,
}

impl BarLayout {
    fn new(bars: &[Bar], places: usize) -> BarLayout {
        let count = i32::try_from(bars.len()).unwrap_or(i32::MAX);
        let pitch = ((BOTTOM - AXIS_HEIGHT - TOP) / count).min(72);
        let format = TextFormat::new((pitch * 3 / 5).clamp(11, 17), DARK, false);
        let labels = bars.iter().map(|bar| format.width(&bar.label));
        let left = MARGIN + labels.max().unwrap_or(0).min(320) + GAP;
        let wide = |bar: &&Bar| format.width(&format.value_text(&bar.value, places)) + GAP;
        let (below, above): (Vec<&Bar>, Vec<&Bar>) =
            bars.iter().partition(|bar| bar.value.approximate < 0.0);
        // Values are drawn at the ends of bars: keep space for the widest on either side.
        let from = left + below.iter().map(wide).max().unwrap_or(0);
        let to = WIDTH - MARGIN - above.iter().map(wide).max().unwrap_or(0);
        let values = bars.iter().map(|bar| bar.value.approximate);
        BarLayout {
            scale: Scale::new(values, (from, to), 8),
            left,
            pitch,
            count,
            format,
            places,
        }
    }

    /// Top and bottom of the area of the bars.
    fn ends(&self) -> (i32, i32) {
        (TOP, TOP + self.pitch * self.count)
    }

    fn bar(
        &self,
        canvas: &Canvas,
        at: usize,
        bar: &Bar,
        colour: RGBColor,
    ) -> Result<(), DrawError> {
        let at = i32::try_from(at).unwrap_or(i32::MAX);
        let middle = TOP + self.pitch * at + self.pitch / 2;
        let half = (self.pitch * 7 / 20).max(2);
        let (zero, end) = (self.scale.at(0.0), self.scale.at(bar.value.approximate));
        let format = self.format;
        let label = format.truncate_name(&bar.label, self.left - GAP - MARGIN);
        canvas.text(&label, (self.left - GAP, middle), HPos::Right, format)?;
        // A value other than zero shows at least a line.
        let end = match bar.value.approximate {
            value if value > 0.0 => end.max(zero + 1),
            value if value < 0.0 => end.min(zero - 1),
            _ => zero,
        };
        let (from, to) = (zero.min(end), zero.max(end));
        if from < to {
            canvas.rectangle((from, middle - half), (to, middle + half), colour)?;
        }
        let text = format.value_text(&bar.value, self.places);
        if end < zero {
            canvas.text(&text, (end - GAP + 2, middle), HPos::Right, format)
        } else {
            canvas.text(&text, (end + GAP - 2, middle), HPos::Left, format)
        }
    }
}

fn grid(canvas: &Canvas, layout: &BarLayout) -> Result<(), DrawError> {
    let (top, bottom) = layout.ends();
    for (x, text) in layout.scale.ticks() {
        canvas.line(vec![(x, top), (x, bottom)], GRID, 1)?;
        canvas.text(&text, (x, bottom + 18), HPos::Center, TICK)?;
    }
    Ok(())
}
