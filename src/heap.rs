//! What the C library keeps of freed memory. A run is short stages that each need most of it, so
//! what one stage freed goes back before the next begins.

/// Limits glibc to two arenas: with one a thread, the peak of an import is half as high again.
/// Call it before any other thread runs.
pub fn limit_malloc_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes plain numbers and has no other preconditions.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Gives freed memory back to the system.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim only releases memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
