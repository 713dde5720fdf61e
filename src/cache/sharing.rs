//! One token for many processes: what to ask of a store around an exchange, and what follows.
//!
//! Pure, as [`state`](super::state), which asks it before and after each exchange of a client that
//! has a store. A second exchange costs a request and breaks nobody, so the lease is for efficiency
//! alone. Only the fence is for correctness: no older token takes the place of a newer one, and no
//! rejected token comes back. And a store that fails never makes anything worse than without one.

use std::sync::Arc;

use super::backoff::asked_delay;
use super::events::Event;
use super::policy;
use super::record::{Lease, Loaded, Record, Refusal, SharedToken, StoreNow, Swap};
use super::waiters::Purpose;
use crate::clock::{Context, Now};
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::token::{TokenSet, Validity};

/// How often a flight finds another record than it has just seen, before it goes on without a
/// lease.
const MOST_CONFLICTS: u8 = 3;
/// How often a token is offered to a store that changes meanwhile.
const MOST_OFFERS: u8 = 4;

/// An operation that the cache carries out.
#[derive(Debug)]
pub(crate) enum StoreTask {
    Load { limit_ms: i64 },
    Swap { swap: Box<Swap>, limit_ms: i64 },
    Pause { ms: i64 },
}

/// What comes next in a flight.
#[derive(Debug)]
pub(crate) enum Step {
    Do(StoreTask),
    /// Make the exchange.
    Exchange,
    /// Another process has got this token. `replaced_at`: if it replaced a rejected one.
    Adopt {
        set: Arc<TokenSet>,
        replaced_at: Option<i64>,
    },
    /// The token at hand is good, and it is too early for another.
    Keep,
    /// api.video does not want to be asked.
    Refuse(Error),
    /// Nothing more is to be done after the exchange.
    Over,
}

/// What the state machine knows about the token, for a flight.
pub(crate) struct View {
    pub(crate) purpose: Purpose,
    /// The newest one, whatever it is good for.
    pub(crate) set: Option<Arc<TokenSet>>,
    pub(crate) is_usable: bool,
    /// It is usable, and nobody waits for another.
    pub(crate) is_enough: bool,
    /// On the monotonic clock: when the first of those who wait for a token gives up.
    pub(crate) deadline: Option<i64>,
}

/// What came of an exchange, for the others.
pub(crate) enum Report<'a> {
    Granted {
        set: &'a TokenSet,
        sent: Now,
    },
    Refused(&'a Refused),
    /// What is wrong here need not be so elsewhere.
    Failed,
}

impl<'a> Report<'a> {
    pub(crate) fn of(
        set: Option<&'a TokenSet>,
        refused: Option<&'a Refused>,
        sent: Now,
    ) -> Report<'a> {
        match (set, refused) {
            (Some(set), _) => Report::Granted { set, sent },
            (None, Some(refused)) => Report::Refused(refused),
            (None, None) => Report::Failed,
        }
    }
}

/// Nobody should ask api.video for a while.
pub(crate) struct Refused {
    pub(crate) error: Error,
    /// As api.video says itself.
    pub(crate) own_words: bool,
}

/// What a process knows of its store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sharing {
    /// This process, among those that share the token.
    holder: u64,
    timeout_ms: i64,
    /// The store may be asked when the client was freed.
    outlives_client: bool,
    /// The newest fence that was seen: a record with an older one was restored from the past.
    newest: u64,
    /// The API rejected tokens up to this fence, as this process was told. A store may not know it.
    rejected: u64,
    /// On the monotonic clock: while the token at hand is good, the store is not looked at before.
    look_at: i64,
    /// On the monotonic clock: a store that has failed is left alone until then.
    closed_until: i64,
    /// Failures in a row.
    failures: u32,
    /// The last swap failed.
    swap_fails: bool,
    failures_ever: u64,
    swaps: u64,
    flight: Flight,
}

