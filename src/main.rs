//! The `billstream` command: runs [`billstream::cli`] and exits with its code.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    billstream::os::limit_malloc_arenas();
    billstream::cli::main()
}
