//! Data on stdout.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Set once the reader of stdout has closed the pipe.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Returns true if nobody reads stdout any more, so that rows need not be computed.
pub(crate) fn is_closed() -> bool {
    IS_CLOSED.load(Ordering::Relaxed)
}

/// Writes bytes. A closed pipe is not an error: it changes nothing in the outcome of a command.
pub(crate) fn print(data: &[u8]) -> Result<()> {
    if is_closed() {
        return Ok(());
    }
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => {
            IS_CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
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
