//! `fork()`: what a child process must never touch, it gets anew.
//!
//! A forked child has one thread. Locks that the parent's other threads held stay locked there for
//! ever, threads are gone, and a refresh token still belongs to the parent. So everything mutable
//! lives in a [`PerProcess`] cell, which a child leaves as it is and fills again.

use std::sync::atomic::{AtomicU64, Ordering};

use once_cell::race::OnceBox;

use crate::ffi::sys;

/// The generation of the newest process that has asked for its own. A child begins with its
/// parent's.
static NEWEST: AtomicU64 = AtomicU64::new(0);

/// This process's generation, 0 until it asks: in memory that the kernel empties in every child,
/// however that was forked.
static OWN: OnceBox<WipedInChild> = OnceBox::new();

struct WipedInChild(&'static AtomicU64);

/// Starts counting forks. Called before anything that must know of them is made.
pub(crate) fn watch() {
    generation();
}

fn own() -> &'static AtomicU64 {
    OWN.get_or_init(|| {
        let own = Box::new(WipedInChild(sys::wiped_in_child()));
        // Not every kernel empties memory. `fork()` itself calls this; registered twice, it does no
        // harm.
        sys::at_fork_in_child(forget_generation);
        own
    })
    .0
}

extern "C" fn forget_generation() {
    own().store(0, Ordering::Relaxed);
}

/// A number that a process has in common with none of its forebears. Lock-free: a fork may come in
/// the middle of it.
pub(crate) fn generation() -> u64 {
    let own = own();
    match own.load(Ordering::Relaxed) {
        0 => new_generation(own),
        generation => generation,
    }
}

#[cold]
fn new_generation(own: &AtomicU64) -> u64 {
    // First of all: a child that is forked before this process has its number must not get it too.
    let next = NEWEST.fetch_add(1, Ordering::SeqCst) + 1;
    // Of threads that come at once, one's number is taken.
    match own.compare_exchange(0, next, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => next,
        Err(generation) => generation,
    }
}

/// A value of which each process makes its own, when it first needs it.
///
/// A chain: the value of the first process that needed one, then that of its child that did, and so
/// on. It only grows, by one atomic step, so a fork in the middle does no harm.
pub(crate) struct PerProcess<T> {
    first: OnceBox<Link<T>>,
}

struct Link<T> {
    generation: u64,
    /// There until it is dropped.
    value: Option<T>,
    next: OnceBox<Link<T>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess {
            first: OnceBox::new(),
        }
    }

    /// With this process's value.
    pub(crate) fn with(value: T) -> PerProcess<T> {
        PerProcess {
            first: OnceBox::with_value(Box::new(Link::new(value))),
        }
    }

    /// Whether this process has made its value.
    pub(crate) fn is_made(&self) -> bool {
        self.made().is_some()
    }

    /// This process's value, if it has made one.
    pub(crate) fn made(&self) -> Option<&T> {
        let mut cell = &self.first;
        while let Some(link) = cell.get() {
            if let Some(value) = link.own() {
                return Some(value);
            }
            cell = &link.next;
        }
        None
    }

    /// This process's value. If threads come at once, `make` may be called more than once; all get
    /// the same value.
    pub(crate) fn get(&self, make: impl Fn() -> T) -> &T {
        let mut cell = &self.first;
        loop {
            let link = cell.get_or_init(|| Box::new(Link::new(make())));
            if let Some(value) = link.own() {
                return value;
            }
            cell = &link.next;
        }
    }
}

impl<T> Link<T> {
    fn new(value: T) -> Link<T> {
        Link {
            generation: generation(),
            value: Some(value),
            next: OnceBox::new(),
        }
    }

    /// The value, if it is this process's.
    fn own(&self) -> Option<&T> {
        self.value
            .as_ref()
            .filter(|_| self.generation == generation())
    }
}

impl<T> Drop for Link<T> {
    /// A parent's value is never dropped: that could touch what its threads had locked or half
    /// changed.
    fn drop(&mut self) {
        if self.generation != generation() {
            std::mem::forget(self.value.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell as a forked child finds it, with what its parent made.
    fn inherited<T>(value: T) -> PerProcess<T> {
        PerProcess {
            first: OnceBox::with_value(Box::new(Link {
                generation: generation().wrapping_sub(1),
                value: Some(value),
                next: OnceBox::new(),
            })),
        }
    }

    #[test]
    fn a_child_makes_its_own_value_once_and_never_drops_the_parents() {
        struct Touchy;
        impl Drop for Touchy {
            fn drop(&mut self) {
                panic!("dropped in the child");
            }
        }
        let cell = inherited(Some(Touchy));
        assert!(!cell.is_made());
        assert!(cell.get(|| None).is_none());
        assert!(cell.is_made());
        cell.get(|| unreachable!("made twice"));
    }

    #[test]
    fn a_process_drops_its_own_value() {
        let value = std::sync::Arc::new(());
        drop(PerProcess::with(value.clone()));
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }

    #[test]
    fn what_is_there_from_the_beginning_is_not_made() {
        let cell = PerProcess::with(1);
        assert!(cell.is_made());
        assert_eq!(*cell.get(|| unreachable!("made")), 1);
    }

    #[test]
    fn a_generation_that_was_wiped_is_followed_by_another() {
        let own = AtomicU64::new(0);
        let [first, same] = [(); 2].map(|()| match own.load(Ordering::Relaxed) {
            0 => new_generation(&own),
            generation => generation,
        });
        assert_eq!(first, same);
        own.store(0, Ordering::Relaxed);
        assert!(new_generation(&own) > first);
    }
}
