//! `fork()`: what a child process must never touch, it gets anew.
//!
//! A forked child has one thread. Locks that the parent's other threads held stay locked there for ever, threads
//! are gone, and a refresh token still belongs to the parent. So everything mutable lives in a [`PerProcess`] cell,
//! which a child leaves as it is and fills again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::ffi::sys;

static GENERATION: AtomicU64 = AtomicU64::new(0);
static WATCHING: AtomicBool = AtomicBool::new(false);

/// Starts counting forks. Called before anything that must know of them is made.
pub(crate) fn watch() {
    // Not a `Once`: its lock could be held, for ever, by a thread that a fork has left behind. If two threads come here at
    // once, each fork counts as two, which does no harm.
    if !WATCHING.load(Ordering::Acquire) {
        sys::at_fork_in_child(count_fork);
        WATCHING.store(true, Ordering::Release);
    }
}

extern "C" fn count_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// How many forks lie between this process and the one that loaded the library.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// A value of which each process makes its own, when it first needs it.
pub(crate) struct PerProcess<T> {
    /// That of the process in which this was made, if it was made with one. The cell costs each thread that comes to it for the
    /// first time a search among all that do: too much for thousands at once.
    first: Option<Arc<Owned<T>>>,
    cell: ArcSwapOption<Owned<T>>,
}

/// A value and the process it belongs to.
pub(crate) struct Owned<T> {
    generation: u64,
    pub(crate) value: T,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess {
            first: None,
            cell: ArcSwapOption::const_empty(),
        }
    }

    /// With this process's value.
    pub(crate) fn with(value: T) -> PerProcess<T> {
        let generation = generation();
        PerProcess {
            first: Some(Arc::new(Owned { generation, value })),
            cell: ArcSwapOption::const_empty(),
        }
    }

    /// The value that was there from the beginning, in the process that this was made in.
    fn first(&self) -> Option<&Arc<Owned<T>>> {
        let first = self.first.as_ref()?;
        (first.generation == generation()).then_some(first)
    }

    /// Whether this process has made its value.
    pub(crate) fn is_made(&self) -> bool {
        if self.first().is_some() {
            return true;
        }
        let current = self.cell.load();
        current
            .as_ref()
            .is_some_and(|owned| owned.generation == generation())
    }

    /// Drops the value that [`PerProcess::get`] made; the next one makes another.
    pub(crate) fn clear(&self) {
        self.cell.store(None);
    }

    /// This process's value. Without a lock, so a fork in the middle of it does no harm.
    pub(crate) fn get(&self, make: impl Fn() -> T) -> Arc<Owned<T>> {
        if let Some(first) = self.first() {
            return Arc::clone(first);
        }
        loop {
            let current = self.cell.load_full();
            let generation = generation();
            if let Some(owned) = &current
                && owned.generation == generation
            {
                return Arc::clone(owned);
            }
            // Never dropped: dropping could touch what the parent's threads had locked or half changed.
            std::mem::forget((self.first.clone(), current.clone()));
            let value = make();
            let fresh = Arc::new(Owned { generation, value });
            self.cell.compare_and_swap(&current, Some(fresh));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_makes_its_own_value_once_and_never_drops_the_parents() {
        struct Touchy;
        impl Drop for Touchy {
            fn drop(&mut self) {
                panic!("dropped in the child");
            }
        }
        let parents = || Owned {
            generation: generation().wrapping_sub(1),
            value: Some(Touchy),
        };
        let made_later = PerProcess {
            first: None,
            cell: ArcSwapOption::from_pointee(parents()),
        };
        let made_first = PerProcess {
            first: Some(Arc::new(parents())),
            cell: ArcSwapOption::const_empty(),
        };
        for cell in [made_later, made_first] {
            assert!(!cell.is_made());
            assert!(cell.get(|| None).value.is_none());
            assert!(cell.is_made());
            cell.get(|| unreachable!("made twice"));
        }
    }

    #[test]
    fn what_is_there_from_the_beginning_is_not_made() {
        let cell = PerProcess::with(1);
        assert!(cell.is_made());
        assert_eq!(cell.get(|| unreachable!("made")).value, 1);
    }
}
