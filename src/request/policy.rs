//! What follows an attempt to make a request: pure, without a clock or a die of its own.

use super::checks::Repeats;
use crate::cache::policy;

/// So often a request is made when it fails, unless the client waits for recovery.
const MOST_FAILURES: u32 = 4;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a reply of this status, and the time that the server asks to wait.
    Reply { status: u16, asked_ms: Option<u64> },
    /// Without one.
    Lost {
        /// The server may have acted on it.
        sent: bool,
        /// The connection was not new: the server may have closed it for its age.
        kept: bool,
    },
    /// With a good one that broke off: it was carried out.
    BrokenOff,
    /// In a way that another attempt does not mend.
    Hopeless,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The attempt's end is the request's.
    Finish,
    /// Report the token, and try with another.
    Renew,
    /// Try again after so many milliseconds.
    Again(i64),
}

/// The attempts of one request.
#[derive(Debug)]
pub(crate) struct Attempts {
    repeats: Repeats,
    waits_for_recovery: bool,
    /// On the monotonic clock.
    deadline_ms: i64,
    failures: u32,
    has_renewed: bool,
    has_lost_a_kept_one: bool,
}

impl Attempts {
    pub(crate) fn new(repeats: Repeats, waits_for_recovery: bool, deadline_ms: i64) -> Attempts {
        Attempts {
            repeats,
            waits_for_recovery,
            deadline_ms,
            failures: 0,
            has_renewed: false,
            has_lost_a_kept_one: false,
        }
    }

    /// What follows an attempt that ended so. `random` is in [0, 1).
    pub(crate) fn next(&mut self, end: End, now_ms: i64, random: f64) -> Next {
        let is_idempotent = self.repeats != Repeats::Never;
        match end {
            End::Reply { status: 401, .. } if !self.has_renewed => {
                self.has_renewed = true;
                Next::Renew
            }
            // Nothing was done, whatever the method, and how long to wait is not ours to say.
            End::Reply {
                status: 429,
                asked_ms: Some(asked),
            } => self.after(asked, now_ms, 0),
            End::Reply { status: 429, .. } => self.backoff(None, now_ms, random),
            End::Reply {
                status: 502..=504,
                asked_ms,
            } if is_idempotent => self.backoff(asked_ms, now_ms, random),
            End::Lost { sent, kept } if is_idempotent || !sent => {
                // One that was kept says nothing about the server. Nor do several, but they end.
                match kept && !std::mem::replace(&mut self.has_lost_a_kept_one, true) {
                    true => self.within_deadline(0, now_ms),
                    false => self.backoff(None, now_ms, random),
                }
            }
            End::BrokenOff if self.repeats == Repeats::Freely => self.backoff(None, now_ms, random),
            End::Reply { .. } | End::Lost { .. } | End::BrokenOff | End::Hopeless => Next::Finish,
        }
    }

    fn backoff(&mut self, asked_ms: Option<u64>, now_ms: i64, random: f64) -> Next {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= MOST_FAILURES && !self.waits_for_recovery {
            return Next::Finish;
        }
        let delay = policy::backoff(self.failures, policy::URGENT_CAP, random);
        match asked_ms {
            Some(asked) => self.after(asked, now_ms, delay),
            None => self.within_deadline(delay, now_ms),
        }
    }

    /// Waits as long as the server asks, and `least` at least. There is no upper limit but the
    /// deadline: who comes back sooner is refused again.
    fn after(&self, asked_ms: u64, now_ms: i64, least: i64) -> Next {
        let asked = i64::try_from(asked_ms).unwrap_or(i64::MAX);
        self.within_deadline(asked.max(policy::RETRY_AFTER_MIN).max(least), now_ms)
    }

