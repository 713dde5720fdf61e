//! What a secret leaves behind where nobody wipes it: on the stack, and in registers, which get
//! there.

use std::hint::black_box;

/// As deep as `ring` goes to derive a key, twice over.
const DEPTH: usize = 8 * 1024;
/// Whoever copies so much takes all the registers that it ever takes.
const LONGEST_COPY: usize = 512;

/// Does this, and wipes the stack that it took. A hash keeps what it has not dealt with yet, a key
/// perhaps, and a key is moved into place: neither wipes what it leaves behind, and the next call
/// may not come that deep for as long as the thread lives.
pub(crate) fn leaving_nothing<R>(work: impl FnOnce() -> R) -> R {
    let result = deeper(work);
    wipe();
    forget_copied();
    result
}

#[inline(never)]
fn deeper<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[inline(never)]
fn wipe() {
    // What is looked at afterwards has to be there.
    black_box(&[0_u8; DEPTH]);
}

/// To be called when a secret was copied. The C library copies by way of vector registers, and
/// leaves the text in them. With AVX-512 nothing else uses those, and when the loader next looks a
/// function up, it saves them on the stack, where they stay. Copies of zeros take their place.
#[inline(never)]
pub(crate) fn forget_copied() {
    let (zeros, mut copy) = ([0_u8; LONGEST_COPY], [0_u8; LONGEST_COPY]);
    let mut length = 16;
    while length <= LONGEST_COPY {
        // Of a length that the compiler does not know, so that it does not copy by itself.
        let length_now = black_box(length);
        copy[..length_now].copy_from_slice(&black_box(&zeros)[..length_now]);
        length *= 2;
    }
    black_box(&copy);
}
