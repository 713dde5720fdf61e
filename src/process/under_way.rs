//! What a client has under way, and ends when it is freed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::fork::PerProcess;
use super::sync::{Mutex, lock};

/// Of each process its own: what its parent has under way is not for a forked child to end.
pub(crate) struct UnderWay<T> {
    closed: AtomicBool,
    tasks: PerProcess<Mutex<Vec<Weak<T>>>>,
}

impl<T> UnderWay<T> {
    pub(crate) fn new() -> UnderWay<T> {
        UnderWay {
            closed: AtomicBool::new(false),
            tasks: PerProcess::new(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Remembers one more; `false` if it must end, since nothing may be under way any more.
    pub(crate) fn add(&self, task: &Arc<T>) -> bool {
        let mut tasks = lock(self.tasks.get(Mutex::default));
        tasks.retain(|task| task.strong_count() > 0);
        tasks.push(Arc::downgrade(task));
        drop(tasks);
        // Looked at last: whoever closes looks for it afterwards.
        !self.is_closed()
    }

    /// Nothing more, and an end to each that is there.
    pub(crate) fn close(&self, end: impl Fn(&T)) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(tasks) = self.tasks.made() {
            let tasks = std::mem::take(&mut *lock(tasks));
            tasks
                .iter()
                .filter_map(Weak::upgrade)
                .for_each(|task| end(&task));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_ended_once_and_what_comes_later_must_not_begin() {
        let under_way = UnderWay::new();
        let (first, forgotten) = (Arc::new(1), Arc::new(2));
        assert!(under_way.add(&first) && under_way.add(&forgotten));
        drop(forgotten);
        let ended = std::cell::RefCell::new(Vec::new());
        let end = |task: &i32| ended.borrow_mut().push(*task);
        under_way.close(end);
        under_way.close(end);
        assert_eq!(*ended.borrow(), [1]);
        assert!(under_way.is_closed() && !under_way.add(&first));
    }
}
