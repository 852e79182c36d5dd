//! One line of styled text at fixed terminal columns.

use unicode_width::UnicodeWidthStr;

use crate::query::charts::truncate::{truncate, truncate_middle};

/// Terminal style of a text. Terminals map the two colours to their theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Faint,
    /// Colour of positive values.
    Positive,
    /// Colour of negative values.
    Negative,
    /// Mark of an absent value, or of one that is not final.
    Absent,
}

impl Style {
    /// ANSI sequence that starts the style.
    fn sequence(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "\x1b[1m",
            Style::Faint => "\x1b[2m",
            Style::Positive => "\x1b[38;5;6m",
            Style::Negative => "\x1b[38;5;1m",
            Style::Absent => "\x1b[2;38;5;6m",
        }
    }
}

const RESET: &str = "\x1b[0m";

/// Texts that do not overlap, each at its column.
#[derive(Default)]
pub(super) struct TextLine {
    spans: Vec<Span>,
}

struct Span {
    column: u16,
    text: String,
    style: Style,
}

impl TextLine {
    /// Adds a text at the left of a field, truncated to the field's width.
    pub(super) fn left(mut self, column: u16, width: u16, text: &str, style: Style) -> TextLine {
        let text = truncate(text, i32::from(width), |text| i32::from(text_width(text)));
        self.spans.push(Span {
            column,
            text,
            style,
        });
        self
    }

    /// Adds a text at the right of a field, truncated to the field's width.
    pub(super) fn right(self, column: u16, width: u16, text: &str, style: Style) -> TextLine {
        let text = truncate(text, i32::from(width), |text| i32::from(text_width(text)));
        let blanks = width.saturating_sub(text_width(&text));
        self.left(column + blanks, width - blanks, &text, style)
    }

    /// Adds a name at the start of the line, truncated in its middle.
    pub(super) fn name(self, width: u16, name: &str) -> TextLine {
        let tail = if width < 9 { 0 } else { width / 3 };
        let name = truncate_middle(name, i32::from(width), i32::from(tail), |text| {
            i32::from(text_width(text))
        });
        self.left(0, width, &name, Style::Plain)
    }

    /// Adds symbols of one column each.
    pub(super) fn symbols(
        mut self,
        column: u16,
        symbols: impl Iterator<Item = (&'static str, Style)>,
    ) -> TextLine {
        let spans = (column..)
            .zip(symbols)
            .map(|(column, (symbol, style))| Span {
                column,
                text: symbol.to_owned(),
                style,
            });
        self.spans.extend(spans);
        self
    }

    /// The line without trailing blanks; with ANSI sequences if `colours`.
    ///
    /// Blanks have no style, so that a run of one style keeps its sequence across them.
    pub(super) fn render(mut self, colours: bool) -> String {
        self.spans.sort_by_key(|span| span.column);
        let (mut out, mut blanks, mut column) = (String::new(), 0, 0);
        let mut active = Style::Plain;
        for span in &self.spans {
            blanks += usize::from(span.column.saturating_sub(column));
            column = span.column + text_width(&span.text);
            let style = if colours { span.style } else { Style::Plain };
            for c in span.text.chars() {
                if c == ' ' {
                    blanks += 1;
                    continue;
                }
                if style != active && active != Style::Plain {
                    out.push_str(RESET);
                }
                out.push_str(&" ".repeat(std::mem::take(&mut blanks)));
                if style != active {
                    out.push_str(style.sequence());
                    active = style;
                }
                out.push(c);
            }
        }
        if active != Style::Plain {
            out.push_str(RESET);
        }
        out
    }
}

/// Terminal columns that a text takes.
pub(super) fn text_width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}
