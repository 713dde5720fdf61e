//! Tests of the cache itself, with a clock that stands still between its ticks.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cache::completion::Completion;
use crate::cache::events::{LogLevel, Observer, TokenState};
use crate::cache::exchange::{Endpoint, Outcome, Request};
use crate::cache::record::{Loaded, Session, Store, Swap};
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::cache::{Dependencies, POLL_INTERVAL, TokenCache};
use crate::clock::{Clock, Now};
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::process::timer::Wake;
use crate::token::Token;

const HOUR: i64 = 3_600_000;

#[derive(Default)]
struct ManualClock {
    ms: AtomicI64,
    tick: AtomicI64,
}

impl Clock for ManualClock {
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

impl ManualClock {
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

/// Notes the states, counts the lines; calls the cache back at each.
#[derive(Default)]
struct Inquisitive {
    cache: Mutex<Option<Arc<TokenCache>>>,
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
        let cache = self.cache.lock().unwrap().clone();
        if let Some(cache) = cache {
            get(&cache).unwrap();
        }
    }
}

thread_local! {
    /// How many alarms this thread has set.
    static ALARMS: Cell<usize> = const { Cell::new(0) };
}

fn dependencies(clock: &Arc<ManualClock>) -> Dependencies {
    Dependencies {
        clock: clock.clone(),
        random: Box::new(|| 0.5),
        endpoint: Box::new(Granting(|| {})),
        observer: Box::new(Arc::<Inquisitive>::default()),
        spawn: |work| {
            std::thread::spawn(work);
            Ok(())
        },
        alarm: |_, _| ALARMS.set(ALARMS.get() + 1),
        store: None,
    }
}

fn cache(clock: &Arc<ManualClock>) -> Arc<TokenCache> {
    TokenCache::new(dependencies(clock), false)
}

/// A cache whose exchange begins with `first`, at a time that stands still.
fn cache_that(first: impl Fn() + Send + Sync + 'static) -> Arc<TokenCache> {
    let dependencies = Dependencies {
        endpoint: Box::new(Granting(first)),
        ..dependencies(&Arc::default())
    };
    TokenCache::new(dependencies, false)
}

/// A cache whose exchange goes on until the test lets go of `gate`.
fn cache_behind(gate: &Arc<Mutex<()>>, clock: &Arc<ManualClock>) -> Arc<TokenCache> {
    let gate = Arc::clone(gate);
    let dependencies = Dependencies {
        endpoint: Box::new(Granting(move || drop(gate.lock()))),
        ..dependencies(clock)
    };
    TokenCache::new(dependencies, false)
}

/// A cache that gets no thread.
fn cache_alone() -> Arc<TokenCache> {
    let dependencies = Dependencies {
        spawn: |_| Err(Error::new(Status::SystemError, "no thread")),
        ..dependencies(&Arc::default())
    };
    TokenCache::new(dependencies, false)
}

fn token_request(cache: &TokenCache) -> TokenRequest {
    TokenRequest {
        purpose: Purpose::Token,
        min_validity_ms: 0,
        deadline_ms: cache.now().mono_ms + 10_000,
        wait_for_recovery: false,
        needs_timer: false,
    }
}

fn get(cache: &TokenCache) -> Result<Arc<Token>, Error> {
    cache
        .read()
        .map_or_else(|| cache.get(token_request(cache)), Ok)
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
    let clock: Arc<ManualClock> = Arc::default();
    let cache = cache(&clock);
    get(&cache).unwrap();
    clock.set(2 * HOUR);
    assert!(cache.read().is_none());
    assert!(cache.read().is_none());
}

#[test]
fn whoever_reads_a_due_token_has_it_renewed() {
    let clock: Arc<ManualClock> = Arc::default();
    let cache = cache(&clock);
    let first = get(&cache).unwrap();
    clock.set(HOUR * 8 / 10);
    cache.read().unwrap();
    eventually("renewed", || cache.read().unwrap().id() != first.id());
}

#[test]
fn whoever_reads_a_fresh_token_leaves_its_timer_alone() {
    let clock: Arc<ManualClock> = Arc::default();
    let cache = TokenCache::new(dependencies(&clock), true);
    get(&cache).unwrap();
    clock.set(1);
    let before = ALARMS.get();
    cache.read().unwrap();
    assert_eq!(ALARMS.get(), before);
}

#[test]
fn whoever_reads_while_a_renewal_is_under_way_has_nothing_to_carry_out() {
    let (gate, clock) = (Arc::default(), Arc::default());
    let cache = cache_behind(&gate, &clock);
    get(&cache).unwrap();
    let _renewal = gate.lock();
    clock.set(HOUR * 8 / 10);
    cache.read().unwrap();
    let needs_timer = TokenRequest {
        needs_timer: true,
        min_validity_ms: HOUR / 2,
        ..token_request(&cache)
    };
    cache.start(needs_timer, &Arc::new(Completion::new()));
    clock.set(HOUR * 8 / 10 + 1);
    let before = ALARMS.get();
    cache.read().unwrap();
    assert_eq!(ALARMS.get(), before);
}

#[test]
fn a_rejected_token_is_not_read_again() {
    let cache = cache(&Arc::default());
    let rejected = get(&cache).unwrap();
    cache.invalidate(rejected.set()).unwrap();
    assert!(cache.read().is_none());
}

#[test]
fn nothing_is_read_of_a_closed_client() {
    let cache = cache(&Arc::default());
    get(&cache).unwrap();
    cache.close();
    assert!(cache.read().is_none());
}

// --- Waiting ---

#[test]
fn a_caller_waits_for_an_exchange_that_takes_its_time() {
    let cache = cache_that(|| std::thread::sleep(POLL_INTERVAL + POLL_INTERVAL / 10));
    get(&cache).unwrap();
}

#[test]
fn an_operation_brings_its_token() {
    let cache = cache(&Arc::default());
    let completion = Arc::new(Completion::new());
    cache.start(token_request(&cache), &completion);
    let answer = cache.wait_for_operation(&completion, Duration::from_secs(10));
    answer.unwrap().unwrap();
}

#[test]
fn who_cancels_is_a_waiter_no_more() {
    let gate = Arc::default();
    let cache = cache_behind(&gate, &Arc::default());
    let _exchange = gate.lock();
    let id = cache.start(token_request(&cache), &Arc::new(Completion::new()));
    assert_eq!(cache.statistics().waiters, 1);
    cache.cancel(id.unwrap());
    assert_eq!(cache.statistics().waiters, 0);
}

#[test]
fn an_alarm_tells_an_operation_that_its_time_is_up() {
    let (gate, clock) = (Arc::default(), Arc::default());
    let cache = cache_behind(&gate, &clock);
    let _exchange = gate.lock();
    let completion = Arc::new(Completion::new());
    let needs_timer = TokenRequest {
        needs_timer: true,
        ..token_request(&cache)
    };
    cache.start(needs_timer, &completion);
    clock.set(needs_timer.deadline_ms);
    Arc::clone(&cache).wake();
    let late = completion.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(late.status, Status::Timeout);
}

// --- What may go wrong ---

#[test]
fn where_there_is_no_thread_a_caller_that_waits_does_the_work() {
    get(&cache_alone()).unwrap();
}

#[test]
fn where_there_is_no_thread_a_caller_that_does_not_wait_is_told() {
    let cache = cache_alone();
    let completion = Arc::new(Completion::new());
    cache.start(token_request(&cache), &completion);
    let told = completion.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(told.status, Status::SystemError);
}

#[test]
fn where_there_is_no_thread_only_a_caller_that_waits_makes_the_exchange() {
    let exchanges: Arc<AtomicUsize> = Arc::default();
    let made = Arc::clone(&exchanges);
    let dependencies = Dependencies {
        spawn: |_| Err(Error::new(Status::SystemError, "no thread")),
        endpoint: Box::new(Granting(move || {
            made.fetch_add(1, Ordering::SeqCst);
        })),
        ..dependencies(&Arc::default())
    };
    let cache = TokenCache::new(dependencies, false);
    let patient = TokenRequest {
        wait_for_recovery: true,
        needs_timer: true,
        ..token_request(&cache)
    };
    let completion = Arc::new(Completion::new());
    cache.start(patient, &completion);
    Arc::clone(&cache).wake();
    assert!(completion.wait(Duration::ZERO).is_none(), "it still waits");
    assert_eq!(exchanges.load(Ordering::SeqCst), 0);
    get(&cache).unwrap();
    completion.wait(Duration::ZERO).unwrap().unwrap();
    assert_eq!(exchanges.load(Ordering::SeqCst), 1);
}

#[test]
fn a_bug_in_an_exchange_is_an_error_of_its_callers() {
    let cache = cache_that(|| panic!("a bug"));
    assert_eq!(get(&cache).unwrap_err().status, Status::Internal);
}

/// A store that does something when it is asked what is there, and says that it fails.
struct Failing<F>(Arc<F>);

impl<F: Fn() + Send + Sync + 'static> Store for Failing<F> {
    fn session(&self) -> Box<dyn Session> {
        Box::new(Failing(Arc::clone(&self.0)))
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn outlives_client(&self) -> bool {
        true
    }
}

impl<F: Fn() + Send + Sync> Session for Failing<F> {
    fn load(&mut self, _: Duration) -> Result<Loaded, Error> {
        (self.0)();
        Err(Error::new(Status::NetworkError, "it fails"))
    }

