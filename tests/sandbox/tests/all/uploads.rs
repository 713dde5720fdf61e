//! Uploads, by either door.

use std::time::Duration;

use apivideo_sandbox::{Fault, FaultRule, On, Options, Sandbox, SettingsChange};
use serde_json::{Value, json};

use crate::api::assert_problem;
use crate::client::{Client, Reply, wait_until};
use crate::videos::{User, slug};

/// A sandbox that takes chunks of 10 bytes.
pub fn start() -> Sandbox {
    let options = Options {
        smallest_chunk: 10,
        ..Options::default()
    };
    Sandbox::start(options).unwrap()
}

const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=XX");

pub fn field(name: &str, value: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

pub fn file(content: &str) -> String {
    field("file\"; filename=\"a video.mp4", content)
}

pub fn form(parts: &[String]) -> String {
    parts.concat() + "--XX--\r\n"
}

/// Sends the head of an upload and its body.
pub fn send_chunk(client: &mut Client, path: &str, headers: &[(&str, &str)], body: &str) {
    let headers = [&[FORM], headers].concat();
    client.send("POST", path, &headers, body);
}

impl User {
    pub fn send_upload(&mut self, id: &str, range: &str, body: &str) {
        self.send_upload_head(id, range, body);
        self.client.send_bytes(body.as_bytes());
    }

    /// Sends all of an upload but its body.
    pub fn send_upload_head(&mut self, id: &str, range: &str, body: &str) {
        let authorization = format!("Bearer {}", self.token);
        let mut headers = vec![FORM, ("Authorization", authorization.as_str())];
        headers.extend((!range.is_empty()).then_some(("Content-Range", range)));
        let path = format!("/videos/{id}/source");
        self.client.send_head("POST", &path, &headers, body.len());
    }

    fn upload_form(&mut self, id: &str, range: &str, body: &str) -> Reply {
        self.send_upload(id, range, body);
        self.client.receive().unwrap()
    }

    /// Uploads a chunk of a video.
    pub fn upload(&mut self, id: &str, range: &str, content: &str) -> Reply {
        self.upload_form(id, range, &form(&[file(content)]))
    }

    pub fn status(&mut self, id: &str) -> Value {
        let reply = self.get(&format!("/videos/{id}/status"));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }
}

#[track_caller]
fn assert_refused(reply: &Reply, wanted: &str) {
    let name = match wanted.split_once('-') {
        Some(("uploaded", _)) => "file",
        _ if wanted.starts_with("video-content-range") => "Content-Range",
        _ => "file",
    };
    assert_problem(reply, 400, Some(name));
    assert_eq!(slug(&reply.json()), wanted);
}

#[test]
fn a_video_arrives_in_parts_whatever_their_order() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    for (range, content) in [("part 3/3", "c"), ("part 1/3", "aaaaaaaaaa")] {
        let reply = user.upload(&id, range, content);
        assert_eq!(
            (reply.status, reply.json()),
            (201, json!({ "videoId": id }))
        );
    }
    let last = user.upload(&id, "part 2/3", "bbbbbbbbbbbb");
    assert_eq!(last.status, 201);
    assert_eq!(last.text("title"), "A video");
    assert!(last.json()["assets"]["hls"].is_string());

    let received = sandbox.video(&id).unwrap();
    assert!(received.complete);
    let whole = "aaaaaaaaaabbbbbbbbbbbbc";
    assert_eq!(received.length, whole.len() as u64);
    assert_eq!(received.crc32, 0x44c3_9ca9);
    let parts: Vec<_> = received.chunks.iter().map(|chunk| chunk.part).collect();
    assert_eq!(parts, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_video_arrives_in_ranges_of_bytes() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    assert_eq!(user.upload(&id, "bytes 10-14/15", "bbbbb").status, 201);
    let ingest = user.status(&id)["ingest"].take();
    let expected = json!({
        "status": "uploading", "filesize": null,
        "receivedBytes": [{ "from": 10, "to": 14, "total": 15 }],
    });
    assert_eq!(ingest, expected);
    assert_eq!(user.upload(&id, "bytes 0-9/*", "aaaaaaaaaa").status, 201);
    let received = sandbox.video(&id).unwrap();
    assert_eq!((received.complete, received.length), (true, 15));
    assert_eq!(received.chunks[1].from, Some(10));
}

#[test]
fn a_video_arrives_in_one_request() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let reply = user.upload(&id, "", "abc");
    assert_eq!((reply.status, reply.text("videoId")), (201, id.clone()));
    let received = sandbox.video(&id).unwrap();
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(received.sha256.as_deref(), Some(sha256));
    assert_eq!(received.crc32, 0x3524_41c2);
    assert_refused(
        &user.upload(&id, "", "abc"),
        "video-source-already-uploaded",
    );
}

