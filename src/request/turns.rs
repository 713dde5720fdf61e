//! So many requests are made at once, and the others wait for their turn.

use std::collections::VecDeque;
use std::sync::PoisonError;

use crate::process::sync::{Mutex, MutexGuard};

/// Each takes a thread.
const MOST_AT_ONCE: usize = 64;

/// Turns, taken in the order in which they are asked for.
pub(super) struct Turns<T>(Mutex<State<T>>);

struct State<T> {
    taken: usize,
    waiting: VecDeque<T>,
}

impl<T> Default for Turns<T> {
    fn default() -> Turns<T> {
        Turns(Mutex::new(State {
            taken: 0,
            waiting: VecDeque::new(),
        }))
    }
}

impl<T> Turns<T> {
    /// Gives it back if its turn is now; else it waits.
    pub(super) fn take(&self, work: T) -> Option<T> {
        let mut state = self.lock();
        if state.taken < MOST_AT_ONCE {
            state.taken += 1;
            return Some(work);
        }
        state.waiting.push_back(work);
        None
    }

    /// One turn is over: gives whose that is now, if anybody waits.
    pub(super) fn pass_on(&self) -> Option<T> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.taken = state.taken.saturating_sub(1);
        }
        next
    }

    /// Nobody waits any more.
    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        // Outside the lock.
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_limited_and_come_in_order() {
        let turns = Turns::default();
        let most = MOST_AT_ONCE;
        assert!((0..most).all(|n| turns.take(n) == Some(n)));
        assert!((most..most + 3).all(|n| turns.take(n).is_none()));
        assert_eq!(turns.pass_on(), Some(most));
        assert_eq!(turns.take(7), None, "no turn is free");
        assert_eq!(turns.pass_on(), Some(most + 1));
        turns.clear();
        assert!((0..most).all(|_| turns.pass_on().is_none()));
        assert!((0..most).all(|n| turns.take(n) == Some(n)), "all are free");
        assert_eq!(turns.take(0), None);
    }
}