    fn swap(&mut self, _: &Swap, _: Duration) -> Result<bool, Error> {
        Err(Error::new(Status::NetworkError, "it fails"))
    }
}

/// A cache whose store does something when it is asked.
fn cache_with<F: Fn() + Send + Sync + 'static>(first: Arc<F>) -> Arc<TokenCache> {
    let store: Arc<dyn Store> = Arc::new(Failing(first));
    let dependencies = Dependencies {
        store: Some((store, Duration::from_secs(1))),
        ..dependencies(&Arc::default())
    };
    TokenCache::new(dependencies, false)
}

#[test]
fn a_bug_in_a_quick_store_is_an_error_of_its_callers_and_no_end_of_all_flights() {
    let has_bug = Arc::new(AtomicBool::new(true));
    let has_it = Arc::clone(&has_bug);
    let first = move || assert!(!has_it.load(Ordering::SeqCst), "a bug");
    let cache = cache_with(Arc::new(first));
    assert_eq!(get(&cache).unwrap_err().status, Status::Internal);
    assert_eq!(cache.statistics().exchanges_in_flight, 0);
    has_bug.store(false, Ordering::SeqCst);
    let authenticate = TokenRequest {
        purpose: Purpose::Authenticate,
        ..token_request(&cache)
    };
    cache.get(authenticate).unwrap();
}

