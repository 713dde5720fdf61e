//! A reply's head as others send it, and made into one that `ureq-proto` understands.

/// What HTTP itself reads of a head. `ureq-proto` takes 128 headers, none of them folded or with a
/// blank before its colon.
const KEPT: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// No reply has more headers that is meant well.
pub(crate) const MOST_HEADERS: usize = 500;

/// Names in lower case, and values, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The values of this name, in lower case.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |header| header.0 == name);
        named.map(|header| header.1.as_str())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_vec(self) -> Vec<(String, String)> {
        self.0
    }

    /// What is no header is left out, and of a value what is no UTF-8.
    fn of(lines: &[Vec<u8>]) -> Headers {
        let header = |line: &Vec<u8>| {
            let text = String::from_utf8_lossy(line);
            let (name, value) = text.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        lines.iter().skip(1).filter_map(header).collect()
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(headers: I) -> Headers {
        Headers(headers.into_iter().collect())
    }
}

/// A reply's head.
#[derive(Debug)]
pub(crate) struct Head {
    /// With what matters of it to HTTP. What is no head at all, as it is.
    pub(crate) plain: Vec<u8>,
    pub(crate) headers: Headers,
    /// Where it ends.
    pub(crate) length: usize,
}

impl Head {
    /// Whether nobody between us and the server can see the reply's end elsewhere than we do: else
    /// what comes after it may be somebody else's, and no other request may use the connection.
    pub(crate) fn ends_clearly(&self, status: u16) -> bool {
        let lengths: Vec<&str> = self.headers.all("content-length").collect();
        let codings: Vec<&str> = self.headers.all("transfer-encoding").collect();
        match (&lengths[..], &codings[..]) {
            ([], []) => true,
            ([length], []) => status != 204 || *length == "0",
            ([], [coding]) => {
                coding.eq_ignore_ascii_case("chunked") && self.plain.starts_with(b"HTTP/1.1")
            }
            _ => false,
        }
    }

    /// How long the server says it keeps a connection that is idle, if it does.
    pub(crate) fn keeps_for_ms(&self) -> Option<i64> {
        let fields = self
            .headers
            .all("keep-alive")
            .flat_map(|value| value.split(','));
        let seconds = fields.filter_map(|field| {
            let (name, value) = field.split_once('=')?;
            let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
            let value = value.trim().trim_matches('"');
            is_timeout.then(|| value.parse::<u32>().ok()).flatten()
        });
        seconds.min().map(|seconds| i64::from(seconds) * 1000)
    }
}

/// Whether the reply so far begins with a whole head that bids us go on with the request.
pub(crate) fn says_continue(raw: &[u8]) -> bool {
    raw.starts_with(b"HTTP/1.") && raw.get(8..12) == Some(b" 100") && head_length(raw).is_some()
}

/// The head of the reply proper; `None` while it has not ended. What comes before it (1xx) is left
/// out.
pub(crate) fn reply_head(mut raw: &[u8]) -> Option<Head> {
    let whole = raw.len();
    // An empty line before it may be what was left of the reply before.
    while let Some(rest) = raw.strip_prefix(b"\n").or(raw.strip_prefix(b"\r\n")) {
        raw = rest;
    }
    loop {
        if !b"HTTP/1.".starts_with(&raw[..raw.len().min(7)]) {
            return Some(Head {
                plain: Vec::new(),
                headers: Headers::default(),
                length: whole - raw.len(),
            });
        }
        let length = head_length(raw)?;
        let (head, rest) = raw.split_at(length);
        let lines = unfolded(head);
        let status = lines.first().map_or(&[][..], Vec::as_slice);
        match status.get(8..10) {
            // 101 ends HTTP, and is not for us.
            Some(b" 1") if status.get(8..12) != Some(b" 101") => raw = rest,
            _ => {
                return Some(Head {
                    plain: kept(&lines),
                    headers: Headers::of(&lines),
                    length: whole - rest.len(),
                });
            }
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
        if plain.len() <= MOST_HEADERS && KEPT.iter().any(|kept| kept.as_bytes() == name) {
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
        let head = reply_head(raw.as_bytes())?;
        let plain = String::from_utf8(head.plain).unwrap();
        Some((plain, &raw[head.length..]))
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
                "HTTP/1.1 429 X\r\nX-A: b\r\nConnection:close\r\nCONTENT-LENGTH :  4 \r\n\r\n",
                "HTTP/1.1 429 X\r\nconnection: close\r\ncontent-length: 4\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 X\r\nX-A: b\r\n Connection: c\r\nConnection:\r\n\tx\r\n  y\r\n\r\n",
                "HTTP/1.1 200 X\r\nconnection: x y\r\n\r\n",
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
                "\r\n\nHTTP/1.1 200 X\r\nConnection: a\r\n b\r\n\r\n",
                "HTTP/1.1 200 X\r\nconnection: a b\r\n\r\n",
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
    fn every_header_is_kept_and_folded_ones_are_joined() {
        let raw =
            b"HTTP/1.1 200 X\r\nA: 1\r\nB :\t2\r\n 3\r\na: 4\r\nA:1\r\nnone\r\nC: \xff\r\n\r\n";
        let headers = reply_head(raw).unwrap().headers;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(headers.all("a").collect::<Vec<_>>(), ["1", "4", "1"]);
        assert_eq!(headers.count(), 5);
        assert_eq!(
            headers.into_vec(),
            [
                pair("a", "1"),
                pair("b", "2 3"),
                pair("a", "4"),
                pair("a", "1"),
                pair("c", "\u{fffd}")
            ]
        );
    }

    #[test]
    fn a_reply_ends_clearly_if_nothing_says_otherwise() {
        let of = |line: &str, headers: &str| {
            let raw = format!("{line}\r\n{headers}\r\n");
            let status = line[9..12].parse().unwrap();
            reply_head(raw.as_bytes()).unwrap().ends_clearly(status)
        };
        let (ok, old, none) = ("HTTP/1.1 200 X", "HTTP/1.0 200 X", "HTTP/1.1 204 X");
        for (line, headers) in [
            (ok, ""),
            (ok, "Content-Length: 2\r\n"),
            (old, "Content-Length: 2\r\n"),
            (ok, "Transfer-Encoding: Chunked\r\n"),
            (none, ""),
            (none, "Content-Length: 0\r\n"),
        ] {
            assert!(of(line, headers), "{line} {headers}");
        }
        for (line, headers) in [
            (ok, "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
            (ok, "Content-Length: 2\r\nContent-Length: 2\r\n"),
            (ok, "Transfer-Encoding: gzip, chunked\r\n"),
            (ok, "Transfer-Encoding: identity\r\n"),
            (
                ok,
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            ),
            (old, "Transfer-Encoding: chunked\r\n"),
            (none, "Content-Length: 2\r\n"),
        ] {
            assert!(!of(line, headers), "{line} {headers}");
        }
    }

    #[test]
    fn a_server_may_say_how_long_it_keeps_an_idle_connection() {
        let of = |header: &str| {
            let raw = format!("HTTP/1.1 200 X\r\n{header}\r\n\r\n");
            reply_head(raw.as_bytes()).unwrap().keeps_for_ms()
        };
        assert_eq!(of("Keep-Alive: timeout=5"), Some(5_000));
        assert_eq!(of("keep-alive: max=100, Timeout = \"7\""), Some(7_000));
        assert_eq!(
            of("Keep-Alive: timeout=9\r\nKeep-Alive: timeout=2"),
            Some(2_000)
        );
        for none in ["X: timeout=5", "Keep-Alive: 5", "Keep-Alive: timeout=soon"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn a_server_says_continue_with_a_whole_head() {
        assert!(says_continue(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"));
        for other in [
            "",
            "HTTP/1.1 100 Continue\r\n",
            "HTTP/1.1 102 X\r\n\r\n",
            "HTTP/1.1 200 X\r\n\r\n",
        ] {
            assert!(!says_continue(other.as_bytes()), "{other}");
        }
    }
}
