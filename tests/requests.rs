//! Requests to the API: every fault and what follows, what is tried again and what never is, and
//! the connections that are kept.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config, Error, Response, Status};
use apivideo_sandbox::{Fault, FaultRule, On, Options, Sandbox};

use common::scripted::{Act, Scripted, reply};
use common::{KEY, client_with, config_for, eventually, sandbox, tls_sandbox};

/// A moment, on a machine that has other things to do.
const MOMENT: Duration = Duration::from_secs(3);

type Answer = Result<Arc<Response>, Error>;

fn config(server: &Scripted) -> Config {
    let mut config = Config::default();
    config.set_base_url(&server.url()).unwrap();
    config
}

fn client(server: &Scripted) -> Client {
    let client = client_with(&config(server));
    client.get_token().unwrap();
    client
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Good,
    /// With this status, and that of the HTTP reply, or 0 where there is none.
    Fails(Status, u16),
}

/// Whether a request was carried out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Done {
    No,
    Maybe,
    /// Then neither PUT nor DELETE is sent again.
    Yes,
}

struct Row {
    name: &'static str,
    /// What becomes of the first requests. Those after them succeed.
    acts: Vec<Act>,
    /// How GET, PUT, DELETE and HEAD end, and after how many requests.
    idempotent: (End, usize),
    /// The same of all other methods.
    other: (End, usize),
    /// What a method that must not be carried out twice is told of that, if it fails.
    done: Done,
    /// How long it takes at least, in milliseconds, for GET.
    waits_ms: u64,
}

const BUSY: &str =
    r#"{"type":"https://docs.api.video/reference/too-many-requests","title":"Too many requests."}"#;
const PROBLEM: &str = r#"{"type":"https://docs.api.video/reference/x","title":"A title."}"#;
const UPLOAD_TOKEN: &str = r#"{"type":"https://docs.api.video/reference/authentication-invalid-upload-token","title":"x"}"#;
const PAGE: &str = "<html><title>Bad gateway</title></html>";
const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";

fn problem(status: u16) -> Act {
    reply(status, "", PROBLEM)
}

fn wait(status: u16, header: &str) -> Act {
    reply(status, &format!("{header}\r\n"), BUSY)
}

