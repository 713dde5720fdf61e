//! Unix: its clocks, `fork()`, signals, pages and sockets.

#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::Ready;

fn read_clock(id: libc::clockid_t) -> Option<libc::timespec> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is valid for a write of one timespec, and the call fills it when it
    // returns 0.
    unsafe { (libc::clock_gettime(id, time.as_mut_ptr()) == 0).then(|| time.assume_init()) }
}

#[allow(clippy::useless_conversion)] // 32-bit targets have narrower fields.
fn millis(time: libc::timespec) -> i64 {
    i64::from(time.tv_sec)
        .saturating_mul(1000)
        .saturating_add(i64::from(time.tv_nsec) / 1_000_000)
}

#[allow(clippy::useless_conversion)] // 32-bit targets have narrower fields.
fn nanos(time: libc::timespec) -> i64 {
    i64::from(time.tv_sec)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(i64::from(time.tv_nsec))
}

/// The clock that goes on while the machine sleeps.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SUSPEND_AWARE: libc::clockid_t = libc::CLOCK_BOOTTIME;
/// Apple's CLOCK_MONOTONIC counts the time asleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SUSPEND_AWARE: libc::clockid_t = libc::CLOCK_MONOTONIC;

#[cfg(any(target_os = "linux", target_os = "android"))]
const CHEAP_WALL: libc::clockid_t = libc::CLOCK_REALTIME_COARSE;
#[cfg(any(target_os = "linux", target_os = "android"))]
const CHEAP_MONOTONIC: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CHEAP_WALL: libc::clockid_t = libc::CLOCK_REALTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CHEAP_MONOTONIC: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> i64 {
    read_clock(libc::CLOCK_REALTIME).map_or(0, millis)
}

/// Milliseconds of a clock that never goes back and counts the time asleep.
pub(crate) fn mono_ms() -> i64 {
    read_clock(SUSPEND_AWARE)
        .or_else(|| read_clock(libc::CLOCK_MONOTONIC))
        .map_or(0, millis)
}

/// A number that changes when either clock has moved, as of the kernel's last tick: a few
/// nanoseconds to read. Where there is no such clock, a number that is never the same.
pub(crate) fn tick() -> i64 {
    static READS: AtomicI64 = AtomicI64::new(0);
    match (read_clock(CHEAP_WALL), read_clock(CHEAP_MONOTONIC)) {
        // An odd factor: hardly any step of the wall clock undoes a tick of the other.
        (Some(wall), Some(mono)) => nanos(wall).wrapping_add(nanos(mono).wrapping_mul(0x9E37_79B9)),
        _ => READS.fetch_add(1, Ordering::Relaxed),
    }
}

/// A number for this start of the machine, where the system has a name for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn boot_id() -> Option<u64> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = id
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect();
    u64::from_str_radix(&digits, 16).ok()
}

/// None has one that is as easy to read.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn boot_id() -> Option<u64> {
    None
}

/// A number that is 0 in every forked child, where the kernel can do that: not only after `fork()`,
/// but after `_Fork` and a bare `clone` too. For the life of the process.
pub(crate) fn wiped_in_child() -> &'static AtomicU64 {
    let len = size_of::<AtomicU64>();
    let Some(page) = map_undumped(len) else {
        return Box::leak(Box::default());
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the range is the mapping made above, which nobody else knows.
    unsafe {
        libc::madvise(page.cast(), len, libc::MADV_WIPEONFORK);
    }
    // SAFETY: a page is aligned, zeroed, large enough, and never given back.
    unsafe { &*page.cast::<AtomicU64>() }
}

/// Calls `hook` in every child of `fork()`, before that returns there.
pub(crate) fn at_fork_in_child(hook: extern "C" fn()) {
    // SAFETY: registering is always allowed; the hook stays valid because the library is never
    // unloaded (-z nodelete), and it only stores to atomics and closes files, which is safe in a
    // child of a process with threads.
    unsafe { libc::pthread_atfork(None, None, Some(hook)) };
}

