//! A token that processes share, by files: real ones, real processes and a real server.
//!
//! A child process is this test again, told by the environment what to do.
//! `APIVIDEO_TEST_PROCESSES` is how many start at once: `make prove` has 1,000.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stores.rs"]
mod stores;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config, Status, Store};
use apivideo_sandbox::{Fault, FaultRule, On, Sandbox};
use common::{KEY, client_with, config_for, eventually};
use stores::{Directory, exchanges};

fn config(directory: &Directory, sandbox: &Sandbox) -> Config {
    let mut config = config_for(sandbox.base_url(), sandbox);
    config.set_store(Some(directory.store()));
    config
}

fn client(directory: &Directory, sandbox: &Sandbox) -> Client {
    client_with(&config(directory, sandbox))
}

// --- Children ---

/// What a child does: prints its token, when it is told to go.
#[test]
#[ignore = "part of others"]
fn child() {
    let Ok(url) = std::env::var("APIVIDEO_TEST_URL") else {
        return;
    };
    let mut config = Config::default();
    config.set_base_url(&url).unwrap();
    let ready = Client::new(KEY, &config).unwrap();
    println!("ready");
    let mut go = String::new();
    std::io::stdin().read_line(&mut go).unwrap();
    let start = Instant::now();
    let token = ready.get_token();
    let took = start.elapsed().as_micros();
    match token {
        Ok(token) => println!("token {took} {}", token.access_token()),
        Err(error) => println!("error {took} {error}"),
    }
}

struct Process(Child);

impl Process {
    fn start(sandbox: &Sandbox, store: &str) -> Process {
        Process(Process::command(sandbox, store).spawn().unwrap())
    }

    fn command(sandbox: &Sandbox, store: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--ignored",
                "--exact",
                "child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("APIVIDEO_TEST_URL", sandbox.base_url())
            .env("APIVIDEO_STORE", store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    fn go(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Its token, and how long it took.
    fn token(&mut self) -> (String, Duration) {
        let output = BufReader::new(self.0.stdout.as_mut().unwrap());
        for line in output.lines() {
            let line = line.unwrap();
            let Some(at) = line.find("token ") else {
                continue;
            };
            let (micros, token) = line[at + 6..].split_once(' ').unwrap();
            return (
                token.to_owned(),
                Duration::from_micros(micros.parse().unwrap()),
            );
        }
        panic!("no token");
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn wait_until_ready(&mut self) {
        let output = self.0.stdout.as_mut().unwrap();
        let mut seen = String::new();
        let mut byte = [0];
        while !seen.ends_with("ready\n") {
            assert_eq!(output.read(&mut byte).unwrap(), 1, "{seen}");
            seen.push(char::from(byte[0]));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_all(count: usize, sandbox: &Sandbox, store: &str) -> Vec<Process> {
    let mut all: Vec<Process> = (0..count).map(|_| Process::start(sandbox, store)).collect();
    all.iter_mut().for_each(Process::wait_until_ready);
    all
}

#[test]
fn many_cold_processes_make_one_exchange() {
    let count = std::env::var("APIVIDEO_TEST_PROCESSES");
    let count: usize = count
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(100);
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let slow = Fault::Delay { ms: 200 };
    sandbox.fault(FaultRule::new(On::ApiKey, slow));
    let mut processes = start_all(count, &sandbox, &directory.name());
    processes.iter_mut().for_each(Process::go);
    let answers: Vec<_> = processes.iter_mut().map(Process::token).collect();
    assert!(answers.iter().all(|(token, _)| *token == answers[0].0));
    assert_eq!(exchanges(&sandbox), 1);
    let last = answers.iter().map(|(_, took)| *took).max().unwrap();
    println!("{count} processes, the last after {last:?}");
}

#[test]
fn a_process_that_starts_when_another_has_ended_makes_no_exchange() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let mut process = start_all(1, &sandbox, &directory.name()).remove(0);
        process.go();
        tokens.push(process.token().0);
        assert!(process.0.wait().unwrap().success());
    }
    assert_eq!(tokens[0], tokens[2]);
    assert_eq!(exchanges(&sandbox), 1);
}

#[test]
fn a_process_that_is_killed_while_it_gets_the_token_is_followed_at_once() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let hang = Fault::Hang { handled: false };
    sandbox.fault(FaultRule::new(On::ApiKey, hang));
    let mut processes = start_all(2, &sandbox, &directory.name());
    processes[0].go();
    eventually("its request", || exchanges(&sandbox) == 1);
    processes[1].go();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(exchanges(&sandbox), 1, "the other waits");
    let start = Instant::now();
    processes[0].signal("-KILL");
    processes[1].token();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(exchanges(&sandbox), 2);
}

#[test]
fn a_process_that_is_stopped_while_it_gets_the_token_is_followed_and_displaces_nothing() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let slow = Fault::Delay { ms: 500 };
    sandbox.fault(FaultRule::new(On::ApiKey, slow));
    let mut processes = start_all(3, &sandbox, &directory.name());
    processes[0].go();
    eventually("its request", || exchanges(&sandbox) == 1);
    processes[0].signal("-STOP");
    processes[1].go();
    let start = Instant::now();
    let (second, _) = processes[1].token();
    let took = start.elapsed();
    let lease = Duration::from_secs(4)..Duration::from_secs(8);
    assert!(lease.contains(&took), "{took:?}");
    processes[0].signal("-CONT");
    let (first, _) = processes[0].token();
    assert_ne!(first, second);
    processes[2].go();
    assert_eq!(processes[2].token().0, second, "the newer one stays");
    assert_eq!(exchanges(&sandbox), 2);
}

// --- Files ---

#[test]
fn what_is_in_the_files_tells_neither_key_nor_token_and_is_the_users_alone() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let token = client(&directory, &sandbox).get_token().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.0), 0o700);
    let parts: Vec<&[u8]> = [KEY.as_bytes(), token.access_token().as_bytes()]
        .into_iter()
        .flat_map(|secret| secret.windows(8))
        .collect();
    for entry in fs::read_dir(&directory.0).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        let name = path.file_name().unwrap().as_encoded_bytes().to_vec();
        let bytes = [name, fs::read(&path).unwrap()].concat();
        let tells = bytes.windows(8).any(|window| parts.contains(&window));
        assert!(!tells, "{path:?}");
    }
}

