//! What the processes that share a token keep in a store, and the store as the cache sees it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::policy;
use crate::clock::Now;
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::token::{TokenSet, Validity};

/// A reading of a store's clock. Of a store without a monotonic one, both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreNow {
    pub(crate) now: Now,
    /// Which start of the machine the monotonic clock counts from.
    pub(crate) boot: u64,
}

/// What is kept for all. Its moments are those of the store's clock.
///
/// A fence is a number that each lease has for itself, and that only grows. A token has that of the
/// lease under which it was got, so of two tokens everybody knows the newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    /// [`StoreNow::boot`] of the moments.
    pub(crate) boot: u64,
    /// Of the newest lease.
    pub(crate) fence: u64,
    pub(crate) token: Option<Arc<SharedToken>>,
    /// Tokens up to this fence were rejected by the API.
    pub(crate) withdrawn: u64,
    /// When the last replacement of a rejected token was got.
    pub(crate) replaced_at: Option<Now>,
    pub(crate) lease: Option<Lease>,
    pub(crate) refusal: Option<Refusal>,
}

/// Somebody is getting a token for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    pub(crate) holder: u64,
    pub(crate) until: Now,
}

/// api.video does not want to be asked for a while, by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) until: Now,
    /// In a row.
    pub(crate) count: u32,
}

/// A token that is there for all. A refresh token, which works once, is never in it.
#[derive(Debug)]
pub(crate) struct SharedToken {
    pub(crate) fence: u64,
    pub(crate) access_token: Secret,
    pub(crate) lifetime_ms: i64,
    pub(crate) renew_at: Now,
    pub(crate) expires: Now,
}

impl SharedToken {
    fn facts(&self) -> (u64, &str, i64, Now, Now) {
        let text = self.access_token.as_str();
        (
            self.fence,
            text,
            self.lifetime_ms,
            self.renew_at,
            self.expires,
        )
    }

    /// What is left of its life. Nothing, if that were more than all of it: the clock went back
    /// since, and nobody knows by how much.
    fn left_ms(&self, now: Now) -> i64 {
        let lifetime = self.lifetime_ms();
        possible(now.until(self.expires), lifetime).min(lifetime)
    }

    fn lifetime_ms(&self) -> i64 {
        self.lifetime_ms.clamp(1, policy::MAX_LIFETIME)
    }

    /// The token as this process sees it. `store` and `here` are the same moment, or `here` is
    /// earlier. Everybody looks for the next token at another time, `spread` after it is due.
    pub(crate) fn token_set(&self, store: Now, here: Now, spread: f64) -> TokenSet {
        let lifetime_ms = self.lifetime_ms();
        let left = self.left_ms(store);
        let usable = left - policy::expiry_margin(lifetime_ms);
        let due = store.until(self.renew_at).min(usable);
        let validity = Validity {
            lifetime_ms,
            renew_at: here.plus(due + policy::look_delay(lifetime_ms, spread)),
            usable_until: here.plus(usable),
            expires: here.plus(left),
        };
        TokenSet::new(self.access_token.as_str(), None, validity).with_fence(self.fence)
    }
}

impl PartialEq for SharedToken {
    fn eq(&self, other: &SharedToken) -> bool {
        self.facts() == other.facts()
    }
}

impl Eq for SharedToken {}

impl Hash for SharedToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.facts().hash(state);
    }
}

impl Record {
    /// What still counts after the machine has started anew. Of moments before that only the wall
    /// clock tells, and it may be wrong until a network is there: they are forgotten.
    pub(crate) fn seen_at(self, at: StoreNow) -> Record {
        if self.boot == at.boot {
            return self;
        }
        Record {
            boot: at.boot,
            fence: self.fence,
            withdrawn: self.withdrawn,
            ..Record::default()
        }
    }

    /// The token, unless the API rejected it or it is past its life.
    pub(crate) fn good_token(&self, now: Now) -> Option<&Arc<SharedToken>> {
        let token = self.token.as_ref()?;
        let margin = policy::expiry_margin(token.lifetime_ms());
        (token.fence > self.withdrawn && token.left_ms(now) > margin).then_some(token)
    }

