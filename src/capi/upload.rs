//! `apivideo_upload`: a video's source on its way.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::client::apivideo_client;
use super::error::apivideo_error;
use super::operation::{apivideo_completion_callback, timeout};
use super::response::apivideo_response;
use super::user_data::{UserData, apivideo_release_callback};
use crate::error::{Error, Status};
use crate::ffi::boundary::{
    borrow, borrow_mut, bytes, guard, guard_arc, guard_box, guard_end, guard_or, handle, null,
    peek, put, string, take_box,
};
use crate::upload::handle::{StartedUpload, Upload};
use crate::upload::options::{Progress, ProgressFn};

/// An upload: a video's source on its way to api.video, in chunks. Until it is started, only one
/// thread at a time may use it; from then on any thread may, and any number at once. It belongs to
/// the caller, who frees it, and it may outlive its client.
#[allow(non_camel_case_types)]
pub struct apivideo_upload {
    _opaque: [u8; 0],
}
handle!(apivideo_upload = BoxHandle of Upload);

/// Learns how far an upload is, in bytes, as apivideo_upload_progress() gives it, and receives the
/// program's own pointer. Must not throw or jump out.
#[allow(non_camel_case_types)]
pub type apivideo_progress_callback =
    Option<unsafe extern "C" fn(acknowledged: u64, sent: u64, total: u64, user_data: *mut c_void)>;

/// Sends a file as the source of a video, and waits for the end, however long it takes.
///
/// `video_id`: of a video that was made with `POST /videos`. `path`: of a regular file, in UTF-8.
/// `response_out`: receives a reference to api.video's reply with the video, in JSON. Free it with
/// apivideo_response_free(). `error_out`: may be NULL. Any thread may call this. It needs one
/// buffer of 384 KiB, whatever the size of the file. apivideo_upload_new() does the same with
/// progress, with a way to cancel, and can go on where an earlier upload ended.
///
/// Whatever may pass is ridden out: an outage of some minutes, errors of the server, rate limits,
/// replies that are lost, access tokens that expire. Then only the chunk that it happened to is
/// sent again, and none that is known to have arrived. A connection ends after 60 seconds in
/// which no byte has moved, however long a chunk takes; the attempt timeout is not for chunks.
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT; FILE_ERROR if the file cannot be read, is
/// empty, or changes meanwhile; REQUEST_REJECTED, with the problem; those of apivideo_get_token();
/// RATE_LIMITED, SERVER_ERROR, PROTOCOL_ERROR, NETWORK_ERROR, TLS_ERROR, TIMEOUT when a chunk has
/// failed time after time; CLOSED; SYSTEM_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_file(
    client: *const apivideo_client,
    video_id: *const c_char,
    path: *const c_char,
    response_out: *mut *const apivideo_response,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_arc(response_out, "response_out", error_out, || {
            // Nothing of the client itself is used while it waits: it may be freed meanwhile.
            let inner = borrow(client, "client")?.inner();
            let (video_id, path) = (string(video_id, "video_id")?, string(path, "path")?);
            inner.upload_file(video_id, path)
        })
    }
}

/// Makes an upload, to be given its settings and started.
///
/// `upload_out`: receives the upload. Free it with apivideo_upload_free(). `error_out`: may be
/// NULL. Any thread may call this.
///
/// Errors: NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_new(
    client: *const apivideo_client,
    upload_out: *mut *mut apivideo_upload,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_box(upload_out, "upload_out", error_out, || {
            Ok(borrow(client, "client")?.new_upload())
        })
    }
}

/// The body of every setter.
unsafe fn set(
    upload: *mut apivideo_upload,
    error_out: *mut *mut apivideo_error,
    change: impl FnOnce(&mut Upload) -> Result<(), Error>,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL, and for one thread at a time.
    unsafe { guard(error_out, || change(borrow_mut(upload, "upload")?)) }
}

/// Sets the video that the source is for: it was made with `POST /videos`, and has no source yet.
///
/// `video_id`: its id, which is copied. `error_out`: may be NULL. As for all settings of an upload,
/// only one thread at a time may call this, before apivideo_upload_start().
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_video_id(
    upload: *mut apivideo_upload,
    video_id: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(upload, error_out, |upload| {
            upload.set_video_id(string(video_id, "video_id")?)
        })
    }
}

