//! What happens to a token, reported to whoever wants to know.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use crate::error::{Error, Status};
use crate::process::sync::{Mutex, MutexGuard};

/// How much of the log a program wants: everything up to and including this level.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off = 0,
    /// What needs somebody's attention: the API key is refused.
    Error = 1,
    /// What the library rides out: a failed renewal, a rejected token.
    Warning = 2,
    /// The ordinary life of a token: one line an exchange.
    Info = 3,
    /// What helps to understand the library's decisions.
    Debug = 4,
}

impl LogLevel {
    /// The level with this number, if there is one.
    pub fn from_number(number: i32) -> Option<LogLevel> {
        [
            LogLevel::Off,
            LogLevel::Error,
            LogLevel::Warning,
            LogLevel::Info,
            LogLevel::Debug,
        ]
        .into_iter()
        .find(|level| *level as i32 == number)
    }
}

/// What a client can give, now.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// There has been no token yet.
    None = 0,
    /// A valid token is at hand.
    Valid = 1,
    /// A valid token is at hand, but renewing it fails.
    RenewalFailing = 2,
    /// The last token has expired; the next call gets another.
    Expired = 3,
    /// The API rejected the token; the next call gets another.
    Rejected = 4,
    /// No valid token, and getting one fails.
    Unavailable = 5,
}

/// Something that happened. Its text contains no secret.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Granted { via: &'static str, lifetime_ms: i64 },
    RefreshRejected { contended: bool },
    RefreshLost(Error),
    Failed { error: Error, retry_in_ms: i64 },
    Invalidated,
    RejectedAgain,
    Sending(&'static str),
    NoThread,
    StateChanged(TokenState),
    Adopted { left_ms: i64 },
    OthersAtIt,
    StoreFailed(Error),
    StoreWorks,
}

impl Event {
    pub(crate) fn level(&self) -> LogLevel {
        match self {
            Event::Failed { error, .. } if error.status == Status::KeyRejected => LogLevel::Error,
            Event::Failed { .. }
            | Event::RefreshLost(_)
            | Event::Invalidated
            | Event::RejectedAgain
            | Event::NoThread
            | Event::StoreFailed(_) => LogLevel::Warning,
            Event::Granted { .. }
            | Event::RefreshRejected { .. }
            | Event::Adopted { .. }
            | Event::StoreWorks => LogLevel::Info,
            Event::Sending(_) | Event::StateChanged(_) | Event::OthersAtIt => LogLevel::Debug,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Granted { via, lifetime_ms } => {
                write!(f, "New token from {via}, valid for {} s.", lifetime_ms / 1000)
            }
            Event::RefreshRejected { contended: false } => {
                f.write_str("The refresh token was rejected, as is routine when the key is used elsewhere.")
            }
            Event::RefreshRejected { contended: true } => {
                f.write_str("Refresh tokens keep being rejected: the key is in use elsewhere. Using the API key alone for 24 hours.")
            }
            Event::RefreshLost(error) => {
                write!(f, "The refresh failed and its token counts as spent; using the API key. {error}")
            }
            Event::Failed { error, retry_in_ms } => {
                write!(f, "No new token. {error} Next try in {:.1} s.", *retry_in_ms as f64 / 1000.0)
            }
            Event::Invalidated => f.write_str("The API rejected the token; the next call gets one with the API key."),
            Event::RejectedAgain => {
                f.write_str("The API rejected the replacement of a rejected token; no other is made within a minute.")
            }
            Event::Sending(path) => write!(f, "Sending POST {path}."),
            Event::NoThread => f.write_str("The system refused a thread; the work falls to a caller that waits for it."),
            Event::StateChanged(state) => write!(f, "The token's state is now {state:?}."),
            Event::Adopted { left_ms } => {
                write!(f, "Another process has got a token; it is good for {} s here.", left_ms / 1000)
            }
            Event::OthersAtIt => f.write_str("Another process is getting a token; waiting for that."),
            Event::StoreFailed(error) => {
                write!(f, "The token store fails. {error} Until it works again this process gets its own tokens.")
            }
            Event::StoreWorks => f.write_str("The token store works again."),
        }
    }
}

/// Who wants to know. Called outside every lock, so it may call the client.
pub(crate) trait Observer: Send + Sync {
    /// Whether a line of this level is wanted.
    fn wants(&self, level: LogLevel) -> bool;
    /// A line for the log.
    fn log(&self, level: LogLevel, line: &str);
    /// The token's state changed.
    fn state_changed(&self, state: TokenState);
}

/// What has not been reported yet, in the order in which it happened.
#[derive(Default)]
pub(crate) struct PendingEvents(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    /// A thread is reporting; it goes on to the end.
    being_reported: bool,
    /// Nobody wants to know any more.
    is_closed: bool,
}

impl PendingEvents {
    pub(crate) fn extend(&self, events: impl IntoIterator<Item = Event>) {
        let mut queue = self.lock();
        if !queue.is_closed {
            queue.events.extend(events);
        }
    }

    /// Reports nothing more. What is being reported now is not waited for.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.is_closed = true;
        queue.events.clear();
    }

    /// Reports all to `observer`, unless another thread is at it: then that one goes on with these.
    pub(crate) fn report(&self, observer: &dyn Observer) {
        let mut queue = self.lock();
        while !queue.being_reported
            && let Some(event) = queue.events.pop_front()
        {
            queue.being_reported = true;
            drop(queue);
            // A program's callback that panics must not stop the others.
            let _ = catch_unwind(AssertUnwindSafe(|| report(observer, &event)));
            queue = self.lock();
            queue.being_reported = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(observer: &dyn Observer, event: &Event) {
    if observer.wants(event.level()) {
        observer.log(event.level(), &event.to_string());
    }
    if let Event::StateChanged(state) = event {
        observer.state_changed(*state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_level_and_no_other_does() {
        for number in 0..=4 {
            let level = LogLevel::from_number(number);
            assert_eq!(level.map(|level| level as i32), Some(number));
        }
        assert_eq!(LogLevel::from_number(-1), None);
        assert_eq!(LogLevel::from_number(5), None);
    }

    #[test]
    fn only_a_refused_key_needs_somebodys_attention() {
        let level = |status| {
            let error = Error::new(status, "no");
            let retry_in_ms = 0;
            Event::Failed { error, retry_in_ms }.level()
        };
        assert_eq!(level(Status::KeyRejected), LogLevel::Error);
        assert_eq!(level(Status::NetworkError), LogLevel::Warning);
    }

    #[test]
    fn a_failure_is_reported_with_the_time_of_the_next_try() {
        let failed = Event::Failed {
            error: Error::new(Status::NetworkError, "No connection."),
            retry_in_ms: 1_500,
        };
        let text = "No new token. No connection. Next try in 1.5 s.";
        assert_eq!(failed.to_string(), text);
    }
}
