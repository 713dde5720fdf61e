//! The library's clocks, moved at will, as tests/c/time_travel.h does it: this program has a
//! `clock_gettime` of its own. The clock by which threads wait stays as it is.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::time::Duration;

static AHEAD_S: AtomicI64 = AtomicI64::new(0);
static WALL_AHEAD_S: AtomicI64 = AtomicI64::new(0);

/// Time passes for the library.
#[allow(dead_code)] // Not in each test.
pub fn travel(by: Duration) {
    AHEAD_S.fetch_add(by.as_secs().cast_signed(), Ordering::SeqCst);
}

/// Somebody sets the wall clock, so many seconds ahead of where it was at first.
#[allow(dead_code)] // Not in each test.
pub fn set_wall_clock(ahead_s: i64) {
    WALL_AHEAD_S.store(ahead_s, Ordering::SeqCst);
}

fn is_wall(id: libc::clockid_t) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE].contains(&id);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return id == libc::CLOCK_REALTIME;
}

fn is_moved(id: libc::clockid_t) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return [
        libc::CLOCK_REALTIME,
        libc::CLOCK_REALTIME_COARSE,
        libc::CLOCK_BOOTTIME,
    ]
    .contains(&id);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC].contains(&id);
}

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;

fn system_clock_gettime() -> ClockGettime {
    static FOUND: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());
    if FOUND.load(Ordering::Relaxed).is_null() {
        // SAFETY: a NUL-terminated name; the C library has a function of that name for as long as
        // the process lives.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: that is its type.
    unsafe { std::mem::transmute(FOUND.load(Ordering::Relaxed)) }
}

// SAFETY: it has the type and the meaning of the C library's, whose callers' promises it passes on.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(id: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the caller's promise: `time` is valid for a write.
    unsafe {
        let result = system_clock_gettime()(id, time);
        if result == 0 && is_moved(id) {
            (*time).tv_sec += AHEAD_S.load(Ordering::SeqCst);
        }
        if result == 0 && is_wall(id) {
            (*time).tv_sec += WALL_AHEAD_S.load(Ordering::SeqCst);
        }
        result
    }
}
