//! `apivideo_store`, and the record of a program's own.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::error::apivideo_error;
use super::user_data::{UserData, apivideo_release_callback};
use crate::cache::record::StoreNow;
use crate::clock::{Clock, Now, SystemClock};
use crate::error::{Error, Status};
use crate::ffi::boundary::{
    Handle, borrow, bytes, guard, guard_box, guard_end, handle, null, optional, string, take_box,
};
use crate::store::own::{Calls, OwnStore};
use crate::store::{Change, LARGEST, Store, Stored};

/// A place where the processes that use one API key share its token. Any number of settings and
/// clients, with any keys, may use one, and any thread. It belongs to the caller, who frees it.
///
/// What is kept there is sealed with a key that comes from the API key (ChaCha20-Poly1305, HKDF),
/// under a name that comes from it too. Who can read the store learns neither keys nor tokens. Who
/// can write to it can remove a record, and can put back one that was there before, whose token may
/// have been replaced since: only processes that saw the newer one notice. They cannot make a
/// process use a token that is not this key's.
#[allow(non_camel_case_types)]
pub struct apivideo_store {
    _opaque: [u8; 0],
}
handle!(apivideo_store = BoxHandle of Store);

/// A record that a program's own store loads. It is the library's, and is valid during the call of
/// the callback that it is given to.
#[allow(non_camel_case_types)]
pub struct apivideo_record {
    _opaque: [u8; 0],
}
impl Handle for apivideo_record {
    type Inner = Filled;
}

/// What a program's own store has to say.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreResult {
    /// Loaded, or there is nothing; swapped.
    Ok = 0,
    /// Nothing was changed: the version is not the one that was expected.
    Conflict = 1,
    /// The store failed, and it is not known whether anything was changed.
    Failed = 2,
}

/// Loads what is kept under `name`, which is up to 64 characters of a-z, 0-9 and "-", and gives it
/// to apivideo_record_set(); if there is nothing and the store has no clock of its own, that may be
/// left out. Returns one of `apivideo_store_result`.
///
/// `timeout_ms`: after this time the library goes on without the answer. Must not throw or jump
/// out, and must not call the client whose store this is.
#[allow(non_camel_case_types)]
pub type apivideo_store_load_callback = Option<
    unsafe extern "C" fn(
        name: *const c_char,
        timeout_ms: u32,
        record: *mut apivideo_record,
        user_data: *mut c_void,
    ) -> i32,
>;

/// Keeps `data`, of `size` bytes, as `version` under `name`, if what is kept there now has the
/// version `expected`, or if `expected` is 0 and nothing is kept there. Returns one of
/// `apivideo_store_result`.
///
/// The comparison and the change must be one step for all who use the store: without that a token
/// is shared all the same, but more exchanges are made. Versions are from 1 to 2^63 - 1. What is
/// kept may be removed after `keep_ms`. The pointers are valid during the call. `timeout_ms` and
/// what it must not do: as for apivideo_store_load_callback.
#[allow(non_camel_case_types)]
pub type apivideo_store_swap_callback = Option<
    unsafe extern "C" fn(
        name: *const c_char,
        expected: u64,
        version: u64,
        data: *const c_void,
        size: usize,
        keep_ms: u64,
        timeout_ms: u32,
        user_data: *mut c_void,
    ) -> i32,
>;

/// What a callback has loaded.
#[derive(Default)]
pub(crate) struct Filled(RefCell<Option<(u64, Vec<u8>, i64)>>);

/// Makes a store of files, for the processes that one user has on one machine.
///
/// `directory`: an existing one of this user's own that others cannot use (mode 0700), or one that
/// is made so. NULL means the usual one: .cache/libapivideo in the home directory that the system
/// has for the user, whatever HOME says, or /tmp/libapivideo-UID for who has none; on Windows
/// libapivideo in %LOCALAPPDATA%. A relative path is relative to the folder that is the current one
/// now. The directory is looked at, which takes as long as its file system takes. `store_out`:
/// receives the store. Free it with apivideo_store_free(). `error_out`: may be NULL. Any thread may
/// call this.
///
/// Errors: NULL_ARGUMENT (store_out), INVALID_UTF8; INVALID_ARGUMENT if the directory cannot be
/// used, is another user's, can be used by others, is a symbolic link, or is on a network, or if it
/// cannot be told which is the usual one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_store_new_file(
    directory: *const c_char,
    store_out: *mut *mut apivideo_store,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(store_out, "store_out", error_out, || {
            Store::file(optional(directory, "directory")?.map(Path::new))
        })
    }
}

