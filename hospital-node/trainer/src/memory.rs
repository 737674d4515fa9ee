//! How memory is held from step to step.

/// Tells the C library's allocator to keep what a step gives back for the next one. By itself it returns large pieces to the system, which
/// then hands them out again page by page, each cleared first: up to a third of a step's processor time. One arena for all threads, because
/// only the first keeps what it has; they ask it for few and large pieces. Before anything else, and once. Where there is another C library
/// nothing is done.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TOP_PAD, M_TRIM_THRESHOLD, mallopt};

        /// The most that the allocator takes for this limit.
        const MAPPED_ABOVE: i32 = 32 << 20;
        for (option, value) in [
            (M_ARENA_MAX, 1),
            (M_TRIM_THRESHOLD, i32::MAX),
            (M_MMAP_THRESHOLD, MAPPED_ABOVE),
            (M_TOP_PAD, MAPPED_ABOVE),
        ] {
            // SAFETY: it takes two numbers by value and sets one of the allocator's under its own lock; it touches no memory of ours. One
            // that it does not like it leaves as it is, which costs time alone.
            #[allow(unsafe_code)]
            unsafe {
                mallopt(option, value);
            }
        }
    }
}
