//! Uploads over real sockets: every fault at every chunk, from a file and from a stream, with the
//! API key and by upload token; resumed, cancelled, paced.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, LogLevel, Progress, Response, Status, Upload};
use apivideo_sandbox::{Fault, FaultRule, LogEntry, On, Options, Revoke, SettingsChange};
use parking_lot::Mutex;
use serde_json::Value;

use common::uploads::{C, Door, LONG, Source, TestFile, World, feed, run};
use common::{KEY, client_with, eventually};

/// Two of them, and a little one.
const LENGTH: u64 = 2 * C + 1_000;
/// What a test may take, on a machine that has other things to do.
const MOMENT: Duration = Duration::from_secs(5);

const KINDS: [(Source, Door); 5] = [
    (Source::File, Door::Video),
    (Source::Sized, Door::Video),
    (Source::Stream, Door::Video),
    (Source::File, Door::Token),
    (Source::Stream, Door::Token),
];

// --- The matrix ---

/// Whether the server has the chunk all the same.
#[derive(Clone, Copy, PartialEq)]
enum Taken {
    No,
    Yes,
}

fn reply(status: u16) -> Fault {
    Fault::reply(status, "{}")
}

fn page(status: u16) -> Fault {
    Fault::Gateway { status, bytes: 500 }
}

const HEAD: u64 = 300;

#[rustfmt::skip]
fn faults() -> Vec<(&'static str, FaultRule, Taken)> {
    let on = |fault| FaultRule::new(On::Uploads, fault);
    let at_once = |fault: Fault| fault.with_header("Retry-After", "1");
    let reset = || Fault::Reset { handled: false };
    vec![
        ("500",                        on(reply(500)),                          Taken::No),
        ("500 before the body",        on(reply(500)).after(0),                 Taken::No),
        ("502 in HTML",                on(page(502)),                           Taken::No),
        ("502 in the middle",          on(page(502)).after(C / 2),              Taken::No),
        ("502, the body read",         on(page(502)).after(C / 2).drain(),      Taken::No),
        ("503 for 1 s",                on(at_once(reply(503))),                 Taken::No),
        ("429 before the body",        on(at_once(reply(429))).after(0),        Taken::No),
        ("429 after the body",         on(at_once(reply(429))),                 Taken::No),
        ("reset at the first byte",    on(reset()).after(0),                    Taken::No),
        ("reset before the chunk",     on(reset()).after(HEAD),                 Taken::No),
        ("reset in the middle",        on(reset()).after(700),                  Taken::No),
        ("reset after the body",       on(reset()),                             Taken::No),
        ("closed in the middle",       on(Fault::raw("")).after(700),           Taken::No),
        ("closed after the body",      on(Fault::Close { handled: false }),     Taken::No),
        ("reset for a reply",          on(Fault::Reset { handled: true }),      Taken::Yes),
        ("a lost reply",               on(Fault::Close { handled: true }),      Taken::Yes),
        ("a reply cut in its head",    on(Fault::Truncate { at: 20 }),          Taken::Yes),
        ("a reply cut in its body",    on(Fault::Truncate { at: 215 }),         Taken::Yes),
        ("nonsense for a reply",       on(Fault::raw("nonsense\r\n\r\n")),      Taken::No),
        ("a sign-in page",             on(page(200)),                           Taken::No),
        ("a redirect",                 on(Fault::Redirect { location: "/x".to_owned(), status: 302 }), Taken::No),
    ]
}

/// Faults that a bearer's upload meets alone.
fn bearer_faults() -> Vec<(&'static str, FaultRule, Taken)> {
    let on = |fault| FaultRule::new(On::Uploads, fault);
    vec![
        ("401 before the body", on(reply(401)).after(0), Taken::No),
        ("401 after the body", on(reply(401)), Taken::No),
    ]
}

