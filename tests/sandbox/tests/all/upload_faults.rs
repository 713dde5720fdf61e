//! Each fault that a chunk of an upload can meet.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use apivideo_sandbox::{Fault, FaultRule, LogEntry, On, Options, Sandbox};

use crate::client::wait_until;
use crate::uploads::{file, form, start};
use crate::videos::User;

const CONTENT: &str = "aaaaaaaaaabbbbbbbbbb";

fn body() -> String {
    form(&[file(CONTENT)])
}

fn start_with_tls() -> Sandbox {
    let options = Options {
        tls: true,
        smallest_chunk: 10,
        ..Options::default()
    };
    Sandbox::start(options).unwrap()
}

/// A user with a video, and a rule for what is uploaded to it.
fn user_and_rule(sandbox: &Sandbox, rule: FaultRule) -> (User, String) {
    let mut user = User::of(sandbox);
    let id = user.create();
    sandbox.fault(rule);
    (user, id)
}

fn rule(fault: Fault) -> FaultRule {
    FaultRule::new(On::Uploads, fault)
}

fn last(sandbox: &Sandbox) -> LogEntry {
    sandbox.log().pop().unwrap()
}

/// The chunk comes through on a new connection, so it was not taken before.
fn assert_not_taken(sandbox: &Sandbox, id: &str) {
    let mut user = User::of(sandbox);
    assert_eq!(user.upload(id, "part 1/2", CONTENT).status, 201);
}

#[test]
fn a_reply_comes_before_the_body() {
    for status in [401, 429, 503] {
        let sandbox = start();
        let early = rule(Fault::reply(status, "{}")).after(0);
        let (mut user, id) = user_and_rule(&sandbox, early);
        user.send_upload_head(&id, "part 1/2", &body());
        assert_eq!(user.client.receive().unwrap().status, status);
        let (rest, _) = user.client.receive_all();
        assert!(rest.is_empty(), "the connection is closed behind it");
        let entry = last(&sandbox);
        assert_eq!((entry.received, entry.outcome), (0, None));
        assert_not_taken(&sandbox, &id);
    }
}

#[test]
fn a_reply_comes_after_the_body() {
    let sandbox = start();
    let late = rule(Fault::reply(401, "{}"));
    let (mut user, id) = user_and_rule(&sandbox, late);
    assert_eq!(user.upload(&id, "part 1/2", CONTENT).status, 401);
    let entry = last(&sandbox);
    assert_eq!(entry.received, body().len() as u64);
    assert_eq!((entry.status, entry.outcome), (Some(401), None));
    assert_not_taken(&sandbox, &id);
}

#[test]
fn a_page_comes_in_the_middle_of_the_body_and_the_rest_is_read() {
    let sandbox = start();
    let page = Fault::Gateway {
        status: 502,
        bytes: 100,
    };
    let (mut user, id) = user_and_rule(&sandbox, rule(page).after(7).drain());
    user.send_upload_head(&id, "part 1/2", &body());
    user.client.send_bytes(&body().as_bytes()[..10]);
    let reply = user.client.receive().unwrap();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (502, Some("text/html"))
    );
    user.client.send_bytes(&body().as_bytes()[10..]);
    // The connection lives on.
    assert_eq!(user.upload(&id, "part 1/2", CONTENT).status, 201);
    let log = sandbox.log();
    let whole = body().len() as u64;
    let struck = log.iter().find(|entry| entry.status == Some(502)).unwrap();
    assert_eq!(struck.received, whole);
}

#[test]
fn the_connection_is_reset_at_a_byte_of_the_body() {
    for sandbox in [start(), start_with_tls()] {
        let reset = rule(Fault::Reset { handled: false }).after(20);
        let (mut user, id) = user_and_rule(&sandbox, reset);
        user.send_upload_head(&id, "part 1/2", &body());
        user.client.send_bytes(&body().as_bytes()[..30]);
        let (bytes, end) = user.client.receive_all();
        assert!(bytes.is_empty());
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let entry = last(&sandbox);
        assert_eq!((entry.received, entry.status), (20, None));
        assert_not_taken(&sandbox, &id);
    }
}

