//! Tests of the keeper itself, with a clock that stands still between its ticks.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::event::{LogLevel, Observer, TokenState};
use super::state::{Outcome, Request};
use super::waiters::{Purpose, Want};
use super::{Endpoint, Keeper, World};
use crate::clock::{Clock, Now};
use crate::error::Error;
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

struct Generous;

impl Endpoint for Generous {
    fn send(&self, _: &Request, _: Option<Duration>) -> Outcome {
        Outcome::Granted {
            access_token: Secret::new("access"),
            refresh_token: None,
            lifetime_ms: HOUR,
        }
    }
}

/// Notes the states; calls the keeper back at each.
#[derive(Default)]
struct Inquisitive {
    keeper: Mutex<Option<Arc<Keeper>>>,
    states: Mutex<Vec<TokenState>>,
}

impl Observer for Arc<Inquisitive> {
    fn wants(&self, _: LogLevel) -> bool {
        true
    }

    fn log(&self, _: LogLevel, _: &str) {
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

fn keeper(clock: &Arc<Hand>, observer: &Arc<Inquisitive>) -> Arc<Keeper> {
    let world = World {
        clock: clock.clone(),
        draw: Box::new(|| 0.5),
        endpoint: Box::new(Generous),
        observer: Box::new(Arc::clone(observer)),
        spawn: |work| {
            std::thread::spawn(work);
            Ok(())
        },
        alarm: |_, _| {},
    };
    Keeper::new(world, false)
}

fn get(keeper: &Keeper) -> Result<Arc<Token>, Error> {
    let want = Want {
        purpose: Purpose::Token,
        min_validity_ms: 0,
        deadline_ms: keeper.now().mono_ms + 10_000,
        patient: false,
        timed: false,
    };
    keeper.read().map_or_else(|| keeper.get(want), Ok)
}

#[test]
fn a_token_that_expired_within_a_tick_is_refused_as_often_as_it_is_read() {
    let clock: Arc<Hand> = Arc::default();
    let keeper = keeper(&clock, &Arc::default());
    get(&keeper).unwrap();
    clock.ms.store(2 * HOUR, Ordering::SeqCst);
    clock.tick.store(1, Ordering::SeqCst);
    assert!(keeper.read().is_none());
    assert!(keeper.read().is_none());
}

#[test]
fn callbacks_that_ask_for_a_token_hold_nobody_up_and_hear_everything_in_order() {
    let clock: Arc<Hand> = Arc::default();
    let observer: Arc<Inquisitive> = Arc::default();
    let keeper = keeper(&clock, &observer);
    *observer.keeper.lock().unwrap() = Some(Arc::clone(&keeper));
    for hours in 0..3 {
        clock.ms.store(2 * hours * HOUR, Ordering::SeqCst);
        clock.tick.store(hours, Ordering::SeqCst);
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
    let start = Instant::now();
    while observer.states.lock().unwrap().len() < expected.len() {
        assert!(start.elapsed() < Duration::from_secs(10), "not all is told");
        std::thread::yield_now();
    }
    assert_eq!(*observer.states.lock().unwrap(), expected);
}
