//! Calls of the C interface in any order with any arguments that a C program may give: nothing
//! crashes, every status is a documented one, out-parameters are NULL after a failure, callbacks'
//! data is released once, and no text holds the key.
//!
//! Input: one byte says which call, those after it which handles, strings and numbers. Clients talk
//! to a closed port of this machine. No client ever gets a token, so some come from
//! `apivideo::fuzz`.
#![no_main]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

use apivideo::Status;
use apivideo::capi::*;
use libfuzzer_sys::fuzz_target;

#[path = "boundary/later.rs"]
mod later;

/// Nothing listens on the first port of any machine.
const CLOSED: &CStr = c"http://127.0.0.1:1";
const SECRETS: [&str; 3] = ["~the-key~", "~the-access-token~", "~the-refresh-token~"];
const LONGEST_WAIT_MS: u32 = 10;
const MOST_CALLS: usize = 40;
const SLOTS: usize = 3;

/// Where a call puts a token.
type Tokens = *mut *mut apivideo_token;

/// What is read off the input; zeros at its end.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    fn number(&mut self) -> u64 {
        match self.byte() {
            250 => u64::MAX,
            251 => u32::MAX.into(),
            252 => i32::MIN as u64,
            253 => 3_600_000,
            254 => u64::from(self.byte()) << 8,
            small => small.into(),
        }
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A string of the program's, or `None` for NULL.
    fn string(&mut self) -> Option<CString> {
        let known = match self.byte() {
            0 => return None,
            1 => c"",
            2 => c"~the-key~",
            3 => c"app",
            4 => c"1.2.3",
            5 => c"https://example.com/x",
            6 => c"http://[::1]:8",
            7 => c"http://user:~the-key~@proxy:3128",
            8 => c"\xff\xfe",
            9 => c"/dev/zero",
            10 => c"a\nb",
            length => {
                let (taken, rest) = self.0.split_at(usize::from(length % 64).min(self.0.len()));
                self.0 = rest;
                let text: Vec<u8> = taken.iter().copied().filter(|b| *b != 0).collect();
                return Some(CString::new(text).unwrap());
            }
        };
        Some(known.to_owned())
    }
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(null(), |t| t.as_ptr())
}

/// A text that the library gave: there is one, it is UTF-8, and holds no secret.
fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null());
    let text = unsafe { CStr::from_ptr(pointer) }.to_str().expect("UTF-8");
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    text.to_owned()
}

/// A callback's data: on the heap, so that a second release or a call after it is seen.
fn user_data() -> *mut c_void {
    Box::into_raw(Box::new(String::from("alive"))).cast()
}

fn look_at(user_data: *mut c_void) {
    if let Some(data) = unsafe { user_data.cast::<String>().as_ref() } {
        assert_eq!(data, "alive");
    }
}

unsafe extern "C" fn release(user_data: *mut c_void) {
    look_at(user_data);
    if !user_data.is_null() {
        drop(unsafe { Box::from_raw(user_data.cast::<String>()) });
    }
}

unsafe extern "C" fn log(level: i32, line: *const c_char, user_data: *mut c_void) {
    assert!((1..=4).contains(&level) && !text(line).contains('\n'));
    look_at(user_data);
}

unsafe extern "C" fn state(state: i32, user_data: *mut c_void) {
    assert!((0..=5).contains(&state));
    look_at(user_data);
}

/// Where nothing is, so that a call which leaves an out-parameter as it was is found out.
fn garbage<T>() -> *mut T {
    std::ptr::dangling_mut()
}

