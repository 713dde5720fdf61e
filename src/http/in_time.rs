//! Work that nobody can interrupt, and callers that wait no longer for it than they may: for each
//! name one work at a time, whose result those who wait for it share.
//!
//! It is done in a thread. A later caller joins the work that is under way, and a result that comes
//! when nobody waits is kept for the next.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Instant;

use crate::clock::{Clock, SystemClock};
use crate::ffi::sys;
use crate::process::sync::{Condvar, Mutex};

/// A result that came late is used so long.
const RESULT_LIFE_MS: i64 = 60_000;

type Job = Box<dyn FnOnce() + Send>;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoResult {
    /// Not within the time that was given; the work goes on.
    TimedOut,
    /// The system gave no thread to do it in.
    NoThread,
    /// The work panicked.
    Failed,
}

/// The works by name: those under way, and those whose result nobody has used.
pub(crate) struct Works<T> {
    thread: &'static str,
    spawn: fn(&str, Job) -> io::Result<()>,
    /// Whether a result that nobody waited for is worth keeping.
    keeps: fn(&T) -> bool,
    table: Mutex<BTreeMap<String, Arc<Work<T>>>>,
}

struct Work<T> {
    done: Mutex<Option<Done<T>>>,
    woken: Condvar,
}

#[derive(Clone)]
struct Done<T> {
    result: Result<T, NoResult>,
    at_ms: i64,
}

impl<T: Clone + Send + 'static> Works<T> {
    pub(crate) fn new(thread: &'static str, keeps: fn(&T) -> bool) -> Works<T> {
        Works {
            thread,
            spawn,
            keeps,
            table: Mutex::default(),
        }
    }

    /// The result of the work of this name, which begins now, unless it is under way or has been
    /// done for us.
    pub(crate) fn result(
        &self,
        name: &str,
        until: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let joined = self
            .join(name)
            .unwrap_or_else(|new| self.start(new, Box::new(work)));
        let result = joined.wait(until).ok_or(NoResult::TimedOut)?;
        // The next caller's is done anew: the world changes.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table
            .get(name)
            .is_some_and(|known| Arc::ptr_eq(known, &joined))
        {
            table.remove(name);
        }
        result
    }

    /// The work that is under way or has a result for us; or else a new one, to be started.
    fn join(&self, name: &str) -> Result<Arc<Work<T>>, Arc<Work<T>>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        match table.get(name) {
            Some(known) if known.is_of_use(self.keeps) => Ok(Arc::clone(known)),
            _ => {
                let new = Arc::new(Work::new());
                table.insert(name.to_owned(), Arc::clone(&new));
                Err(new)
            }
        }
    }

    /// Waits until the work of this name is done, and leaves its result.
    #[cfg(test)]
    pub(crate) fn settle(&self, name: &str) {
        let known = self.table.lock().unwrap().get(name).cloned();
        let until = Instant::now() + std::time::Duration::from_secs(20);
        assert!(known.unwrap().wait(until).is_some());
    }

    fn start(&self, new: Arc<Work<T>>, work: Box<dyn FnOnce() -> T + Send>) -> Arc<Work<T>> {
        let ours = Finish(Arc::clone(&new));
        let job = move || {
            let ours = ours;
            ours.0.finish(Ok(work()));
        };
        if (self.spawn)(self.thread, Box::new(job)).is_err() {
            new.finish(Err(NoResult::NoThread));
        }
        new
    }
}

fn spawn(name: &str, job: Job) -> io::Result<()> {
    sys::spawn(name, job)
}

/// Of a work's thread: should the work panic, nobody waits for ever.
struct Finish<T>(Arc<Work<T>>);

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.finish(Err(NoResult::Failed));
        }
    }
}

impl<T> Work<T> {
    fn new() -> Work<T> {
        Work {
            done: Mutex::default(),
            woken: Condvar::default(),
        }
    }

    fn finish(&self, result: Result<T, NoResult>) {
        let at_ms = SystemClock.now().mono_ms;
        let done = Some(Done { result, at_ms });
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = done;
        self.woken.notify_all();
    }

    fn wait(&self, until: Instant) -> Option<Result<T, NoResult>>
    where
        T: Clone,
    {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while done.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.woken.wait_timeout(done, left);
            done = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        done.as_ref().map(|done| done.result.clone())
    }

