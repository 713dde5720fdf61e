//! A reply's head as others send it, made into one that `ureq` understands, and what it asks us to
//! wait.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

/// What is read of a head. `ureq` takes 128 headers, none of them folded or with a blank before its
/// colon.
const KEPT: [&str; 6] = [
    "connection",
    "content-length",
    "date",
    "retry-after",
    "transfer-encoding",
    "x-ratelimit-retry-after",
];

/// The head of the reply proper, with what matters of it, and where it ends; `None` while it has
/// not.
///
/// What comes before it (1xx) is left out. What is no head at all is passed on as it is.
pub(crate) fn plain_head(mut raw: &[u8]) -> Option<(Vec<u8>, usize)> {
    let whole = raw.len();
    loop {
        if !b"HTTP/1.".starts_with(&raw[..raw.len().min(7)]) {
            return Some((Vec::new(), whole - raw.len()));
        }
        let length = head_length(raw)?;
        let (head, rest) = raw.split_at(length);
        let lines = unfolded(head);
        let status = lines.first().map_or(&[][..], Vec::as_slice);
        match status.get(8..10) {
            // 101 ends HTTP, and is not for us.
            Some(b" 1") if status.get(8..12) != Some(b" 101") => raw = rest,
            _ => return Some((kept(&lines), whole - rest.len())),
        }
    }
}

/// Up to and with its empty line.
fn head_length(raw: &[u8]) -> Option<usize> {
    let mut length = 0;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        length += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return Some(length);
        }
    }
    None
}

/// The head's lines without their ends. A line that begins with a blank goes on with the one
/// before.
fn unfolded(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split(|b| *b == b'\n') {
        let line = line.trim_ascii_end();
        match lines.last_mut() {
            Some(last) if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) => {
                last.push(b' ');
                last.extend(line.trim_ascii_start());
            }
            _ if line.is_empty() => {}
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

/// The status line and the headers that matter, each once where it says the same again.
fn kept(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut plain: Vec<Vec<u8>> = lines.iter().take(1).cloned().collect();
    for line in lines.iter().skip(1) {
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii().to_ascii_lowercase();
        if KEPT.iter().any(|kept| kept.as_bytes() == name) {
            let header = [&name[..], b": ", value[1.min(value.len())..].trim_ascii()].concat();
            if !plain.contains(&header) {
                plain.push(header);
            }
        }
    }
    let mut head = plain.join(&b"\r\n"[..]);
    head.extend(b"\r\n\r\n");
    head
}

/// What the server asks to wait, by api.video's own header and by the standard one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) rate_limit_ms: Option<u64>,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Waits {
    pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Waits {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
        // Both are the server's: its clock may be minutes from ours.
        let date = text("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let wait = |name| parse_retry_after(text(name)?, date.unwrap_or(now));
        Waits {
            rate_limit_ms: wait("x-ratelimit-retry-after"),
            retry_after_ms: wait("retry-after"),
        }
    }
}

/// Seconds, or a date.
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<u64> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(
            value
                .parse::<u64>()
                .unwrap_or(u64::MAX)
                .saturating_mul(1000),
        );
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that is past asks for nothing more.
    let wait: Duration = date.duration_since(now).unwrap_or_default();
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(raw: &str) -> Option<(String, &str)> {
        let (head, length) = plain_head(raw.as_bytes())?;
        Some((String::from_utf8(head).unwrap(), &raw[length..]))
    }

    #[test]
    fn a_head_is_waited_for_to_its_end() {
        for raw in [
            "",
            "HTT",
            "HTTP/1.1 200 OK\r\nDate: x\r\n",
            "HTTP/1.1 200 OK\r\n\r",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        ] {
            assert_eq!(plain(raw), None, "{raw}");
        }
    }

    #[test]
    fn what_is_no_head_is_passed_on() {
        assert_eq!(
            plain("SSH-2.0\r\n\r\n"),
            Some((String::new(), "SSH-2.0\r\n\r\n"))
        );
    }

    #[test]
    fn a_head_is_made_plain() {
        let many: String = (0..300).map(|n| format!("X-{n}: y\r\n")).collect();
        for (raw, head) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
            ("HTTP/1.0 200\n\n", "HTTP/1.0 200\r\n\r\n"),
            (
                "HTTP/1.1 429 X\r\nX-A: b\r\nRetry-After:7\r\nCONTENT-LENGTH :  4 \r\n\r\n",
                "HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 X\r\nX-A: b\r\n Date: c\r\nDate:\r\n\tx\r\n  y\r\n\r\n",
                "HTTP/1.1 200 X\r\ndate: x y\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 X\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\n",
                "HTTP/1.1 200 X\r\ncontent-length: 4\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 X\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
                "HTTP/1.1 200 X\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n",
            ),
            (
                &format!("HTTP/1.1 200 X\r\n{many}\r\n"),
                "HTTP/1.1 200 X\r\n\r\n",
            ),
            (
                "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 X\r\n\r\n",
                "HTTP/1.1 200 X\r\n\r\n",
            ),
            ("HTTP/1.1 101 X\r\n\r\n", "HTTP/1.1 101 X\r\n\r\n"),
            (
                "HTTP/1.1 nonsense\r\ngarbage\r\n\r\n",
                "HTTP/1.1 nonsense\r\n\r\n",
            ),
        ] {
            let with_body = format!("{raw}body");
            assert_eq!(plain(&with_body), Some((head.to_owned(), "body")), "{raw}");
        }
    }

    #[test]
    fn retry_after_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let of = |value: &str| parse_retry_after(value, now);
        assert_eq!(of("0"), Some(0));
        assert_eq!(of("120"), Some(120_000));
        assert_eq!(of("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60_000));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(of("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0), "past");
        for garbage in ["", "-1", "soon", "1.5", "1e3", "+3", "0x10"] {
            assert_eq!(of(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn each_header_has_its_own_wait_and_dates_are_the_server_s() {
        let mut headers = HeaderMap::new();
        let waits = |headers: &HeaderMap| Waits::of(headers, SystemTime::now());
        assert_eq!(waits(&headers), Waits::default());
        headers.insert(
            "retry-after",
            "Sun, 06 Nov 1994 08:50:37 GMT".parse().unwrap(),
        );
        headers.insert("x-ratelimit-retry-after", "4".parse().unwrap());
        let mut expected = Waits {
            rate_limit_ms: Some(4_000),
            retry_after_ms: Some(0),
        };
        assert_eq!(waits(&headers), expected, "long past by our clock");
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        expected.retry_after_ms = Some(60_000);
        assert_eq!(waits(&headers), expected);
        headers.insert("x-ratelimit-retry-after", "?".parse().unwrap());
        expected.rate_limit_ms = None;
        assert_eq!(waits(&headers), expected);
    }
}
