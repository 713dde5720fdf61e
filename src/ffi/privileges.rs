//! Whether the program has more rights than who started it.

#![allow(unsafe_code)]

/// It does: it is set-user-ID or set-group-ID, or its file has capabilities.
pub(crate) fn are_raised() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it only looks a number up, in what the kernel gave the program.
    return unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(target_vendor = "apple")]
    // SAFETY: it takes nothing and cannot fail.
    return unsafe { libc::issetugid() } != 0;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    false
}
