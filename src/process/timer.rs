//! One timer thread for the process, while there is something to time: a token to keep fresh, or a
//! caller that no thread waits for.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use crate::cache::TokenCache;
use crate::clock::{Clock, SystemClock};
use crate::ffi::sys;
use crate::process::fork::PerProcess;
use crate::process::sync::{Condvar, Mutex, MutexGuard};

/// A condition variable's time stands still while the machine sleeps, so no wait is longer than
/// this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One alarm a cache, by the cache's address: the earliest that it asked for.
type Alarms = BTreeMap<usize, (i64, Weak<TokenCache>)>;

#[derive(Default)]
struct Timer {
    schedule: Mutex<Schedule>,
    changed: Condvar,
}

#[derive(Default)]
struct Schedule {
    alarms: Alarms,
    /// A thread sees to them.
    running: bool,
}

static TIMER: PerProcess<Arc<Timer>> = PerProcess::new();

/// Wakes `cache` at `at_ms` of the monotonic clock, or before; `None`: not any more.
///
/// Without a thread there is no alarm; the next one that is set tries again.
pub(crate) fn alarm(cache: &Arc<TokenCache>, at_ms: Option<i64>) {
    match (at_ms, TIMER.made()) {
        (Some(at_ms), _) => set(TIMER.get(Arc::default), cache, at_ms),
        (None, Some(timer)) => unset(timer, cache),
        (None, None) => {}
    }
}

fn set(timer: &Arc<Timer>, cache: &Arc<TokenCache>, at_ms: i64) {
    let mut schedule = timer.lock();
    let first = schedule.first().unwrap_or(i64::MAX);
    let alarm = schedule
        .alarms
        .entry(name(cache))
        .or_insert_with(|| (at_ms, Arc::downgrade(cache)));
    alarm.0 = alarm.0.min(at_ms);
    if !schedule.running {
        let runner = Arc::clone(timer);
        schedule.running = sys::spawn("apivideo-timer", move || runner.run()).is_ok();
    } else if at_ms < first {
        timer.changed.notify_one();
    }
}

fn unset(timer: &Timer, cache: &Arc<TokenCache>) {
    timer.lock().alarms.remove(&name(cache));
    timer.changed.notify_one();
}

fn name(cache: &Arc<TokenCache>) -> usize {
    Arc::as_ptr(cache) as usize
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings the alarms until none is left.
    fn run(&self) {
        let mut schedule = self.lock();
        while let Some(wait) = schedule.until_next() {
            let (again, waited) = self
                .changed
                .wait_timeout(schedule, wait.min(LONGEST_WAIT))
                .unwrap_or_else(PoisonError::into_inner);
            schedule = again;
            if !waited.timed_out() {
                continue;
            }
            // After the longest wait everybody is woken: the wall clock may have moved where this
            // one did not.
            let due = schedule.take_due(wait > LONGEST_WAIT);
            drop(schedule);
            for cache in due {
                // A bug in one client's renewal must not end the alarms of all.
                let _ = catch_unwind(AssertUnwindSafe(|| cache.wake()));
            }
            schedule = self.lock();
        }
        schedule.running = false;
    }
}

impl Schedule {
    fn first(&self) -> Option<i64> {
        self.alarms.values().map(|(at, _)| *at).min()
    }

    /// How long until the next alarm of a cache that still lives.
    fn until_next(&mut self) -> Option<Duration> {
        self.alarms.retain(|_, (_, cache)| cache.strong_count() > 0);
        let left = self.first()?.saturating_sub(SystemClock.now().mono_ms);
        Some(Duration::from_millis(left.max(0).unsigned_abs()))
    }

    fn take_due(&mut self, everybody: bool) -> Vec<Arc<TokenCache>> {
        let now = SystemClock.now().mono_ms;
        let (due, later): (Alarms, Alarms) = std::mem::take(&mut self.alarms)
            .into_iter()
            .partition(|(_, (at, _))| everybody || *at <= now);
        self.alarms = later;
        due.into_values()
            .filter_map(|(_, cache)| cache.upgrade())
            .collect()
    }
}
