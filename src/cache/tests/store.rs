//! A store, simulated: with everything that may be wrong with one, and a watch over what is put
//! into it.

use std::collections::{BTreeMap, HashSet};

use super::simulator::{Dice, SECOND};
use crate::cache::record::{Loaded, Record, StoreNow, Swap};
use crate::clock::Now;
use crate::error::{Error, Status};

/// What the store does to those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Up,
    /// No connection.
    Down,
    /// Loads, and swaps nothing.
    ReadOnly,
    /// No answer, and nothing is done.
    Hang,
    /// Each operation takes that many milliseconds.
    Slow(i64),
    /// Done, but the answer is lost.
    LostAnswer,
    /// Says of each swap that somebody else was quicker.
    Conflict,
}

#[derive(Clone)]
struct Held {
    version: u64,
    record: Record,
    /// Else it was damaged.
    opens: bool,
}

pub(super) struct SimulatedStore {
    pub(super) mode: Mode,
    /// The time of an operation is up to this.
    pub(super) latency_ms: i64,
    /// How long it works for one, and does nothing else; 0: any number of them at once.
    pub(super) busy_us: i64,
    /// Until when it is busy, on the simulation's clock.
    busy_until_us: i64,
    /// How many operations there were, by the second.
    pub(super) by_second: BTreeMap<i64, usize>,
    /// Its clock, compared with the simulation's.
    clock_ms: i64,
    /// Whether it tells that a holder has ended, as a kernel's lock does.
    pub(super) tells_of_deaths: bool,
    /// It lost what it had, or somebody restored a backup: what was true of all records need not be
    /// any more.
    was_tampered_with: bool,
    clock_was_set: bool,
    /// By how much its clock went back, in all.
    pub(super) set_back_ms: i64,
    held: Option<Held>,
    backup: Option<Held>,
    dead: Vec<u64>,
    versions: HashSet<u64>,
    pub(super) loads: usize,
    pub(super) swaps: usize,
    /// The fences of the tokens that were published, in that order.
    pub(super) published: Vec<u64>,
    dice: Dice,
}

impl SimulatedStore {
    pub(super) fn new(seed: u64) -> SimulatedStore {
        SimulatedStore {
            mode: Mode::Up,
            latency_ms: 2,
            busy_us: 0,
            busy_until_us: 0,
            by_second: BTreeMap::new(),
            clock_ms: 1_000_000,
            tells_of_deaths: false,
            was_tampered_with: false,
            clock_was_set: false,
            set_back_ms: 0,
            held: None,
            backup: None,
            dead: Vec::new(),
            versions: HashSet::new(),
            loads: 0,
            swaps: 0,
            published: Vec::new(),
            dice: Dice::new(seed ^ 0x57_0E),
        }
    }

    pub(super) fn record(&self) -> Option<&Record> {
        let held = self.held.as_ref().filter(|held| held.opens);
        held.map(|held| &held.record)
    }

