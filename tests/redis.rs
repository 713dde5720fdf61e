//! A token that processes share by Redis: real servers, started here, and what may befall them.
//!
//! Without `redis-server` these tests are skipped, and say so; with `CI=true` they fail on
//! Linux.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/lying_proxy.rs"]
mod lying_proxy;
#[path = "common/stores.rs"]
mod stores;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use apivideo::{Client, Config, Status, Store};
use apivideo_sandbox::{Fault, FaultRule, On, Sandbox};
use common::{KEY, client_with, config_for, eventually};
use lying_proxy::LyingProxy;
use stores::{Lines, Redis, exchanges, free_port, redis_is_there};

fn config(url: &str, sandbox: &Sandbox) -> Config {
    let mut config = config_for(sandbox.base_url(), sandbox);
    config.set_store(Some(Store::redis(url, None).unwrap()));
    config
}

fn client(url: &str, sandbox: &Sandbox) -> Client {
    client_with(&config(url, sandbox))
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
    if !redis_is_there() {
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
    if !redis_is_there() {
        return;
    }
    let redis = Redis::start(&["--requirepass", "hush:@"]);
    assert_shared(&format!("redis://:hush%3A%40@127.0.0.1:{}/3", redis.port));
    let user = command_for_operators();
    redis.cli(&[&["-a", "hush:@"], user.as_slice()].concat());
    assert_shared(&format!(
        "redis://apivideo:PASSWORD@127.0.0.1:{}",
        redis.port
    ));
}

/// The one that the guide tells them to give.
fn command_for_operators() -> Vec<&'static str> {
    let guide = include_str!("../docs/guides/many-processes.md");
    let line = guide.lines().find(|line| line.starts_with("redis-cli ACL"));
    let words = line.unwrap().split(' ').skip(1);
    words.map(|word| word.trim_matches('\'')).collect()
}

#[test]
fn a_server_that_refuses_is_told_of_once_in_words_and_costs_no_token() {
    if !redis_is_there() {
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
        let lines = Lines::of(&mut config);
        client_with(&config).get_token().unwrap();
        eventually("a line", || !lines.all().is_empty());
        let lines = lines.all();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains(words) && !lines[0].contains("word@"),
            "{lines:?}"
        );
    }
}

/// What a child process does, with all settings from its environment.
#[test]
#[ignore = "part of others"]
fn child() {
    if std::env::var_os("APIVIDEO_STORE").is_none() {
        return;
    }
    let mut config = Config::default();
    config.set_store_timeout_ms(5_000).unwrap();
    let client = Client::from_environment(&config).unwrap();
    client.get_token().unwrap();
    println!("{} store failures", client.statistics().store_failures);
}

#[test]
fn tls_is_verified() {
    if !redis_is_there() {
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
    let sandbox = common::sandbox();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .env("APIVIDEO_BASE_URL", sandbox.base_url())
        .env("APIVIDEO_API_KEY", KEY)
        .env("APIVIDEO_CA_FILE", &ca_file)
        .env("APIVIDEO_STORE", &url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("0 store failures"), "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

/// Not a part of either that is long enough to be of use.
fn assert_no_secret_in(what: &str, bytes: &[u8], token: &str) {
    for secret in [KEY, token] {
        for part in secret.as_bytes().windows(8) {
            let found = bytes.windows(8).any(|window| window == part);
            assert!(!found, "{what} has {}", String::from_utf8_lossy(part));
        }
    }
}

#[test]
fn neither_key_nor_token_leaves_the_process_or_is_in_a_dump_or_a_monitor() {
    if !redis_is_there() {
        return;
    }
    let (sandbox, redis) = (common::sandbox(), Redis::start(&["--rdbcompression", "no"]));
    let watched = redis.folder.join("monitor");
    let mut monitor = Command::new("redis-cli")
        .args(["-p", &redis.port.to_string(), "MONITOR"])
        .stdout(fs::File::create(&watched).unwrap())
        .spawn()
        .unwrap();
    eventually("the monitor", || !fs::read(&watched).unwrap().is_empty());
    let proxy = LyingProxy::before(redis.port);
    let first = client(&proxy.url(), &sandbox);
    let token = first.get_token().unwrap();
    let adopted = client(&proxy.url(), &sandbox).get_token().unwrap();
    first.invalidate(&token).unwrap();
    let newer = first.get_token().unwrap();
    assert_eq!(redis.cli(&["SAVE"]), "OK");
    redis.cli(&["ECHO", "the end"]);
    eventually("the monitor's last line", || {
        String::from_utf8_lossy(&fs::read(&watched).unwrap()).contains("the end")
    });
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    assert_eq!(adopted.access_token(), token.access_token());
    for (what, bytes) in [
        ("a connection", proxy.seen()),
        ("the monitor", fs::read(&watched).unwrap()),
        ("the dump", fs::read(redis.folder.join("dump.rdb")).unwrap()),
    ] {
        let has_record = bytes.windows(9).any(|window| window == b"apivideo-");
        assert!(has_record, "the record is in {what}");
        assert_no_secret_in(what, &bytes, token.access_token());
        assert_no_secret_in(what, &bytes, newer.access_token());
    }
    let left: i64 = redis.cli(&["PTTL", &redis.record()]).parse().unwrap();
    let expected = 3_600_000..=4_300_000;
    assert!(expected.contains(&left), "it expires in {left} ms");
}

#[test]
fn a_cluster_is_followed_to_the_node_that_has_the_key() {
    if !redis_is_there() {
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
    if !redis_is_there() {
        return;
    }
    let mut master = Redis::start(&[]);
    let replica = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    eventually("replication", || {
        replica
            .cli(&["INFO", "replication"])
            .contains("master_link_status:up")
    });
    let sentinel = Redis::start_sentinel(&master);
    eventually("Sentinel", || {
        sentinel
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
    master.kill();
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
    if !redis_is_there() {
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
