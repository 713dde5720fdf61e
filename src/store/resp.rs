//! As much of Redis' protocol as a few commands need.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::LARGEST;
use crate::error::{Error, Status};
use crate::http::{Patience, Stream, io_failed};
use crate::text::one_line;

/// As deep as ROLE's reply.
const DEEPEST: usize = 3;
/// All replies to what is asked at once: one record, and little besides.
const MOST_BYTES: usize = LARGEST + 16 * 1024;

/// No reply has fewer bytes.
const SHORTEST: usize = 3;

/// No code of a server's error is longer.
const LONGEST_CODE: usize = 20;

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Simple,
    Error(String),
    Number(i64),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Nil,
}

impl Reply {
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// The node of a cluster to ask instead, and whether just this once.
    pub(crate) fn redirection(&self) -> Option<(&str, bool)> {
        let Reply::Error(text) = self else {
            return None;
        };
        let mut words = text.split(' ');
        let is_once = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        Some((words.nth(1)?, is_once))
    }

    /// The error for an answer that is not what was asked for. Of the server's words only the
    /// first, which is a code: the others may repeat what was sent.
    pub(crate) fn unexpected(&self) -> Error {
        let what = match self {
            Reply::Error(text) => {
                let code: String = text
                    .chars()
                    .take_while(char::is_ascii_uppercase)
                    .take(LONGEST_CODE)
                    .collect();
                match code.as_str() {
                    "" => "refused".to_owned(),
                    code => format!("refused with {code}{}", hint(code, text)),
                }
            }
            _ => "sent what was not asked for".to_owned(),
        };
        Error::new(Status::NetworkError, format!("The store's server {what}."))
    }
}

/// What to do about a refusal.
fn hint(code: &str, text: &str) -> &'static str {
    match code {
        "NOAUTH" | "WRONGPASS" => "; check user and password",
        "NOPERM" => "; its user must be allowed GET, SET, EVAL and TIME on apivideo-*",
        "READONLY" => "; it is a replica: name the server that can be written to, or Sentinel",
        "OOM" => "; its memory is full",
        "DENIED" => "; it is in protected mode, and wants a password",
        // These have one code. They begin with the server's own words.
        _ if text.starts_with("ERR unknown command") => {
            "; it does not know a command that is needed, as EVAL"
        }
        _ if text.starts_with("ERR max number of clients") => {
            "; it has as many clients as maxclients allows"
        }
        _ if text.starts_with("ERR AUTH") || text.starts_with("ERR Client sent AUTH") => {
            "; it has no password, and the URL has one"
        }
        _ if text.starts_with("ERR DB index")
            || text.starts_with("ERR invalid DB index")
            || text.starts_with("ERR SELECT") =>
        {
            "; it has no database of the URL's number"
        }
        _ => "",
    }
}

