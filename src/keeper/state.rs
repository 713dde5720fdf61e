//! What is known about the token, and what follows from it: the pure heart of the keeper.
//!
//! Nothing here reads a clock, draws a random number, takes a lock or does I/O. Every method gets the time, and what
//! is to be done about an event is collected in [`Effects`] for the caller to carry out.

use std::sync::Arc;

use super::event::{Event, TokenState};
use super::policy;
use super::waiters::{Purpose, WaiterId, Waiters, Want};
use crate::clock::Now;
use crate::error::{Error, Status};
use crate::token::Grant;

/// One HTTP exchange to make.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// `POST /auth/api-key`. `held` is the last grant, if there was one: no message may repeat it.
    ApiKey { held: Option<Arc<Grant>> },
    /// `POST /auth/refresh` with this grant's refresh token.
    Refresh(Arc<Grant>),
}

impl Request {
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Request::ApiKey { .. } => "/auth/api-key",
            Request::Refresh(_) => "/auth/refresh",
        }
    }

    /// The last grant.
    pub(crate) fn grant(&self) -> Option<&Arc<Grant>> {
        match self {
            Request::ApiKey { held } => held.as_ref(),
            Request::Refresh(grant) => Some(grant),
        }
    }
}

/// What became of an exchange.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A new pair of tokens.
    Granted {
        access_token: crate::ffi::secret::Secret,
        refresh_token: Option<crate::ffi::secret::Secret>,
        lifetime_ms: i64,
    },
    /// The server refused the key or the refresh token.
    Rejected(Error),
    /// Anything else. `spent`: the server may have acted on the request, so its refresh token must not be sent again.
    Failed { error: Error, spent: bool },
}

/// An answer to a caller.
pub(crate) type Answer = Result<Arc<Grant>, Error>;

/// What the caller of a [`State`] method has to carry out.
pub(crate) struct Effects<T> {
    /// Start a flight: something must call [`State::take_off`] and go on from there.
    pub(crate) launch: bool,
    /// Publish this to the readers: a new grant, or that there is none.
    pub(crate) publish: Option<Option<Arc<Grant>>>,
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

/// Counts since the client was made, and what it is doing now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// `POST /auth/api-key` requests made.
    pub authenticate_requests: u64,
    /// `POST /auth/refresh` requests made.
    pub refresh_requests: u64,
    /// Tokens obtained.
    pub tokens_granted: u64,
    /// Refresh tokens that api.video refused.
    pub refresh_rejections: u64,
    /// Times that api.video refused the API key.
    pub key_rejections: u64,
    /// Exchanges that failed otherwise.
    pub failures: u64,
    /// Tokens withdrawn because the API rejected them.
    pub invalidations: u64,
    /// Callers whose wait ended without an answer.
    pub timeouts: u64,
    /// Now: callers waiting.
    pub waiters: u64,
    /// Now: failed tries since the last token.
    pub consecutive_failures: u64,
    /// Now: milliseconds until the next try, while tries fail.
    pub retry_in_ms: u64,
    /// Now: 1 while an exchange is made.
    pub exchanges_in_flight: u64,
}

/// The last failure, and when to try again.
struct Failure {
    error: Error,
    /// While a valid token is at hand.
    calm_retry_at: i64,
    /// While none is.
    urgent_retry_at: i64,
}

/// What is known about the token. `T` is what a waiting caller's answer goes to.
pub(crate) struct State<T> {
    keep_fresh: bool,
    closed: bool,
    grant: Option<Arc<Grant>>,
    /// The grant's refresh token has not been sent yet, and belongs to this process.
    may_refresh: bool,
    /// The API rejected the grant, and nothing has replaced it yet.
    withdrawn: bool,
    /// When the last replacement of a rejected grant was obtained.
    replaced_at: Option<i64>,
    /// The life of the newest token.
    lifetime_ms: i64,
    flight: Option<Purpose>,
    failure: Option<Failure>,
    failures: u32,
    key_rejections: u32,
    refresh_rejections: u32,
    contended_until: i64,
    waiters: Waiters<T>,
    told: TokenState,
    statistics: Statistics,
    effects: Effects<T>,
}