fn cut(bytes: &str) -> Act {
    Act::Cut(bytes.to_owned())
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Done::{Maybe, No, Yes};
    use End::{Fails, Good};
    use Status::{NetworkError, ProtocolError, RateLimited, RequestRejected, ServerError, Timeout};
    let mut rows = vec![
        // what goes wrong, how often                                                                     GET, PUT, DELETE, HEAD          POST, PATCH                       done      waits
        row("500",                            vec![problem(500)],                                         (Fails(ServerError, 500), 1),   (Fails(ServerError, 500), 1),     Maybe,    0),
        row("502 with a page",                vec![reply(502, "", PAGE)],                                 (Good, 2),                      (Fails(ServerError, 502), 1),     Maybe,    100),
        row("503",                            vec![problem(503)],                                         (Good, 2),                      (Fails(ServerError, 503), 1),     Maybe,    100),
        row("504",                            vec![problem(504)],                                         (Good, 2),                      (Fails(ServerError, 504), 1),     Maybe,    100),
        row("503 three times",                vec![problem(503); 3],                                      (Good, 4),                      (Fails(ServerError, 503), 1),     Maybe,    700),
        row("503 four times",                 vec![problem(503); 4],                                      (Fails(ServerError, 503), 4),   (Fails(ServerError, 503), 1),     Maybe,    700),
        row("503 for 1 s",                    vec![wait(503, "Retry-After: 1")],                          (Good, 2),                      (Fails(ServerError, 503), 1),     Maybe,    1_000),
        row("503 in a window of a minute",    vec![wait(503, "X-RateLimit-Retry-After: 60")],             (Good, 2),                      (Fails(ServerError, 503), 1),     Maybe,    100),
        row("a good reply in such a window",  vec![reply(200, "X-RateLimit-Retry-After: 60\r\n", "{}")],  (Good, 1),                      (Good, 1),                        No,       0),
        row("429 for 1 s",                    vec![wait(429, "Retry-After: 1")],                          (Good, 2),                      (Good, 2),                        No,       1_000),
        row("429 for 1 s in its own way",     vec![wait(429, "X-RateLimit-Retry-After: 1")],              (Good, 2),                      (Good, 2),                        No,       1_000),
        row("429 that says no more",          vec![wait(429, "X: y")],                                    (Good, 2),                      (Good, 2),                        No,       100),
        row("429 for longer than one waits",  vec![wait(429, "X-RateLimit-Retry-After: 60")],             (Fails(RateLimited, 429), 1),   (Fails(RateLimited, 429), 1),     No,       0),
        row("401",                            vec![problem(401)],                                         (Good, 2),                      (Good, 2),                        No,       0),
        row("401, then 503",                  vec![problem(401), problem(503)],                           (Good, 3),                      (Fails(ServerError, 503), 2),     Maybe,    100),
        row("401 twice",                      vec![problem(401); 2],                                      (Fails(RequestRejected, 401), 2), (Fails(RequestRejected, 401), 2), No,       0),
        row("401 of somebody else",           vec![reply(401, "", PAGE)],                                 (Fails(ProtocolError, 401), 1), (Fails(ProtocolError, 401), 1),   No,       0),
        row("401 to something else",          vec![reply(401, "", UPLOAD_TOKEN)],                         (Fails(RequestRejected, 401), 1), (Fails(RequestRejected, 401), 1), No,     0),
        row("408",                            vec![problem(408)],                                         (Fails(ServerError, 408), 1),   (Fails(ServerError, 408), 1),     Maybe,    0),
        row("a redirect to another host",     vec![reply(302, "Location: http://127.0.0.2:9/x\r\n", "")], (Fails(ProtocolError, 302), 1), (Fails(ProtocolError, 302), 1),   Maybe,    0),
        row("no HTTP",                        vec![cut("\u{1}garbage\r\n\r\n")],                          (Fails(ProtocolError, 0), 1),   (Fails(ProtocolError, 0), 1),     Maybe,    0),
        row("a reply that is too large",      vec![reply(200, "", &"x".repeat(2_000))],                   (Fails(ProtocolError, 200), 1), (Fails(ProtocolError, 200), 1),   Yes,      0),
        row("closed before the reply",        vec![cut("")],                                              (Good, 2),                      (Fails(NetworkError, 0), 1),      Maybe,    100),
        row("closed in the middle of a head", vec![cut("HTTP/1.1 200 OK\r\nX")],                          (Good, 2),                      (Fails(NetworkError, 0), 1),      Maybe,    100),
        row("closed in the middle of a body", vec![cut(HALF)],                                            (Good, 2),                      (Fails(NetworkError, 200), 1),    Yes,      100),
        row("no reply in time",               vec![Act::Hang],                                            (Good, 2),                      (Fails(Timeout, 0), 1),           Maybe,    1_100),
    ];
    for (status, name) in [(400, "400"), (403, "403"), (404, "404"), (409, "409"), (422, "422")] {
        let end = (Fails(RequestRejected, status), 1);
        rows.push(row(name, vec![problem(status)], end, end, No, 0));
    }
    rows
}

fn row(
    name: &'static str,
    acts: Vec<Act>,
    idempotent: (End, usize),
    other: (End, usize),
    done: Done,
    waits_ms: u64,
) -> Row {
    Row {
        name,
        acts,
        idempotent,
        other,
        done,
        waits_ms,
    }
}

fn end(answer: &Answer) -> End {
    match answer {
        Ok(_) => End::Good,
        Err(error) => End::Fails(error.status, error.http_status.unwrap_or(0)),
    }
}

