//! Calls of the C library without a safe wrapper. This is the only module with unsafe code.
//!
//! The heap: a run is short stages that each need most of it, so memory that one stage freed is returned before
//! the next begins. Interrupts: a prompt for a secret must restore the terminal before Ctrl-C ends the process.
//! The umask: billing data is for its owner, while files that the user names have the user's permissions.

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

/// Effective user of this process.
#[cfg(unix)]
pub(crate) fn effective_user() -> u32 {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() }
}

/// Memory of this process that is in RAM, in bytes; `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

/// Memory of this process that is in RAM, in bytes; `None` where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes() -> Option<u64> {
    None
}

/// Returns true if the process was started with SIGHUP ignored, as `nohup` does.
#[cfg(unix)]
pub(crate) fn ignores_hangup() -> bool {
    let mut current = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only writes the current one.
    let found = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), current.as_mut_ptr()) };
    // SAFETY: the call succeeded, so it has written the action.
    found == 0 && unsafe { current.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Permissions that new files of this process do not have: the previous mask.
#[cfg(unix)]
#[allow(
    clippy::useless_conversion,
    reason = "mode_t is shorter on some systems"
)]
pub(crate) fn set_umask(mask: u32) -> u32 {
    // SAFETY: umask has no preconditions. Masks fit every mode_t.
    u32::from(unsafe { libc::umask(mask as libc::mode_t) })
}