/// The flight under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Flight {
    began: i64,
    looks: u32,
    /// How often somebody else was quicker.
    conflicts: u8,
    /// How long the store took, but for looks while somebody else's exchange is waited for.
    spent_ms: i64,
    /// Of the token that is being got; 0: it is for this process alone.
    fence: u64,
    seen: Option<Seen>,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Looking,
    /// Swapping a lease in.
    Taking,
    /// That failed, but the lease may be there.
    Unsure,
    Exchanging {
        leased: bool,
    },
    /// Swapping in what the others should know.
    Offering(Offer),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Offer {
    token: Option<Arc<SharedToken>>,
    /// It takes the place of a rejected one.
    replaces: bool,
    refusal: Option<(Status, i64)>,
    times: u8,
    at: Now,
}

/// What was in the store last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    version: u64,
    record: Record,
    /// The store's clock. It was read at `here` on ours, or a little earlier.
    store: StoreNow,
    here: Now,
}

impl Seen {
    /// The store's clock at a later moment of ours: that, or a little less.
    fn store_at(&self, here: Now) -> Now {
        let passed = here.mono_ms.saturating_sub(self.here.mono_ms).max(0);
        self.store.now.plus(passed)
    }
}

impl Sharing {
    /// `holder`: another in each process.
    pub(crate) fn new(holder: u64, timeout_ms: i64, outlives_client: bool) -> Sharing {
        Sharing {
            holder,
            timeout_ms,
            outlives_client,
            newest: 0,
            rejected: 0,
            look_at: i64::MIN,
            closed_until: i64::MIN,
            failures: 0,
            swap_fails: false,
            failures_ever: 0,
            swaps: 0,
            flight: Flight::new(0),
        }
    }

    pub(crate) fn failures_ever(&self) -> u64 {
        self.failures_ever
    }

    /// On the monotonic clock: a good token is not renewed before.
    pub(crate) fn look_at(&self) -> i64 {
        self.look_at
    }

    /// The API rejected the token that has this fence: it does not come back, whatever a store
    /// says, and the others are told with the next record that is swapped in.
    pub(crate) fn withdraw(&mut self, fence: u64) {
        self.rejected = self.rejected.max(fence);
        self.withdraw_in_seen();
    }

    fn withdraw_in_seen(&mut self) {
        if let Some(seen) = &mut self.flight.seen {
            seen.record.withdrawn = seen.record.withdrawn.max(self.rejected);
        }
    }

    // --- Before an exchange ---

    /// A flight begins.
    pub(crate) fn begin(&mut self, view: &View, now: Now) -> Step {
        self.flight = Flight::new(now.mono_ms);
        let held = view.set.as_ref().map_or(0, |set| set.fence());
        self.newest = self.newest.max(held);
        if now.mono_ms < self.closed_until {
            return self.without_store(view, now);
        }
        self.load(view, now)
    }

    fn load(&mut self, view: &View, now: Now) -> Step {
        match self.limit(view, now) {
            Some(limit_ms) => Step::Do(StoreTask::Load { limit_ms }),
            None => self.without_store(view, now),
        }
    }

    /// What was in the store. `started`: before it was asked.
    pub(crate) fn loaded(
        &mut self,
        result: Result<Loaded, Error>,
        view: &View,
        started: Now,
        at: Context,
        events: &mut Vec<Event>,
    ) -> Step {
        match result {
            Ok(loaded) => {
                if self.flight.looks == 0 || self.flight.phase != Phase::Looking {
                    self.spend(started, at.now);
                }
                self.succeeded(false, events);
                self.see(loaded, at.now);
                match self.flight.phase {
                    Phase::Unsure if self.has_lease() => self.leased(),
                    Phase::Unsure => self.unleased(view, at.now),
                    Phase::Offering(_) => self.offer_again(at.now),
                    _ => self.decide(view, started, at, events),
                }
            }
            Err(error) => {
                self.failed(error, started, at, events);
                match self.flight.phase {
                    Phase::Offering(_) => Step::Over,
                    _ => self.without_store(view, at.now),
                }
            }
        }
    }