#[test]
fn bytes_need_not_be_kept() {
    let options = Options {
        keep_bytes: false,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let mut user = User::of(&sandbox);
    let id = user.create();
    assert_eq!(user.upload(&id, "", "abc").status, 201);
    let received = sandbox.video(&id).unwrap();
    assert_eq!((received.sha256, received.crc32), (None, 0x3524_41c2));
}

#[test]
fn the_status_follows_the_upload() {
    let sandbox = start();
    sandbox.set(SettingsChange {
        encoding_ms: Some(60_000),
        ..SettingsChange::default()
    });
    let mut user = User::of(&sandbox);
    let id = user.create();
    let missing = user.status(&id);
    assert_eq!(
        missing["ingest"],
        json!({ "status": "missing", "filesize": null })
    );
    assert_eq!(missing["encoding"]["playable"], false);

    user.upload(&id, "part 2/2", "b");
    let uploading = user.status(&id);
    assert_eq!(uploading["ingest"]["status"], "uploading");
    let parts = json!({ "parts": [2], "total": 2 });
    assert_eq!(uploading["ingest"]["receivedParts"], parts);
    assert_eq!(uploading["encoding"]["qualities"], json!([]));

    user.upload(&id, "part 1/2", "aaaaaaaaaa");
    let ingesting = user.status(&id);
    assert_eq!(ingesting["ingest"]["status"], "ingesting");
    assert_eq!(ingesting["ingest"]["filesize"], 11);
    assert_eq!(ingesting["encoding"]["playable"], false);
    assert_eq!(ingesting["encoding"]["qualities"][0]["status"], "encoding");

    sandbox.advance_clock(Duration::from_secs(60));
    let encoded = user.status(&id);
    assert_eq!(encoded["ingest"]["status"], "ingested");
    assert_eq!(encoded["encoding"]["playable"], true);
    assert_eq!(encoded["encoding"]["qualities"][0]["status"], "encoded");
    assert_eq!(
        user.status("vi1sandboxHarbourAtDawn00")["encoding"]["playable"],
        true
    );
}

#[test]
fn a_chunk_sent_again_is_refused_as_such() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    user.upload(&id, "part 1/2", "aaaaaaaaaa");
    let again = user.upload(&id, "part 1/2", "aaaaaaaaaa");
    assert_refused(&again, "video-content-range-by-part-part-already-sent");
    assert_eq!(
        again.text("detail"),
        "The part number 1 has already been sent."
    );
    user.upload(&id, "part 2/2", "b");
    let late = user.upload(&id, "part 2/2", "b");
    assert_refused(&late, "video-source-already-uploaded");

    let id = user.create();
    user.upload(&id, "bytes 0-9/20", "aaaaaaaaaa");
    let again = user.upload(&id, "bytes 0-9/20", "aaaaaaaaaa");
    assert_refused(&again, "video-content-range-by-bytes-range-overlap");
}

#[test]
fn what_is_wrong_with_a_chunk_is_said() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let mut refused = |range: &str, body: &str, wanted: &str| {
        assert_refused(&user.upload_form(&id, range, body), wanted);
    };
    let good = form(&[file("aaaaaaaaaa")]);
    refused("parts 1/2", &good, "video-content-range-malformed");
    refused("part 0/2", &good, "video-content-range-by-part-part-zero");
    let small = form(&[file("a")]);
    refused(
        "part 1/2",
        &small,
        "video-content-range-by-part-uploaded-file-too-small",
    );
    refused(
        "bytes 0-10/20",
        &good,
        "video-content-range-by-bytes-range-mismatch",
    );
    refused("part 1/2", &form(&[file("")]), "uploaded-file-empty");
    refused(
        "part 1/2",
        &form(&[field("a", "b")]),
        "uploaded-file-no-file",
    );
    refused(
        "part 1/2",
        &form(&[file("a"), file("b")]),
        "uploaded-file-multiple-files",
    );
    refused("part 1/2", "nonsense", "uploaded-file-invalid-file");
    refused(
        "part 1/2",
        &good.replace("--XX--", ""),
        "uploaded-file-invalid-file",
    );
    let begun = user.upload(&id, "part 1/2", "aaaaaaaaaa");
    assert_eq!(begun.status, 201);
    let whole = user.upload(&id, "", "aaaaaaaaaa");
    assert_refused(&whole, "video-content-range-already-initiated");
    let other = user.upload(&id, "bytes 0-9/20", "aaaaaaaaaa");
    assert_refused(&other, "video-content-range-started-with-part");
}

