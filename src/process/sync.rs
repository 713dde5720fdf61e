//! What threads share: std's locks and arc-swap's cells, or, where every interleaving is tried, the
//! model checker's.
//!
//! Not parking_lot's locks: they park threads in one table for the process, whose own locks a
//! forked child may find taken for ever.

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread_local,
};

#[cfg(not(all(test, shuttle)))]
pub(crate) use arc_swap::ArcSwapOption;

/// A lock whose holder panicked is as good as any other: each change of what it guards is complete
/// in itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Condvar, Mutex, MutexGuard},
    thread_local,
};

#[cfg(all(test, shuttle))]
pub(crate) use stand_in::ArcSwapOption;

/// A cell as arc-swap's, each of whose operations is one step for the model checker.
#[cfg(all(test, shuttle))]
mod stand_in {
    use std::sync::{Arc, PoisonError};

    use super::Mutex;

    pub(crate) struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

    impl<T> ArcSwapOption<T> {
        pub(crate) fn empty() -> ArcSwapOption<T> {
            ArcSwapOption(Mutex::new(None))
        }

        pub(crate) fn load_full(&self) -> Option<Arc<T>> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }

        pub(crate) fn store(&self, value: Option<Arc<T>>) {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *held = value;
        }
    }
}
