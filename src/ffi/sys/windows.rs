//! Windows: its clocks, pages and sockets, and a library that stays loaded. There are no signals
//! and no `fork()`.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::fs::{self, File, Metadata};
use std::io;
use std::net::TcpStream;
use std::os::windows::fs::FileExt;
use std::os::windows::io::{AsRawSocket, AsSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_NOT_ENOUGH_MEMORY, ERROR_TOO_MANY_OPEN_FILES, FILETIME,
};
use windows_sys::Win32::Networking::WinSock::{
    FD_SET, SIO_TCP_INFO, SOCKET, SOCKET_ERROR, TCP_INFO_v0, TIMEVAL, WSAEMFILE, WSAENOBUFS,
    WSAEWOULDBLOCK, WSAHOST_NOT_FOUND, WSAIoctl, WSANO_DATA, WSANO_RECOVERY, WSATRY_AGAIN, select,
};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    GetModuleHandleW, GetProcAddress,
};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree,
};
use windows_sys::Win32::System::SystemInformation::{
    GetSystemTimeAsFileTime, GetSystemTimePreciseAsFileTime, GetTickCount64,
};
use windows_sys::core::w;

use super::Ready;

/// From 1601, where Windows' time begins, to 1970: in its units of 100 ns.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;
const UNITS_PER_MS: i64 = 10_000;

/// One reading of the wall clock, in units of 100 ns since 1601.
fn wall_units(read: unsafe extern "system" fn(*mut FILETIME)) -> i64 {
    let mut time = FILETIME::default();
    // SAFETY: the pointer is valid for a write of one FILETIME.
    unsafe { read(&mut time) };
    i64::from(time.dwHighDateTime) << 32 | i64::from(time.dwLowDateTime)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> i64 {
    let units = wall_units(GetSystemTimePreciseAsFileTime);
    units.saturating_sub(UNIX_EPOCH).div_euclid(UNITS_PER_MS)
}

/// Milliseconds of a clock that never goes back and counts the time asleep, in steps of 10 to 16.
/// QueryUnbiasedInterruptTime and std's `Instant` may stand still in sleep, and not every system
/// has QueryInterruptTime.
pub(crate) fn mono_ms() -> i64 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { GetTickCount64() }.cast_signed()
}

/// A number that changes when either clock has moved, as of the kernel's last tick: a few
/// nanoseconds to read.
pub(crate) fn tick() -> i64 {
    // An odd factor: hardly any step of the wall clock undoes a tick of the other.
    wall_units(GetSystemTimeAsFileTime).wrapping_add(mono_ms().wrapping_mul(0x9E37_79B9))
}

/// Windows has no name for it.
pub(crate) fn boot_id() -> Option<u64> {
    None
}

/// There are no forked children.
pub(crate) fn wiped_in_child() -> &'static AtomicU64 {
    static NEVER_WIPED: AtomicU64 = AtomicU64::new(0);
    &NEVER_WIPED
}

/// There are no forked children.
pub(crate) fn at_fork_in_child(_hook: extern "C" fn()) {}

/// Keeps the library loaded until the process ends: its threads may outlive a FreeLibrary.
pub(crate) fn stay_loaded() {
    let mut module = std::ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    // SAFETY: with these flags the name is any address in the library, which this function is; the
    // pointer is valid for a write of one handle.
    unsafe { GetModuleHandleExW(flags, (stay_loaded as *const ()).cast(), &mut module) };
}

/// There are no signals.
pub(super) struct SignalsBlocked;

impl SignalsBlocked {
    pub(super) fn begin() -> SignalsBlocked {
        SignalsBlocked
    }
}

/// There is no `pthread_cancel`.
pub(crate) struct CancelPutOff;

impl CancelPutOff {
    pub(crate) fn begin() -> CancelPutOff {
        CancelPutOff
    }
}

/// What the system says when it has no socket left, or no memory for one.
const NO_RESOURCES: [i32; 4] = [
    ERROR_TOO_MANY_OPEN_FILES.cast_signed(),
    ERROR_NOT_ENOUGH_MEMORY.cast_signed(),
    WSAEMFILE,
    WSAENOBUFS,
];

pub(crate) fn is_lack_of_resources(why: &io::Error) -> bool {
    why.raw_os_error()
        .is_some_and(|number| NO_RESOURCES.contains(&number))
}

/// What is said of a name without addresses, or whose name servers do not answer.
const UNKNOWN_NAME: [i32; 4] = [WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA];

/// Whether a name's addresses could not be had for the name's sake.
pub(crate) fn is_unknown_name(why: &io::Error) -> bool {
    why.raw_os_error()
        .is_some_and(|number| UNKNOWN_NAME.contains(&number))
}

/// Whether a socket that does not block has begun to connect.
pub(crate) fn is_under_way(why: &io::Error) -> bool {
    why.raw_os_error() == Some(WSAEWOULDBLOCK)
}

/// An error in words: its kind and Windows' number. The system's own words are in the language that
/// it was installed in, among ours, and in logs that others read.
pub(crate) fn words_of(why: &io::Error) -> String {
    match why.raw_os_error() {
        Some(number) => format!("{} (Windows error {number})", why.kind()),
        None => why.to_string(),
    }
}

