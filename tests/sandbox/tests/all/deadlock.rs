//! A deadlock is not waited for.

use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;

use parking_lot::Mutex;

use crate::client::start;

const ENDED_BY: &str = "APIVIDEO_SANDBOX_TEST_DEADLOCK";

#[test]
fn two_threads_that_wait_for_each_other_end_the_process() {
    let this_program = std::env::current_exe().unwrap();
    let output = Command::new(this_program)
        .args(["--exact", "deadlock::waits_for_ever", "--nocapture"])
        .env(ENDED_BY, "yes")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("deadlock: 2 threads"), "{told}");
}

/// In a process of its own; in any other it does nothing.
#[test]
fn waits_for_ever() {
    if std::env::var_os(ENDED_BY).is_none() {
        return;
    }
    let _sandbox = start();
    let locks = Arc::new((Mutex::new(()), Mutex::new(())));
    let both_have_one = Arc::new(Barrier::new(2));
    let threads = [false, true].map(|swapped| {
        let (locks, both_have_one) = (Arc::clone(&locks), Arc::clone(&both_have_one));
        thread::spawn(move || {
            let (first, second) = match swapped {
                false => (&locks.0, &locks.1),
                true => (&locks.1, &locks.0),
            };
            let _first = first.lock();
            both_have_one.wait();
            drop(second.lock());
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}
