//! What a client counts.

/// Counts since the client was made, and what it is doing now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// `POST /auth/api-key` requests made.
    pub authenticate_requests: u64,
    /// `POST /auth/refresh` requests made.
    pub refresh_requests: u64,
    /// Tokens obtained.
    pub tokens_granted: u64,
    /// Refresh tokens that api.video refused.
    pub refresh_rejections: u64,
    /// Times that api.video refused the API key.
    pub key_rejections: u64,
    /// Exchanges that failed otherwise.
    pub failures: u64,
    /// Tokens withdrawn because the API rejected them.
    pub invalidations: u64,
    /// Callers whose wait ended without an answer.
    pub timeouts: u64,
    /// Now: callers waiting.
    pub waiters: u64,
    /// Now: failed tries since the last token.
    pub consecutive_failures: u64,
    /// Now: milliseconds until the next try, while tries fail.
    pub retry_in_ms: u64,
    /// Now: 1 while an exchange is made.
    pub exchanges_in_flight: u64,
    /// Tokens taken from the store: another process got them.
    pub tokens_adopted: u64,
    /// Operations of the store that failed.
    pub store_failures: u64,
}