#[test]
fn a_source_that_is_there_already_is_not_replaced() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    for (source, wanted) in [
        (
            "https://example.com/a.mp4",
            "video-source-already-downloaded",
        ),
        ("vi1sandboxHarbourAtDawn00", "video-source-already-copied"),
    ] {
        let body = json!({ "title": "Elsewhere", "source": source });
        let made = user.send("POST", "/videos", &body);
        assert_eq!(made.status, 202);
        assert!(made.json()["source"].is_object());
        assert_refused(&user.upload(&made.text("videoId"), "", "abc"), wanted);
    }
}

#[test]
fn chunks_have_five_mebibytes_unless_told_otherwise() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let five = "a".repeat(5 * 1024 * 1024);
    let small = user.upload(&id, "part 1/2", &five[1..]);
    assert_refused(
        &small,
        "video-content-range-by-part-uploaded-file-too-small",
    );
    assert_eq!(user.upload(&id, "part 1/2", &five).status, 201);
    assert_eq!(user.upload(&id, "part 2/2", "a").status, 201);
    assert_eq!(sandbox.video(&id).unwrap().length, 5 * 1024 * 1024 + 1);
}

#[test]
fn a_source_needs_a_video_and_a_token() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    assert_problem(&user.upload("vi1nothing", "", "abc"), 404, Some("videoId"));
    let id = user.create();
    user.token = "wrong".into();
    let reply = user.upload(&id, "", "abc");
    assert_problem(&reply, 401, None);
    assert_eq!(slug(&reply.json()), "authentication-invalid-access-token");
    assert_eq!(sandbox.video(&id).unwrap().length, 0);
}

#[test]
fn chunks_come_side_by_side() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("aaaaaaaaaa")]);
    let (first_half, second_half) = body.split_at(body.len() - 20);
    let mut users = [User::of(&sandbox), User::of(&sandbox)];
    for (index, user) in users.iter_mut().enumerate() {
        user.send_upload_head(&id, &format!("part {}/2", index + 1), &body);
        user.client.send_bytes(first_half.as_bytes());
    }
    let both = || {
        let log = sandbox.log();
        let begun = log
            .iter()
            .filter(|entry| entry.received > 0 && entry.range.is_some());
        begun.count() == 2
    };
    wait_until("both have begun", both);
    for user in users.iter_mut().rev() {
        user.client.send_bytes(second_half.as_bytes());
        assert_eq!(user.client.receive().unwrap().status, 201);
    }
    assert!(sandbox.video(&id).unwrap().complete);
}

#[test]
fn one_of_two_that_send_the_same_chunk_at_once_is_refused() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("aaaaaaaaaa")]);
    let mut slow = User::of(&sandbox);
    slow.send_upload_head(&id, "part 1/2", &body);
    slow.client.send_bytes(&body.as_bytes()[..50]);
    assert_eq!(user.upload(&id, "part 1/2", "aaaaaaaaaa").status, 201);
    slow.client.send_bytes(&body.as_bytes()[50..]);
    let late = slow.client.receive().unwrap();
    assert_refused(&late, "video-content-range-by-part-part-already-sent");
}

