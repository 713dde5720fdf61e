//! A connection to whichever of several addresses answers first (RFC 8305, "happy eyeballs").

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::stream::{left, overdue};
use crate::ffi::sys::{self, Ready};

/// How long the first address is alone.
const HEAD_START: Duration = Duration::from_millis(250);
/// And each further one: eight dead addresses cost less than half a second, so that the handshakes
/// of a network with a second's delay still have their time. RFC 8305 allows 10 ms and more.
const NEXT_START: Duration = Duration::from_millis(25);
/// How often one address is tried by who is in a hurry.
const TRIES: usize = 5;

/// Connects to the first address that answers, in this order of preference. The next one is tried
/// when one has failed, or has not answered for a while; those before it may still win. An error is
/// the last address's.
pub(crate) fn dial(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut dial = Dial {
        left: addresses.iter().copied(),
        next_at: Instant::now(),
        started: 0,
        under_way: Vec::new(),
        last_error: io::ErrorKind::AddrNotAvailable.into(),
    };
    loop {
        if let Some(connected) = dial.start_due() {
            return Ok(connected);
        }
        if dial.under_way.is_empty() {
            return Err(dial.last_error);
        }
        let limit = left(until).ok_or_else(overdue)?;
        if let Some(connected) = dial.wait(limit)? {
            return Ok(connected);
        }
    }
}

/// Each address several times. A server whose queue is full, since many come at once, drops whoever
/// asks to connect, and the system asks again only after a second.
pub(crate) fn persistently(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    addresses.repeat(TRIES)
}

struct Dial<I> {
    left: I,
    next_at: Instant,
    started: u32,
    under_way: Vec<Socket>,
    last_error: io::Error,
}

impl<I: Iterator<Item = SocketAddr> + ExactSizeIterator> Dial<I> {
    /// Starts what it is time for.
    fn start_due(&mut self) -> Option<TcpStream> {
        while self.under_way.is_empty() || Instant::now() >= self.next_at {
            let address = self.left.next()?;
            match start(address) {
                Ok((socket, true)) => return Some(socket.into()),
                Ok((socket, false)) => {
                    self.under_way.push(socket);
                    self.next_at = Instant::now()
                        + if self.started == 0 {
                            HEAD_START
                        } else {
                            NEXT_START
                        };
                    self.started += 1;
                }
                Err(why) => self.last_error = why,
            }
        }
        None
    }

    /// Waits for an answer, or until the next address is due.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<TcpStream>> {
        let until_next = self.next_at.saturating_duration_since(Instant::now());
        let limit = match self.left.len() {
            0 => limit,
            _ => limit.min(until_next),
        };
        let ready = sys::wait_for(&self.under_way, Ready::Write, limit)?;
        for at in (0..ready.len()).rev().filter(|at| ready[*at]) {
            let socket = self.under_way.remove(at);
            match socket.take_error()? {
                None => return Ok(Some(socket.into())),
                Some(why) => {
                    self.last_error = why;
                    // The next one need not wait for what this one had left.
                    self.next_at = Instant::now();
                }
            }
        }
        Ok(None)
    }
}

/// Starts to connect: the socket, which does not block, and whether it is connected already.
fn start(address: SocketAddr) -> io::Result<(Socket, bool)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => Ok((socket, true)),
        Err(why) if sys::is_under_way(&why) => Ok((socket, false)),
        Err(why) => Err(why),
    }
}

/// IPv6 and IPv4 in turns, beginning with the system's choice.
pub(crate) fn in_turns(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let six_first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<&IpAddr>, Vec<&IpAddr>) =
        addresses.iter().partition(|a| a.is_ipv6() == six_first);
    let turns = first.len().max(second.len());
    (0..turns)
        .flat_map(|at| [first.get(at), second.get(at)])
        .flatten()
        .map(|address| **address)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn closed() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    /// A listener whose queue is full: to connect to it takes for ever.
    fn silent() -> (Socket, Vec<TcpStream>, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queue.push(stream);
        }
        (socket, queue, address)
    }

    #[test]
    fn addresses_of_both_families_take_turns() {
        let parse = |text: &str| -> Vec<IpAddr> {
            text.split_whitespace()
                .map(|a| a.parse().unwrap())
                .collect()
        };
        for (given, expected) in [
            ("", ""),
            ("::1 ::2 ::3 1.1.1.1", "::1 1.1.1.1 ::2 ::3"),
            ("1.1.1.1 1.1.1.2 ::1", "1.1.1.1 ::1 1.1.1.2"),
        ] {
            assert_eq!(in_turns(&parse(given)), parse(expected), "{given}");
        }
    }

    #[test]
    fn a_refused_address_is_passed_by_at_once() {
        // Windows asks a port that refuses three times, for some 2 s: who has a head start has not
        // answered until it is over.
        let bound = match cfg!(windows) {
            true => Duration::from_secs(5),
            false => HEAD_START,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let start = Instant::now();
        let addresses = [closed(), closed(), open];
        assert_eq!(dial(&addresses, soon()).unwrap().peer_addr().unwrap(), open);
        assert!(start.elapsed() < bound);
        let why = dial(&addresses[..2], soon()).unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::ConnectionRefused);
        assert!(dial(&[], soon()).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_queue_that_was_full_for_a_moment_is_joined_before_the_system_asks_again() {
        let (listener, _queue, full) = silent();
        let asked_again = Duration::from_millis(900);
        let connected = std::thread::scope(|scope| {
            let dialling = scope.spawn(|| {
                let start = Instant::now();
                dial(&persistently(&[full]), soon()).map(|_| start.elapsed())
            });
            std::thread::sleep(Duration::from_millis(100));
            listener.set_nonblocking(true).unwrap();
            while !dialling.is_finished() {
                drop(listener.accept());
            }
            dialling.join().unwrap().unwrap()
        });
        assert!(connected < asked_again, "{connected:?}");
    }

    #[test]
    fn silent_addresses_cost_a_moment_each_and_alone_they_end_at_the_deadline() {
        let (_listener, _queue, silent) = silent();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let mut addresses = [silent; 9];
        addresses[8] = open;
        let start = Instant::now();
        assert_eq!(dial(&addresses, soon()).unwrap().peer_addr().unwrap(), open);
        assert!(start.elapsed() >= HEAD_START + 7 * NEXT_START);
        let until = Instant::now() + Duration::from_millis(300);
        let why = dial(&addresses[..2], until).unwrap_err();
        assert!(super::super::stream::is_overdue(&why), "{why}");
        assert!(Instant::now() >= until);
    }
}
