//! One request and its reply over a connection. `ureq-proto` reads the reply; the rest is ours.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{self, Method};

use super::head::{Head, Headers, MOST_HEADERS, reply_head, says_continue};
use super::stream::{Patience, Stream, is_interrupted_by_input, is_overdue};

/// What is sent at once: a small request in one piece, since a server that answers a head alone and
/// closes would reset the connection, and its answer would be lost. A large one in pieces that keep
/// a fast line busy.
const PIECE: usize = 384 * 1024;
/// What is read at once.
const BITE: usize = 16 * 1024;
/// And of what is read beyond it before anything can be made of that, such as a chunk's length.
const LARGEST_HEAD: usize = 64 * 1024;
/// How long a server is waited for that is to say whether it wants the body.
const GO_AHEAD: Duration = Duration::from_millis(250);

/// What a request has besides its head.
pub(crate) struct Body<'a> {
    pub(crate) content_type: &'a str,
    /// As many bytes as this; what the source has beyond them is not read.
    pub(crate) length: u64,
    pub(crate) source: &'a mut dyn Read,
    /// Ask the server first whether it wants it: `Expect: 100-continue`.
    pub(crate) asks_first: bool,
}

/// Why there is no reply, or no more of it.
#[derive(Debug)]
pub(crate) enum Trouble {
    Io(io::Error),
    /// The reply's head is too large, or has too many headers.
    LargeHead,
    /// The reply's body is larger than it may be.
    LargeBody,
    NoHttp,
    /// There is no memory for the reply's body.
    NoMemory,
    /// The request's body could not be read.
    Source(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(why: io::Error) -> Trouble {
        Trouble::Io(why)
    }
}

impl From<ureq_proto::Error> for Trouble {
    fn from(_: ureq_proto::Error) -> Trouble {
        Trouble::NoHttp
    }
}

/// What came of an exchange.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    /// Or why there is none: the status is known without it.
    pub(crate) body: Result<Vec<u8>, Trouble>,
    /// The connection can take another request.
    pub(crate) is_reusable: bool,
    /// How long the server says it keeps a connection that is idle, if it does.
    pub(crate) keeps_for_ms: Option<i64>,
    /// The server was asked whether it wants the body, and did not say in time.
    pub(crate) kept_silent: bool,
}

