//! One HTTP exchange with the authentication endpoints, as the cache sees it.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::ffi::secret::Secret;
use crate::token::TokenSet;

/// One HTTP exchange to make.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// `POST /auth/api-key`. `held` is the last token set, if there was one: no message may repeat
    /// it.
    ApiKey { held: Option<Arc<TokenSet>> },
    /// `POST /auth/refresh` with this set's refresh token.
    Refresh(Arc<TokenSet>),
}

impl Request {
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Request::ApiKey { .. } => "/auth/api-key",
            Request::Refresh(_) => "/auth/refresh",
        }
    }

    /// The last token set.
    pub(crate) fn token_set(&self) -> Option<&Arc<TokenSet>> {
        match self {
            Request::ApiKey { held } => held.as_ref(),
            Request::Refresh(set) => Some(set),
        }
    }
}

/// What became of an exchange.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A new pair of tokens.
    Granted {
        access_token: Secret,
        refresh_token: Option<Secret>,
        lifetime_ms: i64,
    },
    /// The server refused the key or the refresh token.
    Rejected(Error),
    /// Anything else. `spent`: the server may have acted on the request, so its refresh token must
    /// not be sent again. `own_words`: api.video itself says so, and not somebody in between.
    Failed {
        error: Error,
        spent: bool,
        own_words: bool,
    },
}

/// The two endpoints.
pub(crate) trait Endpoint: Send + Sync {
    /// Makes one exchange, within `limit` if there is one.
    fn send(&self, request: &Request, limit: Option<Duration>) -> Outcome;
}
