//! The life of a token, told by tests: each is one promise of README's table of guarantees.

use super::simulator::{Got, HOUR, MINUTE, Mode, SECOND, Simulator};
use crate::cache::events::{Event, TokenState};
use crate::cache::policy;
use crate::cache::statistics::Statistics;
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::clock::Context;
use crate::error::Status;

const DAY: i64 = 24 * HOUR;

/// A client with a fresh token of an hour.
fn with_token() -> Simulator {
    let mut sim = Simulator::new(1, 1, false);
    sim.token(0);
    sim
}

/// A client whose token has passed its renewal point.
fn with_due_token() -> Simulator {
    let mut sim = with_token();
    sim.pass(50 * MINUTE);
    sim
}

// --- Expiry ---

#[test]
fn expiry_counts_from_the_request_not_from_the_reply() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.latency_ms = 20 * SECOND;
    let sent = sim.now;
    let token = sim.token(0);
    assert_eq!(token.usable_for_ms(sent), HOUR - 30 * SECOND);
}

#[test]
fn a_token_that_arrives_expired_is_an_error_and_not_a_hot_loop() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.lifetime_ms = SECOND;
    sim.server.latency_ms = 2 * SECOND;
    let completion = sim.get(0).completion();
    sim.pass(6 * SECOND);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::ProtocolError);
    assert_eq!(sim.requests(), 3, "a clock might have been set");
    assert_eq!(
        sim.get(0).error().status,
        Status::ProtocolError,
        "backoff holds"
    );
}

#[test]
fn a_clock_that_is_set_during_an_exchange_costs_another_exchange_and_no_error() {
    for days in [-1, 1] {
        let mut sim = Simulator::new(1, 1, false);
        let completion = sim.get(0).completion();
        sim.pass(10);
        sim.set_wall(days * DAY);
        sim.pass(SECOND);
        let token = sim.answer(0, completion).unwrap().unwrap();
        assert!(token.is_usable(sim.now));
        assert_eq!(sim.requests(), if days > 0 { 2 } else { 1 }, "{days}");
        assert_eq!(sim.clients[0].state.statistics(sim.now).failures, 0);
        sim.get(0).token();
    }
}

#[test]
fn a_clock_that_is_set_again_and_again_makes_no_hot_loop() {
    let mut sim = Simulator::new(1, 1, false);
    let completion = sim.get(0).completion();
    for _ in 0..3 {
        sim.pass(10);
        sim.set_wall(DAY);
        sim.pass(40);
    }
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::ProtocolError);
    assert_eq!(sim.requests(), 3);
}

#[test]
fn a_machine_that_sleeps_during_an_exchange_makes_another_and_no_error() {
    let mut sim = Simulator::new(1, 1, false);
    let patient = TokenRequest {
        deadline_ms: sim.now.mono_ms + DAY,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(0, patient).completion();
    sim.pass(10);
    sim.suspend(2 * HOUR);
    sim.pass(SECOND);
    assert!(sim.answer(0, completion).unwrap().is_ok());
    assert_eq!(sim.requests(), 2);
    assert_eq!(sim.clients[0].state.statistics(sim.now).failures, 0);
}

#[test]
fn a_refresh_whose_token_has_expired_on_its_way_is_made_again_with_the_refresh_token_that_came() {
    let mut sim = Simulator::new(1, 1, false);
    sim.token(0);
    sim.server.lifetime_ms = SECOND;
    sim.server.latency_ms = 2 * SECOND;
    let refresh = sim.token_request(Purpose::Refresh);
    let completion = sim.ask(0, refresh).completion();
    sim.pass(SECOND);
    sim.server.latency_ms = 10;
    sim.pass(2 * SECOND);
    assert!(sim.answer(0, completion).unwrap().is_ok());
    assert_eq!(sim.refreshes(), 2);
}

#[test]
fn a_clock_that_is_set_during_a_renewal_brings_no_withdrawn_token_back() {
    let mut sim = with_due_token();
    let rejected = sim.get(0).token();
    sim.pass(10);
    sim.invalidate(0, &rejected).unwrap();
    sim.set_wall(DAY);
    sim.pass(SECOND);
    assert_eq!(sim.refreshes(), 1);
    assert!(!std::sync::Arc::ptr_eq(&sim.get(0).token(), &rejected));
}

#[test]
fn a_refresh_token_that_comes_back_unspent_is_of_no_use_once_its_access_token_is_withdrawn() {
    let mut sim = with_due_token();
    sim.server.mode = Mode::Limited(None);
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    sim.pass(SECOND);
    sim.server.mode = Mode::Up;
    sim.pass(10 * SECOND);
    sim.token(0);
    assert_eq!(sim.refreshes(), 1, "then the API key");
}

#[test]
fn renewal_points_of_a_fleet_are_spread_evenly() {
    let mut sim = Simulator::new(7, 1_000, false);
    let mut tenths = [0; 10];
    for c in 0..1_000 {
        let sent = sim.now;
        let token = sim.token(c);
        let due = token.due_in_ms(sent) as f64 / HOUR as f64;
        assert!((0.70..0.80).contains(&due), "{due}");
        tenths[((due - 0.70) * 100.0) as usize] += 1;
    }
    // Of 1,000 draws over ten equal parts each holds 100, give or take four standard deviations of
    // 9.5.
    assert!(tenths.iter().all(|n| (62..=138).contains(n)), "{tenths:?}");
}

#[test]
fn a_token_of_one_second_makes_no_hot_loop() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.lifetime_ms = SECOND;
    sim.server.latency_ms = 10;
    for _ in 0..10_000 {
        sim.get(0);
        sim.pass(10);
    }
    // 100 seconds: one exchange each 0.9 s, and no more.
    assert!(sim.requests() <= 115, "{}", sim.requests());
}

