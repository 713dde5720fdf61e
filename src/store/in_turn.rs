//! Operations that nobody can interrupt: each on a thread of its own, one at a time in a process,
//! and waited for as long as it may take.
//!
//! One that comes while another is under way waits for its turn. While one that was given up has
//! not returned, all others are refused at once: more of them would hang like it.

use std::sync::mpsc::{RecvTimeoutError, TryRecvError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Status};
use crate::ffi::sys;
use crate::process::fork::PerProcess;
use crate::process::sync::{Condvar, Mutex, MutexGuard};

/// Of each process its own: a child inherits no thread, and so no operation.
pub(crate) struct InTurn(PerProcess<Turn>);

#[derive(Default)]
struct Turn {
    held: Mutex<HeldBy>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum HeldBy {
    #[default]
    Nobody,
    WhoIsWaitedFor,
    WhoWasGivenUp,
}

impl InTurn {
    pub(crate) fn new() -> Arc<InTurn> {
        Arc::new(InTurn(PerProcess::new()))
    }

    /// What the operation gives, which is told how much of the time is left for it.
    pub(crate) fn result<R: Send + 'static>(
        self: &Arc<InTurn>,
        limit: Duration,
        operation: impl FnOnce(Duration) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let until = Instant::now() + limit;
        let turn = self.turn();
        turn.take(until)
            .ok_or_else(|| Error::new(Status::Timeout, NOT_RETURNED))?;
        let (answer, answers) = sync_channel(1);
        let theirs = Arc::clone(self);
        let spawned = sys::spawn("apivideo-store", move || {
            let _over = Over(&theirs);
            // Dropped before the turn is over, even in a panic.
            let answer = answer;
            let left = until.saturating_duration_since(Instant::now());
            let _ = answer.send(operation(left));
        });
        if let Err(why) = spawned {
            turn.give(HeldBy::Nobody);
            return Err(Error::no_thread(&why));
        }
        let left = until.saturating_duration_since(Instant::now());
        match answers.recv_timeout(left) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Err(panicked()),
            Err(RecvTimeoutError::Timeout) => {
                let mut held = turn.held();
                // Under the lock: if there is no answer now, the turn is that operation's still.
                match answers.try_recv() {
                    Ok(result) => result,
                    Err(TryRecvError::Disconnected) => Err(panicked()),
                    Err(TryRecvError::Empty) => {
                        *held = HeldBy::WhoWasGivenUp;
                        turn.changed.notify_all();
                        let message =
                            format!("The store did not answer within {} ms.", limit.as_millis());
                        Err(Error::new(Status::Timeout, message))
                    }
                }
            }
        }
    }

    fn turn(&self) -> &Turn {
        self.0.get(Turn::default)
    }
}

const NOT_RETURNED: &str = "The store has not returned from an earlier call.";

fn panicked() -> Error {
    Error::new(Status::Internal, "The store's call panicked.")
}

impl Turn {
    /// Waits for its turn. `None` if it does not come.
    fn take(&self, until: Instant) -> Option<()> {
        let mut held = self.held();
        while *held != HeldBy::Nobody {
            let left = until.saturating_duration_since(Instant::now());
            if *held == HeldBy::WhoWasGivenUp || left.is_zero() {
                return None;
            }
            let waited = self.changed.wait_timeout(held, left);
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *held = HeldBy::WhoIsWaitedFor;
        Some(())
    }

    fn give(&self, to: HeldBy) {
        *self.held() = to;
        self.changed.notify_all();
    }

    fn held(&self) -> MutexGuard<'_, HeldBy> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operation is over, even if it panicked.
struct Over<'a>(&'a InTurn);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.turn().give(HeldBy::Nobody);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    const LONG: Duration = Duration::from_secs(20);

    /// An operation that says when it is under way, and ends when it is told to.
    fn held_up() -> (
        impl FnOnce(Duration) -> Result<u8, Error>,
        Receiver<()>,
        Sender<u8>,
    ) {
        let (begun, has_begun) = channel();
        let (end, ended) = channel();
        let operation = move |_| {
            begun.send(()).unwrap();
            Ok(ended.recv().unwrap())
        };
        (operation, has_begun, end)
    }

    #[test]
    fn who_comes_while_another_is_waited_for_waits_for_its_turn() {
        let in_turn = InTurn::new();
        let (operation, has_begun, end) = held_up();
        let (done, second) = channel();
        thread::scope(|scope| {
            let first = scope.spawn(|| in_turn.result(LONG, operation));
            has_begun.recv().unwrap();
            scope.spawn(|| done.send(in_turn.result(LONG, |_| Ok(2))).unwrap());
            let early = second.recv_timeout(Duration::from_millis(50));
            assert_eq!(early.err(), Some(RecvTimeoutError::Timeout));
            end.send(1).unwrap();
            assert_eq!(first.join().unwrap().unwrap(), 1);
            assert_eq!(second.recv().unwrap().unwrap(), 2);
        });
    }

    #[test]
    fn while_one_that_was_given_up_is_out_the_others_are_refused_at_once() {
        let in_turn = InTurn::new();
        let (operation, _has_begun, end) = held_up();
        let given_up = in_turn.result(Duration::from_millis(10), operation);
        let message = given_up.unwrap_err().message;
        assert_eq!(message, "The store did not answer within 10 ms.");
        let start = Instant::now();
        let refused = in_turn.result(LONG, |_| Ok(2)).unwrap_err();
        assert_eq!(refused.message, NOT_RETURNED);
        assert!(start.elapsed() < LONG);
        end.send(1).unwrap();
        while in_turn.result(LONG, |_| Ok(3)).is_err() {
            assert!(start.elapsed() < LONG, "it has returned");
            thread::yield_now();
        }
    }

    #[test]
    fn who_waited_too_long_for_its_turn_leaves_it_to_the_next() {
        let in_turn = InTurn::new();
        let (operation, has_begun, end) = held_up();
        thread::scope(|scope| {
            let first = scope.spawn(|| in_turn.result(LONG, operation));
            has_begun.recv().unwrap();
            let late = in_turn.result(Duration::from_millis(10), |_| Ok(2));
            assert_eq!(late.unwrap_err().status, Status::Timeout);
            end.send(1).unwrap();
            assert_eq!(first.join().unwrap().unwrap(), 1);
        });
        assert_eq!(in_turn.result(LONG, |_| Ok(3)).unwrap(), 3);
    }

    #[test]
    fn a_panic_ends_a_turn_and_is_called_one() {
        let in_turn = InTurn::new();
        let failed = in_turn.result(LONG, |_| -> Result<u8, Error> { panic!("on purpose") });
        assert_eq!(failed.unwrap_err().status, Status::Internal);
        assert_eq!(in_turn.result(LONG, |_| Ok(3)).unwrap(), 3);
    }
}