/// Sets an upload token to send with, in place of the client's API key. The token makes the video,
/// unless apivideo_upload_set_video_id() names one.
///
/// The first chunk goes alone, since its reply names the video that the others must go to. If that
/// reply is lost, another video is made, and what api.video has of the first one stays incomplete.
/// A token that was rejected is not tried again. `token`: is copied. It is a secret: it is in no
/// message and in no line of the log. `error_out` and threads are as for
/// apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_token(
    upload: *mut apivideo_upload,
    token: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(upload, error_out, |upload| {
            upload.set_token(string(token, "token")?)
        })
    }
}

/// Sets the file to send. Without one, the program writes the bytes with apivideo_upload_write().
///
/// `path`: of a regular file, in UTF-8, which is copied. It is opened when the upload starts. A
/// file whose size or time changes while it is sent ends the upload with FILE_ERROR, and does not
/// become a video. `error_out` and threads are as for apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_file(
    upload: *mut apivideo_upload,
    path: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(upload, error_out, |upload| {
            upload.set_file(string(path, "path")?)
        })
    }
}

/// Sets the name of the file that api.video is told. Default: the name of the file that is sent, or
/// "video". It is the title of a video that an upload token makes.
///
/// `name`: 1 to 255 bytes without control characters, which are copied. `error_out` and threads are
/// as for apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_file_name(
    upload: *mut apivideo_upload,
    name: *const c_char,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(upload, error_out, |upload| {
            upload.set_file_name(string(name, "name")?)
        })
    }
}

/// Sets how many bytes the program will write. Default: that is not known before
/// apivideo_upload_finish(). Not for an upload of a file, which has a size.
///
/// `bytes`: 1 to 52,428,800,000. With it, api.video is told of each chunk which bytes it has, and
/// the upload can be resumed with chunks of another size. The last chunk is sent once
/// apivideo_upload_finish() is called: who writes more than was announced gets an error, and no
/// video that lacks its end. `error_out` and threads are as for apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_size(
    upload: *mut apivideo_upload,
    bytes: u64,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(upload, error_out, |upload| upload.set_size(bytes)) }
}

/// Sets the size of a chunk, which is what is sent again after a fault.
///
/// `bytes`: 5,242,880 to 209,715,200 (5 to 200 MiB). Default for a file: a twentieth of it in whole
/// MiB, but 5 MiB at least and 50 MiB at most. That is few enough chunks for api.video's limit of
/// 40 in a minute. Default for what a program writes: 16 MiB, which are held in memory, for each of
/// the chunks that are sent side by side. `error_out` and threads are as for
/// apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_chunk_size(
    upload: *mut apivideo_upload,
    bytes: u64,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(upload, error_out, |upload| upload.set_chunk_size(bytes)) }
}

/// Sets how many chunks are sent side by side, each on a connection and a thread of its own.
///
/// `count`: 1 to 8. Default: 1 for a file; 2 for what a program writes, so that it can write one
/// chunk while another is sent. `error_out` and threads are as for apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_parallel(
    upload: *mut apivideo_upload,
    count: u32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe { set(upload, error_out, |upload| upload.set_parallel(count)) }
}

/// Sets whether the upload goes on where an earlier one ended, in this process or in another,
/// within 7 days. Default: 0.
///
/// With 1 it asks api.video first what has arrived, and sends the rest. It takes the video's id,
/// and the same bytes again: the unchanged file, or all that was written, from the beginning. Of a
/// video that is complete nothing is sent. A file of another size is an error. If the size was not
/// known to the earlier upload, its chunks must have been of the same size. An upload that was
/// begun by token is resumed with the API key.
///
/// `resume`: 0 or 1. `error_out` and threads are as for apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_resume(
    upload: *mut apivideo_upload,
    resume: i32,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: as the header asks.
    unsafe {
        set(upload, error_out, |upload| match resume {
            0 | 1 => upload.set_resume(resume == 1),
            _ => Err(Error::invalid(format!(
                "`resume` is {resume}; it must be 0 or 1."
            ))),
        })
    }
}

