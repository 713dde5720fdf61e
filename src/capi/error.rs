//! `apivideo_status` and `apivideo_error`.

use std::ffi::{CStr, CString, c_char};

use crate::error::{Error, Status};
use crate::ffi::boundary::{guard_or, handle, peek, take_box};

/// Why a call failed. Belongs to the caller, who frees it. Any thread may read it.
#[allow(non_camel_case_types)]
pub struct apivideo_error {
    _opaque: [u8; 0],
}
handle!(apivideo_error = BoxHandle of ErrorObject);

/// An [`Error`] with its texts as C strings.
pub struct ErrorObject {
    error: Error,
    message: CString,
    problem_type: CString,
    title: CString,
    name: CString,
}

impl From<Error> for ErrorObject {
    fn from(error: Error) -> ErrorObject {
        // No text has a NUL in it; if one had, an empty text would do no harm.
        let text = |s: &str| CString::new(s).unwrap_or_default();
        ErrorObject {
            message: text(&error.message),
            problem_type: text(&error.problem.kind),
            title: text(&error.problem.title),
            name: text(&error.problem.name),
            error,
        }
    }
}

/// What `read` finds in an error, or `otherwise` for NULL.
unsafe fn of<R>(
    error: *const apivideo_error,
    otherwise: R,
    read: impl FnOnce(&ErrorObject) -> R,
) -> R {
    // SAFETY: a live error or NULL, as the header asks.
    match unsafe { peek(error) } {
        Some(error) => guard_or(otherwise, || read(error)),
        None => otherwise,
    }
}

unsafe fn text_of(
    error: *const apivideo_error,
    read: impl FnOnce(&ErrorObject) -> &CStr,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { of(error, c"".as_ptr(), |error| read(error).as_ptr()) }
}

/// A short English name of a status, such as "timeout"; "unknown status" for a number that is none.
///
/// Never NULL. The text is static. Any thread may call this.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_status_string(status: i32) -> *const c_char {
    Status::from_number(status)
        .map_or(c"unknown status", Status::describe_c)
        .as_ptr()
}

/// The error's status; `APIVIDEO_STATUS_OK` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_status(error: *const apivideo_error) -> Status {
    // SAFETY: as the header asks.
    unsafe { of(error, Status::Ok, |e| e.error.status) }
}

/// One line in English: what happened, why, what to do. Holds no key and no token. Empty for NULL.
///
/// Never NULL. The text lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_message(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.message) }
}

/// The status of the HTTP reply that led to the error; 0 if there was none, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_http_status(error: *const apivideo_error) -> i32 {
    // SAFETY: as the header asks.
    unsafe { of(error, 0, |e| e.error.http_status.unwrap_or(0).into()) }
}

/// `type` of api.video's problem object, a URL. Empty if there is none, and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_problem_type(
    error: *const apivideo_error,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.problem_type) }
}

/// `title` of api.video's problem object, a sentence. Empty if there is none, and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_title(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.title) }
}

/// `name` of api.video's problem object, what is at fault. Empty if there is none, and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_name(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.name) }
}

/// Whether the same call may succeed later without the caller changing anything. False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_is_retryable(error: *const apivideo_error) -> bool {
    // SAFETY: as the header asks.
    unsafe { of(error, false, |e| e.error.is_retryable()) }
}

/// When trying again makes sense: milliseconds from the moment of the error, or -1 where that is not known, and for NULL.
///
/// Before that, apivideo_get_token() fails with the same error at once if it needs a new token; see
/// apivideo_config_set_wait_for_recovery().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_retry_after_ms(error: *const apivideo_error) -> i64 {
    let read = |e: &ErrorObject| match e.error.retry_after_ms {
        Some(ms) => i64::try_from(ms).unwrap_or(i64::MAX),
        None => -1,
    };
    // SAFETY: as the header asks.
    unsafe { of(error, -1, read) }
}

/// Frees an error. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_free(error: *mut apivideo_error) {
    // SAFETY: the caller's own error, freed once, as the header asks.
    guard_or((), || drop(unsafe { take_box(error) }));
}
