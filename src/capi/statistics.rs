//! `apivideo_statistics`.

use super::error::apivideo_error;
use crate::cache::statistics::Statistics;
use crate::error::{Error, Status};
use crate::ffi::boundary::{borrow, guard, guard_or, handle, put, require_out, take_box};

/// A client's counters at one moment. Any thread may read it. Belongs to the caller, who frees it.
#[allow(non_camel_case_types)]
pub struct apivideo_statistics {
    _opaque: [u8; 0],
}
handle!(apivideo_statistics = BoxHandle of Statistics);

/// What is counted, since the client was made or as it is now.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// `POST /auth/api-key` requests made.
    AuthenticateRequests = 0,
    /// `POST /auth/refresh` requests made.
    RefreshRequests = 1,
    /// Tokens obtained.
    TokensGranted = 2,
    /// Refresh tokens that api.video refused.
    RefreshRejections = 3,
    /// Times that api.video refused the API key.
    KeyRejections = 4,
    /// Exchanges that failed otherwise.
    Failures = 5,
    /// Tokens withdrawn because the API rejected them.
    Invalidations = 6,
    /// Callers whose wait ended without an answer.
    Timeouts = 7,
    /// Now: callers waiting.
    Waiters = 8,
    /// Now: failed tries since the last token.
    ConsecutiveFailures = 9,
    /// Now: milliseconds to the next try, while tries fail.
    RetryInMs = 10,
    /// Now: 1 while an exchange is made, else 0.
    ExchangesInFlight = 11,
}

fn value(statistics: &Statistics, statistic: i32) -> Option<u64> {
    // In the order of the numbers.
    [
        (
            Statistic::AuthenticateRequests,
            statistics.authenticate_requests,
        ),
        (Statistic::RefreshRequests, statistics.refresh_requests),
        (Statistic::TokensGranted, statistics.tokens_granted),
        (Statistic::RefreshRejections, statistics.refresh_rejections),
        (Statistic::KeyRejections, statistics.key_rejections),
        (Statistic::Failures, statistics.failures),
        (Statistic::Invalidations, statistics.invalidations),
        (Statistic::Timeouts, statistics.timeouts),
        (Statistic::Waiters, statistics.waiters),
        (
            Statistic::ConsecutiveFailures,
            statistics.consecutive_failures,
        ),
        (Statistic::RetryInMs, statistics.retry_in_ms),
        (Statistic::ExchangesInFlight, statistics.exchanges_in_flight),
    ]
    .into_iter()
    .find_map(|(which, value)| (which as i32 == statistic).then_some(value))
}

/// One value of a snapshot.
///
/// `statistic`: one of `apivideo_statistic`. `value_out`: 0 after a failure. `error_out`: may be NULL. Any thread may call this.
///
/// Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no statistic.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_statistics_get(
    statistics: *const apivideo_statistics,
    statistic: i32,
    value_out: *mut u64,
    error_out: *mut *mut apivideo_error,
) -> Status {
    // SAFETY: the header asks for valid pointers or NULL.
    unsafe {
        put(value_out, 0);
        guard(error_out, || {
            require_out(value_out, "value_out")?;
            let statistics = borrow(statistics, "statistics")?;
            let value = value(statistics, statistic).ok_or_else(|| {
                Error::invalid(format!("`statistic` is {statistic}, which is none."))
            })?;
            put(value_out, value);
            Ok(())
        })
    }
}

/// Frees a snapshot. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn apivideo_statistics_free(statistics: *mut apivideo_statistics) {
    // SAFETY: the caller's own snapshot, freed once, as the header asks.
    guard_or((), || drop(unsafe { take_box(statistics) }));
}
