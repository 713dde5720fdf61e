//! Stores of a test's own: directories, and servers of Redis that are started here.

#![allow(dead_code)] // Each test uses a part.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use apivideo::{Config, LogLevel, Store};
use apivideo_sandbox::Sandbox;
use parking_lot::Mutex;

use super::common::eventually;

pub fn exchanges(sandbox: &Sandbox) -> u64 {
    sandbox.counters().api_key.requests
}

/// The lines of a client's log, from warnings on.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub fn of(config: &mut Config) -> Lines {
        let lines = Lines::default();
        let log = Arc::clone(&lines.0);
        config.set_log(LogLevel::Warning, move |_, line| {
            log.lock().push(line.to_owned());
        });
        lines
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

fn temporary(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let name = format!("{name}-{}-{number}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A directory of a test's own, gone with it.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Directory {
        Directory(temporary("store"))
    }

    pub fn store(&self) -> Store {
        Store::file(Some(&self.0)).unwrap()
    }

    /// As APIVIDEO_STORE has it.
    pub fn name(&self) -> String {
        format!("file:{}", self.0.display())
    }

    /// The record's file.
    pub fn record(&self) -> PathBuf {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_none()).unwrap()
    }

    pub fn set_mode(&self, mode: u32) {
        fs::set_permissions(&self.0, fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Without `redis-server` what needs it is skipped, and says so; with `CI=true` it fails on Linux.
pub fn redis_is_there() -> bool {
    let found = Command::new("redis-server")
        .arg("--version")
        .output()
        .is_ok();
    // Where it can be installed in one step.
    let must_be = cfg!(target_os = "linux") && std::env::var("CI").is_ok();
    assert!(found || !must_be, "redis-server is not installed");
    if !found {
        println!("*** SKIPPED: redis-server is not installed ***");
    }
    found
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A server of a test's own.
pub struct Redis {
    child: Child,
    pub port: u16,
    pub folder: PathBuf,
    options: Vec<String>,
}

impl Redis {
    pub fn start(options: &[&str]) -> Redis {
        let (port, folder) = (free_port(), temporary("redis"));
        fs::create_dir_all(&folder).unwrap();
        let common = "--bind 127.0.0.1 --appendonly no --dir";
        let mut all: Vec<String> = common.split(' ').map(String::from).collect();
        all.push(folder.to_str().unwrap().to_owned());
        // Nothing is saved, so nothing is there after a restart.
        all.extend(
            ["--save", ""]
                .into_iter()
                .chain(options.iter().copied())
                .map(String::from),
        );
        Redis::run(port, folder, all)
    }

    /// A Sentinel that watches a server under the name `main`.
    pub fn start_sentinel(master: &Redis) -> Redis {
        let (port, folder) = (free_port(), temporary("sentinel"));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("sentinel.conf");
        let text = format!(
            "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 300\n\
             sentinel failover-timeout main 3000\n",
            master.port
        );
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Redis::run(port, folder, vec![file, "--sentinel".into()])
    }

    fn run(port: u16, folder: PathBuf, options: Vec<String>) -> Redis {
        let redis = Redis {
            child: spawn(port, &options),
            port,
            folder,
            options,
        };
        eventually("redis-server", || redis.answers());
        redis
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The name of the one record that is there.
    pub fn record(&self) -> String {
        self.cli(&["KEYS", "*"])
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// After it was killed: with nothing in it.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.options);
        eventually("redis-server", || self.answers());
    }
}

fn spawn(port: u16, options: &[String]) -> Child {
    let port = port.to_string();
    Command::new("redis-server")
        .args(options)
        .args(["--port", &port])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
