//! HTTP: one POST with deadlines and limits. Nothing else in the library knows `ureq`, sockets or
//! TLS.
//!
//! An exchange is made of: `proxy`, through whom it goes, if anybody; `lookup`, `experience` and
//! `dial`, from a name to its addresses, in a good order, to a connection; `tunnel`, through a
//! proxy; `tls`, `secured`, `roots` and `verdict`, whom to trust; `stream` and `in_time`, the
//! deadline of it all; `head` and `retry_after`, a reply's head; and `ureq`, which speaks HTTP over
//! that.

mod curves;
mod dial;
mod experience;
mod head;
mod in_time;
mod lookup;
mod network;
mod proxy;
mod retry_after;
mod roots;
mod secured;
mod stream;
mod tls;
mod tunnel;
mod verdict;

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use crate::error::{Error, Status};
use crate::text::one_line;
use network::{Network, host_port, io_failed};
use stream::is_overdue;
use tls::Tls;

pub(crate) use network::Line;
pub(crate) use proxy::{Environment, Proxy, Route, host_and_port, is_loopback};
pub(crate) use retry_after::Waits;
#[cfg(fuzzing)]
pub(crate) use retry_after::parse_retry_after;
pub(crate) use roots::{CaFile, Sources};
pub(crate) use stream::Stream;

/// No reply of the auth endpoints is larger.
const LARGEST_BODY: u64 = 64 * 1024;
/// Larger than any head of a request.
const SMALL_BUFFER: usize = 16 * 1024;

/// Which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        host_port(f, &self.host, self.port)
    }
}

/// What a client's exchanges have in common.
pub(crate) struct Settings {
    /// Checked.
    pub(crate) base_url: String,
    pub(crate) target: Target,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) route: Route,
    pub(crate) sources: Sources,
    pub(crate) ca_file: Option<CaFile>,
    /// Sent with every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Sends requests to one server.
pub(crate) struct Http {
    pub(crate) base_url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    attempt_timeout: Duration,
    network: Arc<Network>,
    /// Made once: `ureq` reads the environment whenever it makes one.
    config: Config,
}

/// A reply, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) waits: Waits,
    /// Or why there is none: the status is known without it.
    pub(crate) body: Result<Vec<u8>, Error>,
}

/// No reply.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Bytes of the request were sent, so the server may have acted on it.
    pub(crate) sent: bool,
}

