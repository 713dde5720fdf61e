//! Every order in which a few processes and their store may act, with every fault at every step:
//! what must hold then, holds in all of them.
//!
//! The processes are the real [`Sharing`]; only time is coarse: it passes when a lease is to end.
//! `APIVIDEO_MODEL=full` allows more faults, and takes minutes: `make model`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::*;
use crate::cache::record::StoreNow;
use crate::token::Validity;

/// More are none of these.
const MOST_WORLDS: usize = 5_000_000;
const HOUR: i64 = 3_600_000;
const START: Now = Now {
    wall_ms: 1_700_000_000_000,
    mono_ms: 1_000_000,
};

/// What a process is about to do.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Doing {
    Nothing,
    Load,
    /// What is asked for, as a number among those that were made.
    Swap(Box<Asked>),
    Exchange,
    /// It has its token, and tells the others.
    Pause,
    Dead,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    expected: u64,
    version: u64,
    record: Record,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Token {
    fence: u64,
    number: u32,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Process {
    sharing: Sharing,
    doing: Doing,
    token: Option<Token>,
    is_rejected: bool,
}

/// How many faults of each kind may still come.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Faults {
    crashes: u8,
    expiries: u8,
    failures: u8,
    lost_answers: u8,
    rejections: u8,
    evictions: u8,
}

impl Faults {
    fn left(&self) -> u8 {
        self.crashes
            + self.expiries
            + self.failures
            + self.lost_answers
            + self.rejections
            + self.evictions
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    processes: Vec<Process>,
    store: Option<(u64, Record)>,
    now_ms: i64,
    faults: Faults,
    exchanges: u32,
    /// Of tokens that were published and not lost since.
    newest: u64,
}

/// What a store may be that is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    /// Replaces whatever is there.
    PlainSet,
}

struct Model {
    kind: Kind,
    budget: Faults,
}

thread_local! {
    /// Each token is made once.
    static SETS: RefCell<HashMap<Token, Arc<TokenSet>>> = RefCell::default();
}

fn set_of(token: Token) -> Arc<TokenSet> {
    let make = || {
        let validity = Validity {
            lifetime_ms: HOUR,
            renew_at: START.plus(HOUR * 3 / 4),
            usable_until: START.plus(HOUR - 30_000),
            expires: START.plus(HOUR),
        };
        let set = TokenSet::new(&token.number.to_string(), None, validity);
        Arc::new(set.with_fence(token.fence))
    };
    SETS.with_borrow_mut(|sets| Arc::clone(sets.entry(token).or_insert_with(make)))
}

impl Process {
    fn view(&self) -> View {
        View {
            purpose: Purpose::Token,
            set: self.token.map(set_of),
            is_usable: self.token.is_some() && !self.is_rejected,
            is_enough: false,
            deadline: None,
        }
    }

    fn follow(&mut self, step: Step) {
        self.doing = match step {
            Step::Do(StoreTask::Load { .. }) => Doing::Load,
            Step::Do(StoreTask::Swap { swap, .. }) => Doing::Swap(Box::new(Asked {
                expected: swap.expected,
                version: swap.version,
                record: swap.record,
            })),
            Step::Do(StoreTask::Pause { .. }) => Doing::Pause,
            Step::Exchange => Doing::Exchange,
            Step::Adopt { set, .. } => {
                let number = set.access_token().parse().unwrap();
                let fence = set.fence();
                (self.token, self.is_rejected) = (Some(Token { fence, number }), false);
                Doing::Nothing
            }
            Step::Over => Doing::Nothing,
            Step::Keep | Step::Refuse(_) => panic!("nothing was refused, and all want a token"),
        };
        // How often it looked decides only when it looks again.
        self.sharing.flight.looks = self.sharing.flight.looks.min(1);
    }

    fn wants_a_token(&self) -> bool {
        self.doing == Doing::Nothing && (self.token.is_none() || self.is_rejected)
    }
}

impl World {
    fn new(processes: u64, faults: Faults) -> World {
        let process = |holder| Process {
            sharing: Sharing::new(holder, 1_000, true),
            doing: Doing::Nothing,
            token: None,
            is_rejected: false,
        };
        World {
            processes: (1..=processes).map(process).collect(),
            store: None,
            now_ms: 0,
            faults,
            exchanges: 0,
            newest: 0,
        }
    }

    fn at(&self) -> Context {
        Context {
            now: START.plus(self.now_ms),
            random: 0.5,
        }
    }

    fn loaded(&self) -> Loaded {
        Loaded {
            version: self.store.as_ref().map_or(0, |(version, _)| *version),
            record: self.store.as_ref().map(|(_, record)| record.clone()),
            now: StoreNow {
                now: self.at().now,
                boot: 0,
            },
            holder_is_gone: false,
        }
    }

