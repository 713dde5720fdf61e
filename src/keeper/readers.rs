//! Tests of the keeper itself, with a clock that stands still between its ticks.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::event::{LogLevel, Observer, TokenState};
use super::state::{Outcome, Request};
use super::ticket::Ticket;
use super::waiters::{Purpose, Want};
use super::{Endpoint, Keeper, LOOK_IN, World};
use crate::clock::{Clock, Now};
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::token::Token;

const HOUR: i64 = 3_600_000;

#[derive(Default)]
struct Hand {
    ms: AtomicI64,
    tick: AtomicI64,
}

impl Clock for Hand {
    fn now(&self) -> Now {
        let ms = self.ms.load(Ordering::SeqCst);
        Now {
            wall_ms: ms,
            mono_ms: ms,
        }
    }

    fn tick(&self) -> i64 {
        self.tick.load(Ordering::SeqCst)
    }
}

impl Hand {
    fn set(&self, ms: i64) {
        self.ms.store(ms, Ordering::SeqCst);
        self.tick.fetch_add(1, Ordering::SeqCst);
    }
}

/// Grants a token, after what a test has it do first.
struct Granting<F>(F);

impl<F: Fn() + Send + Sync> Endpoint for Granting<F> {
    fn send(&self, _: &Request, _: Option<Duration>) -> Outcome {
        (self.0)();
        Outcome::Granted {
            access_token: Secret::new("access"),
            refresh_token: None,
            lifetime_ms: HOUR,
        }
    }
}

/// Notes the states, counts the lines; calls the keeper back at each.
#[derive(Default)]
struct Inquisitive {
    keeper: Mutex<Option<Arc<Keeper>>>,
    states: Mutex<Vec<TokenState>>,
    lines: AtomicUsize,
}

impl Observer for Arc<Inquisitive> {
    fn wants(&self, _: LogLevel) -> bool {
        true
    }

    fn log(&self, _: LogLevel, _: &str) {
        self.lines.fetch_add(1, Ordering::SeqCst);
        self.call_back();
    }

    fn state_changed(&self, state: TokenState) {
        self.states.lock().unwrap().push(state);
        self.call_back();
    }
}

impl Inquisitive {
    fn call_back(&self) {
        let keeper = self.keeper.lock().unwrap().clone();
        if let Some(keeper) = keeper {
            get(&keeper).unwrap();
        }
    }
}

thread_local! {
    /// How many alarms this thread has set.
    static ALARMS: Cell<usize> = const { Cell::new(0) };
}

fn world(clock: &Arc<Hand>) -> World {
    World {
        clock: clock.clone(),
        draw: Box::new(|| 0.5),
        endpoint: Box::new(Granting(|| {})),
        observer: Box::new(Arc::<Inquisitive>::default()),
        spawn: |work| {
            std::thread::spawn(work);
            Ok(())
        },
        alarm: |_, _| ALARMS.set(ALARMS.get() + 1),
    }
}

fn keeper(clock: &Arc<Hand>) -> Arc<Keeper> {
    Keeper::new(world(clock), false)
}

/// A keeper whose exchange begins with `first`, at a time that stands still.
fn keeper_that(first: impl Fn() + Send + Sync + 'static) -> Arc<Keeper> {
    let world = World {
        endpoint: Box::new(Granting(first)),
        ..world(&Arc::default())
    };
    Keeper::new(world, false)
}

/// A keeper whose exchange goes on until the test lets go of `gate`.
fn keeper_behind(gate: &Arc<Mutex<()>>, clock: &Arc<Hand>) -> Arc<Keeper> {
    let gate = Arc::clone(gate);
    let world = World {
        endpoint: Box::new(Granting(move || drop(gate.lock()))),
        ..world(clock)
    };
    Keeper::new(world, false)
}

/// A keeper that gets no thread.
fn keeper_alone() -> Arc<Keeper> {
    let world = World {
        spawn: |_| Err(Error::new(Status::SystemError, "no thread")),
        ..world(&Arc::default())
    };
    Keeper::new(world, false)
}

fn want(keeper: &Keeper) -> Want {
    Want {
        purpose: Purpose::Token,
        min_validity_ms: 0,
        deadline_ms: keeper.now().mono_ms + 10_000,
        patient: false,
        timed: false,
    }
}

fn get(keeper: &Keeper) -> Result<Arc<Token>, Error> {
    keeper.read().map_or_else(|| keeper.get(want(keeper)), Ok)
}

/// Waits for something that another thread will do soon.
fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::yield_now();
    }
}

// --- Reading ---

#[test]
fn a_token_that_expired_within_a_tick_is_refused_as_often_as_it_is_read() {
    let clock: Arc<Hand> = Arc::default();
    let keeper = keeper(&clock);
    get(&keeper).unwrap();
    clock.set(2 * HOUR);
    assert!(keeper.read().is_none());
    assert!(keeper.read().is_none());
}

#[test]
fn whoever_reads_a_due_token_has_it_renewed() {
    let clock: Arc<Hand> = Arc::default();
    let keeper = keeper(&clock);
    let first = get(&keeper).unwrap();
    clock.set(HOUR * 8 / 10);
    keeper.read().unwrap();
    eventually("renewed", || keeper.read().unwrap().id() != first.id());
}

#[test]
fn whoever_reads_a_fresh_token_leaves_its_timer_alone() {
    let clock: Arc<Hand> = Arc::default();
    let keeper = Keeper::new(world(&clock), true);
    get(&keeper).unwrap();
    clock.set(1);
    let before = ALARMS.get();
    keeper.read().unwrap();
    assert_eq!(ALARMS.get(), before);
}

