//! Connections that are kept for the next request.

use std::sync::{Arc, PoisonError};

use super::stream::{Patience, Stream};
use crate::ffi::sys;
use crate::process::fork::PerProcess;
use crate::process::sync::Mutex;
use crate::process::timer::{self, Wake};

/// Shorter than most servers' own, which is mostly a minute or more. A server whose own is shorter
/// closes first, or says so with `Keep-Alive`.
const LONGEST_IDLE_MS: i64 = 30_000;
/// So much sooner than the server says it is closed from here.
const MARGIN_MS: i64 = 1_000;
/// A request that cannot be sent again takes none that was idle for longer: a server that closes it
/// at the same moment costs it its reply.
const LONGEST_IDLE_AT_RISK_MS: i64 = 3_000;
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
    ends_ms: i64,
}

impl Connections {
    pub(crate) fn new() -> Connections {
        Connections {
            idle: PerProcess::new(),
        }
    }

    /// One that can take a request: one that was used just now, unless that can be sent again.
    pub(crate) fn take(&self, patience: Patience, is_idempotent: bool) -> Option<Box<dyn Stream>> {
        let idle = self.idle.made()?;
        let now_ms = sys::mono_ms();
        idle.drop_old(now_ms);
        let is_fit =
            |kept: &mut Kept| is_idempotent || now_ms - kept.since_ms <= LONGEST_IDLE_AT_RISK_MS;
        while let Some(mut kept) = idle.with(|kept| kept.pop_if(is_fit)) {
            kept.stream.set_patience(patience);
            // A server has nothing to say now but that it closes, or what belongs to no request.
            let is_open =
                kept.stream.socket().is_ours() && matches!(kept.stream.has_input(), Ok(false));
            if is_open {
                return Some(kept.stream);
            }
        }
        None
    }

    /// Keeps one whose last exchange has come to its end, for less than the server says that it
    /// does.
    pub(crate) fn keep(&self, stream: Box<dyn Stream>, servers_ms: Option<i64>) {
        let servers_ms = servers_ms.unwrap_or(i64::MAX);
        let for_ms = LONGEST_IDLE_MS.min(servers_ms.saturating_sub(MARGIN_MS));
        if for_ms <= 0 {
            return;
        }
        let idle = self.idle.get(Arc::default);
        let since_ms = sys::mono_ms();
        let ends_ms = since_ms + for_ms;
        let surplus = idle.with(|kept| {
            kept.push(Kept {
                stream,
                since_ms,
                ends_ms,
            });
            let surplus = kept.len().saturating_sub(MOST_KEPT);
            kept.drain(..surplus).collect::<Vec<_>>()
        });
        // Outside the lock: to close takes system calls.
        drop(surplus);
        timer::alarm(idle, Some(ends_ms));
    }

    /// Closes all of them.
    pub(crate) fn clear(&self) {
        if let Some(idle) = self.idle.made() {
            drop(idle.with(std::mem::take));
            timer::alarm(idle, None);
            // Unless one is kept again already.
            idle.drop_old_in_time();
        }
    }
}

#[cfg(test)]
impl Connections {
    /// As if so much time had passed.
    pub(super) fn age(&self, ms: i64) -> Option<i64> {
        let idle = self.idle.made()?;
        idle.with(|kept| {
            for each in kept {
                each.since_ms -= ms;
                each.ends_ms -= ms;
            }
        });
        idle.drop_old(sys::mono_ms())
    }

    pub(super) fn has_alarm(&self) -> bool {
        self.idle.made().is_some_and(timer::is_set)
    }
}

impl Idle {
    fn with<R>(&self, act: impl FnOnce(&mut Vec<Kept>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes those that were idle too long. When the next will have been, if one is left.
    fn drop_old(&self, now_ms: i64) -> Option<i64> {
        let (old, next) = self.with(|kept| {
            let old: Vec<Kept> = kept.extract_if(.., |kept| kept.ends_ms <= now_ms).collect();
            (old, kept.iter().map(|kept| kept.ends_ms).min())
        });
        drop(old);
        next
    }

    /// The same, now and when the next will have been.
    fn drop_old_in_time(self: &Arc<Self>) {
        if let Some(next) = self.drop_old(sys::mono_ms()) {
            timer::alarm(self, Some(next));
        }
    }
}

impl Wake for Idle {
    fn wake(self: Arc<Self>) {
        self.drop_old_in_time();
    }
}