// --- Renewal ---

#[test]
fn a_due_token_is_served_while_it_is_renewed_ahead_of_time() {
    let mut sim = with_due_token();
    sim.server.mode = Mode::Hang;
    let old = sim.get(0).token();
    for _ in 0..9 {
        sim.pass(SECOND);
        assert!(std::sync::Arc::ptr_eq(&sim.get(0).token(), &old));
    }
    assert_eq!(sim.requests(), 2, "one exchange, whatever it takes");
}

#[test]
fn without_keep_fresh_nothing_happens_while_nobody_reads() {
    let mut sim = with_token();
    sim.pass(DAY);
    assert_eq!(sim.requests(), 1);
}

#[test]
fn keep_fresh_renews_what_nobody_reads() {
    let mut sim = Simulator::new(1, 1, true);
    sim.token(0);
    sim.pass(DAY);
    assert!((30..=35).contains(&sim.refreshes()), "{}", sim.refreshes());
    sim.get(0).token();
}

#[test]
fn keep_fresh_rides_out_an_outage_longer_than_the_token_and_replaces_a_rejected_one() {
    let mut sim = Simulator::new(1, 1, true);
    let token = sim.token(0);
    sim.server.mode = Mode::Refused;
    sim.pass(3 * HOUR);
    assert!(sim.read(0).is_none());
    sim.server.mode = Mode::Up;
    sim.pass(6 * SECOND);
    let next = sim.get(0).token();
    assert!(!std::sync::Arc::ptr_eq(&token, &next));
    sim.invalidate(0, &next).unwrap();
    sim.pass(SECOND);
    sim.get(0).token();
}

#[test]
fn keep_fresh_tries_again_within_5_seconds_of_the_tokens_end() {
    for seed in 0..20 {
        let mut sim = Simulator::new(seed, 1, true);
        let token = sim.token(0);
        sim.server.mode = Mode::Refused;
        let end = sim.now.mono_ms + token.usable_for_ms(sim.now);
        sim.pass(HOUR);
        let soon = |(at, _): &(i64, bool)| (end..=end + 5 * SECOND).contains(at);
        assert!(sim.server.requests.iter().any(soon), "seed {seed}");
    }
}

// --- Single flight ---

#[test]
fn ten_thousand_cold_callers_make_one_request_even_if_half_give_up() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.latency_ms = 5 * SECOND;
    let deadline = |i: i64| if i % 2 == 0 { SECOND } else { 30 * SECOND };
    let completions: Vec<u64> = (0..10_000)
        .map(|i| {
            let request = TokenRequest {
                deadline_ms: sim.now.mono_ms + deadline(i),
                ..sim.token_request(Purpose::Token)
            };
            sim.ask(0, request).completion()
        })
        .collect();
    sim.pass(SECOND);
    for (i, completion) in completions.iter().enumerate() {
        match (i % 2, sim.answer(0, *completion)) {
            (0, Some(Err(error))) => assert_eq!(error.status, Status::Timeout),
            (1, None) => {}
            (_, answer) => panic!("{i}: {answer:?}"),
        }
    }
    let timeouts = sim.clients[0].state.statistics(sim.now).timeouts;
    assert_eq!(timeouts, 5_000);
    sim.pass(4 * SECOND);
    for completion in completions.iter().skip(1).step_by(2) {
        sim.answer(0, *completion).unwrap().unwrap();
    }
    assert_eq!(sim.requests(), 1);
}

