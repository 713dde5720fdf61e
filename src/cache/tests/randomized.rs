//! Years of clients' lives by chance: readers, expiries, rejections, lost replies, outages, clock
//! steps, forks, in any order, and at each step what must always hold.
//!
//! A failure prints its seed; `APIVIDEO_SIMULATE_SEED` runs that one again.
//! `APIVIDEO_SIMULATE_YEARS` is how many client-years to run: `make simulate`.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::simulator::{Dice, Got, HOUR, MINUTE, Mode, SECOND, Simulator};
use super::store::Mode as StoreMode;
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::token::TokenSet;

/// How long one simulated life is.
const LIFE: i64 = 12 * HOUR;
const HOURS_IN_A_YEAR: i64 = 8_766;
/// Of requests that no caller explicitly asked for, by one client, in any hour: one each 2.5 s at
/// most, two a flight.
const MOST_IN_AN_HOUR: usize = 3_000;

/// One life: a few clients of one key, and what chance brings.
struct Life {
    sim: Simulator,
    dice: Dice,
    keep_fresh: bool,
    /// By client and completion: when it must have been answered.
    deadlines: HashMap<(usize, u64), i64>,
    explicit_calls: usize,
    /// The store and the server are up.
    is_calm: bool,
    /// Of processes, each of which may cost an exchange.
    faults: usize,
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut dice = Dice::new(seed ^ 0x5EED);
        let keep_fresh = dice.below(2) == 0;
        let clients = 1 + dice.index(3);
        Life::of(Simulator::new(seed, clients, keep_fresh), dice, keep_fresh)
    }

    /// A few processes that share their token.
    fn with_store(seed: u64) -> Life {
        let mut dice = Dice::new(seed ^ 0x5EED);
        let keep_fresh = dice.below(2) == 0;
        let clients = 2 + dice.index(3);
        let mut sim = Simulator::with_store(seed, clients, keep_fresh);
        for client in &mut sim.clients {
            client.skew_ms = dice.below(2 * HOUR) - HOUR;
        }
        if let Some(store) = &mut sim.store {
            store.tells_of_deaths = dice.below(2) == 0;
        }
        Life::of(sim, dice, keep_fresh)
    }

    /// A few processes that share their token, and only what is a fault of theirs.
    fn with_good_store(seed: u64) -> Life {
        Life {
            is_calm: true,
            ..Life::with_store(seed)
        }
    }

    fn of(mut sim: Simulator, mut dice: Dice, keep_fresh: bool) -> Life {
        sim.server.lifetime_ms = [HOUR, HOUR, 10 * MINUTE, 30 * SECOND][dice.index(4)];
        Life {
            sim,
            dice,
            keep_fresh,
            deadlines: HashMap::new(),
            explicit_calls: 0,
            is_calm: false,
            faults: 0,
        }
    }

    fn run(&mut self) {
        let end = self.sim.now.mono_ms + LIFE;
        while self.sim.now.mono_ms < end {
            self.step();
            self.check_answers();
        }
        self.check_bounds();
        if self.is_calm {
            self.check_calm_bound();
        }
        self.check_recovery();
    }

    fn step(&mut self) {
        let c = self.dice.index(self.sim.clients.len());
        if self.is_calm {
            return self.step_calmly(c);
        }
        if self.sim.store.is_some() && self.dice.below(10) == 0 {
            return self.trouble_sharing(c);
        }
        match self.dice.below(100) {
            0..40 => self.read(c),
            40..70 => self.pass(),
            70..74 => self.ask(c, Purpose::Token, true),
            74..76 => self.ask(c, Purpose::Refresh, false),
            76..78 => self.ask(c, Purpose::Authenticate, false),
            78..81 => self.invalidate(c),
            81..90 => self.change_mode(),
            90..92 => self.sim.server.revoke_refresh_token(),
            92..94 => self.sim.server.key_works = self.dice.below(3) > 0,
            94..96 => {
                let by = self.dice.below(2 * HOUR) - HOUR;
                self.sim.set_wall(by);
            }
            96..97 => {
                let ms = self.dice.below(3 * HOUR);
                self.sim.suspend(ms);
                // Nobody is late for what came due while the machine slept.
                self.deadlines.clear();
            }
            97..98 if self.sim.clients.len() < 6 => drop(self.sim.fork(c, self.keep_fresh)),
            _ => {
                self.sim.server.latency_ms = 1 + self.dice.below(3 * SECOND);
            }
        }
    }

    fn step_calmly(&mut self, c: usize) {
        let fault = self.dice.below(100);
        self.faults += usize::from(fault < 6);
        match fault {
            0..2 => {
                self.sim.crash(c, self.keep_fresh);
                self.deadlines.retain(|(of, _), _| *of != c);
            }
            2..4 => {
                let ms = self.dice.below(20 * SECOND);
                self.sim.stop(c, ms);
            }
            4..6 => self.invalidate(c),
            6..8 => self.sim.server.latency_ms = 1 + self.dice.below(2 * SECOND),
            8..60 => self.read(c),
            _ => self.pass(),
        }
    }

    /// What may befall those that share, and what they share by.
    fn trouble_sharing(&mut self, c: usize) {
        let mode = self.dice.below(9);
        let (by, ms) = (
            self.dice.below(2 * HOUR) - HOUR,
            self.dice.below(20 * SECOND),
        );
        let Some(store) = &mut self.sim.store else {
            return;
        };
        match mode {
            0 => store.forget(),
            1 => store.back_up(),
            2 => store.restore(),
            3 => store.set_clock(by),
            4 => store.latency_ms = 1 + ms / 50,
            5 => {
                self.sim.crash(c, self.keep_fresh);
                self.deadlines.retain(|(of, _), _| *of != c);
            }
            6 => self.sim.stop(c, ms),
            7 => store.damage(),
            _ => {
                store.mode = match self.dice.below(9) {
                    0 => StoreMode::Down,
                    1 => StoreMode::Hang,
                    2 => StoreMode::LostAnswer,
                    3 => StoreMode::ReadOnly,
                    4 => StoreMode::Conflict,
                    5 => StoreMode::Slow(self.dice.below(1_200)),
                    _ => StoreMode::Up,
                }
            }
        }
    }

    fn pass(&mut self) {
        let scale = [SECOND, MINUTE, 20 * MINUTE][self.dice.index(3)];
        let ms = self.dice.below(scale);
        let before: Vec<Option<Arc<TokenSet>>> = self.published();
        self.sim.pass(ms);
        self.check_no_valid_token_was_displaced(&before);
    }

    fn read(&mut self, c: usize) {
        if let Some(set) = self.sim.read(c) {
            assert!(
                set.is_usable(self.sim.now_of(c)),
                "an expired token was read"
            );
        } else if self.is_calm {
            self.sim.get(c);
        } else {
            self.ask(c, Purpose::Token, false);
        }
    }

    fn ask(&mut self, c: usize, purpose: Purpose, wait_for_recovery: bool) {
        let request = TokenRequest {
            wait_for_recovery,
            min_validity_ms: match (purpose, self.dice.below(4)) {
                (Purpose::Token, 0) => self.dice.below(2 * HOUR),
                _ => 0,
            },
            deadline_ms: self.sim.now.mono_ms + 1 + self.dice.below(40 * SECOND),
            ..self.sim.token_request(purpose)
        };
        self.explicit_calls +=
            usize::from(purpose != Purpose::Token || request.min_validity_ms > 0);
        match self.sim.ask(c, request) {
            Got::Now(Ok(set)) => {
                let now = self.sim.now_of(c);
                assert!(set.usable_for_ms(now) >= request.min_validity_ms);
                assert!(set.is_usable(now), "an expired token was given");
            }
            Got::Now(Err(_)) => {}
            Got::Later(completion) => {
                self.deadlines.insert((c, completion), request.deadline_ms);
            }
        }
    }

    fn invalidate(&mut self, c: usize) {
        if let Some(set) = self.sim.clients[c].published.clone() {
            let _ = self.sim.invalidate(c, &set);
        }
    }

    fn change_mode(&mut self) {
        let retry_after = 1_000 * self.dice.below(700).unsigned_abs();
        self.sim.server.own_words = self.dice.below(2) == 0;
        self.sim.server.mode = match self.dice.below(12) {
            0 => Mode::Refused,
            1 => Mode::Hang,
            2 => Mode::LostReply,
            3 => Mode::Broken,
            4 => Mode::Limited(Some(retry_after)),
            5 => Mode::Limited(None),
            _ => Mode::Up,
        };
    }

    fn published(&self) -> Vec<Option<Arc<TokenSet>>> {
        self.sim
            .clients
            .iter()
            .map(|c| c.published.clone())
            .collect()
    }

    /// While only time passes, a token that is still good is either there or was replaced.
    ///
    /// By one that may be the first to expire: the wall clock may have been set between their
    /// requests.
    fn check_no_valid_token_was_displaced(&self, before: &[Option<Arc<TokenSet>>]) {
        for (c, (client, before)) in self.sim.clients.iter().zip(before).enumerate() {
            let still_good = |set: &Arc<TokenSet>| set.is_usable(self.sim.now_of(c));
            assert!(
                client.published.is_some() || !before.as_ref().is_some_and(still_good),
                "a failure displaced a valid token"
            );
        }
    }

    fn check_answers(&mut self) {
        let now = self.sim.now.mono_ms;
        for (&(c, completion), &deadline) in &self.deadlines {
            let answered = self.sim.clients[c].answers.contains_key(&completion);
            assert!(
                answered || now < deadline.max(self.sim.clients[c].stopped_until),
                "a caller waits beyond its deadline"
            );
        }
        self.deadlines
            .retain(|(c, completion), _| !self.sim.clients[*c].answers.contains_key(completion));
        self.sim.clients.iter_mut().for_each(|c| c.answers.clear());
    }

    /// Nobody gets a token before the last one, whoever got that, is due, but once for each fault.
    fn check_calm_bound(&self) {
        // The earliest renewal is after 70 % of a life.
        let due_after = self.sim.server.lifetime_ms * 7 / 10;
        let pairs = self.sim.server.requests.windows(2);
        let early = pairs.filter(|pair| pair[1].0 - pair[0].0 < due_after);
        let (early, faults) = (early.count(), self.faults);
        assert!(
            early <= faults,
            "{early} exchanges too many, {faults} faults"
        );
    }

    fn check_bounds(&self) {
        let requests = &self.sim.server.requests;
        let allowed = MOST_IN_AN_HOUR * self.sim.clients.len() + 2 * self.explicit_calls;
        for (i, (from, _)) in requests.iter().enumerate() {
            let within = requests[i..]
                .iter()
                .take_while(|(at, _)| at - from < HOUR)
                .count();
            assert!(within <= allowed, "{within} requests in an hour");
        }
    }

    /// When all is well again, every client has a token soon.
    fn check_recovery(&mut self) {
        self.sim.server.mode = Mode::Up;
        self.sim.server.key_works = true;
        self.sim.server.latency_ms = 50;
        if let Some(store) = &mut self.sim.store {
            (store.mode, store.latency_ms) = (StoreMode::Up, 2);
        }
        // Of a process that was killed, the lease must end first.
        let lease = self.sim.store.as_ref().map_or(0, |_| 5 * SECOND + 300);
        // What an exchange under way waits for, a server asked to wait for, or a rejected key waits
        // for.
        self.sim.pass(11 * MINUTE);
        for c in 0..self.sim.clients.len() {
            let start = self.sim.now.mono_ms;
            while !matches!(self.sim.get(c), Got::Now(Ok(_))) {
                self.sim.pass(50);
                let took = self.sim.now.mono_ms - start;
                assert!(
                    took <= 5 * SECOND + 200 + lease,
                    "no token {took} ms after recovery"
                );
            }
        }
    }
}

