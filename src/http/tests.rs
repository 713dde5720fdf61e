//! Exchanges with servers that do what the test says, byte by byte.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::Config;

/// Nobody waits so long, but for what never comes.
const SOON: Duration = Duration::from_secs(20);
const NO_BODY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A server whose connections each do `serve`, and how many there were.
struct Server {
    http: Http,
    connections: Connections,
    accepted: Arc<AtomicUsize>,
}

type TlsStream = StreamOwned<ServerConnection, TcpStream>;

impl Server {
    fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        Server::with(Config::default(), "http", serve)
    }

    /// The same with TLS.
    fn secured(serve: impl Fn(TlsStream) + Send + Sync + 'static) -> Server {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("apivideo-{}-{number}.pem", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, certificate.pem()).unwrap();
        let mut config = Config::default();
        config.set_ca_file(path.to_str().unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let server = Arc::new(server);
        Server::with(config, "https", move |stream| {
            let tls = ServerConnection::new(Arc::clone(&server)).unwrap();
            serve(StreamOwned::new(tls, stream));
        })
    }

    fn with(
        mut config: Config,
        scheme: &str,
        serve: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/prefix", listener.local_addr().unwrap());
        config.set_base_url(&url).unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, serve) = (Arc::clone(&accepted), Arc::new(serve));
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Server {
            http: config.http(),
            connections: Connections::new(),
            accepted,
        }
    }

    /// A server that answers each request so.
    fn answering(reply: &'static str) -> Server {
        Server::start(move |mut stream| {
            while !read_head(&mut stream).is_empty() {
                let _ = stream.write_all(reply.as_bytes());
            }
        })
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            patience: Patience::Until(Instant::now() + SOON),
            largest_reply: 1000,
            connections: Some(&self.connections),
            cancel: None,
        }
    }

    fn get(&self) -> Result<Reply, Box<Failure>> {
        self.ask(&Method::GET)
    }

    fn ask(&self, method: &Method) -> Result<Reply, Box<Failure>> {
        let request = Request {
            method,
            path: "/path?a=b",
            headers: &[("authorization", "Bearer x")],
            body: None,
        };
        self.http.exchange(request, &self.terms())
    }

    /// Sends so many bytes, and counts those that were asked for.
    fn send(&self, bytes: u64, asks_first: bool, terms: &Terms) -> Sent {
        let mut source = Counted(0);
        let request = Request {
            method: &Method::POST,
            path: "/source",
            headers: &[],
            body: Some(Body {
                content_type: "video/mp4",
                length: bytes,
                source: &mut source,
                asks_first,
            }),
        };
        Sent {
            result: self.http.exchange(request, terms),
            taken: source.0,
        }
    }

    fn take(&self) -> Option<Box<dyn Stream>> {
        self.connections.take(self.terms().patience, true)
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

struct Sent {
    result: Result<Reply, Box<Failure>>,
    taken: u64,
}

/// Bytes without an end.
struct Counted(u64);

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        into.fill(b'x');
        self.0 += into.len() as u64;
        Ok(into.len())
    }
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn body(reply: &Reply) -> &str {
    std::str::from_utf8(reply.body.as_deref().unwrap()).unwrap()
}

/// Much more than a socket holds.
const MUCH: u64 = 32 << 20;

