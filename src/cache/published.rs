//! The token as readers see it: taken without a lock, without an allocation, and without sharing a cache line.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use arc_swap::ArcSwapOption;

use crate::clock::Clock;
use crate::token::{Token, TokenSet};

/// A slot on cache lines of its own, so that the readers of one do not slow down those of the next.
#[repr(align(128))]
struct Slot(ArcSwapOption<Token>);

/// One handle to the same set for each of many slots: threads that read at the same time count references in
/// different places.
pub(crate) struct Published {
    /// Where a thread remembers what it read here.
    cache_slot: usize,
    /// Changes with each publication, and no other `Published` has the same; 0: there is no token.
    version: AtomicU64,
    slots: Box<[Slot]>,
}

/// Of how many clients a thread remembers what it read.
const CACHE_SLOTS: usize = 4;

thread_local! {
    /// What the calling thread read last, and its version: to count one reference is half the work of finding the slot's. Weak, so
    /// that a thread that reads no more does not keep a secret.
    static LAST_READ: [RefCell<(u64, Weak<Token>)>; CACHE_SLOTS] =
        const { [const { RefCell::new((0, Weak::new())) }; CACHE_SLOTS] };
}

impl Published {
    pub(crate) fn new() -> Published {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let cores = available_parallelism().map_or(1, |n| n.get());
        let count = (cores * 4).next_power_of_two().clamp(8, 256);
        Published {
            cache_slot: NEXT.fetch_add(1, Ordering::Relaxed) % CACHE_SLOTS,
            version: AtomicU64::new(0),
            slots: (0..count).map(|_| Slot(ArcSwapOption::empty())).collect(),
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

    /// What the calling thread remembers of an version. Nothing while the thread ends.
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
        static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);
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
        // Last: who sees this version finds it, or a newer one, in the slots. Until then some threads get the new token and others the
        // old; `invalidate` and those who wait return afterwards.
        self.version.store(version, Ordering::Release);
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

#[cfg(test)]
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
