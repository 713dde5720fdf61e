//! Through a proxy to the server: HTTP's CONNECT and SOCKS.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::proxy::{Kind, Login, Proxy};

/// A proxy's head that is larger is not read to its end.
const LARGEST_HEAD: usize = 64 * 1024;
const USER_AGENT: &str = concat!("libapivideo/", env!("CARGO_PKG_VERSION"));

/// Why there is no tunnel.
#[derive(Debug)]
pub(crate) enum Refusal {
    Io(io::Error),
    /// What the proxy did, in words that end a sentence which begins with the proxy.
    Said(String),
}

impl From<io::Error> for Refusal {
    fn from(why: io::Error) -> Refusal {
        Refusal::Io(why)
    }
}

type Opened = Result<(), Refusal>;

fn said<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Said(what.into()))
}

/// Has the proxy at the other end of `stream` connect to the host, by its name or, where the proxy
/// wants that, its address.
pub(crate) fn open(
    stream: &mut (impl Read + Write),
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Opened {
    let login = proxy.login.as_ref();
    match proxy.kind {
        Kind::Http | Kind::Https => connect(stream, login, host, port),
        Kind::Socks4 | Kind::Socks4a => socks4(stream, login, host, port),
        Kind::Socks5 | Kind::Socks5h => socks5(stream, login, host, port),
    }
}

fn connect(
    stream: &mut (impl Read + Write),
    login: Option<&Login>,
    host: &str,
    port: u16,
) -> Opened {
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let authorization = login.map_or_else(String::new, |login| {
        let login = [&login.user[..], b":", &login.password].concat();
        format!(
            "Proxy-Authorization: Basic {}\r\n",
            BASE64_STANDARD.encode(login)
        )
    });
    let request = format!(
        "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {USER_AGENT}\r\n\
         Proxy-Connection: Keep-Alive\r\n{authorization}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    loop {
        match status(stream)? {
            // What comes before the reply proper.
            100..=199 => {}
            200..=299 => return Ok(()),
            407 => {
                return said(
                    "wants a user and a password, or others, or a way to log in that is not Basic (HTTP 407): set them in the proxy's URL",
                );
            }
            status => return said(format!("refused the connection (HTTP {status})")),
        }
    }
}

/// The status of one head, which is read to its end and no further: what follows belongs to the
/// tunnel.
fn status(stream: &mut impl Read) -> Result<u16, Refusal> {
    let mut head = Vec::new();
    while !(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n")) {
        let mut byte = [0];
        match stream.read(&mut byte)? {
            0 if head.is_empty() => return said("closed the connection without an answer"),
            0 => return said("closed the connection in the middle of its answer"),
            _ => head.push(byte[0]),
        }
        if !b"HTTP/1.".starts_with(&head[..head.len().min(7)]) {
            return said("did not answer in HTTP");
        }
        if head.len() > LARGEST_HEAD {
            return said("sent an answer without an end");
        }
    }
    let code = head.get(8..12).and_then(|code| code.strip_prefix(b" "));
    let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    code.map_or_else(|| said("did not answer in HTTP"), Ok)
}

/// SOCKS4, and 4a where the host is a name. It knows no password.
fn socks4(
    stream: &mut (impl Read + Write),
    login: Option<&Login>,
    host: &str,
    port: u16,
) -> Opened {
    let (address, name) = match host.parse() {
        Ok(IpAddr::V4(address)) => (address.octets(), None),
        Ok(IpAddr::V6(_)) => return said("speaks SOCKS4, which knows no IPv6 addresses"),
        Err(_) => ([0, 0, 0, 1], Some(host)),
    };
    let mut request = vec![4, 1];
    request.extend(port.to_be_bytes());
    request.extend(address);
    request.extend(login.map_or(&[][..], |login| &login.user));
    request.push(0);
    if let Some(name) = name {
        request.extend(name.as_bytes());
        request.push(0);
    }
    stream.write_all(&request)?;
    stream.flush()?;
    match array(stream)? {
        [0, 90, _, _, _, _, _, _] => Ok(()),
        [0, 92 | 93, ..] => said("refused the user (SOCKS4)"),
        [0, code, ..] => said(format!("refused the connection (SOCKS4, code {code})")),
        _ => said("did not answer in SOCKS4"),
    }
}

const NO_LOGIN: u8 = 0;
const BY_PASSWORD: u8 = 2;

/// SOCKS5 (RFC 1928), with user and password (RFC 1929).
fn socks5(
    stream: &mut (impl Read + Write),
    login: Option<&Login>,
    host: &str,
    port: u16,
) -> Opened {
    match login {
        Some(_) => stream.write_all(&[5, 2, BY_PASSWORD, NO_LOGIN])?,
        None => stream.write_all(&[5, 1, NO_LOGIN])?,
    }
    stream.flush()?;
    match (array(stream)?, login) {
        ([5, NO_LOGIN], _) => {}
        ([5, BY_PASSWORD], Some(login)) => log_in(stream, login)?,
        ([5, _], None) => {
            return said("wants a user and a password (SOCKS5): set them in the proxy's URL");
        }
        ([5, _], _) => return said("wants a way to log in that is not known here (SOCKS5)"),
        _ => return said("did not answer in SOCKS5"),
    }
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            request.push(3);
            push_short(&mut request, host.as_bytes())?;
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request)?;
    stream.flush()?;
    let (code, kind) = match array(stream)? {
        [5, code, _, kind] => (code, kind),
        _ => return said("did not answer in SOCKS5"),
    };
    if code != 0 {
        return said(format!(
            "refused the connection: {} (SOCKS5, code {code})",
            socks5_words(code)
        ));
    }
    // The address it connects from, and a port, which are of no use.
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(array::<1>(stream)?[0]),
        _ => return said("did not answer in SOCKS5"),
    };
    stream.read_exact(&mut vec![0; length + 2])?;
    Ok(())
}

