//! Pages for secrets, which stay out of core dumps.
//!
//! The system takes ten microseconds to make a page and to take it back. So a few that are free
//! again, and wiped, are kept for the next secrets.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use zeroize::optimization_barrier;

use super::sys;

/// Enough for any key and for tokens as they are; no system has smaller pages.
const ONE_PAGE: usize = 4096;

/// Each of [`ONE_PAGE`], zeroed; NULL where there is none. A forked child has its own copies.
static SPARE: [AtomicPtr<u8>; 8] = [const { AtomicPtr::new(ptr::null_mut()) }; 8];

/// Zeroed memory that is wiped when it is dropped.
pub(crate) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

impl Pages {
    /// At least `len` bytes. `None` when the system has none.
    pub(crate) fn new(len: usize) -> Option<Pages> {
        let len = len.max(ONE_PAGE);
        let spare = match len {
            ONE_PAGE => take_spare(),
            _ => None,
        };
        let start = spare.or_else(|| sys::map_undumped(len).and_then(NonNull::new))?;
        Some(Pages { start, len })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the memory is owned, zeroed at first, and `len` long.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.as_mut_slice().fill(0);
        // The compiler must not leave out what nobody reads any more.
        optimization_barrier(self.as_slice());
        if self.len == ONE_PAGE && keep_spare(self.start) {
            return;
        }
        // SAFETY: a mapping of this length, which nobody uses after this.
        unsafe { sys::unmap(self.start.as_ptr(), self.len) };
    }
}

// SAFETY: Pages own their memory.
unsafe impl Send for Pages {}
// SAFETY: shared, they are only read.
unsafe impl Sync for Pages {}

fn take_spare() -> Option<NonNull<u8>> {
    SPARE.iter().find_map(|spare| {
        // A look first: that many threads look changes nothing.
        let is_there = !spare.load(Ordering::Relaxed).is_null();
        is_there.then(|| NonNull::new(spare.swap(ptr::null_mut(), Ordering::Acquire)))?
    })
}

/// Whether there was room for it.
fn keep_spare(page: NonNull<u8>) -> bool {
    SPARE.iter().any(|spare| {
        let kept = |nothing| {
            spare.compare_exchange(nothing, page.as_ptr(), Ordering::Release, Ordering::Relaxed)
        };
        kept(ptr::null_mut()).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn what_is_used_again_is_zeroed_and_nobody_elses() {
        let work = |byte: u8| {
            for round in 0..1000 {
                let len = [1, ONE_PAGE, ONE_PAGE + 1][round % 3];
                let mut held: Vec<_> = (0..3).map(|_| Pages::new(len).unwrap()).collect();
                for pages in &mut held {
                    assert!(pages.as_slice().len() >= len);
                    assert!(pages.as_slice().iter().all(|byte| *byte == 0), "not wiped");
                    pages.as_mut_slice().fill(byte);
                }
                let mine = |pages: &Pages| pages.as_slice().iter().all(|b| *b == byte);
                assert!(held.iter().all(mine), "shared with another");
            }
        };
        thread::scope(|scope| {
            for byte in 1..=4 {
                scope.spawn(move || work(byte));
            }
        });
    }
}