#[test]
fn all_callers_share_a_flights_error() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Broken;
    let completions: Vec<u64> = (0..100).map(|_| sim.get(0).completion()).collect();
    sim.pass(SECOND);
    for completion in completions {
        let error = sim.answer(0, completion).unwrap().unwrap_err();
        assert_eq!(error.status, Status::ServerError);
        assert!(error.retry_after_ms.is_some());
    }
    assert_eq!(sim.requests(), 1);
}

#[test]
fn explicit_calls_take_turns_with_the_flight_and_join_their_own_kind() {
    let mut sim = with_token();
    // No alarm starts the next flight: that is for the one before it to do.
    let untimed = |sim: &Simulator, purpose| TokenRequest {
        needs_timer: false,
        ..sim.token_request(purpose)
    };
    let refresh = sim.ask(0, untimed(&sim, Purpose::Refresh)).completion();
    let authenticate = sim
        .ask(0, untimed(&sim, Purpose::Authenticate))
        .completion();
    let joined = sim
        .ask(0, untimed(&sim, Purpose::Authenticate))
        .completion();
    sim.pass(SECOND);
    let first = sim.answer(0, refresh).unwrap().unwrap();
    let second = sim.answer(0, authenticate).unwrap().unwrap();
    let third = sim.answer(0, joined).unwrap().unwrap();
    assert!(!std::sync::Arc::ptr_eq(&first, &second));
    assert!(std::sync::Arc::ptr_eq(&second, &third));
    assert_eq!((sim.requests(), sim.refreshes()), (3, 1));
}

// --- Order: refresh token, API key ---

#[test]
fn renewal_uses_the_refresh_token_and_each_only_once() {
    let mut sim = with_due_token();
    for _ in 0..10 {
        sim.get(0).token();
        sim.pass(50 * MINUTE);
    }
    assert_eq!((sim.requests(), sim.refreshes()), (11, 10));
}

#[test]
fn a_rejected_refresh_token_is_followed_by_the_key_at_once_in_the_same_flight() {
    let mut sim = with_due_token();
    sim.server.revoke_refresh_token();
    sim.get(0).token();
    sim.pass(2 * sim.server.latency_ms);
    assert_eq!((sim.requests(), sim.refreshes()), (3, 1));
    assert!(!sim.get(0).token().is_due(sim.now));
    let failed = |e: &Event| matches!(e, Event::Failed { .. });
    assert!(
        !sim.clients[0].events.iter().any(failed),
        "routine, not an error"
    );
}

#[test]
fn a_refresh_token_whose_reply_was_lost_is_spent() {
    // The simulated server asserts that it never sees one twice.
    for mode in [Mode::Hang, Mode::LostReply, Mode::Broken] {
        let mut sim = with_due_token();
        sim.server.mode = mode;
        sim.get(0).token();
        sim.pass(20 * SECOND);
        sim.server.mode = Mode::Up;
        for _ in 0..60 {
            sim.get(0).token();
            sim.pass(SECOND);
        }
        assert_eq!(sim.refreshes(), 1, "{mode:?}");
        assert!(!sim.get(0).token().is_due(sim.now), "{mode:?}");
    }
}

#[test]
fn a_refresh_token_that_was_never_sent_or_only_rate_limited_is_kept() {
    for mode in [Mode::Refused, Mode::Limited(Some(1_000))] {
        let mut sim = with_due_token();
        sim.server.mode = mode;
        sim.get(0).token();
        sim.pass(SECOND);
        sim.server.mode = Mode::Up;
        for _ in 0..60 {
            sim.get(0).token();
            sim.pass(SECOND);
        }
        assert!(!sim.get(0).token().is_due(sim.now), "{mode:?}");
        assert_eq!(
            sim.requests() - sim.refreshes(),
            1,
            "{mode:?}: no second use of the key"
        );
    }
}

#[test]
fn clients_that_share_a_key_soon_stop_wasting_refresh_calls() {
    const SEEDS: u64 = 20;
    let mut wasted_on_the_first_day = 0;
    for seed in 0..SEEDS {
        let mut sim = Simulator::new(seed, 3, false);
        let live_on = |sim: &mut Simulator, minutes| {
            for _ in 0..minutes {
                (0..3).for_each(|c| drop(sim.token(c)));
                sim.pass(MINUTE);
            }
            sim.server.refresh_rejections
        };
        let wasted = live_on(&mut sim, 24 * 60);
        wasted_on_the_first_day += wasted;
        // A client that happens to be the last to authenticate has a refresh that works, and starts
        // to count anew.
        assert!((3..=10).contains(&wasted), "seed {seed}: {wasted}");
        let probes = live_on(&mut sim, 26 * 60) - wasted;
        // One each when the day is over, and one that works may be followed by two that do not.
        assert!((1..=6).contains(&probes), "seed {seed}: {probes}");
    }
    let mean = wasted_on_the_first_day as f64 / SEEDS as f64;
    assert!((5.0..7.0).contains(&mean), "two for each client: {mean}");
}

