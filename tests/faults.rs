//! The whole way over real sockets: callers, readers and callbacks in trouble. What each fault does
//! is in `matrix.rs`, and what a connection does that is lost at any byte in `connection_loss.rs`.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config, LogLevel, Status, TokenState};
use apivideo_sandbox::{Fault, FaultRule, On, Revoke, Sandbox, SettingsChange};
use parking_lot::Mutex;

use common::{KEY, client_with, config_for, eventually, sandbox};

fn config(sandbox: &Sandbox) -> Config {
    let mut config = config_for(sandbox.base_url(), sandbox);
    config.set_attempt_timeout_ms(700).unwrap();
    config
}

fn client(sandbox: &Sandbox) -> Client {
    client_with(&config(sandbox))
}

#[test]
fn sixty_four_cold_threads_make_one_request() {
    let sandbox = sandbox();
    sandbox.fault(FaultRule::new(On::ApiKey, Fault::Delay { ms: 100 }));
    let client = Arc::new(client(&sandbox));
    let start = Arc::new(Barrier::new(64));
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let (client, start) = (Arc::clone(&client), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                client.get_token().unwrap().access_token().to_owned()
            })
        })
        .collect();
    let tokens: Vec<String> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(sandbox.counters().requests, 1);
}

#[test]
fn readers_do_not_wait_for_a_renewal_that_hangs() {
    let sandbox = sandbox();
    sandbox.set(SettingsChange {
        expires_in: Some(6),
        ..SettingsChange::default()
    });
    let mut config = config(&sandbox);
    config.set_attempt_timeout_ms(30_000).unwrap();
    let client = Arc::new(client_with(&config));
    let token = client.get_token().unwrap();
    sandbox.fault(FaultRule::new(On::Refresh, Fault::Hang { handled: false }));
    eventually("renewal", || {
        client.get_token().unwrap();
        client.statistics().exchanges_in_flight == 1
    });
    let readers: Vec<_> = (0..16)
        .map(|_| {
            let (client, token) = (Arc::clone(&client), Arc::clone(&token));
            thread::spawn(move || {
                for _ in 0..200 {
                    let read = client.get_token().unwrap();
                    assert_eq!(read.access_token(), token.access_token());
                }
            })
        })
        .collect();
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
    assert_eq!(client.statistics().exchanges_in_flight, 1, "it hangs still");
}

#[test]
fn expiry_under_load_costs_one_exchange_and_nobody_gets_an_expired_token() {
    let sandbox = sandbox();
    sandbox.set(SettingsChange {
        expires_in: Some(3),
        ..SettingsChange::default()
    });
    let client = Arc::new(client(&sandbox));
    let first = client.get_token().unwrap();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (client, first) = (Arc::clone(&client), Arc::clone(&first));
            thread::spawn(move || {
                loop {
                    let token = client.get_token().unwrap();
                    assert!(token.expires_in_ms() > 0);
                    if token.access_token() != first.access_token() {
                        break;
                    }
                }
            })
        })
        .collect();
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
    let counters = sandbox.counters();
    assert_eq!(
        (counters.api_key.requests, counters.refresh.requests),
        (1, 1)
    );
}

#[test]
fn revoked_tokens_are_recovered_from_at_once() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    client.get_token().unwrap();
    sandbox.revoke(Revoke::All);
    let error = client.refresh().unwrap_err();
    assert_eq!(
        (error.status, error.http_status),
        (Status::RefreshRejected, Some(400))
    );
    let rejected = client.get_token().unwrap();
    client.invalidate(&rejected).unwrap();
    let token = client.get_token().unwrap();
    assert_ne!(token.access_token(), rejected.access_token());
    client.invalidate(&rejected).unwrap();
    let error = client.invalidate(&token).unwrap_err();
    assert_eq!(error.status, Status::TokenRejected);
    assert_eq!(sandbox.counters().api_key.requests, 2);
}

