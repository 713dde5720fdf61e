//! What a secret leaves behind in registers, which get to the stack.

use std::hint::black_box;

/// Whoever copies so much takes all the registers that it ever takes.
const LONGEST_COPY: usize = 512;

/// To be called when a secret was copied. The C library copies by way of vector registers, and
/// leaves the text in them. With AVX-512 nothing else uses those, and when the loader next looks a
/// function up, it saves them on the stack, where they stay. Copies of zeros take their place.
#[inline(never)]
pub(crate) fn forget_copied() {
    let (zeros, mut copy) = ([0_u8; LONGEST_COPY], [0_u8; LONGEST_COPY]);
    for length in [16, 32, 64, 128, 256, LONGEST_COPY] {
        // Of a length that the compiler does not know, so that it does not copy by itself.
        let length = black_box(length);
        copy[..length].copy_from_slice(&black_box(&zeros)[..length]);
    }
    black_box(&copy);
}
