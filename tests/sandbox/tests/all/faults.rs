//! Each kind of fault, as a client sees it.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use apivideo_sandbox::{Fault, FaultRule, On, OutageMode, Sandbox};
use serde_json::{Value, json};

use crate::client::{Client, api_key, start, start_with_tls, wait_until};

fn strike(sandbox: &Sandbox, fault: Fault) {
    sandbox.fault(FaultRule::new(On::Any, fault));
}

/// Authenticates on a connection of its own and returns all that comes back.
fn authenticate_raw(sandbox: &Sandbox) -> Vec<u8> {
    let mut client = Client::connect(sandbox);
    client.send_post("/auth/api-key", &api_key());
    client.receive_all().0
}

/// Waits for the last request to have been handled, then says how it ended.
fn last_status(sandbox: &Sandbox) -> Option<u16> {
    sandbox.log().last().unwrap().status
}

#[test]
fn reply_sends_what_it_is_given() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let fault = Fault::reply(429, "{\"token\":\"a\\r\\nb\"")
        .with_header("Retry-After", "Wed, 21 Oct 2115 07:28:00 GMT")
        .with_header("X-RateLimit-Retry-After", "soon");
    strike(&sandbox, fault);
    let reply = client.authenticate();
    assert_eq!(reply.status, 429);
    assert_eq!(reply.body, b"{\"token\":\"a\\r\\nb\"");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-ratelimit-retry-after"), Some("soon"));
    let retry_after = reply.header("retry-after");
    assert_eq!(retry_after, Some("Wed, 21 Oct 2115 07:28:00 GMT"));

    // The request was not handled.
    assert_eq!(sandbox.counters().api_key.ok, 0);
    let log = sandbox.log();
    assert_eq!((log[0].status, log[0].fault), (Some(429), Some("reply")));
    assert_eq!(log[0].granted_refresh_token_id, None);
}

#[test]
fn reply_takes_any_bytes_and_content_type() {
    let sandbox = start();
    let fault = Fault::reply(502, vec![0xff, 0x00]).with_header("content-type", "text/html");
    strike(&sandbox, fault);
    let reply = Client::connect(&sandbox).authenticate();
    assert_eq!(reply.body, [0xff, 0x00]);
    assert_eq!(reply.header("content-type"), Some("text/html"));
}

#[test]
fn patch_alters_the_reply_of_a_real_rotation() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    strike(
        &sandbox,
        Fault::Patch {
            fields: serde_json::from_str(r#"{"expires_in":1e18,"extra":null}"#).unwrap(),
            remove: vec!["token_type".into()],
        },
    );
    let second = client.refresh(&first.text("refresh_token"));
    let json = second.json();
    assert_eq!(json["expires_in"], 1e18);
    assert_eq!(json.get("extra"), Some(&Value::Null));
    assert_eq!(json.get("token_type"), None);
    assert_eq!(client.refresh(&first.text("refresh_token")).status, 400);
    assert_eq!(client.refresh(&second.text("refresh_token")).status, 200);
}

#[test]
fn patch_leaves_a_rejection_alone() {
    let sandbox = start();
    strike(&sandbox, Fault::patch("status", 200));
    let reply = Client::connect(&sandbox).refresh("unknown");
    assert_eq!((reply.status, &reply.json()["status"]), (400, &json!(400)));
}

#[test]
fn raw_replaces_the_whole_response() {
    for sandbox in [start(), start_with_tls()] {
        for bytes in [
            b"HTTP/1.1 200 OK\r\n\r\nno length".to_vec(),
            vec![0xff; 100_000],
            Vec::new(),
        ] {
            strike(&sandbox, Fault::raw(bytes.clone()));
            let mut client = Client::connect(&sandbox);
            client.send_post("/auth/api-key", &api_key());
            let (received, end) = client.receive_all();
            assert_eq!(received, bytes);
            // The close is announced, also under TLS.
            assert_eq!(end.unwrap(), bytes.len());
            assert_eq!(last_status(&sandbox), None);
        }
    }
}

#[test]
fn raw_may_leave_a_response_unfinished() {
    for sandbox in [start(), start_with_tls()] {
        let head = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 9\r\n\r\n";
        let fault = Fault::Raw {
            bytes: head.into(),
            hang: true,
        };
        strike(&sandbox, fault);
        let mut client = Client::connect(&sandbox);
        client.set_patience(Duration::from_millis(100));
        client.send_post("/auth/api-key", &api_key());
        let (received, end) = client.receive_all();
        assert_eq!(received, head.as_bytes());
        assert!(is_timeout(&end.unwrap_err()), "it stays open");
    }
}

