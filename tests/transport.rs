//! TLS, names, addresses and proxies: the ways to the server, and how they fail.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;
#[path = "common/names.rs"]
mod names;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Config, Error, Status};
use apivideo_sandbox::{Options, Sandbox};
use parking_lot::Mutex;

use common::fault_proxy::{Carried, FaultProxy, pass};
use common::{client_with, config_for, eventually, tls_sandbox, tls_sandbox_with};

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
    let address = FaultProxy::at([127, 0, 0, 2].into(), sandbox.address()).address();
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

/// A reply of a token, with these headers before its own.
fn granted_with(headers: &str) -> String {
    let body = r#"{"access_token":"a","expires_in":3600}"#;
    format!(
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn odd_heads_of_a_reply_are_survived() {
    let many = |count| {
        (0..count)
            .map(|n| format!("X-{n}: y\r\n"))
            .collect::<String>()
    };
    for reply in [
        granted_with(&many(200)),
        granted_with("X-Fold: a\r\n b\r\n"),
        granted_with("X-Blank : a\r\n"),
        granted_with("Content-Length: 38\r\n"),
        format!(
            "HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n{}",
            granted_with("")
        ),
        format!(
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{}",
            granted_with("")
        ),
        granted_with("").replace("\r\n", "\n"),
    ] {
        let server = http_server(reply.clone().into_bytes(), false);
        let token = first_token(&config(&format!("http://{server}")));
        assert!(token.is_ok(), "{reply}: {token:?}");
    }
}

#[test]
fn what_a_head_says_counts_whatever_becomes_of_its_body() {
    let endless =
        "HTTP/1.1 500 X\r\nContent-Length: 1000000\r\n\r\n".to_owned() + &"<p>".repeat(300_000);
    let hangs = "HTTP/1.1 429 X\r\nX-RateLimit-Retry-After: 42\r\nContent-Length: 9\r\n\r\n{";
    let date = "HTTP/1.1 503 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:17 GMT\r\nContent-Length: 9\r\n\r\n{";
    for (reply, status, wait_s) in [
        (endless.as_str(), Status::ServerError, None),
        (hangs, Status::RateLimited, Some(42)),
        (date, Status::ServerError, Some(40)),
    ] {
        let server = http_server(reply.as_bytes().to_vec(), true);
        let mut config = config(&format!("http://{server}"));
        config.set_attempt_timeout_ms(1_000).unwrap();
        let error = first_token(&config).unwrap_err();
        assert_eq!(error.status, status, "{error}");
        if let Some(wait_s) = wait_s {
            let wait = error.retry_after_ms.unwrap();
            assert!(
                (wait_s * 1000 - 2_000..=wait_s * 1000).contains(&wait),
                "{wait}"
            );
        }
    }
}

/// A server that answers each request with these bytes, and then hangs or closes.
fn http_server(reply: Vec<u8>, hangs: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            // A client that has read enough goes away.
            let _ = stream.write_all(&reply);
            if hangs {
                kept.push(stream);
            }
        }
    });
    address
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

#[test]
fn a_late_answer_to_a_lookup_serves_the_next_try() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![names::LATE.to_owned()],
        ..Options::default()
    });
    let url = format!("https://{}:{}", names::LATE, sandbox.address().port());
    let mut config = config_for(&url, &sandbox);
    config.set_proxy("").unwrap();
    config.set_connect_timeout_ms(200).unwrap();
    let clients = [client_with(&config), client_with(&config)];
    for client in &clients {
        let error = client.get_token().unwrap_err();
        assert_eq!(error.status, Status::Timeout, "{error}");
    }
    thread::sleep(names::LATE_BY);
    eventually("a token", || clients[0].get_token().is_ok());
    assert_eq!(names::LATE_LOOKUPS.load(Ordering::SeqCst), 1);
}

