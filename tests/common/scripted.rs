//! A server that gives tokens, and does with all other requests what the test says, byte by byte.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes are its reply.
    Answer(String),
    /// The same, after a moment.
    Late(String),
    /// These bytes, and then the connection is closed.
    Cut(String),
    /// Nothing ever comes.
    Hang,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// `Bearer token-1` and so on; empty if there was none.
    pub authorization: String,
    pub body: String,
    /// Which connection it came over, from 1.
    pub connection: usize,
}

pub struct Scripted {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    acts: VecDeque<Act>,
    seen: Vec<Seen>,
    connections: usize,
    tokens: usize,
}

/// A reply with a body of JSON.
pub fn reply(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Answer(format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

impl Scripted {
    pub fn start() -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scripted = Scripted {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        // The threads end with the process.
        let state = Arc::clone(&scripted.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                state.lock().connections += 1;
                let connection = state.lock().connections;
                thread::spawn(move || serve(&stream, connection, &state));
            }
        });
        scripted
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What becomes of the next requests that are not for a token. All others succeed.
    pub fn next(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().acts = acts.into_iter().collect();
    }

    /// The requests since this was last asked, but for those for a token.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().seen)
    }

    /// How many tokens were given.
    pub fn tokens(&self) -> usize {
        self.state.lock().tokens
    }
}

fn serve(stream: &TcpStream, connection: usize, state: &Mutex<State>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(seen) = read(&mut reader, connection) {
        let act = act(seen, state);
        let mut stream = stream;
        match act {
            // A client that has read enough goes away.
            Act::Answer(bytes) => drop(stream.write_all(bytes.as_bytes())),
            Act::Late(bytes) => {
                thread::sleep(Duration::from_millis(200));
                let _ = stream.write_all(bytes.as_bytes());
            }
            Act::Cut(bytes) => {
                let _ = stream.write_all(bytes.as_bytes());
                return;
            }
            Act::Hang => {
                let _ = stream.read(&mut [0]);
                return;
            }
        }
    }
}

fn act(seen: Seen, state: &Mutex<State>) -> Act {
    let mut state = state.lock();
    if seen.path.starts_with("/auth/") {
        state.tokens += 1;
        let number = state.tokens;
        let token = format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#);
        return reply(200, "", &token);
    }
    state.seen.push(seen);
    state
        .acts
        .pop_front()
        .unwrap_or_else(|| reply(200, "", "{}"))
}

fn read(reader: &mut impl BufRead, connection: usize) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let values = lines.iter().filter_map(|line| line.split_once(": "));
        let mut values = values.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value)
    };
    let length = header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = lines[0].split(' ');
    Some(Seen {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        authorization: header("authorization").to_owned(),
        body: String::from_utf8(body).unwrap(),
        connection,
    })
}
