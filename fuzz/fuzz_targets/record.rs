//! A record, as who has the key could have written it: it is refused, or each of its numbers is
//! taken for no more than it may be.
//!
//! Input: 16 bytes, the store's clocks, and then the record as it is before it is sealed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((wall, rest)) = input.split_first_chunk::<8>() else {
        return;
    };
    let Some((mono, text)) = rest.split_first_chunk::<8>() else {
        return;
    };
    let now = [i64::from_le_bytes(*wall), i64::from_le_bytes(*mono)];
    apivideo::fuzz::record(text, now);
});