/// Makes a call with or without an `error_out`, and looks at its status and error. Whether it was a
/// success.
fn call(wants_error: bool, make: impl FnOnce(*mut *mut apivideo_error) -> Status) -> bool {
    let mut error = garbage();
    let out: *mut *mut apivideo_error = if wants_error { &mut error } else { null_mut() };
    let status = make(out);
    let number = status as i32;
    assert!((0..=20).contains(&number), "status {number}");
    assert_ne!(text(apivideo_status_string(number)), "unknown status");
    if wants_error {
        assert_eq!(error.is_null(), status == Status::Ok);
        unsafe {
            assert_eq!(apivideo_error_status(error), status);
            assert_eq!(
                text(apivideo_error_message(error)).is_empty(),
                status == Status::Ok
            );
            assert_eq!(apivideo_error_is_retryable(error), status.is_retryable());
            assert!(apivideo_error_retry_after_ms(error) >= -1);
            assert_eq!(apivideo_error_http_status(error), 0);
            assert!(text(apivideo_error_problem_type(error)).is_empty());
            assert!(text(apivideo_error_title(error)).is_empty());
            assert!(text(apivideo_error_name(error)).is_empty());
            assert!(text(apivideo_error_detail(error)).is_empty());
            assert_eq!(apivideo_error_problem_count(error), 0);
            for at in [0, usize::MAX] {
                assert!(text(apivideo_error_problem_type_at(error, at)).is_empty());
                assert!(text(apivideo_error_title_at(error, at)).is_empty());
                assert!(text(apivideo_error_name_at(error, at)).is_empty());
                assert!(text(apivideo_error_detail_at(error, at)).is_empty());
            }
            apivideo_error_free(error);
        }
    }
    status == Status::Ok
}

/// [`call`] with another out-parameter, or with NULL for it. What it gave, or NULL.
fn make<T>(
    dice: &mut Dice,
    f: impl FnOnce(*mut *mut T, *mut *mut apivideo_error) -> Status,
) -> *mut T {
    let mut made = garbage();
    let wants_error = dice.flag();
    if dice.byte() == 0xee {
        assert!(!call(wants_error, |error| f(null_mut(), error)));
        return null_mut();
    }
    let ok = call(wants_error, |error| f(&mut made, error));
    assert_eq!(ok, !made.is_null(), "out-parameter");
    made
}

#[derive(Default)]
struct Program {
    configs: Slots<apivideo_config>,
    clients: Slots<apivideo_client>,
    operations: Slots<apivideo_operation>,
    statistics: Slots<apivideo_statistics>,
    stores: Slots<apivideo_store>,
    tokens: Slots<apivideo_token>,
    uploads: Slots<apivideo_upload>,
}

/// Some handles. The last is always NULL.
struct Slots<T>([*mut T; SLOTS + 1]);

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots([null_mut(); SLOTS + 1])
    }
}

impl<T> Slots<T> {
    fn each(&self, act: impl Fn(*mut T)) {
        self.0.into_iter().for_each(act);
    }

    fn pick(&self, dice: &mut Dice) -> *mut T {
        self.0[usize::from(dice.byte()) % (SLOTS + 1)]
    }

    fn take(&mut self, dice: &mut Dice) -> *mut T {
        std::mem::replace(
            &mut self.0[usize::from(dice.byte()) % (SLOTS + 1)],
            null_mut(),
        )
    }

    /// Keeps a handle in place of another, which is to be freed.
    fn keep(&mut self, new: *mut T) -> *mut T {
        self.0[..SLOTS].rotate_right(1);
        std::mem::replace(&mut self.0[0], new)
    }
}

impl Program {
    fn got(&mut self, token: *mut apivideo_token) {
        unsafe { apivideo_token_free(self.tokens.keep(token)) };
    }