    /// A record from the past counts for nothing, nor does one that is absent.
    fn see(&mut self, loaded: Loaded, here: Now) {
        let mut record = match loaded.record {
            Some(record) if record.fence >= self.newest => record.seen_at(loaded.now),
            other => Record {
                boot: loaded.now.boot,
                fence: self.newest,
                withdrawn: other.map_or(0, |record| record.withdrawn),
                ..Record::default()
            },
        };
        if loaded.holder_is_gone {
            record.lease = None;
        }
        self.newest = record.fence;
        self.flight.seen = Some(Seen {
            version: loaded.version,
            record,
            store: loaded.now,
            here,
        });
        self.withdraw_in_seen();
    }

    /// Whether the lease that was to be swapped in is there, though the answer was lost.
    fn has_lease(&self) -> bool {
        self.flight.seen.as_ref().is_some_and(|seen| {
            let lease = seen.record.lease;
            seen.record.fence == self.flight.fence
                && lease.is_some_and(|lease| lease.holder == self.holder)
        })
    }

    /// What to do about the record that was seen.
    fn decide(&mut self, view: &View, started: Now, at: Context, events: &mut Vec<Event>) -> Step {
        self.flight.phase = Phase::Looking;
        let Some(seen) = &self.flight.seen else {
            return self.without_store(view, at.now);
        };
        let (record, store) = (&seen.record, seen.store.now);
        let patience = self.patience_with_others(view, at.now);
        if view.purpose == Purpose::Token {
            if let Some(step) = adopted(record, view, store, started, at) {
                return step;
            }
            let refused_for = record.refused_for_ms(store);
            if let Some(refusal) = record.refusal.filter(|_| refused_for > 0) {
                return self.refused(refusal.status, refused_for, view, at.now);
            }
            let leased_for = record.leased_for_ms(self.holder, store);
            if leased_for > 0 && view.is_enough {
                return self.keep(calm_look_again(view, at), at.now);
            }
            if leased_for > 0 && patience > 0 {
                return self.pause(patience.min(leased_for + 1), at, events);
            }
        }
        if patience <= 0 {
            return self.go_alone(at.now);
        }
        if self.is_too_slow() {
            self.failed(self.too_slow(), at.now, at, events);
            return self.without_store(view, at.now);
        }
        self.take(view, at.now)
    }

    /// For how long somebody else's exchange is still waited for. Not positive: no longer.
    fn patience_with_others(&self, view: &View, now: Now) -> i64 {
        let began = self.flight.began;
        let deadline = view.deadline.map(|at| at.saturating_sub(began));
        let passed = now.mono_ms.saturating_sub(began);
        policy::wait_for_others(deadline, self.share()) - passed
    }

    /// Another number in [0, 1] in each process.
    fn share(&self) -> f64 {
        self.holder as f64 / u64::MAX as f64
    }

    fn keep(&mut self, for_ms: i64, now: Now) -> Step {
        self.look_at = now.mono_ms.saturating_add(for_ms);
        Step::Keep
    }

    fn refused(&mut self, status: Status, for_ms: i64, view: &View, now: Now) -> Step {
        if view.is_enough {
            return self.keep(for_ms, now);
        }
        Step::Refuse(told_by_others(status).retry_after(for_ms))
    }

    /// Somebody else is getting a token.
    fn pause(&mut self, most_ms: i64, at: Context, events: &mut Vec<Event>) -> Step {
        if self.flight.looks == 0 {
            events.push(Event::OthersAtIt);
        }
        self.flight.looks += 1;
        let ms = policy::look_again(self.flight.looks, at.random).min(most_ms);
        Step::Do(StoreTask::Pause { ms })
    }

    /// The pause is over.
    pub(crate) fn paused(&mut self, view: &View, now: Now) -> Step {
        self.load(view, now)
    }