#[test]
fn a_request_says_what_it_is_told_to() {
    let server = Server::start(|mut stream| {
        while let head = read_head(&mut stream)
            && !head.is_empty()
        {
            let length = head.len();
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}");
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    let head = |method: &Method| body(&server.ask(method).unwrap()).to_owned();
    let get = head(&Method::GET);
    assert!(get.starts_with("GET /prefix/path?a=b HTTP/1.1\r\nhost: 127.0.0.1:"));
    assert!(get.contains("\r\nauthorization: Bearer x\r\n"));
    assert!(get.contains("\r\nAV-Origin-Client: libapivideo:"));
    assert!(!get.contains("content-"));
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        assert!(head(&method).contains("\r\ncontent-length: 0\r\n"));
    }
    assert_eq!(server.accepted(), 1);
}

#[test]
fn a_hundred_requests_take_one_connection() {
    for reply in [
        NO_BODY,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let server = Server::answering(reply);
        (0..100).for_each(|_| assert!(server.get().is_ok(), "{reply}"));
        assert_eq!(server.accepted(), 1, "{reply}");
    }
    let heads = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    (0..100).for_each(|_| assert_eq!(body(&heads.ask(&Method::HEAD).unwrap()), ""));
    assert_eq!(heads.accepted(), 1);
}

#[test]
fn a_connection_that_cannot_be_used_again_is_not_kept() {
    for reply in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let server = Server::answering(reply);
        (0..3).for_each(|_| assert_eq!(body(&server.get().unwrap()), "ok", "{reply}"));
        assert_eq!(server.accepted(), 3, "{reply}");
    }
}

#[test]
fn a_body_without_a_length_ends_with_its_connection() {
    for reply in [
        "HTTP/1.1 200 OK\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        let server = Server::start(move |mut stream| {
            read_head(&mut stream);
            stream.write_all(reply.as_bytes()).unwrap();
        });
        (0..3).for_each(|_| assert_eq!(body(&server.get().unwrap()), "ok", "{reply}"));
        assert_eq!(server.accepted(), 3, "{reply}");
    }
}

#[test]
fn a_reply_of_two_lengths_or_one_that_must_have_none_is_not_trusted() {
    let two =
        Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nokok");
    let failure = two.get().err().unwrap();
    assert_eq!(failure.error.status, Status::ProtocolError);
    let none = Server::answering("HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n");
    (0..3).for_each(|_| assert_eq!(body(&none.get().unwrap()), ""));
    assert_eq!(none.accepted(), 3);
}

#[test]
fn tls_that_is_cut_off_does_not_end_a_body() {
    for says_so in [true, false] {
        let server = Server::secured(move |mut stream| {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").unwrap();
            if says_so {
                stream.conn.send_close_notify();
            }
            stream.flush().unwrap();
        });
        let reply = server.get().unwrap();
        match says_so {
            true => assert_eq!(body(&reply), "ok"),
            false => assert_eq!(reply.body.unwrap_err().status, Status::NetworkError),
        }
    }
}

#[test]
fn what_nothing_can_be_made_of_is_read_up_to_a_limit() {
    let endless = |head: &'static str| {
        Server::start(move |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(&[b'1'; 1024]).is_ok() {}
        })
    };
    let begun = Instant::now();
    let chunk = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;");
    let error = chunk.get().unwrap().body.unwrap_err();
    assert_eq!(error.status, Status::ProtocolError, "{error}");
    let head = endless("HTTP/1.1 200 OK\r\nX: ");
    let failure = head.get().err().unwrap();
    assert!(failure.error.message.contains("64 KiB"), "{failure:?}");
    // The same while a body is being sent.
    let head = endless("HTTP/1.1 102 Processing\r\nX: ");
    let failure = head.send(MUCH, false, &head.terms()).result.err().unwrap();
    assert!(failure.error.message.contains("64 KiB"), "{failure:?}");
    assert!(begun.elapsed() < SOON / 2);
}

#[test]
fn a_head_of_too_many_headers_is_refused() {
    let with = |count: usize| -> &'static str {
        let headers = "X: y\r\n".repeat(count);
        format!("HTTP/1.1 204 X\r\n{headers}\r\n").leak()
    };
    assert!(Server::answering(with(500)).get().is_ok());
    let failure = Server::answering(with(501)).get().err().unwrap();
    assert!(failure.error.message.contains("500 headers"), "{failure:?}");
}

#[test]
fn a_connection_is_kept_for_less_than_the_server_says() {
    let server = Server::answering("HTTP/1.1 204 X\r\nKeep-Alive: timeout=5, max=9\r\n\r\n");
    server.get().unwrap();
    assert!(server.connections.age(3_500).is_some());
    server.get().unwrap();
    assert_eq!(server.accepted(), 1);
    assert_eq!(server.connections.age(4_001), None);
}

