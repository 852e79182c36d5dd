//! Data on stdout.

use std::io::{ErrorKind, IsTerminal, Write};

use crate::display_text::lines_for_display;
use crate::error::{Error, Result};

/// Writes a value as one line of JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_string(value).map_err(|e| Error::bug(format!("JSON: {e}")))?;
    print(format!("{json}\n").as_bytes())
}

/// Writes a text for people, fit for display.
pub(crate) fn print_text(text: &str) -> Result<()> {
    print(lines_for_display(text).as_bytes())
}

/// Writes bytes. A closed pipe ends the process without an error.
pub(crate) fn print(data: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Error::config(format!("could not write to stdout: {e}"))),
    }
}

/// Width of the terminal in characters; `None` when stdout is not a terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