/// Makes a store in Redis or Valkey, for the processes of many machines. Sends nothing yet.
///
/// `url`: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS, user and
/// password percent-encoded. A cluster is named by any of its nodes, or by several with commas
/// between them. Behind Sentinel: `redis+sentinel://[user:password@]host[:port],…/name[/database]`,
/// with the server's user and password, and the name that Sentinel has for it; Sentinels themselves
/// are asked without a password. `redis://` sends the password in clear: outside this machine use
/// `rediss://`. No proxy is used. `ca_file`: a PEM file of certificates that are
/// trusted besides the system's, as for apivideo_config_set_ca_file(), or NULL. `store_out`:
/// receives the store. Free it with apivideo_store_free(). `error_out`: may be NULL. Any thread may
/// call this.
///
/// The server's user must be allowed TIME, GET, SET and EVAL on the keys `apivideo-*`, which expire
/// by themselves; in a cluster ASKING, with a database SELECT, and behind Sentinel best ROLE too.
/// With TLS, the certificates are read within the time of the first operation.
///
/// Errors: NULL_ARGUMENT (url, store_out), INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_store_new_redis(
    url: *const c_char,
    ca_file: *const c_char,
    store_out: *mut *mut apivideo_store,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(store_out, "store_out", error_out, || {
            let url = string(url, "url")?;
            let ca_file = optional(ca_file, "ca_file")?.map(Path::new);
            Store::redis(url, ca_file)
        })
    }
}

/// Makes the store that a text names, as APIVIDEO_STORE of the environment does: for programs that
/// have it from a file of settings. Sends nothing yet.
///
/// `name`: "file", "file:" and a directory, or a URL as for apivideo_store_new_redis(). `ca_file`:
/// as there. `store_out`: receives the store. Free it with apivideo_store_free(). `error_out`: may
/// be NULL. Any thread may call this.
///
/// Errors: NULL_ARGUMENT (name, store_out), INVALID_UTF8, INVALID_ARGUMENT. Unlike with
/// apivideo_store_new_file(), a directory that cannot be used is no error: clients go on as without
/// a store, and their log says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_store_new_named(
    name: *const c_char,
    ca_file: *const c_char,
    store_out: *mut *mut apivideo_store,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(store_out, "store_out", error_out, || {
            let name = string(name, "name")?;
            let ca_file = optional(ca_file, "ca_file")?.map(Path::new);
            Store::named("name", name, "ca_file", ca_file)
        })
    }
}

/// Makes a store of a program's own: a database table, or anything else that can compare and swap.
///
/// `load`, `swap`: called on threads of the library, one call at a time for each process: others
/// wait for their turn, within the time limit of the store. A call that lasts longer than that is
/// given up, and no other is made until it returns. `user_data`: passed to each call. It must stay
/// usable, from any thread, until `release` is called with it. `release`: called once, when the
/// store and all that use it are freed and no call is running any more. If this function fails, it
/// is called before this returns. It may be NULL. `store_out`: receives the store. Free it with
/// apivideo_store_free(). `error_out`: may be NULL. Any thread may call this.
///
/// Errors: NULL_ARGUMENT (load, swap, store_out).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_store_new(
    load: apivideo_store_load_callback,
    swap: apivideo_store_swap_callback,
    user_data: *mut c_void,
    release: apivideo_release_callback,
    store_out: *mut *mut apivideo_store,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let user_data = UserData::new(user_data, release);
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(store_out, "store_out", error_out, || {
            let callbacks = Callbacks {
                load: load.ok_or_else(|| null("load"))?,
                swap: swap.ok_or_else(|| null("swap"))?,
                user_data,
            };
            Ok(Store::of(OwnStore::new(callbacks)))
        })
    }
}

/// Frees a store. NULL is fine. Settings and clients that use it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_store_free(store: *mut apivideo_store) {
    // SAFETY: the caller's own store, freed once, as the header asks.
    guard_end(|| drop(unsafe { take_box(store) }));
}

/// Says what a program's own store has loaded.
///
/// `record`: what apivideo_store_load_callback was given. `version`: what was given to
/// apivideo_store_swap_callback with the data; 0, with NULL and 0 for the data, says that nothing
/// is kept. `data`: copied; `size` bytes, up to 65,536. `now_ms`: the time by the store's own
/// clock, in milliseconds since 1970, or 0 for this machine's. Where machines share a store that
/// has a clock, give it with each record, and when nothing is kept too: a lease and a token are
/// timed by it. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT (record; data with a version); INVALID_ARGUMENT for a version or a size
/// out of range, or for a time before 2000 or after 2200, as one in other units is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_record_set(
    record: *mut apivideo_record,
    version: u64,
    data: *const c_void,
    size: usize,
    now_ms: i64,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL, and for `size` bytes of data.
    unsafe {
        guard(error_out, || {
            let record = borrow(record.cast_const(), "record")?;
            check_record(version, !data.is_null(), size, now_ms)?;
            let data = bytes(data, size, "data")?.to_vec();
            record.0.replace(Some((version, data, now_ms)));
            Ok(())
        })
    }
}

/// The years 2000 to 2200: seconds and microseconds since 1970 are outside.
const TIMES_MS: RangeInclusive<i64> = 946_684_800_000..=7_258_118_400_000;

fn check_record(version: u64, has_data: bool, size: usize, now_ms: i64) -> Result<(), Error> {
    if version == 0 && size > 0 {
        return Err(Error::invalid(
            "`version` 0 says that nothing is kept; data needs one from 1 to 2^63 - 1.",
        ));
    }
    if version > 0 && !has_data {
        return Err(null("data"));
    }
    if i64::try_from(version).is_err() {
        return Err(Error::invalid("`version` must be at most 2^63 - 1."));
    }
    if size > LARGEST {
        return Err(Error::invalid(format!(
            "`size` is {size}; it must be at most {LARGEST}."
        )));
    }
    if now_ms != 0 && !TIMES_MS.contains(&now_ms) {
        return Err(Error::invalid(format!(
            "`now_ms` is {now_ms}; it must be milliseconds since 1970, or 0 for this machine's clock."
        )));
    }
    Ok(())
}

