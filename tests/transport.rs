//! TLS, names, addresses and proxies: the ways to the server, and how they fail.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;
#[path = "common/names.rs"]
mod names;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Config, Error, Status};
use apivideo_sandbox::{Options, Sandbox};
use parking_lot::Mutex;

use common::door::{Door, pass};
use common::{client_with, config_for, tls_sandbox, tls_sandbox_with};

/// A name that only a proxy knows.
const NAME: &str = "api.video.invalid";

fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.set_base_url(url).unwrap();
    config
}

fn first_token(config: &Config) -> Result<(), Error> {
    client_with(config).get_token().map(drop)
}

#[test]
fn a_private_ca_is_trusted_when_it_is_added_and_only_then() {
    let sandbox = tls_sandbox();
    first_token(&config_for(sandbox.base_url(), &sandbox)).unwrap();
    let by_name = sandbox.base_url().replace("127.0.0.1", "localhost");
    first_token(&config_for(&by_name, &sandbox)).unwrap();
    let error = first_token(&config(sandbox.base_url())).unwrap_err();
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
    let address = Door::at([127, 0, 0, 2].into(), sandbox.address()).address();
    let error = first_token(&config_for(&format!("https://{address}"), &sandbox)).unwrap_err();
    assert_eq!(error.status, Status::TlsError, "{error}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let sandbox = tls_sandbox_with(Options {
        tls_expired: true,
        ..Options::default()
    });
    let error = first_token(&config_for(sandbox.base_url(), &sandbox)).unwrap_err();
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
        let mut config = config_for(&format!("https://{server}"), &sandbox);
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
fn a_name_that_does_not_resolve_is_a_network_error_and_one_that_takes_long_a_timeout() {
    for (name, status) in [
        (names::UNKNOWN, Status::NetworkError),
        (names::FAILING, Status::NetworkError),
        (names::SILENT, Status::Timeout),
    ] {
        let mut config = config(&format!("https://{name}"));
        config.set_proxy("").unwrap();
        config.set_connect_timeout_ms(500).unwrap();
        let start = Instant::now();
        let error = first_token(&config).unwrap_err();
        assert_eq!(error.status, status, "{name}: {error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{name}");
    }
}

#[test]
fn a_server_is_reached_at_whichever_of_its_names_addresses_it_listens() {
    let every = [names::SIX, names::SIX_AND_FOUR, names::FOUR_AND_SIX];
    for (host, names) in [
        (IpAddr::V6(Ipv6Addr::LOCALHOST), &every[..]),
        (IpAddr::V4(Ipv4Addr::LOCALHOST), &every[1..]),
    ] {
        let sandbox = tls_sandbox_with(Options {
            host,
            tls_names: every.map(str::to_owned).to_vec(),
            ..Options::default()
        });
        first_token(&config_for(sandbox.base_url(), &sandbox)).unwrap();
        for name in names {
            let url = format!("https://{name}:{}", sandbox.address().port());
            let mut config = config_for(&url, &sandbox);
            config.set_proxy("").unwrap();
            let token = first_token(&config);
            assert!(token.is_ok(), "{name}, server at {host}: {token:?}");
        }
    }
}

#[test]
fn a_name_none_of_whose_addresses_answers_is_a_network_error() {
    let closed = closed_port();
    let mut config = config(&format!(
        "https://{}:{}",
        names::SIX_AND_FOUR,
        closed.port()
    ));
    config.set_proxy("").unwrap();
    let error = first_token(&config).unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
}

/// An address at which nobody listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
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
                seen.lock().push(read_head(&client));
                let reply = *says.lock();
                client.write_all(reply.as_bytes()).unwrap();
                if reply.contains(" 200 ") {
                    thread::spawn(move || pass(&client, &TcpStream::connect(target)?, u64::MAX));
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
        *self.reply.lock() = reply;
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
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
    let proxy = ConnectProxy::start("HTTP/1.1 200 OK\r\n\r\n", sandbox.address());
    let mut config = config_for(&format!("https://{NAME}"), &sandbox);
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
    let proxy = ConnectProxy::start("HTTP/1.1 200 OK\r\n\r\n", sandbox.address());
    let mut config = config_for(&format!("https://{NAME}"), &sandbox);
    config
        .set_proxy(&format!("http://{}", proxy.address))
        .unwrap();
    let client = client_with(&config);
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
    let closed = closed_port();
    let mut config = config(&format!("https://{NAME}"));
    config.set_proxy(&format!("http://{closed}")).unwrap();
    let error = first_token(&config).unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
}

#[test]
fn loopback_is_reached_directly_whatever_proxy_is_set() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let mut config = config(sandbox.base_url());
    config.set_proxy("http://127.0.0.1:9").unwrap();
    first_token(&config).unwrap();
}
