//! Lines over points, with their names and last figures at their ends.

use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::query::charts::svg::scale::Scale;
use crate::query::charts::svg::{AXIS, BOTTOM, DARK, GRID, Ink, MARGIN, Page, TICK, TOP, WIDTH};
use crate::query::charts::{Number, Series, largest};

/// Told apart also without red or green: no two are close in a simulation of either.
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
const REST: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const NAME: Ink = Ink::new(15, DARK, true);
const FIGURE: Ink = Ink::new(13, DARK, false);
/// The most room for a name.
const NAME_ROOM: i32 = 230;
/// The height of a name with its figure below it.
const LABEL: i32 = 42;
/// The lower end of the area of the lines.
const FLOOR: i32 = BOTTOM - 30;

type Drawn = Result<(), String>;

pub(super) fn draw(page: &Page, x: &[String], series: &[Series], places: usize) -> Drawn {
    let mut series = series.to_vec();
    series.retain(|one| last(one).is_some());
    let (series, rest) = readable(series);
    let mut labels: Vec<Label> = series.iter().map(|one| Label::of(one, places)).collect();
    let frame = Frame::of(x, &series, &labels);
    frame.grid(page, x)?;
    for (at, (one, label)) in series.iter().zip(&mut labels).enumerate() {
        let other = rest && at + 1 == series.len();
        label.colour = if other { REST } else { COLOURS[at] };
        frame.line(page, one, label)?;
    }
    spread(&mut labels);
    let mut labels = labels.iter();
    labels.try_for_each(|label| label.draw(page, frame.right))
}

/// The series, or of more than eight the seven largest and the sum of the others; and whether
/// that is there.
fn readable(series: Vec<Series>) -> (Vec<Series>, bool) {
    if series.len() <= COLOURS.len() {
        return (series, false);
    }
    let size = |number: &Number| number.value.abs();
    let size = |one: &Series| one.values.iter().flatten().map(size).sum();
    let sizes: Vec<f64> = series.iter().map(size).collect();
    let (kept, others) = largest(&sizes, COLOURS.len() - 1);
    let sum = |point: usize| {
        let values = others.iter().map(|&at| &series[at].values[point]);
        let present = values.flatten();
        present.clone().next().map(|_| Number::sum(present))
    };
    let rest = Series {
        name: format!("Other ({})", others.len()),
        values: (0..series[0].values.len()).map(sum).collect(),
    };
    let kept = kept.iter().map(|&at| series[at].clone());
    (kept.chain([rest]).collect(), true)
}

/// The last figure of a series, and its point.
fn last(series: &Series) -> Option<(usize, &Number)> {
    let mut values = series.values.iter().enumerate().rev();
    values.find_map(|(point, value)| Some((point, value.as_ref()?)))
}

/// Where everything goes.
struct Frame {
    scale: Scale,
    left: i32,
    right: i32,
    count: i32,
}

impl Frame {
    fn of(x: &[String], series: &[Series], labels: &[Label]) -> Frame {
        let values = series.iter().flat_map(|one| one.values.iter().flatten());
        let values = values.map(|number| number.value);
        let scale = Scale::new(values, (FLOOR, TOP), 5).ending_at_ticks();
        let ticks = scale.ticks();
        let ticks = ticks.iter().map(|(_, text)| TICK.width(text)).max();
        let labels = labels.iter().map(Label::width).max();
        Frame {
            scale,
            left: MARGIN + ticks.unwrap_or(0) + 10,
            right: WIDTH - MARGIN - labels.unwrap_or(0) - 34,
            count: i32::try_from(x.len()).unwrap_or(i32::MAX),
        }
    }

    /// Where a point is, with some space before the first and after the last.
    fn x(&self, point: usize) -> i32 {
        let (from, to) = (self.left + 12, self.right - 6);
        if self.count < 2 {
            return (from + to) / 2;
        }
        let share = point as f64 / f64::from(self.count - 1);
        from + (share * f64::from(to - from)).round() as i32
    }

