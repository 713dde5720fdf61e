//! `apivideo_token`.

use std::ffi::{CStr, c_char};
use std::sync::Arc;

use crate::ffi::boundary::{guard_or, handle, peek, take_arc};
use crate::token::Token;

/// An immutable snapshot of a token. Any thread may read it. A renewal does not change it, and it
/// may outlive its client. Each pointer is one reference, which its owner frees.
#[allow(non_camel_case_types)]
pub struct apivideo_token {
    _opaque: [u8; 0],
}
handle!(apivideo_token = ArcHandle of Token);

unsafe fn text_of(
    token: *const apivideo_token,
    read: impl FnOnce(&Token) -> &CStr,
) -> *const c_char {
    // SAFETY: a live token or NULL, as the header asks.
    match unsafe { peek(token) } {
        Some(token) => guard_or(c"".as_ptr(), || read(token).as_ptr()),
        None => c"".as_ptr(),
    }
}

unsafe fn number_of(token: *const apivideo_token, read: impl FnOnce(&Token) -> i64) -> i64 {
    // SAFETY: a live token or NULL, as the header asks.
    match unsafe { peek(token) } {
        Some(token) => guard_or(0, || read(token)),
        None => 0,
    }
}

/// Gives the value of an `Authorization` header: "Bearer", a space and the access token. Empty for
/// NULL.
///
/// Never NULL. The text lives as long as the reference. It consists of visible ASCII and one space,
/// so it is safe in a header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_authorization(
    token: *const apivideo_token,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(token, Token::authorization_c) }
}

/// Gives the access token alone (`access_token`). Empty for NULL.
///
/// Never NULL. The text lives as long as the reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_access_token(
    token: *const apivideo_token,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(token, Token::access_token_c) }
}

/// Gives the token's type (`token_type`): "Bearer". Empty for NULL.
///
/// Never NULL. The text is static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_token_type(token: *const apivideo_token) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(token, |_| c"Bearer") }
}

/// Gives the refresh token (`refresh_token`). Empty if api.video sent none, and for NULL.
///
/// A refresh token works only once, and the library uses it by itself. If the program sends it, the
/// client's own refresh is rejected.
///
/// Never NULL. The text lives as long as the reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_refresh_token(
    token: *const apivideo_token,
) -> *const c_char {
    // SAFETY: as the header asks.
    unsafe { text_of(token, Token::refresh_token_c) }
}

/// Gives a number that no other token of this process has. 0 for NULL. See
/// apivideo_client_token_id().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_id(token: *const apivideo_token) -> u64 {
    // SAFETY: a live token or NULL, as the header asks.
    unsafe { peek(token) }.map_or(0, Token::id)
}

/// Gives the time until the token expires, in milliseconds. 0 once it has expired, and for NULL.
///
/// Its life began when its request was sent. Both the wall clock and a clock that also runs while
/// the machine is suspended are read; the shorter time counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_expires_in_ms(token: *const apivideo_token) -> i64 {
    // SAFETY: as the header asks.
    unsafe { number_of(token, Token::expires_in_ms) }
}

/// Gives the time at which the token expires, in milliseconds since the Unix epoch. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_expires_at_ms(token: *const apivideo_token) -> i64 {
    // SAFETY: as the header asks.
    unsafe { number_of(token, Token::expires_at_ms) }
}

/// Gives the whole life that api.video gave the token (`expires_in`), in milliseconds. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_lifetime_ms(token: *const apivideo_token) -> i64 {
    // SAFETY: as the header asks.
    unsafe { number_of(token, Token::lifetime_ms) }
}

/// Gives another reference to the same token, which must be freed separately. NULL for NULL. Any
/// thread may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_clone(
    token: *const apivideo_token,
) -> *const apivideo_token {
    if !token.is_null() {
        // SAFETY: a live token, as the header asks; it came from an Arc of the same type.
        unsafe { Arc::increment_strong_count(token.cast::<Token>()) };
    }
    token
}

/// Frees one reference to a token. NULL is fine. Any thread may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_token_free(token: *const apivideo_token) {
    // SAFETY: the caller's own reference, freed once, as the header asks.
    guard_or((), || drop(unsafe { take_arc(token) }));
}
