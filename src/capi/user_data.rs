//! The pointer that a program gives along with a callback.

use std::ffi::c_void;

/// Receives a callback's user data once, when the library will not use it any more. Must not throw
/// or jump out.
#[allow(non_camel_case_types)]
pub type apivideo_release_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A program's own pointer, handed back to it from whatever thread, and released when this is
/// dropped.
pub(super) struct UserData {
    pointer: *mut c_void,
    release: apivideo_release_callback,
}

// SAFETY: the library never looks at what it points to; the header asks that it may be used from
// any thread.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, release: apivideo_release_callback) -> UserData {
        UserData { pointer, release }
    }

    pub(super) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the program's own function, with its own pointer, once.
            unsafe { release(self.pointer) };
        }
    }
}