#[test]
fn an_outage_with_no_token_ends_within_seconds_of_the_servers_return() {
    let sandbox = sandbox();
    let mut config = config(&sandbox);
    config.set_wait_for_recovery(true);
    let client = client_with(&config);
    sandbox.stop_listening().unwrap();
    let error = Client::new(KEY, &self::config(&sandbox))
        .unwrap()
        .get_token()
        .unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.get_token());
        eventually("three tries", || client.statistics().failures >= 3);
        sandbox.start_listening().unwrap();
        waiting.join().unwrap().unwrap();
    });
}

/// What a firewall answers with.
fn page() -> Fault {
    Fault::Gateway {
        status: 403,
        bytes: 500,
    }
}

#[test]
fn a_caller_that_waits_for_recovery_waits_through_what_a_gateway_answers() {
    let sandbox = sandbox();
    sandbox.fault(FaultRule::new(On::Any, page()).times(3));
    let mut config = config(&sandbox);
    config.set_wait_for_recovery(true);
    let client = client_with(&config);
    client.get_token().unwrap();
    let statistics = client.statistics();
    assert_eq!((statistics.failures, statistics.key_rejections), (3, 0));
}

#[test]
fn what_a_gateway_answers_to_a_refresh_is_no_rejection() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    for _ in 0..2 {
        client.authenticate().unwrap();
        sandbox.fault(FaultRule::new(On::Refresh, page()));
        let error = client.refresh().unwrap_err();
        assert_eq!(error.status, Status::ProtocolError, "{error}");
        let error = client.refresh().unwrap_err();
        assert_eq!(error.status, Status::NoRefreshToken, "it may be spent");
    }
    assert_eq!(client.statistics().refresh_rejections, 0);
}

#[test]
fn a_caller_gives_up_at_its_own_deadline_and_the_exchange_goes_on() {
    let sandbox = sandbox();
    sandbox.fault(FaultRule::new(On::ApiKey, Fault::Delay { ms: 3_000 }));
    let mut config = config_for(sandbox.base_url(), &sandbox);
    config.set_wait_timeout_ms(50).unwrap();
    let client = client_with(&config);
    let start = Instant::now();
    let error = client.get_token().unwrap_err();
    assert_eq!(error.status, Status::Timeout);
    assert!(
        start.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        start.elapsed()
    );
    eventually("the token", || client.get_token().is_ok());
    assert_eq!(sandbox.counters().requests, 1);
}

#[test]
fn operations_end_with_a_token_by_cancelling_or_when_the_client_goes() {
    let sandbox = sandbox();
    sandbox.fault(FaultRule::new(On::ApiKey, Fault::Delay { ms: 1_000 }));
    let client = client_with(&config_for(sandbox.base_url(), &sandbox));
    let operation = client.start_get_token(0);
    let cancelled = client.start_get_token(0);
    assert!(operation.wait(Duration::ZERO).is_none());
    cancelled.cancel();
    let error = cancelled.wait(Duration::MAX).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    operation.wait(Duration::MAX).unwrap().unwrap();
    let at_once = client.start_get_token(0);
    at_once.wait(Duration::ZERO).unwrap().unwrap();
    assert_eq!(sandbox.counters().requests, 1);

    let hang = Fault::Hang { handled: false };
    sandbox.fault(FaultRule::new(On::ApiKey, hang));
    let client = client_with(&config_for(sandbox.base_url(), &sandbox));
    let operation = client.start_get_token(0);
    let start = Instant::now();
    drop(client);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    let error = operation.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Closed);
}

#[test]
fn a_callback_that_calls_back_in_does_not_deadlock() {
    let sandbox = sandbox();
    let slot: Arc<Mutex<Option<Arc<Client>>>> = Arc::default();
    let states: Arc<Mutex<Vec<TokenState>>> = Arc::default();
    let mut config = config(&sandbox);
    let in_log = Arc::clone(&slot);
    config.set_log(LogLevel::Debug, move |_, _| {
        let client = in_log.lock().clone();
        if let Some(client) = client {
            client.statistics();
            client.start_get_token(0).cancel();
        }
    });
    let told = Arc::clone(&states);
    config.set_on_state(move |state| told.lock().push(state));
    let client = Arc::new(client_with(&config));
    *slot.lock() = Some(Arc::clone(&client));
    let token = client.get_token().unwrap();
    client.invalidate(&token).unwrap();
    client.get_token().unwrap();
    eventually("the states", || {
        *states.lock() == [TokenState::Valid, TokenState::Rejected, TokenState::Valid]
    });
    *slot.lock() = None;
}