/// The state of one exchange.
pub(crate) struct Exchange<'a> {
    stream: &'a mut dyn Stream,
    patience: Patience,
    /// How much the connection had sent before.
    before: u64,
    /// Of the reply, what was read and is not used yet.
    input: Vec<u8>,
    kept_silent: bool,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(stream: &'a mut dyn Stream, patience: Patience) -> Exchange<'a> {
        stream.set_patience(patience);
        Exchange {
            before: stream.written(),
            stream,
            patience,
            input: Vec::new(),
            kept_silent: false,
        }
    }

    /// `head` is the request's, whole.
    pub(crate) fn make(
        mut self,
        head: Vec<u8>,
        body: Option<Body>,
        is_head: bool,
        largest_body: u64,
    ) -> Result<Received, Trouble> {
        self.stream.watch_input(true);
        let is_sent = match body {
            None => self.send(&head),
            Some(body) => self.send_all(head, body),
        };
        self.stream.watch_input(false);
        match is_sent {
            Ok(is_sent) => self.receive(is_head, largest_body, is_sent),
            Err(Trouble::Io(why)) if !is_overdue(&why) && self.stream.written() > self.before => {
                // Who closes early may have said why.
                let said = self.receive(is_head, largest_body, false);
                said.map_err(|_| Trouble::Io(why))
            }
            Err(why) => Err(why),
        }
    }

    // --- The request ---

    /// Sends head and body; `false` if the reply came before the end.
    fn send_all(&mut self, mut piece: Vec<u8>, body: Body) -> Result<bool, Trouble> {
        if body.asks_first {
            if !self.send(&piece)? || !self.may_go_ahead()? {
                return Ok(false);
            }
            piece.clear();
        }
        let mut left = body.length;
        let mut used = piece.len();
        // Once for all pieces: what is there again and again need not be made again.
        piece.resize(PIECE.max(used).min(used.saturating_add(at_most(left))), 0);
        loop {
            let count = fill(&mut piece[used..], body.source, left).map_err(Trouble::Source)?;
            left -= count as u64;
            if !self.send(&piece[..used + count])? {
                return Ok(false);
            }
            if left == 0 {
                return Ok(true);
            }
            if self.is_answered_by_now()? {
                return Ok(false);
            }
            used = 0;
        }
    }

    /// Sends these bytes; `false` if the reply came instead of the end.
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Trouble> {
        let mut sent = 0;
        loop {
            let step = match sent < bytes.len() {
                true => self.stream.write(&bytes[sent..]),
                false => self.stream.flush().map(|()| 0),
            };
            match step {
                Ok(0) if sent == bytes.len() => return Ok(true),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => sent += count,
                Err(why) if is_interrupted_by_input(&why) => {
                    if self.is_answered_by_now()? {
                        return Ok(false);
                    }
                }
                Err(why) => return Err(why.into()),
            }
        }
    }

    /// Waits a moment for the server's word; `false` if that is its reply.
    fn may_go_ahead(&mut self) -> Result<bool, Trouble> {
        self.stream.set_patience(Patience::Until(
            self.patience.end().min(Instant::now() + GO_AHEAD),
        ));
        let is_answered = loop {
            if says_continue(&self.input) {
                break Ok(false);
            }
            match self.is_answered() {
                Ok(false) => {}
                Err(Trouble::Io(why)) if is_overdue(&why) => {
                    self.kept_silent = true;
                    break Ok(false);
                }
                answered => break answered,
            }
        };
        self.stream.set_patience(self.patience);
        is_answered.map(|is_answered| !is_answered)
    }

    // --- The reply ---

    /// Looks whether the reply has begun; whether its head is there.
    fn is_answered_by_now(&mut self) -> Result<bool, Trouble> {
        Ok(self.stream.has_input()? && self.is_answered()?)
    }

    /// Reads some more of the reply; whether its head is there.
    fn is_answered(&mut self) -> Result<bool, Trouble> {
        self.read_on()?;
        match reply_head(&self.input) {
            None if self.input.len() > LARGEST_HEAD => Err(Trouble::LargeHead),
            head => Ok(head.is_some()),
        }
    }

    /// Reads some more, where there must be more.
    fn read_on(&mut self) -> Result<(), Trouble> {
        match self.read()? {
            true => Ok(()),
            false => Err(ended().into()),
        }
    }

    /// Reads some more; `false` at an end that the server meant. One that cuts TLS off is an error.
    fn read(&mut self) -> Result<bool, Trouble> {
        let had = self.input.len();
        // On the heap, which is wiped: what a stack held may be found there long afterwards.
        self.input.resize(had + BITE, 0);
        let read = self.stream.read(&mut self.input[had..]);
        self.input.truncate(had + read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }

    fn receive(
        &mut self,
        is_head: bool,
        largest_body: u64,
        is_sent: bool,
    ) -> Result<Received, Trouble> {
        let head = self.read_head()?;
        let mut call = awaiting_reply(is_head)?;
        let (used, response) = call.try_response(&head.plain, false)?;
        let Some(response) = response.filter(|_| used == head.plain.len()) else {
            return Err(Trouble::NoHttp);
        };
        self.input.drain(..head.length);
        let is_clear = head.ends_clearly(response.status().as_u16());
        let (body, is_open) = match call.proceed() {
            Some(RecvResponseResult::RecvBody(call)) => self.read_body(call, largest_body),
            Some(RecvResponseResult::Redirect(call)) => {
                (Ok(Vec::new()), !call.must_close_connection())
            }
            Some(RecvResponseResult::Cleanup(call)) => {
                (Ok(Vec::new()), !call.must_close_connection())
            }
            None => return Err(Trouble::NoHttp),
        };
        Ok(Received {
            status: response.status().as_u16(),
            keeps_for_ms: head.keeps_for_ms(),
            headers: head.headers,
            is_reusable: is_sent && is_open && is_clear && body.is_ok() && self.input.is_empty(),
            body,
            kept_silent: self.kept_silent,
        })
    }

    fn read_head(&mut self) -> Result<Head, Trouble> {
        loop {
            match reply_head(&self.input) {
                Some(head) if head.headers.count() > MOST_HEADERS => {
                    return Err(Trouble::LargeHead);
                }
                Some(head) => return Ok(head),
                None if self.input.len() > LARGEST_HEAD => return Err(Trouble::LargeHead),
                None => self.read_on()?,
            }
        }
    }

    /// The body, and whether the connection can be used again.
    fn read_body(
        &mut self,
        mut call: Call<RecvBody>,
        largest: u64,
    ) -> (Result<Vec<u8>, Trouble>, bool) {
        if matches!(call.body_mode(), BodyMode::LengthDelimited(length) if length > largest) {
            return (Err(Trouble::LargeBody), false);
        }
        let mut body = Vec::new();
        let read = loop {
            match self.read_part(&mut call, &mut body, largest) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        let is_open = match call.proceed() {
            Some(RecvBodyResult::Cleanup(call)) => !call.must_close_connection(),
            Some(RecvBodyResult::Redirect(call)) => !call.must_close_connection(),
            None => false,
        };
        (read.map(|()| body), is_open)
    }

    /// Takes what was read into the body, or reads on; `false` at the body's end.
    fn read_part(
        &mut self,
        call: &mut Call<RecvBody>,
        body: &mut Vec<u8>,
        largest: u64,
    ) -> Result<bool, Trouble> {
        let had = body.len();
        // One byte more, for the NUL that C gets behind it.
        let room = self.input.len() + 1;
        body.try_reserve(room).map_err(|_| Trouble::NoMemory)?;
        body.resize(had + self.input.len(), 0);
        let (used, made) = call.read(&self.input, &mut body[had..])?;
        self.input.drain(..used);
        body.truncate(had + made);
        if body.len() as u64 > largest {
            return Err(Trouble::LargeBody);
        }
        let is_to_the_end = call.body_mode() == BodyMode::CloseDelimited;
        if call.can_proceed() && !is_to_the_end {
            return Ok(false);
        }
        if used > 0 && !self.input.is_empty() {
            return Ok(true);
        }
        if self.input.len() > LARGEST_HEAD {
            // Nothing can be made of so much.
            return Err(Trouble::NoHttp);
        }
        match self.read() {
            Ok(true) => Ok(true),
            Ok(false) if is_to_the_end => Ok(false),
            Ok(false) if call.is_ended_chunked() => Ok(false),
            // Some servers leave out the last line of a body in chunks, and TLS's own end.
            Err(Trouble::Io(why)) if is_end(&why) && call.is_ended_chunked() => Ok(false),
            Ok(false) => Err(ended().into()),
            Err(why) => Err(why),
        }
    }
}

fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn is_end(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::UnexpectedEof
}

/// Takes what there is room for, of the `left` bytes of the source. In one read, if it can be.
fn fill(room: &mut [u8], source: &mut dyn Read, left: u64) -> io::Result<usize> {
    let count = room.len().min(at_most(left));
    source.read_exact(&mut room[..count])?;
    Ok(count)
}

fn at_most(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A request that was sent: all that matters of it to a reply is whether it is HEAD.
fn awaiting_reply(is_head: bool) -> Result<Call<RecvResponse>, Trouble> {
    let method = if is_head { Method::HEAD } else { Method::GET };
    let request = http::Request::builder().method(method).uri("/").body(());
    let mut call = Call::new(request.map_err(|_| Trouble::NoHttp)?)?.proceed();
    call.write(&mut [0; 64])?;
    match call.proceed()? {
        Some(SendRequestResult::RecvResponse(call)) => Ok(call),
        _ => Err(Trouble::NoHttp),
    }
}
