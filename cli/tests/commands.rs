//! The command as it is used, against a local api.video.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apivideo_sandbox::{Fault, FaultRule, On, Options, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

const CHUNK: usize = 5 * 1024 * 1024;
const LENGTH: usize = 2 * CHUNK + 1000;

struct World {
    sandbox: Sandbox,
    folder: TempDir,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
        std::fs::write(folder.path().join("film.mp4"), bytes).unwrap();
        let sandbox = Sandbox::start(Options::default()).unwrap();
        World { sandbox, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apivideo"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("APIVIDEO_BASE_URL", self.sandbox.base_url())
            .env("APIVIDEO_API_KEY", "sandbox-key");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Which video a run has begun to send to.
    fn new_video(&self) -> String {
        let videos = self.sandbox.videos();
        let untouched = |id: &str| id.contains("sandbox");
        let made = videos.into_iter().find(|video| !untouched(&video.video_id));
        made.unwrap().video_id
    }

    fn chunks_sent(&self) -> usize {
        let log = self.sandbox.log();
        let is_chunk = |path: &str| path == "/upload" || path.ends_with("/source");
        log.iter().filter(|entry| is_chunk(&entry.path)).count()
    }

    /// Waits until the first chunk has arrived and the second is on its way.
    fn start_and_hang(&self, arguments: &[&str]) -> (Child, String) {
        let hang = Fault::Hang { handled: false };
        self.sandbox
            .fault(FaultRule::new(On::Uploads, hang).skip(1));
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        while self.chunks_sent() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is sent");
            thread::sleep(Duration::from_millis(20));
        }
        (child, self.new_video())
    }

    fn assert_whole(&self, id: &str) {
        let video = self.sandbox.video(id).unwrap();
        assert!(video.complete, "{video:?}");
        assert_eq!(video.length, LENGTH as u64);
    }
}

fn standard_output(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn failure(output: &Output) -> (i32, String) {
    let words = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), words)
}

#[test]
fn files_are_uploaded_and_each_is_a_video() {
    let world = World::new();
    std::fs::write(world.folder.path().join("short.mp4"), b"short").unwrap();
    let told = standard_output(&world.run(&["upload", "--json", "film.mp4", "short.mp4"]));
    let videos: Vec<Value> = told.lines().map(json).collect();
    assert_eq!(videos.len(), 2);
    world.assert_whole(videos[0]["videoId"].as_str().unwrap());
    assert_eq!(videos[1]["title"], "short.mp4");
    let told = standard_output(&world.run(&["upload", "--title", "A title", "short.mp4"]));
    assert!(told.starts_with("short.mp4 is the video vi"), "{told}");
    assert!(
        world
            .sandbox
            .videos()
            .iter()
            .any(|video| video.title == "A title")
    );
}

#[test]
fn a_token_takes_no_key() {
    let world = World::new();
    let token = json(&standard_output(&world.run(&[
        "request",
        "POST",
        "/upload-tokens",
        "{}",
    ])));
    let token = token["token"].as_str().unwrap();
    std::fs::write(world.folder.path().join("token"), format!("{token}\n")).unwrap();
    for given in [token, "@token"] {
        let mut command = world.command(&["upload", "--token", given, "--json", "film.mp4"]);
        let video = json(&standard_output(
            &command.env_remove("APIVIDEO_API_KEY").output().unwrap(),
        ));
        world.assert_whole(video["videoId"].as_str().unwrap());
    }
}

#[test]
fn after_a_kill_another_process_sends_what_is_missing() {
    let world = World::new();
    let (mut child, id) = world.start_and_hang(&["upload", "--chunk-size", "5", "film.mp4"]);
    child.kill().unwrap();
    child.wait().unwrap();
    world.sandbox.clear_faults();
    let sent = world.chunks_sent();
    let arguments = [
        "upload",
        "--resume",
        "--video",
        &id,
        "--chunk-size",
        "5",
        "film.mp4",
    ];
    standard_output(&world.run(&arguments));
    world.assert_whole(&id);
    assert_eq!(world.chunks_sent() - sent, 2);
}

#[cfg(unix)]
#[test]
fn an_interrupted_upload_says_how_to_go_on() {
    let world = World::new();
    let (child, id) = world.start_and_hang(&["upload", "--chunk-size", "5", "film.mp4"]);
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let (status, words) = failure(&child.wait_with_output().unwrap());
    assert_eq!(status, 130);
    let way = format!("To go on: apivideo upload --resume --video {id} film.mp4");
    assert!(words.contains(&way), "{words}");
    world.sandbox.clear_faults();
    standard_output(&world.run(&["upload", "--resume", "--video", &id, "film.mp4"]));
    world.assert_whole(&id);
}

#[test]
fn requests_print_what_came() {
    let world = World::new();
    let video = standard_output(&world.run(&["request", "POST", "/videos", r#"{"title":"Noon"}"#]));
    assert_eq!(json(&video)["title"], "Noon");
    let pages = standard_output(&world.run(&["request", "--pages", "GET", "/videos?pageSize=2"]));
    assert_eq!(pages.lines().map(json).count(), 2);

    let mut child = world
        .command(&["request", "POST", "/videos", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(br#"{"title":"Dusk"}"#)
        .unwrap();
    let video = standard_output(&child.wait_with_output().unwrap());
    assert_eq!(json(&video)["title"], "Dusk");
}

#[test]
fn a_token_is_printed_and_shared() {
    let world = World::new();
    let token = standard_output(&world.run(&["token"]));
    assert!(
        token.trim_end().len() > 100 && token.ends_with('\n'),
        "{token}"
    );
    let told = json(&standard_output(&world.run(&["token", "--json"])));
    assert!(told["expiresIn"].as_i64().unwrap() > 3000);
    let store = format!("file:{}", world.folder.path().join("tokens").display());
    let shared = || {
        standard_output(
            &world
                .command(&["token"])
                .env("APIVIDEO_STORE", &store)
                .output()
                .unwrap(),
        )
    };
    assert_eq!(shared(), shared());
}

#[test]
fn an_exit_status_says_why() {
    let world = World::new();
    let failed = |arguments: &[&str]| failure(&world.run(arguments));
    let (status, words) = failed(&["upload", "none.mp4"]);
    assert_eq!(status, 4, "{words}");
    assert_eq!(
        world.sandbox.counters().api_key.requests,
        0,
        "no video is made for no file"
    );
    assert_eq!(failed(&["request", "GET", "videos"]).0, 2);
    assert_eq!(failed(&["upload", "--resume", "film.mp4"]).0, 2);
    assert_eq!(
        failed(&["upload", "--title", "A", "film.mp4", "film.mp4"]).0,
        2
    );
    assert_eq!(failed(&["nothing"]).0, 2);
    assert_eq!(failed(&["request", "GET", "/videos/vi0"]).0, 3);

    let keyed = |key: &str| {
        let mut command = world.command(&["token", "--json"]);
        failure(&command.env("APIVIDEO_API_KEY", key).output().unwrap())
    };
    let (status, words) = keyed("another-key-than-the-sandbox-has");
    assert_eq!(status, 3, "{words}");
    assert_eq!(json(&words)["error"]["status"], "API key rejected");
    assert!(!words.contains("another-key"), "{words}");
    assert_eq!(keyed("").0, 2);

    world.sandbox.stop_listening().unwrap();
    let (status, words) = failed(&["upload", "film.mp4"]);
    assert_eq!(status, 5, "{words}");
}
