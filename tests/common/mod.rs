//! What the tests over real sockets share. Each of them uses a part.

#![allow(dead_code)]

pub mod fault_proxy;
pub mod scripted;
pub mod uploads;

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config};
use apivideo_sandbox::{Options, Sandbox};

pub const KEY: &str = "sandbox-key";

pub fn sandbox() -> Sandbox {
    let strict = Options {
        strict_origin: true,
        ..Options::default()
    };
    Sandbox::start(strict).unwrap()
}

pub fn tls_sandbox() -> Sandbox {
    tls_sandbox_with(Options::default())
}

pub fn tls_sandbox_with(options: Options) -> Sandbox {
    Sandbox::start(Options {
        tls: true,
        ..options
    })
    .unwrap()
}

/// The default settings, for the server at `url`, and trusting the sandbox if that has a
/// certificate.
pub fn config_for(url: &str, sandbox: &Sandbox) -> Config {
    let mut config = Config::default();
    config.set_base_url(url).unwrap();
    if let Some(pem) = sandbox.ca_pem() {
        let name = format!("ca-{}.pem", sandbox.address().port());
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, pem).unwrap();
        config.set_ca_file(path.to_str().unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    config
}

pub fn client_with(config: &Config) -> Client {
    Client::new(KEY, config).unwrap()
}

/// From one cut of a connection to the next, in bytes. APIVIDEO_TEST_CUT_STEP is for where
/// connections are slow.
pub fn cut_step() -> usize {
    let step = std::env::var("APIVIDEO_TEST_CUT_STEP");
    step.map_or(1, |step| step.parse().unwrap())
}

/// Waits for something that another thread will do soon.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// No refresh token arrived twice, whether or not the server acted on it.
pub fn assert_no_refresh_token_came_twice(sandbox: &Sandbox) {
    let mut seen = HashSet::new();
    for entry in sandbox.log() {
        if let Some(id) = entry.refresh_token_id {
            assert!(seen.insert(id), "refresh token {id} was sent twice");
        }
    }
}