    /// The lines of the ticks, and the labels of as many points as have room.
    fn grid(&self, page: &Page, x: &[String]) -> Drawn {
        let zero = self.scale.at(0.0);
        for (y, text) in self.scale.ticks() {
            let colour = if y == zero { AXIS } else { GRID };
            page.line(vec![(self.left, y), (self.right, y)], colour, 1)?;
            page.text(&text, (self.left - 10, y), HPos::Right, TICK)?;
        }
        let cut: Vec<String> = x.iter().map(|label| TICK.cut(label, 160)).collect();
        let widest = cut.iter().map(|label| TICK.width(label)).max();
        let room = self.x(x.len().saturating_sub(1)) - self.x(0);
        let wanted = (widest.unwrap_or(0) + 12).saturating_mul(self.count - 1);
        let step = thinning(x, wanted / room.max(1) + 1);
        for (point, label) in cut.iter().enumerate().step_by(step) {
            let at = (self.x(point), FLOOR + 22);
            page.text(label, at, HPos::Center, TICK)?;
        }
        Ok(())
    }

    /// The line, broken at gaps; points as dots where they are few or alone.
    fn line(&self, page: &Page, series: &Series, label: &mut Label) -> Drawn {
        let at = |(point, value): (usize, &Option<Number>)| {
            let value = value.as_ref()?.value;
            Some((self.x(point), self.scale.at(value)))
        };
        let points: Vec<_> = series.values.iter().enumerate().map(at).collect();
        let width = if self.count <= 90 { 3 } else { 2 };
        for run in points.split(Option::is_none) {
            let run: Vec<(i32, i32)> = run.iter().flatten().copied().collect();
            if self.count <= 31 || run.len() == 1 {
                run.iter()
                    .try_for_each(|&dot| page.dot(dot, 4, label.colour))?;
            }
            label.end = run.last().copied().unwrap_or(label.end);
            if run.len() > 1 {
                page.line(run, label.colour, width)?;
            }
        }
        label.y = label.end.1;
        Ok(())
    }
}

/// At least so many points from label to label: whole weeks, quarters or round numbers.
fn thinning(x: &[String], least: i32) -> usize {
    let steps: &[i32] = match x.first().map_or(0, |label| label.matches('-').count()) {
        1 => &[1, 2, 3, 6, 12, 24, 36, 60, 120],
        2 => &[1, 2, 7, 14, 28, 56, 91, 182, 364],
        _ => &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    };
    let step = steps.iter().find(|step| **step >= least);
    usize::try_from(*step.unwrap_or(&least)).unwrap_or(1)
}

/// A name and its last figure, joined to the end of its line.
struct Label {
    name: String,
    figure: String,
    colour: RGBColor,
    end: (i32, i32),
    y: i32,
}

impl Label {
    fn of(series: &Series, places: usize) -> Label {
        let figure = last(series).map(|(_, number)| FIGURE.figure(number, places));
        Label {
            name: NAME.cut_name(&series.name, NAME_ROOM),
            figure: figure.unwrap_or_default(),
            colour: REST,
            end: (0, 0),
            y: 0,
        }
    }

    fn width(&self) -> i32 {
        NAME.width(&self.name).max(FIGURE.width(&self.figure))
    }

    fn draw(&self, page: &Page, right: i32) -> Drawn {
        let ((from, y), x) = (self.end, right + 32);
        let joint = vec![(from + 8, y), (right + 6, y), (x - 5, self.y)];
        // A long joint in the colour of the line would look like data.
        let long = from + 20 < right;
        page.line(joint, if long { GRID } else { self.colour }, 1)?;
        // Letters are thinner than lines: a darker colour reads better.
        let RGBColor(red, green, blue) = self.colour;
        let colour = RGBColor(red / 4 * 3, green / 4 * 3, blue / 4 * 3);
        let name = Ink { colour, ..NAME };
        page.text(&self.name, (x, self.y - 8), HPos::Left, name)?;
        page.text(&self.figure, (x, self.y + 10), HPos::Left, FIGURE)
    }
}

/// Moves labels apart, as little as it takes, within the picture.
fn spread(labels: &mut [Label]) {
    labels.sort_by_key(|label| label.y);
    let (mut least, mut most) = (TOP, FLOOR - 6);
    for label in labels.iter_mut() {
        label.y = label.y.max(least);
        least = label.y + LABEL;
    }
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(most);
        most = label.y - LABEL;
    }
}
