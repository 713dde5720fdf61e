//! The token cache: when a token is renewed, by whom, and what everybody else gets meanwhile.
//!
//! - [`policy`]: when. Numbers and formulas. [`backoff`] and [`contention`]: what they make of
//!   failures.
//! - [`state`]: what is known, and what follows from an event. Pure.
//! - [`waiters`]: who waits, for what. [`completion`]: where one waiting caller's answer arrives.
//! - [`published`]: the token as readers see it, without a lock.
//! - [`exchange`]: one refresh or authentication, as the cache sees it.
//! - [`sharing`]: one token for many processes, around the exchanges. Pure. [`record`]: what they
//!   keep in a store, and the store as the cache sees it.
//! - [`events`], [`statistics`]: what happened, for the log, the state callback and the counters.
//!
//! [`TokenCache`] puts them together: it reads the clock, takes the lock, starts the thread, and
//! carries out what [`state::State`] decided. It knows nothing of C, HTTP or threads' names. All
//! callers share one exchange at a time, the flight (single-flight, or request coalescing).

pub(crate) mod backoff;
pub(crate) mod completion;
pub(crate) mod contention;
pub(crate) mod events;
pub(crate) mod exchange;
pub(crate) mod policy;
pub(crate) mod published;
pub(crate) mod record;
pub(crate) mod sharing;
pub(crate) mod state;
pub(crate) mod statistics;
#[cfg(test)]
mod tests;
pub(crate) mod waiters;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, TryLockError, Weak};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Context, Now};
use crate::error::{Error, Status};
use crate::ffi::sys::CancelPutOff;
use crate::process::fork::PerProcess;
use crate::process::sync::{Mutex, MutexGuard, lock};
use crate::process::timer::Wake;
use crate::token::{Token, TokenSet};
use completion::Completion;
use events::{Event, Observer, PendingEvents};
use exchange::{Endpoint, Request};
use published::Published;
use record::{Session, Store};
use sharing::{Sharing, StoreTask};
use state::{Answer, Effects, State, Task};
use statistics::Statistics;
use waiters::{TokenRequest, WaiterId};

/// How often a waiting caller looks for itself whether the next try is due, in case no thread could
/// be started for that.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What a thread is started for.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// What is injected: all that the cache needs of its surroundings. Tests bring their own.
pub(crate) struct Dependencies {
    pub(crate) clock: Arc<dyn Clock>,
    /// A random number in [0, 1).
    pub(crate) random: Box<dyn Fn() -> f64 + Send + Sync>,
    pub(crate) endpoint: Box<dyn Endpoint>,
    pub(crate) observer: Box<dyn Observer>,
    /// Starts a thread, or says why it cannot.
    pub(crate) spawn: fn(Work) -> Result<(), Error>,
    /// Calls [`Wake::wake`] at a time of the monotonic clock, or not any more.
    pub(crate) alarm: fn(&Arc<TokenCache>, Option<i64>),
    /// Where the token is shared with other processes, if it is, and the time for an operation.
    pub(crate) store: Option<(Arc<dyn Store>, Duration)>,
}

impl Dependencies {
    /// What a process begins to share with: a name of its own.
    fn sharing(&self) -> Option<Sharing> {
        let (store, timeout) = self.store.as_ref()?;
        let half = || ((self.random)() * (f64::from(u32::MAX) + 1.0)) as u64;
        let holder = half() << 32 | half();
        Some(Sharing::new(
            holder,
            millis(*timeout),
            store.outlives_client(),
        ))
    }
}

/// Caches one client's token.
pub(crate) struct TokenCache {
    me: Weak<TokenCache>,
    dependencies: Dependencies,
    keep_fresh: bool,
    published: Published,
    process_state: PerProcess<ProcessState>,
}

/// What changes, in one process.
struct ProcessState {
    state: Mutex<State<Arc<Completion>>>,
    pending_events: PendingEvents,
}

impl ProcessState {
    fn new(
        keep_fresh: bool,
        inherited: Option<Arc<TokenSet>>,
        sharing: Option<Sharing>,
    ) -> ProcessState {
        ProcessState {
            state: Mutex::new(State::new(keep_fresh, inherited, sharing)),
            pending_events: PendingEvents::default(),
        }
    }
}

