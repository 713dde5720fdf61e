//! Whatever a server answers to a chunk, and to the question what it has: nothing panics, no byte
//! counts as received that was neither listed nor sent and acknowledged, none is sent that is not in
//! the file, and no error repeats a token.
//!
//! Input: a byte that says how large the file is, whether it goes by upload token, and whether the
//! server had all of a chunk before it answered; the reply to the question; a line with "--"; and
//! the reply to a chunk.
#![no_main]

use libfuzzer_sys::fuzz_target;

const ACCESS: &str = "~access-token-of-the-upload~";
const TOKEN: &str = "~upload-token~";
const CHUNK: u64 = 5 * 1024 * 1024;
const SIZES: [u64; 4] = [1, CHUNK, 2 * CHUNK + 1, 7 * CHUNK];
const BETWEEN: &[u8] = b"\n--\n";

fuzz_target!(|input: &[u8]| {
    let Some((kind, replies)) = input.split_first() else {
        return;
    };
    let between = replies.windows(BETWEEN.len()).position(|at| at == BETWEEN);
    let (status, receipt) = match between {
        Some(at) => (&replies[..at], &replies[at + BETWEEN.len()..]),
        None => (replies, replies),
    };
    let upload = apivideo::fuzz::Upload {
        size: SIZES[usize::from(kind % 4)],
        token: (kind & 4 != 0).then_some(TOKEN),
        access_token: ACCESS,
        had_all: kind & 8 == 0,
        status,
        receipt,
    };
    for error in upload.run() {
        assert!(!error.message.is_empty());
        assert!(!error.message.chars().any(char::is_control), "{error:?}");
        let told = format!("{error} {error:?}");
        let mut secrets = upload.token.into_iter().chain([ACCESS]);
        assert!(!secrets.any(|secret| told.contains(secret)), "{told}");
    }
});