#[test]
fn keep_fresh_renews_without_a_reader_and_a_plain_client_does_not() {
    let sandbox = sandbox();
    sandbox.set(SettingsChange {
        expires_in: Some(2),
        ..SettingsChange::default()
    });
    let mut keeping = config(&sandbox);
    keeping.set_keep_fresh(true);
    let kept = Client::new(KEY, &keeping).unwrap();
    kept.get_token().unwrap();
    eventually("two renewals", || sandbox.counters().refresh.ok >= 2);
    assert_eq!(kept.statistics().authenticate_requests, 1);
}

#[test]
fn requests_carry_what_the_api_documents() {
    let sandbox = sandbox();
    let mut config = config(&sandbox);
    config.set_app("my-app", "1.2").unwrap();
    config.set_sdk("my-sdk", "3").unwrap();
    let client = client_with(&config);
    client.get_token().unwrap();
    client.refresh().unwrap();
    let log = sandbox.log();
    assert_eq!(log.len(), 2);
    for (entry, path) in log.iter().zip(["/auth/api-key", "/auth/refresh"]) {
        let header = |name: &str| entry.headers.get(name).map_or("", String::as_str);
        assert_eq!((entry.method.as_str(), entry.path.as_str()), ("POST", path));
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("av-origin-app"), "my-app:1.2");
        assert_eq!(header("av-origin-sdk"), "my-sdk:3");
        assert!(header("av-origin-client").starts_with("libapivideo:"));
        assert_ne!(header("authorization"), "true", "{:?}", entry.headers);
    }
}

#[test]
fn a_wrong_key_is_told_with_what_the_server_said() {
    let sandbox = sandbox();
    let error = Client::new("wrong", &config(&sandbox))
        .unwrap()
        .get_token()
        .unwrap_err();
    assert_eq!(
        (error.status, error.http_status),
        (Status::KeyRejected, Some(400))
    );
    let problem = &error.problem;
    assert_eq!(
        (
            problem.kind.as_str(),
            problem.title.as_str(),
            problem.name.as_str()
        ),
        (
            "https://docs.api.video/reference/invalid-api-key",
            "This API key is not valid.",
            "apiKey"
        )
    );
    assert!(
        !error.message.contains("wrong"),
        "the key is not repeated: {error}"
    );
}

#[test]
fn a_server_that_sends_our_secrets_back_does_not_get_them_into_messages_or_the_log() {
    let sandbox = sandbox();
    let log: Arc<Mutex<String>> = Arc::default();
    let mut config = config(&sandbox);
    let lines = Arc::clone(&log);
    config.set_log(LogLevel::Debug, move |_, line| {
        lines.lock().push_str(line);
    });
    let client = client_with(&config);
    let token = client.get_token().unwrap();
    let secrets = [KEY, token.access_token(), token.refresh_token()];
    let mut told = String::new();
    for status in [400, 429, 503] {
        for secret in secrets {
            let body = serde_json::json!({
                "title": secret,
                "name": format!("x {secret}"),
                "type": format!("https://{secret}"),
            });
            let echo = Fault::reply(status, body.to_string());
            sandbox.fault(FaultRule::new(On::Auth, echo).times(2));
            told += &format!("{:?}", client.refresh().err());
            told += &format!("{:?}", client.authenticate().err());
            sandbox.clear_faults();
        }
    }
    eventually("the log", || log.lock().len() > 100);
    told += &log.lock();
    for secret in secrets {
        assert!(!told.contains(secret), "{told}");
    }
}