#[test]
fn every_fault_ends_as_the_table_says() {
    let rows = table();
    thread::scope(|scope| {
        // A server each, side by side: most of the time is spent waiting.
        for method in ["GET", "PUT", "DELETE", "HEAD", "POST", "PATCH"] {
            let rows = &rows;
            scope.spawn(move || rows.iter().for_each(|row| check(row, method)));
        }
    });
}

fn check(row: &Row, method: &str) {
    let (name, server) = (row.name, Scripted::start());
    let mut config = config(&server);
    // The others have the default of 10 s, so that they are seen not to wait for it.
    if row.acts.iter().any(|act| matches!(act, Act::Hang)) {
        config.set_attempt_timeout_ms(1_000).unwrap();
    }
    config.set_wait_timeout_ms(20_000).unwrap();
    config.set_max_reply_bytes(1_000).unwrap();
    let client = client_with(&config);
    client.get_token().unwrap();
    server.next(match method {
        // A reply to HEAD has no body.
        "HEAD" if name.contains("too large") || name.contains("else") => return,
        "HEAD" => row.acts.iter().map(without_body).collect(),
        _ => row.acts.clone(),
    });
    let begun = Instant::now();
    let answer = client.request(
        method,
        "/videos?a=b",
        Some("{}").filter(|_| method != "HEAD"),
    );
    let took = begun.elapsed();
    let (expected, requests) = match method {
        "POST" | "PATCH" => row.other,
        "HEAD" if name.contains("of a body") => (End::Good, 1),
        "PUT" | "DELETE" if row.done == Done::Yes => row.other,
        _ => row.idempotent,
    };
    assert_eq!(end(&answer), expected, "{method}, {name}: {answer:?}");
    if let Err(error) = &answer {
        let done = match method {
            "POST" | "PATCH" => row.done,
            "PUT" | "DELETE" if row.done == Done::Yes => Done::Yes,
            _ => Done::No,
        };
        assert_eq!(told(error), done, "{method}, {name}: {error}");
        let is_retryable = done == Done::No && error.status.is_retryable();
        assert_eq!(error.is_retryable(), is_retryable, "{method}, {name}");
    }
    let seen = server.take_seen();
    assert_eq!(seen.len(), requests, "{method}, {name}");
    for each in &seen {
        assert_eq!((&*each.method, &*each.path), (method, "/videos?a=b"));
    }
    let least = Duration::from_millis(row.waits_ms);
    assert!(method != "GET" || took >= least, "{name}: {took:?}");
    assert!(took < least + MOMENT * 2, "{method}, {name}: {took:?}");
    let renewed = name.starts_with("401") && !name.contains("else");
    assert_eq!(
        server.tokens(),
        1 + usize::from(renewed),
        "{method}, {name}"
    );
}

/// What the message says of whether the request was carried out.
fn told(error: &Error) -> Done {
    match &*error.message {
        words if words.contains("was carried out: do not send it again") => Done::Yes,
        words if words.contains("may have been carried out") => Done::Maybe,
        _ => Done::No,
    }
}

/// The bytes before the body, which are all that answers HEAD.
fn without_body(act: &Act) -> Act {
    let head = |text: &String| match text.find("\r\n\r\n") {
        Some(end) => text[..end + 4].to_owned(),
        None => text.clone(),
    };
    match act {
        Act::Answer(text) => Act::Answer(head(text)),
        Act::Late(text) => Act::Late(head(text)),
        Act::Cut(text) => Act::Cut(head(text)),
        Act::Hang => Act::Hang,
    }
}

#[test]
fn a_request_has_the_token_the_body_and_an_answer_as_it_came() {
    let server = Scripted::start();
    let client = client(&server);
    server.next([reply(201, "X-Number: 7\r\n", "{\"videoId\":\"é\"}")]);
    let json = r#"{"title":"Harbour"}"#;
    let response = client.request("post", "/videos", Some(json)).unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.body(), "{\"videoId\":\"é\"}".as_bytes());
    assert_eq!(response.header("x-number"), Some("7"));
    assert_eq!(response.next_page(), "");
    let seen = server.take_seen();
    assert_eq!((&*seen[0].method, &*seen[0].body), ("POST", json));
    assert_eq!(seen[0].authorization, "Bearer token-1");
}