fn upload_token(user: &mut User, body: &Value) -> Value {
    let reply = user.send("POST", "/upload-tokens", body);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// Uploads with a token alone, on a connection of its own.
fn upload_by_token(sandbox: &Sandbox, token: &Value, range: &str, parts: &[String]) -> Reply {
    let mut client = Client::connect(sandbox);
    let path = format!("/upload?token={}", token["token"].as_str().unwrap());
    send_chunk(
        &mut client,
        &path,
        &[("Content-Range", range)],
        &form(parts),
    );
    client.receive().unwrap()
}

#[test]
fn the_first_chunk_by_token_makes_the_video_and_others_name_it() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let token = upload_token(&mut user, &json!({}));
    let first = upload_by_token(&sandbox, &token, "part 1/3", &[file("aaaaaaaaaa")]);
    assert_eq!(first.status, 201);
    let id = first.text("videoId");
    let named = field("videoId", &id);
    let before = [named.clone(), file("bbbbbbbbbb")];
    let second = upload_by_token(&sandbox, &token, "part 2/3", &before);
    assert_eq!((second.status, second.text("videoId")), (201, id.clone()));
    let after = [file("c"), named];
    let third = upload_by_token(&sandbox, &token, "part 3/3", &after);
    assert_eq!(
        (third.status, third.text("title")),
        (201, "a video.mp4".to_owned())
    );
    assert_eq!(sandbox.videos().len(), 4);
    assert!(sandbox.video(&id).unwrap().complete);
    let counted = sandbox.counters().uploads;
    assert_eq!((counted.requests, counted.ok, counted.rejected), (3, 3, 0));

    let other = upload_by_token(&sandbox, &token, "part 2/3", &[file("bbbbbbbbbb")]);
    assert_ne!(other.text("videoId"), id);
    assert_eq!(sandbox.videos().len(), 5);
    let nobody = [field("videoId", "vi1nothing"), file("c")];
    let nobody = upload_by_token(&sandbox, &token, "part 3/3", &nobody);
    assert_problem(&nobody, 404, Some("videoId"));
}

#[test]
fn a_refused_chunk_by_token_makes_no_video() {
    let sandbox = start();
    let token = upload_token(&mut User::of(&sandbox), &json!({}));
    let small = upload_by_token(&sandbox, &token, "part 1/2", &[file("a")]);
    assert_refused(
        &small,
        "video-content-range-by-part-uploaded-file-too-small",
    );
    assert_eq!(sandbox.videos().len(), 3);
}

#[test]
fn an_upload_token_lives_until_it_expires_or_is_deleted() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let short = upload_token(&mut user, &json!({ "ttl": 60 }));
    let lasting = upload_token(&mut user, &json!({ "ttl": 0 }));
    assert_eq!(
        (&short["ttl"], lasting["expiresAt"].is_null()),
        (&json!(60), true)
    );
    assert!(short["createdAt"].as_str().unwrap() < short["expiresAt"].as_str().unwrap());
    let status = |token: &Value| {
        let reply = upload_by_token(&sandbox, token, "part 1/2", &[file("aaaaaaaaaa")]);
        if reply.status != 201 {
            assert_problem(&reply, 401, None);
            assert_eq!(slug(&reply.json()), "authentication-invalid-upload-token");
        }
        reply.status
    };
    sandbox.advance_clock(Duration::from_secs(59));
    assert_eq!(status(&short), 201);
    sandbox.advance_clock(Duration::from_secs(1));
    assert_eq!((status(&short), status(&lasting)), (401, 201));

    let path = format!("/upload-tokens/{}", lasting["token"].as_str().unwrap());
    assert_eq!(user.get(&path).json(), lasting);
    let deleted = user.send("DELETE", &path, &Value::Null);
    assert_eq!(deleted.status, 204);
    assert_eq!(status(&lasting), 401);
    for method in ["GET", "DELETE"] {
        let gone = user.send(method, &path, &Value::Null);
        assert_problem(&gone, 404, Some("uploadToken"));
    }
}

#[test]
fn upload_tokens_are_listed_in_the_order_asked_for() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    for ttl in [20, 10, 30] {
        upload_token(&mut user, &json!({ "ttl": ttl }));
    }
    let mut listed = |query: &str| {
        let list = user.get(&format!("/upload-tokens{query}")).json();
        let tokens = list["data"].as_array().unwrap().clone();
        tokens
            .iter()
            .map(|token| token["ttl"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(""), [20, 10, 30]);
    assert_eq!(listed("?sortBy=ttl"), [10, 20, 30]);
    assert_eq!(listed("?sortBy=createdAt&sortOrder=desc"), [30, 10, 20]);
    assert_eq!(listed("?currentPage=2&pageSize=2"), [30]);
    for ttl in [json!(-1), json!("1"), json!(2_147_483_648_u64)] {
        let reply = user.send("POST", "/upload-tokens", &json!({ "ttl": ttl }));
        assert_problem(&reply, 400, Some("ttl"));
    }
}

#[test]
fn an_upload_without_a_token_is_refused() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    send_chunk(&mut client, "/upload", &[], &form(&[file("abc")]));
    let reply = client.receive().unwrap();
    assert_problem(&reply, 401, None);
    assert_eq!(slug(&reply.json()), "authentication-missing-upload-token");
}

