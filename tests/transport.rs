//! TLS, names, addresses and proxies: the ways to the server, and how they fail.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Config, Error, Status};
use apivideo_sandbox::{Options, Sandbox};

const KEY: &str = "sandbox-key";
/// A name that no resolver knows and no loopback rule covers.
const NAME: &str = "api.video.invalid";

fn tls_sandbox() -> Sandbox {
    tls_sandbox_with(Options::default())
}

fn tls_sandbox_with(options: Options) -> Sandbox {
    Sandbox::start(Options {
        tls: true,
        ..options
    })
    .unwrap()
}

/// The sandbox's CA in a file of the test's own.
fn ca_file(sandbox: &Sandbox, test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.pem"));
    fs::write(&path, sandbox.ca_pem().unwrap()).unwrap();
    path
}

fn config(url: &str, ca: Option<&PathBuf>) -> Config {
    let mut config = Config::default();
    config.set_base_url(url).unwrap();
    if let Some(ca) = ca {
        config.set_ca_file(ca.to_str().unwrap()).unwrap();
    }
    config
}

fn first_token(config: &Config) -> Result<(), Error> {
    Client::new(KEY, config).unwrap().get_token().map(drop)
}

/// Passes connections to `local` on to the sandbox.
fn forwarder(local: IpAddr, sandbox: &Sandbox) -> SocketAddr {
    let listener = TcpListener::bind((local, 0)).unwrap();
    let (address, target) = (listener.local_addr().unwrap(), sandbox.address());
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            pipe(client, TcpStream::connect(target).unwrap());
        }
    });
    address
}

fn pipe(a: TcpStream, b: TcpStream) {
    for (mut from, mut to) in [(a.try_clone().unwrap(), b.try_clone().unwrap()), (b, a)] {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

#[test]
fn a_private_ca_is_trusted_when_it_is_added_and_only_then() {
    let sandbox = tls_sandbox();
    let ca = ca_file(&sandbox, "private_ca");
    first_token(&config(sandbox.base_url(), Some(&ca))).unwrap();
    let by_name = sandbox.base_url().replace("127.0.0.1", "localhost");
    first_token(&config(&by_name, Some(&ca))).unwrap();
    let error = first_token(&config(sandbox.base_url(), None)).unwrap_err();
    assert_eq!(error.status, Status::TlsError, "{error}");
    assert_eq!(
        sandbox.counters().requests,
        2,
        "nothing was sent to whom is not trusted"
    );
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let sandbox = tls_sandbox();
    let ca = ca_file(&sandbox, "other_host");
    let address = forwarder([127, 0, 0, 2].into(), &sandbox);
    let error = first_token(&config(&format!("https://{address}"), Some(&ca))).unwrap_err();
    assert_eq!(error.status, Status::TlsError, "{error}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let sandbox = tls_sandbox_with(Options {
        tls_expired: true,
        ..Options::default()
    });
    let ca = ca_file(&sandbox, "expired");
    let error = first_token(&config(sandbox.base_url(), Some(&ca))).unwrap_err();
    assert_eq!(error.status, Status::TlsError, "{error}");
}

/// A server that sends `reply` and closes, or, with nothing to send, says nothing.
fn crude_server(reply: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            match reply {
                Some(bytes) => drop(stream.write_all(bytes)),
                None => kept.push(stream),
            }
        }
    });
    address
}

