//! Notes on stderr. Texts from outside are made fit for display.

use std::fmt::Display;
use std::io::Write;

use crate::display_text::{for_display, lines_for_display};

/// Writes a line to stderr, formatted like `eprintln!`; see [`note_line`].
macro_rules! note {
    ($($argument:tt)*) => {
        $crate::cli::output::stderr::note_line(format_args!($($argument)*))
    };
}
pub(crate) use note;

/// Writes one line to stderr: line breaks and control characters of what it quotes are escaped.
pub(crate) fn note_line(text: impl Display) {
    write_line(&for_display(&text.to_string()));
}

/// As [`note_line`], for a text of several lines.
pub(crate) fn note_lines(text: &str) {
    write_line(&lines_for_display(text));
}

fn write_line(line: &str) {
    // Nothing is left to report a failing stderr to.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