impl<T> State<T> {
    /// What a process starts with. `inherited` is its parent's: the access token is good there too, the refresh token
    /// is not its own.
    pub(crate) fn new(keep_fresh: bool, inherited: Option<Arc<Grant>>) -> State<T> {
        State {
            keep_fresh,
            closed: false,
            may_refresh: false,
            withdrawn: false,
            replaced_at: None,
            lifetime_ms: inherited
                .as_ref()
                .map_or(policy::DEFAULT_LIFETIME, |grant| grant.lifetime_ms()),
            told: match &inherited {
                Some(_) => TokenState::Valid,
                None => TokenState::None,
            },
            grant: inherited,
            flight: None,
            failure: None,
            failures: 0,
            key_rejections: 0,
            refresh_rejections: 0,
            contended_until: i64::MIN,
            waiters: Waiters::new(),
            statistics: Statistics::default(),
            effects: Effects::none(),
        }
    }

    /// Has readers get what is known here, with the next effects.
    pub(crate) fn publish_again(&mut self) {
        self.effects.publish = Some(self.grant.clone());
    }

    /// What has to be carried out since the last call.
    pub(crate) fn take_effects(&mut self, now: Now) -> Effects<T> {
        let state = self.token_state(now);
        if state != self.told && !self.closed {
            self.told = state;
            self.effects.events.push(Event::StateChanged(state));
        }
        std::mem::replace(&mut self.effects, Effects::none())
    }

    // --- What callers ask ---

    /// The answer, if there is one already.
    pub(crate) fn answer_now(&self, want: &Want, now: Now) -> Option<Answer> {
        if self.closed {
            return Some(Err(closed()));
        }
        match want.purpose {
            Purpose::Token => self.token_now(want, now),
            Purpose::Refresh if self.flight.is_none() && self.refresh_token().is_none() => {
                Some(Err(no_refresh_token()))
            }
            Purpose::Refresh | Purpose::Authenticate => None,
        }
    }

    fn token_now(&self, want: &Want, now: Now) -> Option<Answer> {
        if let Some(grant) = self.usable(now)
            && grant.usable_for_ms(now) >= want.min_validity_ms
        {
            return Some(Ok(Arc::clone(grant)));
        }
        let longest = policy::longest_min_validity(self.lifetime_ms);
        if want.min_validity_ms > longest {
            return Some(Err(too_long(want.min_validity_ms, longest)));
        }
        let failure = self.failure.as_ref()?;
        let retry_at = self.retry_at(now);
        let must_wait = self.flight.is_none() && now.mono_ms < retry_at;
        (must_wait && !self.waits_on(want, now)).then(|| {
            Err(failure
                .error
                .clone()
                .retry_after(retry_at.saturating_sub(now.mono_ms)))
        })
    }

    /// Has `ticket` answered when there is an answer, and sees to it that there will be one.
    pub(crate) fn wait(&mut self, want: Want, ticket: T, now: Now) -> WaiterId {
        let id = self.waiters.add(want, ticket);
        self.launch_if_wanted(now);
        id
    }

    /// A caller's time is up, unless it has its answer already.
    pub(crate) fn give_up(&mut self, id: WaiterId) {
        let waited = self.waiters.remove(id).is_some();
        self.statistics.timeouts += u64::from(waited);
    }

    /// A caller does not want its answer any more.
    pub(crate) fn cancel(&mut self, id: WaiterId) {
        self.waiters.remove(id);
    }

