//! The calls for requests, uploads and stores.

use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};

use apivideo::capi::*;

use super::{
    Dice, LONGEST_WAIT_MS, Program, SECRETS, call, look_at, make, pointer, release, text, user_data,
};

/// The first of the calls here, and how many there are.
pub const FIRST: u8 = 35;
pub const COUNT: u8 = 20;

/// Where a call puts an answer.
type Responses = *mut *mut apivideo_response;

/// A string that a message may repeat: no place for a secret.
fn repeated(dice: &mut Dice) -> Option<CString> {
    let is_harmless = |text: &CString| !SECRETS.iter().any(|s| text.to_string_lossy().contains(s));
    dice.string().filter(is_harmless)
}

/// A file that is there, or a name as good as any.
fn file(dice: &mut Dice) -> Option<CString> {
    match dice.flag() {
        true => Some(c"Cargo.toml".to_owned()),
        false => repeated(dice),
    }
}

/// No place where a store would make a folder.
fn place(dice: &mut Dice) -> Option<CString> {
    const REDIS: &[u8] = b"redis://:~the-key~@127.0.0.1:1";
    match dice.flag() {
        true => Some(CString::new(REDIS).unwrap()),
        false => dice
            .string()
            .filter(|name| !name.as_bytes().starts_with(b"file")),
    }
}

unsafe extern "C" fn load(
    name: *const c_char,
    _timeout_ms: u32,
    record: *mut apivideo_record,
    user_data: *mut c_void,
) -> i32 {
    look_at(user_data);
    text(name);
    let nonsense = b"no record";
    // SAFETY: the record of this call, and bytes that are there.
    call(true, |error| unsafe {
        apivideo_record_set(
            record,
            7,
            nonsense.as_ptr().cast(),
            nonsense.len(),
            0,
            error,
        )
    });
    0
}

unsafe extern "C" fn swap(
    name: *const c_char,
    expected: u64,
    version: u64,
    data: *const c_void,
    size: usize,
    _keep_ms: u64,
    _timeout_ms: u32,
    user_data: *mut c_void,
) -> i32 {
    look_at(user_data);
    text(name);
    assert!(version > expected && size > 0 && !data.is_null());
    // A number that the header does not have is a failure.
    i32::MIN
}

unsafe extern "C" fn progress(acknowledged: u64, sent: u64, total: u64, user_data: *mut c_void) {
    assert!(acknowledged <= sent && (sent <= total || total == 0));
    look_at(user_data);
}

impl Program {
    /// The call with this number.
    ///
    /// # Safety
    /// Handles are live or NULL and used by this thread alone.
    pub unsafe fn later(&mut self, what: u8, dice: &mut Dice) {
        unsafe {
            match what - FIRST {
                0..=3 => self.store(what - FIRST, dice),
                4 => {
                    let config = self.configs.pick(dice);
                    let made = make(dice, |out, error| {
                        apivideo_client_new_without_key(config, out, error)
                    });
                    match config.is_null()
                        || text(apivideo_client_base_url(made)) != "http://127.0.0.1:1"
                    {
                        // It would call api.video.
                        true => apivideo_client_free(made),
                        false => apivideo_client_free(self.clients.keep(made)),
                    }
                }
                5..=8 => self.request(what - FIRST, dice),
                9 => {
                    let client = self.clients.pick(dice);
                    let upload = make(dice, |out, error| apivideo_upload_new(client, out, error));
                    apivideo_upload_free(self.uploads.keep(upload));
                }
                10 => apivideo_upload_free(self.uploads.take(dice)),
                11..=12 => self.set_upload(dice),
                13 => {
                    // It would wait for as long as an outage may last.
                    let client = null();
                    let (video_id, path) = (repeated(dice), file(dice));
                    make(dice, |out: Responses, error| {
                        apivideo_upload_file(
                            client,
                            pointer(&video_id),
                            pointer(&path),
                            out.cast(),
                            error,
                        )
                    });
                }
                _ => self.upload(what - FIRST, dice),
            }
        }
    }

    unsafe fn store(&mut self, what: u8, dice: &mut Dice) {
        unsafe {
            match what {
                0 => {
                    let (name, ca_file) = (place(dice), repeated(dice));
                    let which = dice.flag();
                    let store = make(dice, |out, error| match which {
                        true => {
                            apivideo_store_new_redis(pointer(&name), pointer(&ca_file), out, error)
                        }
                        false => {
                            apivideo_store_new_named(pointer(&name), pointer(&ca_file), out, error)
                        }
                    });
                    apivideo_store_free(self.stores.keep(store));
                }
                1 => {
                    let load: apivideo_store_load_callback = match dice.byte() {
                        0xee => None,
                        _ => Some(load),
                    };
                    let swap: apivideo_store_swap_callback = match dice.byte() {
                        0xee => None,
                        _ => Some(swap),
                    };
                    let data = user_data();
                    let store = make(dice, |out, error| {
                        apivideo_store_new(load, swap, data, Some(release), out, error)
                    });
                    apivideo_store_free(self.stores.keep(store));
                }
                2 => apivideo_store_free(self.stores.take(dice)),
                _ => {
                    let (config, store) = (self.configs.pick(dice), self.stores.pick(dice));
                    let ms = dice.number() as u32;
                    call(dice.flag(), |error| {
                        apivideo_config_set_store(config, store, error)
                    });
                    call(dice.flag(), |error| {
                        apivideo_config_set_store_timeout_ms(config, ms, error)
                    });
                    call(dice.flag(), |error| {
                        apivideo_config_set_max_reply_bytes(config, ms.into(), error)
                    });
                }
            }
        }
    }

