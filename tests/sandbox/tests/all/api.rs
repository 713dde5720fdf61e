//! The imitated endpoints, when nothing is made to go wrong.

use std::time::Duration;

use apivideo_sandbox::{Fault, FaultRule, On, Options, OutageMode, Revoke, Sandbox};
use serde_json::{Value, json};

use crate::client::{Client, Reply, api_key, start, start_with_tls};

fn assert_problem(reply: &Reply, status: u16, name: Option<&str>) {
    assert_eq!(reply.status, status, "{reply:?}");
    let content_type = reply.header("content-type");
    assert_eq!(content_type, Some("application/json"));
    let json = reply.json();
    assert_eq!(json["status"], status);
    assert_eq!(json.get("name").and_then(Value::as_str), name);
    assert!(json["title"].is_string());
    let kind = json["type"].as_str().unwrap();
    assert!(kind.starts_with("https://docs.api.video/reference/"));
}

#[test]
fn an_api_key_is_exchanged_for_tokens() {
    let reply = Client::connect(&start()).authenticate();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let json = reply.json();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 3600);
    assert_eq!(reply.text("access_token").split('.').count(), 3);
    assert_eq!(reply.text("refresh_token").len(), 800);
}

#[test]
fn every_grant_is_different() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let (first, second) = (client.authenticate(), client.authenticate());
    for name in ["access_token", "refresh_token"] {
        assert_ne!(first.text(name), second.text(name));
    }
}

#[test]
fn a_wrong_key_is_rejected() {
    let reply = Client::connect(&start()).post("/auth/api-key", &json!({ "apiKey": "wrong" }));
    assert_problem(&reply, 400, Some("apiKey"));
}

#[test]
fn the_status_of_a_rejection_can_be_chosen() {
    let options = Options {
        auth_error_status: 401,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let mut client = Client::connect(&sandbox);
    let reply = client.post("/auth/api-key", &json!({ "apiKey": "wrong" }));
    assert_problem(&reply, 401, Some("apiKey"));
    assert_problem(&client.refresh("unknown"), 401, Some("refreshToken"));
}

#[test]
fn bad_bodies_name_the_field() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let json = [("Content-Type", "application/json; charset=utf-8")];
    for body in ["", "{", "[]", "{}", r#"{"apiKey":5}"#, r#"{"apiKey":null}"#] {
        client.send("POST", "/auth/api-key", &json, body);
        assert_problem(&client.receive().unwrap(), 400, Some("apiKey"));
        client.send("POST", "/auth/refresh", &json, body);
        assert_problem(&client.receive().unwrap(), 400, Some("refreshToken"));
    }
}

#[test]
fn only_json_is_taken() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let body = api_key().to_string();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for headers in [&[][..], &form] {
        client.send("POST", "/auth/api-key", headers, &body);
        assert_problem(&client.receive().unwrap(), 415, Some("Content-Type"));
    }
    client.send(
        "POST",
        "/auth/api-key",
        &[("Content-Type", "Application/JSON;charset=utf-8")],
        &body,
    );
    assert_eq!(client.receive().unwrap().status, 200);
}

#[test]
fn wrong_methods_and_paths_are_refused() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let reply = client.get("/auth/api-key", "");
    assert_problem(&reply, 405, None);
    assert_eq!(reply.header("allow"), Some("POST"));
    assert_problem(&client.get("/auth/refresh", ""), 405, None);
    assert_problem(&client.post("/videos", &json!({})), 405, None);
    assert_problem(&client.get("/nothing", ""), 404, None);
    assert_problem(&client.get("/videos/", ""), 404, None);
}

#[test]
fn an_oversized_body_is_refused() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let reply = client.post("/auth/api-key", &json!({ "apiKey": "k".repeat(1_048_576) }));
    assert_problem(&reply, 413, None);
}

