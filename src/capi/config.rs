//! `apivideo_config`: an opaque builder, copied by every client made with it.

use std::ffi::{CString, c_char, c_void};

use super::error::apivideo_error;
use super::store::apivideo_store;
use super::user_data::{UserData, apivideo_release_callback};
use crate::cache::events::{LogLevel, TokenState};
use crate::config::{Config, Environment};
use crate::error::{Error, Status};
use crate::ffi::boundary::{
    borrow_mut, guard, guard_box, guard_end, handle, peek, string, take_box,
};

/// Settings for a client. Only one thread at a time may use them. They belong to the caller, who
/// frees them. Each client keeps a copy.
#[allow(non_camel_case_types)]
pub struct apivideo_config {
    _opaque: [u8; 0],
}
handle!(apivideo_config = BoxHandle of Config);

/// Receives one line of the log: its level, its text, and the program's own pointer. The text is
/// valid during the call. Must not throw or jump out.
#[allow(non_camel_case_types)]
pub type apivideo_log_callback =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// Receives the token's new state, one of `apivideo_token_state`, and the program's own pointer.
/// Must not throw or jump out.
#[allow(non_camel_case_types)]
pub type apivideo_state_callback = Option<unsafe extern "C" fn(state: i32, user_data: *mut c_void)>;

/// Makes settings that hold every default.
///
/// `config_out`: receives the settings. Free them with apivideo_config_free(). `error_out`: may be
/// NULL.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_new(
    config_out: *mut *mut apivideo_config,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(
            config_out,
            "config_out",
            error_out,
            || Ok(Config::default()),
        )
    }
}

/// Frees settings. NULL is fine. Clients that were made with them have their own copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_free(config: *mut apivideo_config) {
    // SAFETY: the caller's own settings, freed once, as the header asks.
    guard_end(|| drop(unsafe { take_box(config) }));
}

/// The body of every setter.
unsafe fn set(
    config: *mut apivideo_config,
    error_out: *mut *mut apivideo_error,
    change: impl FnOnce(&mut Config) -> Result<(), Error>,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL, and for one thread at a time.
    unsafe { guard(error_out, || change(borrow_mut(config, "config")?)) }
}

/// Sets which of api.video's environments the key belongs to. Default: the server that the
/// environment's variables name, else production.
///
/// `environment`: one of `apivideo_environment`. This replaces an earlier
/// apivideo_config_set_base_url(), and the other way round. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_environment(
    config: *mut apivideo_config,
    environment: i32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let change = |config: &mut Config| {
        let environment = Environment::from_number(environment).ok_or_else(|| {
            Error::invalid(format!(
                "`environment` is {environment}; it must be 0 (production) or 1 (sandbox)."
            ))
        })?;
        config.set_environment(environment);
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, change) }
}

/// Sets another server than api.video's.
///
/// `url`: `https://host[:port][/path]`, at most 2,048 bytes. `http://` is allowed for "localhost"
/// and loopback addresses only. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; INVALID_UTF8; INVALID_ARGUMENT, with the reason in the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_base_url(
    config: *mut apivideo_config,
    url: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(config, error_out, |config| {
            config.set_base_url(string(url, "url")?)
        })
    }
}

/// Sets the application's name and version, which are sent as AV-Origin-App. Default: none.
///
/// `name`: 1 to 50 characters of A-Z, a-z, 0-9, "-" and "_". `version`: 1 to 3 numbers of 1 to 3
/// digits, with dots between them. These are api.video's own rules. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT (name or version), INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_app(
    config: *mut apivideo_config,
    name: *const c_char,
    version: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(config, error_out, |config| {
            config.set_app(string(name, "name")?, string(version, "version")?)
        })
    }
}

/// Sets the name and version of an SDK that is built on this library, which are sent as
/// AV-Origin-Sdk. Default: none.
///
/// Rules and errors are as for apivideo_config_set_app().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_sdk(
    config: *mut apivideo_config,
    name: *const c_char,
    version: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(config, error_out, |config| {
            config.set_sdk(string(name, "name")?, string(version, "version")?)
        })
    }
}