#[test]
fn what_cannot_be_sent_again_takes_no_connection_that_was_idle_for_long() {
    let server = Server::answering(NO_BODY);
    let asks = |method: &Method, idle_ms, accepted| {
        server.connections.age(idle_ms);
        server.ask(method).unwrap();
        assert_eq!(server.accepted(), accepted, "{method} {idle_ms}");
    };
    asks(&Method::GET, 0, 1);
    asks(&Method::POST, 1_000, 1);
    asks(&Method::PUT, 4_000, 1);
    asks(&Method::POST, 4_000, 2);
    asks(&Method::PATCH, 4_000, 3);
}

#[test]
fn no_alarm_is_left_when_the_connections_are_closed() {
    let server = Server::answering(NO_BODY);
    server.get().unwrap();
    assert!(server.connections.has_alarm());
    server.connections.clear();
    assert!(!server.connections.has_alarm());
}

/// A connection whose patience is over until it gets more.
#[derive(Debug)]
struct Impatient {
    stream: Box<dyn Stream>,
    is_over: bool,
}

impl Stream for Impatient {
    fn set_patience(&mut self, patience: Patience) {
        self.is_over = false;
        self.stream.set_patience(patience);
    }

    fn watch_input(&mut self, watch: bool) {
        self.stream.watch_input(watch);
    }

    fn has_input(&mut self) -> io::Result<bool> {
        match self.is_over {
            true => Err(stream::overdue()),
            false => self.stream.has_input(),
        }
    }

    fn written(&self) -> u64 {
        self.stream.written()
    }

    fn socket(&self) -> &Socket {
        self.stream.socket()
    }
}

impl Read for Impatient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }
}

impl Write for Impatient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn a_kept_connection_is_looked_at_within_the_new_deadline() {
    let server = Server::answering(NO_BODY);
    let (patience, dialled) = (server.terms().patience, OnceLock::new());
    let stream = server.http.network.connect(patience, &dialled).unwrap();
    let impatient = Impatient {
        stream,
        is_over: true,
    };
    server.connections.keep(Box::new(impatient), None);
    assert!(server.take().is_some());
}

/// A server that answers one request, then does something else, and tells when.
fn answers_once(then: fn(&mut TcpStream)) -> (Server, std::sync::mpsc::Receiver<()>) {
    let (done, is_done) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(NO_BODY.as_bytes()).unwrap();
        then(&mut stream);
        done.send(()).unwrap();
        // To its end.
        let _ = stream.read(&mut [0]);
    });
    (server, is_done)
}

#[test]
fn a_connection_that_was_closed_or_has_something_to_say_is_not_used_again() {
    let close = |stream: &mut TcpStream| stream.shutdown(std::net::Shutdown::Both).unwrap();
    let chatter = |stream: &mut TcpStream| {
        stream.write_all(b"HTTP/1.1 408 X\r\n\r\n").unwrap();
    };
    for then in [close as fn(&mut TcpStream), chatter] {
        let (server, is_done) = answers_once(then);
        for _ in 0..3 {
            server.get().unwrap();
            is_done.recv_timeout(SOON).unwrap();
        }
        assert_eq!(server.accepted(), 3);
    }
}

#[test]
fn an_idle_connection_is_closed_in_time_and_a_used_one_lives_on() {
    let server = Server::answering(NO_BODY);
    server.get().unwrap();
    assert!(server.connections.age(29_000).is_some());
    server.get().unwrap();
    assert_eq!(server.accepted(), 1);
    assert_eq!(server.connections.age(31_000), None);
    server.get().unwrap();
    assert_eq!(server.accepted(), 2);
}

#[test]
fn more_connections_than_are_kept_are_closed() {
    let server = Server::answering(NO_BODY);
    let make = || {
        let stream = server
            .http
            .network
            .connect(server.terms().patience, &OnceLock::new());
        server.connections.keep(stream.unwrap(), None);
    };
    (0..20).for_each(|_| make());
    let kept = std::iter::from_fn(|| server.take()).count();
    assert_eq!(kept, 8);
}

