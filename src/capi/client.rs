//! `apivideo_client`, and the calls that are the point of the library.

use std::ffi::c_char;
use std::sync::Arc;

use super::config::apivideo_config;
use super::error::apivideo_error;
use super::operation::apivideo_operation;
use super::statistics::apivideo_statistics;
use super::token::apivideo_token;
use crate::client::{Client, ClientInner, Operation};
use crate::config::Config;
use crate::error::{Error, Status};
use crate::ffi::boundary::{
    borrow, clear, give_arc, give_box, guard, guard_or, handle, peek, require_out, string, take_box,
};
use crate::token::Token;

/// Keeps one API key's token. Any number of threads may use one client at once.
#[allow(non_camel_case_types)]
pub struct apivideo_client {
    _opaque: [u8; 0],
}
handle!(apivideo_client = BoxHandle of Client);

/// Makes a client. No request is sent: the first token is got when it is first asked for.
///
/// `api_key`: the key alone, copied; 1 to 4,096 characters of visible ASCII. What came along with it is named
/// and refused: quotes, a byte order mark, `Bearer `, `NAME=`, a variable that nothing replaced.
/// `config`: copied; NULL for the defaults. `client_out`: the client, to be freed with apivideo_client_free().
/// `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT (the key, or a proxy of the environment).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_new(
    api_key: *const c_char,
    config: *const apivideo_config,
    client_out: *mut *mut apivideo_client,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        clear(client_out);
        guard(error_out, || {
            require_out(client_out, "client_out")?;
            let key = string(api_key, "api_key")?;
            let client = match peek(config) {
                Some(config) => Client::new(key, config)?,
                None => Client::new(key, &Config::default())?,
            };
            give_box(client_out, || client);
            Ok(())
        })
    }
}

/// Frees a client. NULL is fine. Returns without waiting for an exchange under way.
///
/// No other call may begin with the client from here on. Calls under way that wait end with CLOSED; so do its operations, which are
/// still to be freed. Tokens stay as they are. A log or state callback may do this. The API key is wiped when an exchange under way,
/// if there is one, is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_free(client: *mut apivideo_client) {
    // SAFETY: the caller's own client, freed once, as the header asks.
    guard_or((), || drop(unsafe { take_box(client) }));
}

/// The body of every call that gives a token. Nothing of the client itself is used in `call`: it may be freed meanwhile.
unsafe fn token_call(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
    call: impl FnOnce(ClientInner) -> Result<Arc<Token>, Error>,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        clear(token_out.cast::<*mut apivideo_token>());
        guard(error_out, || {
            require_out(token_out, "token_out")?;
            let inner = borrow(client, "client")?.inner();
            give_arc(token_out, call(inner)?);
            Ok(())
        })
    }
}

/// Gives a valid token: at once when there is one, without a lock or a system call unless it is the one read that starts a renewal; else when the one exchange that all
/// callers share has given one.
///
/// `token_out`: a reference, to be freed with apivideo_token_free(). `error_out`: may be NULL. Any thread may call this.
/// Waits for the wait timeout at most (apivideo_config_set_wait_timeout_ms()).
///
/// Errors: NULL_ARGUMENT, KEY_REJECTED, RATE_LIMITED, SERVER_ERROR, PROTOCOL_ERROR, NETWORK_ERROR, TLS_ERROR, TIMEOUT,
/// CLOSED, SYSTEM_ERROR. While tries fail, a call that needs a new token gets the last error at once, with the time to the
/// next try in apivideo_error_retry_after_ms(); see apivideo_config_set_wait_for_recovery() to wait instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_get_token(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        if !token_out.is_null()
            && let Some(token) = peek(client).and_then(|client| guard_or(None, || client.read()))
        {
            clear(error_out);
            give_arc(token_out, token);
            return Status::Ok;
        }
        token_call(client, token_out, error_out, |inner| {
            inner.get_token_valid_for(0)
        })
    }
}

/// apivideo_token_id() of the token that apivideo_get_token() would give at once, or 0 if it would have to wait, and for NULL.
///
/// For programs that keep a copy of a token's text, as bindings to other languages do: as long as this gives the copy's number, the copy
/// is still the one to use. Renews ahead of time as a read does. Any thread may call this; it never blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_token_id(client: *const apivideo_client) -> u64 {
    // SAFETY: a live client or NULL, as the header asks.
    match unsafe { peek(client) } {
        Some(client) => guard_or(0, || client.token_id().unwrap_or(0)),
        None => 0,
    }
}