#[test]
fn a_refusal_says_what_is_wrong_and_nothing_that_is_secret() {
    let server = Scripted::start();
    let client = client(&server);
    let body = r#"{"type":"https://docs.api.video/reference/attributes","title":"Wrong: Bearer token-1 to1secret sandbox-key",
        "name":"x","problems":[{"title":"It is required.","name":"title"}]}"#;
    server.next([reply(400, "", body)]);
    let error = client
        .request("DELETE", "/upload-tokens/to1secret?token=to2", None)
        .unwrap_err();
    assert_eq!(error.status, Status::RequestRejected);
    assert_eq!(error.problem.problems[0].name, "title");
    assert!(error.message.contains("title: It is required"), "{error}");
    let told = format!("{error:?}");
    for secret in ["token-1", "to1secret", "to2", KEY] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn a_hundred_requests_take_one_connection() {
    for sandbox in [sandbox(), tls_sandbox()] {
        let client = client_with(&config_for(sandbox.base_url(), &sandbox));
        for _ in 0..100 {
            client.request("GET", "/videos?pageSize=1", None).unwrap();
        }
        // And one for the token.
        assert_eq!(sandbox.counters().connections, 2);
        assert_eq!(sandbox.counters().requests, 101);
    }
}

#[test]
fn threads_share_connections_one_request_each_at_a_time() {
    let server = Scripted::start();
    let client = client(&server);
    thread::scope(|scope| {
        for thread in 0..16 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..25 {
                    let path = format!("/videos/{thread}-{n}");
                    client.request("GET", &path, None).unwrap();
                }
            });
        }
    });
    let seen = server.take_seen();
    assert_eq!(seen.len(), 400);
    let connections: HashSet<usize> = seen.iter().map(|seen| seen.connection).collect();
    assert!(connections.len() < 100, "{} connections", connections.len());
}

