//! As much of Redis' protocol as a few commands need.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::LARGEST;
use crate::error::{Error, Status};
use crate::http::Stream;
use crate::text::one_line;

/// No reply has more parts, nor parts within parts.
const MOST_PARTS: usize = 16;
const DEEPEST: usize = 3;

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

    /// The error for an answer that is not what was asked for. Of the server's words only the first,
    /// which is a code: the others may repeat what was sent.
    pub(crate) fn unexpected(&self) -> Error {
        let what = match self {
            Reply::Error(text) => {
                let code: String = one_line(text)
                    .chars()
                    .take_while(char::is_ascii_uppercase)
                    .collect();
                let hint = match code.as_str() {
                    "NOAUTH" | "WRONGPASS" => "; check user and password",
                    "NOPERM" => "; its user must be allowed GET, SET, EVAL and TIME on apivideo-*",
                    "READONLY" => {
                        "; it is a replica: name the server that can be written to, or Sentinel"
                    }
                    _ => "",
                };
                format!("refused with {code}{hint}")
            }
            _ => "sent what was not asked for".to_owned(),
        };
        Error::new(Status::NetworkError, format!("The store's server {what}."))
    }
}

/// A connection to a server.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Wire {
        Wire {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends commands at once, and waits for all their replies.
    pub(crate) fn ask(
        &mut self,
        commands: &[&[&[u8]]],
        until: Instant,
    ) -> Result<Vec<Reply>, Error> {
        self.stream.set_deadline(until);
        let result = self.exchange(commands);
        result.map_err(|why| {
            let (status, what) = match why.kind() {
                io::ErrorKind::TimedOut => (Status::Timeout, "did not answer in time".to_owned()),
                io::ErrorKind::InvalidData => (Status::ProtocolError, "is no Redis".to_owned()),
                _ => (
                    Status::NetworkError,
                    format!("was lost: {}", one_line(&why.to_string())),
                ),
            };
            Error::new(status, format!("The store's server {what}."))
        })
    }

    fn exchange(&mut self, commands: &[&[&[u8]]]) -> io::Result<Vec<Reply>> {
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
        commands.iter().map(|_| self.reply(0)).collect()
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
                if length > LARGEST {
                    return Err(odd());
                }
                let mut bytes = self.take(length + 2)?;
                bytes.truncate(length);
                Ok(Reply::Bulk(bytes))
            }
            b'*' => {
                let parts = usize::try_from(number()?).map_err(|_| odd())?;
                if parts > MOST_PARTS || depth == DEEPEST {
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
        self.unread.extend_from_slice(&chunk[..count]);
        match self.unread.len() > 2 * LARGEST {
            true => Err(odd()),
            false => Ok(()),
        }
    }
}

fn odd() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
