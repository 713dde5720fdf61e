//! `apivideo_config`: an opaque builder, copied by every client made with it.

use std::ffi::{CString, c_char, c_void};

use super::error::apivideo_error;
use super::user_data::{UserData, apivideo_release_callback};
use crate::cache::events::{LogLevel, TokenState};
use crate::config::{Config, Environment};
use crate::error::{Error, Status};
use crate::ffi::boundary::{
    borrow_mut, clear, give_box, guard, guard_or, handle, require_out, string, take_box,
};

/// Settings for a client. One thread at a time may use it. Belongs to the caller, who frees it; clients keep a copy.
#[allow(non_camel_case_types)]
pub struct apivideo_config {
    _opaque: [u8; 0],
}
handle!(apivideo_config = BoxHandle of Config);

/// Called with each line of the log: its level, its text, and the program's own pointer. The text is valid during the call.
/// Must not throw or jump out.
#[allow(non_camel_case_types)]
pub type apivideo_log_callback =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// Called when the token's state has changed: one of `apivideo_token_state`, and the program's own pointer. Must not throw or
/// jump out.
#[allow(non_camel_case_types)]
pub type apivideo_state_callback = Option<unsafe extern "C" fn(state: i32, user_data: *mut c_void)>;

/// Makes settings with every default.
///
/// `config_out`: to be freed with apivideo_config_free(). `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_new(
    config_out: *mut *mut apivideo_config,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        clear(config_out);
        guard(error_out, || {
            require_out(config_out, "config_out")?;
            give_box(config_out, Config::default);
            Ok(())
        })
    }
}

/// Frees settings. NULL is fine. Clients made with them keep their copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_config_free(config: *mut apivideo_config) {
    // SAFETY: the caller's own settings, freed once, as the header asks.
    guard_or((), || drop(unsafe { take_box(config) }));
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

/// Which of api.video's environments the key belongs to: one of `apivideo_environment`. Default: production.
///
/// The last of this and apivideo_config_set_base_url() counts. `error_out`: may be NULL.
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

/// Another server than api.video's: `https://host[:port][/path]`, 2,048 bytes at most; `http://` only with "localhost" or a
/// loopback address. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8; INVALID_ARGUMENT with the reason.
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

/// The application's name and version, sent as AV-Origin-App. Default: none.
///
/// `name`: 1 to 50 of A-Z, a-z, 0-9, "-" and "_". `version`: 1 to 3 numbers of 1 to 3 digits with dots between them.
/// That is api.video's own rule for origins. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT (of either), INVALID_UTF8, INVALID_ARGUMENT.
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

/// The name and version of an SDK that is built on this library, sent as AV-Origin-Sdk. Default: none.
///
/// Rules and errors as for apivideo_config_set_app().
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

/// The time for resolving the server's name, and again for the connection with its TLS handshake: 1 to 60,000 ms.
/// Default: 3,000. `error_out`: may be NULL.
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

/// The time for one HTTP exchange as a whole, however slowly its bytes drip: 1 to 300,000 ms. Default: 10,000.
/// `error_out`: may be NULL.
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

/// How long a call waits for its answer, and an operation for its end: 0 to 3,600,000 ms. Default: 30,000.
///
/// A caller that gives up does not end the exchange. With 0 a call takes only what is there, but starts the exchange that is
/// needed. `error_out`: may be NULL.
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

/// What a caller gets while no valid token can be had. With 0, the default: the last try's error, at once, with the time to the
/// next. With another number: it waits for the next tries, unless the next one is after its wait timeout or the key was rejected. `error_out`: may be NULL.
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

/// Renews the token ahead of its expiry even when nobody reads it; begins with the first token. One timer thread serves all
/// such clients of the process. With 0, the default, a token is renewed when it is read. `error_out`: may be NULL.
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

/// The proxy: `http://[user:password@]host[:port]`, user and password percent-encoded, or `https://` where it speaks TLS
/// itself; "" for none. Default: the environment's HTTPS_PROXY and NO_PROXY, as they are when the client is made. Loopback
/// addresses never go through a proxy. `error_out`: may be NULL.
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

/// A file of CA certificates in PEM, 4 MiB at most, trusted besides the system's. Read now. Default: none.
/// TLS verification cannot be turned off. `error_out`: may be NULL.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8; INVALID_ARGUMENT if it cannot be read, or holds no certificate or a broken one.
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

/// Has `callback` called with each line of the log up to `level`, one of `apivideo_log_level`; NULL turns the log off, as by
/// default.
///
/// It is called outside every lock, for one client one call at a time, in the order in which things happened: from a thread of the library
/// at the end of an exchange, or from a thread that is in a call of the client. It may call the client, and free it. It should not block for long. `user_data` must be usable so until
/// `release` is called with it: once, when these settings and every client made with them are freed or have another callback, and
/// no call is running any more. `release` may be NULL; it is called before this returns if this fails. It must not use the settings that are being changed. No line holds a key or a token. `error_out`: may be NULL.
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
            // SAFETY: the program's own function, with its own pointer and a text that lives during the call.
            unsafe { callback(level as i32, line.as_ptr(), user_data.pointer()) };
        });
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { set(config, error_out, change) }
}

/// Has `callback` called when the token's state has changed; NULL for no calls, as by default.
///
/// Threads, `user_data` and `release` as for apivideo_config_set_log(). A state that comes with time alone, such as EXPIRED, is told when
/// somebody next asks. `error_out`: may be NULL.
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
