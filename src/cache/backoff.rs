//! Backoff: when to try again while tries fail.

use super::policy;
use crate::clock::{Context, Now};
use crate::error::{Error, Status};

/// Nothing has failed since the last token, or the last failure and when to try again.
pub(crate) enum Backoff {
    Idle,
    Failing(Failing),
}

pub(crate) struct Failing {
    /// Failed exchanges in a row.
    failures: u32,
    /// Rejections of the API key in a row.
    key_rejections: u32,
    error: Error,
    /// When to try again while a valid token is at hand.
    calm_retry_at: i64,
    /// When to try again while none is.
    urgent_retry_at: i64,
    /// No thread was to be had for it.
    lacked_a_thread: bool,
}

impl Backoff {
    /// The last failure.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self {
            Backoff::Idle => None,
            Backoff::Failing(failing) => Some(&failing.error),
        }
    }

    /// Whether waiting may mend what failed. It does not mend a rejected key.
    pub(crate) fn may_pass(&self) -> bool {
        self.error()
            .is_some_and(|error| error.status != Status::KeyRejected)
    }

    /// Failed tries since the last token.
    pub(crate) fn consecutive_failures(&self) -> u64 {
        let (failures, key_rejections) = self.counts();
        u64::from(failures.saturating_add(key_rejections))
    }

    /// On the monotonic clock: nothing is tried before this.
    pub(crate) fn retry_at(&self, has_token: bool) -> i64 {
        match self {
            Backoff::Idle => i64::MIN,
            Backoff::Failing(failing) if has_token => failing.calm_retry_at,
            Backoff::Failing(failing) => failing.urgent_retry_at,
        }
    }

    /// When a failed try is to be repeated: earlier than [`Backoff::retry_at`] says once the token
    /// has come to its end.
    pub(crate) fn next_try(&self, token_ends_at: Option<i64>) -> i64 {
        match (self, token_ends_at) {
            (Backoff::Failing(failing), Some(end)) => {
                failing.calm_retry_at.min(failing.urgent_retry_at.max(end))
            }
            (_, end) => self.retry_at(end.is_some()),
        }
    }

    /// An exchange failed. A delay that the server asked for counts if it is longer than ours.
    pub(crate) fn exchange_failed(&mut self, error: Error, at: Context) {
        let (failures, key_rejections) = self.counts();
        let failures = failures.saturating_add(1);
        let asked = asked_delay(&error).unwrap_or(0);
        let delay = |cap| policy::backoff(failures, cap, at.random).max(asked);
        let (calm, urgent) = (delay(policy::CALM_CAP), delay(policy::URGENT_CAP));
        self.fail(error, [failures, key_rejections], [calm, urgent], at.now);
    }

    /// api.video refused the key.
    pub(crate) fn key_rejected(&mut self, error: Error, at: Context) {
        let (failures, key_rejections) = self.counts();
        let key_rejections = key_rejections.saturating_add(1);
        let delay = policy::key_probe(key_rejections, at.random);
        self.fail(error, [failures, key_rejections], [delay, delay], at.now);
    }

    /// No exchange could be started. It says nothing about api.video, so the delay does not grow.
    pub(crate) fn flight_failed(&mut self, error: Error, at: Context) {
        let counts = self.counts().into();
        let delay = |cap| policy::backoff(1, cap, at.random);
        let delays = [delay(policy::CALM_CAP), delay(policy::URGENT_CAP)];
        self.fail(error, counts, delays, at.now);
        if let Backoff::Failing(failing) = self {
            failing.lacked_a_thread = true;
        }
    }

    /// A caller is there that can make the exchange itself: if only a thread was lacking, that need
    /// not be waited for.
    pub(crate) fn has_a_worker(&mut self) {
        if let Backoff::Failing(failing) = self
            && failing.lacked_a_thread
        {
            failing.urgent_retry_at = i64::MIN;
        }
    }

    fn fail(
        &mut self,
        error: Error,
        [failures, key_rejections]: [u32; 2],
        [calm, urgent]: [i64; 2],
        now: Now,
    ) {
        *self = Backoff::Failing(Failing {
            failures,
            key_rejections,
            error,
            calm_retry_at: now.mono_ms.saturating_add(calm),
            urgent_retry_at: now.mono_ms.saturating_add(urgent),
            lacked_a_thread: false,
        });
    }

    fn counts(&self) -> (u32, u32) {
        match self {
            Backoff::Idle => (0, 0),
            Backoff::Failing(failing) => (failing.failures, failing.key_rejections),
        }
    }
}

