//! Between C and Rust: the guard, handles and strings.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::sys::CancelPutOff;
use crate::error::{Error, Status};

/// An opaque C type and the Rust value behind its pointer.
pub(crate) trait Handle {
    /// What the pointer points to.
    type Inner;
}

/// A handle with one owner: made by [`give_box`], freed by [`take_box`].
pub(crate) trait BoxHandle: Handle {}

/// A reference-counted handle: made by [`give_arc`], freed by [`take_arc`].
pub(crate) trait ArcHandle: Handle {}

/// Says what is behind an opaque C type, and whether its pointers are boxes or counted references,
/// so that freeing one as the other does not compile. The type itself is written out beside it, for
/// cbindgen to see.
macro_rules! handle {
    ($name:ident = $ownership:ident of $inner:ty) => {
        impl $crate::ffi::boundary::Handle for $name {
            type Inner = $inner;
        }
        impl $crate::ffi::boundary::$ownership for $name {}
    };
}
pub(crate) use handle;

/// Runs the body of an exported function: its error becomes a status and, if asked for, an error
/// object; a panic becomes [`Status::Internal`]; a `pthread_cancel` is put off.
///
/// # Safety
/// `error_out` is NULL or valid for a write.
pub(crate) unsafe fn guard<H: BoxHandle<Inner = E>, E: From<Error>>(
    error_out: *mut *mut H,
    body: impl FnOnce() -> Result<(), Error>,
) -> Status {
    let _put_off = CancelPutOff::begin();
    // SAFETY: the caller's promise.
    unsafe { clear(error_out) };
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::Ok,
        Ok(Err(error)) => error,
        Err(_) => Error::new(
            Status::Internal,
            "A bug in libapivideo was caught. The client goes on working; please report it.",
        ),
    };
    let status = error.status;
    // SAFETY: as above.
    unsafe { give_box(error_out, || E::from(error)) };
    status
}

/// [`guard`] for a function that makes a handle with one owner: `out` is required, and NULL after a
/// failure.
///
/// # Safety
/// Each pointer is NULL or valid for a write.
pub(crate) unsafe fn guard_box<O: BoxHandle, H: BoxHandle<Inner = E>, E: From<Error>>(
    out: *mut *mut O,
    name: &str,
    error_out: *mut *mut H,
    make: impl FnOnce() -> Result<O::Inner, Error>,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        clear(out);
        guard(error_out, || {
            require_out(out, name)?;
            let value = make()?;
            give_box(out, || value);
            Ok(())
        })
    }
}

/// [`guard`] for a function that hands out a reference, as [`guard_box`].
///
/// # Safety
/// Each pointer is NULL or valid for a write.
pub(crate) unsafe fn guard_arc<O: ArcHandle, H: BoxHandle<Inner = E>, E: From<Error>>(
    out: *mut *const O,
    name: &str,
    error_out: *mut *mut H,
    get: impl FnOnce() -> Result<Arc<O::Inner>, Error>,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        clear(out.cast::<*mut O>());
        guard(error_out, || {
            require_out(out, name)?;
            give_arc(out, get()?);
            Ok(())
        })
    }
}

/// Runs the body of a function that only looks something up; after a panic it answers `otherwise`.
pub(crate) fn guard_or<R>(otherwise: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// Runs the body of a function that has no error, and may call the program's callbacks.
pub(crate) fn guard_end(body: impl FnOnce()) {
    let _put_off = CancelPutOff::begin();
    guard_or((), body);
}

/// Writes an out-parameter, unless the caller does not want it. What was there, if anything, is not
/// looked at.
///
/// # Safety
/// `out` is NULL or valid for a write.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write(value) };
    }
}

/// Sets an out-parameter to NULL, so that it is NULL after a failure.
///
/// # Safety
/// `out` is NULL or valid for a write.
pub(crate) unsafe fn clear<H>(out: *mut *mut H) {
    // SAFETY: the caller's promise.
    unsafe { put(out, std::ptr::null_mut()) };
}

/// The error for a required out-parameter that is NULL.
pub(crate) fn require_out<H>(out: *mut H, name: &str) -> Result<(), Error> {
    if out.is_null() {
        return Err(null(name));
    }
    Ok(())
}