    /// Takes the lease.
    fn take(&mut self, view: &View, now: Now) -> Step {
        let (Some(limit_ms), Some(seen)) = (self.limit(view, now), &self.flight.seen) else {
            return self.without_store(view, now);
        };
        let mut record = seen.record.clone();
        record.fence = self.next_fence(seen, now);
        record.lease = Some(Lease {
            holder: self.holder,
            until: seen.store_at(now).plus(policy::LEASE),
        });
        let swap = self.replacement(record, seen, true, now);
        self.swaps += 1;
        self.flight.fence = swap.record.fence;
        self.flight.phase = Phase::Taking;
        Step::Do(StoreTask::Swap { swap, limit_ms })
    }

    fn next_fence(&self, seen: &Seen, now: Now) -> u64 {
        let clock = seen.store_at(now).wall_ms.max(0).unsigned_abs();
        seen.record.fence.saturating_add(1).max(clock)
    }

    /// The lease could not be swapped in: nothing keeps others from an exchange, but they need not
    /// make one if the token can be offered to them.
    fn unleased(&mut self, view: &View, now: Now) -> Step {
        match self.patience(view, now) {
            Some(patience) => self.keep_for(patience, now),
            None => self.go_alone(now),
        }
    }

    /// Others take too long: an exchange without their leave, whose token is offered to them.
    fn go_alone(&mut self, now: Now) -> Step {
        self.flight.fence = match &self.flight.seen {
            Some(seen) => self.next_fence(seen, now),
            None => 0,
        };
        self.flight.phase = Phase::Exchanging { leased: false };
        Step::Exchange
    }

    /// The store fails: the token at hand is kept for a while, and then things go on as if there
    /// were no store.
    fn without_store(&mut self, view: &View, now: Now) -> Step {
        if let Some(patience) = self.patience(view, now) {
            return self.keep_for(patience, now);
        }
        self.flight.fence = 0;
        self.flight.seen = None;
        self.flight.phase = Phase::Exchanging { leased: false };
        Step::Exchange
    }

    /// How long the token at hand may be kept without a store; `None`: no longer.
    fn patience(&self, view: &View, now: Now) -> Option<i64> {
        let set = view.set.as_ref().filter(|_| view.is_enough)?;
        let (left, usable) = (now.until(set.validity().expires), set.usable_for_ms(now));
        let lifetime = set.validity().lifetime_ms;
        let patience = policy::patience(left, usable, lifetime, self.timeout_ms, self.share());
        (patience > 0).then_some(patience)
    }

    fn keep_for(&mut self, patience: i64, now: Now) -> Step {
        let closed_for = self.closed_until.saturating_sub(now.mono_ms).max(0);
        self.keep(patience.min(closed_for), now)
    }

    /// A record was to be swapped in. `started`: before the store was asked.
    pub(crate) fn swapped(
        &mut self,
        result: Result<bool, Error>,
        swap: Swap,
        view: &View,
        started: Now,
        at: Context,
        events: &mut Vec<Event>,
    ) -> Step {
        let is_offer = matches!(self.flight.phase, Phase::Offering(_));
        match result {
            Ok(true) => {
                self.spend(started, at.now);
                self.succeeded(true, events);
                self.is_there(swap);
                if is_offer { Step::Over } else { self.leased() }
            }
            // Somebody else was quicker.
            Ok(false) => {
                self.spend(started, at.now);
                self.succeeded(true, events);
                match is_offer {
                    true => self.look_at_offer(),
                    false => self.outrun(view, at, events),
                }
            }
            // It may be there all the same, if there is time to look.
            Err(error) => {
                self.swap_fails = true;
                self.failed(error, started, at, events);
                if is_offer {
                    return self.look_at_offer();
                }
                self.flight.phase = Phase::Unsure;
                self.load(view, at.now)
            }
        }
    }

    /// An offer may not be there. The exchange was made, so there is no other, whatever the
    /// store does now.
    fn look_at_offer(&self) -> Step {
        match self.offer_limit() {
            Some(limit_ms) if self.is_worth_another_offer() => {
                Step::Do(StoreTask::Load { limit_ms })
            }
            _ => Step::Over,
        }
    }