/// The delay that the server asked for, in milliseconds and within our limits.
pub(crate) fn asked_delay(error: &Error) -> Option<i64> {
    let asked = i64::try_from(error.retry_after_ms?).unwrap_or(i64::MAX);
    Some(policy::clamp_retry_after(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Context = Context {
        now: Now {
            wall_ms: 0,
            mono_ms: 1_000,
        },
        random: 0.0,
    };

    fn error(status: Status) -> Error {
        Error::new(status, "no")
    }

    fn after_failures(count: u32) -> Backoff {
        let mut backoff = Backoff::Idle;
        (0..count).for_each(|_| backoff.exchange_failed(error(Status::NetworkError), AT));
        backoff
    }

    #[test]
    fn nothing_has_to_wait_while_nothing_fails() {
        assert_eq!(Backoff::Idle.retry_at(false), i64::MIN);
        assert_eq!(Backoff::Idle.next_try(Some(5_000)), i64::MIN);
        assert_eq!(Backoff::Idle.consecutive_failures(), 0);
        assert!(!Backoff::Idle.may_pass());
    }

    #[test]
    fn without_a_token_the_next_try_comes_sooner() {
        let backoff = after_failures(20);
        assert_eq!(backoff.retry_at(true), 1_000 + 15_000);
        assert_eq!(backoff.retry_at(false), 1_000 + 2_500);
        assert_eq!(backoff.consecutive_failures(), 20);
    }

    #[test]
    fn the_end_of_the_token_brings_the_next_try_forward() {
        let backoff = after_failures(20);
        assert_eq!(backoff.next_try(Some(1_500)), 1_000 + 2_500);
        assert_eq!(backoff.next_try(Some(9_000)), 9_000);
        assert_eq!(backoff.next_try(Some(99_000)), 1_000 + 15_000);
        assert_eq!(backoff.next_try(None), 1_000 + 2_500);
    }

    #[test]
    fn a_server_may_ask_for_more_time_but_not_for_less() {
        for (asked, waited) in [(0, 15_000), (20_000, 20_000), (u64::MAX, 600_000)] {
            let mut backoff = after_failures(20);
            let mut busy = error(Status::ServerError);
            busy.retry_after_ms = Some(asked);
            backoff.exchange_failed(busy, AT);
            assert_eq!(backoff.retry_at(true), 1_000 + waited, "{asked}");
        }
    }

    #[test]
    fn a_rejected_key_is_probed_more_and_more_slowly_and_waiting_does_not_mend_it() {
        let mut backoff = Backoff::Idle;
        for seconds in [30, 60, 120, 240, 240] {
            backoff.key_rejected(error(Status::KeyRejected), AT);
            assert_eq!(backoff.retry_at(false), 1_000 + seconds * 1_000);
        }
        assert!(!backoff.may_pass() && after_failures(1).may_pass());
    }

    #[test]
    fn a_flight_that_lacked_a_thread_waits_a_moment_but_not_for_a_caller_that_can_make_it() {
        let mut backoff = after_failures(3);
        backoff.flight_failed(error(Status::SystemError), AT);
        assert_eq!(backoff.retry_at(false), 1_000 + 100);
        assert_eq!(backoff.retry_at(true), 1_000 + 100);
        assert_eq!(backoff.consecutive_failures(), 3);
        backoff.has_a_worker();
        assert!(backoff.retry_at(false) < AT.now.mono_ms);
        assert_eq!(backoff.retry_at(true), 1_000 + 100, "a token is at hand");
    }

    #[test]
    fn a_caller_that_can_make_an_exchange_does_not_cut_other_delays_short() {
        let mut backoff = after_failures(1);
        let retry_at = backoff.retry_at(false);
        backoff.has_a_worker();
        assert_eq!(backoff.retry_at(false), retry_at);
    }
}
