//! A server's reply never panics, grants only what is fit for a header, and no error repeats a
//! secret.
//!
//! Input: a line with the status, a line with the middle of the API key, and the body. A status
//! with an "r" before it answers a refresh.
#![no_main]

use libfuzzer_sys::fuzz_target;

const ACCESS: &str = "~held-access-token~";
const REFRESH: &str = "~held-refresh-token~";

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |b| *b == b'\n');
    let (Some(status), Some(key), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let refresh = status.first() == Some(&b'r');
    let status = status
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0, |n: u16, b| (n * 10 + u16::from(b - b'0')) % 1000);
    let Ok(key) = str::from_utf8(key) else { return };
    // The ends and the missing brackets: what our own words say is not taken for the key.
    let key = format!("~{key}~");
    if key.contains(['[', ']']) || key.chars().any(char::is_control) {
        return;
    }
    let secrets = [key.as_str(), ACCESS, REFRESH];
    match apivideo::fuzz::reply(status, body, refresh, secrets) {
        Ok((access, refresh, lifetime_ms)) => {
            assert!((200..=299).contains(&status));
            for token in [Some(access), refresh].into_iter().flatten() {
                assert!(!token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()));
            }
            assert!((1_000..=24 * 3_600_000).contains(&lifetime_ms));
        }
        Err(error) => {
            assert_eq!(error.http_status, Some(status));
            let problem = &error.problem;
            for text in [&problem.kind, &problem.title, &problem.name] {
                assert!(!text.chars().any(char::is_control) && text.chars().count() <= 300);
                let longest = text
                    .split(|c: char| c.is_whitespace() || c == '/')
                    .map(str::len)
                    .max();
                // What is left out joins its neighbours.
                assert!(
                    text.contains("[redacted]") || longest.unwrap_or(0) <= 40,
                    "{text:?}"
                );
            }
            assert!(!error.message.is_empty() && !error.message.chars().any(char::is_control));
            let all = format!("{} {error} {error:?} {problem:?}", error.message);
            for secret in secrets {
                for text in [
                    &error.message,
                    &problem.kind,
                    &problem.title,
                    &problem.name,
                    &all,
                ] {
                    assert!(!text.contains(secret), "{secret:?} is in {text:?}");
                }
            }
        }
    }
});
