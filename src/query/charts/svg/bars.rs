//! Horizontal bars with their figures beside them.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::query::charts::svg::scale::Scale;
use crate::query::charts::svg::{AXIS, BOTTOM, DARK, GRID, Ink, MARGIN, Page, TICK, TOP, WIDTH};
use crate::query::charts::{Bar, Number, largest};

const POSITIVE: RGBColor = RGBColor(0x3b, 0x7d, 0xb5);
const NEGATIVE: RGBColor = RGBColor(0xd0, 0x6a, 0x3b);
const REST: RGBColor = RGBColor(0xa8, 0xb2, 0xbc);
/// The most bars that can be read.
const MOST: usize = 24;
/// Room for the texts of the axis.
const AXIS_ROOM: i32 = 30;
/// Between a bar and its texts.
const GAP: i32 = 10;

pub(super) fn draw(page: &Page, bars: &[Bar], places: usize) -> Result<(), String> {
    let (bars, rest) = readable(bars);
    let frame = Frame::of(&bars, places);
    grid(page, &frame)?;
    for (at, bar) in bars.iter().enumerate() {
        let colour = match bar.value.value {
            _ if rest && at + 1 == bars.len() => REST,
            value if value < 0.0 => NEGATIVE,
            _ => POSITIVE,
        };
        frame.bar(page, at, bar, colour)?;
    }
    let (zero, (top, bottom)) = (frame.scale.at(0.0), frame.ends());
    page.line(vec![(zero, top), (zero, bottom)], AXIS, 1)
}

/// The bars, or of too many the largest ones and the sum of the others; and whether that is there.
fn readable(bars: &[Bar]) -> (Vec<Bar>, bool) {
    if bars.len() <= MOST {
        return (bars.to_vec(), false);
    }
    let sizes: Vec<f64> = bars.iter().map(|bar| bar.value.value.abs()).collect();
    let (kept, others) = largest(&sizes, MOST - 1);
    let mut shown: Vec<Bar> = kept.iter().map(|&at| bars[at].clone()).collect();
    shown.push(Bar {
        label: format!("Other ({})", others.len()),
        value: Number::sum(others.iter().map(|&at| &bars[at].value)),
    });
    (shown, true)
}

/// Where everything goes.
struct Frame {
    scale: Scale,
    left: i32,
    pitch: i32,
    count: i32,
    ink: Ink,
    places: usize,
}

impl Frame {
    fn of(bars: &[Bar], places: usize) -> Frame {
        let count = i32::try_from(bars.len()).unwrap_or(i32::MAX);
        let pitch = ((BOTTOM - AXIS_ROOM - TOP) / count).min(72);
        let ink = Ink::new((pitch * 3 / 5).clamp(11, 17), DARK, false);
        let labels = bars.iter().map(|bar| ink.width(&bar.label));
        let left = MARGIN + labels.max().unwrap_or(0).min(320) + GAP;
        let wide = |bar: &&Bar| ink.width(&ink.figure(&bar.value, places)) + GAP;
        let (below, above): (Vec<&Bar>, Vec<&Bar>) =
            bars.iter().partition(|bar| bar.value.value < 0.0);
        // Figures stand at the ends of bars: keep room for the widest on either side.
        let from = left + below.iter().map(wide).max().unwrap_or(0);
        let to = WIDTH - MARGIN - above.iter().map(wide).max().unwrap_or(0);
        let values = bars.iter().map(|bar| bar.value.value);
        Frame {
            scale: Scale::new(values, (from, to), 8),
            left,
            pitch,
            count,
            ink,
            places,
        }
    }

    /// The upper and the lower end of the area of the bars.
    fn ends(&self) -> (i32, i32) {
        (TOP, TOP + self.pitch * self.count)
    }

    fn bar(&self, page: &Page, at: usize, bar: &Bar, colour: RGBColor) -> Result<(), String> {
        let at = i32::try_from(at).unwrap_or(i32::MAX);
        let middle = TOP + self.pitch * at + self.pitch / 2;
        let half = (self.pitch * 7 / 20).max(2);
        let (zero, end) = (self.scale.at(0.0), self.scale.at(bar.value.value));
        let ink = self.ink;
        let label = ink.cut_name(&bar.label, self.left - GAP - MARGIN);
        page.text(&label, (self.left - GAP, middle), HPos::Right, ink)?;
        // A figure that is not zero shows at least a line.
        let end = match bar.value.value {
            value if value > 0.0 => end.max(zero + 1),
            value if value < 0.0 => end.min(zero - 1),
            _ => zero,
        };
        let (from, to) = (zero.min(end), zero.max(end));
        if from < to {
            page.rectangle((from, middle - half), (to, middle + half), colour)?;
        }
        let figure = ink.figure(&bar.value, self.places);
        match end < zero {
            true => page.text(&figure, (end - GAP + 2, middle), HPos::Right, ink),
            false => page.text(&figure, (end + GAP - 2, middle), HPos::Left, ink),
        }
    }
}

fn grid(page: &Page, frame: &Frame) -> Result<(), String> {
    let (top, bottom) = frame.ends();
    for (x, text) in frame.scale.ticks() {
        page.line(vec![(x, top), (x, bottom)], GRID, 1)?;
        page.text(&text, (x, bottom + 18), HPos::Center, TICK)?;
    }
    Ok(())
}
