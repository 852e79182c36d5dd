//! Exit codes, and errors as people see them.

use std::process::ExitCode;

use crate::cli::output::stderr::{note, note_lines};
use crate::error::{Error, ErrorKind, Result};

/// Converts a command's result into the exit code of the process, after printing its error.
pub(crate) fn exit_code(result: Result<u8>) -> ExitCode {
    let code = result.unwrap_or_else(|error| {
        show_error(&error);
        error.kind().exit_code()
    });
    ExitCode::from(code)
}

/// Returns the exit code of a command that ended with an error of `kind`, 0 without one.
pub(crate) fn code_of(kind: Option<ErrorKind>) -> u8 {
    kind.map_or(0, ErrorKind::exit_code)
}

/// Writes an error and its hints to stderr.
pub(crate) fn show_error(error: &Error) {
    // The error has escaped what it quotes; its other lines are an excerpt.
    note_lines(&format!("error: {error}"));
    if let Some(hint) = error.hint() {
        note!("hint: {hint}");
    }
}