#[test]
fn a_reply_that_is_too_large_is_an_error_that_says_so() {
    let large = |size: usize| -> &'static str {
        let body = "x".repeat(size);
        format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{body}").leak()
    };
    assert!(Server::answering(large(1000)).get().unwrap().body.is_ok());
    let reply = Server::answering(large(1001)).get().unwrap();
    let error = reply.body.unwrap_err();
    assert_eq!(error.status, Status::ProtocolError);
    assert!(error.message.contains("larger than 1000 bytes"), "{error}");
    // One that says so is not waited for.
    let begun = Instant::now();
    let reply = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
    assert!(
        reply
            .get()
            .unwrap()
            .body
            .unwrap_err()
            .message
            .contains("larger than")
    );
    assert!(begun.elapsed() < SOON / 2);
}

fn take_it_all(stream: &mut (impl Read + Write), bytes: u64) {
    read_head(stream);
    let mut body = Vec::new();
    Read::by_ref(stream)
        .take(bytes)
        .read_to_end(&mut body)
        .unwrap();
    assert!(body.len() as u64 == bytes && body.iter().all(|byte| *byte == b'x'));
    stream.write_all(NO_BODY.as_bytes()).unwrap();
    stream.flush().unwrap();
}

#[test]
fn a_large_body_arrives_whole() {
    let plain = Server::start(|mut stream| take_it_all(&mut stream, MUCH));
    let secured = Server::secured(|mut stream| take_it_all(&mut stream, MUCH));
    for server in [plain, secured] {
        let sent = server.send(MUCH, false, &server.terms());
        assert_eq!(
            sent.result.unwrap_or_else(|why| panic!("{why:?}")).status,
            204
        );
        assert_eq!(sent.taken, MUCH);
    }
}

const REFUSED: &[u8] = b"HTTP/1.1 401 X\r\nContent-Length: 2\r\n\r\nno";

#[test]
fn a_reply_that_comes_before_the_end_of_the_request_ends_it() {
    // It reads no more, and hangs, or closes with much unread, which resets the connection.
    for closes in [false, true] {
        let server = Server::start(move |mut stream| {
            read_head(&mut stream);
            stream
                .write_all(b"HTTP/1.1 102 Processing\r\n\r\n")
                .unwrap();
            stream.write_all(REFUSED).unwrap();
            if !closes {
                thread::sleep(SOON);
            }
        });
        let sent = server.send(MUCH, false, &server.terms());
        let reply = sent.result.map_err(|failure| failure.error).unwrap();
        assert_eq!(
            (reply.status, body(&reply)),
            (401, "no"),
            "closes: {closes}"
        );
        assert!(sent.taken < MUCH);
        assert!(server.take().is_none(), "half of a request is on it");
    }
}

#[test]
fn what_tls_says_to_itself_ends_no_request_and_a_reply_does() {
    // Its sessions to resume come first, and are read while the body waits to be sent.
    let server = Server::secured(|mut stream| {
        read_head(&mut stream);
        stream.write_all(REFUSED).unwrap();
        stream.flush().unwrap();
        thread::sleep(SOON);
    });
    let begun = Instant::now();
    let sent = server.send(MUCH, false, &server.terms());
    let reply = sent.result.map_err(|failure| failure.error).unwrap();
    assert_eq!((reply.status, body(&reply)), (401, "no"));
    assert!(sent.taken < MUCH && begun.elapsed() < SOON);

    let late = Server::secured(|mut stream| {
        thread::sleep(Duration::from_millis(300));
        take_it_all(&mut stream, MUCH);
    });
    let sent = late.send(MUCH, false, &late.terms());
    assert_eq!(
        sent.result.unwrap_or_else(|why| panic!("{why:?}")).status,
        204
    );
}

