//! Names that resolve as a test wants: this program has a `getaddrinfo` of its own, which asks the
//! system's for all others.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use libc::{addrinfo, c_char, c_int, c_void};

/// What becomes of a lookup.
enum Lookup {
    Finds(&'static [&'static str]),
    Fails(c_int),
    TakesLong,
    FindsLate(&'static [&'static str]),
}

pub const SIX: &str = "six.test.invalid";
pub const SIX_AND_FOUR: &str = "six-and-four.test.invalid";
pub const FOUR_AND_SIX: &str = "four-and-six.test.invalid";
pub const UNKNOWN: &str = "unknown.test.invalid";
pub const FAILING: &str = "failing.test.invalid";
pub const SILENT: &str = "silent.test.invalid";
pub const WITH_DOT: &str = "four.test.invalid.";
/// Found after [`LATE_BY`].
pub const LATE: &str = "late.test.invalid";
pub const LATE_BY: Duration = Duration::from_millis(1_500);
/// A name of this machine's, by its looks.
pub const FOREIGN_LOCALHOST: &str = "LOCALhost";
/// Eight addresses of this machine's before the one that the servers listen at.
pub const NINTH: &str = "ninth.test.invalid";
pub const NINTH_AND_THE_REST: &[&str] = &[
    "127.0.1.1",
    "127.0.1.2",
    "127.0.1.3",
    "127.0.1.4",
    "127.0.1.5",
    "127.0.1.6",
    "127.0.1.7",
    "127.0.1.8",
    "127.0.0.1",
];

/// Two other addresses of this machine's before the one that the servers listen at.
pub const THIRD: &str = "third.test.invalid";
pub const THIRD_AND_THE_REST: &[&str] = &["127.0.2.1", "127.0.2.2", "127.0.0.1"];

/// How often [`LATE`] was looked up.
pub static LATE_LOOKUPS: AtomicU32 = AtomicU32::new(0);

fn look_up(name: &str) -> Lookup {
    match name {
        SIX => Lookup::Finds(&["::1"]),
        SIX_AND_FOUR => Lookup::Finds(&["::1", "127.0.0.1"]),
        FOUR_AND_SIX => Lookup::Finds(&["127.0.0.1", "::1"]),
        UNKNOWN => Lookup::Fails(libc::EAI_NONAME),
        FAILING => Lookup::Fails(libc::EAI_AGAIN),
        SILENT => Lookup::TakesLong,
        WITH_DOT => Lookup::Finds(&["127.0.0.1"]),
        LATE => Lookup::FindsLate(&["127.0.0.1"]),
        FOREIGN_LOCALHOST => Lookup::Finds(&["192.0.2.1"]),
        NINTH => Lookup::Finds(NINTH_AND_THE_REST),
        THIRD => Lookup::Finds(THIRD_AND_THE_REST),
        _ => Lookup::Finds(&[]),
    }
}

type Getaddrinfo = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

fn system() -> Getaddrinfo {
    // SAFETY: the C library has a function of that name and type for as long as the process lives.
    unsafe {
        let found = libc::dlsym(libc::RTLD_NEXT, c"getaddrinfo".as_ptr());
        std::mem::transmute::<*mut c_void, Getaddrinfo>(found)
    }
}

// SAFETY: it has the type and the meaning of the C library's, whose callers' promises it passes on.
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    found: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the caller's promise: a NUL-terminated name or NULL.
    let name = (!node.is_null()).then(|| unsafe { CStr::from_ptr(node) });
    match look_up(name.and_then(|n| n.to_str().ok()).unwrap_or_default()) {
        // SAFETY: the caller's promise, passed on.
        Lookup::Finds([]) => unsafe { system()(node, service, hints, found) },
        // SAFETY: `found` is the caller's, and the addresses are names like any other.
        Lookup::Finds(addresses) => unsafe { chain(addresses, service, hints, found) },
        Lookup::FindsLate(addresses) => {
            LATE_LOOKUPS.fetch_add(1, Ordering::SeqCst);
            thread::sleep(LATE_BY);
            // SAFETY: as above.
            unsafe { chain(addresses, service, hints, found) }
        }
        Lookup::Fails(why) => why,
        Lookup::TakesLong => {
            thread::sleep(Duration::from_secs(20));
            libc::EAI_AGAIN
        }
    }
}

/// One list of what the system says of each address, which it takes back as one.
///
/// # Safety
/// As for `getaddrinfo`.
unsafe fn chain(
    addresses: &[&str],
    service: *const c_char,
    hints: *const addrinfo,
    mut end: *mut *mut addrinfo,
) -> c_int {
    for address in addresses {
        let address = CString::new(*address).unwrap();
        // SAFETY: `end` is where the list ends so far.
        unsafe {
            *end = null_mut();
            let result = system()(address.as_ptr(), service, hints, end);
            if result != 0 {
                return result;
            }
            while !(*end).is_null() {
                end = &raw mut (**end).ai_next;
            }
        }
    }
    0
}