/// Gives a token that is good for at least `min_validity_ms` from now, for a request that takes that long. Renews if the
/// token at hand is not.
///
/// Otherwise as apivideo_get_token(). Further error: INVALID_ARGUMENT if a fresh token could not be good that long. Of a
/// token that lives an hour, 3,540,000 ms may be asked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_get_token_valid_for(
    client: *const apivideo_client,
    min_validity_ms: u64,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        token_call(client, token_out, error_out, |inner| {
            inner.get_token_valid_for(min_validity_ms)
        })
    }
}

/// apivideo_get_token_valid_for() without waiting: the answer comes to an operation. For event loops, and for waits that
/// are to be sliced or cancelled. `min_validity_ms` may be 0.
///
/// `operation_out`: the operation, to be freed with apivideo_operation_free(); it may outlive the client. `error_out`: may be
/// NULL. Any thread may call this; it never blocks. If there is a valid token the operation is complete when this returns.
/// The operation ends by itself after the wait timeout.
///
/// Errors: NULL_ARGUMENT. All others come with the operation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_get_token_start(
    client: *const apivideo_client,
    min_validity_ms: u64,
    operation_out: *mut *mut apivideo_operation,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        start_call(client, operation_out, error_out, |inner| {
            inner.start_get_token(min_validity_ms)
        })
    }
}

/// The body of every call that gives an operation.
unsafe fn start_call(
    client: *const apivideo_client,
    operation_out: *mut *mut apivideo_operation,
    error_out: *mut *mut apivideo_error,
    start: impl FnOnce(ClientInner) -> Operation,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        clear(operation_out);
        guard(error_out, || {
            require_out(operation_out, "operation_out")?;
            let operation = start(borrow(client, "client")?.inner());
            give_box(operation_out, || operation);
            Ok(())
        })
    }
}

/// POST /auth/api-key, now. The new token becomes the client's own, and its former refresh token dies.
///
/// Programs have no need of this: apivideo_get_token() does what is necessary. Calls at the same time share one exchange.
/// `token_out`, `error_out`, threads and errors as for apivideo_get_token(); a recent failure does not stop the try.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_authenticate(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { token_call(client, token_out, error_out, |inner| inner.authenticate()) }
}

/// apivideo_authenticate() without waiting: the answer comes to an operation. For event loops, and
/// for bindings that would spend a thread otherwise.
///
/// `operation_out`: the operation, to be freed with apivideo_operation_free(); it may outlive the
/// client. `error_out`: may be NULL. Any thread may call this; it never blocks. The operation ends by
/// itself after the wait timeout.
///
/// Errors: NULL_ARGUMENT. All others come with the operation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_authenticate_start(
    client: *const apivideo_client,
    operation_out: *mut *mut apivideo_operation,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        start_call(client, operation_out, error_out, |inner| {
            inner.start_authenticate()
        })
    }
}

/// POST /auth/refresh with the client's refresh token, now. The new token becomes the client's own.
///
/// Programs have no need of this: apivideo_get_token() does what is necessary. Calls at the same time share one exchange.
/// Does not fall back on the API key, and a failure leaves the access token in use.
/// `token_out`, `error_out` and threads as for apivideo_get_token(). Further errors: REFRESH_REJECTED, NO_REFRESH_TOKEN; not
/// KEY_REJECTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_refresh(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { token_call(client, token_out, error_out, |inner| inner.refresh()) }
}

/// apivideo_refresh() without waiting: the answer comes to an operation, as with
/// apivideo_authenticate_start().
///
/// Errors: NULL_ARGUMENT. All others come with the operation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_refresh_start(
    client: *const apivideo_client,
    operation_out: *mut *mut apivideo_operation,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        start_call(client, operation_out, error_out, |inner| {
            inner.start_refresh()
        })
    }
}

/// Reports a 401: the API rejected a request with this token. The next apivideo_get_token() gets another with the API key.
///
/// Does nothing if the client has a newer token already, so every request that got a 401 may report it. Does not block and
/// sends nothing. Any thread may call this. `rejected` stays the caller's. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; TOKEN_REJECTED if this token replaced a rejected one less than 60 s ago: it is kept, since yet
/// another would not help. Give the 401 to your user.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_invalidate_token(
    client: *const apivideo_client,
    rejected: *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard(error_out, || {
            let inner = borrow(client, "client")?.inner();
            inner.invalidate(borrow(rejected, "rejected")?)
        })
    }
}

/// A snapshot of the client's counters.
///
/// `statistics_out`: to be freed with apivideo_statistics_free(). `error_out`: may be NULL. Any thread may call this.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_get_statistics(
    client: *const apivideo_client,
    statistics_out: *mut *mut apivideo_statistics,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        clear(statistics_out);
        guard(error_out, || {
            require_out(statistics_out, "statistics_out")?;
            let statistics = borrow(client, "client")?.inner().statistics();
            give_box(statistics_out, || statistics);
            Ok(())
        })
    }
}
