//! The pace: how many chunks api.video lets through, told with every reply.

use super::policy::{PACE_MARGIN, SAME_WINDOW};
use crate::cache::policy::RETRY_AFTER_MAX;

/// What a reply's headers say of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many more requests the window lets through.
    pub(crate) remaining: u64,
    /// When the next window begins.
    pub(crate) resets_in_ms: i64,
}

/// When the next chunk may be sent. Times are of the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    window: Option<Window>,
    /// Told with a 429.
    not_before: Option<i64>,
}

#[derive(Debug)]
struct Window {
    /// The least that a reply told.
    remaining: u64,
    left: u64,
    ends_at: i64,
}

impl Pace {
    /// When a chunk may be sent: now, unless the window has none left.
    pub(crate) fn next(&self, now: i64) -> i64 {
        let window = self.window.as_ref();
        let full = window.filter(|window| window.left == 0);
        let ends_at = full.map(|window| window.ends_at);
        [Some(now), ends_at, self.not_before]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(now)
    }

    /// A chunk is being sent.
    pub(crate) fn sending(&mut self, now: i64) {
        self.window = self.window.take().filter(|window| now < window.ends_at);
        if let Some(window) = &mut self.window {
            window.left = window.left.saturating_sub(1);
        }
    }

    /// A reply told the limits, while so many other chunks are on their way: they may not be
    /// counted yet.
    pub(crate) fn told(&mut self, limits: Limits, others: usize, now: i64) {
        // A window is a minute; a wait without end would be a hang.
        let wait = limits.resets_in_ms.clamp(0, RETRY_AFTER_MAX) + PACE_MARGIN;
        let (mut remaining, mut ends_at) = (limits.remaining, now.saturating_add(wait));
        // Chunks side by side are counted in one order and answered in another: only in the next
        // window there may be more.
        if let Some(window) = &self.window
            && window.ends_at.abs_diff(ends_at) <= SAME_WINDOW
        {
            remaining = remaining.min(window.remaining);
            ends_at = ends_at.min(window.ends_at);
        }
        self.window = Some(Window {
            remaining,
            left: remaining.saturating_sub(others as u64),
            ends_at,
        });
    }

    /// A 429 asked to wait.
    pub(crate) fn refused(&mut self, until: i64) {
        self.not_before = self.not_before.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_would_not_end_does() {
        let mut pace = Pace::default();
        let never = Limits {
            remaining: 0,
            resets_in_ms: i64::MAX,
        };
        pace.told(never, 0, 1_000);
        assert_eq!(pace.next(1_000), 1_000 + RETRY_AFTER_MAX + PACE_MARGIN);
    }

    fn limits(remaining: u64) -> Limits {
        Limits {
            remaining,
            resets_in_ms: 40_000,
        }
    }

    #[test]
    fn without_limits_nothing_waits() {
        let mut pace = Pace::default();
        pace.sending(5);
        assert_eq!(pace.next(5), 5);
    }

    #[test]
    fn a_window_lets_through_what_it_has_left() {
        let mut pace = Pace::default();
        pace.told(limits(2), 0, 1_000);
        for _ in 0..2 {
            assert_eq!(pace.next(1_000), 1_000);
            pace.sending(1_000);
        }
        assert_eq!(pace.next(1_000), 42_000, "a second after its end");
        assert_eq!(pace.next(42_000), 42_000);
        pace.sending(42_000);
        assert_eq!(pace.next(42_000), 42_000, "nothing is known of the next");
    }

    #[test]
    fn chunks_on_their_way_count() {
        let mut pace = Pace::default();
        pace.told(limits(2), 2, 0);
        assert_eq!(pace.next(0), 41_000);
        pace.told(limits(1), 3, 0);
        assert_eq!(pace.next(0), 41_000);
        pace.told(limits(1), 0, 0);
        assert_eq!(pace.next(0), 0, "the newest reply tells");
    }

    #[test]
    fn a_reply_that_comes_late_gives_nothing_back() {
        let mut pace = Pace::default();
        pace.told(limits(1), 1, 0);
        pace.told(limits(2), 0, 900);
        assert_eq!(pace.next(900), 900);
        pace.sending(900);
        assert_eq!(pace.next(900), 41_000, "two had been counted by then");
        pace.told(limits(2), 0, 41_500);
        for _ in 0..2 {
            assert_eq!(pace.next(41_500), 41_500, "the next window");
            pace.sending(41_500);
        }
        assert_eq!(pace.next(41_500), 82_500);
    }

    #[test]
    fn a_429_holds_everything_until_its_time() {
        let mut pace = Pace::default();
        pace.refused(7_000);
        pace.refused(3_000);
        pace.told(limits(9), 0, 0);
        assert_eq!(pace.next(0), 7_000);
        assert_eq!(pace.next(8_000), 8_000);
    }
}
