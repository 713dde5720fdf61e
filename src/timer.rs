//! One timer thread for the process, while there is something to time: a token to keep fresh, or a caller that no
//! thread waits for.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::ffi::sys;
use crate::fork::PerProcess;
use crate::keeper::Keeper;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A condition variable's time stands still while the machine sleeps, so no wait is longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One alarm a keeper, by the keeper's address: the earliest that it asked for.
type Alarms = BTreeMap<usize, (i64, Weak<Keeper>)>;

#[derive(Default)]
struct Timer {
    schedule: Mutex<Schedule>,
    changed: Condvar,
}

#[derive(Default)]
struct Schedule {
    alarms: Alarms,
    running: bool,
    /// Its thread has ended; nobody would look at an alarm set here.
    over: bool,
}

static TIMER: PerProcess<Arc<Timer>> = PerProcess::new();

/// Has `keeper` woken at `at_ms` of the monotonic clock, or before; `None`: not any more.
///
/// Without a thread there is no alarm; the next one that is set tries again.
pub(crate) fn alarm(keeper: &Arc<Keeper>, at_ms: Option<i64>) {
    match at_ms {
        Some(at_ms) => while !set(keeper, at_ms) {},
        None if TIMER.is_made() => unset(keeper),
        None => {}
    }
}

/// `false` if the timer came to its end meanwhile: the next one is another.
fn set(keeper: &Arc<Keeper>, at_ms: i64) -> bool {
    let timer = Arc::clone(&TIMER.get(Arc::default).value);
    let mut schedule = timer.lock();
    if schedule.over {
        return false;
    }
    let first = schedule.first().unwrap_or(i64::MAX);
    let alarm = schedule
        .alarms
        .entry(name(keeper))
        .or_insert_with(|| (at_ms, Arc::downgrade(keeper)));
    alarm.0 = alarm.0.min(at_ms);
    if !schedule.running {
        let runner = Arc::clone(&timer);
        schedule.running = sys::spawn("apivideo-timer", move || runner.run()).is_ok();
    } else if at_ms < first {
        timer.changed.notify_one();
    }
    true
}

fn unset(keeper: &Arc<Keeper>) {
    let timer = Arc::clone(&TIMER.get(Arc::default).value);
    timer.lock().alarms.remove(&name(keeper));
    timer.changed.notify_one();
}

fn name(keeper: &Arc<Keeper>) -> usize {
    Arc::as_ptr(keeper) as usize
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings the alarms until none is left, and takes the timer away.
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
            // After the longest wait everybody is woken: the wall clock may have moved where this one did not.
            let due = schedule.take_due(wait > LONGEST_WAIT);
            drop(schedule);
            for keeper in due {
                // A bug in one client's renewal must not end the alarms of all.
                let _ = catch_unwind(AssertUnwindSafe(|| keeper.wake()));
            }
            schedule = self.lock();
        }
        schedule.over = true;
        TIMER.clear();
    }
}

impl Schedule {
    fn first(&self) -> Option<i64> {
        self.alarms.values().map(|(at, _)| *at).min()
    }

    /// How long until the next alarm of a keeper that still lives.
    fn until_next(&mut self) -> Option<Duration> {
        self.alarms
            .retain(|_, (_, keeper)| keeper.strong_count() > 0);
        let left = self.first()?.saturating_sub(SystemClock.now().mono_ms);
        Some(Duration::from_millis(left.max(0).unsigned_abs()))
    }

    fn take_due(&mut self, everybody: bool) -> Vec<Arc<Keeper>> {
        let now = SystemClock.now().mono_ms;
        let (due, later): (Alarms, Alarms) = std::mem::take(&mut self.alarms)
            .into_iter()
            .partition(|(_, (at, _))| everybody || *at <= now);
        self.alarms = later;
        due.into_values()
            .filter_map(|(_, keeper)| keeper.upgrade())
            .collect()
    }
}
