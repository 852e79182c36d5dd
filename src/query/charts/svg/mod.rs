//! A chart as an SVG picture of 1200 by 675 pixels, for a slide.
//!
//! No font can be measured here: text widths are estimated generously, and every text has its anchor.

mod bars;
mod lines;
mod scale;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use unicode_width::UnicodeWidthChar;

use crate::query::charts::decimals::{abbreviate, format_decimal};
use crate::query::charts::truncate::{truncate, truncate_middle};
use crate::query::charts::{Chart, ChartData, ChartValue, DrawError};

const WIDTH: i32 = 1200;
const HEIGHT: i32 = 675;
/// Margin around the picture.
const MARGIN: i32 = 48;
/// Top of the data area, under the heading.
const TOP: i32 = 132;
const BOTTOM: i32 = HEIGHT - 44;

const DARK: RGBColor = RGBColor(0x1f, 0x29, 0x33);
const GREY: RGBColor = RGBColor(0x61, 0x6e, 0x7c);
const AXIS: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
const TITLE: TextFormat = TextFormat::new(28, DARK, true);
const CAPTION: TextFormat = TextFormat::new(18, GREY, false);
/// Axis labels.
const TICK: TextFormat = TextFormat::new(14, GREY, false);
const FONTS: &str = "Helvetica Neue, Helvetica, Arial, sans-serif";

/// Draws the chart as an SVG document.
pub(crate) fn svg(chart: &Chart) -> Result<String, DrawError> {
    let chart = chart.sanitized();
    let mut text = String::new();
    let canvas = Canvas(SVGBackend::with_string(&mut text, (1200, 675)).into_drawing_area());
    canvas.0.fill(&WHITE).map_err(failed)?;
    heading(&canvas, &chart)?;
    match &chart.data {
        _ if chart.is_empty() => {
            let middle = (WIDTH / 2, (TOP + BOTTOM) / 2);
            canvas.text("no data", middle, HPos::Center, CAPTION)?;
        }
        ChartData::Bars(bars) => bars::draw(&canvas, bars, chart.decimal_places())?,
        ChartData::Lines {
            x,
            series,
            incomplete,
            ..
        } => lines::draw(&canvas, x, incomplete, series, chart.decimal_places())?,
    }
    canvas.0.present().map_err(failed)?;
    drop(canvas);
    // The library has no option for round joins; with mitred ones the peaks of lines get spikes.
    let round = "<svg stroke-linejoin=\"round\" stroke-linecap=\"round\" ";
    Ok(text.replacen("<svg ", round, 1))
}

fn heading(canvas: &Canvas, chart: &Chart) -> Result<(), DrawError> {
    for (text, y, format) in [(&chart.title, 58, TITLE), (&chart.caption(), 92, CAPTION)] {
        let text = format.truncate(text, WIDTH - 2 * MARGIN);
        canvas.text(&text, (MARGIN, y), HPos::Left, format)?;
    }
    Ok(())
}

type DrawResult = Result<(), DrawError>;

/// Size, colour and weight of a text.
#[derive(Clone, Copy)]
struct TextFormat {
    size: i32,
    colour: RGBColor,
    bold: bool,
}

impl TextFormat {
    const fn new(size: i32, colour: RGBColor, bold: bool) -> TextFormat {
        TextFormat { size, colour, bold }
    }

    /// Estimated width of a text in pixels, rather too large than too small.
    fn width(self, text: &str) -> i32 {
        let em: f64 = text.chars().map(em).sum();
        let bold = if self.bold { 1.1 } else { 1.0 };
        (em * bold * f64::from(self.size)).ceil() as i32
    }

    fn truncate(self, text: &str, max_width: i32) -> String {
        truncate(text, max_width, |text| self.width(text))
    }

    /// The name, truncated before its end.
    fn truncate_name(self, name: &str, max_width: i32) -> String {
        truncate_middle(name, max_width, max_width / 3, |text| self.width(text))
    }

    /// The exact value, abbreviated if its text is too wide.
    fn value_text(self, value: &ChartValue, places: usize) -> String {
        let exact = format_decimal(&value.text, places);
        if self.width(&exact) <= 260 {
            exact
        } else {
            abbreviate(value.approximate)
        }
    }
}

/// Estimated width of a character in a wide sans-serif font, in ems.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        'f' | 'r' | 't' | '-' | '(' | ')' | '[' | ']' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 1.0,
        'A'..='Z' | '_' | '&' => 0.74,
        c if c.width().unwrap_or(0) > 1 => 1.05,
        c if c.width() == Some(0) => 0.0,
        _ => 0.64,
    }
}

/// Drawing area with the shapes of the charts.
struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl Canvas<'_> {
    /// Draws a text beside a point, centred on its height.
    fn text(
        &self,
        text: &str,
        at: (i32, i32),
        side: HPos,
        format: TextFormat,
    ) -> Result<(), DrawError> {
        if text.is_empty() {
            return Ok(());
        }
        // The backend divides sizes by 1.24 and centres on small letters, which puts digits too high.
        let size = f64::from(format.size) * 1.24;
        let style = if format.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let font = FontDesc::new(FontFamily::Name(FONTS), size, style);
        let style = TextStyle::from(font).color(&format.colour);
        let style = style.pos(Pos::new(side, VPos::Center));
        let at = (at.0, at.1 + format.size / 12);
        let text = Text::new(text, at, style);
        self.0.draw(&text).map_err(failed)
    }

    fn line(&self, points: Vec<(i32, i32)>, colour: RGBColor, width: u32) -> Result<(), DrawError> {
        let path = PathElement::new(points, colour.stroke_width(width));
        self.0.draw(&path).map_err(failed)
    }

    /// Draws dashes along lines between points.
    fn dashed_line(&self, points: &[(i32, i32)], colour: RGBColor, width: u32) -> DrawResult {
        for pair in points.windows(2) {
            let [from, to] = *pair else {
                continue;
            };
            for (from, to) in dashes(from, to) {
                self.line(vec![from, to], colour, width)?;
            }
        }
        Ok(())
    }

    /// A dot without filling.
    fn ring(&self, at: (i32, i32), radius: i32, colour: RGBColor) -> DrawResult {
        self.dot(at, radius, colour)?;
        self.dot(at, radius - 2, WHITE)
    }

    fn rectangle(
        &self,
        from: (i32, i32),
        to: (i32, i32),
        colour: RGBColor,
    ) -> Result<(), DrawError> {
        let rectangle = Rectangle::new([from, to], colour.filled());
        self.0.draw(&rectangle).map_err(failed)
    }

    fn dot(&self, at: (i32, i32), radius: i32, colour: RGBColor) -> Result<(), DrawError> {
        let dot = Circle::new(at, radius, colour.filled());
        self.0.draw(&dot).map_err(failed)
    }
}

/// Ends of the dashes from one point to another: the first begins and the last ends there.
fn dashes(from: (i32, i32), to: (i32, i32)) -> Vec<((i32, i32), (i32, i32))> {
    const DASH: f64 = 8.0;
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let count = (dx.hypot(dy) / DASH / 2.0).floor().max(1.0) as i32;
    // Dashes and gaps have the same length, and there is one gap less.
    let steps = f64::from(2 * count - 1);
    let at = |step: i32| {
        let share = f64::from(step) / steps;
        let shift = |length: f64| (length * share).round() as i32;
        (from.0 + shift(dx), from.1 + shift(dy))
    };
    let dash = |number: i32| (at(2 * number), at(2 * number + 1));
    (0..count).map(dash).collect()
}

fn failed(error: impl std::fmt::Display) -> DrawError {
    DrawError(error.to_string())
}