#[test]
fn a_kept_connection_that_the_server_closes_costs_nobody_an_error_that_need_not_be() {
    for method in ["GET", "POST"] {
        let server = Scripted::start();
        let client = client(&server);
        // Closed while it is idle.
        server.next([cut("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")]);
        client.request(method, "/", None).unwrap();
        thread::sleep(Duration::from_millis(50));
        client.request(method, "/", None).unwrap();
        assert_eq!(server.take_seen().len(), 2);
        // Closed when the request has come: who knows whether it was carried out.
        server.next([cut("")]);
        let answer = client.request(method, "/", None);
        match method {
            "GET" => {
                answer.unwrap();
            }
            _ => {
                let error = answer.unwrap_err();
                assert_eq!(error.status, Status::NetworkError);
                assert!(
                    error.message.contains("may have been carried out"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_kept_connection_that_a_408_ends_is_as_one_that_is_lost() {
    for (method, is_good) in [("GET", true), ("DELETE", true), ("POST", false)] {
        let server = Scripted::start();
        let client = client(&server);
        client.request(method, "/", None).unwrap();
        server.next([reply(408, "Connection: close\r\n", "")]);
        let answer = client.request(method, "/", None);
        assert_eq!(answer.is_ok(), is_good, "{method}: {answer:?}");
    }
}

#[test]
fn who_cancels_a_request_costs_no_other_its_connection() {
    let server = Scripted::start();
    let client = client(&server);
    let late = Act::Late("HTTP/1.1 204 X\r\n\r\n".to_owned());
    server.next([late.clone(), late]);
    let start = || client.start_request("GET", "/", None).unwrap();
    for operation in [start(), start()] {
        operation.wait(MOMENT).unwrap().unwrap();
    }
    let kept: HashSet<usize> = server
        .take_seen()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(kept.len(), 2);
    server.next([Act::Hang]);
    let operation = start();
    eventually("the request", || !server.take_seen().is_empty());
    operation.cancel();
    // Until its thread has seen it.
    thread::sleep(Duration::from_millis(100));
    client.request("GET", "/", None).unwrap();
    assert!(kept.contains(&server.take_seen()[0].connection));
}

#[test]
fn when_no_time_is_left_for_another_attempt_the_last_one_s_end_counts() {
    // A wait that ends just before the deadline, or just behind it.
    thread::scope(|scope| {
        for more_ms in 1..=30 {
            scope.spawn(move || {
                let server = Scripted::start();
                let mut config = config(&server);
                config.set_wait_timeout_ms(1_000 + more_ms).unwrap();
                let client = client_with(&config);
                client.get_token().unwrap();
                server.next([wait(429, "Retry-After: 1"), wait(429, "Retry-After: 1")]);
                let error = client.request("GET", "/", None).unwrap_err();
                let is_late = error.message.contains("before the request could be sent");
                assert!(!is_late, "{error}");
            });
        }
    });
}

#[test]
fn a_refused_connection_is_tried_again_whatever_the_method() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let client = client_with(&config_for(sandbox.base_url(), &sandbox));
    client.get_token().unwrap();
    sandbox.stop_listening().unwrap();
    let begun = Instant::now();
    let error = client.request("POST", "/videos", None).unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
    assert!(!error.message.contains("carried out"), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(700), "four times");
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            sandbox.start_listening().unwrap();
        });
        client.request("GET", "/videos", None).unwrap();
    });
}

#[test]
fn who_waits_for_recovery_tries_as_long_as_it_may() {
    let server = Scripted::start();
    let mut config = config(&server);
    config.set_wait_for_recovery(true);
    config.set_wait_timeout_ms(20_000).unwrap();
    let client = client_with(&config);
    // Four more would be enough for the others.
    server.next(vec![problem(503); 5]);
    client.request("GET", "/", None).unwrap();
    assert_eq!(server.take_seen().len(), 6);
    config.set_wait_timeout_ms(2_000).unwrap();
    let client = client_with(&config);
    server.next(vec![problem(503); 50]);
    let begun = Instant::now();
    let error = client.request("GET", "/", None).unwrap_err();
    assert_eq!(error.status, Status::ServerError);
    assert!(begun.elapsed() < Duration::from_secs(2) + MOMENT);
}

#[test]
fn the_wait_timeout_ends_a_request_whatever_it_waits_for() {
    let server = Scripted::start();
    for (wait_ms, words) in [
        (0, "before the request could be sent"),
        (300, "within the wait timeout"),
    ] {
        let mut config = config(&server);
        config.set_wait_timeout_ms(wait_ms).unwrap();
        let client = client_with(&config);
        eventually("a token", || client.get_token().is_ok());
        server.next([Act::Hang]);
        let begun = Instant::now();
        let error = client.request("GET", "/", None).unwrap_err();
        assert_eq!(error.status, Status::Timeout);
        assert!(error.message.contains(words), "{error}");
        assert!(begun.elapsed() < MOMENT);
    }
}

#[test]
fn without_a_token_the_request_ends_as_the_token_does() {
    let sandbox = sandbox();
    sandbox.fault(FaultRule::new(
        On::ApiKey,
        Fault::reply(401, r#"{"title":"No such key."}"#),
    ));
    let client = client_with(&config_for(sandbox.base_url(), &sandbox));
    let error = client.request("GET", "/videos", None).unwrap_err();
    assert_eq!(error.status, Status::KeyRejected);
}

#[test]
fn an_api_that_always_answers_401_costs_one_exchange() {
    let server = Scripted::start();
    let client = client(&server);
    server.next(vec![problem(401); 10]);
    for requests in [2, 1, 1] {
        let error = client.request("GET", "/", None).unwrap_err();
        assert_eq!(
            (error.status, error.http_status),
            (Status::RequestRejected, Some(401))
        );
        assert_eq!(server.take_seen().len(), requests);
    }
    assert_eq!(server.tokens(), 2);
}

#[test]
fn after_a_401_the_body_is_sent_again_with_another_token() {
    let server = Scripted::start();
    let client = client(&server);
    server.next([problem(401)]);
    client
        .request("POST", "/videos", Some("{\"a\":1}"))
        .unwrap();
    let seen = server.take_seen();
    let sent = |at: usize| (&*seen[at].authorization, &*seen[at].body);
    assert_eq!(sent(0), ("Bearer token-1", "{\"a\":1}"));
    assert_eq!(sent(1), ("Bearer token-2", "{\"a\":1}"));
}

#[test]
fn a_reply_of_16_mib_is_taken_and_a_larger_one_is_not() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let mut config = config_for(sandbox.base_url(), &sandbox);
    config.set_attempt_timeout_ms(100_000).unwrap();
    config.set_wait_timeout_ms(100_000).unwrap();
    let client = client_with(&config);
    for (bytes, is_good) in [(16 << 20, true), ((16 << 20) + 1, false)] {
        for content_length in [true, false] {
            let huge = Fault::Huge {
                bytes,
                content_length,
            };
            sandbox.fault(FaultRule::new(On::Videos, huge));
            let answer = client.request("GET", "/videos", None);
            match &answer {
                Ok(response) => assert_eq!(response.body().len(), 16 << 20),
                Err(error) => assert!(
                    error.message.contains("larger than 16777216 bytes"),
                    "{error}"
                ),
            }
            assert_eq!(answer.is_ok(), is_good);
        }
    }
}

#[test]
fn pages_lead_to_the_last_one() {
    let sandbox = sandbox();
    let client = client_with(&config_for(sandbox.base_url(), &sandbox));
    let mut path = "/videos?pageSize=1".to_owned();
    let mut pages = 0;
    while !path.is_empty() {
        path = client
            .request("GET", &path, None)
            .unwrap()
            .next_page()
            .to_owned();
        pages += 1;
    }
    assert_eq!(pages, 3);
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    let server = Scripted::start();
    let client = client(&server);
    for (method, path, json) in [
        ("GE T", "/", None),
        ("GET", "http://example.com/", None),
        ("GET", "/../x", None),
        ("POST", "/", Some("{")),
    ] {
        let error = client.request(method, path, json).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument, "{error}");
        let error = client.start_request(method, path, json).err().unwrap();
        assert_eq!(error.status, Status::InvalidArgument, "{error}");
    }
    assert!(server.take_seen().is_empty());
}

