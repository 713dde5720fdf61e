//! The whole way over real sockets: every fault that the local sandbox can make, and what a caller gets.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test that panics has failed.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config, LogLevel, Status, TokenState};
use apivideo_sandbox::{
    Fault, FaultRule, On, Options, OutageMode, Revoke, Sandbox, SettingsChange,
};

const KEY: &str = "sandbox-key";

fn sandbox() -> Sandbox {
    let strict = Options {
        strict_origin: true,
        ..Options::default()
    };
    Sandbox::start(strict).unwrap()
}

fn config(sandbox: &Sandbox) -> Config {
    let mut config = Config::default();
    config.set_base_url(sandbox.base_url()).unwrap();
    config.set_attempt_timeout_ms(700).unwrap();
    config
}

fn client(sandbox: &Sandbox) -> Client {
    Client::new(KEY, &config(sandbox)).unwrap()
}

/// Waits for something that another thread will do soon.
fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::yield_now();
    }
}

/// How a faulty exchange ends.
struct Case {
    name: &'static str,
    fault: Fault,
    status: Status,
    http_status: Option<u16>,
}

fn case(name: &'static str, fault: Fault, status: Status, http_status: u16) -> Case {
    Case {
        name,
        fault,
        status,
        http_status: (http_status != 0).then_some(http_status),
    }
}

fn problem(status: u16) -> Fault {
    Fault::reply(
        status,
        format!(
            r#"{{"type":"https://docs","title":"A title.","name":"a name","status":{status}}}"#
        ),
    )
}

fn every_fault() -> Vec<Case> {
    use Status::{KeyRejected, NetworkError, ProtocolError, RateLimited, ServerError, Timeout};
    let json = |body: &str| Fault::reply(200, body);
    vec![
        case("400", problem(400), KeyRejected, 400),
        case("401", problem(401), KeyRejected, 401),
        case("403", problem(403), KeyRejected, 403),
        case(
            "404 without a body",
            Fault::reply(404, ""),
            KeyRejected,
            404,
        ),
        case("408", problem(408), ServerError, 408),
        case("429", problem(429), RateLimited, 429),
        case(
            "500 with HTML",
            Fault::reply(500, "<html>"),
            ServerError,
            500,
        ),
        case("503", problem(503), ServerError, 503),
        case("204", Fault::reply(204, ""), ProtocolError, 204),
        case("empty", json(""), ProtocolError, 200),
        case("null", json("null"), ProtocolError, 200),
        case("array", json("[]"), ProtocolError, 200),
        case("not JSON", json("token=abc"), ProtocolError, 200),
        case(
            "half of the JSON",
            json("{\"access_token\":\"a"),
            ProtocolError,
            200,
        ),
        case("deep JSON", json(&"[".repeat(60_000)), ProtocolError, 200),
        case(
            "not UTF-8",
            Fault::reply(200, vec![b'"', 0xff, b'"']),
            ProtocolError,
            200,
        ),
        case(
            "CRLF in the token",
            Fault::patch("access_token", "a\r\nX: y"),
            ProtocolError,
            200,
        ),
        case(
            "NUL in the token",
            Fault::patch("access_token", "a\0b"),
            ProtocolError,
            200,
        ),
        case(
            "NUL in the refresh token",
            Fault::patch("refresh_token", "a\0b"),
            ProtocolError,
            200,
        ),
        case(
            "no token",
            Fault::without("access_token"),
            ProtocolError,
            200,
        ),
        case(
            "expires_in 0",
            Fault::patch("expires_in", 0),
            ProtocolError,
            200,
        ),
        case(
            "expires_in -1",
            Fault::patch("expires_in", -1),
            ProtocolError,
            200,
        ),
        case(
            "expires_in soon",
            Fault::patch("expires_in", "soon"),
            ProtocolError,
            200,
        ),
        case(
            "garbage",
            Fault::raw("\u{1}\u{2}garbage\r\n\r\n"),
            ProtocolError,
            0,
        ),
        case(
            "an HTTP/2 preface",
            Fault::raw("PRI * HTTP/2.0\r\n\r\n"),
            ProtocolError,
            0,
        ),
        case("nothing", Fault::raw(""), NetworkError, 0),
        case("closed", Fault::Close { handled: false }, NetworkError, 0),
        case(
            "closed after handling",
            Fault::Close { handled: true },
            NetworkError,
            0,
        ),
        case("hang", Fault::Hang { handled: true }, Timeout, 0),
        case("drip", Fault::Drip { interval_ms: 20 }, Timeout, 0),
        case(
            "200 MB with a length",
            Fault::Huge {
                bytes: 200_000_000,
                content_length: true,
            },
            ProtocolError,
            0,
        ),
        case(
            "200 MB in chunks",
            Fault::Huge {
                bytes: 200_000_000,
                content_length: false,
            },
            ProtocolError,
            0,
        ),
        case(
            "redirect to another host",
            Fault::Redirect {
                location: "http://example.com/auth/api-key".to_owned(),
                status: 302,
            },
            ProtocolError,
            302,
        ),
        case(
            "redirect that keeps the method",
            Fault::Redirect {
                location: "/auth/api-key".to_owned(),
                status: 307,
            },
            ProtocolError,
            307,
        ),
        case(
            "endless headers",
            Fault::raw(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200_000))),
            ProtocolError,
            0,
        ),
    ]
}