/// Sets a callback that is told how far the upload is: when a chunk has arrived, and while bytes
/// are sent up to ten times a second.
///
/// It is called on the library's threads, outside every lock, one call at a time. It may call any
/// function of this library, also apivideo_upload_cancel() and apivideo_upload_free(), the latter
/// even before apivideo_upload_start() has returned. It must not block for long: meanwhile a thread
/// of the upload sends nothing. Once apivideo_upload_free() has returned, no call begins but one
/// that another thread was just about to make; and none in a forked child. `callback`: NULL for
/// none. `user_data`: passed to each call; must stay usable from any thread until `release` was
/// called, or for ever. `release`: may be NULL; is called once when the callback will not be called
/// any more, or at once if this function fails. `error_out` and threads are as for
/// apivideo_upload_set_video_id().
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_set_on_progress(
    upload: *mut apivideo_upload,
    callback: apivideo_progress_callback,
    user_data: *mut c_void,
    release: apivideo_release_callback,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let user_data = UserData::new(user_data, release);
    let on_progress = callback.map(|callback| -> ProgressFn {
        Arc::new(move |progress: Progress| {
            // SAFETY: the program's own function, with its own pointer, which lives as long as
            // this.
            unsafe {
                callback(
                    progress.acknowledged,
                    progress.sent,
                    progress.total,
                    user_data.pointer(),
                );
            }
        })
    });
    // SAFETY: as the header asks.
    unsafe {
        set(upload, error_out, |upload| {
            upload.set_progress_fn(on_progress)
        })
    }
}

/// Starts the upload, on threads of its own, and returns at once.
///
/// `error_out`: may be NULL. Afterwards the settings cannot be changed, and any thread may use the
/// upload. After a failure it is of no use any more.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT if it was started before, or if the settings do not go
/// together; FILE_ERROR if the file cannot be opened or is empty; SYSTEM_ERROR if there is no
/// thread; CLOSED. apivideo_upload_wait() reports all others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_start(
    upload: *mut apivideo_upload,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let start = || {
        // SAFETY: the header asks for a valid pointer or NULL. The borrow ends with this line: once
        // its threads run, a callback may free the upload.
        let prepared = unsafe { borrow_mut(upload, "upload") }?.prepare()?;
        prepared.begin()
    };
    // SAFETY: the header asks for a valid pointer or NULL.
    unsafe { guard(error_out, start) }
}

/// What calls need of an upload, to use while a callback may free the upload itself.
unsafe fn started(upload: *const apivideo_upload) -> Result<StartedUpload, Error> {
    // SAFETY: the header asks for a valid pointer or NULL.
    unsafe { borrow(upload, "upload") }.map(Upload::started)
}

/// Hands bytes of the video over, of an upload without a file: recorded, say, while it goes on.
///
/// Waits until there is room for them: of each chunk that is sent, the bytes are held until it has
/// arrived. `data`: `length` bytes, which are copied; may be NULL if `length` is 0. `error_out`:
/// may be NULL. Any thread may call this, but one at a time: the order of the calls is that of the
/// bytes.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT for an upload of a file, for more bytes than were
/// announced, and after apivideo_upload_finish(); the error of the upload, once it has failed;
/// CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_write(
    upload: *const apivideo_upload,
    data: *const c_void,
    length: usize,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL, and for that many bytes.
    unsafe {
        guard(error_out, || {
            started(upload)?.write(bytes(data, length, "data")?)
        })
    }
}

/// Says that all bytes were handed over. Does not wait for them to be sent: apivideo_upload_wait()
/// does.
///
/// `error_out`: may be NULL. Any thread may call this. A second call does nothing.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT for an upload of a file, and if nothing or less was
/// written than was announced, with which the upload ends; FILE_ERROR if less was written than an
/// earlier upload sent, which this one resumes; CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_finish(
    upload: *const apivideo_upload,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe { guard(error_out, || started(upload)?.finish()) }
}

