//! The life of a token: when it is renewed, by whom, and what everybody else gets meanwhile.
//!
//! - [`policy`]: when. Numbers and formulas.
//! - [`state`]: what is known, and what follows from an event. Pure.
//! - [`waiters`]: who waits, for what.
//! - [`ticket`]: where one waiting caller's answer arrives.
//! - [`published`]: the token as readers see it.
//! - [`event`]: what happened, for the log and the state callback.
//!
//! [`Keeper`] puts them together: it reads the clock, takes the lock, starts the thread, and carries out what
//! [`state::State`] decided. It knows nothing of C, HTTP or threads' names.

pub(crate) mod event;
pub(crate) mod policy;
pub(crate) mod published;
pub(crate) mod state;
pub(crate) mod ticket;
pub(crate) mod waiters;

#[cfg(test)]
mod chance;
#[cfg(test)]
mod life;
#[cfg(all(test, shuttle))]
mod model;
#[cfg(test)]
mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Now};
use crate::error::{Error, Status};
use crate::fork::PerProcess;
use crate::sync::{Mutex, MutexGuard};
use crate::token::{Grant, Token};
use event::{Event, Observer, tell};
use published::Published;
use state::{Answer, Effects, Outcome, Request, State, Statistics};
use ticket::Ticket;
use waiters::{WaiterId, Want};

/// How often a waiting caller looks for itself whether the next try is due, in case no thread could be started for that.
const LOOK_IN: Duration = Duration::from_secs(1);

/// The two endpoints. A session is one flight: its requests may share a connection.
pub(crate) trait Endpoint: Send + Sync {
    /// A new session.
    fn session(&self) -> Box<dyn FnMut(&Request) -> Outcome + '_>;
}

/// What a thread is started for.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// What the keeper needs of the world. Tests bring their own.
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    /// A random number in [0, 1).
    pub(crate) draw: Box<dyn Fn() -> f64 + Send + Sync>,
    pub(crate) endpoint: Box<dyn Endpoint>,
    pub(crate) observer: Box<dyn Observer>,
    /// Starts a thread, or says why it cannot.
    pub(crate) spawn: fn(Work) -> Result<(), Error>,
    /// Has [`Keeper::wake`] called at a time of the monotonic clock, or not any more.
    pub(crate) alarm: fn(&Arc<Keeper>, Option<i64>),
}

/// Keeps one client's token.
pub(crate) struct Keeper {
    me: Weak<Keeper>,
    world: World,
    keep_fresh: bool,
    published: Published,
    state: PerProcess<Mutex<State<Arc<Ticket>>>>,
}

/// Who carries out the effects of a change of state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// May make the exchange itself if no thread can be started: it wants to wait for it anyway.
    MayFly,
    /// Must not be held up.
    MustNotWait,
}

impl Keeper {
    pub(crate) fn new(world: World, keep_fresh: bool) -> Arc<Keeper> {
        Arc::new_cyclic(|me| Keeper {
            me: Weak::clone(me),
            world,
            keep_fresh,
            published: Published::new(),
            state: PerProcess::new(),
        })
    }

    // --- Readers ---

    /// A valid token if there is one: no lock, no allocation, no I/O.
    pub(crate) fn read(&self) -> Option<Arc<Token>> {
        let token = self.published.read()?;
        let tick = self.world.clock.tick();
        if !token.was_checked_at(tick) {
            let now = self.world.clock.now();
            if !token.grant().is_usable(now) {
                return None;
            }
            if token.grant().is_due(now) {
                self.renew_in_background(now);
            }
            token.remember_checked_at(tick);
        }
        Some(token)
    }

