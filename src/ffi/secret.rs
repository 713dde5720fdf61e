//! Memory for keys and tokens: wiped when dropped, and kept out of core dumps where the system
//! allows.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fmt;

use zeroize::Zeroizing;

use super::pages::Pages;
use super::registers::forget_copied;

/// A key or a token: text without NUL, in memory of its own.
///
/// `Debug` shows that there is one, never what it is.
pub struct Secret(SecretBytes); // With the NUL at the end.

impl Secret {
    /// Copies `text` up to its first NUL, if it has one.
    pub(crate) fn new(text: &str) -> Secret {
        let text = text.split('\0').next().unwrap_or_default();
        let mut bytes = SecretBytes::zeroed(text.len() + 1);
        bytes.as_mut_slice()[..text.len()].copy_from_slice(text.as_bytes());
        forget_copied();
        Secret(bytes)
    }

    /// The text, for a C caller.
    pub(crate) fn as_c_str(&self) -> &CStr {
        // SAFETY: made with one NUL, at the end.
        unsafe { CStr::from_bytes_with_nul_unchecked(self.0.as_slice()) }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        self.as_c_str().to_str().unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Bytes in memory of their own.
pub(crate) struct SecretBytes {
    memory: Memory,
    len: usize,
}

enum Memory {
    Pages(Pages),
    /// When the system has no pages.
    Heap(Zeroizing<Vec<u8>>),
}

impl SecretBytes {
    pub(crate) fn zeroed(len: usize) -> SecretBytes {
        let heap = || Memory::Heap(Zeroizing::new(vec![0; len]));
        SecretBytes {
            memory: Pages::new(len).map_or_else(heap, Memory::Pages),
            len,
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        let bytes = match &self.memory {
            Memory::Pages(pages) => pages.as_slice(),
            Memory::Heap(heap) => heap,
        };
        &bytes[..self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        let bytes = match &mut self.memory {
            Memory::Pages(pages) => pages.as_mut_slice(),
            Memory::Heap(heap) => heap,
        };
        &mut bytes[..self.len]
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
