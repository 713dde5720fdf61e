//! Contention: somebody else uses the same API key, and refresh tokens keep dying.

use super::policy;
use crate::clock::Now;

/// How often refresh tokens were rejected, and how long to do without them.
#[derive(Default)]
pub(crate) struct Contention {
    /// In a row.
    rejections: u32,
    until: Option<i64>,
}

impl Contention {
    /// Whether the API key is used straight away.
    pub(crate) fn is_on(&self, now: Now) -> bool {
        self.until.is_some_and(|until| now.mono_ms < until)
    }

    /// A refresh token was rejected. Whether that means contention.
    pub(crate) fn rejected(&mut self, now: Now) -> bool {
        self.rejections = self.rejections.saturating_add(1);
        let contended = self.rejections >= policy::CONTENTION_REJECTIONS;
        if contended {
            // Only a success resets the count: when this time is over, one rejection more is
            // enough.
            self.until = Some(now.mono_ms.saturating_add(policy::CONTENTION));
        }
        contended
    }

    /// A refresh token worked.
    pub(crate) fn refreshed(&mut self) {
        self.rejections = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        wall_ms: 0,
        mono_ms: 1_000,
    };

    #[test]
    fn two_rejections_in_a_row_are_contention_for_a_day() {
        let mut contention = Contention::default();
        assert!(!contention.rejected(NOW) && !contention.is_on(NOW));
        assert!(contention.rejected(NOW) && contention.is_on(NOW));
        assert!(contention.is_on(NOW.plus(policy::CONTENTION - 1)));
        assert!(!contention.is_on(NOW.plus(policy::CONTENTION)));
    }

    #[test]
    fn a_refresh_that_works_between_two_rejections_means_that_there_is_none() {
        let mut contention = Contention::default();
        contention.rejected(NOW);
        contention.refreshed();
        assert!(!contention.rejected(NOW));
    }

    #[test]
    fn after_a_day_of_contention_one_rejection_more_is_enough() {
        let mut contention = Contention::default();
        contention.rejected(NOW);
        contention.rejected(NOW);
        let tomorrow = NOW.plus(policy::CONTENTION);
        assert!(contention.rejected(tomorrow) && contention.is_on(tomorrow));
    }
}