    /// The API rejected `rejected` with a 401.
    pub(crate) fn invalidate(&mut self, rejected: &Arc<Grant>, now: Now) -> Result<(), Error> {
        let current = self.grant.as_ref().filter(|_| !self.withdrawn);
        if self.closed || !current.is_some_and(|grant| Arc::ptr_eq(grant, rejected)) {
            return Ok(());
        }
        if let Some(left) = self.trial_left(now) {
            self.effects.events.push(Event::RejectedAgain);
            return Err(rejected_again().retry_after(left));
        }
        self.may_refresh = false;
        self.withdrawn = true;
        self.statistics.invalidations += 1;
        self.effects.publish = Some(None);
        self.effects.events.push(Event::Invalidated);
        Ok(())
    }

    /// How long the replacement of a rejected token is not replaced again.
    fn trial_left(&self, now: Now) -> Option<i64> {
        let over = self.replaced_at?.saturating_add(policy::REPLACEMENT_TRIAL);
        (now.mono_ms < over).then(|| over.saturating_sub(now.mono_ms))
    }

    /// A reader saw that the token is due: renew it unless that is being done, or was tried just now.
    pub(crate) fn renew_if_due(&mut self, now: Now) {
        let due = |grant: &Arc<Grant>| self.withdrawn || grant.is_due(now);
        if self.grant.as_ref().is_some_and(due) && now.mono_ms >= self.retry_at(now) {
            self.launch(Purpose::Token);
        }
    }

    /// Whether the last change calls for a flight to be started.
    pub(crate) fn wants_launch(&self) -> bool {
        self.effects.launch
    }

    /// The time has come that [`State::next_wake`] named, or another: see to what is due.
    pub(crate) fn wake(&mut self, now: Now) {
        for (ticket, want) in self.waiters.take_late(now.mono_ms) {
            self.statistics.timeouts += 1;
            let answer = Err(deadline_passed(want.purpose));
            self.effects.answers.push((ticket, answer));
        }
        self.launch_if_wanted(now);
        if self.keep_fresh {
            self.renew_if_due(now);
        }
    }

