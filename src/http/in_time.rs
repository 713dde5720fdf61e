//! Work that nobody can interrupt, and a caller that does not wait for it longer than it may.

use std::sync::mpsc;
use std::time::Instant;

use crate::ffi::sys;

/// What `work` comes to, if it is done by then. It is done in a thread, which is left alone when
/// the time is over; without a thread the caller waits as long as it takes.
pub(crate) fn in_time<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
    until: Instant,
    work: W,
) -> Option<T> {
    let (give, given) = mpsc::sync_channel::<W>(1);
    let (done, result) = mpsc::sync_channel(1);
    let helper = move || {
        if let Ok(work) = given.recv() {
            let _ = done.send(work());
        }
    };
    if sys::spawn("apivideo-verify", helper).is_err() {
        return Some(work());
    }
    give.send(work).ok()?;
    let left = until.saturating_duration_since(Instant::now());
    result.recv_timeout(left).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_takes_too_long_is_left_alone_at_the_deadline() {
        let (end, wait) = mpsc::channel::<()>();
        let until = Instant::now() + Duration::from_millis(50);
        assert_eq!(in_time(until, move || wait.recv()), None);
        assert!(Instant::now() >= until);
        drop(end);
        let until = Instant::now() + Duration::from_secs(20);
        assert_eq!(in_time(until, || 7), Some(7));
        assert!(Instant::now() < until);
    }
}
