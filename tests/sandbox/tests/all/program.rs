//! The program: its command line, its files, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::json;

use crate::client::Client;

/// A program that is ended with the test, whatever becomes of the test.
struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is what the test was about.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn address(&self) -> SocketAddr {
        let (_, address) = self.url.split_once("://").unwrap();
        address.parse().unwrap()
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apivideo-sandbox"));
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Running {
    let mut child = command(args).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let url = line.strip_prefix("apivideo-sandbox listening on ");
    let url = url.expect(&line).trim_end().to_owned();
    Running { child, url }
}

/// A directory of the test's own, below the one that the build provides.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn it_says_where_it_listens() {
    let running = run(&["--key", "mine", "--expires-in=7"]);
    assert!(running.url.starts_with("http://127.0.0.1:"));
    let mut client = Client::connect_to(running.address(), None).unwrap();
    let reply = client.post("/auth/api-key", &json!({ "apiKey": "mine" }));
    assert_eq!(reply.json()["expires_in"], 7);
}

#[test]
fn its_options_reach_the_sandbox() {
    let running = run(&["--auth-error-status", "403", "--latency-ms", "1"]);
    let mut client = Client::connect_to(running.address(), None).unwrap();
    assert_eq!(client.refresh("unknown").status, 403);
    let running = run(&["--set", "expires_in=7", "--set", "key=mine"]);
    let mut client = Client::connect_to(running.address(), None).unwrap();
    let reply = client.post("/auth/api-key", &json!({ "apiKey": "mine" }));
    assert_eq!(reply.json()["expires_in"], 7);
    let running = run(&["--strict-origin"]);
    let mut client = Client::connect_to(running.address(), None).unwrap();
    assert_eq!(client.authenticate().status, 400);
}

#[test]
fn it_writes_its_certificate_and_its_address() {
    let directory = directory("files");
    let (ca, ready) = (directory.join("ca.pem"), directory.join("ready"));
    std::fs::write(&ready, "left over from an earlier run").unwrap();
    let (ca_arg, ready_arg) = (ca.to_str().unwrap(), ready.to_str().unwrap());
    let running = run(&["--tls", "--ca-file", ca_arg, "--ready-file", ready_arg]);
    assert!(running.url.starts_with("https://"));
    let written = std::fs::read_to_string(&ready).unwrap();
    assert_eq!(written, format!("{}\n", running.url));
    let pem = std::fs::read_to_string(&ca).unwrap();
    let mut client = Client::connect_to(running.address(), Some(&pem)).unwrap();
    assert_eq!(client.authenticate().status, 200);
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn it_says_what_to_export() {
    let directory = directory("exports");
    let ca = directory.join("ca.pem");
    let ca = ca.to_str().unwrap();
    let mut child = command(&["--key", "it's mine", "--tls", "--ca-file", ca])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let first = line();
    let url = first
        .strip_prefix("apivideo-sandbox listening on ")
        .unwrap();
    let exports: Vec<String> = (0..6).map(|_| line()).collect();
    drop(Running {
        child,
        url: String::new(),
    });
    assert_eq!(exports[3], r"    export APIVIDEO_API_KEY='it'\''s mine'");
    assert_eq!(exports[4], format!("    export APIVIDEO_BASE_URL={url}"));
    assert_eq!(exports[5], format!("    export APIVIDEO_CA_FILE={ca}"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let running = run(&[]);
    let address = running.address();
    let output = output(&["--port", &address.port().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let begin = format!("apivideo-sandbox: cannot listen on {address}: ");
    assert!(
        said.starts_with(&begin) && said.contains("choose another (--port"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn signals_end_it() {
    for signal in ["TERM", "INT"] {
        let mut running = run(&[]);
        let id = running.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        assert!(running.child.wait().unwrap().success());
    }
}

#[test]
fn it_can_end_with_its_parent() {
    let mut running = run(&["--exit-with-parent"]);
    drop(running.child.stdin.take());
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn otherwise_the_end_of_its_input_means_nothing() {
    let mut running = run(&[]);
    drop(running.child.stdin.take());
    let mut client = Client::connect_to(running.address(), None).unwrap();
    assert_eq!(client.authenticate().status, 200);
}

fn output(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

#[test]
fn help_is_not_an_error() {
    let output = output(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("--auth-error-status"));
}

#[test]
fn bad_options_are_named_in_one_line() {
    let cases: [(&[&str], &str); 15] = [
        (&["--nonsense"], "--nonsense"),
        (&["positional"], "positional"),
        (&["--port"], "--port"),
        (&["--port", "70000"], "--port 70000"),
        (&["--host", "localhost"], "--host localhost"),
        (&["--host", "0.0.0.0"], "0.0.0.0 is not a loopback address"),
        (&["--host", "::"], ":: is not a loopback address"),
        (&["--expires-in", "-1"], "--expires-in -1"),
        (&["--auth-error-status", "500"], "400, 401 or 403"),
        (
            &["--set", "expires_in"],
            "--set expires_in: expected NAME=VALUE",
        ),
        (&["--set", "nonsense=1"], "--set: unknown field `nonsense`"),
        (&["--set", "expires_in=soon"], "--set: invalid type"),
        (&["--set", "limit_window_s=0"], "at least a second"),
        (&["--tls"], "--tls needs --ca-file"),
        (&["--ca-file", "ca.pem"], "--ca-file needs --tls"),
    ];
    for (args, reason) in cases {
        let output = output(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(reason), "{args:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn what_cannot_be_done_is_another_error() {
    let running = run(&[]);
    let port = running.address().port().to_string();
    let taken = output(&["--port", &port]);
    assert_eq!(taken.status.code(), Some(1));
    let unwritable = output(&["--ready-file", "/nonexistent/ready"]);
    assert_eq!(unwritable.status.code(), Some(1));
    let message = String::from_utf8(unwritable.stderr).unwrap();
    assert!(message.contains("/nonexistent/ready"), "{message}");
}

#[test]
fn nothing_else_is_printed() {
    let mut running = run(&["--exit-with-parent"]);
    drop(running.child.stdin.take());
    running.child.wait().unwrap();
    let mut errors = String::new();
    let mut stderr = running.child.stderr.take().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}