/// The library is linked so that it stays loaded.
pub(crate) fn stay_loaded() {}

/// No thread of the library's takes signals, so that the program's handlers run on the program's
/// threads: all are blocked while one is started, for it inherits that.
pub(super) struct SignalsBlocked {
    before: Option<libc::sigset_t>,
}

impl SignalsBlocked {
    pub(super) fn begin() -> SignalsBlocked {
        SignalsBlocked {
            before: block_all_signals(),
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        restore_signals(&self.before);
    }
}

fn block_all_signals() -> Option<libc::sigset_t> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises `all`; pthread_sigmask reads it and fills `before` when it
    // returns 0.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        (libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0)
            .then(|| before.assume_init())
    }
}

fn restore_signals(before: &Option<libc::sigset_t>) {
    if let Some(mask) = before {
        // SAFETY: `mask` is the initialised set that the thread had before; the old value is not
        // asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
    }
}

/// What the system says when it has no socket left, or no memory for one.
const NO_RESOURCES: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];

pub(crate) fn is_lack_of_resources(why: &io::Error) -> bool {
    why.raw_os_error()
        .is_some_and(|number| NO_RESOURCES.contains(&number))
}

/// Whether a name's addresses could not be had for the name's sake: such numbers are getaddrinfo's
/// own, and no errno.
pub(crate) fn is_unknown_name(why: &io::Error) -> bool {
    why.raw_os_error().is_none()
}

/// Whether a socket that does not block has begun to connect. A signal's handler in the middle of
/// that changes nothing.
pub(crate) fn is_under_way(why: &io::Error) -> bool {
    why.raw_os_error() == Some(libc::EINPROGRESS) || why.kind() == io::ErrorKind::Interrupted
}

/// An error in words.
pub(crate) fn words_of(why: &io::Error) -> String {
    why.to_string()
}

/// Whoever shuts a socket down ends all waits for it.
pub(crate) const LONGEST_WAIT: Duration = Duration::MAX;

/// Waits until one of the sockets is ready or has failed, or for `limit`, or for a signal's
/// handler; and says of each whether it is.
pub(crate) fn wait_for<S: AsFd>(
    sockets: &[S],
    ready: Ready,
    limit: Duration,
) -> io::Result<Vec<bool>> {
    let events = match ready {
        Ready::Read => libc::POLLIN,
        Ready::Write => libc::POLLOUT,
        Ready::Either => libc::POLLOUT | libc::POLLIN,
    };
    let polled = |socket: &S| libc::pollfd {
        fd: socket.as_fd().as_raw_fd(),
        events,
        revents: 0,
    };
    let mut polled: Vec<_> = sockets.iter().map(polled).collect();
    // Rounded up: a wait of less than a millisecond must not become many of none.
    let ms = limit.as_micros().div_ceil(1000);
    let ms = libc::c_int::try_from(ms).unwrap_or(libc::c_int::MAX);
    // SAFETY: the pointer and the length are those of one vector that is ours alone.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, ms) };
    if count == -1 {
        let why = io::Error::last_os_error();
        return match why.kind() {
            io::ErrorKind::Interrupted => Ok(vec![false; sockets.len()]),
            _ => Err(why),
        };
    }
    Ok(polled.iter().map(|socket| socket.revents != 0).collect())
}

/// The same for every descriptor of one socket, and of no other: the device of all sockets, and its
/// number.
pub(crate) type SocketId = (u64, u64);

/// Of what the descriptor belongs to now; `None` if that is nothing.
#[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // Not the same on every system.
pub(crate) fn socket_id(socket: &TcpStream) -> Option<SocketId> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: any number may be asked for; the pointer is valid for a write of one stat, which the
    // call fills when it returns 0.
    let found = unsafe {
        (libc::fstat(socket.as_raw_fd(), found.as_mut_ptr()) == 0).then(|| found.assume_init())
    }?;
    Some((found.st_dev as u64, found.st_ino as u64))
}

