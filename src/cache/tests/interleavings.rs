//! The cache's threads, interleaved by a model checker: `make model`.
//!
//! shuttle runs each scenario with many thousands of schedules; one in which a thread waits for
//! ever is a deadlock, and is reported with the schedule that leads to it. Time does not pass
//! unless a scenario says so, so a waiter whose wake-up is lost is never saved by its deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use shuttle::thread;

use crate::cache::completion::Completion;
use crate::cache::events::{LogLevel, Observer, TokenState};
use crate::cache::exchange::{Endpoint, Outcome, Request};
use crate::cache::published::Published;
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::cache::{Dependencies, TokenCache};
use crate::clock::{Clock, Now};
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::token::{Token, TokenSet};

const SCHEDULES: usize = 20_000;
const HOUR: i64 = 3_600_000;

/// A clock that moves when it is told to.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Now {
        let ms = self.0.load(Ordering::SeqCst);
        Now {
            wall_ms: ms,
            mono_ms: ms,
        }
    }

    fn tick(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What the scenarios count.
#[derive(Default)]
struct Counts {
    in_flight: AtomicUsize,
    authentications: AtomicUsize,
    refreshes: AtomicUsize,
}

/// An endpoint that always grants, refuses refresh tokens, or fails.
struct Server {
    counts: Arc<Counts>,
    refuses_refresh: bool,
    fails: bool,
}

impl Endpoint for Server {
    fn send(&self, request: &Request, _limit: Option<Duration>) -> Outcome {
        assert_eq!(
            self.counts.in_flight.fetch_add(1, Ordering::SeqCst),
            0,
            "two at once"
        );
        thread::yield_now();
        let refresh = matches!(request, Request::Refresh(_));
        let counter = if refresh {
            &self.counts.refreshes
        } else {
            &self.counts.authentications
        };
        let number = counter.fetch_add(1, Ordering::SeqCst);
        self.counts.in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.fails {
            let error = Error::new(Status::NetworkError, "down");
            return Outcome::Failed {
                error,
                spent: true,
                own_words: false,
            };
        }
        if refresh && self.refuses_refresh {
            return Outcome::Rejected(Error::new(Status::RefreshRejected, "no"));
        }
        Outcome::Granted {
            access_token: Secret::new(&format!("access-{refresh}-{number}")),
            refresh_token: Some(Secret::new(&format!("refresh-{refresh}-{number}"))),
            lifetime_ms: HOUR,
        }
    }
}

struct NoObserver;

impl Observer for NoObserver {
    fn wants(&self, _: LogLevel) -> bool {
        true
    }
    fn log(&self, _: LogLevel, _: &str) {}
    fn state_changed(&self, _: TokenState) {}
}

struct Scene {
    cache: Arc<TokenCache>,
    clock: Arc<ManualClock>,
    counts: Arc<Counts>,
}

fn scene(refuses_refresh: bool, fails: bool) -> Scene {
    let clock: Arc<ManualClock> = Arc::default();
    let counts: Arc<Counts> = Arc::default();
    let dependencies = Dependencies {
        clock: clock.clone(),
        random: Box::new(|| 0.5),
        endpoint: Box::new(Server {
            counts: Arc::clone(&counts),
            refuses_refresh,
            fails,
        }),
        observer: Box::new(NoObserver),
        spawn: |work| {
            thread::spawn(work);
            Ok(())
        },
        alarm: |_, _| {},
        store: None,
    };
    Scene {
        cache: TokenCache::new(dependencies, false),
        clock,
        counts,
    }
}

fn token_request(purpose: Purpose) -> TokenRequest {
    TokenRequest {
        purpose,
        min_validity_ms: 0,
        deadline_ms: HOUR * 1_000,
        wait_for_recovery: false,
        needs_timer: false,
    }
}

/// What `Client::get_token` does.
fn get(cache: &TokenCache) -> Result<Arc<crate::token::Token>, Error> {
    cache
        .read()
        .map_or_else(|| cache.get(token_request(Purpose::Token)), Ok)
}

fn in_threads(bodies: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = bodies.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

/// A body for a thread that has the cache.
fn body(
    cache: &Arc<TokenCache>,
    act: impl FnOnce(&Arc<TokenCache>) + Send + 'static,
) -> Box<dyn FnOnce() + Send> {
    let cache = Arc::clone(cache);
    Box::new(move || act(&cache))
}

fn check(scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    let random = Arc::clone(&scenario);
    shuttle::check_random(move || random(), SCHEDULES);
    // Few, well placed preemptions find what chance does not.
    shuttle::check_pct(move || scenario(), SCHEDULES, 3);
}

#[test]
fn cold_readers_share_one_exchange() {
    check(|| {
        let scene = scene(false, false);
        let reader = || body(&scene.cache, |k| drop(get(k).unwrap()));
        in_threads(vec![reader(), reader(), reader()]);
        assert_eq!(scene.counts.authentications.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_failed_exchange_wakes_every_waiter() {
    check(|| {
        let scene = scene(false, true);
        let reader = || {
            body(&scene.cache, |k| {
                assert_eq!(get(k).unwrap_err().status, Status::NetworkError);
            })
        };
        in_threads(vec![reader(), reader(), reader()]);
        assert_eq!(scene.counts.authentications.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn readers_past_the_renewal_point_start_one_renewal_and_keep_their_token() {
    for refuses in [false, true] {
        check(move || {
            let scene = scene(refuses, false);
            get(&scene.cache).unwrap();
            scene.clock.0.store(HOUR * 8 / 10, Ordering::SeqCst);
            let reader = || {
                body(&scene.cache, |k| {
                    get(k).unwrap();
                    thread::yield_now();
                    get(k).unwrap();
                })
            };
            in_threads(vec![reader(), reader()]);
            assert!(scene.counts.refreshes.load(Ordering::SeqCst) <= 1);
            assert!(scene.counts.authentications.load(Ordering::SeqCst) <= 2);
        });
    }
}

#[test]
fn invalidators_and_readers_cost_one_exchange_and_never_bring_the_rejected_token_back() {
    check(|| {
        let scene = scene(false, false);
        let rejected = get(&scene.cache).unwrap();
        let invalidator = || {
            let rejected = Arc::clone(rejected.set());
            body(&scene.cache, move |k| {
                k.invalidate(&rejected).unwrap();
                let next = get(k).unwrap();
                assert!(
                    !Arc::ptr_eq(next.set(), &rejected),
                    "the rejected token came back"
                );
            })
        };
        in_threads(vec![invalidator(), invalidator(), invalidator()]);
        assert_eq!(scene.counts.authentications.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn closing_answers_everybody_once() {
    check(|| {
        let scene = scene(false, false);
        let reader = || {
            body(&scene.cache, |k| {
                let result = get(k);
                assert!(result.is_ok() || result.is_err_and(|e| e.status == Status::Closed));
            })
        };
        let closer = body(&scene.cache, |k| k.close());
        in_threads(vec![reader(), reader(), closer]);
        assert!(
            scene.cache.read().is_none(),
            "nothing is published after closing"
        );
    });
}

#[test]
fn an_operation_is_answered_once_whether_completed_cancelled_or_closed() {
    check(|| {
        let scene = scene(false, false);
        let completion = Arc::new(Completion::new());
        let (call, called) = shuttle::sync::mpsc::channel();
        let id = scene
            .cache
            .start(token_request(Purpose::Token), &completion);
        let listening = Arc::clone(&completion);
        let listener = body(&scene.cache, move |_| {
            let call = move || call.send(()).unwrap();
            listening.on_answer(Box::new(call)).unwrap();
        });
        let cancelled = Arc::clone(&completion);
        let canceller = body(&scene.cache, move |k| {
            if let Some(id) = id {
                k.cancel(id);
            }
            cancelled.answer(Err(Error::new(Status::Cancelled, "cancelled")));
        });
        let closer = body(&scene.cache, |k| k.close());
        in_threads(vec![listener, canceller, closer]);
        // A deadlock if it is never called; it cannot be called twice, since it is gone then.
        called.recv().unwrap();
    });
}

#[test]
fn explicit_calls_and_readers_take_turns() {
    check(|| {
        let scene = scene(false, false);
        get(&scene.cache).unwrap();
        let refresher = body(&scene.cache, |k| {
            drop(k.get(token_request(Purpose::Refresh)).unwrap())
        });
        let authenticator = body(&scene.cache, |k| {
            drop(k.get(token_request(Purpose::Authenticate)).unwrap())
        });
        let reader = body(&scene.cache, |k| drop(get(k).unwrap()));
        in_threads(vec![refresher, authenticator, reader]);
        assert_eq!(scene.counts.refreshes.load(Ordering::SeqCst), 1);
        assert_eq!(scene.counts.authentications.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn who_has_heard_of_a_token_or_of_its_end_reads_nothing_older() {
    check(|| {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let published = Arc::new(Published::new());
        let sets = ["first", "second"].map(|text| Arc::new(TokenSet::for_an_hour(text, None)));
        let ids = sets
            .clone()
            .map(|set| Token::new(set, Arc::clone(&clock)).id());
        published.publish(Some(Arc::clone(&sets[0])), &clock);
        // How many publications are over: the two sets, and that there is none.
        let over = Arc::new(shuttle::sync::atomic::AtomicUsize::new(0));
        let reader = || {
            let (published, over) = (Arc::clone(&published), Arc::clone(&over));
            Box::new(move || {
                for _ in 0..2 {
                    let known = over.load(Ordering::SeqCst);
                    let read = published.read().map(|token| token.id());
                    match known {
                        0 => {}
                        1 => assert_ne!(read, Some(ids[0]), "an older token"),
                        _ => assert_eq!(read, None, "a withdrawn token"),
                    }
                }
            }) as Box<dyn FnOnce() + Send>
        };
        let writer = {
            let (published, over) = (Arc::clone(&published), Arc::clone(&over));
            let second = Arc::clone(&sets[1]);
            Box::new(move || {
                published.publish(Some(second), &clock);
                over.store(1, Ordering::SeqCst);
                published.publish(None, &clock);
                over.store(2, Ordering::SeqCst);
            })
        };
        in_threads(vec![reader(), reader(), writer]);
    });
}
