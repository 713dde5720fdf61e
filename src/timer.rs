//! One timer thread for the process, while there is something to time: a token to keep fresh, or a caller that no
//! thread waits for.

use std::collections::BTreeMap;
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
}

static TIMER: PerProcess<Arc<Timer>> = PerProcess::new();

/// Has `keeper` woken at `at_ms` of the monotonic clock, or before; `None`: not any more.
///
/// Without a thread there is no alarm; the next one that is set tries again.
pub(crate) fn alarm(keeper: &Arc<Keeper>, at_ms: Option<i64>) {
    let timer = Arc::clone(&TIMER.get(Arc::default).value);
    let mut schedule = timer.lock();
    let name = Arc::as_ptr(keeper) as usize;
    let Some(at_ms) = at_ms else {
        schedule.alarms.remove(&name);
        timer.changed.notify_one();
        return;
    };
    let alarm = schedule
        .alarms
        .entry(name)
        .or_insert_with(|| (at_ms, Arc::downgrade(keeper)));
    alarm.0 = alarm.0.min(at_ms);
    if schedule.running {
        timer.changed.notify_one();
    } else {
        let runner = Arc::clone(&timer);
        schedule.running = sys::spawn("apivideo-timer", move || runner.run()).is_ok();
    }
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings the alarms until none is left.
    fn run(&self) {
        let mut schedule = self.lock();
        while let Some(wait) = schedule.until_next() {
            if wait.is_zero() {
                let due = schedule.take_due();
                drop(schedule);
                due.iter().for_each(|keeper| keeper.wake());
                // Outside the lock: the last reference to a keeper may be among them.
                drop(due);
                schedule = self.lock();
            } else {
                schedule = self
                    .changed
                    .wait_timeout(schedule, wait.min(LONGEST_WAIT))
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
        schedule.running = false;
    }
}

impl Schedule {
    /// How long until the next alarm of a keeper that still lives.
    fn until_next(&mut self) -> Option<Duration> {
        self.alarms
            .retain(|_, (_, keeper)| keeper.strong_count() > 0);
        let next = self.alarms.values().map(|(at, _)| *at).min()?;
        let left = next.saturating_sub(SystemClock.now().mono_ms).max(0);
        Some(Duration::from_millis(left.unsigned_abs()))
    }

    fn take_due(&mut self) -> Vec<Arc<Keeper>> {
        let now = SystemClock.now().mono_ms;
        let (due, later): (Alarms, Alarms) = std::mem::take(&mut self.alarms)
            .into_iter()
            .partition(|(_, (at, _))| *at <= now);
        self.alarms = later;
        due.into_values()
            .filter_map(|(_, keeper)| keeper.upgrade())
            .collect()
    }
}
