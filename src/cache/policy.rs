//! When: every number that decides the life of a token, and the few formulas over them.
//!
//! Times are milliseconds. `random` is a random number in [0, 1).

use crate::clock::{Context, Now};
use crate::token::Validity;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The life of a token whose reply names none.
pub(crate) const DEFAULT_LIFETIME: i64 = HOUR;
/// No token is believed to live longer.
pub(crate) const MAX_LIFETIME: i64 = 24 * HOUR;

/// Two rejected refresh tokens in a row: somebody else uses the key, so do without refresh tokens
/// this long.
pub(crate) const CONTENTION: i64 = 24 * HOUR;
/// How many rejections in a row tell that somebody else uses the key.
pub(crate) const CONTENTION_REJECTIONS: u32 = 2;
/// A replacement of a rejected token that is rejected this early is not replaced again.
pub(crate) const REPLACEMENT_TRIAL: i64 = MINUTE;

/// How often an exchange is made once more at once, if its token seems to have expired on its way.
pub(crate) const MOST_REPEATS: u8 = 2;

/// While a valid token is at hand, a failed renewal is tried again within this time.
pub(crate) const CALM_CAP: i64 = 30 * SECOND;
/// Once no valid token is at hand, within this time.
pub(crate) const URGENT_CAP: i64 = 5 * SECOND;

const BACKOFF_BASE: i64 = 200;
const KEY_PROBE_FIRST: i64 = 30 * SECOND;
const KEY_PROBE_CAP: i64 = 4 * MINUTE;
pub(crate) const RETRY_AFTER_MIN: i64 = SECOND;
pub(crate) const RETRY_AFTER_MAX: i64 = 600 * SECOND;

/// Of those that share a token, one gets it for all: the others let it for this long.
pub(crate) const LEASE: i64 = 5 * SECOND;
/// A store's clock may go back by this without anything that is read by it being impossible.
pub(crate) const CLOCK_TOLERANCE: i64 = SECOND;
/// Without a token, nobody waits longer for somebody else's exchange.
const LONGEST_WAIT_FOR_OTHERS: i64 = 12 * SECOND;
/// Nor gives up sooner: an exchange may take that long, and all would make their own.
const SHORTEST_WAIT_FOR_OTHERS: i64 = 400;
/// Meanwhile the store is looked at again within this time, at first.
const LOOK_FIRST: i64 = 20;
/// And later on.
const LOOK_CAP: i64 = 250;
/// While its token is good, a process looks again for another's within this time.
const CALM_LOOK_CAP: i64 = SECOND;
/// And all of them spread over this time, at least.
const LOOK_SPREAD: i64 = SECOND;
/// A store that fails is asked again within this time.
const STORE_RETRY_CAP: i64 = 30 * SECOND;
/// An exchange's time, kept in reserve for doing without a store.
const EXCHANGE_RESERVE: i64 = 10 * SECOND;
/// The least time for an operation of a store.
const LEAST_STORE_TIME: i64 = 50;

/// Renewing ahead of time never makes more than one exchange in this time.
const RENEWAL_FLOOR: i64 = SECOND;

/// From the request to the renewal point: 70 to 80 % of the life, so that a fleet started together
/// spreads out.
fn renewal_delay(lifetime: i64, random: f64) -> i64 {
    scale(lifetime, 0.70 + 0.10 * random).max(RENEWAL_FLOOR)
}

/// When a token of this life stops being good. It counts from the moment that its request was sent.
pub(crate) fn validity(lifetime_ms: i64, sent: Now, at: Context) -> Validity {
    Validity {
        lifetime_ms,
        renew_at: sent.plus(renewal_delay(lifetime_ms, at.random)),
        usable_until: sent.plus(lifetime_ms - expiry_margin(lifetime_ms)),
        expires: sent.plus(lifetime_ms),
    }
}

/// How long before its end a token is no longer handed out: what is on its way must still arrive.
pub(crate) fn expiry_margin(lifetime: i64) -> i64 {
    (lifetime / 10).min(30 * SECOND)
}

/// The longest validity a caller may ask for: what a token still gives when it is another expiry
/// margin old.
///
/// So a token younger than that serves every request that is accepted, and no caller can make one
/// exchange after another.
pub(crate) fn longest_min_validity(lifetime: i64) -> i64 {
    lifetime - 2 * expiry_margin(lifetime)
}

/// After the `failures`th failure in a row (from 1): the delay to the next try, which never exceeds
/// `cap`.
///
/// Exponential, with jitter over the upper half.
pub(crate) fn backoff(failures: u32, cap: i64, random: f64) -> i64 {
    let grown = BACKOFF_BASE.saturating_mul(1 << failures.saturating_sub(1).min(20));
    jitter(grown.min(cap), random)
}

/// After the `rejections`th rejection of the key in a row (from 1): the delay to the next probe, 30
/// seconds at first and 5 minutes at most.
pub(crate) fn key_probe(rejections: u32, random: f64) -> i64 {
    let grown = KEY_PROBE_FIRST.saturating_mul(1 << rejections.saturating_sub(1).min(10));
    scale(grown.min(KEY_PROBE_CAP), 1.0 + 0.25 * random)
}

