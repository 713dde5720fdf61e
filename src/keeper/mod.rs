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
mod pictures;
#[cfg(all(test, not(shuttle)))]
mod readers;
#[cfg(test)]
mod sim;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Now};
use crate::error::{Error, Status};
use crate::fork::{Owned, PerProcess};
use crate::sync::{Mutex, MutexGuard};
use crate::token::{Grant, Token};
use event::{Event, Observer, tell};
use published::Published;
use state::{Answer, Effects, Outcome, Request, State, Statistics};
use ticket::Ticket;
use waiters::{WaiterId, Want};

/// How often a waiting caller looks for itself whether the next try is due, in case no thread could be started for that.
const LOOK_IN: Duration = Duration::from_secs(1);

/// The two endpoints.
pub(crate) trait Endpoint: Send + Sync {
    /// Makes one exchange, within `limit` if there is one.
    fn send(&self, request: &Request, limit: Option<Duration>) -> Outcome;
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
    desk: PerProcess<Desk>,
}

/// What changes, in one process.
struct Desk {
    state: Mutex<State<Arc<Ticket>>>,
    news: Mutex<News>,
}

impl Desk {
    fn new(keep_fresh: bool, inherited: Option<Arc<Grant>>) -> Desk {
        Desk {
            state: Mutex::new(State::new(keep_fresh, inherited)),
            news: Mutex::default(),
        }
    }
}

/// What the observer has not been told yet, in the order in which it happened.
#[derive(Default)]
struct News {
    events: VecDeque<Event>,
    /// A thread is telling; it goes on to the end.
    being_told: bool,
}

/// Who carries out the effects of a change of state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Waits for the exchange until this time of the monotonic clock, so it may make it itself if no thread can be started.
    Waits { until_ms: i64 },
    /// Must not be held up.
    MustNotWait,
    /// Is making exchanges anyway.
    Flies,
}

impl Keeper {
    pub(crate) fn new(world: World, keep_fresh: bool) -> Arc<Keeper> {
        Arc::new_cyclic(|me| Keeper {
            me: Weak::clone(me),
            world,
            keep_fresh,
            published: Published::new(),
            desk: PerProcess::with(Desk::new(keep_fresh, None)),
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
            token.remember_checked_at(tick);
            let has_work = token.grant().is_due(now) || (self.keep_fresh && !self.desk.is_made());
            // A reference of its own: a callback may free the client. Nothing of `self` is used after this.
            if let Some(me) = self.me.upgrade().filter(|_| has_work) {
                me.look_after(now);
            }
        }
        Some(token)
    }

    /// Starts a renewal that is due, unless somebody is at it; in a forked child, has a token kept fresh that was so before.
    fn look_after(&self, now: Now) {
        let desk = self.desk();
        let mut state = match desk.value.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Whoever has the lock sees to it.
            Err(TryLockError::WouldBlock) => return,
        };
        state.renew_if_due(now);
        if state.wants_launch() || self.keep_fresh {
            self.carry_out(&desk.value, state, now, Caller::MustNotWait);
        }
    }