#[test]
fn what_a_store_was_asked_by_ends_before_a_program_is_called() {
    let first = Arc::new(|| {});
    let cache = cache_with(Arc::clone(&first));
    let users = Arc::strong_count(&first);
    let (tell, told) = std::sync::mpsc::channel();
    let completion = Arc::new(Completion::new());
    let count = move || tell.send(Arc::strong_count(&first)).unwrap();
    completion.on_answer(Box::new(count)).unwrap();
    cache.start(token_request(&cache), &completion).unwrap();
    let left = told.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(left, users, "there is a session still");
}

#[test]
fn a_store_that_fails_holds_nothing_while_the_exchange_is_made() {
    let first = Arc::new(|| {});
    let store: Arc<dyn Store> = Arc::new(Failing(Arc::clone(&first)));
    let (tell, told) = std::sync::mpsc::channel();
    let theirs = Arc::clone(&first);
    let count = move || tell.send(Arc::strong_count(&theirs)).unwrap();
    let dependencies = Dependencies {
        store: Some((store, Duration::from_secs(1))),
        endpoint: Box::new(Granting(count)),
        ..dependencies(&Arc::default())
    };
    let cache = TokenCache::new(dependencies, false);
    let users = Arc::strong_count(&first);
    get(&cache).unwrap();
    assert_eq!(told.recv().unwrap(), users, "there is a session still");
}

// --- News ---

#[test]
fn nothing_is_told_while_an_exchange_is_made() {
    let observer: Arc<Inquisitive> = Arc::default();
    let told = Arc::clone(&observer);
    let dependencies = Dependencies {
        endpoint: Box::new(Granting(move || {
            assert_eq!(told.lines.load(Ordering::SeqCst), 0);
        })),
        observer: Box::new(observer),
        ..dependencies(&Arc::default())
    };
    get(&TokenCache::new(dependencies, false)).unwrap();
}

#[test]
fn nothing_is_told_once_the_client_is_closed() {
    let observer: Arc<Inquisitive> = Arc::default();
    let to_close: Arc<Mutex<Option<Arc<TokenCache>>>> = Arc::default();
    let closing = Arc::clone(&to_close);
    let dependencies = Dependencies {
        endpoint: Box::new(Granting(move || {
            closing.lock().unwrap().take().unwrap().close();
        })),
        observer: Box::new(Arc::clone(&observer)),
        spawn: |_| Err(Error::new(Status::SystemError, "no thread")),
        ..dependencies(&Arc::default())
    };
    let cache = TokenCache::new(dependencies, false);
    *to_close.lock().unwrap() = Some(Arc::clone(&cache));
    assert_eq!(get(&cache).unwrap_err().status, Status::Closed);
    assert_eq!(observer.lines.load(Ordering::SeqCst), 0);
    assert!(observer.states.lock().unwrap().is_empty());
}

#[test]
fn what_happens_between_exchanges_is_told_too() {
    let observer: Arc<Inquisitive> = Arc::default();
    let dependencies = Dependencies {
        observer: Box::new(Arc::clone(&observer)),
        ..dependencies(&Arc::default())
    };
    let cache = TokenCache::new(dependencies, false);
    let token = get(&cache).unwrap();
    cache.invalidate(token.set()).unwrap();
    eventually("told", || {
        *observer.states.lock().unwrap() == [TokenState::Valid, TokenState::Rejected]
    });
}

#[test]
fn callbacks_that_ask_for_a_token_hold_nobody_up_and_hear_everything_in_order() {
    let clock: Arc<ManualClock> = Arc::default();
    let observer: Arc<Inquisitive> = Arc::default();
    let dependencies = Dependencies {
        observer: Box::new(Arc::clone(&observer)),
        ..dependencies(&clock)
    };
    let cache = TokenCache::new(dependencies, false);
    *observer.cache.lock().unwrap() = Some(Arc::clone(&cache));
    for hours in 0..3 {
        clock.set(2 * hours * HOUR);
        // Ten seconds of its own time, of which none passes: a callback that waited for itself
        // would fail.
        get(&cache).unwrap();
    }
    *observer.cache.lock().unwrap() = None;
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
