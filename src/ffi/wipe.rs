//! An allocator that wipes what it frees.
//!
//! The buffers that HTTP, TLS and JSON code pass a key or a token through are not ours to wipe. So
//! every block of this library's heap is wiped as it is freed. A read of a valid token frees
//! nothing, so it pays nothing.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::MaybeUninit;

use zeroize::optimization_barrier;

struct Wiping;

#[global_allocator]
static HEAP: Wiping = Wiping;

// SAFETY: memory comes from and goes back to the system's allocator with the same layout. `realloc`
// is the trait's own: allocate, copy, free, so that the old block is wiped too.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller hands over `block`, which is `layout.size()` long; as MaybeUninit its
        // bytes may hold anything.
        unsafe {
            let bytes =
                std::slice::from_raw_parts_mut(block.cast::<MaybeUninit<u8>>(), layout.size());
            // At once, and not byte by byte as zeroize does: that was a third of an exchange.
            bytes.fill(MaybeUninit::zeroed());
            // The compiler must not leave out what nobody reads any more.
            optimization_barrier(bytes);
            System.dealloc(block, layout);
        }
    }
}
