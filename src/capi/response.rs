//! `apivideo_response`.

use std::ffi::{CStr, c_char};

use crate::ffi::boundary::{guard_or, handle, peek, string, take_arc};
use crate::request::response::Response;

/// The answer to a request that succeeded. It never changes, any thread may read it, and it may
/// outlive its client. Each pointer is one reference, which its owner frees.
#[allow(non_camel_case_types)]
pub struct apivideo_response {
    _opaque: [u8; 0],
}
handle!(apivideo_response = ArcHandle of Response);

/// What `read` finds in a response, or `otherwise` for NULL.
unsafe fn of<R: Copy>(
    response: *const apivideo_response,
    otherwise: R,
    read: impl FnOnce(&Response) -> R,
) -> R {
    // SAFETY: a live response or NULL, as the header asks.
    match unsafe { peek(response) } {
        Some(response) => guard_or(otherwise, || read(response)),
        None => otherwise,
    }
}

/// Gives the status of the HTTP reply, from 200 to 299. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_response_http_status(response: *const apivideo_response) -> i32 {
    // SAFETY: as the header asks.
    unsafe { of(response, 0, |response| response.status().into()) }
}

/// Gives the body as it came, mostly JSON: apivideo_response_body_length() bytes. Behind them is a
/// NUL, so that a text can be used as a string. Empty if there is none, and for NULL.
///
/// Never NULL. The bytes live as long as the reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_response_body(
    response: *const apivideo_response,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe {
        of(response, c"".as_ptr(), |response| {
            response.body_with_nul().as_ptr().cast()
        })
    }
}

/// Gives the length of the body in bytes, without the NUL behind it. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_response_body_length(
    response: *const apivideo_response,
) -> usize {
    // SAFETY: as the header asks.
    unsafe { of(response, 0, |response| response.body().len()) }
}

/// Gives the value of a header of the reply, such as "X-RateLimit-Remaining". Upper and lower case
/// are the same. What came several times is joined with ", ". Empty if there is no such header, and
/// for NULL.
///
/// Never NULL. The text lives as long as the reference. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_response_header(
    response: *const apivideo_response,
    name: *const c_char,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe {
        of(response, c"".as_ptr(), |response| {
            let name = string(name, "name").ok();
            let value = name.and_then(|name| response.header_c(name));
            value.map_or(c"".as_ptr(), CStr::as_ptr)
        })
    }
}

/// Gives the path of the next page, to be asked for with apivideo_request(). Empty on the last
/// page, where there are no pages, and for NULL.
///
/// Never NULL. The text lives as long as the reference. It comes from the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_response_next_page(
    response: *const apivideo_response,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe {
        of(response, c"".as_ptr(), |response| {
            response.next_page_c().as_ptr()
        })
    }
}

/// Frees one reference to a response. NULL is fine. Any thread may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_response_free(response: *const apivideo_response) {
    // SAFETY: the caller's own reference, freed once, as the header asks.
    guard_or((), || drop(unsafe { take_arc(response) }));
}
