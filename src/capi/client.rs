//! `apivideo_client`, and the calls that are the point of the library.

use std::ffi::c_char;
use std::sync::Arc;

use super::config::apivideo_config;
use super::error::apivideo_error;
use super::operation::{AnyOperation, apivideo_operation};
use super::statistics::apivideo_statistics;
use super::token::apivideo_token;
use crate::client::{Client, ClientInner, Operation};
use crate::config::Config;
use crate::error::{Error, Status};
use crate::ffi::boundary::{
    borrow, clear, give_arc, guard, guard_arc, guard_box, guard_end, guard_or, handle, peek,
    string, take_box,
};
use crate::token::Token;

/// Holds one API key and keeps a valid token for it. Any number of threads may use one client at
/// once. It belongs to the caller, who frees it.
#[allow(non_camel_case_types)]
pub struct apivideo_client {
    _opaque: [u8; 0],
}
handle!(apivideo_client = BoxHandle of Client);

/// Makes a client. Sends no request: the client gets its first token when a caller first asks for
/// one.
///
/// `api_key`: the key alone, which is copied: 1 to 4,096 bytes, no control characters, no white
/// space at either end. It is refused, with the reason, if something came along with it: quotes, a
/// byte order mark, `Bearer `, `NAME=`, or a variable that nothing replaced. NULL means
/// APIVIDEO_API_KEY of the environment. `config`: the settings, which are copied; NULL means the
/// defaults. `client_out`: receives the client. Free it with apivideo_client_free(). `error_out`:
/// may be NULL. Any thread may call this.
///
/// The environment is read now and never again: what the first page of this header tells, and the
/// proxy's and the certificates' settings, see apivideo_config_set_proxy() and
/// apivideo_config_set_ca_file(). No other thread may change the environment in the meantime.
///
/// Errors: NULL_ARGUMENT, also if `api_key` is NULL and the environment has no key; INVALID_UTF8;
/// INVALID_ARGUMENT. The message names the argument or the variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_new(
    api_key: *const c_char,
    config: *const apivideo_config,
    client_out: *mut *mut apivideo_client,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(client_out, "client_out", error_out, || {
            let default = Config::default();
            let config = peek(config).unwrap_or(&default);
            match api_key.is_null() {
                true => Client::from_environment(config),
                false => Client::new(string(api_key, "api_key")?, config),
            }
        })
    }
}

/// Makes a client without an API key, which can upload by upload token, see
/// apivideo_upload_set_token(), and nothing else. It is for programs in the hands of people who
/// must not have the key. APIVIDEO_API_KEY of the environment is not read.
///
/// `config`, `client_out`, `error_out`, threads and the environment are as for
/// apivideo_client_new(). Calls that need an access token fail with KEY_REJECTED.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_new_without_key(
    config: *const apivideo_config,
    client_out: *mut *mut apivideo_client,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(client_out, "client_out", error_out, || {
            let default = Config::default();
            Client::without_key(peek(config).unwrap_or(&default))
        })
    }
}

/// Frees a client. NULL is fine. Returns at once, even while an exchange is under way.
///
/// No other call may begin with this client from here on. Calls that are waiting end with CLOSED.
/// The client's operations end with CLOSED too, and must still be freed. Its tokens stay as they
/// are. A log or state callback may call this. No log or state callback is called once this has
/// returned, nor one of a program's own store, except one that another thread is just making:
/// `release` says when that is over. The API key is wiped now, or when the exchange under way is
/// over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_free(client: *mut apivideo_client) {
    // SAFETY: the caller's own client, freed once, as the header asks.
    guard_end(|| drop(unsafe { take_box(client) }));
}

/// Gives the base URL of the server that the client gets its tokens from, without a slash at its
/// end: `https://ws.api.video`, unless the settings or the environment name another. Requests to
/// the API go there too. Empty for NULL.
///
/// Never NULL. The text lives as long as the client. Any thread may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_base_url(client: *const apivideo_client) -> *const c_char {
    // SAFETY: a live client or NULL, as the header asks.
    match unsafe { peek(client) } {
        Some(client) => client.base_url_c().as_ptr(),
        None => c"".as_ptr(),
    }
}

/// The body of every call that gives a token. Nothing of the client itself is used in `call`: it
/// may be freed meanwhile.
unsafe fn token_call(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
    call: impl FnOnce(ClientInner) -> Result<Arc<Token>, Error>,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_arc(token_out, "token_out", error_out, || {
            let inner = borrow(client, "client")?.inner();
            call(inner)
        })
    }
}

/// Gives a valid token. If the client has one, this returns at once. It then takes no lock and
/// makes no system call, except in the one call that starts a renewal. If the client has none, this
/// waits for the exchange, which all callers share.
///
/// `token_out`: receives a reference. Free it with apivideo_token_free(). `error_out`: may be NULL.
/// Any thread may call this. It waits no longer than the wait timeout, see
/// apivideo_config_set_wait_timeout_ms().
///
/// Errors: NULL_ARGUMENT, KEY_REJECTED, RATE_LIMITED, SERVER_ERROR, PROTOCOL_ERROR, NETWORK_ERROR,
/// TLS_ERROR, TIMEOUT, CLOSED, SYSTEM_ERROR. While exchanges fail, a call that needs a new token
/// returns the last error at once; apivideo_error_retry_after_ms() gives the time until the next
/// try. To wait for that try instead, see apivideo_config_set_wait_for_recovery().
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

