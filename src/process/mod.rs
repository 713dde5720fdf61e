//! What belongs to the process as a whole: what a forked child gets anew, the one timer thread, what
//! is under way, and the locks, which a model checker can replace.

pub(crate) mod fork;
pub(crate) mod sync;
pub(crate) mod timer;
pub(crate) mod under_way;