#[test]
fn eight_silent_addresses_are_no_obstacle() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![names::NINTH.to_owned()],
        ..Options::default()
    });
    let port = sandbox.address().port();
    let silent: Vec<_> = names::NINTH_AND_THE_REST[..8]
        .iter()
        .map(|address| Silent::at(SocketAddr::new(address.parse().unwrap(), port)))
        .collect();
    let mut config = config_for(&format!("https://{}:{port}", names::NINTH), &sandbox);
    config.set_proxy("").unwrap();
    let client = client_with(&config);
    let start = Instant::now();
    client.authenticate().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    // The quickest of some: a busy machine is no reason.
    let again = (0..5).map(|_| {
        let start = Instant::now();
        client.authenticate().unwrap();
        start.elapsed()
    });
    assert!(
        again.min().unwrap() < Duration::from_millis(250),
        "what worked is remembered"
    );
    drop(silent);
}

/// An address that answers no connection: its queue is full.
struct Silent {
    _listener: socket2::Socket,
    _queue: Vec<TcpStream>,
}

impl Silent {
    fn at(address: SocketAddr) -> Silent {
        let listener =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            queue.push(stream);
        }
        Silent {
            _listener: listener,
            _queue: queue,
        }
    }
}

#[test]
fn addresses_that_take_connections_and_no_more_are_tried_once_each() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![names::THIRD.to_owned()],
        ..Options::default()
    });
    let port = sandbox.address().port();
    let dialled: Arc<Mutex<Vec<String>>> = Arc::default();
    for (address, hangs) in [("127.0.2.1", false), ("127.0.2.2", true)] {
        let listener = TcpListener::bind((address, port)).unwrap();
        let seen = Arc::clone(&dialled);
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                seen.lock().push(address.to_owned());
                if hangs {
                    kept.push(stream);
                }
            }
        });
    }
    let mut config = config_for(&format!("https://{}:{port}", names::THIRD), &sandbox);
    config.set_proxy("").unwrap();
    config.set_attempt_timeout_ms(700).unwrap();
    config.set_wait_for_recovery(true);
    let client = client_with(&config);
    client.get_token().unwrap();
    client.authenticate().unwrap();
    assert_eq!(*dialled.lock(), ["127.0.2.1", "127.0.2.2"]);
}

#[test]
fn a_socks_proxy_is_asked_for_each_address_until_one_can_be_reached() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![names::THIRD.to_owned()],
        ..Options::default()
    });
    let target = sandbox.address();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<IpAddr>>> = Arc::default();
    let seen = Arc::clone(&asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = [0; 9];
            // VN, CD, port, address, and an empty user.
            client.read_exact(&mut request).unwrap();
            let wanted = Ipv4Addr::from([request[4], request[5], request[6], request[7]]);
            seen.lock().push(wanted.into());
            let granted = wanted == Ipv4Addr::LOCALHOST;
            let reply = [0, if granted { 90 } else { 91 }, 0, 0, 0, 0, 0, 0];
            client.write_all(&reply).unwrap();
            if granted {
                thread::spawn(move || pass(&client, &TcpStream::connect(target)?, Carried::ALL));
            }
        }
    });
    let mut config = config_for(&format!("https://{}", names::THIRD), &sandbox);
    config.set_proxy(&format!("socks4://{address}")).unwrap();
    let client = client_with(&config);
    client.authenticate().unwrap();
    client.authenticate().unwrap();
    let expected = ["127.0.2.1", "127.0.2.2", "127.0.0.1", "127.0.0.1"];
    let expected: Vec<IpAddr> = expected.iter().map(|a| a.parse().unwrap()).collect();
    assert_eq!(*asked.lock(), expected);
}

#[test]
fn without_tls_localhost_is_dialled_only_where_it_is_this_machine() {
    let sandbox = Sandbox::start(Options::default()).unwrap();
    let port = sandbox.address().port();
    first_token(&config(&format!("http://localhost:{port}"))).unwrap();
    let foreign = format!("http://{}:{port}", names::FOREIGN_LOCALHOST);
    let error = first_token(&config(&foreign)).unwrap_err();
    assert_eq!(error.status, Status::NetworkError, "{error}");
    assert!(error.message.contains("no loopback address"), "{error}");
}

