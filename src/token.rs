//! What api.video granted, and the handle to it that callers get.

use std::ffi::CStr;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::clock::{Clock, Now};
use crate::ffi::secret::Secret;
use crate::keeper::policy;

const SCHEME: &str = "Bearer ";

/// One reply of the auth endpoints, and when it stops being good. Never changes.
pub struct Grant {
    /// Its own in this process and its forks.
    id: u64,
    /// `Bearer …`: the access token is its tail.
    authorization: Secret,
    refresh_token: Option<Secret>,
    lifetime_ms: i64,
    renew_at: Now,
    usable_until: Now,
    expires: Now,
}

impl Grant {
    /// A grant whose request was sent at `sent`. `draw`, in [0, 1), places the renewal point.
    pub(crate) fn new(
        access_token: &str,
        refresh_token: Option<&str>,
        lifetime_ms: i64,
        sent: Now,
        draw: f64,
    ) -> Grant {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Grant {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            authorization: Secret::new(&format!("{SCHEME}{access_token}")),
            refresh_token: refresh_token.map(Secret::new),
            lifetime_ms,
            renew_at: sent.plus(policy::renewal_delay(lifetime_ms, draw)),
            usable_until: sent.plus(lifetime_ms - policy::margin(lifetime_ms)),
            expires: sent.plus(lifetime_ms),
        }
    }

    pub(crate) fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    pub(crate) fn access_token(&self) -> &str {
        &self.authorization.as_str()[SCHEME.len()..]
    }

    /// The seconds that api.video gave it, in milliseconds.
    pub(crate) fn lifetime_ms(&self) -> i64 {
        self.lifetime_ms
    }

    /// Whether it may be handed out: it is not expired, nor about to.
    pub(crate) fn is_usable(&self, now: Now) -> bool {
        !now.reached(self.usable_until)
    }

    /// Whether it is time to renew it.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        now.reached(self.renew_at)
    }

    /// How long it may still be handed out. Not positive once it may not.
    pub(crate) fn usable_for_ms(&self, now: Now) -> i64 {
        now.until(self.usable_until)
    }

    /// How long until it is due for renewal. Not positive once it is.
    pub(crate) fn due_in_ms(&self, now: Now) -> i64 {
        now.until(self.renew_at)
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("lifetime_ms", &self.lifetime_ms)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// An immutable snapshot of a token: a renewal does not change it, and it may outlive its client.
///
/// Clones of one `Arc<Token>` share a count. Threads that read often get one each, so that counting does not move a
/// cache line between cores.
pub struct Token {
    grant: Arc<Grant>,
    /// The tick at which it was last found usable.
    checked_at: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Token {
    pub(crate) fn new(grant: Arc<Grant>, clock: Arc<dyn Clock>) -> Token {
        Token {
            grant,
            checked_at: AtomicI64::new(i64::MIN),
            clock,
        }
    }

    pub(crate) fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// Whether it was found usable at this very tick.
    pub(crate) fn was_checked_at(&self, tick: i64) -> bool {
        self.checked_at.load(Ordering::Relaxed) == tick
    }

    pub(crate) fn remember_checked_at(&self, tick: i64) {
        self.checked_at.store(tick, Ordering::Relaxed);
    }

    pub(crate) fn authorization_c(&self) -> &CStr {
        self.grant.authorization.as_c_str()
    }

    pub(crate) fn access_token_c(&self) -> &CStr {
        let whole = self.authorization_c().to_bytes_with_nul();
        CStr::from_bytes_until_nul(&whole[SCHEME.len()..]).unwrap_or_default()
    }

    pub(crate) fn refresh_token_c(&self) -> &CStr {
        match &self.grant.refresh_token {
            Some(secret) => secret.as_c_str(),
            None => c"",
        }
    }

    /// A number that no other token of this process has; never 0.
    pub fn id(&self) -> u64 {
        self.grant.id
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
        self.clock.now().until(self.grant.expires).max(0)
    }

    /// When it expires, in milliseconds since the Unix epoch.
    pub fn expires_at_ms(&self) -> i64 {
        self.grant.expires.wall_ms
    }

    /// The whole life that api.video gave it (`expires_in`), in milliseconds.
    pub fn lifetime_ms(&self) -> i64 {
        self.grant.lifetime_ms
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.grant.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Now = Now {
        wall_ms: 1_700_000_000_000,
        mono_ms: 7_000,
    };

    fn hour() -> Grant {
        Grant::new("access", Some("refresh"), 3_600_000, SENT, 0.5)
    }

    #[test]
    fn a_grant_is_due_before_it_is_unusable_before_it_expires() {
        let grant = hour();
        assert!(!grant.is_due(SENT.plus(2_699_999)) && grant.is_due(SENT.plus(2_700_000)));
        assert!(grant.is_usable(SENT.plus(3_569_999)) && !grant.is_usable(SENT.plus(3_570_000)));
        assert_eq!(grant.expires, SENT.plus(3_600_000));
    }

    #[test]
    fn either_clock_makes_it_unusable() {
        let grant = hour();
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
            assert!(!grant.is_usable(now), "{now:?}");
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
