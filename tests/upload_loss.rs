//! Uploads that lose their connection after each byte of a chunk's request and reply, or their
//! process, killed after any.
//!
//! Whatever was lost, the video has the bytes of the file, and nothing was sent again that did not
//! have to be.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use apivideo::{Client, Config, Upload};
use apivideo_sandbox::{LogEntry, Options, Sandbox, SettingsChange};
use parking_lot::Mutex;

use common::fault_proxy::{Carried, FaultProxy, Way};
use common::uploads::{C, Dice, Door, LONG, Source, TestFile, World, run};
use common::{client_with, config_for, cut_step, eventually};

fn sandbox() -> Arc<Sandbox> {
    let options = Options {
        keep_bytes: false,
        settings: SettingsChange {
            // Nobody is to wait for a window's end.
            limit_uploads: Some(1_000_000),
            ..SettingsChange::default()
        },
        ..Options::default()
    };
    Arc::new(Sandbox::start(options).unwrap())
}

fn is_done(entry: &LogEntry) -> bool {
    entry.outcome == Some("done")
}

fn chunks(file: &TestFile) -> usize {
    file.bytes.chunks(usize::try_from(C).unwrap()).len()
}

/// What the first chunk is called. One that is the whole file has no name.
fn first_range(file: &TestFile) -> Option<String> {
    let range = || format!("bytes 0-{}/{}", C - 1, file.bytes.len());
    (chunks(file) > 1).then(range)
}

/// How many of these brought each range.
fn by_range(entries: impl Iterator<Item = LogEntry>) -> HashMap<Option<String>, usize> {
    let mut counts = HashMap::new();
    for entry in entries {
        *counts.entry(entry.range).or_default() += 1;
    }
    counts
}

// --- A lost connection ---

/// A server, the proxy to it, and who uploads.
struct Stage {
    world: World,
    proxy: FaultProxy,
    without_key: Client,
    token: String,
}

impl Stage {
    fn new() -> Stage {
        let sandbox = sandbox();
        let proxy = FaultProxy::before(sandbox.address());
        let config = config_for(&format!("http://{}", proxy.address()), &sandbox);
        let without_key = Client::without_key(&config).unwrap();
        let world = World::of(sandbox, config);
        Stage {
            token: world.new_token(),
            world,
            proxy,
            without_key,
        }
    }

    fn upload(&self, door: Door) -> Upload {
        let mut upload = match door {
            Door::Video => self.world.client.new_upload(),
            Door::Token => self.without_key.new_upload(),
        };
        match door {
            Door::Video => upload.set_video_id(&self.world.new_video()).unwrap(),
            Door::Token => upload.set_token(&self.token).unwrap(),
        }
        upload.set_chunk_size(C).unwrap();
        upload
    }

    /// What an upload's connection carries, uncut.
    fn whole(&self, file: &TestFile, door: Door) -> Carried {
        self.proxy.take_carried(); // For the token.
        let mut upload = self.upload(door);
        upload.set_file(file.path()).unwrap();
        run(&mut upload, file, Source::File).unwrap();
        drop(upload);
        self.proxy.take_carried()
    }

    /// An upload's first connection carries no more than this.
    fn cut(&self, file: &TestFile, door: Door, most: Carried) {
        let videos = self.world.sandbox.videos().len();
        let mut upload = self.upload(door);
        upload.set_file(file.path()).unwrap();
        self.world.sandbox.clear_log();
        let way = Way::Cut(self.world.sandbox.address(), most);
        self.proxy.strike_next(way);
        let response = run(&mut upload, file, Source::File);
        let response = response.unwrap_or_else(|error| panic!("{door:?}, {most:?}: {error}"));
        self.world.check(&upload, &response, file);

        let what = format!("{door:?}, {most:?}: {:?}", self.world.uploads());
        let chunks = chunks(file);
        let sent = self.world.uploads();
        assert!(sent.len() <= chunks + 1, "one chunk at most again: {what}");
        let mut arrived = by_range(sent.into_iter().filter(is_done));
        assert_eq!(arrived.len(), chunks, "{what}");
        // The first chunk by token has no video to be looked for: another is made.
        let first = match door {
            Door::Video => 1,
            Door::Token => arrived.remove(&first_range(file)).unwrap(),
        };
        assert!(arrived.values().all(|count| *count == 1), "{what}");
        let made = self.world.sandbox.videos().split_off(videos);
        assert_eq!(made.len(), first, "{what}");
        let whole = made.iter().filter(|video| video.complete).count();
        // What stays behind is whole only where the first chunk is all of the file.
        assert_eq!(whole, if chunks == 1 { first } else { 1 }, "{what}");
    }
}

/// A file of one chunk, or the last of more.
const LITTLE: u64 = 100;
/// Behind it the bytes of a chunk have begun.
const ENVELOPE: u64 = 1_200;
/// All of the last request, and the end of the one before.
const TAIL: u64 = ENVELOPE + LITTLE;

/// Cuts at each of these, in threads with a stage each. Most of the time goes by in waits.
fn cut_all(file: &TestFile, door: Door, cuts: &[Carried], threads: usize) {
    let (start, next) = (Instant::now(), Mutex::new(cuts.iter()));
    let next = || next.lock().next();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let stage = Stage::new();
                while let Some(most) = next() {
                    stage.cut(file, door, *most);
                }
            });
        }
    });
    println!("{door:?}: {} cuts in {:?}", cuts.len(), start.elapsed());
}

