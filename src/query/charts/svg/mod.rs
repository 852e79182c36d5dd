//! A chart as an SVG picture of 1200 by 675, for a slide.
//!
//! There is no font to measure: widths of texts are estimated generously, every text has its anchor.

mod bars;
mod lines;
mod scale;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use unicode_width::UnicodeWidthChar;

use crate::query::charts::figures::{figure, short};
use crate::query::charts::truncate::{cut, cut_middle};
use crate::query::charts::{Chart, Kind, Number};

const WIDTH: i32 = 1200;
const HEIGHT: i32 = 675;
/// White space around the picture.
const MARGIN: i32 = 48;
/// Where the data may be drawn, under the heading.
const TOP: i32 = 132;
const BOTTOM: i32 = HEIGHT - 44;

const DARK: RGBColor = RGBColor(0x1f, 0x29, 0x33);
const GREY: RGBColor = RGBColor(0x61, 0x6e, 0x7c);
const AXIS: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
const TITLE: Ink = Ink::new(28, DARK, true);
const CAPTION: Ink = Ink::new(18, GREY, false);
/// For what stands at axes.
const TICK: Ink = Ink::new(14, GREY, false);
const FONTS: &str = "Helvetica Neue, Helvetica, Arial, sans-serif";

/// The chart as an SVG document.
///
/// # Errors
/// The message of the drawing library, should it fail.
pub fn svg(chart: &Chart) -> Result<String, String> {
    let chart = chart.tidy();
    let mut text = String::new();
    let page = Page(SVGBackend::with_string(&mut text, (1200, 675)).into_drawing_area());
    page.0.fill(&WHITE).map_err(failed)?;
    heading(&page, &chart)?;
    match &chart.kind {
        _ if chart.is_empty() => {
            let middle = (WIDTH / 2, (TOP + BOTTOM) / 2);
            page.text("no data", middle, HPos::Center, CAPTION)?;
        }
        Kind::Bars(bars) => bars::draw(&page, bars, chart.places())?,
        Kind::Lines { x, series } => lines::draw(&page, x, series, chart.places())?,
    }
    page.0.present().map_err(failed)?;
    drop(page);
    // The library has no way to ask for round joins; without them peaks of lines get thorns.
    let round = "<svg stroke-linejoin=\"round\" stroke-linecap=\"round\" ";
    Ok(text.replacen("<svg ", round, 1))
}

fn heading(page: &Page, chart: &Chart) -> Result<(), String> {
    for (text, y, ink) in [(&chart.title, 58, TITLE), (&chart.caption(), 92, CAPTION)] {
        let text = ink.cut(text, WIDTH - 2 * MARGIN);
        page.text(&text, (MARGIN, y), HPos::Left, ink)?;
    }
    Ok(())
}

/// How a text looks.
#[derive(Clone, Copy)]
struct Ink {
    size: i32,
    colour: RGBColor,
    bold: bool,
}

impl Ink {
    const fn new(size: i32, colour: RGBColor, bold: bool) -> Ink {
        Ink { size, colour, bold }
    }

    /// About the width of a text in pixels, rather too much.
    fn width(self, text: &str) -> i32 {
        let em: f64 = text.chars().map(em).sum();
        let bold = if self.bold { 1.1 } else { 1.0 };
        (em * bold * f64::from(self.size)).ceil() as i32
    }

    /// The text, cut at its end if it is wider.
    fn cut(self, text: &str, room: i32) -> String {
        cut(text, room, |text| self.width(text))
    }

    /// The name, cut before its end if it is wider.
    fn cut_name(self, name: &str, room: i32) -> String {
        cut_middle(name, room, room / 3, |text| self.width(text))
    }

    /// The exact figure, or a short one where its text is no reasonable figure.
    fn figure(self, number: &Number, places: usize) -> String {
        let exact = figure(&number.text, places);
        match self.width(&exact) <= 260 {
            true => exact,
            false => short(number.value),
        }
    }
}

/// About the width of a character in a wide sans-serif font, in ems.
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

/// The drawing area, with the shapes the charts are made of.
struct Page<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl Page<'_> {
    /// A text beside a point, centred on its height.
    fn text(&self, text: &str, at: (i32, i32), side: HPos, ink: Ink) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        // The backend divides sizes by 1.24, and centres on small letters: figures come too high.
        let size = f64::from(ink.size) * 1.24;
        let style = match ink.bold {
            true => FontStyle::Bold,
            false => FontStyle::Normal,
        };
        let font = FontDesc::new(FontFamily::Name(FONTS), size, style);
        let style = TextStyle::from(font).color(&ink.colour);
        let style = style.pos(Pos::new(side, VPos::Center));
        let at = (at.0, at.1 + ink.size / 12);
        let text = Text::new(text, at, style);
        self.0.draw(&text).map_err(failed)
    }

    fn line(&self, points: Vec<(i32, i32)>, colour: RGBColor, width: u32) -> Result<(), String> {
        let path = PathElement::new(points, colour.stroke_width(width));
        self.0.draw(&path).map_err(failed)
    }

    fn rectangle(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), String> {
        let rectangle = Rectangle::new([from, to], colour.filled());
        self.0.draw(&rectangle).map_err(failed)
    }

    fn dot(&self, at: (i32, i32), radius: i32, colour: RGBColor) -> Result<(), String> {
        let dot = Circle::new(at, radius, colour.filled());
        self.0.draw(&dot).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> String {
    format!("the chart could not be drawn: {error}")
}