#[test]
fn a_host_may_end_in_a_dot() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![names::WITH_DOT.trim_end_matches('.').to_owned()],
        ..Options::default()
    });
    let url = format!("https://{}:{}", names::WITH_DOT, sandbox.address().port());
    let mut config = config_for(&url, &sandbox);
    config.set_proxy("").unwrap();
    first_token(&config).unwrap();
}

/// An address at which nobody listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The reply of a proxy that sends a byte now and then, for ever.
const DRIP: &str = "drip";

/// A CONNECT proxy: keeps the heads of its requests, and answers with `reply` before it passes
/// anything on.
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
                if reply == DRIP || reply.is_empty() {
                    thread::spawn(move || drip(client, reply == DRIP));
                    continue;
                }
                client.write_all(reply.as_bytes()).unwrap();
                if reply.contains(" 200 ") {
                    thread::spawn(move || {
                        pass(&client, &TcpStream::connect(target)?, Carried::ALL)
                    });
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

/// A head without an end, or nothing at all, until the client goes away.
fn drip(mut client: TcpStream, at_all: bool) {
    let endless = b"HTTP/1.1 200 OK\r\nX-Slow: "
        .iter()
        .chain(std::iter::repeat(&b'z'));
    for byte in endless {
        thread::sleep(Duration::from_millis(20));
        let gone = match at_all {
            true => client.write_all(&[*byte]).is_err(),
            false => client.read(&mut [0]).is_ok_and(|count| count == 0),
        };
        if gone {
            return;
        }
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
fn a_proxy_that_wants_a_login_drips_or_says_nothing_is_told_and_ends_in_time() {
    let nowhere = closed_port();
    for (reply, status, words) in [
        (
            "HTTP/1.1 407 Login\r\n\r\n",
            Status::NetworkError,
            "wants a user and a password",
        ),
        ("HTTP/1.1 502 Bad\r\n\r\n", Status::NetworkError, "HTTP 502"),
        ("", Status::Timeout, "connect timeout"),
        (DRIP, Status::Timeout, "connect timeout"),
    ] {
        let proxy = ConnectProxy::start(reply, nowhere);
        let mut config = config(&format!("https://{NAME}"));
        config
            .set_proxy(&format!("http://{}", proxy.address))
            .unwrap();
        config.set_connect_timeout_ms(500).unwrap();
        let start = Instant::now();
        let error = first_token(&config).unwrap_err();
        assert_eq!(error.status, status, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(error.message.contains("proxy"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{reply}");
    }
}

#[test]
fn a_socks_proxy_gets_the_hosts_name_and_its_password() {
    let sandbox = tls_sandbox_with(Options {
        tls_names: vec![NAME.to_owned()],
        ..Options::default()
    });
    let target = sandbox.address();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut expect = |bytes: &[u8], answer: &[u8]| {
            let mut got = vec![0; bytes.len()];
            client.read_exact(&mut got).unwrap();
            assert_eq!(got, bytes);
            client.write_all(answer).unwrap();
        };
        expect(b"\x05\x02\x02\x00", b"\x05\x02");
        expect(b"\x01\x04user\x04p@ss", b"\x01\x00");
        let request = [
            b"\x05\x01\x00\x03",
            &[NAME.len() as u8][..],
            NAME.as_bytes(),
            b"\x01\xbb",
        ]
        .concat();
        expect(&request, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00");
        pass(&client, &TcpStream::connect(target).unwrap(), Carried::ALL).unwrap();
    });
    let mut config = config_for(&format!("https://{NAME}"), &sandbox);
    config
        .set_proxy(&format!("socks5h://user:p%40ss@{address}"))
        .unwrap();
    first_token(&config).unwrap();
    proxy.join().unwrap();
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
