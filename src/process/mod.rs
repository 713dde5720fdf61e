//! What belongs to the process as a whole: what a forked child gets anew, the one timer thread, and
//! the locks, which a model checker can replace.

pub(crate) mod fork;
pub(crate) mod sync;
pub(crate) mod timer;