/// Waits for the end of the upload, but no longer than `timeout_ms`. With 0 it does not wait, and
/// with `UINT32_MAX` it waits to the end.
///
/// Any number of threads may wait at once, and again after PENDING, and after the end.
/// `response_out`: receives a reference to api.video's reply with the video, in JSON. Free it with
/// apivideo_response_free(). In the rare case that all has arrived and the video could not be
/// asked for, it has the member `videoId` and no other. `error_out`: may be NULL. Any thread may
/// call this.
///
/// Errors: PENDING if the time is over before the upload is; CANCELLED; NULL_ARGUMENT;
/// INVALID_ARGUMENT if it was not started; all errors of apivideo_upload_file(). After any of them,
/// but REQUEST_REJECTED and FILE_ERROR, the upload can be resumed: see
/// apivideo_upload_set_resume().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_wait(
    upload: *const apivideo_upload,
    timeout_ms: u32,
    response_out: *mut *const apivideo_response,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        guard_arc(response_out, "response_out", error_out, || {
            let response = started(upload)?.wait(timeout(timeout_ms));
            response.unwrap_or_else(|| Err(pending()))
        })
    }
}

fn pending() -> Error {
    Error::new(
        Status::Pending,
        "The upload is not over yet. Wait again, or cancel it.",
    )
}

/// Calls `callback` with `user_data` exactly once, when the upload is over, however it ends. If
/// this function fails, it never calls `callback`.
///
/// As with apivideo_operation_on_complete(): the call comes on a thread of the library, or on one
/// that is in a call of this upload or frees its client, and on this thread, before this function
/// returns, if the upload is over already. The callback may call any function of this library. It
/// may free the upload, unless that very freeing has led to the call. `user_data` must stay usable
/// from any thread until the callback was called. In a forked child, callbacks of the parent's
/// uploads are not called. `error_out`: may be NULL. Any thread may call this.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT if the upload was not started, or already has a
/// callback; CANCELLED in a forked child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_on_complete(
    upload: *const apivideo_upload,
    callback: apivideo_completion_callback,
    user_data: *mut c_void,
    error_out: *mut *mut apivideo_error,
) -> Status {
    let user_data = UserData::new(user_data, None);
    // SAFETY: the header asks for valid pointers or NULL, and for user data that any thread may
    // use.
    unsafe {
        guard(error_out, || {
            let started = started(upload)?;
            let callback = callback.ok_or_else(|| null("callback"))?;
            started.on_complete(move || callback(user_data.pointer()))
        })
    }
}

/// Gives how far the upload is, in bytes. No number ever goes back.
///
/// `acknowledged_out`: receives what api.video has said it has. `sent_out`: receives that and what
/// was sent since; what is sent again does not count twice. `total_out`: receives how many there
/// are in all; 0 while that is not known. Each may be NULL. All are 0 before the upload is started,
/// and for NULL. Any thread may call this. It never blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_progress(
    upload: *const apivideo_upload,
    acknowledged_out: *mut u64,
    sent_out: *mut u64,
    total_out: *mut u64,
) {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        let progress =
            peek(upload).map(|upload| guard_or(Progress::default(), || upload.progress()));
        let progress = progress.unwrap_or_default();
        put(acknowledged_out, progress.acknowledged);
        put(sent_out, progress.sent);
        put(total_out, progress.total);
    }
}

/// Gives the id of the video. Empty while it has none: before the upload is started, by an upload
/// token until the first chunk has arrived, and for NULL.
///
/// Never NULL. A text that is not empty lives as long as the upload. Any thread may call this. It
/// never blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_video_id(upload: *const apivideo_upload) -> *const c_char {
    // SAFETY: a live upload or NULL, as the header asks.
    match unsafe { peek(upload) } {
        Some(upload) => guard_or(c"".as_ptr(), || upload.video_id_c().as_ptr()),
        None => c"".as_ptr(),
    }
}

/// Ends the upload with CANCELLED, unless it is over, and at once: connections are cut. The video
/// stays as it is, and the upload can be resumed. NULL is fine. Any thread may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_cancel(upload: *const apivideo_upload) {
    // SAFETY: a live upload or NULL, as the header asks.
    if let Some(started) = unsafe { peek(upload) }.map(Upload::started) {
        guard_end(|| started.cancel());
    }
}

/// Frees an upload, and cancels it if it is not over. NULL is fine. Returns at once. No other call
/// may use it from here on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_upload_free(upload: *mut apivideo_upload) {
    // SAFETY: the caller's own upload, freed once, as the header asks.
    guard_end(|| drop(unsafe { take_box(upload) }));
}
