//! Lines over points, with their names and last values at their ends.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::query::charts::svg::scale::Scale;
use crate::query::charts::svg::{
    AXIS, BOTTOM, Canvas, DARK, DrawResult, GRID, MARGIN, TICK, TOP, TextFormat, WIDTH,
};
use crate::query::charts::{ChartValue, Series, largest};

/// Distinguishable with any colour blindness: no two are close in a simulation of red or green blindness.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x6f, 0xb4),
    RGBColor(0xe0, 0x8a, 0x1e),
    RGBColor(0x12, 0x8a, 0x72),
    RGBColor(0x7c, 0x2a, 0x3a),
    RGBColor(0x5a, 0xb4, 0xe0),
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0xb8, 0x45, 0x1f),
    RGBColor(0x0b, 0x4f, 0x6c),
];
const OTHER: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const NAME: TextFormat = TextFormat::new(15, DARK, true);
const VALUE: TextFormat = TextFormat::new(13, DARK, false);
const MAX_NAME_WIDTH: i32 = 230;
/// Height of a name with its value below it.
const LABEL_HEIGHT: i32 = 42;
/// Bottom of the area of the lines.
const FLOOR: i32 = BOTTOM - 30;

pub(super) fn draw(
    canvas: &Canvas,
    x: &[String],
    incomplete: &[bool],
    series: &[Series],
    places: usize,
) -> DrawResult {
    let mut series = series.to_vec();
    series.retain(|one| last(one).is_some());
    let (series, has_other) = readable(series);
    let mut labels: Vec<SeriesLabel> = series
        .iter()
        .map(|one| SeriesLabel::new(one, places))
        .collect();
    let layout = LineLayout::new(x, &series, &labels);
    layout.grid(canvas, x)?;
    for (at, (one, label)) in series.iter().zip(&mut labels).enumerate() {
        let is_other = has_other && at + 1 == series.len();
        label.colour = if is_other { OTHER } else { COLOURS[at] };
        layout.line(canvas, one, incomplete, label)?;
    }
    spread(&mut labels);
    let mut labels = labels.iter();
    labels.try_for_each(|label| label.draw(canvas, layout.right))
}

/// The series; more than eight become the seven largest and the sum of the others, flagged by `true`.
fn readable(series: Vec<Series>) -> (Vec<Series>, bool) {
    if series.len() <= COLOURS.len() {
        return (series, false);
    }
    let size = |value: &ChartValue| value.approximate.abs();
    let size = |one: &Series| one.values.iter().flatten().map(size).sum();
    let sizes: Vec<f64> = series.iter().map(size).collect();
    let (kept, others) = largest(&sizes, COLOURS.len() - 1);
    let sum = |point: usize| {
        let values = others.iter().map(|&at| &series[at].values[point]);
        let present = values.flatten();
        present.clone().next().map(|_| ChartValue::sum(present))
    };
    let other = Series {
        name: format!("Other ({})", others.len()),
        values: (0..series[0].values.len()).map(sum).collect(),
    };
    let kept = kept.iter().map(|&at| series[at].clone());
    (kept.chain([other]).collect(), true)
}

/// Last value of a series, with its point.
fn last(series: &Series) -> Option<(usize, &ChartValue)> {
    let mut values = series.values.iter().enumerate().rev();
    values.find_map(|(point, value)| Some((point, value.as_ref()?)))
}

struct LineLayout {
    scale: Scale,
    left: i32,
    right: i32,
    count: i32,
}

impl LineLayout {
    fn new(x: &[String], series: &[Series], labels: &[SeriesLabel]) -> LineLayout {
        let values = series.iter().flat_map(|one| one.values.iter().flatten());
        let values = values.map(|value| value.approximate);
        let scale = Scale::new(values, (FLOOR, TOP), 5).ending_at_ticks();
        let ticks = scale.ticks();
        let ticks = ticks.iter().map(|(_, text)| TICK.width(text)).max();
        let labels = labels.iter().map(SeriesLabel::width).max();
        LineLayout {
            scale,
            left: MARGIN + ticks.unwrap_or(0) + 10,
            right: WIDTH - MARGIN - labels.unwrap_or(0) - 34,
            count: i32::try_from(x.len()).unwrap_or(i32::MAX),
        }
    }

    /// Position of a point, with some space before the first and after the last.
    fn x(&self, point: usize) -> i32 {
        let (from, to) = (self.left + 12, self.right - 6);
        if self.count < 2 {
            return (from + to) / 2;
        }
        let share = point as f64 / f64::from(self.count - 1);
        from + (share * f64::from(to - from)).round() as i32
    }

    /// Draws the lines of the ticks, and the labels of as many points as fit.
    fn grid(&self, canvas: &Canvas, x: &[String]) -> DrawResult {
        let zero = self.scale.at(0.0);
        for (y, text) in self.scale.ticks() {
            let colour = if y == zero { AXIS } else { GRID };
            canvas.line(vec![(self.left, y), (self.right, y)], colour, 1)?;
            canvas.text(&text, (self.left - 10, y), HPos::Right, TICK)?;
        }
        let labels: Vec<String> = x.iter().map(|label| TICK.truncate(label, 160)).collect();
        let widest = labels.iter().map(|label| TICK.width(label)).max();
        let available = self.x(x.len().saturating_sub(1)) - self.x(0);
        let wanted = (widest.unwrap_or(0) + 12).saturating_mul(self.count - 1);
        let step = label_step(x, wanted / available.max(1) + 1);
        for (point, label) in labels.iter().enumerate().step_by(step) {
            let at = (self.x(point), FLOOR + 22);
            canvas.text(label, at, HPos::Center, TICK)?;
        }
        Ok(())
    }

