//! TLS over a connection, in as few messages as it takes.

use std::io::{self, Read, Write};
use std::time::Instant;

use rustls::ClientConnection;

use super::stream::Stream;

/// A connection after its handshake. What is written goes out with `flush`.
#[derive(Debug)]
pub(crate) struct Secured {
    tls: ClientConnection,
    below: Box<dyn Stream>,
}

impl Secured {
    /// The server has proved who it is. Our last message goes out with the request that follows:
    /// one packet, and a server that is woken once.
    pub(crate) fn new(
        mut tls: ClientConnection,
        mut below: Box<dyn Stream>,
    ) -> io::Result<Secured> {
        while tls.is_handshaking() {
            send(&mut tls, &mut below)?;
            if tls.read_tls(&mut below)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Err(why) = tls.process_new_packets() {
                // The alert tells the server why. That it may not arrive changes nothing.
                let _ = send(&mut tls, &mut below);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(Secured { tls, below })
    }
}

fn send(tls: &mut ClientConnection, below: &mut Box<dyn Stream>) -> io::Result<()> {
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records)?;
    }
    below.write_all(&records)?;
    below.flush()
}

impl Read for Secured {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.flush()?;
        while self.tls.wants_read() && self.tls.complete_io(&mut self.below)?.0 > 0 {}
        self.tls.reader().read(into)
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.tls.writer().write(bytes)? {
            0 => {
                // Its buffer is full.
                self.flush()?;
                self.tls.writer().write(bytes)
            }
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        send(&mut self.tls, &mut self.below)
    }
}

impl Stream for Secured {
    fn set_deadline(&mut self, until: Instant) {
        self.below.set_deadline(until);
    }
}