/// Who carries out the effects of a change of state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Waits for the exchange until this time of the monotonic clock, so it may make it itself if
    /// no thread can be started.
    Waits { until_ms: i64 },
    /// Must not be held up.
    MustNotWait,
    /// Is making exchanges anyway, until this time if it is a caller that waits.
    RunsFlight { until_ms: Option<i64> },
}

impl Caller {
    /// Whether it may make exchanges itself, and until when.
    fn works_until(self) -> Option<Option<i64>> {
        match self {
            Caller::Waits { until_ms } => Some(Some(until_ms)),
            Caller::RunsFlight { until_ms } => Some(until_ms),
            Caller::MustNotWait => None,
        }
    }
}

impl TokenCache {
    pub(crate) fn new(dependencies: Dependencies, keep_fresh: bool) -> Arc<TokenCache> {
        Arc::new_cyclic(|me| TokenCache {
            me: Weak::clone(me),
            keep_fresh,
            published: Published::new(),
            process_state: PerProcess::with(ProcessState::new(
                keep_fresh,
                None,
                dependencies.sharing(),
            )),
            dependencies,
        })
    }

    // --- Readers ---

    /// A valid token if there is one: no lock, no allocation, no I/O.
    pub(crate) fn read(&self) -> Option<Arc<Token>> {
        let token = self.published.read()?;
        let tick = self.dependencies.clock.tick();
        if !token.was_checked_at(tick) {
            let now = self.dependencies.clock.now();
            if !token.set().is_usable(now) {
                return None;
            }
            token.remember_checked_at(tick);
            let has_work =
                token.set().is_due(now) || (self.keep_fresh && !self.process_state.is_made());
            // A reference of its own: a callback may free the client. Nothing of `self` is used
            // after this.
            if let Some(me) = self.me.upgrade().filter(|_| has_work) {
                me.renew_in_background(now);
            }
        }
        Some(token)
    }