/// After the `looks`th look at a store (from 1), without a token: the delay to the next.
pub(crate) fn look_again(looks: u32, random: f64) -> i64 {
    let grown = LOOK_FIRST.saturating_mul(1 << looks.saturating_sub(1).min(10));
    jitter(grown.min(LOOK_CAP), random).max(LOOK_FIRST / 2)
}

/// While a token of this life is good and another process gets the next: the delay to the next
/// look.
pub(crate) fn calm_look_again(lifetime: i64, random: f64) -> i64 {
    jitter((lifetime / 20).clamp(LOOK_FIRST, CALM_LOOK_CAP), random)
}

/// How long somebody else's exchange is waited for, from the beginning of a flight whose first
/// caller waits until `deadline` after it: an exchange of its own must still come in time. The more
/// of `share`, which lies in [0, 1] and is another in each process, the longer: not all give up at
/// once.
pub(crate) fn wait_for_others(deadline: Option<i64>, share: f64) -> i64 {
    let most = deadline.map_or(LONGEST_WAIT_FOR_OTHERS, |deadline| {
        let reserved = deadline.saturating_sub(EXCHANGE_RESERVE);
        reserved.max(deadline / 2).min(LONGEST_WAIT_FOR_OTHERS)
    });
    scale(most, 0.75 + 0.25 * share).max(SHORTEST_WAIT_FOR_OTHERS)
}

/// How long after a shared token is due a process looks for the next: usually one is there. Tokens
/// of a few seconds have more of their lives for that, or many processes would look in one moment.
pub(crate) fn look_delay(lifetime: i64, random: f64) -> i64 {
    let spread = (lifetime / 100).max(LOOK_SPREAD.min(lifetime / 20));
    scale(spread, random)
}

/// After the `failures`th failure of a store in a row (from 1): the delay to the next try.
pub(crate) fn store_retry(failures: u32, random: f64) -> i64 {
    backoff(failures.saturating_add(2), STORE_RETRY_CAP, random)
}

/// How long a token is kept, while its store fails, before its process goes on alone: until 85 to
/// 89 % of its life, but not so long that an exchange might come too late. `timeout`: the store's.
/// A token of seconds has no time for both at their slowest: then a tenth of its life is left.
pub(crate) fn patience(left: i64, usable: i64, lifetime: i64, timeout: i64, random: f64) -> i64 {
    let by_share = left - scale(lifetime, 0.15 - 0.04 * random);
    let reserved = (timeout + EXCHANGE_RESERVE).min(lifetime / 10);
    by_share.min(usable - reserved)
}

/// The time for an operation of a store: less for a token that ends soon, `None` if that is too
/// little. `spent`: what others of the flight have taken already.
pub(crate) fn store_limit(timeout: i64, spent: i64, usable: Option<i64>) -> Option<i64> {
    let most = usable.map_or(timeout, |usable| {
        timeout.min((usable / 3).max(LEAST_STORE_TIME))
    });
    let limit = most - spent;
    (limit >= LEAST_STORE_TIME.min(timeout)).then_some(limit)
}

/// A second random number out of one, of which the first draw shows little.
pub(crate) fn second_draw(random: f64) -> f64 {
    (random * 65_536.0).fract()
}

