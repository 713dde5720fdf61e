//! A proxy before a server, which fails as it is told. The library makes a connection for each
//! exchange, so the next connection is the next exchange.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::eventually;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// It goes to this server.
    To(SocketAddr),
    /// This many bytes of the request are read, then it is closed.
    CutRequest(u64),
    /// It goes to this server, but so many bytes pass. With the next it is closed.
    Cut(SocketAddr, Carried),
}

pub struct FaultProxy {
    address: SocketAddr,
    strike: Arc<Mutex<Strike>>,
    carried: Arc<Mutex<Option<Carried>>>,
}

/// How many bytes one connection carried, or may carry.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    pub request: u64,
    pub reply: u64,
}

impl Carried {
    pub const ALL: Carried = Carried {
        request: u64::MAX,
        reply: u64::MAX,
    };
}

/// What becomes of the next connections, and of how many.
struct Strike {
    way: Way,
    left: u64,
}

impl FaultProxy {
    pub fn before(server: SocketAddr) -> FaultProxy {
        FaultProxy::at(Ipv4Addr::LOCALHOST.into(), server)
    }

    /// A proxy that is at another address than the server.
    pub fn at(local: IpAddr, server: SocketAddr) -> FaultProxy {
        let listener = TcpListener::bind((local, 0)).unwrap();
        let proxy = FaultProxy {
            address: listener.local_addr().unwrap(),
            strike: Arc::new(Mutex::new(Strike {
                way: Way::To(server),
                left: 0,
            })),
            carried: Arc::default(),
        };
        // The thread ends with the process.
        let (strike, carried) = (Arc::clone(&proxy.strike), Arc::clone(&proxy.carried));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let way = take(&strike).unwrap_or(Way::To(server));
                let carried = Arc::clone(&carried);
                thread::spawn(move || *carried.lock() = go(way, &client).ok());
            }
        });
        proxy
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection goes this way.
    pub fn strike_next(&self, way: Way) {
        self.strike(way, 1);
    }

    /// So many of the next connections go this way.
    pub fn strike(&self, way: Way, times: u64) {
        *self.strike.lock() = Strike { way, left: times };
    }

    /// All is well again.
    pub fn heal(&self) {
        self.strike.lock().left = 0;
    }

    /// What the last connection carried, once it has ended.
    pub fn take_carried(&self) -> Carried {
        let mut carried = None;
        eventually("the end of a connection", || {
            carried = self.carried.lock().take();
            carried.is_some()
        });
        carried.unwrap()
    }
}

fn take(strike: &Mutex<Strike>) -> Option<Way> {
    let mut strike = strike.lock();
    let struck = strike.left > 0;
    strike.left = strike.left.saturating_sub(1);
    struck.then_some(strike.way)
}

fn go(way: Way, client: &TcpStream) -> io::Result<Carried> {
    match way {
        Way::To(server) => pass(client, &TcpStream::connect(server)?, Carried::ALL),
        Way::Cut(server, most) => pass(client, &TcpStream::connect(server)?, most),
        Way::CutRequest(bytes) => Ok(Carried {
            request: copy(client.take(bytes), io::sink()),
            reply: 0,
        }),
    }
}

/// Passes everything on, or so many bytes at most.
pub fn pass(client: &TcpStream, server: &TcpStream, most: Carried) -> io::Result<Carried> {
    // Small writes must not wait for one another.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        let request = scope.spawn(|| {
            let sent = copy_at_most(most.request, client, server);
            let _ = server.shutdown(Shutdown::Both);
            sent
        });
        let reply = copy_at_most(most.reply, server, client);
        let _ = client.shutdown(Shutdown::Both);
        Ok(Carried {
            request: request.join().unwrap(),
            reply,
        })
    })
}

/// The same as `copy`, until there is one byte more than these.
fn copy_at_most(most: u64, mut from: &TcpStream, to: &TcpStream) -> u64 {
    let copied = copy(from.take(most), to);
    if copied == most {
        let _ = from.read(&mut [0]);
    }
    copied
}

/// How many bytes were copied before one side was closed, in whatever way.
fn copy(mut from: impl Read, mut to: impl Write) -> u64 {
    let (mut copied, mut bytes) = (0, [0; 4096]);
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        copied += count as u64;
    }
    copied
}
