//! Issued tokens and their rotation.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// Why a refresh token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshRefusal {
    /// Never issued.
    Unknown,
    /// Already exchanged for a new pair.
    Used,
    /// Replaced because its API key was authenticated again.
    Superseded,
    /// Revoked through the control endpoint.
    Revoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RefreshState {
    Live,
    Dead(RefreshRefusal),
}

/// A pair of tokens as given to the client. Both carry the same small number.
pub(crate) struct Pair {
    pub(crate) id: u64,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// What is remembered of an issued pair.
struct Grant {
    key: String,
    refresh: RefreshState,
    access_expires: Duration,
    access_revoked: bool,
}

/// When a pair is issued and for how long, by the sandbox's clock.
#[derive(Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) now: Duration,
    pub(crate) unix_now: u64,
    pub(crate) expires_in: u64,
}

/// Every token issued since the start or the last reset.
pub(crate) struct Tokens {
    random: fastrand::Rng,
    grants: Vec<Grant>,
    by_access: HashMap<String, u64>,
    by_refresh: HashMap<String, u64>,
    /// At most one refresh token of a key is alive: a refresh retires the one
    /// it uses, and an authentication retires whichever there is.
    live: HashMap<String, u64>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            // These tokens open nothing, so they need to differ, not to be secret.
            random: fastrand::Rng::new(),
            grants: Vec::new(),
            by_access: HashMap::new(),
            by_refresh: HashMap::new(),
            live: HashMap::new(),
        }
    }

    /// Issues a pair for an API key, whose earlier refresh token dies.
    pub(crate) fn authenticate(&mut self, key: &str, lifetime: Lifetime) -> Pair {
        self.retire(key, RefreshRefusal::Superseded);
        self.issue(key.to_owned(), lifetime)
    }

    /// Exchanges a refresh token for a new pair; it cannot be used again.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        lifetime: Lifetime,
    ) -> Result<Pair, RefreshRefusal> {
        let grant = self.by_refresh.get(token).and_then(|&id| self.grant(id));
        let key = match grant {
            None => return Err(RefreshRefusal::Unknown),
            Some(grant) => match grant.refresh {
                RefreshState::Dead(refusal) => return Err(refusal),
                RefreshState::Live => grant.key.clone(),
            },
        };
        self.retire(&key, RefreshRefusal::Used);
        Ok(self.issue(key, lifetime))
    }

    /// Whether an access token opens the API at this time.
    pub(crate) fn accepts_access(&self, token: &str, now: Duration) -> bool {
        let grant = self.by_access.get(token).and_then(|&id| self.grant(id));
        grant.is_some_and(|grant| !grant.access_revoked && now < grant.access_expires)
    }

    /// Whether this refresh token was exchanged already.
    pub(crate) fn is_used(&self, token: &str) -> bool {
        let grant = self.by_refresh.get(token).and_then(|&id| self.grant(id));
        grant.is_some_and(|grant| grant.refresh == RefreshState::Dead(RefreshRefusal::Used))
    }

    pub(crate) fn access_id(&self, token: &str) -> Option<u64> {
        self.by_access.get(token).copied()
    }

    pub(crate) fn refresh_id(&self, token: &str) -> Option<u64> {
        self.by_refresh.get(token).copied()
    }

    pub(crate) fn revoke_access(&mut self) {
        for grant in &mut self.grants {
            grant.access_revoked = true;
        }
    }

    pub(crate) fn revoke_refresh(&mut self) {
        let keys: Vec<String> = self.live.keys().cloned().collect();
        for key in keys {
            self.retire(&key, RefreshRefusal::Revoked);
        }
    }

    /// Ids start at 1, so they are one more than the index.
    fn grant(&self, id: u64) -> Option<&Grant> {
        self.grants.get(index_of(id))
    }

    fn retire(&mut self, key: &str, reason: RefreshRefusal) {
        let live = self.live.remove(key);
        if let Some(grant) = live.and_then(|id| self.grants.get_mut(index_of(id))) {
            grant.refresh = RefreshState::Dead(reason);
        }
    }

    fn issue(&mut self, key: String, lifetime: Lifetime) -> Pair {
        let access = self.access_token(lifetime);
        let refresh = self.random_hex(800);
        self.grants.push(Grant {
            key: key.clone(),
            refresh: RefreshState::Live,
            access_expires: lifetime
                .now
                .saturating_add(Duration::from_secs(lifetime.expires_in)),
            access_revoked: false,
        });
        let id = self.grants.len() as u64;
        self.by_access.insert(access.clone(), id);
        self.by_refresh.insert(refresh.clone(), id);
        self.live.insert(key, id);
        Pair {
            id,
            access,
            refresh,
        }
    }

    /// A string with the shape of a JWT and about the length of a real one. The
    /// signature is random: clients must treat the token as opaque.
    fn access_token(&mut self, lifetime: Lifetime) -> String {
        let header = json!({ "typ": "JWT", "alg": "RS256" });
        let claims = json!({
            "aud": "sandbox",
            "sub": "sandbox",
            "jti": self.random_hex(80),
            "iat": lifetime.unix_now,
            "nbf": lifetime.unix_now,
            "exp": lifetime.unix_now.saturating_add(lifetime.expires_in),
            "scopes": ["sandbox"],
            "context": { "user": "sandbox", "project": "sandbox" },
        });
        let mut signature = [0; 384];
        self.random.fill(&mut signature);
        format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            URL_SAFE_NO_PAD.encode(signature),
        )
    }

    fn random_hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| self.random.digit(16)).collect()
    }
}