#[test]
fn the_connection_is_reset_after_the_chunk_was_taken() {
    let sandbox = start();
    let reset = rule(Fault::Reset { handled: true });
    let (mut user, id) = user_and_rule(&sandbox, reset);
    user.send_upload(&id, "part 1/2", &body());
    let (_, end) = user.client.receive_all();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(last(&sandbox).outcome, Some("done"));
    assert_eq!(sandbox.video(&id).unwrap().chunks.len(), 1);
}

#[test]
fn the_server_closes_in_the_middle_of_the_body() {
    let sandbox = start();
    let (mut user, id) = user_and_rule(&sandbox, rule(Fault::raw("")).after(30));
    user.send_upload_head(&id, "part 1/2", &body());
    user.client.send_bytes(&body().as_bytes()[..30]);
    let (bytes, end) = user.client.receive_all();
    assert_eq!((bytes.len(), end.unwrap()), (0, 0));
    assert_not_taken(&sandbox, &id);
}

#[test]
fn the_server_stops_reading_in_the_middle_of_the_body() {
    let sandbox = start();
    let stall = rule(Fault::Hang { handled: false }).after(20);
    let (mut user, id) = user_and_rule(&sandbox, stall);
    user.send_upload(&id, "part 1/2", &body());
    user.client.set_patience(Duration::from_millis(100));
    assert!(user.client.receive().is_err());
    let entry = last(&sandbox);
    assert_eq!((entry.received, entry.status), (20, None));
    assert_not_taken(&sandbox, &id);
}

#[test]
fn a_reply_stops_in_the_middle() {
    for sandbox in [start(), start_with_tls()] {
        let (mut user, id) = user_and_rule(&sandbox, rule(Fault::Stall { at: 12 }));
        user.send_upload(&id, "part 1/2", &body());
        user.client.set_patience(Duration::from_millis(100));
        let (bytes, end) = user.client.receive_all();
        assert_eq!(bytes, b"HTTP/1.1 201");
        let kind = end.unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert_eq!(last(&sandbox).outcome, Some("done"));
    }
}

#[test]
fn a_body_is_read_slowly() {
    let sandbox = start();
    let bytes_per_second = body().len() as u64 * 10;
    let slow = rule(Fault::Throttle { bytes_per_second });
    let (mut user, id) = user_and_rule(&sandbox, slow);
    let begun = Instant::now();
    assert_eq!(user.upload(&id, "part 1/2", CONTENT).status, 201);
    assert!(begun.elapsed() >= Duration::from_millis(99));
}

#[test]
fn a_body_is_read_on_after_a_rest() {
    let sandbox = start();
    let rest = rule(Fault::Delay { ms: 50 }).after(20);
    let (mut user, id) = user_and_rule(&sandbox, rest);
    let begun = Instant::now();
    user.send_upload(&id, "part 1/2", &body());
    wait_until("it rests", || last(&sandbox).received == 20);
    assert_eq!(user.client.receive().unwrap().status, 201);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_fault_behind_the_end_of_the_body_strikes_there() {
    let sandbox = start();
    let late = rule(Fault::reply(503, "{}")).after(1_000_000);
    let (mut user, id) = user_and_rule(&sandbox, late);
    assert_eq!(user.upload(&id, "part 1/2", CONTENT).status, 503);
    assert_not_taken(&sandbox, &id);
}

#[test]
fn nonsense_is_sent_instead_of_a_reply() {
    let sandbox = start();
    let (mut user, id) = user_and_rule(&sandbox, rule(Fault::raw("nonsense")));
    user.send_upload(&id, "part 1/2", &body());
    assert_eq!(user.client.receive_all().0, b"nonsense");
    assert_not_taken(&sandbox, &id);
}

#[test]
fn one_chunk_of_many_is_struck() {
    let sandbox = start();
    let second = rule(Fault::reply(500, "{}")).chunk(2).times(2);
    let (mut user, id) = user_and_rule(&sandbox, second);
    let statuses = ["part 1/3", "part 2/3", "part 2/3", "part 2/3", "part 3/3"]
        .map(|range| user.upload(&id, range, CONTENT).status);
    assert_eq!(statuses, [201, 500, 500, 201, 201]);
    assert!(sandbox.video(&id).unwrap().complete);
}
