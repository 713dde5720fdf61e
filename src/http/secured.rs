//! TLS over a connection, in as few messages as it takes.

use std::io::{self, Read, Write};

use rustls::ClientConnection;

use super::stream::{Patience, Socket, Stream};

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Secured {
    tls: ClientConnection,
    below: Box<dyn Stream>,
    /// What TLS has made of what was written, and how much of it is sent. Kept for the next:
    /// memory costs more here than what is in it.
    records: Vec<u8>,
    sent: usize,
    watches_input: bool,
}

impl Secured {
    /// The server has proved who it is. Our last message goes out with the request that follows:
    /// one packet, and a server that is woken once.
    pub(crate) fn new(tls: ClientConnection, below: Box<dyn Stream>) -> io::Result<Secured> {
        let mut secured = Secured {
            tls,
            below,
            records: Vec::new(),
            sent: 0,
            watches_input: false,
        };
        while secured.tls.is_handshaking() {
            secured.send()?;
            if !secured.receive()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(secured)
    }

    /// Sends all that TLS has to send. After an error, the next goes on where this one stopped.
    fn send(&mut self) -> io::Result<()> {
        loop {
            while self.sent < self.records.len() {
                self.sent += self.below.write(&self.records[self.sent..])?;
            }
            self.records.clear();
            self.sent = 0;
            if !self.tls.wants_write() {
                return self.below.flush();
            }
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.records)?;
            }
        }
    }

    /// Takes in what has come; `false` at the end of all that does.
    fn receive(&mut self) -> io::Result<bool> {
        let count = self.tls.read_tls(&mut self.below)?;
        if let Err(why) = self.tls.process_new_packets() {
            // The alert tells the server why. That it may not arrive changes nothing.
            let _ = self.send();
            return Err(invalid(why));
        }
        Ok(count > 0)
    }
}

fn invalid(why: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Read for Secured {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            // Also an answer to the server's own messages, such as new keys.
            if !self.watches_input {
                self.flush()?;
            }
            if !self.tls.wants_read() || !self.receive()? {
                return self.tls.reader().read(into);
            }
        }
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
        self.send()
    }
}

impl Stream for Secured {
    fn set_patience(&mut self, patience: Patience) {
        self.below.set_patience(patience);
    }

    fn watch_input(&mut self, watch: bool) {
        self.watches_input = watch;
        self.below.watch_input(watch);
    }

    fn written(&self) -> u64 {
        self.below.written()
    }

    /// What TLS says to itself, such as a session to resume, is no input.
    fn has_input(&mut self) -> io::Result<bool> {
        loop {
            let state = self.tls.process_new_packets().map_err(invalid)?;
            if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                return Ok(true);
            }
            if !self.below.has_input()? {
                return Ok(false);
            }
            if !self.receive()? {
                return Ok(true);
            }
        }
    }

    fn socket(&self) -> &Socket {
        self.below.socket()
    }
}
