//! A connection whose every wait ends at a deadline, whatever the other side does in the meantime.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ffi::sys::{self, Ready, SocketId};
use crate::process::fork;

/// How often a connection that is still is looked at, whether its bytes have moved.
const LOOK: Duration = Duration::from_secs(1);
/// So much of what was sent may wait where nobody sees it: behind the other side's acknowledgement,
/// or in between.
const HIDDEN: u64 = 128 * 1024;
/// No line is taken for slower, in bytes per second.
const SLOWEST: f64 = 1_000.0;

/// How long a connection's waits may last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Until then, all together. A peer that sends a byte now and then changes nothing.
    Until(Instant),
    /// As long as bytes move: no longer than this without one.
    Still(Duration),
}

impl Patience {
    /// When a wait that begins now is to end.
    pub(crate) fn end(self) -> Instant {
        match self {
            Patience::Until(until) => until,
            Patience::Still(limit) => Instant::now() + limit,
        }
    }
}

/// A connection: TCP, or TLS over another. What is written goes out with `flush`.
///
/// A write, or a flush, that fails with [`is_interrupted_by_input`] is to be made again with what
/// it has not taken.
pub(crate) trait Stream: Read + Write + Debug + Send + Sync {
    fn set_patience(&mut self, patience: Patience);

    /// From now on a write that has to wait fails if there is something to read meanwhile. A read
    /// sends nothing first.
    fn watch_input(&mut self, watch: bool);

    /// Whether a read would be answered at once: with bytes, the end, or an error. Sends nothing.
    fn has_input(&mut self) -> io::Result<bool>;

    /// How many bytes the system has taken to send.
    fn written(&self) -> u64;

    /// The connection below all else.
    fn socket(&self) -> &Socket;
}

impl Stream for Box<dyn Stream> {
    fn set_patience(&mut self, patience: Patience) {
        (**self).set_patience(patience);
    }

    fn watch_input(&mut self, watch: bool) {
        (**self).watch_input(watch);
    }

    fn has_input(&mut self) -> io::Result<bool> {
        (**self).has_input()
    }

    fn written(&self) -> u64 {
        (**self).written()
    }

    fn socket(&self) -> &Socket {
        (**self).socket()
    }
}

/// TCP. The socket does not block: it is waited for, as long as its patience lasts.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: Arc<TcpStream>,
    /// Of the socket itself, whatever becomes of its descriptor's number.
    id: Option<SocketId>,
    /// The process that made it.
    process: u64,
    patience: Patience,
    watches_input: bool,
    written: u64,
    /// When this patience began, and what had been written by then.
    since: Instant,
    written_before: u64,
}

impl Socket {
    /// `tcp` does not block.
    pub(crate) fn new(tcp: TcpStream, patience: Patience) -> Socket {
        Socket {
            id: sys::socket_id(&tcp),
            tcp: Arc::new(tcp),
            process: fork::generation(),
            patience,
            watches_input: false,
            written: 0,
            since: Instant::now(),
            written_before: 0,
        }
    }

    /// For somebody who may have to shut it down while it is waited for.
    pub(crate) fn tcp(&self) -> &Arc<TcpStream> {
        &self.tcp
    }

    /// Whether this process made it, and its descriptor is still that of this socket. Some
    /// programs close descriptors that are not theirs, and the number may be another file's now.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == fork::generation()
            && self.id.is_some()
            && sys::socket_id(&self.tcp) == self.id
    }

    fn when_ready<T>(
        &mut self,
        ready: Ready,
        mut attempt: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut wait = Wait::begin(self);
        let mut may_have_input = false;
        loop {
            // First of all: a peer that always has a byte ready must not keep us either.
            let left = wait.left()?;
            match attempt(&self.tcp) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                done => return done,
            }
            if may_have_input && sys::wait_for(&[&*self.tcp], Ready::Read, Duration::ZERO)?[0] {
                return Err(interrupted_by_input());
            }
            sys::wait_for(&[&*self.tcp], ready, left.min(sys::LONGEST_WAIT))?;
            may_have_input = matches!(ready, Ready::Either);
        }
    }
}

/// One wait for a socket.
struct Wait<'a> {
    socket: &'a Socket,
    until: Instant,
    /// Most I/O ends at the first attempt: only the second asks the system.
    is_first: bool,
    /// The least that the system had to send, which is since then.
    unsent: Option<u64>,
    still_since: Instant,
}

impl Wait<'_> {
    fn begin(socket: &Socket) -> Wait<'_> {
        Wait {
            socket,
            until: socket.patience.end(),
            is_first: true,
            unsent: None,
            still_since: Instant::now(),
        }
    }

    /// How long to wait before one looks again.
    fn left(&mut self) -> io::Result<Duration> {
        let Patience::Still(limit) = self.socket.patience else {
            return left(self.until).ok_or_else(overdue);
        };
        if std::mem::take(&mut self.is_first) {
            return Ok(limit.min(LOOK));
        }
        // What was written may take a slow line many minutes.
        let unsent = sys::unsent(&self.socket.tcp, self.socket.written);
        if unsent.is_some_and(|now| self.unsent.is_none_or(|least| now < least)) {
            self.unsent = unsent;
            self.still_since = Instant::now();
        }
        let more = match unsent {
            None | Some(0) => self.hidden(),
            Some(_) => Duration::ZERO,
        };
        left(self.still_since + limit + more)
            .ok_or_else(overdue)
            .map(|left| left.min(LOOK))
    }

    /// How long the other side may have to read what we no longer see.
    fn hidden(&self) -> Duration {
        let sent = self.socket.written - self.socket.written_before;
        let took = self
            .still_since
            .saturating_duration_since(self.socket.since);
        time_of_hidden(sent, took)
    }
}

