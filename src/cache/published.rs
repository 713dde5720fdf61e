//! The published token, as readers see it: taken without a lock, without an allocation, and without
//! sharing a cache line.
//!
//! # Synchronization
//!
//! One writer at a time (it holds the state's lock) publishes to any number of readers. What they
//! share is the version and the slots; what a thread has read it keeps in its own cache, by
//! version.
//!
//! - **A publication writes the slots, then the version, with `Release`. A read loads the version,
//!   with `Acquire`, then its slot.** So a reader that sees a version finds its token, or a newer
//!   one, in every slot. With `Relaxed` on either side a reader could see the new version, find the
//!   old token in its slot, and remember it as the new one: a rejected token would come back, for
//!   as long as that version lasts. Writing the version first would do the same.
//! - **Between the first slot's write and the version's, some threads get the new token and some
//!   the old**, each of which is good. `invalidate` returns, and a waiter gets its answer, only
//!   after the version was written: so a thread that was told of the new token, or of the
//!   rejection, by whatever means that synchronizes, reads nothing older.
//! - **Versions are never used twice**, by any client: they come from one counter, and `Relaxed` is
//!   enough for that, since each `fetch_add` gives another number and orders nothing else. A
//!   thread's cache slot that another client has taken never matches by accident.
//! - **Version 0 means that there is no token.** A reader then looks no further, so emptied slots
//!   are seen or not, as it may be: the version was written after them.
//! - **A thread's cache is its own** (`thread_local`), so nothing there needs an ordering. It holds
//!   the token weakly: `upgrade` fails once the slots have let go of it, and the slot is read
//!   again.
//! - **The slots are arc-swap's**, which orders a token's contents before the pointer to it. A
//!   token itself changes only in the tick at which it was last checked, a number of no consequence
//!   but to itself: `Relaxed`.
//! - `NEXT` of the cache slots and of the thread numbers only spread threads and clients:
//!   `Relaxed`.

use std::cell::{Cell, RefCell};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use crate::clock::Clock;
use crate::process::sync::{ArcSwapOption, AtomicU64, Ordering, thread_local};
use crate::token::{Token, TokenSet};

/// A slot on cache lines of its own, so that the readers of one do not slow down those of the next.
#[repr(align(128))]
struct Slot(ArcSwapOption<Token>);

/// One handle to the same token set for each of many slots: threads that read at the same time
/// count references in different places.
pub(crate) struct Published {
    /// Which slot of a thread's cache holds what it read here.
    cache_slot: usize,
    /// Changes with each publication, and no other `Published` has the same; 0: there is no token.
    version: AtomicU64,
    slots: Box<[Slot]>,
}

/// Of how many clients a thread remembers what it read.
const CACHE_SLOTS: usize = 4;

thread_local! {
    /// What the calling thread read last, and its version: to count one reference is half the work
    /// of finding the slot's. Weak, so that a thread that reads no more does not keep a secret.
    static LAST_READ: [RefCell<(u64, Weak<Token>)>; CACHE_SLOTS] =
        const { [const { RefCell::new((0, Weak::new())) }; CACHE_SLOTS] };
}

impl Published {
    pub(crate) fn new() -> Published {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Published {
            cache_slot: NEXT.fetch_add(1, Ordering::Relaxed) % CACHE_SLOTS,
            version: AtomicU64::new(0),
            slots: (0..slot_count())
                .map(|_| Slot(ArcSwapOption::empty()))
                .collect(),
        }
    }

    /// The published token, for the calling thread.
    pub(crate) fn read(&self) -> Option<Arc<Token>> {
        let version = self.version.load(Ordering::Acquire);
        if version == 0 {
            return None;
        }
        self.last_read(version).or_else(|| {
            let token = self.read_slot()?;
            self.remember(version, &token);
            Some(token)
        })
    }