    /// One step of a process, without a fault.
    fn step(&self, p: usize, model: &Model) -> Option<Result<World, String>> {
        let mut next = self.clone();
        let at = self.at();
        let process = &mut next.processes[p];
        let view = process.view();
        let events = &mut Vec::new();
        let step = match &process.doing {
            Doing::Nothing if process.wants_a_token() => process.sharing.begin(&view, at.now),
            Doing::Nothing | Doing::Dead => return None,
            Doing::Pause => process.sharing.paused(&view, at.now),
            Doing::Load => process
                .sharing
                .loaded(Ok(self.loaded()), &view, at.now, at, events),
            Doing::Swap(asked) => {
                let asked = (**asked).clone();
                return Some(next.swap(p, asked, model, false).map(|()| next));
            }
            Doing::Exchange => {
                next.exchanges += 1;
                let number = next.exchanges;
                let process = &mut next.processes[p];
                let fence = process.sharing.flight.fence;
                let set = set_of(Token { fence, number });
                let report = Report::Granted {
                    set: &set,
                    sent: at.now,
                };
                let step = process.sharing.exchanged(&report, at);
                (process.token, process.is_rejected) = (Some(Token { fence, number }), false);
                step
            }
        };
        next.processes[p].follow(step);
        Some(next.checked(model))
    }

    /// A record is swapped in, unless another was quicker, and the answer comes or is lost.
    fn swap(&mut self, p: usize, asked: Asked, model: &Model, is_lost: bool) -> Result<(), String> {
        let version = self.store.as_ref().map_or(0, |(version, _)| *version);
        let fits = version == asked.expected || model.kind == Kind::PlainSet;
        if fits {
            self.check(&asked.record, model)?;
            self.store = Some((asked.version, asked.record.clone()));
        }
        let swap = Swap {
            expected: asked.expected,
            version: asked.version,
            record: asked.record,
            keep_ms: 0,
            is_lease: false,
        };
        let result = if is_lost { Err(lost()) } else { Ok(fits) };
        let at = self.at();
        let process = &mut self.processes[p];
        let view = process.view();
        let step = process
            .sharing
            .swapped(result, swap, &view, at.now, at, &mut Vec::new());
        process.follow(step);
        Ok(())
    }

    fn check(&mut self, new: &Record, model: &Model) -> Result<(), String> {
        let fence = |record: &Record| record.token.as_ref().map_or(0, |token| token.fence);
        if let Some((_, old)) = &self.store {
            if new.fence < old.fence {
                return Err("a fence goes back".into());
            }
            // A record that is older than what somebody saw before is as good as none.
            let forgot = fence(new) == 0 && self.faults.evictions < model.budget.evictions;
            if (fence(new) < fence(old) && !forgot) || new.withdrawn < old.withdrawn {
                return Err("an older token takes the place of a newer one".into());
            }
        }
        if fence(new) > self.newest {
            if fence(new) <= new.withdrawn {
                return Err("a rejected token is published".into());
            }
            self.newest = fence(new);
        }
        match fence(new) < self.newest && fence(new) > 0 {
            true => Err("an older token comes back".into()),
            false => Ok(()),
        }
    }

    fn checked(self, model: &Model) -> Result<World, String> {
        let faults = u32::from(model.budget.left() - self.faults.left());
        match self.exchanges <= 1 + faults {
            true => Ok(self),
            false => Err(format!(
                "{} exchanges after {faults} faults",
                self.exchanges
            )),
        }
    }

    fn with_fault(&self, take: impl FnOnce(&mut Faults) -> &mut u8) -> Option<World> {
        let mut next = self.clone();
        let left = take(&mut next.faults);
        *left = left.checked_sub(1)?;
        Some(next)
    }

    /// Everything that may go wrong now.
    fn faults(&self, model: &Model, then: &mut Vec<Result<World, String>>) {
        if let Some(mut next) = self.with_fault(|faults| &mut faults.expiries) {
            next.now_ms += policy::LEASE + 1;
            then.push(Ok(next));
        }
        if self.store.is_some()
            && let Some(mut next) = self.with_fault(|faults| &mut faults.evictions)
        {
            (next.store, next.newest) = (None, 0);
            then.push(Ok(next));
        }
        for (p, process) in self.processes.iter().enumerate() {
            if process.doing == Doing::Dead {
                continue;
            }
            if process.doing != Doing::Nothing
                && let Some(mut next) = self.with_fault(|faults| &mut faults.crashes)
            {
                next.processes[p].doing = Doing::Dead;
                then.push(Ok(next));
            }
            if process.doing == Doing::Nothing
                && process.token.is_some()
                && !process.is_rejected
                && let Some(mut next) = self.with_fault(|faults| &mut faults.rejections)
            {
                let process = &mut next.processes[p];
                process.is_rejected = true;
                let fence = process.token.map_or(0, |token| token.fence);
                process.sharing.withdraw(fence);
                then.push(Ok(next));
            }
            self.fail(p, model, then);
        }
    }

