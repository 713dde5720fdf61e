//! A program's own store, by what it calls: anything that can compare and swap.
//!
//! Each call is made on a thread of its own, and waited for as long as an operation may take: a
//! program's database client may have timeouts of its own, or none. While a call that was given up
//! goes on, no other is made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Backend, Change, Connection, Stored};
use crate::error::{Error, Status};
use crate::ffi::sys;
use crate::process::fork::PerProcess;
use crate::process::sync::{Condvar, Mutex};

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
    /// A call is being made. Of each process its own.
    busy: PerProcess<AtomicBool>,
}

impl OwnStore {
    pub(crate) fn new(calls: Box<dyn Calls>) -> OwnStore {
        OwnStore {
            shared: Arc::new(Shared {
                calls,
                busy: PerProcess::new(),
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
}

struct Calling {
    shared: Arc<Shared>,
}

impl Connection for Calling {
    fn load(&mut self, name: &str, limit: Duration) -> Result<Stored, Error> {
        let name = name.to_owned();
        self.call(limit, move |calls| calls.load(&name, limit))
    }

    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let change = change.clone();
        self.call(limit, move |calls| calls.swap(&change, limit))
    }
}

impl Calling {
    fn call<R: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce(&dyn Calls) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        if self.shared.busy().swap(true, Ordering::SeqCst) {
            return Err(Error::new(
                Status::Timeout,
                "The store has not returned from an earlier call.",
            ));
        }
        let answer = Arc::new(Answer {
            result: Mutex::new(None),
            given: Condvar::new(),
        });
        let (shared, theirs) = (Arc::clone(&self.shared), Arc::clone(&answer));
        let spawned = sys::spawn("apivideo-store", move || {
            let result = {
                let _over = Over(&shared);
                call(&*shared.calls)
            };
            theirs.give(result);
        });
        if let Err(why) = spawned {
            self.shared.busy().store(false, Ordering::SeqCst);
            return Err(Error::new(
                Status::SystemError,
                format!(
                    "The system refused a thread for the store: {}.",
                    sys::words_of(&why)
                ),
            ));
        }
        answer.wait(limit).unwrap_or_else(|| {
            Err(Error::new(
                Status::Timeout,
                format!("The store did not answer within {} ms.", limit.as_millis()),
            ))
        })
    }
}

/// What a call comes to, for who waits for it.
struct Answer<R> {
    result: Mutex<Option<R>>,
    given: Condvar,
}

impl<R> Answer<R> {
    fn give(&self, result: R) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.given.notify_one();
    }

    fn wait(&self, limit: Duration) -> Option<R> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .given
            .wait_timeout_while(result, limit, |result| result.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// The call is over, even if it panicked.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.busy().store(false, Ordering::SeqCst);
    }
}

impl Shared {
    fn busy(&self) -> &AtomicBool {
        self.busy.get(AtomicBool::default)
    }
}