/// One upload, one fault, one chunk of it.
fn survive(
    file: &TestFile,
    kind: (Source, Door),
    chunk: u64,
    name: &str,
    rule: &FaultRule,
    taken: Taken,
) {
    let what = format!("{name}, at chunk {chunk} of {kind:?}");
    let world = World::new();
    let (_client, mut upload) = world.upload(file, kind.0, kind.1);
    world.sandbox.fault(rule.clone().skip(chunk - 1));
    let response = run(&mut upload, file, kind.0);
    let response = response.unwrap_or_else(|error| panic!("{what}: {error}"));
    world.check(&upload, &response, file);

    let sent = world.uploads().len() as u64;
    // The first chunk by token has no video to be looked for: another is made.
    let sent_again = taken == Taken::No || kind.1 == Door::Token;
    assert_eq!(sent, 3 + u64::from(sent_again), "{what}");
    let questions = world.log(|entry| entry.method == "GET").len();
    let most = match (taken, kind.1) {
        // Whether it arrived; and, if it was the last that is known to have, for the video. The
        // chunks of a stream go side by side.
        (Taken::Yes, Door::Video) => 1 + usize::from(chunk == 3 || kind.0 != Source::File),
        (Taken::No, Door::Video) => 1,
        (_, Door::Token) => 0,
    };
    assert!(questions <= most, "{what}: {questions} questions");
    let videos = world.sandbox.videos().len() - world.videos;
    let left_behind = taken == Taken::Yes && kind.1 == Door::Token && chunk == 1;
    assert_eq!(videos, 1 + usize::from(left_behind), "{what}");
}

fn survive_all(source: Source, door: Door) {
    let file = TestFile::new(&format!("matrix-{source:?}-{door:?}"), LENGTH);
    let mut faults = faults();
    if door == Door::Video {
        faults.extend(bearer_faults());
    }
    let (file, faults) = (&file, &faults);
    // Most of the time goes by in waits.
    thread::scope(|scope| {
        for chunk in 1..=3 {
            scope.spawn(move || {
                for (name, rule, taken) in faults {
                    survive(file, (source, door), chunk, name, rule, *taken);
                }
            });
        }
    });
}

#[test]
fn a_file_survives_every_fault_at_every_chunk() {
    survive_all(Source::File, Door::Video);
}

#[test]
fn written_bytes_survive_every_fault_at_every_chunk() {
    survive_all(Source::Sized, Door::Video);
}

#[test]
fn a_stream_survives_every_fault_at_every_chunk() {
    survive_all(Source::Stream, Door::Video);
}

#[test]
fn a_file_by_token_survives_every_fault_at_every_chunk() {
    survive_all(Source::File, Door::Token);
}

#[test]
fn a_stream_by_token_survives_every_fault_at_every_chunk() {
    survive_all(Source::Stream, Door::Token);
}

// --- What else happens ---

#[test]
fn without_faults_nothing_is_sent_twice_and_nothing_is_asked() {
    let file = TestFile::new("plain", LENGTH);
    for (source, door) in KINDS {
        let world = World::new();
        let (_client, mut upload) = world.upload(&file, source, door);
        let response = run(&mut upload, &file, source).unwrap();
        world.check(&upload, &response, &file);
        assert_eq!(world.uploads().len(), 3);
        assert_eq!(world.log(|entry| entry.method == "GET").len(), 0);
        let video = world.sandbox.video(upload.video_id()).unwrap();
        let expected = match (source, door) {
            (Source::File, Door::Token) => file.path.file_name().unwrap().to_str().unwrap(),
            (_, Door::Token) => "video",
            (_, Door::Video) => "A video",
        };
        assert_eq!(video.title, expected);
    }
}

#[test]
fn one_call_uploads_a_file() {
    let file = TestFile::new("one-call", 7);
    let world = World::new();
    let id = world.new_video();
    let response = world.client.upload_file(&id, file.path()).unwrap();
    let told: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(told["videoId"], id);
    let video = world.sandbox.video(&id).unwrap();
    assert_eq!((video.complete, video.crc32), (true, file.crc32));
    assert_eq!(world.uploads()[0].range, None, "whole");
}

#[test]
fn chunks_go_side_by_side_over_connections_that_are_kept() {
    let file = TestFile::new("parallel", 8 * C);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    upload.set_parallel(4).unwrap();
    let response = run(&mut upload, &file, Source::File).unwrap();
    world.check(&upload, &response, &file);
    let uploads = world.uploads();
    let connections: std::collections::HashSet<u64> =
        uploads.iter().map(|entry| entry.connection).collect();
    assert_eq!(uploads.len(), 8);
    assert!((2..=4).contains(&connections.len()), "{connections:?}");
}

#[test]
fn a_limit_is_kept_and_no_reply_is_a_429() {
    let file = TestFile::new("paced", 5 * C);
    let world = World::new();
    world.sandbox.set(SettingsChange {
        limit_uploads: Some(2),
        limit_window_s: Some(2),
        enforce_limits: Some(true),
        ..SettingsChange::default()
    });
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    let response = run(&mut upload, &file, Source::File).unwrap();
    world.check(&upload, &response, &file);
    assert_eq!(world.uploads().len(), 5);
    assert!(
        world
            .uploads()
            .iter()
            .all(|entry| entry.status == Some(201))
    );
}

