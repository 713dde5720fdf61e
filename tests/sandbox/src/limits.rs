//! The count of requests that api.video tells with every reply. The sandbox
//! counts, but refuses nobody: a fault of kind `reply` does, with status 429.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};

use crate::reply::Response;

const RATE_LIMIT_RETRY_AFTER: &str = "x-ratelimit-retry-after";
const WINDOW_S: u64 = 60;
/// Requests in a window, as in api.video's sandbox environment.
const READS: u64 = 100;
const WRITES: u64 = 40;

/// How many requests there were in the window that is running.
#[derive(Default)]
pub(crate) struct Limits {
    window: u64,
    reads: u64,
    writes: u64,
}

impl Limits {
    /// Counts a request, and says what its reply tells.
    pub(crate) fn count(&mut self, method: &Method, now: Duration) -> RateLimit {
        let window = now.as_secs() / WINDOW_S;
        if window != self.window {
            *self = Self {
                window,
                ..Self::default()
            };
        }
        let (used, limit) = match method.is_safe() {
            true => (&mut self.reads, READS),
            false => (&mut self.writes, WRITES),
        };
        *used += 1;
        RateLimit {
            limit,
            remaining: limit.saturating_sub(*used),
            retry_after: WINDOW_S - now.as_secs() % WINDOW_S,
        }
    }
}

/// What one reply tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    limit: u64,
    remaining: u64,
    /// Seconds until the window ends.
    retry_after: u64,
}

impl RateLimit {
    /// Adds the three headers, but for those that a fault has set. A 429 with a
    /// `Retry-After` of its own is not told to wait for something else as well.
    pub(crate) fn tell(self, response: &mut Response) {
        let waits = response.status() == StatusCode::TOO_MANY_REQUESTS
            && response.headers().contains_key(RETRY_AFTER);
        let headers = response.headers_mut();
        let values = [
            ("x-ratelimit-limit", self.limit),
            ("x-ratelimit-remaining", self.remaining),
            (RATE_LIMIT_RETRY_AFTER, self.retry_after),
        ];
        for (name, value) in values {
            if waits && name == RATE_LIMIT_RETRY_AFTER {
                continue;
            }
            // Blanks before a value do not count in HTTP. With them a reply is
            // as long as the next, so that it can be cut at each of its bytes.
            if let Ok(value) = HeaderValue::try_from(format!("{value:>3}")) {
                headers
                    .entry(HeaderName::from_static(name))
                    .or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(limits: &mut Limits, method: &Method, at_s: u64) -> (u64, u64, u64) {
        let told = limits.count(method, Duration::from_secs(at_s));
        (told.limit, told.remaining, told.retry_after)
    }

    #[test]
    fn reads_and_writes_are_counted_apart_in_windows_of_a_minute() {
        let mut limits = Limits::default();
        assert_eq!(count(&mut limits, &Method::GET, 0), (100, 99, 60));
        assert_eq!(count(&mut limits, &Method::POST, 18), (40, 39, 42));
        assert_eq!(count(&mut limits, &Method::POST, 59), (40, 38, 1));
        assert_eq!(count(&mut limits, &Method::POST, 60), (40, 39, 60));
        assert_eq!(count(&mut limits, &Method::HEAD, 61), (100, 99, 59));
    }

    #[test]
    fn nothing_remains_of_a_limit_that_is_exceeded() {
        let mut limits = Limits::default();
        let last = (0..50).map(|_| count(&mut limits, &Method::POST, 0)).last();
        assert_eq!(last, Some((40, 0, 60)));
    }
}