fn live(new: fn(u64) -> Life, seed: u64) -> Result<(), u64> {
    let life = AssertUnwindSafe(|| new(seed).run());
    catch_unwind(life).map_err(|_| seed)
}

/// On every core, until one life goes wrong.
fn live_all(new: fn(u64) -> Life, lives: u64) -> Result<(), u64> {
    let next = AtomicU64::new(0);
    let live_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= lives {
                return Ok(());
            }
            if seed % 5_000 == 4_999 {
                println!("life {} of {lives}", seed + 1);
            }
            live(new, seed).inspect_err(|_| next.store(lives, Ordering::Relaxed))?;
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(live_some)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap())
    })
}

/// Some lives, or the one, or the years, that the environment asks for.
fn live_as_asked(new: fn(u64) -> Life) {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    if let Some(seed) = number("APIVIDEO_SIMULATE_SEED") {
        return new(seed).run();
    }
    let lives = match number("APIVIDEO_SIMULATE_YEARS") {
        Some(years) => years * (HOURS_IN_A_YEAR * HOUR / LIFE).unsigned_abs(),
        None => 60,
    };
    if let Err(seed) = live_all(new, lives) {
        panic!("again with: APIVIDEO_SIMULATE_SEED={seed} cargo test --lib randomized");
    }
    println!(
        "{} client-hours or more",
        lives * (LIFE / HOUR).unsigned_abs()
    );
}

#[test]
fn what_must_always_hold_holds_whatever_happens() {
    live_as_asked(Life::new);
}

#[test]
fn what_must_always_hold_holds_for_those_who_share_whatever_happens_to_their_store() {
    live_as_asked(Life::with_store);
}

#[test]
fn those_who_share_get_no_token_too_early_but_one_for_each_fault() {
    live_as_asked(Life::with_good_store);
}
