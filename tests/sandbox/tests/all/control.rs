//! The control endpoint, over HTTP.

use apivideo_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::client::{Client, start};

/// Sends a control request that is to succeed.
fn control(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> Value {
    let (status, json) = try_control(sandbox, method, path, &body.to_string());
    assert_eq!(status, 200, "{json}");
    json
}

fn try_control(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut client = Client::connect(sandbox);
    client.send(method, &format!("/_sandbox/{path}"), &[], body);
    let reply = client.receive().unwrap();
    assert_eq!(reply.header("content-type"), Some("application/json"));
    (reply.status, reply.json())
}

#[test]
fn faults_are_queued_listed_and_cleared() {
    let sandbox = start();
    let rule = json!({ "on": "api-key", "times": 0, "fault": { "kind": "reply", "status": 503 } });
    let queued = control(&sandbox, "POST", "faults", &rule);
    assert_eq!(queued, json!({ "queued": 1 }));
    let rules = json!([{ "fault": { "kind": "hang" } }, { "fault": { "kind": "close" } }]);
    let queued = control(&sandbox, "POST", "faults", &rules);
    assert_eq!(queued, json!({ "queued": 3 }));

    let listed = control(&sandbox, "GET", "faults", &Value::Null);
    assert_eq!(listed[0]["fault"]["status"], 503);
    assert_eq!(listed[1]["on"], "any");
    assert_eq!(
        listed[1]["fault"],
        json!({ "kind": "hang", "handled": true })
    );
    assert_eq!(listed[2]["fault"]["handled"], false);
    assert_eq!(Client::connect(&sandbox).authenticate().status, 503);

    control(&sandbox, "DELETE", "faults", &Value::Null);
    assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
}

#[test]
fn every_kind_of_fault_can_be_written_in_json() {
    let sandbox = start();
    let faults = json!([
        { "kind": "reply", "status": 200, "headers": { "a": "b" }, "body": "x" },
        { "kind": "reply", "status": 200, "headers": {}, "body": [255, 0] },
        { "kind": "patch", "fields": { "expires_in": null }, "remove": ["token_type"] },
        { "kind": "raw", "bytes": "nonsense", "hang": true },
        { "kind": "prepend", "response": "HTTP/1.1 102 Wait\r\n\r\n", "headers": "a: b\r\n", "body": [239] },
        { "kind": "gateway", "status": 451, "bytes": 9 },
        { "kind": "truncate", "at": 5 },
        { "kind": "close", "handled": true },
        { "kind": "hang", "handled": false },
        { "kind": "reset", "handled": true },
        { "kind": "stall", "at": 5 },
        { "kind": "throttle", "bytes_per_second": 1000 },
        { "kind": "drip", "interval_ms": 1 },
        { "kind": "delay", "ms": 1 },
        { "kind": "huge", "bytes": 1000, "content_length": false },
        { "kind": "redirect", "location": "/elsewhere", "status": 307 },
    ]);
    for fault in faults.as_array().unwrap() {
        control(&sandbox, "DELETE", "faults", &Value::Null);
        let rule = json!({ "on": "any", "times": 2, "skip": 1, "fault": fault });
        control(&sandbox, "POST", "faults", &rule);
        let listed = control(&sandbox, "GET", "faults", &Value::Null);
        assert_eq!(listed, json!([rule]));
    }
}

#[test]
fn every_condition_of_a_fault_can_be_written_in_json() {
    let sandbox = start();
    let rule = json!({
        "on": "uploads", "times": 1, "skip": 0, "method": "POST", "path": "/upload", "chunk": 2,
        "from": 0, "after": 100, "drain": true, "fault": { "kind": "gateway", "status": 502, "bytes": 9 },
    });
    control(&sandbox, "POST", "faults", &rule);
    let listed = control(&sandbox, "GET", "faults", &Value::Null);
    assert_eq!(listed, json!([rule]));
}

#[test]
fn a_patch_tells_null_from_removal() {
    let sandbox = start();
    let fault =
        json!({ "kind": "patch", "fields": { "expires_in": null }, "remove": ["token_type"] });
    control(&sandbox, "POST", "faults", &json!({ "fault": fault }));
    let reply = Client::connect(&sandbox).authenticate().json();
    assert_eq!(reply.get("expires_in"), Some(&Value::Null));
    assert_eq!(reply.get("token_type"), None);
    assert!(reply["access_token"].is_string());
}

#[test]
fn bad_input_is_refused_with_a_reason() {
    let sandbox = start();
    let cases = [
        ("faults", "", "EOF"),
        ("faults", "{}", "missing field `fault`"),
        (
            "faults",
            r#"{"fault":{"kind":"explode"}}"#,
            "unknown variant `explode`",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"truncate"}}"#,
            "missing field `at`",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"close","at":1}}"#,
            "unknown field `at`",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"raw","bytes":[256]}}"#,
            "a string or an array",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"close"},"when":1}"#,
            "unknown field `when`",
        ),
        (
            "faults",
            r#"{"on":"tuesday","fault":{"kind":"close"}}"#,
            "unknown variant",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"reply","status":99}}"#,
            "200 to 999",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"reply","status":200,"headers":{"a b":""}}}"#,
            "name",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"reply","status":200,"headers":{"a":"\n"}}}"#,
            "value",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"reply","status":200,"headers":{"content-length":"1"}}}"#,
            "cannot be set",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"gateway","status":103}}"#,
            "200 to 999",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"gateway","bytes":99999999}}"#,
            "at most 16777216",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"huge","bytes":1}}"#,
            "at least 14",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"redirect","location":"/","status":200}}"#,
            "300 to 399",
        ),
        (
            "faults",
            r#"{"fault":{"kind":"throttle","bytes_per_second":0}}"#,
            "at least 1 byte",
        ),
        (
            "faults",
            r#"{"after":1,"fault":{"kind":"truncate","at":1}}"#,
            "cannot be with truncate",
        ),
        (
            "faults",
            r#"{"drain":true,"fault":{"kind":"gateway"}}"#,
            "needs `after`",
        ),
        ("outage", r#"{"seconds":-1}"#, "no number of seconds"),
        (
            "outage",
            r#"{"seconds":1,"mode":"refuse"}"#,
            "unknown variant `refuse`",
        ),
        ("revoke", r#"{"what":"nothing"}"#, "unknown variant"),
        (
            "settings",
            r#"{"auth_error_status":500}"#,
            "400, 401 or 403",
        ),
        (
            "settings",
            r#"{"key":"new","limit_window_s":0}"#,
            "at least a second",
        ),
        ("settings", r#"{"expires_in":-1}"#, "invalid value"),
        ("settings", r#"{"expires":1}"#, "unknown field"),
        ("event", r#"{"type":1}"#, "has a `type`"),
        ("clock", r#"{"advance_seconds":"1"}"#, "invalid type"),
    ];
    for (path, body, reason) in cases {
        let (status, json) = try_control(&sandbox, "POST", path, body);
        assert_eq!(status, 400, "{body}");
        let error = json["error"].as_str().unwrap();
        assert!(error.contains(reason), "{body}: {error}");
    }
    let listed = control(&sandbox, "GET", "faults", &Value::Null);
    assert_eq!(listed, json!([]));
    assert_eq!(
        sandbox.settings().key,
        "sandbox-key",
        "nothing of it was changed"
    );
}

#[test]
fn unknown_paths_and_methods_are_refused() {
    let sandbox = start();
    let (status, json) = try_control(&sandbox, "GET", "nothing", "");
    assert_eq!(status, 404);
    assert!(json["error"].as_str().unwrap().contains("counters"));
    let (status, _) = try_control(&sandbox, "PUT", "faults", "");
    assert_eq!(status, 405);
}

#[test]
fn control_requests_are_neither_struck_nor_counted() {
    let sandbox = start();
    control(
        &sandbox,
        "POST",
        "outage",
        &json!({ "seconds": 60, "mode": "close" }),
    );
    let rule = json!({ "times": 0, "fault": { "kind": "close" } });
    control(&sandbox, "POST", "faults", &rule);
    control(
        &sandbox,
        "POST",
        "settings",
        &json!({ "latency_ms": 3_600_000 }),
    );
    assert_eq!(control(&sandbox, "GET", "log", &Value::Null), json!([]));
    let counters = control(&sandbox, "GET", "counters", &Value::Null);
    assert_eq!(counters["requests"], 0);
    assert_eq!(counters["connections"], 0);
}

#[test]
fn an_outage_is_begun_and_ended() {
    let sandbox = start();
    control(
        &sandbox,
        "POST",
        "outage",
        &json!({ "seconds": 60, "mode": "503" }),
    );
    assert_eq!(Client::connect(&sandbox).authenticate().status, 503);
    control(&sandbox, "POST", "outage", &json!({ "seconds": 0 }));
    assert_eq!(Client::connect(&sandbox).authenticate().status, 200);
}

#[test]
fn tokens_are_revoked_and_outlived() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    control(&sandbox, "POST", "revoke", &json!({ "what": "refresh" }));
    assert_eq!(client.refresh(&first.text("refresh_token")).status, 400);
    control(
        &sandbox,
        "POST",
        "clock",
        &json!({ "advance_seconds": 3600 }),
    );
    assert_eq!(
        client.get("/videos", &first.text("access_token")).status,
        401
    );
}

#[test]
fn settings_are_read_and_changed() {
    let sandbox = start();
    let initial = control(&sandbox, "GET", "settings", &Value::Null);
    let expected = json!({
        "key": "sandbox-key", "expires_in": 3600, "latency_ms": 0, "auth_error_status": 400,
        "smallest_chunk": 5_242_880, "keep_bytes": true, "early_refusals": false,
        "send_continue": true, "continue_delay_ms": 0, "encoding_ms": 0,
        "webhook_retry_ms": 3000,
        "enforce_limits": false, "limit_reads": 100, "limit_writes": 40, "limit_uploads": 40,
        "limit_window_s": 60,
    });
    assert_eq!(initial, expected);

    let change = json!({ "key": "other", "expires_in": 5, "auth_error_status": 403 });
    let changed = control(&sandbox, "POST", "settings", &change);
    assert_eq!(changed["latency_ms"], 0);
    let mut client = Client::connect(&sandbox);
    assert_eq!(client.authenticate().status, 403);
    let reply = client.post("/auth/api-key", &json!({ "apiKey": "other" }));
    assert_eq!(reply.json()["expires_in"], 5);
}

#[test]
fn the_log_shows_requests_without_secrets() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    let (access, refresh) = (first.text("access_token"), first.text("refresh_token"));
    let authorization = format!("Bearer {access}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("User-Agent", "tests"),
        ("AV-Origin-Client", "tests:1"),
        ("X-Other", "unrecorded"),
    ];
    client.send("GET", "/videos?secret=1", &headers, "");
    client.receive().unwrap();
    client.refresh(&refresh);

    let log = control(&sandbox, "GET", "log", &Value::Null);
    let mut videos = log[1].clone();
    assert!(videos["at_ms"].take().is_u64());
    let expected = json!({
        "seq": 2, "at_ms": null, "method": "GET", "path": "/videos", "status": 200,
        "fault": null, "access_token_id": 1, "refresh_token_id": null,
        "granted_refresh_token_id": null, "connection": 0, "range": null, "received": 0,
        "outcome": "done", "problem": null, "video_id": null,
        "headers": {
            "authorization": "present", "user-agent": "tests", "av-origin-client": "tests:1"
        },
    });
    assert_eq!(videos, expected);
    assert_eq!(log[2]["refresh_token_id"], 1);
    assert_eq!(log[2]["granted_refresh_token_id"], 2);
    for secret in [access.as_str(), &refresh, "sandbox-key", "secret"] {
        assert!(!log.to_string().contains(secret));
    }

    control(&sandbox, "DELETE", "log", &Value::Null);
    assert_eq!(control(&sandbox, "GET", "log", &Value::Null), json!([]));
    client.authenticate();
    let log = control(&sandbox, "GET", "log", &Value::Null);
    assert_eq!(log[0]["seq"], 4);
}

#[test]
fn counters_tell_what_became_of_requests() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    client.post("/auth/api-key", &json!({ "apiKey": "wrong" }));
    client.refresh(&first.text("refresh_token"));
    client.refresh(&first.text("refresh_token"));
    client.get("/videos", &first.text("access_token"));
    client.get("/nothing", "");
    let rule = json!({ "fault": { "kind": "reply", "status": 500 } });
    control(&sandbox, "POST", "faults", &rule);
    Client::connect(&sandbox).get("/videos", "");

    let counters = control(&sandbox, "GET", "counters", &Value::Null);
    let expected = json!({
        "requests": 7,
        "api_key": { "requests": 2, "ok": 1, "rejected": 1 },
        "refresh": { "requests": 2, "ok": 1, "rejected": 1, "replayed": 1 },
        "videos": { "requests": 2, "ok": 1, "rejected": 0 },
        "uploads": { "requests": 0, "ok": 0, "rejected": 0 },
        "connections": 2,
        "faults": 1,
    });
    assert_eq!(counters, expected);
}

#[test]
fn a_reset_puts_everything_back() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let first = client.authenticate();
    let rule = json!({ "times": 0, "fault": { "kind": "reply", "status": 500 } });
    control(&sandbox, "POST", "faults", &rule);
    control(&sandbox, "POST", "settings", &json!({ "key": "other" }));
    control(&sandbox, "POST", "clock", &json!({ "advance_seconds": 60 }));
    control(&sandbox, "POST", "outage", &json!({ "seconds": 60 }));
    control(&sandbox, "POST", "reset", &Value::Null);

    assert!(sandbox.log().is_empty());
    assert_eq!(sandbox.counters(), Default::default());
    assert_eq!(client.refresh(&first.text("refresh_token")).status, 400);
    assert_eq!(client.authenticate().status, 200);
    assert_eq!(sandbox.counters().connections, 1);
}