/// Peak resident memory of this process, in MiB.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |kib| kib / 1024)
}

#[test]
fn a_cold_caller_gets_the_documented_status_for_every_fault_and_the_next_call_works() {
    let sandbox = sandbox();
    let before = peak_memory_mib();
    for Case {
        name,
        fault,
        status,
        http_status,
    } in every_fault()
    {
        sandbox.reset();
        sandbox.fault(FaultRule::new(On::ApiKey, fault));
        let client = client(&sandbox);
        let start = Instant::now();
        let error = client.get_token().expect_err(name);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{name}: {:?}",
            start.elapsed()
        );
        assert_eq!(
            (error.status, error.http_status),
            (status, http_status),
            "{name}: {error}"
        );
        assert!(error.retry_after_ms.is_some(), "{name}: says when to retry");
        assert_eq!(sandbox.counters().requests, 1, "{name}");
        if matches!(status, Status::KeyRejected | Status::ServerError)
            && !error.problem.title.is_empty()
        {
            assert_eq!(error.problem.title, "A title.", "{name}");
            assert_eq!(error.problem.name, "a name", "{name}");
            assert_eq!(error.problem.kind, "https://docs", "{name}");
        }
        client
            .authenticate()
            .unwrap_or_else(|e| panic!("after {name}: {e}"));
        client.get_token().unwrap();
    }
    let grown = peak_memory_mib() - before;
    assert!(grown < 64, "memory grew by {grown} MiB");
}

#[test]
fn a_valid_token_survives_every_fault_of_its_renewal() {
    let sandbox = sandbox();
    for Case { name, fault, .. } in every_fault() {
        sandbox.reset();
        let client = client(&sandbox);
        let token = client.get_token().unwrap();
        sandbox.fault(FaultRule::new(On::Auth, fault.clone()).times(0));
        client.refresh().expect_err(name);
        client.authenticate().expect_err(name);
        let still = client.get_token().unwrap();
        assert_eq!(still.access_token(), token.access_token(), "{name}");
        sandbox.clear_faults();
        assert_eq!(sandbox.counters().refresh.replayed, 0, "{name}");
        client.authenticate().unwrap();
    }
}

#[test]
fn an_expired_token_is_replaced_in_spite_of_every_fault_of_the_refresh() {
    let sandbox = sandbox();
    for Case { name, fault, .. } in every_fault() {
        if name == "429" {
            continue; // The server asks to wait: no other request is made at once.
        }
        sandbox.reset();
        sandbox.set(SettingsChange {
            expires_in: Some(1),
            ..SettingsChange::default()
        });
        let client = client(&sandbox);
        let token = client.get_token().unwrap();
        eventually("expiry", || token.expires_in_ms() <= 100);
        sandbox.set(SettingsChange {
            expires_in: Some(3600),
            ..SettingsChange::default()
        });
        sandbox.fault(FaultRule::new(On::Refresh, fault));
        let next = client.get_token().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_ne!(next.access_token(), token.access_token(), "{name}");
        let counters = sandbox.counters();
        assert_eq!(
            (counters.refresh.requests, counters.api_key.requests),
            (1, 2),
            "{name}"
        );
    }
}

#[test]
fn expires_in_in_every_sloppy_form_is_understood() {
    let sandbox = sandbox();
    for (value, lifetime_ms) in [
        (serde_json::json!(3599), 3_599_000),
        (serde_json::json!("3600"), 3_600_000),
        (serde_json::json!(3600.0), 3_600_000),
        (serde_json::json!(1e18), 86_400_000),
        (serde_json::json!(null), 3_600_000),
    ] {
        sandbox.reset();
        sandbox.fault(FaultRule::new(
            On::ApiKey,
            Fault::patch("expires_in", value.clone()),
        ));
        let token = client(&sandbox).get_token().unwrap();
        assert_eq!(token.lifetime_ms(), lifetime_ms, "{value}");
    }
    sandbox.fault(FaultRule::new(On::ApiKey, Fault::without("expires_in")));
    assert_eq!(
        client(&sandbox).get_token().unwrap().lifetime_ms(),
        3_600_000
    );
}

