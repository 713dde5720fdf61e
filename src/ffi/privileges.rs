//! Whether the program has more rights than who started it.

#![allow(unsafe_code)]

/// It does: it is set-user-ID or set-group-ID, its file has capabilities, or a security module of
/// the kernel's says so.
pub(crate) fn are_raised() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it only looks a number up, in what the kernel gave the program.
    return unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(any(
        target_vendor = "apple",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "openbsd"
    ))]
    // SAFETY: it takes nothing and cannot fail.
    return unsafe { libc::issetugid() } != 0;
    #[allow(unreachable_code)] // Where nothing above is compiled, nobody can say.
    false
}