#[test]
fn a_directory_that_is_not_safe_is_refused_in_words() {
    let refused = |path: &Path, why: &str| {
        let error = Store::file(Some(path)).err().unwrap();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(error.message.contains(why), "{}", error.message);
    };
    let directory = Directory::new();
    fs::create_dir(&directory.0).unwrap();
    directory.set_mode(0o755);
    refused(&directory.0, "0700");
    directory.set_mode(0o700);
    let link = directory.0.join("link");
    symlink(&directory.0, &link).unwrap();
    refused(&link, "is a symbolic link");
    let file = directory.0.join("file");
    fs::write(&file, "").unwrap();
    refused(&file, "cannot be used");
    refused(&file.join("below"), "cannot be used");
    // A root's test can give the directory away; another user's is /, where this is not root's.
    match chown(&directory.0, Some(12_345), None) {
        Ok(()) => refused(&directory.0, "another user's"),
        Err(_) => refused(Path::new("/"), "another user's"),
    }
}

#[test]
fn another_key_and_another_server_have_records_of_their_own() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let other = common::sandbox();
    client(&directory, &sandbox).get_token().unwrap();
    client(&directory, &other).get_token().unwrap();
    let error = Client::new("another-key", &config(&directory, &sandbox))
        .unwrap()
        .get_token();
    assert_eq!(error.unwrap_err().status, Status::KeyRejected);
    assert_eq!((exchanges(&sandbox), exchanges(&other)), (2, 1));
}

#[test]
fn a_401_is_told_to_the_others() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let (one, other) = (client(&directory, &sandbox), client(&directory, &sandbox));
    let rejected = one.get_token().unwrap();
    let same = other.get_token().unwrap();
    one.invalidate(&rejected).unwrap();
    let newer = one.get_token().unwrap();
    other.invalidate(&same).unwrap();
    assert_eq!(
        other.get_token().unwrap().access_token(),
        newer.access_token()
    );
    assert_eq!(exchanges(&sandbox), 2);
    assert_eq!(other.statistics().tokens_adopted, 2);
}

#[test]
fn a_store_of_the_environment_is_named_in_its_error() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .env("APIVIDEO_TEST_URL", "http://127.0.0.1:1")
        .env("APIVIDEO_STORE", "memcached://x")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("`APIVIDEO_STORE` must be"), "{text}");
}

#[test]
fn a_short_lived_process_has_its_token_from_a_file_in_a_moment() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    let config = config(&directory, &sandbox);
    client_with(&config).get_token().unwrap();
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let client = client_with(&config);
            let start = Instant::now();
            client.get_token().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("the token from a file: {:?} in the median", times[100]);
    assert!(times[100] < Duration::from_millis(5), "{:?}", times[100]);
}

#[test]
fn a_directory_that_cannot_be_written_to_gives_what_is_there_and_else_costs_an_exchange_each() {
    let (sandbox, directory) = (common::sandbox(), Directory::new());
    fs::create_dir(&directory.0).unwrap();
    directory.set_mode(0o700);
    // Root may write anywhere: then the processes are another user's.
    let own = fs::metadata(&directory.0).unwrap().uid();
    let user = if own == 0 { 12_345 } else { own };
    chown(&directory.0, Some(user), None).unwrap();
    let token = || {
        let mut command = Process::command(&sandbox, &directory.name());
        if user != own {
            command.uid(user).gid(user);
        }
        let mut process = Process(command.spawn().unwrap());
        process.go();
        process.token().0
    };
    let first = token();
    directory.set_mode(0o500);
    assert_eq!(token(), first, "it can be read");
    assert_eq!(exchanges(&sandbox), 1);
    directory.set_mode(0o700);
    fs::remove_file(directory.record()).unwrap();
    directory.set_mode(0o500);
    assert_ne!(token(), token());
    assert_eq!(exchanges(&sandbox), 3);
    directory.set_mode(0o700);
}
