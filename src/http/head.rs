//! A reply's head as others send it, made into one that `ureq` understands.

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
    // An empty line before it may be what was left of the reply before.
    while let Some(rest) = raw.strip_prefix(b"\n").or(raw.strip_prefix(b"\r\n")) {
        raw = rest;
    }
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

/// The status line and the headers that matter. Of those that are equal, one.
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
            "\r\n",
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
                "\r\n\nHTTP/1.1 200 X\r\nDate: a\r\n b\r\n\r\n",
                "HTTP/1.1 200 X\r\ndate: a b\r\n\r\n",
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
}