    /// When [`State::wake`] should be called, on the monotonic clock.
    pub(crate) fn next_wake(&self, now: Now) -> Option<i64> {
        let deadline = self.waiters.first_deadline();
        if self.flight.is_some() || self.closed {
            return deadline;
        }
        let retry = deadline.map(|_| self.next_try(now));
        [deadline, retry, self.next_renewal(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// When a failed try is to be repeated: earlier than said once the token has come to its end.
    fn next_try(&self, now: Now) -> i64 {
        match (&self.failure, self.usable(now)) {
            (Some(failure), Some(grant)) => {
                let end = now.mono_ms.saturating_add(grant.usable_for_ms(now));
                failure.calm_retry_at.min(failure.urgent_retry_at.max(end))
            }
            _ => self.retry_at(now),
        }
    }

    /// When to renew a token that nobody may be reading.
    fn next_renewal(&self, now: Now) -> Option<i64> {
        let grant = self.grant.as_ref().filter(|_| self.keep_fresh)?;
        let due = now.mono_ms.saturating_add(grant.due_in_ms(now));
        Some(if self.withdrawn {
            self.next_try(now)
        } else {
            self.next_try(now).max(due)
        })
    }

    /// No more exchanges, no more tokens; who waits is told.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.grant = None;
        self.may_refresh = false;
        self.effects.publish = Some(None);
        let answers = self.waiters.answer(|_| Some(Err(closed())));
        self.effects.answers.extend(answers);
    }

    /// The counters, and what is going on now.
    pub(crate) fn statistics(&self, now: Now) -> Statistics {
        let retry_in = match &self.failure {
            Some(_) => self.retry_at(now).saturating_sub(now.mono_ms).max(0),
            None => 0,
        };
        Statistics {
            waiters: self.waiters.len() as u64,
            consecutive_failures: u64::from(self.failures.saturating_add(self.key_rejections)),
            retry_in_ms: retry_in.unsigned_abs(),
            exchanges_in_flight: u64::from(self.flight.is_some()),
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
        } else if self.waiters.any(Purpose::Token) && now.mono_ms >= self.retry_at(now) {
            self.launch(Purpose::Token);
        }
    }

    fn launch(&mut self, purpose: Purpose) {
        if self.flight.is_none() && !self.closed {
            self.flight = Some(purpose);
            self.effects.launch = true;
        }
    }

    /// Whether an exchange is made, or about to be.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// The next request of the flight under way. `None` if there is nothing to do any more.
    ///
    /// Whoever calls this flies: it makes the request, and tells [`State::came_back`].
    pub(crate) fn take_off(&mut self, now: Now) -> Option<Request> {
        let request = self.first_request(now);
        self.effects.launch = false;
        request
    }

    fn first_request(&mut self, now: Now) -> Option<Request> {
        let purpose = self.flight?;
        if self.closed {
            self.flight = None;
            return None;
        }
        let contended = now.mono_ms < self.contended_until;
        let refresh = match purpose {
            Purpose::Authenticate => None,
            Purpose::Token if contended => None,
            Purpose::Token | Purpose::Refresh => self.refresh_token(),
        };
        match (refresh, purpose) {
            (Some(grant), _) => {
                // Spent before it is sent: whatever happens next, it is not sent twice.
                self.may_refresh = false;
                Some(self.request(Request::Refresh(grant)))
            }
            (None, Purpose::Refresh) => {
                self.land(purpose, Err(no_refresh_token()), now);
                self.first_request(now)
            }
            (None, _) => Some(self.key_request()),
        }
    }

    fn key_request(&mut self) -> Request {
        let held = self.grant.clone();
        self.request(Request::ApiKey { held })
    }

    fn request(&mut self, request: Request) -> Request {
        match request {
            Request::ApiKey { .. } => self.statistics.authenticate_requests += 1,
            Request::Refresh(_) => self.statistics.refresh_requests += 1,
        }
        self.effects.events.push(Event::sending(&request));
        request
    }

    /// An exchange of the flight came back. The next request, or `None` when the flight is over.
    pub(crate) fn came_back(
        &mut self,
        request: &Request,
        outcome: Outcome,
        sent: Now,
        now: Now,
        draw: &mut dyn FnMut() -> f64,
    ) -> Option<Request> {
        let purpose = self.flight?;
        if self.closed {
            self.flight = None;
            return None;
        }
        let result = match outcome {
            Outcome::Granted {
                access_token,
                refresh_token,
                lifetime_ms,
            } => {
                let grant = Grant::new(
                    access_token.as_str(),
                    refresh_token.as_ref().map(|r| r.as_str()),
                    lifetime_ms,
                    sent,
                    draw(),
                );
                self.adopt(grant, request, purpose, now, draw)
            }
            Outcome::Rejected(error) => match request {
                Request::Refresh(_) => {
                    self.refresh_rejected(now);
                    if purpose == Purpose::Token {
                        return Some(self.key_request());
                    }
                    Err(error)
                }
                Request::ApiKey { .. } => Err(self.key_rejected(error, purpose, now, draw)),
            },
            Outcome::Failed { error, spent } => {
                if matches!(request, Request::Refresh(_)) {
                    if !spent {
                        self.may_refresh = true;
                    } else if purpose == Purpose::Token && error.retry_after_ms.is_none() {
                        self.statistics.failures += 1;
                        self.effects.events.push(Event::RefreshLost(error));
                        return Some(self.key_request());
                    }
                }
                Err(self.failed(error, purpose, now, draw))
            }
        };
        self.land(purpose, result, now);
        None
    }

    /// The flight could not start: no thread, and nobody who could do its work.
    pub(crate) fn grounded(&mut self, error: Error, now: Now, draw: &mut dyn FnMut() -> f64) {
        if let Some(purpose) = self.flight {
            self.statistics.failures += 1;
            let calm = policy::backoff(1, policy::CALM_CAP, draw());
            // Without a valid token the next caller may do the work itself, at once.
            let error = self.fail(error, calm, 0, now);
            self.land(purpose, Err(error), now);
        }
    }

    /// The flight is over: answers who waited for it, and starts the next if somebody waits for that.
    fn land(&mut self, purpose: Purpose, result: Answer, now: Now) {
        self.flight = None;
        let mut waiters = std::mem::replace(&mut self.waiters, Waiters::new());
        let answers = waiters.answer(|want| match &result {
            _ if want.purpose != purpose && want.purpose != Purpose::Token => None,
            Ok(grant) => Some(fresh_enough(grant, want, now)),
            Err(_) if want.purpose != purpose => None,
            Err(_) if self.waits_on(want, now) => None,
            Err(error) => Some(Err(error.clone())),
        });
        self.waiters = waiters;
        self.effects.answers.extend(answers);
        self.settle(now);
    }

    /// Answers the waiters that what is known now has an answer for, and flies on for the others.
    fn settle(&mut self, now: Now) {
        let mut waiters = std::mem::replace(&mut self.waiters, Waiters::new());
        let answers = waiters.answer(|want| self.answer_now(want, now));
        self.waiters = waiters;
        self.effects.answers.extend(answers);
        self.launch_if_wanted(now);
    }

    // --- What an exchange's outcome means ---

    fn adopt(
        &mut self,
        grant: Grant,
        request: &Request,
        purpose: Purpose,
        now: Now,
        draw: &mut dyn FnMut() -> f64,
    ) -> Answer {
        if !grant.is_usable(now) {
            return Err(self.failed(expired_on_arrival(), purpose, now, draw));
        }
        let grant = Arc::new(grant);
        self.statistics.tokens_granted += 1;
        self.effects.events.push(Event::Granted {
            via: request.path(),
            lifetime_ms: grant.lifetime_ms(),
        });
        let withdrawn = std::mem::take(&mut self.withdrawn);
        match request {
            Request::Refresh(_) => self.refresh_rejections = 0,
            // A refresh that was under way when the token was rejected is not the replacement that is on trial.
            Request::ApiKey { .. } if withdrawn => self.replaced_at = Some(now.mono_ms),
            Request::ApiKey { .. } => {}
        }
        self.failure = None;
        self.failures = 0;
        self.key_rejections = 0;
        self.lifetime_ms = grant.lifetime_ms();
        self.may_refresh = grant.refresh_token().is_some();
        self.grant = Some(Arc::clone(&grant));
        self.effects.publish = Some(Some(Arc::clone(&grant)));
        Ok(grant)
    }

    fn refresh_rejected(&mut self, now: Now) {
        self.statistics.refresh_rejections += 1;
        self.refresh_rejections += 1;
        let contended = self.refresh_rejections >= policy::CONTENTION_REJECTIONS;
        if contended {
            // Only a success resets the count: when this time is over, one rejection more is enough.
            self.contended_until = now.mono_ms.saturating_add(policy::CONTENTION);
        }
        self.effects
            .events
            .push(Event::RefreshRejected { contended });
    }

    fn key_rejected(
        &mut self,
        error: Error,
        purpose: Purpose,
        now: Now,
        draw: &mut dyn FnMut() -> f64,
    ) -> Error {
        self.statistics.key_rejections += 1;
        if self.is_of_no_consequence(purpose, now) {
            return error;
        }
        self.key_rejections = self.key_rejections.saturating_add(1);
        let delay = policy::key_probe(self.key_rejections, draw());
        self.fail(error, delay, delay, now)
    }

    fn failed(
        &mut self,
        error: Error,
        purpose: Purpose,
        now: Now,
        draw: &mut dyn FnMut() -> f64,
    ) -> Error {
        self.statistics.failures += 1;
        let asked = error
            .retry_after_ms
            .map(|ms| policy::clamp_retry_after(i64::try_from(ms).unwrap_or(i64::MAX)));
        if self.is_of_no_consequence(purpose, now) {
            return Error {
                retry_after_ms: asked.map(i64::unsigned_abs),
                ..error
            };
        }
        self.failures = self.failures.saturating_add(1);
        let u = draw();
        let delay = |cap| policy::backoff(self.failures, cap, u).max(asked.unwrap_or(0));
        self.fail(
            error,
            delay(policy::CALM_CAP),
            delay(policy::URGENT_CAP),
            now,
        )
    }

    /// A failed call of the program's own changes nothing while the token at hand needs no renewal.
    fn is_of_no_consequence(&self, purpose: Purpose, now: Now) -> bool {
        let fresh = self.usable(now).is_some_and(|grant| !grant.is_due(now));
        purpose != Purpose::Token && fresh
    }

    fn fail(&mut self, error: Error, calm: i64, urgent: i64, now: Now) -> Error {
        self.failure = Some(Failure {
            error: error.clone(),
            calm_retry_at: now.mono_ms.saturating_add(calm),
            urgent_retry_at: now.mono_ms.saturating_add(urgent),
        });
        let retry_in_ms = self.retry_at(now).saturating_sub(now.mono_ms);
        let error = error.retry_after(retry_in_ms);
        self.effects.events.push(Event::Failed {
            error: error.clone(),
            retry_in_ms,
        });
        error
    }

    // --- What is known ---

    fn usable(&self, now: Now) -> Option<&Arc<Grant>> {
        self.grant
            .as_ref()
            .filter(|grant| !self.withdrawn && grant.is_usable(now))
    }

    fn refresh_token(&self) -> Option<Arc<Grant>> {
        self.grant.clone().filter(|_| self.may_refresh)
    }

    /// On the monotonic clock: nothing is tried before this.
    fn retry_at(&self, now: Now) -> i64 {
        match &self.failure {
            None => i64::MIN,
            Some(failure) if self.usable(now).is_some() => failure.calm_retry_at,
            Some(failure) => failure.urgent_retry_at,
        }
    }

    /// Whether a caller waits for the next try: a patient one does, if that is before its deadline. Not for a rejected key,
    /// which waiting does not mend.
    fn waits_on(&self, want: &Want, now: Now) -> bool {
        let mends = self
            .failure
            .as_ref()
            .is_some_and(|failure| failure.error.status != Status::KeyRejected);
        mends && want.patient && self.retry_at(now) < want.deadline_ms
    }

    fn token_state(&self, now: Now) -> TokenState {
        match (self.usable(now), &self.failure) {
            (Some(_), None) => TokenState::Valid,
            (Some(_), Some(_)) => TokenState::RenewalFailing,
            (None, Some(_)) => TokenState::Unavailable,
            (None, None) if self.withdrawn => TokenState::Rejected,
            (None, None) if self.grant.is_some() => TokenState::Expired,
            (None, None) => TokenState::None,
        }
    }
}

fn fresh_enough(grant: &Arc<Grant>, want: &Want, now: Now) -> Answer {
    let left = grant.usable_for_ms(now);
    if left >= want.min_validity_ms {
        Ok(Arc::clone(grant))
    } else {
        Err(too_long(
            want.min_validity_ms,
            policy::longest_min_validity(grant.lifetime_ms()).min(left),
        ))
    }
}

fn too_long(asked_ms: i64, longest_ms: i64) -> Error {
    Error::invalid(format!(
        "`min_validity_ms` is {asked_ms}, but a fresh token is good for {longest_ms} ms at most. Split the work, or get a token for each part."
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
        "There is no refresh token to send: none was granted to this process, or it was used. Authenticate first.",
    )
}

fn rejected_again() -> Error {
    Error::new(
        Status::TokenRejected,
        "The API rejected a token that replaced a rejected one less than 60 s ago. Another would not help: check what the key may do.",
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