/// Sockets as `select` takes them: their count, then they themselves. A FD_SET is the beginning of
/// that. Windows does not mind how many they are.
struct Set(Vec<SOCKET>);

impl Set {
    fn of<S: AsSocket>(sockets: &[S]) -> Set {
        let raw = |socket: &S| socket.as_socket().as_raw_socket() as SOCKET;
        Set([sockets.len()]
            .into_iter()
            .chain(sockets.iter().map(raw))
            .collect())
    }

    fn as_mut_ptr(&mut self) -> *mut FD_SET {
        self.0.as_mut_ptr().cast()
    }

    /// After `select`, which leaves only those that are ready.
    fn has(&self, socket: SOCKET) -> bool {
        let left = self.0[0].min(self.0.len() - 1);
        self.0[1..=left].contains(&socket)
    }
}

/// A wait for a socket is to be begun anew after this time: that another thread has shut the socket
/// down ends none.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Waits until one of the sockets is ready or has failed, or for `limit`; and says of each whether
/// it is. By `select`: WSAPoll of Windows before 2004 does not tell that a connection was refused.
pub(crate) fn wait_for<S: AsSocket>(
    sockets: &[S],
    ready: Ready,
    limit: Duration,
) -> io::Result<Vec<bool>> {
    let [mut watched, mut failed, mut readable] = [(); 3].map(|()| Set::of(sockets));
    let none = std::ptr::null_mut();
    // What has failed can be read from. A set of its own tells of a failed connection, and of
    // urgent data, which no read takes away: to wait for that too would be no wait.
    let (read, write, except) = match ready {
        Ready::Read => (watched.as_mut_ptr(), none, none),
        Ready::Write => (none, watched.as_mut_ptr(), failed.as_mut_ptr()),
        Ready::Either => (
            readable.as_mut_ptr(),
            watched.as_mut_ptr(),
            failed.as_mut_ptr(),
        ),
    };
    // Rounded up: a wait of less than a microsecond must not become many of none.
    let micros = limit.as_nanos().div_ceil(1000);
    let timeout = TIMEVAL {
        tv_sec: i32::try_from(micros / 1_000_000).unwrap_or(i32::MAX),
        tv_usec: (micros % 1_000_000) as i32,
    };
    // SAFETY: each set is NULL, or a count and as many sockets, ours alone, and its pointer is
    // aligned for more than a FD_SET wants; no more than that count is read or written.
    let count = unsafe { select(0, read, write, except, &timeout) };
    if count == SOCKET_ERROR {
        return Err(io::Error::last_os_error());
    }
    let is_ready = |socket: &S| {
        let socket = socket.as_socket().as_raw_socket() as SOCKET;
        let is_readable = matches!(ready, Ready::Either) && readable.has(socket);
        watched.has(socket) || (!except.is_null() && failed.has(socket)) || is_readable
    };
    Ok(sockets.iter().map(is_ready).collect())
}

/// No program closes handles by their numbers.
pub(crate) type SocketId = ();

pub(crate) fn socket_id(_socket: &TcpStream) -> Option<SocketId> {
    Some(())
}

/// How many of the `written` bytes the other side has not acknowledged: told from Windows 10 1703
/// on, and not by Wine 8.
pub(crate) fn unsent(socket: &TcpStream, written: u64) -> Option<u64> {
    let acknowledged = acknowledged(&tcp_info(socket)?);
    Some(written.saturating_sub(acknowledged))
}

/// Windows does not say whether what was sent twice is twice in BytesOut. If it is not, this is
/// too small, and a repetition makes it smaller: never does it grow without an acknowledgement.
fn acknowledged(info: &TCP_INFO_v0) -> u64 {
    let not = u64::from(info.BytesInFlight) + u64::from(info.BytesRetrans);
    info.BytesOut.saturating_sub(not)
}

fn tcp_info(socket: &TcpStream) -> Option<TCP_INFO_v0> {
    let (version, mut info, mut length) = (0_u32, TCP_INFO_v0::default(), 0);
    // SAFETY: the socket is open; the pointers are valid for a read of a number, for a write of
    // that structure, and of a number; the call returns when it is done, since it is not
    // overlapped.
    let result = unsafe {
        WSAIoctl(
            socket.as_raw_socket() as SOCKET,
            SIO_TCP_INFO,
            (&raw const version).cast(),
            size_of_val(&version) as u32,
            (&raw mut info).cast(),
            size_of_val(&info) as u32,
            &mut length,
            std::ptr::null_mut(),
            None,
        )
    };
    (result == 0 && length as usize == size_of_val(&info)).then_some(info)
}

/// Reads from a place in a file. Whoever reads from another at the same time changes nothing.
pub(crate) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(into, at)
}

/// The same for every path to one file: the path without links.
pub(crate) type FileId = PathBuf;

/// Of the file that `path` leads to, whose metadata these are.
pub(crate) fn file_id(path: &Path, _metadata: &Metadata) -> Option<FileId> {
    fs::canonicalize(path).ok()
}