#[test]
fn origins_are_checked_only_on_request() {
    let options = Options {
        strict_origin: true,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let mut client = Client::connect(&sandbox);
    let mut status = |origins: &[(&str, &str)]| {
        let headers = [&[("Content-Type", "application/json")], origins].concat();
        client.send("POST", "/auth/api-key", &headers, &api_key().to_string());
        client.receive().unwrap().status
    };
    let good = ("AV-Origin-Client", "test:1.0.0");
    assert_eq!(status(&[]), 400);
    assert_eq!(status(&[("AV-Origin-Client", "test")]), 400);
    assert_eq!(status(&[good]), 200);
    assert_eq!(status(&[good, ("AV-Origin-App", "my_app:2")]), 200);
    assert_eq!(status(&[good, ("AV-Origin-App", "my app:2")]), 400);
    assert_eq!(status(&[good, ("AV-Origin-Sdk", "sdk:1.2.3.4")]), 400);
}

#[test]
fn a_refresh_rotates_both_tokens() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    let second = client.refresh(&first.text("refresh_token"));
    assert_eq!(second.status, 200);
    assert_ne!(first.text("refresh_token"), second.text("refresh_token"));
    assert_ne!(first.text("access_token"), second.text("access_token"));
    let third = client.refresh(&second.text("refresh_token"));
    assert_eq!(third.status, 200);
}

#[test]
fn a_used_refresh_token_is_rejected_and_counted() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    let second = client.refresh(&first.text("refresh_token"));
    let replay = client.refresh(&first.text("refresh_token"));
    assert_problem(&replay, 400, Some("refreshToken"));
    // A replay does no harm to the token that replaced it.
    assert_eq!(client.refresh(&second.text("refresh_token")).status, 200);

    let counters = sandbox.counters().refresh;
    let counted = (counters.requests, counters.ok, counters.rejected);
    assert_eq!(counted, (3, 2, 1));
    assert_eq!(counters.replayed, 1);
    let log = sandbox.log();
    let presented: Vec<_> = log.iter().map(|entry| entry.refresh_token_id).collect();
    assert_eq!(presented, [None, Some(1), Some(1), Some(2)]);
    let granted: Vec<_> = log
        .iter()
        .map(|entry| entry.granted_refresh_token_id)
        .collect();
    assert_eq!(granted, [Some(1), Some(2), None, Some(3)]);
}

#[test]
fn another_authentication_ends_the_refresh_token() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    client.authenticate();
    let reply = client.refresh(&first.text("refresh_token"));
    assert_problem(&reply, 400, Some("refreshToken"));
    assert_eq!(sandbox.counters().refresh.replayed, 0);
}

#[test]
fn a_rejected_key_ends_nothing() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    client.post("/auth/api-key", &json!({ "apiKey": "wrong" }));
    assert_eq!(client.refresh(&first.text("refresh_token")).status, 200);
}

#[test]
fn videos_need_a_token() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    client.send("GET", "/videos", &[], "");
    assert_problem(&client.receive().unwrap(), 401, None);
    assert_problem(&client.get("/videos", "unknown"), 401, None);
    let refresh_token = client.authenticate().text("refresh_token");
    assert_problem(&client.get("/videos", &refresh_token), 401, None);
}

#[test]
fn videos_are_listed_by_page() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("access_token");
    let list = client.get("/videos", &token).json();
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
    assert!(list["data"][0]["videoId"].is_string());
    let mut pages = [1, 2, 3].map(|page| {
        let path = format!("/videos?currentPage={page}&pageSize=2");
        client.get(&path, &token).json()
    });
    let items = pages
        .each_ref()
        .map(|page| page["data"].as_array().unwrap().len());
    assert_eq!(items, [2, 1, 0]);
    let uri = |page| format!("http://sandbox/videos?currentPage={page}&pageSize=2");
    let pagination = pages[1]["pagination"].take();
    let expected = json!({
        "currentPage": 2, "currentPageItems": 1, "pageSize": 2, "pagesTotal": 2, "itemsTotal": 3,
        "links": [
            { "rel": "self", "uri": uri(2) }, { "rel": "first", "uri": uri(1) },
            { "rel": "previous", "uri": uri(1) }, { "rel": "last", "uri": uri(2) },
        ],
    });
    assert_eq!(pagination, expected);
    let next = &pages[0]["pagination"]["links"][2];
    assert_eq!(*next, json!({ "rel": "next", "uri": uri(2) }));
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("access_token");
    for (name, bad) in [
        ("currentPage", "0"),
        ("currentPage", "x"),
        ("pageSize", "0"),
        ("pageSize", "101"),
        ("pageSize", ""),
    ] {
        let reply = client.get(&format!("/videos?{name}={bad}"), &token);
        assert_problem(&reply, 400, Some(name));
    }
}

