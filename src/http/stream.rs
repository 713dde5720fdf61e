//! A connection whose every wait ends at a deadline, whatever the other side does in the meantime.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::ffi::sys::{self, Ready};

/// A connection: TCP, or TLS over another.
pub(crate) trait Stream: Read + Write + Debug + Send + Sync {
    /// From now on no wait lasts longer. A peer that sends a byte now and then changes nothing.
    fn set_deadline(&mut self, until: Instant);
}

impl Stream for Box<dyn Stream> {
    fn set_deadline(&mut self, until: Instant) {
        (**self).set_deadline(until);
    }
}

/// TCP. The socket does not block: it is waited for, until the deadline.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    until: Instant,
}

impl Socket {
    /// `tcp` does not block.
    pub(crate) fn new(tcp: TcpStream, until: Instant) -> Socket {
        Socket { tcp, until }
    }

    fn when_ready<T>(
        &mut self,
        ready: Ready,
        mut attempt: impl FnMut(&mut TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            // First of all: a peer that always has a byte ready must not keep us either.
            let left = left(self.until).ok_or_else(overdue)?;
            match attempt(&mut self.tcp) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                done => return done,
            }
            sys::wait_for(&[&self.tcp], ready, left)?;
        }
    }
}

impl Stream for Socket {
    fn set_deadline(&mut self, until: Instant) {
        self.until = until;
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.when_ready(Ready::ToRead, |tcp| tcp.read(into))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.when_ready(Ready::ToWrite, |tcp| tcp.write(bytes))
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
        (Socket::new(ours, until), listener.accept().unwrap().0)
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