    /// Waits until there is an answer, or until the deadline.
    pub(crate) fn get(&self, want: Want) -> Result<Arc<Token>, Error> {
        let ticket = Arc::new(Ticket::new());
        let caller = Caller::Waits {
            until_ms: want.deadline_ms,
        };
        match self.ask(want, &ticket, caller) {
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
        let caller = Caller::Waits {
            until_ms: want.deadline_ms,
        };
        if let Some(answer) = self.wait_for(ticket, left, caller) {
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
    pub(crate) fn wait_for_operation(
        &self,
        ticket: &Ticket,
        timeout: Duration,
    ) -> Option<Result<Arc<Token>, Error>> {
        let answer = self.wait_for(ticket, timeout, Caller::MustNotWait)?;
        Some(self.hand_out(answer))
    }

    /// Waits, and looks now and then whether there is something to do: there may be no other thread that does.
    fn wait_for(&self, ticket: &Ticket, timeout: Duration, caller: Caller) -> Option<Answer> {
        // None: so far away that it never comes.
        let until = Instant::now().checked_add(timeout);
        loop {
            let left = until.map_or(LOOK_IN, |u| u.saturating_duration_since(Instant::now()));
            if let Some(answer) = ticket.wait(left.min(LOOK_IN)) {
                return Some(answer);
            }
            self.change(caller, |state, now| state.wake(now));
            if left <= LOOK_IN && until.is_some() {
                return ticket.wait(Duration::ZERO);
            }
        }
    }

    /// Nobody waits for this answer any more. The exchange goes on.
    pub(crate) fn cancel(&self, id: WaiterId) {
        self.change(Caller::MustNotWait, |state, _| state.cancel(id));
    }

    /// A caller's handle to an answer, made for it: thousands of new threads find that of their slot less quickly.
    fn hand_out(&self, answer: Answer) -> Result<Arc<Token>, Error> {
        let clock = Arc::clone(&self.world.clock);
        Ok(Arc::new(Token::new(answer?, clock)))
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

    fn desk(&self) -> Arc<Owned<Desk>> {
        self.desk.get(|| self.childs_desk())
    }

    /// What a forked child starts with: the parent's access token, and nothing else of it.
    fn childs_desk(&self) -> Desk {
        let inherited = self.published.read().map(|token| Arc::clone(token.grant()));
        let desk = Desk::new(self.keep_fresh, inherited);
        // The fork may have come in the middle of publishing it. Not here: another thread's desk may be the one that is taken.
        lock(&desk.state).publish_again();
        desk
    }

    /// Changes the state under its lock, and carries out what follows.
    fn change<R>(&self, caller: Caller, act: impl FnOnce(&mut State<Arc<Ticket>>, Now) -> R) -> R {
        let desk = self.desk();
        let mut state = lock(&desk.value.state);
        let now = self.now();
        let result = act(&mut state, now);
        self.carry_out(&desk.value, state, now, caller);
        result
    }

    /// Publishes under the lock, so that what is published last is the newest, and all else outside it. A program's callbacks
    /// come last: they may wait for what was started here.
    fn carry_out(
        &self,
        desk: &Desk,
        mut state: MutexGuard<'_, State<Arc<Ticket>>>,
        now: Now,
        caller: Caller,
    ) {
        let effects: Effects<Arc<Ticket>> = state.take_effects(now);
        if let Some(grant) = effects.publish {
            self.published.publish(grant, &self.world.clock);
        }
        lock(&desk.news).events.extend(effects.events);
        let wake_at = state.next_wake(now);
        // Whoever flies tells what has happened when it has landed: a program's callback may wait for that very flight.
        let told_later = state.is_in_flight();
        drop(state);
        if let (Some(at), Some(me)) = (wake_at, self.me.upgrade()) {
            (self.world.alarm)(&me, Some(at));
        }
        if effects.launch {
            self.launch(desk, caller);
        }
        for (ticket, answer) in effects.answers {
            ticket.answer(answer);
        }
        if !told_later {
            self.tell(desk);
        }
    }

    /// Tells the observer what it has not been told, unless another thread does: then that one goes on with it.
    fn tell(&self, desk: &Desk) {
        let mut news = lock(&desk.news);
        while !news.being_told
            && let Some(event) = news.events.pop_front()
        {
            news.being_told = true;
            drop(news);
            // A program's callback that panics must not stop the news.
            let _ = catch_unwind(AssertUnwindSafe(|| tell(&*self.world.observer, &event)));
            news = lock(&desk.news);
            news.being_told = false;
        }
    }

    /// Flies on a thread of its own; where there is none to be had, on the caller's if that waits anyway.
    fn launch(&self, desk: &Desk, caller: Caller) {
        let Some(me) = self.me.upgrade() else { return };
        let Err(error) = (self.world.spawn)(Box::new(move || me.fly(None))) else {
            return;
        };
        lock(&desk.news).events.push_back(Event::NoThread);
        match caller {
            Caller::Waits { until_ms } => self.fly(Some(until_ms)),
            Caller::Flies => self.fly(None),
            Caller::MustNotWait => self.ground(error),
        }
    }

    /// Makes the exchanges of one flight, until `until_ms` at most.
    fn fly(&self, until_ms: Option<i64>) {
        if catch_unwind(AssertUnwindSafe(|| self.exchange(until_ms))).is_err() {
            self.ground(Error::new(
                Status::Internal,
                "A bug in libapivideo was caught while it renewed the token. Please report it.",
            ));
        }
        self.tell(&self.desk().value);
    }

    fn exchange(&self, until_ms: Option<i64>) {
        let mut next = self.change(Caller::Flies, |state, now| state.take_off(now));
        while let Some(request) = next {
            let sent = self.now();
            let limit = until_ms.map(|until| {
                Duration::from_millis(until.saturating_sub(sent.mono_ms).max(0).unsigned_abs())
            });
            let outcome = self.world.endpoint.send(&request, limit);
            next = self.change(Caller::Flies, |state, now| {
                state.came_back(&request, outcome, sent, now, &mut || (self.world.draw)())
            });
        }
    }

    fn ground(&self, error: Error) {
        self.change(Caller::Flies, |state, now| {
            state.grounded(error, now, &mut || (self.world.draw)());
        });
    }
}

/// A lock whose holder panicked is as good as any other: each change of what it guards is complete in itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Asked {
    Answered(Answer),
    Waiting(WaiterId),
}