    /// Somebody else was quicker, and is getting a token, most likely. A store that says so each
    /// time, since it loads from another place than it swaps in, is as good as none.
    fn outrun(&mut self, view: &View, at: Context, events: &mut Vec<Event>) -> Step {
        if let Some(patience) = self.patience(view, at.now) {
            return self.keep(calm_look_again(view, at).min(patience), at.now);
        }
        self.flight.conflicts += 1;
        if self.flight.conflicts >= MOST_CONFLICTS {
            return self.go_alone(at.now);
        }
        self.pause(i64::MAX, at, events)
    }

    fn leased(&mut self) -> Step {
        self.flight.phase = Phase::Exchanging { leased: true };
        Step::Exchange
    }

    /// A record of ours is in the store.
    fn is_there(&mut self, swap: Swap) {
        self.newest = self.newest.max(swap.record.fence);
        if let Some(seen) = &mut self.flight.seen {
            seen.version = swap.version;
            seen.record = swap.record;
        }
        self.withdraw_in_seen();
    }

    /// A record was swapped in for a client that was freed meanwhile.
    pub(crate) fn swapped_for_nothing(&mut self, result: &Result<bool, Error>, swap: Swap) {
        if let (Ok(true), Phase::Taking) = (result, &self.flight.phase) {
            self.is_there(swap);
            self.leased();
        }
    }

    // --- After an exchange ---

    /// The token that was granted, as this process sees it: it looks for the next one a little
    /// after that is due, as all do. A refresh token works once, and is of no use to those who
    /// share.
    pub(crate) fn token_set(&self, access: &str, validity: Validity, at: Context) -> TokenSet {
        let spread = policy::look_delay(validity.lifetime_ms, policy::second_draw(at.random));
        let validity = Validity {
            renew_at: validity.renew_at.plus(spread),
            ..validity
        };
        TokenSet::new(access, None, validity).with_fence(self.flight.fence)
    }

    /// An exchange is over: the others are told of it, if there is a store, and somebody to tell.
    pub(crate) fn exchanged(&mut self, report: &Report, at: Context) -> Step {
        let Phase::Exchanging { leased } = self.flight.phase else {
            return Step::Over;
        };
        let Some(seen) = &self.flight.seen else {
            return Step::Over;
        };
        // Whatever it took to get the lease, there is half the time to tell the others.
        self.flight.spent_ms = self.flight.spent_ms.min(self.timeout_ms / 2);
        let mut offer = Offer {
            token: None,
            replaces: false,
            refusal: None,
            times: 0,
            at: at.now,
        };
        match report {
            Report::Granted { set, sent } => {
                let token = self.shared_token(set, seen.store_at(*sent), at);
                offer.token = Some(Arc::new(token));
                let record = &seen.record;
                let old = record.token.as_ref();
                offer.replaces = old.is_some_and(|old| old.fence <= record.withdrawn);
            }
            Report::Refused(refused) if leased => {
                let for_ms = self.refusal_ms(refused, seen, at);
                offer.refusal = Some((refused.error.status, for_ms));
            }
            Report::Failed if leased => {}
            Report::Refused(_) | Report::Failed => return Step::Over,
        }
        self.offer(offer, at.now)
    }

    /// Whether the store works, so that they can be told.
    pub(crate) fn tells_others(&self) -> bool {
        self.flight.seen.is_some()
    }

    /// The flight ends here, though it may hold the lease: that is given back.
    pub(crate) fn abandon(&mut self, report: &Report, at: Context) -> Option<StoreTask> {
        match self.exchanged(report, at) {
            Step::Do(task) if self.outlives_client => Some(task),
            _ => None,
        }
    }

    fn shared_token(&self, set: &TokenSet, sent: Now, at: Context) -> SharedToken {
        let lifetime_ms = set.validity().lifetime_ms;
        let validity = policy::validity(lifetime_ms, sent, at);
        SharedToken {
            fence: self.flight.fence,
            access_token: Secret::new(set.access_token()),
            lifetime_ms,
            renew_at: validity.renew_at,
            expires: validity.expires,
        }
    }

