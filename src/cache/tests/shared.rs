//! One token for many processes, told by tests: each client is a process of its own.

use std::collections::HashMap;
use std::sync::Arc;

use super::simulator::{Got, HOUR, MINUTE, Mode, SECOND, Simulator};
use super::store::Mode as StoreMode;
use crate::cache::events::Event;
use crate::cache::policy;
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::error::{Error, Status};
use crate::token::TokenSet;

fn fleet(processes: usize) -> Simulator {
    Simulator::with_store(7, processes, false)
}

/// Processes that all have the same token.
fn fleet_with_token(processes: usize) -> Simulator {
    let mut sim = fleet(processes);
    (0..processes).for_each(|c| drop(sim.token(c)));
    assert_eq!(sim.requests(), 1);
    sim
}

/// Everybody asks at once; what each got, and how long the last waited.
fn ask_all(sim: &mut Simulator) -> (Vec<Result<Arc<TokenSet>, Error>>, i64) {
    let start = sim.now.mono_ms;
    let processes = 0..sim.clients.len();
    let asked: Vec<(usize, Got)> = processes.map(|c| (c, sim.get(c))).collect();
    let mut answers = HashMap::new();
    let mut waiting = Vec::new();
    for (c, got) in asked {
        match got {
            Got::Now(answer) => drop(answers.insert(c, answer)),
            Got::Later(completion) => waiting.push((c, completion)),
        }
    }
    let mut last = start;
    while !waiting.is_empty() {
        sim.pass(1);
        waiting.retain(|&(c, completion)| {
            let answer = sim.answer(c, completion);
            let waits = answer.is_none();
            if let Some(answer) = answer {
                answers.insert(c, answer);
                last = sim.now.mono_ms;
            }
            waits
        });
    }
    let mut answers: Vec<_> = answers.into_iter().collect();
    answers.sort_by_key(|(c, _)| *c);
    (answers.into_iter().map(|(_, a)| a).collect(), last - start)
}

/// Reads of every process, one each `each` ms, for `ms`.
fn read_all(sim: &mut Simulator, ms: i64, each: i64) {
    let end = sim.now.mono_ms + ms;
    while sim.now.mono_ms < end {
        for c in 0..sim.clients.len() {
            assert!(
                matches!(sim.get(c), Got::Now(Ok(_))),
                "a read failed or waited"
            );
        }
        sim.pass(each);
    }
}

fn keep_reading(sim: &mut Simulator, c: usize, ms: i64) {
    let end = sim.now.mono_ms + ms;
    while sim.now.mono_ms < end {
        sim.get(c).token();
        sim.pass(SECOND);
    }
}

fn statistics(sim: &Simulator, c: usize) -> crate::cache::statistics::Statistics {
    sim.clients[c].state.statistics(sim.now)
}

// --- Cold ---

#[test]
fn a_thousand_cold_processes_make_one_exchange_and_wait_little_longer_than_for_it() {
    let mut sim = fleet(1_000);
    sim.server.latency_ms = 200;
    let (answers, last) = ask_all(&mut sim);
    let texts: Vec<_> = answers
        .iter()
        .map(|a| a.as_ref().unwrap().access_token())
        .collect();
    assert!(texts.iter().all(|text| *text == "access-1"));
    assert_eq!(sim.requests(), 1);
    assert!(last <= 200 + 270, "the last waited {last} ms");
    let adopted: u64 = (0..1_000).map(|c| statistics(&sim, c).tokens_adopted).sum();
    assert_eq!(adopted, 999);
}

#[test]
fn a_process_that_starts_later_takes_the_token_that_is_there() {
    let mut sim = fleet(2);
    let first = sim.token(0);
    sim.pass(10 * MINUTE);
    let second = sim.token(1);
    assert_eq!(second.access_token(), first.access_token());
    assert_eq!(
        (sim.requests(), second.refresh_token().is_none()),
        (1, true)
    );
    let left = second.usable_for_ms(sim.now);
    assert!(left <= first.usable_for_ms(sim.now) && left > HOUR - 11 * MINUTE);
}

#[test]
fn a_refresh_token_is_kept_by_nobody() {
    let mut sim = fleet(1);
    assert!(sim.token(0).refresh_token().is_none());
    let error = sim.ask(0, sim.token_request(Purpose::Refresh)).error();
    assert_eq!(error.status, Status::NoRefreshToken);
    sim.pass(50 * MINUTE);
    sim.get(0).token();
    sim.pass(SECOND);
    assert_eq!((sim.requests(), sim.refreshes()), (2, 0));
}

