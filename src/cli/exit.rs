//! Exit codes, and errors as people see them.

use crate::cli::output::rows::unfinished;
use crate::cli::output::stderr::{note, note_lines};
use crate::engine::spill;
use crate::error::{Error, ErrorKind, Result};

/// Converts a command's result into the exit code of the process, after printing its error.
pub(crate) fn code(result: Result<u8>) -> u8 {
    result.unwrap_or_else(|error| {
        show_error(&error);
        error.kind().exit_code()
    })
}

/// Returns the exit code of a command that ended with an error of `kind`, 0 without one.
pub(crate) fn code_of(kind: Option<ErrorKind>) -> u8 {
    kind.map_or(0, ErrorKind::exit_code)
}

/// Ends the process, after deleting its temporary files.
pub(crate) fn at_once(kind: ErrorKind) -> ! {
    spill::delete_folder();
    unfinished::delete_files();
    std::process::exit(kind.exit_code().into());
}

/// Writes an error and its hints to stderr.
pub(crate) fn show_error(error: &Error) {
    // The error has escaped what it quotes; its other lines are an excerpt.
    note_lines(&format!("error: {error}"));
    if let Some(hint) = error.hint() {
        note!("hint: {hint}");
    }
}