    /// Draws the line, broken at gaps, with dots for points that are few or isolated. Points that are not final are
    /// rings, joined by a dashed line.
    fn line(
        &self,
        canvas: &Canvas,
        series: &Series,
        incomplete: &[bool],
        label: &mut SeriesLabel,
    ) -> DrawResult {
        let at = |(point, value): (usize, &Option<ChartValue>)| {
            let value = value.as_ref()?.approximate;
            let is_open = incomplete.get(point) == Some(&true);
            Some(((self.x(point), self.scale.at(value)), is_open))
        };
        let points: Vec<_> = series.values.iter().enumerate().map(at).collect();
        let width = if self.count <= 90 { 3 } else { 2 };
        for run in points.split(Option::is_none) {
            let run: Vec<((i32, i32), bool)> = run.iter().flatten().copied().collect();
            for (line, is_open) in segments(&run) {
                if is_open {
                    canvas.dashed_line(&line, label.colour, width)?;
                } else {
                    canvas.line(line, label.colour, width)?;
                }
            }
            for &(dot, is_open) in &run {
                if is_open {
                    canvas.ring(dot, 4, label.colour)?;
                } else if self.count <= 31 || run.len() == 1 {
                    canvas.dot(dot, 4, label.colour)?;
                }
            }
            label.end = run.last().map_or(label.end, |(end, _)| *end);
        }
        label.y = label.end.1;
        Ok(())
    }
}

/// Lines through points, each with true if it joins points that are not final. A line ends where the next begins.
fn segments(run: &[((i32, i32), bool)]) -> Vec<(Vec<(i32, i32)>, bool)> {
    let mut segments: Vec<(Vec<(i32, i32)>, bool)> = Vec::new();
    for pair in run.windows(2) {
        let [(from, from_open), (to, to_open)] = *pair else {
            continue;
        };
        let is_open = from_open || to_open;
        match segments.last_mut() {
            Some((line, kind)) if *kind == is_open => line.push(to),
            _ => segments.push((vec![from, to], is_open)),
        }
    }
    segments
}

/// Points from label to label, at least `min`: whole weeks, quarters or round numbers.
fn label_step(x: &[String], min: i32) -> usize {
    let steps: &[i32] = match x.first().map_or(0, |label| label.matches('-').count()) {
        1 => &[1, 2, 3, 6, 12, 24, 36, 60, 120],
        2 => &[1, 2, 7, 14, 28, 56, 91, 182, 364],
        _ => &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    };
    let step = steps.iter().find(|step| **step >= min);
    usize::try_from(*step.unwrap_or(&min)).unwrap_or(1)
}

/// Name and last value, joined to the end of the series' line.
struct SeriesLabel {
    name: String,
    value: String,
    colour: RGBColor,
    end: (i32, i32),
    y: i32,
}

impl SeriesLabel {
    fn new(series: &Series, places: usize) -> SeriesLabel {
        let value = last(series).map(|(_, value)| VALUE.value_text(value, places));
        SeriesLabel {
            name: NAME.truncate_name(&series.name, MAX_NAME_WIDTH),
            value: value.unwrap_or_default(),
            colour: OTHER,
            end: (0, 0),
            y: 0,
        }
    }

    fn width(&self) -> i32 {
        NAME.width(&self.name).max(VALUE.width(&self.value))
    }

    fn draw(&self, canvas: &Canvas, right: i32) -> DrawResult {
        let ((from, y), x) = (self.end, right + 32);
        let joint = vec![(from + 8, y), (right + 6, y), (x - 5, self.y)];
        // A long joint in the colour of the line would look like data.
        let is_long = from + 20 < right;
        canvas.line(joint, if is_long { GRID } else { self.colour }, 1)?;
        // Letters are thinner than lines: a darker colour reads better.
        let RGBColor(red, green, blue) = self.colour;
        let colour = RGBColor(red / 4 * 3, green / 4 * 3, blue / 4 * 3);
        let name = TextFormat { colour, ..NAME };
        canvas.text(&self.name, (x, self.y - 8), HPos::Left, name)?;
        canvas.text(&self.value, (x, self.y + 10), HPos::Left, VALUE)
    }
}

/// Moves labels apart, as little as needed, within the picture.
fn spread(labels: &mut [SeriesLabel]) {
    labels.sort_by_key(|label| label.y);
    let (mut min_y, mut max_y) = (TOP, FLOOR - 6);
    for label in labels.iter_mut() {
        label.y = label.y.max(min_y);
        min_y = label.y + LABEL_HEIGHT;
    }
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(max_y);
        max_y = label.y - LABEL_HEIGHT;
    }
}
