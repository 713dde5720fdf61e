//! `apivideo_operation`: a call under way.

use std::ffi::c_void;
use std::time::Duration;

use super::error::apivideo_error;
use super::response::apivideo_response;
use super::token::apivideo_token;
use super::user_data::UserData;
use crate::client::{Operation, PendingCall, PendingRequest};
use crate::error::{Error, Status};
use crate::ffi::boundary::{borrow, guard, guard_arc, guard_end, handle, null, peek, take_box};

/// A call under way. Any thread may use it. It belongs to the caller, who frees it.
#[allow(non_camel_case_types)]
pub struct apivideo_operation {
    _opaque: [u8; 0],
}
handle!(apivideo_operation = BoxHandle of AnyOperation);

/// An operation, whatever its answer is.
pub enum AnyOperation {
    /// A token.
    Token(Operation),
    /// A response.
    Response(Operation<PendingRequest>),
}

/// What calls need, to use while a callback may free the operation itself.
enum Call {
    Token(PendingCall),
    Response(PendingRequest),
}

impl AnyOperation {
    fn call(&self) -> Call {
        match self {
            AnyOperation::Token(operation) => Call::Token(operation.call()),
            AnyOperation::Response(operation) => Call::Response(operation.call()),
        }
    }
}

/// Learns that an operation is complete, and receives the program's own pointer. Called once. Must
/// not throw or jump out.
#[allow(non_camel_case_types)]
pub type apivideo_completion_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Waits for the operation to complete, but no longer than `timeout_ms`. With 0 it does not wait,
/// and with `UINT32_MAX` it waits to the end.
///
/// Any number of threads may wait at once. They may wait again after PENDING, and also after the
/// end. `token_out`: receives a reference. Free it with apivideo_token_free(). `error_out`: may be
/// NULL. Any thread may call this.
///
/// Errors: PENDING if the time is over before the operation is complete; CANCELLED; NULL_ARGUMENT;
/// INVALID_ARGUMENT if the operation is a request's; all errors of apivideo_get_token_valid_for(),
/// where TIMEOUT means that the client's wait timeout is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_operation_wait(
    operation: *const apivideo_operation,
    timeout_ms: u32,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_arc(token_out, "token_out", error_out, || {
            let Call::Token(call) = borrow(operation, "operation")?.call() else {
                return Err(Error::invalid(
                    "The operation gives a response: wait for it with apivideo_operation_wait_response().",
                ));
            };
            let token = call.wait(timeout(timeout_ms));
            token.unwrap_or_else(|| Err(pending()))
        })
    }
}

/// Waits for a request's operation to complete, as apivideo_operation_wait() does for a token's.
///
/// `response_out`: receives a reference. Free it with apivideo_response_free(). `error_out`: may be
/// NULL. Any thread may call this.
///
/// Errors: PENDING if the time is over before the operation is complete; CANCELLED; NULL_ARGUMENT;
/// INVALID_ARGUMENT if the operation is a token's; all errors of apivideo_request().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_operation_wait_response(
    operation: *const apivideo_operation,
    timeout_ms: u32,
    response_out: *mut *const apivideo_response,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_arc(response_out, "response_out", error_out, || {
            let Call::Response(call) = borrow(operation, "operation")?.call() else {
                return Err(Error::invalid(
                    "The operation gives a token: wait for it with apivideo_operation_wait().",
                ));
            };
            let response = call.wait(timeout(timeout_ms));
            response.unwrap_or_else(|| Err(pending()))
        })
    }
}

/// What a caller's time limit means.
pub(super) fn timeout(ms: u32) -> Duration {
    match ms {
        u32::MAX => Duration::MAX,
        ms => Duration::from_millis(ms.into()),
    }
}

fn pending() -> Error {
    Error::new(
        Status::Pending,
        "The operation is not complete yet. Wait again, or cancel it.",
    )
}

/// Calls `callback` with `user_data` exactly once, when the operation is complete, however it ends.
/// If this function fails, it never calls `callback`.
///
/// The call comes on a thread of the library, or on a thread that is in a call of this client or of
/// one of its operations. If the operation is complete already, the call comes on this thread
/// before this function returns. The callback may call any function of this library. It may free
/// its own operation, unless that very freeing has led to the call. It must not block for long.
/// Another thread may free the operation meanwhile. `user_data` must stay usable from any thread
/// until the callback was called. In a forked child, callbacks of the parent's operations are not
/// called. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT if the operation already has a callback; CANCELLED in a
/// forked child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_operation_on_complete(
    operation: *const apivideo_operation,
    callback: apivideo_completion_callback,
    user_data: *mut c_void,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let user_data = UserData::new(user_data, None);
    // SAFETY: the header asks for valid pointers or NULL, and for user data that any thread may
    // use.
    unsafe {
        guard(error_out, || {
            let call = borrow(operation, "operation")?.call();
            let callback = callback.ok_or_else(|| null("callback"))?;
            let complete = move || callback(user_data.pointer());
            match call {
                Call::Token(call) => call.on_complete(complete),
                Call::Response(call) => call.on_complete(complete),
            }
        })
    }
}

/// Ends the operation with CANCELLED, unless it is complete. The exchange for a token goes on for
/// other callers; a request's connection is closed, so that nothing more of it is sent, but what
/// the server has of it may still be carried out. NULL is fine. Any thread may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_operation_cancel(operation: *const apivideo_operation) {
    // SAFETY: a live operation or NULL, as the header asks.
    if let Some(call) = unsafe { peek(operation) }.map(AnyOperation::call) {
        guard_end(|| match call {
            Call::Token(call) => call.cancel(),
            Call::Response(call) => call.cancel(),
        });
    }
}

/// Frees an operation, and cancels it if it is not complete. NULL is fine. No other call may use it
/// from here on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_operation_free(operation: *mut apivideo_operation) {
    // SAFETY: the caller's own operation, freed once, as the header asks.
    guard_end(|| drop(unsafe { take_box(operation) }));
}