#[test]
fn an_operation_brings_the_response_and_calls_back() {
    let server = Scripted::start();
    let client = client(&server);
    let operation = client.start_request("GET", "/videos", None).unwrap();
    let (call, calls) = channel();
    operation
        .on_complete(move || call.send(()).unwrap())
        .unwrap();
    calls.recv_timeout(MOMENT).unwrap();
    let first = operation.wait(Duration::ZERO).unwrap().unwrap();
    let again = operation.wait(Duration::ZERO).unwrap().unwrap();
    assert_eq!(first.body(), b"{}");
    assert!(Arc::ptr_eq(&first, &again));
}

#[test]
fn cancelling_ends_a_request_at_once_and_closes_its_connection() {
    let server = Scripted::start();
    let client = client(&server);
    server.next([Act::Hang]);
    let operation = client.start_request("POST", "/videos", None).unwrap();
    eventually("the request", || !server.take_seen().is_empty());
    assert!(operation.wait(Duration::ZERO).is_none());
    let begun = Instant::now();
    operation.cancel();
    let error = operation.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    assert!(begun.elapsed() < MOMENT);
    // The client goes on.
    client.request("GET", "/videos", None).unwrap();
}

#[test]
fn a_request_that_waits_for_a_token_is_cancelled_at_once_and_for_good() {
    let sandbox = sandbox();
    let late = Fault::Delay { ms: 4_000 };
    sandbox.fault(FaultRule::new(On::ApiKey, late));
    let client = client_with(&config_for(sandbox.base_url(), &sandbox));
    let operation = client.start_request("GET", "/videos", None).unwrap();
    eventually("a wait for the token", || client.statistics().waiters > 0);
    operation.cancel();
    eventually("its end", || client.statistics().waiters == 0);
    let error = operation.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    assert!(
        client.token_id().is_none(),
        "long before the token is there"
    );
}