#[test]
fn over_tls_as_well() {
    let file = TestFile::new("tls", LENGTH);
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let world = World::with(options, |_| ());
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, reply(401)).after(0).skip(1));
    let response = run(&mut upload, &file, Source::File).unwrap();
    world.check(&upload, &response, &file);
    assert_eq!(world.uploads().len(), 4);
}

#[test]
fn a_server_that_never_says_continue_is_asked_once() {
    let file = TestFile::new("silent", 4 * C);
    let world = World::new();
    world.sandbox.set(SettingsChange {
        send_continue: Some(false),
        ..SettingsChange::default()
    });
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    let start = Instant::now();
    let response = run(&mut upload, &file, Source::File).unwrap();
    world.check(&upload, &response, &file);
    assert!(start.elapsed() >= Duration::from_millis(250));
    let asked = |entry: &LogEntry| entry.headers.contains_key("expect");
    let asked = world.uploads().iter().filter(|entry| asked(entry)).count();
    assert_eq!(asked, 1);
}

#[test]
fn access_tokens_that_live_for_two_chunks_are_enough() {
    let file = TestFile::new("two-chunks", 6 * C);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    // After each second chunk the tokens that there are die.
    upload
        .set_on_progress({
            let last = Mutex::new(0);
            let sandbox = Arc::clone(&world.sandbox);
            move |progress: Progress| {
                let chunks = progress.acknowledged / C;
                if chunks > *last.lock() && chunks.is_multiple_of(2) {
                    sandbox.revoke(Revoke::Access);
                }
                *last.lock() = chunks;
            }
        })
        .unwrap();
    let response = run(&mut upload, &file, Source::File).unwrap();
    world.check(&upload, &response, &file);
}

#[test]
fn another_process_goes_on_where_the_first_was_cut() {
    let file = TestFile::new("resume", LENGTH);
    for source in [Source::File, Source::Sized, Source::Stream] {
        let world = World::new();
        let (first_client, mut first) = world.upload(&file, source, Door::Video);
        world.sandbox.fault(
            FaultRule::new(On::Uploads, Fault::Hang { handled: false })
                .after(700)
                .skip(1),
        );
        first.set_parallel(1).unwrap();
        first.start().unwrap();
        let id = first.video_id().to_owned();
        thread::scope(|scope| {
            scope.spawn(|| feed(&first, &file, source));
            eventually("the first chunk is there", || {
                first.progress().acknowledged == C
            });
            eventually("the second is under way", || world.uploads().len() == 2);
            let start = Instant::now();
            first.cancel();
            assert!(start.elapsed() < MOMENT);
            let error = first.wait(Duration::ZERO).unwrap().unwrap_err();
            assert_eq!(error.status, Status::Cancelled);
        });
        drop(first_client);
        world.sandbox.clear_log();

        let client = client_with(&world.config);
        let mut second = client.new_upload();
        second.set_video_id(&id).unwrap();
        second.set_chunk_size(C).unwrap();
        second.set_resume(true).unwrap();
        match source {
            Source::File => second.set_file(file.path()).unwrap(),
            Source::Sized => second.set_size(LENGTH).unwrap(),
            Source::Stream => {}
        }
        let response = run(&mut second, &file, source).unwrap();
        world.check(&second, &response, &file);
        assert_eq!(world.uploads().len(), 2, "{source:?}");
        assert_eq!(world.log(|entry| entry.method == "GET").len(), 1);
    }
}

#[test]
fn a_file_that_changes_is_an_error_and_no_video() {
    let file = TestFile::new("changes", LENGTH);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, Fault::Delay { ms: 300 }).skip(1));
    upload.start().unwrap();
    eventually("the first chunk is there", || {
        upload.progress().acknowledged == C
    });
    let mut changed = file.bytes.clone();
    changed[usize::try_from(2 * C).unwrap()] ^= 1;
    thread::sleep(Duration::from_millis(10)); // A file system's time has ticks.
    fs::write(&file.path, &changed).unwrap();
    let error = upload.wait(LONG).unwrap().unwrap_err();
    assert_eq!(error.status, Status::FileError);
    assert!(error.message.contains("changed"), "{error}");
    let video = world.sandbox.video(upload.video_id()).unwrap();
    assert!(!video.complete);
}

