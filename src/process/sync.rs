//! The locks of this crate: std's, or, where every interleaving is tried, the model checker's.
//!
//! Not parking_lot's: it parks threads in one table for the process, whose locks a forked child may find taken for ever.

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
