//! Webhooks, and what they are told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use apivideo_sandbox::{Delivery, Sandbox, SettingsChange};
use ring::hmac;
use serde_json::{Value, json};

use crate::api::assert_problem;
use crate::client::{start, wait_until};
use crate::videos::User;

const ENCODED: &str = "video.encoding.quality.completed";

/// A program that waits for messages, each on a connection of its own.
struct Receiver(TcpListener);

struct Message {
    head: String,
    body: String,
    stream: TcpStream,
}

impl Receiver {
    fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.0.local_addr().unwrap())
    }

    /// Takes a message, and answers it.
    fn answer(&self, status: u16) -> Message {
        let mut message = self.receive();
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        message.stream.write_all(reply.as_bytes()).unwrap();
        message
    }

    fn receive(&self) -> Message {
        let (stream, _) = self.0.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0);
        }
        let mut message = Message {
            head,
            body: String::new(),
            stream,
        };
        let mut body = vec![0; message.header("content-length").parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        message.body = String::from_utf8(body).unwrap();
        message
    }
}

impl Message {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.expect(name).1
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn create(user: &mut User, url: &str, event: &str) -> Value {
    let body = json!({ "url": url, "events": [event] });
    let reply = user.send("POST", "/webhooks", &body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

/// Tells of an event through the control endpoint.
fn emit(user: &mut User, event: &str) {
    let reply = user.send("POST", "/_sandbox/event", &json!({ "type": event }));
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn retry_at_once(sandbox: &Sandbox) {
    sandbox.set(SettingsChange {
        webhook_retry_ms: Some(0),
        ..SettingsChange::default()
    });
}

#[test]
fn webhooks_are_made_found_listed_and_deleted() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let made = create(&mut user, "https://example.com/", ENCODED);
    assert!(made["signatureSecret"].as_str().unwrap().len() > 20);
    let path = format!("/webhooks/{}", made["webhookId"].as_str().unwrap());
    assert_eq!(user.get(&path).json(), made);
    assert_eq!(user.get("/webhooks").json()["data"], json!([made]));
    assert_eq!(user.send("DELETE", &path, &Value::Null).status, 204);
    for method in ["GET", "DELETE"] {
        let gone = user.send(method, &path, &Value::Null);
        assert_problem(&gone, 404, Some("webhookId"));
    }
    for (body, name) in [
        (json!({ "events": [ENCODED] }), "url"),
        (json!({ "url": "http://localhost" }), "events"),
        (json!({ "url": 1, "events": [ENCODED] }), "url"),
        (
            json!({ "url": "http://localhost", "events": ["nothing"] }),
            "events",
        ),
    ] {
        let reply = user.send("POST", "/webhooks", &body);
        assert_problem(&reply, 400, Some(name));
    }
}

#[test]
fn a_complete_video_is_told_with_a_signature() {
    let sandbox = start();
    let receiver = Receiver::start();
    let mut user = User::of(&sandbox);
    let webhook = create(&mut user, &receiver.url(), ENCODED);
    create(&mut user, &receiver.url(), "video.source.recorded");
    let id = user.create();
    user.upload(&id, "part 2/2", "b");
    assert_eq!(
        user.upload(&id, "part 1/2", &"a".repeat(5 * 1024 * 1024))
            .status,
        201
    );

    let messages = [receiver.answer(204), receiver.answer(204)];
    let mut encodings: Vec<Value> = Vec::new();
    for message in &messages {
        assert!(message.head.starts_with("POST /hook?a=b HTTP/1.1\r\n"));
        let told = message.json();
        assert_eq!(
            (&told["type"], &told["videoId"]),
            (&json!(ENCODED), &json!(id))
        );
        assert!(told["emittedAt"].is_string());
        encodings.push(told["encoding"].clone());
        let id = message.header("x-api-video-webhookid");
        assert_eq!(id, webhook["webhookId"].as_str().unwrap());
        let secret = webhook["signatureSecret"].as_str().unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, message.body.as_bytes());
        let signature: String = signature
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(message.header("x-api-video-signature"), signature);
    }
    encodings.sort_by_key(ToString::to_string);
    assert_eq!(encodings, ["hls", "mp4"]);
    wait_until("both are recorded", || sandbox.deliveries().len() == 2);
}

#[test]
fn a_message_is_tried_three_times_more() {
    let sandbox = start();
    retry_at_once(&sandbox);
    let receiver = Receiver::start();
    let mut user = User::of(&sandbox);
    let webhook = create(&mut user, &receiver.url(), ENCODED);
    emit(&mut user, "video.source.recorded");
    emit(&mut user, ENCODED);
    let first = receiver.answer(500);
    drop(receiver.receive());
    let bodies = [receiver.answer(302), receiver.answer(404)].map(|message| message.body);
    assert_eq!(bodies, [first.body.clone(), first.body]);
    wait_until("all tries are recorded", || sandbox.deliveries().len() == 4);
    let tries = sandbox.deliveries();
    let statuses: Vec<_> = tries.iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, [Some(500), None, Some(302), Some(404)]);
    assert!(tries[1].error.is_some());
    let expected = Delivery {
        webhook_id: webhook["webhookId"].as_str().unwrap().to_owned(),
        event: ENCODED.to_owned(),
        attempt: 4,
        status: Some(404),
        error: None,
    };
    assert_eq!(tries[3], expected);
    assert_eq!(user.get("/_sandbox/deliveries").json()[3]["status"], 404);
}

#[test]
fn a_message_that_is_taken_is_not_sent_again() {
    let sandbox = start();
    retry_at_once(&sandbox);
    let receiver = Receiver::start();
    let mut user = User::of(&sandbox);
    create(&mut user, &receiver.url(), ENCODED);
    for _ in 0..2 {
        emit(&mut user, ENCODED);
        receiver.answer(299);
    }
    wait_until("both are recorded", || sandbox.deliveries().len() == 2);
    let tries = sandbox.deliveries();
    assert!(
        tries.iter().all(|delivery| delivery.attempt == 1),
        "{tries:?}"
    );
}

#[test]
fn a_deleted_webhook_is_not_told_again() {
    let sandbox = start();
    retry_at_once(&sandbox);
    let receiver = Receiver::start();
    let mut user = User::of(&sandbox);
    let webhook = create(&mut user, &receiver.url(), ENCODED);
    emit(&mut user, ENCODED);
    let message = receiver.receive();
    let path = format!("/webhooks/{}", webhook["webhookId"].as_str().unwrap());
    assert_eq!(user.send("DELETE", &path, &Value::Null).status, 204);
    drop(message);
    wait_until("the try is recorded", || sandbox.deliveries().len() == 1);
    emit(&mut user, ENCODED);
    create(&mut user, &receiver.url(), ENCODED);
    emit(&mut user, ENCODED);
    assert_ne!(
        receiver.answer(200).header("x-api-video-webhookid"),
        webhook["webhookId"]
    );
}

#[test]
fn other_machines_are_told_nothing() {
    let sandbox = start();
    retry_at_once(&sandbox);
    let mut user = User::of(&sandbox);
    create(&mut user, "http://192.0.2.1/", ENCODED);
    emit(&mut user, ENCODED);
    wait_until("all tries are recorded", || sandbox.deliveries().len() == 4);
    let error = sandbox.deliveries()[0].error.clone().unwrap();
    assert!(error.contains("loopback"), "{error}");
}