    fn step(&mut self, dice: &mut Dice) {
        // SAFETY (of every call here): handles are live or NULL and used by this thread alone;
        // strings end in NUL.
        unsafe {
            let what = dice.byte() % (later::FIRST + later::COUNT);
            match what {
                later::FIRST.. => self.later(what, dice),
                0 => {
                    let config = make(dice, |out, error| apivideo_config_new(out, error));
                    apivideo_config_free(self.configs.keep(config));
                }
                1 => apivideo_config_free(self.configs.take(dice)),
                2..=14 => self.set(what, dice),
                15 | 16 => self.client(dice),
                17 => apivideo_client_free(self.clients.take(dice)),
                18 => {
                    let client = self.clients.pick(dice);
                    let token = make(dice, |out: Tokens, error| {
                        apivideo_get_token(client, out.cast(), error)
                    });
                    self.got(token);
                }
                19 => {
                    let (client, validity) = (self.clients.pick(dice), dice.number());
                    let token = make(dice, |out: Tokens, error| {
                        apivideo_get_token_valid_for(client, validity, out.cast(), error)
                    });
                    self.got(token);
                }
                20 | 21 => {
                    let (client, validity) = (self.clients.pick(dice), dice.number());
                    let which = dice.number() % 4;
                    let operation = make(dice, |out, error| match which {
                        0 => apivideo_authenticate_start(client, out, error),
                        1 => apivideo_refresh_start(client, out, error),
                        _ => apivideo_get_token_start(client, validity, out, error),
                    });
                    apivideo_operation_free(self.operations.keep(operation));
                }
                22 => {
                    let client = self.clients.pick(dice);
                    let token = make(dice, |out: Tokens, error| {
                        apivideo_authenticate(client, out.cast(), error)
                    });
                    self.got(token);
                }
                23 => {
                    let client = self.clients.pick(dice);
                    let token = make(dice, |out: Tokens, error| {
                        apivideo_refresh(client, out.cast(), error)
                    });
                    self.got(token);
                }
                24 => {
                    let (client, token) = (self.clients.pick(dice), self.tokens.pick(dice));
                    call(dice.flag(), |error| {
                        apivideo_invalidate_token(client, token, error)
                    });
                }
                25 => {
                    let client = self.clients.pick(dice);
                    assert_eq!(apivideo_client_token_id(client), 0);
                    let url = text(apivideo_client_base_url(client));
                    assert!(url.is_empty() || url == "http://127.0.0.1:1");
                    let made = make(dice, |out, error| {
                        apivideo_client_get_statistics(client, out, error)
                    });
                    apivideo_statistics_free(self.statistics.keep(made));
                }
                26 => {
                    let (statistics, which) = (self.statistics.pick(dice), dice.number() as i32);
                    let mut value = u64::MAX;
                    let out: *mut u64 = if dice.byte() == 0xee {
                        null_mut()
                    } else {
                        &mut value
                    };
                    let ok = call(dice.flag(), |error| {
                        apivideo_statistics_get(statistics, which, out, error)
                    });
                    assert!(ok || out.is_null() || value == 0);
                    assert_eq!(
                        ok,
                        !statistics.is_null() && !out.is_null() && (0..=13).contains(&which)
                    );
                }
                27 => apivideo_statistics_free(self.statistics.take(dice)),
                28 => {
                    let (operation, ms) = (self.operations.pick(dice), dice.number() as u32);
                    let token = make(dice, |out: Tokens, error| {
                        apivideo_operation_wait(operation, ms, out.cast(), error)
                    });
                    self.got(token);
                }
                29 => {
                    let (operation, data) = (self.operations.pick(dice), user_data());
                    let callback: apivideo_completion_callback = if dice.byte() == 0xee {
                        None
                    } else {
                        Some(release)
                    };
                    if !call(dice.flag(), |error| {
                        apivideo_operation_on_complete(operation, callback, data, error)
                    }) {
                        release(data);
                    }
                }
                30 => apivideo_operation_cancel(self.operations.pick(dice)),
                31 => apivideo_operation_free(self.operations.take(dice)),
                32 => {
                    let token = match dice.flag() {
                        true => apivideo::fuzz::token(SECRETS[1], SECRETS[2]),
                        false => apivideo_token_clone(self.tokens.pick(dice)),
                    };
                    self.got(token.cast_mut());
                }
                33 => {
                    let token = self.tokens.pick(dice);
                    let is = |pointer, expected: &str| {
                        let expected = if token.is_null() { "" } else { expected };
                        assert_eq!(CStr::from_ptr(pointer).to_str(), Ok(expected));
                    };
                    is(
                        apivideo_token_authorization(token),
                        "Bearer ~the-access-token~",
                    );
                    is(apivideo_token_access_token(token), "~the-access-token~");
                    is(apivideo_token_refresh_token(token), "~the-refresh-token~");
                    is(apivideo_token_token_type(token), "Bearer");
                    assert_eq!(apivideo_token_id(token) == 0, token.is_null());
                    assert_eq!(apivideo_token_expires_at_ms(token) == 0, token.is_null());
                    assert!((0..=3_600_000).contains(&apivideo_token_expires_in_ms(token)));
                    assert!([0, 3_600_000].contains(&apivideo_token_lifetime_ms(token)));
                }
                _ => {
                    apivideo_token_free(self.tokens.take(dice));
                    text(apivideo_status_string(dice.number() as i32));
                    assert!(!text(apivideo_version()).is_empty());
                    assert_eq!(apivideo_abi_version(), 1);
                    assert!(apivideo_version_number() > 0);
                }
            }
        }
    }

