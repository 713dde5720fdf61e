//! What is known about the token, and what follows from it: the pure heart of the cache.
//!
//! Nothing here reads a clock, draws a random number, takes a lock or does I/O. Every method gets
//! the time, and what is to be done about an event is collected in [`Effects`] for the caller to
//! carry out.

use std::sync::Arc;

use super::backoff::{Backoff, asked_delay};
use super::contention::Contention;
use super::events::{Event, TokenState};
use super::exchange::{Outcome, Request};
use super::policy;
use super::record::{Loaded, Swap};
use super::sharing::{Refused, Report, Sharing, Step, StoreTask, View};
use super::statistics::Statistics;
use super::waiters::{Purpose, TokenRequest, WaiterId, Waiters};
use crate::clock::{Context, Now};
use crate::error::{Error, Status};
use crate::token::TokenSet;

/// An answer to a caller.
pub(crate) type Answer = Result<Arc<TokenSet>, Error>;

/// What the caller of a [`State`] method has to carry out.
pub(crate) struct Effects<T> {
    /// Start a flight: something must call [`State::next_task`] and go on from there.
    pub(crate) launch: bool,
    /// Publish this to the readers: a new token set, or that there is none.
    pub(crate) publish: Option<Option<Arc<TokenSet>>>,
    /// Answers for waiting callers.
    pub(crate) answers: Vec<(T, Answer)>,
    /// For the observer.
    pub(crate) events: Vec<Event>,
}