/// A connection to a server.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    /// How many bytes may still come for what is being asked.
    left: usize,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Wire {
        Wire {
            stream,
            unread: Vec::new(),
            left: 0,
        }
    }

    /// Whether it is open, and nothing was said that was not asked for: that would be taken for the
    /// next answer.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.stream.has_input(), Ok(false))
    }

    /// Sends commands at once, and waits for all their replies.
    pub(crate) fn ask(
        &mut self,
        commands: &[&[&[u8]]],
        until: Instant,
    ) -> Result<Vec<Reply>, Error> {
        self.stream.set_patience(Patience::Until(until));
        let result = self.exchange(commands);
        result.map_err(|why| {
            if why
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>())
            {
                return io_failed("", &"the store's server", &why);
            }
            let (status, what) = match why.kind() {
                io::ErrorKind::TimedOut => (Status::Timeout, "did not answer in time".to_owned()),
                io::ErrorKind::InvalidData => (Status::ProtocolError, "is no Redis".to_owned()),
                // TLS has a text of its own, with an address to read more.
                io::ErrorKind::UnexpectedEof => {
                    let what = "was lost: it closed the connection";
                    (Status::NetworkError, what.to_owned())
                }
                _ => (
                    Status::NetworkError,
                    format!("was lost: {}", one_line(&why.to_string())),
                ),
            };
            Error::new(status, format!("The store's server {what}."))
        })
    }

    fn exchange(&mut self, commands: &[&[&[u8]]]) -> io::Result<Vec<Reply>> {
        self.left = MOST_BYTES;
        let mut bytes = Vec::new();
        for command in commands {
            write!(bytes, "*{}\r\n", command.len())?;
            for part in *command {
                write!(bytes, "${}\r\n", part.len())?;
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.stream.write_all(&bytes)?;
        self.stream.flush()?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            let reply = self.reply(0).or_else(|why| match replies.last() {
                // Who turns a connection away says so once, whatever was asked.
                Some(Reply::Error(text)) => Ok(Reply::Error(text.clone())),
                _ => Err(why),
            });
            replies.push(reply?);
        }
        Ok(replies)
    }

    fn reply(&mut self, depth: usize) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or_else(odd)?;
        let text = || String::from_utf8_lossy(rest).into_owned();
        let number = || text().parse::<i64>().map_err(|_| odd());
        match kind {
            b'+' => Ok(Reply::Simple),
            b'-' => Ok(Reply::Error(text())),
            b':' => Ok(Reply::Number(number()?)),
            b'$' | b'*' if number()? == -1 => Ok(Reply::Nil),
            b'$' => {
                let length = usize::try_from(number()?).map_err(|_| odd())?;
                if length > MOST_BYTES {
                    return Err(odd());
                }
                let mut bytes = self.take(length + 2)?;
                match bytes.split_off(length).as_slice() {
                    b"\r\n" => Ok(Reply::Bulk(bytes)),
                    _ => Err(odd()),
                }
            }
            b'*' => {
                let parts = usize::try_from(number()?).map_err(|_| odd())?;
                if depth == DEEPEST || parts > MOST_BYTES / SHORTEST {
                    return Err(odd());
                }
                let parts: io::Result<Vec<Reply>> =
                    (0..parts).map(|_| self.reply(depth + 1)).collect();
                Ok(Reply::Array(parts?))
            }
            _ => Err(odd()),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let mut line = self.take(end + 2)?;
                line.truncate(end);
                return Ok(line);
            }
            self.read_more()?;
        }
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.read_more()?;
        }
        let rest = self.unread.split_off(count);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.checked_sub(count).ok_or_else(odd)?;
        self.unread.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

fn odd() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// A server whose words are known beforehand, and that takes whatever it is sent.
#[cfg(any(test, fuzzing))]
pub(crate) mod canned {
    use super::*;
    use crate::http::Socket;

    #[derive(Debug)]
    pub(crate) struct Canned<R>(pub(crate) R);

    impl<R: Read> Read for Canned<R> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl<R> Write for Canned<R> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<R: Read + std::fmt::Debug + Send + Sync> Stream for Canned<R> {
        fn set_patience(&mut self, _: Patience) {}

        fn watch_input(&mut self, _: bool) {}

        /// It speaks when it is asked.
        fn has_input(&mut self) -> io::Result<bool> {
            Ok(false)
        }

        fn written(&self) -> u64 {
            0
        }