/// What a server's Retry-After, in milliseconds, is taken for.
pub(crate) fn clamp_retry_after(asked: i64) -> i64 {
    asked.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

/// For how long one process's order to wait stops all that share its token.
pub(crate) fn longest_shared_wait(own_words: bool) -> i64 {
    if own_words {
        RETRY_AFTER_MAX
    } else {
        URGENT_CAP
    }
}

/// Spreads `ms` over [ms/2, ms): in the mean three quarters of it.
fn jitter(ms: i64, random: f64) -> i64 {
    scale(ms, 0.5 + 0.5 * random)
}

fn scale(ms: i64, factor: f64) -> i64 {
    (ms as f64 * factor) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 0.999_999];

    #[test]
    fn renewal_is_drawn_between_70_and_80_percent() {
        assert_eq!(renewal_delay(HOUR, 0.0), 2_520_000);
        assert_eq!(renewal_delay(HOUR, 0.5), 2_700_000);
        assert!((2_879_990..2_880_000).contains(&renewal_delay(HOUR, 0.999_999)));
    }

    #[test]
    fn a_validity_counts_from_the_request() {
        let sent = Now {
            wall_ms: 1_700_000_000_000,
            mono_ms: 7_000,
        };
        let at = Context {
            now: sent.plus(20_000),
            random: 0.5,
        };
        let expected = Validity {
            lifetime_ms: HOUR,
            renew_at: sent.plus(2_700_000),
            usable_until: sent.plus(3_570_000),
            expires: sent.plus(HOUR),
        };
        assert_eq!(validity(HOUR, sent, at), expected);
    }

    #[test]
    fn tiny_lives_do_not_make_a_hot_loop() {
        assert_eq!(renewal_delay(SECOND, 0.0), SECOND);
    }

    #[test]
    fn the_expiry_margin_is_a_tenth_and_30_seconds_at_most() {
        assert_eq!(expiry_margin(3 * SECOND), 300);
        assert_eq!(expiry_margin(HOUR), 30 * SECOND);
        assert_eq!(longest_min_validity(HOUR), 3540 * SECOND);
        assert_eq!(longest_min_validity(3 * SECOND), 2_400);
    }

    #[test]
    fn backoff_doubles_from_200_ms_to_its_cap() {
        for cap in [CALM_CAP, URGENT_CAP] {
            for draw in DRAWS {
                for failures in 1..40u32 {
                    let ceiling = (200.0 * 2f64.powi(failures as i32 - 1)).min(cap as f64);
                    let delay = backoff(failures, cap, draw) as f64;
                    let range = (ceiling / 2.0).floor()..=ceiling;
                    assert!(range.contains(&delay), "{failures} {draw} {delay}");
                }
            }
        }
    }

    #[test]
    fn key_probes_grow_from_30_seconds_to_5_minutes() {
        for draw in DRAWS {
            assert!((30_000..=37_500).contains(&key_probe(1, draw)));
            assert!((60_000..=75_000).contains(&key_probe(2, draw)));
            assert!((240_000..=300_000).contains(&key_probe(1_000, draw)));
        }
    }

    #[test]
    fn a_store_is_looked_at_again_after_20_to_250_ms() {
        for draw in DRAWS {
            assert!((10..=20).contains(&look_again(1, draw)));
            assert!((20..=40).contains(&look_again(2, draw)));
            assert!((125..=250).contains(&look_again(30, draw)));
            assert!((500..=1_000).contains(&calm_look_again(HOUR, draw)));
            assert!((100..=200).contains(&calm_look_again(4 * SECOND, draw)));
            assert!((0..=36_000).contains(&look_delay(HOUR, draw)));
            assert!((0..=1_000).contains(&look_delay(MINUTE, draw)));
            assert!((0..=500).contains(&look_delay(10 * SECOND, draw)));
            assert!((400..=800).contains(&store_retry(1, draw)));
            assert!((15_000..=30_000).contains(&store_retry(u32::MAX, draw)));
        }
    }

    #[test]
    fn others_are_waited_for_as_long_as_leaves_time_for_an_exchange() {
        assert_eq!(wait_for_others(None, 1.0), 12_000);
        assert_eq!(wait_for_others(None, 0.0), 9_000, "not all at once");
        assert_eq!(wait_for_others(Some(60_000), 1.0), 12_000);
        assert_eq!(wait_for_others(Some(21_000), 1.0), 11_000);
        assert_eq!(wait_for_others(Some(3_000), 1.0), 1_500);
        assert_eq!(wait_for_others(Some(3_000), 0.0), 1_125);
        for soon in [0, 10, -5_000] {
            assert_eq!(wait_for_others(Some(soon), 0.5), 400);
        }
    }

    #[test]
    fn a_token_is_kept_without_its_store_until_85_to_89_percent_of_an_hour() {
        let patience_after =
            |age, draw| patience(HOUR - age, HOUR - 30_000 - age, HOUR, 1_000, draw);
        assert_eq!(patience_after(HOUR / 100 * 85, 0.0), 0);
        assert!((0..=1).contains(&patience_after(HOUR / 100 * 89, 1.0)));
        assert_eq!(patience_after(0, 0.0), HOUR / 100 * 85);
        let minute = patience(MINUTE, MINUTE - 6_000, MINUTE, 1_000, 0.0);
        assert_eq!(minute, 48_000, "an exchange must still come in time");
        let of_seconds = patience(2_500, 1_500, 10 * SECOND, 1_000, 0.0);
        assert_eq!(of_seconds, 500, "a tenth of its life is left for one");
    }

    #[test]
    fn a_stores_operations_have_less_time_when_the_token_ends_and_when_others_took_it() {
        assert_eq!(store_limit(1_000, 0, None), Some(1_000));
        assert_eq!(store_limit(1_000, 0, Some(HOUR)), Some(1_000));
        assert_eq!(store_limit(1_000, 0, Some(900)), Some(300));
        assert_eq!(store_limit(1_000, 0, Some(-5)), Some(50));
        assert_eq!(store_limit(1_000, 900, None), Some(100));
        assert_eq!(store_limit(1_000, 1_000, None), None);
        assert_eq!(store_limit(10, 0, None), Some(10));
    }

    #[test]
    fn a_second_draw_is_another() {
        for draw in DRAWS {
            assert!((0.0..1.0).contains(&second_draw(draw)));
        }
        assert!((second_draw(0.123_456) - 0.123_456).abs() > 0.01);
    }

    #[test]
    fn retry_after_is_clamped_to_1_and_600_seconds() {
        assert_eq!(clamp_retry_after(i64::MIN), SECOND);
        assert_eq!(clamp_retry_after(7 * SECOND), 7 * SECOND);
        assert_eq!(clamp_retry_after(i64::MAX), 600 * SECOND);
    }
}