    /// For how long somebody else is getting a token. Not positive if nobody is; nor is a lease
    /// longer than any is made.
    pub(crate) fn leased_for_ms(&self, holder: u64, now: Now) -> i64 {
        match &self.lease {
            Some(lease) if lease.holder != holder => {
                possible(now.until(lease.until), policy::LEASE)
            }
            _ => 0,
        }
    }

    /// For how long api.video is not to be asked. Not positive if it may be.
    pub(crate) fn refused_for_ms(&self, now: Now) -> i64 {
        self.refusal.map_or(0, |refusal| {
            possible(now.until(refusal.until), policy::RETRY_AFTER_MAX)
        })
    }

    /// For how long it may be of use to anybody.
    pub(crate) fn useful_for_ms(&self, now: Now) -> i64 {
        let token = self.token.as_ref().map(|token| token.expires);
        let lease = self.lease.map(|lease| lease.until);
        let refusal = self.refusal.map(|refusal| refusal.until);
        let moments = [token, lease, refusal].into_iter().flatten();
        moments
            .map(|moment| now.until(moment))
            .max()
            .unwrap_or(0)
            .max(0)
    }
}

/// What is left of a time; 0 if it is more than there ever was of it.
fn possible(left_ms: i64, whole_ms: i64) -> i64 {
    let most = whole_ms.saturating_add(policy::CLOCK_TOLERANCE);
    if left_ms <= most { left_ms } else { 0 }
}

/// What a store holds.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// Another with each record, 0 while there is none.
    pub(crate) version: u64,
    /// `None` also for a record that does not open: it is as good as absent.
    pub(crate) record: Option<Record>,
    pub(crate) now: StoreNow,
    /// Who holds the lease has ended, as the system says.
    pub(crate) holder_is_gone: bool,
}

/// A record in the place of another.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    /// The version that it takes the place of; 0: of none.
    pub(crate) expected: u64,
    pub(crate) version: u64,
    pub(crate) record: Record,
    /// For how long a store should keep it, at least.
    pub(crate) keep_ms: i64,
    /// The lease in it is ours, so that the system can tell when we end.
    pub(crate) is_lease: bool,
}

/// Where processes share a token.
pub(crate) trait Store: Send + Sync {
    /// For the operations of one flight. No I/O.
    fn session(&self) -> Box<dyn Session>;
    /// Whether loading takes less time than starting a thread for it.
    fn is_quick(&self) -> bool;
    /// Whether it may be asked when the client was freed: to give a lease back.
    fn outlives_client(&self) -> bool;
}