/// Sets the time limit for resolving the server's name, and the same again for connecting and the
/// TLS handshake: 1 to 60,000 ms. Default: 3,000. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_connect_timeout_ms(
    config: *mut apivideo_config,
    timeout_ms: u32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, |c| c.set_connect_timeout_ms(timeout_ms)) }
}

/// Sets the time limit for one HTTP exchange as a whole, however slowly its bytes arrive: 1 to
/// 300,000 ms. Default: 10,000. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_attempt_timeout_ms(
    config: *mut apivideo_config,
    timeout_ms: u32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, |c| c.set_attempt_timeout_ms(timeout_ms)) }
}

/// Sets how long a call waits for its answer, and how long an operation lasts: 0 to 3,600,000 ms.
/// Default: 30,000.
///
/// The exchange goes on when a caller stops waiting. With 0 a call never waits: it returns a token
/// that is there, or else starts the exchange and fails with TIMEOUT; and a request always fails
/// so. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_wait_timeout_ms(
    config: *mut apivideo_config,
    timeout_ms: u32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, |c| c.set_wait_timeout_ms(timeout_ms)) }
}

/// Sets what a call does while no valid token can be obtained. With 0, the default, it returns the
/// last exchange's error at once, with the time until the next try. With another number it waits
/// for the next tries, unless the next one comes after the wait timeout or the key was rejected.
/// `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_wait_for_recovery(
    config: *mut apivideo_config,
    wait: i32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let change = |config: &mut Config| {
        config.set_wait_for_recovery(wait != 0);
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, change) }
}

/// Sets whether the token is renewed even while nobody reads it. With 0, the default, a token is
/// renewed only when it is read. With another number it is always renewed ahead of its expiry, from
/// the first token on. One timer thread serves all such clients of the process. `error_out`: may be
/// NULL.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_keep_fresh(
    config: *mut apivideo_config,
    keep_fresh: i32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let change = |config: &mut Config| {
        config.set_keep_fresh(keep_fresh != 0);
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, change) }
}

/// Sets how many bytes the body of a reply to apivideo_request() may have: 1 to 1,073,741,824 (1
/// GiB). Default: 16,777,216 (16 MiB). A larger one fails with PROTOCOL_ERROR, and the message says
/// so. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_max_reply_bytes(
    config: *mut apivideo_config,
    bytes: u64,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, |c| c.set_max_reply_bytes(bytes)) }
}

/// Sets the proxy, and NO_PROXY of the environment does not count any more. Default: the
/// environment's.
///
/// `url`: `scheme://[user:password@]host[:port]`, user and password percent-encoded; "" means no
/// proxy. The scheme is `http`, `https` (the proxy itself speaks TLS), `socks4`, `socks4a`,
/// `socks5` or `socks5h`; with `socks4a` and `socks5h` the proxy resolves the server's name. The
/// port is 1080 by default, or 443 with `https`. SOCKS4 has a user but no password. Loopback
/// addresses never go through a proxy.
///
/// The environment is read once, by apivideo_client_new(), and as curl reads it: the first of
/// `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY` that is not empty, unless `no_proxy`
/// or `NO_PROXY` names the server. If that one is not such a URL, each exchange fails with
/// NETWORK_ERROR and says so.
///
/// `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_proxy(
    config: *mut apivideo_config,
    url: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(config, error_out, |config| {
            config.set_proxy(string(url, "url")?)
        })
    }
}

/// Sets a file of certificates that are trusted in addition to the system's: those of CAs, or a
/// server's own. Empty: none. Default: the one that APIVIDEO_CA_FILE names when a client for an
/// `https` server is made, else none. TLS verification cannot be turned off.
///
/// The file is PEM and at most 4 MiB. It is read now, and again when it has changed, which is
/// looked for at an exchange, once an hour at most. Broken certificates in it are left out. A
/// relative `path` is relative to the folder that is the current one now.
///
/// The system's certificates are those of its usual files. If SSL_CERT_FILE or SSL_CERT_DIR
/// (folders with `:` between) is in the environment when apivideo_client_new() is called, they are
/// the ones there instead.
///
/// `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; INVALID_UTF8; INVALID_ARGUMENT if the file cannot be read or contains no
/// certificate that can be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_ca_file(
    config: *mut apivideo_config,
    path: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(config, error_out, |config| {
            config.set_ca_file(string(path, "path")?)
        })
    }
}