    /// Not done yet, or done well and not long ago.
    fn is_of_use(&self, keeps: fn(&T) -> bool) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.as_ref().is_none_or(|done| {
            done.result.as_ref().is_ok_and(keeps)
                && SystemClock.now().mono_ms - done.at_ms < RESULT_LIFE_MS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    const NAME: &str = "host.test.invalid";

    fn works() -> Works<u8> {
        Works::new("test", |result| *result < 100)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn callers_join_the_work_that_is_under_way_and_a_late_result_is_used_once() {
        let works = works();
        let begun = Arc::new(AtomicUsize::new(0));
        let (end, rx) = mpsc::channel::<u8>();
        let rx = Arc::new(Mutex::new(rx));
        let result_until = |until| {
            let (begun, rx) = (Arc::clone(&begun), Arc::clone(&rx));
            works.result(NAME, until, move || {
                begun.fetch_add(1, Ordering::SeqCst);
                rx.lock().unwrap().recv().unwrap()
            })
        };
        for _ in 0..3 {
            let until = Instant::now() + Duration::from_millis(10);
            assert_eq!(result_until(until), Err(NoResult::TimedOut));
            assert!(Instant::now() >= until);
        }
        end.send(7).unwrap();
        assert_eq!(result_until(soon()), Ok(7));
        assert_eq!(begun.load(Ordering::SeqCst), 1);

        end.send(8).unwrap();
        assert_eq!(result_until(soon()), Ok(8), "the result was used up");
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn all_who_wait_get_the_result() {
        let works = works();
        let (end, rx) = mpsc::channel::<u8>();
        let rx = Arc::new(Mutex::new(rx));
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..8)
                .map(|_| {
                    let (rx, works) = (Arc::clone(&rx), &works);
                    scope.spawn(move || {
                        works.result(NAME, soon(), move || rx.lock().unwrap().recv().unwrap())
                    })
                })
                .collect();
            // As many results as could be asked for: one is enough if all come in time.
            for _ in 0..8 {
                end.send(7).unwrap();
            }
            for waiter in waiting {
                assert_eq!(waiter.join().unwrap(), Ok(7));
            }
        });
    }

    #[test]
    fn names_do_not_wait_for_each_other() {
        let works = works();
        let (_end, wait) = mpsc::channel::<u8>();
        let hung = works.result("another", Instant::now(), move || wait.recv().unwrap_or(0));
        assert_eq!(hung, Err(NoResult::TimedOut));
        assert_eq!(works.result(NAME, soon(), || 7), Ok(7));
    }

    #[test]
    fn a_panic_is_not_taken_for_a_lack_of_time() {
        let works = works();
        let failed = works.result(NAME, soon(), || panic!("on purpose"));
        assert_eq!(failed, Err(NoResult::Failed));
        assert_eq!(works.result(NAME, soon(), || 7), Ok(7));
    }

    #[test]
    fn without_a_thread_nobody_waits() {
        let mut works = works();
        works.spawn = |_, _| Err(io::ErrorKind::WouldBlock.into());
        let refused = works.result(NAME, soon(), || unreachable!("done by the caller"));
        assert_eq!(refused, Err(NoResult::NoThread));
        works.spawn = spawn;
        assert_eq!(works.result(NAME, soon(), || 7), Ok(7));
    }

    #[test]
    fn old_results_and_those_not_worth_keeping_are_not_used() {
        let now_ms = SystemClock.now().mono_ms;
        for (result, age_ms, used) in [
            (Ok(1), RESULT_LIFE_MS - 10_000, true),
            (Ok(1), RESULT_LIFE_MS, false),
            (Ok(100), 0, false),
            (Err(NoResult::NoThread), 0, false),
        ] {
            let works = works();
            let at_ms = now_ms - age_ms;
            let work = works.join(NAME).err().unwrap();
            *work.done.lock().unwrap() = Some(Done { result, at_ms });
            let expected = if used { 1 } else { 2 };
            assert_eq!(works.result(NAME, soon(), || 2), Ok(expected));
            assert!(works.table.lock().unwrap().is_empty());
        }
    }
}
