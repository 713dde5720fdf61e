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
        // Where Windows looks for what sockets are made of.
        if let Some(root) = std::env::var_os("SystemRoot") {
            command.env("SystemRoot", root);
        }
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
fn a_reply_without_a_body_is_no_line() {
    let world = World::new();
    let id = world.run(&["request", "POST", "/videos", r#"{"title":"Noon"}"#]);
    let id = json(&standard_output(&id))["videoId"].clone();
    let path = format!("/videos/{}", id.as_str().unwrap());
    assert_eq!(
        standard_output(&world.run(&["request", "DELETE", &path])),
        ""
    );
}

#[test]
fn an_exit_status_says_why() {
    let world = World::new();
    let status = |arguments: &[&str]| failure(&world.run(arguments)).0;
    assert_eq!(status(&["nothing"]), 2);
    assert_eq!(status(&["request", "GET", "videos"]), 2);
    assert_eq!(status(&["upload", "--resume", "film.mp4"]), 2);
    assert_eq!(
        status(&["upload", "--title", "A", "film.mp4", "film.mp4"]),
        2
    );
    assert_eq!(status(&["request", "GET", "/videos/vi0"]), 3);
    assert_eq!(
        status(&["upload", "--video", "vi0", "film.mp4"]),
        3,
        "there is no such video"
    );
    let lost = Fault::Close { handled: true };
    world.sandbox.fault(FaultRule::new(On::Videos, lost));
    assert_eq!(
        status(&["request", "POST", "/videos", "{}"]),
        6,
        "there may be such a video now"
    );
    world.sandbox.stop_listening().unwrap();
    assert_eq!(status(&["upload", "film.mp4"]), 5);
}

#[test]
fn help_says_what_an_exit_status_means() {
    let world = World::new();
    let help = standard_output(&world.run(&["--help"]));
    let (_, statuses) = help.split_once("Exit status:\n").unwrap();
    let told: Vec<&str> = statuses
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(told, ["0", "1", "2", "3", "4", "5", "6", "130", "141"]);
}

#[test]
fn a_key_that_is_refused_is_not_told() {
    let world = World::new();
    let keyed = |key: &str| {
        let mut command = world.command(&["token", "--json"]);
        failure(&command.env("APIVIDEO_API_KEY", key).output().unwrap())
    };
    let (status, words) = keyed("another-key-than-the-sandbox-has");
    assert_eq!(status, 3, "{words}");
    assert_eq!(json(&words)["error"]["status"], "API key rejected");
    assert_eq!(json(&words)["error"]["retryable"], false);
    assert!(!words.contains("another-key"), "{words}");
    assert_eq!(keyed("").0, 2);
}

#[test]
fn a_script_learns_what_api_video_says() {
    let world = World::new();
    let (_, words) = failure(&world.run(&["request", "--json", "GET", "/videos/vi0"]));
    let error = &json(&words)["error"];
    assert_eq!(error["httpStatus"], 404);
    let kind = error["problem"]["type"].as_str().unwrap();
    assert!(kind.starts_with("https://docs.api.video/"), "{words}");

    let (_, words) = failure(&world.run(&["upload", "--json", "none.mp4"]));
    let error = &json(&words)["error"];
    assert_eq!(error["status"], "file error");
    assert!(error["problem"].is_null(), "{words}");
}

#[test]
fn an_upload_token_is_not_told() {
    let world = World::new();
    for given in ["to5ecret0never0seen", "a token 5ecret", "5ecret\u{e9}"] {
        let mut command = world.command(&["upload", "--token", given, "film.mp4"]);
        let (status, words) = failure(&command.output().unwrap());
        assert!([2, 3].contains(&status), "{words}");
        assert!(!words.contains("5ecret"), "{words}");
    }
}

#[test]
fn no_video_is_made_for_what_cannot_be_sent() {
    let world = World::new();
    std::fs::create_dir(world.folder.path().join("folder")).unwrap();
    std::fs::write(world.folder.path().join("empty.mp4"), b"").unwrap();
    for file in ["none.mp4", "folder", "empty.mp4"] {
        let (status, words) = failure(&world.run(&["upload", file]));
        assert_eq!(status, 4, "{words}");
    }
    for option in [["--chunk-size", "4"], ["--parallel", "9"]] {
        let [name, value] = option;
        let (status, words) = failure(&world.run(&["upload", name, value, "film.mp4"]));
        assert_eq!(status, 2, "{words}");
    }
    assert_eq!(world.sandbox.counters().api_key.requests, 0);
}

#[test]
fn a_script_learns_the_video_before_the_end() {
    let world = World::new();
    let output = world.run(&["upload", "--json", "film.mp4"]);
    let video = json(&standard_output(&output));
    let told = json(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(told["start"]["videoId"], video["videoId"]);
    assert_eq!(told["start"]["file"], "film.mp4");
}

#[test]
fn what_is_no_terminal_gets_no_bar() {
    let world = World::new();
    let output = world.run(&["upload", "film.mp4"]);
    let words = String::from_utf8(output.stderr).unwrap();
    let id = world.new_video();
    assert_eq!(words, format!("film.mp4 goes to the video {id}.\n"));
}

/// By util-linux' `script`.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_bar() {
    let world = World::new();
    let slow = Fault::Throttle {
        bytes_per_second: 10 * CHUNK as u64,
    };
    world
        .sandbox
        .fault(FaultRule::new(On::Uploads, slow).times(0));
    let program = env!("CARGO_BIN_EXE_apivideo");
    let output = Command::new("script")
        .args(["-qec", &format!("{program} upload film.mp4"), "/dev/null"])
        .envs(
            world
                .command(&[])
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "xterm")
        .current_dir(world.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = standard_output(&output);
    assert!(shown.contains("MiB of 10.00 MiB"), "{shown}");
    assert!(shown.contains("/s, "), "{shown}");
    assert!(shown.contains("s left"), "{shown}");
}

#[cfg(unix)]
#[test]
fn whoever_reads_may_have_gone() {
    let world = World::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = world.command(&["request", "GET", "/videos"]);
    command.stdout(writer.try_clone().unwrap());
    let (status, words) = failure(&command.output().unwrap());
    assert_eq!((status, words.as_str()), (141, ""));

    let mut command = world.command(&["request", "GET", "/videos/vi0"]);
    let output = command.stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_a_failure() {
    let world = World::new();
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut command = world.command(&["token"]);
    let (status, words) = failure(&command.stdout(full).output().unwrap());
    assert_eq!(status, 1);
    assert!(words.contains("cannot be written"), "{words}");
}
