//! The tokens that api.video sent, and the handle to them that callers get.

use std::ffi::CStr;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::clock::{Clock, Now};
use crate::ffi::secret::Secret;

const SCHEME: &str = "Bearer ";

/// When a token set stops being good, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    /// The seconds that api.video gave it, in milliseconds.
    pub(crate) lifetime_ms: i64,
    /// From then on it is to be renewed.
    pub(crate) renew_at: Now,
    /// From then on it is not handed out.
    pub(crate) usable_until: Now,
    /// From then on api.video refuses it.
    pub(crate) expires: Now,
}

/// One reply of the authentication endpoints: an access token, and mostly a refresh token. Never
/// changes.
pub(crate) struct TokenSet {
    /// Its own in this process and its forks.
    id: u64,
    /// `Bearer …`: the access token is its tail.
    authorization: Secret,
    refresh_token: Option<Secret>,
    validity: Validity,
    /// Of the lease under which it was got for all that share it; 0 if it is this process's alone.
    fence: u64,
}

impl TokenSet {
    pub(crate) fn new(
        access_token: &str,
        refresh_token: Option<&str>,
        validity: Validity,
    ) -> TokenSet {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        TokenSet {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            authorization: Secret::new(&format!("{SCHEME}{access_token}")),
            refresh_token: refresh_token.map(Secret::new),
            validity,
            fence: 0,
        }
    }

    /// The same token, shared under this fence.
    pub(crate) fn with_fence(self, fence: u64) -> TokenSet {
        TokenSet { fence, ..self }
    }

    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    pub(crate) fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    pub(crate) fn access_token(&self) -> &str {
        &self.authorization.as_str()[SCHEME.len()..]
    }

    pub(crate) fn validity(&self) -> &Validity {
        &self.validity
    }

    /// Whether it may be handed out: it is not expired, nor about to.
    pub(crate) fn is_usable(&self, now: Now) -> bool {
        !now.reached(self.validity.usable_until)
    }

    /// Whether it is time to renew it.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        now.reached(self.validity.renew_at)
    }

    /// How long it may still be handed out. Not positive once it may not.
    pub(crate) fn usable_for_ms(&self, now: Now) -> i64 {
        now.until(self.validity.usable_until)
    }

    /// How long until it is due for renewal. Not positive once it is.
    pub(crate) fn due_in_ms(&self, now: Now) -> i64 {
        now.until(self.validity.renew_at)
    }
}

#[cfg(any(test, fuzzing))]
impl Validity {
    pub(crate) fn of_an_hour(sent: Now) -> Validity {
        Validity {
            lifetime_ms: 3_600_000,
            renew_at: sent.plus(2_700_000),
            usable_until: sent.plus(3_570_000),
            expires: sent.plus(3_600_000),
        }
    }
}

#[cfg(any(test, fuzzing))]
impl TokenSet {
    /// A set that was asked for just now, and lives for an hour.
    pub(crate) fn for_an_hour(access_token: &str, refresh_token: Option<&str>) -> TokenSet {
        let sent = crate::clock::SystemClock.now();
        TokenSet::new(access_token, refresh_token, Validity::of_an_hour(sent))
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// An immutable snapshot of a token: a renewal does not change it, and it may outlive its client.
///
/// Clones of one `Arc<Token>` share a count. Threads that read often get one each, so that counting
/// does not move a cache line between cores.
pub struct Token {
    set: Arc<TokenSet>,
    /// The tick at which it was last found usable.
    checked_at: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Token {
    pub(crate) fn new(set: Arc<TokenSet>, clock: Arc<dyn Clock>) -> Token {
        Token {
            set,
            checked_at: AtomicI64::new(i64::MIN),
            clock,
        }
    }

    pub(crate) fn set(&self) -> &Arc<TokenSet> {
        &self.set
    }

    /// Whether it was found usable at this very tick.
    pub(crate) fn was_checked_at(&self, tick: i64) -> bool {
        self.checked_at.load(Ordering::Relaxed) == tick
    }

    pub(crate) fn remember_checked_at(&self, tick: i64) {
        self.checked_at.store(tick, Ordering::Relaxed);
    }

    pub(crate) fn authorization_c(&self) -> &CStr {
        self.set.authorization.as_c_str()
    }

    pub(crate) fn access_token_c(&self) -> &CStr {
        let whole = self.authorization_c().to_bytes_with_nul();
        CStr::from_bytes_until_nul(&whole[SCHEME.len()..]).unwrap_or_default()
    }

    pub(crate) fn refresh_token_c(&self) -> &CStr {
        match &self.set.refresh_token {
            Some(secret) => secret.as_c_str(),
            None => c"",
        }
    }

    /// A number that no other token of this process has; never 0.
    pub fn id(&self) -> u64 {
        self.set.id
    }

    /// The value of an `Authorization` header: `Bearer` and the access token.
    pub fn authorization(&self) -> &str {
        self.authorization_c().to_str().unwrap_or_default()
    }

    /// The access token alone.
    pub fn access_token(&self) -> &str {
        self.access_token_c().to_str().unwrap_or_default()
    }

    /// The refresh token, empty if api.video sent none.
    pub fn refresh_token(&self) -> &str {
        self.refresh_token_c().to_str().unwrap_or_default()
    }

    /// What is left of its life, now, in milliseconds; 0 once it has expired by either clock.
    pub fn expires_in_ms(&self) -> i64 {
        self.clock.now().until(self.set.validity.expires).max(0)
    }

    /// When it expires, in milliseconds since the Unix epoch.
    pub fn expires_at_ms(&self) -> i64 {
        self.set.validity.expires.wall_ms
    }

    /// The whole life that api.video gave it (`expires_in`), in milliseconds.
    pub fn lifetime_ms(&self) -> i64 {
        self.set.validity.lifetime_ms
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Now = Now {
        wall_ms: 1_700_000_000_000,
        mono_ms: 7_000,
    };

    fn hour() -> TokenSet {
        TokenSet::new("access", Some("refresh"), Validity::of_an_hour(SENT))
    }

    #[test]
    fn a_set_is_due_and_then_unusable() {
        let set = hour();
        assert!(!set.is_due(SENT.plus(2_699_999)) && set.is_due(SENT.plus(2_700_000)));
        assert!(set.is_usable(SENT.plus(3_569_999)) && !set.is_usable(SENT.plus(3_570_000)));
    }

    #[test]
    fn either_clock_makes_it_unusable() {
        let set = hour();
        let suspended = Now {
            mono_ms: SENT.mono_ms + 7_200_000,
            ..SENT
        };
        let set_forward = Now {
            wall_ms: SENT.wall_ms + 86_400_000,
            ..SENT
        };
        let set_back = Now {
            wall_ms: SENT.wall_ms - 86_400_000,
            mono_ms: SENT.mono_ms + 3_570_000,
        };
        for now in [suspended, set_forward, set_back] {
            assert!(!set.is_usable(now), "{now:?}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let text = format!("{:?}", hour());
        assert!(
            !text.contains("access") && !text.contains("refresh"),
            "{text}"
        );
    }
}
