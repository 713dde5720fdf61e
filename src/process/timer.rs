//! One timer thread for the process, while there is something to time: a token to keep fresh, a
//! caller that no thread waits for, or a connection that is kept.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::ffi::sys;
use crate::process::fork::PerProcess;
use crate::process::sync::{Condvar, Mutex, MutexGuard};

/// A condition variable's time stands still while the machine sleeps, so no wait is longer than
/// this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What has alarms.
pub(crate) trait Wake: Send + Sync {
    fn wake(self: Arc<Self>);
}

/// One alarm for each, by its address: the earliest that it asked for.
type Alarms = BTreeMap<usize, (i64, Weak<dyn Wake>)>;

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

/// Wakes `sleeper` at `at_ms` of the monotonic clock, or before; `None`: not any more.
///
/// Without a thread there is no alarm; the next one that is set tries again.
pub(crate) fn alarm<T: Wake + 'static>(sleeper: &Arc<T>, at_ms: Option<i64>) {
    let name = Arc::as_ptr(sleeper) as usize;
    match (at_ms, TIMER.made()) {
        (Some(at_ms), _) => {
            let sleeper: Weak<T> = Arc::downgrade(sleeper);
            set(TIMER.get(Arc::default), name, sleeper, at_ms);
        }
        (None, Some(timer)) => unset(timer, name),
        (None, None) => {}
    }
}

fn set(timer: &Arc<Timer>, name: usize, sleeper: Weak<dyn Wake>, at_ms: i64) {
    let mut schedule = timer.lock();
    let first = schedule.first().unwrap_or(i64::MAX);
    let alarm = schedule.alarms.entry(name).or_insert((at_ms, sleeper));
    alarm.0 = alarm.0.min(at_ms);
    if !schedule.running {
        let runner = Arc::clone(timer);
        schedule.running = sys::spawn("apivideo-timer", move || runner.run()).is_ok();
    } else if at_ms < first {
        timer.changed.notify_one();
    }
}

#[cfg(test)]
pub(crate) fn is_set<T>(sleeper: &Arc<T>) -> bool {
    let name = Arc::as_ptr(sleeper) as usize;
    let timer = TIMER.made();
    timer.is_some_and(|timer| timer.lock().alarms.contains_key(&name))
}

fn unset(timer: &Timer, name: usize) {
    timer.lock().alarms.remove(&name);
    timer.changed.notify_one();
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
            for sleeper in due {
                // A bug in one client's renewal must not end the alarms of all.
                let _ = catch_unwind(AssertUnwindSafe(|| sleeper.wake()));
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

    /// How long until the next alarm of one that still lives.
    fn until_next(&mut self) -> Option<Duration> {
        self.alarms
            .retain(|_, (_, sleeper)| sleeper.strong_count() > 0);
        let left = self.first()?.saturating_sub(SystemClock.now().mono_ms);
        Some(Duration::from_millis(left.max(0).unsigned_abs()))
    }

    fn take_due(&mut self, everybody: bool) -> Vec<Arc<dyn Wake>> {
        let now = SystemClock.now().mono_ms;
        let (due, later): (Alarms, Alarms) = std::mem::take(&mut self.alarms)
            .into_iter()
            .partition(|(_, (at, _))| everybody || *at <= now);
        self.alarms = later;
        due.into_values()
            .filter_map(|(_, sleeper)| sleeper.upgrade())
            .collect()
    }
}