    /// How long nobody should ask api.video. A proxy or a sign-in page on the way of one process
    /// may ask to wait too: that must not stop the others for long.
    fn refusal_ms(&self, refused: &Refused, seen: &Seen, at: Context) -> i64 {
        let error = &refused.error;
        let count = in_a_row(&seen.record, error.status);
        match error.status {
            Status::KeyRejected => policy::key_probe(count.saturating_add(1), at.random),
            _ => {
                let asked = asked_delay(error).unwrap_or(policy::clamp_retry_after(0));
                asked.min(policy::longest_shared_wait(refused.own_words))
            }
        }
    }

    fn offer(&mut self, offer: Offer, now: Now) -> Step {
        let (Some(limit_ms), Some(seen)) = (self.offer_limit(), &self.flight.seen) else {
            return Step::Over;
        };
        let mut record = seen.record.clone();
        record.fence = record.fence.max(self.flight.fence);
        let others = record.leased_for_ms(self.holder, seen.store_at(now)) > 0;
        record.lease = record.lease.filter(|_| others);
        if let Some(token) = &offer.token {
            record.token = Some(Arc::clone(token));
            record.refusal = None;
            if offer.replaces {
                record.replaced_at = Some(seen.store_at(offer.at));
            }
        }
        if let Some((status, for_ms)) = offer.refusal {
            let count = in_a_row(&record, status);
            record.refusal = Some(Refusal {
                status,
                until: seen.store_at(offer.at).plus(for_ms),
                count: count.saturating_add(1),
            });
        }
        let swap = self.replacement(record, seen, false, now);
        self.swaps += 1;
        self.flight.phase = Phase::Offering(Offer {
            times: offer.times + 1,
            ..offer
        });
        Step::Do(StoreTask::Swap { swap, limit_ms })
    }

    fn replacement(&self, record: Record, seen: &Seen, is_lease: bool, now: Now) -> Box<Swap> {
        Box::new(Swap {
            expected: seen.version,
            version: self.next_version(),
            keep_ms: record.useful_for_ms(seen.store_at(now)),
            record,
            is_lease,
        })
    }

    /// A version that no other record has, not even one of a past that was restored: 63 bits of
    /// chance, from the name of this process, which is chance, and a count. What is in the store
    /// may be anything: nothing is built on it.
    fn next_version(&self) -> u64 {
        (chance(self.holder, self.swaps) >> 1).max(1)
    }

    /// A lease that somebody else has taken over need not be given back.
    fn is_worth_another_offer(&self) -> bool {
        match &self.flight.phase {
            Phase::Offering(offer) => offer.token.is_some() && offer.times < MOST_OFFERS,
            _ => false,
        }
    }

    /// The fence decides: a newer token stays, and a rejected one does not come back.
    fn offer_again(&mut self, now: Now) -> Step {
        let (Phase::Offering(offer), Some(seen)) = (&self.flight.phase, &self.flight.seen) else {
            return Step::Over;
        };
        let ours = offer.token.as_ref().map_or(0, |token| token.fence);
        let theirs = seen.record.token.as_ref().map_or(0, |token| token.fence);
        if ours <= theirs || ours <= seen.record.withdrawn {
            return Step::Over;
        }
        let offer = offer.clone();
        self.offer(offer, now)
    }

    // --- A store that fails ---

    fn limit(&self, view: &View, now: Now) -> Option<i64> {
        let usable = view.set.as_ref().filter(|_| view.is_usable);
        let usable = usable.map(|set| set.usable_for_ms(now));
        policy::store_limit(self.timeout_ms, self.flight.spent_ms, usable)
    }

    /// For the others, who do not know when the token here ends.
    fn offer_limit(&self) -> Option<i64> {
        policy::store_limit(self.timeout_ms, self.flight.spent_ms, None)
    }

    fn spend(&mut self, started: Now, now: Now) {
        let took = now.mono_ms.saturating_sub(started.mono_ms).max(0);
        self.flight.spent_ms = self.flight.spent_ms.saturating_add(took);
    }

