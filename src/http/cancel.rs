//! The end of exchanges that somebody no longer wants.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::stream::Socket;
use crate::error::{Error, Status};
use crate::process::sync::{Condvar, Mutex, MutexGuard};

/// Ends the exchanges that are made with it, at once and from any thread, and every later one.
///
/// A connection that is still being made is not cut: it ends after the connect timeout at the
/// latest, and no byte of a request goes over it.
#[derive(Default)]
pub(crate) struct Cancel {
    state: Mutex<State>,
    cancelled: Condvar,
}

#[derive(Default)]
struct State {
    is_cancelled: bool,
    in_use: Vec<Weak<TcpStream>>,
}

impl Cancel {
    pub(crate) fn cancel(&self) {
        let mut state = self.lock();
        state.is_cancelled = true;
        for tcp in state.in_use.drain(..).filter_map(|tcp| tcp.upgrade()) {
            // Whoever waits for it finds it closed.
            let _ = tcp.shutdown(Shutdown::Both);
        }
        self.cancelled.notify_all();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.lock().is_cancelled
    }

    /// Waits; `false`, at once, when it is cancelled.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        // None: so far away that it never comes.
        let until = Instant::now().checked_add(time);
        let mut state = self.lock();
        while !state.is_cancelled {
            let left = until.map_or(Duration::MAX, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return true;
            }
            let waited = self.cancelled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// From now on this connection is shut down when it is cancelled, as long as the result lives.
    pub(super) fn watch(&self, socket: &Socket) -> Result<Watched<'_>, Error> {
        let mut state = self.lock();
        if state.is_cancelled {
            return Err(cancelled());
        }
        let tcp = Arc::downgrade(socket.tcp());
        state.in_use.push(Weak::clone(&tcp));
        Ok(Watched { cancel: self, tcp })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is in use. Once this is dropped, it may serve others, and is left alone.
pub(super) struct Watched<'a> {
    cancel: &'a Cancel,
    tcp: Weak<TcpStream>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let mut state = self.cancel.lock();
        state.in_use.retain(|tcp| !tcp.ptr_eq(&self.tcp));
    }
}

pub(crate) fn cancelled() -> Error {
    Error::new(Status::Cancelled, "The operation was cancelled.")
}

#[cfg(test)]
mod tests {
    use super::super::stream::Patience;
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    fn socket(listener: &TcpListener) -> (Socket, TcpStream) {
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::new(ours, Patience::Still(Duration::from_secs(60)));
        (socket, listener.accept().unwrap().0)
    }

    #[test]
    fn a_wait_for_a_connection_ends_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut socket, _peer) = socket(&listener);
        let cancel = Cancel::default();
        let _watched = cancel.watch(&socket).unwrap();
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| cancel.cancel());
            // Windows calls it an error.
            assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0);
        });
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(cancel.watch(&socket).is_err());
    }

    #[test]
    fn a_connection_that_is_done_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut socket, mut peer) = socket(&listener);
        let cancel = Cancel::default();
        drop(cancel.watch(&socket).unwrap());
        cancel.cancel();
        std::io::Write::write_all(&mut peer, b"x").unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn sleep_ends_in_time_or_when_it_is_cancelled() {
        let cancel = Cancel::default();
        assert!(cancel.sleep(Duration::from_millis(1)));
        thread::scope(|scope| {
            let sleeps = scope.spawn(|| cancel.sleep(Duration::MAX));
            cancel.cancel();
            assert!(!sleeps.join().unwrap());
        });
        assert!(!cancel.sleep(Duration::MAX));
    }
}
