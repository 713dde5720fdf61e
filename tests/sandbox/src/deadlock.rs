//! Looks for threads that wait for one another's locks, and ends the process
//! when it finds some: a test that only hangs says nothing.

use std::sync::Once;
use std::thread;
use std::time::Duration;

use parking_lot::deadlock::check_deadlock;

/// Every lock of `parking_lot` in the process is watched, a test's own too.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let watcher = thread::Builder::new().name("deadlock-watch".to_owned());
        // Without the thread there is one watch less, and no other harm.
        let _ = watcher.spawn(|| {
            loop {
                thread::sleep(Duration::from_millis(500));
                if let Some(report) = report() {
                    eprintln!("{report}");
                    std::process::abort();
                }
            }
        });
    });
}

/// Who waits where, of the first deadlock that is found.
fn report() -> Option<String> {
    let deadlocks = check_deadlock();
    let cycle = deadlocks.first()?;
    let threads: String = cycle
        .iter()
        .map(|thread| format!("\n\n{:?}\n{:?}", thread.thread_id(), thread.backtrace()))
        .collect();
    let count = cycle.len();
    Some(format!(
        "deadlock: {count} threads wait for one another{threads}"
    ))
}
