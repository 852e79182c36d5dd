//! The `billstream` command: runs [`billstream::cli`] and turns its answer into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    few_arenas();
    billstream::cli::main()
}

/// glibc keeps freed memory in one arena a thread: two of them halve the peak of an import.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn few_arenas() {
    // SAFETY: mallopt has no preconditions, and no other thread runs yet.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn few_arenas() {}