#[test]
fn whoever_dies_while_it_gets_the_token_is_followed_when_its_lease_ends() {
    let mut sim = fleet(2);
    sim.server.latency_ms = SECOND;
    sim.get(0).completion();
    sim.pass(500);
    let start = sim.now.mono_ms;
    let completion = sim.get(1).completion();
    sim.crash(0, false);
    sim.pass(7 * SECOND);
    assert!(sim.answer(1, completion).unwrap().is_ok());
    let followed_after = sim.server.requests[1].0 - start;
    assert!(
        (4_500..=5_000).contains(&followed_after),
        "{followed_after}"
    );
}

#[test]
fn where_the_system_tells_of_deaths_the_next_one_follows_at_once() {
    let mut sim = fleet(2);
    sim.store.as_mut().unwrap().tells_of_deaths = true;
    sim.server.latency_ms = SECOND;
    sim.get(0).completion();
    sim.pass(500);
    let start = sim.now.mono_ms;
    sim.get(1).completion();
    sim.crash(0, false);
    sim.pass(2 * SECOND);
    let followed_after = sim.server.requests[1].0 - start;
    assert!(followed_after <= 250, "{followed_after}");
}

#[test]
fn whoever_was_stopped_too_long_does_not_displace_a_newer_token() {
    let mut sim = fleet(2);
    sim.get(0).completion();
    sim.pass(20);
    sim.stop(0, 30 * SECOND);
    let newer = sim.token(1);
    sim.pass(MINUTE);
    assert_eq!(sim.requests(), 2);
    let store = sim.store.as_ref().unwrap();
    assert_eq!(store.published, [newer.fence()]);
    assert!(statistics(&sim, 0).tokens_granted == 1);
    assert!(
        sim.get(0).token().is_usable(sim.now),
        "its own is good, too"
    );
}

#[test]
fn nobody_waits_more_than_12_seconds_for_others() {
    let mut sim = fleet(4);
    sim.server.mode = Mode::Hang;
    let patient = TokenRequest {
        deadline_ms: sim.now.mono_ms + 10 * MINUTE,
        wait_for_recovery: true,
        ..sim.token_request(Purpose::Token)
    };
    for c in 0..4 {
        sim.ask(c, patient).completion();
    }
    sim.pass(13 * SECOND);
    let asked = sim.requests();
    assert_eq!(
        asked, 4,
        "one after another as leases end, and the last one alone"
    );
}

