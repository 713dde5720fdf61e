//! Who waits for the one exchange, and what each asks of it.

use std::collections::{BTreeMap, BTreeSet};

/// What a flight is made for, and what a caller asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A valid token, however it is got.
    Token,
    /// `POST /auth/api-key`, now.
    Authenticate,
    /// `POST /auth/refresh`, now.
    Refresh,
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenRequest {
    pub(crate) purpose: Purpose,
    /// How long the token must still be good.
    pub(crate) min_validity_ms: i64,
    /// On the monotonic clock: after it, the caller waits no more.
    pub(crate) deadline_ms: i64,
    /// Wait for the next try instead of taking the last one's error, if that is before the
    /// deadline.
    pub(crate) wait_for_recovery: bool,
    /// No thread of its own watches this caller's time: somebody must call
    /// [`State::wake`](super::state::State::wake).
    pub(crate) needs_timer: bool,
}

/// Names a waiter.
pub(crate) type WaiterId = u64;

/// The waiting callers, each with the completion that its answer goes to.
pub(crate) struct Waiters<T> {
    next_id: WaiterId,
    by_id: BTreeMap<WaiterId, (TokenRequest, T)>,
    /// Of those that need a timer, the next to be late first.
    deadlines: BTreeSet<(i64, WaiterId)>,
    by_purpose: [usize; 3],
}

impl<T> Waiters<T> {
    pub(crate) fn new() -> Waiters<T> {
        Waiters {
            next_id: 0,
            by_id: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            by_purpose: [0; 3],
        }
    }

    pub(crate) fn add(&mut self, request: TokenRequest, completion: T) -> WaiterId {
        self.next_id += 1;
        let id = self.next_id;
        self.by_purpose[request.purpose as usize] += 1;
        if request.needs_timer {
            self.deadlines.insert((request.deadline_ms, id));
        }
        self.by_id.insert(id, (request, completion));
        id
    }

    pub(crate) fn remove(&mut self, id: WaiterId) -> Option<(T, TokenRequest)> {
        let (request, completion) = self.by_id.remove(&id)?;
        self.by_purpose[request.purpose as usize] -= 1;
        self.deadlines.remove(&(request.deadline_ms, id));
        Some((completion, request))
    }

    /// Removes those that `answer` has an answer for, and gives each its own.
    pub(crate) fn answer<A>(
        &mut self,
        mut answer: impl FnMut(&TokenRequest) -> Option<A>,
    ) -> Vec<(T, A)> {
        let answers: Vec<(WaiterId, A)> = self
            .by_id
            .iter()
            .filter_map(|(id, (request, _))| Some((*id, answer(request)?)))
            .collect();
        answers
            .into_iter()
            .filter_map(|(id, answer)| Some((self.remove(id)?.0, answer)))
            .collect()
    }

    /// Removes the waiters that are late, of those that need a timer.
    pub(crate) fn take_late(&mut self, now_ms: i64) -> Vec<(T, TokenRequest)> {
        let mut late = Vec::new();
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now_ms
        {
            late.extend(self.remove(id));
        }
        late
    }

    /// Whether somebody waits for this.
    pub(crate) fn any(&self, purpose: Purpose) -> bool {
        self.by_purpose[purpose as usize] > 0
    }

    /// When the first of the waiters that need a timer will be late.
    pub(crate) fn first_deadline(&self) -> Option<i64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// When the first of those who wait for this gives up.
    pub(crate) fn first_to_give_up(&self, purpose: Purpose) -> Option<i64> {
        let requests = self.by_id.values().map(|(request, _)| request);
        let theirs = requests.filter(|request| request.purpose == purpose);
        theirs.map(|request| request.deadline_ms).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(purpose: Purpose, deadline_ms: i64, needs_timer: bool) -> TokenRequest {
        TokenRequest {
            purpose,
            min_validity_ms: 0,
            deadline_ms,
            wait_for_recovery: false,
            needs_timer,
        }
    }

    #[test]
    fn only_those_that_need_a_timer_are_late_and_the_first_of_them_first() {
        let mut waiters = Waiters::new();
        for (deadline_ms, needs_timer) in [(30, true), (10, false), (20, true), (40, true)] {
            waiters.add(
                request(Purpose::Token, deadline_ms, needs_timer),
                deadline_ms,
            );
        }
        assert_eq!(waiters.first_deadline(), Some(20));
        let late: Vec<i64> = waiters
            .take_late(30)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(late, [20, 30]);
        assert_eq!((waiters.first_deadline(), waiters.len()), (Some(40), 2));
        waiters.add(request(Purpose::Authenticate, 5, true), 5);
        assert_eq!(waiters.first_to_give_up(Purpose::Token), Some(10));
        assert_eq!(waiters.first_to_give_up(Purpose::Refresh), None);
    }

    #[test]
    fn each_purpose_has_waiters_until_the_last_is_answered_or_gone() {
        let mut waiters = Waiters::new();
        waiters.add(request(Purpose::Token, 0, false), "token");
        let gone = waiters.add(request(Purpose::Refresh, 0, true), "refresh");
        assert!(waiters.any(Purpose::Token) && waiters.any(Purpose::Refresh));
        assert!(!waiters.any(Purpose::Authenticate));
        let answered =
            waiters.answer(|request| (request.purpose == Purpose::Token).then_some("yes"));
        assert_eq!(answered, [("token", "yes")]);
        assert!(waiters.remove(gone).is_some() && waiters.remove(gone).is_none());
        assert!(!waiters.any(Purpose::Token) && !waiters.any(Purpose::Refresh));
        assert_eq!((waiters.first_deadline(), waiters.len()), (None, 0));
    }
}