#[test]
fn the_day_without_refresh_tokens_is_over_to_the_millisecond() {
    for (early, refreshes) in [(1, 2), (0, 3)] {
        let mut sim = with_due_token();
        for _ in 0..2 {
            sim.server.revoke_refresh_token();
            sim.get(0).token();
            sim.pass(50 * MINUTE);
        }
        let (second_refresh, _) = sim.server.requests[3];
        let over = second_refresh + sim.server.latency_ms + DAY;
        sim.pass(over - early - sim.now.mono_ms);
        sim.get(0).completion();
        assert_eq!(sim.refreshes(), refreshes);
    }
}

#[test]
fn two_rejections_with_a_success_between_them_are_no_contention() {
    let mut sim = with_due_token();
    for _ in 0..5 {
        sim.server.revoke_refresh_token();
        sim.get(0).token();
        sim.pass(50 * MINUTE);
        sim.get(0).token();
        sim.pass(50 * MINUTE);
    }
    // Each round one that is rejected and one that is not.
    assert_eq!(sim.refreshes(), 10);
}

#[test]
fn a_busy_server_that_names_a_time_is_not_asked_with_the_key_before() {
    let mut sim = with_due_token();
    sim.server.mode = Mode::Busy(20_000);
    sim.get(0).token();
    sim.pass(19 * SECOND);
    sim.get(0).token();
    assert_eq!(sim.requests(), 2);
    sim.server.mode = Mode::Up;
    sim.pass(2 * SECOND);
    sim.get(0).token();
    sim.pass(SECOND);
    assert_eq!((sim.requests(), sim.refreshes()), (3, 1));
}

// --- Failures ---

#[test]
fn a_12_minute_outage_with_a_valid_token_fails_no_read_and_takes_at_most_50_attempts() {
    const READS: usize = 12 * 60 * 4;
    let mut attempts = Vec::new();
    for (seed, mode) in (0..200).flat_map(|s| [(s, Mode::Refused), (s, Mode::Broken)]) {
        let mut sim = Simulator::new(seed, 1, false);
        sim.token(0);
        sim.pass(47 * MINUTE);
        sim.server.mode = mode;
        let before = sim.requests();
        for _ in 0..READS {
            sim.get(0).token();
            sim.pass(SECOND / 4);
        }
        let made = sim.requests() - before;
        assert!((20..=50).contains(&made), "seed {seed}, {mode:?}: {made}");
        attempts.push(made);
    }
    let (least, most) = (
        attempts.iter().min().unwrap(),
        attempts.iter().max().unwrap(),
    );
    let reads = READS * attempts.len();
    println!("{least} to {most} attempts, 0 of {reads} reads failed");
}

#[test]
fn after_an_outage_of_hours_a_token_comes_within_5_seconds() {
    for seed in 0..100 {
        let mut sim = Simulator::new(seed, 1, false);
        sim.token(0);
        sim.server.mode = Mode::Refused;
        for _ in 0..4 * 60 * 12 {
            sim.get(0);
            sim.pass(5 * SECOND);
        }
        sim.server.mode = Mode::Up;
        let latest = sim.now.mono_ms + 5 * SECOND + 200;
        while !matches!(sim.get(0), Got::Now(Ok(_))) {
            sim.pass(10);
            assert!(sim.now.mono_ms <= latest, "seed {seed}");
        }
    }
}

#[test]
fn without_a_token_a_try_is_made_each_2_and_a_half_to_5_seconds() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Refused;
    for _ in 0..36_000 {
        sim.get(0);
        sim.pass(SECOND / 10);
    }
    assert!(
        (720..=1_450).contains(&sim.requests()),
        "{}",
        sim.requests()
    );
}

