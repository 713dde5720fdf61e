//! Completion: where a waiting caller's answer arrives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Status};
use crate::process::fork;
use crate::process::sync::{Condvar, Mutex, MutexGuard};
use crate::token::TokenSet;

type Callback = Box<dyn FnOnce() + Send>;

/// Where one caller's answer arrives, mostly a token: once, and it never changes after.
pub(crate) struct Completion<T = Arc<TokenSet>> {
    /// The process whose threads will answer it.
    process: u64,
    slot: Mutex<Slot<T>>,
    answered: Condvar,
}

struct Slot<T> {
    answer: Option<Result<T, Error>>,
    callback: Option<Callback>,
    had_callback: bool,
}

impl<T: Clone> Completion<T> {
    pub(crate) fn new() -> Completion<T> {
        Completion {
            process: fork::generation(),
            slot: Mutex::new(Slot {
                answer: None,
                callback: None,
                had_callback: false,
            }),
            answered: Condvar::new(),
        }
    }

    /// The slot's lock; an error in a forked child, where a thread that does not exist there may
    /// hold it for ever.
    fn slot(&self) -> Result<MutexGuard<'_, Slot<T>>, Error> {
        if !self.is_ours() {
            return Err(Error::new(
                Status::Cancelled,
                "The operation belongs to the process that this one was forked from. Start it again here.",
            ));
        }
        Ok(self.slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings the answer, unless there is one already.
    pub(crate) fn answer(&self, answer: Result<T, Error>) {
        let Ok(mut slot) = self.slot() else { return };
        if slot.answer.is_some() {
            return;
        }
        slot.answer = Some(answer);
        let callback = slot.callback.take();
        drop(slot);
        self.answered.notify_all();
        if let Some(callback) = callback {
            call(callback);
        }
    }

    /// The answer, if it is there within `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<Result<T, Error>> {
        let mut slot = match self.slot() {
            Ok(slot) => slot,
            Err(error) => return Some(Err(error)),
        };
        // None: so far away that it never comes.
        let until = Instant::now().checked_add(timeout);
        while slot.answer.is_none() {
            let left = until.map_or(Duration::MAX, |u| {
                u.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return None;
            }
            slot = self
                .answered
                .wait_timeout(slot, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        slot.answer.clone()
    }

    /// Whether this process's threads will answer it.
    pub(crate) fn is_ours(&self) -> bool {
        self.process == fork::generation()
    }

    /// Calls `callback` once, when the answer is there: at once if it is already. An error if one
    /// was set before.
    pub(crate) fn on_answer(&self, callback: Callback) -> Result<(), Error> {
        let mut slot = self.slot()?;
        if std::mem::replace(&mut slot.had_callback, true) {
            return Err(Error::invalid(
                "The operation has a completion callback already.",
            ));
        }
        if slot.answer.is_none() {
            slot.callback = Some(callback);
        } else {
            drop(slot);
            call(callback);
        }
        Ok(())
    }
}

/// A program's callback that panics must not take the answers of others with it.
fn call(callback: Callback) {
    let _ = catch_unwind(AssertUnwindSafe(callback));
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn answer() -> Result<(), Error> {
        Err(Error::new(Status::Closed, "an answer"))
    }

    #[test]
    fn a_callback_is_called_when_the_answer_comes() {
        let (call, calls) = channel();
        let completion = Completion::new();
        completion
            .on_answer(Box::new(move || call.send(()).unwrap()))
            .unwrap();
        calls.try_recv().unwrap_err();
        completion.answer(answer());
        calls.try_recv().unwrap();
    }

    #[test]
    fn a_callback_for_an_answer_that_is_there_is_called_at_once() {
        let (call, calls) = channel();
        let completion = Completion::new();
        completion.answer(answer());
        completion
            .on_answer(Box::new(move || call.send(()).unwrap()))
            .unwrap();
        calls.try_recv().unwrap();
    }

    #[test]
    fn a_second_callback_is_an_error() {
        let completion = Completion::<()>::new();
        completion.on_answer(Box::new(|| {})).unwrap();
        let error = completion.on_answer(Box::new(|| {})).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
    }

    #[test]
    fn a_parents_completion_is_cancelled() {
        let parents = Completion::<()> {
            process: fork::generation().wrapping_sub(1),
            ..Completion::new()
        };
        let error = parents.wait(Duration::ZERO).unwrap().unwrap_err();
        assert_eq!(error.status, Status::Cancelled);
    }
}
