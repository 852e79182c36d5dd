//! Tuning of the C library's allocator. A run is a sequence of short stages that each need most of the
//! memory, so memory freed by one stage is returned to the system before the next begins.

/// Limits glibc to two arenas; with one arena per thread the peak of an import is 1.5 times as high.
/// Must be called before any other thread starts.
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
