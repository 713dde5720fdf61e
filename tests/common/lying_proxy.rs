//! A proxy between the library and Redis that cuts, delays and lies.

#![allow(dead_code)] // Each test uses a part.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// What becomes of connections, the open ones included.
#[derive(Clone, Copy, Debug)]
pub enum Lie {
    None,
    /// A connection is closed when this many bytes of its replies have passed.
    Cut(usize),
    /// Each reply comes later, in milliseconds.
    Delay(u64),
    /// A swap is carried out, and its answer lost.
    LoseSwaps,
    /// A swap is not carried out, and said to be.
    SwapNothing,
    /// A bit of each record is wrong.
    FlipBits,
    /// Something that is no Redis answers.
    Babble,
    /// The server's clock is ahead by so many seconds.
    Clock(i64),
}

pub struct LyingProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    lie: Mutex<Lie>,
    /// All that clients sent and were sent.
    seen: Mutex<Vec<u8>>,
}

impl LyingProxy {
    /// Before the server at a port of this machine's.
    pub fn before(port: u16) -> LyingProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            lie: Mutex::new(Lie::None),
            seen: Mutex::default(),
        });
        let proxy = LyingProxy {
            address,
            shared: Arc::clone(&shared),
        };
        // The threads end with the process.
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || carry(&client, port, &shared));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn seen(&self) -> Vec<u8> {
        self.shared.seen.lock().clone()
    }

    pub fn set(&self, lie: Lie) {
        *self.shared.lie.lock() = lie;
    }
}

/// One connection: requests come one at a time, and each has its reply before the next.
fn carry(mut client: &TcpStream, port: u16, shared: &Shared) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    let mut passed = 0;
    loop {
        let request = chunk(client)?;
        let lie = *shared.lie.lock();
        shared.seen.lock().extend(&request);
        let is_swap = holds(&request, b"EVAL");
        let mut reply = match lie {
            Lie::SwapNothing if is_swap => b":1\r\n".to_vec(),
            Lie::Babble => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            _ => {
                server.write_all(&request)?;
                chunk(&server)?
            }
        };
        match lie {
            Lie::Cut(bytes) => reply.truncate(bytes.saturating_sub(passed)),
            Lie::Delay(ms) => thread::sleep(Duration::from_millis(ms)),
            Lie::LoseSwaps if is_swap => reply.clear(),
            Lie::FlipBits if reply.len() > 100 => reply[90] ^= 1,
            Lie::Clock(by) => set_clock(&mut reply, by),
            _ => {}
        }
        passed += reply.len();
        shared.seen.lock().extend(&reply);
        client.write_all(&reply)?;
        let is_cut = matches!(lie, Lie::Cut(bytes) if passed >= bytes);
        if is_cut || matches!(lie, Lie::Babble) || reply.is_empty() {
            return client.shutdown(Shutdown::Both);
        }
    }
}

/// What is there at once: over a loopback address that is a whole request or reply of this size.
fn chunk(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 64 * 1024];
    match from.read(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(bytes[..count].to_vec()),
    }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// TIME's reply begins with the seconds.
fn set_clock(reply: &mut [u8], by: i64) {
    const HEAD: &[u8] = b"*2\r\n$10\r\n";
    if let Some(rest) = reply.strip_prefix(HEAD) {
        let seconds: i64 = std::str::from_utf8(&rest[..10]).unwrap().parse().unwrap();
        let digits = (seconds + by).to_string();
        reply[HEAD.len()..HEAD.len() + 10].copy_from_slice(digits.as_bytes());
    }
}
