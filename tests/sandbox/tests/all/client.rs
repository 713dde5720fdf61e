//! A small HTTP client that shows every byte it gets, and hides no error.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use apivideo_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Long enough that only a defect can exceed it.
const PATIENCE: Duration = Duration::from_secs(30);

pub trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
    socket: TcpStream,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Client {
    pub fn connect(sandbox: &Sandbox) -> Self {
        Self::connect_to(sandbox.address(), sandbox.ca_pem()).unwrap()
    }

    pub fn connect_to(address: SocketAddr, ca_pem: Option<&str>) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let stream: Box<dyn Stream> = match ca_pem {
            None => Box::new(socket.try_clone()?),
            Some(pem) => Box::new(tls(socket.try_clone()?, address, pem)),
        };
        Ok(Self {
            stream: BufReader::new(stream),
            socket,
        })
    }

    pub fn set_patience(&self, patience: Duration) {
        self.socket.set_read_timeout(Some(patience)).unwrap();
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let request = head(method, path, headers, body.len()) + body;
        self.send_bytes(request.as_bytes());
    }

    /// Sends what comes before a body of this length.
    pub fn send_head(&mut self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) {
        self.send_bytes(head(method, path, headers, length).as_bytes());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Says that there is no more to come, and goes on listening.
    pub fn finish_sending(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.send_post(path, body);
        self.receive().unwrap()
    }

    pub fn send_post(&mut self, path: &str, body: &Value) {
        let headers = [("Content-Type", "application/json")];
        self.send("POST", path, &headers, &body.to_string());
    }

    pub fn get(&mut self, path: &str, access_token: &str) -> Reply {
        let authorization = format!("Bearer {access_token}");
        self.send("GET", path, &[("Authorization", &authorization)], "");
        self.receive().unwrap()
    }

    pub fn authenticate(&mut self) -> Reply {
        self.post("/auth/api-key", &api_key())
    }

    pub fn refresh(&mut self, token: &str) -> Reply {
        self.post("/auth/refresh", &json!({ "refreshToken": token }))
    }

    /// Reads one response, by its length or in chunks.
    pub fn receive(&mut self) -> io::Result<Reply> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut reply = Reply {
            status,
            head,
            body: Vec::new(),
        };
        if reply.status < 200 || reply.status == 204 {
            return Ok(reply);
        }
        match reply.header("content-length") {
            Some(length) => {
                reply.body.resize(length.parse().unwrap(), 0);
                self.stream.read_exact(&mut reply.body)?;
            }
            None => reply.body = self.receive_chunks()?,
        }
        Ok(reply)
    }

    fn receive_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Reads until the connection ends, in whichever way.
    pub fn receive_all(&mut self) -> (Vec<u8>, io::Result<usize>) {
        let mut bytes = Vec::new();
        let end = self.stream.read_to_end(&mut bytes);
        (bytes, end)
    }
}

fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: sandbox\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + &format!("Content-Length: {length}\r\n\r\n")
}

fn tls(socket: TcpStream, address: SocketAddr, pem: &str) -> impl Stream + use<> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(address.ip());
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, socket)
}

pub fn start() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

pub fn start_with_tls() -> Sandbox {
    Sandbox::start(Options {
        tls: true,
        ..Options::default()
    })
    .unwrap()
}

pub fn api_key() -> Value {
    json!({ "apiKey": "sandbox-key" })
}

/// Waits for something that another thread is about to do.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