fn log_in(stream: &mut (impl Read + Write), login: &Login) -> Opened {
    let mut request = vec![1];
    push_short(&mut request, &login.user)?;
    push_short(&mut request, &login.password)?;
    stream.write_all(&request)?;
    stream.flush()?;
    match array(stream)? {
        [_, 0] => Ok(()),
        _ => said("refused the user or the password (SOCKS5)"),
    }
}

/// A text after its length in one byte.
fn push_short(request: &mut Vec<u8>, text: &[u8]) -> Opened {
    let Ok(length) = u8::try_from(text.len()) else {
        return said("speaks SOCKS5, in which a name, a user or a password has 255 bytes at most");
    };
    request.push(length);
    request.extend(text);
    Ok(())
}

fn socks5_words(code: u8) -> &'static str {
    match code {
        2 => "its rules do not allow it",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the server refused it",
        6 => "it took too long",
        _ => "it failed",
    }
}

fn array<const N: usize>(stream: &mut impl Read) -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    match stream.read_exact(&mut bytes) {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => {
            said("closed the connection without an answer")
        }
        read => Ok(read.map(|()| bytes)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that sends `reply`, whatever it gets.
    struct Script {
        reply: io::Cursor<Vec<u8>>,
        got: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.reply.read(into)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.got.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What became of the tunnel, what the proxy got, and what of its reply is left for the tunnel.
    fn open_with(url: &str, host: &str, reply: &[u8]) -> (Result<(), String>, Vec<u8>, Vec<u8>) {
        let mut script = Script {
            reply: io::Cursor::new(reply.to_vec()),
            got: Vec::new(),
        };
        let opened = open(&mut script, &Proxy::parse(url).unwrap(), host, 443);
        let mut left = Vec::new();
        script.read_to_end(&mut left).unwrap();
        let opened = opened.map_err(|refusal| match refusal {
            Refusal::Said(words) => words,
            Refusal::Io(why) => panic!("{why}"),
        });
        (opened, script.got, left)
    }

    #[test]
    fn connect_names_the_host_and_logs_in() {
        let reply = b"HTTP/1.1 200 OK\r\n\r\nTLS";
        let (opened, got, left) = open_with("http://me:p%E9@a", "ws.api.video", reply);
        assert_eq!((opened, &left[..]), (Ok(()), &b"TLS"[..]));
        let got = String::from_utf8(got).unwrap();
        assert!(
            got.starts_with("CONNECT ws.api.video:443 HTTP/1.1\r\nHost: ws.api.video:443\r\n"),
            "{got}"
        );
        assert!(
            got.contains("\r\nProxy-Authorization: Basic bWU6cOk=\r\n"),
            "{got}"
        );
        let (_, got, _) = open_with("http://a", "::1", reply);
        assert!(got.starts_with(b"CONNECT [::1]:443 "));
        assert!(!got.windows(6).any(|w| w == b"Basic "));
    }

    #[test]
    fn every_good_answer_to_connect_is_one() {
        let many: String = (0..300).map(|n| format!("X-{n}: y\r\n")).collect();
        for reply in [
            "HTTP/1.0 200\r\n\r\n".to_owned(),
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\n\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
                .to_owned(),
        ] {
            let (opened, _, left) = open_with("http://a", "b", (reply.clone() + "TLS").as_bytes());
            assert_eq!((opened, &left[..]), (Ok(()), &b"TLS"[..]), "{reply}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_proxy_did() {
        let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; LARGEST_HEAD]].concat();
        for (url, reply, words) in [
            (
                "http://a",
                &b"HTTP/1.1 407 No\r\n\r\n"[..],
                "a user and a password",
            ),
            ("http://a", b"HTTP/1.1 502 No\r\n\r\n", "HTTP 502"),
            ("http://a", b"HTTP/1.1 two\r\n\r\n", "in HTTP"),
            ("http://a", b"SSH-2.0", "in HTTP"),
            ("http://a", b"HTTP/1.1 2", "in the middle"),
            ("http://a", b"", "without an answer"),
            ("http://a", &endless, "without an end"),
            ("socks4://a", b"\0\x5b\0\0\0\0\0\0", "code 91"),
            ("socks4://a", b"\0\x5d\0\0\0\0\0\0", "the user"),
            ("socks4://a", b"HTTP/1.1", "in SOCKS4"),
            ("socks4://a", b"\0", "without an answer"),
            ("socks5://a", b"\x05\xff", "a user and a password"),
            ("socks5://u:p@a", b"\x05\xff", "a way to log in"),
            (
                "socks5://u:p@a",
                b"\x05\x02\x01\x01",
                "the user or the password",
            ),
            (
                "socks5://a",
                b"\x05\0\x05\x05\0\x01",
                "the server refused it",
            ),
            ("socks5://a", b"HTTP/1.1", "in SOCKS5"),
            ("socks5://a", b"\x05\0\x05\0\0\x09", "in SOCKS5"),
        ] {
            let (opened, _, _) = open_with(url, "b", reply);
            let said = opened.expect_err(url);
            assert!(said.contains(words), "{url}: {said}");
        }
    }

    #[test]
    fn socks_in_each_dialect() {
        let four = b"\0\x5a\0\0\0\0\0\0TLS";
        let five = b"\x05\0\x05\0\0\x01\0\0\0\0\0\0TLS";
        for (url, host, reply, sent) in [
            (
                "socks4://a",
                "1.2.3.4",
                &four[..],
                &b"\x04\x01\x01\xbb\x01\x02\x03\x04\0"[..],
            ),
            (
                "socks4://me@a",
                "1.2.3.4",
                four,
                b"\x04\x01\x01\xbb\x01\x02\x03\x04me\0",
            ),
            ("socks4a://a", "b", four, b"\x04\x01\x01\xbb\0\0\0\x01\0b\0"),
            (
                "socks5h://a",
                "b",
                five,
                b"\x05\x01\0\x05\x01\0\x03\x01b\x01\xbb",
            ),
            (
                "socks5://a",
                "1.2.3.4",
                five,
                b"\x05\x01\0\x05\x01\0\x01\x01\x02\x03\x04\x01\xbb",
            ),
            (
                "socks5://me:pw@a",
                "b",
                b"\x05\x02\x01\0\x05\0\0\x03\x01x\0\0TLS",
                b"\x05\x02\x02\0\x01\x02me\x02pw\x05\x01\0\x03\x01b\x01\xbb",
            ),
            (
                "socks5://me:pw@a",
                "b",
                five,
                b"\x05\x02\x02\0\x05\x01\0\x03\x01b\x01\xbb",
            ),
            (
                "socks5://a",
                "::1",
                b"\x05\0\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0TLS",
                b"\x05\x01\0\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
            ),
        ] {
            let (opened, got, left) = open_with(url, host, reply);
            assert_eq!((opened, &left[..]), (Ok(()), &b"TLS"[..]), "{url}");
            assert_eq!(got, sent, "{url}");
        }
    }

    #[test]
    fn what_socks_cannot_carry_is_said() {
        let long = "x".repeat(256);
        for (url, host) in [
            ("socks4://a", "::1"),
            ("socks5h://a", &long),
            (&format!("socks5://{long}@a"), "b"),
        ] {
            let (opened, _, _) = open_with(url, host, b"\x05\x02");
            assert!(opened.is_err());
        }
    }
}