/// Hands a value out as a handle with one owner, unless the caller does not want it.
///
/// # Safety
/// `out` is NULL or valid for a write.
pub(crate) unsafe fn give_box<H: BoxHandle>(out: *mut *mut H, make: impl FnOnce() -> H::Inner) {
    if !out.is_null() {
        let handle = Box::into_raw(Box::new(make())).cast();
        // SAFETY: the caller's promise.
        unsafe { put(out, handle) };
    }
}

/// Hands one reference out.
///
/// # Safety
/// `out` is NULL or valid for a write.
pub(crate) unsafe fn give_arc<H: ArcHandle>(out: *mut *const H, value: Arc<H::Inner>) {
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { put(out, Arc::into_raw(value).cast()) };
    }
}

/// Takes a handle with one owner back. `None` for NULL.
///
/// # Safety
/// `handle` is NULL or came from [`give_box`] for the same type, and is used no more.
pub(crate) unsafe fn take_box<H: BoxHandle>(handle: *mut H) -> Option<Box<H::Inner>> {
    // SAFETY: the caller's promise.
    (!handle.is_null()).then(|| unsafe { Box::from_raw(handle.cast()) })
}

/// Takes one reference back. `None` for NULL.
///
/// # Safety
/// `handle` is NULL or came from [`give_arc`] for the same type, and is used no more.
pub(crate) unsafe fn take_arc<H: ArcHandle>(handle: *const H) -> Option<Arc<H::Inner>> {
    // SAFETY: the caller's promise.
    (!handle.is_null()).then(|| unsafe { Arc::from_raw(handle.cast()) })
}

/// What a handle points to, for the length of a call. `None` for NULL.
///
/// # Safety
/// `handle` is NULL or a live handle, and stays so while the reference is used.
pub(crate) unsafe fn peek<'a, H: Handle>(handle: *const H) -> Option<&'a H::Inner> {
    // SAFETY: the caller's promise.
    unsafe { handle.cast::<H::Inner>().as_ref() }
}

/// [`peek`], with NULL as an error that names the argument.
///
/// # Safety
/// As for [`peek`].
pub(crate) unsafe fn borrow<'a, H: Handle>(
    handle: *const H,
    name: &str,
) -> Result<&'a H::Inner, Error> {
    // SAFETY: the caller's promise.
    unsafe { peek(handle) }.ok_or_else(|| null(name))
}

/// [`borrow`], to change it.
///
/// # Safety
/// As for [`peek`], and nobody else uses the handle during the call.
pub(crate) unsafe fn borrow_mut<'a, H: BoxHandle>(
    handle: *mut H,
    name: &str,
) -> Result<&'a mut H::Inner, Error> {
    // SAFETY: the caller's promise.
    unsafe { handle.cast::<H::Inner>().as_mut() }.ok_or_else(|| null(name))
}

/// A C string as text.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that stays unchanged while the result is used.
pub(crate) unsafe fn string<'a>(text: *const c_char, name: &str) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| {
        Error::new(
            Status::InvalidUtf8,
            format!("The argument `{name}` is not valid UTF-8."),
        )
    })
}

/// Bytes that C gave.
///
/// # Safety
/// `data` is NULL or points to `length` bytes that stay unchanged while the result is used.
pub(crate) unsafe fn bytes<'a>(
    data: *const c_void,
    length: usize,
    name: &str,
) -> Result<&'a [u8], Error> {
    match (data.is_null(), isize::try_from(length)) {
        (true, Ok(0)) => Ok(&[]),
        (true, _) => Err(null(name)),
        // A negative number, perhaps.
        (false, Err(_)) => Err(Error::invalid(format!(
            "The length of `{name}` is more than any object has."
        ))),
        // SAFETY: the caller's promise, and no slice is longer than `isize::MAX`.
        (false, Ok(_)) => Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) }),
    }
}

/// A C string that may be left out.
///
/// # Safety
/// As for [`string`].
pub(crate) unsafe fn optional<'a>(
    text: *const c_char,
    name: &str,
) -> Result<Option<&'a str>, Error> {
    match text.is_null() {
        true => Ok(None),
        // SAFETY: the caller's promise.
        false => unsafe { string(text, name) }.map(Some),
    }
}

/// The error for a required argument that is NULL.
pub(crate) fn null(name: &str) -> Error {
    Error::new(
        Status::NullArgument,
        format!("The argument `{name}` is NULL."),
    )
}