#[test]
fn sixty_four_requests_are_made_at_once_and_the_others_in_turn() {
    let server = Scripted::start();
    let client = client(&server);
    server.next(vec![Act::Hang; 64]);
    let start = |path: &str| client.start_request("GET", path, None).unwrap();
    let first: Vec<_> = (0..64).map(|_| start("/first")).collect();
    let mut seen = Vec::new();
    eventually("the first", || {
        seen.extend(server.take_seen());
        seen.len() == 64
    });
    let unwanted = start("/unwanted");
    let others = [start("/second"), start("/third")];
    unwanted.cancel();
    assert!(others[0].wait(Duration::from_millis(100)).is_none());
    first[0].cancel();
    for other in &others {
        other.wait(MOMENT).unwrap().unwrap();
    }
    let paths: Vec<String> = server
        .take_seen()
        .into_iter()
        .map(|seen| seen.path)
        .collect();
    assert_eq!(paths, ["/second", "/third"]);
}

#[test]
fn a_request_that_waits_for_its_turn_ends_in_time() {
    let server = Scripted::start();
    let mut config = config(&server);
    config.set_wait_timeout_ms(1_000).unwrap();
    let client = client_with(&config);
    client.get_token().unwrap();
    server.next(vec![Act::Hang; 200]);
    let start = |_| client.start_request("POST", "/", None).unwrap();
    let operations: Vec<_> = (0..100).map(start).collect();
    for operation in &operations {
        let error = operation.wait(MOMENT).unwrap().unwrap_err();
        assert_eq!(error.status, Status::Timeout, "{error}");
    }
}

#[test]
fn a_callback_may_make_a_request_though_all_turns_are_taken() {
    let server = Scripted::start();
    let client = client(&server);
    let (done, are_done) = channel();
    let operations: Vec<_> = (0..100)
        .map(|_| {
            let operation = client.start_request("GET", "/", None).unwrap();
            let (inner, done) = ((*client).clone(), done.clone());
            let call = move || {
                let answer = inner.request("GET", "/", None);
                done.send(answer.is_ok()).unwrap();
            };
            operation.on_complete(call).unwrap();
            operation
        })
        .collect();
    for _ in &operations {
        assert!(are_done.recv_timeout(MOMENT * 3).unwrap());
    }
}

#[test]
fn freeing_the_client_ends_its_requests_at_once() {
    let server = Scripted::start();
    let client = client(&server);
    // One that hangs, one that waits to be sent again, and one that a thread waits for.
    server.next([Act::Hang, wait(429, "Retry-After: 20"), Act::Hang]);
    let mut operations = Vec::new();
    for _ in 0..2 {
        operations.push(client.start_request("GET", "/videos", None).unwrap());
        eventually("the request", || !server.take_seen().is_empty());
    }
    let inner = (*client).clone();
    thread::scope(|scope| {
        let waits = scope.spawn(move || inner.request("GET", "/videos", None).unwrap_err());
        eventually("the request", || !server.take_seen().is_empty());
        let begun = Instant::now();
        drop(client);
        let mut errors: Vec<Error> = vec![waits.join().unwrap()];
        errors.extend(
            operations
                .iter()
                .map(|operation| operation.wait(MOMENT).unwrap().unwrap_err()),
        );
        for error in errors {
            assert_eq!(error.status, Status::Closed, "{error}");
        }
        assert!(begun.elapsed() < MOMENT);
    });
}