#[test]
fn a_refused_upload_ends_at_once_with_the_problem() {
    let file = TestFile::new("refused", LENGTH);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    upload.set_video_id("viDoesNotExist").unwrap();
    let error = run(&mut upload, &file, Source::File).unwrap_err();
    assert_eq!(
        (error.status, error.http_status),
        (Status::RequestRejected, Some(404))
    );
    assert!(
        error.problem.kind.ends_with("/resource-not-found"),
        "{error:?}"
    );
    // A video that has a source takes no other.
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    run(&mut upload, &file, Source::File).unwrap();
    let mut again = world.client.new_upload();
    again.set_video_id(upload.video_id()).unwrap();
    let error = run_file(&mut again, &file).unwrap_err();
    let kind = &error.problem.kind;
    assert!(
        kind.ends_with("/video-source-already-uploaded"),
        "{error:?}"
    );
}

fn run_file(upload: &mut Upload, file: &TestFile) -> Result<Arc<Response>, apivideo::Error> {
    upload.set_file(file.path())?;
    run(upload, file, Source::File)
}

#[test]
fn a_rejected_upload_token_is_final_and_in_no_message() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let recorder = Arc::clone(&lines);
    let log = move |_, line: &str| recorder.lock().push(line.to_owned());
    let world = World::with(Options::default(), |config| {
        config.set_log(LogLevel::Debug, log)
    });
    let file = TestFile::new("bad-token", 100);
    let client = Client::without_key(&world.config).unwrap();
    let mut upload = client.new_upload();
    let secret = "toSecretSecretSecret";
    upload.set_token(secret).unwrap();
    let error = run_file(&mut upload, &file).unwrap_err();
    assert_eq!(
        (error.status, error.http_status),
        (Status::RequestRejected, Some(401))
    );
    assert_eq!(world.uploads().len(), 1);
    // Nor in what is told of faults.
    let mut upload = client.new_upload();
    upload.set_token(secret).unwrap();
    let echo = format!("{{\"title\":\"{secret} {secret}\"}}");
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, Fault::reply(503, echo)));
    run_file(&mut upload, &file).unwrap_err();
    let lines = lines.lock();
    let told = lines
        .iter()
        .filter(|line| line.starts_with("Upload"))
        .count();
    assert!(told > 0, "{lines:?}");
    let texts = lines.iter().chain([&error.message, &error.problem.title]);
    assert!(
        !texts.into_iter().any(|text| text.contains("Secret")),
        "{lines:?}"
    );
}

#[test]
fn a_server_that_sends_the_key_back_does_not_get_it_into_a_message() {
    let file = TestFile::new("echo", 100);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    let problem = format!(
        r#"{{"type":"https://docs.api.video/reference/x","title":"No {KEY}.","status":403}}"#
    );
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, Fault::reply(403, problem)));
    let error = run(&mut upload, &file, Source::File).unwrap_err();
    assert_eq!(error.problem.title, "No [redacted].");
    assert!(!error.message.contains(KEY), "{error}");
}

#[test]
fn a_client_without_a_key_uploads_by_token_and_nothing_else() {
    let world = World::new();
    let client = Client::without_key(&world.config).unwrap();
    let error = client.get_token().unwrap_err();
    assert_eq!(error.status, Status::KeyRejected);
    assert!(error.message.contains("without an API key"), "{error}");
    let error = client.request("GET", "/videos", None).unwrap_err();
    assert_eq!(error.status, Status::KeyRejected);
    let error = client.upload_file("vi1", "Cargo.toml").unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
    assert_eq!(world.sandbox.log().len(), 0, "nothing was sent");
}

#[test]
fn progress_never_goes_back_and_ends_with_all() {
    let file = TestFile::new("progress", LENGTH);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    world.sandbox.fault(
        FaultRule::new(On::Uploads, Fault::Reset { handled: false })
            .after(C / 2)
            .skip(1),
    );
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let recorder = Arc::clone(&told);
    upload
        .set_on_progress(move |progress| recorder.lock().push(progress))
        .unwrap();
    run(&mut upload, &file, Source::File).unwrap();
    let told = told.lock();
    let goes_on = |pair: &[Progress]| {
        pair[0].acknowledged <= pair[1].acknowledged && pair[0].sent <= pair[1].sent
    };
    assert!(told.windows(2).all(goes_on), "{told:?}");
    assert!(
        told.iter()
            .all(|p| p.acknowledged <= p.sent && p.sent <= p.total)
    );
    assert_eq!(told.last().unwrap().acknowledged, LENGTH);
}

