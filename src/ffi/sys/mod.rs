//! The few things asked of the operating system that std does not offer: the same functions for
//! each system, in a file of its own. Nothing else in the library knows which system it is on.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::thread::Builder;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{
    CancelPutOff, FileId, LONGEST_WAIT, SocketId, at_fork_in_child, boot_id, file_id,
    is_lack_of_resources, is_under_way, is_unknown_name, map_undumped, mono_ms, read_at, socket_id,
    stay_loaded, tick, unmap, unsent, wait_for, wall_ms, wiped_in_child, words_of,
};

/// What to wait for on a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    Read,
    /// To write, or it is connected.
    Write,
    Either,
}

/// The stack of each of the library's threads. std's default can be changed by the environment
/// (RUST_MIN_STACK), and programs' callbacks run on it: the header promises them half of it.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Starts a detached thread that takes no signals, so that the program's handlers run on the
/// program's threads.
///
/// An error when the system refuses a thread; std's own `thread::spawn` would panic.
pub(crate) fn spawn<F: FnOnce() + Send + 'static>(name: &str, work: F) -> io::Result<()> {
    let _blocked = system::SignalsBlocked::begin();
    let started = Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work);
    started.map(drop)
}
