//! A request that is accepted goes below the base URL and nowhere else, and is one request.
//!
//! Input, with NULs between: method, path, and JSON, which may be left out.
#![no_main]

use apivideo::Status;
use libfuzzer_sys::fuzz_target;

const BASE: &str = "https://example.com/base";

/// The path without percent signs, once, as a server reads it.
fn decoded(path: &str) -> Vec<u8> {
    let (bytes, mut decoded) = (path.as_bytes(), Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|d| str::from_utf8(d).ok());
        let byte = digits.and_then(|d| u8::from_str_radix(d.strip_prefix('+').map_or(d, |_| "x"), 16).ok());
        match (bytes[at], byte) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (other, _) => {
                decoded.push(other);
                at += 1;
            }
        }
    }
    decoded
}

fuzz_target!(|input: &[u8]| {
    let Ok(input) = str::from_utf8(input) else { return };
    let mut parts = input.splitn(3, '\0');
    let (Some(method), Some(path)) = (parts.next(), parts.next()) else {
        return;
    };
    let json = parts.next();
    let head = match apivideo::fuzz::head(BASE, method, path, json) {
        Ok(head) => head,
        Err(error) => {
            assert_eq!(error.status, Status::InvalidArgument);
            // Its texts are fixed, but for where JSON goes wrong.
            assert!(error.message.len() < 200, "{error}");
            return;
        }
    };
    let lines: Vec<&str> = head.split("\r\n").collect();
    let upper = method.to_ascii_uppercase();
    assert_eq!(lines[0], format!("{upper} /base{path} HTTP/1.1"));
    assert_eq!(lines[1], "host: example.com");
    let bodiless = matches!(upper.as_str(), "POST" | "PUT" | "PATCH");
    let count = 8 + if json.is_some() { 2 } else { usize::from(bodiless) };
    assert_eq!(lines.len(), count, "{head:?}");
    assert!(head.bytes().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\r' | b'\n')));
    assert!(!path.contains(['\\', '#']) && lines[0].split(' ').count() == 3);

    let place = path.split('?').next().unwrap();
    let place = decoded(place);
    assert!(!place.iter().any(u8::is_ascii_control), "{path:?}");
    let mut steps = place.split(|b| matches!(b, b'/' | b'\\'));
    assert!(!steps.any(|step| step == b".."), "{path:?}");
    assert!(path.starts_with('/') && !path.starts_with("//"));
});