/// A store during one flight. What it holds is given back when it is dropped.
pub(crate) trait Session: Send {
    /// What is there.
    fn load(&mut self, limit: Duration) -> Result<Loaded, Error>;
    /// Puts a record in the place of the one that was expected. `false`: another is there. After an
    /// error it may be there all the same.
    fn swap(&mut self, swap: &Swap, limit: Duration) -> Result<bool, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        wall_ms: 1_700_000_000_000,
        mono_ms: 5_000,
    };
    const HERE: Now = Now {
        wall_ms: 1_600_000_000_000,
        mono_ms: 7,
    };

    fn token(left_ms: i64, lifetime_ms: i64) -> SharedToken {
        SharedToken {
            fence: 7,
            access_token: Secret::new("access"),
            lifetime_ms,
            renew_at: NOW.plus(left_ms - lifetime_ms / 4),
            expires: NOW.plus(left_ms),
        }
    }

    #[test]
    fn a_token_has_the_same_time_left_by_any_clock() {
        let set = token(1_000_000, 3_600_000).token_set(NOW, HERE, 0.0);
        assert_eq!(set.usable_for_ms(HERE), 970_000);
        assert_eq!(set.due_in_ms(HERE), 100_000);
        assert_eq!(set.validity().expires, HERE.plus(1_000_000));
        assert_eq!((set.fence(), set.refresh_token().is_none()), (7, true));
        let later = token(1_000_000, 3_600_000).token_set(NOW, HERE, 0.5);
        assert_eq!(later.due_in_ms(HERE), 118_000, "and others look later");
    }

    #[test]
    fn a_token_with_more_left_than_it_ever_had_is_none() {
        let with = |left_ms| Record {
            token: Some(Arc::new(token(left_ms, 3_600_000))),
            ..Record::default()
        };
        let left = |left_ms| {
            let record = with(left_ms);
            let token = record.good_token(NOW)?;
            Some(token.token_set(NOW, HERE, 0.0).usable_for_ms(HERE))
        };
        assert_eq!(left(3_600_000), Some(3_570_000));
        assert_eq!(left(3_601_000), Some(3_570_000), "clocks are never exact");
        assert_eq!(left(3_601_001), None);
        assert_eq!(left(i64::MAX / 2), None);
    }

    #[test]
    fn no_life_is_longer_than_any() {
        let set = token(3_600_000, i64::MAX).token_set(NOW, HERE, 0.0);
        assert_eq!(set.validity().lifetime_ms, policy::MAX_LIFETIME);
    }

    #[test]
    fn after_a_restart_of_the_machine_only_fences_count() {
        let record = Record {
            boot: 1,
            fence: 9,
            withdrawn: 6,
            token: Some(Arc::new(token(1_000_000, 3_600_000))),
            lease: Some(Lease {
                holder: 1,
                until: NOW.plus(5_000),
            }),
            refusal: Some(Refusal {
                status: Status::RateLimited,
                until: NOW.plus(9_000),
                count: 1,
            }),
            replaced_at: Some(NOW.plus(-1_000)),
        };
        let restarted = StoreNow { now: NOW, boot: 2 };
        let fences = Record {
            boot: 2,
            fence: 9,
            withdrawn: 6,
            ..Record::default()
        };
        assert_eq!(record.clone().seen_at(restarted), fences);
        let same = StoreNow { now: NOW, boot: 1 };
        assert_eq!(record.clone().seen_at(same), record);
        assert_eq!(record.useful_for_ms(NOW), 1_000_000);
    }

    #[test]
    fn a_lease_ends_is_anothers_and_is_no_longer_than_any() {
        let leased = |for_ms| Record {
            lease: Some(Lease {
                holder: 1,
                until: NOW.plus(for_ms),
            }),
            ..Record::default()
        };
        assert_eq!(leased(policy::LEASE).leased_for_ms(2, NOW), policy::LEASE);
        assert_eq!(leased(policy::LEASE).leased_for_ms(1, NOW), 0);
        assert!(leased(0).leased_for_ms(2, NOW) <= 0);
        let slewed = policy::LEASE + policy::CLOCK_TOLERANCE;
        assert_eq!(leased(slewed).leased_for_ms(2, NOW), slewed);
        assert_eq!(leased(slewed + 1).leased_for_ms(2, NOW), 0);
    }

    #[test]
    fn a_withdrawn_or_expired_token_is_none() {
        let with = |withdrawn, left_ms| Record {
            withdrawn,
            token: Some(Arc::new(token(left_ms, 3_600_000))),
            ..Record::default()
        };
        assert!(with(6, 30_001).good_token(NOW).is_some());
        assert!(with(7, 30_001).good_token(NOW).is_none());
        assert!(with(6, 30_000).good_token(NOW).is_none());
    }

    #[test]
    fn nobody_is_kept_waiting_longer_than_is_ever_asked() {
        let refused = |for_ms| Record {
            refusal: Some(Refusal {
                status: Status::RateLimited,
                until: NOW.plus(for_ms),
                count: 1,
            }),
            ..Record::default()
        };
        let most = policy::RETRY_AFTER_MAX;
        assert_eq!(refused(most).refused_for_ms(NOW), most);
        assert_eq!(refused(most + 1_001).refused_for_ms(NOW), 0);
        assert_eq!(refused(i64::MAX / 2).refused_for_ms(NOW), 0);
    }
}