#[test]
fn without_a_valid_token_the_last_error_comes_at_once_and_says_when_to_retry() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Broken;
    let completion = sim.get(0).completion();
    sim.pass(sim.server.latency_ms);
    let first = sim.answer(0, completion).unwrap().unwrap_err();
    let wait = i64::try_from(first.retry_after_ms.unwrap()).unwrap();
    assert!((100..=200).contains(&wait), "{wait}");
    sim.pass(wait - 1);
    let cached = sim.get(0).error();
    assert_eq!(
        (cached.status, cached.retry_after_ms),
        (Status::ServerError, Some(1))
    );
    sim.pass(1);
    sim.get(0).completion();
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_patient_caller_waits_for_recovery_and_not_beyond_its_deadline() {
    let wait_for_recovery = |sim: &Simulator| TokenRequest {
        wait_for_recovery: true,
        ..sim.token_request(Purpose::Token)
    };
    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Refused;
    let completion = sim.ask(0, wait_for_recovery(&sim)).completion();
    sim.pass(20 * SECOND);
    assert!(sim.answer(0, completion).is_none(), "still waiting");
    sim.server.mode = Mode::Up;
    sim.pass(6 * SECOND);
    sim.answer(0, completion).unwrap().unwrap();

    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Refused;
    let completion = sim.ask(0, wait_for_recovery(&sim)).completion();
    sim.pass(30 * SECOND);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(
        error.status,
        Status::NetworkError,
        "no later try would be in time"
    );
}

#[test]
fn a_patient_caller_whose_deadline_is_the_next_try_is_told_at_once() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Refused;
    let completion = sim.get(0).completion();
    sim.pass(0);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    let next_try = i64::try_from(error.retry_after_ms.unwrap()).unwrap();
    let wait_for_recovery = |sim: &Simulator, ms| TokenRequest {
        wait_for_recovery: true,
        deadline_ms: sim.now.mono_ms + ms,
        ..sim.token_request(Purpose::Token)
    };
    sim.ask(0, wait_for_recovery(&sim, next_try)).error();
    sim.ask(0, wait_for_recovery(&sim, next_try + 1))
        .completion();
}

#[test]
fn not_even_a_patient_caller_waits_for_a_rejected_key() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.key_works = false;
    let wait_for_recovery = |sim: &Simulator| TokenRequest {
        wait_for_recovery: true,
        deadline_ms: sim.now.mono_ms + HOUR,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(0, wait_for_recovery(&sim)).completion();
    sim.pass(SECOND);
    let first = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(first.status, Status::KeyRejected);
    assert_eq!(
        sim.ask(0, wait_for_recovery(&sim)).error().status,
        Status::KeyRejected
    );
}

#[test]
fn retry_after_is_honoured_and_clamped() {
    for (asked, at_least, at_most) in [
        (Some(7_000), 7_000, 7_000),
        (Some(0), 1_000, 1_000),
        (Some(86_400_000), 600_000, 600_000),
        (None, 100, 200),
    ] {
        let mut sim = Simulator::new(1, 1, false);
        sim.server.mode = Mode::Limited(asked);
        let completion = sim.get(0).completion();
        sim.pass(sim.server.latency_ms);
        let error = sim.answer(0, completion).unwrap().unwrap_err();
        let wait = i64::try_from(error.retry_after_ms.unwrap()).unwrap();
        assert!((at_least..=at_most).contains(&wait), "{asked:?}: {wait}");
    }
}

#[test]
fn a_rejected_key_is_probed_for_ever_and_its_valid_token_served_to_the_end() {
    let mut sim = with_due_token();
    sim.server.key_works = false;
    sim.server.revoke_refresh_token();
    let token = sim.get(0).token();
    let mut served = 0;
    while token.is_usable(sim.now) {
        sim.get(0).token();
        sim.pass(SECOND);
        served += 1;
    }
    assert!(served > 500, "{served}");
    assert_eq!(sim.get(0).error().status, Status::KeyRejected);
    let before = sim.requests();
    for _ in 0..10 * 60 {
        sim.get(0);
        sim.pass(SECOND * 6);
    }
    let probes = sim.requests() - before;
    assert!(
        (10..=18).contains(&probes),
        "an hour of probes every 4 to 5 minutes: {probes}"
    );
    sim.server.key_works = true;
    sim.pass(5 * MINUTE);
    sim.token(0);
}

// --- 401 from the API ---