/// How many of the `written` bytes the other side has not acknowledged; `None` where the system
/// does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn unsent(socket: &TcpStream, _written: u64) -> Option<u64> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the request writes one int to the valid pointer.
    let asked = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut count) };
    (asked == 0).then(|| u64::try_from(count).ok()).flatten()
}

/// The same, from Apple's systems: what is in the buffer stays there until it is acknowledged.
#[cfg(target_vendor = "apple")]
pub(crate) fn unsent(socket: &TcpStream, _written: u64) -> Option<u64> {
    let mut count: libc::c_int = 0;
    let mut length = size_of_val(&count) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the option writes one int to the valid pointer.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NWRITE,
            (&raw mut count).cast(),
            &mut length,
        )
    };
    (asked == 0).then(|| u64::try_from(count).ok()).flatten()
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn unsent(_socket: &TcpStream, _written: u64) -> Option<u64> {
    None
}

/// Reads from a place in a file. Whoever reads from another at the same time changes nothing.
pub(crate) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(into, at)
}

/// The same for every path to one file: its device and number.
pub(crate) type FileId = (u64, u64);

/// Of the file that `path` leads to, whose metadata these are.
pub(crate) fn file_id(_path: &Path, metadata: &Metadata) -> Option<FileId> {
    Some((metadata.dev(), metadata.ino()))
}

/// Puts `pthread_cancel` of this thread off while it lives: the thread ends at the program's own
/// next cancellation point. Most system calls that may wait are such points. There the C library
/// would unwind through Rust code, which aborts the process, or end the thread with locks held.
pub(crate) struct CancelPutOff {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    before: libc::c_int,
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
mod cancel {
    // The libc crate has neither for Linux.
    unsafe extern "C" {
        pub(super) fn pthread_setcancelstate(
            state: libc::c_int,
            before: *mut libc::c_int,
        ) -> libc::c_int;
    }
    pub(super) const DISABLE: libc::c_int = if cfg!(target_os = "macos") { 0 } else { 1 };
}

impl CancelPutOff {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    pub(crate) fn begin() -> CancelPutOff {
        let mut before = cancel::DISABLE;
        // SAFETY: the pointer is valid for a write; this thread's own state is all that changes.
        unsafe { cancel::pthread_setcancelstate(cancel::DISABLE, &mut before) };
        CancelPutOff { before }
    }

    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    pub(crate) fn begin() -> CancelPutOff {
        CancelPutOff {}
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
impl Drop for CancelPutOff {
    fn drop(&mut self) {
        let mut ours = 0;
        // SAFETY: as above. The state is one that the system gave. This is no cancellation point.
        unsafe { cancel::pthread_setcancelstate(self.before, &mut ours) };
    }
}

/// Whole pages of their own that stay out of core dumps, zeroed. `None` when the system has none.
pub(crate) fn map_undumped(len: usize) -> Option<*mut u8> {
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no other
    // memory.
    let pages = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        )
    };
    if pages == libc::MAP_FAILED {
        return None;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the range is the mapping made above. The advice is a courtesy: its failure changes
    // nothing.
    unsafe {
        libc::madvise(pages, len, libc::MADV_DONTDUMP);
    }
    Some(pages.cast())
}

/// Gives pages of [`map_undumped`] back.
///
/// # Safety
/// `pages` and `len` are what one call of [`map_undumped`] gave and got, and nothing uses them any
/// more.
pub(crate) unsafe fn unmap(pages: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(pages.cast(), len) };
}

#[cfg(test)]
mod tests {
    use super::super::spawn;
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_library_thread_blocks_signals_and_its_parent_does_not() {
        fn blocks_sigterm() -> bool {
            let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: a NULL new set only reads the mask into the valid pointer.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
                libc::sigismember(mask.as_ptr(), libc::SIGTERM) == 1
            }
        }
        let (tx, rx) = mpsc::channel();
        spawn("apivideo-test", move || {
            tx.send(blocks_sigterm()).unwrap_or(())
        })
        .unwrap();
        assert!(rx.recv().unwrap());
        assert!(!blocks_sigterm());
    }
}