#[test]
fn whoever_reads_while_a_renewal_is_under_way_has_nothing_to_carry_out() {
    let (gate, clock) = (Arc::default(), Arc::default());
    let keeper = keeper_behind(&gate, &clock);
    get(&keeper).unwrap();
    let _renewal = gate.lock();
    clock.set(HOUR * 8 / 10);
    keeper.read().unwrap();
    let timed = Want {
        timed: true,
        min_validity_ms: HOUR / 2,
        ..want(&keeper)
    };
    keeper.start(timed, &Arc::new(Ticket::new()));
    clock.set(HOUR * 8 / 10 + 1);
    let before = ALARMS.get();
    keeper.read().unwrap();
    assert_eq!(ALARMS.get(), before);
}

#[test]
fn a_rejected_token_is_not_read_again() {
    let keeper = keeper(&Arc::default());
    let rejected = get(&keeper).unwrap();
    keeper.invalidate(rejected.grant()).unwrap();
    assert!(keeper.read().is_none());
}

#[test]
fn nothing_is_read_of_a_closed_client() {
    let keeper = keeper(&Arc::default());
    get(&keeper).unwrap();
    keeper.close();
    assert!(keeper.read().is_none());
}

// --- Waiting ---

#[test]
fn a_caller_waits_for_an_exchange_that_takes_its_time() {
    let keeper = keeper_that(|| std::thread::sleep(LOOK_IN + LOOK_IN / 10));
    get(&keeper).unwrap();
}

#[test]
fn an_operation_brings_its_token() {
    let keeper = keeper(&Arc::default());
    let ticket = Arc::new(Ticket::new());
    keeper.start(want(&keeper), &ticket);
    let answer = keeper.wait_for_operation(&ticket, Duration::from_secs(10));
    answer.unwrap().unwrap();
}

#[test]
fn who_cancels_is_a_waiter_no_more() {
    let gate = Arc::default();
    let keeper = keeper_behind(&gate, &Arc::default());
    let _exchange = gate.lock();
    let id = keeper.start(want(&keeper), &Arc::new(Ticket::new()));
    assert_eq!(keeper.statistics().waiters, 1);
    keeper.cancel(id.unwrap());
    assert_eq!(keeper.statistics().waiters, 0);
}

#[test]
fn an_alarm_tells_an_operation_that_its_time_is_up() {
    let (gate, clock) = (Arc::default(), Arc::default());
    let keeper = keeper_behind(&gate, &clock);
    let _exchange = gate.lock();
    let ticket = Arc::new(Ticket::new());
    let timed = Want {
        timed: true,
        ..want(&keeper)
    };
    keeper.start(timed, &ticket);
    clock.set(timed.deadline_ms);
    keeper.wake();
    let late = ticket.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(late.status, Status::Timeout);
}

// --- What may go wrong ---

#[test]
fn where_there_is_no_thread_a_caller_that_waits_does_the_work() {
    get(&keeper_alone()).unwrap();
}

#[test]
fn where_there_is_no_thread_a_caller_that_does_not_wait_is_told() {
    let keeper = keeper_alone();
    let ticket = Arc::new(Ticket::new());
    keeper.start(want(&keeper), &ticket);
    let told = ticket.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(told.status, Status::SystemError);
}

#[test]
fn a_bug_in_an_exchange_is_an_error_of_its_callers() {
    let keeper = keeper_that(|| panic!("a bug"));
    assert_eq!(get(&keeper).unwrap_err().status, Status::Internal);
}

// --- News ---

#[test]
fn nothing_is_told_while_an_exchange_is_made() {
    let observer: Arc<Inquisitive> = Arc::default();
    let told = Arc::clone(&observer);
    let world = World {
        endpoint: Box::new(Granting(move || {
            assert_eq!(told.lines.load(Ordering::SeqCst), 0);
        })),
        observer: Box::new(observer),
        ..world(&Arc::default())
    };
    get(&Keeper::new(world, false)).unwrap();
}

#[test]
fn what_happens_between_exchanges_is_told_too() {
    let observer: Arc<Inquisitive> = Arc::default();
    let world = World {
        observer: Box::new(Arc::clone(&observer)),
        ..world(&Arc::default())
    };
    let keeper = Keeper::new(world, false);
    let token = get(&keeper).unwrap();
    keeper.invalidate(token.grant()).unwrap();
    eventually("told", || {
        *observer.states.lock().unwrap() == [TokenState::Valid, TokenState::Rejected]
    });
}

#[test]
fn callbacks_that_ask_for_a_token_hold_nobody_up_and_hear_everything_in_order() {
    let clock: Arc<Hand> = Arc::default();
    let observer: Arc<Inquisitive> = Arc::default();
    let world = World {
        observer: Box::new(Arc::clone(&observer)),
        ..world(&clock)
    };
    let keeper = Keeper::new(world, false);
    *observer.keeper.lock().unwrap() = Some(Arc::clone(&keeper));
    for hours in 0..3 {
        clock.set(2 * hours * HOUR);
        // Ten seconds of its own time, of which none passes: a callback that waited for itself would fail.
        get(&keeper).unwrap();
    }
    *observer.keeper.lock().unwrap() = None;
    let expected = [
        TokenState::Valid,
        TokenState::Expired,
        TokenState::Valid,
        TokenState::Expired,
        TokenState::Valid,
    ];
    eventually("all is told", || {
        observer.states.lock().unwrap().len() == expected.len()
    });
    assert_eq!(*observer.states.lock().unwrap(), expected);
}