    /// What the calling thread remembers of a version. Nothing while the thread ends.
    fn last_read(&self, version: u64) -> Option<Arc<Token>> {
        LAST_READ
            .try_with(|last| match &*last[self.cache_slot].borrow() {
                (of, token) if *of == version => token.upgrade(),
                _ => None,
            })
            .ok()
            .flatten()
    }

    fn remember(&self, version: u64, token: &Arc<Token>) {
        let read = (version, Arc::downgrade(token));
        let _ = LAST_READ.try_with(|last| last[self.cache_slot].replace(read));
    }

    fn read_slot(&self) -> Option<Arc<Token>> {
        self.slots[thread_number() & (self.slots.len() - 1)]
            .0
            .load_full()
    }

    /// What readers get from now on.
    pub(crate) fn publish(&self, set: Option<Arc<TokenSet>>, clock: &Arc<dyn Clock>) {
        static NEXT_VERSION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let version = match &set {
            Some(_) => NEXT_VERSION.fetch_add(1, Ordering::Relaxed),
            None => 0,
        };
        for slot in &self.slots {
            slot.0.store(
                set.as_ref()
                    .map(|set| Arc::new(Token::new(Arc::clone(set), Arc::clone(clock)))),
            );
        }
        // Last: who sees this version finds its token, or a newer one, in the slots.
        self.version.store(version, Ordering::Release);
    }
}

/// How many slots a client has: some for each core. The system is asked once, since it reads files.
fn slot_count() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    match COUNT.load(Ordering::Relaxed) {
        0 => {
            let cores = available_parallelism().map_or(1, |n| n.get());
            let count = (cores * 4).next_power_of_two().clamp(8, 256);
            COUNT.store(count, Ordering::Relaxed);
            count
        }
        count => count,
    }
}

/// A small number for the calling thread. Threads started one after another have different ones.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::thread;

    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn every_thread_reads_what_was_published() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let set = Arc::new(TokenSet::for_an_hour("access", None));
        let published = Published::new();
        published.publish(Some(set), &clock);
        thread::scope(|threads| {
            for _ in 0..2 * published.slots.len() {
                threads.spawn(|| published.read().unwrap());
            }
        });
    }

    #[test]
    fn a_thread_remembers_what_it_has_read_until_something_else_is_published() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let [first, second] =
            ["first", "second"].map(|access| Some(Arc::new(TokenSet::for_an_hour(access, None))));
        let [mut published, mut other] = [Published::new(), Published::new()];
        (published.cache_slot, other.cache_slot) = (0, 1);
        let read = |from: &Published| Some(from.read()?.access_token().to_owned());
        assert_eq!(read(&published), None);
        published.publish(first.clone(), &clock);
        let held = published.read().unwrap();
        for slot in &published.slots {
            slot.0.store(None);
        }
        other.publish(second.clone(), &clock);
        assert_eq!(read(&other).as_deref(), Some("second"));
        assert!(Arc::ptr_eq(&published.read().unwrap(), &held));
        // Another client that has the same place takes it, and no more.
        other.cache_slot = 0;
        assert_eq!(read(&other).as_deref(), Some("second"));
        assert_eq!(read(&published), None);
        published.publish(second, &clock);
        assert_eq!(read(&published).as_deref(), Some("second"));
        published.publish(None, &clock);
        assert_eq!(read(&published), None);
    }

    #[test]
    fn a_thread_that_reads_no_more_keeps_no_token() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let set = Arc::new(TokenSet::for_an_hour("access", None));
        let published = Published::new();
        published.publish(Some(Arc::clone(&set)), &clock);
        drop(published.read());
        drop(published);
        assert_eq!(Arc::strong_count(&set), 1);
    }

    #[test]
    fn each_thread_has_a_number_of_its_own_and_keeps_it() {
        let here = thread_number();
        let there = thread::spawn(thread_number).join().unwrap();
        assert_eq!(thread_number(), here);
        assert_ne!(there, here);
    }
}