#[test]
fn the_log_tells_of_each_chunk_and_no_secret() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let token = upload_token(&mut user, &json!({}));
    let token_text = token["token"].as_str().unwrap().to_owned();
    user.get(&format!("/upload-tokens/{token_text}"));
    sandbox.clear_log();
    user.upload(&id, "part 1/2", "aaaaaaaaaa");
    user.upload(&id, "part 1/2", "aaaaaaaaaa");
    let made = upload_by_token(&sandbox, &token, "part 1/1", &[file("b")]);
    user.get(&format!("/upload-tokens/{token_text}"));

    let log = sandbox.log();
    let body = form(&[file("aaaaaaaaaa")]).len() as u64;
    let told = log.each_told();
    let sent_twice = "video-content-range-by-part-part-already-sent";
    assert_eq!(told[0], (Some("part 1/2"), body, Some("done"), None));
    assert_eq!(
        told[1],
        (Some("part 1/2"), body, Some("refused"), Some(sent_twice))
    );
    assert_eq!(told[2].2, Some("done"));
    assert_eq!(log[2].path, "/upload");
    assert_eq!(log[2].video_id, Some(made.text("videoId")));
    assert_eq!(log[3].path, "/upload-tokens/…");
    assert_eq!(log[0].connection, log[1].connection);
    assert_ne!(log[0].connection, log[2].connection);
    let text = serde_json::to_string(&log).unwrap();
    assert!(!text.contains(&token_text), "{text}");
}

type Told<'a> = (Option<&'a str>, u64, Option<&'a str>, Option<&'a str>);

trait Tell {
    /// Range, bytes, outcome and problem of each request.
    fn each_told(&self) -> Vec<Told<'_>>;
}

impl Tell for Vec<apivideo_sandbox::LogEntry> {
    fn each_told(&self) -> Vec<Told<'_>> {
        self.iter()
            .map(|entry| {
                let range = entry.range.as_deref();
                (
                    range,
                    entry.received,
                    entry.outcome,
                    entry.problem.as_deref(),
                )
            })
            .collect()
    }
}

#[test]
fn the_control_endpoint_tells_what_was_received() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    user.upload(&id, "part 1/1", "abc");
    let all = user.get("/_sandbox/videos").json();
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(all[3]["sha256"], Value::Null);
    let one = user.get(&format!("/_sandbox/videos/{id}")).json();
    let expected = json!({
        "video_id": id, "title": "A video", "complete": true, "length": 3,
        "crc32": 0x3524_41c2,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "chunks": [{ "part": 1, "from": null, "length": 3, "crc32": 0x3524_41c2 }],
    });
    assert_eq!(one, expected);
    assert_eq!(user.get("/_sandbox/videos/vi1nothing").status, 404);
}

/// Sends the head of an upload that asks whether to go on.
fn ask_to_continue(user: &mut User, id: &str, body: &str) {
    let authorization = format!("Bearer {}", user.token);
    let headers = [
        FORM,
        ("Authorization", &authorization),
        ("Expect", "100-continue"),
    ];
    let path = format!("/videos/{id}/source");
    user.client.send_head("POST", &path, &headers, body.len());
}

#[test]
fn whoever_asks_is_told_to_continue() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("abc")]);
    ask_to_continue(&mut user, &id, &body);
    assert_eq!(user.client.receive().unwrap().status, 100);
    user.client.send_bytes(body.as_bytes());
    assert_eq!(user.client.receive().unwrap().status, 201);
}

#[test]
fn whoever_asks_is_refused_before_the_body() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    user.token = "wrong".into();
    ask_to_continue(&mut user, &id, &form(&[file("abc")]));
    let refused = user.client.receive().unwrap();
    assert_problem(&refused, 401, None);
    assert!(refused.header("x-ratelimit-limit").is_some());
    let entry = sandbox.log().pop().unwrap();
    assert_eq!((entry.received, entry.outcome), (0, Some("refused")));
    assert_eq!(sandbox.counters().uploads.rejected, 1);
}

#[test]
fn refusals_before_the_body_can_be_the_rule() {
    let sandbox = start();
    sandbox.set(SettingsChange {
        early_refusals: Some(true),
        ..SettingsChange::default()
    });
    let mut user = User::of(&sandbox);
    let id = user.create();
    user.token = "wrong".into();
    user.send_upload_head(&id, "", &form(&[file("abc")]));
    assert_problem(&user.client.receive().unwrap(), 401, None);
}

