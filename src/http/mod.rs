//! HTTP: requests to one server, with deadlines and limits. Nothing else in the library knows
//! HTTP/1.1, sockets or TLS.
//!
//! An exchange is made of: `connections`, those that are kept for the next one; `proxy`, through
//! whom a new one goes, if anybody; `lookup`, `experience` and `dial`, from a name to its
//! addresses, in a good order, to a connection; `tunnel`, through a proxy; `tls`, `secured`,
//! `roots` and `verdict`, whom to trust; `stream` and `in_time`, the deadline of it all; `cancel`,
//! its end before that; `exchange`, the request and the reply; `head` and `retry_after`, a reply's
//! head.

mod cancel;
mod connections;
mod curves;
mod dial;
mod exchange;
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
#[cfg(test)]
mod tests;
mod tls;
mod tunnel;
mod verdict;

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Status};
use exchange::{Exchange, Received, Trouble};
use network::{Network, host_port};
use stream::is_overdue;
use tls::Tls;

pub(crate) use cancel::{Cancel, cancelled};
pub(crate) use connections::Connections;
pub(crate) use exchange::Body;
pub(crate) use head::Headers;
pub(crate) use network::{Line, io_failed};
pub(crate) use proxy::{Environment, Proxy, Route, host_and_port, is_loopback};
pub(crate) use retry_after::Waits;
#[cfg(fuzzing)]
pub(crate) use retry_after::parse_retry_after;
pub(crate) use roots::{CaFile, Sources};
#[cfg(any(test, fuzzing))]
pub(crate) use stream::Socket;
pub(crate) use stream::{Patience, Stream};
pub(crate) use ureq_proto::http::{Method, Uri};

/// No reply of the auth endpoints is larger.
const LARGEST_TOKEN: u64 = 64 * 1024;
const USER_AGENT: &str = concat!("libapivideo/", env!("CARGO_PKG_VERSION"));
const ACCEPT: &str = "application/json, application/problem+json";

/// Which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// As a request's `Host` has it.
    fn as_host(&self) -> String {
        let is_default = self.port == if self.tls { 443 } else { 80 };
        match (is_default, self.host.contains(':')) {
            (false, _) => self.to_string(),
            (true, true) => format!("[{}]", self.host),
            (true, false) => self.host.clone(),
        }
    }
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
    network: Network,
}

/// What is to be sent.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// Below the base URL, query and all. Checked: it is a URL's, and begins with a slash.
    pub(crate) path: &'a str,
    /// Besides those that every request has. Checked: no value can end its header.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Body<'a>>,
}

/// How an exchange is made.
pub(crate) struct Terms<'a> {
    pub(crate) patience: Patience,
    /// The most bytes of the reply's body.
    pub(crate) largest_reply: u64,
    /// Where to look for a connection, and to leave it for the next exchange. `None`: it has one
    /// of its own.
    pub(crate) connections: Option<&'a Connections>,
    pub(crate) cancel: Option<&'a Cancel>,
}

/// A reply, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) waits: Waits,
    /// Or why there is none: the status is known without it.
    pub(crate) body: Result<Vec<u8>, Error>,
    /// The connection had served another request before: see [`Failure::kept`].
    pub(crate) kept: bool,
    /// The server was asked whether it wants the request's body, and did not say in time.
    pub(crate) kept_silent: bool,
}

impl Reply {
    /// The body; empty if there is none.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// What the server asks to wait. api.video sends its own header with every reply, to tell when
    /// its count of requests begins anew: that is an order to wait only beside a 429.
    pub(crate) fn asked_ms(&self) -> Option<u64> {
        match self.status {
            429 => self.waits.rate_limit_ms.max(self.waits.retry_after_ms),
            503 => self.waits.retry_after_ms,
            _ => None,
        }
    }
}

/// No reply.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Bytes of the request were sent, so the server may have acted on it.
    pub(crate) sent: bool,
    /// The connection had served another request before: it may have been closed for its age.
    pub(crate) kept: bool,
}