#[test]
fn a_server_that_is_asked_first_gets_the_body_when_it_says_so_or_nothing() {
    let wants = Server::start(|mut stream| {
        assert!(read_head(&mut stream).contains("\r\nexpect: 100-continue\r\n"));
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.write_all(NO_BODY.as_bytes()).unwrap();
    });
    let reply = wants.send(1000, true, &wants.terms()).result.ok().unwrap();
    assert_eq!((reply.status, reply.kept_silent), (204, false));

    let refuses = Server::start(|mut stream| {
        read_head(&mut stream);
        stream.write_all(REFUSED).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "no byte of the body");
    });
    let sent = refuses.send(1000, true, &refuses.terms());
    assert_eq!(sent.result.ok().unwrap().status, 401);
    assert_eq!(sent.taken, 0);
}

#[test]
fn a_server_that_does_not_say_whether_it_wants_the_body_gets_it_soon() {
    let server = Server::start(|mut stream| {
        read_head(&mut stream);
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        stream.write_all(NO_BODY.as_bytes()).unwrap();
    });
    let begun = Instant::now();
    let reply = server
        .send(1000, true, &server.terms())
        .result
        .ok()
        .unwrap();
    assert_eq!((reply.status, reply.kept_silent), (204, true));
    assert!((Duration::from_millis(250)..SOON / 2).contains(&begun.elapsed()));
}

#[test]
fn patience_lasts_as_long_as_bytes_move() {
    const STILL: Duration = Duration::from_secs(2);
    let patient = |server: &Server, bytes| {
        let terms = Terms {
            patience: Patience::Still(STILL),
            ..server.terms()
        };
        server.send(bytes, false, &terms).result
    };
    // Longer than its patience in all, in steps that are far shorter: a busy machine adds to each.
    let slow = Server::start(|mut stream| {
        read_head(&mut stream);
        let mut part = vec![0; 1 << 20];
        for _ in 0..25 {
            stream.read_exact(&mut part).unwrap();
            thread::sleep(STILL / 20);
        }
        stream.write_all(NO_BODY.as_bytes()).unwrap();
    });
    let begun = Instant::now();
    assert!(patient(&slow, 25 << 20).is_ok());
    assert!(begun.elapsed() > STILL);

    let still = Server::start(|mut stream| {
        read_head(&mut stream);
        thread::sleep(SOON);
    });
    let begun = Instant::now();
    let failure = patient(&still, MUCH).err().unwrap();
    assert_eq!(failure.error.status, Status::Timeout, "{}", failure.error);
    assert!(failure.sent && begun.elapsed() < SOON);
}

#[test]
fn an_exchange_that_is_cancelled_ends_at_once_and_no_other_is_begun() {
    let (came, has_come) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_head(&mut stream);
        came.send(()).unwrap();
        thread::sleep(SOON);
    });
    let cancel = Cancel::default();
    let get = || {
        let request = Request {
            method: &Method::GET,
            path: "/",
            headers: &[],
            body: None,
        };
        let terms = Terms {
            cancel: Some(&cancel),
            ..server.terms()
        };
        server
            .http
            .exchange(request, &terms)
            .err()
            .unwrap()
            .error
            .status
    };
    let begun = Instant::now();
    thread::scope(|scope| {
        let waits = scope.spawn(get);
        has_come.recv_timeout(SOON).unwrap();
        cancel.cancel();
        assert_eq!(waits.join().unwrap(), Status::Cancelled);
    });
    assert!(begun.elapsed() < SOON / 2);
    server.connections.clear();
    assert_eq!(get(), Status::Cancelled);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(server.accepted(), 1, "nor dialled for");
    assert!(has_come.try_recv().is_err());
}

#[test]
fn a_source_that_ends_early_or_fails_is_told_from_the_network() {
    let server = Server::answering(NO_BODY);
    let request = Request {
        method: &Method::POST,
        path: "/",
        headers: &[],
        body: Some(Body {
            content_type: "video/mp4",
            length: 10,
            source: &mut &b"short"[..],
            asks_first: false,
        }),
    };
    let failure = server
        .http
        .exchange(request, &server.terms())
        .err()
        .unwrap();
    assert!(
        failure.error.message.contains("to be sent"),
        "{}",
        failure.error
    );
    assert!(!failure.sent);
}