#[test]
fn no_byte_of_a_lost_refresh_makes_its_token_be_sent_twice() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    client.get_token().unwrap();
    let mut at = 0;
    loop {
        sandbox.fault(FaultRule::new(On::Refresh, Fault::Truncate { at }));
        let complete = client.refresh().is_ok();
        sandbox.clear_faults();
        if complete {
            break;
        }
        // What is left is the key.
        assert_eq!(
            client.refresh().unwrap_err().status,
            Status::NoRefreshToken,
            "byte {at}"
        );
        client.authenticate().unwrap();
        at += if at < 300 { 1 } else { 37 };
    }
    assert!(at > 1_500, "the whole reply was cut through, {at} bytes");
    assert_eq!(sandbox.counters().refresh.replayed, 0);
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
        expires_in: Some(4),
        ..SettingsChange::default()
    });
    let mut config = config(&sandbox);
    config.set_attempt_timeout_ms(30_000).unwrap();
    let client = Arc::new(Client::new(KEY, &config).unwrap());
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
                for _ in 0..10_000 {
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
    let client = Client::new(KEY, &config).unwrap();
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

#[test]
fn a_caller_gives_up_at_its_own_deadline_and_the_exchange_goes_on() {
    let sandbox = sandbox();
    sandbox.fault(FaultRule::new(On::ApiKey, Fault::Delay { ms: 400 }));
    let mut config = config(&sandbox);
    config.set_wait_timeout_ms(50).unwrap();
    let client = Client::new(KEY, &config).unwrap();
    let start = Instant::now();
    let error = client.get_token().unwrap_err();
    assert_eq!(error.status, Status::Timeout);
    assert!(
        start.elapsed() < Duration::from_millis(350),
        "{:?}",
        start.elapsed()
    );
    eventually("the token", || client.get_token().is_ok());
    assert_eq!(sandbox.counters().requests, 1);
}

#[test]
fn operations_end_with_a_token_by_cancelling_or_when_the_client_goes() {
    let sandbox = sandbox();
    let slow = || sandbox.fault(FaultRule::new(On::ApiKey, Fault::Delay { ms: 300 }));
    slow();
    let client = client(&sandbox);
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

    slow();
    let client = self::client(&sandbox);
    let operation = client.start_get_token(0);
    let start = Instant::now();
    drop(client);
    assert!(
        start.elapsed() < Duration::from_millis(100),
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
        let client = in_log.lock().unwrap().clone();
        if let Some(client) = client {
            client.statistics();
            client.start_get_token(0).cancel();
        }
    });
    let told = Arc::clone(&states);
    config.set_on_state(move |state| told.lock().unwrap().push(state));
    let client = Arc::new(Client::new(KEY, &config).unwrap());
    *slot.lock().unwrap() = Some(Arc::clone(&client));
    let token = client.get_token().unwrap();
    client.invalidate(&token).unwrap();
    client.get_token().unwrap();
    eventually("the states", || {
        *states.lock().unwrap() == [TokenState::Valid, TokenState::Rejected, TokenState::Valid]
    });
    *slot.lock().unwrap() = None;
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
fn an_outage_of_every_mode_is_a_retryable_error() {
    let sandbox = sandbox();
    for (mode, status) in [
        (OutageMode::Close, Status::NetworkError),
        (OutageMode::Unavailable, Status::ServerError),
        (OutageMode::Hang, Status::Timeout),
    ] {
        sandbox.outage(Duration::from_secs(60), mode);
        let error = client(&sandbox).get_token().unwrap_err();
        assert_eq!(error.status, status);
        assert!(error.is_retryable());
        sandbox.outage(Duration::ZERO, mode);
    }
}

#[test]
fn requests_carry_what_the_api_documents() {
    let sandbox = sandbox();
    let mut config = config(&sandbox);
    config.set_app("my-app", "1.2").unwrap();
    config.set_sdk("my-sdk", "3").unwrap();
    let client = Client::new(KEY, &config).unwrap();
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
    assert!(!error.problem.title.is_empty() && !error.is_retryable());
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
        lines.lock().unwrap().push_str(line);
    });
    let client = Client::new(KEY, &config).unwrap();
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
    eventually("the log", || log.lock().unwrap().len() > 100);
    told += &log.lock().unwrap();
    for secret in secrets {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn a_refused_refresh_on_a_connection_that_then_dies_is_followed_by_the_key_all_the_same() {
    let sandbox = sandbox();
    sandbox.set(SettingsChange {
        expires_in: Some(1),
        ..SettingsChange::default()
    });
    let client = client(&sandbox);
    let token = client.get_token().unwrap();
    eventually("expiry", || token.expires_in_ms() == 0);
    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";
    sandbox.fault(FaultRule::new(On::Refresh, Fault::raw(refusal)));
    client.get_token().unwrap();
    assert_eq!(sandbox.counters().api_key.ok, 2);
}
