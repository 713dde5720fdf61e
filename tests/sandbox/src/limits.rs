//! The count of requests that api.video tells with every reply, and the limits
//! that it has. They are kept only if that is asked for.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::options::Settings;
use crate::reply::Response;
use crate::request::Request;

const RATE_LIMIT_RETRY_AFTER: &str = "x-ratelimit-retry-after";

/// Requests that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    Upload,
}

impl Kind {
    pub(crate) fn of(request: &Request) -> Self {
        match request.method.is_safe() {
            _ if request.is_upload() => Self::Upload,
            true => Self::Read,
            false => Self::Write,
        }
    }
}

/// How many requests there were in the window that is running.
#[derive(Default)]
pub(crate) struct Limits {
    window: u64,
    reads: u64,
    writes: u64,
    uploads: u64,
}

impl Limits {
    /// Counts a request, and says what its reply tells.
    pub(crate) fn count(&mut self, kind: Kind, now: Duration, settings: &Settings) -> RateLimit {
        let length = settings.limit_window_s;
        let window = now.as_secs() / length;
        if window != self.window {
            *self = Self {
                window,
                ..Self::default()
            };
        }
        let (used, limit) = match kind {
            Kind::Read => (&mut self.reads, settings.limit_reads),
            Kind::Write => (&mut self.writes, settings.limit_writes),
            Kind::Upload => (&mut self.uploads, settings.limit_uploads),
        };
        *used += 1;
        RateLimit {
            limit,
            remaining: limit.saturating_sub(*used),
            retry_after: length - now.as_secs() % length,
            is_exceeded: settings.enforce_limits && *used > limit,
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
    /// Whether the request is to be refused.
    pub(crate) is_exceeded: bool,
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
    use hyper::Method;

    use super::*;
    use crate::request::tests::request;

    fn count(limits: &mut Limits, kind: Kind, at_s: u64) -> (u64, u64, u64) {
        let told = limits.count(kind, Duration::from_secs(at_s), &Settings::default());
        assert!(!told.is_exceeded, "they are only told");
        (told.limit, told.remaining, told.retry_after)
    }

    #[test]
    fn kinds_are_counted_apart_in_windows_of_a_minute() {
        let mut limits = Limits::default();
        assert_eq!(count(&mut limits, Kind::Read, 0), (100, 99, 60));
        assert_eq!(count(&mut limits, Kind::Write, 18), (40, 39, 42));
        assert_eq!(count(&mut limits, Kind::Write, 59), (40, 38, 1));
        assert_eq!(count(&mut limits, Kind::Upload, 59), (40, 39, 1));
        assert_eq!(count(&mut limits, Kind::Write, 60), (40, 39, 60));
        assert_eq!(count(&mut limits, Kind::Read, 61), (100, 99, 59));
    }

    #[test]
    fn nothing_remains_of_a_limit_that_is_exceeded() {
        let mut limits = Limits::default();
        let last = (0..50).map(|_| count(&mut limits, Kind::Write, 0)).last();
        assert_eq!(last, Some((40, 0, 60)));
    }

    #[test]
    fn limits_are_kept_if_that_is_asked_for() {
        let settings = Settings {
            enforce_limits: true,
            limit_uploads: 2,
            limit_window_s: 10,
            ..Settings::default()
        };
        let mut limits = Limits::default();
        let mut is_exceeded = |at_s| {
            let told = limits.count(Kind::Upload, Duration::from_secs(at_s), &settings);
            told.is_exceeded
        };
        let seen = [0, 9, 9, 10].map(&mut is_exceeded);
        assert_eq!(seen, [false, false, true, false]);
    }

    #[test]
    fn each_request_is_of_a_kind() {
        for (method, path, kind) in [
            (Method::GET, "/videos", Kind::Read),
            (Method::HEAD, "/videos", Kind::Read),
            (Method::POST, "/videos", Kind::Write),
            (Method::DELETE, "/videos/vi1", Kind::Write),
            (Method::POST, "/auth/api-key", Kind::Write),
            (Method::POST, "/videos/vi1/source", Kind::Upload),
            (Method::POST, "/upload", Kind::Upload),
        ] {
            assert_eq!(Kind::of(&request(method, path, "")), kind, "{path}");
        }
    }
}