    unsafe fn set(&mut self, what: u8, dice: &mut Dice) {
        let config = self.configs.pick(dice);
        let wants_error = dice.flag();
        let ok = call(wants_error, |error| unsafe {
            match what {
                2 => apivideo_config_set_environment(config, dice.number() as i32, error),
                3 => apivideo_config_set_base_url(config, pointer(&dice.string()), error),
                4 => apivideo_config_set_app(
                    config,
                    pointer(&dice.string()),
                    pointer(&dice.string()),
                    error,
                ),
                5 => apivideo_config_set_sdk(
                    config,
                    pointer(&dice.string()),
                    pointer(&dice.string()),
                    error,
                ),
                6 => apivideo_config_set_connect_timeout_ms(config, dice.number() as u32, error),
                7 => apivideo_config_set_attempt_timeout_ms(config, dice.number() as u32, error),
                8 => apivideo_config_set_wait_timeout_ms(config, dice.number() as u32, error),
                9 => apivideo_config_set_wait_for_recovery(config, dice.number() as i32, error),
                10 => apivideo_config_set_keep_fresh(config, dice.number() as i32, error),
                11 => apivideo_config_set_proxy(config, pointer(&dice.string()), error),
                12 => {
                    // The one setting that a message repeats: no place for a key.
                    let path = dice.string().filter(|path| {
                        let path = path.to_string_lossy();
                        !SECRETS.iter().any(|secret| path.contains(secret))
                    });
                    apivideo_config_set_ca_file(config, pointer(&path), error)
                }
                13 => {
                    let callback: apivideo_log_callback =
                        if dice.byte() == 0xee { None } else { Some(log) };
                    apivideo_config_set_log(
                        config,
                        dice.number() as i32,
                        callback,
                        user_data(),
                        Some(release),
                        error,
                    )
                }
                _ => {
                    let callback: apivideo_state_callback = if dice.byte() == 0xee {
                        None
                    } else {
                        Some(state)
                    };
                    // Without a release the data stays the program's.
                    let (data, release): (_, apivideo_release_callback) = if dice.flag() {
                        (user_data(), Some(release))
                    } else {
                        (null_mut(), None)
                    };
                    apivideo_config_set_on_state(config, callback, data, release, error)
                }
            }
        });
        assert!(!ok || !config.is_null());
    }

    /// A client that can reach nobody.
    unsafe fn client(&mut self, dice: &mut Dice) {
        let config = self.configs.pick(dice);
        let key = dice.string();
        unsafe {
            if !config.is_null() {
                assert_eq!(
                    apivideo_config_set_base_url(config, CLOSED.as_ptr(), null_mut()),
                    Status::Ok
                );
                let wait = dice.number() as u32 % LONGEST_WAIT_MS;
                assert_eq!(
                    apivideo_config_set_wait_timeout_ms(config, wait, null_mut()),
                    Status::Ok
                );
            }
            let client = make(dice, |out, error| {
                apivideo_client_new(pointer(&key), config, out, error)
            });
            match config.is_null() {
                // A client with the defaults would call api.video.
                true => apivideo_client_free(client),
                false => apivideo_client_free(self.clients.keep(client)),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: as above; each is freed once.
        unsafe {
            self.configs.each(|config| apivideo_config_free(config));
            self.clients.each(|client| apivideo_client_free(client));
            self.operations
                .each(|operation| apivideo_operation_free(operation));
            self.statistics
                .each(|statistics| apivideo_statistics_free(statistics));
            self.stores.each(|store| apivideo_store_free(store));
            self.tokens.each(|token| apivideo_token_free(token));
            self.uploads.each(|upload| apivideo_upload_free(upload));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut dice = Dice(input);
    let mut program = Program::default();
    for _ in 0..MOST_CALLS {
        if dice.0.is_empty() {
            break;
        }
        program.step(&mut dice);
    }
});
