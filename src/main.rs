//! The `billstream` command: runs [`billstream::cli`] and turns its answer into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    billstream::memory::few_arenas();
    billstream::cli::main()
}