    /// Starts a renewal that is due, unless somebody is at it; in a forked child, has a token kept
    /// fresh that was so before.
    fn renew_in_background(&self, now: Now) {
        // Not for every read: this takes as long as the read itself.
        let _put_off = CancelPutOff::begin();
        let process_state = self.process_state();
        let mut state = match process_state.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Whoever has the lock sees to it.
            Err(TryLockError::WouldBlock) => return,
        };
        state.renew_if_due(now);
        if state.wants_launch() || self.keep_fresh {
            self.carry_out(process_state, state, now, Caller::MustNotWait, None);
        }
    }

    /// Waits until there is an answer, or until the deadline.
    pub(crate) fn get(&self, request: TokenRequest) -> Result<Arc<Token>, Error> {
        self.get_by(request, &Arc::new(Completion::new()))
    }

    /// The same, and whoever answers `completion` from outside ends the wait.
    pub(crate) fn get_by(
        &self,
        request: TokenRequest,
        completion: &Arc<Completion>,
    ) -> Result<Arc<Token>, Error> {
        let caller = Caller::Waits {
            until_ms: request.deadline_ms,
        };
        match self.ask(request, completion, caller) {
            Asked::Answered(answer) => self.hand_out(answer),
            Asked::Waiting(id) => {
                let answer = self.wait(completion, id, &request);
                let is_cancelled = |error: &Error| error.status == Status::Cancelled;
                // In a forked child that number may be another waiter's.
                if completion.is_ours() && answer.as_ref().is_err_and(is_cancelled) {
                    self.cancel(id);
                }
                self.hand_out(answer)
            }
        }
    }

    /// Answers `completion`; an answer that is there already arrives before this returns.
    pub(crate) fn start(
        &self,
        request: TokenRequest,
        completion: &Arc<Completion>,
    ) -> Option<WaiterId> {
        match self.ask(request, completion, Caller::MustNotWait) {
            Asked::Answered(answer) => {
                completion.answer(answer);
                None
            }
            Asked::Waiting(id) => Some(id),
        }
    }

    fn ask(&self, request: TokenRequest, completion: &Arc<Completion>, caller: Caller) -> Asked {
        self.change(caller, |state, now| match state.answer_now(&request, now) {
            Some(answer) => Asked::Answered(answer),
            None => Asked::Waiting(state.wait(request, Arc::clone(completion), now)),
        })
    }

    /// Waits for an answer until the deadline, and gives up then.
    fn wait(&self, completion: &Completion, id: WaiterId, request: &TokenRequest) -> Answer {
        let left = request.deadline_ms.saturating_sub(self.now().mono_ms);
        let left = Duration::from_millis(left.max(0).unsigned_abs());
        let caller = Caller::Waits {
            until_ms: request.deadline_ms,
        };
        if let Some(answer) = self.wait_for(completion, left, caller) {
            return answer;
        }
        let give_up = |state: &mut State<_>, now| state.give_up(id, now);
        self.change(Caller::MustNotWait, give_up);
        // Unless it was answered just now.
        completion.answer(Err(state::deadline_passed(request.purpose)));
        completion
            .wait(Duration::ZERO)
            .unwrap_or_else(|| Err(state::deadline_passed(request.purpose)))
    }

    /// Waits for an operation's answer, for `timeout` at most.
    pub(crate) fn wait_for_operation(
        &self,
        completion: &Completion,
        timeout: Duration,
    ) -> Option<Result<Arc<Token>, Error>> {
        let answer = self.wait_for(completion, timeout, Caller::MustNotWait)?;
        Some(self.hand_out(answer))
    }

    /// Waits, and looks now and then whether there is something to do: there may be no other thread
    /// that does.
    fn wait_for(
        &self,
        completion: &Completion,
        timeout: Duration,
        caller: Caller,
    ) -> Option<Answer> {
        // None: so far away that it never comes.
        let until = Instant::now().checked_add(timeout);
        loop {
            let left = until.map_or(POLL_INTERVAL, |u| {
                u.saturating_duration_since(Instant::now())
            });
            if let Some(answer) = completion.wait(left.min(POLL_INTERVAL)) {
                return Some(answer);
            }
            self.change(caller, |state, now| state.wake(now));
            if left <= POLL_INTERVAL && until.is_some() {
                return completion.wait(Duration::ZERO);
            }
        }
    }

    /// Nobody waits for this answer any more. The exchange goes on.
    pub(crate) fn cancel(&self, id: WaiterId) {
        self.change(Caller::MustNotWait, |state, _| state.cancel(id));
    }

    /// A caller's handle to an answer, made for it: thousands of new threads find that of their
    /// slot less quickly.
    fn hand_out(&self, answer: Answer) -> Result<Arc<Token>, Error> {
        let clock = Arc::clone(&self.dependencies.clock);
        Ok(Arc::new(Token::new(answer?, clock)))
    }

    // --- Everybody else ---

    pub(crate) fn invalidate(&self, rejected: &Arc<TokenSet>) -> Result<(), Error> {
        self.change(Caller::MustNotWait, |state, now| {
            state.invalidate(rejected, now)
        })
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.change(Caller::MustNotWait, |state, now| state.statistics(now))
    }

    /// No more exchanges, no more events; whoever waits gets an error. Does not wait for an
    /// exchange under way: its reply is dropped.
    pub(crate) fn close(&self) {
        self.change(Caller::MustNotWait, |state, _| state.close());
        self.process_state().pending_events.close();
        if let Some(me) = self.me.upgrade() {
            (self.dependencies.alarm)(&me, None);
        }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.dependencies.clock
    }

    pub(crate) fn now(&self) -> Now {
        self.dependencies.clock.now()
    }

    // --- Carrying out ---

    fn process_state(&self) -> &ProcessState {
        self.process_state.get(|| self.childs_state())
    }

    /// What a forked child starts with: the parent's access token, and nothing else of it.
    fn childs_state(&self) -> ProcessState {
        let inherited = self.published.read().map(|token| Arc::clone(token.set()));
        let childs = ProcessState::new(self.keep_fresh, inherited, self.dependencies.sharing());
        // The fork may have come in the middle of publishing it. Not published here: another
        // thread's state may be the one that is taken.
        lock(&childs.state).publish_again();
        childs
    }

    /// Changes the state under its lock, and carries out what follows.
    fn change<R>(
        &self,
        caller: Caller,
        act: impl FnOnce(&mut State<Arc<Completion>>, Now) -> R,
    ) -> R {
        self.change_and_end(caller, |state, now| (act(state, now), None))
    }

    /// Changes it by what came of a task. What the store was asked by ends with the last task for
    /// it: the exchange may need its descriptors.
    fn advance(
        &self,
        caller: Caller,
        session: &mut Option<Box<dyn Session>>,
        act: impl FnOnce(&mut State<Arc<Completion>>, Now) -> Option<Task>,
    ) -> Option<Task> {
        self.change_and_end(caller, |state, now| {
            let next = act(state, now);
            let is_over = match &next {
                None => true,
                Some(Task::Exchange(_)) => !state.tells_others(),
                Some(Task::Store(_)) => false,
            };
            (next, session.take_if(|_| is_over))
        })
    }

    fn change_and_end<R>(
        &self,
        caller: Caller,
        act: impl FnOnce(&mut State<Arc<Completion>>, Now) -> (R, Option<Box<dyn Session>>),
    ) -> R {
        let process_state = self.process_state();
        let mut state = lock(&process_state.state);
        let now = self.now();
        if caller.works_until().is_some() {
            state.has_a_worker();
        }
        let (result, session) = act(&mut state, now);
        self.carry_out(process_state, state, now, caller, session);
        result
    }

    /// Publishes under the lock, so that what is published last is the newest, and all else outside
    /// it. A program's callbacks come last: they may wait for what was started here, and for long,
    /// so that a session ends before them.
    fn carry_out(
        &self,
        process_state: &ProcessState,
        mut state: MutexGuard<'_, State<Arc<Completion>>>,
        now: Now,
        caller: Caller,
        session: Option<Box<dyn Session>>,
    ) {
        let effects: Effects<Arc<Completion>> = state.take_effects(now);
        if let Some(set) = effects.publish {
            self.published.publish(set, &self.dependencies.clock);
        }
        process_state.pending_events.extend(effects.events);
        let wake_at = state.next_wake(now);
        // Whoever runs the flight reports when it is over: a program's callback may wait for that
        // very flight.
        let reported_later = state.is_in_flight();
        drop(state);
        drop(session);
        if let (Some(at), Some(me)) = (wake_at, self.me.upgrade()) {
            (self.dependencies.alarm)(&me, Some(at));
        }
        if effects.launch {
            self.launch(process_state, caller);
        }
        for (completion, answer) in effects.answers {
            completion.answer(answer);
        }
        if !reported_later {
            self.report(process_state);
        }
    }

    fn report(&self, process_state: &ProcessState) {
        process_state
            .pending_events
            .report(&*self.dependencies.observer);
    }

    /// Runs a flight on a thread of its own; where there is none to be had, on the caller's if that
    /// waits anyway.
    fn launch(&self, process_state: &ProcessState, caller: Caller) {
        let Some(me) = self.me.upgrade() else { return };
        let begun = match caller {
            Caller::Waits { .. } if self.has_quick_store() => self.begin_flight(),
            _ => Begun::Not,
        };
        if matches!(begun, Begun::AndOver) {
            return self.report(process_state);
        }
        // A thread that the system refuses takes nothing with it.
        let begun = Arc::new(Mutex::new(begun));
        let theirs = Arc::clone(&begun);
        let work = Box::new(move || me.run_flight(take(&theirs), None));
        let Err(error) = (self.dependencies.spawn)(work) else {
            return;
        };
        process_state.pending_events.extend([Event::NoThread]);
        match caller.works_until() {
            Some(Some(until_ms)) if until_ms <= self.now().mono_ms => {
                self.fail_flight(error, Caller::MustNotWait);
            }
            Some(until_ms) => self.run_flight(take(&begun), until_ms),
            None => self.fail_flight(error, Caller::MustNotWait),
        }
    }

    fn has_quick_store(&self) -> bool {
        let store = self.dependencies.store.as_ref();
        store.is_some_and(|(store, _)| store.is_quick())
    }

    /// Looks into a quick store for a caller that waits: mostly the token is there, and a thread
    /// would take longer to start.
    fn begin_flight(&self) -> Begun {
        let caller = Caller::RunsFlight { until_ms: None };
        self.guard_flight(caller, || self.look_first(caller))
            .unwrap_or(Begun::AndOver)
    }

    fn look_first(&self, caller: Caller) -> Begun {
        let mut session = None;
        let mut next = self.change(caller, |state, now| state.next_task(self.context(now)));
        if let Some(Task::Store(load @ StoreTask::Load { .. })) = next {
            next = self.ask_store(load, caller, None, &mut session);
        }
        match next {
            Some(task) => Begun::With(task, session),
            None => Begun::AndOver,
        }
    }

    /// Carries out the tasks of one flight, until `until_ms` at most.
    fn run_flight(&self, begun: Begun, until_ms: Option<i64>) {
        let caller = Caller::RunsFlight { until_ms };
        self.guard_flight(caller, || self.carry_on(begun, until_ms));
        self.report(self.process_state());
    }

    /// A bug that is caught ends the flight: whoever waits would else wait in vain, for ever.
    fn guard_flight<R>(&self, caller: Caller, work: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(work));
        if result.is_err() {
            let error = Error::new(
                Status::Internal,
                "A bug in libapivideo was caught while it renewed the token. Please report it.",
            );
            self.fail_flight(error, caller);
        }
        result.ok()
    }

    fn carry_on(&self, begun: Begun, until_ms: Option<i64>) {
        let caller = Caller::RunsFlight { until_ms };
        let (mut next, mut session) = match begun {
            Begun::With(task, session) => (Some(task), session),
            Begun::Not => {
                let begin = |state: &mut State<_>, now| state.next_task(self.context(now));
                (self.change(caller, begin), None)
            }
            Begun::AndOver => return,
        };
        while let Some(task) = next {
            let limit = until_ms.map(|until| self.time_until(until));
            next = match task {
                Task::Exchange(request) => self.exchange(&request, caller, limit, &mut session),
                Task::Store(task) => self.ask_store(task, caller, limit, &mut session),
            };
        }
    }

    fn exchange(
        &self,
        request: &Request,
        caller: Caller,
        limit: Option<Duration>,
        session: &mut Option<Box<dyn Session>>,
    ) -> Option<Task> {
        let sent = self.now();
        let outcome = self.dependencies.endpoint.send(request, limit);
        self.advance(caller, session, |state, now| {
            state.on_response(request, outcome, sent, self.context(now))
        })
    }

    /// Carries out one operation of the store.
    fn ask_store(
        &self,
        task: StoreTask,
        caller: Caller,
        limit: Option<Duration>,
        session: &mut Option<Box<dyn Session>>,
    ) -> Option<Task> {
        let (store, _) = self.dependencies.store.as_ref()?;
        let time = |ms: i64| {
            let ms = Duration::from_millis(ms.max(0).unsigned_abs());
            limit.map_or(ms, |limit| ms.min(limit))
        };
        let started = self.now();
        match task {
            StoreTask::Load { limit_ms } => {
                let result = session
                    .get_or_insert_with(|| store.session())
                    .load(time(limit_ms));
                self.advance(caller, session, |state, now| {
                    state.on_loaded(result, started, self.context(now))
                })
            }
            StoreTask::Swap { swap, limit_ms } => {
                let result = session
                    .get_or_insert_with(|| store.session())
                    .swap(&swap, time(limit_ms));
                self.advance(caller, session, |state, now| {
                    state.on_swapped(*swap, result, started, self.context(now))
                })
            }
            StoreTask::Pause { ms } => {
                std::thread::sleep(time(ms));
                self.advance(caller, session, |state, now| {
                    state.on_paused(self.context(now))
                })
            }
        }
    }

    fn context(&self, now: Now) -> Context {
        let random = (self.dependencies.random)();
        Context { now, random }
    }

    fn time_until(&self, until_ms: i64) -> Duration {
        let left = until_ms.saturating_sub(self.now().mono_ms);
        Duration::from_millis(left.max(0).unsigned_abs())
    }

    fn fail_flight(&self, error: Error, caller: Caller) {
        self.change(caller, |state, now| {
            state.flight_failed(error, self.context(now));
        });
    }
}

impl Wake for TokenCache {
    /// An alarm rang: see to what is due.
    fn wake(self: Arc<Self>) {
        self.change(Caller::MustNotWait, |state, now| state.wake(now));
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// How far a flight has come before its thread is started.
#[derive(Default)]
enum Begun {
    #[default]
    Not,
    With(Task, Option<Box<dyn Session>>),
    AndOver,
}

fn take(begun: &Mutex<Begun>) -> Begun {
    std::mem::take(&mut *lock(begun))
}

enum Asked {
    Answered(Answer),
    Waiting(WaiterId),
}
