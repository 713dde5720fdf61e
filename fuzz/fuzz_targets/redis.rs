//! Whatever a server of Redis says: no panic, no more memory than a record takes, and nothing in a
//! message or an address that could make more of it than it is.
//!
//! Input: the bytes that the server sends in answer to GET and TIME.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|words: &[u8]| {
    let (loaded, named) = apivideo::fuzz::redis(words);
    match loaded {
        Ok((version, length)) => {
            assert!(i64::try_from(version).is_ok());
            assert!(length <= words.len());
        }
        Err(error) => {
            assert!(!error.message.chars().any(char::is_control));
            assert!(error.message.len() < 200, "{}", error.message);
        }
    }
    if let Some((host, port)) = named {
        assert!(port > 0 && !host.is_empty() && host.len() < 256);
        assert!(host.bytes().all(|b| b.is_ascii_graphic()), "{host:?}");
    }
});
