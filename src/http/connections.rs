//! Connections that are kept for the next request.

use std::sync::{Arc, PoisonError};

use super::stream::Stream;
use crate::clock::{Clock, SystemClock};
use crate::process::fork::PerProcess;
use crate::process::sync::Mutex;
use crate::process::timer::{self, Wake};

/// Shorter than the servers' own: one that may be closed from there any moment is of no use.
const LONGEST_IDLE_MS: i64 = 30_000;
/// What more threads than this leave behind is closed.
const MOST_KEPT: usize = 8;

/// To one server. Of each process its own: a forked child neither uses nor closes its parent's.
pub(crate) struct Connections {
    idle: PerProcess<Arc<Idle>>,
}

/// The one that was used last is at the end.
#[derive(Default)]
struct Idle(Mutex<Vec<Kept>>);

struct Kept {
    stream: Box<dyn Stream>,
    since_ms: i64,
}

impl Connections {
    pub(crate) fn new() -> Connections {
        Connections {
            idle: PerProcess::new(),
        }
    }

    /// One that can take a request.
    pub(crate) fn take(&self) -> Option<Box<dyn Stream>> {
        let idle = self.idle.made()?;
        idle.drop_old(now_ms());
        while let Some(mut kept) = idle.with(Vec::pop) {
            // A server has nothing to say now but that it closes, or what belongs to no request.
            let is_open =
                kept.stream.socket().is_ours() && matches!(kept.stream.has_input(), Ok(false));
            if is_open {
                return Some(kept.stream);
            }
        }
        None
    }

    /// Keeps one whose last exchange has come to its end.
    pub(crate) fn keep(&self, stream: Box<dyn Stream>) {
        let idle = self.idle.get(Arc::default);
        let since_ms = now_ms();
        let surplus = idle.with(|kept| {
            kept.push(Kept { stream, since_ms });
            let surplus = kept.len().saturating_sub(MOST_KEPT);
            kept.drain(..surplus).collect::<Vec<_>>()
        });
        // Outside the lock: to close takes system calls.
        drop(surplus);
        timer::alarm(idle, Some(since_ms + LONGEST_IDLE_MS));
    }

    /// Closes all of them.
    pub(crate) fn clear(&self) {
        if let Some(idle) = self.idle.made() {
            drop(idle.with(std::mem::take));
        }
    }
}

#[cfg(test)]
impl Connections {
    /// As if so much time had passed.
    pub(super) fn age(&self, ms: i64) -> Option<i64> {
        self.idle.made()?.drop_old(now_ms() + ms)
    }
}

impl Idle {
    fn with<R>(&self, act: impl FnOnce(&mut Vec<Kept>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes those that were idle too long. When the next will have been, if one is left.
    fn drop_old(&self, now_ms: i64) -> Option<i64> {
        let ends_at = |kept: &Kept| kept.since_ms.saturating_add(LONGEST_IDLE_MS);
        let (old, next) = self.with(|kept| {
            let count = kept.iter().take_while(|kept| ends_at(kept) <= now_ms);
            let count = count.count();
            let old: Vec<Kept> = kept.drain(..count).collect();
            (old, kept.first().map(ends_at))
        });
        drop(old);
        next
    }
}

impl Wake for Idle {
    fn wake(self: Arc<Self>) {
        if let Some(next) = self.drop_old(now_ms()) {
            timer::alarm(&self, Some(next));
        }
    }
}

fn now_ms() -> i64 {
    SystemClock.now().mono_ms
}