impl Http {
    pub(crate) fn new(settings: Settings) -> Http {
        Http {
            base_url: settings.base_url,
            headers: settings.headers,
            attempt_timeout: settings.attempt_timeout,
            network: Network::new(
                settings.target,
                settings.route,
                settings.connect_timeout,
                Tls::new(settings.sources, settings.ca_file),
            ),
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn route(&self) -> &Route {
        &self.network.route
    }

    /// The base URL's path, without a slash at its end; mostly empty.
    pub(crate) fn prefix(&self) -> &str {
        // Checked: a URL with a host.
        let (_, rest) = self.base_url.split_once("://").unwrap_or_default();
        rest.find('/').map_or("", |at| &rest[at..])
    }

    /// Until the attempt timeout is over, and `limit` if that is less.
    pub(crate) fn patience(&self, limit: Option<Duration>) -> Patience {
        let timeout = limit.unwrap_or(Duration::MAX).min(self.attempt_timeout);
        Patience::Until(Instant::now() + timeout)
    }

    /// One POST of JSON for a token, on a connection of its own, within the attempt timeout all in
    /// all, and within `limit` if that is less.
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
        let request = Request {
            method: &Method::POST,
            path,
            headers: &[],
            body: Some(Body {
                content_type: "application/json",
                length: json.len() as u64,
                source: &mut json.as_bytes(),
                asks_first: false,
            }),
        };
        let terms = Terms {
            patience: self.patience(limit),
            largest_reply: LARGEST_TOKEN,
            connections: None,
            cancel: None,
        };
        self.exchange(request, &terms)
    }

    /// One request, and its reply.
    pub(crate) fn exchange(&self, request: Request, terms: &Terms) -> Result<Reply, Box<Failure>> {
        if terms.cancel.is_some_and(Cancel::is_cancelled) {
            return Err(Box::new(Failure {
                error: cancelled(),
                sent: false,
                kept: false,
            }));
        }
        let kept = terms.connections.and_then(|connections| {
            connections.take(terms.patience, is_idempotent(request.method))
        });
        let was_kept = kept.is_some();
        let dialled = OnceLock::new();
        let connected = kept.map_or_else(|| self.network.connect(terms.patience, &dialled), Ok);
        let mut sent = false;
        let result = connected.and_then(|stream| self.converse(stream, request, terms, &mut sent));
        let is_cancelled = terms.cancel.is_some_and(Cancel::is_cancelled);
        let experience = &self.network.experience;
        match (&result, dialled.get()) {
            (Ok(_), Some(address)) => experience.worked(*address),
            // Of one that was cut off from here nothing is learnt.
            (Err(_), Some(address)) if !is_cancelled => experience.failed(*address),
            _ => {}
        }
        let result = result.map(|reply| Reply {
            kept: was_kept,
            ..reply
        });
        result.map_err(|error| {
            Box::new(Failure {
                error: match is_cancelled {
                    true => cancelled(),
                    false => error,
                },
                sent,
                kept: was_kept,
            })
        })
    }

    /// One exchange over this connection, which is kept afterwards if it can be. `sent` receives
    /// whether anything of the request went out.
    fn converse(
        &self,
        mut stream: Box<dyn Stream>,
        request: Request,
        terms: &Terms,
        sent: &mut bool,
    ) -> Result<Reply, Error> {
        let watched = terms.cancel.map(|cancel| cancel.watch(stream.socket()));
        let watched = watched.transpose()?;
        let head = self.head(&request);
        let is_head = *request.method == Method::HEAD;
        let before = stream.written();
        let exchange = Exchange::new(&mut *stream, terms.patience);
        let received = exchange.make(head, request.body, is_head, terms.largest_reply);
        *sent = stream.written() > before;
        let received = received.map_err(|why| self.explain(why, terms))?;
        drop(watched);
        if let (true, Some(connections)) = (received.is_reusable, terms.connections) {
            connections.keep(stream, received.keeps_for_ms);
        }
        Ok(self.reply(received, terms))
    }

    fn reply(&self, received: Received, terms: &Terms) -> Reply {
        Reply {
            status: received.status,
            waits: Waits::of(&received.headers, SystemTime::now()),
            headers: received.headers,
            body: received.body.map_err(|why| self.explain(why, terms)),
            kept: false,
            kept_silent: received.kept_silent,
        }
    }

    /// A request's head, with its empty line.
    pub(crate) fn head(&self, request: &Request) -> Vec<u8> {
        let prefix = self.prefix();
        let method = request.method;
        let mut head = format!("{method} {prefix}{} HTTP/1.1\r\n", request.path);
        let host = self.network.target.as_host();
        let mut add = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
        add("host", &host);
        add("user-agent", USER_AGENT);
        add("accept", ACCEPT);
        self.headers
            .iter()
            .for_each(|(name, value)| add(name, value));
        request
            .headers
            .iter()
            .for_each(|(name, value)| add(name, value));
        match &request.body {
            Some(body) => {
                add("content-type", body.content_type);
                add("content-length", &body.length.to_string());
                if body.asks_first {
                    add("expect", "100-continue");
                }
            }
            // A server must not take the rest of the connection for its body.
            None if has_body(method) => add("content-length", "0"),
            None => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// A trouble in a user's words. Its text may hold what a server sent, but nothing of a body.
    fn explain(&self, trouble: Trouble, terms: &Terms) -> Error {
        let host = self.base_url.as_str();
        let odd = |what: &str| {
            Error::new(
                Status::ProtocolError,
                format!("The reply of {host} {what}. Is it api.video's?"),
            )
        };
        match trouble {
            Trouble::Io(why) if is_overdue(&why) => Error::new(
                Status::Timeout,
                match terms.patience {
                    Patience::Until(_) => {
                        format!("No complete reply from {host} within the attempt timeout.")
                    }
                    Patience::Still(limit) => format!(
                        "Nothing has moved to or from {host} for {} s.",
                        limit.as_secs()
                    ),
                },
            ),
            Trouble::Io(why) => io_failed("The connection was lost to", &host, &why),
            Trouble::LargeHead => {
                odd("has a head that is larger than 64 KiB, or of more than 500 headers")
            }
            Trouble::LargeBody => odd(&format!("is larger than {} bytes", terms.largest_reply)),
            Trouble::NoHttp => odd("is not HTTP as it should be"),
            Trouble::NoMemory => Error::new(
                Status::SystemError,
                format!("There is no memory for the reply of {host}."),
            ),
            Trouble::Source(why) => {
                io_failed("What was to be sent could not be read for", &host, &why)
            }
        }
    }
}

/// What these bytes are as a reply.
#[cfg(fuzzing)]
pub(crate) fn reply_of(http: &Http, raw: &[u8], is_head: bool, largest: u64) -> Option<Reply> {
    let mut script = stream::Script(std::io::Cursor::new(raw.to_vec()));
    let terms = Terms {
        patience: http.patience(None),
        largest_reply: largest,
        connections: None,
        cancel: None,
    };
    let exchange = Exchange::new(&mut script, terms.patience);
    let received = exchange.make(Vec::new(), None, is_head, largest).ok()?;
    Some(http.reply(received, &terms))
}

/// Whether a request with this method reads, and does nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether it comes to the same if a request with this method is carried out twice.
pub(crate) fn is_idempotent(method: &Method) -> bool {
    is_safe(method) || matches!(*method, Method::PUT | Method::DELETE)
}

/// Whether a request with this method has a body, and be it an empty one.
fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
