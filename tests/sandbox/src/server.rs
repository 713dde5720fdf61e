//! The listener and its connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::exchange::{Connection, answer};
use crate::state::Shared;
use crate::wire::{Connected, Switch, Wire};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What the handle asks of the server. Each gets one reply.
pub(crate) enum Command {
    StopListening(std::sync::mpsc::Sender<io::Result<()>>),
    StartListening(std::sync::mpsc::Sender<io::Result<()>>),
}

/// What every connection needs.
pub(crate) struct Service {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) connections: AtomicU64,
}

/// Takes an address, without listening yet.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of before may linger; they must not keep the port from us.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// What has become of the port.
enum Port {
    Listening {
        stop: oneshot::Sender<()>,
        accepting: JoinHandle<()>,
    },
    /// Taken but not listened on: connections are refused, and no other
    /// program can be given the port.
    Reserved(TcpSocket),
    Closed,
}

pub(crate) struct Server {
    address: SocketAddr,
    service: Arc<Service>,
    port: Port,
}

impl Server {
    /// A server for a port that is taken, but not listened on before the first
    /// command to do so.
    pub(crate) fn new(socket: TcpSocket, address: SocketAddr, service: Service) -> Self {
        Self {
            address,
            service: Arc::new(service),
            port: Port::Reserved(socket),
        }
    }

    /// Follows commands until there can be no more of them.
    pub(crate) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = commands.recv().await {
            // A handle that no longer waits for the reply does not need it.
            let _ = match command {
                Command::StopListening(reply) => reply.send(self.stop_listening().await),
                Command::StartListening(reply) => reply.send(self.start_listening()),
            };
        }
        self.close().await;
    }

    fn accept_from(&mut self, listener: TcpListener) {
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&self.service), stopped));
        self.port = Port::Listening { stop, accepting };
    }

    async fn stop_listening(&mut self) -> io::Result<()> {
        if let Port::Reserved(_) = self.port {
            return Ok(());
        }
        self.close().await;
        self.port = Port::Reserved(bind(self.address)?);
        Ok(())
    }

    fn start_listening(&mut self) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.port, Port::Closed) {
            Port::Reserved(socket) => socket,
            Port::Closed => bind(self.address)?,
            listening @ Port::Listening { .. } => {
                self.port = listening;
                return Ok(());
            }
        };
        self.accept_from(socket.listen(BACKLOG)?);
        Ok(())
    }

    /// Returns when the port is free and every connection is closed.
    async fn close(&mut self) {
        if let Port::Listening { stop, accepting } = std::mem::replace(&mut self.port, Port::Closed)
        {
            // Either fails only if the task is gone, which is what is wanted.
            let _ = stop.send(());
            let _ = accepting.await;
        }
    }
}

async fn accept(listener: TcpListener, service: Arc<Service>, mut stop: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&service)));
                }
                // There may be too many open files; that can pass.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut stop => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves a connection to its end. What ends it is the client's affair, or a
/// fault, so errors are not reported.
async fn serve(stream: TcpStream, service: Arc<Service>) {
    // Cut and dripped replies must not wait for more bytes to join them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match &service.tls {
        None => serve_http(stream, &service).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_http(stream, &service).await;
            }
        }
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Connected + Unpin>(stream: S, service: &Service) {
    let connection = Arc::new(Connection {
        id: service.connections.fetch_add(1, Ordering::Relaxed),
        shared: Arc::clone(&service.shared),
        switch: Switch::default(),
    });
    let wire = Wire::new(stream, connection.switch.clone());
    let answering = service_fn(move |request| answer(Arc::clone(&connection), request));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(wire), answering)
        .await;
}