/// After each byte of the replies, and of the requests but for most bytes of the chunks; with a
/// step to the next.
fn cuts(whole: Carried, step: usize) -> Vec<Carried> {
    let in_request = |request| Carried {
        request,
        ..Carried::ALL
    };
    let in_reply = |reply| Carried {
        reply,
        ..Carried::ALL
    };
    let end = whole.request;
    let (head, tail) = (
        0..ENVELOPE.min(end),
        end.saturating_sub(TAIL).max(ENVELOPE)..end,
    );
    let request = head.chain(tail).step_by(step).chain([end / 2, end - 1]);
    let reply = (0..whole.reply).step_by(step);
    request.map(in_request).chain(reply.map(in_reply)).collect()
}

fn lose_all(name: &str, length: u64, door: Door, step: usize, threads: usize) {
    let file = TestFile::new(&format!("{name}-{door:?}"), length);
    let whole = Stage::new().whole(&file, door);
    cut_all(&file, door, &cuts(whole, step), threads);
}

#[test]
fn a_chunk_survives_a_cut_at_every_seventh_byte() {
    for door in [Door::Video, Door::Token] {
        lose_all("seventh", LITTLE, door, 7 * cut_step(), 32);
    }
}

#[test]
#[ignore = "a minute, in `make prove`"]
fn a_chunk_survives_a_cut_at_each_byte() {
    for door in [Door::Video, Door::Token] {
        lose_all("each", LITTLE, door, cut_step(), 32);
    }
}

/// The first and the last chunk go over one connection. A chunk has 5 MiB, so not each byte.
#[test]
fn the_first_and_the_last_chunk_survive_a_cut() {
    for door in [Door::Video, Door::Token] {
        lose_all("cuts", C + LITTLE, door, 127 * cut_step(), 4);
    }
}

// --- A lost process ---

/// What a child does: uploads a file, or what is missing of it.
#[test]
#[ignore = "part of others"]
fn child() {
    let told = |name: &str| std::env::var(format!("APIVIDEO_TEST_{name}"));
    let Ok(url) = told("URL") else {
        return;
    };
    let mut config = Config::default();
    config.set_base_url(&url).unwrap();
    let client = client_with(&config);
    let mut upload = client.new_upload();
    upload.set_video_id(&told("VIDEO").unwrap()).unwrap();
    upload.set_file(&told("FILE").unwrap()).unwrap();
    let parallel = told("PARALLEL").unwrap().parse().unwrap();
    upload.set_parallel(parallel).unwrap();
    upload.set_chunk_size(C).unwrap();
    upload
        .set_resume(told("RESUME").unwrap() == "true")
        .unwrap();
    upload.start().unwrap();
    upload.wait(LONG).expect("it ends").unwrap();
}

/// A file on its way to a video, by one process after the other.
struct Relay<'a> {
    world: &'a World,
    file: &'a TestFile,
    video: String,
    parallel: u64,
    processes: usize,
}

impl Relay<'_> {
    fn start(&mut self) -> Child {
        self.processes += 1;
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--test-threads=1"])
            .env("APIVIDEO_TEST_URL", self.world.sandbox.base_url())
            .env("APIVIDEO_TEST_VIDEO", &self.video)
            .env("APIVIDEO_TEST_FILE", self.file.path())
            .env("APIVIDEO_TEST_PARALLEL", self.parallel.to_string())
            .env("APIVIDEO_TEST_RESUME", (self.processes > 1).to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn received(&self) -> u64 {
        self.world
            .uploads()
            .iter()
            .map(|entry| entry.received)
            .sum()
    }

    /// A process that is killed when the server has received so many bytes of it.
    fn run_and_kill(&mut self, bytes: u64) {
        let end = self.received() + bytes;
        let mut child = self.start();
        eventually("its end", || {
            self.received() >= end || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn run_to_the_end(&mut self) {
        assert!(self.start().wait().unwrap().success());
    }

    /// Runs a process, which sends no chunk that the server had before.
    fn go_on(&mut self, run: impl FnOnce(&mut Self)) {
        let before = self.world.uploads();
        run(self);
        let done = by_range(before.iter().filter(|entry| is_done(entry)).cloned());
        for entry in &self.world.uploads()[before.len()..] {
            assert!(!done.contains_key(&entry.range), "sent again: {entry:?}");
        }
    }

    fn check(&self) {
        let video = self.world.sandbox.video(&self.video).unwrap();
        assert!(video.complete, "{video:?}");
        assert_eq!(video.length, self.file.bytes.len() as u64);
        assert_eq!(video.crc32, self.file.crc32);
        let arrived = by_range(self.world.uploads().into_iter().filter(is_done));
        assert_eq!(arrived.len(), chunks(self.file));
        assert!(arrived.values().all(|count| *count == 1), "{arrived:?}");
    }
}

#[test]
fn killed_at_any_byte_it_is_resumed_with_what_was_not_acknowledged() {
    let seed = 20_261_126;
    println!("seed {seed}");
    let (start, mut dice) = (Instant::now(), Dice(seed));
    let file = TestFile::new("killed", 3 * C + LITTLE);
    let sandbox = sandbox();
    let config = config_for(sandbox.base_url(), &sandbox);
    let world = World::of(sandbox, config);
    let (mut kills, mut sent) = (0, 0);
    for _ in 0..12 {
        world.sandbox.clear_log();
        let mut relay = Relay {
            world: &world,
            file: &file,
            video: world.new_video(),
            parallel: 1 + dice.below(3),
            processes: 0,
        };
        for _ in 0..=dice.below(3) {
            let bytes = dice.below(2 * C);
            relay.go_on(|relay| relay.run_and_kill(bytes));
        }
        relay.go_on(Relay::run_to_the_end);
        relay.check();
        kills += relay.processes - 1;
        sent += world.uploads().len();
    }
    println!(
        "{kills} kills, {sent} chunks sent, in {:?}",
        start.elapsed()
    );
}