type LoadFn = unsafe extern "C" fn(*const c_char, u32, *mut apivideo_record, *mut c_void) -> i32;
type SwapFn = unsafe extern "C" fn(
    *const c_char,
    u64,
    u64,
    *const c_void,
    usize,
    u64,
    u32,
    *mut c_void,
) -> i32;

struct Callbacks {
    load: LoadFn,
    swap: SwapFn,
    user_data: UserData,
}

impl Calls for Callbacks {
    fn load(&self, name: &str, limit: Duration) -> Result<Stored, Error> {
        let name = CString::new(name).unwrap_or_default();
        let mut filled = Filled::default();
        let record = (&raw mut filled).cast::<apivideo_record>();
        // SAFETY: the program's own function, with its own pointer; the name and the record live
        // during the call.
        let result = unsafe {
            (self.load)(
                name.as_ptr(),
                millis(limit),
                record,
                self.user_data.pointer(),
            )
        };
        if result != StoreResult::Ok as i32 {
            return Err(failed("load", result));
        }
        let (version, sealed, now_ms) = filled.0.take().unwrap_or_default();
        Ok(Stored {
            version,
            sealed,
            now: wall_clock(now_ms),
            holder_is_gone: false,
        })
    }

    fn swap(&self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let name = CString::new(change.name.as_str()).unwrap_or_default();
        let keep_ms = u64::try_from(change.keep.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: the program's own function, with its own pointer; the name and the data live
        // during the call.
        let result = unsafe {
            (self.swap)(
                name.as_ptr(),
                change.expected,
                change.version,
                change.sealed.as_ptr().cast(),
                change.sealed.len(),
                keep_ms,
                millis(limit),
                self.user_data.pointer(),
            )
        };
        match result {
            _ if result == StoreResult::Ok as i32 => Ok(true),
            _ if result == StoreResult::Conflict as i32 => Ok(false),
            _ => Err(failed("swap", result)),
        }
    }
}

/// The store's wall clock, or if it has none, this machine's.
fn wall_clock(now_ms: i64) -> StoreNow {
    let wall_ms = match now_ms {
        0 => SystemClock.now().wall_ms,
        now_ms => now_ms,
    };
    StoreNow {
        now: Now {
            wall_ms,
            mono_ms: wall_ms,
        },
        boot: 0,
    }
}

fn millis(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis()).unwrap_or(u32::MAX)
}

fn failed(what: &str, result: i32) -> Error {
    Error::new(
        Status::NetworkError,
        format!("The program's own store failed to {what} ({result})."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    /// 2020.
    const NOW_MS: i64 = 1_577_836_800_000;

    unsafe extern "C" fn nothing_is_kept(
        _: *const c_char,
        _: u32,
        record: *mut apivideo_record,
        _: *mut c_void,
    ) -> i32 {
        // SAFETY: the record is valid during this call.
        unsafe { apivideo_record_set(record, 0, ptr::null(), 0, NOW_MS, ptr::null_mut()) as i32 }
    }

    unsafe extern "C" fn refuse(
        _: *const c_char,
        _: u64,
        _: u64,
        _: *const c_void,
        _: usize,
        _: u64,
        _: u32,
        _: *mut c_void,
    ) -> i32 {
        StoreResult::Failed as i32
    }

    #[test]
    fn a_store_tells_its_clock_also_when_nothing_is_kept() {
        let callbacks = Callbacks {
            load: nothing_is_kept,
            swap: refuse,
            user_data: UserData::new(ptr::null_mut(), None),
        };
        let stored = callbacks.load("name", Duration::ZERO).unwrap();
        assert_eq!((stored.version, stored.sealed.len()), (0, 0));
        assert_eq!(stored.now, wall_clock(NOW_MS));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for (version, has_data, size, now_ms, refused) in [
            (1, true, LARGEST, 0, None),
            (i64::MAX as u64, true, 0, NOW_MS, None),
            (0, false, 0, 0, None),
            (1, false, 0, 0, Some(Status::NullArgument)),
            (0, true, 1, 0, Some(Status::InvalidArgument)),
            (1 << 63, true, 1, 0, Some(Status::InvalidArgument)),
            (1, true, LARGEST + 1, 0, Some(Status::InvalidArgument)),
            (1, true, 1, NOW_MS / 1_000, Some(Status::InvalidArgument)),
            (1, true, 1, NOW_MS * 1_000, Some(Status::InvalidArgument)),
            (0, false, 0, -1, Some(Status::InvalidArgument)),
        ] {
            let checked = check_record(version, has_data, size, now_ms);
            assert_eq!(
                checked.err().map(|error| error.status),
                refused,
                "{version} {has_data} {size} {now_ms}"
            );
        }
    }
}
