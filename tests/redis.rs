//! A token that processes share by Redis: real servers, started here, and what may befall them.
//!
//! Without `redis-server` these tests are skipped, and say so; with `CI=true` they fail.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config, LogLevel, Status, Store};
use apivideo_sandbox::{Fault, FaultRule, On, Sandbox};
use common::{KEY, client_with, config_for, eventually};

fn is_there() -> bool {
    let found = Command::new("redis-server")
        .arg("--version")
        .output()
        .is_ok();
    assert!(
        found || std::env::var("CI").is_err(),
        "redis-server is not installed"
    );
    if !found {
        println!("*** SKIPPED: redis-server is not installed ***");
    }
    found
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A server of a test's own.
struct Redis {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Redis {
    fn start(options: &[&str]) -> Redis {
        let port = free_port();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{port}"));
        fs::create_dir_all(&folder).unwrap();
        Redis::start_at(port, folder, options)
    }

    fn start_at(port: u16, folder: PathBuf, options: &[&str]) -> Redis {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string()])
            .args(["--dir", folder.to_str().unwrap()])
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Redis {
            child,
            port,
            folder,
        };
        eventually("redis-server", || redis.answers());
        redis
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn config(url: &str, sandbox: &Sandbox) -> Config {
    let mut config = config_for(sandbox.base_url(), sandbox);
    config.set_store(Some(Store::redis(url, None).unwrap()));
    config
}

fn client(url: &str, sandbox: &Sandbox) -> Client {
    client_with(&config(url, sandbox))
}

fn exchanges(sandbox: &Sandbox) -> u64 {
    sandbox.counters().api_key.requests
}

/// Two clients get one token by the store, which never fails.
fn assert_shared(url: &str) {
    let sandbox = common::sandbox();
    let (one, other) = (client(url, &sandbox), client(url, &sandbox));
    let first = one.get_token().unwrap();
    assert_eq!(
        other.get_token().unwrap().access_token(),
        first.access_token()
    );
    assert_eq!(
        (exchanges(&sandbox), other.statistics().tokens_adopted),
        (1, 1)
    );
    assert_eq!(
        one.statistics().store_failures + other.statistics().store_failures,
        0
    );
}

#[test]
fn many_cold_clients_make_one_exchange() {
    if !is_there() {
        return;
    }
    let (sandbox, redis) = (common::sandbox(), Redis::start(&[]));
    sandbox.fault(FaultRule::new(On::ApiKey, Fault::Delay { ms: 200 }));
    let start = Instant::now();
    let tokens: Vec<_> = (0..100)
        .map(|_| {
            let client = client(&redis.url(), &sandbox);
            thread::spawn(move || client.get_token().unwrap().access_token().to_owned())
        })
        .collect();
    let tokens: Vec<String> = tokens
        .into_iter()
        .map(|token| token.join().unwrap())
        .collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(exchanges(&sandbox), 1);
    println!("100 clients, the last after {:?}", start.elapsed());
}

#[test]
fn passwords_users_and_databases() {
    if !is_there() {
        return;
    }
    let redis = Redis::start(&["--requirepass", "hush:@"]);
    assert_shared(&format!("redis://:hush%3A%40@127.0.0.1:{}/3", redis.port));
    let user = [
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">word",
        "~apivideo-*",
        "+time",
        "+get",
        "+set",
        "+eval",
        "+select",
    ];
    redis.cli(&[&["-a", "hush:@"], user.as_slice()].concat());
    assert_shared(&format!("redis://app:word@127.0.0.1:{}", redis.port));
}

#[test]
fn a_server_that_refuses_is_told_of_once_in_words_and_costs_no_token() {
    if !is_there() {
        return;
    }
    let redis = Redis::start(&["--requirepass", "hush"]);
    let may_not = [
        "-a",
        "hush",
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">word",
        "~apivideo-*",
        "+time",
        "+get",
    ];
    redis.cli(&may_not);
    let (login, eval) = (
        format!("redis://127.0.0.1:{}", redis.port),
        format!("redis://app:word@127.0.0.1:{}", redis.port),
    );
    for (url, words) in [
        (login, "NOAUTH; check user and password"),
        (
            redis.url().replace("//", "//:wrong@"),
            "WRONGPASS; check user and password",
        ),
        (eval, "NOPERM; its user must be allowed"),
    ] {
        let sandbox = common::sandbox();
        let mut config = config(&url, &sandbox);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        config.set_log(LogLevel::Warning, move |_, line| {
            log.lock().unwrap().push(line.to_owned())
        });
        client_with(&config).get_token().unwrap();
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains(words) && !lines[0].contains("word@"),
            "{lines:?}"
        );
    }
}

#[test]
fn tls_is_verified() {
    if !is_there() {
        return;
    }
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(path("cert"), certified.cert.pem()).unwrap();
    fs::write(path("key"), certified.signing_key.serialize_pem()).unwrap();
    let tls_port = free_port().to_string();
    let _redis = Redis::start(&[
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &path("cert"),
        "--tls-key-file",
        &path("key"),
        "--tls-ca-cert-file",
        &path("cert"),
        "--tls-auth-clients",
        "no",
    ]);
    let address = format!("127.0.0.1:{tls_port}");
    eventually("TLS", || std::net::TcpStream::connect(&address).is_ok());
    let url = format!("rediss://localhost:{tls_port}");
    let ca_file = path("cert");
    for (ca_file, failures) in [(Some(Path::new(&ca_file)), 0), (None, 1)] {
        let sandbox = common::sandbox();
        let mut config = config_for(sandbox.base_url(), &sandbox);
        config.set_store(Some(Store::redis(&url, ca_file).unwrap()));
        // The system's certificates are read in this time, too.
        config.set_store_timeout_ms(5_000).unwrap();
        let client = client_with(&config);
        client.get_token().unwrap();
        assert_eq!(client.statistics().store_failures, failures, "{ca_file:?}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn neither_key_nor_token_is_in_a_dump() {
    if !is_there() {
        return;
    }
    let (sandbox, redis) = (common::sandbox(), Redis::start(&["--rdbcompression", "no"]));
    let token = client(&redis.url(), &sandbox).get_token().unwrap();
    assert_eq!(redis.cli(&["SAVE"]), "OK");
    let dump = fs::read(redis.folder.join("dump.rdb")).unwrap();
    assert!(
        dump.windows(9).any(|window| window == b"apivideo-"),
        "the record is in it"
    );
    for secret in [KEY, token.access_token()] {
        for part in secret.as_bytes().windows(8) {
            assert!(!dump.windows(8).any(|window| window == part));
        }
    }
    let name = redis.cli(&["KEYS", "*"]);
    let left: i64 = redis.cli(&["PTTL", &name]).parse().unwrap();
    assert!(
        (3_600_000..=4_300_000).contains(&left),
        "it expires in {left} ms"
    );
}

#[test]
fn a_server_that_is_down_hangs_or_is_none_costs_its_time_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("redis://{}", silent.local_addr().unwrap());
    let down = format!("redis://127.0.0.1:{}", free_port());
    let babbles = TcpListener::bind("127.0.0.1:0").unwrap();
    let none = format!("redis://{}", babbles.local_addr().unwrap());
    thread::spawn(move || {
        while let Ok((mut peer, _)) = babbles.accept() {
            let _ = peer.read(&mut [0; 100]);
            let _ = std::io::Write::write_all(&mut peer, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for (url, most) in [(hangs, 1_500), (down, 500), (none, 500)] {
        let sandbox = common::sandbox();
        let client = client(&url, &sandbox);
        let start = Instant::now();
        client.get_token().unwrap();
        assert!(
            start.elapsed() < Duration::from_millis(most),
            "{url}: {:?}",
            start.elapsed()
        );
        assert_eq!(client.statistics().store_failures, 1, "{url}");
    }
}

#[test]
fn a_server_that_was_stopped_or_restarted_empty_costs_an_exchange() {
    if !is_there() {
        return;
    }
    let (sandbox, redis) = (common::sandbox(), Redis::start(&[]));
    let url = redis.url();
    client(&url, &sandbox).get_token().unwrap();
    redis.signal("-STOP");
    let start = Instant::now();
    client(&url, &sandbox).get_token().unwrap();
    assert!(start.elapsed() < Duration::from_millis(1_500));
    redis.signal("-CONT");
    assert_eq!(exchanges(&sandbox), 2);
    client(&url, &sandbox).get_token().unwrap();
    assert_eq!(exchanges(&sandbox), 2, "what was there is there");
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    let (one, other) = (client(&url, &sandbox), client(&url, &sandbox));
    one.get_token().unwrap();
    other.get_token().unwrap();
    assert_eq!(exchanges(&sandbox), 3);
}

#[test]
fn a_value_that_is_none_of_ours_is_replaced() {
    if !is_there() {
        return;
    }
    let (sandbox, redis) = (common::sandbox(), Redis::start(&[]));
    client(&redis.url(), &sandbox).get_token().unwrap();
    let name = redis.cli(&["KEYS", "*"]);
    redis.cli(&["SET", &name, "something else"]);
    let (one, other) = (
        client(&redis.url(), &sandbox),
        client(&redis.url(), &sandbox),
    );
    one.get_token().unwrap();
    other.get_token().unwrap();
    assert_eq!(exchanges(&sandbox), 2);
}

#[test]
fn a_cluster_is_followed_to_the_node_that_has_the_key() {
    if !is_there() {
        return;
    }
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let nodes: Vec<Redis> = (0..3).map(|_| Redis::start(&options)).collect();
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port))
        .collect();
    let create: Vec<&str> = ["--cluster", "create"]
        .into_iter()
        .chain(addresses.iter().map(String::as_str))
        .chain(["--cluster-yes"])
        .collect();
    let created = nodes[0].cli(&create);
    assert!(created.contains("All 16384 slots covered"), "{created}");
    eventually("the cluster", || {
        nodes
            .iter()
            .all(|node| node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
    });
    nodes.iter().for_each(|node| assert_shared(&node.url()));
}

#[test]
fn sentinel_names_the_server_and_the_replica_that_was_promoted() {
    if !is_there() {
        return;
    }
    let mut master = Redis::start(&[]);
    let replica = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    eventually("replication", || {
        replica
            .cli(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
    let port = free_port();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{port}"));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("sentinel.conf");
    let text = format!(
        "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 300\n\
         sentinel failover-timeout main 3000\n",
        master.port
    );
    fs::write(&file, text).unwrap();
    let child = Command::new("redis-server")
        .args([
            file.to_str().unwrap(),
            "--sentinel",
            "--port",
            &port.to_string(),
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let sentinel = Redis {
        child,
        port,
        folder,
    };
    eventually("Sentinel", || {
        sentinel.answers()
            && sentinel
                .cli(&["SENTINEL", "replicas", "main"])
                .contains(&replica.port.to_string())
    });
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port);
    assert_shared(&url);
    // The replica alone cannot be written to, and says so.
    let sandbox = common::sandbox();
    let read_only = client(&replica.url(), &sandbox);
    read_only.get_token().unwrap();
    assert!(read_only.statistics().store_failures > 0);
    master.child.kill().unwrap();
    let asked = ["SENTINEL", "get-master-addr-by-name", "main"];
    eventually("the promotion", || {
        sentinel.cli(&asked).contains(&replica.port.to_string())
    });
    eventually("the new master", || {
        replica.cli(&["ROLE"]).starts_with("master")
    });
    assert_shared(&url);
}

#[test]
fn what_is_no_url_of_a_redis_is_refused_and_its_password_not_repeated() {
    for url in [
        "redis://u:hush@",
        "rediss://u:hush@h:x",
        "http://u:hush@h",
        "redis://u:hush@h/a",
    ] {
        let error = Store::redis(url, None).err().unwrap();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(!error.message.contains("hush"), "{}", error.message);
    }
}

/// What looks like a version in part only: the script and the library must agree on what it is.
#[test]
fn a_value_that_looks_like_one_of_ours_is_replaced_too() {
    if !is_there() {
        return;
    }
    for value in ["ABCDEF0123456789 and more", "fbcdef0123456789 and more"] {
        let (sandbox, redis) = (common::sandbox(), Redis::start(&[]));
        client(&redis.url(), &sandbox).get_token().unwrap();
        let name = redis.cli(&["KEYS", "*"]);
        redis.cli(&["SET", &name, value]);
        let (one, other) = (
            client(&redis.url(), &sandbox),
            client(&redis.url(), &sandbox),
        );
        one.get_token().unwrap();
        other.get_token().unwrap();
        assert_eq!(exchanges(&sandbox), 2, "{value}");
    }
}
