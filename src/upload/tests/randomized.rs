//! Uploads by chance: sources, ways, faults, limits, tokens' lives, crashes, in any order.
//!
//! A failure prints its seed; `APIVIDEO_SIMULATE_SEED` runs that one again.
//! `APIVIDEO_SIMULATE_YEARS` multiplies how many there are: `make simulate`.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::simulator::{C, FAULTS, Fault, MINUTE, SECOND, Simulator, by_token, file, stream};
use crate::upload::state::Settings;

const UPLOADS: u64 = 1_000;
/// However bad it is, it ends by then.
const LONGEST: i64 = 24 * 60 * MINUTE;

type Dice = Rc<RefCell<fastrand::Rng>>;

fn pick<T: Clone>(dice: &Dice, of: &[T]) -> T {
    of[dice.borrow_mut().usize(0..of.len())].clone()
}

fn settings(dice: &Dice, length: u64) -> Settings {
    let mut dice = dice.borrow_mut();
    let parallel = [1, 1, 2, 3, 8][dice.usize(0..5)];
    let chunk_size = C + dice.u64(0..3) * (C / 2);
    let source = match dice.u8(0..3) {
        0 => stream(parallel),
        1 => file(length),
        _ => Settings {
            is_pushed: true,
            ..file(length)
        },
    };
    let settings = Settings {
        parallel,
        chunk_size,
        ..source
    };
    match dice.u8(0..3) {
        0 => by_token(settings),
        _ => settings,
    }
}

fn faults(dice: &Dice, per_mille: u32, by_token: bool) -> impl FnMut() -> Option<Fault> + 'static {
    let dice = Rc::clone(dice);
    let mut unauthorized = 0;
    move || {
        let mut dice = dice.borrow_mut();
        let fault = FAULTS[dice.usize(0..FAULTS.len())];
        let strikes = dice.u32(0..1000) < per_mille && !(by_token && fault.needs_a_bearer());
        // An API that takes no token for long ends an upload.
        let fault = Some(fault).filter(|_| strikes);
        unauthorized = match fault.is_some_and(Fault::needs_a_bearer) {
            true => unauthorized + 1,
            false => 0,
        };
        fault.filter(|_| unauthorized < 2)
    }
}

fn live(seed: u64) {
    let dice: Dice = Rc::new(RefCell::new(fastrand::Rng::with_seed(seed)));
    let length = 1 + pick(&dice, &[7, 2 * C, 20 * C]);
    let length = dice.borrow_mut().u64(0..length).max(1);
    let settings = settings(&dice, length);
    let mut sim = Simulator::new(settings.clone(), length);
    let per_mille = pick(&dice, &[0, 50, 300, 500]);
    sim.chunk_faults = Box::new(faults(&dice, per_mille, settings.by_token));
    sim.question_faults = Box::new(faults(&dice, per_mille, false));
    let chance = Rc::clone(&dice);
    sim.latency = Box::new(move || chance.borrow_mut().i64(1..2 * SECOND));
    let chance = Rc::clone(&dice);
    sim.random = Box::new(move || chance.borrow_mut().f64());
    sim.server.limit = pick(&dice, &[None, Some(3), Some(40)]);
    sim.server.token_lives = pick(&dice, &[None, Some(2), Some(5)]);
    sim.server.status_lag = pick(&dice, &[0, SECOND, MINUTE]);
    let crashes = match settings.by_token {
        true => 0,
        false => dice.borrow_mut().usize(0..4),
    };
    let start = sim.now;
    for _ in 0..crashes {
        let ms = dice.borrow_mut().i64(0..20 * SECOND);
        sim.run_for(ms);
        sim.server.used_by_another(sim.now);
        sim.crash(settings.clone());
    }
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert!(sim.now - start < LONGEST, "it took too long");
    if crashes == 0 && sim.server.token_lives.is_none() && sim.server.limited == 0 {
        sim.check_economy();
    }
}

#[test]
fn what_must_always_hold_holds_whatever_happens() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    if let Some(seed) = number("APIVIDEO_SIMULATE_SEED") {
        return live(seed);
    }
    let uploads = UPLOADS * number("APIVIDEO_SIMULATE_YEARS").unwrap_or(1);
    for seed in 0..uploads {
        if catch_unwind(AssertUnwindSafe(|| live(seed))).is_err() {
            panic!(
                "again with: APIVIDEO_SIMULATE_SEED={seed} cargo test --lib upload::tests::randomized"
            );
        }
    }
}
