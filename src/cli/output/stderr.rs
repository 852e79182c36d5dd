//! Lines on stderr.

use std::fmt::Arguments;
use std::io::Write;

/// Writes a line. Nothing is left to report a failing stderr to.
pub(crate) fn print_line(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
