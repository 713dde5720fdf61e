//! What went wrong, in the words and numbers a caller needs next.

use std::{fmt, io};

use crate::ffi::sys;

/// The result of every call.
///
/// The numbers are frozen: a number never changes and never gets another meaning.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The call succeeded.
    Ok = 0,
    /// An argument or a setting is outside its documented range. The message names it. Do not
    /// retry.
    InvalidArgument = 1,
    /// A pointer is NULL that must not be. Do not retry.
    NullArgument = 2,
    /// A string is not valid UTF-8. Do not retry.
    InvalidUtf8 = 3,
    /// api.video itself refused the API key: it is wrong or revoked, it belongs to the other
    /// environment, or its account is suspended. Check the key. Later calls try it again, first
    /// after 30 seconds and then after 5 minutes at most, so it is enough to repair the key on the
    /// server.
    KeyRejected = 4,
    /// `apivideo_refresh`: api.video refused the refresh token. This is routine, since any
    /// authentication with the same key makes it invalid.
    RefreshRejected = 5,
    /// `apivideo_refresh`: there is no refresh token to send. Authenticate first.
    NoRefreshToken = 6,
    /// `apivideo_invalidate_token`: the API rejected a token that replaced a rejected one less than
    /// 60 seconds ago. Another token would not help. Check what the key may do, and try again
    /// later.
    TokenRejected = 7,
    /// api.video asked to slow down (429). Retry after the error's delay.
    RateLimited = 8,
    /// api.video answered with 5xx or 408. Retry after the error's delay.
    ServerError = 9,
    /// The reply is not one that api.video documents: it is malformed, too large, a redirect, or
    /// the page of a firewall or a sign-in. Check the base URL and what stands in between. Retry
    /// after the error's delay.
    ProtocolError = 10,
    /// There was no connection, or it was lost: name resolution, connect, proxy, reset, a reply cut
    /// short. Retry after the error's delay.
    NetworkError = 11,
    /// The TLS handshake failed: unknown CA, wrong host, expired certificate. Check the CA file,
    /// the host and the clock.
    TlsError = 12,
    /// There was no answer in time: the limit of the exchange or the caller's own wait is over. An
    /// exchange that others share goes on.
    Timeout = 13,
    /// The operation is not complete yet. Wait again.
    Pending = 14,
    /// The operation was cancelled, or it belongs to the process that this one was forked from.
    Cancelled = 15,
    /// The client was freed while the call was waiting.
    Closed = 16,
    /// The operating system refused a thread or a file descriptor. Retry later.
    SystemError = 17,
    /// A bug in this library. The library goes on working. Please report it.
    Internal = 18,
    /// A request: the API answered with 4xx, and not with 408 or 429. The error has api.video's
    /// problem, with each of its faults. Do not retry it as it is. With 401, two tokens were
    /// rejected, or something other than the token was, which the problem's `type` names.
    RequestRejected = 19,
    /// A file to upload cannot be read, or is not the file that it was when the upload began. Do
    /// not retry.
    FileError = 20,
}

impl Status {
    /// Every status, in the order of the numbers.
    pub(crate) const ALL: [Status; 21] = [
        Status::Ok,
        Status::InvalidArgument,
        Status::NullArgument,
        Status::InvalidUtf8,
        Status::KeyRejected,
        Status::RefreshRejected,
        Status::NoRefreshToken,
        Status::TokenRejected,
        Status::RateLimited,
        Status::ServerError,
        Status::ProtocolError,
        Status::NetworkError,
        Status::TlsError,
        Status::Timeout,
        Status::Pending,
        Status::Cancelled,
        Status::Closed,
        Status::SystemError,
        Status::Internal,
        Status::RequestRejected,
        Status::FileError,
    ];

    /// The status with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Status> {
        Status::ALL.into_iter().find(|s| *s as i32 == number)
    }

    /// A short name in English, without punctuation.
    pub fn describe(self) -> &'static str {
        self.describe_c().to_str().unwrap_or("")
    }

    /// [`Status::describe`] with a NUL at its end.
    pub(crate) fn describe_c(self) -> &'static std::ffi::CStr {
        match self {
            Status::Ok => c"ok",
            Status::InvalidArgument => c"invalid argument",
            Status::NullArgument => c"null argument",
            Status::InvalidUtf8 => c"invalid UTF-8",
            Status::KeyRejected => c"API key rejected",
            Status::RefreshRejected => c"refresh token rejected",
            Status::NoRefreshToken => c"no refresh token",
            Status::TokenRejected => c"access token rejected again",
            Status::RateLimited => c"rate limited",
            Status::ServerError => c"server error",
            Status::ProtocolError => c"protocol error",
            Status::NetworkError => c"network error",
            Status::TlsError => c"TLS error",
            Status::Timeout => c"timeout",
            Status::Pending => c"pending",
            Status::Cancelled => c"cancelled",
            Status::Closed => c"client closed",
            Status::SystemError => c"system error",
            Status::Internal => c"internal error",
            Status::RequestRejected => c"request rejected",
            Status::FileError => c"file error",
        }
    }

    /// Whether the same call may succeed later although the caller changes nothing.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Status::TokenRejected
                | Status::RateLimited
                | Status::ServerError
                | Status::ProtocolError
                | Status::NetworkError
                | Status::TlsError
                | Status::Timeout
                | Status::Pending
                | Status::SystemError
        )
    }
}

/// api.video's problem object: the server's own words about a refusal. A text is empty if the
/// server sent none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// `type`: a URL that identifies the kind of problem.
    pub kind: String,
    /// `title`: one sentence.
    pub title: String,
    /// `name`: the field or thing at fault.
    pub name: String,
    /// `detail`: more about this very case.
    pub detail: String,
    /// `problems`: each fault of a request that has several. 100 at most, without lists of their
    /// own.
    pub problems: Vec<Problem>,
}

/// Why a call failed. Never contains a key or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind of failure.
    pub status: Status,
    /// One line: what happened, why, what to do.
    pub message: String,
    /// The status of the HTTP reply, if there was one.
    pub http_status: Option<u16>,
    /// What the server said about it.
    pub problem: Box<Problem>,
    /// The time after which it makes sense to try again, in milliseconds from now, if it is known.
    pub retry_after_ms: Option<u64>,
    /// A request was, or may have been, carried out, and must not be carried out twice.
    pub may_be_done: bool,
}

impl Error {
    /// An error without an HTTP reply.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error {
            status,
            message: message.into(),
            http_status: None,
            problem: Box::default(),
            retry_after_ms: None,
            may_be_done: false,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(Status::InvalidArgument, message)
    }

    pub(crate) fn no_thread(why: &io::Error) -> Error {
        Error::new(
            Status::SystemError,
            format!("The system refused a thread: {}.", sys::words_of(why)),
        )
    }

    /// The same error, with the time to wait from now.
    pub(crate) fn retry_after(mut self, ms: i64) -> Error {
        self.retry_after_ms = Some(ms.max(0).unsigned_abs());
        self
    }

    /// Whether the same call may succeed later although the caller changes nothing, and does no
    /// harm then: a request that may have been carried out, and would be carried out twice, is not
    /// to be sent again unseen.
    pub fn is_retryable(&self) -> bool {
        self.status.is_retryable() && !self.may_be_done
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_status_and_no_other_does() {
        for (number, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(Status::from_number(number as i32), Some(status));
        }
        assert_eq!(Status::from_number(-1), None);
        assert_eq!(Status::from_number(Status::ALL.len() as i32), None);
    }
}