impl Http {
    pub(crate) fn new(settings: Settings) -> Http {
        Http {
            base_url: settings.base_url,
            headers: settings.headers,
            attempt_timeout: settings.attempt_timeout,
            network: Arc::new(Network::new(
                settings.target,
                settings.route,
                settings.connect_timeout,
                Tls::new(settings.sources, settings.ca_file),
            )),
            config: config(),
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn route(&self) -> &Route {
        &self.network.route
    }

    /// One POST of JSON on a connection of its own, within the attempt timeout all in all, and
    /// within `limit` if that is less.
    ///
    /// A token is renewed once an hour, when an idle connection would long be closed; and the
    /// second request of a flight must not depend on what a server does to a connection after it
    /// refused the first.
    pub(crate) fn post(
        &self,
        path: &str,
        json: &str,
        limit: Option<Duration>,
    ) -> Result<Reply, Box<Failure>> {
        let timeout = limit.unwrap_or(Duration::MAX).min(self.attempt_timeout);
        let progress: Arc<Progress> = Arc::default();
        let connector = Connect {
            network: Arc::clone(&self.network),
            until: Instant::now() + timeout,
            progress: Arc::clone(&progress),
        };
        let agent = Agent::with_parts(self.config.clone(), connector, Unresolved);
        let result = self.exchange(&agent, path, json);
        let experience = &self.network.experience;
        match (&result, progress.dialled.get()) {
            (Ok(_), Some(address)) => experience.worked(*address),
            (Err(_), Some(address)) => experience.failed(*address),
            (_, None) => {}
        }
        result.map_err(|error| {
            Box::new(Failure {
                error: self.explain(error),
                sent: progress.sent.load(Ordering::Relaxed),
            })
        })
    }

    fn exchange(&self, agent: &Agent, path: &str, json: &str) -> Result<Reply, ureq::Error> {
        let mut request = agent
            .post(format!("{}{path}", self.base_url))
            .content_type("application/json");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let (head, body) = request.send(json)?.into_parts();
        let mut bytes = Vec::new();
        let read = body
            .into_with_config()
            // ureq refuses a body that reaches its limit.
            .limit(LARGEST_BODY + 1)
            .reader()
            .read_to_end(&mut bytes);
        Ok(Reply {
            status: head.status.as_u16(),
            waits: Waits::of(&head.headers, SystemTime::now()),
            body: read.map(|_| bytes).map_err(|why| self.explain(why.into())),
        })
    }

    /// A library's error in a user's words. Its text may hold what a server sent, but nothing of a
    /// body.
    fn explain(&self, error: ureq::Error) -> Error {
        let host = self.base_url.as_str();
        let odd = |what: &str| {
            Error::new(
                Status::ProtocolError,
                format!("The reply of {host} {what}. Is it api.video's?"),
            )
        };
        match error {
            ureq::Error::Io(why) if is_overdue(&why) => Error::new(
                Status::Timeout,
                format!("No complete reply from {host} within the attempt timeout."),
            ),
            ureq::Error::Io(why) => io_failed("The connection was lost to", &host, &why),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                odd("is larger than 64 KiB")
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyStalled => {
                odd("is not HTTP as it should be")
            }
            ureq::Error::Other(why) => match why.downcast::<Error>() {
                Ok(explained) => *explained,
                Err(why) => self.failed(&why),
            },
            why => self.failed(&why),
        }
    }

    fn failed(&self, why: &dyn fmt::Display) -> Error {
        let why = one_line(&why.to_string());
        Error::new(
            Status::NetworkError,
            format!("The exchange with {} failed: {why}.", self.base_url),
        )
    }
}

/// Timeouts are none of `ureq`'s: each wait of a connection ends at the exchange's deadline.
fn config() -> Config {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .max_response_header_size(LARGEST_BODY as usize)
        .input_buffer_size(SMALL_BUFFER)
        .output_buffer_size(SMALL_BUFFER)
        .user_agent(concat!("libapivideo/", env!("CARGO_PKG_VERSION")))
        .accept("application/json, application/problem+json")
        .build()
}

/// Names are resolved where the connection is made: a proxy may have to do it.
#[derive(Debug)]
struct Unresolved;

impl Resolver for Unresolved {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// How far one exchange has come.
#[derive(Debug, Default)]
struct Progress {
    /// There is a connection to this address.
    dialled: OnceLock<IpAddr>,
    /// Bytes of the request were sent: what was never sent was never acted on.
    sent: AtomicBool,
}

/// Makes one exchange's connection.
struct Connect {
    network: Arc<Network>,
    until: Instant,
    progress: Arc<Progress>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connect")
    }
}

impl Connector<()> for Connect {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _chained: Option<()>,
    ) -> Result<Option<Connection>, ureq::Error> {
        let stream = self.network.connect(self.until, &self.progress.dialled);
        let stream = stream.map_err(|why| ureq::Error::Other(Box::new(why)))?;
        let config = details.config;
        Ok(Some(Connection {
            stream,
            is_tls: self.network.target.tls,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            unsent: Vec::new(),
            head_pending: true,
            progress: Arc::clone(&self.progress),
        }))
    }
}

/// A connection for one exchange.
#[derive(Debug)]
struct Connection {
    stream: Box<dyn Stream>,
    is_tls: bool,
    buffers: LazyBuffers,
    /// Of the request, what waits to be sent: all at once, since a server that answers a head
    /// alone and closes would reset the connection, and its answer would be lost.
    unsent: Vec<u8>,
    /// Of the reply's head nothing has come yet.
    head_pending: bool,
    progress: Arc<Progress>,
}

impl Connection {
    /// Reads the reply's head to its end, and hands it on made plain.
    fn read_head(&mut self) -> Result<bool, ureq::Error> {
        let mut raw = Vec::new();
        // On the heap, which is wiped: what a stack held may be found there long afterwards.
        let mut chunk = vec![0; 4096];
        loop {
            let count = self.stream.read(&mut chunk)?;
            raw.extend(&chunk[..count]);
            if let Some((head, length)) = head::plain_head(&raw) {
                // The request is sent. Most heads are small, and what is made is wiped.
                let room = head.len() + raw.len() - length + SMALL_BUFFER;
                self.buffers = LazyBuffers::new(room, 1);
                self.hand_on(&head);
                self.hand_on(&raw[length..]);
                return Ok(count > 0);
            }
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if raw.len() > LARGEST_BODY as usize {
                return Err(ureq::Error::LargeResponseHeader(
                    raw.len(),
                    LARGEST_BODY as usize,
                ));
            }
        }
    }

    /// There is room for the head and what was read with it.
    fn hand_on(&mut self, bytes: &[u8]) {
        let room = self.buffers.input_append_buf();
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.buffers.input_appended(count);
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.unsent
            .extend_from_slice(&self.buffers.output()[..amount]);
        Ok(())
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if !self.unsent.is_empty() {
            self.progress.sent.store(true, Ordering::Relaxed);
            self.stream.write_all(&std::mem::take(&mut self.unsent))?;
            self.stream.flush()?;
        }
        if std::mem::take(&mut self.head_pending) {
            return self.read_head();
        }
        let count = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    /// It is for one exchange only.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.is_tls
    }
}
