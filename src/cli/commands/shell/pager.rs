//! Text on the screen, through a pager if it is longer.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::cli::commands::shell::state::ShellState;
use crate::cli::print;
use crate::error::Result;

/// Exit code of a shell for a program that does not exist.
const NOT_FOUND: i32 = 127;

/// Prints text to stdout, through a pager if it is longer than the screen.
pub(super) fn page(state: &ShellState, text: &[u8]) -> Result<()> {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let height = terminal_size::terminal_size().map(|(_, height)| usize::from(height.0));
    let fits = height.is_none_or(|height| lines < height);
    if !state.is_interactive || !state.pager || fits || !std::io::stdout().is_terminal() {
        return print(text);
    }
    let pager = std::env::var("PAGER")
        .ok()
        .filter(|pager| !pager.trim().is_empty());
    let pager = pager.unwrap_or_else(|| "less -SRFX".to_string());
    let spawned = Command::new("sh")
        .args(["-c", &pager])
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        return print(text);
    };
    if let Some(mut stdin) = child.stdin.take() {
        // Quitting a pager early closes its input, which is not an error.
        let _ = stdin.write_all(text);
    }
    match child.wait() {
        Ok(status) if status.code() == Some(NOT_FOUND) => print(text),
        _ => Ok(()),
    }
}