#[test]
fn every_reply_tells_of_the_rate_limit() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let numbers = |reply: &Reply| {
        ["limit", "remaining", "retry-after"].map(|name| {
            let value = reply.header(&format!("x-ratelimit-{name}")).unwrap();
            value.parse::<u64>().unwrap()
        })
    };
    let granted = client.authenticate();
    let [limit, remaining, wait] = numbers(&granted);
    assert_eq!((limit, remaining), (40, 39));
    assert!((1..=60).contains(&wait));
    assert_eq!(numbers(&client.refresh("unknown"))[1], 38);
    let list = client.get("/videos", &granted.text("access_token"));
    assert_eq!(numbers(&list)[..2], [100, 99]);
    numbers(&client.get("/nothing", ""));
    numbers(&client.post("/auth/api-key", &json!({ "apiKey": "k".repeat(1_048_576) })));
    let mut client = Client::connect(&sandbox);
    for fault in [
        Fault::reply(503, ""),
        Fault::patch("expires_in", 5),
        Fault::Gateway {
            status: 403,
            bytes: 0,
        },
        Fault::Huge {
            bytes: 100,
            content_length: true,
        },
        Fault::Redirect {
            location: "/".into(),
            status: 302,
        },
        Fault::Delay { ms: 1 },
    ] {
        sandbox.fault(FaultRule::new(On::Any, fault));
        numbers(&client.authenticate());
    }
    sandbox.outage(Duration::from_secs(60), OutageMode::Unavailable);
    numbers(&client.authenticate());
    sandbox.outage(Duration::ZERO, OutageMode::Unavailable);

    let own = Fault::reply(503, "").with_header("X-RateLimit-Retry-After", "42");
    sandbox.fault(FaultRule::new(On::Any, own));
    assert_eq!(numbers(&client.authenticate())[2], 42);
    let own = Fault::reply(429, "").with_header("Retry-After", "7");
    sandbox.fault(FaultRule::new(On::Any, own));
    let told = client.authenticate();
    assert_eq!(told.header("x-ratelimit-retry-after"), None);
    assert_eq!(told.header("x-ratelimit-limit"), Some("40"));
}

#[test]
fn older_access_tokens_stay_valid_until_they_expire() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    sandbox.advance_clock(Duration::from_secs(3000));
    let second = client.refresh(&first.text("refresh_token"));
    assert_eq!(
        client.get("/videos", &first.text("access_token")).status,
        200
    );
    sandbox.advance_clock(Duration::from_secs(600));
    let expired = client.get("/videos", &first.text("access_token"));
    assert_problem(&expired, 401, None);
    assert_eq!(
        client.get("/videos", &second.text("access_token")).status,
        200
    );
}

#[test]
fn revoked_tokens_are_dead() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    sandbox.revoke(Revoke::Access);
    assert_eq!(
        client.get("/videos", &first.text("access_token")).status,
        401
    );
    let second = client.refresh(&first.text("refresh_token"));
    assert_eq!(
        client.get("/videos", &second.text("access_token")).status,
        200
    );

    sandbox.revoke(Revoke::Refresh);
    assert_eq!(
        client.get("/videos", &second.text("access_token")).status,
        200
    );
    assert_eq!(client.refresh(&second.text("refresh_token")).status, 400);

    let third = client.authenticate();
    sandbox.revoke(Revoke::All);
    assert_eq!(
        client.get("/videos", &third.text("access_token")).status,
        401
    );
    assert_eq!(client.refresh(&third.text("refresh_token")).status, 400);
}

#[test]
fn everything_works_over_tls() {
    let sandbox = start_with_tls();
    assert!(sandbox.base_url().starts_with("https://127.0.0.1:"));
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    let second = client.refresh(&first.text("refresh_token"));
    assert_eq!(
        client.get("/videos", &second.text("access_token")).status,
        200
    );
}