    /// Most of the time for all its operations is spent: a lease could hardly be swapped in.
    fn is_too_slow(&self) -> bool {
        self.flight.spent_ms > self.timeout_ms / 4 * 3
    }

    fn too_slow(&self) -> Error {
        let (spent, limit) = (self.flight.spent_ms, self.timeout_ms);
        Error::new(
            Status::Timeout,
            format!("Its answers took {spent} ms, of the {limit} ms that there are for all of it."),
        )
    }

    /// An operation succeeded. Who can only load from a store still cannot use it, nor can who has
    /// no time for more.
    fn succeeded(&mut self, is_swap: bool, events: &mut Vec<Event>) {
        if (self.swap_fails || self.is_too_slow()) && !is_swap {
            return;
        }
        if self.failures > 0 {
            events.push(Event::StoreWorks);
        }
        self.failures = 0;
        self.swap_fails = false;
        self.closed_until = i64::MIN;
    }

    fn failed(&mut self, error: Error, started: Now, at: Context, events: &mut Vec<Event>) {
        if self.failures == 0 {
            events.push(Event::StoreFailed(error));
        }
        self.failures = self.failures.saturating_add(1);
        self.failures_ever += 1;
        self.spend(started, at.now);
        let retry = policy::store_retry(self.failures, at.random);
        self.closed_until = at.now.mono_ms.saturating_add(retry);
    }
}

impl Flight {
    fn new(began: i64) -> Flight {
        Flight {
            began,
            looks: 0,
            conflicts: 0,
            spent_ms: 0,
            fence: 0,
            seen: None,
            phase: Phase::Looking,
        }
    }
}

/// The token in the store, if it is newer than the one at hand, and better. Without one at hand it
/// may be due: whoever reads it then sees to that.
fn adopted(record: &Record, view: &View, store: Now, started: Now, at: Context) -> Option<Step> {
    let token = record.good_token(store)?;
    let set = token.token_set(store, started, policy::second_draw(at.random));
    let better = match &view.set {
        None => true,
        Some(held) if held.fence() == 0 => held.access_token() != set.access_token(),
        Some(held) => held.fence() < token.fence,
    };
    let longer = !view.is_usable
        || view.set.as_ref().is_none_or(|held| {
            held.usable_for_ms(at.now) < set.usable_for_ms(at.now) && !set.is_due(at.now)
        });
    let replaced_at = record.replaced_at.filter(|_| record.withdrawn > 0);
    let ago = replaced_at.map(|moment| moment.until(store).max(0));
    let replaced_at = ago.map(|ago| started.mono_ms.saturating_sub(ago));
    (better && longer && set.is_usable(at.now)).then(|| Step::Adopt {
        set: Arc::new(set),
        replaced_at,
    })
}

/// The `count`th of the random numbers that come of a seed (SplitMix64).
fn chance(seed: u64, count: u64) -> u64 {
    let step = count.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = seed.wrapping_add(step);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// While the token at hand is good: the delay to the next look at the store.
fn calm_look_again(view: &View, at: Context) -> i64 {
    let lifetime = |set: &Arc<TokenSet>| set.validity().lifetime_ms;
    policy::calm_look_again(view.set.as_ref().map_or(0, lifetime), at.random)
}

/// How often api.video refused for this reason in a row.
fn in_a_row(record: &Record, status: Status) -> u32 {
    let same = record.refusal.filter(|refusal| refusal.status == status);
    same.map_or(0, |refusal| refusal.count)
}

fn told_by_others(status: Status) -> Error {
    let what = match status {
        Status::KeyRejected => {
            "refused the API key; check it, and that it belongs to this environment"
        }
        Status::RateLimited => "asks to slow down",
        _ => "asks for time",
    };
    Error::new(
        status,
        format!("api.video {what} (as another process was told that shares the token)."),
    )
}

#[cfg(test)]
#[path = "tests/model.rs"]
mod model;