#[test]
fn freeing_the_client_ends_its_uploads_and_waits_for_nothing() {
    let file = TestFile::new("freed", LENGTH);
    let world = World::new();
    let (client, mut upload) = world.upload(&file, Source::File, Door::Video);
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, Fault::Hang { handled: false }).after(700));
    upload.start().unwrap();
    let (end, ended) = channel();
    upload.on_complete(move || end.send(()).unwrap()).unwrap();
    eventually("it is under way", || world.uploads().len() == 1);
    let start = Instant::now();
    drop(client);
    assert!(start.elapsed() < MOMENT);
    ended.recv_timeout(MOMENT).unwrap();
    let error = upload.wait(Duration::ZERO).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Closed);
    assert_eq!(
        upload.write(b"x").unwrap_err().status,
        Status::InvalidArgument
    );
}

#[test]
fn a_writer_that_waits_for_room_hears_of_the_end() {
    let file = TestFile::new("writer", LENGTH);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::Stream, Door::Video);
    upload.set_parallel(1).unwrap();
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, Fault::Hang { handled: false }).after(700));
    upload.start().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| feed(&upload, &file, Source::Stream));
        eventually("it is under way", || world.uploads().len() == 1);
        thread::sleep(Duration::from_millis(50)); // It waits for room by then.
        upload.cancel();
        let error = writer.join().unwrap().unwrap_err();
        assert_eq!(error.status, Status::Cancelled);
    });
}

#[test]
fn a_callback_may_cancel_its_upload() {
    let file = TestFile::new("callback", LENGTH);
    let world = World::new();
    let (_client, mut upload) = world.upload(&file, Source::File, Door::Video);
    let started: Arc<Mutex<Option<apivideo::StartedUpload>>> = Arc::default();
    let in_callback = Arc::clone(&started);
    upload
        .set_on_progress(move |progress| {
            if let Some(upload) = in_callback
                .lock()
                .as_ref()
                .filter(|_| progress.acknowledged > 0)
            {
                upload.cancel();
            }
        })
        .unwrap();
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, Fault::Delay { ms: 100 }));
    upload.start().unwrap();
    *started.lock() = Some((*upload).clone());
    let error = upload.wait(LONG).unwrap().unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
}

#[test]
fn settings_are_for_before_the_start_and_waits_for_after_it() {
    let world = World::new();
    let mut upload = world.client.new_upload();
    assert_eq!(
        upload.wait(LONG).unwrap().unwrap_err().status,
        Status::InvalidArgument
    );
    assert_eq!(
        upload.write(b"x").unwrap_err().status,
        Status::InvalidArgument
    );
    assert_eq!(upload.progress(), Progress::default());
    upload.set_video_id(&world.new_video()).unwrap();
    upload.start().unwrap();
    assert_eq!(
        upload.set_parallel(2).unwrap_err().status,
        Status::InvalidArgument
    );
    assert_eq!(upload.start().unwrap_err().status, Status::InvalidArgument);
    assert_eq!(
        upload.finish().unwrap_err().status,
        Status::InvalidArgument,
        "nothing written"
    );
    let error = upload.wait(LONG).unwrap().unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
}

#[test]
#[ignore = "more than a minute, in `make prove`"]
fn a_connection_that_is_still_ends_after_a_minute_and_a_slow_one_never() {
    let still = Fault::Hang { handled: false };
    let slow = Fault::Throttle {
        bytes_per_second: 1_000,
    };
    let small = TestFile::new("slow", 90_000);
    let large = TestFile::new("still", LENGTH);
    thread::scope(|scope| {
        scope.spawn(|| {
            let world = World::new();
            let (_client, mut upload) = world.upload(&small, Source::File, Door::Video);
            world.sandbox.fault(FaultRule::new(On::Uploads, slow));
            upload.start().unwrap();
            let response = upload
                .wait(Duration::from_secs(150))
                .expect("it ends")
                .unwrap();
            world.check(&upload, &response, &small);
            assert_eq!(world.uploads().len(), 1);
        });
        for after in [700, C / 2, 2 * C] {
            let (still, large) = (&still, &large);
            scope.spawn(move || {
                let world = World::new();
                let (_client, mut upload) = world.upload(large, Source::File, Door::Video);
                world
                    .sandbox
                    .fault(FaultRule::new(On::Uploads, still.clone()).after(after));
                let start = Instant::now();
                upload.start().unwrap();
                let response = upload
                    .wait(Duration::from_secs(100))
                    .expect("it ends")
                    .unwrap();
                world.check(&upload, &response, large);
                let took = start.elapsed().as_secs();
                assert!((60..75).contains(&took), "{took} s");
            });
        }
    });
}
