//! Calls of the C library without a safe wrapper. This is the only module with unsafe code.
//!
//! The heap: a run is short stages that each need most of it, so memory that one stage freed is returned before
//! the next begins. Interrupts: a prompt for a secret must restore the terminal before Ctrl-C ends the process.

#![allow(unsafe_code, reason = "these calls have no safe wrapper")]

/// Limits glibc to two arenas; with one arena per thread, the peak of an import is 1.5 times as high. Call it
/// before any other thread starts.
pub fn limit_malloc_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes plain numbers and has no other preconditions.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Returns freed memory to the system.
pub(crate) fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim only releases memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Runs a function while the process ignores SIGINT.
#[cfg(unix)]
pub(crate) fn ignoring_interrupts<T>(run: impl FnOnce() -> T) -> T {
    // SAFETY: installs no handler of this process, and restores the previous disposition.
    let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let result = run();
    // SAFETY: as above.
    unsafe {
        libc::signal(libc::SIGINT, before);
    }
    result
}

/// Sends SIGINT to this process.
#[cfg(unix)]
pub(crate) fn raise_interrupt() {
    // SAFETY: raise has no preconditions.
    unsafe {
        libc::raise(libc::SIGINT);
    }
}