#[test]
fn whoever_has_little_time_does_not_spend_it_on_the_lease_of_a_dead_process() {
    let mut sim = fleet(2);
    sim.server.latency_ms = 200;
    sim.get(0).completion();
    sim.pass(100);
    let request = TokenRequest {
        deadline_ms: sim.now.mono_ms + 3 * SECOND,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(1, request).completion();
    sim.crash(0, false);
    sim.pass(2_200);
    assert!(sim.answer(1, completion).unwrap().is_ok());
}

#[test]
fn processes_that_began_together_do_not_give_up_together() {
    let mut sim = fleet(100);
    sim.server.latency_ms = 200;
    sim.get(0).completion();
    sim.pass(100);
    let request = TokenRequest {
        deadline_ms: sim.now.mono_ms + 5 * SECOND,
        ..sim.token_request(Purpose::Token)
    };
    let completions: Vec<_> = (1..100)
        .map(|c| (c, sim.ask(c, request).completion()))
        .collect();
    sim.crash(0, false);
    sim.pass(5 * SECOND);
    let answers = completions.into_iter().map(|(c, to)| sim.answer(c, to));
    assert!(answers.flatten().filter(Result::is_ok).count() == 99);
    assert!(sim.requests() < 60, "{}", sim.requests());
}

#[test]
fn a_long_request_gets_a_token_that_is_long_enough() {
    let mut sim = fleet_with_token(2);
    sim.pass(20 * MINUTE);
    let long = TokenRequest {
        min_validity_ms: 55 * MINUTE,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(0, long).completion();
    sim.pass(SECOND);
    let token = sim.answer(0, completion).unwrap().unwrap();
    assert!(token.usable_for_ms(sim.now) >= 55 * MINUTE);
    let completion = sim.ask(1, long).completion();
    sim.pass(SECOND);
    let same = sim.answer(1, completion).unwrap().unwrap();
    assert_eq!(same.access_token(), token.access_token());
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_cold_process_with_a_long_request_does_not_take_a_token_that_is_too_short() {
    let mut sim = fleet(2);
    sim.token(0);
    sim.pass(20 * MINUTE);
    let long = TokenRequest {
        min_validity_ms: 55 * MINUTE,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(1, long).completion();
    sim.pass(SECOND);
    let token = sim.answer(1, completion).unwrap().unwrap();
    assert!(token.usable_for_ms(sim.now) >= 55 * MINUTE);
}

#[test]
fn who_cannot_wait_until_the_store_has_the_token_gets_it_all_the_same() {
    let mut sim = fleet(1);
    let hasty = TokenRequest {
        deadline_ms: sim.now.mono_ms + 100,
        ..sim.token_request(Purpose::Token)
    };
    let completion = sim.ask(0, hasty).completion();
    sim.pass(30);
    sim.store.as_mut().unwrap().mode = StoreMode::Hang;
    sim.pass(80);
    assert!(sim.answer(0, completion).unwrap().is_ok());
    assert_eq!(statistics(&sim, 0).timeouts, 0);
}

// --- Renewal ---

#[test]
fn a_fleet_renews_as_often_as_one_process_alone_and_nobody_waits() {
    let mut sim = fleet_with_token(50);
    read_all(&mut sim, 10 * HOUR, 5 * SECOND);
    let mut alone = Simulator::new(7, 1, false);
    alone.token(0);
    read_all(&mut alone, 10 * HOUR, 5 * SECOND);
    let (fleets, ones) = (sim.requests(), alone.requests());
    assert!(
        fleets <= ones + 1,
        "{fleets} exchanges, {ones} of one process"
    );
    assert_eq!(statistics(&sim, 0).store_failures, 0);
}

#[test]
fn processes_that_come_and_go_make_no_more_exchanges_than_one_that_stays() {
    let mut sim = fleet(20);
    sim.server.lifetime_ms = 10 * SECOND;
    for round in 0..120 {
        for c in 0..20 {
            assert!(matches!(sim.get(c), Got::Now(Ok(_)) | Got::Later(_)));
        }
        sim.pass(500);
        sim.crash(round % 20, false);
    }
    // A token is due after 7 to 8 of its 10 seconds.
    assert!(sim.requests() <= 10, "{}", sim.requests());
}

#[test]
fn a_kept_fresh_fleet_renews_once_too() {
    let mut sim = Simulator::with_store(7, 10, true);
    let (answers, _) = ask_all(&mut sim);
    assert!(answers.iter().all(Result::is_ok));
    sim.pass(3 * HOUR);
    assert!(sim.requests() <= 5, "{}", sim.requests());
    for c in 0..10 {
        sim.get(c).token();
    }
}

#[test]
fn while_another_renews_the_token_at_hand_is_kept_and_the_store_hardly_asked() {
    let mut sim = fleet_with_token(2);
    sim.pass(49 * MINUTE);
    sim.server.latency_ms = 4 * SECOND;
    sim.get(0).token();
    sim.pass(100);
    let loads = sim.store.as_ref().unwrap().loads;
    for _ in 0..30 {
        sim.get(1).token();
        sim.pass(100);
    }
    let looks = sim.store.as_ref().unwrap().loads - loads;
    assert!((3..=7).contains(&looks), "{looks} looks in 3 seconds");
    assert_eq!(sim.requests(), 2);
}

// --- Rejections ---

#[test]
fn a_thousand_reports_of_one_401_cost_one_exchange() {
    let mut sim = fleet_with_token(1_000);
    sim.pass(2 * MINUTE);
    let held: Vec<_> = (0..1_000).map(|c| sim.get(c).token()).collect();
    for (c, token) in held.iter().enumerate() {
        sim.invalidate(c, token).unwrap();
    }
    let (answers, _) = ask_all(&mut sim);
    assert!(
        answers
            .iter()
            .all(|a| a.as_ref().unwrap().access_token() == "access-2")
    );
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_late_401_for_a_token_that_was_replaced_costs_nothing() {
    let mut sim = fleet_with_token(2);
    let old = sim.get(1).token();
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    let newer = sim.token(0);
    sim.pass(5 * MINUTE);
    sim.invalidate(1, &old).unwrap();
    assert_eq!(sim.token(1).access_token(), newer.access_token());
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_replacement_is_on_trial_for_the_whole_fleet() {
    let mut sim = fleet_with_token(2);
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    sim.token(0);
    sim.pass(10 * SECOND);
    let old = sim.get(1).token();
    sim.invalidate(1, &old).unwrap();
    let replacement = sim.token(1);
    let error = sim.invalidate(1, &replacement).unwrap_err();
    assert_eq!(error.status, Status::TokenRejected);
    let left = error.retry_after_ms.unwrap();
    assert!((49_000..=50_100).contains(&left), "{left}");
    sim.pass(51 * SECOND);
    sim.invalidate(1, &replacement).unwrap();
    assert_eq!(sim.token(1).access_token(), "access-3");
}

#[test]
fn a_rejected_token_does_not_come_back_from_who_was_stopped_while_it_got_it() {
    let mut sim = fleet(2);
    sim.get(0).completion();
    sim.pass(20);
    sim.stop(0, MINUTE);
    let second = sim.token(1);
    sim.pass(5 * SECOND);
    sim.invalidate(1, &second).unwrap();
    sim.server.mode = Mode::Refused;
    sim.ask(1, sim.token_request(Purpose::Token)).completion();
    sim.pass(2 * MINUTE);
    let store = sim.store.as_ref().unwrap();
    assert_eq!(store.published, [second.fence()]);
    assert_eq!(store.record().unwrap().withdrawn, second.fence());
}

#[test]
fn a_rejected_token_does_not_come_back_with_the_store_that_was_not_told() {
    let mut sim = fleet_with_token(1);
    let first = sim.get(0).token();
    sim.store.as_mut().unwrap().mode = StoreMode::Down;
    sim.invalidate(0, &first).unwrap();
    let alone = sim.token(0);
    assert_eq!(alone.fence(), 0);
    sim.pass(2 * MINUTE);
    sim.store.as_mut().unwrap().mode = StoreMode::Up;
    sim.invalidate(0, &alone).unwrap();
    assert_eq!(sim.token(0).access_token(), "access-3");
    let record = sim.store.as_ref().unwrap().record().unwrap();
    assert_eq!(record.withdrawn, first.fence());
}

#[test]
fn a_token_that_was_replaced_does_not_come_back_after_a_late_401() {
    let mut sim = fleet_with_token(1);
    let first = sim.get(0).token();
    sim.pass(50 * MINUTE);
    sim.store.as_mut().unwrap().mode = StoreMode::Down;
    sim.server.lifetime_ms = 2 * MINUTE;
    keep_reading(&mut sim, 0, 4 * MINUTE);
    let alone = sim.get(0).token();
    sim.invalidate(0, &first).unwrap();
    sim.store.as_mut().unwrap().mode = StoreMode::Up;
    sim.invalidate(0, &alone).unwrap();
    assert_ne!(sim.token(0).access_token(), first.access_token());
}

#[test]
fn a_token_that_is_rejected_while_others_are_told_of_it_is_given_to_nobody() {
    let mut sim = fleet(1);
    let completion = sim.get(0).completion();
    while sim.clients[0].published.is_none() {
        sim.pass(1);
    }
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    sim.pass(SECOND);
    let answer = sim.answer(0, completion).unwrap();
    assert_eq!(answer.unwrap().access_token(), "access-2");
}

#[test]
fn a_401_while_the_token_is_renewed_is_told_to_all() {
    let mut sim = fleet_with_token(2);
    sim.pass(49 * MINUTE);
    sim.server.latency_ms = SECOND;
    let rejected = sim.get(0).token();
    while sim.requests() == 1 {
        sim.pass(1);
    }
    sim.invalidate(0, &rejected).unwrap();
    sim.pass(2 * SECOND);
    let record = sim.store.as_ref().unwrap().record().unwrap();
    assert_eq!(record.withdrawn, rejected.fence());
    assert!(record.replaced_at.is_some(), "the trial is the fleet's");
}

#[test]
fn an_explicit_authentication_is_made_at_once_and_shared() {
    let mut sim = fleet_with_token(2);
    let completion = sim
        .ask(0, sim.token_request(Purpose::Authenticate))
        .completion();
    sim.pass(SECOND);
    assert_eq!(
        sim.answer(0, completion).unwrap().unwrap().access_token(),
        "access-2"
    );
    sim.crash(1, false);
    assert_eq!(sim.token(1).access_token(), "access-2");
}

// --- What api.video refuses ---

#[test]
fn what_api_video_asks_one_it_asks_all() {
    for (mode, status) in [
        (Mode::Limited(Some(20_000)), Status::RateLimited),
        (Mode::Busy(20_000), Status::ServerError),
    ] {
        let mut sim = fleet(3);
        sim.server.mode = mode;
        let completion = sim.get(0).completion();
        sim.pass(SECOND);
        assert_eq!(
            sim.answer(0, completion).unwrap().unwrap_err().status,
            status
        );
        for c in 1..3 {
            let completion = sim.get(c).completion();
            sim.pass(SECOND);
            let error = sim.answer(c, completion).unwrap().unwrap_err();
            assert_eq!(error.status, status);
            let left = error.retry_after_ms.unwrap();
            assert!((15_000..=20_000).contains(&left), "{left}");
        }
        assert_eq!(sim.requests(), 1);
        sim.server.mode = Mode::Up;
        sim.pass(21 * SECOND);
        sim.token(1);
        assert_eq!(sim.requests(), 2);
    }
}

#[test]
fn what_a_middlebox_asks_one_stops_the_others_for_seconds_only() {
    for mode in [Mode::Limited(Some(600_000)), Mode::Busy(600_000)] {
        let mut sim = fleet(2);
        (sim.server.mode, sim.server.own_words) = (mode, false);
        let completion = sim.get(0).completion();
        sim.pass(SECOND);
        let error = sim.answer(0, completion).unwrap().unwrap_err();
        assert!(error.retry_after_ms.unwrap() > 500_000, "it waits itself");
        sim.server.mode = Mode::Up;
        let completion = sim.get(1).completion();
        sim.pass(SECOND);
        assert!(sim.answer(1, completion).unwrap().is_err());
        sim.pass(5 * SECOND);
        sim.token(1);
    }
}

#[test]
fn a_rejected_key_is_probed_by_one_for_all_more_and_more_slowly() {
    let mut sim = fleet(5);
    sim.server.key_works = false;
    let mut last = Vec::new();
    for _ in 0..1_200 {
        for c in 0..5 {
            sim.get(c);
        }
        sim.pass(500);
    }
    for pair in sim.server.requests.windows(2) {
        last.push(pair[1].0 - pair[0].0);
    }
    assert!((3..=6).contains(&sim.requests()), "{last:?}");
    assert!(last[0] >= 30_000 && last[1] >= 60_000, "{last:?}");
}

#[test]
fn a_rejected_key_is_probed_soon_however_often_others_were_to_wait_before() {
    let mut sim = fleet(1);
    sim.server.mode = Mode::Limited(Some(1_000));
    for _ in 0..5 {
        sim.get(0).completion();
        sim.pass(10 * SECOND);
    }
    (sim.server.mode, sim.server.key_works) = (Mode::Up, false);
    let completion = sim.get(0).completion();
    sim.pass(SECOND);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::KeyRejected);
    let refusal = sim.store.as_ref().unwrap().record().unwrap().refusal;
    assert_eq!(refusal.unwrap().count, 1);
}

#[test]
fn what_is_wrong_with_one_processs_network_stays_there() {
    let mut sim = fleet(2);
    sim.server.mode = Mode::Refused;
    let completion = sim.get(0).completion();
    sim.pass(20);
    let error = sim.answer(0, completion).unwrap().unwrap_err();
    assert_eq!(error.status, Status::NetworkError);
    sim.server.mode = Mode::Up;
    let start = sim.now.mono_ms;
    sim.token(1);
    assert!(sim.now.mono_ms - start < 200, "the lease was given back");
}

#[test]
fn a_client_that_is_freed_gives_its_lease_back() {
    let mut sim = fleet(2);
    (sim.server.latency_ms, sim.server.mode) = (300, Mode::LostReply);
    sim.get(0).completion();
    sim.pass(100);
    sim.clients[0].state.close();
    sim.pass(250);
    let record = sim.store.as_ref().unwrap().record().unwrap();
    assert!(record.lease.is_none());
    sim.server.mode = Mode::Up;
    sim.token(1);
    assert_eq!(sim.requests(), 2);
}

#[test]
fn what_comes_for_a_client_that_was_freed_is_there_for_the_others() {
    let mut sim = fleet(2);
    sim.server.latency_ms = 300;
    sim.get(0).completion();
    sim.pass(100);
    sim.clients[0].state.close();
    sim.pass(250);
    assert!(sim.clients[0].published.is_none());
    let record = sim.store.as_ref().unwrap().record().unwrap();
    assert!(record.lease.is_none());
    sim.token(1);
    assert_eq!(sim.requests(), 1);
}

#[test]
fn a_client_that_is_freed_before_it_has_its_lease_gives_that_back_too() {
    let mut sim = fleet(1);
    sim.get(0).completion();
    while sim.store.as_ref().unwrap().swaps == 0 {
        sim.pass(1);
    }
    sim.clients[0].state.close();
    sim.pass(50);
    assert!(
        sim.store
            .as_ref()
            .unwrap()
            .record()
            .unwrap()
            .lease
            .is_none()
    );
    assert_eq!(sim.requests(), 0);
}

// --- A store that fails ---

#[test]
fn without_its_store_a_cold_process_goes_on_alone_and_a_hanging_one_costs_a_second_once() {
    for (mode, most) in [(StoreMode::Down, 60), (StoreMode::Hang, 1_060)] {
        let mut sim = fleet(1);
        sim.store.as_mut().unwrap().mode = mode;
        let (answers, took) = ask_all(&mut sim);
        assert!(answers[0].is_ok());
        assert!(took <= most, "{mode:?}: {took}");
        assert_eq!((sim.requests(), statistics(&sim, 0).store_failures), (1, 1));
        let told = |e: &Event| matches!(e, Event::StoreFailed(_));
        assert_eq!(sim.clients[0].events.iter().filter(|e| told(e)).count(), 1);
    }
}

#[test]
fn a_store_that_can_only_be_read_is_told_of_once_and_costs_each_process_an_exchange() {
    let mut sim = fleet(1);
    sim.store.as_mut().unwrap().mode = StoreMode::ReadOnly;
    let (answers, took) = ask_all(&mut sim);
    assert!(answers[0].is_ok() && took < 100, "{took}");
    let swaps = sim.store.as_ref().unwrap().swaps;
    assert!(swaps <= 5, "{swaps} tries");
    read_all(&mut sim, 5 * HOUR, 10 * SECOND);
    let told = |e: &&Event| matches!(e, Event::StoreFailed(_) | Event::StoreWorks);
    assert_eq!(sim.clients[0].events.iter().filter(told).count(), 1);
    assert!((6..=7).contains(&sim.requests()), "{}", sim.requests());
}

#[test]
fn an_answer_that_is_lost_costs_a_look_and_no_exchange() {
    let mut sim = fleet(3);
    sim.store.as_mut().unwrap().mode = StoreMode::LostAnswer;
    let (answers, last) = ask_all(&mut sim);
    assert!(
        answers
            .iter()
            .all(|a| a.as_ref().unwrap().access_token() == "access-1")
    );
    assert_eq!(sim.requests(), 1);
    assert!(last < 400, "{last}");
}

#[test]
fn a_renewal_goes_on_if_its_lease_is_there_though_the_answer_was_lost() {
    let mut sim = fleet_with_token(1);
    sim.pass(49 * MINUTE);
    sim.store.as_mut().unwrap().mode = StoreMode::LostAnswer;
    sim.get(0).token();
    sim.pass(SECOND);
    assert_eq!(sim.requests(), 2, "nobody else can get it meanwhile");
}

#[test]
fn a_token_that_cannot_be_offered_is_not_got_again_however_short_it_is() {
    let mut sim = fleet(1);
    sim.server.lifetime_ms = SECOND;
    let store = sim.store.as_mut().unwrap();
    (store.mode, store.latency_ms) = (StoreMode::LostAnswer, 900);
    let completion = sim
        .ask(0, sim.token_request(Purpose::Authenticate))
        .completion();
    while sim.requests() == 0 {
        sim.pass(1);
    }
    let store = sim.store.as_mut().unwrap();
    (store.mode, store.latency_ms) = (StoreMode::Conflict, 1);
    sim.pass(500);
    let answer = sim.answer(0, completion).unwrap();
    assert_eq!(answer.unwrap().access_token(), "access-1");
    assert_eq!(sim.requests(), 1);
}

#[test]
fn a_store_that_says_each_time_that_somebody_was_quicker_holds_nobody_up() {
    let mut sim = fleet(3);
    sim.store.as_mut().unwrap().mode = StoreMode::Conflict;
    let (answers, last) = ask_all(&mut sim);
    assert!(answers.iter().all(Result::is_ok));
    assert!(last <= 250, "the last waited {last} ms");
    let store = sim.store.as_ref().unwrap();
    let (loads, swaps) = (store.loads, store.swaps);
    assert!(loads <= 3 * 7 && swaps <= 3 * 7, "{loads}, {swaps}");
    read_all(&mut sim, 5 * HOUR, SECOND);
    assert!(sim.requests() <= 3 * 7, "{}", sim.requests());
}

#[test]
fn a_slow_store_is_used_if_there_is_time_for_all_of_it_and_else_left_alone() {
    for (ms, most, shares) in [(300, 1_000, true), (500, 1_560, true), (900, 960, false)] {
        let mut sim = fleet(1);
        sim.store.as_mut().unwrap().mode = StoreMode::Slow(ms);
        let (answers, took) = ask_all(&mut sim);
        assert!(answers[0].is_ok());
        assert!(took <= most, "{ms}: {took}");
        let published = sim.store.as_ref().unwrap().published.len();
        assert_eq!(published, usize::from(shares), "{ms}");
        let failures = statistics(&sim, 0).store_failures;
        assert_eq!(failures, u64::from(!shares), "{ms}");
    }
}

#[test]
fn a_store_that_stays_slow_is_asked_less_and_less_often_and_told_of_once() {
    let mut sim = fleet(1);
    sim.server.lifetime_ms = 10 * SECOND;
    sim.store.as_mut().unwrap().mode = StoreMode::Slow(900);
    sim.token(0);
    read_all(&mut sim, 5 * MINUTE, 50);
    let loads = sim.store.as_ref().unwrap().loads;
    assert!(loads <= 25, "{loads} times");
    let told = |e: &&Event| matches!(e, Event::StoreFailed(_) | Event::StoreWorks);
    assert_eq!(sim.clients[0].events.iter().filter(told).count(), 1);
}

#[test]
fn whoever_waits_for_others_may_look_often_into_a_store_that_takes_its_time() {
    let mut sim = fleet(2);
    sim.store.as_mut().unwrap().mode = StoreMode::Slow(200);
    sim.server.latency_ms = 4 * SECOND;
    let (answers, _) = ask_all(&mut sim);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sim.requests(), 1);
}

#[test]
fn an_outage_of_the_store_fails_no_read_and_is_waited_for_while_the_token_is_good() {
    let mut sim = fleet_with_token(10);
    sim.pass(40 * MINUTE);
    sim.store.as_mut().unwrap().mode = StoreMode::Down;
    read_all(&mut sim, 10 * MINUTE, SECOND);
    assert_eq!(sim.requests(), 1, "the store may come back");
    read_all(&mut sim, 5 * MINUTE, SECOND);
    assert_eq!(sim.requests(), 11, "each has its own, as without a store");
    let times: Vec<i64> = sim.server.requests[1..]
        .iter()
        .map(|(at, _)| at - 1_000_000)
        .collect();
    let share = |at: &i64| *at as f64 / HOUR as f64;
    assert!(
        times.iter().all(|at| (0.849..0.892).contains(&share(at))),
        "{times:?}"
    );
    sim.store.as_mut().unwrap().mode = StoreMode::Up;
    read_all(&mut sim, HOUR, SECOND);
    let shared: Vec<_> = (0..10)
        .map(|c| sim.get(c).token().access_token().to_owned())
        .collect();
    assert!(shared.iter().all(|text| *text == shared[0]), "{shared:?}");
}

#[test]
fn a_store_that_is_down_is_asked_less_and_less_often() {
    let mut sim = fleet_with_token(1);
    sim.pass(48 * MINUTE + 30 * SECOND);
    sim.store.as_mut().unwrap().mode = StoreMode::Down;
    let loads = sim.store.as_ref().unwrap().loads;
    read_all(&mut sim, 2 * MINUTE, 100);
    let asked = sim.store.as_ref().unwrap().loads - loads;
    assert!((5..=14).contains(&asked), "{asked} times");
    sim.store.as_mut().unwrap().mode = StoreMode::Up;
    read_all(&mut sim, 31 * SECOND, 100);
    assert_eq!(sim.requests(), 2);
    let told = |e: &Event| matches!(e, Event::StoreWorks);
    assert!(sim.clients[0].events.iter().any(told));
}

#[test]
fn a_hanging_store_leaves_a_short_token_the_time_for_an_exchange() {
    for life in [4, 10, 30, 60] {
        let mut sim = Simulator::with_store(7, 1, false);
        sim.server.lifetime_ms = life * SECOND;
        sim.token(0);
        sim.store.as_mut().unwrap().mode = StoreMode::Hang;
        read_all(&mut sim, 5 * life * SECOND, 50);
        assert!(sim.requests() >= 5);
    }
}

#[test]
fn a_record_that_does_not_open_counts_as_absent() {
    let mut sim = fleet_with_token(2);
    // Its version is now the highest that there is.
    sim.store.as_mut().unwrap().damage();
    sim.crash(1, false);
    sim.token(1);
    assert_eq!(sim.requests(), 2);
    sim.crash(0, false);
    assert_eq!(
        sim.token(0).access_token(),
        "access-2",
        "it was written anew"
    );
    let version = sim.store.as_ref().unwrap().version();
    assert!(version < i64::MAX.unsigned_abs(), "others would not notice");
}

#[test]
fn a_store_that_forgets_costs_one_exchange_and_no_order() {
    let mut sim = fleet_with_token(20);
    sim.pass(10 * MINUTE);
    sim.store.as_mut().unwrap().forget();
    (0..10).for_each(|c| sim.crash(c, false));
    let (answers, _) = ask_all(&mut sim);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(sim.requests(), 2);
    let published = &sim.store.as_ref().unwrap().published;
    assert!(published[0] < published[1], "{published:?}");
}

#[test]
fn a_store_that_was_restored_is_believed_by_nobody_who_saw_better() {
    let mut sim = fleet_with_token(2);
    sim.store.as_mut().unwrap().back_up();
    sim.pass(5 * MINUTE);
    let rejected = sim.get(0).token();
    sim.invalidate(0, &rejected).unwrap();
    let second = sim.token(0);
    sim.store.as_mut().unwrap().restore();
    sim.pass(2 * MINUTE);
    sim.invalidate(0, &second).unwrap();
    let third = sim.token(0);
    assert_eq!(third.access_token(), "access-3");
    assert!(third.fence() > second.fence());
}

#[test]
fn a_lease_that_is_too_long_to_be_true_is_none() {
    let mut sim = fleet(2);
    sim.server.latency_ms = 8 * SECOND;
    sim.get(0).completion();
    sim.pass(SECOND);
    // The store's clock is set back: the lease now ends in an hour.
    sim.store.as_mut().unwrap().set_clock(-HOUR);
    sim.get(1).completion();
    sim.pass(SECOND);
    assert_eq!(sim.requests(), 2);
}

#[test]
fn a_stores_clock_that_is_kept_right_makes_no_lease_void() {
    let mut sim = fleet(2);
    sim.store.as_mut().unwrap().latency_ms = 1;
    sim.server.latency_ms = SECOND;
    sim.get(0).completion();
    while sim.requests() == 0 {
        sim.pass(1);
    }
    sim.store.as_mut().unwrap().set_clock(-20);
    sim.token(1);
    assert_eq!(sim.requests(), 1);
}

#[test]
fn a_stores_clock_that_is_set_costs_exchanges_and_no_read() {
    for by in [-2 * HOUR, 2 * HOUR] {
        let mut sim = fleet_with_token(5);
        sim.store.as_mut().unwrap().set_clock(by);
        read_all(&mut sim, 3 * HOUR, 5 * SECOND);
        assert!(sim.requests() <= 4 + 5, "{by}: {}", sim.requests());
        sim.crash(1, false);
        assert!(sim.token(1).is_usable(sim.now));
    }
}

#[test]
fn a_token_from_the_future_of_a_clock_that_went_back_is_none() {
    let mut sim = fleet_with_token(2);
    sim.pass(50 * MINUTE);
    sim.store.as_mut().unwrap().set_clock(-2 * HOUR);
    sim.crash(1, false);
    assert_eq!(sim.token(1).access_token(), "access-2");
    assert_eq!(sim.requests(), 2);
}

#[test]
fn an_order_to_wait_from_the_future_of_a_clock_that_went_back_is_none() {
    let mut sim = fleet(2);
    sim.server.mode = Mode::Limited(Some(20_000));
    sim.get(0).completion();
    sim.pass(SECOND);
    sim.server.mode = Mode::Up;
    sim.store.as_mut().unwrap().set_clock(-2 * HOUR);
    assert_eq!(sim.token(1).access_token(), "access-1");
}

#[test]
fn processes_whose_clocks_differ_share_all_the_same() {
    let mut sim = fleet(3);
    sim.clients[1].skew_ms = 7 * HOUR;
    sim.clients[2].skew_ms = -300 * HOUR;
    let (answers, _) = ask_all(&mut sim);
    assert!(
        answers
            .iter()
            .all(|a| a.as_ref().unwrap().access_token() == "access-1")
    );
    for c in 0..3 {
        keep_reading(&mut sim, c, MINUTE);
    }
    assert_eq!(sim.requests(), 1);
    let left: Vec<i64> = (0..3)
        .map(|c| sim.get(c).token().usable_for_ms(sim.now_of(c)))
        .collect();
    assert!(left.iter().all(|ms| (ms - left[0]).abs() < 300), "{left:?}");
}

#[test]
fn a_forked_child_shares_under_a_name_of_its_own() {
    let mut sim = fleet_with_token(1);
    let child = sim.fork(0, false);
    sim.pass(49 * MINUTE);
    assert_ne!(sim.clients[0].holder, sim.clients[child].holder);
    sim.get(0).token();
    sim.get(child).token();
    sim.pass(2 * SECOND);
    let both = [0, child].map(|c| {
        sim.get(c).token();
        sim.pass(SECOND);
        sim.get(c).token().access_token().to_owned()
    });
    assert_eq!(both, ["access-2", "access-2"]);
    assert_eq!(sim.requests(), 2);
}

#[test]
fn the_lease_is_no_longer_than_an_exchange_that_goes_well_may_take() {
    assert_eq!(policy::LEASE, 5 * SECOND);
}