#[test]
fn a_thousand_401s_for_one_token_cost_one_exchange_and_a_late_one_none() {
    let mut sim = with_token();
    let rejected = sim.get(0).token();
    for _ in 0..1_000 {
        sim.invalidate(0, &rejected).unwrap();
    }
    let completions: Vec<u64> = (0..1_000).map(|_| sim.get(0).completion()).collect();
    sim.pass(SECOND);
    for completion in completions {
        sim.answer(0, completion).unwrap().unwrap();
    }
    assert_eq!(
        (sim.requests(), sim.refreshes()),
        (2, 0),
        "with the key, not the refresh token"
    );
    sim.invalidate(0, &rejected).unwrap();
    sim.get(0).token();
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_token_rejected_while_it_is_refreshed_is_not_the_one_on_trial() {
    let mut sim = with_due_token();
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    sim.pass(SECOND);
    assert_eq!(
        (sim.requests(), sim.refreshes()),
        (2, 1),
        "the refresh was under way"
    );
    let refreshed = sim.get(0).token();
    sim.invalidate(0, &refreshed).unwrap();
    let replacement = sim.token(0);
    assert_eq!((sim.requests(), sim.refreshes()), (3, 1), "now the key");
    let error = sim.invalidate(0, &replacement).unwrap_err();
    assert_eq!(error.status, Status::TokenRejected);
}

#[test]
fn a_replacement_is_on_trial_for_a_minute() {
    let mut sim = with_token();
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    let replacement = sim.token(0);
    let error = sim.invalidate(0, &replacement).unwrap_err();
    let left = i64::try_from(error.retry_after_ms.unwrap()).unwrap();
    assert_eq!(left, MINUTE - sim.server.latency_ms);
    sim.pass(left - 1);
    sim.invalidate(0, &replacement).unwrap_err();
    sim.pass(1);
    sim.invalidate(0, &replacement).unwrap();
}

#[test]
fn an_api_that_always_answers_401_costs_one_exchange_a_minute() {
    for lifetime in [HOUR, 3 * SECOND] {
        let mut sim = Simulator::new(1, 1, false);
        sim.server.lifetime_ms = lifetime;
        let mut refused = 0;
        for _ in 0..60 * 60 {
            let token = sim.token(0);
            if let Err(error) = sim.invalidate(0, &token) {
                assert_eq!(error.status, Status::TokenRejected);
                assert!(error.retry_after_ms.unwrap() <= 60_000);
                refused += 1;
            }
            sim.pass(SECOND);
        }
        let minted = sim.requests() - sim.refreshes();
        assert!(minted <= 62, "{minted} in an hour");
        assert!(refused > 3_000);
    }
}

// --- Minimum validity ---

#[test]
fn minimum_validity_renews_and_too_much_is_refused() {
    let asking = |sim: &Simulator, ms| TokenRequest {
        min_validity_ms: ms,
        ..sim.token_request(Purpose::Token)
    };
    let mut sim = with_token();
    sim.pass(40 * MINUTE);
    let completion = sim.ask(0, asking(&sim, 50 * MINUTE)).completion();
    sim.pass(SECOND);
    let token = sim.answer(0, completion).unwrap().unwrap();
    assert!(token.usable_for_ms(sim.now) >= 50 * MINUTE);
    let error = sim.ask(0, asking(&sim, 2 * HOUR)).error();
    assert_eq!(error.status, Status::InvalidArgument);
    assert!(error.message.contains("min_validity_ms"));
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_minimum_validity_that_cannot_be_had_now_is_not_asked_for_again_at_once() {
    let mut sim = with_token();
    sim.pass(10 * MINUTE);
    sim.server.mode = Mode::Refused;
    let longer = |sim: &Simulator| TokenRequest {
        min_validity_ms: 55 * MINUTE,
        ..sim.token_request(Purpose::Token)
    };
    sim.ask(0, longer(&sim)).completion();
    sim.pass(0);
    assert_eq!(
        sim.ask(0, longer(&sim)).error().status,
        Status::NetworkError
    );
}

#[test]
fn the_longest_minimum_validity_in_a_loop_makes_no_hot_loop() {
    let mut sim = with_token();
    for _ in 0..3_600 {
        let request = TokenRequest {
            min_validity_ms: policy::longest_min_validity(HOUR),
            ..sim.token_request(Purpose::Token)
        };
        assert!(!matches!(sim.ask(0, request), Got::Now(Err(_))));
        sim.pass(SECOND);
    }
    assert!(sim.requests() <= 125, "one each 30 s: {}", sim.requests());
}

#[test]
fn a_server_whose_tokens_are_shorter_than_asked_for_gives_an_error_not_a_loop() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.lifetime_ms = 10 * MINUTE;
    let request = TokenRequest {
        min_validity_ms: 20 * MINUTE,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(0, request).completion();
    sim.pass(SECOND);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
    sim.get(0).token();
    assert_eq!(sim.requests(), 1);
}

// --- Clocks ---

#[test]
fn a_suspended_machine_and_a_stepped_clock_never_serve_an_expired_token() {
    type Case = (&'static str, fn(&mut Simulator));
    let cases: [Case; 4] = [
        ("suspended for two hours", |sim| sim.suspend(2 * HOUR)),
        ("wall clock set a day forward", |sim| sim.set_wall(DAY)),
        ("suspended, then the wall clock set back", |sim| {
            sim.suspend(2 * HOUR);
            sim.set_wall(-DAY);
        }),
        (
            "a paused virtual machine: only the wall clock moves",
            |sim| sim.set_wall(2 * HOUR),
        ),
    ];
    for (name, happen) in cases {
        let mut sim = with_token();
        happen(&mut sim);
        sim.get(0).completion();
        sim.pass(SECOND);
        sim.get(0).token();
        assert_eq!(sim.requests(), 2, "{name}");
    }
}

#[test]
fn a_wall_clock_set_back_changes_nothing() {
    let mut sim = with_token();
    sim.set_wall(-DAY);
    sim.get(0).token();
    sim.pass(59 * MINUTE + 31 * SECOND);
    assert!(sim.read(0).is_none(), "the monotonic clock knows");
}

// --- Fork ---

#[test]
fn a_forked_child_reads_its_parents_token_and_never_sends_its_refresh_token() {
    let mut sim = with_due_token();
    let child = sim.fork(0, false);
    sim.get(child).token();
    sim.pass(SECOND);
    assert!(
        !sim.get(child).token().is_due(sim.now),
        "it renewed on its own"
    );
    assert_eq!((sim.requests(), sim.refreshes()), (2, 0), "with the key");
    let refused = sim.ask(child, sim.token_request(Purpose::Refresh));
    assert!(
        matches!(refused, Got::Later(_)),
        "its own refresh token it may send"
    );
}

#[test]
fn a_forked_child_has_no_refresh_token_of_its_own_at_first() {
    let mut sim = with_token();
    let child = sim.fork(0, false);
    let error = sim.ask(child, sim.token_request(Purpose::Refresh)).error();
    assert_eq!(error.status, Status::NoRefreshToken);
}

// --- Explicit calls ---

#[test]
fn a_refused_explicit_refresh_is_an_error_and_leaves_the_token() {
    let mut sim = with_token();
    sim.server.revoke_refresh_token();
    let completion = sim.ask(0, sim.token_request(Purpose::Refresh)).completion();
    sim.pass(SECOND);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::RefreshRejected);
    sim.get(0).token();
    let again = sim.ask(0, sim.token_request(Purpose::Refresh)).error();
    assert_eq!(again.status, Status::NoRefreshToken);
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_caller_of_get_token_is_not_given_an_explicit_refreshs_error() {
    let mut sim = with_token();
    sim.pass(2 * HOUR);
    sim.server.revoke_refresh_token();
    let refresh = sim.ask(0, sim.token_request(Purpose::Refresh)).completion();
    let get = sim.get(0).completion();
    sim.pass(SECOND);
    let error = sim.answer(0, refresh).unwrap().unwrap_err();
    assert_eq!(error.status, Status::RefreshRejected);
    sim.answer(0, get).unwrap().unwrap();
}

#[test]
fn an_explicit_authentication_does_not_wait_for_the_backoff() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.key_works = false;
    sim.get(0).completion();
    sim.pass(SECOND);
    sim.server.key_works = true;
    let completion = sim
        .ask(0, sim.token_request(Purpose::Authenticate))
        .completion();
    sim.pass(SECOND);
    sim.answer(0, completion).unwrap().unwrap();
    sim.get(0).token();
}

#[test]
fn a_failed_explicit_call_says_when_to_retry_within_bounds() {
    let mut sim = with_token();
    sim.server.mode = Mode::Limited(Some(86_400_000));
    let completion = sim
        .ask(0, sim.token_request(Purpose::Authenticate))
        .completion();
    sim.pass(SECOND);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.retry_after_ms, Some(600_000));
}

// --- Statistics ---

#[test]
fn each_exchange_and_what_became_of_it_is_counted() {
    let mut sim = with_due_token();
    sim.server.revoke_refresh_token();
    sim.get(0).token();
    sim.pass(SECOND);
    let token = sim.get(0).token();
    sim.invalidate(0, &token).unwrap();
    sim.server.key_works = false;
    let completion = sim.get(0).completion();
    sim.pass(sim.server.latency_ms);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    let expected = Statistics {
        authenticate_requests: 3,
        refresh_requests: 1,
        tokens_granted: 2,
        refresh_rejections: 1,
        key_rejections: 1,
        invalidations: 1,
        consecutive_failures: 1,
        retry_in_ms: error.retry_after_ms.unwrap(),
        ..Statistics::default()
    };
    assert_eq!(sim.clients[0].state.statistics(sim.now), expected);
}

#[test]
fn a_lost_refresh_and_the_key_after_it_are_two_failures() {
    let mut sim = with_due_token();
    sim.server.mode = Mode::LostReply;
    sim.get(0).token();
    sim.pass(SECOND);
    assert_eq!(sim.clients[0].state.statistics(sim.now).failures, 2);
}

#[test]
fn who_waits_and_what_for_is_counted_while_it_lasts() {
    let mut sim = Simulator::new(1, 1, false);
    sim.get(0).completion();
    sim.get(0).completion();
    let meanwhile = sim.clients[0].state.statistics(sim.now);
    assert_eq!((meanwhile.waiters, meanwhile.exchanges_in_flight), (2, 1));
    sim.pass(SECOND);
    let after = sim.clients[0].state.statistics(sim.now);
    assert_eq!((after.waiters, after.exchanges_in_flight), (0, 0));
}

#[test]
fn who_gives_up_is_counted_once() {
    let mut sim = Simulator::new(1, 1, false);
    let (now, request) = (sim.now, sim.token_request(Purpose::Token));
    let state = &mut sim.clients[0].state;
    let id = state.wait(request, 1, now);
    state.give_up(id, now);
    state.give_up(id, now);
    let counted = state.statistics(now);
    assert_eq!((counted.waiters, counted.timeouts), (0, 1));
}

// --- Closing, states ---

#[test]
fn closing_answers_who_waits_and_drops_a_reply_that_comes_later() {
    let mut sim = Simulator::new(1, 1, false);
    let completion = sim.get(0).completion();
    sim.clients[0].state.close();
    let late = sim.ask(0, sim.token_request(Purpose::Token)).error();
    assert_eq!(late.status, Status::Closed);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Closed);
    sim.pass(HOUR);
    assert!(sim.clients[0].published.is_none());
    assert_eq!(sim.requests(), 1);
}