    /// Starts a renewal that is due, unless somebody is at it.
    fn renew_in_background(&self, now: Now) {
        let owned = self.state.get(|| self.first_state());
        let mut state = match owned.value.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Whoever has the lock sees to it.
            Err(TryLockError::WouldBlock) => return,
        };
        state.renew_if_due(now);
        self.carry_out(state, now, Caller::MustNotWait);
    }

    /// Waits until there is an answer, or until the deadline.
    pub(crate) fn get(&self, want: Want) -> Result<Arc<Token>, Error> {
        let ticket = Arc::new(Ticket::new());
        match self.ask(want, &ticket, Caller::MayFly) {
            Asked::Answered(answer) => self.hand_out(answer),
            Asked::Waiting(id) => self.hand_out(self.wait(&ticket, id, &want)),
        }
    }

    /// Has `ticket` answered; an answer that is there already arrives before this returns.
    pub(crate) fn start(&self, want: Want, ticket: &Arc<Ticket>) -> Option<WaiterId> {
        match self.ask(want, ticket, Caller::MustNotWait) {
            Asked::Answered(answer) => {
                ticket.answer(answer);
                None
            }
            Asked::Waiting(id) => Some(id),
        }
    }

    fn ask(&self, want: Want, ticket: &Arc<Ticket>, caller: Caller) -> Asked {
        self.change(caller, |state, now| match state.answer_now(&want, now) {
            Some(answer) => Asked::Answered(answer),
            None => Asked::Waiting(state.wait(want, Arc::clone(ticket), now)),
        })
    }

    /// Waits for an answer until the deadline, and gives up then.
    fn wait(&self, ticket: &Ticket, id: WaiterId, want: &Want) -> Answer {
        let left = want.deadline_ms.saturating_sub(self.now().mono_ms);
        let left = Duration::from_millis(left.max(0).unsigned_abs());
        if let Some(answer) = self.wait_for(ticket, left, Caller::MayFly) {
            return answer;
        }
        self.change(Caller::MustNotWait, |state, _| state.give_up(id));
        // Unless it was answered just now.
        ticket.answer(Err(state::deadline_passed(want.purpose)));
        ticket
            .wait(Duration::ZERO)
            .unwrap_or_else(|| Err(state::deadline_passed(want.purpose)))
    }

    /// Waits for an operation's answer, for `timeout` at most.
    pub(crate) fn look(
        &self,
        ticket: &Ticket,
        timeout: Duration,
    ) -> Option<Result<Arc<Token>, Error>> {
        let answer = self.wait_for(ticket, timeout, Caller::MustNotWait)?;
        Some(self.hand_out(answer))
    }

    fn wait_for(&self, ticket: &Ticket, timeout: Duration, caller: Caller) -> Option<Answer> {
        // None: so far away that it never comes.
        let until = Instant::now().checked_add(timeout);
        loop {
            let left = until.map_or(LOOK_IN, |u| u.saturating_duration_since(Instant::now()));
            match ticket.wait(left.min(LOOK_IN)) {
                None if left > LOOK_IN || until.is_none() => {
                    self.change(caller, |state, now| state.wake(now));
                }
                answer => return answer,
            }
        }
    }

    /// Nobody waits for this answer any more. The exchange goes on.
    pub(crate) fn cancel(&self, id: WaiterId) {
        self.change(Caller::MustNotWait, |state, _| state.cancel(id));
    }

    /// A caller's handle to an answer.
    fn hand_out(&self, answer: Answer) -> Result<Arc<Token>, Error> {
        let grant = answer?;
        let published = self.published.read();
        Ok(published
            .filter(|token| Arc::ptr_eq(token.grant(), &grant))
            .unwrap_or_else(|| Arc::new(Token::new(grant, Arc::clone(&self.world.clock)))))
    }

    // --- Everybody else ---

    pub(crate) fn invalidate(&self, rejected: &Arc<Grant>) -> Result<(), Error> {
        self.change(Caller::MustNotWait, |state, now| {
            state.invalidate(rejected, now)
        })
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.change(Caller::MustNotWait, |state, now| state.statistics(now))
    }

    /// An alarm rang: see to what is due.
    pub(crate) fn wake(&self) {
        self.change(Caller::MustNotWait, |state, now| state.wake(now));
    }

    /// No more exchanges; who waits is told. Does not wait for an exchange under way: its reply is dropped.
    pub(crate) fn close(&self) {
        self.change(Caller::MustNotWait, |state, _| state.close());
        if let Some(me) = self.me.upgrade() {
            (self.world.alarm)(&me, None);
        }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.world.clock
    }

    pub(crate) fn now(&self) -> Now {
        self.world.clock.now()
    }

    // --- Carrying out ---

    /// Changes the state under its lock, and carries out what follows.
    fn change<R>(&self, caller: Caller, act: impl FnOnce(&mut State<Arc<Ticket>>, Now) -> R) -> R {
        let owned = self.state.get(|| self.first_state());
        let mut state = owned.value.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let result = act(&mut state, now);
        self.carry_out(state, now, caller);
        result
    }

    /// Publishes under the lock, so that what is published last is the newest; all else outside it.
    fn carry_out(&self, mut state: MutexGuard<'_, State<Arc<Ticket>>>, now: Now, caller: Caller) {
        let effects: Effects<Arc<Ticket>> = state.take_effects(now);
        if let Some(grant) = effects.publish {
            self.published.publish(grant, &self.world.clock);
        }
        let wake_at = state.next_wake(now);
        drop(state);
        if let (Some(at), Some(me)) = (wake_at, self.me.upgrade()) {
            (self.world.alarm)(&me, Some(at));
        }
        tell(&*self.world.observer, effects.events);
        for (ticket, answer) in effects.answers {
            ticket.answer(answer);
        }
        if effects.launch {
            self.launch(caller);
        }
    }

    /// Flies on a thread of its own; where there is none to be had, on the caller's if that waits anyway.
    fn launch(&self, caller: Caller) {
        let Some(me) = self.me.upgrade() else { return };
        let Err(error) = (self.world.spawn)(Box::new(move || me.fly())) else {
            return;
        };
        tell(&*self.world.observer, vec![Event::NoThread]);
        match caller {
            Caller::MayFly => self.fly(),
            Caller::MustNotWait => self.ground(error),
        }
    }

    /// Makes the exchanges of a flight, and of those that follow from it.
    fn fly(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.exchange_all())).is_err() {
            self.ground(Error::new(
                Status::Internal,
                "A bug in libapivideo was caught while it renewed the token. Please report it.",
            ));
        }
    }

    fn exchange_all(&self) {
        let mut session = self.world.endpoint.session();
        let mut next = self.change(Caller::MustNotWait, |state, now| state.take_off(now));
        while let Some(request) = next {
            let sent = self.now();
            let outcome = session(&request);
            next = self.change(Caller::MustNotWait, |state, now| {
                state.came_back(&request, outcome, sent, now, &mut || (self.world.draw)())
            });
        }
    }

    fn ground(&self, error: Error) {
        self.change(Caller::MustNotWait, |state, now| {
            state.grounded(error, now, &mut || (self.world.draw)());
        });
    }

    /// What a process starts with: nothing, or in a forked child the parent's access token and nothing else of it.
    fn first_state(&self) -> Mutex<State<Arc<Ticket>>> {
        let grant = self.published.read().map(|token| Arc::clone(token.grant()));
        Mutex::new(State::new(self.keep_fresh, grant))
    }
}

enum Asked {
    Answered(Answer),
    Waiting(WaiterId),
}
