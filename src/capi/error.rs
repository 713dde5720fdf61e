//! `apivideo_status` and `apivideo_error`.

use std::ffi::{CStr, CString, c_char};

use crate::error::{Error, Problem, Status};
use crate::ffi::boundary::{guard_or, handle, peek, take_box};

/// Why a call failed. It belongs to the caller, who frees it. Any thread may read it.
#[allow(non_camel_case_types)]
pub struct apivideo_error {
    _opaque: [u8; 0],
}
handle!(apivideo_error = BoxHandle of ErrorObject);

/// An [`Error`] with its texts as C strings.
pub struct ErrorObject {
    error: Error,
    message: CString,
    problem: ProblemTexts,
    /// Each of its `problems`.
    faults: Vec<ProblemTexts>,
}

struct ProblemTexts {
    kind: CString,
    title: CString,
    name: CString,
    detail: CString,
}

/// No text has a NUL in it; if one had, an empty text would do no harm.
fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

impl From<&Problem> for ProblemTexts {
    fn from(problem: &Problem) -> ProblemTexts {
        ProblemTexts {
            kind: text(&problem.kind),
            title: text(&problem.title),
            name: text(&problem.name),
            detail: text(&problem.detail),
        }
    }
}

impl From<Error> for ErrorObject {
    fn from(error: Error) -> ErrorObject {
        ErrorObject {
            message: text(&error.message),
            problem: ProblemTexts::from(&*error.problem),
            faults: error.problem.problems.iter().map(Into::into).collect(),
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

/// Gives a short English name of a status, such as "timeout", or "unknown status" for a number that
/// is none.
///
/// Never NULL. The text is static. Any thread may call this.
#[unsafe(no_mangle)]
pub extern "C" fn apivideo_status_string(status: i32) -> *const c_char {
    Status::from_number(status)
        .map_or(c"unknown status", Status::describe_c)
        .as_ptr()
}

/// Gives the error's status, or `APIVIDEO_STATUS_OK` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_status(error: *const apivideo_error) -> Status {
    // SAFETY: as the header asks.
    unsafe { of(error, Status::Ok, |e| e.error.status) }
}

/// Gives one line in English: what happened, why, and what to do. It contains no key and no token.
/// Empty for NULL.
///
/// Never NULL. The text lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_message(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.message) }
}

/// Gives the status of the HTTP reply that led to the error. 0 if there was no reply, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_http_status(error: *const apivideo_error) -> i32 {
    // SAFETY: as the header asks.
    unsafe { of(error, 0, |e| e.error.http_status.unwrap_or(0).into()) }
}

/// Gives `type` of api.video's problem object, a URL. Empty if there is none, and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_problem_type(
    error: *const apivideo_error,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.problem.kind) }
}

/// Gives `title` of api.video's problem object, one sentence. Empty if there is none, and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_title(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.problem.title) }
}

/// Gives `name` of api.video's problem object: the field or thing at fault. Empty if there is none,
/// and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_name(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.problem.name) }
}

/// Gives `detail` of api.video's problem object: more about this very case. Empty if there is none,
/// and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_detail(error: *const apivideo_error) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| &e.problem.detail) }
}

/// Gives how many faults api.video's problem object lists (`problems`), such as each attribute of a
/// request that is wrong. 100 at most. 0 if it lists none, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_problem_count(error: *const apivideo_error) -> usize {
    // SAFETY: as the header asks.
    unsafe { of(error, 0, |e| e.faults.len()) }
}

/// A text of the fault at `index`; empty if there is none.
unsafe fn fault_of(
    error: *const apivideo_error,
    index: usize,
    read: impl FnOnce(&ProblemTexts) -> &CStr,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(error, |e| e.faults.get(index).map_or(c"", read)) }
}

/// Gives `type` of the fault at `index`, from 0 to apivideo_error_problem_count() - 1. Empty if
/// there is none, and for NULL.
///
/// Never NULL. The text lives as long as the error. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_problem_type_at(
    error: *const apivideo_error,
    index: usize,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { fault_of(error, index, |fault| &fault.kind) }
}

/// Gives `title` of the fault at `index`, as apivideo_error_problem_type_at() gives its `type`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_title_at(
    error: *const apivideo_error,
    index: usize,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { fault_of(error, index, |fault| &fault.title) }
}

/// Gives `name` of the fault at `index`, mostly an attribute's, as apivideo_error_problem_type_at()
/// gives its `type`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_name_at(
    error: *const apivideo_error,
    index: usize,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { fault_of(error, index, |fault| &fault.name) }
}

/// Gives `detail` of the fault at `index`, as apivideo_error_problem_type_at() gives its `type`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_detail_at(
    error: *const apivideo_error,
    index: usize,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { fault_of(error, index, |fault| &fault.detail) }
}

/// Tells whether the same call may succeed later although the caller changes nothing. False for
/// NULL.
///
/// False also for a request that was, or may have been, carried out and must not be carried out
/// twice, such as a POST whose reply was lost or is a 5xx: look first what became of it. The
/// message says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_error_is_retryable(error: *const apivideo_error) -> bool {
    // SAFETY: as the header asks.
    unsafe { of(error, false, |e| e.error.is_retryable()) }
}

/// Gives the time after which it makes sense to try again, in milliseconds from the moment of the
/// error. -1 where that is not known, and for NULL.
///
/// Until then an apivideo_get_token() that needs a new token fails at once with the same error,
/// unless the client waits: see apivideo_config_set_wait_for_recovery().
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
