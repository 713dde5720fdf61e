//! The token as readers see it: taken without a lock, without an allocation, and without sharing a cache line.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use arc_swap::ArcSwapOption;

use crate::clock::Clock;
use crate::token::{Grant, Token};

/// A slot on cache lines of its own, so that the readers of one do not slow down those of the next.
#[repr(align(128))]
struct Slot(ArcSwapOption<Token>);

/// One handle to the same grant for each of many slots: threads that read at the same time count references in
/// different places.
pub(crate) struct Published {
    slots: Box<[Slot]>,
}

impl Published {
    pub(crate) fn new() -> Published {
        let cores = available_parallelism().map_or(1, |n| n.get());
        let count = (cores * 4).next_power_of_two().clamp(8, 256);
        Published {
            slots: (0..count).map(|_| Slot(ArcSwapOption::empty())).collect(),
        }
    }

    /// The published token, for the calling thread.
    pub(crate) fn read(&self) -> Option<Arc<Token>> {
        self.slots[thread_number() & (self.slots.len() - 1)]
            .0
            .load_full()
    }

    /// What readers get from now on.
    pub(crate) fn publish(&self, grant: Option<Arc<Grant>>, clock: &Arc<dyn Clock>) {
        for slot in &self.slots {
            slot.0.store(
                grant
                    .as_ref()
                    .map(|grant| Arc::new(Token::new(Arc::clone(grant), Arc::clone(clock)))),
            );
        }
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
        let grant = Arc::new(Grant::new("access", None, 3_600_000, clock.now(), 0.5));
        let published = Published::new();
        published.publish(Some(grant), &clock);
        thread::scope(|threads| {
            for _ in 0..2 * published.slots.len() {
                threads.spawn(|| published.read().unwrap());
            }
        });
    }

    #[test]
    fn each_thread_has_a_number_of_its_own_and_keeps_it() {
        let here = thread_number();
        let there = thread::spawn(thread_number).join().unwrap();
        assert_eq!(thread_number(), here);
        assert_ne!(there, here);
    }
}