        fn socket(&self) -> &Socket {
            unreachable!("there is none")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::canned::Canned;
    use super::*;
    use std::io::Cursor;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const ASKED: [&[&[u8]]; 1] = [&[b"ROLE"]];

    fn replies(text: impl Into<Vec<u8>>) -> Result<Vec<Reply>, Error> {
        let stream = Canned(Cursor::new(text.into()));
        Wire::new(Box::new(stream)).ask(&ASKED, Instant::now())
    }

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn each_kind_of_reply_is_read() {
        for (text, reply) in [
            ("+OK\r\n", Reply::Simple),
            ("-ERR no\r\n", Reply::Error("ERR no".to_owned())),
            (":-7\r\n", Reply::Number(-7)),
            ("$3\r\na\r\n\r\n", bulk("a\r\n")),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("*0\r\n", Reply::Array(Vec::new())),
            (
                "*2\r\n$1\r\na\r\n*1\r\n*1\r\n:1\r\n",
                Reply::Array(vec![
                    bulk("a"),
                    Reply::Array(vec![Reply::Array(vec![Reply::Number(1)])]),
                ]),
            ),
        ] {
            assert_eq!(replies(text).unwrap(), [reply], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for text in [
            "\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            ":x\r\n",
            "$-2\r\n",
            "$1\r\nabc",
            "$99999999999999999999\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            "*99999999\r\n",
        ] {
            let error = replies(text).unwrap_err();
            assert_eq!(error.status, Status::ProtocolError, "{text:?}");
        }
    }

    #[test]
    fn a_part_of_a_reply_is_none() {
        for text in ["", "$3\r\nab", "*2\r\n:1\r\n"] {
            let message = replies(text).unwrap_err().message;
            let expected = "The store's server was lost: it closed the connection.";
            assert_eq!(message, expected, "{text:?}");
        }
    }

    #[test]
    fn who_is_turned_away_hears_why_though_more_was_asked() {
        let asked: [&[&[u8]]; 2] = [&[b"GET", b"name"], &[b"TIME"]];
        let stream = Canned(Cursor::new(b"-ERR max number of clients reached\r\n"));
        let replies = Wire::new(Box::new(stream)).ask(&asked, Instant::now());
        assert!(replies.unwrap().iter().all(Reply::is_error));
    }

    #[test]
    fn a_refusal_is_explained_and_not_repeated() {
        let hush = "A".repeat(1_000);
        for (text, words) in [
            ("WRONGPASS hush", "WRONGPASS; check user and password."),
            (
                "ERR unknown command 'hush'",
                "ERR; it does not know a command",
            ),
            ("ERR DB index is out of range", "ERR; it has no database"),
            ("ERR AUTH <password> called hush", "ERR; it has no password"),
            (
                "ERR max number of clients reached",
                "ERR; it has as many clients as maxclients allows.",
            ),
            ("DENIED hush", "DENIED; it is in protected mode"),
            ("ERR hush", "ERR."),
            (hush.as_str(), "AAAAAAAAAAAAAAAAAAAA."),
        ] {
            let message = Reply::Error(text.to_owned()).unexpected().message;
            let start = format!("The store's server refused with {words}");
            assert!(message.starts_with(&start), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
        for no_code in ["", "hush"] {
            let message = Reply::Error(no_code.to_owned()).unexpected().message;
            assert_eq!(message, "The store's server refused.");
        }
    }

    /// Says one text over and over, and counts what was taken of it.
    #[derive(Debug)]
    struct Babbler(&'static [u8], Arc<AtomicUsize>);

    impl Read for Babbler {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let said = self.1.load(Ordering::SeqCst);
            for (at, byte) in into.iter_mut().enumerate() {
                *byte = self.0[(said + at) % self.0.len()];
            }
            self.1.fetch_add(into.len(), Ordering::SeqCst);
            Ok(into.len())
        }
    }

    #[test]
    fn a_server_that_does_not_stop_fills_no_memory() {
        let texts: [&[u8]; 4] = [
            b"*99999999\r\n",
            b"a line without an end",
            b"*16\r\n$5\r\n*16\r\n\r\n",
            b"$65000\r\n",
        ];
        for text in texts {
            let taken = Arc::new(AtomicUsize::new(0));
            let stream = Canned(Babbler(text, Arc::clone(&taken)));
            let answer = Wire::new(Box::new(stream)).ask(&ASKED, Instant::now());
            let taken = taken.load(Ordering::SeqCst);
            assert!(taken <= MOST_BYTES + 4096, "{taken}");
            assert!(answer.is_err() || taken < MOST_BYTES);
        }
        let bulk = format!("$65000\r\n{}\r\n", "x".repeat(65_000));
        assert!(replies(format!("*2\r\n{}", bulk.repeat(2))).is_err());
    }
}
