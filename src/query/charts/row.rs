//! One line of terminal cells, and its way into text.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use crate::query::charts::truncate::{cut, cut_middle};

/// One line of a chart.
pub(super) struct Row(Buffer);

impl Row {
    pub(super) fn new(width: u16) -> Row {
        Row(Buffer::empty(Rect::new(0, 0, width, 1)))
    }

    /// Puts a text at the left of a column, cut to its width.
    pub(super) fn left(mut self, x: u16, width: u16, text: &str, style: Style) -> Row {
        let text = cut(text, i32::from(width), |text| i32::from(columns(text)));
        self.0.set_stringn(x, 0, text, usize::from(width), style);
        self
    }

    /// Puts a name at the left of a column, cut to its width before its end.
    pub(super) fn name(self, width: u16, name: &str) -> Row {
        let tail = if width < 9 { 0 } else { width / 3 };
        let name = cut_middle(name, i32::from(width), i32::from(tail), |text| {
            i32::from(columns(text))
        });
        self.left(0, width, &name, Style::new())
    }

    /// Puts a text at the right of a column, cut to its width.
    pub(super) fn right(self, x: u16, width: u16, text: &str, style: Style) -> Row {
        let text = cut(text, i32::from(width), |text| i32::from(columns(text)));
        let blank = width.saturating_sub(columns(&text));
        self.left(x + blank, width - blank, &text, style)
    }

    /// Draws a widget into a column.
    pub(super) fn widget(mut self, x: u16, width: u16, widget: impl Widget) -> Row {
        widget.render(Rect::new(x, 0, width, 1), &mut self.0);
        self
    }

    /// The line without trailing blanks, with ANSI sequences if there shall be colours.
    pub(super) fn text(&self, colours: bool) -> String {
        let (mut text, mut blanks, mut skip) = (String::new(), 0, 0);
        let mut style = String::new();
        for cell in self.0.content() {
            if skip > 0 {
                skip -= 1; // the right half of a wide character
                continue;
            }
            if cell.symbol() == " " {
                blanks += 1;
                continue;
            }
            skip = cell.symbol().width().saturating_sub(1);
            let next = match colours {
                true => sequence(cell.fg, cell.modifier),
                false => String::new(),
            };
            let changed = next != style;
            if changed && !style.is_empty() {
                text.push_str(RESET);
            }
            text.push_str(&" ".repeat(std::mem::take(&mut blanks)));
            if changed {
                text.push_str(&next);
                style = next;
            }
            text.push_str(cell.symbol());
        }
        text + if style.is_empty() { "" } else { RESET }
    }
}

const RESET: &str = "\x1b[0m";

/// The ANSI sequence of a style.
fn sequence(colour: Color, modifier: Modifier) -> String {
    let mut codes = Vec::new();
    if modifier.contains(Modifier::BOLD) {
        codes.push("1".to_owned());
    }
    if modifier.contains(Modifier::DIM) {
        codes.push("2".to_owned());
    }
    if let Color::Indexed(index) = colour {
        codes.push(format!("38;5;{index}"));
    }
    match codes.is_empty() {
        true => String::new(),
        false => format!("\x1b[{}m", codes.join(";")),
    }
}

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}