#[test]
fn prepend_puts_more_into_a_real_reply() {
    for sandbox in [start(), start_with_tls()] {
        let mut client = Client::connect(&sandbox);
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        let folded = "X-Folded: a\r\n b\r\n";
        strike(
            &sandbox,
            Fault::Prepend {
                response: early.into(),
                headers: folded.into(),
                body: "\u{feff}".into(),
            },
        );
        let hints = client.authenticate();
        assert_eq!((hints.status, hints.head.as_str()), (103, early));
        let reply = client.receive().unwrap();
        assert_eq!(reply.status, 200);
        let status_line = "HTTP/1.1 200 OK\r\n";
        assert!(reply.head.starts_with(&format!("{status_line}{folded}")));
        let json = reply.body.strip_prefix("\u{feff}".as_bytes()).unwrap();
        let tokens: Value = serde_json::from_slice(json).unwrap();
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(client.refresh(refresh_token).status, 200);
    }
}

#[test]
fn a_gateway_answers_with_a_page_or_with_nothing() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    for (status, bytes) in [(403, 500), (451, 0), (500, 1_000_000)] {
        strike(&sandbox, Fault::Gateway { status, bytes });
        let reply = client.authenticate();
        assert_eq!(reply.status, status);
        assert_eq!(reply.body.len() as u64, bytes);
        assert_eq!(reply.header("content-type"), Some("text/html"));
    }
    assert_eq!(sandbox.counters().api_key.ok, 0);
}

/// Sends a request whose response is cut, and returns what comes of it.
fn truncated(sandbox: &Sandbox, at: usize, path: &str, body: &Value) -> Vec<u8> {
    strike(sandbox, Fault::Truncate { at: at as u64 });
    let mut client = Client::connect(sandbox);
    client.send_post(path, body);
    let (received, end) = client.receive_all();
    // As after a failure of the network, a TLS client is told of no end.
    let end = end.map_err(|error| error.kind());
    match sandbox.ca_pem() {
        None => assert_eq!(end, Ok(at)),
        Some(_) => assert_eq!(end, Err(ErrorKind::UnexpectedEof)),
    }
    assert_eq!(last_status(sandbox).is_some(), at > 0);
    received
}

#[test]
fn truncate_is_exact_at_every_byte() {
    let body = json!({ "refreshToken": "unknown" });
    for sandbox in [start(), start_with_tls()] {
        let whole = Client::connect(&sandbox).refresh("unknown");
        let length = whole.head.len() + whole.body.len();
        for at in 0..=length {
            let received = truncated(&sandbox, at, "/auth/refresh", &body);
            assert_eq!(received.len(), at);
        }
    }
}

#[test]
fn truncate_lets_the_request_take_effect() {
    for sandbox in [start(), start_with_tls()] {
        let whole = Client::connect(&sandbox).authenticate();
        let length = whole.head.len() + whole.body.len();
        for (at, granted) in [0, 1, 12, 500, length - 1, length].into_iter().zip(2..) {
            let received = truncated(&sandbox, at, "/auth/api-key", &api_key());
            assert_eq!(received.len(), at);
            let entry = sandbox.log().pop().unwrap();
            assert_eq!(entry.granted_refresh_token_id, Some(granted));
        }
    }
}

#[test]
fn truncate_beyond_the_end_changes_nothing() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    strike(&sandbox, Fault::Truncate { at: 1_000_000 });
    assert_eq!(client.authenticate().status, 200);
    assert_eq!(client.authenticate().status, 200);
}

#[test]
fn truncate_cuts_long_replies_where_it_should() {
    let sandbox = start_with_tls();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("access_token");
    let whole = client.get("/videos", &token);
    let whole = [whole.head.as_bytes(), &whole.body].concat();
    let at = whole.len() - 7;
    strike(&sandbox, Fault::Truncate { at: at as u64 });
    let authorization = format!("Bearer {token}");
    client.send("GET", "/videos", &[("Authorization", &authorization)], "");
    let (received, _) = client.receive_all();
    // The heads differ in their date, and only there.
    assert_eq!(received[received.len() - 500..], whole[at - 500..at]);
    assert_eq!(received.len(), at);
}

#[test]
fn close_loses_the_request_or_the_reply() {
    for sandbox in [start(), start_with_tls()] {
        for handled in [false, true] {
            let before = sandbox.counters().api_key.ok;
            strike(&sandbox, Fault::Close { handled });
            assert_eq!(authenticate_raw(&sandbox), b"");
            assert_eq!(sandbox.counters().api_key.ok - before, u64::from(handled));
            assert_eq!(last_status(&sandbox), None);
        }
    }
}

#[test]
fn a_lost_reply_uses_the_refresh_token_up() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("refresh_token");
    strike(&sandbox, Fault::Close { handled: true });
    client.send_post("/auth/refresh", &json!({ "refreshToken": token }));
    assert!(client.receive().is_err());
    assert_eq!(Client::connect(&sandbox).refresh(&token).status, 400);
    assert_eq!(sandbox.counters().refresh.replayed, 1);
    assert_eq!(sandbox.log()[1].granted_refresh_token_id, Some(2));
}