/// Sets where the processes that use this API key share its token, so that all of them together
/// make one exchange for each token. NULL means nowhere.
///
/// A client with a store uses the API key alone, and its tokens have no refresh token. Whatever
/// happens to the store, the client goes on as if it had none: no call fails for it, and one that
/// hangs costs a call that needs a new token the store's time limit, once.
///
/// The default is what APIVIDEO_STORE of the environment says when apivideo_client_new() is called:
/// "file", "file:" and a directory, or a URL as for apivideo_store_new_redis(), whose server may
/// also show a certificate of APIVIDEO_CA_FILE; nowhere if it is not there or empty. With another
/// value apivideo_client_new() fails with INVALID_ARGUMENT. A place that cannot be used is no
/// error: the log says so, and the client goes on.
///
/// `store`: it is used on, so it may be freed at once. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT (config).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_store(
    config: *mut apivideo_config,
    store: *const apivideo_store,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(config, error_out, |config| {
            config.set_store(peek(store).cloned());
            Ok(())
        })
    }
}

/// Sets the time limit for an operation of the store: 1 to 10,000 ms. Default: 1,000. `error_out`:
/// may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_store_timeout_ms(
    config: *mut apivideo_config,
    timeout_ms: u32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, |c| c.set_store_timeout_ms(timeout_ms)) }
}

/// Calls `callback` with each line of the log up to `level`, one of `apivideo_log_level`. NULL
/// turns the log off, which is the default.
///
/// The calls for one client come one at a time, in the order in which things happened, and while no
/// lock is held. They come on a thread of the library at the end of an exchange, or on a thread
/// that is in a call of the client. The callback may call any function of the client, and may free
/// it. It should not block for long. No line contains a key or a token.
///
/// `user_data`: passed to each call. It must stay usable, from any thread, until `release` is
/// called with it. `release`: called once, when these settings and all clients made with them are
/// freed or have another callback, and no call is running any more. If this function fails, it is
/// called before this returns. It must not use the settings that are being changed. It may be NULL.
/// `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no level.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_log(
    config: *mut apivideo_config,
    level: i32,
    callback: apivideo_log_callback,
    user_data: *mut c_void,
    release: apivideo_release_callback,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let user_data = UserData::new(user_data, release);
    let change = move |config: &mut Config| {
        let level = LogLevel::from_number(level).ok_or_else(|| {
            Error::invalid(format!(
                "`level` is {level}; it must be from 0 (off) to 4 (debug)."
            ))
        })?;
        let Some(callback) = callback else {
            config.clear_log();
            return Ok(());
        };
        config.set_log(level, move |level: LogLevel, line: &str| {
            let line = CString::new(line).unwrap_or_default();
            // SAFETY: the program's own function, with its own pointer and a text that lives during
            // the call.
            unsafe { callback(level as i32, line.as_ptr(), user_data.pointer()) };
        });
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, change) }
}

/// Calls `callback` when the token's state has changed. NULL means no calls, which is the default.
///
/// Threads, `user_data` and `release` are as for apivideo_config_set_log(). A state that comes with
/// time alone, such as EXPIRED, is reported when a caller next asks for a token. `error_out`: may
/// be NULL.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_set_on_state(
    config: *mut apivideo_config,
    callback: apivideo_state_callback,
    user_data: *mut c_void,
    release: apivideo_release_callback,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let user_data = UserData::new(user_data, release);
    let change = move |config: &mut Config| {
        let Some(callback) = callback else {
            config.clear_on_state();
            return Ok(());
        };
        config.set_on_state(move |state: TokenState| {
            // SAFETY: the program's own function, with its own pointer.
            unsafe { callback(state as i32, user_data.pointer()) };
        });
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, change) }
}