#[test]
fn a_server_may_never_say_continue() {
    let sandbox = start();
    sandbox.set(SettingsChange {
        send_continue: Some(false),
        ..SettingsChange::default()
    });
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("abc")]);
    ask_to_continue(&mut user, &id, &body);
    user.client.send_bytes(body.as_bytes());
    assert_eq!(user.client.receive().unwrap().status, 201);
}

#[test]
fn a_server_may_say_continue_late() {
    let sandbox = start();
    sandbox.set(SettingsChange {
        continue_delay_ms: Some(50),
        ..SettingsChange::default()
    });
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("abc")]);
    let begun = std::time::Instant::now();
    ask_to_continue(&mut user, &id, &body);
    user.client.send_bytes(body.as_bytes());
    assert_eq!(user.client.receive().unwrap().status, 100);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(user.client.receive().unwrap().status, 201);
}

#[test]
fn a_lost_reply_leaves_the_chunk_taken() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    sandbox.fault(FaultRule::new(On::Any, Fault::Close { handled: true }));
    user.send_upload(&id, "part 1/2", &form(&[file("aaaaaaaaaa")]));
    assert!(user.client.receive().is_err());
    let entry = sandbox.log().pop().unwrap();
    assert_eq!((entry.status, entry.outcome), (None, Some("done")));
    let mut user = User::of(&sandbox);
    let again = user.upload(&id, "part 1/2", "aaaaaaaaaa");
    assert_refused(&again, "video-content-range-by-part-part-already-sent");
}

#[test]
fn half_a_body_gets_no_answer() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("aaaaaaaaaa")]);
    user.send_upload_head(&id, "", &body);
    user.client.send_bytes(&body.as_bytes()[..30]);
    user.client.finish_sending();
    let (bytes, _) = user.client.receive_all();
    assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn a_client_that_goes_away_leaves_nothing() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let body = form(&[file("aaaaaaaaaa")]);
    user.send_upload_head(&id, "", &body);
    user.client.send_bytes(&body.as_bytes()[..30]);
    wait_until("some has arrived", || {
        sandbox.log().pop().unwrap().received == 30
    });
    drop(user);
    let mut user = User::of(&sandbox);
    assert_eq!(user.upload(&id, "", "abc").status, 201);
    let log = sandbox.log();
    let cut = log.iter().find(|entry| entry.received == 30).unwrap();
    assert_eq!((cut.outcome, cut.status), (None, None));
}

#[test]
fn limits_are_kept_if_that_is_asked_for() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    sandbox.set(SettingsChange {
        enforce_limits: Some(true),
        limit_reads: Some(3),
        limit_writes: Some(4),
        limit_uploads: Some(1),
        limit_window_s: Some(10_000),
        ..SettingsChange::default()
    });
    // A fault is not used up by what is refused.
    sandbox.fault(FaultRule::new(On::Uploads, Fault::reply(500, "{}")).skip(1));
    assert_eq!(user.upload(&id, "part 1/3", "aaaaaaaaaa").status, 201);
    let refused = user.upload(&id, "part 2/3", "aaaaaaaaaa");
    assert_problem(&refused, 429, None);
    assert_eq!(slug(&refused.json()), "too-many-requests");
    assert_eq!(refused.header("x-ratelimit-limit"), Some("1"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    let wait = refused.header("x-ratelimit-retry-after").unwrap();
    let wait: u64 = wait.parse().unwrap();
    assert!((9_000..=10_000).contains(&wait), "{wait}");
    assert_eq!(sandbox.video(&id).unwrap().chunks.len(), 1);
    assert_eq!(
        sandbox.log().pop().unwrap().problem.as_deref(),
        Some("too-many-requests")
    );

    // Reads and writes have limits of their own, and authentication is a write.
    let reads = [200, 200, 200, 429].map(|_| user.get("/videos").status);
    assert_eq!(reads, [200, 200, 200, 429]);
    let writes = [(); 3].map(|()| user.client.authenticate().status);
    assert_eq!(writes, [200, 200, 429]);

    sandbox.advance_clock(Duration::from_secs(10_000));
    assert_eq!(user.client.authenticate().status, 200);
    assert_eq!(sandbox.counters().faults, 0);
}

#[test]
fn whoever_asks_is_told_of_a_limit_before_the_body() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    sandbox.set(SettingsChange {
        enforce_limits: Some(true),
        limit_uploads: Some(0),
        ..SettingsChange::default()
    });
    ask_to_continue(&mut user, &id, &form(&[file("abc")]));
    assert_eq!(user.client.receive().unwrap().status, 429);
}
