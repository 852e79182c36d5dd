//! The `billstream` command: runs [`billstream::cli`] and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    billstream::heap::limit_malloc_arenas();
    billstream::cli::main()
}