/// Gives the apivideo_token_id() of the token that apivideo_get_token() would return at once. Gives
/// 0 if that call would have to wait, and for NULL.
///
/// This is for programs that keep a copy of a token's text, such as bindings to other languages:
/// the copy may be used as long as this gives its number. Starts a renewal when one is due, as
/// apivideo_get_token() does. Any thread may call this. It never blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_client_token_id(client: *const apivideo_client) -> u64 {
    // SAFETY: a live client or NULL, as the header asks.
    match unsafe { peek(client) } {
        Some(client) => guard_or(0, || client.token_id().unwrap_or(0)),
        None => 0,
    }
}

/// Gives a token that stays valid for at least `min_validity_ms` from now, for a request that takes
/// that long. Gets a new token if the present one expires sooner.
///
/// Otherwise this works as apivideo_get_token() does. Further error: INVALID_ARGUMENT if even a new
/// token would expire sooner. Of a token that lives one hour, up to 3,540,000 ms (59 minutes) may
/// be asked.
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

/// Starts apivideo_get_token_valid_for() and returns at once. An operation receives the answer. Use
/// this in event loops, to wait in slices, and to be able to cancel.
///
/// `min_validity_ms`: may be 0. `operation_out`: receives the operation. Free it with
/// apivideo_operation_free(); it may outlive the client. `error_out`: may be NULL. Any thread may
/// call this. It never blocks. If the client has a valid token, the operation is complete when this
/// returns. If not, it is complete after the wait timeout at the latest.
///
/// Errors: NULL_ARGUMENT. The operation reports all others.
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

/// The body of every call that gives a token's operation.
unsafe fn start_call(
    client: *const apivideo_client,
    operation_out: *mut *mut apivideo_operation,
    error_out: *mut *mut apivideo_error,
    start: impl FnOnce(ClientInner) -> Operation,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(operation_out, "operation_out", error_out, || {
            let operation = start(borrow(client, "client")?.inner());
            Ok(AnyOperation::Token(operation))
        })
    }
}

/// Sends POST /auth/api-key now. The new token becomes the client's own, and its former refresh
/// token becomes invalid.
///
/// Programs need not call this: apivideo_get_token() does what is necessary. Calls at the same time
/// share one exchange. `token_out`, `error_out`, threads and errors are as for
/// apivideo_get_token(), except that this sends its request even shortly after a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_authenticate(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { token_call(client, token_out, error_out, |inner| inner.authenticate()) }
}

/// Starts apivideo_authenticate() and returns at once. An operation receives the answer.
///
/// `operation_out`: receives the operation. Free it with apivideo_operation_free(); it may outlive
/// the client. `error_out`: may be NULL. Any thread may call this. It never blocks. The operation
/// is complete after the wait timeout at the latest.
///
/// Errors: NULL_ARGUMENT. The operation reports all others.
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

/// Sends POST /auth/refresh with the client's refresh token now. The new token becomes the client's
/// own.
///
/// Programs need not call this: apivideo_get_token() does what is necessary. Calls at the same time
/// share one exchange. This never uses the API key instead. After a failure the access token stays
/// in use. `token_out`, `error_out` and threads are as for apivideo_get_token().
///
/// Errors: those of apivideo_get_token() without KEY_REJECTED, and REFRESH_REJECTED,
/// NO_REFRESH_TOKEN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_refresh(
    client: *const apivideo_client,
    token_out: *mut *const apivideo_token,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { token_call(client, token_out, error_out, |inner| inner.refresh()) }
}

/// Starts apivideo_refresh() and returns at once. An operation receives the answer, as with
/// apivideo_authenticate_start().
///
/// Errors: NULL_ARGUMENT. The operation reports all others.
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

/// Reports a 401: the API rejected a request with this token. The next apivideo_get_token() gets
/// another token, with the API key.
///
/// Every request that got a 401 may report it: this does nothing if the client already has a newer
/// token. It does not block and sends nothing. Any thread may call it. `rejected`: the request's
/// token, which stays the caller's. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; TOKEN_REJECTED if this token replaced a rejected one less than 60 seconds
/// ago. The client then keeps the token, because another one would not help. Pass the 401 on to
/// your user.
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

/// Takes a snapshot of the client's counters.
///
/// `statistics_out`: receives the snapshot. Free it with apivideo_statistics_free(). `error_out`:
/// may be NULL. Any thread may call this.
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
        guard_box(statistics_out, "statistics_out", error_out, || {
            Ok(borrow(client, "client")?.inner().statistics())
        })
    }
}
