//! A program's own store, by what it calls: anything that can compare and swap.
//!
//! Each call is made on a thread of its own, and waited for as long as an operation may take: a
//! program's database client may have timeouts of its own, or none. Calls take turns, of any clients;
//! one that was given up has its turn until it returns.

use std::mem;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Backend, Change, Connection, Stored};
use crate::error::{Error, Status};
use crate::ffi::sys;
use crate::process::fork::PerProcess;

/// What a program does to load and to swap.
pub(crate) trait Calls: Send + Sync {
    fn load(&self, name: &str, limit: Duration) -> Result<Stored, Error>;
    fn swap(&self, change: &Change, limit: Duration) -> Result<bool, Error>;
}

pub(crate) struct OwnStore {
    shared: Arc<Shared>,
}

struct Shared {
    calls: Box<dyn Calls>,
    /// Of each process its own.
    turn: PerProcess<Turn>,
}

impl OwnStore {
    pub(crate) fn new(calls: Box<dyn Calls>) -> OwnStore {
        OwnStore {
            shared: Arc::new(Shared {
                calls,
                turn: PerProcess::new(),
            }),
        }
    }
}

impl Backend for OwnStore {
    fn open(&self) -> Box<dyn Connection> {
        Box::new(Calling {
            shared: Arc::clone(&self.shared),
        })
    }

    fn is_quick(&self) -> bool {
        false
    }

    fn outlives_client(&self) -> bool {
        false
    }
}

struct Calling {
    shared: Arc<Shared>,
}

impl Connection for Calling {
    fn load(&mut self, name: &str, limit: Duration) -> Result<Stored, Error> {
        let name = name.to_owned();
        self.call(limit, move |calls, left| calls.load(&name, left))
    }

    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let change = change.clone();
        self.call(limit, move |calls, left| calls.swap(&change, left))
    }
}

impl Calling {
    fn call<R: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce(&dyn Calls, Duration) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let until = Instant::now() + limit;
        if !self.shared.turn().take(limit) {
            return Err(Error::new(
                Status::Timeout,
                "The store has not returned from an earlier call.",
            ));
        }
        let left = until.saturating_duration_since(Instant::now());
        let (answer, answers) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let spawned = sys::spawn("apivideo-store", move || {
            let result = {
                let _over = Over(&shared);
                call(&*shared.calls, left)
            };
            let _ = answer.send(result);
        });
        if let Err(why) = spawned {
            self.shared.turn().give_back();
            return Err(Error::new(
                Status::SystemError,
                format!("The system refused a thread for the store: {why}."),
            ));
        }
        answers.recv_timeout(left).unwrap_or_else(|why| {
            Err(match why {
                RecvTimeoutError::Timeout => Error::new(
                    Status::Timeout,
                    format!("The store did not answer within {} ms.", limit.as_millis()),
                ),
                RecvTimeoutError::Disconnected => {
                    Error::new(Status::Internal, "The store's call panicked.")
                }
            })
        })
    }
}

/// The call is over, even if it panicked.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.turn().give_back();
    }
}

impl Shared {
    fn turn(&self) -> &Turn {
        self.turn.get(Turn::default)
    }
}

/// Whether a call is being made.
#[derive(Default)]
struct Turn {
    taken: Mutex<bool>,
    over: Condvar,
}

impl Turn {
    /// Waits for it. `false`: in vain.
    fn take(&self, limit: Duration) -> bool {
        let (mut taken, _) = self
            .over
            .wait_timeout_while(self.taken(), limit, |taken| *taken)
            .unwrap_or_else(PoisonError::into_inner);
        !mem::replace(&mut *taken, true)
    }

    fn give_back(&self) {
        *self.taken() = false;
        self.over.notify_one();
    }

    fn taken(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