#[test]
fn a_flight_that_has_not_taken_off_when_the_client_closes_sends_nothing() {
    let mut sim = Simulator::new(1, 1, false);
    let (now, request) = (sim.now, sim.token_request(Purpose::Token));
    let state = &mut sim.clients[0].state;
    state.wait(request, 1, now);
    state.close();
    assert!(state.next_task(Context { now, random: 0.5 }).is_none());
}

#[test]
fn a_failed_call_of_the_programs_own_does_not_touch_a_fresh_token() {
    let mut sim = with_token();
    sim.server.mode = Mode::Broken;
    let completion = sim
        .ask(0, sim.token_request(Purpose::Authenticate))
        .completion();
    sim.pass(SECOND);
    sim.answer(0, completion).unwrap().unwrap_err();
    let told = |e: &Event| matches!(e, Event::StateChanged(TokenState::RenewalFailing));
    assert!(!sim.clients[0].events.iter().any(told));
    assert_eq!(sim.clients[0].state.statistics(sim.now).failures, 1);
}

#[test]
fn failures_of_both_kinds_count_as_consecutive() {
    let mut sim = Simulator::new(1, 1, false);
    sim.server.mode = Mode::Broken;
    sim.get(0).completion();
    sim.pass(SECOND);
    sim.server.mode = Mode::Up;
    sim.server.key_works = false;
    sim.get(0).completion();
    sim.pass(SECOND);
    let statistics = sim.clients[0].state.statistics(sim.now);
    assert_eq!((statistics.failures, statistics.key_rejections), (1, 1));
    assert_eq!(statistics.consecutive_failures, 2);
}