fn index_of(id: u64) -> usize {
    usize::try_from(id.saturating_sub(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime = Lifetime {
        now: Duration::from_secs(10),
        unix_now: 1_700_000_000,
        expires_in: 60,
    };

    #[test]
    fn tokens_have_the_shape_of_real_ones() {
        let pair = Tokens::new().authenticate("key", LIFETIME);
        assert_eq!(pair.access.split('.').count(), 3);
        assert!(
            (850..950).contains(&pair.access.len()),
            "{}",
            pair.access.len()
        );
        assert_eq!(pair.refresh.len(), 800);
        assert!(pair.refresh.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn a_refresh_token_works_once() {
        let mut tokens = Tokens::new();
        let first = tokens.authenticate("key", LIFETIME);
        let second = tokens.refresh(&first.refresh, LIFETIME).unwrap();
        assert_eq!((first.id, second.id), (1, 2));
        let again = tokens.refresh(&first.refresh, LIFETIME);
        assert_eq!(again.err(), Some(RefreshRefusal::Used));
        assert!(tokens.refresh(&second.refresh, LIFETIME).is_ok());
    }

    #[test]
    fn another_authentication_supersedes_only_its_own_key() {
        let mut tokens = Tokens::new();
        let mine = tokens.authenticate("mine", LIFETIME);
        let other = tokens.authenticate("other", LIFETIME);
        tokens.authenticate("mine", LIFETIME);
        let superseded = tokens.refresh(&mine.refresh, LIFETIME);
        assert_eq!(superseded.err(), Some(RefreshRefusal::Superseded));
        assert!(tokens.refresh(&other.refresh, LIFETIME).is_ok());
    }

    #[test]
    fn an_access_token_lives_until_its_own_expiry() {
        let mut tokens = Tokens::new();
        let pair = tokens.authenticate("key", LIFETIME);
        tokens.refresh(&pair.refresh, LIFETIME).unwrap();
        assert!(tokens.accepts_access(&pair.access, Duration::from_secs(69)));
        assert!(!tokens.accepts_access(&pair.access, Duration::from_secs(70)));
    }

    #[test]
    fn revocation_reaches_every_issued_token() {
        let mut tokens = Tokens::new();
        let pair = tokens.authenticate("key", LIFETIME);
        tokens.revoke_access();
        assert!(!tokens.accepts_access(&pair.access, LIFETIME.now));
        tokens.revoke_refresh();
        let revoked = tokens.refresh(&pair.refresh, LIFETIME);
        assert_eq!(revoked.err(), Some(RefreshRefusal::Revoked));
    }
}