    fn fail(&self, p: usize, model: &Model, then: &mut Vec<Result<World, String>>) {
        let at = self.at();
        let lost_answer = self.with_fault(|faults| &mut faults.lost_answers);
        if let (Doing::Swap(asked), Some(mut next)) = (&self.processes[p].doing, lost_answer) {
            let asked = (**asked).clone();
            then.push(
                next.swap(p, asked, model, true)
                    .and_then(|()| next.checked(model)),
            );
        }
        let failed = self.with_fault(|faults| &mut faults.failures);
        if let (Doing::Load, Some(mut next)) = (&self.processes[p].doing, failed) {
            let process = &mut next.processes[p];
            let view = process.view();
            let events = &mut Vec::new();
            let step = process
                .sharing
                .loaded(Err(lost()), &view, at.now, at, events);
            process.follow(step);
            then.push(next.checked(model));
        }
    }

    /// Nobody can do anything but wait until a lease ends, which comes by itself.
    fn time_passes(&self) -> Option<World> {
        let waits = |process: &Process| {
            matches!(process.doing, Doing::Pause | Doing::Dead)
                || (process.doing == Doing::Nothing && !process.wants_a_token())
        };
        let leased = self.store.as_ref().is_some_and(|(_, record)| {
            let lease = record.lease;
            lease.is_some_and(|lease| self.at().now.until(lease.until) > 0)
        });
        let pauses = self
            .processes
            .iter()
            .any(|process| process.doing == Doing::Pause);
        (leased && pauses && self.processes.iter().all(waits)).then(|| World {
            now_ms: self.now_ms + policy::LEASE + 1,
            ..self.clone()
        })
    }

    /// All that may happen next; nothing, when everybody has a token.
    fn then(&self, model: &Model) -> Vec<Result<World, String>> {
        let mut then: Vec<_> = match self.time_passes() {
            Some(later) => vec![Ok(later)],
            None => Vec::new(),
        };
        then.extend((0..self.processes.len()).filter_map(|p| self.step(p, model)));
        self.faults(model, &mut then);
        then
    }

    fn fingerprint(&self) -> u128 {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, self).hash(&mut hasher);
            hasher.finish()
        };
        u128::from(half(1)) << 64 | u128::from(half(2))
    }
}

fn lost() -> Error {
    Error::new(Status::NetworkError, "lost")
}

/// Visits every world that can come of the first. How many there are, or what goes wrong in one.
fn explore(model: &Model, processes: u64) -> Result<usize, String> {
    let first = World::new(processes, model.budget);
    let mut seen = HashSet::from([first.fingerprint()]);
    let mut left = vec![first];
    while let Some(world) = left.pop() {
        if seen.len() > MOST_WORLDS {
            return Err("there is no end of it".into());
        }
        let then = world.then(model);
        let settled = |process: &Process| match process.doing {
            Doing::Dead => true,
            _ => process.token.is_some() && !process.is_rejected,
        };
        if then.is_empty() && !world.processes.iter().all(settled) {
            return Err("somebody waits for ever".into());
        }
        for next in then {
            let next = next?;
            if seen.insert(next.fingerprint()) {
                left.push(next);
            }
        }
    }
    Ok(seen.len())
}

const NONE: Faults = Faults {
    crashes: 0,
    expiries: 0,
    failures: 0,
    lost_answers: 0,
    rejections: 0,
    evictions: 0,
};

fn is_full() -> bool {
    std::env::var("APIVIDEO_MODEL").is_ok_and(|how| how == "full")
}

fn good(budget: Faults) -> Model {
    Model {
        kind: Kind::Good,
        budget,
    }
}

const ONE_EACH: Faults = Faults {
    crashes: 1,
    expiries: 1,
    failures: 1,
    lost_answers: 1,
    rejections: 1,
    evictions: 1,
};

#[test]
fn whatever_happens_in_whatever_order_the_fence_and_the_bound_hold() {
    if is_full() {
        let worlds = explore(&good(ONE_EACH), 2).unwrap();
        println!("{worlds} worlds of two processes, with every fault");
        let faults = Faults {
            evictions: 0,
            failures: 0,
            ..ONE_EACH
        };
        let worlds = explore(&good(faults), 3).unwrap();
        println!("{worlds} worlds of three processes");
    }
    for faults in [
        Faults {
            crashes: 1,
            expiries: 1,
            rejections: 1,
            ..NONE
        },
        Faults {
            failures: 1,
            lost_answers: 1,
            expiries: 1,
            ..NONE
        },
        Faults {
            evictions: 1,
            expiries: 1,
            ..NONE
        },
    ] {
        let worlds = explore(&good(faults), 2).unwrap();
        println!("{worlds} worlds");
    }
}

#[test]
fn a_store_that_sets_without_comparing_is_found_out() {
    let model = Model {
        kind: Kind::PlainSet,
        budget: Faults {
            expiries: 1,
            ..NONE
        },
    };
    explore(&model, 2).unwrap_err();
}
