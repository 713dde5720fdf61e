//! Every small case: three chunks, from a file and a stream, by bearer and by upload token, one
//! after the other and side by side, and every fault at each of the first sendings.

use super::simulator::{C, FAULTS, Fault, Simulator, by_token, file, stream};
use crate::upload::state::Settings;

const LENGTH: u64 = 2 * C + 7;
/// Sendings that are struck, or not.
const DEPTH: u32 = 3;

fn kinds() -> Vec<Settings> {
    let beside = |settings: Settings, parallel| Settings {
        parallel,
        ..settings
    };
    let pushed = Settings {
        is_pushed: true,
        ..file(LENGTH)
    };
    let bearers = [
        file(LENGTH),
        stream(1),
        stream(2),
        beside(file(LENGTH), 3),
        pushed,
    ];
    let tokens = bearers.clone().map(by_token);
    let with_key = Settings {
        has_key: true,
        ..by_token(file(LENGTH))
    };
    bearers
        .into_iter()
        .chain(tokens)
        .chain([with_key])
        .collect()
}

fn choices(settings: &Settings) -> Vec<Option<Fault>> {
    let faults = FAULTS
        .into_iter()
        .filter(|fault| !settings.by_token || !fault.needs_a_bearer());
    [None].into_iter().chain(faults.map(Some)).collect()
}

fn run(settings: &Settings, faults: &[Option<Fault>], question_fault: Option<Fault>) {
    let mut sim = Simulator::new(settings.clone(), LENGTH);
    let mut left: Vec<_> = faults.iter().rev().copied().collect();
    sim.chunk_faults = Box::new(move || left.pop().flatten());
    let mut question = Some(question_fault);
    sim.question_faults = Box::new(move || question.take().flatten());
    let completed = sim.run();
    let completed = completed.unwrap_or_else(|error| {
        panic!("{error} after {faults:?}, {question_fault:?}: {settings:?}")
    });
    sim.check_whole(&completed);
    sim.check_economy();
}

#[test]
fn every_fault_at_every_sending_is_survived() {
    for settings in kinds() {
        let choices = choices(&settings);
        for case in 0..choices.len().pow(DEPTH) {
            let digit = |at: u32| choices[case / choices.len().pow(at) % choices.len()];
            let faults: Vec<_> = (0..DEPTH).map(digit).collect();
            run(&settings, &faults, None);
        }
    }
}

#[test]
fn a_question_that_fails_changes_nothing() {
    for settings in kinds() {
        for question_fault in FAULTS {
            for fault in FAULTS.into_iter().filter(|f| !f.needs_a_bearer()) {
                for at in 0..3 {
                    let mut faults = vec![None; at];
                    faults.push(Some(fault));
                    run(&settings, &faults, Some(question_fault));
                }
            }
        }
    }
}

#[test]
fn each_sending_may_be_the_last_of_its_process() {
    for settings in kinds().into_iter().filter(|kind| !kind.by_token) {
        for fault in choices(&settings) {
            for at in 0..4 {
                for ms in [0, 25, 50, 100, 150, 60_050] {
                    let mut sim = Simulator::new(settings.clone(), LENGTH);
                    let mut count = 0;
                    sim.chunk_faults = Box::new(move || {
                        count += 1;
                        fault.filter(|_| count == at + 1)
                    });
                    sim.run_for(ms);
                    sim.crash(settings.clone());
                    let completed = sim.run().unwrap();
                    sim.check_whole(&completed);
                }
            }
        }
    }
}