#[test]
fn each_state_is_told_once_in_order() {
    let mut sim = Simulator::new(1, 1, false);
    let token = sim.token(0);
    sim.invalidate(0, &token).unwrap();
    sim.token(0);
    sim.pass(50 * MINUTE);
    sim.server.mode = Mode::Refused;
    sim.get(0).token();
    sim.pass(2 * HOUR);
    sim.get(0);
    sim.server.mode = Mode::Up;
    sim.pass(10 * SECOND);
    sim.token(0);
    sim.pass(2 * HOUR);
    sim.get(0);
    let told: Vec<TokenState> = sim.clients[0]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StateChanged(state) => Some(*state),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            TokenState::Valid,
            TokenState::Rejected,
            TokenState::Valid,
            TokenState::RenewalFailing,
            TokenState::Unavailable,
            TokenState::Valid,
            TokenState::Expired,
        ]
    );
}

#[test]
fn a_flight_that_cannot_start_is_a_failure_like_any_other() {
    let mut sim = with_due_token();
    let now = sim.now;
    let state = &mut sim.clients[0].state;
    state.renew_if_due(now);
    assert!(state.take_effects(now).launch);
    let no_thread = crate::error::Error::new(Status::SystemError, "no thread");
    let random = 0.5;
    state.flight_failed(no_thread, Context { now, random });
    assert!(!state.take_effects(now).launch);
    assert_eq!(state.statistics(now).failures, 1);
    sim.get(0).token();
    sim.pass(SECOND);
    sim.get(0).token();
    sim.pass(SECOND);
    assert!(
        !sim.get(0).token().is_due(sim.now),
        "tried again, and renewed"
    );
}
