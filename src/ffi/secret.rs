//! Memory for keys and tokens: wiped when dropped, and kept out of core dumps where the system
//! allows.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fmt;
use std::ptr::NonNull;

use zeroize::Zeroize;

use super::sys;

/// A key or a token: text without NUL, in memory of its own.
///
/// `Debug` shows that there is one, never what it is.
pub struct Secret {
    bytes: NonNull<u8>,
    /// With the NUL at the end.
    len: usize,
    /// Pages of its own, or, when the system has none, the heap.
    mapped: bool,
}

// SAFETY: a Secret owns its memory and never changes it after it was made.
unsafe impl Send for Secret {}
// SAFETY: as above; sharing is reading.
unsafe impl Sync for Secret {}

impl Secret {
    /// Copies `text` up to its first NUL, if it has one.
    pub(crate) fn new(text: &str) -> Secret {
        let text = text.split('\0').next().unwrap_or_default();
        let len = text.len() + 1;
        let (bytes, mapped) = match sys::map_undumped(len).and_then(NonNull::new) {
            Some(pages) => (pages, true),
            None => (on_the_heap(len), false),
        };
        // SAFETY: `bytes` is zeroed, writable and `len` long, one more than the text; it overlaps
        // nothing.
        unsafe {
            bytes
                .as_ptr()
                .copy_from_nonoverlapping(text.as_ptr(), text.len())
        };
        Secret { bytes, len, mapped }
    }

    /// The text, for a C caller.
    pub(crate) fn as_c_str(&self) -> &CStr {
        // SAFETY: `len` initialised bytes that nobody changes while `self` lives.
        let bytes = unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len) };
        // SAFETY: made with one NUL, at the end.
        unsafe { CStr::from_bytes_with_nul_unchecked(bytes) }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        self.as_c_str().to_str().unwrap_or_default()
    }
}

fn on_the_heap(len: usize) -> NonNull<u8> {
    NonNull::from(Box::leak(vec![0u8; len].into_boxed_slice())).cast()
}

impl Drop for Secret {
    fn drop(&mut self) {
        // SAFETY: the memory is owned, `len` long, and nobody can use it after this.
        unsafe {
            let bytes = std::slice::from_raw_parts_mut(self.bytes.as_ptr(), self.len);
            bytes.zeroize();
            if self.mapped {
                sys::unmap(self.bytes.as_ptr(), self.len);
            } else {
                drop(Box::from_raw(bytes));
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_text_and_ends_in_nul() {
        for text in ["", "key", "é漢", &"x".repeat(10_000)] {
            let secret = Secret::new(text);
            assert_eq!(secret.as_str(), text);
            assert_eq!(secret.as_c_str().to_bytes_with_nul().len(), text.len() + 1);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "[redacted]");
    }
}