/// The time for what may be hidden, at the pace at which the rest went.
fn time_of_hidden(sent: u64, took: Duration) -> Duration {
    let seen = sent.saturating_sub(HIDDEN) as f64;
    let pace = (seen / took.as_secs_f64().max(0.001)).max(SLOWEST);
    Duration::from_secs_f64(sent.min(HIDDEN) as f64 / pace)
}

impl Drop for Socket {
    /// A descriptor that is not ours is left as it is. Otherwise the connection ends with this,
    /// even where a forked child has it too.
    fn drop(&mut self) {
        match self.is_ours() {
            true => drop(self.tcp.shutdown(Shutdown::Both)),
            false => std::mem::forget(Arc::clone(&self.tcp)),
        }
    }
}

impl Stream for Socket {
    fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
        self.since = Instant::now();
        self.written_before = self.written;
    }

    fn watch_input(&mut self, watch: bool) {
        self.watches_input = watch;
    }

    fn has_input(&mut self) -> io::Result<bool> {
        Ok(sys::wait_for(&[&*self.tcp], Ready::Read, Duration::ZERO)?[0])
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn socket(&self) -> &Socket {
        self
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.when_ready(Ready::Read, |mut tcp| tcp.read(into))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ready = match self.watches_input {
            true => Ready::Either,
            false => Ready::Write,
        };
        let count = self.when_ready(ready, |mut tcp| tcp.write(bytes))?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A write has to wait, and there is something to read.
fn interrupted_by_input() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

pub(crate) fn is_interrupted_by_input(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::WouldBlock
}

/// A peer that has said all that it will say, and reads nothing.
#[cfg(fuzzing)]
#[derive(Debug)]
pub(crate) struct Script(pub(crate) io::Cursor<Vec<u8>>);

#[cfg(fuzzing)]
impl Stream for Script {
    fn set_patience(&mut self, _: Patience) {}

    fn watch_input(&mut self, _: bool) {}

    fn has_input(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn written(&self) -> u64 {
        0
    }

    fn socket(&self) -> &Socket {
        unreachable!("there is none")
    }
}

#[cfg(fuzzing)]
impl Read for Script {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Not all at once.
        let most = into.len().min(100);
        self.0.read(&mut into[..most])
    }
}

#[cfg(fuzzing)]
impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How long until then; `None` if that is past.
pub(crate) fn left(until: Instant) -> Option<Duration> {
    until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
}

pub(crate) fn overdue() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// The deadline has come, which the system's own "connection timed out" is not.
pub(crate) fn is_overdue(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::TimedOut && why.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    fn pair(until: Instant) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_nonblocking(true).unwrap();
        (
            Socket::new(ours, Patience::Until(until)),
            listener.accept().unwrap().0,
        )
    }

    #[test]
    fn silence_and_a_peer_that_does_not_read_end_at_the_deadline() {
        let start = Instant::now();
        let (mut socket, _peer) = pair(start + Duration::from_millis(100));
        assert!(is_overdue(&socket.read(&mut [0]).unwrap_err()));
        let (mut socket, _peer) = pair(start + Duration::from_millis(300));
        let much = vec![0; 64 * 1024 * 1024];
        assert!(is_overdue(&socket.write_all(&much).unwrap_err()));
        assert!(start.elapsed() >= Duration::from_millis(300));
    }

    #[test]
    fn what_a_slow_line_hides_takes_its_time_and_on_a_fast_one_none() {
        let ms = |sent, took_ms| {
            let took = Duration::from_millis(took_ms);
            time_of_hidden(sent, took).as_millis()
        };
        assert_eq!(ms(0, 0), 0);
        assert_eq!(
            ms(300, 0),
            300,
            "a buffer took it, and nobody knows the pace"
        );
        assert_eq!(ms(1 << 40, 0), 0);
        assert_eq!(ms(HIDDEN, 1), 131_072);
        assert_eq!(ms(HIDDEN + 1_000_000, 1_000_000), 131_072, "1 kB/s");
        assert_eq!(ms(HIDDEN + 1_000_000, 1_000), 131);
        assert_eq!(ms(HIDDEN + 100, 1_000_000), 131_072, "no line is slower");
    }

    #[test]
    fn dripping_ends_at_the_deadline_too() {
        let start = Instant::now();
        let (mut socket, mut peer) = pair(start + Duration::from_millis(300));
        let drip = thread::spawn(move || {
            while peer.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let why = socket.read_exact(&mut [0; 1_000_000]).unwrap_err();
        assert!(is_overdue(&why), "{why}");
        assert!(start.elapsed() < Duration::from_secs(10));
        drop(socket);
        drip.join().unwrap();
    }
}