#[test]
fn a_handshake_that_is_cut_garbled_or_never_answered_is_an_error_in_time() {
    let sandbox = tls_sandbox();
    let ca = ca_file(&sandbox, "handshake");
    for (server, statuses) in [
        (
            crude_server(Some(b"")),
            [Status::NetworkError, Status::TlsError],
        ),
        (
            crude_server(Some(b"\x16\x03\x03\x00\x7a\x02")),
            [Status::NetworkError, Status::TlsError],
        ),
        (
            crude_server(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
            [Status::TlsError; 2],
        ),
        (crude_server(None), [Status::Timeout; 2]),
    ] {
        let mut config = config(&format!("https://{server}"), Some(&ca));
        config.set_connect_timeout_ms(500).unwrap();
        let start = Instant::now();
        let error = first_token(&config).unwrap_err();
        assert!(
            statuses.contains(&error.status),
            "{:?}: {error}",
            error.status
        );
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn a_name_that_does_not_resolve_and_a_port_nobody_listens_on_are_network_errors() {
    let error = first_token(&config(&format!("https://{NAME}"), None)).unwrap_err();
    assert!(
        matches!(error.status, Status::NetworkError | Status::Timeout),
        "{error}"
    );
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = first_token(&config(&format!("http://{closed}"), None)).unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
}

#[test]
fn ipv6_and_a_name_with_addresses_of_both_kinds_work() {
    let sandbox = Sandbox::start(Options {
        host: Ipv6Addr::LOCALHOST.into(),
        ..Options::default()
    })
    .unwrap();
    first_token(&config(sandbox.base_url(), None)).unwrap();
    let four = Sandbox::start(Options::default()).unwrap();
    for sandbox in [&sandbox, &four] {
        let port = sandbox.address().port();
        let addresses: Vec<_> = ("localhost", port).to_socket_addrs().unwrap().collect();
        // Where the name has both addresses, one of them is refused first.
        if addresses.contains(&sandbox.address()) {
            first_token(&config(&format!("http://localhost:{port}"), None)).unwrap();
        }
    }
}

/// A CONNECT proxy: keeps the heads of its requests, and answers with `reply` before it passes anything on.
struct ConnectProxy {
    address: SocketAddr,
    reply: Arc<Mutex<&'static str>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    fn start(reply: &'static str, target: SocketAddr) -> ConnectProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let reply = Arc::new(Mutex::new(reply));
        let (seen, says) = (Arc::clone(&heads), Arc::clone(&reply));
        thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                seen.lock().unwrap().push(read_head(&client));
                let reply = *says.lock().unwrap();
                client.write_all(reply.as_bytes()).unwrap();
                if reply.contains(" 200 ") {
                    pipe(client, TcpStream::connect(target).unwrap());
                }
            }
        });
        ConnectProxy {
            address,
            reply,
            heads,
        }
    }

    fn answer(&self, reply: &'static str) {
        *self.reply.lock().unwrap() = reply;
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Byte by byte: what follows the head belongs to the tunnel.
fn read_head(stream: &TcpStream) -> String {
    let mut head = String::new();
    let mut one = BufReader::with_capacity(1, stream.take(4096));
    while !head.ends_with("\r\n\r\n") && one.read_line(&mut head).unwrap() > 0 {}
    head
}

#[test]
fn a_proxy_gets_the_hosts_name_and_its_password_and_nothing_of_the_exchange() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![NAME.to_owned()],
        ..Options::default()
    });
    let ca = ca_file(&sandbox, "proxy");
    let proxy = ConnectProxy::start("HTTP/1.1 200 OK\r\n\r\n", sandbox.address());
    let mut config = config(&format!("https://{NAME}"), Some(&ca));
    config
        .set_proxy(&format!("http://user:pass@{}", proxy.address))
        .unwrap();
    first_token(&config).unwrap();
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0].starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\n")),
        "{}",
        heads[0]
    );
    assert!(heads[0].contains("Basic dXNlcjpwYXNz"), "{}", heads[0]);
}

#[test]
fn a_proxy_that_refuses_spends_no_refresh_token() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![NAME.to_owned()],
        ..Options::default()
    });
    let ca = ca_file(&sandbox, "refusing_proxy");
    let proxy = ConnectProxy::start("HTTP/1.1 200 OK\r\n\r\n", sandbox.address());
    let mut config = config(&format!("https://{NAME}"), Some(&ca));
    config
        .set_proxy(&format!("http://{}", proxy.address))
        .unwrap();
    let client = Client::new(KEY, &config).unwrap();
    client.get_token().unwrap();
    proxy.answer("HTTP/1.1 403 Forbidden\r\n\r\n");
    let error = client.refresh().unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
    assert!(error.message.contains("proxy"), "{error}");
    proxy.answer("HTTP/1.1 200 OK\r\n\r\n");
    client.refresh().unwrap();
    assert_eq!(sandbox.counters().refresh.ok, 1);
}

#[test]
fn a_proxy_that_is_not_there_is_a_network_error() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut config = config(&format!("https://{NAME}"), None);
    config.set_proxy(&format!("http://{closed}")).unwrap();
    let error = first_token(&config).unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
}

#[test]
fn loopback_is_reached_directly_whatever_proxy_is_set() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let mut config = config(sandbox.base_url(), None);
    config.set_proxy("http://127.0.0.1:9").unwrap();
    first_token(&config).unwrap();
}