/// Which of the two it is depends on the system.
fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[test]
fn hang_sends_nothing_and_stays_open() {
    for handled in [false, true] {
        let sandbox = start();
        strike(&sandbox, Fault::Hang { handled });
        let mut client = Client::connect(&sandbox);
        client.set_patience(Duration::from_millis(100));
        client.send_post("/auth/api-key", &api_key());
        assert!(is_timeout(&client.receive_all().1.unwrap_err()));
        wait_until("the request has arrived", || !sandbox.log().is_empty());
        wait_until("it was handled, if at all", || {
            sandbox.counters().api_key.ok == u64::from(handled)
        });
        assert_eq!(last_status(&sandbox), None);
        assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
    }
}

#[test]
fn drip_sends_byte_by_byte() {
    for sandbox in [start(), start_with_tls()] {
        let mut client = Client::connect(&sandbox);
        let token = client.authenticate().text("refresh_token");
        strike(&sandbox, Fault::Drip { interval_ms: 1 });
        let start = Instant::now();
        // Rejections are short.
        let reply = client.refresh("unknown");
        let bytes = reply.head.len() + reply.body.len();
        assert_eq!(reply.status, 400);
        let pauses = u64::try_from(bytes).unwrap() - 1;
        assert!(start.elapsed() >= Duration::from_millis(pauses));
        // The next response on the connection is not slowed.
        assert_eq!(client.refresh(&token).status, 200);
    }
}

#[test]
fn delay_comes_before_the_ordinary_reply() {
    let sandbox = start();
    strike(&sandbox, Fault::Delay { ms: 50 });
    let start = Instant::now();
    let reply = Client::connect(&sandbox).authenticate();
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(reply.status, 200);
}

#[test]
fn huge_has_the_size_it_says() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    for bytes in [14, 15, 65_550, 3_000_000] {
        for content_length in [true, false] {
            strike(
                &sandbox,
                Fault::Huge {
                    bytes,
                    content_length,
                },
            );
            let reply = client.authenticate();
            assert_eq!(reply.status, 200);
            assert_eq!(reply.body.len() as u64, bytes);
            assert!(reply.json().is_object());
            assert_eq!(reply.header("content-length").is_some(), content_length);
            let chunked = reply.header("transfer-encoding") == Some("chunked");
            assert_eq!(chunked, !content_length);
        }
    }
}

#[test]
fn huge_is_not_held_in_memory() {
    let sandbox = start();
    let bytes = 1 << 50;
    strike(
        &sandbox,
        Fault::Huge {
            bytes,
            content_length: true,
        },
    );
    let mut client = Client::connect(&sandbox);
    client.send_post("/auth/api-key", &api_key());
    wait_until("the reply has begun", || {
        sandbox
            .log()
            .first()
            .is_some_and(|entry| entry.status.is_some())
    });
    drop(client);
    assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
}

#[test]
fn redirect_points_elsewhere() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    for status in [302, 307] {
        strike(
            &sandbox,
            Fault::Redirect {
                location: "http://127.0.0.1:1/elsewhere".into(),
                status,
            },
        );
        let reply = client.authenticate();
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.header("location"),
            Some("http://127.0.0.1:1/elsewhere")
        );
    }
}

#[test]
fn faults_strike_only_what_they_are_about() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let fault = Fault::reply(500, "");
    sandbox.fault(FaultRule::new(On::Refresh, fault).skip(1).times(2));
    let mut token = client.authenticate().text("refresh_token");
    token = client.refresh(&token).text("refresh_token");
    assert_eq!(client.refresh(&token).status, 500);
    assert_eq!(client.get("/videos", "").status, 401);
    assert_eq!(client.refresh(&token).status, 500);
    assert_eq!(client.refresh(&token).status, 200);
    assert_eq!(sandbox.counters().faults, 2);
    assert_eq!(sandbox.counters().refresh.replayed, 0);
}

#[test]
#[should_panic(expected = "a reply's status must be 200 to 999, not 100")]
fn an_impossible_fault_is_refused() {
    strike(&start(), Fault::reply(100, ""));
}

#[test]
fn an_outage_strikes_everything_and_uses_no_rule_up() {
    let sandbox = start();
    strike(&sandbox, Fault::reply(418, ""));
    sandbox.outage(Duration::from_secs(60), OutageMode::Unavailable);
    let mut client = Client::connect(&sandbox);
    let reply = client.authenticate();
    assert_eq!(reply.status, 503);
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(sandbox.log()[0].fault, Some("outage"));
    sandbox.advance_clock(Duration::from_secs(60));
    assert_eq!(client.authenticate().status, 418);
}

#[test]
fn an_outage_can_close_and_hang() {
    let sandbox = start();
    let minute = Duration::from_secs(60);
    sandbox.outage(minute, OutageMode::Close);
    assert_eq!(authenticate_raw(&sandbox), b"");

    sandbox.outage(minute, OutageMode::Hang);
    let mut client = Client::connect(&sandbox);
    client.set_patience(Duration::from_millis(100));
    client.send_post("/auth/api-key", &api_key());
    assert!(client.receive_all().1.is_err());

    sandbox.outage(Duration::ZERO, OutageMode::Close);
    assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
}
