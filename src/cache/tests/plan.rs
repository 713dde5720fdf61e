//! What a fleet asks of api.video and of its store, in figures: the documentation's plan for fleets
//! of up to 100,000 processes. `make plan` prints the table.
//!
//! The store is one Redis, which answers one operation after another. All processes keep their
//! token fresh, as if each was read all the time.

use std::fmt;

use super::simulator::{Got, HOUR, MINUTE, SECOND, Simulator};
use super::store::{Mode, SimulatedStore};

/// How long Redis works for a look: a connection, the time, the record. As measured, without TLS
/// and with it.
const LOOK_US: i64 = 100;
const LOOK_WITH_TLS_US: i64 = 600;
const SERVER_MS: i64 = 200;
/// Many processes that start begin in steps of this.
const STEP: i64 = 100;
const HOURS: i64 = 4;

/// What came of some time.
#[derive(Default)]
struct Load {
    exchanges: usize,
    /// In the second that had most.
    most_exchanges: usize,
    operations: usize,
    most_operations: usize,
}

struct Fleet {
    sim: Simulator,
    exchanges_before: usize,
    /// Tokens that were not there when somebody looked for one.
    missing: usize,
}

impl Fleet {
    fn new(processes: usize, look_us: i64) -> Fleet {
        let mut sim = Simulator::with_store(11, processes, true);
        sim.server.latency_ms = SERVER_MS;
        let mut fleet = Fleet {
            sim,
            exchanges_before: 0,
            missing: 0,
        };
        fleet.store().busy_us = look_us;
        fleet
    }

    fn store(&mut self) -> &mut SimulatedStore {
        self.sim.store.as_mut().unwrap()
    }

    /// What there was since the last time.
    fn load(&mut self) -> Load {
        let made = &self.sim.server.requests[self.exchanges_before..];
        let mut seconds: Vec<i64> = made.iter().map(|(at, _)| at / SECOND).collect();
        seconds.sort_unstable();
        let most = seconds.chunk_by(|a, b| a == b).map(<[i64]>::len).max();
        let mut load = Load {
            exchanges: made.len(),
            most_exchanges: most.unwrap_or(0),
            ..Load::default()
        };
        self.exchanges_before = self.sim.requests();
        let by_second = std::mem::take(&mut self.store().by_second);
        load.operations = by_second.values().sum();
        load.most_operations = by_second.into_values().max().unwrap_or(0);
        load
    }

    /// All start within this time; and how long it takes until the last has its token.
    fn start(&mut self, within: i64) -> (Load, i64) {
        let (began, count) = (self.sim.now.mono_ms, self.sim.clients.len());
        let steps = (within / STEP).max(1);
        let mut waiting = Vec::new();
        for step in 0..steps {
            let share = |step| count * step as usize / steps as usize;
            for c in share(step)..share(step + 1) {
                if let Got::Later(completion) = self.sim.get(c) {
                    waiting.push((c, completion));
                }
            }
            self.sim.pass(STEP);
        }
        while !waiting.is_empty() {
            waiting.retain(|&(c, completion)| match self.sim.answer(c, completion) {
                Some(answer) => answer.is_err(),
                None => true,
            });
            self.sim.pass(STEP);
        }
        (self.load(), self.sim.now.mono_ms - began)
    }

    fn live(&mut self, ms: i64) -> Load {
        for _ in 0..ms / MINUTE {
            self.sim.pass(MINUTE);
            let now = self.sim.now;
            let clients = self.sim.clients.iter_mut();
            self.missing += clients
                .map(|client| {
                    client.events.clear();
                    let token = client.published.as_ref();
                    usize::from(!token.is_some_and(|token| token.is_usable(now)))
                })
                .sum::<usize>();
        }
        self.load()
    }
}

/// A row of the table.
struct Figures {
    processes: usize,
    within: i64,
    look_us: i64,
    start: Load,
    started_ms: i64,
    steady: Load,
    outage: Load,
    missing: usize,
}

impl Figures {
    fn of(processes: usize, within: i64, look_us: i64) -> Figures {
        let mut fleet = Fleet::new(processes, look_us);
        let (start, started_ms) = fleet.start(within);
        // Whoever got a token of its own lives with it for an hour.
        fleet.live(HOUR);
        let steady = fleet.live(HOURS * HOUR);
        fleet.store().mode = Mode::Down;
        let outage = fleet.live(HOUR);
        Figures {
            processes,
            within,
            look_us,
            start,
            started_ms,
            steady,
            outage,
            missing: fleet.missing,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, load) = (HOURS as f64, &self.steady);
        let mean = load.operations as f64 / (hours * 3_600.0);
        write!(
            f,
            "| {} | {} | {} s | {} | {} | {:.1} s | {:.1} | {:.1} | {} | {} | {} | {} |",
            self.processes,
            1_000_000 / self.look_us,
            self.within / SECOND,
            self.start.exchanges,
            self.start.most_operations,
            self.started_ms as f64 / 1e3,
            load.exchanges as f64 / hours,
            mean,
            load.most_operations,
            self.outage.exchanges,
            self.outage.most_exchanges,
            self.missing,
        )
    }
}

const HEAD: &str = "\
    | processes | Redis can do, operations/s | all start within | exchanges then | operations/s at most then \
    | until the last has its token | exchanges an hour | operations/s in the mean | operations/s at most \
    | exchanges in an hour without Redis | exchanges/s at most then | tokens that were missing |\n\
    |---|---|---|---|---|---|---|---|---|---|---|---|";

#[test]
fn a_fleet_of_any_size_makes_the_exchanges_of_one_process() {
    let fleet = Figures::of(300, 0, LOOK_US);
    assert_eq!(fleet.start.exchanges, 1);
    let hourly = fleet.steady.exchanges as f64 / HOURS as f64;
    assert!((1.0..=1.5).contains(&hourly), "{hourly}");
    assert_eq!(fleet.missing, 0);
    assert!(fleet.outage.exchanges >= 300, "each for itself");
    assert!(fleet.outage.most_exchanges < 20, "and not all at once");
}

/// With `APIVIDEO_PLAN=1`: minutes.
#[test]
fn the_plan_for_large_fleets() {
    if std::env::var("APIVIDEO_PLAN").is_err() {
        return;
    }
    println!("{HEAD}");
    for (processes, within, look_us) in [
        (1_000, 0, LOOK_US),
        (1_000, 0, LOOK_WITH_TLS_US),
        (10_000, 0, LOOK_US),
        (10_000, 10 * SECOND, LOOK_US),
        (10_000, 10 * SECOND, LOOK_WITH_TLS_US),
        (25_000, MINUTE, LOOK_WITH_TLS_US),
        (100_000, MINUTE, LOOK_US),
        (100_000, 2 * MINUTE, LOOK_WITH_TLS_US),
    ] {
        println!("{}", Figures::of(processes, within, look_us));
    }
}
