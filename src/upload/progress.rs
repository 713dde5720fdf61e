//! How far an upload has come: numbers that any thread may read, and the program's callback.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::options::{Progress, ProgressFn};
use crate::process::sync::{AtomicU64, Mutex, Ordering, lock};

/// Bytes on their way are told of no more often than this.
const INTERVAL_MS: i64 = 100;

/// Read without a lock.
#[derive(Default)]
pub(crate) struct Counters {
    acknowledged: AtomicU64,
    /// Of chunks under way, what was handed to the system.
    under_way: AtomicU64,
    sent: AtomicU64,
    /// 0 while it is not known.
    total: AtomicU64,
}

impl Counters {
    pub(crate) fn progress(&self) -> Progress {
        // In this order, `sent` is never less.
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        Progress {
            acknowledged,
            sent: self.sent.load(Ordering::SeqCst).max(acknowledged),
            total: self.total.load(Ordering::SeqCst),
        }
    }

    /// So many bytes more of a chunk are on their way.
    pub(crate) fn add(&self, count: u64) {
        // What is acknowledged first: it may grow by what is then no longer under way.
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let under_way = self.under_way.fetch_add(count, Ordering::SeqCst) + count;
        self.raise_sent(acknowledged + under_way);
    }

    /// A chunk's exchange is over, whatever came of it.
    pub(crate) fn take_back(&self, count: u64) {
        self.under_way.fetch_sub(count, Ordering::SeqCst);
    }

    /// Whether that is more than was known.
    pub(crate) fn acknowledge(&self, acknowledged: u64, total: u64) -> bool {
        self.total.fetch_max(total, Ordering::SeqCst);
        let before = self.acknowledged.fetch_max(acknowledged, Ordering::SeqCst);
        self.raise_sent(acknowledged);
        acknowledged > before
    }

    fn raise_sent(&self, sent: u64) {
        let most = match self.total.load(Ordering::SeqCst) {
            0 => u64::MAX,
            total => total,
        };
        self.sent.fetch_max(sent.min(most), Ordering::SeqCst);
    }
}

/// Calls the program, one call at a time, so that no number goes back.
pub(crate) struct Reporter {
    callback: Option<ProgressFn>,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    is_taken: bool,
    /// There is more to tell since.
    again: bool,
    last_ms: Option<i64>,
    told: Option<Progress>,
    is_closed: bool,
}

impl Reporter {
    pub(crate) fn new(callback: Option<ProgressFn>) -> Reporter {
        Reporter {
            callback,
            turn: Mutex::default(),
        }
    }

    /// Tells the program, unless another thread is at it, which then tells this too. Unless it
    /// `must` be told, not too often. `true`: this thread was at it, and others may have left to it
    /// what follows.
    pub(crate) fn report(&self, counters: &Counters, now_ms: i64, must: bool) -> bool {
        let Some(callback) = &self.callback else {
            return false;
        };
        let mut turn = lock(&self.turn);
        turn.again |= must && turn.is_taken;
        let is_early = turn.last_ms.is_some_and(|last| now_ms < last + INTERVAL_MS);
        if turn.is_taken || is_early && !must {
            return false;
        }
        turn.is_taken = true;
        turn.last_ms = Some(now_ms);
        turn.again = true;
        while std::mem::take(&mut turn.again) && !turn.is_closed {
            let progress = counters.progress();
            if turn.told.replace(progress) == Some(progress) {
                continue;
            }
            drop(turn);
            // A program's callback that panics must not end the upload.
            let _ = catch_unwind(AssertUnwindSafe(|| callback(progress)));
            turn = lock(&self.turn);
        }
        turn.is_taken = false;
        true
    }

    /// Tells how far it has come in the end. `false`: another thread is at it, and what follows is
    /// left to it.
    pub(crate) fn report_end(&self, counters: &Counters, now_ms: i64) -> bool {
        self.report(counters, now_ms, true) || {
            let turn = lock(&self.turn);
            turn.is_closed || !turn.is_taken
        }
    }

    /// Tells nothing more. What is being told now is not waited for.
    pub(crate) fn close(&self) {
        lock(&self.turn).is_closed = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex as StdMutex};

    use super::*;

    fn of(counters: &Counters) -> [u64; 3] {
        let progress = counters.progress();
        [progress.acknowledged, progress.sent, progress.total]
    }

    #[test]
    fn what_is_sent_again_is_not_counted_twice_and_nothing_goes_back() {
        let counters = Counters::default();
        counters.acknowledge(0, 100);
        counters.add(30);
        assert_eq!(of(&counters), [0, 30, 100]);
        counters.take_back(30);
        assert_eq!(of(&counters), [0, 30, 100], "lost");
        counters.add(20);
        assert_eq!(of(&counters), [0, 30, 100]);
        counters.add(20);
        counters.take_back(40);
        assert!(counters.acknowledge(40, 100));
        assert!(!counters.acknowledge(40, 100));
        assert_eq!(of(&counters), [40, 40, 100]);
        counters.add(70);
        assert_eq!(of(&counters), [40, 100, 100], "never more than all");
    }

    #[test]
    fn a_callback_is_called_when_there_is_something_to_tell_and_not_too_often() {
        let told = Arc::new(StdMutex::new(Vec::new()));
        let recorder = Arc::clone(&told);
        let callback: ProgressFn =
            Arc::new(move |p: Progress| recorder.lock().unwrap().push(p.sent));
        let (reporter, counters) = (Reporter::new(Some(callback)), Counters::default());
        for (now, must) in [
            (0, false),
            (99, false),
            (99, true),
            (150, false),
            (199, false),
        ] {
            counters.add(1);
            reporter.report(&counters, now, must);
        }
        assert_eq!(*told.lock().unwrap(), [1, 3, 5]);
        assert!(reporter.report_end(&counters, 199));
        assert_eq!(told.lock().unwrap().len(), 3, "nothing new");
        reporter.close();
        reporter.report(&counters, 1_000, true);
        assert_eq!(told.lock().unwrap().len(), 3, "closed");
    }

    #[test]
    fn a_callback_may_lead_to_more_and_hears_of_it_afterwards() {
        let told = Arc::new(StdMutex::new(Vec::new()));
        let shared = Arc::new((StdMutex::new(None::<Arc<Reporter>>), Counters::default()));
        let (recorder, inner) = (Arc::clone(&told), Arc::clone(&shared));
        let callback: ProgressFn = Arc::new(move |p: Progress| {
            recorder.lock().unwrap().push(p.sent);
            if p.sent == 1 {
                inner.1.add(1);
                let reporter = inner.0.lock().unwrap().clone().unwrap();
                reporter.report(&inner.1, 0, true);
            }
        });
        let reporter = Arc::new(Reporter::new(Some(callback)));
        *shared.0.lock().unwrap() = Some(Arc::clone(&reporter));
        shared.1.add(1);
        reporter.report(&shared.1, 0, true);
        assert_eq!(*told.lock().unwrap(), [1, 2]);
        *shared.0.lock().unwrap() = None;
    }
}
