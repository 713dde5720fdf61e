//! Requests to the API.

use std::ffi::{c_char, c_void};

use super::client::apivideo_client;
use super::error::apivideo_error;
use super::operation::{AnyOperation, apivideo_operation};
use super::response::apivideo_response;
use crate::error::Status;
use crate::ffi::boundary::{borrow, bytes, guard_arc, guard_box, guard_or, optional, string};
use crate::webhook;

/// Makes a request to the API with a valid token, and waits for its end.
///
/// `method`: such as "GET", in any case. `path`: what follows the base URL, query and all, such as
/// "/videos?pageSize=100"; percent-encoded, and without `..`. `json`: the body, or NULL for none.
/// `response_out`: receives a reference. Free it with apivideo_response_free(). `error_out`: may be
/// NULL. Any thread may call this. It waits no longer than the wait timeout, see
/// apivideo_config_set_wait_timeout_ms(); each attempt ends after the attempt timeout. With a wait
/// timeout of 0 nothing is sent, and it fails with TIMEOUT.
///
/// Each request takes a thread of the library's while it is made, 64 of a client's at most. The
/// others wait in order for their turn, within their wait timeout.
///
/// A 401 of api.video's renews the token and sends once more, unless it is about another
/// credential, such as an upload token. A 429 waits as it is told, if that is within the wait
/// timeout. A connection that was refused, or lost before anything was sent, is tried again, and
/// GET, PUT, DELETE and HEAD also after a 502, 503 or 504 or a lost reply: with growing delays,
/// four times in all, or as often as the wait timeout allows with
/// apivideo_config_set_wait_for_recovery(). Other methods are not sent again once they may have
/// been carried out: the message then says so, and apivideo_error_is_retryable() is false. After a
/// status of success whose body broke off only GET and HEAD are sent again. A DELETE that is sent
/// again may find nothing left to delete. Redirects are not followed.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT (the message names the argument); those of
/// apivideo_get_token(); REQUEST_REJECTED for a 4xx, with the problem; RATE_LIMITED; SERVER_ERROR;
/// PROTOCOL_ERROR, also for a reply that is larger than apivideo_config_set_max_reply_bytes()
/// allows and for a 401 that is not api.video's; NETWORK_ERROR; TLS_ERROR; TIMEOUT; CLOSED;
/// SYSTEM_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_request(
    client: *const apivideo_client,
    method: *const c_char,
    path: *const c_char,
    json: *const c_char,
    response_out: *mut *const apivideo_response,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_arc(response_out, "response_out", error_out, || {
            // Nothing of the client itself is used while it waits: it may be freed meanwhile.
            let inner = borrow(client, "client")?.inner();
            let (method, path) = (string(method, "method")?, string(path, "path")?);
            inner.request(method, path, optional(json, "json")?)
        })
    }
}

/// Starts apivideo_request() and returns at once. An operation receives the answer: see
/// apivideo_operation_wait_response() and apivideo_operation_on_complete().
///
/// `operation_out`: receives the operation. Free it with apivideo_operation_free(); it may outlive
/// the client. `error_out`: may be NULL. Any thread may call this. It never blocks. The operation
/// is complete after the wait timeout at the latest, during which it may have to wait for its turn.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT. The operation reports all others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_request_start(
    client: *const apivideo_client,
    method: *const c_char,
    path: *const c_char,
    json: *const c_char,
    operation_out: *mut *mut apivideo_operation,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(operation_out, "operation_out", error_out, || {
            let inner = borrow(client, "client")?.inner();
            let (method, path) = (string(method, "method")?, string(path, "path")?);
            let operation = inner.start_request(method, path, optional(json, "json")?)?;
            Ok(AnyOperation::Response(operation))
        })
    }
}

/// Tells whether a webhook call comes from api.video: whether `signature` is that of these bytes.
///
/// `secret`: the webhook's `signatureSecret`, as the API gave it. `body`: the call's body as it
/// came, not parsed and written anew; it may be NULL if `length` is 0. `length`: its length in
/// bytes. `signature`: the value of the call's header `X-Api-Video-Signature`. Any thread may call
/// this. It takes the same time wherever the first difference is.
///
/// False if it is not, if an argument is NULL, if the secret is empty, and if `length` is more than
/// any object has. A signature says nothing about when a call was made: one that was recorded is
/// good for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_webhook_verify(
    secret: *const c_char,
    body: *const c_void,
    length: usize,
    signature: *const c_char,
) -> bool {
    guard_or(false, || {
        // SAFETY: the header asks for strings, and for `length` bytes, or NULL.
        let (secret, body, signature) = unsafe {
            (
                string(secret, "secret"),
                bytes(body, length, "body"),
                string(signature, "signature"),
            )
        };
        match (secret, body, signature) {
            (Ok(secret), Ok(body), Ok(signature)) => webhook::verify(secret, body, signature),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_body_of_an_impossible_length_has_no_signature() {
        for length in [usize::MAX, isize::MAX as usize + 1] {
            let body = c"x".as_ptr().cast();
            let (secret, signature) = (c"secret".as_ptr(), c"00".as_ptr());
            // SAFETY: strings, and a length of which nothing is read.
            assert!(!unsafe { apivideo_webhook_verify(secret, body, length, signature) });
        }
    }
}