    fn within_deadline(&self, delay: i64, now_ms: i64) -> Next {
        match now_ms.saturating_add(delay) < self.deadline_ms {
            true => Next::Again(delay),
            false => Next::Finish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Repeats::{Freely, Never, UntilDone};

    const DEADLINE: i64 = 30_000;

    fn attempts(repeats: Repeats) -> Attempts {
        Attempts::new(repeats, false, DEADLINE)
    }

    fn reply(status: u16) -> End {
        End::Reply {
            status,
            asked_ms: None,
        }
    }

    fn asked(status: u16, ms: u64) -> End {
        End::Reply {
            status,
            asked_ms: Some(ms),
        }
    }

    const fn lost(sent: bool, kept: bool) -> End {
        End::Lost { sent, kept }
    }

    /// What follows a first attempt at time 0, in the middle of its jitter.
    fn first(end: End, repeats: Repeats) -> Next {
        attempts(repeats).next(end, 0, 0.5)
    }

    #[test]
    fn what_another_attempt_may_mend_is_tried_again_if_nothing_was_done_or_may_be_done_twice() {
        const SOON: Next = Next::Again(150);
        // What ends an attempt; what follows for GET, PUT, DELETE, HEAD; what for all others.
        for (end, idempotent, other) in [
            (reply(401), Next::Renew, Next::Renew),
            (asked(429, 7_000), Next::Again(7_000), Next::Again(7_000)),
            (reply(429), SOON, SOON),
            (reply(502), SOON, Next::Finish),
            (reply(503), SOON, Next::Finish),
            (reply(504), SOON, Next::Finish),
            (asked(503, 7_000), Next::Again(7_000), Next::Finish),
            (lost(false, false), SOON, SOON),
            (lost(true, false), SOON, Next::Finish),
            (lost(false, true), Next::Again(0), Next::Again(0)),
            (lost(true, true), Next::Again(0), Next::Finish),
            (End::Hopeless, Next::Finish, Next::Finish),
        ] {
            assert_eq!(first(end, Freely), idempotent, "{end:?}");
            assert_eq!(first(end, UntilDone), idempotent, "{end:?}");
            assert_eq!(first(end, Never), other, "{end:?}");
        }
        let others = (200..600).filter(|status| !matches!(status, 401 | 429 | 502..=504));
        for status in others {
            assert_eq!(first(reply(status), Freely), Next::Finish, "{status}");
        }
    }

    #[test]
    fn what_is_known_to_be_done_is_only_read_again() {
        assert_eq!(first(End::BrokenOff, Freely), Next::Again(150));
        assert_eq!(first(End::BrokenOff, UntilDone), Next::Finish);
        assert_eq!(first(End::BrokenOff, Never), Next::Finish);
    }

    #[test]
    fn a_second_401_is_the_callers() {
        let mut attempts = attempts(Freely);
        assert_eq!(attempts.next(reply(401), 0, 0.0), Next::Renew);
        assert_eq!(attempts.next(reply(503), 0, 0.0), Next::Again(100));
        assert_eq!(attempts.next(reply(401), 0, 0.0), Next::Finish);
    }

    #[test]
    fn a_second_connection_that_was_kept_in_vain_is_a_failure() {
        let mut attempts = attempts(Freely);
        assert_eq!(attempts.next(lost(true, true), 0, 0.0), Next::Again(0));
        assert_eq!(attempts.next(lost(true, true), 0, 0.0), Next::Again(100));
        let late = super::Attempts::new(Freely, true, 0).next(lost(true, true), 0, 0.0);
        assert_eq!(late, Next::Finish);
    }

    #[test]
    fn a_wait_that_a_429_asks_for_is_kept_to_within_a_second_and_the_deadline() {
        assert_eq!(first(asked(429, 0), Never), Next::Again(1_000));
        assert_eq!(first(asked(429, 29_999), Never), Next::Again(29_999));
        assert_eq!(first(asked(429, 30_000), Never), Next::Finish);
        assert_eq!(first(asked(429, u64::MAX), Never), Next::Finish);
        let mut patient = Attempts::new(Never, false, 3_600_000);
        let longest = patient.next(asked(429, 3_599_999), 0, 0.0);
        assert_eq!(longest, Next::Again(3_599_999));
        let mut many = attempts(Never);
        let waits =
            (0..).take_while(|n| many.next(asked(429, 1_000), n * 1_000, 0.0) != Next::Finish);
        assert_eq!(waits.count(), 29, "as often as the time allows");
    }

    #[test]
    fn a_failing_server_is_tried_four_times_or_until_the_deadline() {
        let tries = |waits_for_recovery, random| {
            let mut attempts = Attempts::new(Freely, waits_for_recovery, DEADLINE);
            let (mut now, mut count) = (0, 1);
            while let Next::Again(delay) = attempts.next(lost(true, false), now, random) {
                (now, count) = (now + delay, count + 1);
            }
            (count, now)
        };
        assert_eq!(tries(false, 0.0), (4, 700));
        assert_eq!(tries(false, 0.5), (4, 1_050));
        let (count, last) = tries(true, 0.5);
        assert!((8..20).contains(&count), "{count}");
        assert!((DEADLINE - 5_000..DEADLINE).contains(&last), "{last}");
    }

    /// Every sequence of ends, to a depth at which nothing new can happen.
    #[test]
    fn whatever_happens_nothing_is_done_twice_that_must_not_be_and_all_ends_in_time() {
        const ENDS: [End; 11] = [
            End::Reply {
                status: 200,
                asked_ms: None,
            },
            End::Reply {
                status: 401,
                asked_ms: None,
            },
            End::Reply {
                status: 429,
                asked_ms: None,
            },
            End::Reply {
                status: 429,
                asked_ms: Some(9_000),
            },
            End::Reply {
                status: 503,
                asked_ms: None,
            },
            lost(false, false),
            lost(true, false),
            lost(false, true),
            lost(true, true),
            End::BrokenOff,
            End::Hopeless,
        ];
        fn walk(path: &mut Vec<End>, repeats: Repeats, seen: &mut u32) {
            let mut attempts = attempts(repeats);
            let mut now = 0;
            let mut last = Next::Again(0);
            for end in path.iter() {
                last = attempts.next(*end, now, 0.0);
                if let Next::Again(delay) = last {
                    assert!(delay >= 0 && now + delay < DEADLINE, "{path:?}");
                    now += delay;
                }
            }
            *seen += 1;
            if let Some(end) = path.last()
                && last != Next::Finish
            {
                let may_be_done = matches!(
                    end,
                    End::Lost { sent: true, .. } | End::Reply { status: 503, .. }
                );
                assert!(repeats != Never || !may_be_done, "{path:?}");
                assert!(repeats == Freely || *end != End::BrokenOff, "{path:?}");
            }
            if path.len() == 5 || last == Next::Finish {
                return;
            }
            for end in ENDS {
                path.push(end);
                walk(path, repeats, seen);
                path.pop();
            }
        }
        let mut seen = 0;
        for repeats in [Freely, UntilDone, Never] {
            walk(&mut Vec::new(), repeats, &mut seen);
        }
        assert!(seen > 1_000, "{seen}");
    }
}