    pub(super) fn version(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.version)
    }

    pub(super) fn died(&mut self, holder: u64) {
        self.dead.push(holder);
    }

    pub(super) fn forget(&mut self) {
        self.held = None;
        self.was_tampered_with = true;
    }

    /// What is there does not open any more.
    pub(super) fn damage(&mut self) {
        if let Some(held) = &mut self.held {
            held.opens = false;
            held.version = i64::MAX.unsigned_abs();
            self.was_tampered_with = true;
        }
    }

    pub(super) fn set_clock(&mut self, by_ms: i64) {
        self.clock_ms += by_ms;
        self.set_back_ms += (-by_ms).max(0);
        self.clock_was_set = true;
    }

    pub(super) fn back_up(&mut self) {
        self.backup = self.held.clone();
    }

    pub(super) fn restore(&mut self) {
        self.held = self.backup.clone();
        self.was_tampered_with = true;
    }

    pub(super) fn load(&mut self, now: Now, limit_ms: i64) -> (i64, Result<Loaded, Error>) {
        self.loads += 1;
        if let Some(failed) = self.failed(limit_ms) {
            return (failed.0, Err(failed.1));
        }
        let took = self.took(now);
        if took > limit_ms {
            return (limit_ms, Err(error()));
        }
        let record = self.record();
        let lease = record.and_then(|record| record.lease);
        let gone = lease.is_some_and(|lease| self.dead.contains(&lease.holder));
        let loaded = Loaded {
            version: self.version(),
            record: record.cloned(),
            now: self.now(now),
            holder_is_gone: gone && self.tells_of_deaths,
        };
        (took, Ok(loaded))
    }

    pub(super) fn swap(
        &mut self,
        swap: &Swap,
        now: Now,
        limit_ms: i64,
    ) -> (i64, Result<bool, Error>) {
        self.swaps += 1;
        if self.mode == Mode::ReadOnly {
            return (1, Err(error()));
        }
        if let Some(failed) = self.failed(limit_ms) {
            return (failed.0, Err(failed.1));
        }
        let took = self.took(now);
        if self.version() != swap.expected || self.mode == Mode::Conflict {
            return answered(took, limit_ms, false);
        }
        self.check(swap, self.now(now).now);
        let held = Held {
            version: swap.version,
            record: swap.record.clone(),
            opens: true,
        };
        self.held = Some(held);
        match self.mode {
            Mode::LostAnswer => (took, Err(error())),
            _ => answered(took, limit_ms, true),
        }
    }

    /// What must be true of every record that takes the place of another.
    fn check(&mut self, swap: &Swap, now: Now) {
        let is_new = self.versions.insert(swap.version);
        assert!(is_new && swap.version != 0, "a version comes twice");
        let fits = swap.version <= i64::MAX.unsigned_abs();
        assert!(fits, "a version that not every store can keep");
        let (new, none) = (&swap.record, Record::default());
        let old = self.record().unwrap_or(&none);
        assert!(new.fence >= old.fence, "a fence goes back");
        let leased = new.lease.map_or(0, |lease| now.until(lease.until));
        assert!(
            leased <= 5 * SECOND || self.clock_was_set,
            "a lease of {leased} ms"
        );
        let (was, is) = (fence(old), fence(new));
        let restored = is == 0 && self.was_tampered_with;
        assert!(
            is >= was || restored,
            "an older token takes the place of a newer one"
        );
        assert!(new.withdrawn >= old.withdrawn, "a rejection is forgotten");
        if is != was && is > 0 {
            let carried_along = was == 0 && self.was_tampered_with;
            let good = is > new.withdrawn;
            assert!(good || carried_along, "a rejected token is published");
            let newest = self.published.last().copied().unwrap_or(0);
            let ordered = is > newest || self.was_tampered_with;
            assert!(ordered, "tokens are published out of order");
            self.published.extend(good.then_some(is));
        }
    }

    fn failed(&mut self, limit_ms: i64) -> Option<(i64, Error)> {
        match self.mode {
            Mode::Down => Some((1, error())),
            Mode::Hang => Some((limit_ms, error())),
            Mode::Slow(ms) if ms > limit_ms => Some((limit_ms, error())),
            _ => None,
        }
    }

    /// How long an operation takes that arrives now: those before it come first.
    fn took(&mut self, now: Now) -> i64 {
        if let Mode::Slow(ms) = self.mode {
            return ms;
        }
        *self.by_second.entry(now.mono_ms / SECOND).or_default() += 1;
        let now_us = 1_000 * now.mono_ms;
        self.busy_until_us = self.busy_until_us.max(now_us) + self.busy_us;
        1 + self.dice.below(self.latency_ms) + (self.busy_until_us - now_us) / 1_000
    }

    fn now(&self, now: Now) -> StoreNow {
        let now = now.mono_ms + self.clock_ms;
        StoreNow {
            now: Now {
                wall_ms: now,
                mono_ms: now,
            },
            boot: 0,
        }
    }
}

/// It is done, but the answer may come too late.
fn answered(took: i64, limit_ms: i64, is_done: bool) -> (i64, Result<bool, Error>) {
    match took > limit_ms {
        true => (limit_ms, Err(error())),
        false => (took, Ok(is_done)),
    }
}

fn fence(record: &Record) -> u64 {
    record.token.as_ref().map_or(0, |token| token.fence)
}

fn error() -> Error {
    Error::new(Status::NetworkError, "the store fails")
}