    unsafe fn request(&mut self, what: u8, dice: &mut Dice) {
        unsafe {
            match what {
                5 | 6 => {
                    let client = self.clients.pick(dice);
                    let (method, path, json) = (repeated(dice), repeated(dice), dice.string());
                    let (method, path, json) = (pointer(&method), pointer(&path), pointer(&json));
                    if what == 5 {
                        let response = make(dice, |out: Responses, error| {
                            apivideo_request(client, method, path, json, out.cast(), error)
                        });
                        self.answered(response);
                    } else {
                        let operation = make(dice, |out, error| {
                            apivideo_request_start(client, method, path, json, out, error)
                        });
                        apivideo_operation_free(self.operations.keep(operation));
                    }
                }
                7 => {
                    let (operation, ms) = (self.operations.pick(dice), dice.number() as u32);
                    let response = make(dice, |out: Responses, error| {
                        apivideo_operation_wait_response(operation, ms, out.cast(), error)
                    });
                    self.answered(response);
                }
                _ => {
                    let (secret, signature) = (dice.string(), dice.string());
                    let body = dice.string();
                    let length = body
                        .as_ref()
                        .map_or(dice.number() as usize, |b| b.as_bytes().len());
                    apivideo_webhook_verify(
                        pointer(&secret),
                        pointer(&body).cast(),
                        length,
                        pointer(&signature),
                    );
                }
            }
        }
    }

    /// Nobody answers, so there is no response: but its functions take NULL.
    unsafe fn answered(&mut self, response: *mut apivideo_response) {
        assert!(response.is_null());
        unsafe {
            assert_eq!(apivideo_response_http_status(response), 0);
            assert!(text(apivideo_response_body(response)).is_empty());
            assert_eq!(apivideo_response_body_length(response), 0);
            apivideo_response_header(response, c"date".as_ptr());
            assert!(text(apivideo_response_next_page(response)).is_empty());
            apivideo_response_free(response);
        }
    }

    unsafe fn set_upload(&mut self, dice: &mut Dice) {
        let upload = self.uploads.pick(dice);
        let what = dice.byte() % 8;
        let ok = call(dice.flag(), |error| unsafe {
            match what {
                0 => apivideo_upload_set_video_id(upload, pointer(&repeated(dice)), error),
                1 => apivideo_upload_set_token(upload, pointer(&dice.string()), error),
                2 => apivideo_upload_set_file(upload, pointer(&file(dice)), error),
                3 => apivideo_upload_set_file_name(upload, pointer(&repeated(dice)), error),
                4 => apivideo_upload_set_size(upload, dice.number(), error),
                5 => apivideo_upload_set_chunk_size(upload, dice.number() << 20, error),
                6 => apivideo_upload_set_parallel(upload, dice.number() as u32, error),
                _ => apivideo_upload_set_resume(upload, dice.number() as i32, error),
            }
        });
        assert!(!ok || !upload.is_null());
        let callback: apivideo_progress_callback = match dice.byte() {
            0xee => None,
            _ => Some(progress),
        };
        call(dice.flag(), |error| unsafe {
            apivideo_upload_set_on_progress(upload, callback, user_data(), Some(release), error)
        });
    }

    unsafe fn upload(&mut self, what: u8, dice: &mut Dice) {
        let upload = self.uploads.pick(dice);
        unsafe {
            match what {
                14 => {
                    call(dice.flag(), |error| apivideo_upload_start(upload, error));
                }
                15 => {
                    let data = dice.string();
                    let length = data
                        .as_ref()
                        .map_or(dice.number() as usize, |d| d.as_bytes().len());
                    let data = pointer(&data).cast();
                    call(dice.flag(), |error| {
                        apivideo_upload_write(upload, data, length, error)
                    });
                }
                16 => {
                    call(dice.flag(), |error| apivideo_upload_finish(upload, error));
                }
                17 => {
                    let ms = dice.number() as u32 % LONGEST_WAIT_MS;
                    let response = make(dice, |out: Responses, error| {
                        apivideo_upload_wait(upload, ms, out.cast(), error)
                    });
                    self.answered(response);
                }
                18 => {
                    let data = user_data();
                    let callback: apivideo_completion_callback = match dice.byte() {
                        0xee => None,
                        _ => Some(release),
                    };
                    if !call(dice.flag(), |error| {
                        apivideo_upload_on_complete(upload, callback, data, error)
                    }) {
                        release(data);
                    }
                }
                _ => {
                    let (mut acknowledged, mut sent) = (u64::MAX, u64::MAX);
                    apivideo_upload_progress(upload, &mut acknowledged, &mut sent, null_mut());
                    assert!(acknowledged <= sent && sent < u64::MAX);
                    text(apivideo_upload_video_id(upload));
                    apivideo_upload_cancel(upload);
                }
            }
        }
    }
}