/// Whole pages of their own, zeroed, which Windows Error Reporting leaves out of its dumps, where
/// it can. `None` when the system has none.
pub(crate) fn map_undumped(len: usize) -> Option<*mut u8> {
    let anywhere = std::ptr::null();
    // SAFETY: new pages at an address of the system's choice touch no other memory.
    let pages = unsafe { VirtualAlloc(anywhere, len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    if pages.is_null() {
        return None;
    }
    if let Some(exclude) = kernel32(c"WerRegisterExcludedMemoryBlock") {
        // SAFETY: that is the type of the function of this name, and the range is the pages made
        // above. Its failure changes nothing.
        unsafe {
            let exclude: unsafe extern "system" fn(*const c_void, u32) -> i32 =
                std::mem::transmute(exclude);
            exclude(pages, u32::try_from(len).unwrap_or(u32::MAX));
        }
    }
    Some(pages.cast())
}

/// Gives pages of [`map_undumped`] back.
///
/// # Safety
/// `pages` and `len` are what one call of [`map_undumped`] gave and got, and nothing uses them any
/// more.
pub(crate) unsafe fn unmap(pages: *mut u8, _len: usize) {
    if let Some(include) = kernel32(c"WerUnregisterExcludedMemoryBlock") {
        // SAFETY: that is the type of the function of this name, and the address was registered,
        // or is refused.
        unsafe {
            let include: unsafe extern "system" fn(*const c_void) -> i32 =
                std::mem::transmute(include);
            include(pages.cast());
        }
    }
    // SAFETY: the caller's promise.
    unsafe { VirtualFree(pages.cast(), 0, MEM_RELEASE) };
}

/// A function that Windows has from 10, version 1703, on: a library that names it among its imports
/// is not loaded by an older one.
fn kernel32(name: &CStr) -> Option<unsafe extern "system" fn() -> isize> {
    // SAFETY: two texts that end in NUL, and a library that is always loaded.
    unsafe { GetProcAddress(GetModuleHandleW(w!("kernel32.dll")), name.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    #[test]
    fn urgent_data_is_nothing_to_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        socket2::SockRef::from(&peer)
            .send_out_of_band(b"!")
            .unwrap();
        let (begun, limit) = (Instant::now(), Duration::from_millis(300));
        assert_eq!(wait_for(&[&ours], Ready::Read, limit).unwrap(), [false]);
        assert!(begun.elapsed() >= limit - Duration::from_millis(20));
        drop(peer);
        let limit = Duration::from_secs(20);
        assert_eq!(wait_for(&[&ours], Ready::Read, limit).unwrap(), [true]);
    }

    #[test]
    fn what_is_acknowledged_grows_with_acknowledgements_alone() {
        let after = |sent, in_flight, again| {
            acknowledged(&TCP_INFO_v0 {
                BytesOut: sent,
                BytesInFlight: in_flight,
                BytesRetrans: again,
                ..TCP_INFO_v0::default()
            })
        };
        assert_eq!(after(0, 0, 0), 0);
        assert_eq!(after(5000, 3000, 0), 2000);
        assert_eq!(
            after(6000, 3000, 1000),
            2000,
            "sent again, and counted twice"
        );
        assert_eq!(after(5000, 3000, 1000), 1000, "or once");
        assert_eq!(
            after(5001, 3001, 0),
            2000,
            "a probe of a window that is shut"
        );
        assert_eq!(after(6000, 0, 1000), 5000);
    }

    #[test]
    fn who_reads_nothing_acknowledges_what_its_system_has_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_theirs, _) = listener.accept().unwrap();
        let Some(before) = unsent(&ours, 0) else {
            return; // Wine, or a Windows before 1703.
        };
        assert_eq!(before, 0);
        io::Write::write_all(&mut ours, b"ten bytes.").unwrap();
        let begun = Instant::now();
        while unsent(&ours, 10) != Some(0) {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        assert_eq!(unsent(&ours, 15), Some(5));
    }

    #[test]
    fn the_systems_words_are_in_one_language() {
        for (number, words) in [
            (10_061, "connection refused (Windows error 10061)"),
            (2, "entity not found (Windows error 2)"),
        ] {
            let why = io::Error::from_raw_os_error(number);
            assert_eq!(words_of(&why), words);
        }
        assert_eq!(words_of(&io::Error::other("too large")), "too large");
    }

    #[test]
    fn windows_own_numbers_say_that_something_is_lacking() {
        for number in [4, 8, 10_024, 10_055] {
            assert!(is_lack_of_resources(&io::Error::from_raw_os_error(number)));
        }
        // EMFILE and ENFILE of the C library, which mean something else here.
        for number in [23, 24, 10_061] {
            assert!(!is_lack_of_resources(&io::Error::from_raw_os_error(number)));
        }
    }

    #[test]
    fn a_name_that_does_not_resolve_is_no_fault_of_the_system() {
        for (number, is) in [(11_001, true), (11_004, true), (10_055, false)] {
            let why = io::Error::from_raw_os_error(number);
            assert_eq!(is_unknown_name(&why), is, "{number}");
        }
    }
}
