//! Time: the wall clock and a monotonic clock that counts a suspended machine's sleep too.

use crate::ffi::sys;

/// One reading of both clocks, in milliseconds.
///
/// A token is expired if *either* clock says so: the wall clock knows of a virtual machine that was
/// paused, the monotonic one is not moved by somebody who sets the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// Milliseconds since an arbitrary start. Never goes back, and goes on while the machine
    /// sleeps.
    pub mono_ms: i64,
}

impl Now {
    /// Both clocks, `ms` later.
    pub(crate) fn plus(self, ms: i64) -> Now {
        Now {
            wall_ms: self.wall_ms.saturating_add(ms),
            mono_ms: self.mono_ms.saturating_add(ms),
        }
    }

    /// Whether either clock has reached `moment`.
    pub(crate) fn reached(self, moment: Now) -> bool {
        self.wall_ms >= moment.wall_ms || self.mono_ms >= moment.mono_ms
    }

    /// Milliseconds until the first of both clocks reaches `moment`; negative when that is past.
    pub(crate) fn until(self, moment: Now) -> i64 {
        let wall = moment.wall_ms.saturating_sub(self.wall_ms);
        let mono = moment.mono_ms.saturating_sub(self.mono_ms);
        wall.min(mono)
    }
}

/// When something happens, and the chance that decides with it: what the life of a token depends
/// on besides its events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) now: Now,
    /// A random number in [0, 1).
    pub(crate) random: f64,
}

/// Where the time comes from. Tests bring their own.
pub trait Clock: Send + Sync {
    /// Both clocks, exactly.
    fn now(&self) -> Now;

    /// A cheap number that changes whenever time has passed or a clock was set.
    ///
    /// While it stays the same, so does every answer drawn from [`Clock::now`]. The system's
    /// changes every few milliseconds: that is what makes reading a valid token cheap.
    fn tick(&self) -> i64;
}

/// The operating system's clocks.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            wall_ms: sys::wall_ms(),
            mono_ms: sys::mono_ms(),
        }
    }

    fn tick(&self) -> i64 {
        sys::tick()
    }
}

/// A random number in [0, 1), from the system: processes forked from one another draw different
/// ones.
pub(crate) fn random() -> f64 {
    let mut bits = [0u8; 4];
    match getrandom::fill(&mut bits) {
        Ok(()) => f64::from(u32::from_le_bytes(bits)) / (f64::from(u32::MAX) + 1.0),
        // Jitter only spreads load: the middle does no harm.
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Now = Now {
        wall_ms: 1_000_000,
        mono_ms: 5_000,
    };

    #[test]
    fn either_clock_reaches_a_moment() {
        let later = NOON.plus(100);
        assert!(!NOON.reached(later));
        let wall_only = Now {
            wall_ms: later.wall_ms,
            ..NOON
        };
        let mono_only = Now {
            mono_ms: later.mono_ms,
            ..NOON
        };
        assert!(wall_only.reached(later) && mono_only.reached(later));
    }

    #[test]
    fn the_nearer_clock_counts() {
        let set_back_a_day = Now {
            wall_ms: NOON.wall_ms - 86_400_000,
            ..NOON
        };
        assert_eq!(set_back_a_day.until(NOON.plus(100)), 100);
    }

    #[test]
    fn the_system_clock_moves() {
        let start = SystemClock.now();
        let tick = SystemClock.tick();
        let has_moved = |now: Now| now.mono_ms > start.mono_ms && now.wall_ms != start.wall_ms;
        while SystemClock.tick() == tick || !has_moved(SystemClock.now()) {
            std::hint::spin_loop();
        }
    }
}
