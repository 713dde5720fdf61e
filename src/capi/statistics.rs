//! `apivideo_statistics`.

use super::error::apivideo_error;
use crate::cache::statistics::Statistics;
use crate::error::{Error, Status};
use crate::ffi::boundary::{borrow, guard, guard_or, handle, put, require_out, take_box};

/// A client's counters at one moment. Any thread may read them. The snapshot belongs to the caller,
/// who frees it.
#[allow(non_camel_case_types)]
pub struct apivideo_statistics {
    _opaque: [u8; 0],
}
handle!(apivideo_statistics = BoxHandle of Statistics);

/// What a client counts. "Now" marks a present value; all others count since the client was made.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Requests to `POST /auth/api-key`.
    AuthenticateRequests = 0,
    /// Requests to `POST /auth/refresh`.
    RefreshRequests = 1,
    /// Tokens received.
    TokensGranted = 2,
    /// Refresh tokens that api.video refused.
    RefreshRejections = 3,
    /// Times that api.video refused the API key.
    KeyRejections = 4,
    /// Exchanges that failed for any other reason.
    Failures = 5,
    /// Tokens that the client withdrew because the API rejected them.
    Invalidations = 6,
    /// Callers that stopped waiting before there was an answer.
    Timeouts = 7,
    /// Now: callers that wait.
    Waiters = 8,
    /// Now: exchanges that have failed since the last token.
    ConsecutiveFailures = 9,
    /// Now: milliseconds until the next try, while exchanges fail; else 0.
    RetryInMs = 10,
    /// Now: 1 while an exchange is under way, else 0.
    ExchangesInFlight = 11,
    /// Tokens taken from the store, which another process got.
    TokensAdopted = 12,
    /// Operations of the store that failed.
    StoreFailures = 13,
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
        (Statistic::TokensAdopted, statistics.tokens_adopted),
        (Statistic::StoreFailures, statistics.store_failures),
    ]
    .into_iter()
    .find_map(|(which, value)| (which as i32 == statistic).then_some(value))
}

/// Gives one value of a snapshot.
///
/// `statistic`: one of `apivideo_statistic`. `value_out`: receives the value; 0 after a failure.
/// `error_out`: may be NULL. Any thread may call this.
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