impl<T> Effects<T> {
    fn none() -> Effects<T> {
        Effects {
            launch: false,
            publish: None,
            answers: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// What is held of api.video's tokens.
enum Held {
    /// There has been no token yet.
    Nothing,
    /// The newest set, be it usable, due or expired.
    Current {
        set: Arc<TokenSet>,
        /// Its refresh token was not sent yet, and belongs to this process.
        refresh_unspent: bool,
    },
    /// The API rejected the newest set, and nothing has replaced it yet.
    Withdrawn { set: Arc<TokenSet> },
    /// The client was freed: nothing is held, now and for ever.
    Closed,
}

/// The one exchange, or pair of exchanges, under way for everybody.
#[derive(Clone, Copy)]
struct Flight {
    purpose: Purpose,
    /// How often an exchange was made once more, since its token seemed to have expired on its way.
    repeats: u8,
}

/// What is known about the token.
struct Known {
    held: Held,
    flight: Option<Flight>,
    backoff: Backoff,
    contention: Contention,
    /// When the last replacement of a rejected token was obtained.
    replaced_at: Option<i64>,
}

/// What is known about the token, and who waits for one. `T` is what a waiting caller's answer goes
/// to.
pub(crate) struct State<T> {
    keep_fresh: bool,
    known: Known,
    /// With a store: how the token is shared.
    sharing: Option<Box<Sharing>>,
    /// What the flight's exchange gave, while others are told of it.
    result: Option<Answer>,
    waiters: Waiters<T>,
    /// What the observer was told last.
    last_reported: TokenState,
    statistics: Statistics,
    effects: Effects<T>,
}

/// What a flight does next.
#[derive(Debug)]
pub(crate) enum Task {
    Exchange(Request),
    Store(StoreTask),
}

/// What follows from the outcome of an exchange.
enum Next {
    Send(Request),
    Finish(Answer),
}

impl<T> State<T> {
    /// What a process starts with. `inherited` is its parent's: the access token is good there too,
    /// the refresh token is not its own.
    pub(crate) fn new(
        keep_fresh: bool,
        inherited: Option<Arc<TokenSet>>,
        sharing: Option<Sharing>,
    ) -> State<T> {
        State {
            keep_fresh,
            sharing: sharing.map(Box::new),
            result: None,
            last_reported: match &inherited {
                Some(_) => TokenState::Valid,
                None => TokenState::None,
            },
            known: Known::new(inherited),
            waiters: Waiters::new(),
            statistics: Statistics::default(),
            effects: Effects::none(),
        }
    }

    /// Publishes what is known here once more, with the next effects.
    pub(crate) fn publish_again(&mut self) {
        self.effects.publish = Some(self.known.held.set().cloned());
    }

    /// What has to be carried out since the last call.
    pub(crate) fn take_effects(&mut self, now: Now) -> Effects<T> {
        if let Some(state) = self.known.token_state(now)
            && state != self.last_reported
        {
            self.last_reported = state;
            self.effects.events.push(Event::StateChanged(state));
        }
        std::mem::replace(&mut self.effects, Effects::none())
    }

    // --- What callers ask ---

    /// The answer, if there is one already.
    pub(crate) fn answer_now(&self, request: &TokenRequest, now: Now) -> Option<Answer> {
        self.known.answer_now(request, now)
    }

    /// Answers `completion` when there is an answer, and sees to it that there will be one.
    pub(crate) fn wait(&mut self, request: TokenRequest, completion: T, now: Now) -> WaiterId {
        let id = self.waiters.add(request, completion);
        self.launch_if_wanted(now);
        id
    }

    /// Whoever changes something next can make exchanges itself.
    pub(crate) fn has_a_worker(&mut self) {
        self.known.backoff.has_a_worker();
    }

    /// A caller's time is up, unless it has its answer already.
    pub(crate) fn give_up(&mut self, id: WaiterId, now: Now) {
        if let Some((completion, request)) = self.waiters.remove(id) {
            self.answer_late(completion, &request, now);
        }
    }

    /// While others are told of a new token, it is there for whoever cannot wait for that.
    fn answer_late(&mut self, completion: T, request: &TokenRequest, now: Now) {
        let answer = self.known.answer_now(request, now).unwrap_or_else(|| {
            self.statistics.timeouts += 1;
            Err(deadline_passed(request.purpose))
        });
        self.effects.answers.push((completion, answer));
    }

    /// A caller does not want its answer any more.
    pub(crate) fn cancel(&mut self, id: WaiterId) {
        self.waiters.remove(id);
    }

    /// The API rejected `rejected` with a 401.
    pub(crate) fn invalidate(&mut self, rejected: &Arc<TokenSet>, now: Now) -> Result<(), Error> {
        match &self.known.held {
            Held::Current { set, .. } if Arc::ptr_eq(set, rejected) => {}
            _ => {
                self.withdraw(rejected);
                return Ok(());
            }
        }
        if let Some(left) = self.known.trial_left(now) {
            self.effects.events.push(Event::RejectedAgain);
            return Err(rejected_again().retry_after(left));
        }
        self.known.held = Held::Withdrawn {
            set: Arc::clone(rejected),
        };
        self.withdraw(rejected);
        self.statistics.invalidations += 1;
        self.effects.publish = Some(None);
        self.effects.events.push(Event::Invalidated);
        Ok(())
    }

    /// A store may still have it.
    fn withdraw(&mut self, rejected: &TokenSet) {
        if let Some(sharing) = &mut self.sharing {
            sharing.withdraw(rejected.fence());
        }
    }

    /// A reader saw that the token is due: renew it unless that is being done, or was tried just
    /// now.
    pub(crate) fn renew_if_due(&mut self, now: Now) {
        let due = match &self.known.held {
            Held::Current { set, .. } => set.is_due(now),
            Held::Withdrawn { .. } => true,
            Held::Nothing | Held::Closed => false,
        };
        if due && now.mono_ms >= self.known.retry_at(now).max(self.look_at(now)) {
            self.launch(Purpose::Token);
        }
    }

    /// Whether the last change calls for a flight to be started.
    pub(crate) fn wants_launch(&self) -> bool {
        self.effects.launch
    }

    /// The time has come that [`State::next_wake`] named, or another: see to what is due.
    pub(crate) fn wake(&mut self, now: Now) {
        for (completion, request) in self.waiters.take_late(now.mono_ms) {
            self.answer_late(completion, &request, now);
        }
        self.launch_if_wanted(now);
        if self.keep_fresh {
            self.renew_if_due(now);
        }
    }

    /// When [`State::wake`] should be called, on the monotonic clock.
    pub(crate) fn next_wake(&self, now: Now) -> Option<i64> {
        let deadline = self.waiters.first_deadline();
        if self.is_in_flight() || self.known.held.is_closed() {
            return deadline;
        }
        let retry = deadline.map(|_| self.known.next_try(now));
        let renewal = self.known.next_renewal(now).filter(|_| self.keep_fresh);
        let renewal = renewal.map(|at| at.max(self.look_at(now)));
        [deadline, retry, renewal].into_iter().flatten().min()
    }

    /// No more exchanges, no more tokens. Whoever waits gets the error.
    pub(crate) fn close(&mut self) {
        self.known.held = Held::Closed;
        self.effects.publish = Some(None);
        let answers = self.waiters.answer(|_| Some(Err(closed())));
        self.effects.answers.extend(answers);
    }

    /// The counters, and what is going on now.
    pub(crate) fn statistics(&self, now: Now) -> Statistics {
        let retry_in = match self.known.backoff.error() {
            Some(_) => self.known.retry_at(now).saturating_sub(now.mono_ms).max(0),
            None => 0,
        };
        Statistics {
            waiters: self.waiters.len() as u64,
            consecutive_failures: self.known.backoff.consecutive_failures(),
            retry_in_ms: retry_in.unsigned_abs(),
            exchanges_in_flight: u64::from(self.is_in_flight()),
            store_failures: self
                .sharing
                .as_ref()
                .map_or(0, |sharing| sharing.failures_ever()),
            ..self.statistics
        }
    }

    // --- The flight: one at a time ---

    /// Starts a flight if a caller waits for one, unless one is under way or it is too early.
    fn launch_if_wanted(&mut self, now: Now) {
        if self.waiters.any(Purpose::Authenticate) {
            self.launch(Purpose::Authenticate);
        } else if self.waiters.any(Purpose::Refresh) {
            self.launch(Purpose::Refresh);
        } else if self.waiters.any(Purpose::Token) && now.mono_ms >= self.known.retry_at(now) {
            self.launch(Purpose::Token);
        }
    }

    fn launch(&mut self, purpose: Purpose) {
        if self.known.flight.is_none() && !self.known.held.is_closed() {
            self.known.flight = Some(Flight {
                purpose,
                repeats: 0,
            });
            self.effects.launch = true;
        }
    }

    /// Whether an exchange is made, or about to be.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.known.flight.is_some()
    }

    /// The first task of the flight under way. `None` if there is nothing to do any more.
    ///
    /// Whoever calls this carries it out, and reports to [`State::on_response`], or for a store to
    /// [`State::on_loaded`], [`State::on_swapped`] or [`State::on_paused`].
    pub(crate) fn next_task(&mut self, at: Context) -> Option<Task> {
        let task = self.first_task(at);
        self.effects.launch = false;
        task
    }

    /// Whether what comes of the flight's exchange is for the store, too.
    pub(crate) fn tells_others(&self) -> bool {
        let sharing = self.sharing.as_ref();
        sharing.is_some_and(|sharing| sharing.tells_others())
    }

    fn first_task(&mut self, at: Context) -> Option<Task> {
        let purpose = self.known.flight?.purpose;
        if self.known.held.is_closed() {
            self.known.flight = None;
            return None;
        }
        if self.sharing.is_some() && purpose != Purpose::Refresh {
            let task = self.share(at, |sharing, view, _| sharing.begin(view, at.now));
            return task.or_else(|| self.first_task(at));
        }
        match self.known.request_for(purpose, at.now) {
            Some(request) => Some(self.sending(request)),
            None => {
                self.finish_flight(purpose, Err(no_refresh_token()), at.now);
                self.first_task(at)
            }
        }
    }

    fn sending(&mut self, request: Request) -> Task {
        match request {
            Request::ApiKey { .. } => self.statistics.authenticate_requests += 1,
            Request::Refresh(_) => self.statistics.refresh_requests += 1,
        }
        self.effects.events.push(Event::Sending(request.path()));
        Task::Exchange(request)
    }

    /// An exchange of the flight is over. The next task, or `None` when the flight is over too.
    pub(crate) fn on_response(
        &mut self,
        request: &Request,
        outcome: Outcome,
        sent: Now,
        at: Context,
    ) -> Option<Task> {
        let flight = self.known.flight?;
        let refusal = self.refusal_for_all(&outcome);
        if self.known.held.is_closed() {
            let set = self.set_for_others(&outcome, sent, at);
            return self.abandon(&Report::of(set.as_ref(), refusal.as_ref(), sent), at);
        }
        let next = match outcome {
            Outcome::Granted {
                access_token,
                refresh_token,
                lifetime_ms,
            } => {
                let refresh_token = refresh_token.as_ref().map(|r| r.as_str());
                let validity = policy::validity(lifetime_ms, sent, at);
                let set = match &self.sharing {
                    None => TokenSet::new(access_token.as_str(), refresh_token, validity),
                    Some(sharing) => sharing.token_set(access_token.as_str(), validity, at),
                };
                self.granted(Arc::new(set), request, flight, at)
            }
            Outcome::Rejected(error) => self.rejected(error, request, flight.purpose, at),
            Outcome::Failed { error, spent, .. } => {
                self.failed(error, spent, request, flight.purpose, at)
            }
        };
        match next {
            Next::Send(request) => Some(self.sending(request)),
            Next::Finish(result) if self.sharing.is_some() => {
                self.tell_others(result, refusal, sent, at)
            }
            Next::Finish(result) => {
                self.finish_flight(flight.purpose, result, at.now);
                None
            }
        }
    }

    // --- A flight of a client that shares its token ---

    /// The store was asked for the record, at `started`.
    pub(crate) fn on_loaded(
        &mut self,
        result: Result<Loaded, Error>,
        started: Now,
        at: Context,
    ) -> Option<Task> {
        if self.known.held.is_closed() {
            return self.abandon(&Report::Failed, at);
        }
        self.share(at, |sharing, view, events| {
            sharing.loaded(result, view, started, at, events)
        })
    }

    /// The store was asked to swap a record in, at `started`.
    pub(crate) fn on_swapped(
        &mut self,
        swap: Swap,
        result: Result<bool, Error>,
        started: Now,
        at: Context,
    ) -> Option<Task> {
        if self.known.held.is_closed() {
            if let Some(sharing) = &mut self.sharing {
                sharing.swapped_for_nothing(&result, swap);
            }
            return self.abandon(&Report::Failed, at);
        }
        self.share(at, |sharing, view, events| {
            sharing.swapped(result, swap, view, started, at, events)
        })
    }

    /// The flight has paused.
    pub(crate) fn on_paused(&mut self, at: Context) -> Option<Task> {
        if self.known.held.is_closed() {
            return self.abandon(&Report::Failed, at);
        }
        self.share(at, |sharing, view, _| sharing.paused(view, at.now))
    }

    /// What others can use of an exchange whose client was freed.
    fn set_for_others(&self, outcome: &Outcome, sent: Now, at: Context) -> Option<TokenSet> {
        let (
            Some(sharing),
            Outcome::Granted {
                access_token,
                lifetime_ms,
                ..
            },
        ) = (&self.sharing, outcome)
        else {
            return None;
        };
        let validity = policy::validity(*lifetime_ms, sent, at);
        Some(sharing.token_set(access_token.as_str(), validity, at))
    }

    /// The client was freed: all that is left to do is to tell the others, and to give the lease
    /// back.
    fn abandon(&mut self, report: &Report, at: Context) -> Option<Task> {
        let task = self
            .sharing
            .as_mut()
            .and_then(|sharing| sharing.abandon(report, at));
        if task.is_none() {
            self.known.flight = None;
        }
        task.map(Task::Store)
    }

    /// Takes one step of the protocol. The next task, or `None` when the flight is over.
    fn share(
        &mut self,
        at: Context,
        step: impl FnOnce(&mut Sharing, &View, &mut Vec<Event>) -> Step,
    ) -> Option<Task> {
        let purpose = self.known.flight?.purpose;
        let deadline = self.waiters.first_to_give_up(Purpose::Token);
        let view = self.known.view(purpose, deadline, at.now);
        let sharing = self.sharing.as_mut()?;
        match step(sharing, &view, &mut self.effects.events) {
            Step::Do(task) => return Some(Task::Store(task)),
            Step::Exchange => {
                let request = self.known.request_for(purpose, at.now)?;
                return Some(self.sending(request));
            }
            Step::Adopt { set, replaced_at } => self.adopt_shared(set, replaced_at, at.now),
            Step::Keep => {
                self.known.flight = None;
                self.settle(at.now);
            }
            Step::Refuse(error) => {
                self.known.backoff.exchange_failed(error.clone(), at);
                let error = self.report_failure(error, at.now);
                self.finish_flight(purpose, Err(error), at.now);
            }
            Step::Over => {
                let result = self.result.take().unwrap_or_else(|| Err(closed()));
                self.finish_flight(purpose, result, at.now);
            }
        }
        None
    }

    /// Another process has got a token.
    fn adopt_shared(&mut self, set: Arc<TokenSet>, replaced_at: Option<i64>, now: Now) {
        self.statistics.tokens_adopted += 1;
        let left_ms = now.until(set.validity().expires);
        self.effects.events.push(Event::Adopted { left_ms });
        self.known.backoff = Backoff::Idle;
        self.known.replaced_at = replaced_at.or(self.known.replaced_at);
        self.known.held = Held::Current {
            set: Arc::clone(&set),
            refresh_unspent: false,
        };
        self.effects.publish = Some(Some(set));
        self.known.flight = None;
        // Who wants one for longer than this is good waits for another.
        self.settle(now);
    }

    /// An exchange is over, and there is a store: the others are told before those who wait here
    /// have their answer, since this process may end when they do.
    fn tell_others(
        &mut self,
        result: Answer,
        refusal: Option<Refused>,
        sent: Now,
        at: Context,
    ) -> Option<Task> {
        let set = result.as_ref().ok().cloned();
        self.result = Some(result);
        let report = Report::of(set.as_deref(), refusal.as_ref(), sent);
        self.share(at, |sharing, _, _| sharing.exchanged(&report, at))
    }

    /// What api.video says to whoever asks next, whichever process that is.
    fn refusal_for_all(&self, outcome: &Outcome) -> Option<Refused> {
        let refused = |error: &Error, own_words| Refused {
            error: error.clone(),
            own_words,
        };
        match outcome {
            _ if self.sharing.is_none() => None,
            Outcome::Rejected(error) => Some(refused(error, true)),
            Outcome::Failed {
                error, own_words, ..
            } => {
                let asks = error.status == Status::RateLimited || error.retry_after_ms.is_some();
                asks.then(|| refused(error, *own_words))
            }
            Outcome::Granted { .. } => None,
        }
    }

    /// While the token at hand is good, the store is not looked at before.
    fn look_at(&self, now: Now) -> i64 {
        match &self.sharing {
            Some(sharing) if self.known.held.usable(now).is_some() => sharing.look_at(),
            _ => i64::MIN,
        }
    }

    /// The flight could not start: no thread, and nobody who could do its work.
    pub(crate) fn flight_failed(&mut self, error: Error, at: Context) {
        if let Some(flight) = self.known.flight {
            self.result = None;
            self.statistics.failures += 1;
            self.known.backoff.flight_failed(error.clone(), at);
            let error = self.report_failure(error, at.now);
            self.finish_flight(flight.purpose, Err(error), at.now);
        }
    }

    /// The flight is over: answers who waited for it, and starts the next if somebody waits for
    /// that.
    fn finish_flight(&mut self, purpose: Purpose, result: Answer, now: Now) {
        self.known.flight = None;
        let known = &self.known;
        let answers = self.waiters.answer(|request| match &result {
            _ if request.purpose != purpose && request.purpose != Purpose::Token => None,
            // It was rejected while others were told of it.
            Ok(set) if request.purpose == Purpose::Token && !known.held.is_current(set) => None,
            Ok(set) => Some(fresh_enough(set, request, now)),
            Err(_) if request.purpose != purpose => None,
            Err(_) if known.waits_on(request, now) => None,
            Err(error) => Some(Err(error.clone())),
        });
        self.effects.answers.extend(answers);
        self.settle(now);
    }

    /// Answers the waiters that what is known now has an answer for, and starts a flight for the
    /// others.
    fn settle(&mut self, now: Now) {
        let known = &self.known;
        let answers = self
            .waiters
            .answer(|request| known.answer_now(request, now));
        self.effects.answers.extend(answers);
        self.launch_if_wanted(now);
    }

    // --- What an exchange's outcome means ---

    fn granted(
        &mut self,
        set: Arc<TokenSet>,
        request: &Request,
        flight: Flight,
        at: Context,
    ) -> Next {
        if !set.is_usable(at.now) {
            if flight.repeats < policy::MOST_REPEATS {
                return self.repeat(set, flight, at.now);
            }
            return Next::Finish(Err(self.exchange_failed(
                expired_on_arrival(),
                flight.purpose,
                at,
            )));
        }
        self.statistics.tokens_granted += 1;
        self.effects.events.push(Event::Granted {
            via: request.path(),
            lifetime_ms: set.validity().lifetime_ms,
        });
        self.known.adopt(Arc::clone(&set), request, at.now);
        self.effects.publish = Some(Some(Arc::clone(&set)));
        Next::Finish(Ok(set))
    }

    /// A clock was set, or the machine slept, while the reply was on its way: another exchange is
    /// made at once, and no caller sees an error.
    fn repeat(&mut self, set: Arc<TokenSet>, flight: Flight, now: Now) -> Next {
        self.known.flight = Some(Flight {
            repeats: flight.repeats + 1,
            ..flight
        });
        let withdrawn = matches!(self.known.held, Held::Withdrawn { .. });
        if !withdrawn && self.known.held.usable(now).is_none() {
            self.effects.publish = Some(None);
            self.known.held = Held::Current {
                set: Arc::clone(&set),
                refresh_unspent: true,
            };
        }
        match self.known.request_for(flight.purpose, now) {
            Some(request) => Next::Send(request),
            // What is held has none left, but what just came does.
            None if set.refresh_token().is_some() => Next::Send(Request::Refresh(set)),
            None => Next::Finish(Err(no_refresh_token())),
        }
    }

    fn rejected(&mut self, error: Error, request: &Request, purpose: Purpose, at: Context) -> Next {
        match request {
            Request::Refresh(_) => {
                self.statistics.refresh_rejections += 1;
                let contended = self.known.contention.rejected(at.now);
                self.effects
                    .events
                    .push(Event::RefreshRejected { contended });
                match purpose {
                    Purpose::Token => Next::Send(self.known.key_request()),
                    Purpose::Authenticate | Purpose::Refresh => Next::Finish(Err(error)),
                }
            }
            Request::ApiKey { .. } => {
                self.statistics.key_rejections += 1;
                if self.known.is_of_no_consequence(purpose, at.now) {
                    return Next::Finish(Err(error));
                }
                self.known.backoff.key_rejected(error.clone(), at);
                Next::Finish(Err(self.report_failure(error, at.now)))
            }
        }
    }

    fn failed(
        &mut self,
        error: Error,
        spent: bool,
        request: &Request,
        purpose: Purpose,
        at: Context,
    ) -> Next {
        if let Request::Refresh(set) = request {
            if !spent {
                self.known.held.give_refresh_token_back(set);
            } else if purpose == Purpose::Token && error.retry_after_ms.is_none() {
                self.statistics.failures += 1;
                self.effects.events.push(Event::RefreshLost(error));
                return Next::Send(self.known.key_request());
            }
        }
        Next::Finish(Err(self.exchange_failed(error, purpose, at)))
    }

    fn exchange_failed(&mut self, error: Error, purpose: Purpose, at: Context) -> Error {
        self.statistics.failures += 1;
        if self.known.is_of_no_consequence(purpose, at.now) {
            let asked = asked_delay(&error);
            return Error {
                retry_after_ms: asked.map(i64::unsigned_abs),
                ..error
            };
        }
        self.known.backoff.exchange_failed(error.clone(), at);
        self.report_failure(error, at.now)
    }

    /// The failure with the time to the next try.
    fn report_failure(&mut self, error: Error, now: Now) -> Error {
        let retry_in_ms = self.known.retry_at(now).saturating_sub(now.mono_ms);
        let error = error.retry_after(retry_in_ms);
        self.effects.events.push(Event::Failed {
            error: error.clone(),
            retry_in_ms,
        });
        error
    }
}

impl Known {
    fn new(inherited: Option<Arc<TokenSet>>) -> Known {
        Known {
            held: match inherited {
                None => Held::Nothing,
                Some(set) => Held::Current {
                    set,
                    refresh_unspent: false,
                },
            },
            flight: None,
            backoff: Backoff::Idle,
            contention: Contention::default(),
            replaced_at: None,
        }
    }

    fn answer_now(&self, request: &TokenRequest, now: Now) -> Option<Answer> {
        if self.held.is_closed() {
            return Some(Err(closed()));
        }
        match request.purpose {
            Purpose::Token => self.token_now(request, now),
            Purpose::Refresh if self.flight.is_none() && !self.held.can_refresh() => {
                Some(Err(no_refresh_token()))
            }
            Purpose::Refresh | Purpose::Authenticate => None,
        }
    }

    fn token_now(&self, request: &TokenRequest, now: Now) -> Option<Answer> {
        if let Some(set) = self.held.usable(now)
            && set.usable_for_ms(now) >= request.min_validity_ms
        {
            return Some(Ok(Arc::clone(set)));
        }
        let longest = policy::longest_min_validity(self.held.lifetime_ms());
        if request.min_validity_ms > longest {
            return Some(Err(too_long(request.min_validity_ms, longest)));
        }
        let error = self.backoff.error()?;
        let retry_at = self.retry_at(now);
        let must_wait = self.flight.is_none() && now.mono_ms < retry_at;
        let retry_in_ms = retry_at.saturating_sub(now.mono_ms);
        (must_wait && !self.waits_on(request, now))
            .then(|| Err(error.clone().retry_after(retry_in_ms)))
    }

    /// The request that serves the purpose, unless that is a refresh without a refresh token.
    fn request_for(&mut self, purpose: Purpose, now: Now) -> Option<Request> {
        let refresh = match purpose {
            Purpose::Authenticate => None,
            Purpose::Token if self.contention.is_on(now) => None,
            Purpose::Token | Purpose::Refresh => self.held.spend_refresh_token(),
        };
        match (refresh, purpose) {
            (Some(set), _) => Some(Request::Refresh(set)),
            (None, Purpose::Refresh) => None,
            (None, Purpose::Token | Purpose::Authenticate) => Some(self.key_request()),
        }
    }

    /// What a flight that shares the token should know of it.
    fn view(&self, purpose: Purpose, deadline: Option<i64>, now: Now) -> View {
        let is_usable = self.held.usable(now).is_some();
        View {
            purpose,
            set: self.held.set().cloned(),
            is_usable,
            is_enough: is_usable && purpose == Purpose::Token && deadline.is_none(),
            deadline,
        }
    }

    fn key_request(&self) -> Request {
        Request::ApiKey {
            held: self.held.set().cloned(),
        }
    }

    /// A new token set takes the place of what was held.
    fn adopt(&mut self, set: Arc<TokenSet>, request: &Request, now: Now) {
        let withdrawn = matches!(self.held, Held::Withdrawn { .. });
        match request {
            Request::Refresh(_) => self.contention.refreshed(),
            // A refresh that was under way when the token was rejected is not the replacement that
            // is on trial.
            Request::ApiKey { .. } if withdrawn => self.replaced_at = Some(now.mono_ms),
            Request::ApiKey { .. } => {}
        }
        self.backoff = Backoff::Idle;
        self.held = Held::Current {
            set,
            refresh_unspent: true,
        };
    }

    /// A failed call of the program's own changes nothing while the token at hand needs no renewal.
    fn is_of_no_consequence(&self, purpose: Purpose, now: Now) -> bool {
        let fresh = self.held.usable(now).is_some_and(|set| !set.is_due(now));
        purpose != Purpose::Token && fresh
    }

    /// How long the replacement of a rejected token is not replaced again.
    fn trial_left(&self, now: Now) -> Option<i64> {
        let over = self.replaced_at?.saturating_add(policy::REPLACEMENT_TRIAL);
        (now.mono_ms < over).then(|| over.saturating_sub(now.mono_ms))
    }

    /// On the monotonic clock: nothing is tried before this.
    fn retry_at(&self, now: Now) -> i64 {
        self.backoff.retry_at(self.held.usable(now).is_some())
    }

    /// When a failed try is to be repeated.
    fn next_try(&self, now: Now) -> i64 {
        let end = |set: &Arc<TokenSet>| now.mono_ms.saturating_add(set.usable_for_ms(now));
        self.backoff.next_try(self.held.usable(now).map(end))
    }

    /// When to renew a token that nobody may be reading.
    fn next_renewal(&self, now: Now) -> Option<i64> {
        match &self.held {
            Held::Current { set, .. } => {
                let due = now.mono_ms.saturating_add(set.due_in_ms(now));
                Some(self.next_try(now).max(due))
            }
            Held::Withdrawn { .. } => Some(self.next_try(now)),
            Held::Nothing | Held::Closed => None,
        }
    }

    /// Whether a caller waits for the next try: if it asked to, and the try comes before its
    /// deadline. Not for a rejected key, which waiting does not mend.
    fn waits_on(&self, request: &TokenRequest, now: Now) -> bool {
        self.backoff.may_pass()
            && request.wait_for_recovery
            && self.retry_at(now) < request.deadline_ms
    }

    /// `None` once the client is closed.
    fn token_state(&self, now: Now) -> Option<TokenState> {
        let failing = self.backoff.error().is_some();
        match &self.held {
            Held::Closed => None,
            _ if self.held.usable(now).is_some() && failing => Some(TokenState::RenewalFailing),
            _ if self.held.usable(now).is_some() => Some(TokenState::Valid),
            _ if failing => Some(TokenState::Unavailable),
            Held::Withdrawn { .. } => Some(TokenState::Rejected),
            Held::Current { .. } => Some(TokenState::Expired),
            Held::Nothing => Some(TokenState::None),
        }
    }
}

impl Held {
    fn is_closed(&self) -> bool {
        matches!(self, Held::Closed)
    }

    /// The newest set, whatever it is good for.
    fn set(&self) -> Option<&Arc<TokenSet>> {
        match self {
            Held::Current { set, .. } | Held::Withdrawn { set } => Some(set),
            Held::Nothing | Held::Closed => None,
        }
    }

    /// Whether this is the newest set, and the API did not reject it.
    fn is_current(&self, of: &Arc<TokenSet>) -> bool {
        matches!(self, Held::Current { set, .. } if Arc::ptr_eq(set, of))
    }

    /// The newest set, if its access token may be handed out.
    fn usable(&self, now: Now) -> Option<&Arc<TokenSet>> {
        match self {
            Held::Current { set, .. } if set.is_usable(now) => Some(set),
            _ => None,
        }
    }

    /// The life of the newest token: the next will have the same.
    fn lifetime_ms(&self) -> i64 {
        self.set()
            .map_or(policy::DEFAULT_LIFETIME, |set| set.validity().lifetime_ms)
    }

    fn can_refresh(&self) -> bool {
        match self {
            Held::Current {
                set,
                refresh_unspent,
            } => *refresh_unspent && set.refresh_token().is_some(),
            _ => false,
        }
    }

    /// The set whose refresh token may be sent, if there is one. It is spent before it is sent:
    /// whatever happens next, it is not sent twice.
    fn spend_refresh_token(&mut self) -> Option<Arc<TokenSet>> {
        if !self.can_refresh() {
            return None;
        }
        if let Held::Current {
            refresh_unspent, ..
        } = self
        {
            *refresh_unspent = false;
        }
        self.set().cloned()
    }

    /// The refresh token of `of` was never sent after all.
    fn give_refresh_token_back(&mut self, of: &Arc<TokenSet>) {
        if let Held::Current {
            set,
            refresh_unspent,
        } = self
            && Arc::ptr_eq(set, of)
        {
            *refresh_unspent = true;
        }
    }
}

fn fresh_enough(set: &Arc<TokenSet>, request: &TokenRequest, now: Now) -> Answer {
    let left = set.usable_for_ms(now);
    if left >= request.min_validity_ms {
        return Ok(Arc::clone(set));
    }
    let longest = policy::longest_min_validity(set.validity().lifetime_ms);
    Err(too_long(request.min_validity_ms, longest.min(left)))
}

fn too_long(asked_ms: i64, longest_ms: i64) -> Error {
    Error::invalid(format!(
        "`min_validity_ms` is {asked_ms}, but a fresh token is good for {longest_ms} ms at most. \
         Split the work, or get a token for each part."
    ))
}

fn closed() -> Error {
    Error::new(
        Status::Closed,
        "The client was freed while this call waited.",
    )
}

fn no_refresh_token() -> Error {
    Error::new(
        Status::NoRefreshToken,
        "There is no refresh token to send: none was granted to this process, or it was used. \
         Authenticate first.",
    )
}

fn rejected_again() -> Error {
    Error::new(
        Status::TokenRejected,
        "The API rejected a token that replaced a rejected one less than 60 s ago. Another would \
         not help: check what the key may do.",
    )
}

fn expired_on_arrival() -> Error {
    Error::new(
        Status::ProtocolError,
        "The token that api.video sent was past its life when it arrived.",
    )
}

/// The error of a caller whose own time is up.
pub(crate) fn deadline_passed(purpose: Purpose) -> Error {
    let what = match purpose {
        Purpose::Token => "a token",
        Purpose::Authenticate => "the authentication",
        Purpose::Refresh => "the refresh",
    };
    Error::new(
        Status::Timeout,
        format!("No answer within the wait timeout for {what}. The exchange goes on; call again."),
    )
}
